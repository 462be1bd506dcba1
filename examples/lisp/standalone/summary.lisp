;;;; summary.lisp: a command-line program of one file that calls Python. It reads numbers and prints what
;;;; Python's module statistics says of them.
;;;;
;;;;     ./build.sh FOLDER          make FOLDER/summary, and put libpyrite beside it
;;;;     seq 10 | FOLDER/summary    count 10, mean 5.5, median 5.5, stdev 3.03
;;;;     FOLDER/summary FILE...

(require :asdf)
(asdf:load-system "pyrite")

(defpackage #:summary
  (:use #:cl)
  (:export #:build))

(in-package #:summary)

;;; A package for a Python module. It is made now, while the program is built, from what the Python here says;
;;; the program finds the module again by its name, in the Python of the user.

(pyrite:defpymodule "statistics" nil :lisp-package "SUMMARY.STATISTICS" :silent t)

(defun numbers (stream)
  "The numbers in STREAM, a list of double floats."
  (let ((*read-default-float-format* 'double-float) (*read-eval* nil))
    (loop for number = (read stream nil)
          while number
          collect (if (realp number) (coerce number 'double-float) (error "~S is no number." number)))))

(defun all-numbers (files)
  (if files
      (loop for file in files
            append (with-open-file (stream file) (numbers stream)))
      (numbers *standard-input*)))

(defun print-summary (numbers)
  ;; A vector, since the empty list would be Python's False.
  (let ((numbers (coerce numbers 'vector)))
    (format t "count ~D, mean ~,2F, median ~,2F, stdev ~,2F~%" (length numbers)
            (summary.statistics:mean numbers)
            (summary.statistics:median numbers)
            (summary.statistics:stdev numbers))))

;;; What the program does. Whatever goes wrong is a Lisp condition: that there is no Python on this computer,
;;; too, for Python is looked for by the first call.

(defun fail (code control &rest arguments)
  (format *error-output* "summary: ~?~%" control arguments)
  (uiop:quit code))

(defun main ()
  (handler-case (print-summary (all-numbers (rest (uiop:raw-command-line-arguments))))
    (pyrite:python-not-found (condition) (fail 3 "~A" condition))
    (pyrite:library-not-found (condition) (fail 3 "~A" condition))
    (pyrite:pyerror (condition) (fail 2 "~A" (pyrite:pyerror-message condition)))
    (error (condition) (fail 1 "~A" condition)))
  ;; Python's exit functions run, and what it wrote is not lost.
  (uiop:quit 0))

(defun build (file)
  "Save this Lisp as the program FILE."
  (sb-ext:save-lisp-and-die file :executable t :save-runtime-options t :toplevel #'main))
