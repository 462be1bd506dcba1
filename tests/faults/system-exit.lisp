;;;; sys.exit in all its ways: a condition with the code, in a process that goes on.

(in-package #:pyrite/test)

(def-suite faults/system-exit)
(in-suite faults/system-exit)

(defmacro exit-code (&body body)
  "The code of the SystemExit that BODY signals, or :NONE."
  `(handler-case (progn ,@body :none)
     (py-system-exit (condition) (pyslot-value (pyerror-value condition) "code"))))

(test system-exit.codes
  (pyexec "import sys")
  (is (eql 3 (exit-code (pyexec "sys.exit(3)"))))
  (is (eql 0 (exit-code (pyexec "sys.exit(0)"))))
  (is (eq +py-none+ (exit-code (with-remote-objects* (pyexec "sys.exit()")))))
  (is (equal "x" (exit-code (pyexec "raise SystemExit('x')"))))
  (is (equalp #(1 "two") (coerce (exit-code (pyexec "raise SystemExit((1, 'two'))")) 'vector)))
  (is (eql 4 (exit-code (pyexec "exit(4)"))))
  (is (eql 5 (exit-code (pyexec "quit(5)"))))
  (is (eql 6 (exit-code (pyeval "sys.exit(6)"))))
  (is (eql 7 (exit-code (pycall "sys.exit" 7))))
  (is (eql 8 (exit-code (raw-pyexec "import sys; sys.exit(8)"))))
  (is (eql 9 (exit-code (raw-pyeval "__import__('sys').exit(9)"))))
  (is (eql 10 (exit-code (pyexec "import os; os.sys.exit(10)"))))
  (is (eql 11 (exit-code (pyexec "class Mine(SystemExit): pass
raise Mine(11)"))))
  (is-true (alive-p)))

(test system-exit.report
  (let ((condition (signalled (pyexec "import sys; sys.exit(3)"))))
    (is (typep condition 'py-system-exit))
    (is (typep condition 'pyerror))
    (is (equal "SystemExit: 3" (princ-to-string condition)))))

(test system-exit.argparse
  "A wrong command line: the usage is Python's error output, and the code is 2."
  (pyexec "import argparse
parser = argparse.ArgumentParser(prog='program')
parser.add_argument('--count', type=int)")
  (let ((code nil))
    (let ((text (with-output-to-string (*error-output*)
                  (setf code (exit-code (pyeval "parser.parse_args(['--count', 'many'])"))))))
      (is (search "usage: program" text))
      (is (search "invalid int value: 'many'" text)))
    (is (eql 2 code)))
  (is (search "--count COUNT" (with-output-to-string (*standard-output*)
                                (is (eql 0 (exit-code (pyeval "parser.parse_args(['--help'])")))))))
  (is-true (alive-p)))

(test system-exit.programs
  "Programs that are run as their command runs them."
  (is (eql 2 (let ((*error-output* (make-broadcast-stream)))
               (exit-code (pyexec "import runpy, sys
before = sys.argv
sys.argv = ['json.tool', '--no-such-option']
try: runpy.run_module('json.tool', run_name='__main__')
finally: sys.argv = before")))))
  (if (signalled (import-module "pip._internal.cli.main"))
      (skip "This Python has no pip.")
      (is (eql 0 (let ((*standard-output* (make-broadcast-stream)))
                   (handler-case (pyeval "pip._internal.cli.main.main(['--help'])")
                     (py-system-exit () 0))))))
  (is-true (alive-p)))

(test system-exit.unittest
  (is (member (let ((*error-output* (make-broadcast-stream)))
                (exit-code (pyexec "import unittest
unittest.main(module=None, argv=['program'])")))
              '(nil 5)))
  (is-true (alive-p)))

(test system-exit.threads
  "In a thread of Lisp's the condition is that thread's; in one of Python's it ends the thread, as in Python."
  (is (equal '(20 21 22 23)
             (in-threads 4 (lambda (i) (exit-code (pycall "lambda n: __import__('sys').exit(n)" (+ 20 i)))))))
  (pyexec "import sys, threading
ended = []
def leave():
    try: sys.exit(3)
    finally: ended.append(1)
thread = threading.Thread(target=leave)
thread.start(); thread.join()")
  (is (equalp #(1) (pyvalue "ended")))
  (is-true (alive-p)))

(test system-exit.through-callbacks
  "It goes through Lisp functions as any condition, and on through Python."
  (pyexec "import sys
def leave(code): sys.exit(code)
def through(f):
    try: return f()
    finally: passed.append(1)
passed = []")
  (is (eql 30 (exit-code (pycall "through" (lambda () (pycall "leave" 30))))))
  (is (eql 31 (exit-code (pycall "through" (lambda () (pycall "through" (lambda () (pycall "leave" 31))))))))
  (is (equal "caught" (pycall "through" (lambda () (handler-case (pycall "leave" 32) (py-system-exit () "caught"))))))
  (is (equalp #(1 1 1 1) (pyvalue "passed")))
  (is-true (alive-p)))

(test system-exit.finally
  (pyexec "import sys
left = []
class Manager:
    def __enter__(self): return self
    def __exit__(self, *rest): left.append(rest[0].__name__)
def leave():
    with Manager():
        try: sys.exit(3)
        finally: left.append('finally')")
  (is (eql 3 (exit-code (pycall "leave"))))
  (is (equalp #("finally" "SystemExit") (pyvalue "left"))))

(test system-exit.other-base-exceptions
  (is (typep (signalled (pyexec "raise GeneratorExit")) 'py-generator-exit))
  (is (typep (signalled (pyexec "raise KeyboardInterrupt")) 'py-keyboard-interrupt))
  (is (typep (signalled (pyexec "class Mine(BaseException): pass
raise Mine")) 'py-base-exception))
  (is-true (alive-p)))
