;;;; Crossing into Python and back. No interrupt of this thread comes between a call and its result's being
;;;; owned by Lisp: an exit there would lose it, with its memory.

(in-package #:pyrite)

(declaim (inline result-flags))
(defun result-flags ()
  (if *remote-objects* (logior +remote+ +as-ucs4+) *conversion-flags*))

;;; Taking a result. A taker owns it: it gets the address of a result and returns a value, or for the
;;; taker READ-RESULT what users' functions are yet to make one of.

(declaim (inline lispifying-p result-taker finished-value))

(defun lispifying-p ()
  "Whether users' functions may have a part in converting a result."
  (and (or *lispifiers* (/= *conversion-flags* +as-ucs4+))
       (not *remote-objects*)))

(defun result-taker ()
  "The taker by the conversions in force."
  (if (lispifying-p) #'read-result #'take-default))

(defun take-temporary (result)
  "The taker of an object, which was asked for with +REMOTE+: a TEMPORARY, for WITH-TEMPORARIES."
  (declare (type address result))
  (let ((temporary (make-temporary (cell-handle result))))
    (push temporary *temporaries*)
    temporary))

(defun finished-value (value taker)
  "The value of a result of which TAKER made VALUE. Users' functions are called, and may unwind."
  (if (eq taker #'read-result) (lispify-read value) value))

;;; One crossing

(declaim (inline may-recover-p))
(defun may-recover-p (status)
  "Whether RECOVER can mend what STATUS tells."
  (or (eql status +not-running+) (eql status +invalid-name+)))

(defmacro crossed ((frame) call)
  "The status of CALL, a call of a foreign function whose name begins with %%, which is the last
thing to be done with FRAME in WITH-CROSSING or WITH-COMMAND. Its result, or why it failed, is owned before any interrupt comes."
  `(pyrite/port:without-interrupts
     (note-outcome ,frame ,call)))

(defun note-outcome (frame status)
  "Note in FRAME what came of its call, which returned STATUS; STATUS."
  (declare (type frame frame) (type (unsigned-byte 32) status))
  (let ((taker (frame-taker frame)))
    (cond ((eql status +ok+)
           (when taker (setf (frame-outcome frame) (funcall taker (frame-result frame)))))
          ((not (may-recover-p status))
           (setf (frame-outcome frame) (last-failure status)))))
  status)

(defmacro with-crossing ((frame &optional (taker '(result-taker))) &body body)
  "BODY writes to FRAME and returns the status that CROSSED gave; the value of the result is returned.

When Python does not run or a name is not known to it, which both are found out by crossing, that is
mended and BODY evaluated again."
  (let ((status (gensym "STATUS")) (outcome (gensym "OUTCOME")) (function (gensym "TAKER")))
    `(loop
       (let ((,function ,taker))
         (multiple-value-bind (,status ,outcome)
             (with-frame (,frame)
               (setf (frame-taker ,frame) ,function)
               (values (progn ,@body) (frame-outcome ,frame)))
           (if (eql ,status +ok+)
               (return (finished-value ,outcome ,function))
               (multiple-value-bind (,outcome ,status) (recover ,status ,outcome (users-value-p ,function))
                 (when ,status (return ,outcome)))))))))

(defmacro with-command ((frame) &body body)
  "As WITH-CROSSING, for a function without a result."
  (let ((status (gensym "STATUS")) (outcome (gensym "OUTCOME")))
    `(loop
       (multiple-value-bind (,status ,outcome)
           (with-frame (,frame)
             (values (progn ,@body) (frame-outcome ,frame)))
         (if (eql ,status +ok+)
             (return nil)
             (recover ,status ,outcome nil))))))

(declaim (inline users-value-p))
(defun users-value-p (taker)
  "Whether what TAKER takes is what a user's call returns, so that any other value would do."
  (or (eq taker #'take-default) (eq taker #'read-result)))

(defun recover (status failure valued)
  "Return when the call that returned STATUS should be made again, else signal the condition of FAILURE, and
return when a restart says so: a value and true when VALUED and that is to be the call's, else NIL and NIL."
  (case status
    (#.+not-running+ (python-start-if-not-alive) (values nil nil))
    (#.+invalid-name+ (forget-name-numbers) (values nil nil))
    (t (signal-with-restarts failure valued))))

(defun read-new-value ()
  "A list of the value of a form that is read from *QUERY-IO*."
  (format *query-io* "~&A form, which is evaluated: ")
  (finish-output *query-io*)
  (list (eval (read *query-io*))))

(defun signal-with-restarts (failure valued)
  "Signal the condition of FAILURE with the restarts that RECOVER tells of."
  (flet ((valued-p (condition)
           (declare (ignore condition))
           valued))
    (restart-case (signal-failure failure)
      (retry-call ()
        :report "Make the call of Python again."
        (values nil nil))
      (use-value (value)
        :test valued-p
        :report "Use another value as that of the call of Python."
        :interactive read-new-value
        (values value t)))))

(defun forget-name-numbers ()
  "Have every name prepared anew: the numbers were another process's."
  (pyrite/port:with-lock (*names-lock*)
    (loop for text being the hash-keys of *names*
          for name = (known-name text)
          when name do (setf (name-number name) 0))))

(defmacro try-crossing ((result cells &optional (fail 'fail-crossing)) writes call)
  "Cross with CALL if WRITES, which writes at most +QUICK-CELLS+ cells at CELLS, returns true.

CALL is of a foreign function whose name begins with %%. The quick way, for arguments that need no memory but their cells: nothing is set up that would have to
be undone. The value and true; NIL and NIL when it did not cross and WITH-CROSSING must be used. FAIL is
what is called when the call failed, as FAIL-CROSSING is."
  (let ((memory (gensym "MEMORY")) (status (gensym "STATUS")) (outcome (gensym "OUTCOME"))
        (lispify (gensym "LISPIFY")))
    `(cffi:with-foreign-pointer (,memory ,(+ +result-size+ (* +value-size+ +quick-cells+)))
       (let* ((,result (cffi:pointer-address ,memory)) (,cells (+ ,result +result-size+)))
         (declare (type address ,result ,cells))
         (if ,writes
             (let ((,lispify (lispifying-p)))
               (multiple-value-bind (,outcome ,status)
                   (pyrite/port:without-interrupts
                     (take-outcome ,call ,result ,lispify))
                 (cond ((not (eql ,status +ok+)) (,fail ,status ,outcome))
                       (,lispify (values (lispify-read ,outcome) t))
                       (t (values ,outcome t)))))
             (values nil nil))))))

(declaim (inline take-outcome))
(defun take-outcome (status result lispify)
  "What came of a call that returned STATUS and may have written to RESULT, and STATUS."
  (declare (type (unsigned-byte 32) status))
  (values (cond ((not (eql status +ok+)) (if (may-recover-p status) nil (last-failure status)))
                (lispify (read-result result))
                (t (take-default result)))
          status))

(defun retry-call (&optional condition)
  "Have the call of Python that signalled CONDITION, or whatever it was, made again; NIL when there is none.

Around what a call signals there is a restart RETRY-CALL, which makes it again with the same arguments, and
where the call has a value, USE-VALUE, which has it return another one. Both are for handlers, as
CL:USE-VALUE is, and for whoever sees the error in the debugger."
  (let ((restart (find-restart 'retry-call condition)))
    (when restart (invoke-restart restart))))

(defun fail-crossing (status failure)
  "NIL and NIL when WITH-CROSSING can mend what STATUS tells, else as RECOVER."
  (if (may-recover-p status)
      (values nil nil)
      (signal-with-restarts failure t)))

(defun fail-finally (status failure)
  "As FAIL-CROSSING, without restarts: for a call that cannot be made again."
  (if (may-recover-p status)
      (values nil nil)
      (signal-failure failure)))
