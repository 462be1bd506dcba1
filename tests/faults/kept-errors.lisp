;;;; An exception has its frames, with all that their variables have: so has a condition, but nobody else.

(in-package #:pyrite/test)

(def-suite faults/kept-errors)
(in-suite faults/kept-errors)

(defun define-heavy ()
  "Python functions that fail while their frames have ten megabytes."
  (pyexec "alive = [0]
class Heavy:
    def __init__(self):
        # Those of a test before are none of this one's.
        self.alive = alive
        self.alive[0] += 1
        self.memory = b'x' * 10000000
    def __del__(self): self.alive[0] -= 1
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
        do (sleep 0.01)
        finally (return left)))

;; Closures would do, too, but not where they have all variables around them, and so the condition: ECL's
;; interpreter makes such. Who has a frame that has who has the frame is never garbage.
(defun fail-in-python () (pycall "fail"))
(defun fail-in-lisp () (error "of Lisp"))

(defun failures-of-each-kind ()
  "The conditions of calls that fail in one of the ways there are."
  (list (signalled (pycall "fail"))
        (signalled (pycall "fail_twice"))
        (signalled (pycall "fail_below" #'fail-in-python))
        (signalled (pycall "fail_below" #'fail-in-lisp))
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
    (dotimes (i 40)
      (failures-of-each-kind)
      (pycall "swallow" #'fail-in-lisp))
    ;; A conservative collector may take a list or two of them for alive.
    (is (<= (heavy-left 0) 30) "Of hundreds.")
    (is (< (- (resident-kilobytes) kilobytes) 400000)))
  (is-true (alive-p)))

(test kept-errors.of-other-threads
  "Threads that ended, and threads of Python's, keep none either."
  (define-heavy)
  (define-threads)
  (dotimes (i 5)
    (in-threads 4 (lambda (i) (declare (ignore i)) (signalled (pycall "fail")))))
  (dotimes (i 10)
    (pycall "in_thread" (lambda () (ignore-errors (pycall "fail")) 5))
    (assert (equal '("ValueError" "heavy") (pycall "in_thread" (lambda () (pycall "fail"))))))
  ;; As above: stacks of threads that wait or have ended are looked at, too.
  (is (<= (heavy-left 0) 25) "Of forty.")
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

(test kept-errors.handled-in-a-loop
  "Lisp's collector does not know what the frames, or objects, weigh, but that there is much more memory in use: what
a loop drops does not pile up until there is no memory."
  (if (null (pyrite::resident-memory))
      (skip "The system does not tell how much memory is in use.")
      (flet ((most-alive (count function)
               (heavy-left 0)
               (loop with before = (pyeval "alive[0]")
                     repeat count
                     do (funcall function)
                     maximize (- (pyeval "alive[0]") before))))
        (define-heavy)
        (is (> 150 (most-alive 300 (lambda () (signalled (pycall "fail"))))))
        (is (> 150 (most-alive 300 (lambda () (pycall "Heavy")))))
        (is (> 150 (most-alive 100 (lambda () (pyeval "[Heavy(), Heavy(), Heavy()]")))))))
  (is-true (alive-p)))
