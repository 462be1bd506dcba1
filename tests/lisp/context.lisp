;;;; Python's `with`.

(in-package #:pyrite/test)

(def-suite context :in pyrite :description "Context managers.")
(in-suite context)

(defun define-manager ()
  "Define Manager, whose instances note in `log` what is done to them."
  (define-python "log = []"
                 "class Manager:"
                 "    def __init__(self, value=None, suppress=False, fail=None):"
                 "        self.value, self.suppress, self.fail = value, suppress, fail"
                 "    def __enter__(self):"
                 "        log.append('enter')"
                 "        if self.fail == 'enter': raise KeyError('enter')"
                 "        return self.value"
                 "    def __exit__(self, kind, value, trace):"
                 "        import sys"
                 "        assert sys.exc_info()[1] is value"
                 "        log.append('exit ' + (kind.__name__ + ' ' + str(value) if kind else 'None'))"
                 "        if self.fail == 'exit': raise KeyError('exit')"
                 "        return self.suppress"))

(defun manager (&rest arguments)
  (define-manager)
  (apply #'pycall "Manager" arguments))

(defun logged (&rest entries)
  "One check: what was done to managers is ENTRIES."
  (is (equalp (coerce entries 'vector) (pyvalue "log"))))

(test context.value
  (is (equal '(5 6) (multiple-value-list (with-pycontext (value (manager 5)) (values value 6)))))
  (logged "enter" "exit None")
  (is (null (multiple-value-list (with-pycontext (nil (manager)) (values)))))
  (logged "enter" "exit None")
  (is (eq +py-none+ (with-pycontext (value (manager)) value)))
  (is (equalp '(1 #(2)) (first (list (with-pycontext (value (manager '(1 #(2))))
                                      (declare (type list value))
                                      (list (first value) (coerce (second value) 'vector))))))
      "A declaration may come first.")
  (is (null (with-pycontext (nil (manager :suppress t)) nil))))

(test context.python-error
  (let* ((raised nil)
         (condition (signalled (with-pycontext (nil (manager))
                                 (handler-bind ((error (lambda (condition) (setf raised condition))))
                                   (pycall "int" "x"))))))
    (is (typep condition 'py-value-error))
    (is (eq raised condition) "It is the same condition that goes on.")
    (logged "enter" "exit ValueError invalid literal for int() with base 10: 'x'")
    (is (not (search "bridge.py" (pyerror-traceback condition))))))

(test context.suppressed
  (is (eq nil (with-pycontext (nil (manager :suppress t)) (pycall "int" "x") 5)))
  (logged "enter" "exit ValueError invalid literal for int() with base 10: 'x'")
  (is (eq nil (with-pycontext (nil (manager :suppress t)) (error "of Lisp") 5)))
  (logged "enter" "exit HostError SIMPLE-ERROR: of Lisp")
  (import-module "contextlib")
  (is (eq nil (with-pycontext (nil (pycall "contextlib.suppress" (pyvalue "ValueError"))) (pycall "int" "x") 5)))
  (signals py-key-error
    (with-pycontext (nil (pycall "contextlib.suppress" (pyvalue "ValueError"))) (pyeval "{}[1]"))))

(define-condition unprintable (error) ()
  (:report (lambda (condition stream)
             (declare (ignore condition stream))
             (error "no report"))))

(test context.lisp-error
  (let ((condition (make-condition 'simple-error :format-control "with ~A" :format-arguments '("~A, 100%"))))
    (is (eq condition (signalled (with-pycontext (nil (manager)) (error condition)))))
    (logged "enter" "exit HostError SIMPLE-ERROR: with ~A, 100%"))
  (signals unprintable (with-pycontext (nil (manager)) (error 'unprintable)))
  (signals division-by-zero (with-pycontext (nil (manager)) (/ 5 (- (length (pycall "str" 5)) 1))))
  (is (uiop:string-prefix-p "exit HostError" (aref (pyvalue "log") 1))))

(test context.handled-inside
  "An error that is handled in the body does not leave it."
  (is (eql 7 (with-pycontext (nil (manager)) (handler-case (pycall "int" "x") (pyerror () 7)))))
  (logged "enter" "exit None")
  (is (eql 8 (with-pycontext (nil (manager))
               (restart-case (handler-bind ((error (lambda (condition)
                                                     (declare (ignore condition))
                                                     (invoke-restart 'use 8))))
                               (error "handled"))
                 (use (value) value)))))
  (logged "enter" "exit None"))

(defun exit-arguments (function)
  "Call FUNCTION with a manager; what its __exit__ was called with: the name of the type, whether that is an
Exception, and the payload."
  (define-python "class Keeper:"
                 "    def __enter__(self): return self"
                 "    def __exit__(self, kind, value, trace):"
                 "        self.seen = kind and kind.__name__, isinstance(value, Exception), getattr(value, 'payload', None)")
  (let ((keeper (pycall "Keeper")))
    (handler-case (funcall function keeper)
      (error ()))
    (pyslot-value keeper "seen")))

(test context.what-exit-is-called-with
  (let ((condition (make-condition 'simple-error :format-control "of Lisp")))
    (destructuring-bind (kind error-p payload)
        (exit-arguments (lambda (keeper) (with-pycontext (nil keeper) (error condition))))
      (is (equal '("HostError" t) (list kind error-p)))
      (is (eq condition payload) "The very condition.")))
  (let ((seen (exit-arguments (lambda (keeper) (catch 'tag (with-pycontext (nil keeper) (throw 'tag 1)))))))
    (is (equal '("HostUnwind" nil) (subseq seen 0 2))))
  (is (equal (list +py-none+ nil +py-none+)
             (exit-arguments (lambda (keeper) (with-pycontext (nil keeper) 1)))))
  (is (equal '("ValueError" t) (subseq (exit-arguments (lambda (keeper)
                                                         (with-pycontext (nil keeper) (pycall "int" "x"))))
                                       0 2))))

(test context.error-raised-again-later
  "What __exit__ was told of, and raises when nobody is in the context any more."
  (define-python "class Later:"
                 "    def __enter__(self): pass"
                 "    def __exit__(self, kind, value, trace):"
                 "        self.value = value"
                 "        return True"
                 "    def again(self): raise self.value")
  (let ((condition (make-condition 'simple-error :format-control "of Lisp")) (later (pycall "Later")))
    (is (null (with-pycontext (nil later) (error condition))))
    (is (eq condition (signalled (pymethod later "again"))))
    (is (eql 1 (catch 'tag (with-pycontext (nil later) (throw 'tag 1)))))
    (signals python-unwind-aborted (pymethod later "again"))))

(test context.raised-again-by-exit
  "Raising what it was called with is the same as returning false."
  (define-python "class Again:"
                 "    def __enter__(self): pass"
                 "    def __exit__(self, kind, value, trace):"
                 "        if value: raise value")
  (let ((condition (make-condition 'simple-error :format-control "of Lisp")))
    (is (eq condition (signalled (with-pycontext (nil (pycall "Again")) (error condition)))))
    (is (eql 1 (catch 'tag (with-pycontext (nil (pycall "Again")) (throw 'tag 1)))))))

(test context.non-local-exits
  (let ((unwind "exit HostUnwind Lisp code leaves Python"))
    (is (eql 1 (block nil (with-pycontext (nil (manager)) (return 1)))))
    (logged "enter" unwind)
    (is (eql 2 (catch 'tag (with-pycontext (nil (manager)) (throw 'tag 2)))))
    (logged "enter" unwind)
    (is (eql 3 (restart-case (with-pycontext (nil (manager)) (invoke-restart 'out 3)) (out (value) value))))
    (logged "enter" unwind)
    (is (eql 4 (block nil (with-pycontext (nil (manager :suppress t)) (return 4)))) "An exit is not suppressed.")
    (logged "enter" unwind)
    (is (eql 5 (block nil (with-pycontext (nil (manager)) (pystop) (return 5)))))))

(test context.failing-manager
  (signals py-key-error (with-pycontext (nil (manager :fail "enter")) (error "not evaluated")))
  (logged "enter")
  (signals py-key-error (with-pycontext (nil (manager :fail "exit")) 5))
  (logged "enter" "exit None")
  (signals py-key-error (block nil (with-pycontext (nil (manager :fail "exit")) (return 5))))
  (logged "enter" "exit HostUnwind Lisp code leaves Python")
  (let ((condition (signalled (with-pycontext (nil (manager :fail "exit")) (pycall "int" "x")))))
    (is (typep condition 'py-key-error))
    (is (eq t (pyisinstance (pyslot-value (pyerror-value condition) "__context__") "ValueError")))
    (logged "enter" "exit ValueError invalid literal for int() with base 10: 'x'")))

(test context.no-manager
  (signals pyerror (with-pycontext (nil 5) (error "not evaluated")))
  (signals pyerror (with-pycontext (nil nil) (error "not evaluated")))
  (signals conversion-error (with-pycontext (nil '(1 . 2)) (error "not evaluated")))
  (is-true (python-works-p)))

(test context.value-that-cannot-be-converted
  "Entered, but not told: it is left nevertheless."
  (define-manager)
  (pyexec "cycle = []; cycle.append(cycle)")
  (signals conversion-error
    (with-pycontext (value (pyeval "Manager(cycle)")) (error "not evaluated ~A" value)))
  (is (eql 2 (length (pyvalue "log"))))
  (is (uiop:string-prefix-p "exit HostError" (aref (pyvalue "log") 1))))

(test context.stop-iteration
  "An exception that generators treat in a way of their own is none here."
  (is (typep (signalled (with-pycontext (nil (manager)) (pyexec "raise StopIteration('end')"))) 'py-stop-iteration))
  (logged "enter" "exit StopIteration end")
  (is (null (with-pycontext (nil (manager :suppress t)) (pyexec "raise StopIteration"))))
  (is (typep (signalled (with-pycontext (nil (manager)) (pyexec "raise GeneratorExit"))) 'py-generator-exit))
  (logged "enter" "exit GeneratorExit ")
  (is (typep (signalled (with-pycontext (nil (manager)) (pyexec "raise RuntimeError('own')"))) 'py-runtime-error)))

(test context.generators-as-managers
  (define-python "import contextlib" "trace = []" "@contextlib.contextmanager" "def generated():"
                 "    trace.append('in')" "    try: yield 5" "    except KeyError: trace.append('caught')"
                 "    finally: trace.append('out')")
  (is (eql 6 (with-pycontext (five (pycall "generated")) (1+ five))))
  (is (null (with-pycontext (nil (pycall "generated")) (pyeval "{}[1]"))))
  (signals py-value-error (with-pycontext (nil (pycall "generated")) (pycall "int" "x")))
  (is (equalp #("in" "out" "in" "caught" "out" "in" "out") (pyvalue "trace"))))

(test context.nested
  (define-manager)
  (is (eql 5 (with-pycontext (outer (pycall "Manager" 2))
               (with-pycontext (inner (pycall "Manager" 3))
                 (+ outer inner)))))
  (logged "enter" "enter" "exit None" "exit None")
  (define-manager)
  (is (eql 7 (with-pycontext (nil (pycall "Manager"))
               (with-pycontext (nil (pycall "Manager" :suppress t))
                 (error "suppressed"))
               7)))
  (logged "enter" "enter" "exit HostError SIMPLE-ERROR: suppressed" "exit None"))

(test context.files
  (with-temporary-folder (folder)
    (let ((name (uiop:native-namestring (merge-pathnames "text" folder))))
      (let ((file (with-pycontext (file (pycall "open" name "w"))
                    (pymethod file "write" "hello")
                    file)))
        (is (eq t (pyslot-value file "closed"))))
      (is (equal "hello" (with-pycontext (file (pycall "open" name)) (pymethod file "read")))))))

(test context.stopped-meanwhile
  "When Python was stopped in the body, nobody is left to be told: that is said, and no error is lost."
  (signals stale-object (with-pycontext (nil (manager)) (pystop)))
  (is (equal "of Lisp" (princ-to-string (signalled (with-pycontext (nil (manager)) (pystop) (error "of Lisp"))))))
  (is-true (python-works-p)))

(test context.leaks
  (define-manager)
  (let ((manager (pycall "Manager")) (failing (pycall "Manager" :fail "exit")) (closed (pycall "Manager" :fail "enter")))
    ;; The conditions below are kept, and with them their exceptions; the contexts are not.
    (let ((conditions '()) (before (held-objects)))
      (dotimes (i 50)
        (push (signalled (with-pycontext (nil failing) 5)) conditions)
        (push (signalled (block nil (with-pycontext (nil failing) (return 5)))) conditions)
        (push (signalled (with-pycontext (nil closed) 5)) conditions))
      ;; Fewer, if what was garbage before was collected meanwhile.
      (is (<= (held-objects) (+ before (length conditions)))))
    (holds-nothing-new
      (dotimes (i 50)
        (with-pycontext (nil manager) 5)
        (catch 'tag (with-pycontext (nil manager) (throw 'tag 5)))
        (signalled (with-pycontext (nil manager) (error "x")))))))
