;;;; Starting and stopping.

(in-package #:pyrite)

(defvar *additional-init-codes* '()
  "A list of strings of Python code that PYSTART executes, before any thread's call enters Python.")

(defvar *disable-pystop* nil
  "When true, PYSTOP does nothing.")

(defvar *start-lock* (bt:make-lock "Pyrite start"))

(defun start-python (executable)
  "Have libpyrite start Python as EXECUTABLE would, with *ADDITIONAL-INIT-CODES*."
  (with-utf8 (path path-bytes executable)
    (with-utf8 (code code-bytes (format nil "~{~A~%~}" *additional-init-codes*))
      (cffi:with-foreign-pointer (options +start-options-size+)
        (setf (cffi:mem-ref options :size 0) +start-options-size+
              (cffi:mem-ref options :pointer +start-options-executable+) path
              (cffi:mem-ref options :size (+ +start-options-executable+ 8)) path-bytes
              (cffi:mem-ref options :pointer +start-options-code+) code
              (cffi:mem-ref options :size (+ +start-options-code+ 8)) code-bytes
              (cffi:mem-ref options :uint64 +start-options-flags+)
              (logior +keep-signals+ (if pyrite/port:+uses-x87+ 0 +no-x87+)))
        (check-status (%start options))
        (watch-types)))))

(defun library-loaded-p ()
  (plusp **%start**))

(defun pystart ()
  "Start Python, the one that *PYTHON-EXECUTABLE-PATH* or the environment chooses; true.

Nothing happens when it runs already. Any number of threads may call this at once. Signals
PYTHON-NOT-FOUND, LIBRARY-NOT-FOUND, ABI-MISMATCH or PYTHON-START-ERROR, each saying what to do."
  (unless (python-alive-p)
    (bt:with-lock-held (*start-lock*)
      (if (library-loaded-p)
          (start-python "")
          (let ((python (find-python)))
            (load-library python)
            (handler-bind ((pyrite-error (lambda (condition)
                                           (declare (ignore condition))
                                           (forget-library))))
              (start-python (python-executable python)))))))
  t)

(defun python-alive-p ()
  "True when Python runs."
  (eql 1 (%is-running)))

(defun python-start-if-not-alive ()
  "Start Python unless it runs. Every entry point does this."
  (unless (python-alive-p)
    (pystart)))

(defun pystop ()
  "Stop Python: empty __main__ and run Python's garbage collector.

Wrappers made before signal STALE-OBJECT when they are used. The next call starts Python afresh, at
once. Nothing happens when *DISABLE-PYSTOP* is true or Python does not run."
  (unless (or *disable-pystop* (not (python-alive-p)))
    (check-status (%stop)))
  nil)

(defun pyversion-info ()
  "Python's sys.version_info as a list, such as (3 11 7 \"final\" 0)."
  (with-default-conversions
    (call-python "lambda: tuple(__import__('sys').version_info)" '())))
