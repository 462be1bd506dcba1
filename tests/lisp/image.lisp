;;;; A saved image that starts again, in processes of their own.

(in-package #:pyrite/test)

(def-suite image :in pyrite :description "Saving an image and starting it.")
(in-suite image)

(defparameter *to-save*
  '((asdf:load-system "pyrite")
    (defvar *results* '())
    (defmacro note (form) `(push (handler-case ,form (error (condition) (type-of condition))) *results*))
    ;; A call site, a name of each kind, a wrapper: what a saved image may hold.
    (defun call-site () (pyrite:pycall "len" "abc"))
    (defun symbol-call-site () (pyrite:pycall 'abs -5))
    (defvar *wrapper* (pyrite:pycall "object"))
    (defvar *view* (pyrite:view-pyarray (pyrite:with-remote-objects (pyrite:pycall "bytearray" 3))))
    (defvar *closure* (pyrite:with-pyarray (view *view* :element-type '(unsigned-byte 8))
                        (lambda () (pyrite:pyaref view 0))))
    (funcall *closure*)
    (defvar *error* (handler-case (pyrite:pyeval "1 / 0") (error (condition) condition)))
    (call-site)
    (symbol-call-site)
    (pyrite:define-lispifier "complex" (object) (pyrite:pyslot-value object "real"))
    (pyrite:pyexec "from_before = 1")
    (defvar *numpy* (handler-case (progn (pyrite:import-module "numpy") t) (error () nil)))
    ;; What Python keeps when the image is saved.
    (defvar *array* (make-array 10 :element-type 'double-float :initial-element 1d0))
    (defvar *thing* (make-condition (quote simple-error)))
    (setf (pyrite:pyvalue "kept_thing") *thing*)
    (defun answer () 42)
    (defun define-in-thread ()
      (pyrite:pyexec "import threading
def in_thread(f):
    results = []
    thread = threading.Thread(target=lambda: results.append(f()))
    thread.start(); thread.join()
    return results[0]"))
    (define-in-thread)
    (setf (pyrite:pyvalue "kept_function") (function answer))
    (pyrite:pyeval "in_thread(kept_function)")
    (when *numpy* (setf (pyrite:pyvalue "kept_array") *array*))
    ;; An image is not saved while there are other threads: what Python keeps stays right.
    (defun fails-to-save-p (function)
      (let* ((over nil)
             (thread (uiop:symbol-call :sb-thread '#:make-thread (lambda () (loop until over do (sleep 0.01))))))
        (unwind-protect (handler-case (progn (funcall function) nil)
                          (error () t))
          (setf over t)
          (uiop:symbol-call :sb-thread '#:join-thread thread))))
    (defvar *not-saved* (fails-to-save-p (lambda () (uiop:symbol-call :sb-ext '#:save-lisp-and-die "not-saved.core"))))
    ;; SBCL itself does not get over that: without it, the next attempt fails.
    (uiop:symbol-call :sb-impl '#:finalizer-thread-start)
    ;; Threads of Python's are still answered, by a function that is lent already.
    (defvar *answered* (pyrite:pyeval "in_thread(kept_function)"))
    (defun garbage ()
      (dotimes (i 5)
        (let ((vectors (loop repeat 40000 collect (make-array 10 :element-type 'double-float))))
          (uiop:symbol-call :sb-ext '#:gc :full t)
          (length vectors))))
    (garbage)
    (defvar *kept-on*
      (or (not *numpy*)
          (progn (pyrite:pyexec "kept_array += 1")
                 (every (lambda (x) (= x 2)) *array*)))))
  "What is evaluated before the image is saved.")

(defparameter *to-note*
  '((pyrite:python-alive-p)
    (stringp (princ-to-string *wrapper*))
    (pyrite:pyarray-released-p *view*)
    (pyrite:pyaref *view* 0)
    (funcall *closure*)
    (pyrite:pyarray-pointer *view*)
    (pyrite:release-pyarray *view*)
    (pyrite:python-alive-p)
    (pyrite:pycall "id" *wrapper*)
    (call-site)
    (symbol-call-site)
    (pyrite:python-alive-p)
    (pyrite:pycall "id" *wrapper*)
    (pyrite:pyvalue "from_before")
    (pyrite:pyerror-type *error*)
    (pyrite:pyerror-traceback *error*)
    (pyrite:pyslot-value (pyrite:pyerror-value *error*) "args")
    (handler-case (pyrite:pyeval "1 / 0") (pyrite:pyerror (condition) (pyrite:pyerror-type condition)))
    (every (function pyrite:pyobject-wrapper-p) (pyrite:pyeval "[object() for i in range(10000)]"))
    (pyrite:pycall "lambda x: x * x" 7)
    (pyrite:pyeval "1.5 + 2j")
    (pyrite:py+ 3 4)
    *not-saved*
    *kept-on*
    *answered*
    (progn (define-in-thread)
           (pyrite:pycall "in_thread" (function answer)))
    ;; Python's streams are on a function that is lent.
    (count-if (lambda (place) (and (typep place 'pyrite::loan)
                                   (not (eq (function pyrite::answer-stream) (pyrite::loan-object place)))))
              pyrite::**loans**)
    (with-output-to-string (*standard-output*) (pyrite:pycall "print" "printed" :end ""))
    (eq *thing* (pyrite:pycall "lambda a: a" *thing*))
    (or (not *numpy*)
        (progn (setf (pyrite:pyvalue "kept_array") *array*)
               (garbage)
               (pyrite:pyexec "kept_array += 1")
               (and (eq *array* (pyrite:pyvalue "kept_array"))
                    (every (lambda (x) (= x 3)) *array*)))))
  "What the image evaluates when it starts.")

(defparameter *noted*
  '(nil t t pyrite:released-pyarray pyrite:released-pyarray pyrite:released-pyarray nil nil
    pyrite:stale-object 3 5 t pyrite:stale-object pyrite:py-name-error "ZeroDivisionError" ""
    pyrite:stale-object "ZeroDivisionError" t 49 1.5d0 7
    t t 42 42 0 "printed" t t)
  "What should come of it.")

(defparameter *to-save-in-dedicated-mode*
  '((asdf:load-system "pyrite")
    (defvar *results* '())
    (defmacro note (form) `(push (handler-case ,form (error (condition) (type-of condition))) *results*))
    (setf pyrite:*python-call-mode* :dedicated-thread)
    (pyrite:pycall "len" "abc"))
  "The same while one thread makes all calls: that thread must end before, and another be there afterwards.")

(defun script (core *to-save* *to-note*)
  "The forms of a program that saves an image to CORE."
  `((defpackage #:pyrite/test (:use #:cl))
    (require :asdf)
    (asdf:initialize-source-registry ',(loaded-registry))
    ,@*to-save*
    (uiop:symbol-call :sb-ext '#:save-lisp-and-die ,core
                      :toplevel (lambda ()
                                  ,@(loop for form in *to-note* collect `(note ,form))
                                  (with-standard-io-syntax (prin1 (reverse *results*)))
                                  (finish-output)
                                  (uiop:quit 0 nil)))))

(defun write-forms (path forms)
  "Write FORMS to the file PATH, one after another so that each can be read, and return its name."
  (apply #'write-file path
         (with-standard-io-syntax
           (loop for form in forms collect (prin1-to-string form)))))

(defun run-saved-image (folder to-save to-note)
  "What an image that is saved to FOLDER after TO-SAVE notes of TO-NOTE when it starts."
  (let* ((runtime (symbol-value (uiop:find-symbol* '#:*runtime-pathname* '#:sb-ext)))
         (core (uiop:native-namestring (merge-pathnames "saved.core" folder)))
         (script (write-forms (merge-pathnames "save.lisp" folder) (script core to-save to-note))))
    (uiop:run-program (list runtime "--noinform" "--no-sysinit" "--no-userinit" "--disable-debugger"
                            "--load" script))
    (with-input-from-string (stream (uiop:run-program (list runtime "--core" core "--noinform") :output :string))
      (with-standard-io-syntax (read stream)))))

(test image.starts-afresh
  "Nothing of Python is there until it is asked for; wrappers are stale; call sites and names work."
  (if (eq (uiop:implementation-type) :sbcl)
      (with-temporary-folder (folder)
        (is (equal *noted* (run-saved-image folder *to-save* *to-note*))))
      (skip "Saving an image is tested in SBCL only.")))

(test image.in-dedicated-mode
  (if (eq (uiop:implementation-type) :sbcl)
      (with-temporary-folder (folder)
        (is (equal '(:dedicated-thread 4 pyrite:py-zero-division-error 2)
                   (run-saved-image folder *to-save-in-dedicated-mode*
                                    '(pyrite:+python-call-mode+
                                      (pyrite:pycall "len" "abcd")
                                      (pyrite:pyeval "1 / 0")
                                      (pyrite:pycall "lambda f: f(1)" (function 1+)))))))
      (skip "Saving an image is tested in SBCL only.")))

(test image.library-is-found-again
  "What an image forgets when it is saved is found again by the next call, in the same process too."
  (python-start-if-not-alive)
  (let ((wrapper (pycall "object")))
    (pyrite::forget-library)
    (is-false (python-alive-p))
    (is-true (python-works-p))
    (is-true (python-alive-p))
    (is-true (pycall "lambda object: True" wrapper))))
