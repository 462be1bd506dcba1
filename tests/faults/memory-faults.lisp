;;;; A memory fault in C code that Python called: Lisp's own condition, and Python is as before.

(in-package #:pyrite/test)

(def-suite faults/memory-faults)
(in-suite faults/memory-faults)

(defmacro faults-once (&body body)
  "Checks: BODY signals an error of Lisp's, and everything works on, also in other threads."
  `(progn
     (is (eq 'memory-fault (handler-case (progn ,@body nil)
                             (pyerror () 'python-error)
                             (error () 'memory-fault))))
     (is-true (alive-p))))

(test memory-faults.null
  (cond ((not (eq (uiop:implementation-type) :sbcl))
         (skip "Other Lisps end, or go on as they can."))
        ((signalled (import-module "ctypes"))
         (skip "This Python has no ctypes."))
        (t
         (define-python "import ctypes"
                        "def read(): return ctypes.c_int.from_address(0).value"
                        "def outer(f): return f()")
         (let ((zero (- 1d0 1d0)))
           (dotimes (i 3)
             (faults-once (pycall "read"))
             (faults-once (with-python-gil (pycall "read")))
             (faults-once (pycall "outer" (lambda () (pycall "read"))))
             (signals division-by-zero (divide 1d0 zero))))
         (is (equal '((:fault 45))
                    (in-threads 1 (lambda (i)
                                    (declare (ignore i))
                                    (list (handler-case (pycall "read") (error () :fault))
                                          (pyeval "sum(range(10))"))))))
         (is-true (alive-p)))))
