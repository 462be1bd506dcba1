;;;; Specialized arrays to numpy and numpy arrays to Lisp.

(in-package #:pyrite/test)

(def-suite arrays :in pyrite :description "Specialized arrays and numpy's.")
(in-suite arrays)

(defparameter *dtypes*
  '(("float32" single-float) ("float64" double-float)
    ("int8" (signed-byte 8)) ("int16" (signed-byte 16)) ("int32" (signed-byte 32)) ("int64" (signed-byte 64))
    ("uint8" (unsigned-byte 8)) ("uint16" (unsigned-byte 16)) ("uint32" (unsigned-byte 32))
    ("uint64" (unsigned-byte 64))
    ("complex64" (complex single-float)) ("complex128" (complex double-float)))
  "numpy's names of element types, and Lisp's.")

(defun extremes (type)
  "Values of the element TYPE, among them its extreme ones."
  (if (consp type)
      (destructuring-bind (kind argument) type
        (ecase kind
          (signed-byte (list 0 1 -1 (1- (ash 1 (1- argument))) (- (ash 1 (1- argument)))))
          (unsigned-byte (list 0 1 2 (1- (ash 1 argument)) (ash 1 (1- argument))))
          (complex (let ((reals (extremes argument)))
                     (mapcar #'complex reals (reverse reals))))))
      (mapcar (lambda (value) (coerce value type)) '(0 -1 3/2 1/1024 123456))))

(defun example-array (type dimensions &rest arguments)
  "A fresh array of TYPE and DIMENSIONS with various values in it."
  (let ((array (apply #'make-array dimensions :element-type type arguments)) (values (extremes type)))
    (dotimes (i (array-total-size array) array)
      (setf (row-major-aref array i) (nth (mod i (length values)) values)))))

(defparameter *shapes* '(() (1) (5) (2 3) (2 3 4) (1 1 1) (0) (0 3) (3 0 2))
  "Dimensions of arrays.")

(defun flat-numbers (array)
  "The numbers in ARRAY in row-major order, a vector; of a complex one its parts."
  (coerce (loop for i below (array-total-size array)
                for value = (row-major-aref array i)
                if (complexp value) collect (realpart value) and collect (imagpart value)
                else collect value)
          'vector))

(defun seen-by-python (array)
  "What numpy has for ARRAY: dtype, dimensions, and the numbers in it, those of complex ones in pairs."
  (pycall "lambda a: (a.dtype.name, list(a.shape),
             (a.reshape(-1).view(a.real.dtype) if a.dtype.kind == 'c' else a.reshape(-1)).tolist(),
             a.dtype.isnative and a.flags.c_contiguous and type(a).__name__)"
          array))

(defun arrives-p (array dtype)
  "True when Python sees ARRAY, of DTYPE, as it is."
  (destructuring-bind (name shape numbers kind) (seen-by-python array)
    (and (equal dtype name)
         (equal "ndarray" kind)
         (equalp (coerce (array-dimensions array) 'vector) shape)
         (equalp (flat-numbers array) numbers))))

;;; To Python

(test arrays.to-python
  "Every element type, at every rank."
  (with-numpy
    (dolist (dtype *dtypes*)
      (is-for-each (shape *shapes*)
        (arrives-p (example-array (second dtype) shape) (first dtype))))))

(test arrays.to-python.displaced
  (with-numpy
    (is-for-each (dtype *dtypes*)
      (destructuring-bind (name type) dtype
        (let* ((whole (example-array type '(4 6)))
               (part (make-array '(3 2) :element-type type :displaced-to whole :displaced-index-offset 7))
               (again (make-array 4 :element-type type :displaced-to part :displaced-index-offset 1)))
          (and (arrives-p part name) (arrives-p again name)))))))

(test arrays.to-python.fill-pointer
  (with-numpy
    (is-for-each (dtype *dtypes*)
      (let* ((array (example-array (second dtype) 6 :fill-pointer 6 :adjustable t))
             (before (coerce (subseq array 0 4) `(simple-array ,(second dtype) (*)))))
        (setf (fill-pointer array) 4)
        (and (equalp (flat-numbers before) (third (seen-by-python array)))
             (equalp #(4) (second (seen-by-python array)))
             (progn (setf (fill-pointer array) 0)
                    (equalp #(0) (second (seen-by-python array)))))))))

(test arrays.to-python.adjusted
  (with-numpy
    (let ((array (example-array 'double-float '(2 2) :adjustable t)))
      (setf array (adjust-array array '(3 4) :initial-element 7d0))
      (is-true (arrives-p array "float64")))))

(test arrays.to-python.special-floats
  (with-numpy
    (let ((doubles (make-array 15 :element-type 'double-float
                                  :initial-contents (mapcar #'bits-double (double-bits-cases))))
          (singles (make-array 13 :element-type 'single-float
                                  :initial-contents (mapcar #'bits-single (single-bits-cases)))))
      (is (equalp (coerce (double-bits-cases) 'vector) (pycall "lambda a: a.view('uint64').tolist()" doubles)))
      (is (equalp (coerce (single-bits-cases) 'vector) (pycall "lambda a: a.view('uint32').tolist()" singles))))))

(test arrays.to-python.large
  (with-numpy
    (let* ((count (scaled 1000000)) (array (make-array count :element-type 'double-float)))
      (dotimes (i count)
        (setf (aref array i) (float i 1d0)))
      (is (= (/ (* count (1- count)) 2) (pymethod array "sum"))))))

(test arrays.to-python.inside-containers
  (with-numpy
    (let ((array (example-array 'double-float '(2 3))))
      (is-true (pycall "lambda v, a: all((x == a).all() and x.shape == (2, 3) for x in (v[0], v[1][0], v[2]['a']))"
                       (list array (vector array) (table "a" array)) array))
      (is-true (pycall "lambda **keywords: keywords['array'].shape == (2, 3)" :array array))
      ;; More of them than can be pinned at once.
      (is (eql 300 (apply #'pycall "lambda *arrays: sum(a.size for a in arrays)"
                          (loop repeat 50 collect (example-array '(unsigned-byte 8) '(2 3)))))))))

(test arrays.to-python.imports-numpy
  "An array needs numpy, and gets it."
  (with-numpy
    (pystop)
    (is (equal "ndarray" (pycall "lambda a: type(a).__name__" (example-array 'double-float 3))))))

(test arrays.to-python.too-many-dimensions
  (with-numpy
    (if (< array-rank-limit 40)
        (skip "This Lisp has no arrays of so many dimensions.")
        (refuses conversion-error
          (pycall "len" (make-array (make-list 33 :initial-element 1) :element-type 'double-float))))))

;;; From Python

(defun numpy-array (source &rest arguments)
  "The array that SOURCE, an expression of np and of a, ..., gives for ARGUMENTS."
  (apply #'pycall (format nil "lambda *a: (lambda np: ~A)(__import__('numpy'))" source) arguments))

(defun array-is-p (array type dimensions numbers)
  "True when ARRAY has that element TYPE, those DIMENSIONS and NUMBERS, a vector."
  (and (arrayp array)
       (equal (upgraded-array-element-type type) (array-element-type array))
       (equal dimensions (array-dimensions array))
       (equalp numbers (flat-numbers array))))

(test arrays.from-python.no-lisps
  "Arrays that this or another Lisp cannot make stay in Python; what was beside them is not lost."
  (with-numpy
    (destructuring-bind (most many long object) (pyeval "(lambda np: (np.ones((1,) * 32), np.ones((1,) * 64)
    if np.__version__ >= '2' else np.ones((0, 1 << 57)), np.zeros((0, 1 << 56), object), object()))(__import__('numpy'))")
      (is (arrayp most))
      (is-for-each (value (list many long object))
        (pyobject-wrapper-p value))
      (is (eql 0 (pyslot-value long "size"))))))

(test arrays.from-python
  "Every element type, at every rank but 0, which is below."
  (with-numpy
    (dolist (dtype *dtypes*)
      (destructuring-bind (name type) dtype
        (is-for-each (shape (remove '() *shapes*))
          (let ((array (numpy-array "(np.arange(int(np.prod(a[1]))) % 120).astype(a[0]).reshape(a[1])"
                                    name (coerce shape 'vector)))
                (complex (and (consp type) (eq (first type) 'complex))))
            (array-is-p array type shape
                        (coerce (loop for i below (reduce #'* shape)
                                      for number = (mod i 120)
                                      collect number
                                      when complex collect 0)
                                'vector))))))))

(test arrays.round-trip
  "What was sent comes back equal, with extreme values."
  (with-numpy
    (dolist (dtype *dtypes*)
      (is-for-each (shape (remove '() *shapes*))
        (let* ((array (example-array (second dtype) shape)) (back (pycall "lambda a: a.copy()" array)))
          (and (array-is-p back (second dtype) shape (flat-numbers array))
               (not (eq back array))))))))

(defparameter *layouts*
  '(("as it is" "x") ("big-endian" "x.astype(x.dtype.newbyteorder('>'))")
    ("little-endian" "x.astype(x.dtype.newbyteorder('<'))")
    ("Fortran" "np.asfortranarray(x)") ("reversed" "x[::-1, ::-1]") ("strided" "np.repeat(x, 2, axis=1)[:, ::2]")
    ("transposed" "np.ascontiguousarray(x.T).T") ("broadcast" "np.broadcast_to(x[0], x.shape)")
    ("read-only" "(lambda y: (y.setflags(write=False), y)[1])(x.copy())")
    ("unaligned" "np.frombuffer(b'-' + x.tobytes(), dtype=x.dtype, offset=1).reshape(x.shape)")
    ("big-endian Fortran" "np.asfortranarray(x.astype(x.dtype.newbyteorder('>')))"))
  "How an array may lie in memory: a name, and an expression of np and x.")

(test arrays.from-python.layouts
  "Whatever the strides and the byte order: the elements are what counts."
  (with-numpy
    (dolist (layout *layouts*)
      (is-for-each (dtype *dtypes*)
        (destructuring-bind (name type) dtype
          (define-python "import numpy as np"
            (format nil "x = (np.arange(12) * 7).astype('~A').reshape(3, 4)" name)
            (format nil "x = ~A" (second layout))
            "plain = np.ascontiguousarray(x, dtype=x.dtype.newbyteorder('=')).reshape(-1)")
          (array-is-p (pyvalue "x") type '(3 4)
                      (pyeval "plain.view(plain.real.dtype).tolist()")))))))

(test arrays.from-python.special-floats
  (with-numpy
    (let ((doubles (numpy-array "np.array(a[0], dtype='uint64').view('float64')" (double-bits-cases)))
          (singles (numpy-array "np.array(a[0], dtype='uint32').view('float32')" (single-bits-cases))))
      (is (equal (double-bits-cases) (map 'list #'double-bits doubles)))
      (is (equal (single-bits-cases) (map 'list #'single-bits singles))))))

(test arrays.from-python.large
  (with-numpy
    (let* ((count (scaled 1000000)) (array (numpy-array "np.arange(a[0], dtype='int64')" count)))
      (is (= count (length array)))
      (is-true (loop for value across array for i from 0 always (eql value i))))))

(test arrays.from-python.fresh
  (with-numpy
    (pyexec "import numpy as np" (string #\Newline) "kept = np.zeros(3)")
    (let ((one (pyvalue "kept")))
      (setf (aref one 0) 9d0)
      (is (equalp #(0 0 0) (pyvalue "kept")))
      (pyexec "kept[1] = 5.0")
      (is (equalp #(9 0 0) one)))))

(test arrays.from-python.inside-containers
  (with-numpy
    (let ((values (numpy-array "[np.ones(2), {'a': np.zeros((1, 2), dtype='int8')}, (np.arange(3),)]")))
      (is-true (array-is-p (svref values 0) 'double-float '(2) #(1d0 1d0)))
      (is-true (array-is-p (gethash "a" (svref values 1)) '(signed-byte 8) '(1 2) #(0 0)))
      (is-true (array-is-p (first (svref values 2)) '(signed-byte 64) '(3) #(0 1 2))))))

(test arrays.from-python.without-dimensions
  "An array without dimensions is its one element."
  (with-numpy
    (is-for-each (pair '(("float64" 1.5d0) ("float32" 1.5f0) ("int8" -5) ("uint64" 18446744073709551615)
                         (">i4" 7) (">f8" 2.5d0) (">f4" 2.5f0)))
      (eql (second pair) (numpy-array "np.array(a[1]).astype(a[0])" (first pair) (second pair))))
    (is (eql t (numpy-array "np.array(True)")))))

(test arrays.from-python.scalars
  (with-numpy
    (is-for-each (pair '(("float64" 1.5d0) ("float32" 1.5f0) ("float16" 1.5f0) ("int8" -128) ("int16" -5)
                         ("int32" -5) ("int64" -9223372036854775808) ("uint8" 255) ("uint16" 65535)
                         ("uint32" 4294967295) ("uint64" 18446744073709551615) ("intc" 5) ("longlong" 5)
                         ("ulonglong" 5) ("uintp" 5)))
      (eql (second pair) (numpy-array "getattr(np, a[0])(a[1])" (first pair) (second pair))))
    (is (eq t (numpy-array "np.bool_(True)")))
    (is (eq nil (numpy-array "np.bool_(False)")))
    (is (same '(1.5d0 #(2.5f0) 3) (numpy-array "(np.float64(1.5), [np.float32(2.5)], np.int8(3))")))))

(test arrays.from-python.special-scalars
  (with-numpy
    (is-for-each (bits (double-bits-cases))
      (eql bits (double-bits (numpy-array "np.uint64(a[0]).view('float64')" bits))))
    (is-for-each (bits (single-bits-cases))
      (eql bits (single-bits (numpy-array "np.uint32(a[0]).view('float32')" bits))))))

(test arrays.from-python.other-types
  "Elements that Lisp has no type for stay in Python, as do arrays of subclasses."
  (with-numpy
    (is-for-each (source '("np.array(['2000-01-01'], dtype='datetime64[D]')" "np.array([1], dtype='timedelta64[s]')"
                           "np.zeros(2, dtype=[('a', 'i4'), ('b', 'f8')])" "np.zeros(2, dtype=np.longdouble)"
                           "np.ma.array([1, 2], mask=[0, 1])" "np.zeros(2).view(np.recarray)"
                           "np.array([b'ab'])" "np.datetime64('2000-01-01')" "np.longdouble(1)"
                           "np.dtype('int8')"))
      (pyobject-wrapper-p (numpy-array source)))))

(test arrays.remote
  "Kept in Python, an array is a wrapper; converted later, it is the array."
  (with-numpy
    (let ((array (with-remote-objects (numpy-array "np.arange(6).reshape(2, 3)"))))
      (is (pyobject-wrapper-p array))
      (is-true (array-is-p (pyvalue array) '(signed-byte 64) '(2 3) #(0 1 2 3 4 5)))
      (is (same (numpy-array "np.arange(6).reshape(2, 3)")
                (with-remote-objects* (numpy-array "np.arange(6).reshape(2, 3)"))))
      (is (eql 15 (pymethod array "sum"))))))

(test arrays.many-times
  "Arrays to and fro while garbage is collected."
  (with-numpy
    (let ((arrays (loop for shape in '((3) (2 3) (100 10)) collect (example-array 'double-float shape))))
      (is-true (dotimes (i (scaled 2000) t)
                 (when (zerop (mod i 100))
                   (trivial-garbage:gc))
                 (dolist (array arrays)
                   (unless (equalp array (pycall "lambda a: a * 1" array))
                     (return nil))))))))

;;; Arrays of objects

(test arrays.of-objects
  (with-numpy
    (let ((array (make-array '(2 2) :initial-contents `((1 "two") (,(vector 1 2) (3 nil))))))
      (is (equalp array (pycall "lambda a: a" array)))
      (is (equal "object" (pycall "lambda a: str(a.dtype)" array)))
      (is (equalp '(2 2) (pyslot-value array "shape"))))
    (is (equal "array(5, dtype=object)" (py-repr (make-array '() :initial-element 5))))
    (is (equalp '(0 3) (pyslot-value (make-array '(0 3)) "shape")))
    (is (equalp #2A((#\a) (#\b))
                (pycall "lambda a: a" (make-array '(2 1) :element-type 'character
                                                         :initial-contents '((#\a) (#\b))))))))

(test arrays.of-objects.from-python
  (with-numpy
    (is (equalp #("a" "bc") (numpy-array "np.array(['a', 'bc'])")))
    (is (equalp #2A(("a") ("bc")) (numpy-array "np.array([['a', 'bc']]).T")))
    (is (equalp (vector +py-none+ #(1 2) 1.0)
                (numpy-array "np.array([None, [1, 2], np.float32(1)], dtype=object)")))
    (is (equal '(0 2) (array-dimensions (numpy-array "np.empty((0, 2), dtype=object)"))))
    (pyexec "import numpy
circle = numpy.empty(1, dtype=object)
circle[0] = circle")
    (refuses conversion-error (pyvalue "circle"))
    (let ((circle (make-array '(1 1))))
      (setf (aref circle 0 0) circle)
      (refuses conversion-error (pycall "len" circle))
      (setf (aref circle 0 0) nil))))
