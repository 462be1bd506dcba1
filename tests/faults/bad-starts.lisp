;;;; Pythons that do not start: a condition that says why, in a process that goes on.

(in-package #:pyrite/test)

(def-suite faults/bad-starts)
(in-suite faults/bad-starts)

(defparameter *without-home*
  '(progn (cffi:foreign-funcall "unsetenv" :string "PYTHONHOME" :int) (pyrite:pycall "abs" -3))
  "A call without the variable that was wrong.")

(test bad-starts.home
  "A PYTHONHOME that is not the Python's: said before any harm is done."
  (let ((python (format nil "PYRITE_PYTHON=~A" (pyrite::chosen-executable))))
    (with-temporary-folder (folder)
      (dolist (home (list "/nonexistent" (uiop:native-namestring folder)))
        (destructuring-bind (first second (three) third)
            (reports `((pyrite:pycall "abs" -1) (pyrite:pyeval "1") (list (+ 1 2)) ,*without-home*)
                     python (format nil "PYTHONHOME=~A" home))
          (is-true (report-p first 'python-start-error "PYTHONHOME" home "unset"))
          (is-true (report-p second 'python-start-error "PYTHONHOME" home))
          (is (eql 3 three))
          (is (eql 3 third)))))))

(test bad-starts.home-of-another-version
  (let* ((mine (pyrite::find-python))
         (other (find-if (lambda (executable)
                           (let ((python (handler-case (pyrite::find-python executable) (python-not-found () nil))))
                             (and python (string/= (pyrite::python-version mine) (pyrite::python-version python)))))
                         (pyenv-executables))))
    (if other
        (let ((home (subseq other 0 (search "/bin/python3" other))))
          (destructuring-bind (first second)
              (reports `((pyrite:pycall "abs" -1) ,*without-home*)
                       (format nil "PYRITE_PYTHON=~A" (pyrite::python-executable mine))
                       (format nil "PYTHONHOME=~A" home))
            (is-true (report-p first 'python-start-error "PYTHONHOME" home))
            (is (eql 3 second))))
        (skip "There is one version of Python here."))))

(test bad-starts.no-standard-library
  "An executable without its standard library cannot even be asked; another one can be used."
  (with-temporary-folder (folder)
    (let ((broken (write-script (merge-pathnames "python3" folder)
                                "echo 'ModuleNotFoundError: No module named encodings' >&2" "exit 1")))
      (destructuring-bind (first second third)
          (reports `((pyrite:pycall "abs" -1)
                     (handler-bind ((pyrite:python-not-found
                                      (lambda (condition)
                                        (use-value ,(pyrite::chosen-executable) condition))))
                       (pyrite:pycall "abs" -2))
                     (pyrite:pycall "abs" -3))
                   (format nil "PYRITE_PYTHON=~A" broken))
        (is-true (report-p first 'python-not-found broken "cannot be run"))
        (is (eql 2 second))
        (is (eql 3 third))))))

(test bad-starts.after-it-began
  "Where Python's own start fails, it has failed for this process, which says so and goes on."
  (with-temporary-folder (folder)
    (destructuring-bind (first second (three))
        (reports `((handler-bind ((warning #'muffle-warning))
                     ;; Set after all was looked at.
                     (defun pyrite::check-python-home (executable)
                       (declare (ignore executable))
                       (cffi:foreign-funcall "setenv" :string "PYTHONHOME"
                                                      :string ,(uiop:native-namestring folder) :int 1 :int))
                     (pyrite:pycall "abs" -1))
                   ,*without-home*
                   (list (+ 1 2)))
                 (format nil "PYRITE_PYTHON=~A" (pyrite::chosen-executable)))
      (is-true (report-p first 'python-start-error "did not start as"))
      (is-true (report-p second 'python-start-error "did not start as" "start another"))
      (is (eql 3 three)))))

(test bad-starts.init-code
  "Code that is to run at the start and fails: its error, and the next start tries again."
  (destructuring-bind (first second third)
      (reports '((let ((pyrite:*additional-init-codes* '("1 / 0"))) (pyrite:pycall "abs" -1))
                 (let ((pyrite:*additional-init-codes* '("__import__('sys').exit(3)"))) (pyrite:pycall "abs" -1))
                 (pyrite:pycall "abs" -3))
               (format nil "PYRITE_PYTHON=~A" (pyrite::chosen-executable)))
    (is-true (report-p first 'py-zero-division-error "division by zero"))
    (is-true (report-p second 'py-system-exit "3"))
    (is (eql 3 third))))
