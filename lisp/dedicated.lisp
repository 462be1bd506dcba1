;;;; One thread for all that Python does, for libraries that insist on one.
;;;;
;;;; Only the foreign calls of libpyrite move to it. Arguments are written, results read, errors signalled
;;;; and Python's questions answered on the thread that called, which waits meanwhile: all its bindings,
;;;; handlers, restarts and exits are in force, as if Python ran there. What waits, waits in C: so do
;;;; interrupts, as in any foreign call.

(in-package #:pyrite)

(declaim (ftype (function () t) worker-p) (ftype (function (t) t) read-last-failure))

(defvar *python-call-mode* :standard
  "On which threads Python runs: :STANDARD, on those that call it, or :DEDICATED-THREAD, all on one.

Looked at when Python is started, also after PYSTOP; not while a thread is in WITH-PYTHON-GIL or
WITH-PYTHON-TIMEOUT on the one thread, which there is on then. Set it before Python's first start: only then
is the one thread Python's main thread, too; or later while no other thread calls Python, for one that is
interrupted or destroyed during the change may hang. Calls that come from elsewhere wait for their turn and cost two switches of
threads; all else is as it is in standard mode. While Python waits for the answer of a Lisp function,
others' calls run; while it computes or waits for something else, they wait, so that threads of Lisp's
must not wait for each other in Python, with its locks or queues. Interrupts of a thread that
waits come when Python is done. A Lisp function that a thread of Python's own calls, calls Python where it
is: that thread may be what the one thread waits for.")

(defconstant +monitor-bytes+ 128 "Room for a pthread_mutex_t, and for a pthread_cond_t, on any system.")

(defstruct (server (:constructor make-server ()) (:copier nil))
  ;; The addresses of the mutex, and of the condition variable for everything here that changes.
  (mutex (make-monitor-part "pthread_mutex_init") :read-only t)
  (changed (make-monitor-part "pthread_cond_init") :read-only t)
  (thread nil)
  (wanted t)
  ;; Those that are not begun, oldest first, and those that are not done, innermost first.
  (requests '() :type list)
  (running '() :type list)
  ;; The thread for which alone requests are begun, and how often it wanted that.
  (owner nil)
  (holds 0 :type fixnum))

(defvar *served* nil
  "On the one thread on which Python runs, its SERVER: **SERVER** may be another by the time a call is over.")

(defvar *in-place* nil
  "True where this thread holds something of Python's itself, so that it makes its calls whatever the mode is by now.")

(defstruct (request (:constructor make-request (function caller)) (:copier nil) (:predicate nil))
  "A call that CALLER waits for. QUESTION is a function to be called by it meanwhile."
  (function nil :type function :read-only t)
  (caller nil :read-only t)
  (value +panic+)
  ;; Why the call failed, if it did.
  (failure nil)
  (done nil)
  (question nil :type (or null function))
  (answer nil))

;;; Waiting in C

(defun make-monitor-part (initializer)
  "A foreign pointer to what INITIALIZER, a function of pthreads, makes."
  (let ((pointer (cffi:foreign-alloc :uint8 :count +monitor-bytes+)))
    (if (string= initializer "pthread_mutex_init")
        (cffi:foreign-funcall "pthread_mutex_init" :pointer pointer :pointer (cffi:null-pointer) :int)
        (cffi:foreign-funcall "pthread_cond_init" :pointer pointer :pointer (cffi:null-pointer) :int))
    pointer))

(defmacro with-server-lock ((server) &body body)
  "Evaluate BODY, which is short and has interrupts off, while no other thread looks at SERVER."
  (let ((mutex (gensym "MUTEX")))
    `(let ((,mutex (server-mutex ,server)))
       (cffi:foreign-funcall "pthread_mutex_lock" :pointer ,mutex :int)
       (unwind-protect (progn ,@body)
         (cffi:foreign-funcall "pthread_mutex_unlock" :pointer ,mutex :int)))))

(defun await-change (server)
  "Wait until something of SERVER, which is locked, has changed, or for a second or two."
  (cffi:with-foreign-object (until :long 2)
    (setf (cffi:mem-aref until :long 0)
          (+ 2 (cffi:foreign-funcall "time" :pointer (cffi:null-pointer) :long))
          (cffi:mem-aref until :long 1) 0)
    (cffi:foreign-funcall "pthread_cond_timedwait" :pointer (server-changed server)
                                                   :pointer (server-mutex server) :pointer until :int)))

(defun tell-change (server)
  (cffi:foreign-funcall "pthread_cond_broadcast" :pointer (server-changed server) :int))

;;; The one thread

(defun eligible-request (server)
  "The next request of SERVER, which is locked, that may be begun; or NIL."
  (let ((owner (server-owner server)))
    (if owner
        (find owner (server-requests server) :key #'request-caller)
        (first (server-requests server)))))

(defun take-request (server over-p)
  "Wait for a request of SERVER and take it; NIL once OVER-P is true."
  (with-server-lock (server)
    (loop until (funcall over-p)
          do (let ((request (eligible-request server)))
               (when request
                 (setf (server-requests server) (remove request (server-requests server)))
                 (push request (server-running server))
                 (return request)))
             (await-change server))))

(defun run-request (server request)
  "Make the call of REQUEST, which SERVER's thread took."
  (unwind-protect
       (flet ((run () (setf (request-value request) (funcall (request-function request)))))
         ;; Python's frames are those of all calls that run.
         (if (rest (server-running server))
             (run)
             (handler-case (run)
               (storage-condition () (setf (request-value request) :exhausted)))))
    (with-server-lock (server)
      (pop (server-running server))
      (setf (request-done request) t)
      (tell-change server))))

(defun serve-requests (server over-p)
  "Make the calls that are asked for until OVER-P is true."
  (loop for request = (take-request server over-p)
        while request
        do (run-request server request)))

(defun serve-all (server)
  "What SERVER's thread does. From time to time, when nothing is to be done, interrupts may come: some
Lisps end their threads so, when they end."
  (unwind-protect
       (let ((*served* server))
         (loop do (let ((rounds 0))
                    (pyrite/port:without-interrupts
                      (serve-requests server (lambda ()
                                               (or (not (server-wanted server)) (> (incf rounds) 1))))))
               ;; Who was on the way here when the mode changed, has this thread made once more.
               while (and (server-wanted server) (eq server **server**))))
    (pyrite/port:without-interrupts
      (pyrite/port:restore-stack-guard)
      (with-server-lock (server)
        (setf (server-thread server) nil)
        (tell-change server)))))

(defun note-failure (status)
  "STATUS, of a call that this thread made, perhaps for another, which is to learn what went wrong."
  (let ((request (and *served* (first (server-running *served*)))))
    (when (and request (not (eql status +ok+)))
      (setf (request-failure request) (read-last-failure status))))
  status)

;;; Callers

(pyrite/port:define-global **failures** '()
  "An alist from threads to the FAILUREs of their last calls that failed on another and that they did not take.")
(pyrite/port:define-global **failures-lock** (pyrite/port:make-lock "Pyrite failures"))

(defun keep-failure (failure)
  "Keep FAILURE for the TAKE-FAILURE of this thread."
  (pyrite/port:with-lock (**failures-lock**)
    (setf **failures** (acons (bt:current-thread) failure
                              (remove-if (lambda (entry)
                                           (or (eq (first entry) (bt:current-thread))
                                               (not (bt:thread-alive-p (first entry)))))
                                         **failures**)))))

(defun take-failure ()
  "The FAILURE of this thread's last call that failed on another, if it was not taken; or NIL."
  (when **failures**
    (pyrite/port:with-lock (**failures-lock**)
      (let ((entry (assoc (bt:current-thread) **failures** :test #'eq)))
        (setf **failures** (remove entry **failures**))
        (rest entry)))))

(defun on-server-p ()
  "True on the one thread on which Python runs."
  (and *served* t))

(defun server-elsewhere ()
  "The SERVER whose thread is to make the calls of this one, or NIL."
  (let ((server **server**))
    (and server (not (on-server-p)) (not *in-place*) (not (worker-p)) server)))

(defun ensure-server-thread (server)
  "Start the thread of SERVER, which is locked, if it has none."
  (unless (server-thread server)
    (setf (server-wanted server) t
          (server-thread server) (bt:make-thread (lambda () (serve-all server)) :name "Pyrite Python"))))

(defun await-request (server request)
  "Wait until REQUEST is done, which is NIL, or there is a question to its caller."
  (with-server-lock (server)
    (loop until (or (request-done request) (request-question request))
          do (ensure-server-thread server)
             (await-change server))
    (request-question request)))

(defun submit (server request)
  "The value of REQUEST, which SERVER's thread makes. Interrupts are off."
  (with-server-lock (server)
    (setf (server-requests server) (append (server-requests server) (list request)))
    (tell-change server))
  (loop for question = (await-request server request)
        while question
        do (let ((answer (funcall question)))
             (with-server-lock (server)
               (setf (request-answer request) answer
                     (request-question request) nil)
               (tell-change server))))
  (when (request-failure request) (keep-failure (request-failure request)))
  (if (eq (request-value request) :exhausted)
      (error 'stack-exhausted)
      (request-value request)))

(defun call-on-server (function)
  "The value of FUNCTION, a foreign call, made on the thread that is to make it."
  (pyrite/port:without-interrupts
    (let ((server (server-elsewhere)))
      (if server
          (submit server (make-request function (bt:current-thread)))
          (funcall function)))))

(defun ask-caller (function)
  "The value of FUNCTION, called by the thread for which the one thread, this one, is in Python. Meanwhile
others' calls are made here."
  (let* ((server *served*) (request (first (server-running server))))
    (with-server-lock (server)
      (setf (request-question request) function)
      (tell-change server))
    ;; What another thread holds, its GIL or limit, is this thread's: no code but for that one runs until it is over.
    (serve-requests server (lambda ()
                             (and (null (request-question request))
                                  (member (server-owner server) (list nil (request-caller request))))))
    (request-answer request)))

(defun hold-server ()
  "Have the one thread make calls of this thread only, until FREE-SERVER of the value, which may be NIL."
  (loop for server = (server-elsewhere)
        until (or (null server) (held-p server (bt:current-thread)))
        finally (return server)))

(defun held-p (server caller)
  "Hold SERVER for CALLER; NIL when it is not the one any more."
  (pyrite/port:without-interrupts
    (with-server-lock (server)
      (loop until (member (server-owner server) (list nil caller))
            do (await-change server))
      (when (eq server **server**)
        (setf (server-owner server) caller)
        (incf (server-holds server))))))

(defun free-server (server)
  "Undo a HOLD-SERVER that returned SERVER."
  (when server
    (pyrite/port:without-interrupts
      (with-server-lock (server)
        (when (zerop (decf (server-holds server)))
          (setf (server-owner server) nil))
        (tell-change server)))))

(defmacro with-server-held (&body body)
  "Evaluate BODY while the one thread, if there is one, makes calls of this thread only."
  (let ((server (gensym "SERVER")))
    `(let ((,server nil) (*in-place* *in-place*))
       (pyrite/port:with-cleanup
           (progn
             (pyrite/port:without-interrupts
               (setf ,server (hold-server)
                     *in-place* (null ,server)))
             ,@body)
         (free-server ,server)))))

;;; Modes

(defun stop-thread-of (server)
  "Have the thread of SERVER end, unless it is in Python. The next call starts another."
  (let ((thread (server-thread server)))
    (when (and thread (not (on-server-p)) (null (server-running server)))
      (pyrite/port:without-interrupts
        (with-server-lock (server)
          (setf (server-wanted server) nil)
          (tell-change server)))
      (ignore-errors (bt:join-thread thread)))))

(defun stop-server-thread ()
  "Have the one thread end, if there is one, unless it is in Python."
  (let ((server **server**))
    (when server (stop-thread-of server))))

(defun dismiss-server ()
  "Have calls be made where they are asked for; NIL when a thread holds the GIL, or the like, on the one thread,
which must go on there."
  (let ((server **server**))
    (or (null server)
        (when (pyrite/port:without-interrupts
                (with-server-lock (server)
                  (unless (server-owner server)
                    (setf (server-wanted server) nil
                          **server** nil)
                    (tell-change server)
                    t)))
          (stop-thread-of server)
          t))))

(defun python-call-mode ()
  "The mode in force: see *PYTHON-CALL-MODE*."
  (if **server** :dedicated-thread :standard))

(define-symbol-macro +python-call-mode+ (python-call-mode))

(setf (documentation '+python-call-mode+ 'variable)
      "The mode in force, :STANDARD or :DEDICATED-THREAD: see *PYTHON-CALL-MODE*. Cannot be set.")

(defun use-call-mode (mode)
  "Have calls be made as MODE, a value of *PYTHON-CALL-MODE*, says."
  (unless (member mode '(:standard :dedicated-thread))
    (fail 'pyrite-error "~S is no value of *PYTHON-CALL-MODE*: that is :STANDARD or :DEDICATED-THREAD." mode))
  (unless (or (eq mode (python-call-mode)) (not (dismiss-server)))
    (setf **server** (when (eq mode :dedicated-thread) (make-server)))))

(defun use-dedicated-thread ()
  "Have all calls be made on one thread from now on, for good."
  (setf *python-call-mode* :dedicated-thread)
  (use-call-mode :dedicated-thread))

(defun renew-server ()
  "In a restarted image nothing is left of the server but that there is to be one."
  (setf **failures** '()
        **failures-lock** (pyrite/port:make-lock "Pyrite failures"))
  (when **server**
    (setf **server** (make-server))))

(pyrite/port:add-restart-hook 'renew-server)
(pyrite/port:add-exit-hook 'stop-server-thread)
