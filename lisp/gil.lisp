;;;; What a thread may do for many calls at once: hold the GIL, mask floating-point traps.

(in-package #:pyrite)

(defun call-with-gil (function)
  "Call FUNCTION with the GIL held by this thread."
  (python-start-if-not-alive)
  ;; First: between the two another thread's question, in which this one would let go again, might begin.
  (with-server-held
    (let ((held nil))
      (pyrite/port:with-cleanup
          (progn
            (check-status (call-when-running
                           (lambda ()
                             (pyrite/port:without-interrupts
                               (let ((status (%%gil-acquire)))
                                 (setf held (eql status +ok+))
                                 status)))))
            (funcall function))
        (when held (%gil-release))))))

(defmacro with-python-gil (&body body)
  "Evaluate BODY with the GIL held: the calls in it are cheaper, those of other threads wait.

Never needed for correctness. BODY should not wait for other threads that call Python."
  `(call-with-gil (lambda () ,@body)))

;;; Floating point

(defmacro with-float-traps-masked (&body body)
  "Evaluate BODY with the floating-point traps of this thread off: 1/0 gives an infinity, and so on.

Never needed for correctness: Python always runs so, and Lisp's traps are put back after every call.
Switching them costs about as much as a short call, which is saved for the calls in BODY."
  `(pyrite/port:with-float-traps-masked ,@body))
