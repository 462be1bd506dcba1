;;;; Python's questions about what was lent: calls of Lisp functions, attributes of Lisp objects.
;;;;
;;;; Nothing unwinds through Python's frames. Every way out of a callback but its return is stopped at its
;;;; boundary, becomes a Python exception there, and goes on when that has reached the Lisp call outside.

(in-package #:pyrite)

(defstruct (unwinding (:constructor make-unwinding (continue)) (:copier nil) (:predicate nil))
  "An exit from a callback on its way through Python. CONTINUE, a function, goes on with it."
  (continue nil :type (or null function) :read-only t))

(define-condition python-unwind-aborted (pyrite-error) ()
  (:default-initargs
   :message "A non-local exit left a callback, and Python with it, but where it led cannot be known from here:
a THROW, RETURN-FROM or GO across a call of Python does not arrive.")
  (:documentation "A non-local exit from a Lisp function that Python called was stopped at its boundary.
Python's frames were unwound, but the exit's target cannot be found again."))

;;; Answers

(defun reply-value (value reply)
  "Answer with VALUE, any value, at the address REPLY."
  (declare (type address reply))
  (unless (encode-immediate value (the address (cffi:mem-ref (pointer reply) :uint64)))
    (with-frame (frame)
      (with-encoded (frame (cell encode value))
        (check-status (%reply-value (pointer reply) cell))))))

(defun reply-condition (condition reply)
  "Answer by raising CONDITION: its Python exception, if it is that of one, else an error of Lisp's."
  (declare (type address reply))
  (let ((exception (and (typep condition 'pyerror) (pyerror-value condition))))
    (unless (and exception
                 (with-frame (frame)
                   (with-encoded (frame (cell encode exception))
                     (eql +ok+ (%reply-raise (pointer reply) cell)))))
      (reply-failure (condition-text condition) condition 0 reply))))

(defun condition-text (condition)
  "The report of CONDITION, whatever printing it does."
  (or (ignore-errors
       (let ((*print-readably* nil))
         (remove-if-not (lambda (character) (code-char-p (char-code character)))
                        (format nil "~A: ~A" (type-of condition) condition))))
      (format nil "~A" (class-name (class-of condition)))))

(defun code-char-p (code)
  "True when CODE can be in text: it is no surrogate."
  (not (<= #xD800 code #xDFFF)))

(defun reply-failure (text payload unwind reply)
  "Answer by raising an error of Lisp's with TEXT and PAYLOAD, an UNWINDING when UNWIND is 1."
  (with-frame (frame)
    (with-encoded (frame (message encode text))
      (let ((cell (allocate-cells frame 1)))
        (lend-object payload +lent-object+ cell frame)
        (%reply-fail (pointer reply) message (pointer cell) unwind)))))

;;; Attributes

(defgeneric python-getattr (object slot-name)
  (:documentation "The value of the attribute SLOT-NAME, a string, of OBJECT, when Python code asks for it.

Define methods for classes whose instances are passed to Python. A method for a name that it does not know
should CALL-NEXT-METHOD: without one, Python raises an AttributeError."))

(defgeneric python-setattr (object slot-name new-value)
  (:documentation "Set the attribute SLOT-NAME, a string, of OBJECT to NEW-VALUE, when Python code does so.

As PYTHON-GETATTR otherwise."))

(defmethod python-getattr (object slot-name)
  (declare (ignore object slot-name))
  (throw 'no-attribute nil))

(defmethod python-setattr (object slot-name new-value)
  (declare (ignore object slot-name new-value))
  (throw 'no-attribute nil))

(defun answer-attribute (object name reply)
  "Answer with the attribute NAME of OBJECT; 0 when there is none."
  (catch 'no-attribute
    (reply-value (python-getattr object name) reply)
    (return-from answer-attribute 1))
  0)

(defun answer-set-attribute (object name value reply)
  "Set the attribute NAME of OBJECT to VALUE; 0 when there is none."
  (catch 'no-attribute
    (python-setattr object name value)
    (reply-value +py-none+ reply)
    (return-from answer-set-attribute 1))
  0)

;;; Questions

(defun decode-cells (count address)
  "The values of the COUNT cells at ADDRESS, a list."
  (declare (type address address) (type (unsigned-byte 32) count))
  (loop repeat count
        collect (decode address)
        do (incf address +value-size+)))

(defun lispify-keyword (name)
  "The keyword for the Python parameter NAME, a string."
  (intern (lispify-name name) :keyword))

(defun decode-keywords (count address)
  "A plist of the COUNT pairs of cells, of names and values, at ADDRESS."
  (declare (type address address) (type (unsigned-byte 32) count))
  (loop repeat count
        collect (lispify-keyword (decode address))
        collect (decode (+ address +value-size+))
        do (incf address (* 2 +value-size+))))

(defun call-lent (function reply args nargs nkwargs)
  "Call FUNCTION with the arguments at ARGS, and answer with its value at REPLY."
  (declare (type address reply args) (type (unsigned-byte 32) nargs nkwargs))
  (let ((arguments (decode-cells nargs args)))
    (reply-value (if (zerop nkwargs)
                     (apply function arguments)
                     (apply function (append arguments
                                             (decode-keywords nkwargs (+ args (* nargs +value-size+))))))
                 reply)
    1))

(defun answer-question (question id args nargs nkwargs reply)
  "Answer QUESTION about the loan ID; 1, or 0 when there is no answer."
  (let ((object (lent-object id)) (*remote-objects* nil))
    (ecase question
      (#.+ask-call+ (call-lent object reply args nargs nkwargs))
      (#.+ask-getattr+ (answer-attribute object (decode args) reply))
      (#.+ask-setattr+ (answer-set-attribute object (decode args) (decode (+ args +value-size+)) reply))
      (#.+ask-repr+ (reply-value (prin1-for-python object) reply) 1)
      (#.+ask-dir+ 0))))

(defun prin1-for-python (object)
  "OBJECT as it is printed, in a few lines at the most."
  (handler-case (let ((*print-length* 10) (*print-level* 3) (*print-readably* nil))
                  (format nil "<Lisp ~A>" (prin1-to-string object)))
    (error () (format nil "<Lisp object of type ~S>" (type-of object)))))

(defun answer (question id args nargs nkwargs reply)
  "As ANSWER-QUESTION, but always returns: every other way out is raised in Python."
  (let ((exit nil) (answered nil))
    (block boundary
      (unwind-protect
           (block unwinding
             (setf answered
               (block answer
                 (flet ((raise (condition)
                          (reply-condition condition reply)
                          (return-from answer 1))
                        (catch-restart (continue)
                          (setf exit continue)
                          (return-from unwinding)))
                   (handler-bind (((or error storage-condition) #'raise)
                                  ;; An exit that a handler outside makes is known again by its condition.
                                  (condition (lambda (condition) (setf exit condition))))
                     (pyrite/port:with-interrupts
                       (pyrite/port:with-restarts-caught (#'catch-restart)
                         (answer-question question id args nargs nkwargs reply))))))))
        (unless answered
          (reply-failure "Lisp code leaves Python" (make-unwinding (exit-function exit)) 1 reply))
        (return-from boundary (or answered 1))))))

(defun exit-function (exit)
  "A function that goes on with EXIT: a function that does so, a condition, or NIL when it is unknown."
  (etypecase exit
    (null nil)
    (function exit)
    (condition (lambda () (signal exit)))))

(cffi:defcallback ask :int32
    ((question :uint32) (id :uint64) (context :pointer) (args :pointer) (nargs :uint32)
     (nkwargs :uint32) (reply :pointer))
  (declare (ignore context))
  (answer question id (cffi:pointer-address args) nargs nkwargs (cffi:pointer-address reply)))

;;; Who is asked

(pyrite/port:define-global **host** 0 "The address of the pyr_host of this process, 0 before it is made.")
(declaim (type (unsigned-byte 62) **host**))

(defun make-host ()
  "The address of a new pyr_host, which is there as long as the process."
  (let ((host (pyrite/port:without-interrupts (cffi:foreign-alloc :uint8 :count +host-size+))))
    (setf (cffi:mem-ref host :size) +host-size+
          (cffi:mem-ref host :pointer +host-release+) (cffi:null-pointer)
          (cffi:mem-ref host :pointer +host-ask+) (cffi:callback ask)
          (cffi:mem-ref host :uint64 +host-flags+) (logior +dispatch+ +host-ucs4+))
    (cffi:pointer-address host)))

(defun host ()
  "The address of the pyr_host of this process. There is a worker for threads of Python's."
  (unless **workers**
    ;; It waits in the library.
    (python-start-if-not-alive)
    (add-worker))
  (if (zerop **host**)
      (setf **host** (make-host))
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
  "Signal the condition for which EXCEPTION, a HostError or HostUnwind, stands; return when it has none."
  (let ((payload (with-default-conversions (pyslot-value exception "payload"))))
    (typecase payload
      (unwinding (resume-unwinding payload))
      (condition (error payload)))))
