;;;; Memory that is not there, on either side, is a condition; Lisp and Python go on.

(in-package #:pyrite/test)

(def-suite faults/out-of-memory)
(in-suite faults/out-of-memory)

(defparameter *in-a-small-heap*
  '("(use-package '#:pyrite)"
    "(defun alive-p () (eql 45 (pyeval \"sum(range(10))\")))"
    "(defmacro refused (&body body)
       `(list (handler-case (progn ,@body)
                (storage-condition (condition) (intern (symbol-name (type-of condition)) :keyword)))
              (alive-p)))"
    "(pystart)"
    "(defmacro results (&rest forms)
       `(with-standard-io-syntax (format t \"~&~S\" (list :results ,@forms))))")
  "What each of the programs begins with.")

(defun small-heap-results (&rest forms)
  "What the FORMS, strings, evaluate to in a new process with a heap of 300 megabytes; its output if it died."
  (results-in-sbcl (append *in-a-small-heap* (list (format nil "(results ~{~A~^ ~})" forms)))
                   :seconds 100 :runtime-options '("--dynamic-space-size" "300MB")))

(defmacro in-a-small-heap (expected &rest forms)
  "One check: FORMS, strings, evaluate to EXPECTED in a process with a small heap."
  `(if (eq (uiop:implementation-type) :sbcl)
       (is (equal ,expected (small-heap-results ,@forms)))
       (skip "Only SBCL's heap can be made small by an argument.")))

(test out-of-memory.results
  "Lists of small and large things, also inside others, strings, and through users' conversions."
  (in-a-small-heap '((:result-too-large t) (:result-too-large t) (:result-too-large t) (:result-too-large t)
                     (:result-too-large t) (:result-too-large t) (:result-too-large t) (:result-too-large t))
    "(refused (pyeval \"[0] * 10**8\"))"
    "(refused (pyeval \"{1: [[0] * 10**8]}\"))"
    "(refused (pyeval \"[1.5] * 6000000\"))"
    "(refused (pyeval \"[{} for i in range(300000)]\"))"
    "(refused (pyeval \"[object() for i in range(1500000)]\"))"
    "(refused (pyeval \"'x' * 10**8\"))"
    "(refused (pyeval \"[['x' * 1000] * 100] * 600\"))"
    "(with-lispifiers ((float #'1+)) (refused (pyeval \"[0] * 10**8\")))"))

(test out-of-memory.nothing-is-left
  "The handles in a result that is refused are given back."
  (in-a-small-heap '(((:result-too-large t) (:result-too-large t)) 0)
    "(list (refused (pyeval \"[object() for i in range(1500000)]\"))
           (refused (pyeval \"[0] * 6000000 + [{1: (object(),)}] * 3\")))"
    "(progn (loop repeat 3000 do (alive-p)) (getf (python-stats) :handles))"))

(test out-of-memory.what-fits
  "Garbage is no reason to refuse; nor is the size of what stays in Python."
  (in-a-small-heap '(1000000 (1000000 1000000 1000000 1000000 1000000 1000000 1000000 1000000) 100000000 t)
    "(length (pyeval \"[0] * 10**6\"))"
    "(loop repeat 8 collect (length (pyeval \"[1.5] * 10**6\")))"
    "(py-len (with-remote-objects (pyeval \"[0] * 10**8\")))"
    "(let ((*heap-share* 1)) (= 4000000 (length (pyeval \"[0] * 4000000\"))))"))

(test out-of-memory.arguments-of-callbacks
  (in-a-small-heap '("ValueError" t)
    "(handler-case (pycall \"lambda f: f([0] * 10**8)\" #'length) (pyerror (c) (pyerror-type c)))"
    "(alive-p)"))

(test out-of-memory.python
  "What Python cannot allocate is its MemoryError, a STORAGE-CONDITION, whether by size or by a limit."
  (in-a-small-heap '((:py-memory-error t) (:py-memory-error t) (:py-memory-error t) t)
    "(refused (pyeval \"bytearray(10**13)\"))"
    "(progn (pyexec \"import resource
resource.setrlimit(resource.RLIMIT_AS, (int(open('/proc/self/statm').read().split()[0]) * 4096 + 2**28, -1))\")
            (refused (pyeval \"bytearray(10**11)\")))"
    "(refused (pyeval \"[0] * 10**9\"))"
    "(progn (sb-ext:gc :full t) (alive-p))"))

(test out-of-memory.large-arrays
  "One huge array of Lisp's is a condition of Lisp's own, or refused."
  (in-a-small-heap '((t t) t)
    "(list (handler-case (pycall \"lambda: bytes(4 * 10**8)\") (storage-condition () t)) (alive-p))"
    "(progn (sb-ext:gc :full t) (alive-p))"))
