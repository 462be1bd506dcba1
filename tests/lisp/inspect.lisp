;;;; Types, attribute names, help.

(in-package #:pyrite/test)

(def-suite inspect :in pyrite :description "What Python says of its objects.")
(in-suite inspect)

(test inspect.type-of
  (is-for-each (case `((5 "int") ("x" "str") (nil "bool") ((1) "tuple") (#(1) "list") (,+py-none+ "NoneType")
                       (,(pyeval "object()") "object") (,(pyvalue "int") "type")))
    (let ((type (pytype-of (first case))))
      (and (pyobject-wrapper-p type) (equal (second case) (pyslot-value type "__name__")))))
  (is-true (pyobject-wrapper-eq (pytype-of 5) (pyvalue "int")))
  (is (equal "5" (pycall (pytype-of "x") 5))))

(test inspect.isinstance
  (import-module "collections")
  (is-for-each (arguments `((5 "int") (5 "object") (t "int") (5 ("str" "int")) (5 ,(pyvalue "int"))
                            (5 (,(pyvalue "str") "int")) (5 int) (5 (float int)) (#(1) "list")
                            (,(pycall "collections.OrderedDict") "dict")
                            (,(pycall "collections.OrderedDict") "collections.OrderedDict")))
    (eq t (apply #'pyisinstance arguments)))
  (is-for-each (arguments `((5 "str") (5 ("str" "float")) (nil "str") ("int" "int")))
    (eq nil (apply #'pyisinstance arguments)))
  (is (eq t (with-remote-objects (pyisinstance 5 "int"))))
  (signals py-name-error (pyisinstance 5 "no_such_class"))
  (signals py-type-error (pyisinstance 5 5))
  (signals py-type-error (pyisinstance 5 nil)))

(test inspect.attribute-names
  (define-python "class Attributes:" "    def __init__(self): self.slot, self.called = 1, len" "    def method(self): pass"
                 "    @property" "    def broken(self): raise ValueError" "    @property" "    def computed(self): return 5")
  (let ((object (pycall "Attributes")))
    (is (subsetp '("method" "called" "__init__") (pymethod-list object) :test #'equal))
    (is (subsetp '("slot" "broken" "computed" "__dict__") (pyslot-list object) :test #'equal))
    (is (null (intersection (pymethod-list object) (pyslot-list object) :test #'equal)))
    (is (equal (sort (append (pymethod-list object) (pyslot-list object)) #'string<)
               (coerce (pycall "dir" object) 'list)))
    (is (vectorp (pymethod-list object :as-vector t)))
    (is (equal (pyslot-list object) (coerce (pyslot-list object :as-vector t) 'list)))
    (is (equal (pymethod-list object) (with-remote-objects (pymethod-list object)))))
  (is (member "upper" (pymethod-list "abc") :test #'equal))
  (is (member "real" (pyslot-list 5) :test #'equal))
  (define-python "class Nothing:" "    def __dir__(self): return []")
  (is (null (pymethod-list (pycall "Nothing"))))
  (is (equalp #() (pyslot-list (pycall "Nothing") :as-vector t))))

(defun help (thing)
  "What PYHELP prints of THING."
  (with-output-to-string (*standard-output*)
    (is (null (multiple-value-list (pyhelp thing))))))

(test inspect.help
  (is (mentions-p (help "len") "len(obj, /)" "number of items"))
  (is (mentions-p (help 'len) "len(obj, /)"))
  (is (mentions-p (help (pyvalue "len")) "len(obj, /)"))
  (is (mentions-p (help "str.upper") "upper"))
  (is (mentions-p (help 5) "class int"))
  (define-python "def helped(x):" "    'What it does, with \\u00e9 and ~A.'")
  (is (mentions-p (help "helped") "helped(x)" (format nil "with ~C and ~~A." (code-char 233))))
  (is (mentions-p (help "colorsys.rgb_to_hsv") "rgb_to_hsv(r, g, b)") "What nobody imported is found.")
  (is (mentions-p (help "LOOPING") "for"))
  (is (mentions-p (help "if") "if"))
  (is (mentions-p (help "+") "+"))
  (is (mentions-p (help "keywords") "while"))
  (is (mentions-p (help "no_such_thing") "no_such_thing"))
  (is (mentions-p (help "os.no_such_thing") "os.no_such_thing"))
  (is (mentions-p (with-output-to-string (*standard-output*) (with-remote-objects (pyhelp "len"))) "len(obj, /)")))

(defun helped-function (image width &key (quality 90))
  "Scale IMAGE to WIDTH.
Its value is a list."
  (list image width quality))

(test inspect.help-on-lisp
  "What stands for something of Lisp's is told of, not the class of what stands for it."
  (is (mentions-p (help #'helped-function) "helped_function(image, width, /, *, quality=90)"
                  (format nil "    Scale IMAGE to WIDTH.~%    Its value is a list.") "HELPED-FUNCTION"))
  (export-function #'helped-function "helped_lisp")
  (is (equal (help #'helped-function) (help "helped_lisp")))
  (is (equal (help #'helped-function) (help (pyvalue* "helped_lisp"))))
  (is (mentions-p (help (lambda (x &rest more) (declare (ignore x more)))) "<lambda>(x, /, *more)"))
  (define-python "impostor = type('Function', (), {'__module__': '_pyrite', '__call__': 5, 'method': len})")
  (is (mentions-p (help (pyeval "impostor()")) "class Function" "method"))
  (let ((text (help (make-condition 'simple-error))))
    (is (mentions-p text "SIMPLE-ERROR"))
    (is (not (search "__reduce_ex__" text)))))

(test inspect.help-in-order
  "It is there when PYHELP returns, between what Lisp prints before and after."
  (let ((text (with-output-to-string (*standard-output*)
                (write-string "before")
                (pyhelp "len")
                (write-string "after"))))
    (is (eql 0 (search "before" text)))
    (is (eql (- (length text) 5) (search "after" text)))
    (is (search "len" text))))
