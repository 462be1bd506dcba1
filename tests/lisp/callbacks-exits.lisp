;;;; Ways out of a Lisp function that Python called: errors, conditions, restarts, throws.

(in-package #:pyrite/test)

(def-suite callbacks-exits :in pyrite :description "Ways out of callbacks.")
(in-suite callbacks-exits)

(define-condition callback-error (error) ((id :initarg :id :reader callback-error-id))
  (:report (lambda (condition stream) (format stream "Number ~A~~ failed." (callback-error-id condition)))))

(define-condition callback-notice (condition) ((id :initarg :id :initform 0 :reader notice-id)))

(define-condition unprintable-error (error) ()
  (:report (lambda (condition stream) (declare (ignore condition stream)) (error "No report."))))

(defstruct unprintable-structure)
(defmethod print-object ((object unprintable-structure) stream)
  (declare (ignore stream))
  (error "It cannot be printed."))

(defun define-exits ()
  "Python functions that count what a way out passes."
  (pyexec "import traceback
finals = 0; exits = 0; caught = []
class Manager:
    def __enter__(self): return self
    def __exit__(self, *args):
        global exits
        exits += 1
def passing(f, *args):
    global finals
    try:
        with Manager():
            try: return f(*args)
            except Exception as e:
                caught.append(repr(e)); raise
    finally: finals += 1
def depth(): return len(traceback.extract_stack())
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
def swallow(f):
    try: return f()
    except Exception as e: return (type(e).__name__, str(e))"))

(defun call-through (levels function)
  "The value of FUNCTION, called from inside LEVELS calls of Python that call Lisp."
  (if (zerop levels)
      (funcall function)
      (pycall "passing" (lambda () (call-through (1- levels) function)))))

(defun python-sound-p ()
  "True when no frame of Python's was left behind, also on another thread."
  (and (eql 45 (pyeval "sum(range(10))"))
       (eql 900 (pycall "deep" 900))
       (eql 1 (pycall "depth"))
       (equal '(45) (in-threads 1 (lambda (i) (declare (ignore i)) (pyeval "sum(range(10))"))))))

;;; Errors

(test callbacks-exits.lisp-error-in-python
  "A Lisp error is an Exception in Python, whose text is the report."
  (define-exits)
  (is (equalp '("HostError" "SIMPLE-ERROR: a ~ 1") (pycall "swallow" (lambda () (error "a ~~ ~A" 1)))))
  (let ((text (second (pycall "swallow" (lambda () (error 'callback-error :id 7))))))
    (is (search "CALLBACK-ERROR: Number 7~ failed." text)))
  (is (search "UNPRINTABLE-ERROR" (second (pycall "swallow" (lambda () (error 'unprintable-error))))))
  (is (equal "HostError" (first (pycall "swallow" (lambda () (error "~A" (make-unprintable-structure)))))))
  (is (search "Lisp object of type" (pycall "repr" (make-unprintable-structure))))
  (is (equal "HostError" (first (pycall "swallow" (lambda () (error "~A" (code-char #xD800)))))))
  (is-true (python-sound-p)))

(test callbacks-exits.same-condition
  "The condition that reaches Lisp again is the same, from any depth; finally and with do their work."
  (define-exits)
  (dolist (levels '(1 4))
    (pyexec "finals = exits = 0; caught.clear()")
    (let* ((error (make-condition 'callback-error :id 1))
           (signalled (signalled (call-through levels (lambda () (error error))))))
      (is (eq error signalled))
      (is (equal (list levels levels levels) (pyeval "(finals, exits, len(caught))")))))
  (is (typep (signalled (call-back #'car 1)) 'type-error))
  (is-true (python-sound-p)))

(test callbacks-exits.same-exception
  "A Python exception passes through Lisp as the same object."
  (define-exits)
  (pyexec "the_error = KeyError('k')
def raise_it(): raise the_error
def same(f):
    try: f()
    except BaseException as e: return e is the_error and type(e).__name__
def chained():
    try: raise ValueError(1)
    except ValueError as e: raise KeyError(2) from e")
  (is (equal "KeyError" (pycall "same" (lambda () (pycall "raise_it")))))
  (is (equal "KeyError" (pycall "same" (lambda () (call-through 3 (lambda () (pycall "raise_it")))))))
  (signals py-key-error (call-through 4 (lambda () (pycall "raise_it"))))
  (signals py-system-exit (call-back (lambda () (pyexec "import sys; sys.exit(3)"))))
  (is (equal "ValueError" (pyslot-value (pyslot-value (pyslot-value (with-remote-objects*
                                                                      (pyerror-value (signalled (call-back (lambda () (pycall "chained"))))))
                                                                    "__cause__")
                                                      "__class__")
                                        "__name__")))
  (is-true (python-sound-p)))

(test callbacks-exits.handled-in-python
  "A Lisp error that Python handles is over."
  (define-exits)
  (is (eql 5 (pycall "lambda f, s: (s(f), 5)[1]" (lambda () (error "x")) (with-remote-objects (pyvalue "swallow")))))
  (let ((seen '()))
    (handler-bind ((error (lambda (condition) (push condition seen))))
      (pycall "swallow" (lambda () (error "x"))))
    (is (null seen))))

(test callbacks-exits.errors-with-values
  "An answer that cannot be passed is an error as any."
  (define-exits)
  (signals conversion-error (call-back (lambda () '(1 . 2))))
  (is (equal "HostError" (first (pycall "swallow" (lambda () '(1 . 2))))))
  (is-true (python-sound-p)))

;;; Handlers

(test callbacks-exits.handlers-inside
  (is (eql 3 (call-back (lambda () (handler-case (error "x") (error () 3))))))
  (is (eql 4 (call-back (lambda () (handler-bind ((error #'continue)) (cerror "go on" "x") 4)))))
  (is (eql 6 (call-back (lambda ()
                          (handler-bind ((error (lambda (c) (declare (ignore c)) (use-value 6))))
                            (restart-case (error "x") (use-value (value) value)))))))
  (is (eql 7 (call-back (lambda () (catch 'inside (throw 'inside 7))))))
  (is (eql 8 (call-back (lambda () (block nil (mapc (lambda (x) (return x)) '(8)))))))
  (is (eql 9 (call-back (lambda () (restart-case (invoke-restart 'here 9) (here (x) x)))))))

(test callbacks-exits.handler-outside-sees
  "HANDLER-BIND sees an error once, at the call of Python; other conditions where they are signalled."
  (define-exits)
  (let ((seen '()) (error (make-condition 'callback-error :id 1)))
    (handler-case
        (handler-bind ((error (lambda (condition) (push condition seen))))
          (call-through 2 (lambda () (error error))))
      (error () nil))
    (is (equal (list error) seen)))
  (let ((seen '()))
    (handler-bind ((callback-notice (lambda (condition) (push (notice-id condition) seen)))
                   (callback-notice (lambda (condition) (push (- (notice-id condition)) seen))))
      (is (eql 5 (call-through 2 (lambda () (signal 'callback-notice :id 1) (signal 'callback-notice :id 2) 5)))))
    (is (equal '(-2 2 -1 1) seen))))

(test callbacks-exits.conditions-handled-outside
  "HANDLER-CASE outside gets the condition, from any depth, after finally."
  (define-exits)
  (dolist (levels '(1 2 4))
    (pyexec "finals = exits = 0; caught.clear()")
    (let ((notice (make-condition 'callback-notice)))
      (is (eq notice (handler-case (call-through levels (lambda () (signal notice) :returned))
                       (callback-notice (condition) condition))))
      (is (equal (list levels levels 0) (pyeval "(finals, exits, len(caught))")))))
  (is (equal "careful" (handler-case (call-through 2 (lambda () (warn "careful")))
                         (warning (warning) (princ-to-string warning)))))
  (is-true (python-sound-p)))

(test callbacks-exits.warnings
  (define-exits)
  (let ((count 0))
    (handler-bind ((warning (lambda (warning) (incf count) (muffle-warning warning))))
      (is (eql 3 (call-through 2 (lambda () (warn "one") (warn "two") 3)))))
    (is (eql 2 count))))

(test callbacks-exits.condition-of-before
  "An exit after a condition that went by is not taken for its handler's."
  (define-exits)
  (let ((count 0))
    (handler-bind ((callback-notice (lambda (condition) (declare (ignore condition)) (incf count))))
      (signals python-unwind-aborted
        (catch 'out (call-through 2 (lambda () (signal 'callback-notice) (throw 'out 1))))))
    (is (eql 1 count))))

;;; Restarts

(test callbacks-exits.restarts-outside
  "A restart of outside, from any depth, with its arguments."
  (define-exits)
  (dolist (levels '(1 2 4))
    (pyexec "finals = exits = 0; caught.clear()")
    (is (equal '(1 "b") (restart-case (call-through levels (lambda () (invoke-restart 'outside-restart 1 "b")))
                          (outside-restart (&rest arguments) arguments))))
    (is (equal (list levels levels 0) (pyeval "(finals, exits, len(caught))"))))
  (is (eql :continued (restart-case (call-back (lambda () (continue))) (continue () ':continued))))
  (is (eql :aborted (restart-case (call-back (lambda () (abort))) (abort () ':aborted))))
  (is (eql :by-handler (handler-bind ((callback-notice (lambda (c) (declare (ignore c)) (invoke-restart 'skip))))
                         (restart-case (call-through 2 (lambda () (signal 'callback-notice)))
                           (skip () ':by-handler)))))
  (is (equal "in_between" (restart-case
                              (call-back (lambda ()
                                        (restart-case (call-back (lambda () (invoke-restart 'same-name)))
                                          (same-name () ':in-between))))
                         (same-name () ':outside))))
  (is (eql :found (restart-case (call-back (lambda () (invoke-restart (find-restart 'by-object))))
                    (by-object () ':found))))
  (is-true (python-sound-p)))

(test callbacks-exits.restarts-are-seen
  (define-exits)
  (is-true (restart-case (call-through 2 (lambda () (and (find-restart 'visible) (not (find-restart 'no-such)) t)))
             (visible () nil)))
  (is (eql 1 (restart-case
                 (call-through 3 (lambda () (count 'visible (compute-restarts) :key #'restart-name)))
               (visible () nil))))
  (signals control-error (call-back (lambda () (invoke-restart 'no-such-restart)))))

;;; Throws

(defun abort-many (count levels leave)
  "How many of COUNT calls that LEAVE a callback LEVELS deep signal PYTHON-UNWIND-ABORTED."
  (loop repeat count
        count (handler-case (progn (funcall leave levels) nil)
                (python-unwind-aborted () t))))

(defun objects-of-python ()
  "How many objects Python has, once those are gone that only Lisp's garbage holds."
  (dotimes (i 3)
    (trivial-garbage:gc :full t)
    (held-objects))
  (pyexec "import gc; gc.collect()")
  (pyeval "len(gc.get_objects())"))

(defun is-stopped (leave)
  "Checks: LEAVE, a function of levels, always ends in PYTHON-UNWIND-ABORTED and harms nothing."
  (define-exits)
  (abort-many 10 1 leave)
  (lends-nothing-for-good
    (loop for (levels count) in `((1 ,(scaled 2000)) (4 ,(scaled 500)))
          do (pyexec "finals = exits = 0; caught.clear()")
             (let ((before (objects-of-python)))
               (is (eql count (abort-many count levels leave)))
               (is (equal (list (* levels count) (* levels count)) (pyeval "(finals, exits)")))
               ;; Fewer, if what was garbage before was collected meanwhile.
               (is (< (- (objects-of-python) before) 30)))))
  (is-true (python-sound-p)))

(test callbacks-exits.throw
  (define-exits)
  (is-stopped (lambda (levels) (catch 'out (call-through levels (lambda () (throw 'out 1)))))))

(test callbacks-exits.return-from
  (define-exits)
  (is-stopped (lambda (levels) (block nil (call-through levels (lambda () (return 1)))))))

(test callbacks-exits.go
  (define-exits)
  (is-stopped (lambda (levels) (tagbody (call-through levels (lambda () (go out))) out))))

(test callbacks-exits.errors-many
  "As many errors leave nothing behind, either."
  (define-exits)
  (flet ((fail-once () (signalled (call-through 2 (lambda () (error "x"))))))
    (fail-once)
    (pyexec "caught.clear()")
    (lends-nothing-for-good
      (let ((before (objects-of-python)))
        (loop repeat (scaled 2000) do (fail-once))
        (pyexec "caught.clear()")
        (trivial-garbage:gc :full t)
        (is (< (- (objects-of-python) before) 50)))))
  (is-true (python-sound-p)))

(test callbacks-exits.not-to-be-caught
  "Python's except Exception does not catch an exit, and what it does in finally still works."
  (define-exits)
  (is (eql 3 (restart-case (pycall "swallow" (lambda () (invoke-restart 'out))) (out () 3))))
  (pyexec "log = []
def with_callbacks(f, g):
    try: return f()
    finally: log.append(g(20))")
  (is (eql 4 (restart-case (pycall "with_callbacks" (lambda () (invoke-restart 'out)) (lambda (x) (1+ x)))
               (out () 4))))
  (is (equalp #(21) (pyvalue "log"))))

(test callbacks-exits.event-loops
  "An exit leaves what goes on after any exception but those by which a program is stopped."
  (define-python "import asyncio"
                 "def in_a_loop(f, cleaned):"
                 "    async def main():"
                 "        try:"
                 "            asyncio.get_running_loop().call_soon(f)"
                 "            await asyncio.sleep(2)"
                 "            return 'slept'"
                 "        finally: cleaned.append(1)"
                 "    return asyncio.run(main())"
                 "cleaned = []")
  (is (eql 5 (restart-case (pycall "in_a_loop" (lambda () (invoke-restart 'out 5)) (pyvalue* "cleaned"))
               (out (x) x))))
  (is (equalp #(1) (pyvalue "cleaned")))
  (signals python-unwind-aborted
    (catch 'out (pycall "in_a_loop" (lambda () (throw 'out 5)) #())))
  (is (eql :aborted (restart-case (pycall "in_a_loop" (lambda () (abort)) #())
                      (abort () ':aborted))))
  (is-true (alive-p)))

;;; The machine

(declaim (notinline divide))
(defun divide (dividend divisor)
  (/ dividend divisor))

(test callbacks-exits.floating-point
  "Traps are Lisp's in callbacks, and masked in Python before and after."
  (let ((zero (- 1d0 1d0)))
    (signals division-by-zero (call-back (lambda () (divide 1d0 zero))))
    (is (eql 5 (call-back (lambda () (handler-case (divide 1d0 zero) (division-by-zero () 5))))))
    (is-true (pycall "lambda f: (float('inf') - float('inf'), f(), 1e308 * 10 == float('inf'))[2]"
                     (lambda () (handler-case (divide 1d0 zero) (division-by-zero () 1)))))
    (is-true (call-back (lambda () (pyeval "1e308 * 10 == float('inf')"))))
    (signals division-by-zero (divide 1d0 zero))
    (is (= 2d0 (call-back (lambda () (pyeval "1e308 * 10") (divide 2d0 1d0)))))))

(defun recurse-for-ever (n)
  (1+ (recurse-for-ever (1+ n))))

(test callbacks-exits.stack-exhaustion
  "Lisp's stack exhausted in a callback: a condition, and everything works on."
  (define-exits)
  (dotimes (i 2)
    (is (eql :exhausted (handler-case (call-through 2 (lambda () (recurse-for-ever 0)))
                          (storage-condition () :exhausted))))
    (is (equal "HostError" (first (pycall "swallow" (lambda () (recurse-for-ever 0)))))))
  (is-true (python-sound-p)))
