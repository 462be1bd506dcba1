;;;; Implementations that tell nothing of an exhausted stack or a memory fault in C code: these end the process.

(in-package #:pyrite/port)

(defun add-fault-hook (function)
  (declare (ignore function))
  nil)

(defmacro with-python-outside ((given-up here) &body body)
  `(symbol-macrolet ((,given-up nil))
     ,here
     ,@body))

(defun restore-stack-guard ()
  nil)
