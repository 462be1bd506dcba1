;;;; Exits from a callback, by restarts and handlers that were established outside of it.
;;;;
;;;; Who looks for a restart, or signals, walks a list of clusters. Two clusters of ours come before those
;;;; of outside: one with something that is called by whoever gets there, and one without effect, behind
;;;; which it puts others in the place of those of outside. Until then nothing is made but on the stack.

(in-package #:pyrite/port)

(defun caught-restart (restart function)
  "A restart like RESTART that calls FUNCTION with a function that invokes RESTART."
  (flet ((invoke (&rest arguments)
           (funcall function (lambda () (apply #'invoke-restart restart arguments)))))
    (let ((new (sb-kernel::make-restart (restart-name restart) #'invoke
                                        (sb-kernel::restart-report-function restart)
                                        (sb-kernel::restart-interactive-function restart)
                                        (sb-kernel::restart-test-function restart))))
      (setf (sb-kernel::restart-associated-conditions new)
            (sb-kernel::restart-associated-conditions restart))
      new)))

(defun caught-restarts (clusters function)
  (loop while clusters
        collect (loop for restart in (pop clusters)
                      ;; The mark of a callback further out, which puts others behind it first.
                      if (eq (restart-name restart) 'outside)
                        do (funcall (sb-kernel::restart-test-function restart) nil)
                      else
                        collect (caught-restart restart function))))

(defun anything (condition)
  (declare (ignore condition))
  t)

;; An empty cluster would be the end.
(sb-ext:defglobal **no-handlers** (list (cons (constantly nil) #'identity)))

(defun caught-cluster (cluster function)
  "Handlers like those of CLUSTER that call FUNCTION with the condition and the original."
  (loop for (test . handler) in cluster
        collect (let ((handler handler))
                  (cons test (lambda (condition) (funcall function condition handler))))))

(defun caught-handlers (clusters function)
  (loop while clusters
        collect (let ((cluster (pop clusters)))
                  (cond ((eq (car (first cluster)) #'anything)
                         (funcall (cdr (first cluster)) nil)
                         **no-handlers**)
                        (t (caught-cluster cluster function))))))

(declaim (inline call-with-ends-caught))
(defun call-with-ends-caught (body function)
  "Call BODY; call FUNCTION when it would end the thread or the process."
  (catch 'sb-impl::%end-of-the-world
    (catch 'sb-thread::%abort-thread
      (return-from call-with-ends-caught (funcall body)))
    (funcall function (lambda () (throw 'sb-thread::%abort-thread t))))
  (funcall function (lambda () (throw 'sb-impl::%end-of-the-world t))))

(defun call-with-exits-caught (body exit-function handler-function)
  (declare (type function body exit-function handler-function) (optimize speed))
  (let ((restarts (cons '() sb-kernel:*restart-clusters*))
        (handlers (cons **no-handlers** sb-kernel:*handler-clusters*))
        (restarts-caught nil) (handlers-caught nil))
    (declare (dynamic-extent restarts handlers))
    (flet ((catch-restarts (condition)
             (declare (ignore condition))
             (unless (shiftf restarts-caught t)
               (setf (rest restarts) (caught-restarts (rest restarts) exit-function)))
             nil)
           (catch-handlers (condition)
             (declare (ignore condition))
             (unless (shiftf handlers-caught t)
               (setf (rest handlers) (caught-handlers (rest handlers) handler-function)))))
      (declare (dynamic-extent #'catch-restarts #'catch-handlers))
      (let* ((restart (sb-kernel::make-restart 'outside #'anything nil nil #'catch-restarts))
             (restart-cluster (list restart))
             (restarts (cons restart-cluster restarts))
             (handler (cons #'anything #'catch-handlers))
             (handler-cluster (list handler))
             (handlers (cons handler-cluster handlers)))
        (declare (dynamic-extent restart restart-cluster restarts handler handler-cluster handlers))
        (let ((sb-kernel:*restart-clusters* restarts) (sb-kernel:*handler-clusters* handlers))
          (call-with-ends-caught body exit-function))))))

(defmacro with-exits-caught ((exit-function handler-function) &body body)
  `(flet ((body () ,@body))
     (declare (dynamic-extent #'body))
     (call-with-exits-caught #'body ,exit-function ,handler-function)))

;;; Stack exhaustion, and memory faults. They are signalled on top of what caused them, Python's frames for
;;; instance, whose code knows nothing of being unwound.

(defvar *outermost* nil
  "For the outermost WITH-PYTHON-OUTSIDE: a list of whether Python was given up, and of the clusters of handlers
and of restarts outside.")

(defmacro with-python-outside ((given-up here) &body body)
  (let ((fresh (gensym "OUTERMOST")))
    ;; Code that cleans up, once Python is given up, may call it again.
    `(let* ((,fresh (list nil sb-kernel:*handler-clusters* sb-kernel:*restart-clusters*))
            (*outermost* (cond ((not ,here) nil)
                                ((or (null *outermost*) (first *outermost*)) ,fresh)
                                (t *outermost*))))
       (declare (dynamic-extent ,fresh))
       (symbol-macrolet ((,given-up (first *outermost*)))
         ,@body))))

(defun add-fault-hook (function)
  (flet ((fault (continue &rest arguments)
           (cond ((and (funcall function) *outermost*)
                  (setf (first *outermost*) t)
                  (destructuring-bind (sb-kernel:*handler-clusters* sb-kernel:*restart-clusters*) (rest *outermost*)
                    (apply continue arguments)))
                 (t (apply continue arguments)))))
    (dolist (name '(sb-kernel::control-stack-exhausted-error sb-kernel::memory-fault-error))
      (when (fboundp name)
        (sb-int:encapsulate name 'pyrite #'fault)))))

(defun restore-stack-guard ()
  (loop for (name protect) in '(("protect_control_stack_guard_page" 1)
                                ("protect_control_stack_return_guard_page" 0))
        for address = (sb-sys:find-foreign-symbol-address name)
        when address
          do (sb-alien:alien-funcall
              (sb-alien:sap-alien (sb-sys:int-sap address)
                                  (function sb-alien:void sb-alien:int sb-sys:system-area-pointer))
              protect (sb-sys:int-sap 0))))
