;;;; Printing never fails.

(in-package #:pyrite/test)

(def-suite print :in pyrite :description "Printing Python objects.")
(in-suite print)

(defun object-of-class (&rest lines)
  "An object of a new Python class with LINES in its body."
  (pyexec (format nil "class Printed:~%~{    ~A~%~}" lines))
  (pycall "Printed"))

(test print.shows-str-and-type
  (let* ((object (object-of-class "def __str__(self): return 'the text of it'"))
         (printed (princ-to-string object)))
    (is (search "the text of it" printed))
    (is (search "Printed" printed))
    (is (search "PYOBJECT-WRAPPER" (string-upcase printed)))))

(test print.tildes-are-text
  (is (search "~A ~S 100%" (princ-to-string (object-of-class "def __str__(self): return '~A ~S 100%'")))))

(test print.without-the-object
  (let ((object (object-of-class "def __str__(self): return 'the text of it'")))
    (let ((*print-pyobject* nil))
      (is (not (search "the text of it" (princ-to-string object))))
      (let ((*print-pyobject-wrapper-identity* nil))
        (is (stringp (princ-to-string object)))))))

(test print.without-identity
  (let ((object (object-of-class "def __str__(self): return 'the text of it'"))
        (*print-pyobject-wrapper-identity* nil))
    (is (equal "the text of it" (princ-to-string object)))))

(defparameter *broken-classes*
  '(("def __str__(self): raise ValueError('broken')")
    ("def __str__(self): return 5")
    ("def __str__(self): return None")
    ("def __str__(self): import sys; sys.exit(3)")
    ("def __str__(self): raise KeyboardInterrupt")
    ("def __str__(self): return str(self)")
    ("def __repr__(self): raise BaseException(self)")
    ("def __getattribute__(self, name): raise RuntimeError(name)" "def __str__(self): raise RuntimeError()")
    ("__class__ = property(lambda self: 1 / 0)")
    ("__class__ = 5"))
  "Bodies of classes whose objects cannot be printed properly.")

(test print.broken
  (is-for-each (body *broken-classes*)
    (let ((object (apply #'object-of-class body)))
      (and (stringp (princ-to-string object))
           (stringp (prin1-to-string object))
           (stringp (format nil "~A ~S" object (list object)))
           (let ((*print-pyobject-wrapper-identity* nil))
             (stringp (princ-to-string object))))))
  (is-true (python-works-p)))

(test print.odd-text
  "Text that no terminal would like, and an empty one."
  (is-for-each (source '("''" "'\\n\\n'" "'\\0'" "'\\U0001F600'" "'\\ud800'" "'x' * 100000"))
    (stringp (princ-to-string (object-of-class (format nil "def __str__(self): return ~A" source))))))

(test print.stale
  (let ((object (pycall "object")))
    (pystop)
    (is (search "not run" (princ-to-string object)))
    (is (not (python-alive-p)) "Printing started Python.")
    (pystart)
    (is (search "gone" (princ-to-string object)))))

(test print.stopped
  (let ((object (pycall "object")))
    (pystop)
    (is (stringp (princ-to-string object)))
    (is (stringp (princ-to-string +py-none+)))
    (is (stringp (princ-to-string +py-empty-tuple+)))
    (is (not (python-alive-p)) "Printing started Python.")))

(test print.with-remote-objects
  (let ((object (object-of-class "def __str__(self): return 'the text of it'")))
    (is (search "the text of it" (with-remote-objects (princ-to-string object))))
    (is (search "5" (princ-to-string (with-remote-objects (pyeval "5")))))))

(test print.constants
  (is (search "None" (princ-to-string +py-none+)))
  (is (search "()" (princ-to-string +py-empty-tuple+))))

(test print.conditions
  "The reports of errors that hold wrappers can be printed, too."
  (is-for-each (body *broken-classes*)
    (let ((object (apply #'object-of-class body)))
      (and (stringp (princ-to-string (signalled (pycall "int" object))))
           (stringp (prin1-to-string (signalled (pycall object))))))))

(test print.py-repr
  (is-for-each (pair '((5 "5") (1.5d0 "1.5") ("it's" "\"it's\"") (nil "False") (t "True")
                       ((1 2) "(1, 2)") (#(1 "a") "[1, 'a']") (foo-bar "'foo_bar'")))
    (equal (second pair) (py-repr (first pair))))
  (is (equal "None" (py-repr +py-none+)))
  (is (equal "()" (py-repr +py-empty-tuple+)))
  (is (equal "<class 'int'>" (py-repr (pyvalue "int"))))
  (is (equal "5" (with-remote-objects (py-repr 5))))
  (raises "ZeroDivisionError" (py-repr (object-of-class "def __repr__(self): 1 / 0"))))
