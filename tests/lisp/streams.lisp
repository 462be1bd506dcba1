;;;; Lisp streams that make trouble under Python's, child processes, and the end of a process.

(in-package #:pyrite/test)

(def-suite streams :in pyrite :description "Streams that fail, call Python, or end.")
(in-suite streams)

;;; Gray streams

(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun gray (name)
    "The symbol NAME of this Lisp's Gray streams."
    (or (loop for package in '(#:sb-gray #:gray #:ccl)
              thereis (and (find-package package) (find-symbol name package)))
        (error "There is no ~A." name))))

(defclass calling-stream (#.(gray "FUNDAMENTAL-CHARACTER-OUTPUT-STREAM"))
  ((target :initarg :target :reader target)
   (function :initarg :function :initform (constantly nil) :reader to-call))
  (:documentation "Calls a function before it writes."))

(defmethod #.(gray "STREAM-WRITE-CHAR") ((stream calling-stream) character)
  (funcall (to-call stream) stream)
  (write-char character (target stream)))

(defmethod #.(gray "STREAM-WRITE-STRING") ((stream calling-stream) string &optional (start 0) end)
  (funcall (to-call stream) stream)
  (write-string string (target stream) :start start :end end))

(defmethod #.(gray "STREAM-LINE-COLUMN") ((stream calling-stream))
  nil)

(defun text-through (function thunk)
  "What THUNK writes to a stream that calls FUNCTION before it writes."
  (let* ((target (make-string-output-stream))
         (*standard-output* (make-instance 'calling-stream :target target :function function)))
    (funcall thunk)
    (get-output-stream-string target)))

(test streams.gray
  (is (equal (text-lines "abc") (text-through (constantly nil) (lambda () (pyprint "abc")))))
  (is (equal (text-lines "abc") (text-through (lambda (stream) (declare (ignore stream)) (pycall "len" "x"))
                                         (lambda () (pyprint "abc"))))))

(test streams.gray.prints
  "A stream that has Python print while it is written to comes to an end; other streams may be written to."
  (let ((elsewhere (make-string-output-stream)))
    (is (equal (text-lines "abc")
               (text-through (lambda (stream) (declare (ignore stream))
                               (let ((*standard-output* elsewhere)) (pyprint "elsewhere")))
                             (lambda () (pyprint "abc")))))
    (is (equal (text-lines "elsewhere") (get-output-stream-string elsewhere))))
  ;; What the stream has printed to itself goes to the process's own output.
  (let ((inner nil))
    (is (equal (text-lines "inside" "abc")
               (let ((outer nil))
                 (setf inner (call-with-process-output
                              (lambda ()
                                (setf outer (text-through (lambda (stream) (declare (ignore stream)) (pyprint "recursive"))
                                                          (lambda () (pyprint "abc")))))))
                 (format nil "inside~%~A" outer))))
    (is (equal (text-lines "recursive") inner))))

(defun call-with-process-output (function)
  "Call FUNCTION and return what was written to the file descriptor 1 meanwhile."
  (with-temporary-folder (folder)
    (let ((file (uiop:native-namestring (merge-pathnames "output" folder))))
      (define-python "import os")
      (let ((saved (pycall "lambda name: (os.dup(1), os.dup2(os.open(name, os.O_CREAT | os.O_WRONLY), 1))[0]" file)))
        (unwind-protect (funcall function)
          (pycall "lambda saved: os.dup2(saved, 1) and os.close(saved)" saved)))
      (uiop:read-file-string file))))

;;; Streams that fail

(defun closed-stream ()
  "A stream that was closed."
  (let ((stream (make-instance 'calling-stream :function (lambda (stream) (error 'stream-error :stream stream)))))
    stream))

(test streams.errors
  "A stream's error is an OSError, which Python can catch, and the next print works."
  (define-python "import sys, os, threading, time"
    "def catch(**keywords):" "    try: print('x', **keywords)" "    except OSError as error: return 'caught'")
  (let ((*standard-output* (closed-stream)))
    (is (equal "caught" (pycall "catch")))
    (is (equal "caught" (pycall "catch" :end "" :flush t)))
    (signals py-os-error (pyprint "x"))
    (signals py-os-error (pyprint "x" :end ""))
    (signals py-os-error (pyexec "print('x', end='')"))
    (signals py-os-error (setf (pyvalue "unbound") (pyeval "sys.stdout.write('x')")))
    ;; The error of the call comes first.
    (raises "ZeroDivisionError" (pyexec "print('x', end=''); 1/0"))
    (signals error (with-input-from-string (*standard-input* "x") (close *standard-input*) (pycall "input"))))
  (is (equal (text-lines "fine") (written (pyprint "fine"))))
  (is (equal "" (written (pyexec "pass"))) "Nothing is left of what could not be written."))

(test streams.errors.hold-nothing
  "A result that its output's error takes the place of is given back."
  (define-python "import weakref" "class Result: pass" "results = weakref.WeakSet()"
    "def make():" "    print('x', end='')" "    result = Result()" "    results.add(result)" "    return [result]")
  (let ((*standard-output* (closed-stream)))
    (signals py-os-error (pycall "make"))
    (signals py-os-error (with-remote-objects (pycall "make"))))
  (is (eql 0 (pyeval "len(results)"))))

(test streams.exits
  "A non-local exit from a stream goes on, and Python's frames are unwound."
  (define-python "unwound = []" "def unwinding(**keywords):"
    "    try: print('x', **keywords)" "    finally: unwound.append(1)")
  (flet ((leave (&rest keywords)
           (handler-case
               (restart-case
                   (text-through (lambda (stream) (declare (ignore stream)) (invoke-restart 'leave))
                                 (lambda () (apply #'pycall "unwinding" keywords)))
                 (leave () (values :left)))
             (error (condition) condition))))
    (is (eq :left (leave)))
    (is (eql 1 (pyeval "len(unwound)")))
    (is (eq :left (leave :end "")))
    (is (eql 2 (pyeval "len(unwound)"))))
  (is (equal (text-lines "fine") (written (pyprint "fine")))))

(defclass calling-input-stream (#.(gray "FUNDAMENTAL-CHARACTER-INPUT-STREAM"))
  ((functions :initarg :functions :accessor to-be-called))
  (:documentation "Calls a function of a list each time that it is read from, and then has come to its end."))

(defmethod #.(gray "STREAM-READ-CHAR") ((stream calling-input-stream))
  (let ((function (pop (to-be-called stream))))
    (if function (funcall function) :eof)))

(defmethod #.(gray "STREAM-UNREAD-CHAR") ((stream calling-input-stream) character)
  (push (constantly character) (to-be-called stream))
  nil)

(test streams.exits.input
  "So does one from a stream that is read, also where commands are read, and C-c leads to the next one."
  (define-python "import code, pdb, sys"
                 "def interact(): code.InteractiveConsole({}).interact('', '')"
                 "def debug(): pdb.Pdb(nosigint=True).set_trace()")
  (dolist (function '("sys.stdin.readline" "interact" "debug"))
    (is (eql :left
             (let ((*standard-input* (make-instance 'calling-input-stream
                                                    :functions (list (lambda () (invoke-restart 'leave)))))
                   (*standard-output* (make-broadcast-stream))
                   (*error-output* (make-broadcast-stream)))
               (handler-case (restart-case (pycall function)
                               (leave () ':left))
                 (pyerror (condition) condition)))))
    (is-true (alive-p))))

;;; Children of this process

(test streams.fork
  "In a forked child Python's streams are the process's own."
  (define-python "import sys, os, threading"
    "def fork():"
    "    print('parent', end='')"
    "    child = os.fork()"
    "    if child == 0:"
    "        try:"
    "            print('child'); print(sys.stdout.isatty()); sys.stdout.flush()"
    "            status = 0"
    "        except BaseException: status = 1"
    "        finally: os._exit(status)"
    "    return os.waitpid(child, 0)[1]")
  (let ((status nil) (text nil) (children nil))
    (setf children (call-with-process-output
                    (lambda () (setf text (written (setf status (pycall "fork")))))))
    (is (eql 0 status))
    (is (equal "parent" text))
    (is (equal (text-lines "child" "False") children))))

(test streams.multiprocessing
  (define-python "import multiprocessing, sys"
    "def work(n):" "    print('working', n)" "    return n * n"
    "def pool():"
    "    pool = multiprocessing.get_context('fork').Pool(2)" "    results = pool.map(work, range(4))"
    "    pool.close(); pool.join()" "    return results")
  (let ((result nil))
    (is (= 4 (count #\Newline (with-python-output (setf result (pycall "pool"))))))
    (is (equalp #(0 1 4 9) result))))

;;; The end of the process

(defun run-lisp (forms &optional (input ""))
  "The standard output of this Lisp when it executes FORMS after loading the system; its exit code."
  (with-temporary-folder (folder)
    (let ((script (write-forms (merge-pathnames "script.lisp" folder)
                               `((require :asdf)
                                 (asdf:initialize-source-registry ',(loaded-registry))
                                 (let ((*standard-output* (make-broadcast-stream)))
                                   (handler-bind ((warning #'muffle-warning))
                                     (asdf:load-system "pyrite")))
                                 ,@forms))))
      (multiple-value-bind (output error code)
          (with-input-from-string (stream input)
            (uiop:run-program (lisp-command script)
                              :input stream :output :string :error-output nil :ignore-error-status t))
        (declare (ignore error))
        (values (subseq output (or (search "begin" output) 0)) code)))))

(defparameter *to-print*
  '((format t "begin~%lisp 1~%")
    (pyrite:pycall "print" "python 1")
    (princ "lisp 2, ")
    (pyrite:pyexec "import threading, sys; print('python 2')")
    (pyrite:pyexec "t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()")
    (pyrite:pyexec "sys.stdout.buffer.write(b'bytes '); print('partial', end=' ')")
    (princ "lisp 3 ")
    ;; A daemon that waits with half a line.
    (pyrite:pyexec "def wait():
    print('daemon', end='')
    ready.set()
    threading.Event().wait()
ready = threading.Event()
threading.Thread(target=wait, daemon=True).start()
ready.wait()"))
  "What a process prints in the end.")

(test streams.exit
  "Everything is there, in order, however the process ends."
  (dolist (exit (list '(uiop:quit 3)
                      (ecase (uiop:implementation-type)
                        (:sbcl '(uiop:symbol-call :sb-ext '#:exit :code 3))
                        (:ecl '(uiop:symbol-call :ext '#:quit 3)))))
    (multiple-value-bind (output code) (run-lisp (append *to-print* (list exit)))
      (is (equal (format nil "begin~%lisp 1~%python 1~%lisp 2, python 2~%thread~%bytes partial lisp 3 daemon") output))
      (is (eql 3 code)))))

(test streams.process-input
  "Python and Lisp read from the process's standard input in turns."
  (is (equal (text-lines "begin" "one" "two" "three")
             (run-lisp '((format t "begin~%")
                         (pyrite:pyexec "print(input())")
                         (write-line (read-line))
                         (pyrite:pyexec "print(input())")
                         (uiop:quit 0))
                       (text-lines "one" "two" "three")))))
