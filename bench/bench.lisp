;;;; What a call costs, as ratios to CPython's own loop in the same run.
;;;;
;;;; Each row times a Lisp form and a Python statement by turns, several times, each time long enough to
;;;; be measured, and takes the best of each. The Python statement is the body of `for i in range(count)` in a function, in this
;;;; process; I is the loop's variable on both sides.

(defpackage #:pyrite/bench
  (:use #:cl #:pyrite)
  (:export #:run))

(in-package #:pyrite/bench)

(defparameter *rounds* 9 "How often each side of a row is timed.")
(defparameter *seconds* 0.05d0 "How long one timing takes at the least.")

(defvar *rows* '() "The rows, last first: (NAME FUNCTION STATEMENT LIMIT).")

(defmacro define-row (name limit statement form &key (bindings '()) (around '()))
  "A row NAME: FORM with BINDINGS in a loop within the macros AROUND, against the Python STATEMENT.

LIMIT is the ratio that the project promises, or NIL."
  `(push (list ,name
               (lambda (count)
                 (declare (type fixnum count) (optimize speed))
                 (let* ,bindings
                   ,(reduce #'list around :from-end t :initial-value `(dotimes (i count) ,form))))
               ,statement ,limit)
         *rows*))

(defun seconds ()
  "A clock, in seconds: Python's, since Lisps' may tick too slowly."
  (pycall "time.perf_counter"))

(defun time-lisp (function count)
  (let ((start (seconds)))
    (funcall function count)
    (- (seconds) start)))

(defun time-python (statement count)
  (pycall "bench_time" statement count))

(defun enough (timer)
  "How many iterations make TIMER, a function of their count, take *SECONDS*."
  (loop for count = 1 then (* count 4)
        until (or (> (funcall timer count) (/ *seconds* 4)) (> count 100000000))
        finally (return (* count 4))))

(defun measure (function statement)
  "The best nanoseconds of one iteration of FUNCTION and of STATEMENT."
  (flet ((lisp (count) (time-lisp function count))
         (python (count) (time-python statement count)))
    (let ((lisp-count (enough #'lisp)) (python-count (enough #'python)))
      (loop repeat *rounds*
            minimize (/ (lisp lisp-count) lisp-count) into best-lisp
            minimize (/ (python python-count) python-count) into best-python
            finally (return (values (* 1d9 best-lisp) (* 1d9 best-python)))))))

(defun print-row (name lisp python limit)
  (let ((ratio (/ lisp python)))
    (format t "~46A ~12,1F ~12,1F ~8,2F ~:[      ~;~:*~6,1F~]~:[~; over~]~%"
            name lisp python ratio limit (and limit (> ratio limit)))
    (finish-output)))

(defun run (&optional filter)
  "Print the table; only the rows whose names contain FILTER, when it is given."
  (prepare)
  (format t "~&Pyrite on ~A ~A, CPython ~{~D.~D.~D~*~*~}~%~%" (lisp-implementation-type)
          (lisp-implementation-version) (pyversion-info))
  (format t "~46A ~12@A ~12@A ~8@A ~6@A~%" "operation" "Lisp ns" "CPython ns" "ratio" "limit")
  (loop for (name function statement limit) in (reverse *rows*)
        when (or (null filter) (search filter name))
          do (multiple-value-bind (lisp python) (measure function statement)
               (print-row name lisp python limit)))
  (part-rows filter)
  (unless filter (start-row)))

(defun prepare ()
  (pystart)
  (mapc #'import-module '("math" "marshal" "numpy" "time"))
  (raw-pyexec "
def bench_time(statement, count):
    names = dict(globals())
    exec('def loop(count):\\n for i in range(count): ' + statement, names)
    loop = names['loop']
    start = time.perf_counter()
    loop(count)
    return time.perf_counter() - start
def ident(x): return x
def call_many(function, count):
    for i in range(count): function(i)
def drop(x): pass
def keyword(a, key=None): return a
class Thing:
    def __init__(self): self.x = 1
    def method(self, a): return a
thing = Thing()
answer = 42
text = 'x' * 100
ints = list(range(1000, 2000))
floats = [i + 0.5 for i in range(1000)]
strings = ['string %d' % i for i in range(1000)]
table = {'key %d' % i: i for i in range(1000)}
def give_ints(): return ints
def give_floats(): return floats
def give_strings(): return strings
def give_table(): return table
dumped_ints, dumped_floats, dumped_strings, dumped_table = map(marshal.dumps, (ints, floats, strings, table))
small = numpy.arange(10.0)
large = numpy.arange(1e6)
copies = []
def give_small(): return small
def give_large(): return large
"))

(defun doubles (n)
  (let ((array (make-array n :element-type 'double-float)))
    (dotimes (i n array)
      (setf (aref array i) (coerce i 'double-float)))))

(defun sum (object)
  "The sum of the doubles in OBJECT, read where they are."
  (with-pyarray (array object :element-type 'double-float)
    (let ((sum 0d0))
      (declare (type double-float sum))
      (dotimes (i (pyarray-total-size array) sum)
        (incf sum (pyaref array i))))))

;;; Calls

(define-row "call math.sin by name" 3 "math.sin(i)" (pycall "math.sin" i))
(define-row "call math.sin by name, GIL held" 2 "math.sin(i)" (pycall "math.sin" i)
  :around (with-python-gil))
(define-row "... float traps masked" nil "math.sin(i)" (pycall "math.sin" i)
  :around (with-float-traps-masked))
(define-row "... GIL held, float traps masked" nil "math.sin(i)" (pycall "math.sin" i)
  :around (with-float-traps-masked with-python-gil))
(define-row "call str of an integer" nil "str(i)" (pycall "str" i))
(define-row "call with a keyword argument" 6 "keyword(1, key=2)" (pycall "keyword" 1 :key 2))
(define-row "call a method" 6 "thing.method(1)" (pymethod thing "method" 1)
  :bindings ((thing (pyvalue "thing"))))
(define-row "get an attribute" 6 "thing.x" (pyslot-value thing "x")
  :bindings ((thing (pyvalue "thing"))))
(define-row "... float traps masked" nil "thing.x" (pyslot-value thing "x")
  :bindings ((thing (pyvalue "thing"))) :around (with-float-traps-masked))
(define-row "look up a name" nil "answer" (pyvalue "answer"))
(define-row "look up a dotted name" nil "math.pi" (pyvalue "math.pi"))

;;; Text

(define-row "string of 100 characters, in" 10 "len(text)" (pycall "len" text)
  :bindings ((text (make-string 100 :initial-element #\x))))
(define-row "string of 100 characters, in and out" 10 "ident(text)" (pycall "ident" text)
  :bindings ((text (make-string 100 :initial-element #\x))))

;;; Containers

(define-row "1000 ints, in" 4 "marshal.loads(dumped_ints)" (pycall "drop" ints)
  :bindings ((ints (pyvalue "ints"))))
(define-row "1000 ints, out" 4 "marshal.dumps(ints)" (pycall "give_ints"))
(define-row "1000 floats, in" 4 "marshal.loads(dumped_floats)" (pycall "drop" floats)
  :bindings ((floats (pyvalue "floats"))))
(define-row "1000 floats, out" 4 "marshal.dumps(floats)" (pycall "give_floats"))
(define-row "1000 strings, in" 4 "marshal.loads(dumped_strings)" (pycall "drop" strings)
  :bindings ((strings (pyvalue "strings"))))
(define-row "1000 strings, out" 8 "marshal.dumps(strings)" (pycall "give_strings"))
(define-row "dict of 1000 entries, in" 4 "marshal.loads(dumped_table)" (pycall "drop" table)
  :bindings ((table (pyvalue "table"))))
(define-row "dict of 1000 entries, out" 8 "marshal.dumps(table)" (pycall "give_table"))

;;; Arrays

(define-row "numpy.sum of 10 doubles lent" 1.4 "numpy.sum(small)" (pycall "numpy.sum" array)
  :bindings ((array (doubles 10))))
(define-row "numpy.sum of 10^6 doubles lent" 1.1 "numpy.sum(large)" (pycall "numpy.sum" array)
  :bindings ((array (doubles 1000000))))
(define-row "array of 10 doubles, lent" nil "small.copy()" (pycall "drop" array)
  :bindings ((array (doubles 10))))
(define-row "array of 10 doubles, out" 5 "small.copy()" (pycall "give_small"))
(define-row "array of 10^6 doubles, out" 2 "large.copy()" (pycall "give_large"))
;; A copy in memory that is used again and again is in the processor's cache. A result never is.
(define-row "... against copies in fresh memory" nil "copies.append(large.copy()); i % 8 or copies.clear()"
  (pycall "give_large"))

(define-row "10^6 doubles summed in place" nil "large.sum()" (sum large)
  :bindings ((large (with-remote-objects (pyvalue "large")))))

;;; Callbacks

(defun lisp-identity (x) x)

;; The loop is Python's here, too.
(push (list "call of a Lisp function in Python's loop"
            (lambda (count) (pycall "call_many" #'lisp-identity count))
            "ident(i)" 20)
      *rows*)

;;; Objects

(define-row "wrapper made, dropped, finalized" 15 "object()" (pycall "object"))

;;; The parts of a call. Counting handles enters Python, does next to nothing there, and leaves; asking
;;; whether Python runs is a foreign call without anything. What is between them is the guard, and attaching
;;; the thread where it does not hold the GIL.

(defmacro loop-function (form)
  `(lambda (count)
     (declare (type fixnum count) (optimize speed))
     (dotimes (i count) ,form)))

(defun enter (count)
  (funcall (loop-function (pyrite::%counters (cffi:null-pointer) (cffi:null-pointer))) count))

(defparameter *entries*
  (list :foreign (loop-function (pyrite::%is-running))
        :all #'enter
        :held (lambda (count) (with-python-gil (enter count)))
        :masked (lambda (count) (with-python-gil (with-float-traps-masked (enter count)))))
  "Ways to enter.")

(defparameter *parts*
  '(("part of a call: the foreign call, no interrupts" (:foreign) nil)
    ("part of a call: attach and detach" (:all :held) nil)
    ("part of a call: all else of the guard" (:held :foreign) 40)
    ("... of that, floating point" (:held :masked) nil))
  "Names, the entries of which the second's time is taken from the first's, and limits in nanoseconds.")

(defun part-rows (filter)
  "The parts of a call, against math.sin(i) in Python's loop."
  (when (or (null filter) (search filter "part of a call"))
    (let ((times '()) (python 0))
      (loop for (key function) on *entries* by #'cddr
            do (multiple-value-bind (lisp statement) (measure function "math.sin(i)")
                 (setf (getf times key) lisp
                       python statement)))
      (loop for (name (whole less) limit) in *parts*
            do (print-row name (- (getf times whole) (getf times less 0)) python
                          (and limit (/ limit python)))))))

;;; Start

(defun run-seconds (command)
  "The best seconds that COMMAND, a list of strings, takes."
  (loop repeat 5
        minimize (let ((start (seconds)))
                   (uiop:run-program command :output nil)
                   (- (seconds) start))))

(defun start-row ()
  "The time of a new Lisp that loads the compiled system and starts Python, against python's own."
  (let ((executable (pyvalue "sys.executable"))
        (forms "(progn (asdf:load-system \"pyrite\") (uiop:symbol-call '#:pyrite '#:pystart))"))
    (print-row "load the system and start Python"
               (* 1d9 (run-seconds (list "sbcl" "--noinform" "--non-interactive" "--eval"
                                         "(require :asdf)" "--eval" forms)))
               (* 1d9 (run-seconds (list executable "-c" "pass")))
               nil)))
