;;;; Threads that come and go: what Python keeps for each of them, and what becomes of that.

(in-package #:pyrite/test)

(def-suite faults/thread-states)
(in-suite faults/thread-states)

(defparameter *thread-state-code* "
import sys, threading
local = threading.local()
def count():
    local.count = getattr(local, 'count', 0) + 1
    return local.count
class Last:
    def __init__(self, f): self.f = f
    def __del__(self): ends.append(self.f(threading.get_ident()))
ends = []
def keep(f):
    if not hasattr(local, 'last'): local.last = Last(f)
    threading.current_thread()
def counts(): return [len(sys._current_frames()), len(threading._active)]
")

(test thread-states.values-of-threads
  "What a thread keeps in a threading.local is there at its next call."
  (pyexec *thread-state-code*)
  (is (equal '((1 2 3 4 5) (1 2 3 4 5) (1 2 3 4 5))
             (in-threads 3 (lambda (i) (declare (ignore i)) (loop repeat 5 collect (pycall "count"))))))
  (is-true (alive-p)))

(test thread-states.ends
  "What ends with a thread is told, by Lisp functions, during garbage collections too; nothing is left."
  (pyexec *thread-state-code*)
  (let* ((count (scaled 300)) (told 0) (lock (bt:make-lock)) (over nil)
         (collector (bt:make-thread (lambda () (loop until over do (trivial-garbage:gc :full t) (sleep 0.02))))))
    (flet ((tell (id)
             (bt:with-lock-held (lock) (incf told))
             (pycall "abs" id)))
      (loop repeat (ceiling count 10)
            do (in-threads 10 (lambda (i)
                                (pycall "keep" #'tell)
                                (loop repeat 5 do (pycall "abs" i))))))
    (setf over t)
    (bt:join-thread collector)
    (let ((count (* 10 (ceiling count 10))))
      ;; On ECL, a thread's end is told by another one, maybe after it was joined.
      (loop repeat 100 until (eql count (pyeval "len(ends)")) do (sleep 0.05))
      (is (eql count told))
      (is (eql count (pyeval "len(ends)")))))
  (is-true (alive-p)))

(test thread-states.ends-quietly
  "The system, which would tell of a thread's end that it does not understand, has nothing to say."
  (multiple-value-bind (output code)
      (run-in-lisp `((pyrite:pyexec ,*thread-state-code*)
                     (let ((over nil))
                       (bt:make-thread (lambda () (loop until over do (trivial-garbage:gc :full t) (sleep 0.01))))
                       (dotimes (i 20)
                         (mapc #'bt:join-thread
                               (loop repeat 10
                                     collect (bt:make-thread
                                              (lambda ()
                                                (pyrite:pycall "keep" (lambda (id) (pyrite:pycall "abs" id)))
                                                (loop repeat 5 do (pyrite:pycall "count")))))))
                       (setf over t))
                     (format t "~&ends ~D~%" (loop for count = (pyrite:pyeval "len(ends)")
                                                   repeat 200
                                                   until (= count 200)
                                                   do (sleep 0.05)
                                                   finally (return count)))
                     (finish-output)
                     (uiop:quit 0)))
    (is (eql 0 code))
    (is-true (search "ends 200" output) "~A" output)
    (dolist (complaint '("non-lisp" "CORRUPTION" "fatal" "Fatal" "warning" "WARNING" "exception" "Exception"))
      (is-false (search complaint output) "~A" output))))

(test thread-states.many
  "A thousand short threads leave no thread state behind, and Python's list of threads does not grow with them."
  (pyexec *thread-state-code*)
  (flet ((come-and-go (count)
           (loop repeat (ceiling count 20)
                 do (in-threads 20 (lambda (i) (pycall "threading.current_thread") i)))))
    (come-and-go 20)
    (loop repeat 100 until (> 5 (first (coerce (pycall "counts") 'list))) do (sleep 0.05))
    (destructuring-bind (states threads) (coerce (pycall "counts") 'list)
      (come-and-go (scaled 1000))
      (loop repeat 100 until (>= states (first (coerce (pycall "counts") 'list))) do (sleep 0.05))
      (destructuring-bind (states-now threads-now) (coerce (pycall "counts") 'list)
        (is (<= states-now states))
        ;; Before Python 3.13, it keeps an entry for each of a thread's numbers, of which few are in use at once.
        (is (<= threads-now (+ threads 40))))))
  (is-true (alive-p)))
