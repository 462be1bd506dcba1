;;;; Values from Python as users want them.

(in-package #:pyrite/test)

(def-suite lispifiers :in pyrite :description "Users' own conversions of values from Python.")
(in-suite lispifiers)

(defmacro with-type-lispifiers ((&rest entries) &body body)
  "Evaluate BODY with lispifiers of types in force: ENTRIES are (NAME (VARIABLE) . BODY)."
  `(unwind-protect (progn ,@(loop for (name variables . forms) in entries
                                  collect `(define-lispifier ,name ,variables ,@forms))
                          ,@body)
     ,@(loop for (name) in entries collect `(pyrite::set-type-lispifier ,name nil))))

(defun define-things ()
  (define-python "import datetime, collections"
                 "class Thing:"
                 "    def __init__(self, x): self.x = x"
                 "    def __eq__(self, other): return self.x == other.x"
                 "    def __hash__(self): return hash(self.x)"
                 "class Sub(Thing): pass"))

;;; By the types of converted values

(test lispifiers.the-manual
  (is (equalp #(1 2 3) (raw-pyeval "[1, 2, 3]")))
  (with-lispifiers ((vector (lambda (x) (coerce x 'list))))
    (is (equal '(1 2 3) (raw-pyeval "[1,2,3]")))
    (is (eql 5 (raw-pyeval "5"))))
  (is (equalp #(1 2 3) (raw-pyeval "[1, 2, 3]"))))

(test lispifiers.every-way-to-a-value
  (define-python "class Place:" "    seven = 7" "    @staticmethod" "    def give(x, y=7): return y" "place = Place()"
                 "def seven(): return 7")
  (with-lispifiers ((integer #'-))
    (let ((place (pyvalue "place")))
      (is-for-each (value (list (pycall "seven") (pycall "int" "7") (pycall "lambda x: 7" "text")
                                (pycall "Place.give" :x 1 :y 7) (pymethod place "give" 1)
                                (pymethod place "give" "text") (pyslot-value place "seven")
                                (pyvalue "place.seven") (pyeval "3 + 4") (raw-pyeval "7")
                                (with-remote-objects* (pycall "seven"))
                                (pyvalue (with-remote-objects (pycall "seven")))))
        (eql -7 value)))))

(test lispifiers.every-level
  (with-lispifiers ((integer #'-))
    (is (same (vector -1 (list -2 (table -3 (vector -4 1.5d0))) (list "x" (list -6)))
              (pyeval "[1, (2, {3: [4, 1.5]}), ('x', (6,))]")))
    (is (same (table (list -1 (list -2)) -3) (pyeval "{(1, (2,)): 3}")))
    (with-numpy
      (let ((array (pyeval "numpy.array([[1, 'a'], [(2,), [3]]], dtype=object)")))
        (is (same (make-array '(2 2) :initial-contents '((-1 "a") ((-2) #(-3)))) array))))))

(test lispifiers.arrays-are-whole
  "Elements of specialized arrays are not looked at; the array is."
  (with-numpy
    (with-lispifiers ((double-float (lambda (x) (declare (ignore x)) :element))
                      ((array double-float) (lambda (array) (list :array (array-dimensions array)))))
      (is (equal '(:array (2 3)) (pycall "numpy.zeros" '(2 3))))
      (is (equal '(:element (:array (2))) (pyeval "(1.5, numpy.zeros(2))"))))))

(test lispifiers.items-before-containers
  "A container's lispifier sees it whole, and in the order in which they stand."
  (let ((seen '()))
    (with-lispifiers ((t (lambda (value) (push value seen) (list :seen value))))
      (is (equalp '(:seen ((:seen 1) (:seen #((:seen 2) (:seen "x"))) (:seen 3)))
                  (pyeval "(1, [2, 'x'], 3)"))))
    (is (equalp '(1 2 "x" #((:seen 2) (:seen "x")) 3 ((:seen 1) (:seen #((:seen 2) (:seen "x"))) (:seen 3)))
                (reverse seen)))))

(test lispifiers.first-match
  (with-lispifiers ((string #'string-upcase) (vector #'length) ((eql 3) #'-) (integer #'1+) (number #'identity))
    (is (equal '("AB" 2 -3 5 2.5d0) (pyeval "('ab', [1, 2], 3, 4, 2.5)"))))
  (with-lispifiers ((integer #'1+))
    (with-lispifiers (((integer 0 10) #'-))
      (is (equal '(-5 101) (pyeval "(5, 100)"))))
    (is (equal '(6 101) (pyeval "(5, 100)"))))
  (let ((*lispifiers* (list (cons 'string #'length))))
    (is (equal '(3 4) (pyeval "('abc', 4)")))))

(test lispifiers.types-are-lisps
  "False is NIL, which is a list and a symbol; strings are vectors; None has an object of its own."
  (with-lispifiers ((list #'list) (symbol #'list) (vector #'length))
    (is (equal '(((nil) (t) 2)) (pyeval "(False, True, 'ab')"))))
  (with-lispifiers (((eql #.+py-none+) (constantly nil)) (pyobject-wrapper #'pyobject-wrapper-p))
    (is (equal '(nil t 1) (pyeval "(None, object(), 1)")))))

(test lispifiers.deep
  (let ((depth (scaled 100000)))
    (define-python "def deep(depth):" "    value = 0" "    for i in range(depth): value = [value]" "    return value")
    (with-lispifiers ((integer #'1+))
      (multiple-value-bind (found innermost) (unnest (lambda (vector) (svref vector 0)) (pycall "deep" depth))
        (is (eql depth found))
        (is (eql 1 innermost))))
    (with-lispifiers ((vector (lambda (vector) (1+ (svref vector 0)))))
      (is (eql depth (pycall "deep" depth))))))

(test lispifiers.run-without-lispifiers
  "What a lispifier itself calls is converted as usual: it does not run into itself."
  (with-lispifiers ((string (lambda (s) (pymethod s "upper"))))
    (is (equal '("A" "B") (pyeval "('a', 'b')"))))
  (with-pythonizers ((string (constantly 5)))
    (with-lispifiers ((string (lambda (s) (pycall "len" s))))
      (is (eql 3 (pyeval "'abc'"))))))

(test lispifiers.not-for-the-librarys-own-calls
  (with-lispifiers ((t (constantly :changed)))
    (is (listp (pyversion-info)))
    (is (equal "'a'" (py-repr "a")))
    (let ((wrapper (with-remote-objects (pycall "object"))))
      (is (search "object object" (princ-to-string wrapper)))))
  (with-type-lispifiers (("str" (s) (declare (ignore s)) :changed) ("tuple" (s) (declare (ignore s)) :changed))
    (is (listp (pyversion-info)))
    (is (equal "'a'" (py-repr "a")))))

(test lispifiers.not-for-the-text-of-objects
  (let ((object (pycall "object")))
    (is-true (mentions-all-p (with-lispifiers ((t #'length)) (princ-to-string object))
                             "<class 'object'>" "<object object"))
    (with-type-lispifiers (("type" (type) (declare (ignore type)) :changed))
      (is-true (mentions-all-p (princ-to-string object) "<class 'object'>" "<object object")))))

(test lispifiers.not-for-streams
  "What Python writes and reads is no result: `print` went wrong where strings or integers had a lispifier."
  (flet ((output-and-input ()
           (with-input-from-string (*standard-input* (format nil "abc~%def"))
             (is (equal (format nil "5~%abc~%") (with-python-output (pyexec "print(5); print(input())"))))
             (is (equal "d" (with-python-output (pyexec "import sys; print(sys.stdin.read(1), end='')")))))))
    (with-lispifiers ((t (constantly :changed)))
      (output-and-input))
    (with-type-lispifiers (("str" (s) (declare (ignore s)) :changed) ("int" (i) (declare (ignore i)) :changed))
      (output-and-input))))

(test lispifiers.remote-objects
  "A wrapper that is asked for is left alone, with all that is in it."
  (with-lispifiers ((t (constantly :changed)))
    (with-remote-objects
      (is (pyobject-wrapper-p (pycall "list" '(1 2))))
      (is (pyobject-wrapper-p (pyvalue "int"))))
    (is (eq :changed (with-remote-objects* (pycall "list" '(1 2))))))
  (with-type-lispifiers (("list" (o) (declare (ignore o)) :changed))
    (with-remote-objects
      (is (pyobject-wrapper-p (pycall "list" '(1 2)))))
    (is (eq :changed (with-remote-objects* (pycall "list" '(1 2)))))))

;;; By the names of Python's types

(test lispifiers.types-with-wrappers
  (define-things)
  (with-type-lispifiers (("datetime.date" (date) (list :date (pyslot-value date "year")))
                         ("__main__.Thing" (thing) (list :thing (pyslot-value thing "x"))))
    (is (equal '(:date 2000) (pyeval "datetime.date(2000, 1, 1)")))
    (is (equal '(:thing (:thing 5)) (pyeval "Thing(Thing(5))")))
    (is (same (vector (list :date 1) (list (list :thing 2)) (table (list :thing 3) (list :date 4)))
              (pyeval "[datetime.date(1, 1, 1), (Thing(2),), {Thing(3): datetime.date(4, 1, 1)}]")))
    (is-for-each (value (pyeval "(Sub(1), datetime.datetime(2000, 1, 1), object(), Thing)"))
      (pyobject-wrapper-p value)))
  (is (pyobject-wrapper-p (pyeval "Thing(1)"))))

(test lispifiers.types-that-are-converted
  "The lispifier comes first; within it, the object's value is what it is otherwise."
  (with-type-lispifiers (("float" (o) (coerce (pyvalue o) 'single-float)))
    (is (eql 1.5 (pyeval "1.5")))
    (is (eql 1.0 (pycall "abs" -1d0)))
    (is (equalp #(1.5 (2.5)) (pyeval "[1.5, (2.5,)]"))))
  (is (eql 1.5d0 (pyeval "1.5")))
  (with-type-lispifiers (("list" (o) (cons :list (coerce (pyvalue o) 'list))))
    (is (equal '(:list 1 ((:list 2 (:list)))) (pyeval "[1, ([2, []],)]"))))
  (with-type-lispifiers (("NoneType" (o) (declare (ignore o)) nil) ("bool" (o) (if (pyvalue o) 1 0)))
    (is (equal '(nil 1 0) (pyeval "(None, True, False)"))))
  (with-numpy
    (with-type-lispifiers (("numpy.float64" (o) (list :float (pyvalue o)))
                           ("numpy.ndarray" (o) (coerce (pyvalue o) 'list)))
      (is (equal '(:float 1.5d0) (pyeval "numpy.float64(1.5)")))
      (is (eql 1.5d0 (pyeval "1.5")))
      (is (equal '(1.0d0 1.0d0) (pycall "numpy.ones" 2))))))

(test lispifiers.names-of-types
  "By the printed name, by the way to it, bare ones in builtins and __main__; nothing that only looks so."
  (define-things)
  (define-python "class float: pass")
  (unwind-protect
       (with-type-lispifiers (("collections.OrderedDict" (o) (declare (ignore o)) :ordered)
                              ("Thing" (o) (declare (ignore o)) :thing)
                              ("float" (o) (declare (ignore o)) :float)
                              ("no.such.type" (o) (declare (ignore o)) :none))
         (is (equal '(:ordered :thing :float) (pyeval "(collections.OrderedDict(), Thing(1), 1.5)")))
         (is (pyobject-wrapper-p (pyeval "float()"))))
    (pyexec "del float"))
  (signals type-error (pyrite::set-type-lispifier 'float #'identity)))

(test lispifiers.both-kinds
  "What the lispifier of a type gives is a converted value like any other."
  (define-things)
  (with-type-lispifiers (("__main__.Thing" (thing) (pyslot-value thing "x")))
    (with-lispifiers ((integer #'-) (string #'length))
      (is (equal '(-5 3 (1)) (pyeval "(Thing(5), Thing('abc'), Thing((1,)))"))
          "An item of what a lispifier gave is left alone."))))

(test lispifiers.redefinition
  (define-things)
  (with-type-lispifiers (("Thing" (o) (declare (ignore o)) 1))
    (is (eql 1 (pyeval "Thing(0)")))
    (is (equal "Thing" (define-lispifier "Thing" (o) (declare (ignore o)) 2)))
    (is (eql 2 (pyeval "Thing(0)")))
    (pystop)
    (define-things)
    (is (eql 2 (pyeval "Thing(0)")) "They outlast a stop."))
  (is (eql pyrite::+as-ucs4+ pyrite::*conversion-flags*)))

;;; Exits

(test lispifiers.exits
  "An error or a throw in a lispifier reaches the caller, and nothing is lost."
  (define-things)
  (with-lispifiers ((integer (lambda (x) (if (= x 3) (throw 'three :thrown) x)))
                    (string (lambda (x) (error "~A is wrong." x))))
    (is (eq :thrown (catch 'three (pyeval "[1, [2, {5: 3}], 4]"))))
    (is (equal "abc is wrong." (princ-to-string (signalled (pyeval "[1, 'abc']")))))
    (is (eql 7 (pyeval "7"))))
  (with-type-lispifiers (("Thing" (thing) (pycall thing)))
    (raises "TypeError" (pyeval "[1, Thing(2)]")))
  (is-true (python-works-p)))

(test lispifiers.nothing-leaks
  (define-things)
  (define-python "def fill(text):"
                 "    return [object() for i in range(100)] + [Thing(text), 99] + [object() for i in range(100)]")
  (let ((base (live-handles)) (text (make-string 1000 :initial-element #\x)))
    (with-lispifiers ((integer (lambda (x) (if (= x 99) (throw 'out t) x))))
      (with-type-lispifiers (("Thing" (thing) (pyslot-value thing "x")))
        (is-true (dotimes (i (scaled 2000) t)
                   (unless (and (eq t (catch 'out (pycall "fill" text)))
                                (equal (list text text) (pycall "lambda text: (Thing(text), text)" text)))
                     (return nil))))))
    (is (< (live-handles-below (+ base *slack*)) (+ base *slack*)))))

;;; Threads

(test lispifiers.of-threads
  (with-lispifiers ((integer #'-))
    (is (equal '(7 7) (in-threads 2 (lambda (i) (declare (ignore i)) (pyeval "7"))))
        "A binding is the thread's own."))
  (is (equal '((0 0) (-7 14) (-14 28) (-21 42))
             (in-threads 4 (lambda (i)
                             (loop repeat 200
                                   do (unless (and (eql (* -7 i) (with-lispifiers ((integer (lambda (x) (* -1 i x))))
                                                                   (pyeval "7")))
                                                   (eql 7 (pyeval "7")))
                                        (error "Another thread's lispifier was used.")))
                             (list (* -7 i) (* 14 i)))))))

(test lispifiers.types-in-threads
  "The lispifier of a type holds for all threads, also while it is defined."
  (define-things)
  (with-type-lispifiers (("Thing" (o) (pyslot-value o "x")))
    (is (equal '(t t t t)
               (in-threads 4 (lambda (i)
                               (loop for k below 300
                                     always (progn
                                              (when (zerop (mod k 100))
                                                (define-lispifier "datetime.date" (o) (declare (ignore o)) :date))
                                              (equal (list i (list i)) (pycall "lambda i: (Thing(i), (Thing(i),))" i))))))))
    (pyrite::set-type-lispifier "datetime.date" nil)))
