;;;; What Python can learn of Lisp objects: their attributes, and what there is to know about functions.

(in-package #:pyrite)

(define-condition no-attribute (py-attribute-error)
  ((object :initarg :object :reader no-attribute-object)
   (name :initarg :name :reader no-attribute-name))
  (:default-initargs :type "AttributeError"))

;; Python code looks for attributes that it does not expect to find: nothing is printed before it is asked for.
(defmethod pyerror-message ((condition no-attribute))
  (format nil "~A has no attribute ~A."
          (prin1-for-python (no-attribute-object condition)) (no-attribute-name condition)))

(defun fail-attribute (object name)
  (error 'no-attribute :object object :name name))

(defparameter *function-attributes*
  '(("__name__" . function-name-for-python) ("__qualname__" . function-name-for-python)
    ("__doc__" . function-documentation) ("__signature__" . function-signature))
  "An alist from names of attributes to functions of a function.")

(defgeneric python-getattr (object slot-name)
  (:documentation "The value of the attribute SLOT-NAME, a string, of OBJECT, when Python code asks for it.

Define methods for classes of yours whose instances are passed to Python. A method CALL-NEXT-METHODs for
names that it does not know: the method for T signals PY-ATTRIBUTE-ERROR, which is an AttributeError in
Python, where hasattr() is then False. The method for functions knows __name__, __qualname__, __doc__ and
__signature__.")
  (:method (object slot-name)
    (fail-attribute object slot-name))
  (:method ((object function) slot-name)
    (let ((entry (assoc slot-name *function-attributes* :test #'equal)))
      (if entry (funcall (cdr entry) object) (call-next-method)))))

(defgeneric python-setattr (object slot-name value)
  (:documentation "Set the attribute SLOT-NAME, a string, of OBJECT to VALUE, when Python code does so.

Define methods for classes of yours whose instances are passed to Python. A method CALL-NEXT-METHODs for
names that cannot be set: the method for T signals PY-ATTRIBUTE-ERROR, which is an AttributeError in Python.")
  (:method (object slot-name value)
    (declare (ignore value))
    (fail-attribute object slot-name)))

(defun answer-attribute (object name reply)
  "Answer with the attribute NAME of OBJECT; 0 when there is none."
  (handler-case (reply-value (python-getattr object name) reply)
    (no-attribute () 0)))

(defun answer-set-attribute (object name value reply)
  "Set the attribute NAME of OBJECT to VALUE; 0 when there is none."
  (handler-case (progn (python-setattr object name value)
                       (reply-value +py-none+ reply))
    (no-attribute () 0)))

(defun answer-names (object reply)
  "Answer with the names of what a function has besides the attributes of its type; 0 for other objects."
  (if (functionp object)
      (reply-value #("__name__" "__qualname__" "__signature__") reply)
      0))

(defun prin1-for-python (object)
  "OBJECT as it is printed, in a few lines at the most."
  (handler-case (let ((*print-length* 10) (*print-level* 3) (*print-readably* nil) (*print-circle* t))
                  (format nil "<Lisp ~A>" (remove-if #'surrogate-p (prin1-to-string object))))
    ((or error storage-condition) () (format nil "<Lisp object of type ~S>" (type-of object)))))

;;; Functions

(defun function-name-for-python (function)
  "The Python name of FUNCTION, a string."
  (let ((name (pyrite/port:function-name function)))
    (cond ((null name) "<lambda>")
          ((symbolp name) (pythonize-name name))
          ;; A function that is local to another, in SBCL's terms.
          ((and (consp name) (member (first name) '(flet labels)) (symbolp (second name)))
           (pythonize-name (second name)))
          ((and (consp name) (eq (first name) 'setf)) (string-downcase (princ-to-string name)))
          (t "<lambda>"))))

(defun function-documentation (function)
  "The docstring of FUNCTION, or None."
  (let ((name (pyrite/port:function-name function)))
    (or (documentation function t)
        (and name (symbolp name) (fboundp name) (eq (fdefinition name) function)
             (documentation name 'function))
        +py-none+)))

(defun function-signature (function)
  "The inspect.Signature of FUNCTION: whatever arguments, where its lambda list is not known."
  (multiple-value-bind (lambda-list known) (pyrite/port:function-lambda-list function)
    (with-default-conversions
      (let ((*remote-objects* t))
        (call-python (bridge-name "signature")
                     (list (coerce (or (and known (ignore-errors (python-parameters lambda-list)))
                                       `(("args" ,+var-positional+ 0 nil) ("kwargs" ,+var-keyword+ 0 nil)))
                                   'vector)))))))

(defun python-parameters (lambda-list)
  "The parameters of LAMBDA-LIST as Python has them: a vector of (NAME KIND STATE DEFAULT), see
PARAMETER-DEFAULT."
  (multiple-value-bind (required optional rest keys allow)
      (alexandria:parse-ordinary-lambda-list lambda-list :normalize t)
    (flet ((parameter (name kind &rest default)
             (list* (pythonize-name name) kind (or default '(0 nil)))))
      (coerce (append (loop for name in required collect (parameter name +positional-only+))
                      (loop for (name default) in optional
                            collect (apply #'parameter name +positional-only+ (parameter-default default)))
                      (when rest (list (parameter rest +var-positional+)))
                      (loop for ((keyword) default) in keys
                            collect (apply #'parameter keyword +keyword-only+ (parameter-default default)))
                      (when allow (list (parameter 'kwargs +var-keyword+))))
              'vector))))

(defun parameter-default (form)
  "1 and the value of FORM, the default of a parameter, if it is a constant that Python can be told, else 2
and how it is printed."
  (let ((value (cond ((and (consp form) (eq (first form) 'quote)) (second form))
                     ((and (symbolp form) (constantp form)) (symbol-value form))
                     ((consp form) form)
                     (t form))))
    (if (and (constantp form) (typep value '(or number string symbol character)))
        (list 1 value)
        (list 2 (let ((*print-length* 5) (*print-level* 3) (*print-readably* nil))
                  (string-downcase (prin1-to-string form)))))))

;;; Functions and generators by name

(defun designated-function (function)
  "FUNCTION, or the one that it is the name of. Signals a TYPE-ERROR for what is no function's name, a macro's
for instance, and UNDEFINED-FUNCTION."
  (cond ((functionp function) function)
        ((and (symbolp function) (or (macro-function function) (special-operator-p function)))
         (error 'simple-type-error :datum function :expected-type 'function
                                   :format-control "~S names no function, but a macro or special operator."
                                   :format-arguments (list function)))
        (t (fdefinition function))))

(defun export-function (function python-name)
  "Make FUNCTION, a function or the name of one, the global PYTHON-NAME of Python, and return it.

PYTHON-NAME is a string, or a symbol that stands for its Python name; where it is dotted, the last
attribute is set. The function stays callable as long as Python has it."
  (setf (pyvalue python-name) (designated-function function)))

(defun pygenerator (function stop-value)
  "A Python iterator, a PYOBJECT-WRAPPER, over the values of FUNCTION, which is called without arguments
whenever Python asks for the next one. A value that is EQUAL to STOP-VALUE is the end, and not among them.

FUNCTION is a function or the name of one. Only its first value counts."
  (let ((function (designated-function function)))
    (flet ((next ()
             (let ((value (values (funcall function))))
               (if (equal value stop-value)
                   +py-empty-tuple+
                   (list value)))))
      (with-default-conversions
        (let ((*remote-objects* t))
          (call-python (bridge-name "generator") (list #'next)))))))
