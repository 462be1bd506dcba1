;;;; Lisp functions called by threads that Python made, and threads and interrupts in callbacks.

(in-package #:pyrite/test)

(def-suite callbacks-threads :in pyrite :description "Callbacks and threads.")
(in-suite callbacks-threads)

(defun define-threads ()
  "Python functions that call FUNCTIONS in threads of their own."
  (pyexec "import threading, concurrent.futures
def outcome(f, *args):
    try: return f(*args)
    except BaseException as e: return (type(e).__name__, str(e))
def in_thread(f, *args):
    results = []
    thread = threading.Thread(target=lambda: results.append(outcome(f, *args)))
    thread.start(); thread.join()
    return results[0]
def in_threads(n, count, f):
    results = [0] * n
    def work(i):
        for j in range(count):
            if f(i, j) == i + j: results[i] += 1
    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for t in threads: t.start()
    for t in threads: t.join()
    return results
def in_pool(n, f, items):
    with concurrent.futures.ThreadPoolExecutor(n) as pool: return list(pool.map(f, items))"))

(defun worker-count ()
  (count "Pyrite worker" (bt:all-threads) :key #'bt:thread-name :test #'equal))

;;; Threads of Python's

(test callbacks-threads.values
  (define-threads)
  (is-for-each (value (callback-values))
    (same value (pycall "in_thread" (lambda (x) x) value)))
  (is (equal '(1 "b" 2) (pycall "lambda f: in_thread(lambda: f(1, b=2))" (lambda (&rest rest) rest))))
  (is (eql 7 (let ((x 7)) (pycall "in_thread" (lambda () x))))))

(test callbacks-threads.other-ways-out
  "Whatever ends a callback is an exception in the thread that called it; the next one is answered."
  (define-threads)
  (is (equal '("HostError" "SIMPLE-ERROR: no") (pycall "in_thread" (lambda () (error "no")))))
  (is (equal "HostError" (first (pycall "in_thread" (lambda () (throw 'nowhere 1))))))
  (is (equal "HostUnwind" (first (catch 'here
                                   (pycall "in_thread" (lambda () (block nil (abort))))))))
  (is (equal "HostError" (first (pycall "in_thread" (lambda () (recurse-for-ever 0))))))
  (is (equal '("KeyError" "1") (pycall "in_thread" (lambda () (pyexec "raise KeyError(1)")))))
  (is (equal "SystemExit" (first (pycall "in_thread" (lambda () (pyexec "import sys; sys.exit(1)"))))))
  (is (member (first (pycall "in_thread" #'down-for-ever 0)) '("RecursionError") :test #'equal))
  (is (eql 50 (pycall "in_thread" #'down-and-up 50)))
  (is (eql 5 (pycall "in_thread" (lambda () 5)))))

(test callbacks-threads.many
  "Eight threads, and garbage collections meanwhile."
  (define-threads)
  (let* ((count (scaled 500)) (over nil)
         (storm (bt:make-thread (lambda ()
                                  (loop until over
                                        do (make-array 10000)
                                           (trivial-garbage:gc)
                                           (sleep 0.005))))))
    (is (equalp (make-array 8 :initial-element count) (pycall "in_threads" 8 count #'+)))
    (is (equalp (make-array 8 :initial-element count)
                (pycall "in_threads" 8 count (lambda (i j) (pycall "lambda a, b: a + b" i j)))))
    (setf over t)
    (bt:join-thread storm)))

(test callbacks-threads.pool
  (define-threads)
  (is (equalp #(1 4 9 16) (pycall "in_pool" 3 (lambda (x) (* x x)) #(1 2 3 4))))
  (refuses error (pycall "in_pool" 3 (lambda (x) (if (= x 3) (error "three") x)) #(1 2 3 4)))
  (let ((condition (make-condition 'callback-error :id 1)))
    (is (eq condition (signalled (pycall "in_pool" 2 (lambda (x) (declare (ignore x)) (error condition)) #(1 2)))))))

(defun tree-of-threads (depth)
  "The leaves of a tree of threads, each of which starts two that call back."
  (if (zerop depth)
      1
      (pycall "lambda f, d: sum(in_pool(2, f, [d, d]))" #'tree-of-threads (1- depth))))

(test callbacks-threads.nested
  "A callback in a thread starts threads that call back: there is always a worker for them."
  (define-threads)
  (is (eql 16 (tree-of-threads 4)))
  (is (eql 5 (pycall "in_thread" (lambda () (pycall "in_thread" (lambda () (pycall "in_thread" (lambda () 5)))))))))

(test callbacks-threads.waiting-for-each-other
  "Callbacks that wait until all of them run."
  (define-threads)
  (let ((lock (bt:make-lock)) (running 0))
    (is (equalp #(6 6 6 6 6 6)
                (pycall "in_pool" 6 (lambda (x)
                                      (declare (ignore x))
                                      (bt:with-lock-held (lock) (incf running))
                                      (loop until (= 6 (bt:with-lock-held (lock) running)) do (sleep 0.001))
                                      6)
                        #(1 2 3 4 5 6))))))

(test callbacks-threads.few-workers
  "One worker is idle while others answer, and they go when there is nothing to do."
  (define-threads)
  (flet ((few () (loop repeat 100 thereis (<= 1 (worker-count) 2) do (sleep 0.1))))
    (pycall "in_thread" (lambda () 1))
    (is-true (few))
    (pycall "in_threads" 8 50 #'+)
    (is (<= (worker-count) 10))
    (is-true (few)))
  (is (eql 3 (let ((most 0))
               (pycall "in_thread" (lambda () (pycall "in_thread" (lambda () (setf most (worker-count)))) 1))
               (min 3 most))))
  (is (eql 5 (pycall "in_thread" (lambda () 5)))))

(test callbacks-threads.worker-that-ends
  "A worker may be ended from within: others answer."
  (define-threads)
  (dotimes (i 5)
    (is (equal "HostUnwind" (first (pycall "in_thread" (lambda () (abort)))))))
  (is (equalp (make-array 8 :initial-element '(10))
              (pycall "lambda f: in_pool(8, lambda i: (sum(outcome(f)[0] == 'HostUnwind' for j in range(10)),), range(8))"
                      (lambda () (abort)))))
  (is (eql 5 (pycall "in_thread" (lambda () 5)))))

;;; Locks

(test callbacks-threads.locks
  "A lock that a callback wants, and a thread that has it and calls Python: no deadlock."
  (let ((lock (bt:make-lock)) (other (bt:make-lock)))
    (is-in-threads (4 i)
      (loop repeat (scaled 200)
            always (if (evenp i)
                       (bt:with-lock-held (lock) (eql 3 (pycall "len" "abc")))
                       (eql i (call-back (lambda (x)
                                           (bt:with-lock-held (lock)
                                             (bt:with-lock-held (other) x)))
                                         i)))))))

(test callbacks-threads.in-lisp-threads
  (is-in-threads (8 i)
    (loop for j below (scaled 500)
          always (and (eql (+ i j) (call-back #'+ i j))
                      (equal (format nil "~D-~D" i j)
                             (princ-to-string (signalled (call-back (lambda () (error "~D-~D" i j))))))))))

(test callbacks-threads.with-python-gil
  "The GIL that a thread holds is free while its callbacks run."
  (is (equal '(t t) (with-python-gil
                      (call-back (lambda ()
                                   (in-threads 2 (lambda (i) (declare (ignore i)) (python-works-p))))))))
  (is-true (with-python-gil (python-works-p))))

;;; Interrupts

(test callbacks-threads.interrupted
  "An interrupt comes while a callback runs, and what it does reaches the call outside."
  (define-exits)
  (if (eq (uiop:implementation-type) :sbcl)
      (let* ((inside nil)
             (thread (bt:make-thread
                      (lambda ()
                        (handler-case (call-through 2 (lambda () (setf inside t) (loop (sleep 0.01))))
                          (error (condition) (princ-to-string condition)))))))
        (loop until inside do (sleep 0.01))
        (bt:interrupt-thread thread (lambda () (error "interrupted")))
        (is (equal "interrupted" (bt:join-thread thread)))
        (is (equal '(2 2) (pyeval "(finals, exits)")))
        (is-true (python-sound-p)))
      (skip "Interrupts are tested in SBCL only.")))

(test callbacks-threads.destroyed
  "A thread that is ended while a callback runs ends, after Python's finally."
  (define-exits)
  (if (eq (uiop:implementation-type) :sbcl)
      (let* ((inside nil) (after nil)
             (thread (bt:make-thread
                      (lambda ()
                        (call-through 2 (lambda () (setf inside t) (loop (sleep 0.01))))
                        (setf after t)))))
        (loop until inside do (sleep 0.01))
        (bt:destroy-thread thread)
        (ignore-errors (bt:join-thread thread))
        (is-false after)
        (is-false (bt:thread-alive-p thread))
        (is (equal '(2 2) (pyeval "(finals, exits)")))
        (is-true (python-sound-p)))
      (skip "Ending threads is tested in SBCL only.")))

(test callbacks-threads.timeout
  (define-exits)
  (if (eq (uiop:implementation-type) :sbcl)
      (let ((inside nil))
        (is-true (loop for seconds = 1/10 then (* 2 seconds)
                       do (pyexec "finals = exits = 0")
                       always (eq :timeout (handler-case
                                               (bt:with-timeout (seconds)
                                                 (call-through 2 (lambda () (setf inside t) (loop (sleep 0.01)))))
                                             (bt:timeout () :timeout)))
                       ;; It may come before.
                       until inside))
        (is (equal '(2 2) (pyeval "(finals, exits)")))
        (is-true (python-sound-p)))
      (skip "Timeouts are tested in SBCL only.")))

;;; The end

(defun run-and-exit (&rest forms)
  "The exit code of a fresh Lisp that loads Pyrite and evaluates FORMS; NIL when it takes too long."
  (with-temporary-folder (folder)
    (let* ((script (write-forms (merge-pathnames "exit.lisp" folder)
                                `((defpackage #:pyrite/test (:use #:cl))
                                  (require :asdf)
                                  (asdf:initialize-source-registry ',(loaded-registry))
                                  (asdf:load-system "pyrite")
                                  ,@forms)))
           (code (nth-value 1 (run-for-a-minute (lisp-command script)))))
      (unless (member code '(124 137)) code))))

(test callbacks-threads.answers-that-are-garbage-at-once
  "A wrapper that a function returns, and nobody has, may be collected before Python takes the answer."
  (define-python "class Numbered:" "    def __init__(self, n): self.n = n"
    "def numbers_of(f, n): return [f(i).n for i in range(n)]")
  (let* ((wanted nil) (held nil) (over nil)
         (collector (bt:make-thread
                     (lambda ()
                       (loop until over
                             do (if wanted
                                    (with-python-gil
                                      (setf wanted nil held t)
                                      (sleep 0.02)
                                      (trivial-garbage:gc :full t)
                                      (pyrite/port:run-finalizers))
                                    (bt:thread-yield)))))))
    (flet ((answer (i)
             (let ((numbered (pycall "Numbered" i)))
               (setf held nil wanted t)
               (loop until held do (bt:thread-yield))
               numbered)))
      (unwind-protect
           (is (equalp (coerce (alexandria:iota 20) 'vector) (pycall "numbers_of" #'answer 20)))
        (setf over t)
        (bt:join-thread collector)))))

(defparameter *daemon*
  '(pyrite:pyexec "import threading
def forever(f, n):
    while True: n += f(1)
def start(f):
    for i in range(3): threading.Thread(target=forever, args=(f, i), daemon=True).start()")
  "What starts threads that call back for ever.")

(defun exits-with (code)
  "A form that ends the process with CODE as a user does."
  (ecase (uiop:implementation-type)
    (:sbcl `(uiop:symbol-call :sb-ext '#:exit :code ,code))
    (:ecl `(uiop:symbol-call :ext '#:quit ,code))))

(test callbacks-threads.exit-while-daemons-call
  "The process ends while threads of Python's call back, and while one waits in a callback."
  (is (eql 7 (run-and-exit *daemon*
                           '(pyrite:pycall "start" (lambda (x) (length (list x))))
                           '(sleep 0.3)
                           (exits-with 7))))
  (is (eql 7 (run-and-exit *daemon*
                           '(pyrite:pycall "start" (lambda (x) (sleep 1000) x))
                           '(sleep 0.3)
                           (exits-with 7)))))

(test callbacks-threads.exit-in-callback
  "A callback that ends the process."
  (is (eql 7 (run-and-exit `(pyrite:pycall "lambda f: f()" (lambda () ,(exits-with 7))))))
  (is (eql 0 (run-and-exit `(pyrite:pycall "lambda f: f()" (lambda () ,(exits-with 0))))))
  (if (eq (uiop:implementation-type) :sbcl)
      (is (eql 7 (run-and-exit *daemon* `(pyrite:pycall "start" (lambda (x) x ,(exits-with 7)))
                               '(sleep 50))))
      (skip "An exit of another thread than the first is one of the thread elsewhere.")))
