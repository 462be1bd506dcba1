;;;; Limits of the time that Python code may take.

(in-package #:pyrite)

(defmacro with-python-timeout ((seconds) &body body)
  "Evaluate BODY, in which Python code of this thread may run until SECONDS, a real number, are over; the
values of BODY.

Python code that runs then gets a KeyboardInterrupt; its `finally` and `with` do their work, and the call
signals a PYTHON-TIMEOUT. When no Python code runs then, the next call in BODY signals it. After that,
Python code in BODY, which may be needed to clean up, has one more second, and so on. Lisp code is not
limited. A long computation in C comes to its own end first, and on other threads than the one that
started Python sleeping and waiting do, too. The forms nest. In the mode :DEDICATED-THREAD, calls of other
threads wait until BODY is done. Starts Python when it does not run."
  `(call-with-python-timeout (lambda () ,@body) ,seconds))

(defun call-with-python-timeout (function seconds)
  "Call FUNCTION with the time of Python code limited: see WITH-PYTHON-TIMEOUT."
  (check-type seconds (real 0))
  (python-start-if-not-alive)
  ;; The limit is one of the thread on which Python runs: others' calls there must not end by it.
  (with-server-held
    (let ((limit 0))
      (pyrite/port:with-cleanup
          (progn
            (pyrite/port:without-interrupts
              (setf limit (begin-limit (ceiling (* 1000 (min seconds (ash 1 30)))))))
            (funcall function))
        (unless (zerop limit)
          (%limit-end limit))))))

(defun begin-limit (milliseconds)
  "The number of a limit of MILLISECONDS that begins now."
  (cffi:with-foreign-object (limit :uint64)
    (check-status (%%limit milliseconds limit))
    (cffi:mem-ref limit :uint64)))
