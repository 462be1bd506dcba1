;;;; An exception has its frames, with all that their variables have: so has a condition, but nobody else.

(in-package #:pyrite/test)

(def-suite faults/kept-errors)
(in-suite faults/kept-errors)

(defun define-heavy ()
  "Python functions that fail while their frames have ten megabytes."
  (pyexec "alive = [0]
class Heavy:
    def __init__(self):
        alive[0] += 1
        self.memory = b'x' * 10000000
    def __del__(self): alive[0] -= 1
def fail():
    heavy = Heavy()
    raise ValueError('heavy')
def fail_twice():
    heavy = Heavy()
    try: fail()
    except ValueError as error: raise KeyError('twice') from error
def fail_below(f):
    heavy = Heavy()
    f()
def swallow(f):
    heavy = Heavy()
    try: f()
    except Exception: return 1"))

(defun heavy-left (expected)
  "How many of the objects are left after garbage collections: EXPECTED, which is waited for a while."
  (loop repeat 50
        for left = (progn (trivial-garbage:gc :full t) (held-objects) (pyeval "alive[0]"))
        until (<= left expected)
        do (sleep 0.02)
        finally (return left)))

(defun failures-of-each-kind ()
  "The conditions of calls that fail in one of the ways there are."
  (list (signalled (pycall "fail"))
        (signalled (pycall "fail_twice"))
        (signalled (pycall "fail_below" (lambda () (pycall "fail"))))
        (signalled (pycall "fail_below" (lambda () (error "of Lisp"))))
        (handler-case (catch 'out (pycall "fail_below" (lambda () (throw 'out 1))))
          (python-unwind-aborted (condition) condition))
        (signalled (pyexec "fail()"))
        (signalled (chain (fail)))
        (signalled (do-pyiterable (x (pyeval "(fail() for i in range(3))")) x))
        (signalled (with-python-gil (pycall "fail")))))

(test kept-errors.dropped
  "What conditions had goes with them; the last error of a thread keeps nothing either."
  (define-heavy)
  (let ((kilobytes (resident-kilobytes)))
    (dotimes (i 12)
      (failures-of-each-kind)
      (pycall "swallow" (lambda () (error "of Lisp")))
      ;; A conservative collector may take two of them for alive.
      (when (= 0 (mod i 4)) (heavy-left 6)))
    (is (<= (heavy-left 0) 6))
    (is (< (- (resident-kilobytes) kilobytes) 150000)))
  (is-true (alive-p)))

(test kept-errors.of-other-threads
  "Threads that ended, and threads of Python's, keep none either."
  (define-heavy)
  (define-threads)
  (in-threads 4 (lambda (i) (declare (ignore i)) (signalled (pycall "fail"))))
  (is (<= (heavy-left 0) 4))
  (pycall "in_thread" (lambda () (ignore-errors (pycall "fail")) 5))
  (is (equal '("ValueError" "heavy") (pycall "in_thread" (lambda () (pycall "fail")))))
  (is (<= (heavy-left 0) 4))
  (is-true (alive-p)))

(defun without-traceback (condition)
  "CONDITION, the frames of whose exception are let go of."
  (setf (pyslot-value (pyerror-value condition) "__traceback__") +py-none+)
  condition)

(test kept-errors.kept
  "A condition that is kept tells all there is; it keeps no frames once its exception has none."
  (define-heavy)
  (heavy-left 0)
  (let* ((before (pyeval "alive[0]"))
         (conditions (loop repeat 20 collect (signalled (pycall "fail")))))
    (is (= (+ before 20) (heavy-left (+ before 20))))
    (is (search "in fail" (pyerror-traceback (first conditions))))
    (mapc #'without-traceback conditions)
    (is (<= (heavy-left before) (1+ before)))
    (is (equal "heavy" (pyerror-message (first conditions))))
    (is (typep (first conditions) 'py-value-error))
    (is (equal "ValueError: heavy" (princ-to-string (first conditions)))))
  (is-true (alive-p)))
