;;;; Source: expressions, statements, and values spliced into them.

(in-package #:pyrite/test)

(def-suite eval :in pyrite :description "Evaluating Python source.")
(in-suite eval)

(defun lines (&rest lines)
  "LINES as source."
  (format nil "~{~A~%~}" lines))

;;; Expressions

(test eval.expressions
  (is (eql 2 (pyeval "1 + 1")))
  (is (eql 1.5d0 (pyeval "1.5")))
  (is (equal '(1 2) (pyeval "1, 2")))
  (is (equal "text" (pyeval "'text'")))
  (is (eql 2 (pyeval "  1 + 1")))
  (is (eql 2 (pyeval "1 + 1  ")))
  (is (eql 2 (pyeval "1 + 1 # a comment")))
  (is (eql 2 (pyeval (format nil "(1~%+ 1)"))))
  (is (eql 6 (pyeval "sum([1, 2, 3])"))))

(test eval.parts
  (is (eql 3 (pyeval "1" "+" "2")))
  (is (eql 12 (pyeval "1" "2")))
  (is (eql 3 (pyeval "" "3" ""))))

(test eval.no-expression
  (raises "SyntaxError" (pyeval ""))
  (raises "SyntaxError" (pyeval))
  (raises "SyntaxError" (pyeval "1 +"))
  (raises "SyntaxError" (pyeval "x = 1"))
  (raises "SyntaxError" (pyeval "import math"))
  (raises "SyntaxError" (pyeval (format nil "1~%2")))
  (raises "SyntaxError" (pyeval 1 2))
  (raises "NameError" (pyeval "no_such_name"))
  (signals pyerror (pyeval (format nil "1~C" (code-char 0))))
  (is-true (python-works-p)))

;;; Values in expressions

(test eval.values
  (is (eql 5 (pyeval 5)))
  (is (eql 6 (pyeval 5 "+" 1)))
  (is (eql 6 (pyeval "sum(" #(1 2 3) ")")))
  (is (eql 2 (pyeval #(1 2 3) "[" 1 "]")))
  (is (eql 2 (pyeval (table "a" 2) "['a']")))
  (is (same '(1 "two" #(3)) (pyeval '(1 "two" #(3)))))
  (is (eq +py-none+ (pyeval +py-none+)))
  (is (eq t (pyeval t)))
  (is (eq nil (pyeval nil)))
  (is (eql -3 (pyeval "-" 3)))
  (is (eql 9 (pyeval -3 "**2")) "A value is an operand, not text.")
  (is (equal "a_symbol" (pyeval 'a-symbol))))

(test eval.single-float-stays-single
  (is (eql 1.0f0 (pyeval 1.0f0)))
  (with-numpy
    (is (eql 1.5f0 (pyeval 1.5f0)))))

(test eval.values-are-spliced-by-reference
  (let ((object (pycall "object")))
    (is-true (pyeval object " is " object))
    (is-true (pyeval "id(" object ") == " (pycall "id" object)))
    (is-true (pyobject-wrapper-eq object (pyeval object)))
    (is-true (pyobject-wrapper-eq object (svref (pyeval "[" object "]") 0))))
  (let ((list (with-remote-objects (pyeval "[]"))))
    (pyeval list ".append(1)")
    (is (equalp #(1) (pyvalue list)))))

(test eval.values-inside-functions
  "Lambdas, comprehensions and generators see spliced values."
  (is (equalp #(6 7) (pyeval "[x + y for x in " #(1 2) " for y in [" 5 "]]")))
  (is (eql 7 (pyeval "(lambda x: x + " 5 ")(2)")))
  (is (eql 12 (pyeval "(lambda: (lambda: " 12 ")())()")))
  (is (eql 10 (pyeval "sum(x * " 5 " for x in " #(0 1) " for i in range(" 2 "))")))
  (is (eql 1 (gethash 5 (pyeval "{" 5 ": x for x in [1]}"))))
  (let ((function (pyeval "lambda x: x + " 5)))
    (trivial-garbage:gc)
    (is (eql 7 (pycall function 2)))))

(test eval.values-next-to-words
  "A value stands apart from what is before and after it."
  (is (eql 5 (pyeval 5 "if True else" 6)))
  (is (eq t (pyeval "not" nil)))
  (is (eq t (pyeval 1 "in" #(1 2)))))

(test eval.values-do-not-change-the-source
  "What is no expression does not become one by what is put round it."
  (raises "SyntaxError" (pyeval "1) + (" 2))
  (raises "SyntaxError" (pyeval 1 "), (" 2))
  (raises "SyntaxError" (pyeval "x = " 1))
  (signals pyerror (pyeval 1 (format nil "~%")  2))
  (is (eql 3 (pyeval 1 "+" 2 " # a comment"))))

(test eval.many-values
  (is (eql (* 500 499 1/2)
           (apply #'pyeval "0" (loop for i below 500 collect "+" collect i)))))

;;; Statements

(test eval.statements
  (is (null (multiple-value-list (pyexec "1 + 1"))))
  (pyexec "statement_value = 5")
  (is (eql 5 (pyvalue "statement_value")))
  (pyexec (lines "def statement_function(x):" "    y = x + 1" "    return y * 2" "" "z = statement_function(1)"))
  (is (eql 4 (pyvalue "z")))
  (pyexec "a" " = " "1; b = a + 1")
  (is (eql 2 (pyvalue "b")))
  (pyexec "")
  (pyexec)
  (pyexec "# only a comment")
  (pyexec "import math" (string #\Newline) "root = math.sqrt(4)")
  (is (eql 2d0 (pyvalue "root"))))

(test eval.statements-that-fail
  (raises "SyntaxError" (pyexec "x ="))
  (raises "IndentationError" (pyexec (lines "if True:" "x = 1")))
  (raises "ZeroDivisionError" (pyexec "before_the_error = 1" (string #\Newline) "1 / 0"))
  (is (eql 1 (pyvalue "before_the_error")))
  (raises "SystemExit" (pyexec "import sys; sys.exit(5)"))
  (raises "SyntaxError" (pyexec "return 5"))
  (is-true (python-works-p)))

(test eval.values-in-statements
  (pyexec "statement_value = " #(1 2))
  (is (equalp #(1 2) (pyvalue "statement_value")))
  (pyexec "for i in " #(1 2 3) ": statement_value.append(i * " 10 ")")
  (is (equalp #(1 2 10 20 30) (pyvalue "statement_value")))
  (let ((object (pycall "object")))
    (pyexec "same_object = " object)
    (is-true (pyobject-wrapper-eq object (pyvalue "same_object")))))

(test eval.values-used-later
  "A value in a function's body is there when the function runs, and does not mix with others."
  (pyexec "def later(): return " 5)
  (pyexec "def later_list(): return " #(1 2))
  (pyexec "later_lambda = lambda: (" 6 ", [" 7 " for i in range(2)])")
  (pyexec (format nil "class Later:~%    def method(self): return ") 8)
  (pyexec (format nil "def generator():~%    yield ") 9)
  (pyexec (format nil "def outer():~%    def inner(): return ") 10 (format nil "~%    return inner"))
  (pyexec "unrelated = " 11)
  (trivial-garbage:gc)
  (is (eql 5 (pycall "later")))
  (is (equalp #(1 2) (pycall "later_list")))
  (is (same '(6 #(7 7)) (pycall "later_lambda")))
  (is (eql 8 (pymethod (pycall "Later") "method")))
  (is (eql 9 (pyeval "next(generator())")))
  (is (eql 10 (pyeval "outer()()")))
  (is-true (pyeval "later_list() is later_list()")))

(test eval.values-leave-nothing-behind
  "Neither source that works nor source that fails leaves names in __main__."
  (flet ((names () (pyeval "sorted(__import__('sys').modules['__main__'].__dict__)")))
    (pyexec "left = 1")
    (let ((before (names)))
      (pyeval "[x for x in " #(1 2) "]")
      (pyexec "left = " 5)
      (raises "ZeroDivisionError" (pyexec "left = " 5 " / 0"))
      (raises "ZeroDivisionError" (pyeval 5 " / 0"))
      (raises "SyntaxError" (pyexec "left = = " 5))
      (is (equalp before (names))))))

(test eval.user-variables-are-not-clobbered
  (dolist (name '("_" "result" "value" "x" "_result" "ans" "args" "code" "source" "names" "values" "main"))
    (setf (pyvalue name) "mine"))
  (raw-pyeval "1 + 1")
  (raw-pyexec "1 + 1")
  (pyeval "1 + " 1)
  (pyexec "1 + " 1)
  (pycall "lambda x: x" 1)
  (is-for-each (name '("_" "result" "value" "x" "_result" "ans" "args" "code" "source" "names" "values" "main"))
    (equal "mine" (pyvalue name))))

;;; Raw

(test eval.raw
  (is (eql 2 (raw-pyeval "1 + 1")))
  (is (eql 12 (raw-pyeval "1" "2")))
  (is (null (multiple-value-list (raw-pyexec "raw_value = " "5"))))
  (is (eql 5 (pyvalue "raw_value")))
  (raises "SyntaxError" (raw-pyeval "1 +"))
  (raises "ZeroDivisionError" (raw-pyexec "1 / 0")))

(test eval.raw-takes-strings-only
  (dolist (bad '(5 nil x (1) #\a #(1)))
    (signals type-error (raw-pyeval "1 + " bad))
    (signals type-error (raw-pyexec "1 + " bad))))

;;; Assignment

(test eval.setf
  (is (eql 5 (setf (pyeval "assigned") 5)))
  (is (eql 5 (pyvalue "assigned")))
  (is (equal "text" (setf (pyeval "assigned") "text")))
  (is (equal "text" (pyvalue "assigned")))
  (setf (pyeval "assigned") "no source = 1")
  (is (equal "no source = 1" (pyvalue "assigned")))
  (setf (pyeval "assigned") #(1 2 3))
  (setf (pyeval "assigned[1]") "two")
  (is (same #(1 "two" 3) (pyvalue "assigned")))
  (setf (pyeval "assigned[" 0 "]") #(0))
  (is (same #(#(0) "two" 3) (pyvalue "assigned")))
  (let ((dictionary (with-remote-objects (pyeval "{}"))))
    (setf (pyeval dictionary "['a']") 5)
    (is (eql 5 (gethash "a" (pyvalue dictionary)))))
  (setf (pyeval "one_of_two, two_of_two") '(1 2))
  (is (eql 2 (pyvalue "two_of_two")))
  (let ((list (list 1 2)))
    (is (eq list (setf (pyeval "assigned") list)))))

(test eval.setf-of-what-cannot-be-set
  (raises "SyntaxError" (setf (pyeval "1 + 1") 5))
  (raises "NameError" (setf (pyeval "no_such_name[0]") 5))
  (raises "TypeError" (setf (pyeval "'abc'[0]") "x"))
  (is-true (python-works-p)))
