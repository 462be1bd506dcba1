;;;; What Python says of its objects: types, names, help, and what an exception has besides its message.

(in-package #:pyrite)

(defun named-value (designator)
  "DESIGNATOR as an argument: the NAME that a string or symbol stands for, else itself."
  (typecase designator
    (string (find-name designator))
    (null designator)
    (symbol (symbol-name-object designator))
    (t designator)))

(defun pytype-of (object)
  "Python's type(OBJECT), a PYOBJECT-WRAPPER."
  (call-with-values (bridge-name "type_of") object))

(defun pyisinstance (object class)
  "True when OBJECT, any value, is an instance of CLASS, as Python's isinstance() says.

CLASS is a name, as for PYVALUE, a PYOBJECT-WRAPPER, or a list of these, of which one will do."
  (with-default-conversions
    (call-with-values (bridge-name "is_instance") object
                      (if (consp class) (mapcar #'named-value class) (named-value class)))))

(defun attribute-names (object methods as-vector)
  "The names of those attributes of OBJECT that can be called, if METHODS, or of the others."
  (let ((names (with-default-conversions (call-with-values (bridge-name "attributes") object methods))))
    (if as-vector names (coerce names 'list))))

(defun pymethod-list (pyobject &key as-vector)
  "The names of the attributes of PYOBJECT that can be called, strings: a list, or a vector if AS-VECTOR."
  (attribute-names pyobject t as-vector))

(defun pyslot-list (pyobject &key as-vector)
  "The names of the attributes of PYOBJECT that cannot be called, strings: a list, or a vector if AS-VECTOR."
  (attribute-names pyobject nil as-vector))

(defun pyhelp (string-or-python-callable)
  "Print what Python's help() says to *STANDARD-OUTPUT*. Returns no values.

STRING-OR-PYTHON-CALLABLE is a name (string or symbol) of anything that PYVALUE or an import can find, or
one of help's topics such as \"LISTS\"; any other value is what help is wanted on."
  (with-default-conversions
    (write-string (call-by-name (bridge-name "help_text")
                                (if (and string-or-python-callable (symbolp string-or-python-callable))
                                    (pythonize-name string-or-python-callable)
                                    string-or-python-callable))
                  *standard-output*))
  (values))

;;; Exceptions

(defun pyerror-cause (condition)
  "The exception that the one in CONDITION, a PYERROR, was raised from, a PYOBJECT-WRAPPER; NIL for none."
  (let ((exception (pyerror-value condition)))
    (when exception
      (let ((cause (with-default-conversions (pyslot-value exception "__cause__"))))
        (unless (eq cause +py-none+) cause)))))

(defun pyerror-notes (condition)
  "The notes that were added to the exception in CONDITION, a PYERROR: a list of strings."
  (let ((exception (pyerror-value condition)))
    (when exception
      (coerce (with-default-conversions (call-by-name (bridge-name "notes") exception)) 'list))))
