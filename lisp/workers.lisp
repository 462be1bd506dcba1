;;;; Threads that answer the questions of threads that Python made.
;;;;
;;;; Lisp code does not run on those: an error there would have no debugger, and not every Lisp can run on
;;;; a thread that is not its own. While one worker answers, another one waits, since an answer may itself
;;;; wait for a question.

(in-package #:pyrite)

(declaim (ftype (function (t t t t t t) t) answer))

(pyrite/port:define-global **workers** '() "The threads that answer.")
(pyrite/port:define-global **busy-workers** '() "Those among them that have a question.")
(pyrite/port:define-global **workers-wanted** nil "Whether they are to go on.")
(pyrite/port:define-global **workers-lock** (pyrite/port:make-lock "Pyrite workers"))

(pyrite/port:define-global **ending** nil "Whether this process is about to end: there are no new workers.")

(defvar *worker* nil "Whether this thread is one of them.")

(defun worker-p ()
  "True on a thread that answers."
  *worker*)

(defconstant +patience+ 1000
  "How long a worker waits for a question, in milliseconds, until it goes if another one waits, too.")

(defmacro with-workers (&body body)
  `(pyrite/port:with-lock (**workers-lock**) ,@body))

(defun idle-workers ()
  (set-difference **workers** **busy-workers**))

(defun ensure-worker ()
  "See to it that there is a worker that has no question."
  (with-workers
    (unless (or **ending** (progn (setf **workers-wanted** t) (idle-workers)))
      (push (bt:make-thread #'work :name "Pyrite worker") **workers**))))

(defun dismiss-worker (worker only-if-spare)
  "Have WORKER not be one any more, if ONLY-IF-SPARE only when there is another one that has no question;
true when that was done."
  (with-workers
    (unless (and only-if-spare (equal (idle-workers) (list worker)))
      (setf **workers** (remove worker **workers**)
            **busy-workers** (remove worker **busy-workers**))
      t)))

(defun work ()
  "What a worker does: answer questions until it is not wanted any more."
  (let ((worker (bt:current-thread)) (*worker* t))
    (unwind-protect
         (cffi:with-foreign-pointer (request +request-size+)
           (loop while (and **workers-wanted** (eql +ok+ (%serve +patience+ request)))
                 until (if (plusp (cffi:mem-ref request :uint64))
                           (serve request worker)
                           (dismiss-worker worker t))))
      (dismiss-worker worker nil))))

(defun serve (request worker)
  "Have WORKER answer the question in REQUEST and give it back; true when the thread is to end."
  (let ((answered 0) (continue nil))
    (unwind-protect
         (progn
           (with-workers (push worker **busy-workers**))
           (ensure-worker)
           (setf (values answered continue)
                 (answer (cffi:mem-ref request :uint32 +request-question+)
                         (cffi:mem-ref request :uint64 +request-id+)
                         (cffi:mem-ref request :uint64 +request-args+)
                         (cffi:mem-ref request :uint32 +request-nargs+)
                         (cffi:mem-ref request :uint32 +request-nkwargs+)
                         (cffi:mem-ref request :uint64 +request-reply+))))
      ;; Before who asked can go on, so that nobody finds it busy then.
      (with-workers (setf **busy-workers** (remove worker **busy-workers**)))
      (%served (cffi:mem-ref request :uint64) answered))
    ;; What leaves an answer here ends the thread or the process: there is nothing else outside.
    (when (functionp continue) (funcall continue))
    continue))

(defun dismiss-workers ()
  "Have all workers end, as soon as they have no question."
  (setf **workers-wanted** nil)
  (%serve-wake))

(defun stop-workers-to-save ()
  "Have all workers end: an image is saved without threads. With other threads, or where a worker has a
question, it will not be saved, and this process goes on: there are workers as before."
  (let ((idle (with-workers (idle-workers))))
    (when (pyrite/port:savable-without-p idle)
      (dismiss-workers)
      (dolist (worker idle)
        (ignore-errors (bt:join-thread worker))))))

(defun forget-workers ()
  "Forget all workers: in a restarted image there are none."
  (setf **workers** '()
        **busy-workers** '()
        **ending** nil
        **workers-lock** (pyrite/port:make-lock "Pyrite workers")))

(defun dismiss-workers-at-exit ()
  "Have all workers end, and nobody start another: threads of Python's may ask to the last."
  (setf **ending** t)
  (dismiss-workers))

(pyrite/port:add-exit-hook 'dismiss-workers-at-exit)
(pyrite/port:add-save-hook 'stop-workers-to-save)
;; Called before that one, which looks for other threads.
(pyrite/port:add-save-hook 'stop-server-thread)
(pyrite/port:add-restart-hook 'forget-workers)
