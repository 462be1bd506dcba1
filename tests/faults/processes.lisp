;;;; Processes that Python code starts from Lisp: they run Python, give results, and end when they are told to.

(in-package #:pyrite/test)

(def-suite faults/processes)
(in-suite faults/processes)

(define-python
  "import concurrent.futures, ctypes, math, multiprocessing, os, signal, subprocess, sys, time"
  "def executable():"
  "    return os.path.basename(os.readlink('/proc/self/exe'))"
  "def pool(method):"
  "    with multiprocessing.get_context(method).Pool(2) as pool:"
  "        results = pool.map(math.sqrt, range(100))"
  "        program = pool.apply(eval, ('__import__(\"os\").readlink(\"/proc/self/exe\")',))"
  "    pool.join()"
  "    return results, os.path.basename(program), [process.is_alive() for process in pool._pool]"
  "def executor(method):"
  "    context = multiprocessing.get_context(method)"
  "    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:"
  "        return list(executor.map(math.sqrt, range(100), chunksize=10))"
  "def in_child(function):"
  "    '''What function returns in a forked child, or the exception; the child's status.'''"
  "    reader, writer = os.pipe()"
  "    child = os.fork()"
  "    if not child:"
  "        try:"
  "            try: text = repr(function())"
  "            except BaseException as error: text = type(error).__name__"
  "            os.write(writer, text.encode())"
  "        finally: os._exit(0)"
  "    os.close(writer)"
  "    with open(reader) as results: text = results.read()"
  "    return text, os.waitpid(child, 0)[1]"
  "def status(function):"
  "    child = os.fork()"
  "    if not child:"
  "        try: function()"
  "        finally: os._exit(99)"
  "    status = os.waitpid(child, 0)[1]"
  "    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)"
  "def handled(number):"
  "    '''Whether the system calls a function at signal number in this process.'''"
  "    lines = dict(line.split(':') for line in open('/proc/self/status'))"
  "    return bool(int(lines['SigCgt'], 16) >> (number - 1) & 1)")

(defun roots ()
  (loop for i below 100 collect (sqrt (float i 1d0))))

(defun start-methods ()
  (coerce (pyeval "multiprocessing.get_all_start_methods()") 'list))

(defun python-program-p (name)
  (uiop:string-prefix-p "python" name))

(defun lisp-program ()
  "The name of the program that runs this Lisp."
  (pycall "executable"))

;;; Results, and who computes them

(test processes.pool
  (is (subsetp '("fork" "spawn" "forkserver") (start-methods) :test #'equal))
  (is-for-each (method (start-methods))
    (destructuring-bind (results program alive) (coerce (pycall "pool" method) 'list)
      (and (equalp (roots) (coerce results 'list))
           (equalp #(nil nil) alive)
           (if (equal method "fork")
               (equal program (lisp-program))
               (python-program-p program)))))
  (is-true (alive-p)))

(test processes.executor
  (is-for-each (method (start-methods))
    (equalp (roots) (coerce (pycall "executor" method) 'list)))
  (is-true (alive-p)))

(test processes.executor-of-a-thread
  "The pool is used where a SLIME REPL would."
  (is (equal (list (roots) (roots))
             (in-threads 2 (lambda (i) (declare (ignore i)) (coerce (pycall "executor" "spawn") 'list))))))

(test processes.subprocess
  (is-false (python-program-p (lisp-program)))
  (is (equal "8.0" (pyeval "subprocess.run([sys.executable, '-c', 'print(64 ** 0.5)'], capture_output=True, text=True).stdout.strip()")))
  (is (eql 7 (pyeval "subprocess.run([sys.executable, '-c', 'raise SystemExit(7)']).returncode")))
  (is (equal "venv" (pyeval "subprocess.run([sys.executable, '-c', 'import sys; print(\"venv\" if sys.prefix == ' + repr(sys.prefix) + ' else sys.prefix)'], capture_output=True, text=True).stdout.strip()")))
  (is-true (pyeval "__import__('asyncio').run(__import__('asyncio').create_subprocess_exec(sys.executable, '-c', '')) is not None"))
  (is-true (alive-p)))

(test processes.joblib
  (if (signalled (import-module "joblib"))
      (skip "This Python has no joblib.")
      (is (equalp (coerce (roots) 'vector)
                  (pyeval "joblib.Parallel(n_jobs=2)(joblib.delayed(math.sqrt)(i) for i in range(100))")))))

(test processes.scikit-learn
  (if (signalled (import-module "sklearn.model_selection") (import-module "sklearn.tree"))
      (skip "This Python has no scikit-learn.")
      (is (equalp #(1d0 1d0)
                  (pyeval "sklearn.model_selection.cross_val_score(
    sklearn.tree.DecisionTreeClassifier(), [[i % 2] for i in range(100)], [i % 2 for i in range(100)],
    cv=2, n_jobs=2).tolist()")))))

;;; Lisp is not in a child

(test processes.callback-in-a-child
  (let ((calls 0))
    (flet ((count-call () (incf calls)))
      (is (eql 1 (pycall "lambda f: f()" #'count-call)))
      (is (equal '("RuntimeError" 0) (coerce (pycall "in_child" #'count-call) 'list)))
      (is (eql 2 (pycall "lambda f: f()" #'count-call))))
    (is (= 2 calls))
    (is-true (alive-p))))

(test processes.child-of-a-callback
  "A child that is forked while Lisp code runs that Python called, whose Lisp is not in it either."
  (is (equal '("RuntimeError" 0)
             (coerce (pycall "lambda f: f()" (lambda () (pycall "in_child" (lambda () 1)))) 'list)))
  (is-true (alive-p)))

(test processes.child-of-a-thread
  "Other threads call Lisp all the while."
  (define-python "import threading"
    "def call_until(f, done):"
    "    while not done.is_set(): f()"
    "def fork_while(f, count):"
    "    done = threading.Event()"
    "    threads = [threading.Thread(target=call_until, args=(f, done)) for _ in range(2)]"
    "    for thread in threads: thread.start()"
    "    try: return [in_child(f) for _ in range(count)]"
    "    finally:"
    "        done.set()"
    "        for thread in threads: thread.join()")
  (is (every (lambda (pair) (equal '("RuntimeError" 0) (coerce pair 'list)))
             (pycall "fork_while" (lambda () 1) (scaled 40))))
  (is-true (alive-p)))

(test processes.lent-things-of-the-parent
  "What a child does with an array that was lent does not reach the parent, nor does the array's end."
  (with-numpy
    (let ((array (make-array 100 :element-type 'double-float :initial-element 1d0)))
      (setf (pyvalue "lent_array") array)
      (define-python "def change():" "    global lent_array" "    lent_array += 1"
        "    total = float(lent_array.sum())" "    del lent_array" "    return total")
      (is (equal '("200.0" 0) (coerce (pycall "in_child" (pyvalue "change")) 'list)))
      (is (every (lambda (x) (= x 1)) array))
      (is (eq array (pyvalue "lent_array"))))))

;;; Signals in a child

(test processes.terminate
  "Children that are busy for good end when they are told to."
  (is (equalp #(nil nil)
              (pyeval "(lambda pool: (pool.map_async(time.sleep, [1000, 1000]), time.sleep(0.3), pool.terminate(),
                  pool.join(), [process.is_alive() for process in pool._pool])[-1])(
                      multiprocessing.get_context('fork').Pool(2))")))
  (define-python
    "def loop():"
    "    while True: pass"
    "def ended(end):"
    "    process = multiprocessing.get_context('fork').Process(target=loop)"
    "    process.start()"
    "    getattr(process, end)()"
    "    process.join()"
    "    return process.exitcode")
  (dotimes (i 20)
    (is (eql -15 (pycall "ended" "terminate"))))
  (is (eql -9 (pycall "ended" "kill")))
  (is-true (alive-p)))

(test processes.terminate-others
  "What a process inherits lets it be ended, also when Lisp got a signal that has to wait."
  (define-python
    "def end_another():"
    "    subprocess.run(['true'])"
    "    os.kill(os.getpid(), signal.SIGCHLD); time.sleep(0.01)"
    "    process = subprocess.Popen(['sleep', '1000'])"
    "    process.terminate()"
    "    try: return process.wait(10)"
    "    finally: process.kill()"
    "def end_child():"
    "    subprocess.run(['true'])"
    "    os.kill(os.getpid(), signal.SIGCHLD); time.sleep(0.01)"
    "    process = multiprocessing.get_context('fork').Process(target=time.sleep, args=(1000,))"
    "    process.start(); process.terminate(); process.join(10)"
    "    try: return process.exitcode"
    "    finally: process.kill()")
  (dotimes (i 10)
    (is (eql -15 (pycall "end_another")))
    (is (eql -15 (pycall "end_child"))))
  (is (equalp #() (pyeval "(subprocess.run(['true']), time.sleep(0.05),
                            sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))[-1]"))))

(test processes.signals-of-a-child
  "What kills a program kills a child, SIGINT raises KeyboardInterrupt, and what Python code took it has."
  (define-python
    "import ctypes"
    "def interrupted():"
    "    try: os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    "    except KeyboardInterrupt: os._exit(5)"
    "def handles():"
    "    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(6))"
    "    os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)")
  (is (eql 5 (pycall "status" (pyvalue "interrupted"))))
  (is (eql 6 (pycall "status" (pyvalue "handles"))))
  (is (eql -15 (pyeval "status(lambda: os.kill(os.getpid(), signal.SIGTERM))")))
  (is (eql -11 (pyeval "status(lambda: ctypes.string_at(0))")))
  (is (equal '("[False, False, False]" 0)
             (coerce (pyeval "in_child(lambda: [handled(n) for n in (signal.SIGTERM, signal.SIGSEGV, signal.SIGCHLD)])")
                     'list)))
  (is-true (alive-p)))

(test processes.broken-pool
  (raises "concurrent.futures.process.BrokenProcessPool"
    (pyeval "(lambda executor: executor.submit(ctypes.string_at, 0).result())(concurrent.futures.ProcessPoolExecutor(1))"))
  (is-true (alive-p)))

(test processes.signals-of-the-parent
  "They are Lisp's after a fork as before."
  (flet ((handled () (coerce (pyeval "[handled(n) for n in range(1, 32)]") 'list)))
    (let ((before (handled)))
      (is (eql 0 (pyeval "status(lambda: os._exit(0))")))
      (is (equal before (handled)))
      (is (equalp #() (pyeval "sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))"))))))

;;; Broken pipes

(test processes.broken-pipe
  "A pipe whose reader has gone is an exception, whoever writes and whatever Lisp does with SIGPIPE."
  (define-python "import os, threading"
    "def write():"
    "    reader, writer = os.pipe()"
    "    os.close(reader)"
    "    try: os.write(writer, b'text')"
    "    except BrokenPipeError: return 'broken'"
    "    finally: os.close(writer)"
    "def in_thread(function):"
    "    results = []"
    "    thread = threading.Thread(target=lambda: results.append(function()))"
    "    thread.start(); thread.join()"
    "    return results[0]")
  (is (equal "broken" (pycall "write")))
  (is (equal "broken" (pyeval "in_thread(write)")))
  (is (equal '("broken") (in-threads 1 (lambda (i) (declare (ignore i)) (pycall "write")))))
  (is (equal "broken" (pycall "lambda f: f()" (lambda () (pycall "write")))))
  (is (equal '("'broken'" 0) (coerce (pyeval "in_child(write)") 'list)))
  (is-true (alive-p)))

;;; What does not work tells so

(test processes.functions-of-main
  "A function that only this process has cannot be found by one that was not forked."
  (define-python "def only_here(): return 1")
  (raises "concurrent.futures.process.BrokenProcessPool"
    (pyeval "(lambda executor: executor.submit(only_here).result())(concurrent.futures.ProcessPoolExecutor(
                 1, mp_context=multiprocessing.get_context('spawn')))"))
  (is-true (alive-p)))
