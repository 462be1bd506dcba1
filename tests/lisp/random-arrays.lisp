;;;; Random arrays and random ways to look at them, with numpy as the judge; and arrays from numpy of every
;;;; type and layout, element by element.

(in-package #:pyrite/test)

(def-suite random-arrays :in pyrite :description "Random arrays, and arrays of every type and layout.")
(in-suite random-arrays)

;;; Random arrays

(defun random-element (type)
  "A random number of the element TYPE."
  (if (consp type)
      (destructuring-bind (kind argument) type
        (ecase kind
          (unsigned-byte (random-below (ash 1 argument)))
          (signed-byte (- (random-below (ash 1 argument)) (ash 1 (1- argument))))
          (complex (complex (random-element argument) (random-element argument)))))
      (coerce (/ (- (random-below 2001) 1000) 8) type)))

(defun fill-randomly (array type)
  (dotimes (i (array-total-size array) array)
    (setf (row-major-aref array i) (random-element type))))

(defun random-dimensions (rank)
  (loop repeat rank collect (if (zerop (random-below 12)) 0 (1+ (random-below 4)))))

(defun random-array ()
  "A random array: of any element type, simple or not, displaced or not."
  (let* ((type (second (nth (random-below (length *dtypes*)) *dtypes*)))
         (dimensions (random-dimensions (random-below 5)))
         (size (reduce #'* dimensions)))
    (flet ((whole (size) (fill-randomly (make-array size :element-type type) type)))
      (one-of (lambda () (fill-randomly (make-array dimensions :element-type type) type))
              (lambda () (fill-randomly (make-array dimensions :element-type type :adjustable t) type))
              (lambda ()
                (let ((vector (make-array (+ 3 size) :element-type type :fill-pointer t :adjustable t)))
                  (fill-randomly vector type)
                  (setf (fill-pointer vector) size)
                  vector))
              (lambda ()
                (let ((offset (random-below 5)))
                  (make-array dimensions :element-type type :displaced-to (whole (+ offset size 2))
                                         :displaced-index-offset offset)))
              (lambda ()
                (let* ((first (random-below 3)) (second (random-below 3))
                       (between (make-array (+ second size) :element-type type :displaced-index-offset first
                                                            :displaced-to (whole (+ first second size)))))
                  (make-array dimensions :element-type type :displaced-to between
                                         :displaced-index-offset second)))))))

(defun effective-dimensions (array)
  (if (vectorp array) (list (length array)) (array-dimensions array)))

;;; The same in Python, without lending: from the numbers in it

(defun numbers-of (array)
  "What makes up ARRAY, as lists of Python: integers, and floats and complex numbers by their parts."
  (coerce (loop repeat (reduce #'* (effective-dimensions array))
                for i from 0
                for value = (row-major-aref array i)
                if (complexp value)
                  collect (float (realpart value) 1d0) and collect (float (imagpart value) 1d0)
                else collect (if (floatp value) (float value 1d0) value))
          'simple-vector))

(defun dtype-name (array)
  (first (find (array-element-type array) *dtypes*
               :test #'equal :key (lambda (dtype) (upgraded-array-element-type (second dtype))))))

(defun arguments-of (array)
  "What Python's `build` makes an array like ARRAY from."
  (list (numbers-of array) (dtype-name array) (coerce (effective-dimensions array) 'simple-vector)))

(defun prepare-random-arrays ()
  (define-python "import numpy as np"
    "def build(numbers, dtype, shape):"
    "    part = np.dtype(dtype).type().real.dtype"
    "    return np.array(numbers, dtype=part).view(dtype).reshape([int(n) for n in shape])"
    "def same(a, b):"
    "    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()"
    "def view_same(a, numbers, dtype, shape, source):"
    "    b = build(numbers, dtype, shape)"
    "    return same(a, b) and same(np.asarray(eval(source)(a)), np.asarray(eval(source)(b)))"
    "def view_write(a, numbers, dtype, shape, source):"
    "    b = build(numbers, dtype, shape)"
    "    for x in (a, b):"
    "        v = eval(source)(x)"
    "        v[...] = np.resize(np.arange(1, 8), v.shape).astype(x.dtype)"
    "    return b.reshape(-1).view(b.real.dtype).tolist()"))

;;; Random views

(defun random-slice (dimension)
  (flet ((bound () (if (zerop (random-below 3))
                       ""
                       (format nil "~D" (- (random-below (+ 3 (* 2 dimension))) dimension 1)))))
    (format nil "~A:~A:~A" (bound) (bound)
            (nth (random-below 6) '("" "1" "2" "-1" "-2" "3")))))

(defun random-index (rank basic dimensions)
  "A random subscript for an array of RANK: of slices only when BASIC."
  (format nil "[~{~A, ~}...]"
          (loop for axis below (if (zerop rank) 0 (random-below (1+ rank)))
                for dimension = (nth axis dimensions)
                collect (if (and (not basic) (plusp dimension) (zerop (random-below 4)))
                            (format nil "~D" (- (random-below (* 2 dimension)) dimension))
                            (random-slice dimension)))))

(defun random-view (array basic)
  "The source of a random Python function of an array like ARRAY to a view of it."
  (let* ((dimensions (effective-dimensions array)) (rank (length dimensions)))
    (format nil "lambda x: x~A~A~A" (random-index rank basic dimensions)
            (one-of (lambda () "") (lambda () ".T") (lambda () "[np.newaxis]") (lambda () "[::-1]"))
            (one-of (lambda () "") (lambda () "[...]") (lambda () ".T")))))

(defmacro with-random-arrays (&body body)
  `(with-numpy (prepare-random-arrays) ,@body))

(defun random-case (basic)
  "A random array, and the source of a function to a view of it that numpy takes."
  (let ((array (random-array)))
    (loop for source = (random-view array basic)
          when (pycall "lambda source, *parts: works(source, build(*parts))" source
                       (first (arguments-of array)) (second (arguments-of array)) (third (arguments-of array)))
            return (list array source))))

(defun prepare-works ()
  (define-python "def works(source, x):" "    try: v = eval(source)(x)" "    except IndexError: return False"
    "    return isinstance(v, np.ndarray)"))

(test random-arrays.views
  "What Python sees through any view of a lent array is what it sees in a copy that was never lent."
  (with-random-arrays
    (prepare-works)
    (repeatedly ((scaled 4000) value (random-case nil))
      (destructuring-bind (array source) value
        (apply #'pycall "view_same" array (append (arguments-of array) (list source)))))))

(test random-arrays.writes
  "What Python writes through any view is in the Lisp array, and nothing else is."
  (with-random-arrays
    (prepare-works)
    (repeatedly ((scaled 3000) value (random-case t))
      (destructuring-bind (array source) value
        (let* ((parts (arguments-of array))
               (wanted (apply #'pycall "view_write" array (append parts (list source)))))
          (equalp wanted (numbers-of array)))))))

(test random-arrays.outside-untouched
  "Elements past the fill pointer and outside of a displaced array are nobody's to write."
  (with-random-arrays
    (repeatedly ((scaled 2000) array (random-array))
      (multiple-value-bind (whole offset) (array-displacement array)
        (let* ((whole (or whole array)) (size (reduce #'* (effective-dimensions array)))
               (before (loop for i below (array-total-size whole) collect (row-major-aref whole i))))
          (pycall "lambda a: a.fill(1)" array)
          (loop for i below (array-total-size whole)
                for value in before
                always (if (<= offset i (+ offset size -1))
                           (= 1 (row-major-aref whole i))
                           (eql value (row-major-aref whole i)))))))))

(test random-arrays.there-and-back
  "A copy comes back as a fresh simple array of the same type, dimensions and elements; itself as itself."
  (with-random-arrays
    (repeatedly ((scaled 3000) array (random-array))
      (and (eq array (pycall "lambda a: a" array))
           (or (null (effective-dimensions array))
               (let ((copy (pycall "lambda a: a.copy()" array)))
                 (and (not (eq copy array))
                      (equal (array-element-type copy) (array-element-type array))
                      (equal (array-dimensions copy) (effective-dimensions array))
                      (equalp (numbers-of copy) (numbers-of array)))))))))

(test random-arrays.views-back
  "A view, of whatever strides, comes back with the elements that numpy has for it."
  (with-random-arrays
    (prepare-works)
    (repeatedly ((scaled 3000) value (random-case nil))
      (destructuring-bind (array source) value
        (destructuring-bind (back shape numbers)
            (pycall (format nil "lambda a: (lambda v: (v, list(v.shape), ~
                                   np.ascontiguousarray(v).reshape(-1).view(v.real.dtype).tolist()))((~A)(a))"
                            source)
                    array)
          (if (zerop (length shape))
              (or (arrayp back) (numberp back))
              (and (equalp shape (coerce (effective-dimensions back) 'vector))
                   (equal (array-element-type back) (array-element-type array))
                   (equalp numbers (flat-numbers* back)))))))))

(defun flat-numbers* (array)
  "As FLAT-NUMBERS, of the elements that count."
  (flat-numbers (if (vectorp array) (coerce array `(simple-array ,(array-element-type array) (*))) array)))

;;; Arrays from numpy

(defparameter *all-dtypes*
  (append *dtypes* '(("bool" bit) ("float16" single-float) ("object" t) ("<U5" t)))
  "numpy's names of all element types that Lisp takes, and Lisp's.")

(defparameter *all-layouts*
  (append *layouts*
          '(("strided in both" "np.repeat(np.repeat(x, 2, axis=1), 3, axis=0)[::3, ::2]")
            ("negative" "np.ascontiguousarray(x[:, ::-1])[:, ::-1]") ("row" "x[1]") ("column" "x[:, 2]")
            ("every other" "x.reshape(-1)[::2]") ("stride 0" "np.broadcast_to(x[1:2, 1:2], (3, 4))")
            ("stride 0 column" "np.broadcast_to(x[:, :1], (3, 4))") ("no elements" "x[:0]")
            ("no columns" "x[:, 4:]") ("one" "x[1:2, 1:2]") ("three dimensions" "x.reshape(3, 2, 2).transpose(2, 0, 1)")
            ("seven dimensions" "x.reshape(3, 1, 2, 1, 2, 1, 1)")
            ("read-only view" "(lambda y: (y.setflags(write=False), y)[1])(x[::-1])")
            ("of a buffer" "np.array(memoryview(x)) if x.dtype.kind not in 'OU' else x")
            ("big-endian reversed" "x.astype(x.dtype.newbyteorder('>'))[::-1, ::-1]")
            ("big-endian unaligned" "(lambda y: np.frombuffer(b'-' + y.tobytes(), dtype=y.dtype, offset=1)
                                       .reshape(y.shape))(x.astype(x.dtype.newbyteorder('>')))"))))

(defun from-list-p (value numbers)
  "True when VALUE, an array, has the elements of NUMBERS, nested vectors as tolist gives them."
  (labels ((flatten (item depth)
             (if (zerop depth) (list item) (loop for each across item append (flatten each (1- depth)))))
           (equal-p (element wanted)
             (typecase wanted
               ((member t nil) (eql element (if wanted 1 0)))
               (number (= element wanted))
               (t (equal element wanted)))))
    (let ((wanted (flatten numbers (array-rank value))))
      (and (= (length wanted) (array-total-size value))
           (loop for item in wanted
                 for i from 0
                 always (equal-p (row-major-aref value i) item))))))

(test random-arrays.matrix
  "Every type in every layout, element by element as Python lists them."
  (with-numpy
    (dolist (layout *all-layouts*)
      (is-for-each (dtype (if (search "frombuffer" (second layout))
                              (remove "object" *all-dtypes* :key #'first :test #'equal)
                              *all-dtypes*))
        (destructuring-bind (name type) dtype
          (define-python "import numpy as np"
            (format nil "x = (np.arange(12) * 7 % 5).astype('~A').reshape(3, 4)" name)
            (format nil "x = ~A" (second layout)))
          (let ((value (pyvalue "x")))
            (and (typep value 'simple-array)
                 (equal (array-element-type value) (upgraded-array-element-type type))
                 (equalp (coerce (array-dimensions value) 'vector) (pyeval "list(x.shape)"))
                 (from-list-p value (pyeval "x.tolist()")))))))))

(test random-arrays.matrix.without-dimensions
  "An array without dimensions is its one element, whatever its type and byte order."
  (with-numpy
    (dolist (order '("=" ">" "<"))
      (is-for-each (dtype *all-dtypes*)
        (let ((value (pycall "lambda d, o: __import__('numpy').array(1).astype(d).astype(__import__('numpy').dtype(d).newbyteorder(o))"
                             (first dtype) order)))
          (cond ((equal (first dtype) "bool") (eq value t))
                ((equal (first dtype) "<U5") (equal value "1"))
                (t (and (numberp value) (= value 1)
                        (or (eq (second dtype) t) (typep value (upgraded-array-element-type (second dtype))))))))))))
