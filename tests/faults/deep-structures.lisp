;;;; Structures that nest deeper than any stack: Python's own limits make errors of them on the
;;;; stacks that Lisp's threads have.

(in-package #:pyrite/test)

(def-suite faults/deep-structures)
(in-suite faults/deep-structures)

(defparameter *deep-code* "
import json, pickle, copy
def nest(make, x=None, depth=200000):
    for i in range(depth): x = make(x)
    return x
class Node:
    def __init__(self, x): self.x = x
    def __repr__(self): return repr(self.x)
    def __eq__(self, other): return self.x == other.x
lists, dicts, tuples, nodes = [[nest(make), nest(make)] for make in
                               (lambda x: [x], lambda x: {'a': x}, lambda x: (x,), Node)]
def compiled(unit, end='1'): return compile(unit * 200000 + end, 's', 'eval')
class Endless:
    def __getattr__(self, name): return getattr(self, name + 'x')
cases = {}
for name, (left, right) in dict(lists=lists, dicts=dicts, tuples=tuples, nodes=nodes).items():
    cases['repr ' + name] = lambda left=left: repr(left)
    cases['== ' + name] = lambda left=left, right=right: left == right
    cases['pickle ' + name] = lambda left=left: pickle.dumps(left)
    cases['deepcopy ' + name] = lambda left=left: copy.deepcopy(left)
    if name != 'nodes': cases['json ' + name] = lambda left=left: json.dumps(left)
cases['json in Python'] = lambda: json.dumps(lists[0], indent=1)
cases['json loads'] = lambda: json.loads('[' * 200000)
for unit in '(', '-', 'not ', 'lambda:', '1 if 1 else ', '[', '1**':
    cases['compile ' + unit] = lambda unit=unit: compiled(unit)
cases['getattr'] = lambda: Endless().x
cases['isinstance'] = lambda: isinstance(1, tuples[0])
def outcome(case):
    try: cases[case]()
    except (RecursionError, MemoryError, SyntaxError, ValueError): return 'error'
    except BaseException as e: return repr(e)
    return 'no error'
def outcomes(): return [(case, outcome(case)) for case in cases if outcome(case) != 'error']
")

(defun deep-outcomes ()
  "The cases of *DEEP-CODE* that are no errors in this thread: there should be none."
  (pyeval "outcomes()"))

(test deep-structures.errors
  "In the main thread and in another one."
  (pyexec *deep-code*)
  (is (equalp #() (deep-outcomes)))
  (is (equalp '(#()) (in-threads 1 (lambda (i) (declare (ignore i)) (deep-outcomes)))))
  (is-true (alive-p)))

(test deep-structures.other-pythons
  "The same with each Python that is installed, in processes of their own."
  (is-with-each-python (python)
    (with-temporary-folder (folder)
      (let ((output (in-new-lisp folder
                                 (format nil "(pyrite:pyexec ~S)" *deep-code*)
                                 "(defvar *there* nil)"
                                 "(bt:join-thread
                                    (bt:make-thread (lambda () (setf *there* (pyrite:pyeval \"outcomes()\")))))"
                                 "(print (list *there* (pyrite:pyeval \"outcomes()\")
                                               (pyrite:pyeval \"sum(range(10))\")))")))
        (or (search "(#() #() 45)" output)
            (error "~A: ~A" python output))))))

(defun down (n)
  "How deep Lisp and Python call each other, N at the most."
  (if (zerop n) 0 (1+ (pycall "call" #'down (1- n)))))

(test deep-structures.mutual-recursion
  "Lisp that calls Python that calls Lisp: one error that can be handled, however deep it is meant to go."
  (pyexec "def call(f, n): return f(n)")
  (flet ((outcome (n)
           (handler-case (down n)
             (py-recursion-error () :recursion-error))))
    (dotimes (i 3)
      (is (eql 50 (outcome 50)))
      (is (eq :recursion-error (outcome 10000)))
      (is (equal '(:recursion-error) (in-threads 1 (lambda (i) (declare (ignore i)) (outcome 10000))))))
    (is-true (alive-p))))
