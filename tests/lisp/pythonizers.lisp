;;;; Values as users want to pass them: methods of PYTHONIZE, pythonizers.

(in-package #:pyrite/test)

(def-suite pythonizers :in pyrite :description "Users' own conversions of values to Python.")
(in-suite pythonizers)

(defclass boxed () ((value :initarg :value :accessor boxed-value)))
(defstruct point x y)
(define-condition trouble (error) ((text :initarg :text :reader trouble-text)))
(defclass bare () ())

(defvar *calls* 0 "How often a method was called.")

(defmethod pythonize ((object boxed))
  (incf *calls*)
  (boxed-value object))
(defmethod pythonize ((point point)) (list (point-x point) (point-y point)))
(defmethod pythonize ((condition trouble)) (pycall "RuntimeError" (trouble-text condition)))
(defmethod pythonize ((stream string-stream)) "a stream")

(defun boxed (value) (make-instance 'boxed :value value))
(defun repr (value) (pycall "repr" value))

;;; Methods

(test pythonizers.methods
  (is (equal "5" (repr (boxed 5))))
  (is (equal "'text'" (repr (boxed "text"))))
  (is (equal "(1, 2)" (repr (make-point :x 1 :y 2))))
  (is (equal "RuntimeError('bad')" (repr (make-condition 'trouble :text "bad"))))
  (is (equal "'a stream'" (repr (make-string-input-stream ""))))
  (is (equal "[1, {2: None}]" (repr (boxed (vector 1 (table 2 +py-none+))))))
  (is (equal "(1, ('abc', [2]))" (repr (make-point :x 1 :y (make-point :x "abc" :y (boxed #(2))))))))

(test pythonizers.methods-at-every-level
  (is (equal "[1, (2, 'a')]" (repr (vector 1 (list (boxed 2) (boxed "a"))))))
  (is (equal "{'key': ('a',)}" (repr (table (boxed "key") (boxed '("a"))))))
  (is (equal "{(1, 2): 3}" (repr (table (make-point :x 1 :y 2) 3))))
  (with-numpy
    (is (equal '(1 "x") (pycall "lambda array: (array[0, 0], array[0, 1])"
                                (make-array '(1 2) :initial-contents (list (list (boxed 1) (boxed "x")))))))))

(test pythonizers.methods-wherever-a-value-is-passed
  (define-python "class Place: value = 0" "place = Place()")
  (let ((place (pyvalue "place")) (boxed (boxed '(1 2))))
    (is (equal '(1 2) (pycall "lambda x=None: x" :x boxed)))
    (is (eql 2 (pymethod boxed "__len__")))
    (is (equal '(0 1 2) (pymethod '(0) "__add__" boxed)))
    (is (equal '(1 2) (setf (pyslot-value place "value") '(1 2))))
    (is (eq boxed (setf (pyslot-value place "value") boxed)))
    (is (equal '(1 2) (pyvalue "place.value")))
    (setf (pyvalue "place") boxed)
    (is (equal '(1 2) (pyvalue "place")))
    (is (equal '(1 2 1) (pyeval boxed " + (1,)")))
    (is (eql 8 (pycall (boxed "lambda: 8"))) "A string is source where something is called, not a value.")
    (is (eql 6 (pycall (boxed (pyeval "lambda: 6"))))))
  (is (equal "a'b" (pyeval (boxed "a'b"))) "A string that a method gave is a value, not source."))

(test pythonizers.methods-of-wrappers
  "A wrapper that nobody else keeps lives as long as the call."
  (define-python "class Fresh:" "    def __init__(self, x): self.x = x")
  (let ((boxes (loop for i below 50 collect (boxed (pycall "Fresh" i)))))
    (flet ((fresh (i) (setf (boxed-value (nth i boxes)) (pycall "Fresh" i))
             (nth i boxes)))
      (is-true (loop repeat (scaled 40)
                     always (equal (loop for i below 50 collect i)
                                   (pycall "lambda things: tuple(thing.x for thing in things)"
                                           (loop for i below 50 collect (fresh i)))))))))

(test pythonizers.methods-by-default
  "PYTHONIZE can be called with any value, and gives what stands for its object."
  (is (equal "(1, 2)" (repr (pythonize '(1 2)))))
  (is-true (pyobject-wrapper-p (pythonize "text")))
  (is (equal "'text'" (repr (pythonize "text"))))
  (let ((wrapper (pycall "object")))
    (is (eq wrapper (pythonize wrapper))))
  (is (eql 5 (pythonize (boxed 5))))
  (is (equal "[5]" (py-repr (pythonize (vector (boxed 5)))))))

(defclass chained (boxed) ())
(defmethod pythonize ((object chained)) (list :chained (call-next-method)))

(test pythonizers.methods-of-subclasses
  (is (equal "('chained', 5)" (repr (make-instance 'chained :value 5)))))

(test pythonizers.methods-for-types-with-a-counterpart
  "Nobody asks them: what is documented to be passed as something is."
  (let ((method (eval '(defmethod pythonize ((list list)) (error "Asked for ~S." list)))))
    (unwind-protect (is (equal "(1, (2,))" (repr '(1 (2)))))
      (remove-method #'pythonize method))))

(test pythonizers.methods-without-end
  "A method that leads back to its argument is refused, whatever way it takes."
  (let ((box (boxed nil)) (other (boxed nil)))
    (setf (boxed-value box) box)
    (refuses conversion-error (repr box))
    (setf (boxed-value box) (list 1 box))
    (refuses conversion-error (repr box))
    (refuses conversion-error (repr (vector 1 (list box))))
    (setf (boxed-value box) other (boxed-value other) box)
    (refuses conversion-error (repr box))
    (setf (boxed-value other) (vector 1 (table 1 box)))
    (refuses conversion-error (repr (list box)))
    (with-pythonizers ((string "str"))
      (refuses conversion-error (repr box))
      (refuses conversion-error (repr (list 1 box))))))

(defclass fresh () ())
(defclass fresh-inside () ())
(defmethod pythonize ((object fresh)) (make-instance 'fresh))
(defmethod pythonize ((object fresh-inside)) (list (make-instance 'fresh-inside)))

(test pythonizers.methods-without-end-that-make-new-objects
  (dolist (object (list (make-instance 'fresh) (make-instance 'fresh-inside)))
    (refuses conversion-error (repr object))
    (with-pythonizers ((string "str"))
      (refuses conversion-error (repr (list object))))))

(test pythonizers.methods-deep
  (let ((value 1))
    (dotimes (i 5000) (setf value (boxed (list value))))
    (is (eql 5000 (pycall "lambda value: (lambda depth=0, value=value: [value := value[0] for i in range(5000)] and 5000)()"
                          value)))))

(test pythonizers.methods-that-exit
  (let ((box (boxed 1)))
    (let ((method (eval '(defmethod pythonize :before ((object boxed))
                          (case (boxed-value object)
                            (:throw (throw 'out :thrown))
                            (:error (error "No."))
                            (:python (pycall "int" "x")))))))
      (unwind-protect
           (progn
             (setf (boxed-value box) :throw)
             (is (eq :thrown (catch 'out (repr (list (make-string 1000) box)))))
             (setf (boxed-value box) :error)
             (is (equal "No." (princ-to-string (signalled (repr (list 1 box))))))
             (setf (boxed-value box) :python)
             (raises "ValueError" (repr (list 1 box))))
        (remove-method #'pythonize method)))
    (is-true (python-works-p))))

(test pythonizers.methods-run-with-default-conversions
  (let ((box (boxed 1)))
    (let ((method (eval '(defmethod pythonize :around ((object boxed)) (pycall "str" (call-next-method))))))
      (unwind-protect
           (with-lispifiers ((string #'length))
             (with-pythonizers ((integer (constantly 100)))
               (is (equal 1 (pycall "str" box)))))
        (remove-method #'pythonize method)))))

;;; Pythonizers

(test pythonizers.the-manual
  (is (equal "[1, 2, 3]" (pycall "str" #(1 2 3))))
  (with-pythonizers ((vector "tuple"))
    (is (equal "(1, 2, 3)" (pycall "str" #(1 2 3))))
    (is (equal "5" (pycall "str" 5))))
  (is (equal "[1, 2, 3]" (pycall "str" #(1 2 3)))))

(test pythonizers.every-level
  (with-pythonizers (((and vector (not string)) "tuple"))
    (is (equal "(1, (2, ('a',)), {3: (4,)})" (repr (list 1 (vector 2 (list "a")) (table 3 #(4)))))))
  (with-pythonizers ((string "len"))
    (is (equal "{3: (1, [4])}" (repr (table "abc" (list 1 (vector "abcd")))))))
  (with-pythonizers ((cons "list"))
    (is (equal "[1, [2, [3]]]" (repr '(1 (2 (3)))))))
  (with-numpy
    (with-pythonizers ((string "len"))
      (is (equal '(3 1) (pycall "lambda array: (array[0, 0], array[0, 1])"
                                (make-array '(1 2) :initial-contents '(("abc" 1))))))
      (is (equal "float64" (pycall "lambda array: array.dtype.name"
                                   (make-array 2 :element-type 'double-float)))))))

(test pythonizers.functions
  "A string, a symbol, a wrapper, source, a Lisp function."
  (is-for-each (function (list "len" 'len (pyvalue "len") "lambda text: len(text)" #'length))
    (equal "(3, 1)" (with-pythonizers ((string function)) (repr '("abc" "x")))))
  (define-python "def fresh(value):" "    global last" "    last = object()" "    return last")
  (with-pythonizers ((integer "fresh"))
    (is-true (pycall "lambda value: value is last" 5) "The value itself is passed, not a copy.")))

(test pythonizers.every-argument
  (define-python "class Adder:" "    def add(self, *values, **more): return values + tuple(more.values())")
  (with-pythonizers ((integer #'-))
    (is (equal '(-1 -2 -3) (pycall "Adder().add" 1 2 :x 3)))
    (is (equal '(-1 -2 -3) (pymethod (pyeval "Adder()") "add" 1 2 :x 3)))
    (is (equal '(-1 "a" -3) (pymethod (pyeval "Adder()") "add" 1 "a" :x 3)))
    (is (eql -1 (pycall "int" 1)))))

(test pythonizers.what-is-no-argument
  (with-pythonizers ((integer #'-) (string #'length))
    (is (eql 5 (pyeval "2 + " 3)))
    (setf (pyvalue "five") 5)
    (is (eql 5 (pyvalue "five")))
    (is (eql 1 (pymethod 1 "conjugate"))))
  (let ((object (pycall "object")))
    (with-pythonizers ((t "repr"))
      (is (search "<class 'object'>" (princ-to-string object)))
      (is (eql 6 (with-pycontext (value (pyeval "__import__('contextlib').nullcontext(5)")) (1+ value))))
      (with-numpy
        (is (equal '(2 2) (pyarray-dimensions (make-pyarray '(2 2)))))))))

(test pythonizers.first-match
  (with-pythonizers (((eql 3) (constantly "three")) (integer #'-) (number "str"))
    (is (equal "('three', -4, '2.5')" (repr '(3 4 2.5d0)))))
  (with-pythonizers ((integer #'1+))
    (with-pythonizers (((integer 0 10) #'-))
      (is (equal "(-5, 101)" (repr '(5 100)))))
    (is (equal "(6, 101)" (repr '(5 100)))))
  (let ((*pythonizers* '((string . "len"))))
    (is (equal "(3, 4)" (repr '("abc" 4))))))

(test pythonizers.results-are-left-alone
  (with-pythonizers ((integer (lambda (x) (list x (1+ x)))))
    (is (equal "(5, 6)" (repr 5))))
  (with-pythonizers ((list (lambda (list) (list list))))
    (is (equal "((1,),)" (repr '(1)))))
  (with-pythonizers ((integer (constantly (boxed 5))) (boxed "str"))
    (is (equal "5" (repr 1)) "Another conversion is made, another pythonizer is not asked."))
  (with-pythonizers ((integer (constantly :foo-bar)))
    (is (equal "'foo_bar'" (repr 1)) "It is no keyword argument."))
  (with-pythonizers ((keyword "str.upper"))
    (is (equal "('FOO',)" (repr '(:foo))))
    (is (equal "{'a': 'B'}" (pycall "repr" (pycall "lambda **more: more" :a :b))))))

(test pythonizers.and-methods
  "An object that a pythonizer is for goes there; else the items of what its method gives have their turn."
  (with-pythonizers ((boxed "str"))
    (is (equal "'5'" (repr (boxed 5)))))
  (with-pythonizers ((integer #'-))
    (is (equal "(-1, [-2])" (repr (list (boxed 1) (vector (boxed 2))))))
    (is (equal "(-1, (-2, 'x'))" (repr (make-point :x 1 :y (make-point :x 2 :y "x")))))))

(test pythonizers.untouched
  "What no pythonizer is for is passed as it was; arguments are not changed."
  (let* ((inner (vector "a" 1)) (outer (list inner "b")) (copy (copy-tree outer)))
    (with-pythonizers ((string "len"))
      (is (equal "([1, 1], 1)" (repr outer))))
    (is (equalp copy outer))
    (is (eq inner (first outer)))))

(test pythonizers.refusals
  (let ((circle (list 1 2)))
    (setf (second circle) circle)
    (with-pythonizers ((character "ord"))
      (refuses conversion-error (repr circle))
      (refuses conversion-error (repr (list 1 (cons 1 2))))
      (define-python "calls = []")
      (refuses malformed-keywords (pycall "calls.append" :a "abc" :b)))
    (with-pythonizers ((string "calls.append"))
      (signals malformed-keywords (pycall "repr" "abc" :a "abc" 5 6)))
    (is (equalp #() (pyvalue "calls")) "Nothing is called when the arguments are malformed."))
  (with-pythonizers ((integer "no_such_function"))
    (raises "NameError" (repr 5))
    (is (equal "'x'" (repr "x"))))
  (with-pythonizers ((integer (lambda (x) (throw 'out x))))
    (is (eql 5 (catch 'out (repr (list "a" 5))))))
  (is-true (python-works-p)))

(test pythonizers.deep
  (let ((depth (scaled 100000)))
    (with-pythonizers ((integer #'-))
      (is (eql depth (pycall "lambda value, depth: ([value := value[0] for i in range(-depth)], -depth)[1]"
                             (nest #'list 1 depth) depth))))))

(test pythonizers.nothing-leaks
  (let ((base (live-handles)))
    (with-pythonizers ((integer "object.__new__(object).__class__") (string (lambda (x) (if (equal x "out") (throw 'out t) x))))
      (is-true (dotimes (i (scaled 2000) t)
                 (unless (eq t (catch 'out (pycall "len" (list "a" 1.5d0 (vector "b" "out")))))
                   (return nil)))))
    (with-pythonizers ((integer "lambda x: object()"))
      (is-true (dotimes (i (scaled 2000) t)
                 (unless (eql 3 (pycall "len" (list 1 2 3)))
                   (return nil)))))
    (is (< (live-handles-below (+ base *slack*)) (+ base *slack*)))))

(test pythonizers.of-threads
  (with-pythonizers ((integer #'-))
    (is (equal '("7" "7") (in-threads 2 (lambda (i) (declare (ignore i)) (repr 7))))))
  (is (equal '(t t t t)
             (in-threads 4 (lambda (i)
                             (loop repeat 200
                                   always (and (equal (princ-to-string (* 7 i))
                                                      (with-pythonizers ((integer (lambda (x) (* x i)))) (repr 7)))
                                               (equal "7" (repr 7)))))))))
