;;;; What every symbol and every file of the project keeps to.

(in-package #:pyrite/test)

(def-suite hygiene :in pyrite :description "Exports, documentation, portability.")
(in-suite hygiene)

;;; Exports

(defun exports (package)
  "The symbols that PACKAGE exports."
  (let ((symbols '()))
    (do-external-symbols (symbol package symbols)
      (push symbol symbols))))

(defun meanings (symbol)
  "What SYMBOL names, a list of documentation types."
  (append (when (or (fboundp symbol) (macro-function symbol)) '(function))
          (when (or (boundp symbol) (nth-value 1 (macroexpand-1 symbol))) '(variable))
          (when (find-class symbol nil) '(type))))

(test hygiene.exports-mean-something
  (is (< 40 (length (exports '#:pyrite))))
  (is-for-each (symbol (exports '#:pyrite))
    (meanings symbol)))

(test hygiene.exports-are-documented
  "DESCRIBE says something of every exported name, and starts with a sentence."
  (is-for-each (symbol (exports '#:pyrite))
    (loop for meaning in (meanings symbol)
          thereis (let ((text (documentation symbol meaning)))
                    (and (stringp text) (< 5 (length text)))))))

(test hygiene.special-variables-are-special
  (is-for-each (symbol (remove-if-not (lambda (symbol)
                                        (uiop:string-prefix-p "*" (symbol-name symbol)))
                                      (exports '#:pyrite)))
    (boundp symbol)))

(test hygiene.no-clashes-with-cl
  "A program can use the package next to COMMON-LISP."
  (is-for-each (symbol (exports '#:pyrite))
    (not (nth-value 1 (find-symbol (symbol-name symbol) '#:cl)))))

;;; Files

(defun lisp-files (folder)
  "The Lisp files of the project's FOLDER."
  (or (uiop:directory-files (project-file folder) "*.lisp")
      (error "There are no files in ~A." folder)))

(defparameter *implementations*
  '("sbcl" "ecl" "ccl" "clozure" "openmcl" "abcl" "allegro" "excl" "lispworks" "cmu" "cmucl" "clisp" "clasp" "mkcl")
  "Features that name implementations.")

(defun without-comments (line)
  "LINE up to its comment, if it has one."
  (subseq line 0 (position #\; line)))

(defun conditional-on-implementation-p (line)
  "True when LINE has a reader conditional on an implementation, or a name of one's package."
  (let ((line (string-downcase (without-comments line))))
    (or (loop for start = (or (search "#+" line) (search "#-" line))
              while start
              thereis (let ((end (position (if (char= #\( (char line (+ start 2))) #\) #\Space) line
                                           :start (+ start 2))))
                        (some (lambda (name) (search name line :start2 start :end2 end)) *implementations*))
              do (setf line (subseq line (+ start 2))))
        (some (lambda (prefix) (search prefix line))
              '("sb-ext:" "sb-sys:" "sb-kernel:" "sb-int:" "sb-impl:" "sb-vm:" "sb-thread:" "ccl:" "(ext:"
                "(si:" "(mp:" "(ffi:")))))

(test hygiene.implementations-differ-in-port-only
  (is-for-each (file (lisp-files "lisp/"))
    (notany #'conditional-on-implementation-p (uiop:read-file-lines file)))
  (is-true (conditional-on-implementation-p "  #+sbcl (foo)"))
  (is-true (conditional-on-implementation-p "  #-(or sbcl ecl) (foo)"))
  (is-true (conditional-on-implementation-p "  (sb-ext:gc)"))
  (is-false (conditional-on-implementation-p "  #+linux 1 ; not on sbcl")))

(test hygiene.files-are-short
  (is-for-each (file (append (lisp-files "lisp/") (lisp-files "lisp/port/") (lisp-files "tests/lisp/")))
    (<= (length (uiop:read-file-lines file)) 400)))

(test hygiene.files-are-of-the-system
  "No file lies beside the systems unread."
  (flet ((names (system)
           (labels ((leaves (component)
                      (if (typep component 'asdf:parent-component)
                          (mapcan #'leaves (asdf:component-children component))
                          (list (file-namestring (asdf:component-pathname component))))))
             (leaves (asdf:find-system system)))))
    (is (null (set-difference (mapcar #'file-namestring (lisp-files "lisp/")) (names "pyrite") :test #'equal)))
    (is (null (set-difference (mapcar #'file-namestring (lisp-files "tests/lisp/")) (names "pyrite/test")
                              :test #'equal)))))

;;; Ports

(defun without-package-prefixes (text)
  "TEXT with the colons after package names replaced, so that it can be read where they do not exist."
  (let ((text (copy-seq text)))
    (loop for i from 1 below (length text)
          when (and (char= #\: (char text i))
                    (or (alphanumericp (char text (1- i)))
                        (char= #\/ (char text (1- i)))))
            do (setf (char text i) #\/)
          finally (return text))))

(defun port-forms (name)
  "The top-level forms of the port to the Lisp NAME, read by this one."
  (loop for file in (lisp-files "lisp/port/")
        when (or (uiop:string-prefix-p name (pathname-name file))
                 (and (string/= name "sbcl") (equal "no-faults" (pathname-name file))))
          append (file-forms file)))

(defun file-forms (file)
  "The forms in FILE, which may name packages that this Lisp lacks."
  (let ((*package* (find-package '#:pyrite/port)) (end (list nil)))
    (with-input-from-string (stream (without-package-prefixes (uiop:read-file-string file)))
      (loop for form = (read stream nil end)
            until (eq form end)
            collect form))))

(defun defined-names (forms)
  "The names that the top-level FORMS define."
  (loop for form in forms
        when (and (consp form) (symbolp (first form)) (symbolp (second form))
                  (uiop:string-prefix-p "DEF" (symbol-name (first form))))
          collect (second form)
        when (and (consp form) (member (first form) '(progn eval-when)))
          append (defined-names (rest form))))

(test hygiene.ports-define-everything
  "The file of each port, that of a Lisp which is not here too, defines every name of the contract."
  (is (< 10 (length (exports '#:pyrite/port))))
  (is-for-each (name '("sbcl" "ecl" "ccl"))
    (let ((missing (set-difference (exports '#:pyrite/port) (defined-names (port-forms name)))))
      (or (null missing) (error "Not defined: ~S" missing)))))

(test hygiene.this-port-defines-everything
  (is-for-each (symbol (exports '#:pyrite/port))
    (meanings symbol)))

(test hygiene.port-macros-take-a-body
  "The lambda lists of the ports agree: same number of required parameters."
  (flet ((required (name symbol)
           (loop for form in (port-forms name)
                 when (and (eq symbol (second form)) (member (first form) '(defun defmacro)))
                   return (length (loop for parameter in (third form)
                                        until (member parameter lambda-list-keywords)
                                        collect parameter)))))
    (is-for-each (symbol (exports '#:pyrite/port))
      (= 1 (length (remove-duplicates (list (required "sbcl" symbol) (required "ecl" symbol)
                                            (required "ccl" symbol))))))))
