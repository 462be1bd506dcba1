;;;; Interrupts of Lisp's threads by others, while they are in Python.

(in-package #:pyrite/test)

(def-suite thread-interrupts :in pyrite :description "Interrupts of threads, destroyed threads, Lisp's timeouts.")
(in-suite thread-interrupts)

(defun interrupt-storm (count function)
  "Call FUNCTION over and over in a thread, which is interrupted COUNT times by an exit; how often it came."
  (let* ((over nil) (exits 0)
         (thread (bt:make-thread
                  (lambda ()
                    (loop until over
                          do (catch 'out (funcall function)))))))
    (sleep 0.1)
    (dotimes (i count)
      (sleep (random 0.005))
      (bt:interrupt-thread thread (lambda ()
                                    (incf exits)
                                    ;; It may come between two rounds.
                                    (ignore-errors (throw 'out nil))))
      ;; One at a time: implementations do not nest them deeply.
      (loop until (> exits i) do (sleep 0.0005)))
    (setf over t)
    (bt:join-thread thread)
    exits))

(defmacro loses-nothing (count &body body)
  "Two checks: COUNT exits from BODY by interrupts leave no objects of Python's behind, but for a few that
the garbage collector may take for alive."
  `(let ((before (held-after-collection 0)))
     (is (eql ,count (interrupt-storm ,count (lambda () ,@body))))
     (is (<= (held-after-collection (+ before 5)) (+ before 5)))))

(defun held-after-collection (expected)
  "How many Python objects Lisp holds that are not garbage: no more than EXPECTED, which is waited for a
while, since finalizers run some time."
  (loop repeat 20
        for held = (progn (trivial-garbage:gc :full t) (held-objects))
        until (<= held expected)
        do (sleep 0.05)
        finally (return held)))

(test thread-interrupts.lose-no-result
  "A result that is there when an interrupt comes belongs to somebody."
  (if (eq (uiop:implementation-type) :sbcl)
      (progn
        (define-python "import time"
                       "def slow():" "    time.sleep(0.002)" "    return object()"
                       "def fail():" "    time.sleep(0.002)" "    raise ValueError(object())")
        (loses-nothing 300 (pycall "slow"))
        (loses-nothing 300 (chain (slow) __class__ __class__))
        (loses-nothing 300 (signalled (pycall "fail")))
        (loses-nothing 300 (pyeval "[slow(), " #(1 2) "]"))
        (loses-nothing 300 (do-pyiterable (item (pyeval "[object() for i in range(10)]")) item))
        (loses-nothing 200 (with-pycontext (nil (pycall "contextlib:nullcontext" 5)) (pycall "slow")))
        (loses-nothing 200 (signalled (pycall (format nil "new_name_~D" (random 100000)))))
        (loses-nothing 200 (with-python-gil (pycall "slow")))
        (is-true (alive-p)))
      (skip "Interrupts of threads are tested in SBCL only.")))

(defun in-interrupted-thread (function interruption)
  "What FUNCTION returns, or the condition that it signals, in a thread that calls INTERRUPTION meanwhile."
  (let* ((outcome :ended)
         (thread (bt:make-thread (lambda () (setf outcome (catch 'out (handler-case (funcall function)
                                                                        (error (condition) condition))))))))
    (loop until (eql 1 (pyvalue "running")) do (sleep 0.01))
    (pyexec "running = 0")
    (funcall interruption thread)
    (ignore-errors (bt:join-thread thread))
    outcome))

(defun define-interrupted-functions ()
  (define-python
    "entered, cleaned, running = 0, 0, 0"
    "def spin():"
    "    global entered, cleaned, running"
    "    try:"
    "        entered += 1"
    ;; Python takes the jump to a beginning of the clause for one from before it.
    "        x, running = 0, 1"
    "        while True: x += 1"
    "    finally: cleaned += 1"
    "def stubborn(times):"
    "    for i in range(times):"
    "        try: spin()"
    "        except KeyboardInterrupt: pass"
    "    return times"
    "def through(f):"
    "    global entered, cleaned"
    "    try:"
    "        entered += 1"
    "        return f()"
    "    finally: cleaned += 1"))

(defun times-out-inside (levels function)
  "T when FUNCTION, which enters LEVELS functions of Python's for good, always ends when its time is over: a short
time, and longer ones, until it got as far as that."
  (loop for seconds = 1/5 then (* 2 seconds)
        do (pyexec "entered = cleaned = 0")
        always (eq :timeout (handler-case (bt:with-timeout (seconds) (funcall function))
                              (bt:timeout () :timeout)))
        until (eql levels (pyvalue "entered"))))

(defmacro interrupts-python (expected cleaned form &body interruption)
  "Three checks: in a thread that INTERRUPTION, in which THREAD is that, interrupts, FORM gives EXPECTED, and
CLEANED clauses of Python's `finally` are executed; the next call works."
  `(progn
     (define-interrupted-functions)
     (is (equal ,expected (in-interrupted-thread (lambda () ,form) (lambda (thread) ,@interruption))))
     (is (eql ,cleaned (pyvalue "cleaned")))
     (is-true (alive-p))))

(test thread-interrupts.exits
  "Exits, destruction, functions that return, in Python and in Lisp that Python called."
  (interrupts-python :interrupted 1 (pycall "spin")
    (bt:interrupt-thread thread (lambda () (throw 'out :interrupted))))
  (interrupts-python :ended 1 (pycall "spin")
    (bt:destroy-thread thread))
  (interrupts-python 'py-keyboard-interrupt 1 (type-of (signalled (pycall "spin")))
    (bt:interrupt-thread thread (lambda ())))
  (interrupts-python '(:seen 1) 1 (let ((seen nil))
                                    (declare (special seen))
                                    (list (progn (pycall "stubborn" 1) seen) (pycall "int" 1)))
    (bt:interrupt-thread thread (lambda ()
                                  (declare (special seen))
                                  (setf seen :seen))))
  (interrupts-python 'simple-error 2 (type-of (signalled (pycall "through" (lambda () (pycall "spin")))))
    (bt:interrupt-thread thread (lambda () (error "interrupted"))))
  (interrupts-python 5 1 (pycall "through" (lambda ()
                                             (let ((leave nil))
                                               (declare (special leave))
                                               (pyexec "running = 1")
                                               (loop until leave do (sleep 0.01)))
                                             5))
    (bt:interrupt-thread thread (lambda ()
                                  (declare (special leave))
                                  (setf leave t)))))

(test thread-interrupts.disabled
  "None comes within WITHOUT-INTERRUPTS, whatever is done there; what came meanwhile comes after it."
  (let* ((inside nil) (within 0) (all 0) (over nil) (kept nil)
         (thread (bt:make-thread
                  (lambda ()
                    (loop until over
                          do (pyrite/port:without-interrupts
                               (setf inside t)
                               (loop repeat 1000
                                     do (setf kept (unwind-protect (make-array 10) (setf kept nil))))
                               (setf inside nil)))))))
    (dotimes (i 300)
      (bt:interrupt-thread thread (lambda ()
                                    (when inside (incf within))
                                    (incf all)))
      (loop repeat 10000 until (> all i) do (sleep 0.0005)))
    (setf over t)
    (bt:join-thread thread)
    (is (eql 300 all))
    (is (eql 0 within))))

(defun destroy-at-random (count function)
  "Destroy COUNT threads, one after the other, which call FUNCTION over and over; how many did not end."
  (loop repeat count
        count (let ((thread (bt:make-thread (lambda () (loop (funcall function))))))
                (sleep (+ 0.005 (random 0.01)))
                (bt:destroy-thread thread)
                (loop repeat 500 while (bt:thread-alive-p thread) do (sleep 0.01))
                (bt:thread-alive-p thread))))

(test thread-interrupts.destroyed-anywhere
  "Threads that are destroyed anywhere in calls, captures and callbacks end, and leave no lock behind."
  (define-python "import math" "def through(f): return f()")
  (dolist (function (list (lambda () (with-output-to-string (*standard-output*) (pycall "print" "hello")))
                          (lambda () (pycall "through" (lambda () (pycall "through" (lambda () 1)))))
                          (lambda () (pycall (format nil "math.~A" (aref #("sin" "cos" "tan") (random 3))) 1))))
    (is (eql 0 (destroy-at-random 40 function)))
    (is-true (alive-p))
    (is (equal "x" (string-right-trim '(#\Newline) (with-output-to-string (*standard-output*)
                                                     (pycall "print" "x"))))))
  (finishes (trivial-garbage:gc :full t)))

(test thread-interrupts.threads-of-python
  "The signal by which threads are interrupted is nothing to those of Python's."
  (define-python "import signal, threading"
                 "def signalled(number):"
                 "    thread = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), number))"
                 "    thread.start()"
                 "    thread.join()")
  (let ((number (pyrite/port:interrupt-signal)))
    (if (plusp number)
        (finishes (pycall "signalled" number))
        (skip "The signal is not known.")))
  (is-true (alive-p)))

(test thread-interrupts.woken
  "ECL wakes threads that wait for a lock by the same signal. One that comes late is no interrupt."
  (define-python "import signal, threading, time"
                 "def woken(number):"
                 "    timer = threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), number))"
                 "    timer.start()"
                 "    time.sleep(0.2)"
                 ;; Nobody is to be signalled any more who is gone.
                 "    timer.join()"
                 "    return sum(range(100000))")
  (if (eq (uiop:implementation-type) :ecl)
      (let ((number (pyrite/port:interrupt-signal)))
        (is (equal '(4999950000 4999950000)
                   (in-threads 2 (lambda (i) (declare (ignore i)) (pycall "woken" number)))))
        (is (eql 4999950000 (pycall "woken" number))))
      (skip "Only ECL does so.")))

(test thread-interrupts.again
  "Python code that has caught the exception of one gets another by the next."
  (interrupts-python 3 3 (pycall "stubborn" 3)
    (dotimes (i 3)
      (bt:interrupt-thread thread (lambda ()))
      (when (< i 2)
        (loop until (eql 1 (pyvalue "running")) do (sleep 0.01))
        (pyexec "running = 0")))))

(test thread-interrupts.timeouts
  (define-interrupted-functions)
  (loop for (levels function) in (list (list 1 (lambda () (pycall "spin")))
                                       (list 2 (lambda () (pycall "through" (lambda () (pycall "spin")))))
                                       (list 1 (lambda () (pycall "through" (lambda () (loop (sleep 0.01)))))))
        do (is-true (times-out-inside levels function))
           (is (eql levels (pyvalue "cleaned")))
           (is-true (alive-p))))

(test thread-interrupts.while-sleeping
  "In threads that did not start Python, waiting for the system comes to its own end first."
  (define-python "import os"
                 "reader, writer = os.pipe()"
                 "running = 0"
                 "def wait():"
                 "    global running"
                 "    running = 1"
                 "    return os.read(reader, 1)")
  (let* ((reached nil)
         (thread (bt:make-thread (lambda () (pycall "wait") (setf reached t)))))
    (loop until (eql 1 (pyvalue "running")) do (sleep 0.01))
    (sleep 0.1)
    (bt:destroy-thread thread)
    (pyexec "os.write(writer, b'x')")
    (ignore-errors (bt:join-thread thread))
    (is-false reached)
    (is-true (alive-p))))

;; A signal to the process is taken by a thread that is not in Python.
(test thread-interrupts.sigterm
  (if (eq (uiop:implementation-type) :sbcl)
      (multiple-value-bind (output code)
          (run-in-lisp '((pyrite:pyexec "import atexit, os, signal, threading, time
atexit.register(lambda: print('python ended', flush=True))
def spin():
    try:
        print('begun', flush=True)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        while True: pass
    finally: print('cleaned', flush=True)")
                         (push (lambda () (format t "lisp ended~%") (finish-output))
                               (symbol-value (uiop:find-symbol* '#:*exit-hooks* '#:sb-ext)))
                         (pyrite:pycall "spin")))
        (is (eql 0 code))
        (dolist (text '("begun" "lisp ended" "python ended"))
          (is (search text output))))
      (skip "Only SBCL has a handler for SIGTERM.")))

;; The thread that started Python is woken.
(test thread-interrupts.main-thread
  (notes '(:interrupted t :interrupted t (:timeout) t)
         "(defun other (seconds)
            (let ((thread sb-thread:*current-thread*))
              (sb-thread:make-thread (lambda ()
                                       (sleep seconds)
                                       (sb-thread:interrupt-thread thread #'interrupt-here)))))"
         "(defun interrupt-here () (error 'sb-sys:interactive-interrupt))"
         "(note (progn (other 0.1) (pyrite:pycall \"time.sleep\" 30)))" "(note (alive-p))"
         "(note (progn (other 0.1) (pyrite:pycall \"wait\")))" "(note (alive-p))"
         "(note (handler-case (sb-ext:with-timeout 0.1 (pyrite:pycall \"time.sleep\" 30))
                  (sb-ext:timeout () '(:timeout))))"
         "(note (alive-p))"))
