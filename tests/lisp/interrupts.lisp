;;;; C-c and limits of time. C-c is tested in processes of their own, which send it to themselves.

(in-package #:pyrite/test)

(def-suite interrupts :in pyrite :description "C-c, limits of time.")
(in-suite interrupts)

(defun define-endless-functions ()
  "Define Python functions that do not come back by themselves."
  (define-python
    "import time, threading"
    "def spin():"
    "    x = 0"
    "    while True: x += 1"
    "def call_for_ever(f):"
    "    while True: f()"
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
  (times-out (with-python-timeout (0.1) (pycall "lambda f: f()" (lambda () (pycall "spin")))))
  ;; Python code that nearly always waits for Lisp.
  (times-out (with-python-timeout (0.1) (pycall "call_for_ever" (lambda () (sleep 0.05))))))

(test interrupts.timeouts-on-other-threads
  (define-endless-functions)
  (is (equal '(t t t t)
             (in-threads 4 (lambda (i)
                             (declare (ignore i))
                             (and (typep (signalled (with-python-timeout (0.1) (pycall "spin"))) 'python-timeout)
                                  (typep (signalled (with-python-timeout (0.1)
                                                      (pycall "call_for_ever" (lambda () (sleep 0.05)))))
                                         'python-timeout)
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
    ;; It may come at any point of the body, and nowhere else.
    "(defmacro interrupted (&body body)
       `(progn (note (progn (interrupt-soon 0.1) ,@body)) (note (alive-p))))"
    "(pyrite:pystart)"
    "(pyrite:pyexec \"import asyncio, os, signal, threading, time
def interrupt_soon(): threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
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
    try:
        interrupt_soon()
        time.sleep(30)
    except KeyboardInterrupt: return 7
seen = []
def see():
    interrupt_soon()
    deadline = time.monotonic() + 30
    while not seen and time.monotonic() < deadline: time.sleep(0.01)
    return len(seen)\")")
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
         "(note (pyrite:pycall \"caught\"))" "(note (alive-p))"))

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
         "(defvar *continued* nil)"
         "(defmacro continued (form)
            `(let ((sb-ext:*invoke-debugger-hook*
                     (lambda (condition hook)
                       (declare (ignore hook))
                       (setf *continued* t)
                       (continue condition))))
               ,form))"
         "(defmacro note-continued (form)
            `(progn (push (handler-case (continued ,form) (error (condition) (type-of condition))) *results*)
                    (note (alive-p))))"
         "(note-continued (pyrite:pycall \"lambda: (interrupt_soon(), time.sleep(30))\"))"
         "(setf *continued* nil)"
         "(note-continued (progn (interrupt-soon 0.1) (loop until *continued* do (sleep 0.01)) 5))"))

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
         "(note (pyrite:pycall \"see\"))"
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
