;;;; What Python learns of Lisp objects and functions.

(in-package #:pyrite/test)

(def-suite attributes :in pyrite :description "Attributes of Lisp objects in Python, and generators.")
(in-suite attributes)

(defun documented-function (first second &optional (third 3) fourth &rest more)
  "The docstring of a function."
  (list first second third fourth more))

(defun function-of-keywords (&rest more &key (key "x") (form (list 1)) ((:renamed variable) 2.5d0)
                             &allow-other-keys)
  (list key form variable more))

(defgeneric documented-generic (x &optional y)
  (:documentation "The docstring of a generic function.")
  (:method (x &optional y) (list x y)))

(defun signature-of (function)
  (pycall "lambda f: str(__import__('inspect').signature(f))" function))

(test attributes.names
  (is (equal '("documented_function" "documented_function" "_pyrite")
             (pycall "lambda f: (f.__name__, f.__qualname__, f.__module__)" #'documented-function)))
  (is (equal "documented_generic" (pyslot-value #'documented-generic "__name__")))
  (is (equal "<lambda>" (pyslot-value (lambda () 1) "__name__"))))

(test attributes.documentation
  (is (equal "The docstring of a function." (pyslot-value #'documented-function "__doc__")))
  (is (equal "The docstring of a generic function." (pyslot-value #'documented-generic "__doc__")))
  (is (eq +py-none+ (pyslot-value (lambda () 1) "__doc__")))
  (is (search "The docstring" (pycall "lambda f: __import__('inspect').getdoc(f)" #'documented-function))))

(test attributes.signatures
  "From the lambda list, where it is known: ECL forgets those of compiled functions without a name."
  (is (equal "(first, second, third=3, fourth=False, /, *more)" (signature-of #'documented-function)))
  (is (equal "(*more, key='x', form=(list 1), renamed=2.5, **kwargs)" (signature-of #'function-of-keywords)))
  (is (equal "(x, y=False, /)" (signature-of #'documented-generic)))
  (is-true (member (signature-of (lambda (x) x)) '("(x, /)" "(*args, **kwargs)") :test #'equal))
  (is-true (member (signature-of (lambda () 1)) '("()" "(*args, **kwargs)") :test #'equal))
  (is (equal '(1 2) (pycall "lambda f: __import__('inspect').signature(f).bind(1, 2).args"
                            #'documented-function))))

(test attributes.odd-parameters
  "Names that Python cannot have are changed so that it can."
  (is (equalp '#(("list__string" 0) ("_1x" 0) ("class_" 0) ("x" 0) ("x_" 3))
              (map 'vector (lambda (list) (subseq list 0 2))
                   (pycall "lambda p: [(q.name, int(q.kind)) for q in _signature(p).parameters.values()]"
                           (progn (pyexec "import sys; _signature = sys.modules['_pyrite'].signature")
                                  (pyrite::python-parameters '(list->string 1x class x &key x)))))))
  (signals error (pyrite::python-parameters '(&key &optional))))

(test attributes.of-functions
  (is-true (pycall "callable" #'car))
  (is-true (pycall "lambda f: isinstance(f, __import__('collections').abc.Callable)" #'car))
  (is (uiop:string-prefix-p "<Lisp #<" (pycall "repr" #'car)))
  (is-true (pycall "lambda f: str(f) == repr(f) and 'CAR' in str(f)" #'car))
  (is-true (pycall "lambda f: {'__name__', '__signature__', '__doc__', '__call__'} <= set(dir(f))" #'car))
  (is-true (pycall "lambda f: len(dir(f)) == len(set(dir(f)))" #'car))
  (is-false (pycall "lambda f: hasattr(f, 'no_such_attribute')" #'car))
  (raises "AttributeError" (pycall "lambda f: f.no_such_attribute" #'car))
  (raises "AttributeError" (pycall "lambda f: setattr(f, '__name__', 'x')" #'car))
  (raises "TypeError" (pycall "lambda f: __import__('pickle').dumps(f)" #'car))
  (raises "TypeError" (pycall "lambda o: __import__('pickle').dumps([o])" (make-some-structure)))
  (is-true (pycall "lambda f: __import__('copy').copy(f) is f" #'car)))

;;; Users' classes

(defclass person () ((name :initarg :name :accessor person-name)))

(defmethod python-getattr ((object person) slot-name)
  (cond ((equal slot-name "name") (person-name object))
        ((equal slot-name "self") object)
        ((equal slot-name "greet") (lambda (word) (format nil "~A, ~A!" word (person-name object))))
        ((equal slot-name "broken") (error "This attribute is broken."))
        ((equal slot-name "missing_in_python") (pyslot-value 1 "no_such_slot"))
        (t (call-next-method))))

(defmethod python-setattr ((object person) slot-name value)
  (if (equal slot-name "name")
      (setf (person-name object) value)
      (call-next-method)))

(test attributes.of-objects
  (let ((person (make-instance 'person :name "Ada")))
    (is (equal "Ada" (pyslot-value person "name")))
    (is (eq person (pyslot-value person "self")))
    (is (equal "Hello, Ada!" (pymethod person "greet" "Hello")))
    (setf (pyslot-value person "name") "Grace")
    (is (equal "Grace" (person-name person)))
    (pycall "lambda p: setattr(p, 'name', [1, 2])" person)
    (is (equalp #(1 2) (person-name person)))
    (is (equal '(t nil) (pycall "lambda p: (hasattr(p, 'name'), hasattr(p, 'age'))" person)))
    (is (eql 7 (pycall "lambda p: getattr(p, 'age', 7)" person)))
    (raises "AttributeError" (pyslot-value person "age"))
    (raises "AttributeError" (setf (pyslot-value person "age") 3))
    (raises "AttributeError" (pycall "lambda p: delattr(p, 'name')" person))
    (is (equal "This attribute is broken."
               (princ-to-string (signalled (pyslot-value person "broken")))))
    (raises "AttributeError" (pyslot-value person "missing_in_python"))
    (is-true (pycall "lambda p: isinstance(dir(p), list)" person))))

(test attributes.without-methods
  (is-false (pycall "lambda o: hasattr(o, 'x')" (make-some-structure)))
  (raises "AttributeError" (pycall "lambda o: setattr(o, 'x', 1)" (make-some-structure)))
  (signals py-attribute-error (python-getattr (make-some-structure) "x"))
  (signals py-attribute-error (python-setattr (make-some-structure) "x" 1)))

;;; Exported functions and generators

(defun exported-twice (x) (* 2 x))

(test attributes.export-function
  (export-function #'exported-twice "exported")
  (is (eql 42 (pyeval "exported(21)")))
  (is (eq #'exported-twice (pyvalue "exported")))
  (export-function 'exported-twice 'other-export)
  (is (eql 4 (pyeval "other_export(2)")))
  (pyexec "class Holder: pass")
  (export-function (lambda (x) (1+ x)) "Holder.method")
  (is (eql 4 (pyeval "Holder.method(3)")))
  (trivial-garbage:gc :full t)
  (dotimes (i (scaled 2000)) (assert (eql (* 2 i) (pycall "exported" i))))
  (is (eql 42 (pyeval "exported(21)")))
  (signals undefined-function (export-function 'no-such-function "f")))

(defun counter (start)
  (lambda () (prog1 start (incf start))))

(test attributes.pygenerator
  (is (equalp #(0 1 2 3) (pycall "list" (pygenerator (counter 0) 4))))
  (is (equalp #() (pycall "list" (pygenerator (counter 0) 0))))
  (is (eql 4950 (pycall "sum" (pygenerator (counter 0) 100))))
  (let ((words (list "a" "b" "end" "c")))
    (is (equalp #("a" "b") (pycall "list" (pygenerator (lambda () (pop words)) "end"))))
    (is (equal '("c") words)))
  (let ((values (list 1 '(1 2) nil +py-none+ :end)))
    (is (equalp `#(1 (1 2) nil ,+py-none+) (pycall "list" (pygenerator (lambda () (pop values)) :end)))))
  (is (equal '(0 1 2) (let ((items '()))
                        (do-pyiterable (item (pygenerator (counter 0) 3) (nreverse items))
                          (push item items)))))
  (let ((calls 0))
    (is (eql 1 (pycall "next" (pygenerator (lambda () (incf calls)) 10))))
    (is (eql 1 calls)))
  (raises "StopIteration" (pycall "lambda g: (next(g), next(g))" (pygenerator (counter 0) 1)))
  (is (equal "broken" (princ-to-string
                       (signalled (pycall "list" (pygenerator (lambda () (error "broken")) 1)))))))

(test attributes.names-of-no-functions
  "What is no function's name is refused before Python is told anything."
  (is-for-each (name '(when if nothing-of-this-name 5 "car" nil (lambda)))
    (signalled (export-function name "exported_name")))
  (is-for-each (name '(when if nothing-of-this-name 5 "car" nil (lambda)))
    (signalled (pygenerator name nil)))
  (raises "NameError" (pyvalue "exported_name"))
  (is-true (python-works-p)))

(defclass unprinted () ())

(defvar *printed* 0)

(defmethod print-object ((object unprinted) stream)
  (incf *printed*)
  (print-unreadable-object (object stream :type t)))

(test attributes.missing-ones-are-told-of
  "In Lisp by the object; nothing is printed when Python only looks."
  (let ((condition (signalled (python-getattr (make-condition 'simple-error) "length"))))
    (is (typep condition 'py-attribute-error))
    (is (equal "AttributeError" (pyerror-type condition)))
    (is (search "SIMPLE-ERROR" (pyerror-message condition)))
    (is (uiop:string-prefix-p "AttributeError: <Lisp #<" (princ-to-string condition)))
    (is (uiop:string-suffix-p (princ-to-string condition) "has no attribute length.")))
  (let ((*printed* 0))
    (is (eq nil (pycall "lambda x: hasattr(x, 'length')" (make-instance 'unprinted))))
    (is (eql 0 *printed*))
    (is (stringp (pycall "repr" (make-instance 'unprinted))))
    (is (plusp *printed*))))
