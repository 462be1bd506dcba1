;;;; Names: Lisp's for Python's, and names prepared once for many calls.

(in-package #:pyrite)

(deftype name-designator ()
  "What names something in Python: a string as it stands, or a symbol by PYTHONIZE-NAME."
  '(or string symbol))

(defun pythonize-name (symbol)
  "The Python name, a string, that SYMBOL stands for.

A symbol without lower-case letters is down-cased, - becomes _, *foo* becomes FOO; a string is taken
as it is. When the reader preserves or inverts case, the name is the one that was written."
  (if (stringp symbol)
      symbol
      (let* ((name (written-name symbol)) (length (length name)))
        (if (and (> length 2) (char= (char name 0) #\*) (char= (char name (1- length)) #\*))
            (substitute #\_ #\- (string-upcase (subseq name 1 (1- length))))
            (substitute #\_ #\- name)))))

(defun check-name (designator)
  "Signal a TYPE-ERROR unless DESIGNATOR is a NAME-DESIGNATOR."
  (unless (typep designator 'name-designator)
    (error 'simple-type-error :datum designator :expected-type 'name-designator
                              :format-control "~S names nothing in Python: a string or a symbol does."
                              :format-arguments (list designator))))

(defun lispify-name (name)
  "The Lisp name, a string, for NAME, a string that names something in Python.

Words are set apart: camelCase is CAMEL-CASE, float64 is FLOAT-64, log2_x is LOG-2-X, but HTTPServer is
HTTPSERVER. _private is -PRIVATE; dots are kept."
  (with-output-to-string (lisp-name)
    (loop for previous = nil then character
          for character across name
          do (when (and previous (lower-case-p previous)
                        (or (upper-case-p character) (digit-char-p character)))
               (write-char #\- lisp-name))
             (write-char (if (char= character #\_) #\- (char-upcase character)) lisp-name))))

(defun written-name (symbol)
  "The name of SYMBOL, in the letters that a Python programmer would write."
  (check-name symbol)
  (let ((name (symbol-name symbol)))
    (flet ((mixed () (and (some #'upper-case-p name) (some #'lower-case-p name))))
      (ecase (readtable-case *readtable*)
        ((:upcase :downcase) (if (some #'lower-case-p name) name (string-downcase name)))
        (:preserve name)
        (:invert (cond ((mixed) name)
                       ((some #'upper-case-p name) (string-downcase name))
                       (t (string-upcase name))))))))

(defstruct (name (:constructor make-name (text)) (:copier nil))
  "A Python name that calls are made with. NUMBER is what libpyrite knows it by, 0 before it is asked."
  (text "" :type simple-string :read-only t)
  (number 0 :type (unsigned-byte 62)))

(defmethod print-object ((name name) stream)
  (print-unreadable-object (name stream)
    (format stream "NAME ~S" (name-text name))))

(defmethod make-load-form ((name name) &optional environment)
  (declare (ignore environment))
  `(find-name ,(name-text name)))

(defvar *names* (make-hash-table :test 'equal)
  "Weak pointers to the names, by text: only call sites and symbols hold them. No weak table, since ECL's
gives values of other keys. No interrupt comes meanwhile: an exit would leave ECL's collector locked.")

(defvar *names-limit* 1000
  "The size of *NAMES* from which on those that are gone are taken out of it.")

(defvar *names-lock* (pyrite/port:make-lock "Pyrite names"))

(defun known-name (text)
  "The NAME of TEXT, or NIL when there is none or it is gone."
  (let ((pointer (gethash text *names*)))
    (and pointer (trivial-garbage:weak-pointer-value pointer))))

(defun forget-lost-names ()
  "Take the names that are gone out of *NAMES*."
  (loop for text in (alexandria:hash-table-keys *names*)
        unless (known-name text) do (remhash text *names*))
  (setf *names-limit* (max 1000 (* 2 (hash-table-count *names*)))))

(defun find-name (text)
  "The NAME of TEXT, the same for every call site."
  (pyrite/port:with-lock (*names-lock*)
    (or (known-name text)
        (let ((name (make-name (coerce text 'simple-string))))
          (when (>= (hash-table-count *names*) *names-limit*) (forget-lost-names))
          (setf (gethash text *names*) (trivial-garbage:make-weak-pointer name))
          name))))

(defun symbol-name-object (symbol)
  "The NAME that SYMBOL, which may be a keyword, stands for."
  ;; With the standard reader the name never changes: it is kept with the symbol.
  (if (eq (readtable-case *readtable*) :upcase)
      (or (get symbol 'name)
          (setf (get symbol 'name) (find-name (pythonize-name symbol))))
      (find-name (pythonize-name symbol))))

(defmacro bridge-name (function)
  "The NAME, found once, of FUNCTION of bridge.py, a literal string."
  `(load-time-value (find-name ,(concatenate 'string "_pyrite." function)) t))

(defun constant-name-form (form)
  "A form that gives the name that FORM, a constant name designator, stands for at no cost; else FORM."
  (cond ((stringp form) `(load-time-value (find-name ,(coerce form 'simple-string)) t))
        ((and (consp form) (eq (first form) 'quote) (symbolp (second form)) (second form))
         `(load-time-value (find-name ,(pythonize-name (second form))) t))
        (t form)))
