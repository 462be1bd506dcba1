;;;; Random values: there and back, and compared in Python with the same value computed from source.

(in-package #:pyrite/test)

(def-suite random :in pyrite :description "Random values.")
(in-suite random)

;;; Random numbers that are the same in every Lisp

(defvar *seed* (let ((seed (uiop:getenv "PYRITE_TEST_SEED")))
                 (if (and seed (string/= seed "")) (parse-integer seed) (get-universal-time)))
  "What random values are made from. Shown on failure; PYRITE_TEST_SEED sets it.")

(defvar *random-bits* 0
  "The state of the generator.")

(defun random-word ()
  "A random integer of 32 bits."
  (setf *random-bits* (ldb (byte 64 0) (+ (* *random-bits* 6364136223846793005) 1442695040888963407)))
  (ash *random-bits* -32))

(defun random-below (limit)
  "A random integer from 0 below LIMIT, which may be of any size."
  (let ((integer 0))
    (loop repeat (1+ (ceiling (integer-length limit) 32))
          do (setf integer (logior (ash integer 32) (random-word))))
    (mod integer limit)))

(defun one-of (&rest functions)
  "The value of one of FUNCTIONS."
  (funcall (nth (random-below (length functions)) functions)))

;;; Random values that come back as they were sent

(defun random-integer ()
  (let ((integer (random-below (ash 1 (random-below 140)))))
    (if (zerop (random-below 2)) integer (- integer))))

(defun random-double ()
  "Any double float but the infinities and NaN."
  (let ((exponent (random-below 2047)))
    (bits-double (logior (ash (random-below 2) 63) (ash exponent 52) (random-below (ash 1 52))))))

(defun random-character ()
  (let ((code (one-of (lambda () (random-below 128)) (lambda () (random-below 256))
                      (lambda () (random-below #xD800)) (lambda () (+ #x10000 (random-below #x100000))))))
    (code-char code)))

(defun random-text ()
  (let ((string (make-string (random-below (if (zerop (random-below 10)) 100 8)))))
    (map-into string #'random-character)))

(defun random-constant ()
  (one-of (lambda () t) (lambda () nil) (lambda () +py-none+) (lambda () +py-empty-tuple+)))

(defun random-scalar ()
  (one-of #'random-integer #'random-double #'random-text #'random-constant))

(defun random-list (depth)
  "A list that is not empty: an empty one is False."
  (loop repeat (1+ (random-below 5)) collect (random-value depth)))

(defun random-key (depth)
  "A value that can be a key in Python, and is not equal to another in Python alone, as 1 is to True."
  (if (and (plusp depth) (zerop (random-below 4)))
      (list (random-key (1- depth)) (random-text))
      (one-of #'random-text (lambda () (+ 2 (abs (random-integer)))))))

(defun random-table (depth)
  (let ((table (make-hash-table :test 'equal)))
    (loop repeat (random-below 6)
          do (setf (gethash (random-key 2) table) (random-value depth)))
    table))

(defun random-value (depth)
  "A random value, nested to DEPTH at most."
  (if (or (zerop depth) (zerop (random-below 3)))
      (random-scalar)
      (one-of (lambda () (random-list (1- depth)))
              (lambda () (coerce (random-list (1- depth)) 'simple-vector))
              (lambda () (vector))
              (lambda () (random-table (1- depth))))))

;;; The same as Python source, made without Pyrite

(defun double-source (double)
  (multiple-value-bind (mantissa exponent sign) (integer-decode-float double)
    (format nil "float.fromhex('~:[~;-~]0x~XP~D')" (minusp sign) mantissa exponent)))

(defun text-source (text)
  (format nil "'~{\\U~8,'0X~}'" (map 'list #'char-code text)))

(defun source (value)
  "The source of a Python expression whose value VALUE should become."
  (etypecase value
    (integer (format nil "~D" value))
    (double-float (double-source value))
    (string (text-source value))
    (null "False")
    ((eql t) "True")
    (cons (format nil "(~{~A, ~})" (mapcar #'source value)))
    (simple-vector (format nil "[~{~A~^, ~}]" (map 'list #'source value)))
    (hash-table (format nil "{~{~A: ~A~^, ~}}"
                        (loop for key being the hash-keys of value using (hash-value item)
                              collect (source key) collect (source item))))
    (t (cond ((eq value +py-none+) "None")
             ((eq value +py-empty-tuple+) "()")))))

;;; The tests

(defmacro repeatedly ((count variable form) &body body)
  "One check: BODY is true for each of COUNT random values of FORM. A failure tells the seed."
  `(let ((failure (first-failure ,count (lambda () ,form) (lambda (,variable) ,@body))))
     (is-true (null failure) "~A" failure)))

(defun first-failure (count make check)
  "What to say of the first of COUNT values that MAKE makes for which CHECK is false, or NIL."
  (setf *random-bits* *seed*)
  (dotimes (i count nil)
    (let* ((value (funcall make))
           (result (handler-case (if (funcall check value) :passed "the check is false")
                     (error (condition) (princ-to-string condition)))))
      (unless (eq result :passed)
        (return (format nil "Value ~D from PYRITE_TEST_SEED=~D: ~A~%~S~%in Python ~A" i *seed* result value
                        (ignore-errors (source value))))))))

(test random.round-trip
  "A value comes back equal, of the same types."
  (repeatedly ((scaled 5000) value (random-value 4))
    (same value (pycall "lambda value: value" value))))

(test random.to-python
  "Python sees the value that it computes from source: equal, of the same types, of the same repr."
  (repeatedly ((scaled 2000) value (random-value 4))
    (pycall "lambda value, text: (value == eval(text) and type(value) is type(eval(text))
               and repr(value) == repr(eval(text)))"
            value (source value))))

(test random.from-python
  (repeatedly ((scaled 2000) value (random-value 4))
    (same value (pyeval (source value)))))

(test random.by-reference
  "A value spliced into source is what its own source would be."
  (repeatedly ((scaled 500) value (vector (random-value 3)))
    (pyeval value " == " (source value))))

(test random.set-and-get
  (repeatedly ((scaled 1000) value (random-value 3))
    (setf (pyvalue "random_value") value)
    (same value (pyvalue "random_value"))))

(test random.kept-in-python
  (repeatedly ((scaled 1000) value (random-value 3))
    (let ((wrapper (with-remote-objects (pycall "lambda value: value" value))))
      (and (pyobject-wrapper-p wrapper)
           (same value (pyvalue wrapper))
           (same value (pycall "lambda value: value" wrapper))))))

(test random.arguments
  "Any number of positional and keyword arguments, in order."
  (repeatedly ((scaled 1000) values (loop repeat (random-below 30) collect (random-value 2)))
    (let ((keywords (loop for value in values
                          for i from 0
                          collect (intern (format nil "K~D" i) '#:keyword) collect value)))
      (and (same (or values +py-empty-tuple+) (apply #'pycall "lambda *values: values" values))
           (same (coerce (append values values) 'simple-vector)
                 (apply #'pycall "lambda *values, **keywords: [*values, *keywords.values()]"
                        (append values keywords)))))))

(test random.integers
  (import-module "operator")
  (repeatedly ((scaled 5000) value (list (random-integer) (random-integer)))
    (destructuring-bind (left right) value
      (and (eql (+ left right) (pycall "operator.add" left right))
           (eql (* left right) (pycall "operator.mul" left right))))))

(test random.doubles
  (repeatedly ((scaled 5000) value (random-double))
    (eql value (pycall "float.fromhex" (pymethod value "hex")))))
