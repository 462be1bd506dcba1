;;;; The floating-point modes of Lisp and of Python do not reach each other.

(in-package #:pyrite/test)

(def-suite faults/float-traps)
(in-suite faults/float-traps)

(defun quotient (a b)
  (/ a b))

(defun lisp-traps-p ()
  "True when Lisp traps divisions by zero."
  (typep (signalled (assert (quotient 1d0 0d0))) 'division-by-zero))

(test float-traps.python
  (is-true (lisp-traps-p))
  (is (equal "nan" (pyeval "repr(float('inf') - float('inf'))")))
  (is (equal "inf" (pyeval "repr(1e308 * 10)")))
  (is-false (pyeval "float('nan') > 1"))
  (raises "ValueError" (pyeval "__import__('math').sqrt(-1)"))
  (is-true (lisp-traps-p))
  (is-true (alive-p)))

(test float-traps.callbacks
  (is (equal '(t "inf") (coerce (pycall "lambda f: (f(), repr(1e308 * 10))" #'lisp-traps-p) 'list)))
  (is-true (alive-p)))

(defparameter *traps-code* "
import math, threading
def root():
    try: return math.sqrt(-1)
    except ValueError: return 'error'
def figures():
    huge, inf = float('1e308'), float('inf')
    found = [repr(inf - inf), repr(huge * 10), repr(float('nan') > 1), root()]
    try: import numpy, warnings
    except ImportError: return found
    warnings.simplefilter('ignore')
    return found if repr(float(numpy.float32(1e30) ** 2)) == 'inf' else 'numpy'
go_on, ready, later = threading.Event(), threading.Event(), []
def wait_and_compute():
    ready.set()
    go_on.wait()
    import time
    time.sleep(0.2)
    later.append(figures())
def start_thread():
    global waiting
    waiting = threading.Thread(target=wait_and_compute)
    waiting.start()
    ready.wait()
")

(defparameter *figures* (vector "nan" "inf" "False" "error")
  "What FIGURES of *TRAPS-CODE* gives.")

(test float-traps.threads-that-wake-later
  "A thread of Python's that computes while no call runs, and imports numpy then."
  (pyexec *traps-code*)
  (pycall "start_thread")
  (pycall "go_on.set")
  (is-true (lisp-traps-p))
  (sleep 0.5)
  (pyexec "waiting.join()")
  (is (equalp (vector *figures*) (pyvalue "later")))
  (is-true (lisp-traps-p))
  (is-true (alive-p)))

(test float-traps.callbacks-of-python-threads
  "They have Lisp's traps, and leave the thread's as they were."
  (define-threads)
  (is (equal '(t "inf")
             (pycall "lambda f: in_thread(lambda: (f(), repr(float('1e308') * 10)))" #'lisp-traps-p)))
  (is (equalp (make-array 4 :initial-element 20) (pycall "in_threads" 4 20 (lambda (i j) (if (lisp-traps-p) (+ i j) -1)))))
  (is-true (alive-p)))

(test float-traps.ends
  "Objects that compute when they end, whoever drops them."
  (pyexec "import threading
ends = []
class Computing:
    def __del__(self): ends.append(repr(float('1e308') * 10))")
  (dotimes (i 200) (pycall "Computing"))
  (in-threads 2 (lambda (i) (declare (ignore i)) (dotimes (i 200) (pycall "Computing"))))
  (is-true (loop repeat 100
                 thereis (progn (trivial-garbage:gc :full t) (held-objects) (< 300 (pyeval "len(ends)")))
                 do (sleep 0.02)))
  (is (equal "{'inf'}" (pyeval "repr(set(ends))")))
  (is-true (lisp-traps-p)))

(test float-traps.other-pythons
  "The same with each Python that is installed, in processes of their own."
  (is-with-each-python (python)
    (let ((output (run-in-lisp `((defun divide (dividend divisor) (/ dividend divisor))
                                 (defun pyrite/test::lisp-traps-p ()
                                   (handler-case (null (divide 1d0 0d0)) (division-by-zero () t)))
                                 (pyrite:pyexec ,*traps-code*)
                                 (print (list :figures (pyrite:pyeval "figures()") (pyrite/test::lisp-traps-p)
                                              (pyrite:pycall "lambda f: (f(), figures())" (function pyrite/test::lisp-traps-p))
                                              (progn (pyrite:pyexec "start_thread(); go_on.set(); waiting.join()")
                                                     (pyrite:pyvalue "later"))
                                              (pyrite/test::lisp-traps-p)
                                              (pyrite:pyeval "sum(range(10))")))
                                 (terpri)
                                 (finish-output)
                                 (uiop:quit 0)))))
      (let ((start (search "(:FIGURES" output)))
        (or (and start
                 (equalp (list :figures *figures* t (list t *figures*) (vector *figures*) t 45)
                         (with-standard-io-syntax (read-from-string output t nil :start start))))
            (error "~A: ~A" python output))))))
