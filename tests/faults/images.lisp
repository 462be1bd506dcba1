;;;; Saved images that start elsewhere: with another Python, with the library in another place, or gone.

(in-package #:pyrite/test)

(def-suite faults/images)
(in-suite faults/images)

(defmacro with-images (&body body)
  `(if (eq (uiop:implementation-type) :sbcl)
       (progn ,@body)
       (skip "Only SBCL saves images.")))

(defparameter *note*
  '(defmacro note (&rest forms)
    `(list ,@(loop for form in forms
                   collect `(handler-case ,form (error (condition) (type-of condition))))))
  "What an image evaluates its forms with.")

(defparameter *started-before*
  '((pyrite:pyexec "import threading
def from_before(): return 1")
    (pyrite:defpymodule "statistics" nil :lisp-package "IMAGE-STATISTICS")
    (pyrite:defpyfun "sqrt" "math" :lisp-fun-name "IMAGE-SQRT")
    (defvar *wrapper* (pyrite:pycall "object"))
    (defvar *view* (pyrite:view-pyarray (pyrite:with-remote-objects (pyrite:pycall "bytearray" 3))))
    (defvar *array* (make-array 3 :element-type 'double-float :initial-contents '(1d0 2d0 3d0)))
    (defvar *calls* 0)
    (defun count-call () (incf *calls*))
    (setf (pyrite:pyvalue "kept") (function count-call))
    (ignore-errors (setf (pyrite:pyvalue "kept_array") *array*))
    (pyrite:pyexec "def in_thread(f):
    results = []
    thread = threading.Thread(target=lambda: results.append(f()))
    thread.start(); thread.join()
    return results[0]")
    (pyrite:pyeval "in_thread(kept)")
    (defvar *error* (handler-case (pyrite:pyeval "1 / 0") (pyrite:pyerror (condition) condition))))
  "What an image holds in which Python ran.")

(defparameter *noted-afterwards*
  '((pyrite:python-alive-p)
    (subseq (pyrite:pyversion-info) 0 2)
    (pyrite:pyeval "__import__('sys').executable")
    (uiop:symbol-call :image-statistics '#:mean '(1 2 3 6))
    (round (funcall (find-symbol "IMAGE-SQRT" :cl-user) 16))
    (pyrite:pycall "id" *wrapper*)
    (progn (princ-to-string *wrapper*) (pyrite:pyaref *view* 0))
    (pyrite:pyerror-type *error*)
    (pyrite:pyerror-traceback *error*)
    (pyrite:pycall "from_before")
    *calls*
    (pyrite:pycall (pyrite:pyeval "lambda f: f()") (function count-call))
    (handler-case (coerce (pyrite:pycall "list" *array*) 'list)
      ;; Not every Python here has numpy.
      (pyrite:py-module-not-found-error () (coerce *array* 'list)))
    (loop repeat 3 do (uiop:symbol-call :sb-ext '#:gc :full t)
          always (eql 3 (pyrite:pycall "len" "abc")))
    (pyrite:pyeval "'{}'.format(7)"))
  "What is evaluated when it starts.")

(defun expected (version executable)
  "What comes of that in a Python of VERSION whose program is EXECUTABLE."
  `(nil ,version ,executable 3 4 pyrite:stale-object pyrite:released-pyarray "ZeroDivisionError" ""
    pyrite:py-name-error 1 2 (1d0 2d0 3d0) t "7"))

(defun image-script (core before noted options)
  "The forms of a program that evaluates BEFORE and saves an image to CORE, which prints what NOTED gives."
  `((defpackage #:pyrite/test (:use #:cl))
    (require :asdf)
    (asdf:initialize-source-registry ',(loaded-registry))
    (asdf:load-system "pyrite")
    ,*note*
    ,@before
    (uiop:symbol-call :sb-ext '#:save-lisp-and-die ,core
                      :toplevel (lambda ()
                                  (let ((noted (note ,@noted)))
                                    (with-standard-io-syntax (print (cons :noted noted)))
                                    (finish-output)
                                    (uiop:quit 0)))
                      ,@options)))

(defun save-image (folder before noted &rest options)
  "Save an image to FOLDER; its file, and what the process wrote that did so."
  (let* ((core (uiop:native-namestring (merge-pathnames "image" folder)))
         (script (write-forms (merge-pathnames "save.lisp" folder) (image-script core before noted options))))
    (values core (run-for-a-minute (lisp-command script)))))

(defun noted (command &rest environment)
  "What the image that COMMAND, a list, starts notes in ENVIRONMENT; all it writes, if it notes nothing."
  (multiple-value-bind (output code) (run-for-a-minute command :environment environment)
    (let ((start (search "(:NOTED" output)))
      (if (and start (eql code 0))
          (with-standard-io-syntax (rest (read-from-string output t nil :start start)))
          output))))

(defun core-command (core)
  (list (first (lisp-command "")) "--core" core "--noinform" "--disable-ldb" "--lose-on-corruption"))

(defun pythons ()
  "Pythons that can be embedded, as lists of their versions and programs."
  (remove nil
          (loop for executable in (list* (pyrite::chosen-executable)
                                         (pyenv-executables))
                collect (let ((python (handler-case (pyrite::find-python executable) (python-not-found () nil))))
                          (and python (list (pyrite::python-version python) (pyrite::python-executable python)))))))

(defun version-numbers (version)
  (mapcar #'parse-integer (uiop:split-string version :separator ".")))

(test images.another-python
  "An image in which Python ran, started with each Python that is here."
  (with-images
    (with-temporary-folder (folder)
      (let ((command (core-command (save-image folder *started-before* *noted-afterwards*))))
        (loop for (version executable) in (pythons)
              do (is (equal (expected (version-numbers version) executable)
                            (noted command (format nil "PYRITE_PYTHON=~A" executable)))))))))

(test images.without-python
  "An image in which Python never ran."
  (with-images
    (with-temporary-folder (folder)
      (is (equal '(nil 4 t)
                 (noted (core-command (save-image folder '()
                                                  '((pyrite:python-alive-p)
                                                    (pyrite:pycall "abs" -4)
                                                    (pyrite:python-alive-p))))))))))

(defparameter *where-it-is*
  '((pyrite:pycall "abs" -4)
    (handler-bind ((pyrite:library-not-found
                     (lambda (condition) (use-value (uiop:getenv "MOVED_LIBRARY") condition)))
                   (pyrite:python-not-found
                     (lambda (condition) (use-value (uiop:getenv "MOVED_PYTHON") condition))))
      (pyrite:pycall "abs" -5))
    pyrite::**library-path**)
  "A call that fails when something is missing, and one that is helped.")

(test images.library-elsewhere
  "The library or Python has moved: the first call says so, and can be told where it is."
  (with-images
    (with-temporary-folder (folder)
      (let* ((library (pyrite::library-path))
             (python (pyrite::chosen-executable))
             (moved (uiop:native-namestring (merge-pathnames "moved.so" folder)))
             (command (core-command (save-image folder '((pyrite:pycall "abs" -1)) *where-it-is*))))
        (uiop:run-program (list "cp" library moved))
        (flet ((noted-with (&rest environment)
                 (apply #'noted command (format nil "MOVED_LIBRARY=~A" moved) (format nil "MOVED_PYTHON=~A" python)
                        environment)))
          (is (equal (list 4 5 library) (noted-with (format nil "PYRITE_PYTHON=~A" python))))
          (is (equal (list 4 5 moved) (noted-with (format nil "PYRITE_LIBRARY=~A" moved))))
          (is (equal (list 'library-not-found 5 moved) (noted-with "PYRITE_LIBRARY=/nonexistent/libpyrite.so")))
          (is (equal (list 'python-not-found 5 library) (noted-with "PYRITE_PYTHON=/nonexistent/python3")))
          (is (equal (list 'python-not-found 5 moved)
                     (noted-with "PYRITE_PYTHON=/nonexistent/python3"
                                 "PYRITE_LIBRARY=/nonexistent/libpyrite.so"))))))))

(test images.library-beside-the-program
  "A program that comes with its libpyrite needs nothing else of the system, not even its files."
  (with-images
    (with-temporary-folder (folder)
      (let* ((beside (uiop:native-namestring (merge-pathnames "libpyrite.so.0" folder)))
             (program (save-image folder
                                  ;; What another machine does not have.
                                  '((defmethod asdf:perform :before ((o asdf:load-op) c) (error "No files: ~A" c))
                                    (defun asdf:system-relative-pathname (&rest arguments) (error "~S" arguments)))
                                  '((pyrite:pycall "abs" -4) pyrite::**library-path**)
                                  :executable t)))
        (uiop:run-program (list "cp" (pyrite::library-path) beside))
        (is (equal (list 4 beside) (noted (list program))))
        (is (equal (list 4 beside) (noted (list "sh" "-c" "cd / && \"$1\"" "sh" program)
                                          (format nil "PYRITE_PYTHON=~A" (pyrite::python-executable (pyrite::find-python))))))
        (uiop:run-program (list "rm" beside))
        (is (eq 'library-not-found (first (noted (list program)))))))))

(test images.end-of-python
  "What Python has to do at its end is done before an image is saved."
  (with-images
    (with-temporary-folder (folder)
      (is (equal '("waits" "thread" "atexit")
                 (loop with output = (nth-value 1 (save-image folder
                                                              '((setf pyrite:*exit-patience* 1000)
                                                                (pyrite:raw-pyexec "import atexit, threading, time
atexit.register(lambda: print('mark:atexit', end=''))
threading.Thread(target=lambda: (time.sleep(0.5), print('mark:thread'))).start()
print('mark:waits')"))
                                                              '()))
                       for start = (search "mark:" output) then (search "mark:" output :start2 (1+ start))
                       while start
                       collect (subseq output (+ start 5) (position-if-not #'alpha-char-p output :start (+ start 5)))))))))

;;; The example

(defun registry-text ()
  (with-standard-io-syntax (prin1-to-string (loaded-registry))))

(test images.standalone-example
  "examples/lisp/standalone: a program of its own that is moved after it was made."
  (with-images
    (with-temporary-folder (folder)
      (let ((built (uiop:native-namestring (merge-pathnames "built" folder)))
            (moved (uiop:native-namestring (merge-pathnames "moved" folder))))
        (multiple-value-bind (output code)
            (run-for-a-minute (list (uiop:native-namestring (project-file "examples/lisp/standalone/build.sh")) built)
                              :environment (list (format nil "CL_SOURCE_REGISTRY=~A" (registry-text))
                                                 (format nil "PYRITE_LIBRARY=~A" (pyrite::library-path))))
          (is (eql 0 code) "~A" output))
        (uiop:run-program (list "mv" built moved))
        (flet ((summary (input &key arguments (python (pyrite::chosen-executable)))
                 (multiple-value-list
                  (run-for-a-minute (cons (format nil "~A/summary" moved) arguments)
                                    :input input
                                    :environment (list "PYRITE_LIBRARY=" (format nil "PYRITE_PYTHON=~A" python))))))
          (is (equal (list (format nil "count 4, mean 2.50, median 2.50, stdev 1.29~%") 0) (summary "1 2 3 4")))
          (let ((file (write-file (merge-pathnames "numbers" folder) "1 1" "4")))
            (is (equal (list (format nil "count 3, mean 2.00, median 1.00, stdev 1.73~%") 0)
                       (summary "" :arguments (list file)))))
          (is (equal (list (format nil "summary: mean requires at least one data point~%") 2) (summary "")))
          (is (equal (list (format nil "summary: (A B) is no number.~%") 1) (summary "(a b)")))
          (destructuring-bind (output code) (summary "1 2" :python "/nonexistent/python3")
            (is (eql 0 (search "summary: The Python executable /nonexistent/python3 cannot be run" output)))
            (is (eql 3 code))))))))

(test images.failed-save
  "Where an image cannot be saved, because a callback runs or another thread does, everything goes on."
  (with-images
    (flet ((save ()
             (handler-case (uiop:symbol-call :sb-ext '#:save-lisp-and-die "/nonexistent/image")
               (error () :not-saved))))
      (define-python "import threading"
        "def ask(f):"
        "    results = []"
        "    thread = threading.Thread(target=lambda: results.append(f()))"
        "    thread.start(); thread.join()"
        "    return results[0]")
      (setf (pyvalue "answer") (lambda () 42))
      (is (eql 42 (pyeval "ask(answer)")))
      (let* ((over nil) (thread (bt:make-thread (lambda () (loop until over do (sleep 0.01))))))
        (unwind-protect
             (dotimes (i 3)
               (is (eq :not-saved (save)))
               (is (eql 42 (pyeval "ask(answer)"))))
          (setf over t)
          (bt:join-thread thread)))
      (uiop:symbol-call :sb-impl '#:finalizer-thread-start)
      (is-true (alive-p)))))
