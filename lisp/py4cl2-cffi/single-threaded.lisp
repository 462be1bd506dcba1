;;;; The package for programs that want all of Python on one thread. What reaches Python chooses that mode
;;;; when it is first called; everything else is the same as in the package PY4CL2-CFFI.

(defpackage #:py4cl2-cffi/single-threaded-implementation
  (:documentation "How the package PY4CL2-CFFI/SINGLE-THREADED comes about.")
  (:use #:cl))

(in-package #:py4cl2-cffi/single-threaded-implementation)

(eval-when (:compile-toplevel :load-toplevel :execute)
  (defparameter *functions*
    '(py4cl2-cffi:pystart py4cl2-cffi:python-start-if-not-alive py4cl2-cffi:pyversion-info
      py4cl2-cffi:enable-pygc py4cl2-cffi:disable-pygc
      py4cl2-cffi:pyvalue py4cl2-cffi:pyvalue* py4cl2-cffi:pycall py4cl2-cffi:pymethod
      py4cl2-cffi:pymethod-list py4cl2-cffi:pyslot-value py4cl2-cffi:pyslot-list py4cl2-cffi:pyref
      py4cl2-cffi:pyhelp py4cl2-cffi:py-repr py4cl2-cffi:chain* py4cl2-cffi:pyeval py4cl2-cffi:pyexec
      py4cl2-cffi:raw-pyeval py4cl2-cffi:raw-pyexec py4cl2-cffi:import-module py4cl2-cffi:import-function
      py4cl2-cffi:export-function py4cl2-cffi:pygenerator)
    "The functions that reach Python.")

  (defparameter *places*
    '(py4cl2-cffi:pyvalue py4cl2-cffi:pyslot-value py4cl2-cffi:pyref py4cl2-cffi:pyeval py4cl2-cffi:chain*)
    "Those that can be set.")

  (defparameter *macros*
    '(py4cl2-cffi:with-python-gil py4cl2-cffi:with-pygc py4cl2-cffi:with-python-output
      py4cl2-cffi:with-python-error-output)
    "The macros whose expansion does.")

  (defparameter *definers*
    '(py4cl2-cffi:defpyfun py4cl2-cffi:defpymodule)
    "The macros that do when they are expanded.")

  (defun own (symbol)
    "The symbol of our package that is called as SYMBOL."
    (find-symbol (symbol-name symbol) '#:py4cl2-cffi/single-threaded))

  (defun own-documentation (symbol)
    (format nil "As PYRITE:~A, after choosing the mode :DEDICATED-THREAD for good." symbol))

  (defun names (which)
    "The names of the symbols of PY4CL2-CFFI, those that are not our own for :SAME, else :ALL."
    (let ((own (append *functions* *macros* *definers* '(py4cl2-cffi:chain))) (names '()))
      (do-external-symbols (symbol '#:py4cl2-cffi (sort names #'string<))
        (when (or (eq which :all) (not (member symbol own)))
          (push (symbol-name symbol) names))))))

(defpackage #:py4cl2-cffi/single-threaded
  (:documentation "The names of the package PY4CL2-CFFI, of which those that reach Python choose the mode
:DEDICATED-THREAD first: see PYRITE:*PYTHON-CALL-MODE*.")
  (:use)
  (:import-from #:py4cl2-cffi . #.(names :same))
  (:export . #.(names :all)))

(defmacro define-single-threaded ()
  `(progn
     ,@(loop for symbol in *functions*
             collect `(defun ,(own symbol) (&rest arguments)
                        ,(own-documentation symbol)
                        (declare (dynamic-extent arguments))
                        (pyrite::use-dedicated-thread)
                        (apply ',symbol arguments)))
     ,@(loop for symbol in *places*
             collect `(defun (setf ,(own symbol)) (new-value &rest arguments)
                        ,(format nil "As (SETF PYRITE:~A)." symbol)
                        (pyrite::use-dedicated-thread)
                        (apply #'(setf ,symbol) new-value arguments)))
     ,@(loop for symbol in *macros*
             collect `(defmacro ,(own symbol) (&body body)
                        ,(own-documentation symbol)
                        `(progn (pyrite::use-dedicated-thread)
                                (,',symbol ,@body))))
     ,@(loop for symbol in *definers*
             collect `(defmacro ,(own symbol) (&rest arguments)
                        ,(own-documentation symbol)
                        (pyrite::use-dedicated-thread)
                        `(progn (eval-when (:compile-toplevel :load-toplevel :execute)
                                  (pyrite::use-dedicated-thread))
                                (,',symbol ,@arguments))))))

(define-single-threaded)

;; For editors.
(dolist (symbol *functions*)
  (multiple-value-bind (lambda-list known) (pyrite/port:function-lambda-list (fdefinition symbol))
    (when known
      (pyrite/port:show-lambda-list (own symbol) lambda-list))))

(defmacro py4cl2-cffi/single-threaded:chain (&rest chain)
  "As PYRITE:CHAIN, after choosing the mode :DEDICATED-THREAD for good."
  `(py4cl2-cffi/single-threaded:chain* ,@(loop for link in chain collect `',link)))
