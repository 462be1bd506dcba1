;;;; Printing. It never fails: a broken __str__, a stale object and a stopped Python print as such.

(in-package #:pyrite)

(defvar *print-pyobject* t
  "Whether Python's str of an object is printed with it.")

(defvar *print-pyobject-wrapper-identity* t
  "Whether the type and identity of a PYOBJECT-WRAPPER are printed.")

(defun text-of (function value)
  "The text that FUNCTION, %STR or %REPR, gives for VALUE."
  (with-default-conversions
    (with-crossing (frame)
      (with-encoded (frame (value encode value))
        (crossed (frame)
          (funcall function value +as-ucs4+ (pointer (frame-result frame))))))))

(defun py-repr (object)
  "Python's repr() of OBJECT, any value, as a string."
  (text-of (lambda (value flags out) (%repr value flags out)) object))

(defun py-str (object)
  "Python's str() of OBJECT, any value, as a string."
  (text-of (lambda (value flags out) (%str value flags out)) object))

(defun printed-text (wrapper)
  "Python's str of WRAPPER's object and of its type, or a remark and NIL when there is none to be had."
  (if (python-alive-p)
      (handler-case
          (with-default-conversions
            (values (py-str wrapper)
                    (py-str (call-by-name (bridge-name "type_of") wrapper))))
        (stale-object () "<the object is gone>")
        (error (condition) (format nil "<its str failed: ~A>" (type-of condition))))
      "<Python does not run>"))

(defmethod print-object ((wrapper pyobject-wrapper) stream)
  (multiple-value-bind (text type) (when *print-pyobject* (printed-text wrapper))
    (if *print-pyobject-wrapper-identity*
        (print-unreadable-object (wrapper stream :identity t)
          (format stream "~A~@[ :type ~A~]~@[~%  ~A~%~]" 'pyobject-wrapper type text))
        (write-string (or text "<Python object>") stream))))
