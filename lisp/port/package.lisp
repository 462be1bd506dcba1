;;;; What an implementation must provide: each port file defines all of these, with these meanings.

(defpackage #:pyrite/port
  (:documentation "What differs between implementations.")
  (:use #:cl)
  (:export
   ;; (define-global NAME VALUE DOCUMENTATION): a global variable that is never bound dynamically.
   #:define-global
   ;; (define-macro NAME LAMBDA-LIST . BODY): DEFMACRO, for a lambda list with both &optional and &key,
   ;; which the compiler may warn of.
   #:define-macro
   ;; (without-interrupts . BODY): no interrupt of this thread runs Lisp code until BODY, a foreign
   ;; call, has returned. Unwinding across Python's frames would destroy the interpreter.
   #:without-interrupts
   ;; (with-float-traps-masked . BODY): no floating-point exception of this thread signals in BODY.
   #:with-float-traps-masked
   ;; +USES-X87+: whether code of this implementation may compute with the x87 unit.
   #:+uses-x87+
   ;; (with-pins (PINS) . BODY): PINS is something that PIN can put objects in until BODY is done.
   #:with-pins
   ;; (pin VECTOR INDEX PINS): true when VECTOR, a simple specialized vector or string, stays where
   ;; it is until the end of WITH-PINS. There is room for +PINS+ objects; NIL means: copy it.
   #:pin #:+pins+
   ;; (vector-address VECTOR): the address of the data of a vector that was pinned.
   #:vector-address
   ;; (string-unit STRING): how many bytes a character of a simple string takes, 1 (Latin-1) or
   ;; 4 (UCS-4), or NIL when its memory is not laid out so.
   #:string-unit
   ;; (with-simple-string (SIMPLE START END) STRING . BODY): the simple string behind STRING.
   #:with-simple-string
   ;; (copy-string-to-memory STRING START END ADDRESS): its characters, 4 bytes each.
   #:copy-string-to-memory
   ;; (string-from-memory ADDRESS LENGTH): a fresh simple character string of UCS-4 characters.
   #:string-from-memory
   ;; (array-storage ARRAY): what holds a specialized array's elements, for PIN, VECTOR-ADDRESS, KEEP and
   ;; KEEPABLE-P, the index of the first, and how many are there from it on. ADJUST-ARRAY does not change it.
   #:array-storage
   ;; (on-stack-p OBJECT): whether OBJECT is on the calling thread's stack and ends with its extent.
   #:on-stack-p
   ;; (copy-array-to-memory ARRAY ADDRESS BYTES), (copy-memory-to-array ADDRESS ARRAY BYTES): all
   ;; elements of a specialized array, in row-major order.
   #:copy-array-to-memory #:copy-memory-to-array
   ;; (keepable-p STORAGE): whether STORAGE can be kept at all.
   #:keepable-p
   ;; (keep STORAGE): something by which STORAGE, which is pinned now, is kept alive and where it is until
   ;; (let-go SOMETHING). The caller sees to it that one thread at a time calls them.
   #:keep #:let-go
   ;; (with-interrupts . BODY): within WITHOUT-INTERRUPTS: interrupts come again in BODY, if they came before.
   #:with-interrupts
   ;; (with-exits-caught (EXIT-FUNCTION HANDLER-FUNCTION) . BODY): where BODY would invoke a restart that
   ;; was established outside, or end the thread or the process, EXIT-FUNCTION is called instead, with a
   ;; function that does so. It exits from BODY. HANDLER-FUNCTION is called with a condition and a handler
   ;; that was established outside when that is to handle the condition.
   #:with-exits-caught
   ;; (interrupt-signal): the number of the signal by which threads interrupt each other; 0 when that is not known.
   #:interrupt-signal
   ;; (python-started): called when Python was started. libpyrite's handler of that signal comes first now.
   #:python-started
   ;; (add-fault-hook FUNCTION): where that can be had, call FUNCTION when this thread's stack is exhausted, or
   ;; there is a memory fault, in the middle of what caused it. When it returns true, Python's frames must not be returned to: the
   ;; handlers and restarts are those outside of the outermost WITH-PYTHON-OUTSIDE.
   #:add-fault-hook
   ;; (with-python-outside (GIVEN-UP HERE) . BODY): BODY is code that Python called, on this thread if HERE.
   ;; GIVEN-UP is a symbol macro for whether Python's frames outside were given up meanwhile.
   #:with-python-outside
   ;; (restore-stack-guard): have the end of this thread's stack be watched as before it was exhausted, for the
   ;; next thread that gets the stack: SBCL 2.2.9 forgets that, and ends the process when that thread comes by.
   ;; To be called when this thread is about to end.
   #:restore-stack-guard
   ;; (stack-low-p): whether little of this thread's stack is left, so that Python may not find enough.
   #:stack-low-p
   ;; (savable-without-p THREADS): whether an image can be saved once THREADS have ended.
   #:savable-without-p
   ;; (function-lambda-list FUNCTION): its lambda list and true, or NIL and NIL when it is not known.
   #:function-lambda-list
   ;; (function-name FUNCTION): its name, a symbol or a list, or NIL.
   #:function-name
   ;; (with-cleanup FORM . CLEANUP): UNWIND-PROTECT; no interrupt of this thread comes before CLEANUP is
   ;; done, once FORM is.
   #:with-cleanup
   ;; (make-lock NAME), (with-lock (LOCK) . BODY), (with-free-lock (LOCK) . BODY): no interrupt comes to
   ;; BODY; the last does nothing when a thread, this one or another, has the lock.
   #:make-lock #:with-lock #:with-free-lock
   ;; (add-gc-hook FUNCTION): call FUNCTION after garbage collections, where that can be had.
   #:add-gc-hook
   ;; (catch-up-with-gc): do what is to be done after a garbage collection, if that was left out after the last.
   #:catch-up-with-gc
   ;; (finalize-handle OBJECT HANDLE FUNCTION ADDRESS): call FUNCTION, or the C function that it calls, which is
   ;; at ADDRESS, on HANDLE, 62 bits, some time after OBJECT is garbage. It never blocks.
   #:finalize-handle
   ;; (add-restart-hook FUNCTION), (add-save-hook FUNCTION), (add-exit-hook FUNCTION): call FUNCTION when a
   ;; saved image starts, before one is saved, before this process ends.
   #:add-restart-hook #:add-save-hook #:add-exit-hook
   ;; (define-function SYMBOL FUNCTION LAMBDA-LIST DOCUMENTATION): make FUNCTION, which may share its
   ;; code with others, the global function of SYMBOL. An editor shows LAMBDA-LIST; DOCUMENTATION is a
   ;; string or NIL. (show-lambda-list SYMBOL LAMBDA-LIST): the same for a function of DEFUN.
   #:define-function #:show-lambda-list
   ;; (with-unencodable-replaced . BODY): a character that a stream cannot encode is written as #\?.
   #:with-unencodable-replaced
   ;; (move-standard-stream NUMBER DESCRIPTOR): have the Lisp's own stream for the file descriptor NUMBER,
   ;; 1 or 2, write to DESCRIPTOR, a duplicate that lasts until this is called again; NUMBER puts it back.
   #:move-standard-stream
   ;; (heap-size), (free-heap): how many bytes objects can take, in all and besides those that were there at
   ;; the last garbage collection or came since; NIL and NIL where that is not known.
   #:heap-size #:free-heap
   ;; (run-finalizers): call what FINALIZE-HANDLE wants called for objects that were found to be garbage, unless
   ;; it will be called by itself.
   #:run-finalizers
   ;; (generic-function-methods FUNCTION): the list of its methods.
   #:generic-function-methods))
