;;;; Conditions: what Python raises, what Pyrite refuses, and floating-point traps.

(in-package #:pyrite/test)

(def-suite errors :in pyrite :description "Conditions and floating-point traps.")
(in-suite errors)

;;; What Python raises

(test errors.pyerror
  (let ((condition (signalled (pycall "int" "x"))))
    (is (typep condition 'pyerror))
    (is (typep condition 'simple-pyerror))
    (is (typep condition 'error))
    (is (equal "ValueError" (pyerror-type condition)))
    (is (equal "invalid literal for int() with base 10: 'x'" (pyerror-message condition)))
    (is (pyobject-wrapper-p (pyerror-value condition)))
    (is (equal "ValueError" (pyslot-value (pyslot-value (pyerror-value condition) "__class__") "__name__")))
    (is (search "ValueError" (princ-to-string condition)))
    (is (search "invalid literal" (princ-to-string condition)))))

(test errors.handler-case
  (is (eq :handled (handler-case (pyeval "1 / 0") (pyerror () :handled))))
  (is (eq :handled (handler-case (pyeval "1 / 0") (error () :handled))))
  ;; Python works while its error is being handled.
  (is (eql 5 (block nil
               (handler-bind ((pyerror (lambda (condition)
                                         (declare (ignore condition))
                                         (return (pyeval "2 + 3")))))
                 (pyeval "1 / 0"))))))

(test errors.qualified-type-names
  (import-module "json")
  (is (equal "json.decoder.JSONDecodeError" (pyerror-type (signalled (pycall "json.loads" "{")))))
  (define-python "class OwnError(Exception): pass" "class Outer:" "    class InnerError(Exception): pass")
  (raises "OwnError" (pyexec "raise OwnError"))
  (raises "Outer.InnerError" (pyexec "raise Outer.InnerError")))

(test errors.messages
  (is-for-each (pair '(("ValueError('text')" "text") ("ValueError()" "") ("ValueError(5)" "5")
                       ("ValueError('a', 'b')" "('a', 'b')") ("ValueError('~A ~S ~% 100% ~')" "~A ~S ~% 100% ~")
                       ("KeyError('key')" "'key'") ("ValueError('{0} %s')" "{0} %s")))
    (let ((condition (signalled (pyexec "raise " (first pair)))))
      (and (equal (second pair) (pyerror-message condition))
           (stringp (princ-to-string condition))
           (stringp (prin1-to-string condition))
           (search (second pair) (princ-to-string condition)))))
  (is (equal (text 233 #x1F600 0 97)
             (pyerror-message (signalled (pyexec "raise ValueError(chr(233) + chr(0x1F600) + chr(0) + 'a')"))))))

(test errors.odd-messages
  "A message that is no proper text is still an error that can be printed."
  (is-for-each (source '("ValueError('\\ud800')" "ValueError('x' * 1000000)" "ValueError(b'\\xff')"))
    (let ((condition (signalled (pyexec "raise " source))))
      (and (equal "ValueError" (pyerror-type condition))
           (stringp (princ-to-string condition))
           (stringp (pyerror-traceback condition))))))

(test errors.broken-exceptions
  "Whatever an exception's own methods do, it arrives as an error."
  (is-for-each (body '("def __str__(self): raise ValueError('broken')" "def __str__(self): return 5"
                       "def __str__(self): import sys; sys.exit(1)" "def __str__(self): raise self"
                       "def __repr__(self): 1 / 0"
                       "def __getattribute__(self, name): raise KeyError(name)"
                       "__class__ = property(lambda self: 1 / 0)" "__module__ = 5"))
    (define-python "class Broken(Exception):" (format nil "    ~A" body))
    (let ((condition (signalled (pyexec "raise Broken()"))))
      (and (typep condition 'pyerror)
           (stringp (pyerror-type condition))
           (stringp (pyerror-message condition))
           (stringp (pyerror-traceback condition))
           (stringp (princ-to-string condition)))))
  ;; Nor what its class's class does.
  (is-for-each (body '("def __getattribute__(self, name): raise KeyError(name)" "__mro__ = property(lambda self: 1 / 0)"
                       "def __instancecheck__(self, thing): raise KeyError" "def __eq__(self, other): raise KeyError"
                       "__module__ = property(lambda self: 1 / 0)" "__hash__ = None"))
    (define-python "class Meta(type):" (format nil "    ~A" body)
                   "class Odd(LookupError, metaclass=Meta): pass")
    (let ((condition (signalled (pycall "lambda f: f()" (lambda () (pyexec "raise Odd('said')"))))))
      (and (typep condition 'py-lookup-error)
           (equal "Odd" (pyerror-type condition))
           (equal "said" (pyerror-message condition))
           (stringp (pyerror-traceback condition)))))
  (is-true (python-works-p)))

(test errors.tracebacks
  (define-python "def inner_function(): raise ValueError('the reason')" "def outer_function(): inner_function()")
  (let* ((condition (signalled (pycall "outer_function"))) (text (pyerror-traceback condition)))
    (is (mentions-p text "Traceback (most recent call last)" "inner_function" "outer_function"
                    "ValueError: the reason"))
    (is (< (search "outer_function" text) (search "inner_function" text)))
    (is (equal text (pyerror-traceback condition)) "It can be asked for again.")
    (pystop)
    (is (equal "" (pyerror-traceback condition)))
    (is (search "the reason" (princ-to-string condition)))))

(test errors.chained
  (define-python "def chained():" "    try: 1 / 0" "    except ZeroDivisionError as error:"
    "        raise ValueError('second') from error")
  (let ((condition (signalled (pycall "chained"))))
    (is (equal "ValueError" (pyerror-type condition)))
    (is (mentions-p (pyerror-traceback condition) "ZeroDivisionError" "direct cause" "second"))
    (is (equal "ZeroDivisionError"
               (pyslot-value (pyslot-value (pyslot-value (pyerror-value condition) "__cause__") "__class__")
                             "__name__")))))

(test errors.exits-are-conditions
  "SystemExit and its like do not leave the process."
  (import-module "sys")
  (is (equal "SystemExit" (pyerror-type (signalled (pycall "sys.exit" 3)))))
  (is (equal "3" (pyerror-message (signalled (pycall "sys.exit" 3)))))
  (raises "SystemExit" (pycall "exit"))
  (raises "SystemExit" (pyexec "raise SystemExit"))
  (raises "KeyboardInterrupt" (pyexec "raise KeyboardInterrupt"))
  (raises "GeneratorExit" (pyexec "raise GeneratorExit"))
  (raises "BaseException" (pyexec "raise BaseException"))
  (is-true (python-works-p)))

(test errors.exhausted-python
  "Python running out of its stack, or of room, is a Python exception."
  (define-python "def endless(n): return endless(n + 1)")
  (raises "RecursionError" (pycall "endless" 0))
  (raises "MemoryError" (pyeval "'x' * (1 << 62)"))
  (raises "OverflowError" (pyeval "'x' * (1 << 70)"))
  (is-true (python-works-p)))

(test errors.raised-again
  "An exception object can be handed back to Python and raised there."
  (let ((condition (signalled (pycall "int" "x"))))
    (define-python "def raise_it(exception): raise exception")
    (let ((again (signalled (pycall "raise_it" (pyerror-value condition)))))
      (is (equal "ValueError" (pyerror-type again)))
      (is-true (pyobject-wrapper-eq (pyerror-value condition) (pyerror-value again))))))

(test errors.many
  "Their exceptions become garbage, and finalizers run, in the middle of the calls that read them."
  (is-true (loop for i below (scaled 20000)
                 for condition = (signalled (pycall "lambda i: (_ for _ in ()).throw(ValueError(i))" i))
                 always (and (typep condition 'pyerror)
                             (equal (format nil "~D" i) (pyerror-message condition))))))

;;; What Pyrite refuses

(defun condition-of-status (status)
  "The type of the condition that is signalled for STATUS."
  (type-of (signalled (pyrite::signal-status status))))

(test errors.conditions-of-statuses
  (pystart)
  (is-for-each (pair `((,pyrite::+python-error+ simple-pyerror)
                       (,pyrite::+stale-handle+ stale-object)
                       (,pyrite::+circular+ conversion-error) (,pyrite::+too-deep+ conversion-error)
                       (,pyrite::+changed+ conversion-error) (,pyrite::+invalid-text+ conversion-error)
                       (,pyrite::+invalid-array+ conversion-error)
                       (,pyrite::+start-failed+ python-start-error)
                       (,pyrite::+unsupported-python+ python-start-error)
                       (,pyrite::+panic+ pyrite-error) (,pyrite::+invalid-handle+ pyrite-error)
                       (,pyrite::+gil-not-held+ pyrite-error) (,pyrite::+null-argument+ pyrite-error)
                       (999 pyrite-error)))
    (eq (second pair) (condition-of-status (first pair)))))

(test errors.hierarchy
  (dolist (class '(stale-object conversion-error malformed-keywords python-not-found library-not-found
                   abi-mismatch python-start-error))
    (is-true (subtypep class 'pyrite-error))
    (is-false (subtypep class 'pyerror)))
  (is-true (subtypep 'pyrite-error 'error))
  (is-true (subtypep 'pyerror 'error))
  (is-true (subtypep 'simple-pyerror 'pyerror))
  (is-true (subtypep 'malformed-keywords 'program-error)))

(test errors.panic
  "A fault inside the library is an error with its message, and the library goes on."
  (pystart)
  (let ((condition (signalled (pyrite::check-status (pyrite::%test-panic)))))
    (is (eq 'pyrite-error (type-of condition)))
    (is (search (format nil "status ~D" pyrite::+panic+) (princ-to-string condition))))
  (is-true (python-works-p)))

(test errors.made-up-handles
  (pystart)
  (is-for-each (number (list 0 1 2 1000 (1- (ash 1 62)) (ash 1 61) (ash 1 40)))
    (typep (signalled (pycall "id" (pyrite::%make-wrapper number))) 'pyrite-error))
  (is-true (python-works-p)))

(test errors.gil-release-without-acquire
  (pystart)
  (is (eql pyrite::+gil-not-held+ (pyrite::%gil-release)))
  (is-true (python-works-p)))

;;; Floating point

(defvar *zero* 0d0)
(defvar *large* 1d308)

(defun traps-p (function &rest numbers)
  "True when calling FUNCTION with NUMBERS signals in Lisp."
  ;; The value is kept, or the computation would be optimized away.
  (typep (handler-case (apply function numbers)
           (arithmetic-error (condition) condition))
         'arithmetic-error))

(defun traps ()
  "Which of division by zero, overflow and invalid operations trap in this thread."
  (list (traps-p #'/ 1d0 *zero*) (traps-p #'* 10d0 *large*) (traps-p #'/ *zero* *zero*)))

(defparameter *traps* (traps)
  "What traps in this Lisp before Python runs.")

(defun traps-as-before-p ()
  "True when the same traps as before Python."
  (equal *traps* (traps)))

(defmacro is-bits (bits form)
  "One check: FORM gives the double of BITS, and Lisp's traps are as before."
  `(is (equal '(,bits t) (list (double-bits ,form) (traps-as-before-p)))))

(test errors.traps-of-lisp
  (is-true (first *traps*) "Dividing by zero does not trap in this Lisp, so that the tests below say nothing.")
  (is-true (traps-as-before-p)))

(test errors.traps.long-double
  "Nor do those of the x87 unit trap, which SBCL unmasks again whenever it changes its own traps."
  (if (signalled (import-module "ctypes"))
      (skip "This Python has no ctypes.")
      (progn
        (define-python "def errors_long_double():"
                       "    powl = ctypes.CDLL('libm.so.6').powl"
                       "    powl.restype, powl.argtypes = ctypes.c_longdouble, [ctypes.c_longdouble] * 2"
                       "    return float(powl(10, 5000))")
        (dotimes (i 3)
          (is-bits #x7FF0000000000000 (pycall "errors_long_double"))
          (with-float-traps-masked (pycall "len" "abc"))
          (handler-case (compile nil `(lambda () (sqrt ,(+ i 2d0)))) (error () nil))
          (loop repeat 100 do (make-array 200000)))
        (is-bits #x7FF0000000000000 (pycall "errors_long_double")))))

(test errors.traps.python
  "What would trap in Lisp gives infinities and NaNs in Python."
  (is-bits #x7FF0000000000000 (pyeval "1e308 * 10"))
  (is-bits #xFFF0000000000000 (pyeval "-1e308 * 10"))
  (is-true (pyeval "(lambda x: x != x)(float('inf') - float('inf'))"))
  (is-true (pyeval "(lambda x: x != x)(float('inf') * 0)"))
  (is (= #x7FF (ldb (byte 11 52) (double-bits (pyeval "float('inf') - float('inf')")))))
  (is-bits 1 (pyeval "5e-324 * 1.0"))
  (is-bits 0 (pyeval "5e-324 / 2"))
  (raises "ZeroDivisionError" (pyeval "1.0 / 0.0"))
  (raises "OverflowError" (pyeval "10.0 ** 400"))
  (is-true (traps-as-before-p)))

(test errors.traps.math
  (import-module "math")
  (raises "ValueError" (pycall "math.sqrt" -1))
  (raises "ValueError" (pycall "math.log" 0))
  (raises "ValueError" (pycall "math.sin" (bits-double #x7FF0000000000000)))
  (raises "OverflowError" (pycall "math.exp" 1000))
  (is-bits 0 (pycall "math.exp" -1000))
  (is-true (traps-as-before-p)))

(test errors.traps.numpy
  (with-numpy
    (import-module "warnings")
    (pyexec "import numpy as np; warnings.simplefilter('ignore')")
    (is (= #x7F800000 (single-bits (pyeval "np.float32(3e38) * np.float32(10)"))))
    (is-bits #x7FF0000000000000 (pyeval "np.float64(1e308) * 10"))
    (is-bits #xFFF0000000000000 (pyeval "np.log(0.0)"))
    (is (= #x7FF (ldb (byte 11 52) (double-bits (pyeval "np.sqrt(-1.0)")))))
    (is (= #x7FF0000000000000 (double-bits (aref (pyeval "np.array([1.0, 2.0]) / 0") 0))))
    (is (eql 2 (pyeval "int((np.array([1, 2]) // 0 == 0).sum())")))
    (is-true (traps-as-before-p))))

(test errors.traps.imports
  "Modules that try out floating point while they are imported can be."
  (with-numpy
    (is-for-each (module '("numpy.linalg" "numpy.random" "numpy.fft" "pandas"))
      (if (signalled (import-module module))
          (equal module "pandas")
          t))
    (is-true (traps-as-before-p))))

(test errors.traps.threads
  "Each thread keeps its own traps."
  (is-true (every (lambda (result) (eq result t))
                  (in-threads 4 (lambda (i)
                                  (declare (ignore i))
                                  (loop repeat (scaled 200)
                                        always (and (= #x7FF0000000000000 (double-bits (pyeval "1e308 * 10")))
                                                    (traps-as-before-p))))))))

(test errors.traps.with-gil
  (with-python-gil
    (is-bits #x7FF0000000000000 (pyeval "1e308 * 10"))
    (raises "ZeroDivisionError" (pyeval "1.0 / 0.0"))
    (is-true (traps-as-before-p)))
  (is-true (traps-as-before-p)))

;;; Restarts

(defun restart-names (function)
  "The names of the restarts that are there for the error that FUNCTION signals, and not outside."
  (let ((outside (compute-restarts)))
    (block nil
      (handler-bind ((error (lambda (condition)
                              (return (mapcar #'restart-name
                                              (set-difference (compute-restarts condition) outside))))))
        (funcall function)))))

(defun retrying (mend function)
  "The value of FUNCTION when at the first error MEND is called and the call made again."
  (let ((mended nil))
    (handler-bind ((error (lambda (condition)
                            (unless (shiftf mended t)
                              (funcall mend)
                              (retry-call condition)))))
      (funcall function))))

(test errors.retry-call
  (flet ((define () (pyexec "restarted = 7
class Restarted: pass
restarted_thing = Restarted()")))
    (dolist (call (list (lambda () (pyvalue "restarted")) (lambda () (pycall "str" (pyvalue "restarted")))
                        (lambda () (pyeval "restarted + 1")) (lambda () (pycall "lambda: restarted"))
                        (lambda () (setf (pyvalue "restarted_thing.x") 5)) (lambda () (pyexec "restarted += 1"))
                        (lambda () (chain restarted-thing (__repr__)))
                        (lambda () (with-lispifiers ((integer #'-)) (pyvalue "restarted")))))
      (pystop)
      (let ((expected (progn (define) (funcall call))))
        (pystop)
        (signals py-name-error (funcall call))
        (is (eq (class-of expected) (class-of (retrying #'define call)))))))
  (is (null (retry-call)) "There is none outside of an error.")
  (is-true (python-works-p)))

(test errors.retry-call-again-and-again
  "It is the same call each time, whose arguments are converted anew."
  (pyexec "attempts = []
def attempt(x, *, y):
    attempts.append((x, y))
    if len(attempts) < 4: raise ValueError(len(attempts))
    return 'done'")
  (is (equal "done" (handler-bind ((py-value-error #'retry-call))
                      (pycall "attempt" (vector 1 "a") :y 2))))
  (is (equalp (make-array 4 :initial-element '(#(1 "a") 2)) (pyvalue "attempts"))))

(test errors.use-value
  (flet ((used (function)
           (handler-bind ((pyerror (lambda (condition) (use-value :other condition))))
             (funcall function))))
    (is-for-each (call (list (lambda () (pyvalue "no_such_name")) (lambda () (pycall "int" "x"))
                             (lambda () (pycall "lambda: int('x')")) (lambda () (pymethod 5 "no_such_method"))
                             (lambda () (pyslot-value 5 "no_such_slot")) (lambda () (pyref #(1) 5))
                             (lambda () (pyeval "no_such_name")) (lambda () (py+ 1 "a"))
                             (lambda () (pycall (vector 1 2) 3))))
      (eq :other (used call))))
  (is (eql 6 (handler-bind ((pyerror (lambda (condition) (use-value 5 condition))))
               (1+ (pycall "int" "x")))))
  (is (equal '(1 :other 3)
             (handler-bind ((pyerror (lambda (condition) (use-value :other condition))))
               (mapcar (lambda (text) (pycall "int" text)) '("1" "two" "3"))))))

(test errors.restarts-there-are
  (is (null (set-exclusive-or '(retry-call use-value) (restart-names (lambda () (pycall "int" "x"))))))
  (is (null (set-exclusive-or '(retry-call use-value) (restart-names (lambda () (pycall "lambda: int('x')"))))))
  (is (equal '(retry-call) (restart-names (lambda () (setf (pyvalue "no.such") 5)))) "A command has no value.")
  (is (equal '(retry-call) (restart-names (lambda () (import-module "no_such_module")))))
  (is (null (restart-names (lambda () (do-pyiterable (x (pyeval "(int(x) for x in 'x')")) (print x)))))
      "An iterator that failed is at its end.")
  (is (null (set-exclusive-or '(retry-call use-value)
                              (restart-names (lambda () (pycall "lambda f: f()" (lambda () (error "of Lisp")))))))
      "Errors of callbacks.")
  (is (eql 9 (handler-bind ((simple-error (lambda (condition) (declare (ignore condition)) (use-value 9))))
               (pycall "lambda f: f()" (lambda () (error "of Lisp")))))))

(test errors.use-value-by-hand
  "Who chooses the restart in the debugger is asked for a form."
  (is (equal '(42 nil)
             (let* ((said (make-string-output-stream))
                    (*query-io* (make-two-way-stream (make-string-input-stream "(* 6 7)") said)))
               (handler-bind ((pyerror (lambda (condition)
                                         (invoke-restart-interactively (find-restart 'use-value condition)))))
                 (list (pycall "int" "x") (equal "" (get-output-stream-string said))))))))
