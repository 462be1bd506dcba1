;;;; Threads that answer the questions of threads that Python made.
;;;;
;;;; Lisp code does not run on those: an error there would have no debugger, and not every Lisp can run on
;;;; a thread that is not its own. While one worker answers, another one waits, since an answer may itself
;;;; wait for a question.

(in-package #:pyrite)

(declaim (ftype (function (t t t t t t) t) answer))

(pyrite/port:define-global **workers** '() "The threads that answer.")
(pyrite/port:define-global **workers-wanted** nil "Whether they are to go on.")
(pyrite/port:define-global **workers-lock** (bt:make-lock "Pyrite workers"))

(defconstant +patience+ 1000 "How long a worker waits at a time, in milliseconds.")
(defconstant +spare-patience+ 10 "After how many of those a worker goes that is not the last one.")

(defvar *worker* nil "Whether this thread is one of them.")

(defun add-worker ()
  "Start one more worker."
  (bt:with-lock-held (**workers-lock**)
    (setf **workers-wanted** t)
    (push (bt:make-thread #'work :name "Pyrite worker") **workers**)))

(defun work ()
  "What a worker does: answer questions until it is not wanted any more."
  (unwind-protect
       (let ((waited 0) (*worker* t))
         (cffi:with-foreign-pointer (request +request-size+)
           (loop while (and **workers-wanted** (eql +ok+ (%serve +patience+ request)))
                 do (cond ((plusp (cffi:mem-ref request :uint64))
                           (setf waited 0)
                           (serve request))
                          ((and (rest **workers**) (> (incf waited) +spare-patience+))
                           (return))))))
    (bt:with-lock-held (**workers-lock**)
      (setf **workers** (remove (bt:current-thread) **workers**)))))

(defun serve (request)
  "Answer the question in REQUEST and give it back."
  (let ((answered 0))
    (unwind-protect
         (progn
           (when (zerop (cffi:mem-ref request :uint32 +request-idle+))
             (add-worker))
           (setf answered (answer (cffi:mem-ref request :uint32 +request-question+)
                                  (cffi:mem-ref request :uint64 +request-id+)
                                  (cffi:mem-ref request :uint64 +request-args+)
                                  (cffi:mem-ref request :uint32 +request-nargs+)
                                  (cffi:mem-ref request :uint32 +request-nkwargs+)
                                  (cffi:mem-ref request :uint64 +request-reply+))))
      (%served (cffi:mem-ref request :uint64) answered))))

(defun stop-workers ()
  "Have all workers end, and wait for those that do not answer a question just now."
  (setf **workers-wanted** nil)
  (%serve-wake)
  (dolist (worker **workers**)
    (unless (eq worker (bt:current-thread))
      (ignore-errors (bt:join-thread worker)))))

(pyrite/port:add-exit-hook 'stop-workers)
(pyrite/port:add-save-hook 'stop-workers)
