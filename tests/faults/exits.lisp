;;;; Every way out of a Lisp function that Python called, thousands of times, from one level and from four.

(in-package #:pyrite/test)

(def-suite faults/exits)
(in-suite faults/exits)

(define-condition full-condition (storage-condition) ())

(defparameter *ways-out*
  (list (list "restart"
              (lambda (levels)
                (restart-case (call-through levels (lambda () (invoke-restart 'outside 1 2)))
                  (outside (x y) (list :left x y))))
              '(:left 1 2))
        (list "abort"
              (lambda (levels)
                (restart-case (call-through levels #'abort)
                  (abort () ':aborted)))
              :aborted)
        (list "condition"
              (lambda (levels)
                (handler-case (call-through levels (lambda () (signal 'callback-notice :id 5)))
                  (callback-notice (condition) (notice-id condition))))
              5)
        (list "storage condition"
              (lambda (levels)
                (handler-case (call-through levels (lambda () (error 'full-condition)))
                  (storage-condition () :full)))
              :full)
        (list "throw"
              (lambda (levels)
                (handler-case (catch 'out (call-through levels (lambda () (throw 'out 1))))
                  (python-unwind-aborted () :stopped)))
              :stopped)
        (list "Python's exit"
              (lambda (levels)
                (handler-case (call-through levels (lambda () (pyexec "raise SystemExit(3)")))
                  (py-system-exit () :exit)))
              :exit))
  "Ways out: a name, a function of levels, and its value.")

(defun is-left (name leave value)
  "Checks: LEAVE, a function of levels, gives VALUE each time, Python cleans up each time, and nothing is left."
  (define-exits)
  (funcall leave 1)
  (loop for (levels count) in `((1 ,(scaled 5000)) (4 ,(scaled 2000)))
        do (pyexec "finals = exits = 0; caught.clear()")
           (let ((before (objects-of-python)))
             (is (eql count (loop repeat count count (equal value (funcall leave levels)))) "~A" name)
             (is (equal (list (* levels count) (* levels count)) (pyeval "(finals, exits)")) "~A" name)
             (pyexec "caught.clear()")
             (is (< (- (objects-of-python) before) 50) "~A" name)))
  (is-true (alive-p)))

(test exits.each
  (loop for (name leave value) in *ways-out*
        do (is-left name leave value)))

(test exits.all-at-once
  "In four threads, while garbage is collected; what threads keep of each other's exits is nothing."
  (define-exits)
  (let* ((over nil)
         (collector (bt:make-thread (lambda () (loop until over do (trivial-garbage:gc) (sleep 0.01))))))
    (is-in-threads (4 i)
      (loop for j below (scaled 600)
            always (destructuring-bind (name leave value) (nth (mod (+ i j) (length *ways-out*)) *ways-out*)
                     (declare (ignore name))
                     (equal value (funcall leave (1+ (mod j 4)))))))
    (setf over t)
    (bt:join-thread collector))
  (is-true (alive-p)))

(test exits.threads-that-end
  "A thread that is ended in a callback, many times, at one level and at four: finally runs, and it is gone."
  (define-exits)
  (loop for (levels count) in '((1 100) (4 50))
        do (pyexec "finals = exits = 0; caught.clear()")
           (loop repeat count
                 do (let* ((inside nil) (gone nil)
                           (thread (bt:make-thread
                                    (lambda ()
                                      (handler-case (call-through levels (lambda () (setf inside t) (loop (sleep 0.001))))
                                        (error (condition) (setf gone condition)))))))
                      (loop until inside do (sleep 0.0005))
                      (bt:destroy-thread thread)
                      (ignore-errors (bt:join-thread thread))
                      (when gone (error gone))))
           (is (equal (list (* levels count) (* levels count)) (pyeval "(finals, exits)"))))
  (is-true (alive-p)))
