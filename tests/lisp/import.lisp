;;;; Importing.

(in-package #:pyrite/test)

(def-suite import :in pyrite :description "Importing modules and what is in them.")
(in-suite import)

(defun call-with-module (name lines function)
  "Call FUNCTION while Python can import a module NAME of LINES."
  (with-temporary-folder (folder)
    (apply #'write-file (merge-pathnames (format nil "~A.py" name) folder) lines)
    (let ((path (uiop:native-namestring folder)))
      (import-module "sys")
      (pycall "lambda path: (sys.path.insert(0, path), __import__('importlib').invalidate_caches())" path)
      (unwind-protect (funcall function)
        (import-module "sys")
        (pycall "lambda path, name: (sys.path.remove(path), sys.modules.pop(name, None))" path name)))))

(test import.module
  (pystop)
  (raises "NameError" (pyvalue "math"))
  (is-true (import-module "math"))
  (is (eql 2d0 (pycall "math.sqrt" 4)))
  (is-true (import-module "math"))
  (is-true (import-module 'cmath))
  (is (pyobject-wrapper-p (pyvalue "cmath"))))

(test import.module-as
  (pystop)
  (is-true (import-module "math" :as "mathematics"))
  (is (eql 2d0 (pycall "mathematics.sqrt" 4)))
  (raises "NameError" (pyvalue "math"))
  (is-true (import-module 'math :as 'my-math))
  (is (eql 2d0 (pycall "my_math.sqrt" 4))))

(test import.dotted-module
  "As Python does: without AS the first part is bound, with it the module itself."
  (pystop)
  (is-true (import-module "os.path"))
  (is (equal "a/b" (pycall "os.path.join" "a" "b")))
  (pystop)
  (is-true (import-module "os.path" :as "ospath"))
  (is (equal "a/b" (pycall "ospath.join" "a" "b")))
  (raises "NameError" (pyvalue "os"))
  (is-true (import-module '|xml.etree.ElementTree|))
  (is (pyobject-wrapper-p (pyvalue "xml.etree.ElementTree"))))

(test import.missing-module
  (raises "ModuleNotFoundError" (import-module "no_such_module"))
  (raises "ModuleNotFoundError" (import-module "os.no_such_module"))
  (raises "ModuleNotFoundError" (import-module "no_such_package.module" :as "x"))
  (signals pyerror (import-module ""))
  (signals pyerror (import-module "not a name"))
  (raises "NameError" (pyvalue "no_such_module"))
  (is-true (python-works-p)))

(test import.function
  (pystop)
  (is-true (import-function "sqrt" "math"))
  (is (eql 2d0 (pycall "sqrt" 4)))
  (is-true (import-function "sqrt" "math" :as "root"))
  (is (eql 2d0 (pycall "root" 4)))
  (is-true (import-function 'join 'os.path :as 'join-paths))
  (is (equal "a/b" (pycall 'join-paths "a" "b")))
  (raises "NameError" (pyvalue "math")))

(test import.function-that-is-a-submodule
  (pystop)
  (is-true (import-function "path" "os"))
  (is (equal "a/b" (pycall "path.join" "a" "b")))
  (is-true (import-function "dom" "xml" :as "dom") "A submodule that nobody imported before."))

(test import.missing-function
  (raises "ImportError" (import-function "no_such_function" "math"))
  (raises "ModuleNotFoundError" (import-function "f" "no_such_module"))
  (raises "NameError" (pyvalue "no_such_function")))

(test import.failing-module
  "What a module raises while it is imported is the error, and it can be imported later."
  (call-with-module "pyrite_failing" '("raise ValueError('at import')")
                    (lambda ()
                      (raises "ValueError" (import-module "pyrite_failing"))
                      (raises "ValueError" (import-function "f" "pyrite_failing"))
                      (raises "NameError" (pyvalue "pyrite_failing"))))
  (call-with-module "pyrite_failing" '("value = 1")
                    (lambda ()
                      (import-module "pyrite_failing")
                      (is (eql 1 (pyvalue "pyrite_failing.value"))))))

(test import.module-with-syntax-error
  (call-with-module "pyrite_syntax" '("def f(:")
                    (lambda () (raises "SyntaxError" (import-module "pyrite_syntax"))))
  (is-true (python-works-p)))

(test import.own-module
  (call-with-module "pyrite_own" '("value = [1]" "def f(a, b=2): return (a, b)")
                    (lambda ()
                      (import-module "pyrite_own" :as "own")
                      (is (equalp #(1) (pyvalue "own.value")))
                      (is (equal '(1 3) (pycall "own.f" 1 :b 3)))
                      (import-function "f" "pyrite_own")
                      (is (equal '(1 2) (pycall "f" 1))))))

(test import.numpy
  (with-numpy
    (import-module "numpy.linalg" :as "linalg")
    (is (eql 5d0 (pycall "linalg.norm" #(3 4))))
    (import-function "arange" "numpy")
    (is (equalp #(0 1 2) (pycall "arange" 3)))))
