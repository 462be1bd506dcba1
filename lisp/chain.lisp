;;;; Chains of calls, attributes and items. What is in the middle stays in Python.

(in-package #:pyrite)

(defun cross (keep function)
  "Cross with FUNCTION, which takes a frame and flags and returns a status; the value, or with KEEP the
object that it is, a TEMPORARY. Within WITH-TEMPORARIES."
  (declare (type function function))
  (if keep
      (with-crossing (frame #'take-temporary)
        (funcall function frame (logior +remote+ +as-ucs4+)))
      (with-crossing (frame)
        (funcall function frame (result-flags)))))

(defmacro with-kept ((variable form) &body body)
  "Evaluate BODY with VARIABLE bound to the value of FORM, which is released afterwards if it is a TEMPORARY."
  `(let ((,variable ,form))
     (unwind-protect (progn ,@body)
       (release-temporary ,variable))))

(defun fail-chain (link)
  (fail 'malformed-chain "~S is no link of a chain: an attribute is a symbol or a string, a method call ~
                          (name argument...), an item (aref index...)." link))

(defun check-link (link)
  "Signal MALFORMED-CHAIN when LINK is a list that is not proper."
  (unless (alexandria:proper-list-p link)
    (fail-chain link)))

;;; The first link

(defun first-link (link keep)
  "The value of LINK, the first of a chain."
  (cond ((consp link) (first-list link keep))
        ((variable-link-p link)
         (cross keep (lambda (frame flags) (cross-to-value link frame flags))))
        (keep link)
        (*remote-objects* (python-object link))
        (t (convert link))))

(defun variable-link-p (link)
  "True when LINK is a symbol that names something in Python."
  (and link (symbolp link) (not (eq link t)) (not (keywordp link))))

(defun first-list (link keep)
  "The value of LINK, a list and the first of a chain."
  (check-link link)
  (destructuring-bind (operator . arguments) link
    (cond ((named-p operator "@")
           (chain-value arguments keep))
          ((named-p operator "AREF")
           (unless arguments (fail-chain link))
           (with-kept (object (indexed-object (first arguments)))
             (item-of object (rest arguments) keep)))
          ((consp operator)
           (with-kept (function (first-list operator t))
             (call-of function arguments keep)))
          (t (call-of operator arguments keep)))))

(defun indexed-object (argument)
  "What ARGUMENT of AREF stands for: a variable, a chain, or data."
  (if (or (variable-link-p argument) (and (consp argument) (named-p (first argument) "@")))
      (first-link argument t)
      argument))

(defun call-of (function arguments keep)
  (cross keep (lambda (frame flags) (cross-to-call function arguments frame flags))))

(defun item-of (object indices keep)
  (cross keep (lambda (frame flags) (cross-to-item object indices frame flags))))

;;; Further links

(defun next-link (object link keep)
  "The value of LINK of OBJECT."
  (typecase link
    ((or string symbol)
     (cross keep (lambda (frame flags) (cross-to-slot object link frame flags))))
    (cons
     (check-link link)
     (destructuring-bind (operator . arguments) link
       (cond ((named-p operator "AREF") (item-of object arguments keep))
             ((and (typep operator '(or string symbol)) (not (named-p operator "@")))
              (cross keep (lambda (frame flags)
                            (cross-to-method object operator arguments frame flags))))
             (t (fail-chain link)))))
    (t (fail-chain link))))

(defun chain-value (links keep)
  "The value of the chain of LINKS. Each object is released as soon as the next is there."
  (unless links
    (fail 'malformed-chain "A chain without links has no value."))
  (let ((object (first-link (first links) (or (rest links) keep))))
    (loop for (link . more) on (rest links)
          do (setf object (with-kept (before object)
                            (next-link before link (or more keep)))))
    object))

(defun chain* (&rest chain)
  "The value of a chain of operations, converted to Lisp. Objects in the middle stay in Python.

The first link is what the chain begins with: a symbol is a Python variable, other data is itself;
(f argument...) is a call of what PYCALL calls, (aref object index...) an item as PYREF gives it,
((link) argument...) a call of what the inner link gives, and (@ link...) a chain of its own.

Further links: a symbol or string is an attribute, (name argument...) a method call with keyword
arguments as in PYCALL, (aref index...) an item. Arguments are Lisp data.

    (chain* \"hello {0}\" `(format ,argument) '(capitalize) '(aref 1))

Signals PYERROR, and MALFORMED-CHAIN for what is no link."
  (with-temporaries
    (chain-value chain nil)))

(defmacro chain (&rest chain)
  "As CHAIN*, but nothing in CHAIN is evaluated: (chain \"hello {0}\" (format \"world\") (capitalize)).

(setf (chain ...) value) sets the last attribute or item."
  `(chain* ,@(loop for link in chain collect `',link)))

;;; Assignment

(defun fail-assignment (link)
  (fail 'malformed-chain "~S cannot be assigned to: an attribute or an item can." link))

(defun place-link-p (link)
  "True when LINK, not the first, is an attribute or item."
  (typecase link
    ((or string symbol) t)
    (cons (named-p (first link) "AREF"))))

(defun set-link (object link value)
  "Set what LINK, not the first, is of OBJECT to VALUE."
  (if (consp link)
      (setf (apply #'pyref object (rest link)) value)
      (setf (pyslot-value object link) value)))

(defun set-first-link (link value)
  "Set what LINK, the only one, means to VALUE."
  (cond ((variable-link-p link)
         (setf (pyvalue link) value))
        ((not (consp link))
         (fail-assignment link))
        ((named-p (first link) "@")
         (setf (apply #'chain* (rest link)) value))
        ((and (named-p (first link) "AREF") (rest link))
         (with-kept (object (indexed-object (second link)))
           (setf (apply #'pyref object (cddr link)) value)))
        (t (fail-assignment link))))

(defun (setf chain*) (new-value &rest chain)
  "Set the last attribute or item of CHAIN, as for CHAIN*, to NEW-VALUE.

What it belongs to should live in Python, as a PYOBJECT-WRAPPER or a variable: else a copy changes."
  (let* ((links (butlast chain)) (place (first (last chain))))
    (when (consp place) (check-link place))
    (with-temporaries
      (cond ((null links) (set-first-link place new-value))
            ((place-link-p place)
             (with-kept (object (chain-value links t))
               (set-link object place new-value)))
            (t (fail-assignment place)))))
  new-value)
