;;;; Keeping objects where they are on SBCL, for longer than a call.
;;;;
;;;; The garbage collector neither moves nor frees an object whose address stands on a live thread's
;;;; control stack. A keeper is a thread that does nothing but have a vector there; any thread stores
;;;; what is to be kept in it.

(in-package #:pyrite/port)

(defconstant +keeper-slots+ 16384 "How many objects one keeper keeps. Eight bytes of its stack each.")

(defstruct (keeper (:copier nil) (:predicate nil))
  thread
  (stop (sb-thread:make-semaphore) :read-only t)
  ;; The address of its first slot.
  (slots 0 :type sb-ext:word)
  (free '() :type list))

(sb-ext:defglobal **keepers** '())

(defun stand-by (keeper ready)
  "What a keeper's thread does: offer its stack until it is told to stop."
  ;; With more safety, a vector of this size would be made in the heap, where nobody looks for addresses.
  (declare (optimize (safety 0)))
  (let ((slots (make-array +keeper-slots+ :element-type 'sb-ext:word :initial-element 0)))
    (declare (dynamic-extent slots))
    (when (on-stack-p slots)
      (setf (keeper-slots keeper) (vector-address slots)))
    (sb-thread:signal-semaphore ready)
    ;; Who ends all threads there are must not end this one: Python has what it keeps.
    (sb-sys:without-interrupts
      (sb-thread:wait-on-semaphore (keeper-stop keeper)))
    ;; Used here, so that it lives until now.
    (fill slots 0)
    ;; The vector must not be the result, which outlives it.
    nil))

(defun add-keeper ()
  "A new keeper, all of whose slots are free."
  (let ((keeper (make-keeper)) (ready (sb-thread:make-semaphore)))
    ;; A deadline that the program has set must not end this halfway.
    (sb-sys:with-deadline (:seconds nil :override t)
      (setf (keeper-thread keeper)
            (sb-thread:make-thread #'stand-by :name "Pyrite keeper" :arguments (list keeper ready)))
      (sb-thread:wait-on-semaphore ready))
    (assert (plusp (keeper-slots keeper)) () "This SBCL keeps no vectors on its stack.")
    (setf (keeper-free keeper)
          (loop for slot from (1- +keeper-slots+) downto 0
                collect (+ (keeper-slots keeper) (* slot sb-vm:n-word-bytes))))
    (push keeper **keepers**)
    keeper))

(defun keepable-p (vector)
  (declare (ignore vector))
  ;; Only where the collector scans stacks conservatively.
  (or #+(or x86-64 x86) t))

(defun keep (object)
  (let* ((keeper (or (find-if #'keeper-free **keepers**) (add-keeper)))
         (slot (pop (keeper-free keeper))))
    (sb-sys:with-pinned-objects (object)
      (setf (sb-sys:sap-ref-lispobj (sb-sys:int-sap slot) 0) object))
    (cons keeper slot)))

(defun let-go (kept)
  (destructuring-bind (keeper . slot) kept
    (when (member keeper **keepers**)
      (setf (sb-sys:sap-ref-word (sb-sys:int-sap slot) 0) 0)
      (push slot (keeper-free keeper)))))

(defun stop-keepers ()
  "Let go of everything."
  (let ((keepers **keepers**))
    (setf **keepers** '())
    (dolist (keeper keepers)
      (sb-thread:signal-semaphore (keeper-stop keeper))
      (sb-thread:join-thread (keeper-thread keeper) :default nil))))

(defun savable-without-p (threads)
  (subsetp (remove-if #'sb-thread:thread-ephemeral-p (sb-thread:list-all-threads))
           (list* sb-thread:*current-thread* (append threads (mapcar #'keeper-thread **keepers**)))))

(defun stop-keepers-to-save ()
  "Let go of everything: an image is saved without threads, and Python is not in it.

With other threads it will not be saved, and this process goes on: Python keeps what it has."
  (when (savable-without-p '())
    (stop-keepers)))

(add-save-hook 'stop-keepers-to-save)
(add-exit-hook 'stop-keepers)
