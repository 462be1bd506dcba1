;;;; Asking Python about its functions and modules.

(in-package #:pyrite)

(defparameter *introspection-source*
  (macrolet ((text ()
               (uiop:read-file-string
                (merge-pathnames "introspect.py" (or *compile-file-truename* *load-truename*))
                :external-format :utf-8)))
    (text))
  "The text of introspect.py.")

(defun load-introspection ()
  "Have Python execute *INTROSPECTION-SOURCE* in the module _pyrite_introspect, unless it did."
  (call-python "lambda name, text, sys=__import__('sys'): name in sys.modules or (
                  exec(compile(text, 'pyrite/introspect.py', 'exec'),
                       sys.modules.setdefault(name, type(sys)(name)).__dict__))"
               (list "_pyrite_introspect" *introspection-source*)))

(defun ask-python (function &rest arguments)
  "What FUNCTION of introspect.py returns for ARGUMENTS."
  (with-default-conversions
    (load-introspection)
    (call-python (format nil "_pyrite_introspect:~A" function) arguments)))
