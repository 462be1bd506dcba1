;;;; What programs written for py4cl2-cffi know, and what it means here.

(in-package #:pyrite)

(defparameter *internal-features* '(:typed-arrays :with-python-output)
  "What py4cl2-cffi says that it can do, a list of keywords. All of it can be done here, always.")

(define-symbol-macro +disable-pystop+ *disable-pystop*)

(setf (documentation '+disable-pystop+ 'variable)
      "The value of *DISABLE-PYSTOP*: no constant here, for PYSTOP asks each time.")

(defvar +py-none-pointer+ +py-none+
  "+PY-NONE+: there are no pointers to Python's objects here. It can be passed where one could.")

(defvar +py-empty-tuple-pointer+ +py-empty-tuple+
  "+PY-EMPTY-TUPLE+: there are no pointers to Python's objects here. It can be passed where one could.")

(defun pyvalue* (python-name-or-variable)
  "As PYVALUE, but the object itself, a PYOBJECT-WRAPPER: it is not converted.

A PYOBJECT-WRAPPER is returned as it is. Signals PYERROR when the name is undefined."
  (if (pyobject-wrapper-p python-name-or-variable)
      python-name-or-variable
      (with-remote-objects (pyvalue python-name-or-variable))))

(defun pytrack (object)
  "OBJECT, of any type: a wrapper keeps its object by itself, and nothing has to be tracked here."
  object)

;;; Garbage. An object is let go of when its wrapper is garbage in Lisp, without anything having to be said.
;;; What is left to say is when Python is to look for cycles.

(defvar *pygc-threshold* 1000
  "Of no effect: every object is let go of by itself. Python's own threshold is gc.set_threshold's.")

(pyrite/port:define-global **pygc-lock** (bt:make-lock "Pyrite pygc"))
(pyrite/port:define-global **pygc-depth** 0 "How many WITH-PYGC of all threads there are.")
(pyrite/port:define-global **pygc-resume** nil "Whether the last of them is to turn the collector on again.")

(defun call-collector (function)
  "Call FUNCTION, a string, of Python's module gc."
  (with-default-conversions
    (call-name (find-name (concatenate 'string "gc:" function)) '())))

(defun enable-pygc ()
  "Have Python look for cycles of garbage from time to time, as it does by itself: gc.enable(). NIL.

Only that: what is in no cycle is let go of at once anyway, and never has to be asked for."
  (call-collector "enable")
  nil)

(defun disable-pygc ()
  "Have Python not look for cycles of garbage until ENABLE-PYGC: gc.disable(). NIL."
  (call-collector "disable")
  nil)

(defun pause-collector ()
  "Turn Python's collector off, unless another WITH-PYGC has."
  (bt:with-lock-held (**pygc-lock**)
    (when (= 1 (incf **pygc-depth**))
      (when (setf **pygc-resume** (call-collector "isenabled"))
        (disable-pygc)))))

(defun resume-collector ()
  "Turn Python's collector on again if it was, after the last WITH-PYGC."
  (bt:with-lock-held (**pygc-lock**)
    (when (and (zerop (decf **pygc-depth**)) **pygc-resume**)
      (enable-pygc))))

(defun call-with-pygc (function)
  "Call FUNCTION while Python's collector is off: see WITH-PYGC."
  (let ((paused nil))
    (unwind-protect
         (progn (pause-collector)
                (setf paused t)
                (funcall function))
      (when paused (resume-collector)))))

(defmacro with-pygc (&body body)
  "Evaluate BODY while Python does not look for cycles of garbage; its values. Python does so again
afterwards, if it did before.

This makes it quicker to build up large structures in Python. Wrappers that are garbage, and objects in no
cycle, go meanwhile as always. Nothing has to be surrounded by it. It holds for all threads."
  `(call-with-pygc (lambda () ,@body)))
