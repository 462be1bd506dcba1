;;;; Signatures of Python functions: lambda lists for them, and calls by them.
;;;;
;;;; A function that stands for a Python one takes what PYCALL takes: positional arguments up to the first
;;;; keyword, then a plist, so that (sum x :axis 0) and (sum :a x :axis 0) are the same call. What was not
;;;; supplied is not sent: Python knows its defaults best. The signature says what the editor shows, which
;;;; keyword stands for which parameter where that cannot be told from the keyword alone, and where a
;;;; keyword is a value.

(in-package #:pyrite)

(defstruct (signature (:constructor make-signature (required keywords-p keywords lambda-list))
                      (:copier nil))
  "REQUIRED is how many arguments are positional whatever they are. Unless KEYWORDS-P, all are. KEYWORDS
is an alist from keywords to the Python names they stand for, strings, where these are not those of
PYTHONIZE-NAME. In LAMBDA-LIST the variables are strings."
  (required 0 :type (unsigned-byte 16) :read-only t)
  (keywords-p t :read-only t)
  (keywords '() :type list :read-only t)
  (lambda-list '(&rest "ARGS") :type list :read-only t))

;;; Parameters, as introspect.py gives them: (NAME KIND DEFAULT-STATE DEFAULT).

(defconstant +positional-only+ 0)
(defconstant +positional-or-keyword+ 1)
(defconstant +var-positional+ 2)
(defconstant +keyword-only+ 3)
(defconstant +var-keyword+ 4)

(defun compact (string)
  "STRING in as little memory as it can be, which counts in a compiled file."
  (if (every (lambda (character) (typep character 'base-char)) string)
      (coerce string 'simple-base-string)
      (coerce string '(simple-array character (*)))))

(defun unique-name (name taken-p)
  "NAME, or the first of NAME/1, NAME/2, ... for which TAKEN-P, a function, is false."
  (loop for candidate = name then (format nil "~A/~D" name count)
        for count from 1
        unless (funcall taken-p candidate)
          return candidate))

(defun variable-names (parameters)
  "The names of the variables for PARAMETERS, each once."
  (loop with names = '()
        for (python-name) in parameters
        for name = (lispify-name python-name)
        do (when (member name '("T" "NIL") :test #'string=)
             (setf name (concatenate 'string "." name)))
           (push (compact (unique-name name (lambda (name) (member name names :test #'string=)))) names)
        finally (return (nreverse names))))

(defun regular-keyword-p (variable python-name)
  "True when the keyword of VARIABLE, a string, stands for PYTHON-NAME by itself."
  (string= python-name (substitute #\_ #\- (string-downcase variable))))

(defun irregular-keywords (parameters variables)
  "The alist of the keywords among VARIABLES that do not stand for the names of their PARAMETERS."
  (loop for (python-name kind) in parameters
        for variable in variables
        when (and (member kind '(#.+positional-or-keyword+ #.+keyword-only+))
                  (not (regular-keyword-p variable python-name)))
          collect (cons (intern (coerce variable '(simple-array character (*))) '#:keyword)
                        (compact python-name))))

(defun default-form (value)
  "A form for VALUE, the default of a parameter."
  (cond ((eq value +py-none+) '+py-none+)
        ((eq value +py-empty-tuple+) '+py-empty-tuple+)
        ((stringp value) (compact value))
        ((consp value) `',value)
        (t value)))

(defun parameter-form (variable parameter)
  "VARIABLE as an optional parameter in a lambda list, with the default of PARAMETER if there is one."
  (destructuring-bind (state default) (cddr parameter)
    (if (eql state 1)
        (list variable (default-form default))
        variable)))

(defun make-lambda-list (parameters variables)
  "The lambda list, its variables strings, for PARAMETERS."
  (let ((rest-p (find +var-positional+ parameters :key #'second))
        (required '()) (optional '()) (rest '()) (key '()) (allow '()))
    (loop for parameter in parameters
          for (nil kind state) = parameter
          for variable in variables
          for form = (parameter-form variable parameter)
          do (cond ((eql kind +var-positional+) (setf rest `(&rest ,variable)))
                   ((eql kind +var-keyword+)
                    (setf allow '(&allow-other-keys))
                    (unless rest-p (setf rest `(&rest ,variable))))
                   ;; What comes before *args can be followed by further arguments only by position.
                   ((not (or (eql kind +positional-only+)
                             (and rest-p (eql kind +positional-or-keyword+))))
                    (push form key))
                   ((and (eql state 0) (null optional)) (push variable required))
                   (t (push form optional))))
    `(,@(reverse required) ,@(when optional `(&optional ,@(reverse optional)))
      ,@rest ,@(when (or key allow) `(&key ,@(reverse key))) ,@allow)))

(defun parameters-signature (parameters)
  "The signature for PARAMETERS, a vector; or NIL for a function of which nothing is known."
  (if (null parameters)
      (make-signature 0 t '() '(&rest "ARGS"))
      (let* ((parameters (coerce parameters 'list)) (variables (variable-names parameters)))
        (make-signature (loop for (nil kind state) in parameters
                              count (and (eql kind +positional-only+) (eql state 0)))
                        (and (find-if (lambda (kind)
                                        (member kind '(#.+positional-or-keyword+ #.+keyword-only+
                                                       #.+var-keyword+)))
                                      parameters :key #'second)
                             t)
                        (irregular-keywords parameters variables)
                        (make-lambda-list parameters variables)))))

(defun intern-lambda-list (lambda-list package)
  "LAMBDA-LIST with symbols of PACKAGE for its strings where they are variables."
  (flet ((variable (name) (intern (coerce name '(simple-array character (*))) package)))
    (loop for element in lambda-list
          collect (etypecase element
                    (string (variable element))
                    (cons (cons (variable (first element)) (rest element)))
                    (symbol element)))))

(defun signature-form (signature)
  "A form that makes SIGNATURE, for those parts of it that matter to a call."
  `(make-signature ,(signature-required signature) ,(signature-keywords-p signature)
                   ',(signature-keywords signature) '()))

;;; Calls

(defun plain-p (signature)
  "True when a call by SIGNATURE is the same as one of PYCALL, whatever the arguments."
  (and (zerop (signature-required signature))
       (signature-keywords-p signature)
       (null (signature-keywords signature))))

(declaim (inline plain-arguments-p))
(defun plain-arguments-p (signature arguments)
  "True when a call with ARGUMENTS by SIGNATURE is the same as one of PYCALL."
  (declare (type signature signature) (type list arguments) (optimize speed))
  (loop with keywords = (signature-keywords signature)
        for index of-type fixnum from 0
        for argument in arguments
        never (and (keywordp argument)
                   (or (< index (signature-required signature))
                       (not (signature-keywords-p signature))
                       (assoc argument keywords :test #'eq)))))

(defun call-by-signature (name signature arguments)
  "Call NAME, a NAME, with the list ARGUMENTS by SIGNATURE."
  (declare (type signature signature) (type list arguments) (optimize speed))
  (if (plain-arguments-p signature arguments)
      (call-name name arguments)
      (multiple-value-bind (positional keywords) (split-arguments signature arguments)
        (call-split name positional keywords))))

(defun split-arguments (signature arguments)
  "The positional arguments among ARGUMENTS, and an alist from Python names, strings or symbols, to the
values of the keyword ones."
  (let ((start (if (signature-keywords-p signature)
                   (position-if #'keywordp arguments
                                :start (min (signature-required signature) (length arguments)))
                   nil)))
    (values (subseq arguments 0 start)
            (when start
              (keyword-alist signature (nthcdr start arguments))))))

(defun keyword-alist (signature plist)
  (loop for (keyword . rest) on plist by #'cddr
        unless (and (keywordp keyword) rest)
          do (fail-keywords plist)
        collect (cons (or (cdr (assoc keyword (signature-keywords signature))) keyword)
                      (first rest))))

(defun pythonized-split (positional keywords frame)
  "The list POSITIONAL and the alist KEYWORDS with pythonizers, if there are any, applied to the values."
  (if *pythonizers*
      (values (keep (mapcar #'pythonized-value positional) frame)
              (keep (loop for (keyword . value) in keywords
                          collect (cons keyword (pythonized-value value)))
                    frame))
      (values positional keywords)))

(defun encode-split (positional keywords frame)
  "Write the list POSITIONAL and the alist KEYWORDS; the address and how many there are of each."
  (multiple-value-bind (positional keywords) (pythonized-split positional keywords frame)
    (let* ((count (length positional))
           (cells (allocate-cells frame (+ count (* 2 (length keywords)))))
           (place (+ cells (* count +value-size+))))
      (loop for argument in positional
            for cell from cells by +value-size+
            do (encode argument cell frame))
      (loop for (keyword . value) in keywords
            for cell from place by (* 2 +value-size+)
            do (encode-name-designator keyword cell frame)
               (encode value (+ cell +value-size+) frame))
      (values cells count (length keywords)))))

(defun call-split (name positional keywords)
  "Call NAME, a NAME, with the list POSITIONAL and the alist KEYWORDS."
  (with-crossing (frame)
    (with-encoded (frame (callable encode-name-designator name))
      (multiple-value-bind (cells count keyword-count) (encode-split positional keywords frame)
        (crossed (frame)
          (%%call callable (pointer cells) count keyword-count (result-flags)
                 (pointer (frame-result frame))))))))

(defun make-caller (name signature)
  "A function that calls NAME, a NAME, by SIGNATURE."
  (if (plain-p signature)
      (lambda (&rest arguments)
        (declare (dynamic-extent arguments))
        (call-name name arguments))
      (lambda (&rest arguments)
        (declare (dynamic-extent arguments))
        (call-by-signature name signature arguments))))
