;;;; Somebody finalizes the interpreter, which Pyrite never does: errors, and no crash. In processes of their own.

(in-package #:pyrite/test)

(def-suite faults/finalized)
(in-suite faults/finalized)

(defparameter *finalize*
  '((defpackage "PYRITE/TEST" (:use "CL"))
    (defvar *results* '())
    (defmacro note (form) `(push (handler-case ,form (error (condition) (type-of condition))) *results*))
    (defvar *wrapper* (pyrite:pycall "object"))
    (defvar *dropped* (loop repeat 1000 collect (pyrite:pycall "object")))
    (defvar *view* (pyrite:view-pyarray (pyrite:with-remote-objects (pyrite:pyeval "bytearray(b'abc')"))))
    (pyrite:pycall "lambda f: globals().update(kept=f)" (lambda () 1))
    (note (pyrite:pycall "len" "abc"))
    ;; Exit functions that others run do not count.
    (pyrite:pyexec "import atexit; atexit._run_exitfuncs()")
    (note (pyrite:pycall "len" "abc"))
    (pyrite:pyexec "import _pyrite; atexit.register(_pyrite.finalizing)")
    (note (bt:join-thread (bt:make-thread (lambda () (pyrite:pycall "len" "abc")))))
    (pyrite/port:without-interrupts
      (cffi:foreign-funcall "PyGILState_Ensure" :int)
      (cffi:foreign-funcall "Py_FinalizeEx" :int))
    (note (pyrite:pycall "len" "abc"))
    (note (pyrite:pyeval "1"))
    (note (pyrite:pyslot-value *wrapper* "real"))
    (note (pyrite:pystart))
    (note (bt:join-thread (bt:make-thread (lambda () (handler-case (pyrite:pyeval "1")
                                                       (error (condition) (type-of condition)))))))
    (note (pyrite:with-python-gil 1))
    (note (stringp (princ-to-string *wrapper*)))
    (note (pyrite:python-alive-p))
    (note (pyrite:pystop))
    (setf *dropped* nil *wrapper* nil)
    (note (progn (trivial-garbage:gc :full t) :collected))
    (print (cons :results (reverse *results*))))
  "What is evaluated in the process.")

(test finalized.python
  (with-temporary-folder (folder)
    (let ((output (with-standard-io-syntax
                    (apply #'in-new-lisp folder (mapcar #'prin1-to-string *finalize*))))
          (expected (with-standard-io-syntax
                      (prin1-to-string
                       '(:results 3 3 3 python-start-error python-start-error python-start-error
                         python-start-error python-start-error python-start-error t nil nil :collected)))))
      (is (search (remove #\Newline expected)
                  (substitute #\Space #\Newline (remove #\Newline output)))
          "~A" output))))
