;;;; Calls: callables, arguments, methods.

(in-package #:pyrite/test)

(def-suite call :in pyrite :description "Calling Python.")
(in-suite call)

;;; What can be called

(test call.by-name
  (import-module "math")
  (is (eql 2d0 (pycall "math.sqrt" 4)))
  (is (eql 3 (pycall "len" "abc")))
  (is (equal "a/b" (progn (import-module "os") (pycall "os.path.join" "a" "b"))))
  (is (eql 5 (pycall "int.__add__" 2 3)))
  (is (eql 3 (pycall (make-array 3 :element-type 'character :adjustable t :fill-pointer 3
                                   :initial-contents "len")
                     "abc")))
  (is (eql 3 (pycall (make-array 3 :element-type 'character :displaced-to "xlenx" :displaced-index-offset 1)
                     "abc")))
  (is (eql 3 (pycall (coerce "len" 'base-string) "abc"))))

(test call.by-symbol
  (import-module "math")
  (is (eql 2d0 (pycall 'math.sqrt 4)))
  (is (eql 3 (pycall 'len "abc")))
  (is (eql 3 (pycall :len "abc")))
  (define-python "def some_function(): return 'some'" "def SOME(): return 'upper'")
  (is (equal "some" (pycall 'some-function)))
  (is (equal "upper" (pycall '*some*))))

(test call.by-source
  (is (eql 49 (pycall "lambda x: x*x" 7)))
  (is (eql 49 (pycall " lambda x: x*x" 7)))
  (is (eql 6 (pycall "(lambda *a: sum(a))" 1 2 3)))
  (is (equal "1-2" (pycall "'{}-{}'.format" 1 2)))
  (is (eql 5 (pycall "[len][0]" "abcde")))
  (is (eql 7 (pycall (concatenate 'string "lambda x: " "x + 2") 5)))
  (raises "SyntaxError" (pycall "lambda x:" 1))
  (raises "SyntaxError" (pycall ""))
  (raises "TypeError" (pycall "1 + 1")))

(test call.by-wrapper
  (let ((function (pyvalue "len")) (class (pyvalue "dict")))
    (is-true (pyobject-wrapper-p function))
    (is (eql 3 (pycall function "abc")))
    (is (eql 1 (gethash "a" (pycall class :a 1)))))
  (define-python "class Counter:" "    def __init__(self): self.count = 0"
    "    def __call__(self, by=1):" "        self.count += by" "        return self.count")
  (let ((counter (pycall "Counter")))
    (is (eql 1 (pycall counter)))
    (is (eql 6 (pycall counter :by 5)))
    (is (eql 6 (pyslot-value counter "count")))))

(test call.what-cannot-be-called
  (raises "TypeError" (pycall 5))
  (raises "TypeError" (pycall '(1 2) 3))
  (raises "TypeError" (pycall nil))
  (raises "TypeError" (pycall +py-none+))
  (raises "TypeError" (pycall (pyvalue "Ellipsis")))
  (raises "NameError" (pycall "no_such_function"))
  (raises "NameError" (pycall "no_such_module.function" 1))
  (raises "AttributeError" (pycall "int.no_such_method" 1)))

(test call.main-comes-before-builtins
  (is (eql 3 (pycall "len" "abc")))
  (define-python "def len(value): return 'mine'")
  (is (equal "mine" (pycall "len" "abc")))
  (define-python "del len")
  (is (eql 3 (pycall "len" "abc"))))

;;; Redefinition

(defun redefined ()
  "A call site that stays the same."
  (pycall "redefined_function"))

(defun redefined-method (object)
  "A call site that stays the same."
  (pymethod object "redefined_method"))

(test call.redefinition-is-seen
  (dotimes (i 5)
    (define-python (format nil "def redefined_function(): return ~D" i))
    (is (eql i (redefined)))
    (is (eql i (pycall 'redefined-function))))
  (define-python "redefined_function = lambda: 'lambda'")
  (is (equal "lambda" (redefined)))
  (define-python "del redefined_function")
  (raises "NameError" (redefined))
  (define-python "def redefined_function(): return 'again'")
  (is (equal "again" (redefined)))
  (pystop)
  (raises "NameError" (redefined))
  (define-python "def redefined_function(): return 'afresh'")
  (is (equal "afresh" (redefined))))

(test call.redefinition-of-a-part-is-seen
  (define-python "class Part:" "    @staticmethod" "    def value(): return 1" "part = Part")
  (is (eql 1 (pycall "part.value")))
  (define-python "Part.value = staticmethod(lambda: 2)")
  (is (eql 2 (pycall "part.value")))
  (define-python "class part:" "    value = staticmethod(lambda: 3)")
  (is (eql 3 (pycall "part.value"))))

(test call.redefinition-of-a-method-is-seen
  (define-python "class Redefined:" "    def redefined_method(self): return 1" "redefined = Redefined()")
  (let ((object (pyvalue "redefined")))
    (is (eql 1 (redefined-method object)))
    (define-python "Redefined.redefined_method = lambda self: 2")
    (is (eql 2 (redefined-method object)))
    (define-python "redefined.redefined_method = lambda: 3")
    (is (eql 3 (redefined-method object)))))

;;; Arguments

(test call.keywords
  (define-python "def keywords(*arguments, **keywords): return [arguments, list(keywords), list(keywords.values())]")
  (is (same (vector +py-empty-tuple+ #("a") #(1)) (pycall "keywords" :a 1)))
  (is (same #((1 2) #("foo_bar" "x") #(3 "four")) (pycall "keywords" 1 2 :foo-bar 3 :x "four")))
  (is (same #((1) #("fooBar") #(nil)) (pycall "keywords" 1 :|fooBar| nil)))
  (is (same (vector +py-empty-tuple+ #("nil" "t" "class") #(1 2 3)) (pycall "keywords" :nil 1 :t 2 :class 3)))
  (is (same #((("x")) #("a") #("b")) (pycall "keywords" '(:x) :a "b")))
  (is (eql 9 (pycall "int" "11" :base 8)))
  (is (equalp #(3 2 1) (pycall "sorted" #(1 3 2) :reverse t)))
  (is (same #((1) #("a") #((2 3))) (apply #'pycall "keywords" (list 1 :a (list 2 3))))))

(test call.keywords-of-methods
  (is (equal "a-1" (pymethod "{x}-{y_z}" "format" :x "a" :y-z 1)))
  (is (equal "0-a-1" (pymethod "{}-{x}-{y}" "format" 0 :x "a" :y 1))))

(test call.malformed-keywords
  "A malformed plist is an error before anything is called."
  (define-python "calls = 0" "def counted(*arguments, **keywords):" "    global calls" "    calls += 1"
    "    return calls")
  (dolist (arguments '((:a) (1 :a) (1 2 :a 3 :b) (:a 1 2) (:a 1 2 3) (:a 1 "b" 2) (1 :a :b :c) (:a 1 b 2)))
    (signals malformed-keywords (apply #'pycall "counted" arguments))
    (signals malformed-keywords (apply #'pycall (pyvalue "counted") arguments))
    (signals malformed-keywords (apply #'pymethod (pyvalue "counted") "__call__" arguments)))
  (signals program-error (pycall "counted" :a))
  (is (search ":A" (princ-to-string (signalled (pycall "counted" 1 :a)))))
  (is (eql 0 (pyvalue "calls")))
  (is (eql 1 (pycall "counted"))))

(test call.arity
  (define-python "def two(a, b): return (a, b)" "def only_keyword(*, a): return a")
  (raises "TypeError" (pycall "two" 1))
  (raises "TypeError" (pycall "two" 1 2 3))
  (raises "TypeError" (pycall "two" 1 2 :c 3))
  (raises "TypeError" (pycall "two" 1 2 :a 3))
  (raises "TypeError" (pycall "only_keyword" 1))
  (is (equal '(1 2) (pycall "two" 1 2)))
  (is (equal '(2 1) (pycall "two" :b 1 :a 2)))
  (is (eql 1 (pycall "only_keyword" :a 1))))

(test call.many-arguments
  (dolist (count '(0 1 2 5 10 15 16 17 20 100 300 1000))
    (let ((numbers (loop for i below count collect i)))
      (is (equal (list count (reduce #'+ numbers))
                 (apply #'pycall "lambda *values: (len(values), sum(values))" numbers)))
      (is (equal (or numbers +py-empty-tuple+) (apply #'pycall "lambda *values: values" numbers))))))

(test call.many-keywords
  (dolist (count '(1 7 8 9 20 300))
    (let ((keywords (loop for i below count
                          collect (intern (format nil "KEY-~D" i) '#:keyword) collect i)))
      (is-true (pycall "lambda keywords, count: keywords == {f'key_{i}': i for i in range(count)}"
                       (apply #'pycall "lambda **keywords: keywords" keywords) count))
      (is (eql count (hash-table-count (apply #'pymethod (pyvalue "dict") "__call__" keywords)))))))

(defun call-with-21-arguments ()
  "A compiled call site with more arguments than fit on the stack."
  (pycall "lambda *values: values" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 "end"))

(test call.many-arguments-compiled
  (is (equal '(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 "end") (call-with-21-arguments))))

(test call.arguments-are-evaluated-once
  (let ((count 0))
    (pystop)
    (is (equal '(1 2) (pycall "lambda *values: values" (incf count) (incf count))))
    (is (eql 2 count))))

(test call.arguments-are-not-changed
  (let ((list (list 1 2)) (vector (vector 1 2)) (table (table "a" 1)))
    (pycall "lambda a, b, c: (b.append(3), c.update(b=2))" list vector table)
    (is (equal '(1 2) list))
    (is (equalp #(1 2) vector))
    (is (eql 1 (hash-table-count table)))))

;;; Methods

(test call.methods
  (is (equal "ABC" (pymethod "abc" "upper")))
  (is (equal "ABC" (pymethod "abc" 'upper)))
  (is (equal "a-b" (pymethod "-" 'join '("a" "b"))))
  (is (eql 1 (pymethod #(5 6) "index" 6)))
  (is (eql 6 (pymethod '(5 6) '--getitem-- 1)))
  (is (eql 3 (pymethod 5 "bit_length")))
  (is (eql 3 (pymethod 5 'bit-length)))
  (is (eql 2 (pymethod (table "a" 2) "get" "a")))
  (is (equal "a" (pymethod (pyeval "iter(['a'])") "__next__")))
  (raises "AttributeError" (pymethod "abc" "no_such_method"))
  (raises "AttributeError" (pymethod "abc" "upper.lower"))
  (raises "TypeError" (pymethod "abc" "__doc__"))
  (is (equal "ABC" (pymethod "abc" (copy-seq "upper"))))
  (is (equal "ABC" (pymethod "abc" (make-array 5 :element-type 'character :fill-pointer 5
                                                 :initial-contents "upper")))))

(test call.method-with-an-odd-name
  (define-python "class Odd: pass" "odd = Odd()" "setattr(odd, 'no identifier', lambda: 5)")
  (is (eql 5 (pymethod (pyvalue "odd") "no identifier"))))

;;; Cost

(defun sine-loop (count)
  (declare (optimize speed) (type fixnum count))
  (dotimes (i count)
    (pycall "math.sin" 1)))

(defun length-loop (count)
  (declare (optimize speed) (type fixnum count))
  (dotimes (i count)
    (pycall "len" "abc")))

(defun bytes-consed-per-call (function count)
  "How many bytes FUNCTION conses per call, or NIL where that cannot be measured."
  (let ((counter (uiop:find-symbol* '#:get-bytes-consed '#:sb-ext nil)))
    (when counter
      (funcall function 100)
      (let ((before (funcall counter)))
        (funcall function count)
        (/ (- (funcall counter) before) count)))))

(test call.conses-its-result-only
  (import-module "math")
  (let ((sine (bytes-consed-per-call #'sine-loop 100000))
        (length (bytes-consed-per-call #'length-loop 100000)))
    (if (null sine)
        (skip "How much is consed cannot be measured in this Lisp.")
        (progn
          ;; A double float takes 16 bytes; the collector hands out room in pages.
          (is (<= sine 18))
          (is (<= length 2))))))
