;;;; DEFPYFUN: one Lisp function for one of Python's.

(in-package #:pyrite)

(defun macro-argument (form)
  "The value of FORM, an argument of a macro that is needed when it is expanded."
  (if (or (consp form) (and (symbolp form) (not (constantp form))))
      (eval form)
      form))

(defun name-argument (form)
  "The Python name that FORM, an argument of a macro, stands for; NIL when there is none."
  (let ((value (macro-argument form)))
    (when value
      (pythonize-name value))))

(defun package-argument (form)
  "The package that FORM, an argument of a macro, stands for."
  (let ((value (macro-argument form)))
    (or (find-package value)
        (fail 'pyrite-error "There is no package ~A to put the function into." value))))

(defun ask-function (fun-name pymodule-name)
  "The entry of a Python function, which is the name to call it by; its signature; its documentation."
  (destructuring-bind (entry parameters documentation)
      (ask-python "function" fun-name pymodule-name)
    (values entry (parameters-signature parameters) documentation)))

(defun function-symbol (name package)
  "The symbol in PACKAGE that NAME, a string, or a symbol that is taken as it is, stands for."
  (let ((symbol (if (symbolp name) name (intern (coerce name '(simple-array character (*))) package))))
    (when (member (symbol-package symbol) (list (find-package '#:common-lisp) (find-package '#:pyrite)))
      (fail 'pyrite-error "A Python function cannot be given the name ~A, which is one of ~A: choose ~
                           another with :LISP-FUN-NAME."
            symbol (package-name (symbol-package symbol))))
    symbol))

(defun call-form (entry signature arguments)
  "A form that calls ENTRY by SIGNATURE with the value of ARGUMENTS, a variable."
  (let ((name (constant-name-form entry)))
    (if (plain-p signature)
        `(call-name ,name ,arguments)
        `(call-by-signature ,name (load-time-value ,(signature-form signature) t) ,arguments))))

(defun defun-form (symbol entry signature documentation package)
  "A form that defines SYMBOL as a function for ENTRY."
  (let ((arguments (make-symbol "ARGUMENTS")))
    `(progn
       (defun ,symbol (&rest ,arguments)
         ,@(when documentation (list (compact documentation)))
         (declare (dynamic-extent ,arguments))
         ,(call-form entry signature arguments))
       (pyrite/port:show-lambda-list
        ',symbol ',(intern-lambda-list (signature-lambda-list signature) package)))))

(defun define-python-function (symbol fun-name pymodule-name package)
  "Define SYMBOL as a function for Python's FUN-NAME, which is asked about now."
  (multiple-value-bind (entry signature documentation) (ask-function fun-name pymodule-name)
    (pyrite/port:define-function
     symbol (make-caller (find-name entry) signature)
     (intern-lambda-list (signature-lambda-list signature) package) documentation)))

(defun bind-python-name (as fun-name pymodule-name)
  "Bind AS in __main__ to the function FUN-NAME."
  (if pymodule-name
      (import-function fun-name pymodule-name :as as)
      (setf (pyvalue as) (with-remote-objects (pyvalue fun-name)))))

(pyrite/port:define-macro defpyfun (fun-name &optional pymodule-name
                    &key (as fun-name as-supplied-p) (cache t) (lisp-fun-name nil)
                      (lisp-package '*package*) (safety t))
  "Define a Lisp function that calls the Python function FUN-NAME of the module PYMODULE-NAME; its symbol.

Without PYMODULE-NAME, FUN-NAME is looked up in __main__ and builtins, or is a module's name, a dot and
the name in it. AS, when it is supplied, is bound to the function in __main__. LISP-FUN-NAME is the name
of the symbol, (LISPIFY-NAME AS) by default, in LISP-PACKAGE. The arguments are evaluated, if they are
forms, when the macro is expanded.

The function has the documentation of Python's, and its lambda list is shown: positional-only parameters
are required or optional, others keyword parameters. Arguments may be given by position up to the first
keyword, as with PYCALL. What is not supplied is not sent.

When CACHE is true, the default, Python is asked when the macro is expanded; a compiled form loads
without Python. Otherwise it is asked when the form is evaluated. The function works after PYSTOP and
sees a function that was redefined in Python; that costs nothing more, so that SAFETY is of no effect.

Signals PYERROR when there is no such function or it cannot be called, and PYRITE-ERROR for a symbol of
COMMON-LISP or of this library."
  (declare (ignore safety))
  (let* ((name (or (name-argument fun-name)
                   (fail 'pyrite-error "NIL is not the name of a Python function.")))
         (module (name-argument pymodule-name))
         (alias (name-argument as))
         (package (package-argument lisp-package))
         (symbol (function-symbol (or (macro-argument lisp-fun-name) (lispify-name alias)) package)))
    `(progn
       ,@(if (macro-argument cache)
             (multiple-value-bind (entry signature documentation) (ask-function name module)
               (list (defun-form symbol entry signature documentation package)))
             `((declaim (ftype function ,symbol))
               (define-python-function ',symbol ,name ,module (find-package ,(package-name package)))))
       ,@(when as-supplied-p
           `((bind-python-name ,alias ,name ,module)))
       ',symbol)))
