;;;; The end of a process in which much is going on in Python: all output is there, the exit code is the one
;;;; that was asked for, nothing is left behind.

(in-package #:pyrite/test)

(def-suite faults/ends)
(in-suite faults/ends)

(defparameter *ending-program*
  "import atexit, multiprocessing, os, sys, threading, time
print('mark:unflushed', end='')
atexit.register(lambda: print('\\nmark:atexit'))
ready = threading.Event()
def late():
    ready.wait()
    time.sleep(1)
    print('\\nmark:thread')
threading.Thread(target=late).start()
def loop(f):
    while True: f(1)
def start(f):
    threading.Thread(target=loop, args=(f,), daemon=True).start()
    global pool
    pool = multiprocessing.get_context('spawn').Pool(2)
    print('\\nmark:pool', *pool.map(abs, (-1, -2)))
    ready.set()
lock = multiprocessing.Lock()
with open(os.environ['PYRITE_PIDS'], 'w') as pids:
    print(os.getpid(), file=pids)
"
  "What Python code leaves to be ended: text that waits, an exit function, threads, processes.")

(defparameter *ending-marks* '("unflushed" "pool 1 2" "thread" "atexit")
  "What it is to have written.")

(defun program-marks (output)
  "The words after \"mark:\" in OUTPUT, to the end of their lines."
  (loop for start = (search "mark:" output) then (search "mark:" output :start2 (1+ start))
        while start
        collect (string-right-trim '(#\Return #\Space)
                                   (subseq output (+ start 5) (position #\Newline output :start start)))))

(defun session-processes (marker)
  "The processes whose environment has MARKER."
  (let ((files (uiop:run-program (list "sh" "-c" "grep -alF -- \"$1\" /proc/[0-9]*/environ 2>/dev/null" "sh" marker)
                                 :output :lines :ignore-error-status t)))
    (remove-if-not (lambda (file) (search marker (uiop:run-program (list "cat" file)
                                                                   :output :string :external-format :latin-1
                                                                   :error-output nil :ignore-error-status t)))
                   files)))

(defun left-processes (marker)
  "Those that are left after ten seconds."
  (loop repeat 100
        for left = (session-processes marker)
        while left do (sleep 0.1)
        finally (return left)))

(defun end-of (forms &key (input ""))
  "The marks, exit code, files left in the temporary folder, and processes left of a Lisp that evaluates FORMS
after *ENDING-PROGRAM*."
  (with-temporary-folder (temporary)
    (let* ((place (uiop:native-namestring temporary))
           (marker (format nil "PYRITE_PIDS=~Apids" place)))
      (multiple-value-bind (output code)
          (run-in-lisp `((setf pyrite:*exit-patience* 1000)
                         (pyrite:raw-pyexec ,*ending-program*)
                         (pyrite:pycall "start" (function identity))
                         ,@forms)
                       :input input :environment (list (format nil "TMPDIR=~A" place) marker))
        (list (or (program-marks output) output)
              code
              (remove "pids" (mapcar (lambda (path) (file-namestring path))
                                     (append (uiop:directory-files temporary) (uiop:subdirectories temporary)))
                      :test #'equal)
              (left-processes marker))))))

(defun orderly-p (end code)
  "True when END, what END-OF gave, is that of a process that exits with CODE; or END."
  (destructuring-bind (marks given files processes) end
    (or (and (equal *ending-marks* marks) (eql code given) (null files) (null processes))
        end)))

(defmacro on-sbcl (&body body)
  `(if (eq (uiop:implementation-type) :sbcl)
       (progn ,@body)
       (skip "These are ways of SBCL.")))

(defmacro on-ecl (&body body)
  `(if (eq (uiop:implementation-type) :ecl)
       (progn ,@body)
       (skip "These are ways of ECL.")))

(test ends.quit
  (is (eq t (orderly-p (end-of '((uiop:quit 3))) 3))))

(test ends.ecl
  (on-ecl (is (eq t (orderly-p (end-of '((uiop:symbol-call :ext '#:quit 4))) 4)))))

(test ends.sbcl-exit
  (on-sbcl (is (eq t (orderly-p (end-of '((uiop:symbol-call :sb-ext '#:exit :code 5))) 5)))))

(test ends.sbcl-end-of-input
  (on-sbcl (is (eq t (orderly-p (end-of '()) 0)))))

(test ends.sbcl-exit-of-a-thread
  (on-sbcl
   (is (eq t (orderly-p (end-of '((bt:join-thread
                                   (bt:make-thread (lambda () (uiop:symbol-call :sb-ext '#:exit :code 6))))))
                        6)))))

(test ends.exit-in-a-callback
  "The way out leads through Python code, whose blocks are left in order."
  (let ((end (end-of '((pyrite:pyexec "def call(f):
    try: f()
    finally: print('\\nmark:finally')")
                       (pyrite:pycall "call" (lambda () (uiop:quit 7)))))))
    (is (eql 7 (second end)))
    (is (equal '("atexit" "finally" "pool 1 2" "thread" "unflushed") (sort (copy-list (first end)) #'string<)))
    (is (equal '(nil nil) (nthcdr 2 end)))))

(test ends.sbcl-abort
  "An exit that is to leave everything as it is does so, at once."
  (on-sbcl
   (multiple-value-bind (output code)
       (run-in-lisp '((pyrite:raw-pyexec "import atexit, threading, time
print('mark:flushed', flush=True)
atexit.register(lambda: print('mark:atexit', flush=True))
threading.Thread(target=lambda: time.sleep(1000)).start()")
                      (uiop:symbol-call :sb-ext '#:exit :code 8 :abort t)))
     (is (equal '("flushed") (program-marks output)))
     (is (eql 8 code)))))

(test ends.blocking-read
  "A worker that waits in Lisp for what does not come does not hold the end up."
  (multiple-value-bind (output code)
      (run-in-lisp '((pyrite:raw-pyexec "import atexit, os, threading
atexit.register(lambda: print('mark:atexit'))
begun = threading.Event()
def start(f):
    threading.Thread(target=f, daemon=True).start()
    begun.wait()")
                     (pyrite:pycall "start" (lambda ()
                                              (let ((ends (pyrite:pyeval "os.pipe()")))
                                                (pyrite:pyexec "begun.set()")
                                                ;; In Lisp, as READ-LINE of a terminal waits.
                                                (cffi:with-foreign-object (byte :uint8)
                                                  (cffi:foreign-funcall "read" :int (elt ends 0)
                                                                               :pointer byte :size 1 :ssize)))))
                     (uiop:quit 9)))
    (is (equal '("atexit" 9) (append (program-marks output) (list code))) "~A" output)))

(test ends.input-that-is-waited-for
  "A thread of Python's that reads what does not come does not either."
  (multiple-value-bind (output code)
      (run-in-lisp '((pyrite:raw-pyexec "import atexit, os, threading
atexit.register(lambda: print('mark:atexit'))
reader, writer = os.pipe()
threading.Thread(target=os.read, args=(reader, 1), daemon=True).start()")
                     (uiop:quit 10)))
    (is (equal '("atexit") (program-marks output)))
    (is (eql 10 code))))

(test ends.unhandled-error
  "A Lisp that ends of an error has the exit code of one, and Python's output."
  (on-sbcl
   (multiple-value-bind (output code)
       (run-in-lisp '((pyrite:raw-pyexec "import atexit; atexit.register(lambda: print('mark:atexit')); print('mark:waits')")
                      (pyrite:pyeval "1 / 0")))
     (is (equal '("waits" "atexit") (program-marks output)))
     (is-true (search "ZeroDivisionError" output))
     (is (eql 1 code)))))

(test ends.broken-pipe
  "Where the system ends a process that writes to a broken pipe, as under `sbcl --script', Python code is not
ended so, and Lisp code is as before."
  (flet ((end-of (&rest forms)
           (multiple-value-list
            (run-in-lisp `((cffi:foreign-funcall "signal" :int 13 :pointer (cffi:null-pointer) :pointer)
                           (pyrite:pyexec "import os
reader, writer = os.pipe()
os.close(reader)")
                           ,@forms
                           (uiop:quit 3))))))
    (is (eql 3 (second (end-of '(handler-case (pyrite:pyexec "os.write(writer, b'text')")
                                 (pyrite:py-broken-pipe-error ()))))))
    (is (eql (+ 128 13)
             (second (end-of '(cffi:foreign-funcall "write" :int (pyrite:pyvalue "writer") :string "text" :size 4
                                                            :ssize)))))))
