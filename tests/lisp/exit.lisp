;;;; The end of a process in which Python ran: nothing is lost, and it comes soon.

(in-package #:pyrite/test)

(def-suite exit :in pyrite :description "How processes end.")
(in-suite exit)

(defun marks (output)
  "What follows \"mark:\" in the lines of OUTPUT that begin so."
  (loop for line in (uiop:split-string output :separator '(#\Newline))
        when (uiop:string-prefix-p "mark:" line)
          collect (string-trim '(#\Return #\Space) (subseq line 5))))

(defun ends-p (marks &rest forms)
  "T when a Lisp that evaluates FORMS prints MARKS, in order, exits with 0, and leaves within a minute."
  (let* ((start (get-universal-time))
         (output (with-temporary-folder (folder)
                   (apply #'in-new-lisp folder
                          (with-standard-io-syntax (mapcar #'prin1-to-string forms)))))
         (seconds (- (get-universal-time) start)))
    (or (and (equal marks (marks output)) (< seconds 60))
        (list output seconds))))

(test exit.atexit
  (is (eq t (ends-p '("registered" "first" "second")
                    '(pyrite:raw-pyexec "import atexit
atexit.register(lambda: print('mark:second'))
atexit.register(lambda: print('mark:first'))
print('mark:registered')")))))

(test exit.after-stop
  (is (eq t (ends-p '("exit")
                    '(pyrite:raw-pyexec "import atexit; atexit.register(lambda: print('mark:exit'))")
                    '(pyrite:pystop)))))

(test exit.threads
  "Threads are waited for, unless they are daemons, and no longer than they run."
  (is (eq t (ends-p '("thread" "exit")
                    '(setf pyrite:*exit-patience* 1000)
                    '(pyrite:raw-pyexec "import atexit, threading, time
atexit.register(lambda: print('mark:exit'))
threading.Thread(target=lambda: (time.sleep(0.5), print('mark:thread'))).start()
threading.Thread(target=lambda: time.sleep(1000), daemon=True).start()")))))

(test exit.main-thread
  "Who waits for the main thread's end does not hold it up."
  (is (eq t (ends-p '("joined")
                    '(setf pyrite:*exit-patience* 1000)
                    '(pyrite:raw-pyexec "import threading
def exit_join():
    threading.main_thread().join()
    print('mark:joined')
threading.Thread(target=exit_join).start()")))))

(test exit.executor
  (is (eq t (ends-p '("work")
                    '(setf pyrite:*exit-patience* 1000)
                    '(pyrite:raw-pyexec "import concurrent.futures, time
executor = concurrent.futures.ThreadPoolExecutor(2)
executor.submit(lambda: (time.sleep(0.3), print('mark:work')))")))))

(test exit.what-takes-too-long
  "A thread that does not end is left, and exit functions run all the same."
  (is (eq t (ends-p '("exit")
                    '(setf pyrite:*exit-patience* 1)
                    '(pyrite:raw-pyexec "import atexit, threading, time
atexit.register(lambda: print('mark:exit'))
threading.Thread(target=lambda: time.sleep(1000)).start()")))))

(test exit.lisp-functions
  "A Lisp function may be what is registered."
  (is (eq t (ends-p '("python" "lisp")
                    '(pyrite:pyexec "import atexit; print('mark:python')")
                    '(pyrite:pycall "atexit.register" (lambda () (format t "~&mark:lisp~%") (finish-output)))))))

(test exit.raising
  (is (eq t (ends-p '("second")
                    '(pyrite:raw-pyexec "import atexit
atexit.register(lambda: print('mark:second'))
atexit.register(lambda: 1/0)")))))

(test exit.busy
  "Threads that call back and compute all the while do not hold the process up."
  (is (eq t (ends-p '("begun")
                    '(pyrite:raw-pyexec "import threading
def exit_loop(f):
    while True: f(1)
def exit_run(f):
    for i in range(3): threading.Thread(target=exit_loop, args=(f,), daemon=True).start()
print('mark:begun')")
                    '(pyrite:pycall "exit_run" (function identity))
                    '(sleep 0.3)))))

(test exit.without-python
  (is (eq t (ends-p '("lisp") '(format t "mark:lisp~%")))))
