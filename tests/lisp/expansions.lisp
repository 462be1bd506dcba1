;;;; What users' code becomes: every exported macro, and every function with a compiler macro, is compiled as
;;;; users would use it, and no compiler warns of what it expands to.

(in-package #:pyrite/test)

(def-suite expansions :in pyrite :description "What macros expand to.")
(in-suite expansions)

(defparameter *macro-uses*
  '((with-remote-objects (with-remote-objects (pycall "str" x)) (with-remote-objects))
    (with-remote-objects* (with-remote-objects* (pycall "str" x)) (with-remote-objects*))
    (with-pythonizers (with-pythonizers ((vector "tuple") (string #'identity)) (pycall "str" x)) (with-pythonizers ()))
    (with-lispifiers (with-lispifiers ((vector #'identity)) (pycall "str" x)) (with-lispifiers ()))
    (define-lispifier (define-lispifier "expansions.Type" (object) (pyslot-value object "x"))
     (define-lispifier "expansions.Other" (object) (declare (ignore object)) "Not a docstring." 5))
    (chain (chain "a" (upper) (aref 0)) (chain x y) (setf (chain x y (aref 1)) 5))
    (py-and (py-and x (py-not x) 5) (py-and))
    (py-or (py-or x 5) (py-or))
    (do-pyiterable (do-pyiterable (item x) (print item)) (do-pyiterable (item x 5))
     (do-pyiterable (item x item) (declare (type t item)) again (unless item (go again)) (return item)))
    (with-pycontext (with-pycontext (value x) (print value)) (with-pycontext (nil x) (print x))
     (with-pycontext (value x) (declare (ignorable value)) 5) (with-pycontext (value x)))
    (with-python-output (with-python-output (pycall "print" x)) (with-python-output))
    (with-python-error-output (with-python-error-output (pycall "print" x)) (with-python-error-output))
    (with-pyarray (with-pyarray (a x) (pyaref a 0)) (with-pyarray (a x) (declare (ignorable a)) 5)
     (with-pyarray (a x :element-type 'double-float) (+ 1d0 (pyaref a 0)))
     (with-pyarray (a x :element-type 'single-float :rank 2 :writable t)
       (setf (pyaref a 0 1) (+ 1.0 (pyaref a 1 1)))
       (incf (pyaref a 0 0)))
     (with-pyarray (a x :element-type '(unsigned-byte 8)) (row-major-pyaref a 0)))
    (with-python-gil (with-python-gil (pycall "str" x)) (with-python-gil))
    (with-float-traps-masked (with-float-traps-masked (pycall "str" x)) (with-float-traps-masked))
    (with-python-timeout (with-python-timeout (5) (pycall "str" x)) (with-python-timeout ((* 2 1/2))))
    (with-leak-check (with-leak-check (:tolerance 5) (pycall "str" x)) (with-leak-check ()))
    (with-pygc (with-pygc (pycall "str" x)) (with-pygc))
    (defpyfun (defpyfun "sqrt" "math" :lisp-fun-name "EXPANSIONS-SQRT")
     (defpyfun "sqrt" "math" :lisp-fun-name "EXPANSIONS-LIVE" :cache nil)
     (defpyfun "dumps" "json" :lisp-fun-name "EXPANSIONS-DUMPS" :safety nil :as "dump_it"))
    (defpymodule (defpymodule "colorsys" nil :lisp-package "PYRITE/TEST/COLORSYS" :silent t)
     (defpymodule "json" t :lisp-package "PYRITE/TEST/JSON" :silent t :cache nil :safety nil)))
  "Each exported macro with forms that users might write. X is a variable.")

(defparameter *users-calls*
  '((pycall "math.sin" x) (pycall 'len x) (pycall "lambda x: x" x :key 5) (pycall x) (pycall #'car x) (pycall nil x)
    (pymethod x "upper") (pymethod x 'upper 1 :a 2) (pymethod x x)
    (pyvalue "sys.path") (pyvalue 'sys) (pyvalue x) (setf (pyvalue "expansions_x") x)
    (pyslot-value x "real") (pyslot-value x 'real) (pyslot-value x x) (setf (pyslot-value x "real") 5)
    (pyref x 0) (pyref x '(slice 1 2) x) (setf (pyref x 0) 5) (incf (pyref x 0))
    (chain* x 'y `(aref ,x)) (setf (chain* x 'y) 5) (pyeval "1 + " x) (setf (pyeval "y") x) (pyexec "y = " x)
    (pyaref x 0) (setf (pyaref x 0 1) 5) (row-major-pyaref x 0) (setf (row-major-pyaref x 0) 1)
    (apply #'pycall "max" x) (funcall 'pymethod x "y") (mapcar #'pyvalue x)
    (handler-case (pycall "int" x) (py-value-error (condition) (pyerror-message condition)) (pyerror () nil)))
  "What users write besides.")

(defparameter *policies*
  (if (eq (uiop:implementation-type) :sbcl)
      '((speed 1) (speed 3) (safety 0) (debug 3) (safety 3) (space 3))
      ;; ECL's compiler takes its time.
      '((speed 3) (safety 3)))
  "Compiled with each of these.")

(defun warnings-of (form policy)
  "The warnings, as text, of compiling FORM, in which X is free, by POLICY; the name of a warning counts."
  (let ((warnings '()))
    (handler-bind ((warning (lambda (condition)
                              (push (format nil "~A: ~A" (type-of condition) condition) warnings)
                              (muffle-warning condition))))
      (let ((*error-output* (make-broadcast-stream)))
        (multiple-value-bind (function warnings-p failure-p)
            (compile nil `(lambda (x) (declare (ignorable x) (optimize ,policy)) ,form))
          (declare (ignore function))
          (when (or warnings-p failure-p) (push "It was warned of." warnings)))))
    warnings))

(defun uses ()
  (append *users-calls* (loop for (nil . forms) in *macro-uses* append forms)))

(test expansions.all-macros-are-used
  "There is a use of every macro."
  (flet ((macros (package)
           (remove-if-not #'macro-function (exports package))))
    (is (null (set-exclusive-or (macros '#:pyrite) (mapcar #'first *macro-uses*))))
    (is (subsetp (macros '#:py4cl2-cffi) (macros '#:pyrite)))))

(test expansions.no-warnings
  (is (warnings-of '(list no-such-variable x) '(speed 1)) "A warning would be seen.")
  (dolist (policy *policies*)
    (let ((warned (loop for form in (uses)
                        for warnings = (warnings-of form policy)
                        when warnings collect (list form warnings))))
      (is (null warned) "By ~S: ~S" policy warned))))

(defun single-threaded-form (form)
  "FORM with the symbols of the package py4cl2-cffi/single-threaded."
  (cond ((consp form)
         (cons (single-threaded-form (car form)) (single-threaded-form (cdr form))))
        ((and form (symbolp form))
         (multiple-value-bind (symbol status)
             (find-symbol (symbol-name form) '#:py4cl2-cffi/single-threaded)
           (if (eq status :external) symbol form)))
        (t form)))

(test expansions.no-warnings-single-threaded
  "Nor of those of py4cl2-cffi/single-threaded, but for those that ask Python when they are expanded."
  (let ((forms (loop for form in (uses)
                     unless (member (first form) '(defpyfun defpymodule))
                       collect (single-threaded-form form))))
    (is (null (loop for form in forms
                    for warnings = (warnings-of form '(speed 1))
                    when warnings collect (list form warnings))))))

(test expansions.in-a-file
  "A file with all of it compiles without a warning, also at its end, and loads."
  (with-temporary-folder (folder)
    (let* ((forms (loop for form in (uses)
                        for index from 0
                        collect (if (member (first form) '(defpyfun defpymodule define-lispifier))
                                    form
                                    `(defun ,(intern (format nil "EXPANSION-~D" index) '#:pyrite/test) (x)
                                       (declare (ignorable x))
                                       ,form))))
           (*package* (find-package '#:pyrite/test))
           (file (apply #'write-file (merge-pathnames "uses.lisp" folder)
                        (loop for form in (cons '(in-package #:pyrite/test) forms)
                              collect (with-standard-io-syntax
                                        (let ((*package* (find-package '#:pyrite/test)))
                                          (prin1-to-string form))))))
           (warnings '()))
      (handler-bind ((warning (lambda (condition)
                                (push (princ-to-string condition) warnings)
                                (muffle-warning condition))))
        (let ((*error-output* (make-broadcast-stream)) (*standard-output* (make-broadcast-stream)))
          (multiple-value-bind (fasl warnings-p failure-p) (compile-file file)
            (is (equal '(nil nil) (list warnings-p failure-p)))
            (load fasl))))
      (is (null warnings)))))

;;; What is left to be done when a call is made

(defun disassembly (form)
  "The text of the machine code of the function that FORM, a lambda expression, is; the empty text without SBCL's."
  (let ((function (compile nil form)))
    (with-output-to-string (*standard-output*)
      (disassemble function))))

(test expansions.calls-by-constant-names
  "A constant name is found and parsed before the call: its code only passes it on."
  (if (not (string= "SBCL" (lisp-implementation-type)))
      (skip "Only SBCL's disassembly names what is called.")
      (is-for-each (case '(((lambda (x) (pycall "math.sin" x)) "NAME \"math.sin\"" "CALL-BY-NAME")
                           ((lambda (x) (pycall 'math.sin x)) "NAME \"math.sin\"" "CALL-BY-NAME")
                           ((lambda (x) (pymethod x "upper")) "NAME \"upper\"" "INVOKE-METHOD-BY-NAME")
                           ((lambda (x) (pyslot-value x "real")) "NAME \"real\"" "SLOT-BY-NAME")
                           ((lambda () (pyvalue "sys.path")) "NAME \"sys.path\"" "VALUE-BY-NAME")))
        (destructuring-bind (form . mentioned) case
          (let ((text (disassembly form)))
            (and (every (lambda (word) (search word text)) mentioned)
                 (notany (lambda (word) (search word text))
                         '("GETHASH" "FIND-NAME" "INTERN" "PYTHONIZE-NAME" "SYMBOL-NAME" "PYCALL"))))))))

(test expansions.calls-look-nothing-up
  "Nor does what that code calls, down to the foreign function."
  (if (not (string= "SBCL" (lisp-implementation-type)))
      (skip "Only SBCL's disassembly names what is called.")
      (is-for-each (function '(pyrite::call-by-name pyrite::call-name pyrite::slot-by-name pyrite::value-by-name
                               pyrite::invoke-method-by-name))
        (let ((text (with-output-to-string (*standard-output*) (disassemble function))))
          (notany (lambda (word) (search word text))
                  '("GETHASH" "FIND-NAME" "INTERN" "PYTHONIZE-NAME" "ASSOC"))))))
