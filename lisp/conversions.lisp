;;;; Which conversions are in force: the dynamic variables, and what binds them.

(in-package #:pyrite)

(defvar *remote-objects* nil
  "Whether results stay in Python, as wrappers. Bound by WITH-REMOTE-OBJECTS.")

(defvar *lispifiers* '()
  "An alist from types to functions, for values that come from Python.

A value, once converted, is passed to the function of the first type it is of, and what that returns
takes its place: in results and in all containers in them, keys of dicts included, items before their
containers. See WITH-LISPIFIERS.")

(defvar *pythonizers* '()
  "An alist from types to functions, for arguments of calls.

A value is passed to the function of the first type it is of, and what that returns takes its place: in
arguments, keyword arguments and all containers in them, keys of hash tables included, items before
their containers. See WITH-PYTHONIZERS.")

(declaim (type list *lispifiers* *pythonizers*)
         (type (unsigned-byte 32) *conversion-flags*))

(defvar *conversion-flags* +as-ucs4+
  "The flags of calls whose results are converted: with +TYPED+ when there are lispifiers of types.")

(defmacro with-lispifiers ((&rest overriding-lispifiers) &body body)
  "Evaluate BODY with OVERRIDING-LISPIFIERS, (TYPE FUNCTION), before those in *LISPIFIERS*.

TYPE is not evaluated, FUNCTION is. It is called with a converted value of that type, and its value
takes the place of that: as a result, or in the container that it was in, whose own lispifier comes
afterwards. The first TYPE that fits counts: NIL is a LIST and a SYMBOL, a string is a VECTOR. Elements
of specialized arrays are not looked at, and wrappers that WITH-REMOTE-OBJECTS asks for are left alone.
While FUNCTION runs, *LISPIFIERS* and *PYTHONIZERS* are empty. This holds for the calling thread."
  `(let ((*lispifiers* (list* ,@(entry-forms overriding-lispifiers) *lispifiers*)))
     ,@body))

(defmacro with-pythonizers ((&rest overriding-pythonizers) &body body)
  "Evaluate BODY with OVERRIDING-PYTHONIZERS, (TYPE FUNCTION), before those in *PYTHONIZERS*.

TYPE is not evaluated, FUNCTION is: to what names something to be called in Python, as for PYCALL, or to
a Lisp function. It is called with a value of that type in which the items have had their turn, and what
it returns is passed in its place, as it is: pythonizers do not look at it again. A Python function gets
the value as it is passed otherwise; its value stays in Python. The first TYPE that fits counts: NIL is
a LIST and a SYMBOL, a string is a VECTOR. Applies to the arguments of calls, not to the object of a
method, splices of PYEVAL or what is set. While FUNCTION runs, *LISPIFIERS* and *PYTHONIZERS* are empty.
This holds for the calling thread."
  `(let ((*pythonizers* (list* ,@(entry-forms overriding-pythonizers) *pythonizers*)))
     ,@body))

(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun entry-forms (entries)
    "Forms for the conses of an alist with ENTRIES, (TYPE FUNCTION)."
    (loop for (type function) in entries
          collect `(cons ',type ,function))))

(defun entry-of (value entries)
  "The first of ENTRIES, an alist by types, that VALUE is of."
  (assoc value entries :test #'typep))

(defmacro with-default-conversions (&body body)
  "Evaluate BODY, calls of the library's own, with the conversions that nobody has changed."
  `(let ((*remote-objects* nil) (*lispifiers* '()) (*pythonizers* '()) (*conversion-flags* +as-ucs4+))
     ,@body))

(defun call-conversion (function value)
  "Call FUNCTION, a user's, with VALUE: whoever is converting just now does not change what it does."
  (let ((*remote-objects* nil) (*lispifiers* '()) (*pythonizers* '()))
    (funcall function value)))
