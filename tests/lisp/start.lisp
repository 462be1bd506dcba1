;;;; The first start in a process, and what many threads use for the first time at once. Needs a process
;;;; of its own, which tests/run.lisp gives each suite.

(in-package #:pyrite/test)

(def-suite start :in pyrite :description "The first start in a process.")
(in-suite start)

(defun fresh-process-p ()
  "True when libpyrite is not loaded yet in this process."
  (zerop (symbol-value (cdr (first pyrite::**functions**)))))

(defun check-before-the-first-use ()
  "Loading the system loads no library; asking whether Python runs does neither."
  (is-false (python-alive-p))
  (finishes (pystop))
  (is (stringp (princ-to-string +py-none+)))
  (is-true (fresh-process-p)))

(defun check-failing-starts ()
  "A start that fails says why from whatever call it came, and leaves everything as it was."
  (let ((*python-executable-path* "/nonexistent/bin/python3"))
    (dolist (function (list #'pystart
                            (lambda () (pycall "len" "abc"))
                            (lambda () (pyeval "1"))
                            (lambda () (with-python-gil 1))))
      (signals python-not-found (funcall function))))
  (with-environment (("PYRITE_LIBRARY" "/nonexistent/libpyrite.so"))
    (signals library-not-found (pycall "len" "abc")))
  (is-false (python-alive-p))
  (is-true (fresh-process-p)))

(defun check-first-use-by-many-threads ()
  "Eight threads whose first call is the first of all."
  (is (same (loop for i below 8 collect (list (1+ i) (format nil "~D" i) (vector i)))
            (in-threads 8 (lambda (i)
                            (list (pycall "lambda x: x + 1" i)
                                  (pymethod "{}" "format" i)
                                  (pyeval (format nil "[~D]" i)))))))
  (is-true (python-alive-p))
  (is-false (fresh-process-p)))

(defun check-new-names-in-many-threads ()
  "Eight threads that use the same new names for the first time at once."
  (flet ((use-names (i)
           (declare (ignore i))
           (loop for j below (scaled 500)
                 always (let ((name (format nil "new_name_~D" j)))
                          (setf (pyvalue name) j)
                          (and (eql j (pyvalue name))
                               (equal "a" (pymethod (format nil "a~D" j) "replace" (format nil "~D" j) "")))))))
    (is (equal '(t t t t t t t t) (in-threads 8 #'use-names)))))

(test start.first-use
  ;; One test: the order of tests is not the same in every Lisp.
  (cond ((fresh-process-p)
         (check-before-the-first-use)
         (check-failing-starts)
         (check-first-use-by-many-threads)
         (check-new-names-in-many-threads))
        (t (skip "Needs a fresh process."))))
