;;;; The floating-point modes of Lisp and of Python do not reach each other.

(in-package #:pyrite/test)

(def-suite faults/float-traps)
(in-suite faults/float-traps)

(defun quotient (a b)
  (/ a b))

(defun traps-p ()
  "True when Lisp traps divisions by zero."
  (typep (signalled (assert (quotient 1d0 0d0))) 'division-by-zero))

(test float-traps.python
  (is-true (traps-p))
  (is (equal "nan" (pyeval "repr(float('inf') - float('inf'))")))
  (is (equal "inf" (pyeval "repr(1e308 * 10)")))
  (is-false (pyeval "float('nan') > 1"))
  (raises "ValueError" (pyeval "__import__('math').sqrt(-1)"))
  (is-true (traps-p))
  (is-true (alive-p)))

(test float-traps.callbacks
  (is (equal '(t "inf") (coerce (pycall "lambda f: (f(), repr(1e308 * 10))" #'traps-p) 'list)))
  (is-true (alive-p)))
