;;;; Compile the systems of this project from scratch; any WARNING or STYLE-WARNING is a failure, also
;;;; those of undefined names and those at load. Compiler notes are none. tests/lint.sh runs this.
;;;;
;;;; PYRITE_LINT_FASLS is an empty folder for what is compiled. Exits with code 22 when all is well.

(setf *load-verbose* nil
      *compile-verbose* nil
      *compile-print* nil)

(require :asdf)

(defparameter *project*
  (uiop:pathname-parent-directory-pathname (uiop:pathname-directory-pathname *load-truename*)))

(defparameter *systems*
  (append '("pyrite" "pyrite/iterate" "pyrite/py4cl2-cffi/config" "pyrite/py4cl2-cffi" "pyrite/test")
          (when (uiop:file-exists-p (merge-pathnames "bench/bench.lisp" *project*)) '("pyrite/bench")))
  "The systems to compile.")

(asdf:initialize-source-registry
 `(:source-registry (:also-exclude "cl-asdf")
                    (:directory ,(merge-pathnames "lisp/" *project*))
                    (:tree "/usr/share/common-lisp/source/")
                    :ignore-inherited-configuration))

;;; Only this project's files are compiled anew: what other systems compile to is taken as it is.
(asdf:initialize-output-translations
 (let ((fasls (uiop:ensure-directory-pathname (uiop:getenv "PYRITE_LINT_FASLS"))))
   `(:output-translations
     ((,*project* :**/ :*.*.*) (,fasls :**/ :*.*.*))
     :inherit-configuration)))

(defvar *warnings* '()
  "What was warned of, as text, last first.")

(defun uninteresting-p (condition)
  "True when CONDITION says that a definition was compiled and is now loaded from the same file."
  (let ((type (uiop:find-symbol* '#:uninteresting-redefinition '#:sb-kernel nil)))
    (and type (typep condition type))))

(defun note-warning (condition)
  "Remember the warning CONDITION, with the file that it is about."
  (unless (uninteresting-p condition)
    (push (format nil "~@[~A: ~]~A: ~A"
                  (when *compile-file-truename* (uiop:enough-pathname *compile-file-truename* *project*))
                  (type-of condition) condition)
          *warnings*)))

(defun load-quietly (name)
  "Compile and load the system NAME. What compilers print is shown only when that fails."
  (let* ((said (make-string-output-stream))
         (loaded (let ((*standard-output* said) (*error-output* said)
                       ;; A failure is warned of like the rest, and the next file's turn comes.
                       (uiop:*compile-file-failure-behaviour* :warn))
                   (handler-case (asdf:load-system name)
                     (error (condition) (format said "~&~A~%" condition) nil)))))
    (unless loaded
      (write-string (get-output-stream-string said))
      (push (format nil "~A cannot be loaded" name) *warnings*))))

(defun check-system (name)
  "Compile and load the system NAME; its warnings are remembered."
  (handler-bind ((warning #'note-warning))
    (load-quietly name)))

(defun load-dependencies (name)
  "Load what the system NAME depends on and is not this project's."
  (dolist (dependency (asdf:system-depends-on (asdf:find-system name)))
    (unless (member dependency *systems* :test #'equal)
      (load-quietly dependency))))

(mapc #'load-dependencies *systems*)
;; Nothing of these is to be looked at again, and warned of.
(dolist (name (asdf:already-loaded-systems))
  (unless (member name *systems* :test #'equal)
    (asdf:register-immutable-system name)))
(mapc #'check-system *systems*)

(format t "~{~A~%~}" (reverse *warnings*))
(format t "lint ~(~A~): ~D warning~:P~%" (uiop:implementation-type) (length *warnings*))
(finish-output)
(uiop:quit (if *warnings* 1 22) nil)
