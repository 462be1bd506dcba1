;;;; CHAIN and CHAIN*.

(in-package #:pyrite/test)

(def-suite chain :in pyrite :description "Chains of calls, attributes and items.")
(in-suite chain)

(test chain.manual
  "The examples of the manual."
  (is (equal "Hello world" (chain "hello {0}" (format "world") (capitalize))))
  (is (equal "e" (chain "hello {0}" (format "world") (capitalize) (aref 1))))
  (is (eql 3 (chain (slice 3) stop)))
  (is (equal "hello world" (let ((format-str "hello {0}") (argument "world"))
                             (chain* format-str `(format ,argument)))))
  (is (equal "result: 3" (chain* "result: {0}" `(format ,(+ 1 2)))))
  (is (equal "o" (chain (aref "hello" 4))))
  (is (equal "ll" (chain (aref "hello" (slice 2 4)))))
  (with-numpy
    (is (equalp #2A((1 2 3) (4 5 6)) (chain (aref #2A((1 2 3) (4 5 6)) (slice 0 2)))))
    (is (equalp #(4 5) (chain (aref #2A((1 2 3) (4 5 6)) 1 (slice 0 2))))))
  (define-python "class TestClass:" "    def doThing(self, value = 42):" "        return value")
  (is (eql 31 (chain ("TestClass") ("doThing" :value 31))))
  (is (eql 42 (chain ("TestClass") ("doThing")))))

(test chain.manual.setf
  (is (equalp #(4 2 3) (with-remote-objects*
                         (let ((lst (pycall "list" '(1 2 3))))
                           (setf (chain* `(aref ,lst 0)) 4)
                           lst))))
  (is (equalp #(1 2 3) (let ((lst (pycall "list" '(1 2 3))))
                         (setf (chain* `(aref ,lst 0)) 4)
                         lst))))

(test chain.first-link
  (is (equal "hello4" (chain* `((@ "hello{0}" format) ,(+ 1 3)))))
  (is (equal "hello4" (chain* '((@ "hello{0}" "format") 4))))
  (is (equal "HELLO" (chain (@ "hello" (upper)))))
  (is (equal "hello" (chain (@ "hello" (upper)) (lower))))
  (is (eql 5 (chain ("len" "hello"))))
  (is (eql 5 (chain (len "hello"))))
  (is (eql 7 (chain (("lambda x: lambda y: x + y" 3) 4))) "What the inner link gives is called.")
  (is (eql 7 (chain ((("lambda: lambda x: lambda y: x + y") 3) 4))))
  (is (equal "l" (chain (aref (@ "hello" (upper)) 2) (lower))))
  (is (eql 2 (chain* `(,(pyvalue "len") (1 2)))) "A wrapper is called as it is.")
  (is (eql 1 (chain (aref (1 2 3) 0))) "A list that is indexed is data.")
  (is (equal '(1 2) (chain* '("lambda x: x" (1 2)))) "So is an argument.")
  (is (equal '(1 2) (chain (tuple #(1 2)))))
  (is (equalp #(3 2 1) (chain ("sorted" #(1 3 2) :reverse t))) "Keyword arguments, here, too."))

(test chain.symbols-are-variables
  (setf (pyvalue "chain_variable") "text")
  (is (equal "TEXT" (chain chain-variable (upper))))
  (is (equal "x" (chain (aref chain-variable 2))))
  (is (equal "text" (chain chain-variable)))
  (raises "NameError" (chain chain-undefined (upper))))

(test chain.literals
  (is-for-each (value (list 5 2.5d0 "text" nil t '#(1 2) 1/2 #\x))
    (equalp value (chain* value)))
  (is (equal "bool" (chain nil "__class__" "__name__")) "NIL is False, and there is more after it.")
  (is (equal "bool" (chain t "__class__" "__name__")))
  (is (equal "str" (chain :keyword "__class__" "__name__")) "A keyword is text.")
  (is (eql 5 (chain 5 real)))
  (is (pyobject-wrapper-p (chain* (with-remote-objects (pycall "object")))))
  (is (eq +py-none+ (chain* +py-none+))))

(test chain.in-the-middle
  "What is in the middle stays what it is in Python: nothing is converted and back."
  (define-python
    "class Chained(tuple):" "    falsehood, nothing, count, empty, name = False, None, 0, '', 'attribute'"
    "    def me(self): return self"
    "    def text(self): return type('Text', (str,), {'mine': lambda self: 'mine'})('text')"
    "    def items(self): return {1: self}"
    "    def cycle(self):" "        cycle = []" "        cycle.append(cycle)" "        return cycle")
  (is (equal "bool" (chain ("Chained") falsehood "__class__" "__name__")))
  (is (equal "NoneType" (chain ("Chained") nothing "__class__" "__name__")))
  (is (eql 0 (chain ("Chained") count real)))
  (is (equal "A" (chain ("Chained") empty (join ("A")))))
  (is (eq nil (chain ("Chained") falsehood)))
  (is (equal "attribute" (chain ("Chained") (me) (me) (items) (aref 1) name)))
  (is (equal "mine" (chain ("Chained") (text) (mine))))
  (is (eql 1 (chain ("Chained") (cycle) (aref 0) ("__len__"))) "Also what could not be converted.")
  (raises "AttributeError" (chain ("Chained") nothing (me))))

(test chain.keywords-in-links
  (define-python "def chain_f(*args, **kwargs): return type('R', (), dict(kwargs, args=args, g=staticmethod(lambda a, *, b_c: (a, b_c))))()")
  (is (equal '(1 "x") (chain (chain-f :first 1) (g 1 :b-c "x"))))
  (is (equal '(1 2) (chain (chain-f 1 2 :x 3) args)))
  (is (eql 3 (chain (chain-f 1 2 :x 3) x)))
  (signals malformed-keywords (chain "x" (format :a)))
  (signals malformed-keywords (chain (chain-f :a 1 2))))

(test chain.remote
  (is (pyobject-wrapper-p (with-remote-objects (chain "a" (upper)))))
  (is (pyobject-wrapper-p (with-remote-objects (chain "a"))))
  (is (equal "A" (with-remote-objects* (chain "a" (upper))))))

(defmacro refuses-chain (&rest chain)
  `(refuses malformed-chain (chain ,@chain)))

(test chain.malformed
  (refuses-chain)
  (refuses-chain (@))
  (refuses-chain (aref))
  (refuses-chain "a" 5)
  (refuses-chain "a" (5 1))
  (refuses-chain "a" ((upper) 1))
  (refuses-chain "a" (@ upper))
  (refuses-chain "a" (upper . 1))
  (refuses-chain (len . "a"))
  (refuses-chain (aref "a" . 1))
  (let ((circle (list 'upper 1)))
    (setf (cddr circle) circle)
    (refuses malformed-chain (chain* "a" circle)))
  (is (search "5 is no link" (princ-to-string (signalled (chain "a" 5))))))

(test chain.errors
  (raises "AttributeError" (chain "a" (no-such-method)))
  (raises "AttributeError" (chain "a" no-such-attribute))
  (raises "IndexError" (chain "a" (aref 5)))
  (raises "TypeError" (chain (5 1)))
  (raises "TypeError" (chain ("len")))
  (signals malformed-slice (chain "abc" (aref (slice)))))

(test chain.setf
  (define-python "class Box: pass" "box = Box()" "box.list = [1, [2, 3]]" "box.inner = Box()" "box.falsehood = False")
  (is (eql 5 (setf (chain box value) 5)))
  (is (eql 5 (pyeval "box.value")))
  (setf (chain box list (aref 1) (aref 0)) "changed")
  (is (equalp #(1 #("changed" 3)) (pyeval "box.list")))
  (setf (chain box inner "camelCase") nil)
  (is (eq nil (pyeval "box.inner.camelCase")))
  (setf (chain* 'box 'inner 'value) '(1 2))
  (is (equal '(1 2) (pyeval "box.inner.value")))
  (setf (chain (aref (@ box list) 0)) 9)
  (is (eql 9 (pyeval "box.list[0]")))
  (setf (chain (@ box value)) 6)
  (is (eql 6 (pyeval "box.value")))
  (incf (chain box value))
  (is (eql 7 (chain box value)))
  (setf (chain chain-new-variable) 8)
  (is (eql 8 (pyvalue "chain_new_variable")))
  (setf (chain box list (aref (slice nil))) #(1))
  (is (equalp #(1) (pyeval "box.list")))
  (raises "AttributeError" (setf (chain box falsehood value) 1)))

(test chain.setf.refused
  "What cannot be assigned to is refused before anything is called."
  (define-python "calls = []" "def chain_call(): calls.append(1)")
  (signals malformed-chain (setf (chain "text") 1))
  (signals malformed-chain (setf (chain 5) 1))
  (signals malformed-chain (setf (chain (chain-call)) 1))
  (signals malformed-chain (setf (chain (chain-call) (upper)) 1))
  (signals malformed-chain (setf (chain (chain-call) 5) 1))
  (signals malformed-chain (setf (chain) 1))
  (signals malformed-chain (setf (chain (aref)) 1))
  (is (equalp #() (pyvalue "calls"))))

(test chain.numpy
  (with-numpy
    (is (equalp #2A((0 1 2 3) (4 5 6 7) (8 9 10 11))
                (chain ("numpy.arange" 12) (reshape (3 4)))))
    (is (eql 3 (chain ("numpy.zeros" (3 4)) shape (aref 0))))
    (is (equalp #(0 3 6 9) (chain ("numpy.arange" 12) (reshape (4 3)) "T" (aref 0))))
    (is (eql 66 (chain ("numpy.arange" 12) (sum))))
    (is (equalp #(12 15 18 21) (chain ("numpy.arange" 12) (reshape (3 4)) (sum :axis 0))))))

(test chain.stopped
  (let ((object (with-remote-objects (pycall "object"))))
    (pystop)
    (signals stale-object (chain* object "__class__"))
    (is (equal "A" (chain "a" (upper))))))

(test chain.leaks
  "The objects in the middle are given back at once, also when a link fails."
  (define-python "class Middle:" "    def me(self): return Middle()" "    def fail(self): raise ValueError"
                 "    def number(self): return 5")
  (holds-nothing-new
    (dotimes (i 100)
      (chain ("Middle") (me) (me) (me) (number))
      (chain (("lambda: lambda: 5")))
      (setf (chain ("Middle") (me) value) 5)
      (chain (aref (@ ("Middle") "__class__" "__name__") 0))))
  (dotimes (i 100)
    (signalled (chain ("Middle") (me) (number) nothing))
    (signalled (chain ("Middle") (me) (fail)))
    (signalled (chain ("Middle") (me) (me 5)))
    (signalled (chain ((@ ("Middle") (me)) 5))))
  (import-module "gc")
  (flet ((alive ()
           (trivial-garbage:gc :full t)
           (held-objects)
           (pycall "gc.collect")
           (pyeval "sum(isinstance(o, Middle) for o in gc.get_objects())")))
    (is-true (loop repeat 50 thereis (< (alive) 10) do (sleep 1/20))
             "Only what the errors hold is left until they are garbage.")))

(test chain.releases-on-the-way
  "An object in the middle does not outlive the next link."
  (define-python "alive = 0"
                 "class Counted:"
                 "    def __init__(self):" "        global alive" "        alive += 1"
                 "    def __del__(self):" "        global alive" "        alive -= 1"
                 "    def next(self): return Counted()"
                 "    def alive(self): return alive")
  (is (>= 2 (chain ("Counted") (next) (next) (next) (next) (next) (alive)))))
