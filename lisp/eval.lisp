;;;; Source.

(in-package #:pyrite)

(defun encode-parts (parts frame)
  "Write PARTS to cells; their address and count."
  (let* ((count (length parts)) (cells (allocate-cells frame count)))
    (loop for part in parts
          for cell from cells by +value-size+
          do (encode part cell frame))
    (values cells count)))

(defun source-parts (arguments)
  "ARGUMENTS with those that would be taken for source, though they are values, made objects."
  (loop for argument in arguments
        collect (typecase argument
                  ((or string null (eql t)) argument)
                  ((or symbol character (satisfies pythonized-p)) (python-object argument))
                  (t argument))))

(defun check-source (parts)
  "Signal a TYPE-ERROR unless PARTS are strings."
  (dolist (part parts)
    (unless (stringp part)
      (error 'simple-type-error :datum part :expected-type 'string
                                :format-control "~S is no string of Python source: PYEVAL and PYEXEC take other values."
                                :format-arguments (list part)))))

(defun pyeval (&rest args)
  "Evaluate a Python expression in __main__ and return its value, converted to Lisp.

The strings among ARGS are source, in order; any other value takes part in the expression itself, as
the object it is converted to: (pyeval \"sum(\" #(1 2 3) \")\")."
  (with-crossing (frame)
    (multiple-value-bind (cells count) (encode-parts (source-parts args) frame)
      (crossed (frame)
        (%%eval (pointer cells) count (result-flags) (pointer (frame-result frame)))))))

(defun pyexec (&rest args)
  "Execute Python statements in __main__. ARGS as for PYEVAL. Returns no values."
  (with-command (frame)
    (multiple-value-bind (cells count) (encode-parts (source-parts args) frame)
      (crossed (frame) (%%exec (pointer cells) count))))
  (values))

(defun raw-pyeval (&rest code-strings)
  "Evaluate the Python expression that CODE-STRINGS make when put together, and return its value.

PYCALL, PYVALUE and PYEVAL are faster and pass values as they are."
  (check-source code-strings)
  (apply #'pyeval code-strings))

(defun raw-pyexec (&rest code-strings)
  "Execute the Python statements that CODE-STRINGS make when put together. Returns no values."
  (check-source code-strings)
  (apply #'pyexec code-strings))

(defun (setf pyeval) (new-value &rest args)
  "Assign NEW-VALUE to the Python expression of ARGS, which must be one that can be assigned to."
  (apply #'pyexec (append args (list " = " (python-object new-value))))
  new-value)
