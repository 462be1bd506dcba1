;;;; Statuses to conditions.

(in-package #:pyrite)

(declaim (ftype (function () t) python-start-if-not-alive)
         (ftype (function (t) t) signal-host-error))

(defun foreign-text (pointer offset)
  "The UTF-8 text whose address and length are at OFFSET in POINTER."
  (let ((length (cffi:mem-ref pointer :size (+ offset 8))))
    (if (zerop length)
        ""
        (values (cffi:foreign-string-to-lisp (cffi:mem-ref pointer :pointer offset)
                                             :count length :encoding :utf-8)))))

(defun last-error ()
  "The type name, message, exception (a wrapper or NIL) and kind of this thread's last failure, which is
forgotten: from now on only the wrapper keeps the exception alive, with all that it refers to."
  (if (elsewhere-p)
      (values-list (take-error **server**))
      (read-last-error)))

(defun read-last-error ()
  "As LAST-ERROR, for calls that were made on this thread."
  (cffi:with-foreign-pointer (error +error-size+)
    (%error-last error 0)
    (let ((handle (cffi:mem-ref error :uint64 +error-exception+)))
      (multiple-value-prog1
          (values (foreign-text error +error-type-name+)
                  (foreign-text error +error-message+)
                  (unless (zerop handle) (make-wrapper handle))
                  (cffi:mem-ref error :uint32 +error-kind+))
        (%error-clear)))))

(defun host-error-p (type)
  "True when TYPE is the name of the type of an exception that stands for something in Lisp."
  (member type '("_pyrite.HostError" "_pyrite.HostUnwind") :test #'string=))

(defun fail-stale ()
  (fail 'stale-object
        "The Python object is gone: Python was stopped, or the image restarted, after it was made."))

(defun signal-status (status)
  "Signal the condition for STATUS, which a call of this thread just returned."
  (multiple-value-bind (type message exception kind) (last-error)
    (case status
      (#.+python-error+
       (when (and exception (host-error-p type))
         (signal-host-error exception))
       (error (exception-class kind) :type type :message message :value exception))
      (#.+stale-handle+ (fail-stale))
      ((#.+circular+ #.+too-deep+ #.+changed+ #.+invalid-text+ #.+invalid-array+ #.+invalid-tag+)
       (fail 'conversion-error "~A" message))
      ((#.+start-failed+ #.+unsupported-python+)
       (fail 'python-start-error "~A" message))
      (t (fail 'pyrite-error "~A (status ~D)" message status)))))

(declaim (inline check-status))
(defun check-status (status)
  "Signal a condition unless STATUS is success."
  (unless (eql status +ok+)
    (signal-status status)))

(defun call-when-running (function)
  "The status of FUNCTION, a call that needs Python; Python is started when it does not run."
  (let ((status (funcall function)))
    (cond ((eql status +not-running+)
           (python-start-if-not-alive)
           (funcall function))
          (t status))))

(defun pyerror-traceback (condition)
  "The traceback of the Python exception in CONDITION as Python prints it, a string.

The empty string when the exception is gone, after PYSTOP for instance."
  (let ((exception (pyerror-value condition)))
    (or (and exception
             (cffi:with-foreign-pointer (out +result-size+)
               (when (eql +ok+ (%format-exception (pyobject-wrapper-handle exception) +as-ucs4+ out))
                 (unwind-protect (decode (cffi:pointer-address out))
                   (%result-free out)))))
        "")))
