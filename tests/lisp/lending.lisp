;;;; Arrays that are lent to Python with their memory.

(in-package #:pyrite/test)

(def-suite lending :in pyrite :description "What is lent to Python, in place, and what becomes of it.")
(in-suite lending)

;;; What is lent now

(defun loan-count ()
  "How many loans the table has."
  (count-if (lambda (place) (typep place 'pyrite::loan)) pyrite::**loans**))

(defun kept-places ()
  "How many objects are kept where they are, on SBCL; 0 elsewhere."
  (let ((keepers (find-symbol "**KEEPERS**" '#:pyrite/port)) (free (find-symbol "KEEPER-FREE" '#:pyrite/port)))
    (if keepers
        (loop for keeper in (symbol-value keepers)
              sum (- (symbol-value (find-symbol "+KEEPER-SLOTS+" '#:pyrite/port)) (length (funcall free keeper))))
        0)))

(defun pending-count ()
  "How many things wait to be given back to Python."
  (cffi:with-foreign-objects ((live :size) (pending :size))
    (pyrite::%counters live pending)
    (cffi:mem-ref pending :size)))

(defun collect-everything ()
  "Collect both sides' garbage, and end the loans that Python let go of."
  (dotimes (i 2)
    (pyexec "import gc; gc.collect()")
    (trivial-garbage:gc :full t)
    ;; Each call pays some of what is to be given back.
    (loop do (python-works-p) until (zerop (pending-count)))
    (pyrite::collect-loans)))

(defmacro lends-nothing-for-good (&body body)
  "Two checks: after BODY, and when all is collected, no more is lent and kept than before."
  `(let ((before (progn (collect-everything) (list (loan-count) (kept-places)))))
     ,@body
     (pyexec "kept = []; a = None")
     (collect-everything)
     (is (>= (first before) (loan-count)))
     (is (>= (second before) (kept-places)))))

(defun storm ()
  "Make what GCs would put in the place of memory that was freed or moved."
  (dotimes (i (if (eq (uiop:implementation-type) :ecl) 2 5))
    (let ((vectors (loop repeat (scaled 40000)
                         collect (make-array 10 :element-type 'double-float :initial-element -7d0))))
      (trivial-garbage:gc :full t)
      (assert (= -7d0 (aref (first vectors) 9))))))

(defun numbered (count &optional (first 0) (type 'double-float))
  "A fresh vector of COUNT floats from FIRST on."
  (let ((vector (make-array count :element-type type)))
    (dotimes (i count vector)
      (setf (aref vector i) (coerce (+ first i) type)))))

(defun prepare-lending ()
  "Define in Python what the tests use."
  (define-python "import numpy as np, threading, copy" "kept = []"
    "def keep(*things): kept.extend(things)"))

(defmacro with-lending (&body body)
  `(with-numpy (prepare-lending) ,@body))

;;; In place

(defun zeroed-p (array)
  (loop for i below (if (vectorp array) (length array) (array-total-size array))
        always (zerop (row-major-aref array i))))

(test lending.in-place
  "What Python writes to an array of any element type and rank is in the Lisp array."
  (with-lending
    (dolist (dtype *dtypes*)
      (is-for-each (shape '(() (1) (5) (2 3) (2 3 4) (1 2 1 2) (2 1 2 1 2) (1 2 1 2 1 2) (2 1 2 1 2 1 2) (0) (2 0)))
        (let ((array (example-array (second dtype) shape)))
          (pycall "lambda a: a.fill(0)" array)
          (and (zeroed-p array)
               (progn (pycall "lambda a: a.__setitem__(Ellipsis, 3)" array)
                      (loop for i below (array-total-size array) always (= 3 (row-major-aref array i))))))))))

(test lending.in-place.by-all-means
  (with-lending
    (let ((array (numbered 10)))
      (pycall "lambda a: a.__setitem__(slice(None), a[::-1].copy())" array)
      (is (equalp (reverse (numbered 10)) array))
      (pymethod array "sort")
      (is (equalp (numbered 10) array))
      (pycall "lambda a: np.multiply(a, 2.0, out=a)" array)
      (is (= 18 (aref array 9)))
      (pycall "lambda a: np.negative(a[::2], out=a[::2])" array)
      (is (equalp #(0 2 -4 6 -8 10 -12 14 -16 18) array))
      (pycall "lambda a: a.reshape(2, 5).T.__setitem__((0, 0), 77.0)" array)
      (is (= 77 (aref array 0)))
      (pycall "lambda a: memoryview(a).__setitem__(1, 78.0)" array)
      (is (= 78 (aref array 1)))
      (pycall "lambda a: a.byteswap(inplace=True)" array)
      (pycall "lambda a: a.byteswap(inplace=True)" array)
      (is (= 78 (aref array 1))))))

(test lending.in-place.displaced
  "Only the part that an array has is Python's to write."
  (with-lending
    (is-for-each (dtype *dtypes*)
      (let* ((type (second dtype)) (whole (example-array type '(4 6)))
             (before (loop for i below 24 collect (row-major-aref whole i)))
             (part (make-array '(3 4) :element-type type :displaced-to whole :displaced-index-offset 7))
             (again (make-array 4 :element-type type :displaced-to part :displaced-index-offset 3)))
        (pycall "lambda a: a.fill(1)" again)
        (loop for i below 24
              for value in before
              always (eql (row-major-aref whole i) (if (<= 10 i 13) (coerce 1 type) value)))))))

(test lending.in-place.fill-pointer
  (with-lending
    (is-for-each (dtype *dtypes*)
      (let* ((type (second dtype))
             (array (make-array 8 :element-type type :fill-pointer 5 :adjustable t
                                  :initial-element (coerce 2 type))))
        (pycall "lambda a: a.fill(1)" array)
        (loop for i below 8 always (eql (aref array i) (coerce (if (< i 5) 1 2) type)))))))

(test lending.in-place.copied
  "Element types that numpy has no like of are copied: what Python writes is lost."
  (with-lending
    (is-for-each (array (list (make-array 4 :element-type 'bit :initial-element 1)
                              (make-array 4 :element-type 'fixnum :initial-element 1)
                              (make-array '(2 2) :initial-element 1)))
      ;; In some Lisps an array of fixnums is one of 64 bits.
      (or (equal (array-element-type array) (upgraded-array-element-type '(signed-byte 64)))
          (progn (pycall "lambda a: a.fill(0)" array)
                 (loop for i below 4 always (eql 1 (row-major-aref array i))))))
    (let ((list (vector 1 1)))
      (pycall "lambda a: a.append(0)" list)
      (is (equalp #(1 1) list)))))

(test lending.many-in-one-call
  "More arrays than can be pinned, written to by one call."
  (with-lending
    (lends-nothing-for-good
      (let ((arrays (loop for i below 100 collect (numbered 10 i))))
        (is (= (loop for array in arrays sum (reduce #'+ array))
               (pycall "lambda arrays: np.concatenate(arrays).sum()" arrays)))
        (pyexec "
def write_all(arrays):
    for i, a in enumerate(arrays): a[:] = i")
        (pycall "write_all" arrays)
        (is-true (loop for array in arrays for i from 0 always (every (lambda (x) (= x i)) array)))
        (is (every #'eq arrays (pycall "lambda arrays: arrays" arrays)))))))

;;; Identity

(test lending.eq
  "The array itself comes back as itself, wherever in the result it is."
  (with-lending
    (lends-nothing-for-good
      (dolist (array (list (numbered 3) (example-array '(unsigned-byte 8) '(2 3)) (numbered 0)
                           (make-array '() :element-type 'double-float :initial-element 1d0)
                           (make-array 3 :element-type 'single-float :fill-pointer 2 :adjustable t)
                           (make-array 2 :element-type 'double-float :displaced-to (numbered 5)
                                         :displaced-index-offset 2)))
        (is (eq array (pycall "lambda a: a" array)))
        (is (eq array (pycall "np.asarray" array)))
        (is (eq array (svref (pycall "lambda a: [a]" array) 0)))
        (is (eq array (first (pycall "lambda a: (a,)" array))))
        (is (eq array (gethash "a" (pycall "lambda a: {'a': a}" array))))
        (is (eq array (svref (gethash "a" (pycall "lambda a: {'a': [a]}" array)) 0)))))))

(test lending.eq.later
  (with-lending
    (lends-nothing-for-good
      (let ((array (numbered 4)))
        (pycall "keep" array)
        (is (eq array (pyeval "kept[0]")))
        (trivial-garbage:gc :full t)
        (is (eq array (pyeval "kept[0]")))
        (is (eq array (svref (pyvalue "kept") 0)))
        (is (eq array (first (in-threads 1 (lambda (i) (declare (ignore i)) (pyeval "kept[0]"))))))
        (is (eq array (with-remote-objects* (pycall "lambda a: a" array))))
        ;; In a thread, on whose stack nothing of it stays.
        (is (equal '((t t t))
                   (in-threads 1 (lambda (i)
                                   (declare (ignore i))
                                   (let ((wrapper (with-remote-objects (pycall "lambda a: a" array))))
                                     (list (pyobject-wrapper-p wrapper)
                                           (eq array (pyvalue wrapper))
                                           (eq array (pycall "lambda a: a" wrapper))))))))
        ;; Lent again, it is another numpy array on the same memory.
        (is-true (pycall "lambda a: np.shares_memory(a, kept[0])" array))
        (is-true (pycall "lambda a, b: np.shares_memory(a, b)" array array))))))

(test lending.views-are-fresh
  "What is not the array as it was lent comes back as another one, of the right type and elements."
  (with-lending
    (lends-nothing-for-good
      (flet ((fresh-p (source expected)
               (let* ((array (numbered 6)) (value (pycall (format nil "lambda a: ~A" source) array)))
                 (and (not (eq value array))
                      (equal (array-element-type expected) (array-element-type value))
                      (equalp expected value)))))
        (is-for-each (case (list (list "a[:]" (numbered 6))
                                 (list "a[1:3]" (numbered 2 1))
                                 (list "a[::-1]" (reverse (numbered 6)))
                                 (list "a.copy()" (numbered 6))
                                 (list "copy.copy(a)" (numbered 6))
                                 (list "copy.deepcopy(a)" (numbered 6))
                                 (list "a.view()" (numbered 6))
                                 (list "np.frombuffer(a)" (numbered 6))
                                 (list "np.array(memoryview(a))" (numbered 6))
                                 (list "a.reshape(6, 1)[:, 0]" (numbered 6))
                                 (list "a.astype('float32')" (numbered 6 0 'single-float))
                                 (list "a.view('int64') * 0" (make-array 6 :element-type '(signed-byte 64) :initial-element 0))))
          (fresh-p (first case) (second case)))
        (is (equalp '(2 3) (array-dimensions (pycall "lambda a: a.reshape(2, 3)" (numbered 6)))))))))

(test lending.changed-in-place-is-fresh
  "An array whose shape or type Python changed is not the Lisp array any more."
  (with-lending
    (define-python "import warnings" "def change(a, name, value):" "    with warnings.catch_warnings():"
      "        warnings.simplefilter('ignore')" "        setattr(a, name, value)" "    return a")
    (let* ((array (numbered 6)) (value (pycall "change" array "shape" '(2 3))))
      (is (equal '(2 3) (array-dimensions value)))
      (is (equalp (numbered 6) array)))
    (is-for-each (dtype '("int64" "uint64" "complex64"))
      (let ((value (pycall "change" (make-array 3 :element-type 'double-float :initial-element 0d0) "dtype" dtype)))
        (equal (array-element-type value)
               (array-element-type (pycall "lambda d: np.zeros(3, dtype=d)" dtype)))))
    (let ((value (pycall "change" (numbered 3) "dtype" ">f8")))
      (is (typep value '(simple-array double-float (3))))
      (is (/= 1 (aref value 1))))))

;;; Kept

(defparameter *ways-to-keep*
  '(("array" "a" "k") ("slice" "a[1:-1]" "k") ("slice of slice" "a[1:][::2]" "k") ("reversed" "a[::-1]" "k")
    ("memoryview" "memoryview(a)" "np.asarray(k)") ("frombuffer" "np.frombuffer(a)" "k")
    ("bytes" "np.frombuffer(memoryview(a).cast('B'))" "k") ("base" "(a.base, a[:])" "k[1]")
    ("closure" "lambda: a" "k()") ("generator" "(x for x in [a])" "k.gi_frame.f_locals['.0'].__reduce__()[1][0][0]")
    ("method" "a.sum" "k.__self__") ("flat" "a.flat" "k.base") ("dict" "{'a': [(a,)]}" "k['a'][0][0]")
    ("exception" "failing(a)" "k.__traceback__.tb_frame.f_locals['a']")
    ("transposed" "a.reshape(-1, 2).T" "k"))
  "How Python may keep an array a: a name, what it keeps, and how it gets at an array on the memory of that.")

(defun prepare-keeping ()
  (define-python "def failing(a):" "    try: 1 / 0"
    "    except ZeroDivisionError as e: return e")
  (pyexec (format nil "ways = [~{(~A, ~A)~^, ~}]"
                  (loop for (nil make get) in *ways-to-keep*
                        collect (format nil "lambda a: ~A" make) collect (format nil "lambda k: ~A" get))))
  (define-python "def keep_way(i, a): kept.append((i, ways[i][0](a)))"
    "def kept_array(j): return ways[kept[j][0]][1](kept[j][1])"
    "def kept_sum(j): return float(kept_array(j).sum())"
    "def kept_write(j, x): kept_array(j)[...] = x"))

(defun keep-in-all-ways (size)
  "Fresh vectors of SIZE, one kept by Python in each way, and what Python then finds its sum to be."
  (loop for way in *ways-to-keep*
        for i from 0
        for array = (numbered size (* 1000 i))
        do (pycall "keep_way" i array)
        collect (cons array (pycall "kept_sum" i))))

(defun kept-well-p (arrays)
  "The names of the ways in which one of ARRAYS, as KEEP-IN-ALL-WAYS gives them, was not kept well."
  (loop for (array . sum) in arrays
        for (name) in *ways-to-keep*
        for i from 0
        unless (and (= sum (pycall "kept_sum" i))
                    (equalp array (numbered (length array) (* 1000 i)))
                    ;; Python's writes arrive, and Lisp's.
                    (progn (pycall "kept_write" i 5d0) (plusp (count 5d0 array)))
                    (progn (fill array 2d0) (= 2 (pycall "lambda i: kept_array(i).max()" i))))
          collect name))

(defmacro with-consing-threads ((count) &body body)
  "Evaluate BODY while COUNT threads make garbage."
  `(let* ((over nil)
          (threads (loop repeat ,count
                         collect (bt:make-thread
                                  (lambda () (loop until over do (make-array 1000 :element-type 'double-float)))))))
     (unwind-protect (progn ,@body)
       (setf over t)
       (mapc #'bt:join-thread threads))))

(test lending.kept
  "However Python keeps an array: after many GCs it has what it had, and shares it with Lisp."
  (with-lending
    (prepare-keeping)
    (dolist (size '(10 250000))
      (lends-nothing-for-good
        (let ((arrays (keep-in-all-ways size)))
          (storm)
          (is (null (kept-well-p arrays))))))))

(test lending.kept.others-consing
  (with-lending
    (prepare-keeping)
    (lends-nothing-for-good
      (with-consing-threads (4)
        (let ((arrays (keep-in-all-ways 10)))
          (storm)
          (is (null (kept-well-p arrays))))))))

(test lending.kept.only-by-python
  "What nobody but Python has."
  (with-lending
    (lends-nothing-for-good
      (dotimes (i 200)
        (pycall "keep" (numbered 10 i)))
      (storm)
      (is-true (pyeval "all((a == np.arange(i, i + 10)).all() for i, a in enumerate(kept))"))
      (pyexec "for a in kept: a *= 2")
      (is-true (loop for array across (pyvalue "kept")
                     for i from 0
                     always (and (= (* 2 i) (aref array 0)) (= (* 2 (+ 9 i)) (aref array 9))))))))

(test lending.kept.many
  "More than a keeper keeps, on SBCL."
  (with-lending
    (lends-nothing-for-good
      (let* ((count (if (eq (uiop:implementation-type) :sbcl) 20000 2000))
             (arrays (coerce (loop for i below count collect (numbered 2 i)) 'vector)))
        (pycall "lambda arrays: keep(*arrays)" arrays)
        (storm)
        (is-true (pyeval "all(a[0] == i and a[1] == i + 1 for i, a in enumerate(kept))"))
        (pyexec "for a in kept: a[0] = -1")
        (is-true (every (lambda (array) (= -1 (aref array 0))) arrays))
        (is (every #'eq arrays (pyvalue "kept")))))))

(test lending.kept.by-a-thread
  "A Python thread goes on with the array when the call is over."
  (with-lending
    (define-python "go = threading.Event()" "def later(a):" "    go.wait(60)" "    a += 1"
      "def start(a):" "    go.clear()" "    thread = threading.Thread(target=later, args=(a,))"
      "    keep(thread)" "    thread.start()")
    (lends-nothing-for-good
      (let ((array (numbered 10)))
        (pycall "start" array)
        (storm)
        (pyexec "go.set(); kept[0].join()")
        (is (equalp (numbered 10 1) array))))))

(test lending.kept.adjusted
  "Python has the memory that an array had, whatever ADJUST-ARRAY gives the array."
  (with-lending
    (lends-nothing-for-good
      (let ((arrays (loop for i below 50
                          collect (make-array 10 :element-type 'double-float :adjustable t :fill-pointer 10
                                                 :initial-element (float i 1d0)))))
        (pycall "lambda arrays: keep(*arrays)" (coerce arrays 'vector))
        (dolist (array arrays)
          (if (evenp (round (aref array 0)))
              (adjust-array array 1000 :fill-pointer 1000 :initial-element 0d0)
              (dotimes (i 100) (vector-push-extend 0d0 array))))
        (storm)
        (is-true (pyeval "all(len(a) == 10 and (a == i).all() for i, a in enumerate(kept))"))
        (pyexec "for a in kept: a[:] = -1")
        (storm)
        (is-true (pyeval "all((a == -1).all() for i, a in enumerate(kept))"))
        (is-true (loop for array in arrays for i from 0 always (= i (aref array 0))))
        (is (every #'eq arrays (pyvalue "kept")))))))

(test lending.adjusted-while-lent
  "Another thread gives the array new memory while Python works on the old one."
  (with-lending
    (define-python "entered = threading.Event()" "go = threading.Event()" "def wait(a):" "    entered.set()"
      "    go.wait(60)" "    a += 1" "    keep(a)")
    (lends-nothing-for-good
      (let* ((array (make-array 10 :element-type 'double-float :adjustable t :initial-element 1d0))
             (thread (bt:make-thread (lambda () (pycall "wait" array)))))
        (pyexec "entered.wait()")
        (adjust-array array 5000)
        (storm)
        (pyexec "go.set()")
        (bt:join-thread thread)
        (storm)
        (is-true (pyeval "(kept[0] == 2).all()"))
        (is (= 1 (aref array 0)))))))
