;;;; Python's questions about what was lent: calls of Lisp functions, and what attributes.lisp answers.
;;;;
;;;; Nothing unwinds through Python's frames. Every way out of a callback but its return is stopped at its
;;;; boundary, becomes a Python exception there, and goes on when that has reached the Lisp call outside.

(in-package #:pyrite)

(declaim (ftype (function (t t t) t) answer-attribute)
         (ftype (function (t t t t) t) answer-set-attribute)
         (ftype (function (t t) t) answer-names)
         (ftype (function (t t &optional t t) t) answer-stream)
         (ftype (function (t) t) prin1-for-python))

(defstruct (unwinding (:constructor make-unwinding (continue)) (:copier nil) (:predicate nil))
  "An exit from a callback on its way through Python. CONTINUE, a function, goes on with it."
  (continue nil :type (or null function) :read-only t))

(define-condition python-unwind-aborted (pyrite-error) ()
  (:default-initargs
   :message "A non-local exit left a callback, and Python with it, but where it led cannot be known from here:
a THROW, RETURN-FROM or GO across a call of Python does not arrive. Restarts and handlers do.")
  (:documentation "A THROW, RETURN-FROM or GO left a Lisp function that Python called. It was stopped at
the function's boundary; Python's `finally` and `with` did their work, and this is signalled by the call of
Python in the place of the exit, whose target cannot be found again."))

;;; Answers

(declaim (inline reply-value))
(defun reply-value (value reply)
  "Answer with VALUE, any value, at the address REPLY; 1."
  (declare (type address reply))
  ;; Of a wrapper the object, since the wrapper may be garbage before Python takes the answer.
  (unless (and (not (pyobject-wrapper-p value))
               (encode-immediate value (the address (cffi:mem-ref (pointer reply) :uint64))))
    (reply-any-value value reply))
  1)

(defun reply-any-value (value reply)
  (declare (type address reply))
  (with-frame (frame)
    (with-encoded (frame (cell encode value))
      (check-status (%reply-value (pointer reply) cell)))))

(defun reply-exception (exception reply)
  "Answer by raising EXCEPTION, a wrapper of one or a NAME of its class; true when it can be had."
  (declare (type address reply))
  (with-frame (frame)
    (with-encoded (frame (cell encode exception))
      (eql +ok+ (%reply-raise (pointer reply) cell)))))

(defun reply-condition (condition reply)
  "Answer by raising CONDITION: its Python exception, if it is that of one, else an error of Lisp's."
  (let ((exception (and (typep condition 'pyerror) (pyerror-value condition))))
    (unless (and exception (reply-exception exception reply))
      (reply-failure (condition-text condition) condition 0 reply))))

(defun condition-text (condition)
  "The report of CONDITION, whatever printing it does."
  (let ((class (class-name (class-of condition))))
    (handler-case
        (let* ((*print-readably* nil) (*print-circle* t) (report (princ-to-string condition)))
          (format nil "~A: ~A" class (remove-if #'surrogate-p report)))
      ((or error storage-condition) () (princ-to-string class)))))

(defun surrogate-p (character)
  "True when CHARACTER cannot be in text."
  (<= #xD800 (char-code character) #xDFFF))

(defun reply-failure (text payload unwind reply)
  "Answer by raising an error of Lisp's with TEXT and PAYLOAD, an UNWINDING when UNWIND is 1."
  (declare (type address reply))
  (with-frame (frame)
    (with-encoded (frame (message encode text))
      (let ((cell (allocate-cells frame 1)))
        (lend-object payload +lent-object+ cell frame)
        (%reply-fail (pointer reply) message (pointer cell) unwind)))))

;;; Questions

(defun lispify-argument (read)
  "What a user's lispifiers make of READ, which READ-CELLS gave."
  (if (node-p read) (lispify-node read) (lispify-item read)))

(defun decode-cells (count address &optional (step +value-size+))
  "The values of the COUNT cells from ADDRESS on, STEP bytes apart, a list."
  (declare (type address address) (type (unsigned-byte 32) count step))
  (flet ((collect (function)
           (loop repeat count
                 collect (funcall function address)
                 do (incf address step))))
    (declare (inline collect))
    (if (or *lispifiers* (types-watched-p))
        ;; All are read before any function of a user's is called.
        (mapcar #'lispify-argument (collect #'read-cells))
        (collect #'decode))))

(defun decode-plainly (cell)
  "The value of CELL, a number, a string or the like, whatever lispifiers there are."
  (let ((value (decode cell)))
    (if (pyobject-wrapper-p value) (with-default-conversions (convert value)) value)))

(defun lispify-keyword (name)
  "The keyword for the Python parameter NAME, a string."
  (intern (lispify-name name) :keyword))

(defun decode-keywords (count address)
  "A plist of the COUNT pairs of cells, of names and values, at ADDRESS."
  (declare (type address address) (type (unsigned-byte 32) count))
  (let* ((step (* 2 +value-size+))
         (names (loop repeat count
                      for cell from address by step
                      collect (decode-plainly cell)))
         (values (decode-cells count (+ address +value-size+) step)))
    (mapcan (lambda (name value) (list (lispify-keyword name) value)) names values)))

(defun call-lent (function args nargs nkwargs)
  "The value of FUNCTION with the arguments at ARGS."
  (declare (type function function) (type address args) (type (unsigned-byte 32) nargs nkwargs))
  (cond ((plusp nkwargs)
         (let ((arguments (decode-cells nargs args)))
           (apply function (nconc arguments (decode-keywords nkwargs (+ args (* nargs +value-size+)))))))
        ;; A stream of Python's is no function of the user's, to whom the lispifiers are.
        ((eq function #'answer-stream)
         (apply function (loop repeat nargs
                               for cell of-type address from args by +value-size+
                               collect (decode-plainly cell))))
        (t (apply function (decode-cells nargs args)))))

(defun answer-question (question id args nargs nkwargs reply)
  "Answer QUESTION about the loan ID; 1, or 0 when there is no answer."
  (declare (type address args))
  (let ((object (lent-object id)) (*remote-objects* nil))
    (ecase question
      (#.+ask-call+ (reply-value (call-lent object args nargs nkwargs) reply))
      (#.+ask-getattr+ (answer-attribute object (decode-plainly args) reply))
      (#.+ask-setattr+ (answer-set-attribute object (decode-plainly args)
                                             (first (decode-cells 1 (+ args +value-size+))) reply))
      (#.+ask-repr+ (reply-value (prin1-for-python object) reply))
      (#.+ask-dir+ (answer-names object reply)))))

(defun answer-or-raise (question id args nargs nkwargs reply)
  "As ANSWER-QUESTION, but raises what it signals in Python."
  (handler-case
      (if (pyrite/port:stack-low-p)
          (reply-exception (load-time-value (find-name "RecursionError") t) reply)
          (return-from answer-or-raise
            (pyrite/port:with-interrupts
              (answer-question question id args nargs nkwargs reply))))
    ;; The stack is unwound by now: there is room for what printing takes.
    ((or error storage-condition) (condition) (reply-condition condition reply)))
  1)

(defun answer (here question id args nargs nkwargs reply)
  "As ANSWER-QUESTION, but always returns: every other way out is raised in Python. The second value is then
what goes on with that, a function, or T when it is unknown. HERE is true when who asks is on this thread: if
Python is given up there, nothing returns to it."
  (let ((exit nil) (answered nil))
    (pyrite/port:with-python-outside (given-up here)
      (block boundary
        (unwind-protect
             (block unwinding
               (flet ((leave (continue)
                        (setf exit continue)
                        (return-from unwinding))
                      (handle (condition handler)
                        ;; An exit that a handler outside makes is known again by its condition.
                        (let ((before exit))
                          (setf exit condition)
                          (funcall handler condition)
                          (setf exit before))))
                 (declare (dynamic-extent #'leave #'handle))
                 (pyrite/port:with-exits-caught (#'leave #'handle)
                   (setf answered (answer-or-raise question id args nargs nkwargs reply)))))
          (unless given-up
            (let ((continue (exit-function exit)))
              (unless answered
                (reply-failure "Lisp code leaves Python" (make-unwinding continue) 1 reply))
              (return-from boundary (values (or answered 1) (unless answered (or continue t)))))))
        (funcall (or (exit-function exit) #'fail-given-up))))))

(define-condition stack-exhausted (storage-condition) ()
  (:report "The stack was exhausted in Python code that Lisp code called which Python called: all of it was given up."))

(defun fail-given-up ()
  "Signal that Python code was given up: nothing can return to it."
  (error 'stack-exhausted))

(defun exit-function (exit)
  "A function that goes on with EXIT: a function that does so, a condition, or NIL when it is unknown."
  (etypecase exit
    (null nil)
    (function exit)
    (condition (lambda () (signal exit)))))

(defun answer-in-place (&rest arguments)
  "As ANSWER, on the thread that called Python."
  (if (on-server-p)
      (ask-caller (lambda () (apply #'answer nil arguments)))
      (apply #'answer t arguments)))

(cffi:defcallback ask :int32
    ((question :uint32) (id :uint64) (context :pointer) (args :pointer) (nargs :uint32)
     (nkwargs :uint32) (reply :pointer))
  ;; Not every CFFI puts a declaration where it belongs.
  context
  (values (answer-in-place question id (cffi:pointer-address args) nargs nkwargs (cffi:pointer-address reply))))

;;; Exceptions for conditions that Python has not seen

(defun host-exception (text payload unwind)
  "The Python exception that stands for PAYLOAD: for an exit when UNWIND is true. Within WITH-TEMPORARIES."
  (with-crossing (frame #'take-temporary)
    (let* ((cells (allocate-cells frame 3)) (unwind-cell (+ cells (* 2 +value-size+))))
      (encode text cells frame)
      (lend-object payload +lent-object+ (+ cells +value-size+) frame)
      (encode unwind unwind-cell frame)
      (with-encoded (frame (callable encode-callable (bridge-name "host_error")))
        (crossed (frame)
          (%%call callable (pointer cells) 3 0 (logior +remote+ +as-ucs4+) (pointer (frame-result frame))))))))

;;; Who is asked

(pyrite/port:define-global **host** 0 "The address of the pyr_host of this process, 0 before it is made.")
(declaim (type (unsigned-byte 62) **host**))

(defun host-flags ()
  (logior +dispatch+ +host-ucs4+ (if (types-watched-p) +host-typed+ 0)))

(defun update-host ()
  "Have the pyr_host know of the lispifiers that there are now."
  (with-loans
    (unless (zerop **host**)
      (setf (cffi:mem-ref (pointer **host**) :uint64 +host-flags+) (host-flags)))))

(defun make-host ()
  "The address of a new pyr_host, which is there as long as the process."
  (let ((host (cffi:foreign-alloc :uint8 :count +host-size+)))
    (setf (cffi:mem-ref host :size) +host-size+
          (cffi:mem-ref host :pointer +host-release+) (cffi:null-pointer)
          (cffi:mem-ref host :pointer +host-ask+) (cffi:callback ask)
          (cffi:mem-ref host :uint64 +host-flags+) (host-flags))
    (cffi:pointer-address host)))

(defun host ()
  "The address of the pyr_host of this process. There are workers for threads of Python's."
  (unless **workers**
    ;; It waits in the library.
    (python-start-if-not-alive)
    (ensure-workers 2))
  (if (zerop **host**)
      ;; There is one only: objects of another are others to Python.
      (with-loans (if (zerop **host**) (setf **host** (make-host)) **host**))
      **host**))

(defun forget-host ()
  (setf **host** 0))

(pyrite/port:add-restart-hook 'forget-host)

;;; What comes back

(defun resume-unwinding (unwinding)
  "Go on with the exit of UNWINDING, which Python let pass; signal PYTHON-UNWIND-ABORTED when that leads
nowhere."
  (when (unwinding-continue unwinding)
    (funcall (unwinding-continue unwinding)))
  (error 'python-unwind-aborted))

(defun signal-host-error (exception)
  "Signal the condition for which EXCEPTION, a HostError or HostUnwind, stands; return when it has none, as
one of a class that is only called so may not."
  (let ((payload (handler-case (with-default-conversions (pyslot-value exception "payload"))
                   (pyerror () nil))))
    (typecase payload
      (unwinding (resume-unwinding payload))
      (condition (error payload)))))
