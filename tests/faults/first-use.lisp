;;;; Many threads whose first call is the first of all, in fresh processes.

(in-package #:pyrite/test)

(def-suite faults/first-use)
(in-suite faults/first-use)

(defun at-once (function)
  "A form whose value is a list of what sixteen threads give that call FUNCTION, a lambda expression, with 0 to 15 at
once."
  `(let* ((waiting 0) (lock (bt:make-lock)) (go-on nil)
          (threads (loop for i below 16
                         collect (let ((i i))
                                   (bt:make-thread
                                    (lambda ()
                                      (bt:with-lock-held (lock) (incf waiting))
                                      (loop until go-on)
                                      (,function i)))))))
     (loop until (= 16 (bt:with-lock-held (lock) waiting)))
     (setf go-on t)
     (mapcar (function bt:join-thread) threads)))

(defparameter *first-use*
  `((defpackage "PYRITE/TEST" (:use "CL"))
    (setf pyrite:*additional-init-codes*
          '("import builtins; builtins.starts = getattr(builtins, 'starts', 0) + 1; builtins.seen = set()"))
    (let ((results ,(at-once '(lambda (i)
                               (handler-case
                                   (ecase (mod i 4)
                                     (0 (eql 3 (pyrite:pycall "len" "abc")))
                                     (1 (eql i (pyrite:pycall "lambda f, x: (seen.add(f), f(x))[1]" (function identity) i)))
                                     (2 (eql 1 (pyrite:pyeval "starts")))
                                     (3 (handler-case (pyrite:pyeval "1 / 0")
                                          (pyrite:py-zero-division-error () t))))
                                 (error (condition) (princ-to-string condition)))))))
      (print (list :results (remove t results) (pyrite:pyeval "starts") (pyrite:pyeval "len(seen)")))))
  "Sixteen threads, which call at once.")

(test first-use.sixteen-threads
  "Python starts once, each of the calls is answered, and a function is one function to Python."
  (dotimes (i (if (eq (uiop:implementation-type) :sbcl) 10 3))
    (with-temporary-folder (folder)
      (let ((output (with-standard-io-syntax
                      (apply #'in-new-lisp folder (mapcar #'prin1-to-string *first-use*)))))
        (is-true (search "(:RESULTS NIL 1 1)" output) "~A" output)))))

(defparameter *failing-first-use*
  `((defpackage "PYRITE/TEST" (:use "CL"))
    (setf pyrite:*python-executable-path* "/nonexistent/bin/python3")
    (let ((reports (remove-duplicates ,(at-once '(lambda (i)
                                                  (declare (ignore i))
                                                  (handler-case (pyrite:pycall "len" "abc")
                                                    (error (condition) (princ-to-string condition)))))
                                      :test (function equal))))
      (print (list :reports (length reports) (and (search "/nonexistent/bin/python3" (first reports)) t)
                   (pyrite:python-alive-p)
                   (progn (setf pyrite:*python-executable-path* nil)
                          (pyrite:pycall "len" "abc"))))))
  "Sixteen threads, which call at once when there is no Python; then there is one.")

(test first-use.that-fails
  "Each is told the same, and what they try again works."
  (with-temporary-folder (folder)
    (let ((output (with-standard-io-syntax
                    (apply #'in-new-lisp folder (mapcar #'prin1-to-string *failing-first-use*)))))
      (is-true (search "(:REPORTS 1 T NIL 3)" output) "~A" output))))

(defparameter *writing-first-use*
  `((defpackage "PYRITE/TEST" (:use "CL"))
    (setf pyrite:*additional-init-codes* '("print('kept')"))
    (print (list :texts (remove-duplicates ,(at-once '(lambda (i)
                                                       (declare (ignore i))
                                                       (pyrite:with-python-output
                                                         (dotimes (j 3) (pyrite:pycall "print" "y" :end "")))))
                                           :test (function equal)))))
  "Sixteen threads, which all capture what they write.")

(test first-use.that-writes
  "What each writes is its own, though one of them connects the streams. What Python writes before is not lost."
  (dotimes (i (if (eq (uiop:implementation-type) :sbcl) 10 3))
    (with-temporary-folder (folder)
      (let ((output (with-standard-io-syntax
                      (apply #'in-new-lisp folder (mapcar #'prin1-to-string *writing-first-use*)))))
        (is-true (search "(:TEXTS (\"yyy\"))" output) "~A" output)
        (is-true (search "kept" output) "~A" output)))))

(test first-use.code-with-threads
  "What threads write that the code of a start makes, and waits for, is not lost either."
  (with-temporary-folder (folder)
    (let ((output (in-new-lisp folder
                               "(setf pyrite:*additional-init-codes* (list \"import threading\"
                                  \"thread = threading.Thread(target=print, args=('of a thread',), kwargs={'flush': True})\"
                                  \"thread.start()\" \"thread.join()\" \"print('of code', end='')\"))"
                               "(print (list :start (with-output-to-string (*standard-output*) (pyrite:pystart))))")))
      (is-true (search (format nil "(:START \"of a thread~%of code\")") output) "~A" output))))

(test first-use.that-is-stopped
  "What the code of a start writes is not lost when another thread stops Python before its streams are connected."
  (with-temporary-folder (folder)
    (let ((output (in-new-lisp folder
                               "(setf pyrite:*additional-init-codes* (list \"print('of code')\"))"
                               "(let ((connect (fdefinition 'pyrite::connect-streams)) (stopped nil))
                                  (setf (fdefinition 'pyrite::connect-streams)
                                        (lambda ()
                                          (unless stopped (setf stopped t) (pyrite::%stop))
                                          (funcall connect))))"
                               "(print (list :start (with-output-to-string (*standard-output*)
                                                      (pyrite:pystart) (pyrite:pystart))))")))
      (is-true (search (format nil "(:START \"of code~%of code~%\")") output) "~A" output))))
