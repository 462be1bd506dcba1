;;;; Starting and stopping.

(in-package #:pyrite)

(defvar *disable-pystop* nil
  "When true, PYSTOP does nothing.")

(defvar *python-site-packages-path* nil
  "A folder, or a list of folders, strings or pathnames, where PYSTART has Python look for packages, too.

As Python's site.addsitedir(). Not needed for the packages of *PYTHON-EXECUTABLE-PATH*'s own environment.")

(defvar *pystart-verbosity* nil
  "Whether PYSTART prints by default which Python it starts.")

(pyrite/port:define-global **python** nil "The PYTHON that was last loaded.")

(defvar *start-lock* (bt:make-lock "Pyrite start"))

(defvar *starting* nil
  "True when this thread starts Python, which must not be begun again then.")

(defun site-packages-code ()
  "Python code that adds what is in *PYTHON-SITE-PACKAGES-PATH*, a list of lines."
  (loop for folder in (alexandria:ensure-list *python-site-packages-path*)
        collect (format nil "__import__('site').addsitedir('~{\\U~8,'0X~}')"
                        (map 'list #'char-code (uiop:native-namestring folder)))))

(defun write-configuration (python stream)
  "Print to STREAM what PYTHON, a PYTHON, is."
  (format stream "~&; Python ~A~%;   executable: ~A~%;   library:    ~A~%;   libpyrite:  ~A~%"
          (python-version python) (python-executable python) (python-libpython python)
          (or **library-path** (library-path))))

(defmacro unless-stopped (&body body)
  "Evaluate BODY; leave it when another thread stops Python meanwhile: who starts it again does the same."
  `(let ((*starting* t))
     (catch 'not-running ,@body)))

(defun start-and-connect (options)
  "Have libpyrite start Python with OPTIONS and connect its streams, whatever comes between: what other threads
write waits for that."
  (let ((status +ok+))
    (with-server-held
      (pyrite/port:with-cleanup
          (setf status (%start options))
        (when (and (eql status +ok+) (python-alive-p))
          (pyrite/port:python-started)
          ;; A throw out of here would be in the place of the exit that goes on.
          (unless-stopped (connect-streams)))))
    (check-status status)
    (unless-stopped (write-kept-output))))

(defun start-python (executable)
  "Have libpyrite start Python as EXECUTABLE would, with *ADDITIONAL-INIT-CODES*."
  (with-utf8 (path path-bytes executable)
    (with-utf8 (code code-bytes (start-code))
      (cffi:with-foreign-pointer (options +start-options-size+)
        (setf (cffi:mem-ref options :size 0) +start-options-size+
              (cffi:mem-ref options :pointer +start-options-executable+) path
              (cffi:mem-ref options :size (+ +start-options-executable+ 8)) path-bytes
              (cffi:mem-ref options :pointer +start-options-code+) code
              (cffi:mem-ref options :size (+ +start-options-code+ 8)) code-bytes
              (cffi:mem-ref options :uint32 +start-options-flags+)
              (logior +keep-signals+ (if pyrite/port:+uses-x87+ 0 +no-x87+))
              (cffi:mem-ref options :uint32 +start-options-interrupt-signal+) (pyrite/port:interrupt-signal))
        ;; Before others enter.
        (limit-results)
        (watch-types)
        (start-and-connect options)))))

(defun library-loaded-p ()
  (plusp **%start**))

(defun read-path (what)
  "Ask the user for the path of WHAT; a list of it."
  (format *query-io* "~&The path of ~A: " what)
  (finish-output *query-io*)
  (list (read-line *query-io*)))

(defun call-with-another (what conditions function)
  "The value of FUNCTION, which needs WHAT. Where it signals one of CONDITIONS there are two restarts: RETRY
calls it again, and USE-VALUE, too, with the path of another WHAT."
  (labels ((offered-p (condition)
             (or (null condition) (member (type-of condition) conditions)))
           (call (&rest path)
             (restart-case (return-from call-with-another (apply function path))
               (retry ()
                 :report (lambda (stream) (format stream "Look for ~A again." what))
                 :test offered-p
                 path)
               (use-value (other)
                 :report (lambda (stream) (format stream "Use another ~A." what))
                 :interactive (lambda () (read-path what))
                 :test offered-p
                 (list (uiop:native-namestring other))))))
    (loop for path = (call) then (apply #'call path))))

(defun load-and-start (&optional (executable (chosen-executable)))
  "Load libpython and libpyrite, and start Python as EXECUTABLE would run."
  (let ((python (find-python executable)))
    (check-python-home (python-executable python))
    (open-libpython python)
    (call-with-another "libpyrite" '(library-not-found abi-mismatch) #'load-libpyrite)
    (handler-bind ((pyrite-error (lambda (condition)
                                   (declare (ignore condition))
                                   (forget-library))))
      (start-python (python-executable python)))
    (setf **python** python)))

(defun pystart (&key (verbose *pystart-verbosity*))
  "Start Python, the one that *PYTHON-EXECUTABLE-PATH* or the environment chooses; true.

Nothing happens when it runs already. When it is started and VERBOSE is true, it is printed to
*STANDARD-OUTPUT* which one. Any number of threads may call this at once. Signals PYTHON-NOT-FOUND,
LIBRARY-NOT-FOUND, ABI-MISMATCH or PYTHON-START-ERROR, each saying what to do, with the restarts RETRY, and
USE-VALUE for the path of another Python executable, or of another libpyrite."
  (unless (python-alive-p)
    (bt:with-lock-held (*start-lock*)
      (use-call-mode *python-call-mode*)
      (unless (library-loaded-p)
        (call-with-another "Python executable" '(python-not-found python-start-error) #'load-and-start)))
    ;; Without the lock: it needs the GIL, and who has that may be on the way here.
    (unless (python-alive-p)
      (start-python ""))
    (when verbose (write-configuration **python** *standard-output*)))
  t)

(defun python-alive-p ()
  "True when Python runs."
  (eql 1 (%is-running)))

(defun python-start-if-not-alive ()
  "Start Python unless it runs. Every entry point does this."
  (unless (python-alive-p)
    (if *starting*
        (throw 'not-running nil)
        (pystart))))

(defun flush-own-python-output ()
  "Write what waits in Python to be written, of this thread, unless another has stopped Python."
  (unless-stopped
    (with-default-conversions
      (call-by-name (load-time-value (find-name "_pyrite_streams:flush_own") t)))))

(defun pystop ()
  "Stop Python: empty __main__ and run Python's garbage collector.

Wrappers made before signal STALE-OBJECT when they are used. The next call starts Python afresh, at
once. Nothing happens when *DISABLE-PYSTOP* is true or Python does not run."
  (unless (or *disable-pystop* (not (python-alive-p)))
    (unwind-protect (flush-own-python-output)
      (check-status (%stop))))
  nil)

(defun pyversion-info ()
  "Python's sys.version_info as a list, such as (3 11 7 \"final\" 0)."
  (with-default-conversions
    (call-python "lambda: tuple(__import__('sys').version_info)" '())))

(defvar *exit-patience* 5
  "How many seconds the end of this process waits for threads that Python code made, other than daemons.")

(defun end-python ()
  "Do what Python does at its end, when this process ends: wait for threads, run exit functions, flush."
  (replace-lost-workers)
  (%end (floor (* 1000 *exit-patience*))))

(defun end-python-to-save ()
  "Do so, too, when an image is about to be saved, which ends this process."
  (when (pyrite/port:savable-without-p (our-threads))
    (end-python)
    (when (python-alive-p)
      (flush-python-output)
      (finish-output *standard-output*)
      (finish-output *error-output*))))

(pyrite/port:add-exit-hook 'end-python)
;; Called before those that end threads.
(pyrite/port:add-save-hook 'end-python-to-save)
