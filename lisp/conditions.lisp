;;;; Conditions: what Python raised, and what went wrong on the way to it.

(in-package #:pyrite)

(define-condition pyerror (error)
  ((type-name :initarg :type :initform "" :reader pyerror-type
              :documentation "The qualified name of the Python exception's type, a string.")
   (message :initarg :message :initform "" :reader pyerror-message
            :documentation "What str() of the exception gave, a string.")
   (value :initarg :value :initform nil :reader pyerror-value
          :documentation "The exception object, a PYOBJECT-WRAPPER; NIL when it cannot be had."))
  (:documentation "A Python exception. Its report is its type and message.")
  (:report (lambda (condition stream)
             (format stream "~A~@[: ~A~]" (pyerror-type condition)
                     (let ((message (pyerror-message condition)))
                       (unless (equal message "") message))))))

(define-condition simple-pyerror (pyerror) ()
  (:documentation "A Python exception, with the name of its type in PYERROR-TYPE."))

(define-condition pyrite-error (error)
  ((message :initarg :message :initform "" :reader pyrite-error-message))
  (:documentation "What went wrong on the way to Python: nothing of Python's own.")
  (:report (lambda (condition stream) (write-string (pyrite-error-message condition) stream))))

(define-condition stale-object (pyrite-error) ()
  (:documentation "A PYOBJECT-WRAPPER was used that is from before PYSTOP, or from before the image
was saved: its object is gone. Or Python used a Lisp object of dynamic extent that it kept."))

(declaim (ftype (function (t t) t) write-place))

(define-condition conversion-error (pyrite-error)
  ((datum :initarg :datum :initform nil :reader conversion-error-datum
          :documentation "The value that cannot be converted, when it is a Lisp one.")
   (place :initarg :place :initform '() :accessor conversion-error-place
          :documentation "Where in an argument the value is."))
  (:documentation "A value has no counterpart on the other side. The report says where in an argument it
is, when it is in a container.")
  (:report (lambda (condition stream)
             (write-string (pyrite-error-message condition) stream)
             (when (conversion-error-place condition)
               (write-place (conversion-error-place condition) stream)))))

(define-condition malformed-keywords (pyrite-error program-error) ()
  (:documentation "The arguments of a call from the first keyword on are no plist of keywords."))

(define-condition malformed-slice (pyrite-error program-error) ()
  (:documentation "A list that begins with SLICE has not one to three arguments."))

(define-condition malformed-chain (pyrite-error program-error) ()
  (:documentation "What was given to CHAIN is no chain, or one that cannot be assigned to."))

(define-condition python-not-found (pyrite-error) ()
  (:documentation "There is no Python to start, or none that can be embedded."))

(define-condition library-not-found (pyrite-error) ()
  (:documentation "There is no libpyrite to load."))

(define-condition abi-mismatch (pyrite-error) ()
  (:documentation "The libpyrite that was loaded does not fit this version of the Lisp system."))

(define-condition python-timeout (pyrite-error) ()
  (:documentation "Python code took longer than WITH-PYTHON-TIMEOUT allows, and was ended."))

(define-condition python-start-error (pyrite-error) ()
  (:documentation "Python was found, but did not start."))

(defun fail (class control &rest arguments)
  "Signal a condition of CLASS, a PYRITE-ERROR, whose report is CONTROL formatted with ARGUMENTS."
  ;; What is wrong may be endless, or large.
  (let ((message (let ((*print-circle* t) (*print-length* 10) (*print-level* 5) (*print-readably* nil))
                   (apply #'format nil control arguments))))
    (error class :message message)))

(setf (documentation 'pyerror-type 'function)
      "The qualified name of the type of the Python exception in a PYERROR, a string."
      (documentation 'pyerror-message 'function)
      "What Python's str() of the exception in a PYERROR gave, a string."
      (documentation 'pyerror-value 'function)
      "The exception object of a PYERROR, a PYOBJECT-WRAPPER; NIL when it cannot be had."
      (documentation 'conversion-error-datum 'function)
      "The Lisp value that a CONVERSION-ERROR is about, or NIL."
      (documentation 'conversion-error-place 'function)
      "Where the value that a CONVERSION-ERROR is about is in the argument: a list of subscripts from the
outside in, such as (3 \"a\" 0). An index of a list or vector, a list of subscripts of another array, the
key of a hash table, or (:KEY key) when it is in the key itself. NIL when it is the argument itself, or
not known.")
