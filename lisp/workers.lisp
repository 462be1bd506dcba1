;;;; Threads that answer the questions of threads that Python made.
;;;;
;;;; Lisp code does not run on those: an error there would have no debugger, and not every Lisp can run on
;;;; a thread that is not its own. While one worker answers, another one waits, since an answer may itself
;;;; wait for a question.

(in-package #:pyrite)

(declaim (ftype (function (t t t t t t) t) answer)
         (ftype (function (&optional t) t) work))

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

(defun start-worker (&optional question)
  "Have there be one more worker, which answers QUESTION first."
  (with-workers
    (push (bt:make-thread (lambda () (work question)) :name "Pyrite worker") **workers**)))

(defun ensure-worker ()
  "See to it that there is a worker that has no question."
  (unless (or **ending** (with-workers (setf **workers-wanted** t) (idle-workers)))
    (start-worker)))

(defun replace-lost-workers ()
  "See to it that there is a worker, if there was one: not every Lisp's threads outlive the beginning of the
process's end."
  (when **workers-wanted**
    (with-workers
      (setf **workers** (remove-if-not #'bt:thread-alive-p **workers**)
            **busy-workers** (remove-if-not #'bt:thread-alive-p **busy-workers**)))
    (ensure-worker)))

(defun dismiss-worker (worker only-if-spare)
  "Have WORKER not be one any more, if ONLY-IF-SPARE only when there is another one that has no question;
true when that was done."
  (with-workers
    (unless (and only-if-spare (equal (idle-workers) (list worker)))
      (setf **workers** (remove worker **workers**)
            **busy-workers** (remove worker **busy-workers**))
      t)))

(defun work (&optional question)
  "What a worker does: answer questions, QUESTION first, until it is not wanted any more."
  (let ((worker (bt:current-thread)) (*worker* t))
    (unwind-protect
         (cffi:with-foreign-pointer (request +request-size+)
           (loop until (pyrite/port:without-interrupts
                         (if question
                             (serve (shiftf question nil) worker)
                             (serve-next request worker)))))
      (dismiss-worker worker nil))))

(defun serve-next (request worker)
  "Have WORKER answer the next question, if one comes soon, with the memory of REQUEST; true when the thread
is to end. No interrupt comes while a question is nobody's."
  (cond ((not (and **workers-wanted** (eql +ok+ (%%serve +patience+ request)))) t)
        ((zerop (cffi:mem-ref request :uint64)) (dismiss-worker worker t))
        (t (serve (read-question request) worker))))

(defun read-question (request)
  "The number of the question in REQUEST, and the arguments of ANSWER, in a list."
  (list (cffi:mem-ref request :uint64)
        (cffi:mem-ref request :uint32 +request-question+)
        (cffi:mem-ref request :uint64 +request-id+)
        (cffi:mem-ref request :uint64 +request-args+)
        (cffi:mem-ref request :uint32 +request-nargs+)
        (cffi:mem-ref request :uint32 +request-nkwargs+)
        (cffi:mem-ref request :uint64 +request-reply+)))

(defun serve (question worker)
  "Have WORKER answer QUESTION and give it back; true when the thread is to end."
  (let ((mine nil) (answered 0) (continue nil))
    (unwind-protect
         (progn
           (with-workers (push worker **busy-workers**))
           ;; Who ends this thread does not mean who asks: a thread that is ended now hands the question on.
           (pyrite/port:with-interrupts (setf mine t))
           (ensure-worker)
           (setf (values answered continue) (apply #'answer (rest question))))
      ;; Before who asked can go on, so that nobody finds it busy then.
      (with-workers (setf **busy-workers** (remove worker **busy-workers**)))
      (if mine
          (%%served (first question) answered)
          (start-worker question)))
    ;; What leaves an answer here ends the thread or the process: there is nothing else outside.
    (when (functionp continue)
      (pyrite/port:with-interrupts (funcall continue)))
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

(defun await-end (thread seconds)
  "Wait until THREAD has ended, but no longer than SECONDS."
  (loop repeat (* 100 seconds)
        while (bt:thread-alive-p thread)
        do (sleep 0.01))
  (unless (bt:thread-alive-p thread)
    ;; It may have to do something for its end still. An exit from it is no concern here.
    (ignore-errors (bt:join-thread thread))))

(defun dismiss-workers-at-exit ()
  "Have all workers end, and nobody start another: threads of Python's may ask to the last. Those without a
question are waited for, since not every Lisp can end with threads."
  (setf **ending** t)
  (let ((idle (with-workers (idle-workers))))
    (dismiss-workers)
    (dolist (worker idle)
      (await-end worker 1))))

(pyrite/port:add-exit-hook 'dismiss-workers-at-exit)
(pyrite/port:add-save-hook 'stop-workers-to-save)
;; Called before that one, which looks for other threads.
(pyrite/port:add-save-hook 'stop-server-thread)
(pyrite/port:add-restart-hook 'forget-workers)
