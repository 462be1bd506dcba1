;;;; Signals that Python code blocks, or that interrupt system calls.

(in-package #:pyrite/test)

(def-suite faults/signal-masks)
(in-suite faults/signal-masks)

(defparameter *mask-code* "
import ctypes, os, select, signal, socket, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def blocked(): return sorted(int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, []))
def block_all(): signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals()); return blocked()
def then(f): signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); return f()
def in_thread(f):
    results = []
    thread = threading.Thread(target=lambda: results.append(f()))
    thread.start(); thread.join()
    return results[0]
def blocks_in_thread(f):
    def run():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        f()
        return signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return in_thread(run)
def elapsed(wait, seconds):
    start = time.monotonic()
    wait(seconds)
    return time.monotonic() - start >= seconds
told, tell = os.pipe()
def wait_until_told(): return bool(select.select([told], [], [], 30)[0] and os.read(told, 1))
def select_nothing(seconds):
    a, b = socket.socketpair()
    select.select([a], [], [], seconds)
")

(defun blocked-signals ()
  (coerce (pyeval "blocked()") 'list))

(test signal-masks.of-an-entry
  "What a call blocks is as before when it is over, in each thread, and also when it fails."
  (pyexec *mask-code*)
  (let ((before (blocked-signals)))
    (flet ((unchanged-p () (equal before (blocked-signals))))
      (is (< (length before) (length (pycall "block_all"))))
      (is-true (unchanged-p))
      (pyexec "block_all()")
      (is-true (unchanged-p))
      (raises "ZeroDivisionError" (pyeval "(block_all(), 1 / 0)"))
      (is-true (unchanged-p))
      (is-true (member 15 (coerce (pyeval "(signal.pthread_sigmask(signal.SIG_BLOCK, [15]), blocked())[1]") 'list)))
      (is-true (unchanged-p))
      ;; A call within a callback leaves what the call outside has.
      (is-true (pycall "lambda f: (then(f), signal.SIGTERM in blocked())[1]" (lambda () (pycall "len" "abc"))))
      (pycall "then" (lambda () (pycall "block_all")))
      (is-true (unchanged-p))
      (is (equal '(t t) (in-threads 2 (lambda (i)
                                        (declare (ignore i))
                                        (let ((mine (blocked-signals)))
                                          (pycall "block_all")
                                          (equal mine (blocked-signals)))))))
      (is (equal before (progn (with-python-gil (pycall "block_all")) (blocked-signals))))))
  (is-true (alive-p)))

(test signal-masks.of-python-threads
  "Threads of Python's own keep what they block, also over callbacks."
  (pyexec *mask-code*)
  (is-true (pycall "blocks_in_thread" (lambda () (pycall "len" "abc"))))
  (is-true (alive-p)))

(test signal-masks.invalid
  "What the function refuses, it still refuses."
  (pyexec *mask-code*)
  (raises "ValueError" (pyeval "signal.pthread_sigmask(signal.SIG_BLOCK, [1000])"))
  (raises "OSError" (pyeval "signal.pthread_sigmask(1234, [])"))
  (raises "TypeError" (pyeval "signal.pthread_sigmask(signal.SIG_BLOCK, 5)"))
  (is-true (alive-p)))

(defun collections-while (function)
  "How many full garbage collections another thread makes while FUNCTION runs, and its value."
  (let* ((over nil) (count 0)
         (thread (bt:make-thread (lambda ()
                                   (loop until over
                                         do (trivial-garbage:gc :full t)
                                            (incf count)
                                            (sleep 0.01)))))
         (value (funcall function)))
    (setf over t)
    (bt:join-thread thread)
    (values count value)))

(defun collects-while-it-waits-p (code)
  "True when another thread can make three full garbage collections while CODE waits until it is told of them."
  (let* ((tell (pyvalue "tell"))
         (thread (bt:make-thread (lambda ()
                                   (dotimes (i 3) (trivial-garbage:gc :full t))
                                   (cffi:foreign-funcall "write" :int tell :string "x" :size 1 :ssize)))))
    (prog1 (pyeval code)
      (bt:join-thread thread))))

(test signal-masks.garbage-collection
  "It does not wait for a thread that blocks all signals in Python, or ignores the collector's."
  (pyexec *mask-code*)
  (is-true (collects-while-it-waits-p "(block_all(), wait_until_told())[1]"))
  (pyexec "import warnings
with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)")
  (is-true (collects-while-it-waits-p "wait_until_told()"))
  (is-true (alive-p)))

(test signal-masks.taken-by-c-code
  "Handlers that C code has installed without asking Python are the host's again when a module was loaded, and else
soon: garbage is collected, and memory faults are conditions."
  (pyexec *mask-code*)
  (define-python "import ctypes"
                 "c = ctypes.CDLL(None)"
                 "def take():"
                 "    for number in (4, 5, 7, 8, 11, 12): c.signal(number, ctypes.c_void_p(1))")
  (flet ((as-ever-p ()
           (and (collects-while-it-waits-p "wait_until_told()")
                (or (not (eq (uiop:implementation-type) :sbcl))
                    (typep (signalled (princ-to-string (cffi:mem-ref (cffi:make-pointer 8) :int))) 'error)))))
    (pyexec "take()")
    (is-true (as-ever-p))
    (pycall "take")
    (dotimes (i 256) (pycall "int" 1))
    (is-true (as-ever-p)))
  (is-true (alive-p)))

(test signal-masks.waiting
  "Sleeping and selecting last as long as they should while garbage is collected."
  (pyexec *mask-code*)
  (dolist (wait '("time.sleep" "select_nothing" "threading.Event().wait"))
    (multiple-value-bind (count value) (collections-while (lambda () (pyeval "elapsed(" wait ", 0.5)")))
      (is (plusp count))
      (is-true value)))
  (is-true (alive-p)))
