;;;; Objects that users give a counterpart in Python.
;;;;
;;;; What a method makes of an object is written in its place. A container that was made so becomes a
;;;; task, so that objects in objects use no stack; the objects round it are kept to notice circles.

(in-package #:pyrite)

(declaim (ftype (function (t) t) python-object))

(defconstant +maximum-made+ 10000
  "How deep objects may be nested in what PYTHONIZE made of objects.")

(defvar *as-default* nil
  "The object that is converted as if users had no method for it.")

(defgeneric pythonize (lisp-value-or-object)
  (:documentation "What is passed to Python in place of LISP-VALUE-OR-OBJECT.

Define methods for classes of yours, by DEFCLASS, DEFSTRUCT or DEFINE-CONDITION, or any others whose objects
have no counterpart of their own. They return any value that can be passed: a PYOBJECT-WRAPPER, which
stands for its object; a list, vector or hash table, whose items are converted in turn; another object with
a method. They apply wherever a value is passed, at every level of nesting, and may be called more than
once for a call. While a method runs, *LISPIFIERS* and *PYTHONIZERS* are empty.

Numbers, strings, symbols, characters, conses, arrays, hash tables, pathnames and wrappers are always passed
as they are documented to be: methods for their classes are not asked. See WITH-PYTHONIZERS.

The method for T returns a PYOBJECT-WRAPPER of what the value is passed as when nobody has a method for it.
CONVERSION-ERROR is signalled when a method returns its own argument, or methods lead back to where they
began.")
  (:method (lisp-value-or-object)
    (if (pyobject-wrapper-p lisp-value-or-object)
        lisp-value-or-object
        (let ((*as-default* lisp-value-or-object))
          (python-object lisp-value-or-object)))))

(defun pythonized-p (value)
  "True when a user's method of PYTHONIZE is for VALUE."
  (and (rest (pyrite/port:generic-function-methods #'pythonize))
       (not (typep value '(or number symbol string character cons array hash-table pathname
                           pyobject-wrapper name py-constant)))
       (not (eq value *as-default*))
       (rest (compute-applicable-methods #'pythonize (list value)))
       t))

(defun fail-to-pythonize (value why)
  (fail-to-encode value (format nil "is converted by PYTHONIZE, ~A" why)))

(defun call-encoding (function value)
  "CALL-CONVERSION for an argument. Python is started before, not by the call: all arguments would be encoded anew.
So it is after a FUNCTION that stops Python, of which there would be no end."
  (python-start-if-not-alive)
  (prog1 (call-conversion function value)
    (python-start-if-not-alive)))

(defun pythonized (value)
  "What PYTHONIZE makes of VALUE in the end: no method is for that."
  (let ((seen (list value)))
    (loop
      (let ((new (call-encoding #'pythonize (first seen))))
        (cond ((not (pythonized-p new)) (return new))
              ((member new seen :test #'eq)
               (fail-to-pythonize value "whose methods return what they began with"))
              ((> (length seen) 100)
               (fail-to-pythonize value "whose methods return one object after the other")))
        (push new seen)))))

(defun check-made (value depth)
  "Signal CONVERSION-ERROR when VALUE is inside too many others: DEPTH."
  (when (> depth +maximum-made+)
    (fail-to-pythonize value (format nil "inside more than ~D others" +maximum-made+))))

(defun check-origin (value origin)
  "Signal CONVERSION-ERROR when VALUE is one of ORIGIN, the objects round it, or these are too many."
  (when (member value origin :test #'eq)
    (fail-to-encode value "contains itself"))
  (check-made value (1+ (length origin))))

(defun encode-pythonized (value cell frame)
  "Write what PYTHONIZE makes of VALUE to CELL, or have a task do so; true."
  (declare (type address cell) (type frame frame))
  (let ((new (keep (pythonized value) frame)) (origin (frame-origin frame)))
    (unless (encode-leaf new cell frame)
      (check-origin value origin)
      (push (list* (make-made new (cons value origin)) cell 0) (frame-tasks frame)))
    t))

(defun encode-made (made cell depth frame)
  "Have the container of MADE written to CELL, and a task without a cell come after all that is in it."
  (declare (type frame frame))
  (cond ((eql cell 0) (setf (frame-origin frame) (rest (made-origin made))))
        (t (push (list* made 0 0) (frame-tasks frame))
           (push (list* (made-value made) cell depth) (frame-tasks frame))
           (setf (frame-origin frame) (made-origin made)))))
