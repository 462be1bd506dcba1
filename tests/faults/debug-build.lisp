;;;; A debug build of CPython (Debian's python3-dbg, or what PYRITE_DEBUG_PYTHON names), whose assertions end the
;;;; process where an exception is left set or an object is given back twice, and which counts all references.

(in-package #:pyrite/test)

(def-suite faults/debug-build)
(in-suite faults/debug-build)

(defun debug-python ()
  "The executable of a debug build that can be embedded, or NIL."
  (let ((name (or (uiop:getenv "PYRITE_DEBUG_PYTHON") "python3-dbg")))
    (handler-case
        (let ((path (uiop:run-program (list name "-Ic" "import sys; sys.gettotalrefcount(); print(sys.executable)")
                                      :output '(:string :stripped t))))
          (pyrite::find-python path)
          path)
      (error () nil))))

(defparameter *debugged-code* "
class Bad:
    def __str__(self): raise ValueError('str')
    def __getattr__(self, name): raise ValueError(name)
    __hash__ = None
circular = []
circular.append(circular)
def call(f, *args):
    try: return f(*args)
    finally: pass
def swallow(f, *args):
    try: return f(*args)
    except Exception as error: return str(error)
class Slots: pass
slots = Slots()")

(defparameter *debugged-uses*
  '(("integers" (pyrite:pycall "abs" (- (expt 3 200))))
    ("text" (pyrite:pycall "str" (format nil "x~C" (code-char 955))))
    ("containers" (pyrite:pycall "lambda x: [x, {1: x}, (x, None, True)]" (list 1 2.5d0 "x" (vector 1 "y"))))
    ("bytes, complex, ratios" (pyrite:pycall "lambda *x: [x, b'bytes']" #c(1d0 2d0) 1/3 #\a #p"/tmp/a"))
    ("wrappers" (pyrite:pycall "object"))
    ("splices" (pyrite:pyeval "len(" (list 1 2) ") + " 1.5d0))
    ("statements" (pyrite:pyexec "debugged = " (vector 1 2) ""))
    ("attributes" (setf (pyrite:pyslot-value (pyrite:pyvalue "slots") "x") (list 1)))
    ("keywords" (pyrite:pycall "dict" :a 1 :b "x"))
    ("iteration" (pyrite:do-pyiterable (x (pyrite:pyeval "iter([1, 'a', (2,)])")) x))
    ("a function" (pyrite:pycall "call" (lambda (x) (list x "y")) (list 1 "z")))
    ("a closure" (let ((n (random 10))) (pyrite:pycall "call" (lambda () n))))
    ("an object" (pyrite:pycall "lambda x: x" (make-instance (quote passed-object))))
    ("Python's error" (ignore-errors (pyrite:pyeval "1 / 0")))
    ("an error's error" (ignore-errors (pyrite:pycall "str" (pyrite:pyeval "Bad()"))))
    ("an error in between" (pyrite:pycall "swallow" (lambda () (error "swallowed"))))
    ("Lisp's error" (ignore-errors (pyrite:pycall "call" (lambda () (error "passed")))))
    ("an exit" (catch 'out (ignore-errors (pyrite:pycall "call" (lambda () (throw 'out 1))))))
    ("undefined" (ignore-errors (pyrite:pyvalue "undefined_name")))
    ("circular" (ignore-errors (pyrite:pyvalue "circular")))
    ("unhashable" (ignore-errors (pyrite:pycall "len" (one-key-table (vector 1)))))
    ("too many arguments" (ignore-errors (pyrite:pycall "len" 1 2 3)))
    ("source" (ignore-errors (pyrite:pyeval "1 +")))
    ("no module" (ignore-errors (pyrite:import-module "no_such_module")))
    ("a view" (pyrite:with-pyarray (view (pyrite:with-remote-objects (pyrite:pyeval "bytearray(b'abc')")))
                (pyrite:pyaref view 0)))
    ("a context" (pyrite:with-python-gil (pyrite:pycall "len" "abc"))))
  "What is done many times, by name.")

(defparameter *debugging-program*
  `((pyrite:pyexec ,*debugged-code*)
    (defclass passed-object () ())
    (defun one-key-table (key)
      (let ((table (make-hash-table))) (setf (gethash key table) 1) table))
    (defun total ()
      "All references that there are, once garbage is gone."
      (loop repeat 3
            do (trivial-garbage:gc :full t)
               (loop repeat 1000 until (zerop (getf (pyrite:python-stats) :pending-releases))
                     do (pyrite:pycall "len" "abc")))
      (pyrite:pyeval "(__import__('gc').collect(), __import__('sys').gettotalrefcount())[1]"))
    (defun growth (function)
      (loop repeat 200 do (funcall function))
      (let ((before (total)))
        (loop repeat 2000 do (funcall function))
        (- (total) before)))
    (print (list* :growth
                  (list ,@(loop for (name form) in *debugged-uses*
                                collect `(list ,name (growth (lambda () ,form)))))))
    (finish-output)
    (uiop:quit 7))
  "What is evaluated with the debug build.")

(test debug-build.references
  "Nothing is asserted, and no use leaves a reference behind."
  (let ((python (debug-python)))
    (if (null python)
        (skip "There is no debug build of Python here.")
        (multiple-value-bind (output code)
            (run-in-lisp *debugging-program*
                         :environment (list (format nil "PYRITE_PYTHON=~A" python) "PYTHONDEVMODE=1"))
          (let ((start (search "(:GROWTH" output)))
            (is (eql 7 code) "~A" output)
            (is-false (search "Fatal Python error" output))
            (when start
              ;; A conservative collector keeps a few; one reference for each use would be 2000.
              (is-for-each (growth (rest (read-from-string output t nil :start start)))
                (< (second growth) 500))))))))
