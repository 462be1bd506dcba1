;;;; Views of Python's memory: their elements.

(in-package #:pyrite/test)

(def-suite pyarray :in pyrite :description "The elements of views of Python's memory.")
(in-suite pyarray)

(defun remote (source &rest arguments)
  "A wrapper of what SOURCE, an expression of np and of a, ..., gives for ARGUMENTS."
  (with-remote-objects (apply #'numpy-array source arguments)))

(defun all-elements (view)
  "The elements of VIEW in row-major order, a list."
  (loop for i below (pyarray-total-size view) collect (row-major-pyaref view i)))

(defun python-numbers (object)
  "The elements of the array OBJECT as Python has them, a list; of complex numbers both parts."
  (coerce (pycall "lambda a: (lambda b: b.view(b.real.dtype))(__import__('numpy').ascontiguousarray(a).reshape(-1)).tolist()"
                  object)
          'list))

(defun parts (numbers)
  (loop for number in numbers
        if (complexp number) collect (realpart number) and collect (imagpart number)
        else collect number))

;;; Every element type, looked up and compiled

(defmacro typed-functions (form)
  "An alist from element types to functions of OBJECT and VALUES, of FORM where ELEMENT is the type."
  `(list ,@(loop for type across pyrite::*element-types*
                 collect `(cons ',type (lambda (object values)
                                         (declare (ignorable values))
                                         (macrolet ((with-typed ((view rank) &body body)
                                                      `(with-pyarray (,view object :element-type ',',type
                                                                                   :rank ,rank)
                                                         ,@body)))
                                           ,form))))))

(defparameter *writers*
  (typed-functions
   (with-typed (view 1)
     (loop for value in values
           for i from 0
           do (setf (pyaref view i) value))
     (loop for i below (pyarray-total-size view) collect (pyaref view i))))
  "Write VALUES to an array of rank 1 and read it.")

(defparameter *readers*
  (typed-functions
   (with-typed (view 2)
     (destructuring-bind (rows columns) (pyarray-dimensions view)
       (loop for i below rows
             append (loop for j below columns collect (pyaref view i j))))))
  "The elements of an array of rank 2.")

(defun typed (functions type object &optional values)
  (funcall (cdr (assoc type functions :test #'equal)) object values))

(defparameter *viewed-dtypes* (append *dtypes* '(("bool" bit))))

(defun some-values (type)
  (if (eq type 'bit) '(1 0 0 1 1) (extremes type)))

(test pyarray.element-types
  "What is written is what Python sees, and what is read; both by the type of the view and compiled."
  (with-numpy
    (is-for-each (dtype *viewed-dtypes*)
      (destructuring-bind (name type) dtype
        (let* ((values (some-values type)) (count (length values))
               (view (make-pyarray count :element-type type)))
          (loop for value in values
                for i from 0
                do (assert (eql value (setf (pyaref view i) value))))
          (let ((copy (view-pyarray (remote "np.zeros_like(a[0])" view))))
            (and (equal type (pyarray-element-type view))
                 (equal name (pyslot-value (pyslot-value view "dtype") "name"))
                 (every #'eql values (all-elements view))
                 (or (eq type 'bit) (equalp (parts values) (python-numbers view)))
                 (every #'eql values (typed *writers* type copy values))
                 (pycall "lambda a, b: (a == b).all() and a.dtype == b.dtype" view copy))))))))

(test pyarray.special-floats
  "NaNs and infinities are elements like others."
  (with-numpy
    (let ((doubles (make-pyarray 15)) (singles (make-pyarray 13 :element-type 'single-float)))
      (loop for bits in (double-bits-cases) for i from 0 do (setf (pyaref doubles i) (bits-double bits)))
      (loop for bits in (single-bits-cases) for i from 0 do (setf (pyaref singles i) (bits-single bits)))
      (is (equal (double-bits-cases) (mapcar #'double-bits (all-elements doubles))))
      (is (equal (single-bits-cases) (mapcar #'single-bits (all-elements singles))))
      (is (equal (double-bits-cases) (coerce (pycall "lambda a: a.view('uint64').tolist()" doubles) 'list)))
      (is (equal (single-bits-cases)
                 (mapcar #'single-bits (typed *writers* 'single-float singles)))))))

(test pyarray.layouts
  "However an array lies in memory: elements are where their subscripts say."
  (with-numpy
    (dolist (layout (remove-if (lambda (name) (search "big-endian" name)) *layouts* :key #'first))
      (is-for-each (dtype *dtypes*)
        (destructuring-bind (name type) dtype
          (define-python "import numpy as np"
            (format nil "x = (np.arange(12) * 7).astype('~A').reshape(3, 4)" name)
            (format nil "x = ~A" (second layout)))
          (let* ((object (with-remote-objects (pyvalue "x"))) (view (view-pyarray object))
                 (numbers (python-numbers object)))
            (and (equal '(3 4) (pyarray-dimensions view))
                 (equal (pyslot-value object "strides") (pyarray-strides view))
                 (equalp numbers (parts (all-elements view)))
                 (equalp numbers (parts (loop for i below 3
                                              append (loop for j below 4 collect (pyaref view i j)))))
                 (equalp numbers (parts (typed *readers* type object))))))))))

(test pyarray.writing-through-strides
  (with-numpy
    (let* ((base (remote "np.zeros((4, 6))"))
           (view (view-pyarray (with-remote-objects (pycall "lambda a: a[::-2, 1::3].T" base)))))
      (dotimes (i 2)
        (dotimes (j 2)
          (setf (pyaref view i j) (float (+ 1 (* 10 i) j) 1d0))))
      (with-pyarray (typed view :element-type 'double-float :rank 2)
        (incf (pyaref typed 1 1) 100))
      (is (equalp #2A((0d0 0d0 0d0 0d0 0d0 0d0) (0d0 2d0 0d0 0d0 112d0 0d0)
                      (0d0 0d0 0d0 0d0 0d0 0d0) (0d0 1d0 0d0 0d0 11d0 0d0))
                  (pymethod base "copy"))))))

(test pyarray.no-dimensions-and-no-elements
  (with-numpy
    (let ((single (make-pyarray '() :initial-element 2.5d0)))
      (is (equal '() (pyarray-dimensions single)))
      (is (eql 2.5d0 (pyaref single)))
      (is (eql 2.5d0 (row-major-pyaref single 0)))
      (with-pyarray (view single :element-type 'double-float :rank 0)
        (setf (pyaref view) 3.5d0)
        (is (eql 3.5d0 (pyaref view))))
      (is (eql 3.5d0 (pymethod single "item"))))
    (is-for-each (dimensions '((0) (0 3) (3 0 2)))
      (let ((empty (make-pyarray dimensions)))
        (and (equal dimensions (pyarray-dimensions empty))
             (eql 0 (pyarray-total-size empty))
             (typep (signalled (apply #'pyaref empty (substitute 0 3 dimensions))) 'pyarray-subscript-error)
             (typep (signalled (row-major-pyaref empty 0)) 'pyarray-subscript-error))))
    (with-pyarray (view (remote "np.zeros(0)") :element-type 'double-float)
      (signals pyarray-subscript-error (pyaref view 0)))))

(test pyarray.other-objects
  "bytes, bytearray, array.array, memoryview, mmap: what a user's Python has."
  (define-python "import array, mmap")
  (is-for-each (case '(("b'abc'" (unsigned-byte 8) (97 98 99) nil)
                       ("bytearray(b'abc')" (unsigned-byte 8) (97 98 99) t)
                       ("memoryview(b'abcd')[::-2]" (unsigned-byte 8) (100 98) nil)
                       ("array.array('d', [1, 2])" double-float (1d0 2d0) t)
                       ("array.array('h', [-1, 2])" (signed-byte 16) (-1 2) t)
                       ("array.array('Q', [2 ** 64 - 1])" (unsigned-byte 64) (18446744073709551615) t)
                       ("memoryview(bytes([1, 0])).cast('?')" bit (1 0) nil)
                       ("mmap.mmap(-1, 2)" (unsigned-byte 8) (0 0) t)))
    (destructuring-bind (source type elements writable) case
      (let ((view (view-pyarray (with-remote-objects (raw-pyeval source)))))
        (prog1 (and (equal type (pyarray-element-type view))
                    (equal elements (all-elements view))
                    (eq writable (pyarray-writable-p view)))
          (release-pyarray view)))))
  (raises "TypeError" (view-pyarray #(1 2))))

(test pyarray.values-of-lisp
  "Another value becomes an object of Python's first."
  (with-numpy
    (with-pyarray (view (make-array '(2 2) :element-type 'double-float :initial-element 1d0)
                   :element-type 'double-float :rank 2)
      (is (eql 1d0 (pyaref view 1 1))))
    (raises "TypeError" (view-pyarray "text"))
    (raises "TypeError" (view-pyarray 12))
    (raises "TypeError" (with-pyarray (view nil) view))))

;;; What a view tells

(test pyarray.readers
  (with-numpy
    (let ((view (view-pyarray (remote "np.zeros((2, 3), 'i4').T"))))
      (is-true (pyarray-p view))
      (is-false (pyarray-p (remote "np.zeros(3)")))
      (is (equal '(signed-byte 32) (pyarray-element-type view)))
      (is (equal '(3 2) (pyarray-dimensions view)))
      (is (eql 2 (pyarray-rank view)))
      (is (eql 6 (pyarray-total-size view)))
      (is (equal '(4 12) (pyarray-strides view)))
      (is (equal "i" (pyarray-format view)))
      (is (eql 4 (pyarray-item-size view)))
      (is-true (pyarray-writable-p view))
      (is-false (pyarray-released-p view))
      (setf (pyaref view 0 0) 77)
      (is (eql 77 (cffi:mem-ref (pyarray-pointer view) :int32)))
      ;; What was given out is the user's own.
      (setf (first (pyarray-dimensions view)) 1000)
      (setf (first (pyarray-strides view)) 1000)
      (signals pyarray-subscript-error (pyaref view 3 0)))))

(defun mentions-all-p (object &rest texts)
  (let ((printed (prin1-to-string object)))
    (every (lambda (text) (search text printed)) texts)))

(test pyarray.printing
  (with-numpy
    (let ((view (make-pyarray '(2 3) :element-type 'single-float)))
      (is-true (mentions-all-p view "PYARRAY" "SINGLE-FLOAT" "(2 3)"))
      (is-false (mentions-all-p view "released"))
      (release-pyarray view)
      (is-true (mentions-all-p view "SINGLE-FLOAT" "(2 3)" "released")))
    (is-true (mentions-all-p (view-pyarray (remote "np.zeros(3, 'f2')")) "\"e\"" "(3)"))))

(test pyarray.is-its-object-in-python
  (with-numpy
    (let ((object (remote "np.arange(3.0)")))
      (with-pyarray (view object)
        (is-true (pycall "lambda a, b: a is b" object view))
        (is-true (pycall "lambda a, b, *, key: a[0] is b and a[1][0] is b and key is b" (list view (vector view))
                         object :key view))
        (is (eql 3d0 (pymethod view "sum")))
        (is (eql 3 (pyeval "len(" view ")")))
        (is (equalp #(0d0 1d0 2d0) (pymethod view "copy")))
        (with-pyarray (again view)
          (is (eq again view)))
        (let ((again (view-pyarray view)))
          (is (not (eq again view)))
          (is-true (pycall "lambda a, b: a is b" object again)))))))

;;; What is refused

(test pyarray.subscripts
  "Bounds are checked everywhere, compiled or not."
  (with-numpy
    (let ((view (make-pyarray '(2 3))))
      (is-for-each (subscripts '((2 0) (0 3) (-1 0) (0 -1) (1.0 0) (nil 0) (0 "1") (100000000000000000000 0)
                                 (4611686018427387903 0)))
        (let ((condition (signalled (apply #'pyaref view subscripts)))
              (set (signalled (setf (apply #'pyaref view subscripts) 1d0))))
          (and (typep condition 'pyarray-subscript-error)
               (typep condition 'type-error)
               (member (type-error-datum condition) subscripts :test #'eql)
               (mentions-all-p (princ-to-string condition) "dimension" "(2 3)")
               (typep set 'pyarray-subscript-error)
               (destructuring-bind (i j) subscripts
                 (with-pyarray (typed view :element-type 'double-float :rank 2)
                   (and (typep (signalled (pyaref typed i j)) 'pyarray-subscript-error)
                        (typep (signalled (setf (pyaref typed i j) 1d0)) 'pyarray-subscript-error)
                        (typep (signalled (incf (pyaref typed i j))) 'pyarray-subscript-error)))))))
      (is-for-each (subscripts '(() (0) (0 0 0)))
        (and (typep (signalled (apply #'pyaref view subscripts)) 'pyrite-error)
             (typep (signalled (setf (apply #'pyaref view subscripts) 1d0)) 'pyrite-error)))
      (with-pyarray (typed view :element-type 'double-float :rank 2)
        (signals pyrite-error (pyaref typed 0))
        (signals pyrite-error (setf (pyaref typed 0 0 0) 1d0)))
      (is-for-each (index '(6 -1 nil 0.0))
        (typep (signalled (row-major-pyaref view index)) 'pyarray-subscript-error))
      (is (every #'zerop (all-elements view))))))

(test pyarray.values-are-checked-first
  "A value of another type changes nothing."
  (with-numpy
    (is-for-each (case '((double-float 1 1.0 nil #c(1d0 1d0)) (single-float 1d0 1) ((unsigned-byte 8) -1 256 1.0 t)
                         ((signed-byte 64) 9223372036854775808 1/2) ((complex double-float) 1d0 #c(1.0 1.0))
                         (bit 2 t nil -1)))
      (destructuring-bind (type . values) case
        (let ((view (make-pyarray 1 :element-type type)))
          (and (loop for value in values
                     always (every (lambda (condition) (typep condition 'type-error))
                                   (list (signalled (setf (pyaref view 0) value))
                                         (signalled (typed *writers* type view (list value)))
                                         (signalled (make-pyarray 1 :element-type type
                                                                    :initial-element value)))))
               (zerop (pyaref view 0))))))))

(test pyarray.read-only
  (with-numpy
    (let ((view (view-pyarray (remote "np.broadcast_to(1.0, 3)"))))
      (is-false (pyarray-writable-p view))
      (is-true (mentions-all-p (princ-to-string (signalled (setf (pyaref view 0) 2d0))) "read-only"))
      (with-pyarray (typed view :element-type 'double-float)
        (signals pyrite-error (setf (pyaref typed 0) 2d0))
        (is (eql 1d0 (pyaref typed 2))))
      (signals pyrite-error (with-pyarray (typed view :writable t) (fail "~S" typed)))
      (raises "ValueError" (view-pyarray (remote "np.broadcast_to(1.0, 3)") :writable t))
      (raises "BufferError" (with-pyarray (typed (remote "b'abc'") :writable t) (fail "~S" typed))))))

(test pyarray.unknown-elements
  "float16, structured, big-endian, objects: the view is there, its elements are not for Lisp."
  (with-numpy
    (is-for-each (dtype '("'f2'" "'>i4'" "[('a', 'i4'), ('b', 'f8')]" "'S3'" "'O'"))
      (let ((view (view-pyarray (remote (format nil "np.zeros(2, ~A)" dtype)))))
        (and (null (pyarray-element-type view))
             (plusp (length (pyarray-format view)))
             (eql (* 2 (pyarray-item-size view)) (pyslot-value view "nbytes"))
             (typep (signalled (pyaref view 0)) 'pyrite-error)
             (typep (signalled (setf (pyaref view 0) 1)) 'pyrite-error)
             (typep (signalled (with-pyarray (typed view :element-type 'double-float) (pyaref typed 0)))
                    'pyrite-error))))
    (raises "ValueError" (view-pyarray (remote "np.zeros(2, 'M8[D]')")))))

(test pyarray.other-element-type-or-rank
  "WITH-PYARRAY says so before its body."
  (with-numpy
    (let ((view (make-pyarray '(2 2))) (entered nil) (type 'single-float))
      (macrolet ((refused (&rest options)
                   `(is-true (mentions-all-p (princ-to-string
                                              (signalled (with-pyarray (typed view ,@options)
                                                           (setf entered typed))))
                                             "PYARRAY"))))
        (refused :element-type 'single-float :rank 2)
        (refused :element-type 'double-float)
        (refused :element-type type :rank 2)
        (refused :rank 3))
      (is (null entered))
      (finishes (with-pyarray (typed view :element-type 'double-float :rank nil) typed))
      (signals pyrite-error (with-pyarray (typed view :element-type (type-of view)) typed))
      (signals pyrite-error (macroexpand '(with-pyarray (typed view :element-type 'string) typed)))
      (is (eql 0d0 (pyaref view 0 0))))))

(test pyarray.make
  (with-numpy
    (is (equal '(3) (pyarray-dimensions (make-pyarray 3))))
    (is (equal 'double-float (pyarray-element-type (make-pyarray 3))))
    (is (equal '(1 1 1) (all-elements (make-pyarray 3 :element-type '(integer 0 255) :initial-element 1))))
    (is (equal '(1 1) (all-elements (make-pyarray 2 :element-type 'bit :initial-element 1))))
    (is (equal '(#c(1d0 -2d0)) (all-elements (make-pyarray 1 :element-type '(complex double-float)
                                                             :initial-element #c(1d0 -2d0)))))
    (is-true (mentions-all-p (princ-to-string (signalled (make-pyarray 3 :element-type 't)))
                             "DOUBLE-FLOAT" "(UNSIGNED-BYTE 8)" "BIT"))
    (is-for-each (dimensions '(-1 (2 -1) 1.5 "3" (1 nil) :all))
      (typep (signalled (make-pyarray dimensions)) 'type-error))
    (is (typep (signalled (make-pyarray (list (1- (ash 1 62)) 4))) 'pyerror))
    (is-true (python-works-p))))

(test pyarray.expansions
  "What the compiled accesses are made of does not show."
  (with-numpy
    (let ((view (make-pyarray 3)) (other (make-pyarray 3 :element-type 'bit :initial-element 1)) (order '()))
      (with-pyarray (a view :element-type 'double-float)
        (declare (ignorable a))
        ;; Subscripts and values are evaluated once, in order.
        (flet ((note (value) (push value order) value))
          (setf (pyaref a (note 1)) (note 5d0))
          (incf (pyaref a (note 1)) (note 1d0)))
        (is (equal '(1d0 1 5d0 1) order))
        (is (eql 6d0 (pyaref a 1)))
        ;; The name may mean something else further in.
        (let ((a other))
          (is (eql 1 (pyaref a 0)))
          (setf (pyaref a 0) 0))
        (is (eql 0 (pyaref other 0)))
        (is (equal '(0d0 6d0 0d0) (mapcar (lambda (i) (pyaref a i)) '(0 1 2))))
        (is (equal '(0d0 6d0) (mapcar #'pyaref (list a a) '(0 1))))
        (setf (apply #'pyaref a '(2)) 9d0)
        (is (eql 9d0 (apply #'pyaref a '(2))))
        (rotatef (pyaref a 0) (pyaref a 2))
        (is (equal '(9d0 6d0 0d0) (all-elements a)))
        (is (eq view a))))))
