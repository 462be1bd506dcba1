;;;; Python's `with`. The statement itself is at work, in a generator of bridge.py's.

(in-package #:pyrite)

(defmacro with-pycontext ((variable manager) &body body)
  "Evaluate BODY as Python's `with MANAGER as VARIABLE:` does; the values of BODY.

VARIABLE, which may be NIL, is bound to what __enter__ of MANAGER, any Python object, returned, converted
to Lisp. __exit__ is called once, however BODY is left: for a PYERROR with the exception; for another
ERROR with a RuntimeError that has the condition's report; else, a THROW for instance, with None. When it
returns true for an error, that is over and the value is NIL; else the same condition is signalled again.

As Python does, __exit__ is called before handlers outside of this form are."
  (let ((parameter (or variable (gensym "VARIABLE"))))
    `(call-with-pycontext (lambda (,parameter) (declare (ignorable ,parameter)) ,@body) ,manager)))

(defun call-with-pycontext (function manager)
  "Call FUNCTION with what the context MANAGER is entered with: see WITH-PYCONTEXT."
  (declare (type function function))
  (with-temporaries
    (let ((context (call-of (bridge-name "context") (list manager) t)) (entered t))
      (flet ((leave (exception)
               (when (shiftf entered nil)
                 (with-default-conversions
                   (call-by-name (bridge-name "leave") context exception)))))
        (unwind-protect
             (handler-case (funcall function (call-by-name (bridge-name "enter") context))
               (:no-error (&rest values)
                 (leave +py-none+)
                 (values-list values))
               (error (condition)
                 (unless (handler-case (leave (exception-of condition))
                           ;; Python was stopped meanwhile: nobody is left to be told.
                           (stale-object () nil))
                   (error condition))))
          (leave +py-none+))))))

(defun exception-of (condition)
  "The exception in CONDITION, or its report."
  (or (and (typep condition 'pyerror) (pyerror-value condition))
      (handler-case (princ-to-string condition)
        (error () (prin1-to-string (type-of condition))))))
