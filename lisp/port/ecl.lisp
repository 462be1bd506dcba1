;;;; ECL. Its collector does not move objects and scans stacks conservatively, so that an object that
;;;; a live variable refers to stays where it is.

(in-package #:pyrite/port)

(defmacro define-global (name value &optional documentation)
  `(defvar ,name ,value ,@(when documentation (list documentation))))

(defmacro define-macro (name lambda-list &body body)
  `(defmacro ,name ,lambda-list ,@body))

(defvar *interruptible* t
  "Whether interrupts came before WITHOUT-INTERRUPTS.")

(defmacro without-interrupts (&body body)
  `(let ((*interruptible* ext:*interrupts-enabled*))
     (mp:without-interrupts ,@body)))

(defmacro with-interrupts (&body body)
  `(let ((si:*allow-with-interrupts* *interruptible*))
     (if *interruptible*
         (mp:with-interrupts ,@body)
         (progn ,@body))))

(defun interrupt-signal ()
  (ffi:c-inline () () :int "ecl_get_option(ECL_OPT_THREAD_INTERRUPT_SIGNAL)" :one-liner t))

(defun stack-low-p ()
  ;; ECL has stacks of its own for frames to unwind to and for special bindings.
  (ffi:c-inline () () :bool
                "{ char here; cl_env_ptr env = ecl_process_env();
                   cl_index left = env->cs_limit < &here ? &here - env->cs_limit : env->cs_limit - &here;
                   @(return 0) = left < env->cs_size / 4
                     || env->frs_limit - env->frs_top < env->frs_size / 4
                     || env->bds_limit - env->bds_top < env->bds_size / 4; }"))

(defmacro with-cleanup (form &body cleanup)
  `(unwind-protect ,form
     (mp:without-interrupts ,@cleanup)))

(defun make-lock (name)
  (mp:make-lock :name name :recursive nil))

(defmacro with-lock ((lock) &body body)
  (let ((variable (gensym "LOCK")))
    `(let ((,variable ,lock))
       (mp:without-interrupts
         ;; Who waits in ECL's queue for a lock is interrupted also there.
         (loop until (mp:get-lock ,variable nil)
               do (mp:process-yield))
         (unwind-protect (progn ,@body)
           (mp:giveup-lock ,variable))))))

(defmacro with-free-lock ((lock) &body body)
  (let ((variable (gensym "LOCK")))
    `(let ((,variable ,lock))
       (mp:without-interrupts
         (when (and (not (mp:holding-lock-p ,variable)) (mp:get-lock ,variable nil))
           (unwind-protect (progn ,@body)
             (mp:giveup-lock ,variable)))))))

(defmacro with-float-traps-masked (&body body)
  (let ((traps (gensym "TRAPS")))
    `(let ((,traps (si:trap-fpe 'last t)))
       (unwind-protect (progn (si:trap-fpe t nil) ,@body)
         (si:trap-fpe ,traps t)))))

(defconstant +uses-x87+ t
  "Whether code of this implementation may compute with the x87 unit.")

(defconstant +pins+ 8 "How many objects can be pinned for one call.")

(defmacro with-pins ((pins) &body body)
  `(let ((,pins nil))
     (declare (ignorable ,pins))
     ,@body))

(defun pin (vector index pins)
  (declare (ignore index pins))
  ;; Strings are not known to the foreign interface: they are copied.
  (not (stringp vector)))

(defun vector-address (storage)
  (ffi:pointer-address storage))

(defun string-unit (string)
  (declare (ignore string))
  nil)

(defmacro with-simple-string ((simple start end) string &body body)
  (let ((whole (gensym "STRING")))
    `(let* ((,whole ,string) (,simple (coerce ,whole '(simple-array character (*))))
            (,start 0) (,end (length ,simple)))
       ,@body)))

(defun copy-string-to-memory (string start end address)
  (let ((pointer (ffi:make-pointer address :uint32-t)))
    (loop for i from start below end
          for j from 0
          do (setf (ffi:deref-array pointer '(:array :uint32-t) j) (char-code (char string i))))))

(defun string-from-memory (address length)
  (let ((string (make-string length)) (pointer (ffi:make-pointer address :uint32-t)))
    (dotimes (i length string)
      (setf (char string i) (code-char (ffi:deref-array pointer '(:array :uint32-t) i))))))

(defun array-storage (array)
  ;; A foreign pointer to the memory, which keeps the memory even when the array gets another by
  ;; ADJUST-ARRAY. It must be one to its beginning: the collector looks for no others.
  (let ((start 0))
    (loop
      (multiple-value-bind (to offset) (array-displacement array)
        (unless to
          (let ((size (array-total-size array)) (storage (si:make-foreign-data-from-array array)))
            ;; It may have got the memory after the size, or before.
            (return (values storage start (- (min size (array-total-size array)) start)))))
        (setf array to)
        (incf start offset)))))

(defun on-stack-p (object)
  (declare (ignore object))
  nil)

(defun data-pointer (array)
  (si:make-foreign-data-from-array array))

(defun copy-array-to-memory (array address bytes)
  (unless (zerop bytes)
    (cffi:foreign-funcall "memcpy" :pointer (cffi:make-pointer address)
                                   :pointer (data-pointer array)
                                   :size bytes :pointer))
  nil)

(defun copy-memory-to-array (address array bytes)
  (unless (zerop bytes)
    (cffi:foreign-funcall "memcpy" :pointer (data-pointer array)
                                   :pointer (cffi:make-pointer address)
                                   :size bytes :pointer))
  nil)

(defun keepable-p (vector)
  (declare (ignore vector))
  t)

(defun keep (object)
  ;; Nothing moves; who keeps the object keeps it where it is.
  object)

(defun let-go (kept)
  (declare (ignore kept))
  nil)

(defun collector-bytes (name)
  "What the function NAME of the garbage collector's library tells, in bytes; NIL without it."
  (let ((function (cffi:foreign-symbol-pointer name)))
    (when function
      ;; They lock the collector.
      (mp:without-interrupts (cffi:foreign-funcall-pointer function () :size)))))

(defun heap-size ()
  (let ((limit (ext:get-limit 'ext:heap-size)))
    (when (plusp limit) limit)))

(defun free-heap ()
  (let ((limit (heap-size)) (taken (collector-bytes "GC_get_heap_size"))
        (free (collector-bytes "GC_get_free_bytes")))
    (when (and limit taken free)
      (- limit (- taken free)))))

(defun run-finalizers ()
  nil)

(defun add-gc-hook (function)
  "ECL has no hook for that."
  (declare (ignore function))
  nil)

(defun catch-up-with-gc ()
  nil)

;; Finalizers run in the middle of any allocation. One in Lisp changes what ECL passes calls by, the function in
;; the thread's environment: a call whose arguments are being boxed then gets to another function.
(ffi:clines "
struct pyrite_release { void (*function)(uint64_t); uint64_t handle; };

static void pyrite_finalize(void *object, void *data)
{
    struct pyrite_release *release = data;
    release->function(release->handle);
}

static void pyrite_finalize_handle(cl_object object, uint64_t handle, uint64_t address)
{
    struct pyrite_release *release = ecl_alloc_atomic(sizeof *release);
    release->function = (void (*)(uint64_t))address;
    release->handle = handle;
    ecl_disable_interrupts();
    GC_register_finalizer_no_order(object, pyrite_finalize, release, NULL, NULL);
    ecl_enable_interrupts();
}
")

(defun finalize-handle (object handle function address)
  (declare (ignore function))
  (ffi:c-inline (object handle address) (:object :uint64-t :uint64-t) :void
                "pyrite_finalize_handle(#0, #1, #2);"))

(defun define-function (symbol function lambda-list documentation)
  (setf (fdefinition symbol) function)
  ;; (SETF DOCUMENTATION) is of no effect here when there is documentation, or FUNCTION is a closure.
  (si::set-documentation symbol 'function documentation)
  (show-lambda-list symbol lambda-list))

(defun show-lambda-list (symbol lambda-list)
  (ext:annotate symbol :lambda-list nil lambda-list)
  symbol)

(defun generic-function-methods (function)
  (clos:generic-function-methods function))

(defun add-restart-hook (function)
  "ECL saves no images."
  (declare (ignore function))
  nil)

(defun add-save-hook (function)
  "ECL saves no images."
  (declare (ignore function))
  nil)

(defvar *exit-functions* '()
  "The functions, symbols, of ADD-EXIT-HOOK.")

(defun add-exit-hook (function)
  ;; Symbols among the hooks are passed over.
  (unless (member function *exit-functions*)
    (push function *exit-functions*)
    (push (lambda () (funcall function)) si:*exit-hooks*)))

(defun savable-without-p (threads)
  (declare (ignore threads))
  nil)

(defun function-name (function)
  (if (typep function 'generic-function)
      (clos:generic-function-name function)
      (nth-value 2 (function-lambda-expression function))))

(defun function-lambda-list (function)
  (multiple-value-bind (lambda-list known) (ext:function-lambda-list function)
    (values lambda-list (and known t))))

(defmacro with-unencodable-replaced (&body body)
  `(handler-bind ((ext:stream-encoding-error (lambda (condition) (use-value #\? condition))))
     ,@body))

(defun move-standard-stream (number descriptor)
  (ffi:c-inline ((if (= number 1) ext:+process-standard-output+ ext:+process-error-output+) descriptor)
                (:object :int) :void
                "if ((#0)->stream.mode == ecl_smm_output_file) (#0)->stream.file.descriptor = #1;"))
