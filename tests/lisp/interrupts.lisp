;;;; Interrupts and limits of time. C-c is tested in processes of their own, which send it to themselves.

(in-package #:pyrite/test)

(def-suite interrupts :in pyrite :description "C-c, limits of time, interrupts of threads.")
(in-suite interrupts)

(defun define-endless-functions ()
  "Define Python functions that do not come back by themselves."
  (define-python
    "import time, threading"
    "def spin():"
    "    x = 0"
    "    while True: x += 1"
    "def wait():"
    "    import socket"
    "    a, b = socket.socketpair()"
    "    a.recv(1)"
    "cleaned = []"
    "def clean():"
    "    try: time.sleep(30)"
    "    finally:"
    "        time.sleep(0.1)"
    "        cleaned.append(1)"
    "class Context:"
    "    def __enter__(self): return self"
    "    def __exit__(self, *a): cleaned.append(2)"))

(defmacro times-out (&body body)
  "Two checks: BODY signals PYTHON-TIMEOUT, and Python is alive."
  `(progn
     (signals python-timeout ,@body)
     (is-true (alive-p))))

;;; Limits

(test interrupts.timeouts
  (define-endless-functions)
  (times-out (with-python-timeout (0.1) (pycall "spin")))
  (times-out (with-python-timeout (1/10) (pycall "spin")))
  (times-out (with-python-timeout (0.1) (pyexec "while True: pass")))
  (times-out (with-python-timeout (0.1) (chain (spin) real)))
  (times-out (with-python-timeout (0.1) (do-pyiterable (x (pyeval "iter(int, 1)")) x)))
  (times-out (with-python-timeout (0.1) (loop (pycall "len" "abc"))))
  (times-out (with-python-timeout (0.1) (sleep 0.3) (pycall "len" "abc")))
  (times-out (with-python-timeout (0) (pycall "spin")))
  (times-out (with-python-timeout (0.1) (pycall "lambda f: f()" (lambda () (pycall "spin"))))))

(test interrupts.timeouts-on-other-threads
  (define-endless-functions)
  (is (equal '(t t t t)
             (in-threads 4 (lambda (i)
                             (declare (ignore i))
                             (and (typep (signalled (with-python-timeout (0.1) (pycall "spin"))) 'python-timeout)
                                  (eql 3 (pycall "len" "abc")))))))
  (is-true (alive-p)))

(test interrupts.no-timeouts
  (is (equal '(1 2) (multiple-value-list (with-python-timeout (60) (values 1 2)))))
  (is (eql 3 (with-python-timeout (60) (pycall "len" "abc"))))
  (signals py-value-error (with-python-timeout (60) (pycall "int" "x")))
  (is (eql 5 (block nil (with-python-timeout (0.05) (return 5)))))
  (sleep 0.2)
  (is-true (alive-p))
  (signals type-error (with-python-timeout (-1) 1))
  (signals type-error (with-python-timeout ("1") 1)))

(test interrupts.nested-timeouts
  (define-endless-functions)
  (is (eql 1 (with-python-timeout (60)
               (handler-case (with-python-timeout (0.1) (pycall "spin"))
                 (python-timeout () (pycall "int" 1))))))
  (is (eq :outer (handler-case (with-python-timeout (0.1)
                                 (with-python-timeout (60) (pycall "spin")))
                   (python-timeout () :outer))))
  (is-true (alive-p)))

(test interrupts.cleanup-of-timeouts
  "Python code that is ended has time to clean up, and so have calls that clean up."
  (define-endless-functions)
  (times-out (with-python-timeout (0.1)
               (with-pycontext (nil (pyeval "Context()")) (pycall "clean"))))
  (is (equalp #(1 2) (pyvalue "cleaned"))))

(defun live-loans ()
  "How many loans last."
  ;; What the last call left is given back by the next, and counted by the one after that.
  (dotimes (i 3)
    (pycall "len" (make-array 1 :element-type 'double-float)))
  (count-if (lambda (place) (typep place 'pyrite::loan)) pyrite::**loans**))

(test interrupts.many-timeouts
  "Nothing is left of five hundred of them."
  (define-endless-functions)
  (let ((array (make-array 3 :element-type 'double-float)) (count (scaled 500)) (before (live-loans)))
    (flet ((once ()
             (handler-case (with-python-timeout (0.002) (pycall "lambda *a: spin()" array (list 1 (vector)) #'identity))
               (python-timeout () t))))
      (once)
      (holds-nothing-new
        (is (eql count (loop repeat count count (once))))))
    ;; Of two of them an exception may still be there, whose frames have what was lent.
    (is (<= (live-loans) (+ before 6))))
  (is-true (alive-p)))

;;; Interrupts by other threads, which wait for Python

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

(test interrupts.lose-no-result
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
    "cleaned, running = 0, 0"
    "def spin():"
    "    global cleaned, running"
    "    try:"
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
    "    global cleaned"
    "    try: return f()"
    "    finally: cleaned += 1"))

(defmacro interrupts-python (expected cleaned form &body interruption)
  "Three checks: in a thread that INTERRUPTION, in which THREAD is that, interrupts, FORM gives EXPECTED, and
CLEANED clauses of Python's `finally` are executed; the next call works."
  `(progn
     (define-interrupted-functions)
     (is (equal ,expected (in-interrupted-thread (lambda () ,form) (lambda (thread) ,@interruption))))
     (is (eql ,cleaned (pyvalue "cleaned")))
     (is-true (alive-p))))

(test interrupts.of-threads
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
                                             (pyexec "running = 1")
                                             (let ((leave nil))
                                               (declare (special leave))
                                               (loop until leave do (sleep 0.01)))
                                             5))
    (bt:interrupt-thread thread (lambda ()
                                  (declare (special leave))
                                  (setf leave t)))))

(test interrupts.of-threads-again
  "Python code that has caught the exception of one gets another by the next."
  (interrupts-python 3 3 (pycall "stubborn" 3)
    (dotimes (i 3)
      (bt:interrupt-thread thread (lambda ()))
      (when (< i 2)
        (loop until (eql 1 (pyvalue "running")) do (sleep 0.01))
        (pyexec "running = 0")))))

(test interrupts.host-timeouts
  (define-interrupted-functions)
  (dolist (function (list (lambda () (pycall "spin"))
                          (lambda () (pycall "through" (lambda () (pycall "spin"))))
                          (lambda () (pycall "through" (lambda () (loop (sleep 0.01)))))))
    (is (eq :timeout (handler-case (bt:with-timeout (0.2) (funcall function))
                       (bt:timeout () :timeout))))
    (is-true (alive-p)))
  (is (eql 4 (pyvalue "cleaned"))))

(test interrupts.of-sleeping-threads
  "In threads that did not start Python, sleeping comes to its own end first."
  (let* ((reached nil)
         (thread (bt:make-thread (lambda () (pycall "time:sleep" 0.5) (setf reached t)))))
    (sleep 0.2)
    (bt:destroy-thread thread)
    (ignore-errors (bt:join-thread thread))
    (is-false reached)
    (is-true (alive-p))))

;;; C-c

(defparameter *interrupted-program*
  '("(defmacro note (form)
       `(push (handler-case ,form
                (sb-sys:interactive-interrupt () :interrupted)
                (pyrite:pyerror (condition) (type-of condition)))
              *results*))"
    "(defvar *results* '())"
    "(defun alive-p () (eql 45 (pyrite:pyeval \"sum(range(10))\")))"
    "(defun interrupt ()
       (cffi:foreign-funcall \"kill\" :int (cffi:foreign-funcall \"getpid\" :int) :int 2 :int))"
    "(defun interrupt-soon (seconds)
       (sb-thread:make-thread (lambda () (sleep seconds) (interrupt))))"
    "(defmacro interrupted (&body body)
       `(progn (interrupt-soon 0.1) (note (progn ,@body)) (note (alive-p))))"
    "(pyrite:pystart)"
    "(pyrite:pyexec \"import time, signal, asyncio
def spin():
    x = 0
    while True: x += 1
def wait():
    import socket
    a, b = socket.socketpair()
    a.recv(1)
async def nothing(): await asyncio.sleep(0)
async def sleep(): await asyncio.sleep(30)
def caught():
    try: time.sleep(30)
    except KeyboardInterrupt: return 7
seen = []\")")
  "What each of the programs begins with.")

(defun child-results (&rest forms)
  "What a new process notes that evaluates FORMS, strings, after *INTERRUPTED-PROGRAM*."
  (results-in-sbcl
   (append *interrupted-program* forms
           '("(with-standard-io-syntax (format t \"~&~S\" (cons :results (reverse *results*))))"))))

(defmacro notes (expected &rest forms)
  "One check: a new process that evaluates FORMS, strings, notes EXPECTED."
  `(if (eq (uiop:implementation-type) :sbcl)
       (is (equal ,expected (child-results ,@forms)))
       (skip "C-c is tested in SBCL only.")))

(test interrupts.c-c-in-python
  (notes '(:interrupted t :interrupted t :interrupted t :interrupted t 7 t)
         "(interrupted (pyrite:pycall \"spin\"))"
         "(interrupted (pyrite:pycall \"time.sleep\" 30))"
         "(interrupted (pyrite:pycall \"wait\"))"
         "(interrupted (pyrite:pycall \"lambda: asyncio.run(sleep())\"))"
         "(interrupted (pyrite:pycall \"caught\"))"))

;; The thread that started Python is woken.
(test interrupts.of-the-main-thread
  (notes '(:interrupted t :interrupted t (:timeout) t)
         "(defun other (seconds)
            (let ((thread sb-thread:*current-thread*))
              (sb-thread:make-thread (lambda ()
                                       (sleep seconds)
                                       (sb-thread:interrupt-thread thread #'interrupt-here)))))"
         "(defun interrupt-here () (error 'sb-sys:interactive-interrupt))"
         "(other 0.1)" "(note (pyrite:pycall \"time.sleep\" 30))" "(note (alive-p))"
         "(other 0.1)" "(note (pyrite:pycall \"wait\"))" "(note (alive-p))"
         "(note (handler-case (sb-ext:with-timeout 0.1 (pyrite:pycall \"time.sleep\" 30))
                  (sb-ext:timeout () '(:timeout))))"
         "(note (alive-p))"))

(test interrupts.c-c-in-lisp
  (notes '(:interrupted t :interrupted t :interrupted t :interrupted t)
         "(interrupted (loop))"
         "(interrupted (sleep 30))"
         "(interrupted (pyrite:pycall \"lambda f: f()\" (lambda () (loop))))"
         "(interrupted (pyrite:pycall \"lambda f: f()\" (lambda () (pyrite:pycall \"spin\"))))"))

(test interrupts.c-c-while-others-call
  "It is the main thread's; calls of other threads go on."
  (notes '(:interrupted t 5 :interrupted t 5)
         "(defmacro while-another-calls (&body body)
            `(let ((worker (sb-thread:make-thread (lambda () (pyrite:pycall \"time.sleep\" 1) 5))))
               ,@body
               (note (sb-thread:join-thread worker))))"
         "(while-another-calls (interrupted (loop)))"
         "(while-another-calls (interrupted (pyrite:pycall \"spin\")))"))

(test interrupts.c-c-after-a-collection
  "While handles of what was garbage are given back, by whatever thread has collected it."
  (notes '(:interrupted t :timeout)
         "(defvar *deed* nil)"
         "(defun act () (when *deed* (funcall (shiftf *deed* nil)) (sleep 0.3)))"
         "(pyrite/port:add-gc-hook 'act)"
         "(note (progn (setf *deed* #'interrupt) (sb-ext:gc) :missed))"
         "(note (alive-p))"
         "(note (handler-case (sb-ext:with-timeout 0.1 (setf *deed* (lambda ())) (sb-ext:gc) :missed)
                  (sb-ext:timeout () :timeout)))"))

(test interrupts.c-c-in-c
  "The interrupt comes when the computation is over."
  (notes '(:interrupted t)
         "(interrupted (pyrite:pycall \"sum\" (pyrite:with-remote-objects (pyrite:pycall \"range\" 30000000)))
                       (sleep 5))"))

(test interrupts.c-c-that-is-continued
  "Python cannot be continued: it has unwound. The exception is signalled; Lisp goes on."
  (notes '(pyrite:py-keyboard-interrupt t 5 t)
         "(defmacro continued (form)
            `(let ((sb-ext:*invoke-debugger-hook*
                     (lambda (condition hook) (declare (ignore hook)) (continue condition))))
               ,form))"
         "(defmacro note-continued (form)
            `(progn (interrupt-soon 0.1)
                    (push (handler-case (continued ,form) (error (condition) (type-of condition))) *results*)
                    (note (alive-p))))"
         "(note-continued (pyrite:pycall \"time.sleep\" 30))"
         "(note-continued (progn (sleep 0.5) 5))"))

(test interrupts.c-c-each-once
  "Hundreds of them, whenever they come: each is one interrupt, and nothing is left of it."
  (notes '(300 0 t 0)
         "(defun held ()
            (sb-ext:gc :full t)
            (cffi:with-foreign-objects ((live :size) (pending :size))
              (loop do (pyrite::%counters live pending) until (zerop (cffi:mem-ref pending :size)))
              (cffi:mem-ref live :size)))"
         "(defvar *errors* 0)"
         "(defvar *before* (held))"
         "(note (loop repeat 300
                      count (handler-case
                                (progn (interrupt-soon 0.002)
                                       (loop (pyrite:pyeval \"[object()] * 3\") (pyrite:pycall \"abs\" -4)))
                              (sb-sys:interactive-interrupt () t)
                              (error () (incf *errors*) nil))))"
         "(note *errors*)"
         "(note (alive-p))"
         "(note (max 0 (- (held) *before* 3)))"))

(test interrupts.taken-by-python
  "What Python code makes of SIGINT concerns Python only, and an exception of its own is one."
  (notes '(nil :interrupted t 1 pyrite:py-keyboard-interrupt :interrupted t)
         "(note (null (pyrite:pycall \"lambda: asyncio.run(nothing())\")))"
         "(interrupted (loop))"
         "(pyrite:pyexec \"before = signal.signal(signal.SIGINT, lambda *a: seen.append(1))\")"
         "(interrupt-soon 0.1)"
         "(note (pyrite:pyeval \"(time.sleep(0.5), len(seen))[1]\"))"
         "(pyrite:pyexec \"signal.signal(signal.SIGINT, before)\")"
         "(note (pyrite:pyexec \"raise KeyboardInterrupt\"))"
         "(interrupted (pyrite:pycall \"spin\"))"))

(defun notes-the-host-s-conditions ()
  "Checks that a new process, in which fault handlers are set, has the conditions of Lisp."
  (notes '(nil t t t t 45)
         "(pyrite:pyexec \"import faulthandler, warnings
with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    faulthandler.enable()
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    signal.signal(signal.SIGFPE, signal.SIG_DFL)\")"
         "(note (pyrite:pyeval \"faulthandler.is_enabled()\"))"
         "(let* ((over nil)
                 (thread (sb-thread:make-thread (lambda () (loop until over collect (make-list 100) do (sleep 0.001))))))
            (note (dotimes (i 20 t) (sb-ext:gc :full t)))
            (setf over t)
            (sb-thread:join-thread thread))"
         "(note (handler-case (labels ((f (x) (1+ (f x)))) (f 1)) (storage-condition () t)))"
         "(note (handler-case (list (cffi:mem-ref (cffi:make-pointer 8) :int)) (sb-sys:memory-fault-error () t)))"
         "(note (handler-case (list (/ 1d0 (- 1d0 (pyrite:pyeval \"1.0\")))) (division-by-zero () t)))"
         "(note (pyrite:pyeval \"sum(range(10))\"))"))

(test interrupts.signals-of-the-host-s
  "Fault handlers and the like do not take what Lisp depends on, whether code or the environment asks for them."
  (notes-the-host-s-conditions)
  (with-environment (("PYTHONFAULTHANDLER" "1"))
    (notes-the-host-s-conditions)))
