;;;; Lisp functions for Python's.

(in-package #:pyrite/test)

(def-suite defpyfun :in pyrite :description "DEFPYFUN, names for Lisp, signatures.")
(in-suite defpyfun)

(defun define (&rest form)
  "Evaluate FORM, a definition in this package, and return its value."
  (let ((*package* (find-package '#:pyrite/test)))
    (eval form)))

(defun shown-lambda-list (symbol)
  "The lambda list that an editor shows for the function of SYMBOL, its variables as strings; :UNKNOWN when
nobody knows how to ask this Lisp."
  (let ((lambda-list (case (uiop:implementation-type)
                       (:sbcl (uiop:symbol-call '#:sb-kernel '#:%fun-lambda-list (fdefinition symbol)))
                       (:ecl (uiop:symbol-call '#:ext '#:function-lambda-list symbol))
                       (t :unknown))))
    (if (listp lambda-list) (variables-as-strings lambda-list) lambda-list)))

(defun variables-as-strings (lambda-list)
  (flet ((as-string (symbol) (if (member symbol lambda-list-keywords) symbol (symbol-name symbol))))
    (loop for element in lambda-list
          collect (if (consp element)
                      (cons (as-string (first element)) (rest element))
                      (as-string element)))))

(defun lambda-list-of (parameters)
  "The lambda list for a Python function with PARAMETERS, source text."
  (define-python (format nil "def parametrized(~A): pass" parameters))
  (pyrite::signature-lambda-list (nth-value 1 (pyrite::ask-function "parametrized" nil))))

;;; Names

(test defpyfun.lispify-name
  (is-for-each (pair '(("camelCase" "CAMEL-CASE") ("float64" "FLOAT-64") ("log2_x" "LOG-2-X")
                       ("HTTPServer" "HTTPSERVER") ("snake_case" "SNAKE-CASE") ("_private" "-PRIVATE")
                       ("DataFrame" "DATA-FRAME") ("numpy.linalg" "NUMPY.LINALG")
                       ("sklearn.linear_model" "SKLEARN.LINEAR-MODEL") ("__init__" "--INIT--")
                       ("X" "X") ("log1p" "LOG-1P") ("" "")))
    (equal (second pair) (lispify-name (first pair)))))

;;; Lambda lists

(test defpyfun.lambda-lists
  (is-for-each (pair '(("" ())
                       ("a, b" (&key "A" "B"))
                       ("a, b=2" (&key "A" ("B" 2)))
                       ("a, /" ("A"))
                       ("a, b=2, /" ("A" &optional ("B" 2)))
                       ("a, b=2, /, c=3" ("A" &optional ("B" 2) &key ("C" 3)))
                       ("*args" (&rest "ARGS"))
                       ("a, *args, b=1" ("A" &rest "ARGS" &key ("B" 1)))
                       ("a, b=1, *args" ("A" &optional ("B" 1) &rest "ARGS"))
                       ("*, a, b=None" (&key "A" ("B" +py-none+)))
                       ("**kw" (&rest "KW" &key &allow-other-keys))
                       ("a, **kw" (&rest "KW" &key "A" &allow-other-keys))
                       ("*args, **kw" (&rest "ARGS" &key &allow-other-keys))
                       ("t, nil=1" (&key ".T" (".NIL" 1)))
                       ("aB, a_b, C" (&key "A-B" "A-B/1" "C"))
                       ("a=object(), b=1" (&key "A" ("B" 1)))
                       ("a=True, b=False, c='x', d=1.5" (&key ("A" t) ("B" nil) ("C" "x") ("D" 1.5d0)))
                       ("a=(1, 2), b=(), c=[1]" (&key ("A" '(1 2)) ("B" +py-empty-tuple+) ("C" #(1))))
                       ("a=2**70, b=float('inf'), c={}" (&key ("A" #.(expt 2 70)) "B" "C"))))
    (equalp (second pair) (lambda-list-of (first pair)))))

(test defpyfun.lambda-lists-of-what-has-no-signature
  (is (equal '(&rest "ARGS") (pyrite::signature-lambda-list (nth-value 1 (pyrite::ask-function "max" nil))))))

(test defpyfun.lambda-lists-of-ufuncs
  (with-numpy
    (flet ((lambda-list (name)
             (pyrite::signature-lambda-list (nth-value 1 (pyrite::ask-function name "numpy")))))
      (is (equal '("X-1" "X-2" &key ("OUT" +py-none+) ("WHERE" t) ("CASTING" "same_kind") ("ORDER" "K")
                   ("DTYPE" +py-none+) ("SUBOK" t))
                 (lambda-list "add")))
      (is (equal '("X" &key ("OUT" +py-none+)) (subseq (lambda-list "sin") 0 3))))))

;;; The examples of the manual

(test defpyfun.manual
  (pyexec "import math")
  (is (eq 'math.sqrt (define 'defpyfun "math.sqrt")))
  (is (< (abs (- 6.4807405d0 (funcall 'math.sqrt 42))) 1d-6))
  (is (eq 'pysin (define 'defpyfun "sin" "math" :lisp-fun-name "PYSIN")))
  (is (eql 0d0 (funcall 'pysin 0)))
  (is (eq 'pysin (define 'defpyfun "sin" "math" :lisp-fun-name "PYSIN" :safety nil)))
  (is (eql 0d0 (funcall 'pysin 0))))

(test defpyfun.documentation
  (define-python "def documented(): pass" "documented.__doc__ = 'Say ~A, \"%s\" and \\\\.\\n    Indented.'")
  (define 'defpyfun "documented" nil :lisp-fun-name "PY-DOCUMENTED")
  (is (equal (format nil "Say ~~A, \"%s\" and \\.~%Indented.") (documentation 'py-documented 'function)))
  (define 'defpyfun "sqrt" "math" :lisp-fun-name "PY-SQRT" :cache nil)
  (is (search "square root" (documentation 'py-sqrt 'function)))
  (define-python "def undocumented(): pass")
  (define 'defpyfun "undocumented" nil :lisp-fun-name "PY-UNDOCUMENTED")
  (is (null (documentation 'py-undocumented 'function))))

;;; Calls

(defun call-every (&rest arguments)
  "What EVERY returns for ARGUMENTS, its dict as a sorted alist."
  (let ((values (apply 'every* arguments)))
    (append (butlast values)
            (list (sort (alexandria:hash-table-alist (first (last values))) #'string< :key #'first)))))

(test defpyfun.every-kind-of-parameter
  (define-python "def every(a, b=2, /, c=3, *args, d=4, eE=5, F=6, **kw):"
                 "    return (a, b, c, args, d, eE, F, kw)")
  (dolist (cache '(t nil))
    (define 'defpyfun "every" nil :lisp-fun-name "EVERY*" :cache cache)
    (is-for-each (pair `(((1) (1 2 3 ,+py-empty-tuple+ 4 5 6 nil))
                         ((1 20) (1 20 3 ,+py-empty-tuple+ 4 5 6 nil))
                         ((1 20 30) (1 20 30 ,+py-empty-tuple+ 4 5 6 nil))
                         ((1 20 30 40 50) (1 20 30 (40 50) 4 5 6 nil))
                         ((1 20 30 40 :d 7) (1 20 30 (40) 7 5 6 nil))
                         ((1 :c 30 :d 7) (1 2 30 ,+py-empty-tuple+ 7 5 6 nil))
                         ((1 :e-e 50 :f 60) (1 2 3 ,+py-empty-tuple+ 4 50 60 nil))
                         ((1 :other-one 8 :f 9) (1 2 3 ,+py-empty-tuple+ 4 5 9 (("other_one" . 8))))
                         ((1 :b 9) (1 2 3 ,+py-empty-tuple+ 4 5 6 (("b" . 9))))
                         ((:a) ("a" 2 3 ,+py-empty-tuple+ 4 5 6 nil))
                         ((:a :d 9) ("a" 2 3 ,+py-empty-tuple+ 9 5 6 nil))))
      (equalp (second pair) (apply #'call-every (first pair))))))

(test defpyfun.by-position-and-by-keyword
  (define-python "def two(a, b=2): return (a, b)")
  (define 'defpyfun "two")
  (is-for-each (arguments '((1) (:a 1) (1 2) (1 :b 2) (:a 1 :b 2) (:b 2 :a 1)))
    (equal '(1 2) (apply 'two arguments))))

(test defpyfun.what-is-absent-is-not-sent
  (define-python "default = object()"
                 "def absent(a, b=default): return b is default")
  (define 'defpyfun "absent")
  (is (eq t (funcall 'absent 1)))
  (is (eq nil (funcall 'absent 1 :b nil)))
  (is (search "required positional argument: 'a'" (pyerror-message (signalled (funcall 'absent))))))

(test defpyfun.parameters-called-t-and-nil
  (define-python "def constants(t, nil=2): return (t, nil)")
  (define 'defpyfun "constants")
  (is (equal '(1 2) (funcall 'constants :t 1)))
  (is (equal '(1 3) (funcall 'constants :.t 1 :.nil 3)))
  (is (equal '(1 3) (funcall 'constants 1 :nil 3))))

(test defpyfun.keywords-that-are-values
  "Where a function takes no keyword arguments, a keyword is a value like any other."
  (define-python "def positional(a, b=2, /): return (a, b)")
  (define 'defpyfun "positional")
  (is (equal '("x" "y_z") (funcall 'positional :x :y-z)))
  (define-python "def any_number(*args): return args")
  (define 'defpyfun "any_number")
  (is (equal '(1 "x" 2) (funcall 'any-number 1 :x 2))))

(test defpyfun.pythonizers
  "They apply however keywords are written: as Python's names, as others, as values."
  (define-python "def named(a, xY=2, /, bC=3, **rest): return (a, xY, bC, rest.get('d'))")
  (define 'defpyfun "named")
  (with-pythonizers ((integer "str") (keyword (lambda (keyword) (string-upcase keyword))))
    (is (equal '("1" "2" "3" "4") (funcall 'named 1 2 3 :d 4)))
    (is (equal '("1" "2" "3" "4") (funcall 'named 1 2 :b-c 3 :d 4)))
    (is (equal '("K" 2 "3" ("L" "4")) (funcall 'named :k :b-c 3 :d '(:l 4)))))
  (define-python "def pair(a, b, /): return (a, b)")
  (define 'defpyfun "pair")
  (with-pythonizers ((vector "tuple"))
    (is (equal '((1 (2)) "k") (funcall 'pair #(1 #(2)) :k)))))

(test defpyfun.malformed-keywords
  (define-python "def keyed(a, xY=2): return (a, xY)")
  (define 'defpyfun "keyed")
  (signals malformed-keywords (funcall 'keyed 1 :x-y))
  (signals malformed-keywords (funcall 'keyed 1 :a 2 3 4))
  (signals malformed-keywords (funcall 'keyed 1 :x-y 2 :a))
  (raises "TypeError" (funcall 'keyed 1 :no-such 2))
  (is (equal '(1 5) (funcall 'keyed 1 :x-y 5))))

(test defpyfun.class
  (is (eq 'fraction (define 'defpyfun "Fraction" "fractions")))
  (is (eql 3/4 (funcall 'fraction 3 4)))
  (is (eql 3/4 (funcall 'fraction :numerator 3 :denominator 4))))

(test defpyfun.remote-objects
  (define 'defpyfun "sqrt" "math" :lisp-fun-name "PY-SQRT")
  (is (pyobject-wrapper-p (with-remote-objects (funcall 'py-sqrt 4))))
  (is (eq 'py-sqrt (with-remote-objects (define 'defpyfun "sqrt" "math" :lisp-fun-name "PY-SQRT")))))

;;; Where the function is found

(test defpyfun.works-after-pystop
  (define 'defpyfun "sqrt" "math" :lisp-fun-name "PY-SQRT")
  (pyexec "import math")
  (define 'defpyfun "math.hypot" nil :lisp-fun-name "PY-HYPOT")
  (define 'defpyfun "sum" nil :lisp-fun-name "PY-SUM")
  (pystop)
  (is (eql 2d0 (funcall 'py-sqrt 4)))
  (is (eql 5d0 (funcall 'py-hypot 3 4)))
  (is (eql 6 (funcall 'py-sum #(1 2 3))))
  (raises "NameError" (pyvalue "math")))

(test defpyfun.redefinition-in-python-is-seen
  (define-python "def changing(): return 1")
  (define 'defpyfun "changing")
  (is (eql 1 (funcall 'changing)))
  (define-python "def changing(): return 2")
  (is (eql 2 (funcall 'changing)))
  (pystop)
  (raises "NameError" (funcall 'changing)))

(test defpyfun.as
  (pystop)
  (is (eq 'root (define 'defpyfun "sqrt" "math" :as "root")))
  (is (eql 2d0 (funcall 'root 4)))
  (is (eql 3d0 (pycall "root" 9)))
  (is (eq 'largest (define 'defpyfun "max" nil :as "largest")))
  (is (eql 3 (funcall 'largest 1 3)))
  (is (eql 3 (pycall "largest" 1 3))))

(test defpyfun.lisp-package
  (unless (find-package '#:pyrite/test-functions) (make-package '#:pyrite/test-functions :use '()))
  (dolist (package (list "PYRITE/TEST-FUNCTIONS" :pyrite/test-functions
                         (find-package '#:pyrite/test-functions) '(find-package '#:pyrite/test-functions)))
    (let ((symbol (define 'defpyfun "abs" nil :lisp-package package)))
      (is (eq symbol (find-symbol "ABS" '#:pyrite/test-functions)))
      (is (eql 3 (funcall symbol -3))))))

(test defpyfun.without-import
  "A module that nobody imported is found by its name."
  (pystop)
  (define 'defpyfun "os.path.join" nil :lisp-fun-name "PY-JOIN")
  (is (equal "a/b" (funcall 'py-join "a" "b")))
  (raises "NameError" (pyvalue "os")))

;;; What is refused

(test defpyfun.refusals
  (flet ((message (&rest arguments)
           (let ((condition (signalled (apply #'define 'defpyfun arguments))))
             (and condition (princ-to-string condition)))))
    (is (search "no_such_module" (message "f" "no_such_module")))
    (is (search "no_such_function" (message "no_such_function" "math")))
    (is (search "no_such_function" (message "no_such_function")))
    (is (search "pi is not callable" (message "pi" "math" :lisp-fun-name "PY-PI")))
    (is (search "not a name" (message "not a name")))
    (is (search "MAX" (message "max")))
    (is (search "PYCALL" (message "sqrt" "math" :lisp-fun-name "PYCALL")))
    (is (search "NO-SUCH-PACKAGE" (message "sqrt" "math" :lisp-package "NO-SUCH-PACKAGE"))))
  (signals error (define 'defpyfun 5))
  (is (eql 3 (max 1 3)))
  (is-true (python-works-p)))

;;; Compiled files

(defun compile-quietly (path)
  "Compile the file PATH; its output, and the conditions that were signalled."
  (let ((conditions '()))
    (values (handler-bind ((warning (lambda (condition)
                                      (push (princ-to-string condition) conditions))))
              (let ((*standard-output* (make-broadcast-stream)) (*error-output* (make-broadcast-stream))
                    (*package* *package*))
                (compile-file path)))
            conditions)))

(test defpyfun.compiled-file
  "Nothing is warned of, and a compiled file can be loaded."
  (with-temporary-folder (folder)
    (let ((path (write-file (merge-pathnames "functions.lisp" folder)
                            "(defpackage #:pyrite/test-file (:use #:cl #:pyrite))"
                            "(in-package #:pyrite/test-file)"
                            "(defpyfun \"hypot\" \"math\")"
                            "(defpyfun \"isclose\" \"math\")"
                            "(defpyfun \"Fraction\" \"fractions\" :cache nil)"
                            "(defpyfun \"perm\" \"math\" :lisp-fun-name \"PERMUTATIONS\")"
                            "(defun values-of () (list (hypot 3 4) (isclose 1 2 :rel-tol 1) (fraction 1 2)"
                            "                          (permutations 5 2)))")))
      (multiple-value-bind (output conditions) (compile-quietly path)
        (is (null conditions))
        (let ((*package* *package*)) (load output))
        (is (member (shown-lambda-list (find-symbol "ISCLOSE" "PYRITE/TEST-FILE"))
                    '((&key "A" "B" ("REL-TOL" 1d-9) ("ABS-TOL" 0d0)) :unknown)
                    :test #'equal))
        (is (equal '(5d0 t 1/2 20) (uiop:symbol-call '#:pyrite/test-file '#:values-of)))))))

(test defpyfun.no-names
  (is-for-each (form '((defpyfun nil) (defpyfun 5) (defpyfun "len" 5) (defpyfun "") (defpyfun "1+1") (defpyfun 'nil)
                       (defpymodule nil) (defpymodule 5) (defpyfun "len" nil :lisp-package "NO-SUCH-PACKAGE")))
    (let ((condition (signalled (eval form))))
      (and (typep condition '(or pyrite-error pyerror type-error))
           (not (search "LOOP" (princ-to-string condition)))
           (not (search "PYRITE::" (princ-to-string condition)))))))
