;;;; Statuses to conditions.

(in-package #:pyrite)

(declaim (ftype (function () t) python-start-if-not-alive)
         (ftype (function (t) t) signal-host-error))

(defmacro with-utf8 ((pointer bytes text) &body body)
  "Bind POINTER and BYTES to foreign memory with TEXT in UTF-8, and its length, for BODY."
  (let ((memory (gensym "MEMORY")) (length (gensym "LENGTH")))
    `(let ((,memory nil) (,length 0))
       (pyrite/port:with-cleanup
           (progn
             ;; An exit from malloc would leave the heap of C locked.
             (pyrite/port:without-interrupts
               (setf (values ,memory ,length)
                     (cffi:foreign-string-alloc ,text :encoding :utf-8 :null-terminated-p nil)))
             (let ((,pointer ,memory) (,bytes ,length))
               ,@body))
         (when ,memory (cffi:foreign-string-free ,memory))))))

(defun foreign-text (pointer offset)
  "The UTF-8 text whose address and length are at OFFSET in POINTER."
  (let ((length (cffi:mem-ref pointer :size (+ offset 8))))
    (if (zerop length)
        ""
        (values (cffi:foreign-string-to-lisp (cffi:mem-ref pointer :pointer offset)
                                             :count length :encoding :utf-8)))))

(defstruct (failure (:copier nil) (:predicate nil))
  "Why a call failed: its STATUS; of a Python exception the type's name, message, number of the kind, and
the exception itself, a wrapper or NIL."
  (status 0 :read-only t)
  (type "" :read-only t)
  (message "" :read-only t)
  (kind 0 :read-only t)
  (exception nil :read-only t))

(defun last-failure (status)
  "Why this thread's last call, which returned STATUS, failed. The library forgets it: from now on only the
wrapper keeps the exception alive, with all that it refers to. No interrupt comes meanwhile, whose own
calls might fail."
  (let ((failure (take-failure)))
    (if (and failure (eql status (failure-status failure)))
        failure
        (read-last-failure status))))

(defun read-last-failure (status)
  "As LAST-FAILURE, for calls that were made on this thread."
  (cffi:with-foreign-pointer (error +error-size+)
    (pyrite/port:without-interrupts
      (%error-last error 0)
      (let ((handle (cffi:mem-ref error :uint64 +error-exception+)))
        (prog1 (make-failure :status status
                             :exception (unless (zerop handle) (make-wrapper handle))
                             :type (foreign-text error +error-type-name+)
                             :message (foreign-text error +error-message+)
                             :kind (cffi:mem-ref error :uint32 +error-kind+))
          (%error-clear))))))

(defun host-error-p (type)
  "True when TYPE is the name of the type of an exception that stands for something in Lisp."
  (member type '("_pyrite.HostError" "_pyrite.HostUnwind" "_pyrite.InputUnwind") :test #'string=))

(defun fail-stale ()
  (fail 'stale-object
        "The Python object is gone: Python was stopped, or the image restarted, after it was made."))

(defun signal-failure (failure)
  "Signal the condition for FAILURE."
  (let ((status (failure-status failure)) (type (failure-type failure)) (message (failure-message failure))
        (exception (failure-exception failure)))
    (case status
      (#.+python-error+
       (when (and exception (host-error-p type))
         (signal-host-error exception))
       (error (exception-class (failure-kind failure)) :type type :message message :value exception))
      (#.+stale-handle+ (fail-stale))
      (#.+too-large+ (fail 'result-too-large "~A" message))
      (#.+timed-out+
       (fail 'python-timeout "Python code was ended: WITH-PYTHON-TIMEOUT allows it no more time."))
      ((#.+circular+ #.+too-deep+ #.+changed+ #.+invalid-text+ #.+invalid-array+ #.+invalid-tag+)
       (fail 'conversion-error "~A" message))
      ((#.+start-failed+ #.+unsupported-python+)
       (fail 'python-start-error "~A" message))
      (t (fail 'pyrite-error "~A (status ~D)" message status)))))

(defun signal-status (status)
  "Signal the condition for STATUS, which a call of this thread just returned."
  (signal-failure (last-failure status)))

(declaim (inline check-status))
(defun check-status (status)
  "Signal a condition unless STATUS is success."
  (unless (eql status +ok+)
    (signal-status status)))

(defun call-when-running (function)
  "The status of FUNCTION, a call that needs Python; Python is started as often as it does not run."
  (loop for status = (funcall function)
        while (eql status +not-running+)
        do (python-start-if-not-alive)
        finally (return status)))

(defun pyerror-traceback (condition)
  "The traceback of the Python exception in CONDITION as Python prints it, a string.

The empty string when the exception is gone, after PYSTOP for instance."
  (let ((exception (pyerror-value condition)))
    (or (and exception
             (cffi:with-foreign-pointer (out +result-size+)
               (pyrite/port:without-interrupts
                 (when (eql +ok+ (%format-exception (pyobject-wrapper-handle exception) +as-ucs4+ out))
                   (unwind-protect (decode (cffi:pointer-address out))
                     (%result-free out))))))
        "")))
