;;;; Python's operators as functions. Each is one call of a function of Python's own, which does not
;;;; depend on what is imported.

(in-package #:pyrite)

(declaim (ftype (function (t list list) t) call-split))

(defun call-with-values (name &rest values)
  "Call NAME, a NAME, with VALUES, among which a keyword is a value like any other."
  (declare (dynamic-extent values))
  (if (some #'keywordp values)
      (call-split name values '())
      (call-name name values)))

(defmacro define-operators (&body definitions)
  "Define functions: each of DEFINITIONS is (NAME LAMBDA-LIST FUNCTION DOCUMENTATION), where FUNCTION is
what bridge.py calls it."
  `(progn
     ,@(loop for (name lambda-list function documentation) in definitions
             collect `(defun ,name ,lambda-list
                        ,documentation
                        (call-with-values (bridge-name ,function) ,@lambda-list)))))

(define-operators
  (py+ (a b) "add" "Python's A + B.")
  (py* (a b) "mul" "Python's A * B.")
  (py/ (a b) "truediv" "Python's A / B, true division.")
  (py// (a b) "floordiv" "Python's A // B, floor division.")
  (py% (a b) "mod" "Python's A % B.")
  (py** (a b) "pow" "Python's A ** B.")
  (py@ (a b) "matmul" "Python's A @ B, the product of matrices.")
  (py= (a b) "eq" "Python's A == B: T or NIL, or what the objects' own comparison gives.")
  (py/= (a b) "ne" "Python's A != B: T or NIL, or what the objects' own comparison gives.")
  (py< (a b) "lt" "Python's A < B: T or NIL, or what the objects' own comparison gives.")
  (py<= (a b) "le" "Python's A <= B: T or NIL, or what the objects' own comparison gives.")
  (py> (a b) "gt" "Python's A > B: T or NIL, or what the objects' own comparison gives.")
  (py>= (a b) "ge" "Python's A >= B: T or NIL, or what the objects' own comparison gives.")
  (py-logand (a b) "and_" "Python's A & B: bits, sets, truth values of arrays.")
  (py-logior (a b) "or_" "Python's A | B: bits, sets, truth values of arrays.")
  (py-logxor (a b) "xor" "Python's A ^ B: bits, sets, truth values of arrays.")
  (py-lognot (a) "inv" "Python's ~A.")
  (py<< (a b) "lshift" "Python's A << B.")
  (py>> (a b) "rshift" "Python's A >> B.")
  (py-not (a) "not_" "Python's `not A`: true when A is false in Python, which an empty list is, too.")
  (py-bool (a) "truth" "Python's bool(A): NIL for False, None, 0 and what is empty; else T.")
  (py-len (a) "length" "Python's len(A)."))

(defun py- (a &optional (b nil subtract))
  "Python's A - B, or -A."
  (if subtract
      (call-with-values (bridge-name "sub") a b)
      (call-with-values (bridge-name "neg") a)))

(defun py-in (item container)
  "Python's `ITEM in CONTAINER`."
  (call-with-values (bridge-name "contains") container item))

(defmacro py-and (&rest forms)
  "As AND, but what counts is Python's truth: the value of the first of FORMS that is false in Python, else
that of the last. Without FORMS, T."
  (if (rest forms)
      (let ((value (gensym "VALUE")))
        `(let ((,value ,(first forms)))
           (if (true-in-python-p ,value) (py-and ,@(rest forms)) ,value)))
      (if forms (first forms) t)))

(defmacro py-or (&rest forms)
  "As OR, but what counts is Python's truth: the value of the first of FORMS that is true in Python, else
that of the last. Without FORMS, NIL."
  (if (rest forms)
      (let ((value (gensym "VALUE")))
        `(let ((,value ,(first forms)))
           (if (true-in-python-p ,value) ,value (py-or ,@(rest forms)))))
      (first forms)))

(defun true-in-python-p (value)
  "Whether VALUE is true in Python, T or NIL also within WITH-REMOTE-OBJECTS."
  (with-default-conversions
    (py-bool value)))
