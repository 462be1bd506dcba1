;;;; Objects that end: on any thread, at any time, with Python code that runs then.

(in-package #:pyrite/test)

(def-suite faults/releasing)
(in-suite faults/releasing)

(defparameter *releasing-code* "
class Dying:
    def __init__(self, f, n): self.f, self.n = f, n
    def __del__(self):
        counts[0] += 1
        self.f(self.n)
counts = [0]
def during(f):
    # An exception is on its way while something ends.
    try:
        dying = Dying(f, 0)
        raise KeyError('kept')
    finally: del dying
")

(defun settle-releases (count)
  "Wait until COUNT ends were counted by Python, or for some time; how many there were."
  (loop repeat 200
        for found = (progn (trivial-garbage:gc :full t) (held-objects) (pyeval "counts[0]"))
        until (>= found count)
        do (sleep 0.02)
        finally (return found)))

(test releasing.code-that-releases
  "What ends calls Lisp, which drops others that end so, collects garbage now and then, and fails now and then."
  (pyexec *releasing-code*)
  (let ((calls 0) (lock (bt:make-lock)) (count (scaled 20000)))
    (labels ((end (n)
               (bt:with-lock-held (lock) (incf calls))
               (when (plusp n) (drop (1- n)))
               (when (zerop (mod calls 5000)) (trivial-garbage:gc :full t))
               (when (zerop (mod calls 100)) (error "An error while something ends."))
               (pycall "abs" n))
             (drop (n)
               (pycall "Dying" #'end n)
               nil))
      (pyexec "import sys; releasing_hook, sys.unraisablehook = sys.unraisablehook, lambda *a: None")
      (in-threads 4 (lambda (i)
                      (declare (ignore i))
                      (loop repeat (floor count 8) do (drop 1))))
      (let ((ends (settle-releases (- count 200))))
        ;; A conservative collector may keep a few.
        (is (<= (- count 200) ends count))
        ;; More may end while they are compared.
        (is-true (loop repeat 100 thereis (= calls (pyeval "counts[0]")))))
      (pyexec "sys.unraisablehook = releasing_hook")))
  (is-true (alive-p)))

(test releasing.collections-in-calls
  "What is garbage when a collection comes in the middle of a call is given back, too: nobody else collects here."
  (if (eq (uiop:implementation-type) :sbcl)
      (let ((most (loop repeat 100
                        do (pyeval "[object() for _ in range(20000)]")
                        maximize (getf (python-stats) :handles))))
        (is (< most 1500000) "~D handles" most))
      (skip "Other Lisps have finalizers of their own.")))

(test releasing.chain
  "A chain of ends is no matter of the stack."
  (pyexec *releasing-code*)
  (pyexec "class Link:
    def __init__(self, f, next): self.f, self.next = f, next
    def __del__(self):
        counts[0] += 1
        f, self.next = self.f, None
        f()
def link(f, n):
    x = None
    for i in range(n): x = Link(f, x)
    return x")
  (let ((kept (pycall "link" (lambda () (pycall "len" "abc")) 20000)))
    (setf (pyvalue "kept_link") kept kept nil)
    (pyexec "del kept_link")
    (dotimes (i 100) (pycall "object"))
    (is (<= 19990 (settle-releases 20000))))
  (is-true (alive-p)))

(test releasing.pending-exception
  "The exception that is on its way stays what it is."
  (pyexec *releasing-code*)
  (dotimes (i 100)
    (raises "KeyError" (pycall "during" (lambda (n) (drop-wrappers 5) (signalled (pyeval "1 / 0")) n))))
  (is-true (alive-p)))

(test releasing.frames-of-exceptions
  "A condition keeps what its exception's frames have as long as it is kept itself, or until the traceback is
given up; nothing else keeps it."
  (define-python "import gc, sys, weakref"
                 "class Large: pass"
                 "large = weakref.WeakSet()"
                 "def fail_with_large():"
                 "    local = Large(); local.data = bytearray(100000)"
                 "    large.add(local)"
                 "    raise ValueError('said')")
  (flet ((live () (held-objects) (pyexec "gc.collect()") (pyeval "len(large)"))
         (failure () (signalled (pycall "fail_with_large"))))
    (let ((conditions (loop repeat 20 collect (failure))))
      (is (eql 20 (live)))
      (is-for-each (condition conditions)
        (search "in fail_with_large" (pyerror-traceback condition)))
      (dolist (condition conditions)
        (pymethod (pyerror-value condition) "with_traceback" +py-none+))
      (is (eql 0 (live)))
      (is-for-each (condition conditions)
        (and (equal "ValueError" (pyerror-type condition)) (equal "said" (pyerror-message condition)))))
    ;; The last error of this thread is not kept, neither by Pyrite nor by Python.
    (is-false (pyeval "any(hasattr(sys, name) for name in ('last_value', 'last_exc', 'last_traceback'))"))
    (dotimes (i 200) (failure))
    (is-true (loop repeat 200
                   do (trivial-garbage:gc :full t)
                   thereis (< (live) 50)
                   do (sleep 0.02)))))

(test releasing.with-the-gil
  "Finalizers wait for nobody who holds the GIL: not at a collection, not when the process ends."
  (is-true (with-python-gil
             (drop-wrappers 1000)
             (trivial-garbage:gc :full t)
             (python-works-p)))
  (is (eq t (ends-p '("dropped")
                    '(defpackage "PYRITE/TEST" (:use "CL"))
                    '(pyrite:with-python-gil
                      (loop repeat 1000 do (pyrite:pycall "object"))
                      (trivial-garbage:gc :full t)
                      (format t "~&mark:dropped~%")
                      (finish-output)
                      (uiop:quit 0 t)))))
  (is-true (alive-p)))

(test releasing.saving
  "Nor when an image is saved."
  (if (eq (uiop:implementation-type) :sbcl)
      (with-temporary-folder (folder)
        (let* ((core (uiop:native-namestring (merge-pathnames "dropped.core" folder)))
               (results (multiple-value-list
                         (run-in-lisp `((pyrite:with-python-gil
                                          (loop repeat 1000 do (pyrite:pycall "object"))
                                          (uiop:symbol-call :sb-ext '#:gc :full t)
                                          (loop repeat 1000 do (pyrite:pycall "object")))
                                        (uiop:symbol-call :sb-ext '#:save-lisp-and-die ,core))))))
          (is (eql 0 (second results)) "~A" (first results))
          (is-true (probe-file core))))
      (skip "Only SBCL saves images.")))

(test releasing.weak-references
  "Callbacks of weak references are called, from whatever thread the object was dropped on."
  (pyexec *releasing-code*)
  (pyexec "import weakref
class Watched: pass
refs = []
def watched(f):
    thing = Watched()
    refs.append(weakref.ref(thing, lambda r: (counts.__setitem__(0, counts[0] + 1), f())))
    return thing")
  (let ((count (scaled 1000)))
    (in-threads 4 (lambda (i)
                    (declare (ignore i))
                    (loop repeat (floor count 4) do (pycall "watched" (lambda () (pycall "len" "ab"))))))
    (is (<= (- count 100) (settle-releases (- count 100)) count)))
  (is-true (alive-p)))
