;;;; Python that is stopped and started many times in one process.

(in-package #:pyrite/test)

(def-suite faults/restarts)
(in-suite faults/restarts)

(defun kilobytes ()
  "How much memory this process has."
  (pyeval "int(next(line for line in open('/proc/self/status') if line.startswith('VmRSS')).split()[1])"))

(defun use-and-stop (numpy)
  "Start Python, use what there is of it, stop it; a wrapper from before."
  (pystart)
  (let ((wrapper (pycall "object"))
        (array (make-array '(2 2) :element-type 'double-float :initial-contents '((2d0 0d0) (0d0 4d0)))))
    (pyexec "import math
state = {'n': list(range(1000))}
def call(f): return f(2)
class Cycle: pass
cycle = Cycle(); cycle.itself = cycle")
    (is (eql 3 (pycall "call" #'1+)))
    (is (= 4 (pycall "math.sqrt" 16)))
    (when numpy
      (import-module "numpy.linalg")
      (is (equalp #2A((0.5d0 0d0) (0d0 0.25d0)) (pycall "numpy.linalg.inv" array))))
    (pystop)
    wrapper))

(test restarts.fifty
  "Each is as new: names are gone, wrappers stale, numpy works, and memory does not grow by it."
  (let ((numpy (not (signalled (import-module "numpy.linalg")))) (wrappers '()) (before nil))
    (dotimes (i 50)
      (push (use-and-stop numpy) wrappers)
      (when (= i 10)
        (setf before (kilobytes))))
    (is-false (signalled (pystart)))
    (is (< (- (kilobytes) before) 20000))
    (raises "NameError" (pyvalue "state"))
    (is-for-each (wrapper wrappers)
      (and (typep (signalled (pycall "id" wrapper)) 'stale-object)
           (typep (signalled (pyslot-value wrapper "x")) 'stale-object)
           (stringp (princ-to-string wrapper))))
    (setf wrappers '())
    (trivial-garbage:gc :full t)
    (is-true (alive-p))))

(defclass counted () ((uses :initform 0 :accessor counted-uses)))

(defmethod pythonize ((object counted))
  (incf (counted-uses object)))

(test restarts.conversions
  "The call that starts Python converts its arguments once, as others do."
  (let ((object (make-instance 'counted)) (list (list 1 2)) (uses 0))
    (pystop)
    (is (equal "1" (pycall "str" object)))
    (is (eql 1 (counted-uses object)))
    (pystop)
    (is (equal "(2, 3)" (with-pythonizers ((integer (lambda (x) (incf uses) (setf (rest list) '()) (1+ x))))
                          (pycall "str" list))))
    (is (eql 2 uses))
    (pystop)
    (is (equal "('1',)" (with-pythonizers ((integer "str")) (pycall "str" list))))
    (is-true (alive-p))))

(defclass stopping () ())

(defmethod pythonize ((object stopping))
  (pystop)
  5)

(test restarts.conversions-that-stop
  "A function that converts an argument and stops Python has its call made all the same, and once."
  (let ((object (make-instance 'stopping)))
    (is (equal "(1, 5)" (pycall "str" (list 1 object))))
    (is (eql 3 (pymethod object "bit_length")))
    (is (eql 5 (pycall "lambda f: f()" (lambda () object))))
    (is (equal "1" (with-pythonizers ((integer (lambda (x) (pystop) x))) (pycall "str" 1))))
    (signals stale-object (pycall "str" (list (pycall "object") object)))
    (is-true (alive-p))))

(test restarts.while-threads-call
  "Threads whose calls meet a stop start Python again, or find their objects stale: nothing else."
  (let* ((over nil)
         (results nil)
         (stopper (bt:make-thread (lambda ()
                                    (loop repeat (scaled 100) do (pystop))
                                    (setf over t)))))
    (setf results (in-threads 4 (lambda (i)
                                  (loop until over
                                        for value = (handler-case (pymethod (pycall "list" (list i i)) "count" i)
                                                      (stale-object () 2))
                                        unless (eql 2 value) return value))))
    (bt:join-thread stopper)
    (is (equal '(nil nil nil nil) results))
    (is-true (alive-p))))

(test restarts.while-threads-hold-the-gil
  "Who holds the GIL and finds Python stopped does not wait for who starts it and needs the GIL."
  (is (equal '(:done :done :done)
             (in-threads 3 (lambda (i)
                             (dotimes (j (scaled 500) :done)
                               (when (zerop i) (pystop))
                               (with-python-gil
                                 (pycall "len" "abc")
                                 (pycall "abs" -1)))))))
  (is-true (alive-p)))

(test restarts.stopped-again
  "Who finds Python stopped starts it, as often as others stop it before the call is made."
  (let ((stops 3))
    (is (eql pyrite::+ok+ (pyrite::call-when-running (lambda ()
                                                       (unless (minusp (decf stops)) (pystop))
                                                       (if (pyrite:python-alive-p)
                                                           pyrite::+ok+
                                                           pyrite::+not-running+)))))))

(test restarts.callbacks-that-stop
  "A Lisp function that Python called stops Python: the call comes to its end."
  (is (eql 7 (pycall (pyeval "lambda f: (f(), 7)[1]") (lambda () (pystop) nil))))
  (is-true (alive-p))
  (is (eql 8 (pycall (pyeval "lambda f: (f(), 8)[1]") (lambda () (pystop) (pystart) (pycall "abs" -1)))))
  (is-true (alive-p)))

(test restarts.exits-across-a-stop
  "What a Lisp function throws across Python goes on when Python was stopped meanwhile."
  (let ((call "lambda f: f()"))
    (is (eql 5 (restart-case (pycall call (lambda () (pystop) (invoke-restart 'away 5)))
                 (away (value) value))))
    (let ((condition (signalled (pycall call (lambda () (pystop) (error "from Lisp"))))))
      (is (typep condition 'simple-error))
      (is (equal "from Lisp" (princ-to-string condition))))
    (is (equal "ValueError" (pyerror-type (signalled (pycall "lambda f: [f(), int('x')]" #'pystop))))))
  (is-true (alive-p)))

(test restarts.threads-of-python
  "Threads of Python's go on over a stop, and what was lent to them is still answered."
  (pyexec "import sys, threading
def wait(f, event, results):
    event.wait()
    results.append(f())
def begin(f):
    sys.kept = event, results = threading.Event(), []
    sys.kept_thread = threading.Thread(target=wait, args=(f, event, results))
    sys.kept_thread.start()")
  (pycall "begin" (lambda () 42))
  (pystop)
  (pyexec "sys.kept[0].set(); sys.kept_thread.join()")
  (is (equalp #(42) (pyeval "sys.kept[1]")))
  (is-true (alive-p)))

(test restarts.another-main
  "Python code puts another module in the place of __main__, or none: names are where they were, and so is what
Python starts with."
  (dolist (deed '("sys.modules['__main__'] = types.ModuleType('__main__')" "del sys.modules['__main__']"))
    (define-python "import sys, types" "sys.kept_main = sys.modules['__main__']" deed "def defined(x): return x + 1")
    (is (eql 3 (pycall "defined" 2)))
    (eval '(defpyfun "defined" nil :lisp-fun-name "RESTARTS-DEFINED" :lisp-package "PYRITE/TEST"))
    (is (eql 4 (funcall 'restarts-defined 3)))
    (let ((*additional-init-codes* '("initialized = 7")))
      (pystop)
      (is-false (signalled (pystart))))
    (is (eql 7 (pyvalue "initialized")))
    (is (equal (format nil "printed~%") (with-output-to-string (*standard-output*) (pycall "print" "printed"))))
    (pyexec "import sys; sys.modules['__main__'] = sys.__dict__.pop('kept_main')")
    (is-true (pyeval "__import__('__main__').initialized == 7"))
    (is-true (alive-p))))

(test restarts.destroyed-threads
  "Threads are destroyed while another restarts Python: each ends, and what the next ones write is theirs."
  (let* ((over nil) (wrong '())
         (stopper (bt:make-thread (lambda ()
                                    (loop until over do (pystop) (sleep 0.002))))))
    (flet ((work ()
             (loop (let ((text (with-python-output (pycall "print" "k" :end ""))))
                     (unless (equal "k" text) (push text wrong))))))
      (unwind-protect
           (dotimes (i (scaled 500))
             (let ((thread (bt:make-thread (lambda () (ignore-errors (work))))))
               (sleep (random 0.005))
               (ignore-errors (bt:destroy-thread thread))
               (ignore-errors (bt:join-thread thread))))
        (setf over t)
        (bt:join-thread stopper)))
    (is (equal '() wrong))
    (is-true (alive-p))))
