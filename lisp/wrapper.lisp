;;;; Python objects as Lisp objects.

(in-package #:pyrite)

(defstruct (pyobject-wrapper (:constructor %make-wrapper (handle)) (:copier nil) (:predicate nil))
  "A Python object. It lives in Python as long as this wrapper does in Lisp.

LOAD-FORM is used when the wrapper is dumped into a compiled file."
  (handle 0 :type (unsigned-byte 62) :read-only t)
  (load-form nil))

(declaim (inline pyobject-wrapper-p))
(defun pyobject-wrapper-p (object)
  "True when OBJECT is a PYOBJECT-WRAPPER."
  (typep object 'pyobject-wrapper))

(defmethod make-load-form ((wrapper pyobject-wrapper) &optional environment)
  (declare (ignore environment))
  (or (pyobject-wrapper-load-form wrapper)
      (fail 'pyrite-error "A Python object cannot be put into a compiled file: ~A" wrapper)))

(declaim (inline make-wrapper))
(defun make-wrapper (handle)
  "A wrapper of HANDLE, which it owns from now on."
  (let ((wrapper (%make-wrapper handle)))
    (release-when-garbage wrapper handle %release)
    (consider-memory)
    wrapper))

(defstruct (temporary (:include pyobject-wrapper) (:constructor make-temporary (handle)) (:copier nil))
  "A Python object that a function of ours keeps until it is done: no finalizer knows the handle."
  (released nil))

(defun release-temporary (value)
  "Give back the handle of VALUE if it is a TEMPORARY, unless that was done."
  (when (temporary-p value)
    (pyrite/port:without-interrupts
      (unless (shiftf (temporary-released value) t)
        (%release (pyobject-wrapper-handle value))))))

(defvar *temporaries* '()
  "The TEMPORARYs that were made in the innermost WITH-TEMPORARIES.")

(defmacro with-temporaries (&body body)
  "Evaluate BODY; the TEMPORARYs that it made are given back then, however it is left."
  `(let ((*temporaries* '()))
     (pyrite/port:with-cleanup (progn ,@body)
       (mapc #'release-temporary *temporaries*))))

(defstruct (py-constant (:constructor make-py-constant (python)) (:copier nil))
  "A Python value that has one Lisp object."
  (python "" :type string :read-only t))

(defmethod print-object ((constant py-constant) stream)
  (print-unreadable-object (constant stream)
    (format stream "PYTHON ~A" (py-constant-python constant))))

(defvar +py-none+ (make-py-constant "None")
  "Python's None.")

(defvar +py-empty-tuple+ (make-py-constant "()")
  "Python's empty tuple.")

(defmethod make-load-form ((constant py-constant) &optional environment)
  (declare (ignore environment))
  (if (eq constant +py-none+) '+py-none+ '+py-empty-tuple+))
