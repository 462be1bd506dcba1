;;;; Everything at once, in sixteen threads, while garbage is collected.

(in-package #:pyrite/test)

(def-suite faults/shared-state)
(in-suite faults/shared-state)

(defun mixed-callbacks-p (i j)
  "True when calls into Lisp and errors across both give what they should."
  (let ((n (+ (* 1000 i) j)))
    (and (eql n (call-back (lambda (x) (pycall "abs" (- x))) n))
         (equal (format nil "~D" n) (princ-to-string (signalled (call-back (lambda () (error "~D" n))))))
         (equal (format nil "~D" n) (pyerror-message (signalled (call-back (lambda () (pycall "raise_value" n))))))
         (eql n (pymethod (with-remote-objects (pyeval "[" n "]")) "pop")))))

(test shared-state.sixteen-threads
  (define-python "def raise_value(n): raise ValueError(n)")
  (let* ((over nil)
         (collector (bt:make-thread (lambda () (loop until over do (trivial-garbage:gc) (sleep 0.01))))))
    (is-in-threads (16 i)
      (loop for j below (scaled 400)
            always (and (mixed-calls-p i j) (mixed-callbacks-p i j))))
    (setf over t)
    (bt:join-thread collector))
  (is-true (alive-p)))
