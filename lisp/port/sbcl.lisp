;;;; SBCL.

(in-package #:pyrite/port)

(defmacro define-global (name value &optional documentation)
  `(sb-ext:defglobal ,name ,value ,@(when documentation (list documentation))))

(defvar *interruptible* t
  "Whether interrupts came before WITHOUT-INTERRUPTS.")

(defmacro define-macro (name lambda-list &body body)
  `(locally (declare (sb-ext:muffle-conditions sb-kernel:&optional-and-&key-in-lambda-list))
     (defmacro ,name ,lambda-list ,@body)))

(defmacro without-interrupts (&body body)
  ;; As SB-SYS:WITHOUT-INTERRUPTS, less what a body needs that may be unwound: a foreign call that
  ;; nothing unwinds across returns once.
  `(multiple-value-prog1
       (let* ((*interruptible* sb-sys:*interrupts-enabled*)
              (sb-sys:*interrupts-enabled* nil)
              (sb-sys:*allow-with-interrupts* nil))
         ,@body)
     (when (and sb-sys:*interrupts-enabled* sb-sys:*interrupt-pending*)
       (sb-unix::receive-pending-interrupt))))

(defmacro with-interrupts (&body body)
  `(let ((sb-sys:*allow-with-interrupts* *interruptible*))
     (if *interruptible*
         (sb-sys:with-interrupts ,@body)
         (progn ,@body))))

(defun interrupt-signal ()
  ;; Older ones send SIGPIPE, which is for broken pipes, too.
  (if (find-symbol "SIGURG-HANDLER" '#:sb-unix) sb-unix:sigurg 0))

(defun python-started ()
  nil)

(declaim (inline stack-low-p))
(defun stack-low-p ()
  (flet ((address (slot)
           (sb-sys:sap-int (sb-vm::current-thread-offset-sap slot))))
    (declare (inline address))
    (let ((start (address sb-vm::thread-control-stack-start-slot))
          (end (address sb-vm::thread-control-stack-end-slot)))
      (< (- (sb-sys:sap-int (sb-vm::current-sp)) start) (ash (- end start) -2)))))

(defmacro with-cleanup (form &body cleanup)
  `(sb-sys:without-interrupts
     (unwind-protect (sb-sys:with-local-interrupts ,form)
       ,@cleanup)))

;;; A lock for a few instructions, at a fifth of what a mutex costs. Who waits, yields; no interrupt comes
;;; to who has it.

(defun make-lock (name)
  (list nil name))

(defmacro with-lock ((lock) &body body)
  (let ((variable (gensym "LOCK")))
    `(let ((,variable ,lock))
       (declare (type cons ,variable))
       (sb-sys:without-interrupts
         (loop while (sb-ext:compare-and-swap (car ,variable) nil t)
               do (sb-thread:thread-yield))
         (unwind-protect (progn ,@body)
           (setf (car ,variable) nil))))))

(defmacro with-free-lock ((lock) &body body)
  (let ((variable (gensym "LOCK")))
    `(let ((,variable ,lock))
       (declare (type cons ,variable))
       (sb-sys:without-interrupts
         (unless (sb-ext:compare-and-swap (car ,variable) nil t)
           (unwind-protect (progn ,@body)
             (setf (car ,variable) nil)))))))

(defmacro with-float-traps-masked (&body body)
  `(sb-int:with-float-traps-masked (:overflow :underflow :invalid :divide-by-zero :inexact)
     ,@body))

;;; The garbage collector neither moves nor frees an object whose address stands on a live thread's
;;; control stack. A dynamic-extent vector is on it. This holds where the collector scans the stack
;;; conservatively: elsewhere vectors are copied.

(defconstant +uses-x87+ nil
  "Whether code of this implementation may compute with the x87 unit.")

(defconstant +pins+ 8 "How many objects can be pinned for one call.")

(defmacro with-pins ((pins) &body body)
  `(let ((,pins (make-array +pins+ :initial-element 0)))
     (declare (dynamic-extent ,pins))
     ,@body))

(declaim (inline pin vector-address))

(defun pin (vector index pins)
  #+(or x86-64 x86)
  (when (< index +pins+)
    (setf (svref pins index) vector)
    t)
  #-(or x86-64 x86)
  (progn vector index pins nil))

(defun vector-address (vector)
  (sb-sys:sap-int (sb-sys:vector-sap vector)))

(declaim (inline string-unit))
(defun string-unit (string)
  (etypecase string
    ((simple-array character (*)) 4)
    (simple-base-string 1)
    (simple-string nil)))

(defmacro with-simple-string ((simple start end) string &body body)
  `(sb-kernel:with-array-data ((,simple ,string) (,start 0) (,end nil) :check-fill-pointer t)
     ,@body))

(defun copy-string-to-memory (string start end address)
  (declare (type (simple-array character (*)) string)
           (type fixnum start end) (type (unsigned-byte 64) address)
           (optimize speed (safety 0)))
  (let ((length (- end start)) (sap (sb-sys:int-sap address)))
    (declare (type fixnum length))
    (if (< length 32)
        (loop for i of-type fixnum from start below end
              for offset of-type fixnum from 0 by 4
              do (setf (sb-sys:sap-ref-32 sap offset) (char-code (schar string i))))
        (sb-sys:with-pinned-objects (string)
          (sb-kernel:system-area-ub8-copy (sb-sys:vector-sap string) (* 4 start)
                                          sap 0 (* 4 length))))
    nil))

(defun string-from-memory (address length)
  (declare (type (unsigned-byte 64) address) (type (unsigned-byte 32) length)
           (optimize speed (safety 0)))
  (let ((string (make-string length)) (sap (sb-sys:int-sap address)))
    (if (< length 32)
        (dotimes (i length)
          (setf (schar string i) (code-char (sb-sys:sap-ref-32 sap (* 4 i)))))
        (sb-sys:with-pinned-objects (string)
          (sb-kernel:system-area-ub8-copy sap 0 (sb-sys:vector-sap string) 0 (* 4 length))))
    string))

(defun array-storage (array)
  (sb-kernel:with-array-data ((vector array) (start) (end))
    (declare (ignore end))
    (values vector start (- (length vector) start))))

(defun on-stack-p (object)
  (flet ((here-p (object)
           (sb-vm:control-stack-pointer-valid-p
            (sb-sys:int-sap (sb-kernel:get-lisp-obj-address object)) nil)))
    (or (here-p object)
        (and (arrayp object) (here-p (array-storage object))))))

(defun element-bytes (vector)
  (declare (type (simple-array * (*)) vector))
  (ceiling (sb-vm::simple-array-widetag->bits-per-elt (sb-kernel:%other-pointer-widetag vector)) 8))

(defun copy-array-to-memory (array address bytes)
  (multiple-value-bind (vector start) (array-storage array)
    (sb-sys:with-pinned-objects (vector)
      (sb-kernel:system-area-ub8-copy (sb-sys:vector-sap vector) (* start (element-bytes vector))
                                      (sb-sys:int-sap address) 0 bytes)))
  nil)

(defun copy-memory-to-array (address array bytes)
  (multiple-value-bind (vector start) (array-storage array)
    (sb-sys:with-pinned-objects (vector)
      (sb-kernel:system-area-ub8-copy (sb-sys:int-sap address) 0
                                      (sb-sys:vector-sap vector) (* start (element-bytes vector))
                                      bytes)))
  nil)

(defun heap-size ()
  (sb-ext:dynamic-space-size))

(defun free-heap ()
  (- (sb-ext:dynamic-space-size) (sb-kernel:dynamic-usage)))

(defun run-finalizers ()
  (unless (sb-thread:holding-mutex-p **finalizer-lock**)
    ;; Another thread may be sweeping.
    (sb-sys:with-deadline (:seconds nil :override t)
      (sb-thread:with-mutex (**finalizer-lock**))))
  (sweep-finalizers))

(defun add-gc-hook (function)
  (pushnew function **gc-functions**))

;;; A lambda list and a docstring belong to code, which closures share. Where SBCL has its interpreter,
;;; its functions have both for themselves, and can be told what to do when they are called.

(defun wrap-function (symbol function lambda-list documentation)
  "A function that does what FUNCTION does and has a LAMBDA-LIST of its own; NIL without the interpreter."
  (let ((make (uiop:find-symbol* '#:make-interpreted-function '#:sb-eval nil)))
    (when make
      (let ((wrapper (funcall make :name symbol :lambda-list '(&rest arguments)
                                   :debug-lambda-list lambda-list :documentation documentation
                                   :env nil :declarations '()
                                   :source-location (sb-c:source-location)
                                   :body `((apply ,function arguments)))))
        (setf (sb-kernel:%funcallable-instance-fun wrapper) function)
        wrapper))))

(defun define-function (symbol function lambda-list documentation)
  (let ((wrapper (wrap-function symbol function lambda-list documentation)))
    (setf (fdefinition symbol) (or wrapper function))
    (unless wrapper
      (setf (documentation symbol 'function) documentation))
    symbol))

(defun show-lambda-list (symbol lambda-list)
  (setf (sb-kernel:%fun-lambda-list (fdefinition symbol)) lambda-list)
  symbol)

(defun generic-function-methods (function)
  (sb-mop:generic-function-methods function))

(defun function-name (function)
  (nth-value 2 (function-lambda-expression function)))

(defun function-lambda-list (function)
  (let ((lambda-list (if (typep function 'generic-function)
                         (sb-mop:generic-function-lambda-list function)
                         (sb-kernel:%fun-lambda-list function))))
    (if (listp lambda-list)
        (values lambda-list t)
        (values nil nil))))

(defun add-restart-hook (function)
  "Call FUNCTION when a saved image starts."
  (pushnew function sb-ext:*init-hooks*))

(defun add-save-hook (function)
  (pushnew function sb-ext:*save-hooks*))

(defun add-exit-hook (function)
  (pushnew function sb-ext:*exit-hooks*))

(add-restart-hook 'forget-finalizers)

(defmacro with-unencodable-replaced (&body body)
  `(handler-bind ((sb-int:stream-encoding-error
                    (lambda (condition)
                      (let ((restart (find-restart 'sb-impl::output-replacement condition)))
                        (when restart (invoke-restart restart #\?))))))
     ,@body))

(defun move-standard-stream (number descriptor)
  (let ((stream (if (= number 1) sb-sys:*stdout* sb-sys:*stderr*)))
    (when (typep stream 'sb-sys:fd-stream)
      (setf (sb-impl::fd-stream-fd stream) descriptor))))
