;;;; DEFPYMODULE: a Lisp package for a Python module.
;;;;
;;;; A module has hundreds of functions, so nothing is compiled for each: the macro expands to data, from
;;;; which DEFINE-PACKAGES makes closures.

(in-package #:pyrite)

(defvar *defpymodule-silent-p* nil
  "When true, DEFPYMODULE prints no progress by default.")

(defvar *module-packages* (make-hash-table :test 'equal)
  "The Python module that each package stands for, by the names of both.")

;;; What is asked of Python

(defun submodules-argument (submodules)
  "SUBMODULES of DEFPYMODULE, as introspect.py takes them."
  (cond ((null submodules) nil)
        ((eq submodules t) t)
        ((eq submodules :hidden) "hidden")
        ((and (consp submodules) (member (first submodules) '(t :hidden)) (null (rest submodules)))
         (submodules-argument (first submodules)))
        ((alexandria:proper-list-p submodules)
         (coerce (loop for element in submodules append (submodule-arguments element)) 'simple-vector))
        (t (fail-submodules submodules))))

(defun submodule-arguments (element)
  "A list of lists, of the name of a submodule and what of it is wanted, for ELEMENT of a list of
submodules: a name, a name and what of it is wanted, or a list of such."
  (cond ((and element (typep element 'name-designator)) (list (list (pythonize-name element) nil)))
        ((atom element) (fail-submodules element))
        ((typep (first element) 'name-designator)
         (list (list (pythonize-name (first element)) (submodules-argument (rest element)))))
        (t (loop for inner in element append (submodule-arguments inner)))))

(defun fail-submodules (submodules)
  (fail 'pyrite-error "~S does not say which submodules are wanted: NIL, T, :HIDDEN, or a list of names ~
                       and of lists of a name and submodules of it." submodules))

;;; Descriptions: what the macro expands to.

(defun function-records (callables)
  "A vector with the signature and the documentation of each of CALLABLES, as data."
  (map 'vector (lambda (callable)
                 (destructuring-bind (parameters documentation) callable
                   (let ((signature (parameters-signature parameters)))
                     (list (signature-required signature) (signature-keywords-p signature)
                           (signature-keywords signature) (signature-lambda-list signature)
                           (and documentation (compact documentation))))))
       callables))

(defun member-names (members)
  "The Lisp names of MEMBERS, (PYTHON-NAME KIND INDEX), one of each for functions and for values.

Functions come before classes: a class whose name is a function's, too, is NAME/CLASS. Other clashes are
NAME/1, and so on."
  (let ((functions (make-hash-table :test 'equal)) (values (make-hash-table :test 'equal))
        (names (make-hash-table :test 'equal)))
    (flet ((choose (member table suffix)
             (let ((name (lispify-name (first member))))
               (when (and suffix (gethash name table))
                 (setf name (concatenate 'string name suffix)))
               (setf name (unique-name name (lambda (name) (gethash name table))))
               (setf (gethash name table) t
                     (gethash (first member) names) (compact name)))))
      (loop for (kind suffix) in '(("function" nil) ("class" "/CLASS") ("value" nil))
            do (loop for member across members
                     when (string= (second member) kind)
                       do (choose member (if (string= kind "value") values functions) suffix))))
    (loop for member across members collect (gethash (first member) names))))

(defun member-records (members)
  "A vector of (LISP-NAME PYTHON-NAME INDEX) of MEMBERS; INDEX is NIL for values."
  (map 'vector (lambda (member name)
                 (destructuring-bind (python-name kind index) member
                   (list name (compact python-name) (and (string/= kind "value") index))))
       members (member-names members)))

(defun package-name-for (module root lisp-package)
  "The name of the package for MODULE, which is the module ROOT, whose package is LISP-PACKAGE, or in it."
  (concatenate 'string lisp-package (lispify-name (subseq module (length root)))))

(defun describe-module (pymodule-name submodules strict lisp-package)
  "The packages for a module and its submodules, a list of (PACKAGE MODULE MEMBERS); the functions that
MEMBERS refer to; the version; the submodules that could not be imported, with the reasons."
  (destructuring-bind (version modules callables skipped)
      (ask-python "survey" pymodule-name (submodules-argument submodules) (and strict t))
    (values (loop for (module members) across modules
                  collect (list (compact (package-name-for module pymodule-name lisp-package))
                                (compact module)
                                (member-records members)))
            (function-records callables)
            version
            skipped)))

;;; Definitions

(defun claim-symbol (name package)
  "The symbol for NAME in PACKAGE, which exports it. What is inherited or defined by others is left alone."
  (flet ((taken-p (name)
           (multiple-value-bind (symbol status) (find-symbol name package)
             (and status
                  (or (eq status :inherited)
                      (and (not (get symbol 'python-member))
                           (or (fboundp symbol) (boundp symbol))))))))
    (let ((symbol (intern (unique-name (coerce name '(simple-array character (*))) #'taken-p) package)))
      (export (list symbol) package)
      symbol)))

(defun define-member (symbol entry record package)
  "Make SYMBOL the function, or when there is no RECORD the value, that ENTRY names in Python."
  (setf (get symbol 'python-member) entry)
  (if record
      (destructuring-bind (required keywords-p keywords lambda-list documentation) record
        (pyrite/port:define-function
         symbol
         (make-caller (find-name entry) (make-signature required keywords-p keywords '()))
         (intern-lambda-list lambda-list package)
         documentation))
      (eval `(define-symbol-macro ,symbol (pyvalue ,entry)))))

(defun withdraw-symbols (package keep)
  "Remove from PACKAGE what stood for something in Python and is not in KEEP, a hash table."
  (let ((gone '()))
    (do-symbols (symbol package)
      (when (and (eq (symbol-package symbol) package)
                 (get symbol 'python-member)
                 (not (gethash symbol keep)))
        (push symbol gone)))
    (dolist (symbol gone)
      (unexport symbol package)
      (unintern symbol package))))

(defun define-package (package-name module members functions)
  "Make the package PACKAGE-NAME stand for MODULE."
  (let ((package (or (find-package package-name)
                     (make-package (coerce package-name '(simple-array character (*))) :use '())))
        (keep (make-hash-table :test 'eq)))
    (loop for (lisp-name python-name index) across members
          for symbol = (claim-symbol lisp-name package)
          do (define-member symbol (concatenate 'string module ":" python-name)
               (and index (svref functions index)) package)
             (setf (gethash symbol keep) t))
    (withdraw-symbols package keep)
    (setf (gethash (package-name package) *module-packages*) module)))

(defun defined-p (package-name module)
  "True when the package PACKAGE-NAME stands for MODULE already."
  (let ((package (find-package package-name)))
    (and package (equal module (gethash (package-name package) *module-packages*)))))

(defun check-package (package-name)
  "Signal an error when there is a package PACKAGE-NAME that others made and export something from. The restart
CONTINUE has it added to."
  (let ((package (find-package package-name)))
    (when (and package (not (gethash (package-name package) *module-packages*)))
      (do-external-symbols (symbol package)
        (declare (ignorable symbol))
        (restart-case
            (fail 'pyrite-error "There is a package ~A that stands for no Python module: choose another with ~
                                 :LISP-PACKAGE, or give its name there if it is meant." package-name)
          (continue ()
            :report (lambda (stream) (format stream "Add the module's names to the package ~A." package-name))
            (return)))))))

(defun check-not-standard (package-name)
  "Signal an error when PACKAGE-NAME is one that nobody adds to."
  (let ((package (find-package package-name)))
    (when (and package (member package (mapcar #'find-package '(#:common-lisp #:keyword #:pyrite))))
      (fail 'pyrite-error "The package ~A cannot stand for a Python module: choose another with :LISP-PACKAGE."
            (package-name package)))))

(defun define-packages (packages functions reload named)
  "Define PACKAGES, as DESCRIBE-MODULE gives them; those that are there already only if RELOAD, those that
others made only if NAMED."
  (let ((names (mapcar #'first packages)))
    (mapc #'check-not-standard names)
    (unless named
      (mapc #'check-package names)))
  (loop for (package-name module members) in packages
        when (or reload (not (defined-p package-name module)))
          do (define-package package-name module members functions))
  t)

(defun report-packages (packages skipped)
  "Print what is done."
  (loop for (package-name module) in packages
        do (format t "~&; Defining ~A for accessing python package ~A..~%" package-name module))
  (loop for (module reason) across skipped
        do (format t "~&; Without ~A, which cannot be imported: ~A~%" module reason)))

(defun define-python-module (pymodule-name submodules strict lisp-package named reload silent)
  "Define the packages for a module, about which Python is asked now."
  (multiple-value-bind (packages functions version skipped)
      (describe-module pymodule-name submodules strict lisp-package)
    (declare (ignore version))
    (unless silent (report-packages packages skipped))
    (define-packages packages functions reload named)))

(defun check-version (pymodule-name version system definer)
  "Unless the version of a module is still VERSION, call DEFINER, a function, to define its packages as
they are now, and have SYSTEM compiled anew."
  (let ((now (ask-python "version_of" pymodule-name)))
    (when (string/= now version)
      (warn "The Python module ~A has version ~A now; ~A was compiled with ~A and is compiled again."
            pymodule-name now system version)
      (funcall definer)
      (call-in-new-session (lambda () (asdf:compile-system system :force t))))))

(defun call-in-new-session (function)
  "Call FUNCTION, an operation of ASDF, which may be in the middle of another one and then refuses to be
forced to anything."
  (let ((call (uiop:find-symbol* '#:call-with-asdf-session '#:asdf/session nil)))
    (if (and call (fboundp call))
        (funcall call function :override t :override-cache t :override-forcing t)
        (funcall function))))

(defun lisp-package-name (lisp-package pymodule-name)
  "The name of the package that LISP-PACKAGE, an argument of DEFPYMODULE, means."
  (let ((package (macro-argument lisp-package)))
    (etypecase package
      (null (lispify-name pymodule-name))
      (package (package-name package))
      ((or string symbol character) (string package)))))

(pyrite/port:define-macro defpymodule (pymodule-name &optional submodules
                       &key (cache t) (continue-ignoring-errors t) (lisp-package nil) (reload t)
                         (recompile-on-change nil) (safety t) (silent '*defpymodule-silent-p*))
  "Define a package with functions and symbol macros for what is in the Python module PYMODULE-NAME; true.

LISP-PACKAGE is the package or its name, (LISPIFY-NAME PYMODULE-NAME) by default. It exports a symbol for
each public name: a function as of DEFPYFUN for what can be called, and for other values a symbol macro
that gives the present value and can be set. A class whose name in Lisp is a function's, too, is
NAME/CLASS; any other clash is NAME/1, NAME/2. A package that is there already is added to, one of others
only when LISP-PACKAGE says so.

SUBMODULES are defined as packages NAME.SUBMODULE, too: all for T, with those that begin with _ for
:HIDDEN, or those of a list, whose elements are names, or lists of a name and submodules of it. Tests and
setup scripts are left out unless they are named.

When CACHE is true, the default, Python is asked when the macro is expanded; a compiled form loads
without Python. If RECOMPILE-ON-CHANGE is then the name of an ASDF system, loading does start Python, and
when the version of PYMODULE-NAME is another one, defines the packages anew and compiles that system.
Unless RELOAD, a package that stands for the module already is left as it is.

Submodules that cannot be imported are left out when CONTINUE-IGNORING-ERRORS is true, the default.
SAFETY is of no effect: see DEFPYFUN. Progress is printed unless SILENT. The arguments are evaluated, if
they are forms, when the macro is expanded; a list of submodules need not be quoted.

Signals PYERROR when there is no such module, or no submodule that was named; PYRITE-ERROR, with a restart
CONTINUE that adds to it, when there is a package of others, and for the packages of Lisp itself."
  (declare (ignore safety))
  (let* ((module (or (name-argument pymodule-name)
                     (fail 'pyrite-error "NIL is not the name of a Python module.")))
         (submodules (if (and (consp submodules) (not (eq (first submodules) 'quote)))
                         submodules
                         (macro-argument submodules)))
         (package (lisp-package-name lisp-package module))
         (strict (not (macro-argument continue-ignoring-errors)))
         (reload (and (macro-argument reload) t))
         (silent (and (macro-argument silent) t))
         (named (and lisp-package t))
         (live `(define-python-module ,module ',submodules ,strict ,package ,named ,reload ,silent)))
    (if (macro-argument cache)
        (cached-form module submodules strict package named reload silent
                     (macro-argument recompile-on-change) live)
        `(eval-when (:compile-toplevel :load-toplevel :execute)
           ,live))))

(defun cached-form (module submodules strict package named reload silent system live)
  "The expansion of DEFPYMODULE with what Python says now. LIVE is a form that asks it again."
  (multiple-value-bind (packages functions version skipped)
      (describe-module module submodules strict package)
    (unless silent (report-packages packages skipped))
    `(progn
       (eval-when (:compile-toplevel :load-toplevel :execute)
         (define-packages ',packages ',functions ,reload ,named))
       ,@(when system
           `((check-version ,module ,version ,(asdf:coerce-name system) (lambda () ,live))))
       t)))
