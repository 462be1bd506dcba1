;;;; Which Python is chosen, and what is said when it cannot be embedded.

(in-package #:pyrite/test)

(def-suite python :in pyrite :description "Choosing the python executable.")
(in-suite python)

(defun call-where-nothing-chooses (function)
  "Call FUNCTION, with a temporary folder, where no setting and no ./.venv chooses a Python."
  (with-temporary-folder (folder)
    (with-environment (("PYRITE_PYTHON" nil) ("VIRTUAL_ENV" nil) ("CONDA_PREFIX" nil))
      (let ((*python-executable-path* nil))
        (uiop:with-current-directory (folder)
          (funcall function folder))))))

(defmacro where-nothing-chooses ((folder) &body body)
  `(call-where-nothing-chooses (lambda (,folder) ,@body)))

(defun fake-python (folder name &rest answers)
  "The name of a new script NAME in FOLDER that prints ANSWERS, whatever it is asked."
  (apply #'write-script (merge-pathnames name folder)
         (loop for answer in answers collect (format nil "echo '~A'" answer))))

(defun not-found-report (executable)
  "The report of the PYTHON-NOT-FOUND that EXECUTABLE is refused with, or NIL."
  (let ((*python-executable-path* executable))
    (handler-case (progn (pyrite::find-python) nil)
      (python-not-found (condition) (princ-to-string condition)))))

(defun mentions-p (report &rest texts)
  "True when all TEXTS are in REPORT."
  (every (lambda (text) (search text report)) texts))

;;; Who chooses

(test python.default
  (where-nothing-chooses (folder)
    (declare (ignorable folder))
    (is (equal "python3" (pyrite::chosen-executable)))))

(test python.dot-venv
  (where-nothing-chooses (folder)
    (fake-python folder ".venv/bin/python3")
    (is (mentions-p (pyrite::chosen-executable) ".venv/bin/python3"))
    (is (uiop:absolute-pathname-p (pyrite::chosen-executable)))))

(test python.python-when-there-is-no-python3
  (where-nothing-chooses (folder)
    (fake-python folder ".venv/bin/python")
    (is (mentions-p (pyrite::chosen-executable) ".venv/bin/python"))))

(test python.precedence
  "PYRITE_PYTHON, $VIRTUAL_ENV, $CONDA_PREFIX, ./.venv: each wins over those after it."
  (where-nothing-chooses (folder)
    (let ((conda (fake-python folder "conda/bin/python3"))
          (venv (fake-python folder "venv/bin/python3")))
      (fake-python folder ".venv/bin/python3")
      (flet ((prefix (name) (uiop:native-namestring (merge-pathnames name folder))))
        (with-environment (("CONDA_PREFIX" (prefix "conda")))
          (is (equal conda (pyrite::chosen-executable)))
          (with-environment (("VIRTUAL_ENV" (prefix "venv")))
            (is (equal venv (pyrite::chosen-executable)))
            (with-environment (("PYRITE_PYTHON" "some-python"))
              (is (equal "some-python" (pyrite::chosen-executable)))
              (let ((*python-executable-path* "another-python"))
                (is (equal "another-python" (pyrite::chosen-executable)))))))))))

(test python.empty-variables-choose-nothing
  (where-nothing-chooses (folder)
    (declare (ignorable folder))
    (with-environment (("PYRITE_PYTHON" "") ("VIRTUAL_ENV" "") ("CONDA_PREFIX" ""))
      (is (equal "python3" (pyrite::chosen-executable))))))

(test python.path-may-be-a-pathname
  (let ((*python-executable-path* #p"/some/where/python3"))
    (is (equal "/some/where/python3" (pyrite::chosen-executable)))))

(test python.prefix-with-a-final-slash
  (where-nothing-chooses (folder)
    (let ((venv (fake-python folder "venv/bin/python3")))
      (with-environment (("VIRTUAL_ENV" (uiop:native-namestring (merge-pathnames "venv/" folder))))
        (is (equal venv (pyrite::chosen-executable)))))))

(test python.prefix-with-odd-characters
  "Brackets, stars and spaces mean something in Lisp pathnames, and nothing in a folder's name."
  (where-nothing-chooses (folder)
    (let ((prefix (format nil "~Aold [2] * env" (uiop:native-namestring folder))))
      (uiop:run-program (list "mkdir" "-p" (format nil "~A/bin" prefix)))
      (uiop:run-program (list "touch" (format nil "~A/bin/python3" prefix)))
      (uiop:run-program (list "chmod" "+x" (format nil "~A/bin/python3" prefix)))
      (with-environment (("VIRTUAL_ENV" prefix))
        (is (equal (format nil "~A/bin/python3" prefix) (pyrite::chosen-executable)))))))

(test python.variable-names-no-environment
  "A stale VIRTUAL_ENV is an error that names it, not a fall back to another Python."
  (where-nothing-chooses (folder)
    (dolist (variable '("VIRTUAL_ENV" "CONDA_PREFIX"))
      (call-with-environment
       (list (cons variable (uiop:native-namestring (merge-pathnames "gone" folder))))
       (lambda ()
         (let ((condition (signalled (pyrite::chosen-executable))))
           (is (typep condition 'python-not-found))
           (is (mentions-p (princ-to-string condition) variable "gone"))))))))

;;; What cannot be embedded

(test python.missing
  (let ((report (not-found-report "/nonexistent/bin/python3")))
    (is-true (stringp report))
    (is (mentions-p report "/nonexistent/bin/python3" "PYRITE_PYTHON" "*PYTHON-EXECUTABLE-PATH*"
                    "apt-get install"))))

(test python.not-executable
  (with-temporary-folder (folder)
    (is-true (not-found-report (write-file (merge-pathnames "python3" folder) "print(1)")))
    (is-true (not-found-report (uiop:native-namestring folder)))))

(test python.fails-when-run
  (with-temporary-folder (folder)
    (let ((script (write-script (merge-pathnames "python3" folder) "exit 3")))
      (is (mentions-p (not-found-report script) script)))))

(test python.answers-nothing
  (with-temporary-folder (folder)
    (let ((script (fake-python folder "python3")))
      (is (mentions-p (not-found-report script) script)))
    (is-true (not-found-report (fake-python folder "python4" "hello")))))

(test python.other-implementation
  (with-temporary-folder (folder)
    (let ((script (fake-python folder "pypy3" "/usr/bin/pypy3" "3.11" "pypy" "0" "/usr/lib/libpypy.so"
                               "/usr")))
      (is (mentions-p (not-found-report script) "/usr/bin/pypy3" "pypy" "CPython")))))

(test python.free-threaded
  (with-temporary-folder (folder)
    (let ((script (fake-python folder "python3" "/usr/bin/python3.13t" "3.13" "cpython" "1"
                               "/usr/lib/libpython3.13t.so" "/usr")))
      (is (mentions-p (not-found-report script) "/usr/bin/python3.13t" "free-threaded")))))

(test python.no-libpython-of-debian
  "The message names the library and the command that installs it."
  (with-temporary-folder (folder)
    (let ((script (fake-python folder "python3" "/usr/bin/python3" "3.11" "cpython" "0" "" "/usr")))
      (is (mentions-p (not-found-report script)
                      "libpython3.11.so" "apt-get install libpython3.11")))))

(test python.no-libpython-elsewhere
  (with-temporary-folder (folder)
    (let ((script (fake-python folder "python3" "/opt/bin/python3" "3.12" "cpython" "0" "" "/opt")))
      (is (mentions-p (not-found-report script) "/opt/bin/python3" "libpython3.12.so" "--enable-shared"))
      (is (not (mentions-p (not-found-report script) "apt-get"))))))

;;; What can

(test python.chosen-one-can-be-embedded
  (let ((python (pyrite::find-python)))
    (is (uiop:file-exists-p (pyrite::python-libpython python)))
    (is (mentions-p (pyrite::python-libpython python) "libpython" (pyrite::python-version python)))))

(test python.describes-itself
  "The fake one's answers are taken as they are."
  (with-temporary-folder (folder)
    (let* ((*python-executable-path*
             (fake-python folder "python3" "/there/python3" "3.14" "cpython" "0" "/there/libpython.so" "/there"))
           (python (pyrite::find-python)))
      (is (equal "/there/python3" (pyrite::python-executable python)))
      (is (equal "3.14" (pyrite::python-version python)))
      (is (equal "/there/libpython.so" (pyrite::python-libpython python))))))

(test python.environment-does-not-disturb-the-question
  "PYTHONPATH and PYTHONSTARTUP may hold anything: the question is asked in isolation."
  (with-temporary-folder (folder)
    (write-file (merge-pathnames "sysconfig.py" folder) "raise SystemExit(5)")
    (with-environment (("PYTHONPATH" (uiop:native-namestring folder)))
      (is (typep (pyrite::find-python) 'pyrite::python)))))

(test python.another-one-by-restart
  "Who is told that there is no Python can say which there is, and say it again."
  (flet ((find-one ()
           (pyrite::python-executable
            (pyrite::call-with-another "Python executable" '(python-not-found)
                                       (lambda (&optional (path *python-executable-path*))
                                         (pyrite::find-python path))))))
    (let ((wanted (pyrite::python-executable (pyrite::find-python)))
          (names '("/nonexistent/bin/python4"))
          (*python-executable-path* "/nonexistent/bin/python3"))
      (is (equal wanted
                 (handler-bind ((python-not-found (lambda (condition)
                                                    (use-value (or (pop names) wanted) condition))))
                   (find-one))))
      (signals python-not-found (find-one)))))
