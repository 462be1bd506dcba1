;;;; Calls. Each writes its arguments, crosses once, and reads the result.

(in-package #:pyrite)

(defmacro with-encoded ((frame &rest bindings) &body body)
  "Bind each variable of BINDINGS, (VARIABLE FUNCTION VALUE), to a pointer to a cell that FUNCTION
wrote VALUE to."
  (let ((cells (loop for (variable) in bindings collect (gensym (string variable)))))
    `(let ,(loop for cell in cells collect `(,cell (allocate-cells ,frame 1)))
       ,@(loop for (nil function value) in bindings
               for cell in cells
               collect `(,function ,value ,cell ,frame))
       (let ,(loop for (variable) in bindings
                   for cell in cells
                   collect `(,variable (pointer ,cell)))
         ,@body))))

;;; Arguments

(defun fail-keywords (arguments)
  (fail 'malformed-keywords
        "The keyword arguments ~S are malformed: from the first keyword on, keywords and values must ~
         alternate." arguments))

(declaim (inline encode-arguments))
(defun encode-arguments (arguments frame)
  "Write ARGUMENTS, from the first keyword on a plist; address, positional count, keyword count."
  (declare (type list arguments) (type frame frame))
  (when *pythonizers*
    (setf arguments (keep (pythonized-arguments arguments) frame)))
  (let* ((count (length arguments)) (cells (allocate-cells frame count)) (place cells) (positional 0))
    (declare (type (unsigned-byte 31) count positional) (type address place))
    (loop while (and arguments (not (keywordp (first arguments))))
          do (encode (pop arguments) place frame)
             (incf place +value-size+)
             (incf positional))
    (when arguments
      (encode-keyword-arguments arguments place frame))
    (values cells positional (ash (- count positional) -1))))

(defun encode-keyword-arguments (arguments place frame)
  (declare (type address place))
  (loop for rest on arguments by #'cddr
        for keyword = (first rest)
        do (unless (and (keywordp keyword) (rest rest))
             (fail-keywords arguments))
           (encode-name (symbol-name-object keyword) place)
           (encode (second rest) (+ place +value-size+) frame)
           (incf place (* 2 +value-size+))))

;;; Calls

(declaim (inline encode-callable))
(defun encode-callable (callable cell frame)
  "Write what is to be called to CELL: a name, source, or a value."
  (typecase callable
    (name (encode-name callable cell))
    (null (encode callable cell frame))
    (symbol (encode-name (symbol-name-object callable) cell))
    (t (encode callable cell frame))))

(defun encode-immediate-keywords (arguments cell room)
  "Write ARGUMENTS, keywords and values, from CELL on and return their count; NIL when they take more
than ROOM cells, or memory, or are malformed."
  (declare (type list arguments) (type address cell) (type fixnum room) (optimize speed))
  (let ((count 0))
    (declare (type (integer 0 #.+immediates+) count))
    (loop
      (let ((keyword (pop arguments)))
        (unless (and (keywordp keyword) (consp arguments) (>= room 2))
          (return nil))
        (encode-name (symbol-name-object keyword) cell)
        (unless (encode-immediate (pop arguments) (+ cell +value-size+))
          (return nil))
        (incf count)
        (decf room 2)
        (incf cell (* 2 +value-size+))
        (when (null arguments) (return count))))))

(declaim (inline encode-immediates))
(defun encode-immediates (arguments cell)
  "Write ARGUMENTS from CELL on and return how many are positional and how many are keyword arguments;
NIL when there are too many, one needs memory, or they are malformed."
  (declare (type list arguments) (type address cell))
  (let ((count 0))
    (declare (type (integer 0 #.+immediates+) count))
    (when *pythonizers* (return-from encode-immediates nil))
    (loop (cond ((null arguments) (return (values count 0)))
                ((= count +immediates+) (return nil))
                ((encode-immediate (first arguments) cell)
                 (pop arguments)
                 (incf cell +value-size+)
                 (incf count))
                (t
                 (let ((keywords (encode-immediate-keywords arguments cell (- +immediates+ count))))
                   (return (and keywords (values count keywords)))))))))

(declaim (inline cross-to-call cross-to-method cross-to-slot cross-to-value))

(defun cross-to-call (callable arguments frame flags)
  "Write CALLABLE and ARGUMENTS to FRAME and call; the status."
  (with-encoded (frame (callable encode-callable callable))
    (multiple-value-bind (cells positional keywords) (encode-arguments arguments frame)
      (crossed (frame)
        (%%call callable (pointer cells) positional keywords flags (pointer (frame-result frame)))))))

(defun call-python (callable arguments)
  "Call CALLABLE, a NAME or anything PYCALL takes, with the list ARGUMENTS."
  (declare (type list arguments) (optimize speed))
  (with-crossing (frame)
    (cross-to-call callable arguments frame (result-flags))))

(defun call-name (name arguments)
  "Call NAME, a NAME, with the list ARGUMENTS."
  (declare (type name name) (type list arguments) (optimize speed))
  (let ((positional 0) (keywords 0))
    (declare (type (unsigned-byte 32) positional keywords))
    (multiple-value-bind (value done)
        (try-crossing (result cells)
            (multiple-value-bind (count keyword-count)
                (encode-immediates arguments (+ cells +value-size+))
              (when count
                (setf positional count
                      keywords keyword-count)
                (write-cell cells +name+ 0 (name-number name))
                t))
          (%%call (pointer cells) (pointer (+ cells +value-size+)) positional keywords
                 (result-flags) (pointer result)))
      (if done value (call-python name arguments)))))

(defun pycall (python-callable &rest args)
  "Call PYTHON-CALLABLE with ARGS and return its value, converted to Lisp.

PYTHON-CALLABLE is a string: a dotted name, looked up in __main__ and then in builtins at each call, or
else the source of an expression (\"lambda x: x*x\"); a symbol, which stands for its Python name; a
PYOBJECT-WRAPPER; or any value that Python can call. From the first keyword on, ARGS are keyword
arguments: :FOO-BAR is foo_bar.

Signals PYERROR for what Python raises, MALFORMED-KEYWORDS and CONVERSION-ERROR before anything is
called. Starts Python when it does not run."
  (declare (dynamic-extent args))
  (call-python python-callable args))

(define-compiler-macro pycall (&whole form python-callable &rest args)
  (let ((name (constant-name-form python-callable)))
    (if (eq name python-callable) form `(call-by-name ,name ,@args))))

(defun call-by-name (name &rest args)
  "Call NAME, a NAME, with ARGS."
  (declare (dynamic-extent args))
  (call-name name args))

(defun cross-to-method (object method arguments frame flags)
  "Write OBJECT, METHOD and ARGUMENTS to FRAME and call; the status."
  (with-encoded (frame (object encode object) (method encode-name-designator method))
    (multiple-value-bind (cells positional keywords) (encode-arguments arguments frame)
      (crossed (frame)
        (%%call-method object method (pointer cells) positional keywords flags
                      (pointer (frame-result frame)))))))

(defun invoke-method (object method arguments)
  "Call METHOD, a NAME or a name designator, of OBJECT with the list ARGUMENTS."
  (declare (type list arguments) (optimize speed))
  (with-crossing (frame)
    (cross-to-method object method arguments frame (result-flags))))

(defun pymethod (object method-name &rest args)
  "Call the method METHOD-NAME, a string or symbol, of OBJECT with ARGS and return its value.

OBJECT is any value: a PYOBJECT-WRAPPER, or one that is converted. ARGS and conditions as for PYCALL."
  (declare (dynamic-extent args))
  (invoke-method object method-name args))

(define-compiler-macro pymethod (&whole form object method-name &rest args)
  (let ((name (constant-name-form method-name)))
    (if (eq name method-name) form `(invoke-method-by-name ,object ,name ,@args))))

(defun invoke-method-by-name (object name &rest args)
  "Call the method NAME, a NAME, of OBJECT with ARGS."
  (declare (type name name) (dynamic-extent args) (optimize speed))
  (let ((positional 0) (keywords 0))
    (declare (type (unsigned-byte 32) positional keywords))
    (multiple-value-bind (value done)
        (try-crossing (result cells)
            (multiple-value-bind (count keyword-count)
                (encode-immediates args (+ cells (* 2 +value-size+)))
              (when (and count (encode-immediate object cells))
                (setf positional count
                      keywords keyword-count)
                (write-cell (+ cells +value-size+) +name+ 0 (name-number name))
                t))
          (%%call-method (pointer cells) (pointer (+ cells +value-size+))
                        (pointer (+ cells (* 2 +value-size+))) positional keywords
                        (result-flags) (pointer result)))
      (if done value (invoke-method object name args)))))

;;; Values

(defun cross-to-value (name frame flags)
  "Write NAME to FRAME and ask for its value; the status."
  (with-encoded (frame (name encode-name-designator name))
    (crossed (frame) (%%get name flags (pointer (frame-result frame))))))

(defun pyvalue (python-name-or-variable)
  "The value of the dotted name PYTHON-NAME-OR-VARIABLE, a string or symbol, converted to Lisp.

Its first part is looked up in __main__ and then in builtins, the rest by attribute; it is no
expression. A PYOBJECT-WRAPPER gives the value of its object. Signals PYERROR when it is undefined."
  (if (pyobject-wrapper-p python-name-or-variable)
      (convert python-name-or-variable)
      (with-crossing (frame)
        (cross-to-value python-name-or-variable frame (result-flags)))))

(define-compiler-macro pyvalue (&whole form name)
  (let ((constant (constant-name-form name)))
    (if (eq constant name) form `(value-by-name ,constant))))

(defun value-by-name (name)
  "The value of NAME, a NAME."
  (declare (type name name) (optimize speed))
  (multiple-value-bind (value done)
      (try-crossing (result cells)
          (progn (write-cell cells +name+ 0 (name-number name)) t)
        (%%get (pointer cells) (result-flags) (pointer result)))
    (if done value (pyvalue name))))

(defun (setf pyvalue) (new-value python-name)
  "Set the global PYTHON-NAME of __main__, or the last attribute of a dotted name, to NEW-VALUE."
  (with-command (frame)
    (with-encoded (frame (name encode-name-designator python-name) (value encode new-value))
      (crossed (frame) (%%set name value))))
  new-value)

(defun cross-to-slot (object name frame flags)
  "Write OBJECT and NAME to FRAME and ask for the attribute; the status."
  (with-encoded (frame (object encode object) (name encode-name-designator name))
    (crossed (frame) (%%getattr object name flags (pointer (frame-result frame))))))

(defun pyslot-value (object slot-name)
  "The attribute SLOT-NAME, a string or symbol, of OBJECT, converted to Lisp.

Signals PYERROR when there is none."
  (declare (optimize speed))
  (with-crossing (frame)
    (cross-to-slot object slot-name frame (result-flags))))

(define-compiler-macro pyslot-value (&whole form object slot-name)
  (let ((name (constant-name-form slot-name)))
    (if (eq name slot-name)
        form
        `(slot-by-name ,object ,name))))

(defun slot-by-name (object name)
  "The attribute NAME, a NAME, of OBJECT."
  (declare (type name name) (optimize speed))
  (multiple-value-bind (value done)
      (try-crossing (result cells)
          (when (encode-immediate object cells)
            (write-cell (+ cells +value-size+) +name+ 0 (name-number name))
            t)
        (%%getattr (pointer cells) (pointer (+ cells +value-size+)) (result-flags) (pointer result)))
    (if done value (pyslot-value object name))))

(defun (setf pyslot-value) (new-value object slot-name)
  "Set the attribute SLOT-NAME, a string or symbol, of OBJECT to NEW-VALUE."
  (with-command (frame)
    (with-encoded (frame (object encode object) (name encode-name-designator slot-name)
                         (value encode new-value))
      (crossed (frame) (%%setattr object name value))))
  new-value)

;;; Keeping results in Python

(defun convert (value)
  "VALUE as it comes back from Python: what an object is converted to."
  (let ((*remote-objects* nil)
        ;; Within the lispifier of its type, only what is in an object is lispified.
        (flags (if (and (eq value *lispified*) (/= *conversion-flags* +as-ucs4+))
                   (logior +as-ucs4+ +typed-items+)
                   *conversion-flags*)))
    (with-crossing (frame)
      (with-encoded (frame (value encode value))
        (crossed (frame) (%%convert value flags (pointer (frame-result frame))))))))

(defun python-object (value)
  "VALUE as an object of Python's, whatever it is."
  (with-crossing (frame #'take-default)
    (with-encoded (frame (value encode value))
      (crossed (frame)
        (%%convert value (logior +remote+ +as-ucs4+) (pointer (frame-result frame)))))))

(defmacro with-remote-objects (&body body)
  "Evaluate BODY with every result of a call a PYOBJECT-WRAPPER: values stay in Python.

This holds for the calling thread."
  `(let ((*remote-objects* t)) ,@body))

(defmacro with-remote-objects* (&body body)
  "As WITH-REMOTE-OBJECTS, but the value of the last form of BODY is converted to Lisp."
  `(convert-wrapper (with-remote-objects ,@body)))

(defun convert-wrapper (value)
  "The value of the object that VALUE wraps; any other VALUE as it is."
  (if (pyobject-wrapper-p value)
      (convert value)
      value))

(defun pyobject-wrapper-eq (o1 o2)
  "True when O1 and O2 wrap the same Python object, or are the same Lisp object."
  (if (and (pyobject-wrapper-p o1) (pyobject-wrapper-p o2))
      (pyobject-wrapper-eq* o1 o2)
      (eq o1 o2)))

(defun pyobject-wrapper-eq* (o1 o2)
  "As PYOBJECT-WRAPPER-EQ, for two PYOBJECT-WRAPPERs."
  (or (= (pyobject-wrapper-handle o1) (pyobject-wrapper-handle o2))
      (cffi:with-foreign-object (same :int32)
        (with-command (frame)
          (with-encoded (frame (left encode o1) (right encode o2))
            (crossed (frame) (%%is left right same))))
        (= 1 (cffi:mem-ref same :int32)))))
