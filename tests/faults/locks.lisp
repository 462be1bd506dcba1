;;;; Locks of Lisp's, the GIL and the garbage collector: nobody waits for ever.

(in-package #:pyrite/test)

(def-suite faults/locks)
(in-suite faults/locks)

(defmacro with-collections (&body body)
  "The value of BODY, while another thread collects garbage all the time."
  (let ((over (gensym "OVER")) (thread (gensym "THREAD")))
    `(let* ((,over nil)
            (,thread (bt:make-thread (lambda () (loop until ,over do (trivial-garbage:gc :full t) (sleep 0.002))))))
       (unwind-protect (progn ,@body)
         (setf ,over t)
         (bt:join-thread ,thread)))))

(test locks.two-locks-and-the-gil
  "Four threads: each takes one lock or two, in order, outside of Python, in a callback, or both."
  (let ((first (bt:make-lock)) (second (bt:make-lock)))
    (flet ((under-first (function) (bt:with-lock-held (first) (funcall function)))
           (under-second (function) (bt:with-lock-held (second) (funcall function)))
           (ask-python () (eql 3 (pycall "len" "abc"))))
      (with-collections
        (is-in-threads (4 i)
          (loop repeat (scaled 2000)
                always (ecase i
                         (0 (under-first (lambda () (call-back (lambda () (under-second #'ask-python))))))
                         (1 (under-second #'ask-python))
                         (2 (call-back (lambda () (under-first (lambda () (under-second #'ask-python))))))
                         (3 (with-python-gil (call-back (lambda () (under-second #'ask-python)))))))))))
  (is-true (alive-p)))

(test locks.python-threads
  "The same with threads of Python's, which Lisp's workers answer."
  (define-threads)
  (let ((lock (bt:make-lock)) (count (scaled 300)))
    (is (equalp (make-array 4 :initial-element count)
                (bt:with-lock-held ((bt:make-lock))
                  (pycall "in_threads" 4 count
                          (lambda (i j) (bt:with-lock-held (lock) (pycall "lambda a, b: a + b" i j)))))))
    (is-true (alive-p))))

(test locks.collecting-with-the-gil
  "Who holds the GIL collects garbage, and so do others, while threads wait for the GIL with arrays lent."
  (with-numpy
    (let ((count (scaled 50)))
      (is-in-threads (6 i)
        (loop repeat count
              always (if (< i 2)
                         (with-python-gil (trivial-garbage:gc :full t) (eql 3 (pycall "len" "abc")))
                         (let ((array (make-array 1000 :element-type 'double-float :initial-element 1d0)))
                           (trivial-garbage:gc)
                           (= 1000d0 (pycall "numpy.sum" array))))))))
  (is-true (alive-p)))

(test locks.long-calls-and-the-collector
  "A thread that waits in Python, with an array lent, holds no collection up."
  (with-numpy
    (pyexec "import threading; locks_go = threading.Event(); locks_in = threading.Event()
def locks_wait(a):
    locks_in.set()
    return locks_go.wait(60) and float(a.sum())")
    (let* ((array (make-array 1000 :element-type 'double-float :initial-element 1d0))
           (thread (bt:make-thread (lambda () (pycall "locks_wait" array)))))
      (pyexec "locks_in.wait()")
      (dotimes (i 5)
        (loop repeat 100 do (make-array 10000))
        (trivial-garbage:gc :full t))
      (pyexec "locks_go.set()")
      (is (eql 1000d0 (bt:join-thread thread)))))
  (is-true (alive-p)))

(test locks.imports
  "Sixteen threads import the same modules for the first time."
  (with-temporary-folder (folder)
    (dotimes (i 10)
      (write-file (merge-pathnames (format nil "locks_module_~D.py" i) folder)
                  "import time" "time.sleep(0.01)" (format nil "value = ~D" i)))
    (pycall "lambda folder: __import__('sys').path.insert(0, folder)" (uiop:native-namestring folder))
    (is-in-threads (16 i)
      (loop for j below 10
            always (eql j (pyeval (format nil "__import__('locks_module_~D').value" j)))))
    (pyexec "__import__('sys').path.pop(0)"))
  (is-true (alive-p)))
