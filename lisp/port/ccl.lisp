;;;; CCL, written from its documented interfaces. Its vector pin turns the garbage collector off, so
;;;; nothing is pinned round a call: vectors are copied.

(in-package #:pyrite/port)

(defmacro define-global (name value &optional documentation)
  `(progn (ccl:defstatic ,name ,value ,@(when documentation (list documentation)))
          ',name))

(defmacro define-macro (name lambda-list &body body)
  `(defmacro ,name ,lambda-list ,@body))

(defmacro without-interrupts (&body body)
  `(ccl:without-interrupts ,@body))

(defmacro with-interrupts (&body body)
  `(ccl:with-interrupts-enabled ,@body))

(defun interrupt-signal ()
  0)

(defun python-started ()
  nil)

(defmacro with-exits-caught ((exit-function handler-function) &body body)
  ;; CCL has no documented way to its restarts and handlers: an exit by one outside leads nowhere, and
  ;; says so.
  `(progn ,exit-function ,handler-function ,@body))

(defun stack-low-p ()
  nil)

(defmacro with-cleanup (form &body cleanup)
  `(ccl:without-interrupts
     (unwind-protect (ccl:with-interrupts-enabled ,form)
       ,@cleanup)))

(defun make-lock (name)
  (ccl:make-lock name))

(defmacro with-lock ((lock) &body body)
  `(ccl:without-interrupts (ccl:with-lock-grabbed (,lock) ,@body)))

(defmacro with-free-lock ((lock) &body body)
  ;; CCL's locks are recursive, but no garbage collection runs BODY here: see ADD-GC-HOOK.
  (let ((variable (gensym "LOCK")))
    `(let ((,variable ,lock))
       (ccl:without-interrupts
         (when (ccl:try-lock ,variable)
           (unwind-protect (progn ,@body)
             (ccl:release-lock ,variable)))))))

(defmacro with-float-traps-masked (&body body)
  (let ((modes (gensym "MODES")))
    `(let ((,modes (ccl:get-fpu-mode)))
       (unwind-protect
            (progn (ccl:set-fpu-mode :overflow nil :underflow nil :division-by-zero nil
                                     :invalid nil :inexact nil)
                   ,@body)
         (apply #'ccl:set-fpu-mode ,modes)))))

(defconstant +uses-x87+ nil
  "Whether code of this implementation may compute with the x87 unit.")

(defconstant +pins+ 0 "How many objects can be pinned for one call.")

(defmacro with-pins ((pins) &body body)
  `(let ((,pins nil))
     (declare (ignorable ,pins))
     ,@body))

(defun pin (vector index pins)
  (declare (ignore vector index pins))
  nil)

(defun vector-address (vector)
  (error "CCL pins no vectors: ~S must be copied." (type-of vector)))

(defun string-unit (string)
  (declare (ignore string))
  nil)

(defmacro with-simple-string ((simple start end) string &body body)
  (let ((whole (gensym "STRING")))
    `(let* ((,whole ,string) (,simple (coerce ,whole 'simple-string))
            (,start 0) (,end (length ,simple)))
       ,@body)))

(defun copy-string-to-memory (string start end address)
  (let ((pointer (ccl:%int-to-ptr address)))
    (loop for i from start below end
          for offset from 0 by 4
          do (setf (ccl:%get-unsigned-long pointer offset) (char-code (schar string i))))))

(defun string-from-memory (address length)
  (let ((string (make-string length)) (pointer (ccl:%int-to-ptr address)))
    (dotimes (i length string)
      (setf (schar string i)
            ;; CCL has no characters for surrogates.
            (or (code-char (ccl:%get-unsigned-long pointer (* 4 i))) (code-char #xFFFD))))))

(defun array-storage (array)
  (multiple-value-bind (vector start) (ccl::array-data-and-offset array)
    (values vector start (- (length vector) start))))

(defun on-stack-p (object)
  (declare (ignore object))
  nil)

(defun element-bytes (vector)
  (let ((type (array-element-type vector)))
    (cond ((equal type '(complex double-float)) 16)
          ((member type '(double-float (complex single-float) (signed-byte 64) (unsigned-byte 64))
                   :test #'equal)
           8)
          ((member type '(single-float (signed-byte 32) (unsigned-byte 32)) :test #'equal) 4)
          ((member type '((signed-byte 16) (unsigned-byte 16)) :test #'equal) 2)
          (t 1))))

(defun copy-array-to-memory (array address bytes)
  (multiple-value-bind (vector start) (array-storage array)
    (ccl:%copy-ivector-to-ptr vector (* start (element-bytes vector))
                              (ccl:%int-to-ptr address) 0 bytes))
  nil)

(defun copy-memory-to-array (address array bytes)
  (multiple-value-bind (vector start) (array-storage array)
    (ccl:%copy-ptr-to-ivector (ccl:%int-to-ptr address) 0
                              vector (* start (element-bytes vector)) bytes))
  nil)

(defun keepable-p (vector)
  (declare (ignore vector))
  nil)

(defun keep (object)
  (declare (ignore object))
  nil)

(defun let-go (kept)
  (declare (ignore kept))
  nil)

(defun heap-size ()
  "CCL's heap grows as it needs."
  nil)

(defun free-heap ()
  nil)

(defun run-finalizers ()
  nil)

(defun add-gc-hook (function)
  "CCL has no hook for that."
  (declare (ignore function))
  nil)

(defun catch-up-with-gc ()
  nil)

(defun finalize-handle (object handle function address)
  (declare (ignore address))
  (trivial-garbage:finalize object (lambda () (funcall function handle))))

(defun define-function (symbol function lambda-list documentation)
  (setf (fdefinition symbol) function
        (documentation symbol 'function) documentation)
  (show-lambda-list symbol lambda-list))

(defun show-lambda-list (symbol lambda-list)
  (let ((record (uiop:find-symbol* '#:record-arglist '#:ccl nil)))
    (when (and record (fboundp record))
      (funcall record symbol lambda-list)))
  symbol)

(defun generic-function-methods (function)
  (ccl:generic-function-methods function))

(defun add-restart-hook (function)
  "Call FUNCTION when a saved image starts."
  (pushnew function ccl:*lisp-startup-functions*))

(defun add-save-hook (function)
  (pushnew function ccl:*save-exit-functions*))

(defun add-exit-hook (function)
  (pushnew function ccl:*lisp-cleanup-functions*))

(defun savable-without-p (threads)
  (declare (ignore threads))
  t)

(defun function-name (function)
  (ccl:function-name function))

(defun function-lambda-list (function)
  (multiple-value-bind (lambda-list type) (ccl:arglist function)
    (values lambda-list (and type t))))

(defmacro with-unencodable-replaced (&body body)
  ;; The encodings of CCL do so.
  `(progn ,@body))

(defun move-standard-stream (number descriptor)
  "CCL's streams stay where they are."
  (declare (ignore number descriptor))
  nil)
