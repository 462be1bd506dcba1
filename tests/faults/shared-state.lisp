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

(test shared-state.containers-that-others-change
  "Threads of Python's change containers while they are converted: each result is one, or a condition says so."
  (define-python "import fractions, sys, threading"
                 "part = fractions.Fraction"
                 "listed = [part(i, 7) for i in range(100)]"
                 "mapped = {i: part(i, 7) for i in range(100)}"
                 "done = threading.Event()"
                 "def change_list():"
                 "    while not done.is_set():"
                 "        del listed[:50]; listed.extend([part(1, 3)] * 50); listed.reverse()"
                 "        listed.append(part(1, 5)); listed.pop()"
                 "def change_dict():"
                 "    while not done.is_set():"
                 "        for key in list(mapped)[:20]: mapped[-key - 1] = mapped.pop(key)"
                 "        mapped['x'] = part(1, 5); del mapped['x']"
                 "threads = [threading.Thread(target=f) for f in (change_list, change_dict)]"
                 "interval = sys.getswitchinterval(); sys.setswitchinterval(1e-6)"
                 "for thread in threads: thread.start()")
  (flet ((converted-p (source type)
           (handler-case (typep (pyeval source) type)
             (conversion-error () t))))
    (unwind-protect
         (is-true (loop repeat (scaled 1000)
                        always (and (converted-p "listed" 'simple-vector)
                                    (converted-p "mapped" 'hash-table)
                                    (converted-p "[mapped, (listed,)]" 'simple-vector))))
      (define-python "done.set(); sys.setswitchinterval(interval)" "for thread in threads: thread.join()")))
  (is-true (every #'rationalp (pyvalue "listed")))
  (is (eql 100 (hash-table-count (pyvalue "mapped"))))
  (is-true (alive-p)))
