;;;; Objects that Python has no like of, and functions.

(in-package #:pyrite/test)

(def-suite opaque :in pyrite :description "Objects that Python only keeps.")
(in-suite opaque)

(defstruct some-structure a b)
(defclass some-class () ((slot :initarg :slot)))
(defgeneric some-generic (x) (:method (x) x))

(defun opaque-objects ()
  "One object of each kind that is lent, fresh where there can be many."
  (let ((count 0))
    (list (make-some-structure :a 1) (make-instance 'some-class :slot 1) (find-class 'some-class)
          (find-package '#:cl) *standard-output* (make-broadcast-stream)
          (make-condition 'simple-error) (make-random-state) (copy-readtable)
          #'car #'some-generic (lambda () (incf count)) (compile nil '(lambda (x) x))
          (bt:make-lock) (bt:current-thread))))

(test opaque.eq
  "There and back it is the same object, wherever it stands."
  (is-for-each (object (opaque-objects))
    (and (eq object (pycall "lambda a: a" object))
         (eq object (first (pycall "lambda a: (a,)" object)))
         (eq object (svref (pycall "lambda a: [a]" object) 0))
         (eq object (gethash "k" (pycall "lambda a: {'k': a}" object)))
         (eq object (svref (pycall "lambda l: l" (vector object object)) 1))
         (eq object (with-remote-objects* (pycall "lambda a: a" object)))
         (eq object (progn (setf (pyvalue "opaque_object") object) (pyvalue "opaque_object")))
         (eq object (pyeval object))
         (let ((table (table "k" object)))
           (eq object (gethash "k" (pycall "lambda d: d" table))))))
  (pyexec "opaque_object = None"))

(test opaque.to-python
  "There is one Python object for a Lisp object as long as Python has it; it is equal to itself only."
  (is-for-each (object (opaque-objects))
    (and (pycall "lambda a, b: a is b and a == b and hash(a) == hash(b) and not (a != b)" object object)
         (pycall "lambda l: l[0] is l[1][0] is l[2]['k']"
                 (vector object (list object) (table "k" object)))
         (not (pycall "lambda a, b: a is b or a == b" object (make-some-structure)))
         (pycall "lambda a: len({a, a}) == 1 and {a: 5}[a] == 5 and a in [a]" object)
         (pycall "lambda a: bool(a) and not hasattr(a, 'no_such_attribute')" object)
         (pycall "lambda a: isinstance(repr(a), str)" object)
         (pycall "lambda a: __import__('copy').deepcopy([a])[0] is a" object)
         (progn (setf (pyvalue "opaque_object") object)
                (pycall "lambda a: a is opaque_object" object))))
  (pyexec "opaque_object = None"))

(test opaque.as-keys
  "A dict from objects, as a hash table: found by the same objects."
  (let* ((objects (opaque-objects)) (table (make-hash-table :test 'equal)))
    (loop for object in objects for i from 0 do (setf (gethash object table) i))
    (let ((back (pycall "lambda d: d" table)))
      (is (= (length objects) (hash-table-count back)))
      (is-true (loop for object in objects for i from 0 always (eql i (gethash object back)))))
    (is (eql (length objects) (pycall "lambda l: len(set(l))" (coerce objects 'vector))))))

(test opaque.hash-tables-are-dicts
  (is (equal "dict" (pycall "lambda a: type(a).__name__" (make-hash-table))))
  (let ((table (table "a" 1)))
    (is (same table (pycall "lambda a: a" table)))
    (is (not (eq table (pycall "lambda a: a" table))))))

(test opaque.kept
  "Kept through GCs, and ended when Python lets go."
  (pyexec "import threading
kept = []
def keep(*things): kept.extend(things)")
  (lends-nothing-for-good
    (let ((objects (loop repeat 20 append (opaque-objects))))
      (pycall "lambda l: keep(*l)" objects)
      (storm)
      (is (every #'eq objects (pyvalue "kept")))
      (is (every #'eq objects (pyeval "tuple(kept)")))
      (is-true (pycall "lambda l: all(a is b for a, b in zip(l, kept))" objects)))))

(test opaque.only-python-has-it
  "What is nowhere in Lisp any more."
  (pyexec "kept = []
def keep(*things): kept.extend(things)")
  (lends-nothing-for-good
    (dotimes (i 100)
      (let ((i i))
        (pycall "keep" (make-some-structure :a i) (lambda () i))))
    (storm)
    (is-true (loop for (structure function) on (pyeval "tuple(kept)") by #'cddr
                   for i from 0
                   always (and (= i (some-structure-a structure)) (= i (funcall function)))))))

(test opaque.cycle
  "A Lisp closure that has a Python object that has the closure stays, as documented: nothing crashes."
  (let* ((list (with-remote-objects (pyeval "[]"))) (function (lambda () list)))
    (pymethod list "append" function)
    (trivial-garbage:gc :full t)
    (is (eq function (pymethod list "pop")))))

(test opaque.dying-and-coming-back
  "An object that is lent while Python's object for it is on its way out."
  (pyexec "import weakref
log = []
class Holder: pass
def hold(a):
    h = Holder(); h.a = a
    weakref.finalize(a, log.append, 'gone')
    return 1")
  (lends-nothing-for-good
    (let ((object (make-some-structure)))
      (dotimes (i 100)
        (pycall "hold" object)
        (assert (eq object (pycall "lambda a: a" object))))
      (is-true (pyeval "len(log) == 100")))))

(test opaque.many-at-once
  "Results of as many objects as were lent take linear time."
  (let ((objects (loop repeat (scaled 40000) collect (make-some-structure))))
    (lends-nothing-for-good
      (is (every #'eq objects (pycall "lambda l: l" objects))))))

(test opaque.wrong-in-arithmetic
  (refuses pyerror (pycall "lambda a: a + 1" (make-some-structure)))
  (refuses pyerror (pycall "lambda a: a < a" (make-some-structure)))
  (refuses pyerror (pycall "lambda a: len(a)" (make-some-structure)))
  (refuses pyerror (pycall "lambda a: setattr(a, 'x', 1)" (make-some-structure))))

;;; Dynamic extent

;; SBCL makes it on the stack where its constructor is inline.
(declaim (inline make-brief))
(defstruct brief "Made on the stack." (x 5))

(defun pass-from-the-stack (source)
  "Call SOURCE, a Python function, with a structure and a function that are on the stack, and with both a second
time; what it returned the first time, and whether the second time signals STALE-OBJECT."
  (let ((brief (make-brief)) (x 6))
    (declare (dynamic-extent brief))
    (flet ((brief-function () (incf x)))
      (declare (dynamic-extent #'brief-function))
      (list (typep (pycall source brief #'brief-function) 'integer)
            (typep (signalled (pycall source brief #'brief-function)) 'stale-object)))))

(test opaque.dynamic-extent
  "What is on the stack can be used during the call. Python cannot use it later, whatever is there then."
  (is (equal '(t nil) (pass-from-the-stack "lambda b, f: f()")) "Nothing was kept.")
  (when (eq (uiop:implementation-type) :sbcl)
    (define-python "brief_ones = []" "def keep_brief(b, f):" "    brief_ones.extend([b, f])" "    return f() + brief_ones[1]()")
    (is (equal '(t t) (pass-from-the-stack "keep_brief")))
    (signals stale-object (pyvalue "brief_ones"))
    (is (typep (signalled (pycall "lambda: brief_ones[1]()")) 'stale-object))
    (is (typep (signalled (pycall "lambda: repr(brief_ones[0])")) 'stale-object))
    (is (typep (signalled (pycall "lambda: brief_ones[0].x")) 'stale-object))
    (pyexec "del brief_ones[:]")
    (is (equal '(t nil) (pass-from-the-stack "lambda b, f: f()"))))
  (is-true (python-works-p)))
