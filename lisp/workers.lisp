;;;; Threads that answer the questions of threads that Python made.
;;;;
;;;; Lisp code does not run on those: an error there would have no debugger, and not every Lisp can run on
;;;; a thread that is not its own. While one worker answers, another one waits, since an answer may itself
;;;; wait for a question; at rest there are two, since to make one may itself take an answer.

(in-package #:pyrite)

(declaim (ftype (function (t t t t t t t) t) answer)
         (ftype (function (&optional t) t) work))

(pyrite/port:define-global **workers** '() "The threads that answer.")
(pyrite/port:define-global **busy-workers** '() "Those among them that have a question.")
(pyrite/port:define-global **starting** nil "Whether one is being made.")
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
  "Have there be one more worker, which answers QUESTION first. No lock is held meanwhile: SBCL joins threads
that have ended before it makes one, and they may be asking something at their end."
  (pyrite/port:without-interrupts
    (let ((worker (bt:make-thread (lambda () (work question)) :name "Pyrite worker")))
      (with-workers (push worker **workers**)))))

(defun ensure-workers (count)
  "See to it that there are COUNT workers that have no question. One thread at a time makes them: others have
questions to answer, for which it may be waiting."
  (pyrite/port:without-interrupts
    (loop while (with-workers
                  (unless **ending**
                    (setf **workers-wanted** t)
                    (unless (or **starting** (<= count (length (idle-workers))))
                      (setf **starting** t))))
          do (unwind-protect (start-worker)
               (setf **starting** nil)))))

(defun replace-lost-workers ()
  "See to it that there is a worker, if there was one: not every Lisp's threads outlive the beginning of the
process's end."
  (when **workers-wanted**
    (with-workers
      (setf **workers** (remove-if-not #'bt:thread-alive-p **workers**)
            **busy-workers** (remove-if-not #'bt:thread-alive-p **busy-workers**)))
    (ensure-workers 2)))

(defun dismiss-worker (worker only-if-spare)
  "Have WORKER not be one any more, if ONLY-IF-SPARE only when there are two others that have no question;
true when that was done."
  (with-workers
    (unless (and only-if-spare (<= (length (idle-workers)) 2))
      (setf **workers** (remove worker **workers**)
            **busy-workers** (remove worker **busy-workers**))
      t)))

(defun work (&optional question)
  "What a worker does: answer questions, QUESTION first, until it is not wanted any more."
  (let ((worker (bt:current-thread)) (*worker* t))
    (loop until (with-workers (member worker **workers**))
          do (bt:thread-yield))
    (unwind-protect
         (cffi:with-foreign-pointer (request +request-size+)
           (loop until (pyrite/port:without-interrupts
                         (if question
                             (serve (shiftf question nil) worker)
                             (serve-next request worker)))))
      (pyrite/port:restore-stack-guard)
      (dismiss-worker worker nil))))

(defun serve-next (request worker)
  "Have WORKER answer the next question, if one comes soon, with the memory of REQUEST; true when the thread
is to end. No interrupt comes while a question is nobody's."
  (cond ((not (and **workers-wanted** (eql +ok+ (%%serve +patience+ request)))) t)
        ((zerop (cffi:mem-ref request :uint64)) (dismiss-worker worker t))
        (t (serve (read-question request) worker))))

(defun read-question (request)
  "The number of the question in REQUEST, whether who asks is ending, and the arguments of ANSWER, in a list."
  (list (cffi:mem-ref request :uint64)
        (eql #xFFFFFFFF (cffi:mem-ref request :uint32 +request-idle+))
        (cffi:mem-ref request :uint32 +request-question+)
        (cffi:mem-ref request :uint64 +request-id+)
        (cffi:mem-ref request :uint64 +request-args+)
        (cffi:mem-ref request :uint32 +request-nargs+)
        (cffi:mem-ref request :uint32 +request-nkwargs+)
        (cffi:mem-ref request :uint64 +request-reply+)))

(defun serve (question worker)
  "Have WORKER answer QUESTION and give it back; true when the thread is to end."
  (let ((mine nil) (answered 0) (continue nil) (stays nil))
    (unwind-protect
         (progn
           (with-workers (push worker **busy-workers**))
           ;; Who ends this thread does not mean who asks: a thread that is ended now hands the question on.
           (pyrite/port:with-interrupts (setf mine t))
           (unless (second question) (ensure-workers 1))
           (setf (values answered continue) (apply #'answer nil (cddr question))
                 stays (null continue)))
      ;; Before who asked can go on: nobody finds it busy then, or idle if it is to end.
      (with-workers
        (setf **busy-workers** (remove worker **busy-workers**))
        (unless stays
          (setf **workers** (remove worker **workers**))))
      (if mine
          (%%served (first question) answered)
          (start-worker question))
      (when (and (second question) (not stays))
        (ensure-workers 1)))
    ;; What leaves an answer here ends the thread or the process: there is nothing else outside.
    (when (functionp continue)
      (pyrite/port:with-interrupts (funcall continue)))
    continue))

(defun dismiss-workers ()
  "Have all workers end, as soon as they have no question."
  (setf **workers-wanted** nil)
  (%serve-wake))

(defun our-threads ()
  "The threads that end when an image is to be saved: the one that makes all calls of Python, if there is one,
and workers without a question."
  (append (with-workers (idle-workers))
          (when (and **server** (server-thread **server**) (null (server-running **server**)))
            (list (server-thread **server**)))))

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
        **starting** nil
        **ending** nil
        **workers-lock** (pyrite/port:make-lock "Pyrite workers")))

(defun await-end (thread deadline)
  "Wait until THREAD has ended, but no longer than to DEADLINE, an internal real time."
  (loop while (and (bt:thread-alive-p thread) (< (get-internal-real-time) deadline))
        do (sleep 0.005))
  (unless (bt:thread-alive-p thread)
    ;; It may have to do something for its end still. An exit from it is no concern here.
    (ignore-errors (bt:join-thread thread))))

(defun dismiss-workers-at-exit ()
  "Have all workers end, and nobody start another: threads of Python's may ask to the last. They are waited
for a while, since the code that they run may go with the process's end before they do."
  (setf **ending** t)
  (let ((workers (with-workers (copy-list **workers**)))
        (deadline (+ (get-internal-real-time) (* 2 internal-time-units-per-second))))
    (dismiss-workers)
    (dolist (worker (remove (bt:current-thread) workers))
      (await-end worker deadline))))

(pyrite/port:add-exit-hook 'dismiss-workers-at-exit)
(pyrite/port:add-save-hook 'stop-workers-to-save)
;; Called before that one, which looks for other threads.
(pyrite/port:add-save-hook 'stop-server-thread)
(pyrite/port:add-restart-hook 'forget-workers)
