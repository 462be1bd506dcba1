;;;; Exits from a callback, by restarts and handlers that were established outside of it: as on SBCL, see
;;;; sbcl-exits.lisp. Here all is in the heap.

(in-package #:pyrite/port)

(deftype anything () 'condition)

(defun caught-restart (restart function)
  "A restart like RESTART that calls FUNCTION with a function that invokes RESTART."
  (si::make-restart
   :name (restart-name restart)
   :function (lambda (&rest arguments)
               (funcall function (lambda () (apply #'invoke-restart restart arguments))))
   :report-function (si::restart-report-function restart)
   :interactive-function (si::restart-interactive-function restart)
   :test-function (si::restart-test-function restart)))

(defun caught-restarts (clusters function)
  (loop while clusters
        collect (loop for restart in (pop clusters)
                      ;; The mark of a callback further out, which puts others behind it first.
                      if (eq (restart-name restart) 'outside)
                        do (funcall (si::restart-test-function restart) nil)
                      else
                        collect (caught-restart restart function))))

(defun caught-cluster (cluster function)
  "Handlers like those of CLUSTER that call FUNCTION with the condition and the original."
  (loop for (type . handler) in cluster
        collect (let ((handler handler))
                  (cons type (lambda (condition) (funcall function condition handler))))))

(defun caught-handlers (clusters function)
  (loop while clusters
        collect (let ((cluster (pop clusters)))
                  (cond ((eq (car (first cluster)) 'anything)
                         (funcall (cdr (first cluster)) nil)
                         '())
                        (t (caught-cluster cluster function))))))

;; T means 0, too, and is told from the 0 of an EXT:QUIT.
(when (eql ext:*program-exit-code* 0)
  (setf ext:*program-exit-code* t))

(defun thread-ends-p ()
  "Whether the unwinding that this cleans up after goes to the thread's first frame: that is MP:EXIT-PROCESS."
  (ffi:c-inline () () :bool "ecl_process_env()->nlj_fr == ecl_process_env()->frs_org" :one-liner t))

(defun call-with-ends-caught (body function)
  "Call BODY; call FUNCTION when it would end the thread, or the process, which EXT:QUIT does by setting the code
and unwinding."
  (let ((before ext:*program-exit-code*) (returned nil))
    (unwind-protect (multiple-value-prog1 (funcall body)
                      (setf returned t))
      (unless returned
        (let ((ends (thread-ends-p)))
          (cond ((not (eql before ext:*program-exit-code*))
                 (let ((code (shiftf ext:*program-exit-code* before)))
                   (funcall function (lambda () (ext:quit code)))))
                (ends (funcall function #'mp:exit-process))))))))

(defun call-with-exits-caught (body exit-function handler-function)
  (let ((restarts (cons '() si:*restart-clusters*)) (handlers (cons (list (cons 'nil #'identity)) si:*handler-clusters*))
        (restarts-caught nil) (handlers-caught nil))
    (flet ((catch-restarts (condition)
             (declare (ignore condition))
             (unless (shiftf restarts-caught t)
               (setf (rest restarts) (caught-restarts (rest restarts) exit-function)))
             nil)
           (catch-handlers (condition)
             (declare (ignore condition))
             (unless (shiftf handlers-caught t)
               (setf (rest handlers) (caught-handlers (rest handlers) handler-function)))))
      (let ((si:*restart-clusters*
              (cons (list (si::make-restart :name 'outside :function #'identity
                                            :test-function #'catch-restarts))
                    restarts))
            (si:*handler-clusters* (cons (list (cons 'anything #'catch-handlers)) handlers)))
        (call-with-ends-caught body exit-function)))))

(defmacro with-exits-caught ((exit-function handler-function) &body body)
  `(flet ((body () ,@body))
     (call-with-exits-caught #'body ,exit-function ,handler-function)))
