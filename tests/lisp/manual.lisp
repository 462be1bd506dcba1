;;;; The examples of py4cl2-cffi's manual, as a program that uses its package writes them. Where the value
;;;; is another one, a comment says by which rule. Other suites have those of
;;;;
;;;;     chain, chain*, (setf chain)          chain.manual, chain.manual.setf
;;;;     pyref                                items.manual
;;;;     with-lispifiers, with-pythonizers    lispifiers.the-manual, pythonizers.the-manual
;;;;     defpyfun, defpymodule                defpyfun.manual, defpymodule.manual, defpymodule.manual-numpy

(defpackage #:python-lisp-user
  (:documentation "The package that the manual's tutorial defines.")
  (:use #:cl #:py4cl2-cffi)
  (:import-from #:fiveam #:test #:is #:is-true #:is-false #:signals #:skip)
  (:import-from #:pyrite/test #:with-numpy #:signalled))

(in-package #:python-lisp-user)

(fiveam:def-suite pyrite/test::manual :in pyrite/test::pyrite :description "The examples of the manual.")
(fiveam:in-suite pyrite/test::manual)

(defun near (expected number)
  "True when NUMBER is EXPECTED, but for the last digits."
  (< (abs (- expected number)) 1d-6))

(test manual.why
  (raw-pyexec "def foo(): return str(1)")
  (is (equal "1" (pycall "foo")))
  (dotimes (i 1000)
    (pycall "foo")))

;;; Basic usage

(test manual.start
  (pystart)
  (is-true (python-alive-p))
  (pystop)
  (is-false (python-alive-p))
  (is-true (pystart))
  (is-true (python-alive-p)))

(defun first-lines (object)
  "OBJECT as it is printed, but for the line of its identity."
  (let ((text (prin1-to-string object)))
    (subseq text 0 (position #\Newline text :from-end t))))

(test manual.pyvalue
  (is (equal (format nil "#<PYOBJECT-WRAPPER :type <class 'module'>~%  <module 'sys' (built-in)>")
             (first-lines (pyvalue "sys"))))
  (pystop)
  (is (typep (signalled (pyvalue "answer_to_everything")) 'pyerror))
  (is (eql 42 (setf (pyvalue "answer_to_everything") 42)))
  (is (eql 42 (pyvalue "answer_to_everything")))
  (is-true (every #'stringp (pyvalue "sys.path"))))

(test manual.print-pyobject-wrapper-identity
  (let ((*print-pyobject-wrapper-identity* nil))
    (is (equal "<module 'sys' (built-in)>" (prin1-to-string (pyvalue "sys"))))
    (is (equal "<class 'str'>" (prin1-to-string (pyvalue "str"))))
    (is (equal "0.1" (prin1-to-string (with-remote-objects (pyeval 0.1d0))))))
  (is (equal (format nil "#<PYOBJECT-WRAPPER :type <class 'float'>~%  0.1")
             (first-lines (with-remote-objects (pyeval 0.1d0)))))
  (let ((*print-pyobject* nil))
    (is (null (search "float" (prin1-to-string (with-remote-objects (pyeval 0.1d0))))))))

(test manual.pycall
  (is (equal "42" (pycall "str" 42)))
  (is (equal "42" (pycall (pyvalue "str") 42)) "A wrapper.")
  (is (equal "42!" (pycall "lambda x: str(x) + '!'" 42)) "A string that RAW-PYEVAL evaluates.")
  (is (eql 43 (pycall #'1+ 42)) "What is converted to something that can be called."))

(test manual.import-module
  (is (eq t (import-module "math")))
  (is (eql 3.141592653589793d0 (pyvalue "math.pi")))
  (is (eql 5d0 (pycall "math.hypot" 3 4))))

(test manual.import-function
  (is (eq t (import-function "hypot" "math")))
  (is (eql 13d0 (pycall "hypot" 12 5))))

;;; Arrays

(test manual.arrays-by-reference
  (with-numpy
    (let ((a (make-array 3 :element-type 'single-float :initial-contents '(0.5 0.25 1.0)))
          (b (make-array 3 :element-type 'single-float :initial-contents '(0.25 1.0 0.5))))
      ;; What comes back is the array that was passed.
      (is (eq a (pycall "numpy.add" a b :out a)))
      (is (equalp #(0.75 1.25 1.5) a)))))

(test manual.svd
  (with-numpy
    (let* ((a (make-array '(3 3) :element-type 'double-float
                                 :initial-contents '((1d0 2d0 3d0) (4d0 5d0 6d0) (7d0 8d0 10d0))))
           (result (pycall "numpy.linalg.svd" a)))
      ;; numpy 1 returns a tuple; the manual has a namedtuple of numpy 2.
      (if (consp result)
          (is (equal '(3 3) (array-dimensions (first result))))
          (let ((*print-pyobject-wrapper-identity* nil))
            (is (eql 0 (search "SVDResult(U=array([[" (prin1-to-string result))))
            (is (equal '(3) (array-dimensions (pyslot-value result "S")))))))))

;;; Callbacks

(test manual.callbacks
  (is (null (multiple-value-list (raw-pyexec "def foo(fn, *args, **kwargs): return fn(*args, **kwargs)"))))
  ;; Keyword arguments come in the order of the call; the manual has them in reverse.
  (is (equal '(8 9 "a" 2 "b" 3 "d" 5)
             (pycall "foo" (lambda (d e &rest args &key a b &allow-other-keys)
                             (declare (ignore a b))
                             (list* d e args))
                     8 9 :a 2 :b 3 :d 5))))

;;; numpy

(defun evaluate (text)
  "The value of the form that TEXT is read as, here."
  (let ((*package* (find-package '#:python-lisp-user)))
    (eval (read-from-string text))))

(test manual.numpy
  (with-numpy
    (is (eq t (evaluate "(defpymodule \"numpy\" t :silent t)")))
    (let ((array (evaluate "(numpy.random:random '(2 3 4))")))
      (is (equal '(2 3 4) (array-dimensions array)))
      (let ((sums (funcall (evaluate "(lambda (array) (numpy:sum array :axis '(0 2)))") array)))
        (is (equal '(3) (array-dimensions sums)))
        (is (near (loop for i below 2
                        sum (loop for j below 4 sum (aref array i 0 j)))
                  (aref sums 0)))))
    (is (equal '(:matrix 3 4)
               (with-lispifiers ((array (lambda (o) (cons :matrix (array-dimensions o)))))
                 (evaluate "(numpy.random:random '(3 4))"))))))

;;; Plotting

(test manual.plotting
  (if (signalled (import-module "matplotlib"))
      (skip "This Python has no matplotlib.")
      (progn
        (pymethod (pyvalue "matplotlib") "use" "Agg")
        (is (eq t (import-module "matplotlib.pyplot" :as "plt")))
        (let ((lines (pycall "plt.plot" (alexandria:iota 10)
                             (mapcar (lambda (x) (* x x)) (alexandria:iota 10)))))
          (is (eql 1 (length lines)))
          (is (eql 0 (search "#<PYOBJECT-WRAPPER :type <class 'matplotlib.lines.Line2D'>"
                             (prin1-to-string (aref lines 0))))))
        ;; None has an object of its own. Traps need not be masked.
        (is (eq +py-none+ (pycall "plt.close"))))))

;;; Optimization

(defun pysin-of (x)
  "As the manual compiles it, with a constant name."
  (pycall "math.sin" x))

(test manual.optimization
  (import-module "math")
  (is (near (sin 2d0) (pysin-of 2)))
  (is (near (loop for i below 100 sum (sin (coerce i 'double-float)))
            (with-python-gil
              (loop for i below 100 sum (pysin-of i)))))
  (is (near (sin 1d0) (funcall (compile nil '(lambda (x) (pycall "math.sin" x))) 1))))

(test manual.disable-pystop
  (let ((py4cl2-cffi/config:*disable-pystop* t))
    (setf (pyvalue "kept_in_spite_of_pystop") 1)
    (pystop)
    (is (eql 1 (pyvalue "kept_in_spite_of_pystop"))))
  (pystop)
  (signals pyerror (pyvalue "kept_in_spite_of_pystop")))

(test manual.works-after-pystop
  "What DEFPYFUN defines with and without SAFETY."
  (evaluate "(defpyfun \"cos\" \"math\" :lisp-fun-name \"PYCOS\")")
  (evaluate "(defpyfun \"tan\" \"math\" :lisp-fun-name \"PYTAN\" :safety nil)")
  (pystop)
  (is (near (cos 1d0) (evaluate "(pycos 1)")))
  ;; SAFETY costs nothing, so that it is always there.
  (is (near (tan 1d0) (evaluate "(pytan 1)"))))

;;; API reference

(test manual.variables
  (is (null *additional-init-codes*))
  (is (null *defpymodule-silent-p*))
  (is (equal '(:typed-arrays :with-python-output) *internal-features*))
  (is (null *lispifiers*))
  (is (null *pythonizers*))
  (is (eq t *print-pyobject*))
  (is (eq t *print-pyobject-wrapper-identity*))
  (is (eql 1000 *pygc-threshold*))
  (is (null +disable-pystop+)))

(test manual.additional-init-codes
  (pystop)
  (let ((*additional-init-codes* '("initial = 1" "initial += 1")))
    (pystart))
  (is (eql 2 (pyvalue "initial"))))

(test manual.pyobject-wrapper-eq
  (let ((object (pycall "object")))
    (is-true (pyobject-wrapper-eq object (pyvalue* object)))
    (is-true (pyobject-wrapper-eq :same :same))
    (is-false (pyobject-wrapper-eq object (pycall "object")))
    (is-false (pyobject-wrapper-eq object :other))
    (is-true (pyobject-wrapper-eq* (pyvalue "str") (pyvalue "str")))))

(test manual.lists
  (is (member "upper" (pymethod-list "text") :test #'equal))
  (is (find "upper" (pymethod-list "text" :as-vector t) :test #'equal))
  (is (member "real" (pyslot-list 5) :test #'equal))
  (is (vectorp (pyslot-list 5 :as-vector t))))

(test manual.pyversion-info
  (destructuring-bind (major minor micro level serial) (pyversion-info)
    (is (eql 3 major))
    (is (every #'integerp (list minor micro serial)))
    (is (stringp level))))

(test manual.pyhelp
  (is (search "len(" (with-output-to-string (*standard-output*) (pyhelp "len")))))

(test manual.errors
  (is (typep (signalled (pycall "int" "x")) 'pyerror))
  (is (typep (make-condition 'simple-pyerror :type "ValueError") 'pyerror)))

(test manual.raw
  (is (eql 3 (raw-pyeval "1" "+" "2")))
  (is (equalp #(1 2 3) (raw-pyeval "[1, 2, 3]")))
  (raw-pyexec "raw_one = 1;" "raw_two = 2")
  (is (eql 2 (pyvalue "raw_two"))))

(test manual.pythonize
  (is (equal "5" (py-repr 5)))
  (is (pyobject-wrapper-eq (pythonize (pyvalue "str")) (pyvalue "str"))))

(test manual.with-remote-objects
  (is (typep (with-remote-objects (pycall "str" 5)) 'pyobject-wrapper))
  (is (equal "5" (with-remote-objects* (pycall "str" 5)))))

(test manual.with-pygc
  (is (equal "5" (with-pygc (pycall "str" 5)))))
