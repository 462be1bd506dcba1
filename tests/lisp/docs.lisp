;;;; The examples in README.md and docs/: every block marked as Lisp is read and evaluated, form by form,
;;;; and a form's value is compared with what is written after it:
;;;;
;;;;     (form) ;=> value, as PRINC-TO-STRING would not be needed to compare: EQUALP
;;;;     (form) ;!> the beginning of the report of the error that it signals

(in-package #:pyrite/test)

(def-suite docs :description "The examples in README.md and docs/." :in pyrite)
(in-suite docs)

(defun documents ()
  "The files whose examples are run."
  (let ((root (asdf:system-relative-pathname "pyrite" "../")))
    (cons (merge-pathnames "README.md" root)
          (directory (merge-pathnames "docs/*.md" root)))))

(defparameter *needs* '(("tutorial" "pandas" "sklearn" "matplotlib"))
  "The modules that the examples of some files need, by the files' names.")

(defun needs-met-p (file)
  "True when Python has the modules that the examples of FILE need."
  (every (lambda (module) (not (signalled (import-module module))))
         (rest (assoc (pathname-name file) *needs* :test #'string=))))

(defun lisp-blocks (file)
  "The texts of the blocks of FILE that are marked as Lisp."
  (with-open-file (stream file :external-format :utf-8)
    (loop with block = nil
          for line = (read-line stream nil)
          while line
          if (and (not block) (string= line "```lisp")) do (setf block (make-string-output-stream))
          else if (and block (string= line "```"))
                 collect (get-output-stream-string (shiftf block nil))
          else if block do (write-line line block))))

(defun example-package ()
  "A fresh package for the examples of one file."
  (when (find-package '#:pyrite/example) (delete-package '#:pyrite/example))
  (make-package '#:pyrite/example :use '(#:cl #:pyrite)))

(defun skip-blank (text start)
  (or (position-if-not (lambda (character) (member character '(#\Space #\Newline #\Tab))) text :start start)
      (length text)))

(defun expectation (text start)
  "The mark, :VALUE or :ERROR, and the text after it when one begins at START; where it ends."
  (let* ((end (or (position #\Newline text :start start) (length text)))
         (mark (and (< (+ start 3) end) (subseq text start (+ start 3)))))
    (cond ((equal mark ";=>") (values :value (subseq text (+ start 3) end) end))
          ((equal mark ";!>") (values :error (string-trim " " (subseq text (+ start 3) end)) end))
          (t (values nil nil start)))))

(defun holds-p (form mark expected)
  "Whether FORM does what is written after it."
  (let* ((condition nil)
         (value (handler-case (eval form)
                  (error (error) (setf condition error)))))
    (ecase mark
      ((nil) (not condition))
      (:value (and (not condition) (equalp value (read-from-string expected))))
      (:error (and condition (uiop:string-prefix-p expected (princ-to-string condition)))))))

(defun wrong-examples (text)
  "The forms of TEXT that do not do what is written after them, and how many forms there are."
  (loop with wrong = '() and count = 0
        for start = (skip-blank text 0) then (skip-blank text start)
        while (< start (length text))
        do (if (char= (char text start) #\;)
               (setf start (or (position #\Newline text :start start) (length text)))
               (multiple-value-bind (form end) (read-from-string text t nil :start start)
                 (multiple-value-bind (mark expected after) (expectation text (skip-blank text end))
                   (incf count)
                   (unless (holds-p form mark expected) (push form wrong))
                   (setf start (if mark after end)))))
        finally (return (values (nreverse wrong) count))))

(test docs.examples
  (let ((total 0))
    (with-numpy
      (dolist (file (remove-if-not #'needs-met-p (documents)))
        (let ((*package* (example-package)))
          (dolist (block (lisp-blocks file))
            (multiple-value-bind (wrong count) (wrong-examples block)
              (incf total count)
              (is (null wrong) "~A: ~S" (file-namestring file) wrong)))))
      (is (plusp total) "There are no examples."))))

;;; The tests that docs/reliability.md names

(defun quoted-words (line)
  "What stands between backquotes in the last column of LINE, a row of a table."
  (let ((column (car (last (uiop:split-string line :separator "|") 2))))
    (loop for (nil word) on (uiop:split-string column :separator "`") by #'cddr
          when word collect word)))

(defun defines-test-p (file name)
  "True when FILE defines the test NAME: in Lisp or Rust, or a function of C."
  (let ((text (uiop:read-file-string file)))
    (flet ((defined-p (before after)
             (loop with pattern = (concatenate 'string before name)
                   for start = (search pattern text) then (search pattern text :start2 (1+ start))
                   while start
                   thereis (let ((end (+ start (length pattern))))
                             (and (< end (length text)) (find (char text end) after))))))
      (if (equal (pathname-type file) "lisp")
          (defined-p "(test " '(#\Newline #\Space #\)))
          (or (defined-p "fn " "(") (defined-p "void " "("))))))

(defun named-tests ()
  "Pairs of a file and the name of a test, as docs/reliability.md has them."
  (loop with file = nil
        for line in (uiop:read-file-lines (project-file "docs/reliability.md"))
        when (and (uiop:string-prefix-p "| " line) (digit-char-p (char line 2)))
          append (loop for word in (quoted-words line)
                       if (find #\/ word) do (setf file (project-file word))
                       else collect (cons file word))))

(test docs.reliability
  "Every test that it names is there."
  (let ((tests (named-tests)))
    (is (< 100 (length tests)))
    (is-for-each (test tests)
      (and (uiop:file-exists-p (car test))
           (defines-test-p (car test) (cdr test))))))
