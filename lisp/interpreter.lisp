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
          (python-version python) (python-executable python) (python-libpython python) (library-path)))

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
              (cffi:mem-ref options :uint64 +start-options-flags+)
              (logior +keep-signals+ (if pyrite/port:+uses-x87+ 0 +no-x87+)))
        (check-status (%start options))
        (watch-types)
        ;; When another thread stops Python meanwhile, who starts it again does that.
        (let ((*starting* t))
          (catch 'not-running (connect-streams)))))))

(defun library-loaded-p ()
  (plusp **%start**))

(defun choose-python ()
  "As FIND-PYTHON, with a restart STORE-VALUE that sets *PYTHON-EXECUTABLE-PATH* and looks again."
  (loop
    (restart-case (return (find-python))
      (store-value (executable)
        :report "Set *PYTHON-EXECUTABLE-PATH* to the path of another Python, and start that."
        :interactive read-new-value
        (setf *python-executable-path* executable)))))

(defun pystart (&key (verbose *pystart-verbosity*))
  "Start Python, the one that *PYTHON-EXECUTABLE-PATH* or the environment chooses; true.

Nothing happens when it runs already. When it is started and VERBOSE is true, it is printed to
*STANDARD-OUTPUT* which one. Any number of threads may call this at once. Signals PYTHON-NOT-FOUND,
LIBRARY-NOT-FOUND, ABI-MISMATCH or PYTHON-START-ERROR, each saying what to do. Around the first of these there
is a restart STORE-VALUE that sets *PYTHON-EXECUTABLE-PATH* and starts that Python."
  (unless (python-alive-p)
    (bt:with-lock-held (*start-lock*)
      (use-call-mode *python-call-mode*)
      (if (library-loaded-p)
          (start-python "")
          (let ((python (choose-python)))
            (load-library python)
            (handler-bind ((pyrite-error (lambda (condition)
                                           (declare (ignore condition))
                                           (forget-library))))
              (start-python (python-executable python)))
            (setf **python** python)))
      (when verbose (write-configuration **python** *standard-output*))))
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

(defun pystop ()
  "Stop Python: empty __main__ and run Python's garbage collector.

Wrappers made before signal STALE-OBJECT when they are used. The next call starts Python afresh, at
once. Nothing happens when *DISABLE-PYSTOP* is true or Python does not run."
  (unless (or *disable-pystop* (not (python-alive-p)))
    (unwind-protect (flush-python-output)
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

(pyrite/port:add-exit-hook 'end-python)
