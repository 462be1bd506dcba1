;;;; Python started by a thread that ends: Python's main thread is gone then, and everything goes on.

(in-package #:pyrite/test)

(def-suite faults/main-thread)
(in-suite faults/main-thread)

(defparameter *start-in-thread* '(bt:join-thread (bt:make-thread (lambda () (pyrite:pystart))))
  "What starts Python.")

(defparameter *test-package* '(defpackage "PYRITE/TEST" (:use "CL"))
  "What makes the package of the symbols of this file.")

(test main-thread.ends
  "Eight threads use Python; the process ends as ever, without waiting for anybody."
  (is (eq t (ends-p '("work" "used" "exit")
                    *test-package*
                    '(setf pyrite:*exit-patience* 1000)
                    *start-in-thread*
                    '(pyrite:pyexec "import atexit, concurrent.futures, threading
atexit.register(lambda: print('mark:exit'))")
                    '(let ((threads (loop for i below 8
                                          collect (let ((i i))
                                                    (bt:make-thread
                                                     (lambda ()
                                                       (loop repeat 100
                                                             always (eql (* i i) (pyrite:pycall "lambda x, f: f(x)" i
                                                                                                (lambda (x) (* x x)))))))))))
                      (pyrite:pyexec "with concurrent.futures.ThreadPoolExecutor(2) as pool:
    pool.submit(lambda: print('mark:work')).result()")
                      (when (every (function bt:join-thread) threads)
                        (format t "~&mark:used~%")))))))

(test main-thread.stop-and-start
  (is (eq t (ends-p '("started again")
                    *start-in-thread*
                    '(pyrite:pystop)
                    '(when (eql 3 (pyrite:pycall "len" "abc"))
                      (format t "~&mark:started again~%"))))))

(test main-thread.interrupts
  "C-c and limits of time work without it."
  (let ((*interrupted-program* (substitute (with-standard-io-syntax (prin1-to-string *start-in-thread*))
                                           "(pyrite:pystart)" *interrupted-program* :test #'equal)))
    (notes '(:interrupted t :interrupted t :timeout t)
           "(interrupted (pyrite:pycall \"spin\"))"
           "(interrupted (loop))"
           "(note (handler-case (pyrite:with-python-timeout (0.2) (pyrite:pycall \"spin\"))
                    (pyrite:python-timeout () :timeout)))"
           "(note (alive-p))")))
