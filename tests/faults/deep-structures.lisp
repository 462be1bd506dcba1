;;;; Structures that nest deeper than any stack: Python's own limits make errors of them on the stacks that
;;;; Lisp's threads have, and what knows no limit is given up without harm.

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

(defun deep-outcomes-p ()
  "True when each case of *DEEP-CODE* is an error in this thread."
  (equalp #() (pyeval "outcomes()")))

(test deep-structures.errors
  (pyexec *deep-code*)
  (is-true (deep-outcomes-p))
  (is (equal '(t) (in-threads 1 (lambda (i) (declare (ignore i)) (deep-outcomes-p)))))
  (is-true (alive-p)))

(test deep-structures.other-pythons
  "With each Python that is installed."
  (let ((folders (directory "/root/.pyenv/versions/3.*/")))
    (if (and folders (eq (uiop:implementation-type) :sbcl))
        (dolist (folder folders)
          (let ((python (merge-pathnames "bin/python3" folder)))
            (when (member (third (last (pathname-directory folder))) '()) python)))
        (skip "There are no others."))))
