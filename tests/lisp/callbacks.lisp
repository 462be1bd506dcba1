;;;; Lisp functions that Python calls: what goes in and out, and how long they last.

(in-package #:pyrite/test)

(def-suite callbacks :in pyrite :description "Lisp functions called by Python.")
(in-suite callbacks)

(defun call-back (function &rest arguments)
  "The value of FUNCTION, called by Python with ARGUMENTS."
  (apply #'pycall "lambda f, *args: f(*args)" function arguments))

;;; Values

(defun callback-values ()
  "A value of each kind that comes back as it was."
  (list 0 -1 (expt 2 200) (- (expt 2 64)) 1.5d0 -0.25d0 #c(1d0 2d0) 1/3 t nil "" "text" (text 0 955 128512)
        #\a '(1 "b" (2d0 nil)) #(1 #(2 "c") (3)) +py-none+ +py-empty-tuple+
        (table "a" 1 2 #(1)) (find-package '#:cl) #'car))

(test callbacks.arguments
  "What a function is given is what a result would be."
  (is-for-each (value (callback-values))
    (let ((given :nothing))
      (and (eql 1 (call-back (lambda (x) (setf given x) 1) value))
           (same value given)))))

(test callbacks.results
  "What it returns comes to Python as an argument would."
  (is-for-each (value (callback-values))
    (and (same value (call-back (lambda () value)))
         (same (list value value) (pycall "lambda f: (f(), f())" (lambda () value))))))

(test callbacks.python-sees
  "What Python makes of values."
  (is-for-each (case `((,1.5d0 "float") (1 "int") ("a" "str") (nil "bool") ((1 2) "tuple") (#(1) "list")
                       (,(table 1 2) "dict") (#\a "Character") (,+py-none+ "NoneType") (1/2 "Fraction")
                       (,#'car "Function") (:some-symbol "str")))
    (equal (second case) (pycall "lambda f: type(f()).__name__" (lambda () (first case))))))

(test callbacks.only-first-value
  (is (eql 1 (call-back (lambda () (values 1 2)))))
  (is (eql nil (call-back (lambda () (values))))))

(test callbacks.many-arguments
  (is-for-each (count '(0 1 2 7 8 9 50 1000))
    (let ((arguments (loop for i below count collect i)))
      (equalp (coerce arguments 'vector)
              (pycall "lambda f, n: f(*range(n))" (lambda (&rest rest) (coerce rest 'vector)) count)))))

(test callbacks.keywords
  "Keyword arguments arrive in the order of the call."
  (is (equal '(1 "b_c" 2 "a" 3) (pycall "lambda f: f(1, b_c=2, a=3)" (lambda (&rest rest) rest))))
  (is (equal '(1 2 3) (pycall "lambda f: f(1, c=3, b=2)" (lambda (a &key b c) (list a b c)))))
  (let ((given '()))
    (pycall "lambda f: f(**{'x_1': 'text', 'longName': (1, 2)})" (lambda (&rest rest) (setf given rest) 1))
    (is (equal '(:x-1 "text" :long-name (1 2)) given)))
  (is (= 40 (pycall "lambda f: f(**{'k%d' % i: i for i in range(20)})" (lambda (&rest rest) (length rest)))))
  (signals error (pycall "lambda f: f(1, unknown=3)" (lambda (a &key b) (list a b))))
  ;; The manual's example.
  (raw-pyexec "def foo(fn, *args, **kwargs): return fn(*args, **kwargs)")
  (is (equal '(8 9 "a" 2 "b" 3 "d" 5)
             (pycall "foo" (lambda (d e &rest args &key a b &allow-other-keys)
                             (declare (ignore a b))
                             (list* d e args))
                     8 9 :a 2 :b 3 :d 5))))

(test callbacks.wrong-argument-count
  (signals program-error (call-back (lambda (x) x)))
  (signals program-error (call-back (lambda (x) x) 1 2))
  (is-true (pycall "lambda f: 1 if not f(1) else 2" (lambda (x) (null x)))))

(test callbacks.arrays
  "Arrays come as fresh arrays, and go out on their own memory."
  (with-numpy
    (let ((array (make-array 4 :element-type 'double-float :initial-contents '(1d0 2d0 3d0 4d0))))
      (is (equalp #(0d0 1d0 2d0) (call-back #'identity (with-remote-objects (pyeval "__import__('numpy').arange(3.0)")))))
      (pycall "lambda f: f().__setitem__(0, 7.0)" (lambda () array))
      (is (= 7d0 (aref array 0)))
      (is (eq array (pycall "lambda f, a: f(a)" #'identity array)))
      (pycall "lambda f, a: f(a)" (lambda (same) (setf (aref same 1) 8d0)) array)
      (is (= 8d0 (aref array 1))))))

(test callbacks.identity
  "A function is one Python object as long as Python has it, and comes back as itself."
  (let ((function (lambda (x) x)))
    (is (eq function (pycall "lambda f: f" function)))
    (is (eq function (call-back (lambda (f) f) function)))
    (is-true (pycall "lambda f, g: f is g" function function))
    (is-true (pycall "lambda f: f(f) is f" function))
    (is-true (pycall "lambda f, o: f(o) is o" function (with-remote-objects (pycall "object"))))
    (is-false (pycall "lambda f, g: f is g" function (lambda (y) (list y))))))

(test callbacks.functions-of-functions
  (is (= 12 (call-back (lambda (f) (pycall f 5)) (lambda (x) (+ x 7)))))
  (is (= 12 (call-back (lambda (f) (funcall f 5)) (lambda (x) (+ x 7)))))
  (let ((made (pycall "lambda f: f(3)" (lambda (n) (lambda (x) (* n x))))))
    (is (= 21 (funcall made 7))))
  (is (= 21 (pycall "lambda f: f(3)(7)" (lambda (n) (lambda (x) (* n x)))))))

(test callbacks.wrappers
  (let ((object (with-remote-objects (pycall "object"))))
    (is-true (pyobject-wrapper-p (call-back #'identity object)))
    (is-true (pycall "lambda f, o: f(o) is o" #'identity object)))
  (is (equal '(1 2) (with-remote-objects* (call-back (lambda (x) (assert (consp x)) x) '(1 2))))))

(test callbacks.conversions-in-force
  "Lispifiers are for arguments of callbacks, too."
  (is (equal '(:a 1 :b (2 3))
             (with-lispifiers ((string #'parse-integer))
               (let ((given '()))
                 (pycall "lambda f: f(a='1', b=('2', 3))" (lambda (&rest rest) (setf given rest) 1))
                 given)))
      "Lispifiers are for the values of keyword arguments, not for their names.")
  (is (equal '(1 2) (with-lispifiers ((vector (lambda (v) (coerce v 'list))))
                      (let ((given nil))
                        (call-back (lambda (x) (setf given x) 1) #(1 2))
                        given))))
  (pyexec "import datetime")
  (define-lispifier "datetime.date" (date) (list :date (pyslot-value date "year")))
  (unwind-protect
       (progn
         (let ((given '()))
           (pycall "lambda f: f(datetime.date(2001, 1, 1), [datetime.date(2002, 1, 1)], k=datetime.date(2003, 1, 1))"
                   (lambda (&rest rest) (setf given rest) 1))
           (is (equalp '((:date 2001) #((:date 2002)) :k (:date 2003)) given)))
         (is (equalp '(1 2d0) (pycall "lambda f: f(1, 2.0)" #'list))))
    (pyrite::set-type-lispifier "datetime.date" nil))
  (is (= 6 (pycall "lambda f: f(1, 2, 3)" #'+))))

;;; Python's own uses

(test callbacks.of-builtins
  (is (equalp #(1 4 9) (pyeval "list(map(" (lambda (x) (* x x)) ", [1, 2, 3]))")))
  (is (equalp #(2 4) (pyeval "list(filter(" #'evenp ", [1, 2, 3, 4]))")))
  (is (equalp #(3 2 1) (pyeval "sorted([1, 3, 2], key=" #'- ")")))
  (is (equalp #("a" "B" "c") (pyeval "sorted(['c', 'B', 'a'], key=" #'string-upcase ")")))
  (is (eql 3 (pyeval "max([1, 2, 3], key=" #'identity ")")))
  (pyexec "import functools, re")
  (is (eql 24 (pycall "functools.reduce" #'* #(1 2 3 4))))
  (is (eql 7 (pyeval "functools.partial(" #'+ ", 3)(4)")))
  (is (equalp #(1 2 3) (pyeval "sorted([3, 1, 2], key=functools.cmp_to_key(" #'- "))")))
  (is (equal "A-B" (pyeval "re.sub('[a-z]', " (lambda (match) (string-upcase (pymethod match "group"))) ", 'a-b')")))
  (is (eql 5 (pyeval "functools.lru_cache(" (lambda (x) (1+ x)) ")(4)")))
  (is (equal '(3 "car") (pyeval "(lambda g: (g((3,)), g.__name__))(functools.wraps(" #'car ")(lambda *a: 3))")))
  (is (eql 2 (pyeval "next(iter(" (let ((i 1)) (lambda () (incf i))) ", 5))"))))

(defun square-distance (x)
  (let ((d (- (if (arrayp x) (row-major-aref x 0) x) 3d0))) (* d d)))

(test callbacks.of-libraries
  (with-numpy
    (is (equalp #(1 4 9) (pyeval "__import__('numpy').vectorize(" (lambda (x) (* x x)) ")([1, 2, 3])")))
    (is (= 9 (pyeval "__import__('numpy').apply_along_axis(" (lambda (v) (reduce #'+ v)) ", 0, [2, 3, 4])"))))
  ;; As an optimizer does.
  (pyexec "def minimize(f, x, step=1.0):
    while step > 1e-9:
        best = min((x - step, x, x + step), key=f)
        if best == x: step /= 2
        x = best
    return x")
  (is (< 2.999d0 (pycall "minimize" #'square-distance 100) 3.001d0))
  (if (signalled (import-module "pandas"))
      (skip "This Python has no pandas.")
      (is (equalp #(2 4 6) (pyeval "list(__import__('pandas').DataFrame({'a': [1, 2, 3]})['a'].apply("
                                   (lambda (x) (* 2 x)) "))")))))

;;; Memory

(test callbacks.kept-for-ever
  "What Python stored works after any number of other calls and collections."
  (let ((count 0))
    (setf (pyvalue "stored_callback") (lambda (x) (incf count) (* 2 x))))
  (pyexec "stored_callbacks = []")
  (dotimes (i 100)
    (let ((i i)) (pymethod (with-remote-objects (pyvalue "stored_callbacks")) "append" (lambda (x) (+ i x)))))
  (dotimes (i (scaled 100000)) (pycall "len" "abc"))
  (dotimes (i 3) (trivial-garbage:gc :full t))
  (pyexec "import gc; gc.collect()")
  (is (eql 42 (pycall "stored_callback" 21)))
  (is-true (pyeval "all(f(10) == i + 10 for i, f in enumerate(stored_callbacks))"))
  (pyexec "del stored_callback, stored_callbacks"))

(defun weak-pointer-to-dropped ()
  "A weak pointer to a function that Python kept and dropped."
  (let* ((list (list 1)) (function (lambda () list)) (pointer (trivial-garbage:make-weak-pointer function)))
    (setf (pyvalue "dropped") function)
    (pyexec "dropped()")
    (pyexec "del dropped")
    pointer))

(test callbacks.dropped
  "What Python let go of is garbage, but for what a stack still happens to show."
  (lends-nothing-for-good
    (let ((pointers (loop repeat 20 collect (weak-pointer-to-dropped))))
      (call-back #'identity 1)
      (dotimes (i 3) (trivial-garbage:gc :full t) (pycall "lambda o: o" (lambda () 1)))
      (trivial-garbage:gc :full t)
      (is (< (count-if #'trivial-garbage:weak-pointer-value pointers) 10)))))

(test callbacks.no-growth
  "Many callbacks of one call leave nothing behind."
  (pyexec "def many(f, n, value):
    for i in range(n): f(value)
    return n")
  (flet ((objects () (pyexec "import gc; gc.collect()") (pyeval "len(gc.get_objects())")))
    (lends-nothing-for-good
      (pycall "many" #'list 100 '("a" (1 2) 3d0))
      (let ((before (objects)) (count (scaled 100000)))
        (is (eql count (pycall "many" #'list count '("a" (1 2) 3d0))))
        (is (eql count (pycall "many" #'identity count 5)))
        (pycall "many" (lambda (x) (vector x "text" (lambda () x))) (scaled 10000) 7)
        (is (< (- (objects) before) 50))))))

(test callbacks.stopped-inside
  "PYSTOP within a callback: the call outside ends, and the next one starts afresh."
  (is (eql 5 (call-back (lambda () (pystop) 5))))
  (is (equal "text" (call-back (lambda () (pystop) "text"))))
  (is (eql 3 (call-back (lambda () (pystop) (pycall "len" "abc")))))
  (refuses error (call-back (lambda () (pystop) (error "stopped")))))

;;; Recursion

(defun down-and-up (n)
  "N, by as many calls through Python."
  (if (zerop n) 0 (1+ (call-back #'down-and-up (1- n)))))

(defun down-for-ever (n)
  (call-back #'down-for-ever (1+ n)))

(test callbacks.recursion
  (is (eql 100 (down-and-up 100)))
  (dotimes (i 3)
    (refuses py-recursion-error (down-for-ever 0)))
  (is (equal '(t t) (in-threads 2 (lambda (i)
                                    (declare (ignore i))
                                    (handler-case (down-for-ever 0) (py-recursion-error () t))))))
  (is (eql 100 (down-and-up 100))))
