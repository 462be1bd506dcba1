;;;; Lisp packages for Python modules.

(in-package #:pyrite/test)

(def-suite defpymodule :in pyrite :description "DEFPYMODULE.")
(in-suite defpymodule)

(defun define-module (&rest arguments)
  "Evaluate a DEFPYMODULE form of ARGUMENTS, silent; its value."
  (let ((*defpymodule-silent-p* t) (*package* (find-package '#:pyrite/test)))
    (eval `(defpymodule ,@arguments))))

(defun evaluate (text)
  "The value of the form that TEXT is read as."
  (let ((*package* (find-package '#:pyrite/test)))
    (eval (read-from-string text))))

(defun external-names (package)
  "The names of the symbols that PACKAGE exports, sorted."
  (sort (mapcar #'symbol-name (exports package)) #'string<))

(defun forget-packages (&rest names)
  "Delete the packages NAMES, those that are there."
  (dolist (name names)
    (when (find-package name) (delete-package name))))

(defmacro with-python-files ((folder &rest files) &body body)
  "Evaluate BODY while Python can import FILES, lists of a path and lines, which are in FOLDER."
  `(with-temporary-folder (,folder)
     ,@(loop for (path . lines) in files
             collect `(write-file (merge-pathnames ,path ,folder) ,@lines))
     (call-with-path ,folder (lambda () ,@body))))

(defun call-with-path (folder function)
  "Call FUNCTION while Python looks for modules in FOLDER. What was imported from it is forgotten."
  (let ((path (uiop:native-namestring folder)))
    (pycall "lambda path: (__import__('sys').path.insert(0, path), __import__('importlib').invalidate_caches())"
            path)
    (unwind-protect (funcall function)
      (pycall "lambda path, sys=__import__('sys'): (sys.path.remove(path), [sys.modules.pop(name)
                 for name in list(sys.modules) if name.startswith('pyrite_')])" path))))

;;; The examples of the manual

(test defpymodule.manual
  (forget-packages "MATH" "M")
  (let ((output (make-string-output-stream)))
    (let ((*standard-output* output))
      (is (eq t (evaluate "(defpymodule \"math\")"))))
    (is (search "; Defining MATH for accessing python package math.." (get-output-stream-string output))))
  (is (eql 25d0 (evaluate "(math:hypot 7 24)")))
  (is (eq t (define-module "math" nil :lisp-package "M")))
  (is (eql 2d0 (evaluate "(m:sqrt 4)"))))

(test defpymodule.lambda-lists-are-shown
  ;; ECL has no place for the lambda list of a closure that its own functions look in.
  (unless (eq (uiop:implementation-type) :ecl)
    (define-module "math")
    (is (member (shown-lambda-list (find-symbol "ISCLOSE" "MATH"))
                '((&key "A" "B" ("REL-TOL" 1d-9) ("ABS-TOL" 0d0)) :unknown)
                :test #'equal))
    (is (member (shown-lambda-list (find-symbol "SQRT" "MATH")) '(("X") :unknown) :test #'equal))))

(test defpymodule.silent
  (dolist (form '("(defpymodule \"math\" nil :silent t)" "(let ((*defpymodule-silent-p* t)) (eval '(defpymodule \"math\")))"))
    (is (equal "" (with-output-to-string (*standard-output*)
                    (evaluate form))))))

(test defpymodule.manual-numpy
  (with-numpy
    (is (eq t (define-module "numpy" t :silent t)))
    (is (equal '(2 3 4) (array-dimensions (evaluate "(numpy.random:random '(2 3 4))"))))
    (is (equalp #(5d0 7d0 9d0) (evaluate "(numpy:sum #2A((1d0 2d0 3d0) (4d0 5d0 6d0)) :axis 0)")))
    (is (equalp #(6 15) (evaluate "(numpy:sum :a #2A((1 2 3) (4 5 6)) :axis 1)")))
    (is (equalp #(3 5) (evaluate "(numpy:add #(1 2) #(2 3))")))
    (is (eql 5d0 (evaluate "(numpy.linalg:norm #(3 4))")))
    (is (< 400 (length (exports "NUMPY"))))
    (is (search "Sum of array elements" (documentation (find-symbol "SUM" "NUMPY") 'function)))))

;;; What is in a module

(test defpymodule.constants
  (define-module "math")
  (is (eql (coerce pi 'double-float) (evaluate "math:pi")))
  (is (eql (exp 1d0) (evaluate "math:e")))
  (with-python-files (folder ("pyrite_values.py" "number = 1" "text = 'a'" "nothing = None" "things = [1, 'x']"))
    (define-module "pyrite_values" nil :lisp-package "PYRITE/VALUES")
    (is (eql 1 (evaluate "pyrite/values:number")))
    (is (equal "a" (evaluate "pyrite/values:text")))
    (is (eq +py-none+ (evaluate "pyrite/values:nothing")))
    (is (equalp #(1 "x") (evaluate "pyrite/values:things")))
    (evaluate "(setf pyrite/values:number 2)")
    (is (eql 2 (evaluate "pyrite/values:number")) "It is the present value.")
    (is (eql 2 (pyvalue "pyrite_values:number"))))
  (forget-packages "PYRITE/VALUES"))

(test defpymodule.names-and-clashes
  (with-python-files (folder ("pyrite_clashes.py"
                              "class Thing:" "    def __init__(self): self.x = 1"
                              "def thing(): return 'function'"
                              "def fooBar(): return 'fooBar'" "def foo_bar(): return 'foo_bar'"
                              "class Alone: pass" "class ALONE: pass"
                              "def t(): return 't'" "def nil(): return 'nil'" "def list(): return 'list'"
                              "value = 5" "VALUE = 6" "def _hidden(): pass"
                              "__all__ = ['_listed', 'thing']" "def _listed(): return 7"))
    (define-module "pyrite_clashes" nil :lisp-package "PYRITE/CLASHES")
    (is (equal '("-LISTED" "ALONE" "ALONE/CLASS" "FOO-BAR" "FOO-BAR/1" "LIST" "NIL" "T" "THING" "THING/CLASS"
                 "VALUE" "VALUE/1")
               (external-names "PYRITE/CLASHES")))
    (is (equal "function" (evaluate "(pyrite/clashes:thing)")))
    (is (eql 1 (pyslot-value (evaluate "(pyrite/clashes:thing/class)") "x")))
    (is (equal '("fooBar" "foo_bar") (evaluate "(list (pyrite/clashes:foo-bar) (pyrite/clashes:foo-bar/1))")))
    (is (equal '("t" "nil" "list" 7)
               (evaluate "(list (pyrite/clashes:t) (pyrite/clashes:nil) (pyrite/clashes:list) (pyrite/clashes:-listed))")))
    (is (equal '(6 5) (evaluate "(list pyrite/clashes:value pyrite/clashes:value/1)"))))
  (forget-packages "PYRITE/CLASHES"))

(test defpymodule.package-that-is-there
  "What is inherited, and what others defined, is left alone."
  (forget-packages "PYRITE/THERE")
  (with-python-files (folder ("pyrite_there.py" "def list(): return 'python'" "def own(): return 'python'"
                              "def other(): return 'python'" "def fresh(): return 'python'"))
    (make-package "PYRITE/THERE" :use '(#:cl))
    (evaluate "(defun pyrite/there::own () 'lisp)")
    (define-module "pyrite_there" nil :lisp-package "PYRITE/THERE")
    (is (equal '("FRESH" "LIST/1" "OTHER" "OWN/1") (external-names "PYRITE/THERE")))
    (is (eq 'lisp (evaluate "(pyrite/there::own)")))
    (is (equal "python" (evaluate "(pyrite/there:own/1)")))
    (is (equal '(1) (evaluate "(pyrite/there::list 1)")))
    (define-module "pyrite_there" nil :lisp-package (find-package "PYRITE/THERE"))
    (is (equal '("FRESH" "LIST/1" "OTHER" "OWN/1") (external-names "PYRITE/THERE")) "The same again."))
  (forget-packages "PYRITE/THERE"))

(test defpymodule.package-of-others
  (with-python-files (folder ("pyrite_others.py" "def f(): return 1"))
    (forget-packages "PYRITE-OTHERS")
    (make-package "PYRITE-OTHERS" :use '())
    (evaluate "(export (list (intern \"G\" \"PYRITE-OTHERS\")) \"PYRITE-OTHERS\")")
    (is (search "PYRITE-OTHERS" (princ-to-string (signalled (define-module "pyrite_others")))))
    (is (equal '("G") (external-names "PYRITE-OTHERS")))
    (define-module "pyrite_others" nil :lisp-package "PYRITE-OTHERS")
    (is (equal '("F" "G") (external-names "PYRITE-OTHERS")))
    (forget-packages "PYRITE-OTHERS")))

(test defpymodule.oddities
  "Nothing is said on any stream, and no error is signalled, whatever a module does."
  (let ((japanese (text #x540D #x524D)))
    (with-python-files (folder ("pyrite_odd.py"
                                "import sys, warnings"
                                "print('imported'); print('imported', file=sys.stderr)"
                                "warnings.warn('deprecated', DeprecationWarning)"
                                "def __dir__(): return ['raises', 'warns', 'good', 'not a name', 'lying', 'Lying']"
                                "def __getattr__(name):"
                                "    if name in ('raises', '__version__'): raise ValueError('no')"
                                "    if name == 'warns': warnings.warn('old', FutureWarning); return 1"
                                "    raise AttributeError(name)"
                                "def good(): pass" "good.__doc__ = 'A ~ and ~A, \\0 and \\ud800 and \\u540d.'"
                                "class Lying:"
                                "    __class__ = property(lambda self: 1 / 0)"
                                "    __doc__ = property(lambda self: 1 / 0)"
                                "    def __call__(self): return 3"
                                "lying = Lying()"
                                "__all__ = ['lying', 'missing', '名前']"
                                "def 名前(): return 4"))
      (let ((said (make-string-output-stream)))
        (let ((*standard-output* said) (*error-output* said))
          (is (eq t (define-module "pyrite_odd" nil :lisp-package "PYRITE/ODD"))))
        (is (equal "" (get-output-stream-string said))))
      (is (equal (sort (list "GOOD" "LYING" "LYING/CLASS" "WARNS" (string-upcase japanese)) #'string<)
                 (external-names "PYRITE/ODD")))
      (is (eql 3 (evaluate "(pyrite/odd:lying)")))
      (is (search "A ~ and ~A, " (documentation (find-symbol "GOOD" "PYRITE/ODD") 'function)))
      (is (eql 4 (funcall (find-symbol (string-upcase japanese) "PYRITE/ODD"))))
      (raises "AttributeError" (define-module "pyrite_odd" nil :lisp-package "PYRITE/ODD"
                                          :continue-ignoring-errors nil))))
  (forget-packages "PYRITE/ODD"))

;;; Submodules

(defmacro with-python-package (&body body)
  "Evaluate BODY while there is a Python package with submodules."
  `(with-python-files (folder ("pyrite_package/__init__.py" "def root(): return 0"
                                                            "from . import one as alias")
                              ("pyrite_package/one.py" "def f(): return 1")
                              ("pyrite_package/two/__init__.py" "def f(): return 2")
                              ("pyrite_package/two/deep.py" "def f(): return 3")
                              ("pyrite_package/two/deeper.py" "def f(): return 4")
                              ("pyrite_package/snake_case.py" "def f(): return 5")
                              ("pyrite_package/_hidden.py" "def f(): return 6")
                              ("pyrite_package/failing.py" "raise ValueError('not here')")
                              ("pyrite_package/leaving.py" "import sys; sys.exit(1)")
                              ("pyrite_package/tests/__init__.py" "raise ValueError('tests')"))
     ,@body))

(defun packages-of (submodules &rest options)
  "The names of the packages that come of pyrite_package with SUBMODULES."
  (flet ((packages ()
           (remove-if-not (lambda (name) (uiop:string-prefix-p "PYP" name))
                          (mapcar #'package-name (list-all-packages)))))
    (apply #'forget-packages (packages))
    (apply #'define-module "pyrite_package" submodules :lisp-package "PYP" options)
    (sort (packages) #'string<)))

(test defpymodule.submodules
  (with-python-package
    (is-for-each (pair '((nil ("PYP"))
                         (t ("PYP" "PYP.ONE" "PYP.SNAKE-CASE" "PYP.TWO" "PYP.TWO.DEEP" "PYP.TWO.DEEPER"))
                         (:hidden ("PYP" "PYP.-HIDDEN" "PYP.ONE" "PYP.SNAKE-CASE" "PYP.TWO" "PYP.TWO.DEEP"
                                   "PYP.TWO.DEEPER"))
                         (("one" "two") ("PYP" "PYP.ONE" "PYP.TWO"))
                         ('("one" "two") ("PYP" "PYP.ONE" "PYP.TWO"))
                         (("one" ("two" . t)) ("PYP" "PYP.ONE" "PYP.TWO" "PYP.TWO.DEEP" "PYP.TWO.DEEPER"))
                         (("two" "deep") :error)
                         ((("two" "deep")) ("PYP" "PYP.TWO" "PYP.TWO.DEEP"))
                         ((("two" ("deep") "deeper")) ("PYP" "PYP.TWO" "PYP.TWO.DEEP" "PYP.TWO.DEEPER"))
                         ((snake-case) ("PYP" "PYP.SNAKE-CASE"))
                         (("_hidden") ("PYP" "PYP.-HIDDEN"))))
      (equal (second pair)
             (handler-case (packages-of (first pair))
               (pyerror () :error))))
    (is (equal '(1 5) (progn (packages-of t)
                             (evaluate "(list (pyp.one:f) (pyp.snake-case:f))"))))
    (is (equal '("ROOT") (external-names "PYP")) "Modules are no values.")
    (apply #'forget-packages (packages-of t))))

(test defpymodule.submodules-that-fail
  (with-python-package
    (let ((output (with-output-to-string (*standard-output*)
                    (packages-of t :silent nil))))
      (is (search "Without pyrite_package.failing, which cannot be imported: ValueError: not here" output)))
    (raises "ValueError" (packages-of t :continue-ignoring-errors nil))
    (raises "ModuleNotFoundError" (packages-of '("no_such_submodule")))
    (signals pyrite-error (packages-of '("one" . "two")))
    (signals pyrite-error (packages-of '(5)))
    (signals pyrite-error (packages-of 5))
    (apply #'forget-packages (packages-of t))))

(test defpymodule.refusals
  (flet ((message (&rest arguments)
           (princ-to-string (signalled (apply #'define-module arguments)))))
    (is (search "no_such_module" (message "no_such_module")))
    (is (search "no_such_module" (message "no_such_module" t :cache nil)))
    (is (search "NIL is not the name" (message nil))))
  (signals error (define-module 5))
  (is-true (python-works-p)))

;;; Again

(test defpymodule.reload
  (with-python-files (folder ("pyrite_again.py" "def kept(): return 1" "def lost(): return 1"))
    (flet ((names (&rest options)
             (apply #'define-module "pyrite_again" nil :lisp-package "PYRITE/AGAIN" options)
             (external-names "PYRITE/AGAIN")))
      (is (equal '("KEPT" "LOST") (names)))
      (define-python "import pyrite_again" "pyrite_again.kept = lambda: 2" "del pyrite_again.lost"
                     "pyrite_again.added = lambda: 2")
      (is (eql 2 (evaluate "(pyrite/again:kept)")))
      (is (equal '("KEPT" "LOST") (names :reload nil)))
      (is (equal '("ADDED" "KEPT") (names :reload t)))
      (is (eql 2 (evaluate "(pyrite/again:added)")))))
  (forget-packages "PYRITE/AGAIN"))

(test defpymodule.works-after-pystop
  (define-module "math" nil :safety t)
  (pystop)
  (is (eql 5d0 (evaluate "(math:hypot 3 4)")))
  (is (eql (coerce pi 'double-float) (evaluate "math:pi")))
  (raises "NameError" (pyvalue "math")))

(test defpymodule.not-cached
  (forget-packages "PYRITE/UNCACHED")
  (is (eq t (define-module "math" nil :cache nil :lisp-package "PYRITE/UNCACHED")))
  (is (eql 5d0 (evaluate "(pyrite/uncached:hypot 3 4)")))
  (forget-packages "PYRITE/UNCACHED"))

;;; Compiled files

(defun in-new-lisp (folder &rest forms)
  "What a new Lisp prints that loads the library and evaluates FORMS, texts. FOLDER is for its files."
  (let ((script (apply #'write-file (merge-pathnames "script.lisp" folder)
                       "(require :asdf)"
                       (with-standard-io-syntax
                         (format nil "(asdf:initialize-source-registry '~S)" (loaded-registry)))
                       "(let ((*standard-output* (make-broadcast-stream))) (asdf:load-system \"pyrite\"))"
                       forms)))
    (uiop:run-program (append (lisp-command script)
                              (when (eq (uiop:implementation-type) :sbcl) '("--non-interactive")))
                      :output :string :error-output nil)))

(test defpymodule.compiled-file
  "Nothing is warned of. The compiled file is loaded without Python, which the first call starts."
  (with-temporary-folder (folder)
    (let ((path (write-file (merge-pathnames "modules.lisp" folder)
                            "(defpackage #:pyrite/test-modules (:use #:cl #:pyrite))"
                            "(in-package #:pyrite/test-modules)"
                            "(defpymodule \"math\" nil :lisp-package \"PYRITE/MATH\")"
                            "(defpymodule \"json\" t :lisp-package \"PYRITE/JSON\" :silent t)"
                            "(defpyfun \"Fraction\" \"fractions\")"
                            "(defun values-of ()"
                            "  (list (pyrite/math:hypot 3 4) (> 4 pyrite/math:pi 3) (pyrite/json:loads \"[1, 2]\")"
                            "        (pyrite/json.decoder:scanstring \"x\\\"\" 0) (fraction 1 2)))")))
      (multiple-value-bind (output conditions) (compile-quietly path)
        (is (null conditions))
        (is (search "(NIL (5.0d0 T #(1 2) (\"x\" 2) 1/2) T)"
                    (in-new-lisp folder
                                 (format nil "(load ~S)" (uiop:native-namestring output))
                                 "(print (let ((*read-default-float-format* 'single-float))
                                    (list (pyrite:python-alive-p)
                                          (uiop:symbol-call '#:pyrite/test-modules '#:values-of)
                                          (pyrite:python-alive-p))))"))))))
  (forget-packages "PYRITE/MATH"))

(test defpymodule.recompile-on-change
  "When the module has another version than the compiled file, the system is compiled anew."
  (with-temporary-folder (folder)
    (flet ((version (version)
             (write-file (merge-pathnames "pyrite_versioned.py" folder)
                         (format nil "__version__ = '~D'" version)
                         (format nil "def version_~D(): return ~D" version version)))
           (load-it ()
             (with-environment (("PYTHONPATH" (uiop:native-namestring folder))
                                ("PYTHONDONTWRITEBYTECODE" "1"))
               (let ((output (in-new-lisp folder
                                          (format nil "(asdf:load-asd ~S)"
                                                  (uiop:native-namestring
                                                   (merge-pathnames "pyrite-versioned.asd" folder)))
                                          "(asdf:load-system \"pyrite-versioned\")"
                                          "(print (let ((names '()))
                                             (do-external-symbols (name \"PYRITE/VERSIONED\" names)
                                               (push (list (symbol-name name) (funcall name)) names))))")))
                 (read-from-string output t nil :start (position #\Newline output :from-end t :end (- (length output) 2)))))))
      (write-file (merge-pathnames "pyrite-versioned.asd" folder)
                  "(defsystem \"pyrite-versioned\" :depends-on (\"pyrite\") :components ((:file \"form\")))")
      (write-file (merge-pathnames "form.lisp" folder)
                  "(pyrite:defpymodule \"pyrite_versioned\" nil :lisp-package \"PYRITE/VERSIONED\" :silent t"
                  "                    :recompile-on-change \"pyrite-versioned\")")
      (version 1)
      (is (equal '(("VERSION-1" 1)) (load-it)))
      (version 2)
      (is (equal '(("VERSION-2" 2)) (load-it)))
      (is (equal '(("VERSION-2" 2)) (load-it))))))

;;; Large ones

(test defpymodule.libraries
  "Each can be had whole, and nothing is said."
  (dolist (name '("numpy" "scipy" "pandas" "networkx" "sklearn" "matplotlib.pyplot"))
    (if (equal "ModuleNotFoundError" (python-error-type (lambda () (import-module name))))
        (skip "This Python has no ~A." name)
        (let ((said (make-string-output-stream)) (package (format nil "PYRITE/~:@(~A~)" name)))
          (let ((*standard-output* said) (*error-output* said))
            (define-module name t :lisp-package package))
          (is (equal "" (get-output-stream-string said)))
          (let ((symbols (loop for other in (list-all-packages)
                               when (uiop:string-prefix-p package (package-name other))
                                 append (exports other))))
            (is (< 200 (length symbols)))
            (is (< 100 (count-if (lambda (symbol)
                                   (and (fboundp symbol) (documentation symbol 'function)))
                                 symbols))))))))

(test defpymodule.clash-with-a-package
  "A package of others is not touched, unless the restart says so."
  (let ((package (make-package '#:stringprep :use '())))
    (unwind-protect
         (progn
           (export (intern "OWN" package) package)
           (signals pyrite-error (eval '(defpymodule "stringprep" nil :silent t)))
           (is (equal '("OWN") (mapcar #'symbol-name (exports package))))
           (is (eq t (handler-bind ((error (lambda (condition) (continue condition))))
                       (eval '(defpymodule "stringprep" nil :silent t)))))
           (is (fboundp (find-symbol "IN-TABLE-A-1" package)))
           (is (find "OWN" (exports package) :test #'string=)))
      (delete-package package)))
  (is-for-each (name '("CL" "COMMON-LISP" "KEYWORD" "PYRITE"))
    (typep (signalled (eval `(defpymodule "stringprep" nil :silent t :lisp-package ,name))) 'pyrite-error)))
