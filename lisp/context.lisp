;;;; Python's `with`. The statement itself is at work, in a generator of bridge.py's.

(in-package #:pyrite)

(defmacro with-pycontext ((variable manager) &body body)
  "Evaluate BODY as Python's `with MANAGER as VARIABLE:` does; the values of BODY.

VARIABLE, which may be NIL, is bound to what __enter__ of MANAGER, any Python object, returned, converted
to Lisp. __exit__ is called once, however BODY is left: with None when BODY returned; for a PYERROR with the
exception; for another ERROR with the _pyrite.HostError whose payload is the condition, an Exception in
Python; for any other exit, a THROW, RETURN-FROM or restart, with a _pyrite.HostUnwind, a BaseException.

When __exit__ returns true for an error, that is over, and the value is NIL; else the same condition is
signalled again. An exit cannot be stopped so: it goes on whatever __exit__ returns. What __exit__ raises is
signalled in place of the error or the exit.

As Python does, __exit__ is called before handlers outside of this form are."
  (let ((parameter (or variable (gensym "VARIABLE"))))
    `(call-with-pycontext (lambda (,parameter) (declare (ignorable ,parameter)) ,@body) ,manager)))

(defmacro ignoring-stale (&body body)
  "Evaluate BODY; NIL when Python was stopped meanwhile, so that nobody is left to be told."
  `(handler-case (progn ,@body)
     (stale-object () nil)))

(defun make-context (manager)
  "The generator of bridge.py's for MANAGER, which is no argument, and left alone by pythonizers."
  (let ((*pythonizers* '()))
    (call-of (bridge-name "context") (list manager) t)))

(defun enter-context (context)
  "What CONTEXT is entered with."
  (let ((*pythonizers* '()))
    (call-by-name (bridge-name "enter") context)))

(defun call-with-pycontext (function manager)
  "Call FUNCTION with what the context MANAGER is entered with: see WITH-PYCONTEXT."
  (declare (type function function))
  (with-temporaries
    (let ((context (make-context manager)) (entered t))
      (flet ((leave (exception)
               (when (shiftf entered nil)
                 (leave-context context exception))))
        (unwind-protect
             (handler-case (funcall function (enter-context context))
               (:no-error (&rest values)
                 (leave (constantly +py-none+))
                 (values-list values))
               ((or error storage-condition) (condition)
                 (unless (ignoring-stale (leave (lambda () (exception-of condition))))
                   (error condition))))
          (ignoring-stale
            (leave (lambda () (host-exception "Lisp code leaves Python" (make-unwinding nil) t)))))))))

(defun leave-context (context exception)
  "Leave CONTEXT with what EXCEPTION, a function, returns; whether __exit__ says that it goes no further."
  (declare (type function exception))
  (with-default-conversions
    (call-by-name (bridge-name "leave") context (funcall exception))))

(defun exception-of (condition)
  "The Python exception of CONDITION: its own, or one that stands for it."
  (or (and (typep condition 'pyerror) (pyerror-value condition))
      (host-exception (condition-text condition) condition nil)))
