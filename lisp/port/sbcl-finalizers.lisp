;;;; Finalizers for handles on SBCL.
;;;;
;;;; SB-EXT:FINALIZE costs more than making the object that is finalized. Wrappers are made by the
;;;; million, and what is to be done for them is the same each time, so they are only noted in blocks,
;;;; by weak pointer and handle. After a garbage collection the blocks are swept: a pointer that is
;;;; broken has its handle released. Where something else is to be done than the first time, a function
;;;; is noted with the pointer.
;;;;
;;;; A block is filled by any number of threads at once, each taking a place by an atomic increment.
;;;; A place is in use once its handle is not 0; the weak pointer is stored before.

(in-package #:pyrite/port)

(defconstant +block-places+ 1024)

(defstruct (finalizer-block (:copier nil) (:predicate nil))
  (pointers (make-array +block-places+ :initial-element nil) :type simple-vector :read-only t)
  (handles (make-array +block-places+ :element-type '(unsigned-byte 62) :initial-element 0)
   :type (simple-array (unsigned-byte 62) (*)) :read-only t)
  (taken 0 :type sb-ext:word))

(sb-ext:defglobal **finalizer-block** nil)
(sb-ext:defglobal **full-blocks** '())
(sb-ext:defglobal **finalizer-function** nil)
(sb-ext:defglobal **finalizer-lock** nil)

(declaim (type (or null finalizer-block) **finalizer-block**)
         (type list **full-blocks**))

(defun forget-finalizers ()
  "Forget all handles: in a restarted image they are another process's."
  (setf **finalizer-block** (make-finalizer-block)
        **full-blocks** '()
        **finalizer-lock** (sb-thread:make-mutex :name "Pyrite finalizers")))

(forget-finalizers)

(defun note-in-block (pointer handle)
  "Put POINTER and HANDLE in the current block, or a new one when it is full."
  (declare (type (unsigned-byte 62) handle) (optimize speed (safety 0)))
  (loop
    (let* ((block **finalizer-block**)
           (place (sb-ext:atomic-incf (finalizer-block-taken (the finalizer-block block)))))
      (when (< place +block-places+)
        (setf (svref (finalizer-block-pointers block) place) pointer)
        (sb-thread:barrier (:write))
        (setf (aref (finalizer-block-handles block) place) handle)
        (return))
      (retire-block block))))

(defun retire-block (block)
  "Have a new block filled in the place of BLOCK, unless another thread has seen to it."
  (let ((new (make-finalizer-block)))
    ;; An exit between the two would lose the block.
    (sb-sys:without-interrupts
      (when (eq block (sb-ext:compare-and-swap (symbol-value '**finalizer-block**) block new))
        (sb-ext:atomic-push block (symbol-value '**full-blocks**))))))

(defun finalize-handle (object handle function address)
  (declare (ignore address) (optimize speed))
  (unless **finalizer-function**
    (sb-ext:compare-and-swap (symbol-value '**finalizer-function**) nil function))
  (let ((pointer (sb-ext:make-weak-pointer object)))
    (note-in-block (if (eq function **finalizer-function**) pointer (cons pointer function)) handle)))

(declaim (inline noted-pointer))
(defun noted-pointer (note)
  (the sb-ext:weak-pointer (if (consp note) (car note) note)))

(defun sweep-block (block)
  "Release the handles of BLOCK whose objects are gone; how many are left."
  (let ((notes (finalizer-block-pointers block)) (handles (finalizer-block-handles block)) (left 0))
    (declare (type fixnum left) (optimize speed))
    (dotimes (place +block-places+ left)
      (let ((handle (aref handles place)) (note (svref notes place)))
        (cond ((not (zerop handle))
               (cond ((sb-ext:weak-pointer-value (noted-pointer note)) (incf left))
                     (t
                      (setf (aref handles place) 0
                            (svref notes place) t)
                      (funcall (the function (if (consp note) (cdr note) **finalizer-function**))
                               handle))))
              ;; Taken, but not yet in use.
              ((not (eq note t)) (incf left)))))))

(defun move-block (block)
  "Note what is left of BLOCK elsewhere; it is dropped."
  (loop for handle across (finalizer-block-handles block)
        for pointer across (finalizer-block-pointers block)
        unless (zerop handle)
          do (note-in-block pointer handle)))

(defun movable-p (block left)
  "Whether BLOCK, in which LEFT places are in use, is mostly empty, and nobody is still filling it."
  (and (< left (ash +block-places+ -3))
       (loop for handle across (finalizer-block-handles block)
             for note across (finalizer-block-pointers block)
             never (and (zerop handle) (not (eq note t))))))

(defun take-full-blocks ()
  "The full blocks, which nobody else has from now on."
  (loop for blocks = **full-blocks**
        when (eq blocks (sb-ext:compare-and-swap (symbol-value '**full-blocks**) blocks '()))
          return blocks))

(defun sweep-full-block (block)
  "Sweep BLOCK, which was taken, and keep what is left of it."
  (let ((left (sweep-block block)))
    (cond ((zerop left))
          ((movable-p block left) (move-block block))
          (t (sb-ext:atomic-push block (symbol-value '**full-blocks**))))))

(defun sweep-finalizers ()
  "Release the handles whose objects are gone. Called after each garbage collection, on any thread, which may
be interrupted: an exit would lose the blocks that were taken."
  ;; A collection may begin while this very thread is sweeping: then that sweep is enough.
  (let ((lock **finalizer-lock**))
    (unless (sb-thread:holding-mutex-p lock)
      (sb-sys:without-interrupts
        (sb-thread:with-mutex (lock :wait-p nil)
          (sweep-block **finalizer-block**)
          (mapc #'sweep-full-block (take-full-blocks)))))))

;;; After garbage collections

(sb-ext:defglobal **gc-functions** '(sweep-finalizers))

(sb-ext:defglobal **gc-time** 0 "How long garbage had been collected when that was last followed up.")

(defun call-gc-functions ()
  "Call what is to be called after a garbage collection."
  (setf **gc-time** sb-ext:*gc-run-time*)
  (mapc #'funcall **gc-functions**))

(defun call-gc-functions-as-hook ()
  "SBCL has a handler round its hooks, which takes all conditions for faults of theirs: that of a C-c or a timeout
that comes meanwhile would be lost."
  (let ((sb-kernel:*handler-clusters* (rest sb-kernel:*handler-clusters*)))
    (call-gc-functions)))

(pushnew 'call-gc-functions-as-hook sb-ext:*after-gc-hooks*)

;; SBCL calls no hooks after a collection that comes while interrupts wait, as most do where results are made.
(defun catch-up-with-gc ()
  (unless (eql **gc-time** sb-ext:*gc-run-time*)
    (call-gc-functions)))
