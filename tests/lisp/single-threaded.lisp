;;;; The package py4cl2-cffi/single-threaded. Needs a process of its own, which tests/run.lisp gives each
;;;; suite.

(defpackage #:pyrite/test/single-threaded
  (:documentation "A program that uses nothing but the package.")
  (:use #:cl #:py4cl2-cffi/single-threaded)
  (:export #:on-main-thread-p #:places #:kinds-of-calls))

(in-package #:pyrite/test/single-threaded)

(defun on-main-thread-p ()
  (import-module "threading")
  (pyeval "threading.current_thread() is threading.main_thread()"))

(defun places ()
  "What can be set, set and read."
  (pyexec "class Thing: pass
thing = Thing()
thing.items = [1, 2, 3]")
  (let ((thing (pyvalue "thing")))
    (setf (pyvalue "thing.name") "a"
          (pyslot-value thing "size") 5
          (chain thing items (aref 0)) 7
          (chain* 'thing 'items '(aref 1)) 8
          (pyref (pyvalue* "thing.items") 2) 9
          (pyeval "thing.other") 1)
    (list (pyslot-value thing "name") (pyvalue "thing.size") (chain thing items) (pyeval "thing.other"))))

(defun kinds-of-calls ()
  (list (pycall "lambda x: x" 1) (pymethod "a" "upper") (raw-pyeval "1 + 1") (pyref "abc" 1)
        (with-python-gil (pycall 'len "abc")) (with-pygc (chain "a" (upper)))
        (handler-case (pycall "int" "x") (pyerror () :error))
        (with-lispifiers ((vector (lambda (v) (coerce v 'list)))) (raw-pyeval "[1, 2]"))
        (with-remote-objects* (pycall "list" '(1 2)))))

(in-package #:pyrite/test)

(def-suite single-threaded :in pyrite :description "The package py4cl2-cffi/single-threaded.")
(in-suite single-threaded)

(test single-threaded.works
  ;; One test: the order of tests is not the same in every Lisp.
  (is (eq :standard +python-call-mode+))
  (is-true (pyrite/test/single-threaded:on-main-thread-p)
           "Python's main thread is not the one thread on which all runs.")
  (is (eq :dedicated-thread +python-call-mode+))
  (is (equal '(t t) (in-threads 2 (lambda (i)
                                    (declare (ignore i))
                                    (pyrite/test/single-threaded:on-main-thread-p)))))
  (is (same (list "a" 5 #(7 8 9) 1) (pyrite/test/single-threaded:places)))
  (is (same (list 1 "A" 2 "b" 3 "A" :error '(1 2) #(1 2)) (pyrite/test/single-threaded:kinds-of-calls)))
  (let ((*package* (find-package '#:pyrite/test/single-threaded)))
    (is (eql 5d0 (eval (read-from-string "(progn (defpyfun \"hypot\" \"math\" :lisp-fun-name \"PYHYPOT\")
                                                 (pyhypot 3 4))")))))
  (pystop)
  (is-true (python-works-p))
  (is (eq :dedicated-thread +python-call-mode+) "The mode does not outlive PYSTOP."))

(test single-threaded.lambda-lists
  "An editor shows those of the functions that are called."
  (unless (eq :unknown (shown-lambda-list 'py4cl2-cffi:pycall))
    ;; ECL does not tell an empty one from one that it does not know.
    (dolist (symbol (remove nil py4cl2-cffi/single-threaded-implementation::*functions*
                            :key #'shown-lambda-list))
      (is (equal (shown-lambda-list symbol)
                 (shown-lambda-list (py4cl2-cffi/single-threaded-implementation::own symbol)))
          "~A" symbol))))
