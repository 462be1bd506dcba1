;;;; Every name that programs written for py4cl2-cffi import is there, and means what it meant.

(in-package #:pyrite/test)

(def-suite exports :in pyrite :description "The packages of py4cl2-cffi.")
(in-suite exports)

(defparameter *reference*
  '((variable *additional-init-codes* *defpymodule-silent-p* *internal-features* *lispifiers*
     *print-pyobject* *print-pyobject-wrapper-identity* *pygc-threshold* *pythonizers*
     +disable-pystop+ +py-empty-tuple+ +py-empty-tuple-pointer+ +py-none+ +py-none-pointer+
     +python-call-mode+)
    (macro chain define-lispifier defpyfun defpymodule with-lispifiers with-pygc
     with-python-error-output with-python-gil with-python-output with-pythonizers with-remote-objects
     with-remote-objects*)
    (function chain* disable-pygc enable-pygc export-function import-function import-module
     pycall pyeval pyexec pyfor pygenerator pyhelp pymethod pymethod-list pyobject-wrapper-eq
     pyobject-wrapper-eq* pyref py-repr pyslot-list pyslot-value pystart pystop pytrack python-alive-p
     python-start-if-not-alive pyvalue pyvalue* pyversion-info raw-pyeval raw-pyexec)
    (setf chain* pyeval pyref pyslot-value pyvalue)
    (generic-function python-getattr python-setattr pythonize)
    (class pyerror simple-pyerror pyobject-wrapper))
  "The names of the API reference, and what has come to them since, by what they are.")

(defparameter *configuration*
  '((variable *python-ldflags* *python-includes* *python-executable-path* *python-site-packages-path*
     *disable-pystop* *pystart-verbosity* *python-call-mode*)
    (function print-configuration shared-library-from-lflag)
    (generic-function shared-library-from-ldflag))
  "The names of the package of the configuration.")

(defun names-of (reference)
  "The names in REFERENCE, strings, each once."
  (remove-duplicates (mapcar #'symbol-name (loop for (nil . symbols) in reference append symbols))
                     :test #'string=))

(defun is-a-p (symbol kind)
  "True when SYMBOL names what KIND says."
  (ecase kind
    (variable (or (boundp symbol) (nth-value 1 (macroexpand-1 symbol))))
    (macro (macro-function symbol))
    (function (and (fboundp symbol) (not (macro-function symbol))))
    (setf (fboundp `(setf ,symbol)))
    (generic-function (typep (fdefinition symbol) 'generic-function))
    (class (find-class symbol nil))))

(defun check-reference (package reference)
  "PACKAGE exports the names in REFERENCE and no others, and they are what it says."
  (is (null (set-exclusive-or (names-of reference) (mapcar #'symbol-name (exports package)) :test #'string=)))
  (loop for (kind . symbols) in reference
        do (is-for-each (name symbols)
             (let ((symbol (find-symbol (symbol-name name) package)))
               (is-a-p symbol kind)))))

(test exports.reference
  (check-reference '#:py4cl2-cffi *reference*)
  (check-reference '#:py4cl2-cffi/single-threaded *reference*)
  (check-reference '#:py4cl2-cffi/config *configuration*))

(test exports.are-pyrite-s
  "The same symbols as those that Pyrite exports."
  (is-for-each (symbol (exports '#:py4cl2-cffi))
    (eq :external (nth-value 1 (find-symbol (symbol-name symbol) '#:pyrite))))
  (is-for-each (symbol (exports '#:py4cl2-cffi))
    (eq symbol (find-symbol (symbol-name symbol) '#:pyrite)))
  (is (eq 'pyrite:*python-executable-path* 'py4cl2-cffi/config:*python-executable-path*))
  (is (eq 'pyrite:*disable-pystop* 'py4cl2-cffi/config:*disable-pystop*))
  (is (eq 'pyerror 'py4cl2-cffi/single-threaded:pyerror))
  (is (eq 'pythonize 'py4cl2-cffi/single-threaded:pythonize)))

(test exports.are-documented
  (is-for-each (symbol (append (exports '#:py4cl2-cffi) (exports '#:py4cl2-cffi/config)
                               (exports '#:py4cl2-cffi/single-threaded)))
    (some (lambda (meaning) (< 5 (length (documentation symbol meaning)))) (meanings symbol))))

(test exports.systems
  "A system for each name that programs depend on, and one alone loads what it should."
  (is-for-each (name '("pyrite/py4cl2-cffi" "pyrite/py4cl2-cffi/config" "pyrite/py4cl2-cffi/single-threaded"))
    (asdf:load-system name)))

(test exports.use-next-to-cl
  (is-true (make-package '#:pyrite/test/uses-both :use '(#:cl #:py4cl2-cffi)))
  (delete-package '#:pyrite/test/uses-both))

;;; What they do

(test exports.pystart-verbose
  (pystop)
  (let ((said (with-output-to-string (*standard-output*) (pystart :verbose t))))
    (is (search "libpython" said))
    (is (search "python" said)))
  (is (equal "" (with-output-to-string (*standard-output*) (pystart :verbose t))) "It runs already.")
  (pystop)
  (let ((*pystart-verbosity* t))
    (is (search "executable" (with-output-to-string (*standard-output*) (pystart)))))
  (pystop)
  (is (equal "" (with-output-to-string (*standard-output*) (pystart)))))

(test exports.print-configuration
  (let ((said (with-output-to-string (*standard-output*)
                (is (null (multiple-value-list (py4cl2-cffi/config:print-configuration)))))))
    (is (search "libpython" said))
    (is (search (format nil "~D.~D" (first (pyversion-info)) (second (pyversion-info))) said)))
  (let ((*python-executable-path* "/nonexistent/python3"))
    (signals python-not-found (py4cl2-cffi/config:print-configuration))))

(test exports.shared-library-from-ldflag
  (is (equal "python3.10.so" (py4cl2-cffi/config:shared-library-from-ldflag "-lpython3.10" :linux)))
  (is (equal "python3.10.dylib" (py4cl2-cffi/config:shared-library-from-lflag "-lpython3.10" :macosx)))
  (signals type-error (py4cl2-cffi/config:shared-library-from-ldflag "-L/usr/lib" :linux)))

(test exports.site-packages
  (with-temporary-folder (folder)
    (write-file (merge-pathnames "pyrite_in_site.py" folder) "value = 'it''s there'")
    (pystop)
    (raises "ModuleNotFoundError" (import-module "pyrite_in_site"))
    (pystop)
    (let ((*python-site-packages-path* (list folder "/nonexistent/folder")))
      (pystart))
    (import-module "pyrite_in_site")
    (is (equal "its there" (pyvalue "pyrite_in_site.value")))))

(test exports.disable-pystop
  (is (null +disable-pystop+))
  (pystart)
  (let ((*disable-pystop* t))
    (is-true +disable-pystop+)
    (pystop)
    (is-true (python-alive-p))))

(test exports.values
  (is (pyobject-wrapper-p (pyvalue* "int")))
  (setf (pyvalue "exports_five") 5)
  (is (pyobject-wrapper-p (pyvalue* "exports_five")))
  (is (eql 5 (pyvalue (pyvalue* "exports_five"))))
  (let ((object (pycall "object")))
    (is (eq object (pyvalue* object)))
    (is (eq object (pytrack object))))
  (raises "NameError" (pyvalue* "no_such_name"))
  (is (eq +py-none+ (pycall "lambda x: x" +py-none-pointer+)))
  (is (eq +py-empty-tuple+ (pycall "lambda x: x" +py-empty-tuple-pointer+))))

(defun collector-on-p ()
  (pyeval "__import__('gc').isenabled()"))

(test exports.pygc
  (is (eq t (collector-on-p)))
  (is (equal '(nil 2) (multiple-value-list (with-pygc (values (collector-on-p) 2)))))
  (is (eq t (collector-on-p)))
  (is (eq nil (with-pygc (with-pygc) (collector-on-p))) "The outermost turns it on again.")
  (is (eql 5 (catch 'out (with-pygc (throw 'out 5)))))
  (signals error (with-pygc (error "out")))
  (is (eq t (collector-on-p)))
  (is (null (disable-pygc)))
  (is (eq nil (collector-on-p)))
  (with-pygc)
  (is (eq nil (collector-on-p)) "Who turned it off finds it off.")
  (is (null (enable-pygc)))
  (is (eq t (collector-on-p)))
  (is (eq nil (with-remote-objects (with-pygc (with-remote-objects* (collector-on-p))))))
  (is (eq t (collector-on-p)))
  (is (integerp *pygc-threshold*)))
