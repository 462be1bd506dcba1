;;;; Operators as functions.

(in-package #:pyrite/test)

(def-suite operators :in pyrite :description "Python's operators as functions.")
(in-suite operators)

(test operators.values
  (is-for-each (case `((3 ,(py+ 1 2)) ("ab" ,(py+ "a" "b")) ((1 2) ,(py+ '(1) '(2)))
                       (-5 ,(py- 5)) (2 ,(py- 5 3)) (-1 ,(py- 0 1)) (5 ,(py- 5 nil)) (6 ,(py* 2 3)) ("aaa" ,(py* "a" 3))
                       (3.5d0 ,(py/ 7 2)) (3 ,(py// 7 2)) (-4 ,(py// -7 2)) (1 ,(py% 7 2)) ("a5" ,(py% "a%d" 5))
                       (,(expt 2 200) ,(py** 2 200)) (4 ,(py-logand 6 12)) (14 ,(py-logior 6 12)) (10 ,(py-logxor 6 12))
                       (-7 ,(py-lognot 6)) (24 ,(py<< 6 2)) (1 ,(py>> 6 2)) (3 ,(py-len "abc"))))
    (equal (first case) (second case))))

(test operators.truth
  (is-for-each (truth (list (py= 1 1) (py= '(1 "a") '(1 "a")) (py= 1 1d0) (py/= 1 2) (py< 1 2) (py<= 2 2) (py> 2 1)
                            (py>= 2 2) (py< "a" "b") (py-not nil) (py-not #()) (py-not +py-none+) (py-bool 1)
                            (py-bool "x") (py-in 1 '(1 2)) (py-in "b" "abc") (py-in "k" (table "k" 1))))
    (eq truth t))
  (is-for-each (falsehood (list (py= 1 2) (py/= 1 1) (py< 2 1) (py<= 3 2) (py> 1 2) (py>= 1 2) (py-not t)
                                (py-not #(nil)) (py-bool 0) (py-bool "") (py-bool +py-none+) (py-bool +py-empty-tuple+)
                                (py-bool (table)) (py-bool nil) (py-in 3 '(1 2)) (py-in "z" "abc")))
    (eq falsehood nil)))

(test operators.and-or
  (is (eq t (py-and)))
  (is (eq nil (py-or)))
  (is (eql 5 (py-and 5)))
  (is (eql 5 (py-or 5)))
  (is (eql 3 (py-and 1 "x" 3)))
  (is (equalp #() (py-and 1 #() (error "not evaluated"))))
  (is (equal "x" (py-or 0 "" nil "x" (error "not evaluated"))))
  (is (eql 0 (py-or nil 0)))
  (is (equal '(1 5) (let ((count 0)) (list (progn (py-or (progn (incf count) 0) 5) count) (py-or 0 5))))
      "A form is evaluated once.")
  (is (eql 2 (with-remote-objects* (py-or (pyeval "[]") 2))) "Also when results stay in Python."))

(test operators.own-classes
  (define-python "class Own:" "    def __add__(self, other): return ('add', other)"
                 "    def __radd__(self, other): return ('radd', other)"
                 "    def __eq__(self, other): return 'equal'" "    def __matmul__(self, other): return ('matmul', other)"
                 "    def __bool__(self): raise ValueError('no truth')" "    def __len__(self): return 7"
                 "    def __contains__(self, item): return item == 'x'")
  (let ((own (pycall "Own")))
    (is (equal '("add" 5) (py+ own 5)))
    (is (equal '("radd" 5) (py+ 5 own)))
    (is (equal "equal" (py= own 1)))
    (is (equal '("matmul" 2) (py@ own 2)))
    (is (eql 7 (py-len own)))
    (is (eq t (py-in "x" own)))
    (is (eq nil (py-in "y" own)))
    (signals py-value-error (py-bool own))
    (signals py-value-error (py-and own 1))))

(test operators.errors
  (signals py-type-error (py+ 1 "a"))
  (signals py-zero-division-error (py/ 1 0))
  (signals py-type-error (py< 1 "a"))
  (signals py-type-error (py-len 5))
  (signals py-type-error (py-in 5 5))
  (signals conversion-error (py+ 1 '(1 . 2)))
  (is-true (python-works-p)))

(test operators.whatever-main-has
  "What __main__ and the modules have under the same names changes nothing."
  (pyexec "import operator; saved = operator.add")
  (unwind-protect
       (progn
         (pyexec "_pyrite = operator.add = add = truth = bool = len = isinstance = type = 5")
         (is (eql 3 (py+ 1 2)))
         (is (eq t (py-bool 1)))
         (is (eql 2 (py-len "ab")))
         (is (eq t (pyisinstance 5 "int"))))
    (pyexec "operator.add = saved")
    (pystop))
  (is (eql 3 (py+ 1 2)))
  (is (eql 2 (py-len "ab"))))

(test operators.numpy
  (with-numpy
    (let ((vector (make-array 3 :element-type 'double-float :initial-contents '(1d0 2d0 3d0))))
      (is (equalp #(2d0 4d0 6d0) (py+ vector vector)))
      (is (equalp #(-1d0 -2d0 -3d0) (py- vector)))
      (is (eql 14d0 (py@ vector vector)))
      (is (equalp #*011 (py> vector 1)))
      (is (equalp #*010 (with-remote-objects* (py-logand (py> vector 1) (py< vector 3)))))
      (is (equalp #*100 (py-lognot (py> vector 1))))
      (signals py-value-error (py-bool vector)))))

(test operators.keywords
  "A keyword is a value: its Python name."
  (is (eq t (py= :a-b "a_b")))
  (is (equal "ab" (py+ :a :b)))
  (is (eq t (py-in :a '("a"))))
  (is (eq t (pyisinstance :a "str")))
  (is (equal (pymethod-list "a") (pymethod-list :a)))
  (is (eq t (pyobject-wrapper-eq (pyvalue "str") (pytype-of :a))))
  (with-pythonizers ((keyword "len"))
    (is (eql 5 (py+ 2 :abc)))))
