;;;; Values: globals, attributes, and results that are kept in Python.

(in-package #:pyrite/test)

(def-suite values :in pyrite :description "Globals, attributes, results kept in Python.")
(in-suite values)

;;; Globals and dotted names

(test values.pyvalue
  (import-module "math")
  (is (eql (coerce pi 'double-float) (pyvalue "math.pi")))
  (is (eql (coerce pi 'double-float) (pyvalue 'math.pi)))
  (is (eql (coerce pi 'double-float) (pyvalue (copy-seq "math.pi"))))
  (is (pyobject-wrapper-p (pyvalue "len")))
  (define-python "one_value = [1, 'two']")
  (is (same #(1 "two") (pyvalue "one_value")))
  (is (same #(1 "two") (pyvalue 'one-value)))
  (is (same #(1 "two") (pyvalue :one-value))))

(test values.undefined
  (raises "NameError" (pyvalue "no_such_name"))
  (raises "NameError" (pyvalue 'no-such-name))
  (raises "NameError" (pyvalue "no_such_module.name"))
  (raises "AttributeError" (pyvalue "int.no_such_name"))
  (is (search "no_such_name" (princ-to-string (signalled (pyvalue "no_such_name"))))))

(test values.no-expressions
  "A name is a name: nothing is evaluated."
  (define-python "touched = []")
  (is-for-each (text '("1 + 1" "touched.append(1)" "touched[0]" "" " touched" "touched " "." "touched." ".touched"
                       "a..b" "1" "lambda: 1" "None if True else 1" "touched;touched"))
    (typep (signalled (pyvalue text)) 'pyerror))
  (is-for-each (text '("1 + 1" "touched[0]" "" " x" "x.y z" "1" "f()"))
    (typep (signalled (setf (pyvalue text) 1)) 'pyerror))
  (is (equalp #() (pyvalue "touched"))))

(test values.setf-pyvalue
  (is (eql 5 (setf (pyvalue "set_value") 5)))
  (is (eql 5 (pyvalue "set_value")))
  (is (eql 6 (setf (pyvalue 'set-value) 6)))
  (is (eql 6 (pyeval "set_value")))
  (let ((list (list 1 "two")))
    (is (eq list (setf (pyvalue "set_value") list)))
    (is (equal list (pyvalue "set_value"))))
  (setf (pyvalue "set_value") "text")
  (is (equal "text" (pyvalue "set_value")))
  (setf (pyvalue "set_value") 'a-symbol)
  (is (equal "a_symbol" (pyvalue "set_value"))))

(test values.setf-dotted
  "The last attribute is set, also when it is new."
  (define-python "class Space: pass" "space = Space()" "space.inner = Space()" "space.old = 1")
  (setf (pyvalue "space.old") 2
        (pyvalue "space.new") 3
        (pyvalue "space.inner.newer") #(4)
        (pyvalue 'space.inner.with-dash) 5)
  (is (equalp '(2 3 #(4) 5) (pyeval "(space.old, space.new, space.inner.newer, space.inner.with_dash)")))
  (raises "NameError" (setf (pyvalue "no_such_space.x") 1))
  (raises "AttributeError" (setf (pyvalue "space.no_such.x") 1))
  (raises "AttributeError" (setf (pyvalue "space.old.x") 1)))

(test values.setf-hides-a-builtin
  (setf (pyvalue "len") 5)
  (is (eql 5 (pyvalue "len")))
  (define-python "del len")
  (is (eql 3 (pycall "len" "abc"))))

(test values.incf
  (setf (pyvalue "counted") 1)
  (incf (pyvalue "counted") 5)
  (is (eql 6 (pyvalue "counted"))))

(test values.of-wrappers
  "PYVALUE of a wrapper is the value of its object."
  (is (equalp #(1 2) (pyvalue (with-remote-objects (pyeval "[1, 2]")))))
  (is (eql 5 (pyvalue (with-remote-objects (pyeval "5")))))
  (let ((object (pycall "object")))
    (is-true (pyobject-wrapper-eq object (pyvalue object)))))

(defun compiled-value ()
  "A call site that stays the same."
  (pyvalue "compiled.value"))

(test values.compiled
  (define-python "class compiled: value = 1")
  (is (eql 1 (compiled-value)))
  (setf (pyvalue "compiled.value") 2)
  (is (eql 2 (compiled-value)))
  (pystop)
  (raises "NameError" (compiled-value))
  (define-python "class compiled: value = 3")
  (is (eql 3 (compiled-value))))

;;; Attributes

(test values.attributes
  (define-python "class Thing:" "    shared = 'shared'" "    def __init__(self): self.own = [1]"
    "    @property" "    def computed(self): return len(self.own)" "    def method(self): return 'called'")
  (let ((thing (pycall "Thing")))
    (is (equal "shared" (pyslot-value thing "shared")))
    (is (equalp #(1) (pyslot-value thing 'own)))
    (is (eql 1 (pyslot-value thing "computed")))
    (is (equal "called" (pycall (pyslot-value thing "method"))))
    (is (eql 7 (setf (pyslot-value thing "own") 7)))
    (is (eql 7 (pyslot-value thing "own")))
    (setf (pyslot-value thing 'brand-new) "new")
    (is (equal "new" (pyslot-value thing "brand_new")))
    (raises "AttributeError" (pyslot-value thing "no_such"))
    (raises "AttributeError" (setf (pyslot-value thing "computed") 1))
    (raises "TypeError" (pyslot-value thing "computed"))))

(test values.attributes-of-values
  (is (eql 5 (pyslot-value 5 "real")))
  (is (eql 0d0 (pyslot-value 5d0 'imag)))
  (is (equal "str" (pyslot-value (pyslot-value "abc" "__class__") "__name__")))
  (raises "AttributeError" (setf (pyslot-value "abc" "x") 1))
  (raises "AttributeError" (pyslot-value 5 "real.imag")))

(test values.attribute-names-are-no-dotted-names
  (define-python "class Odd: pass" "odd = Odd()")
  (let ((odd (pyvalue "odd")))
    (setf (pyslot-value odd "not an identifier") 1
          (pyslot-value odd "a.b") 2)
    (is (eql 1 (pyslot-value odd "not an identifier")))
    (is (eql 2 (pyslot-value odd "a.b")))))

;;; Results that stay in Python

(test values.remote-objects
  (with-remote-objects
    (is-for-each (source '("5" "1.5" "'text'" "True" "None" "()" "[1]" "{}" "object()" "1 << 100"))
      (pyobject-wrapper-p (pyeval source)))
    (is (pyobject-wrapper-p (pycall "len" "abc")))
    (is (pyobject-wrapper-p (pymethod "abc" "upper")))
    (is (pyobject-wrapper-p (pyvalue "len")))
    (is (pyobject-wrapper-p (pyslot-value 5 "real")))
    (is (pyobject-wrapper-p (raw-pyeval "5"))))
  (is (eql 5 (pyeval "5"))))

(test values.remote-objects-are-arguments
  (let ((list (with-remote-objects (pyeval "[3, 1, 2]"))))
    (pymethod list "sort")
    (is (equalp #(1 2 3) (pyvalue list)))
    (is (eql 6 (pycall "sum" list)))
    (is (eql 3 (pymethod list "__len__")))))

(test values.remote-objects-are-the-objects
  (define-python "shared = [1]")
  (let ((one (with-remote-objects (pyvalue "shared"))) (two (with-remote-objects (pyvalue "shared"))))
    (is-true (pyobject-wrapper-eq one two))
    (pymethod one "append" 2)
    (is (equalp #(1 2) (pyvalue two))))
  (is-true (pyobject-wrapper-eq (with-remote-objects (pyeval "None")) (with-remote-objects (pyeval "None")))))

(test values.remote-objects*
  "The last value is converted; a plain Lisp value passes through."
  (is (equalp #(1 2) (with-remote-objects* (pyeval "[1, 2]"))))
  (is (eql 3 (with-remote-objects* (pycall "len" (pyeval "[1, 2, 3]")))))
  (is (eql 5 (with-remote-objects* 5)))
  (is (equal "text" (with-remote-objects* "text")))
  (is (null (with-remote-objects* nil)))
  (is (pyobject-wrapper-p (with-remote-objects* (pycall "object"))))
  (is (equalp #(1) (with-remote-objects (with-remote-objects* (pyeval "[1]"))))))

(test values.remote-objects-values
  (is (pyobject-wrapper-p (with-remote-objects (pyeval "1") (pyeval "2"))))
  (is (eql 2 (with-remote-objects* (pyeval "1") (pyeval "2"))))
  (is (equal '(1 2) (multiple-value-list (with-remote-objects (values 1 2))))))

(test values.remote-objects-end
  "However the body is left, results are values again."
  (signals pyerror (with-remote-objects (pyeval "1 / 0")))
  (is (eql 1 (pyeval "1")))
  (is (eql 7 (catch 'out (with-remote-objects (throw 'out 7)))))
  (is (eql 1 (pyeval "1"))))

(test values.remote-objects-of-a-thread
  "Other threads go on getting values."
  (with-remote-objects
    (is (equal '(5 5) (in-threads 2 (lambda (i) (declare (ignore i)) (pyeval "5")))))
    (is (pyobject-wrapper-p (pyeval "5"))))
  (let ((results (in-threads 8 (lambda (i)
                                 (loop repeat (scaled 500)
                                       always (if (evenp i)
                                                  (eql i (pycall "int" i))
                                                  (pyobject-wrapper-p
                                                   (with-remote-objects (pycall "int" i)))))))))
    (is (every (lambda (result) (eq result t)) results))))

(test values.remote-objects-do-not-disturb
  "What Pyrite itself asks Python for is not changed by the binding."
  (with-remote-objects
    (is (listp (pyversion-info)))
    (is-true (import-module "math"))
    (is (stringp (py-repr 5)))
    (is (equal "ZeroDivisionError" (pyerror-type (signalled (pyeval "1 / 0")))))
    (is (stringp (pyerror-message (signalled (pyeval "1 / 0")))))
    (is (stringp (pyerror-traceback (signalled (pyeval "1 / 0")))))))
