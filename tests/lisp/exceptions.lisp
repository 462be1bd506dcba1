;;;; Condition classes of Python's exceptions.

(in-package #:pyrite/test)

(def-suite exceptions :in pyrite :description "Condition classes of Python's exceptions.")
(in-suite exceptions)

(defun condition-of (source)
  "The condition that executing SOURCE signals."
  (signalled (pyexec source)))

(test exceptions.numbers-are-the-header
  "The classes are numbered as in the header, and called as there."
  (let ((kinds (loop for (name . number) in (header-definitions)
                     when (uiop:string-prefix-p "KIND_" name)
                       collect (cons (substitute #\- #\_ (subseq name 5)) number))))
    (is (<= 68 (length kinds)))
    (is (= (length kinds) (1- (length pyrite::*exception-classes*))))
    (is-for-each (kind kinds)
      (equal (format nil "PY-~A" (car kind)) (symbol-name (svref pyrite::*exception-classes* (cdr kind)))))
    (is (eq 'simple-pyerror (pyrite::exception-class 0)))
    (is (eq 'py-exception (pyrite::exception-class 100000)) "One that only a later libpyrite knows.")))

(defun python-name (class)
  "The name that Python has for CLASS, which its documentation begins with."
  (let ((text (documentation class 'type)))
    (subseq text (length "Python's ") (position #\, text))))

(test exceptions.hierarchy-is-pythons
  "Every class that this Python has is a subclass of exactly those that it is in Python."
  (let ((classes (loop for class across (subseq pyrite::*exception-classes* 1)
                       unless (signalled (pyvalue (python-name class)))
                         collect (cons class (pyvalue (python-name class))))))
    (is (<= 60 (length classes)))
    (is-for-each (lower classes)
      (loop for upper in classes
            always (eq (and (subtypep (car lower) (car upper)) t)
                       (pycall "issubclass" (cdr lower) (cdr upper)))))))

(test exceptions.all-are-exported-and-handled
  (is-for-each (class (coerce pyrite::*exception-classes* 'list))
    (and (eq :external (nth-value 1 (find-symbol (symbol-name class) '#:pyrite)))
         (subtypep class 'simple-pyerror)
         (subtypep class 'pyerror)
         (subtypep class 'error))))

(test exceptions.raised
  (is-for-each (case '(("int('x')" py-value-error) ("{}[1]" py-key-error) ("[][1]" py-index-error)
                       ("1/0" py-zero-division-error) ("None.x" py-attribute-error) ("undefined" py-name-error)
                       ("import no_such_module" py-module-not-found-error) ("open('/no/such')" py-file-not-found-error)
                       ("f(" py-syntax-error) ("assert 0" py-assertion-error) ("1 + 'a'" py-type-error)
                       ("raise KeyboardInterrupt" py-keyboard-interrupt) ("raise SystemExit" py-system-exit)
                       ("raise StopIteration" py-stop-iteration) ("raise UserWarning" py-user-warning)
                       ("b'\\xff'.decode('utf-8')" py-unicode-decode-error) ("raise BaseException" py-base-exception)
                       ("raise Exception" py-exception)))
    (eq (second case) (type-of (condition-of (first case))))))

(test exceptions.handler-case
  (is (eq :value (handler-case (pycall "int" "x") (py-value-error () :value))))
  (is (eq :lookup (handler-case (pyeval "{}[1]") (py-value-error () :value) (py-lookup-error () :lookup))))
  (is (eq :simple (handler-case (pyeval "{}[1]") (py-value-error () :value) (simple-pyerror () :simple))))
  (is (eq :exception (handler-case (pyeval "{}[1]") (py-exception () :exception))))
  (is (eq :base (handler-case (pyexec "raise SystemExit") (py-exception () :exception) (py-base-exception () :base)))))

(test exceptions.aliases
  (is (eq (find-class 'py-io-error) (find-class 'py-os-error)))
  (is (eq (find-class 'py-environment-error) (find-class 'py-os-error)))
  (is (eq :io (handler-case (pyexec "open('/no/such')") (py-io-error () :io))))
  (is (eq 'py-os-error (type-of (condition-of "raise IOError('x')")))))

(test exceptions.nearest
  "Other classes are of their nearest builtin base."
  (is (eq 'py-value-error (type-of (condition-of "import json; json.loads('{')"))))
  (define-python "class OwnA(KeyError): pass" "class OwnB(OwnA, TypeError): pass" "class OwnC(Exception): pass"
                 "class Meta(type):" "    def __hash__(self): raise OSError" "    def __eq__(self, other): raise OSError"
                 "    def mro(cls): return list(reversed(type.mro(cls)[1:-3])) + [cls] + type.mro(cls)[-3:]"
                 "class OwnD(ArithmeticError, metaclass=Meta): __mro__ = 5")
  (is (eq 'py-key-error (type-of (condition-of "raise OwnA"))))
  (is (eq 'py-key-error (type-of (condition-of "raise OwnB"))))
  (is (eq 'py-exception (type-of (condition-of "raise OwnC"))))
  (is (typep (condition-of "raise OwnD") 'py-base-exception))
  (is (equal "OwnA" (pyerror-type (condition-of "raise OwnA"))))
  (with-numpy
    (is (typep (condition-of "import numpy; numpy.linalg.inv([[0.0]])") 'py-value-error))))

(test exceptions.groups
  (if (signalled (pyvalue "ExceptionGroup"))
      (skip "This Python has no exception groups.")
      (let ((condition (condition-of "raise ExceptionGroup('several', [ValueError(1), KeyError(2)])")))
        (is (typep condition 'py-exception-group))
        (is (typep condition 'py-base-exception-group))
        (is (typep condition 'py-exception))
        (is (eql 2 (length (pyslot-value (pyerror-value condition) "exceptions")))))))

(test exceptions.cause
  (let* ((condition (condition-of (format nil "try: 1 / 0~%except Exception as e: raise KeyError('x') from e")))
         (cause (pyerror-cause condition)))
    (is (eq 'py-key-error (type-of condition)))
    (is (pyobject-wrapper-p cause))
    (is (eq t (pyisinstance cause "ZeroDivisionError"))))
  (is (null (pyerror-cause (condition-of "raise KeyError"))))
  (is (null (with-remote-objects (pyerror-cause (condition-of "raise KeyError")))))
  (is (null (pyerror-cause (make-condition 'simple-pyerror)))))

(test exceptions.notes
  (is (null (pyerror-notes (condition-of "raise KeyError"))))
  (is (null (pyerror-notes (make-condition 'simple-pyerror))))
  (is (equal '("one" "2") (pyerror-notes (condition-of "e = KeyError(); e.__notes__ = ['one', 2]; raise e"))))
  (is (equal '("one") (with-remote-objects
                        (pyerror-notes (condition-of "e = KeyError(); e.__notes__ = ['one']; raise e"))))))

(test exceptions.report
  (is (equal "ValueError: ~A" (princ-to-string (condition-of "raise ValueError('~A')"))))
  (is (equal "KeyError" (princ-to-string (condition-of "raise KeyError")))))
