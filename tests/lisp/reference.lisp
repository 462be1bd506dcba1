;;;; docs/reference.md is what the exported symbols' documentation says, in the groups of lisp/package.lisp.
;;;; `make reference` writes it, by having PYRITE_ACCEPT set.

(in-package #:pyrite/test)

(def-suite reference :in pyrite :description "docs/reference.md")
(in-suite reference)

;;; What is exported

(defun exported-name (word)
  "The symbol of Pyrite that WORD, such as #:pycall, names."
  (or (find-symbol (string-upcase (subseq word 2)) '#:pyrite)
      (error "~A is not in the package." word)))

(defun export-groups ()
  "A list of lists of a title and symbols: the comments and names in the exports of lisp/package.lisp."
  (loop with groups = '()
        for line in (rest (member "(:export" (uiop:read-file-lines (project-file "lisp/package.lisp"))
                                  :test #'search))
        for text = (string-trim " ()" line)
        do (if (uiop:string-prefix-p ";; " text)
               (push (list (subseq text 3)) groups)
               (dolist (word (uiop:split-string text :separator " "))
                 (when (uiop:string-prefix-p "#:" word)
                   (push (exported-name word) (rest (first groups))))))
        finally (return (loop for (title . symbols) in (nreverse groups)
                              collect (cons title (reverse symbols))))))

;;; Lambda lists, from the sources: they are the same in every Lisp.

(defun source-forms (file)
  "The top-level forms of FILE."
  (with-open-file (stream file :external-format :utf-8)
    (let ((*package* (find-package '#:pyrite)))
      (loop for form = (read stream nil stream)
            until (eq form stream)
            collect form))))

(defun note-definition (form table)
  "Put into TABLE what FORM defines: a name, or a list of SETF and one, to its lambda list."
  (when (and (consp form) (symbolp (first form)))
    (let ((operator (symbol-name (first form))))
      (cond ((member operator '("DEFUN" "DEFMACRO" "DEFGENERIC" "DEFINE-MACRO" "DEFINE-TYPED") :test #'string=)
             (setf (gethash (second form) table) (third form)))
            ((string= operator "DEFINE-OPERATORS")
             (loop for (name lambda-list) in (rest form)
                   do (setf (gethash name table) lambda-list)))
            ((string= operator "DEFINE-CONDITION")
             (loop for slot in (fourth form)
                   do (loop for (key reader) on (rest slot) by #'cddr
                            when (member key '(:reader :accessor))
                              do (setf (gethash reader table) '(condition)))))))))

(defun lambda-lists ()
  "A table of the lambda lists of everything in lisp/."
  (let ((table (make-hash-table :test 'equal)))
    (dolist (file (lisp-files "lisp/") table)
      (dolist (form (source-forms file))
        (note-definition form table)))))

;;; Entries

(defun lambda-list-text (element)
  "ELEMENT of a lambda list as it is shown, without the variables that only say what was supplied."
  (typecase element
    (cons (format nil "(~{~A~^ ~})"
                  (mapcar #'lambda-list-text (if (and (cddr element) (null (cdddr element))
                                                      (symbolp (third element)))
                                                 (subseq element 0 2)
                                                 element))))
    (null "()")
    (string (prin1-to-string element))
    (t (string-downcase (princ-to-string element)))))

(defun syntax (name lambda-list)
  "How NAME, or (SETF NAME), is called."
  (if (consp name)
      (format nil "(setf (~(~A~)~{ ~A~}) new-value)" (second name)
              (mapcar #'lambda-list-text (rest lambda-list)))
      (format nil "(~(~A~)~{ ~A~})" name (mapcar #'lambda-list-text lambda-list))))

(defun function-kind (symbol)
  (cond ((macro-function symbol) "macro")
        ((typep (fdefinition symbol) 'generic-function) "generic function")
        (t "function")))

(defun type-kind (symbol)
  (cond ((subtypep symbol 'condition) "condition")
        ((subtypep symbol 'structure-object) "structure")
        (t "class")))

(defun variable-kind (symbol)
  (if (boundp symbol) "variable" "symbol macro"))

(defun entries-of (symbol lambda-lists)
  "What SYMBOL names: lists of how it is written, what kind of thing that is, and its documentation."
  (flet ((entry (name kind type)
           (let ((documentation (documentation name type)))
             (when documentation
               (list (list (if (member type '(function setf))
                               (syntax name (gethash name lambda-lists '(&rest arguments)))
                               (string-downcase name))
                           kind documentation))))))
    (append (when (or (boundp symbol) (nth-value 1 (macroexpand-1 symbol)))
              (entry symbol (variable-kind symbol) 'variable))
            (when (find-class symbol nil) (entry symbol (type-kind symbol) 'type))
            (when (fboundp symbol) (entry symbol (function-kind symbol) 'function))
            (when (and (fboundp `(setf ,symbol)) (gethash `(setf ,symbol) lambda-lists))
              (entry `(setf ,symbol) "place" 'function)))))

(defun write-entry (entry stream)
  (destructuring-bind (syntax kind documentation) entry
    (format stream "~%`~A` (~A)~%~%```text~%~A~%```~%" syntax kind (string-right-trim '(#\Newline) documentation))))

(defun reference-text ()
  "What docs/reference.md is to contain."
  (let ((lambda-lists (lambda-lists)))
    (with-output-to-string (stream)
      (format stream "# Reference~%~%Every symbol that the package `pyrite` exports. ~
                      Written by `make reference`; do not edit.~%")
      (loop for (title . symbols) in (export-groups)
            do (format stream "~%## ~A~%" title)
               (dolist (symbol symbols)
                 (dolist (entry (entries-of symbol lambda-lists))
                   (write-entry entry stream)))))))

;;; The file

(defun reference-file ()
  (project-file "docs/reference.md"))

(defun accept-reference ()
  "Write docs/reference.md."
  (with-open-file (stream (reference-file) :direction :output :if-exists :supersede :external-format :utf-8)
    (write-string (reference-text) stream)))

(test reference.groups
  "Every exported symbol is in a group, and there is something to say of it."
  (let ((symbols (loop for (nil . symbols) in (export-groups) append symbols)) (lambda-lists (lambda-lists)))
    (is (null (set-exclusive-or symbols (exports '#:pyrite))))
    (is-for-each (symbol symbols)
      (entries-of symbol lambda-lists))))

(test reference.is-up-to-date
  (when (uiop:getenvp "PYRITE_ACCEPT") (accept-reference))
  (let ((now (and (uiop:file-exists-p (reference-file))
                  (uiop:read-file-string (reference-file) :external-format :utf-8))))
    (is-true (equal now (reference-text))
             "docs/reference.md does not say what the documentation of the symbols does: make reference.")))
