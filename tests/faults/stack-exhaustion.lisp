;;;; Functions of Python that know no limit to their recursion use the stack up. Lisp unwinds them, so that
;;;; Python is as it was before: for this thread, others, and Lisp code that Python had called.

(in-package #:pyrite/test)

(def-suite faults/stack-exhaustion)
(in-suite faults/stack-exhaustion)

(defun define-bottomless ()
  "Python code with a tuple that nests too deep for its hash."
  (pyexec "import threading
deep = None
for i in range(200000): deep = (deep,)
log = []
def outer(f):
    try: return f()
    finally: log.append(1)
def outcome(f):
    try: return f()
    except BaseException as e: return type(e).__name__
def in_thread(f):
    results = []
    thread = threading.Thread(target=lambda: results.append(outcome(f)))
    thread.start(); thread.join()
    return results[0]"))

(defun exhaust ()
  (pyeval "hash(deep)"))

(defmacro is-exhausted (&body body)
  "Checks: BODY signals a STORAGE-CONDITION, and everything works on, also in other threads."
  `(progn
     (is (eq :exhausted (handler-case (progn ,@body) (storage-condition () :exhausted))))
     (is-true (alive-p))))

(defmacro on-sbcl (&body body)
  `(if (eq (uiop:implementation-type) :sbcl)
       (progn (define-bottomless) ,@body)
       (skip "Only SBCL tells of a stack that was exhausted outside of Lisp.")))

(test stack-exhaustion.given-up
  "In the main thread, again and again; Lisp's traps are Lisp's again, and the GIL is free."
  (on-sbcl
    (dotimes (i 5)
      (is-exhausted (exhaust)))
    (is-exhausted (with-python-gil (exhaust)))
    (signals division-by-zero (divide 1d0 (- 1d0 (pyeval "1.0"))))
    (is (equal 1 (pyeval "len([f for f in __import__('sys')._current_frames().values() if f.f_back is None])")))
    (is-true (pyeval "threading.main_thread().is_alive()"))))

(test stack-exhaustion.other-threads
  "In a thread of Lisp's. It has new threading.local values afterwards."
  (on-sbcl
    (pyexec "local = threading.local()")
    (is (equal '((5 :exhausted nil 45))
               (in-threads 1 (lambda (i)
                               (declare (ignore i))
                               (prog1 (list (pyeval "(setattr(local, 'x', 5), local.x)[1]")
                                            (handler-case (exhaust) (storage-condition () :exhausted))
                                            (pyeval "hasattr(local, 'x')")
                                            (pyeval "sum(range(10))"))
                                 (pyrite/port:restore-stack-guard))))))
    (is-true (alive-p))))

(test stack-exhaustion.below-callbacks
  "Below a Lisp function that Python called: all of Python's code goes, since its frames are in one thread state."
  (on-sbcl
    (is-exhausted (pycall "outer" #'exhaust))
    (is-exhausted (pycall "outer" (lambda () (pycall "outer" #'exhaust))))
    (is-exhausted (pycall "outer" (lambda () (handler-case (exhaust) (storage-condition () 5)))))
    (let ((cleaned nil))
      (is-exhausted (pycall "outer" (lambda () (unwind-protect (exhaust) (setf cleaned (pyeval "1 + 1"))))))
      (is (eql 2 cleaned)))
    (pyexec "log.clear()")
    (is (eql 5 (pycall "outer" (lambda () 5))))
    (is (equalp #(1) (pyvalue "log")))))

(test stack-exhaustion.on-behalf-of-python-threads
  "A thread of Python's that asked Lisp gets an exception, or what Lisp makes of it."
  (on-sbcl
    (dotimes (i 3)
      (is (equal "HostError" (pycall "in_thread" #'exhaust)))
      (is (eql 7 (pycall "in_thread" (lambda () (handler-case (exhaust) (storage-condition () 7))))))
      (is-true (alive-p)))))

(test stack-exhaustion.dedicated-thread
  "Where one thread makes all calls, who called is told, and the thread goes on."
  (on-sbcl
    (with-dedicated-thread
      (define-bottomless)
      (flet ((check (function)
               (is (eq :exhausted (handler-case (funcall function) (storage-condition () :exhausted))))
               (is (eql 45 (pyeval "sum(range(10))")))
               (is (equal '(45) (in-threads 1 (lambda (i) (declare (ignore i)) (pyeval "sum(range(10))")))))))
        (dotimes (i 2)
          (check #'exhaust)
          (check (lambda () (pycall "outer" #'exhaust)))
          (check (lambda () (pycall "outer" (lambda () (ignore-errors (exhaust)) 5)))))))))

(test stack-exhaustion.of-lisp-for-python-threads
  "Lisp's recursion without end, for a thread of Python's: an exception there."
  (define-bottomless)
  (dotimes (i 3)
    (is (equal "HostError" (pycall "in_thread" (lambda () (recurse-for-ever 0)))))
    (is-true (alive-p))))

(test stack-exhaustion.the-end
  "The process ends as ever."
  (if (eq (uiop:implementation-type) :sbcl)
      (is (eq t (ends-p '("exit")
                        '(pyrite:pyexec "import atexit, threading
atexit.register(lambda: print('mark:exit'))
deep = None
for i in range(200000): deep = (deep,)")
                        '(handler-case (pyrite:pyeval "hash(deep)") (storage-condition ())))))
      (skip "Only SBCL tells of a stack that was exhausted outside of Lisp.")))
