;;;; WITH-PYTHON-OUTPUT and WITH-PYTHON-ERROR-OUTPUT.

(in-package #:pyrite)

(defvar *captures* '()
  "An alist from the numbers of Python's streams to the streams in which this thread captures their text.")

(pyrite/port:define-global **captures** '()
  "The entries of *CAPTURES* of all threads, the newest first.")
(pyrite/port:define-global **captures-lock** (pyrite/port:make-lock "Pyrite captures"))

(defun capture-stream (number)
  "The stream in which the calling thread captures what Python writes to the stream of NUMBER; NIL if it does
not. A worker answers for threads of Python's, whose text goes to the newest capture of any thread."
  (or (cdr (assoc number *captures*))
      (and **captures**
           *worker*
           (cdr (assoc number **captures**)))))

(defun write-captured-text (number text)
  "Write TEXT, which went to the file descriptor NUMBER, to the newest capture of that, if there is one."
  (let ((stream (cdr (assoc number **captures**))))
    (when stream (write-text text stream))))

(defun call-bridge (function number)
  "Call the FUNCTION of streams.py with NUMBER."
  ;; Its lock is a thread's: while it asks Lisp, the one thread must not come there for others.
  (with-server-held
    (call-whole (lambda () (call-by-name function number)))))

(defmacro stream-function (name)
  "The NAME of a function of streams.py, a literal string."
  `(load-time-value (find-name ,(concatenate 'string "_pyrite_streams:" name)) t))

(defun begin-capture (number entry)
  "Capture with ENTRY, one of *CAPTURES*, what is written to the stream of NUMBER."
  ;; What was written to the descriptor before is an older capture's.
  (call-bridge (stream-function "drain") number)
  (pyrite/port:with-lock (**captures-lock**)
    (setf **captures** (cons entry **captures**))))

(defun end-capture (entry)
  "Undo BEGIN-CAPTURE."
  (pyrite/port:with-lock (**captures-lock**)
    (setf **captures** (remove entry **captures**))))

(defun capture-descriptor (number)
  "Have what is written to the file descriptor NUMBER go to captures; NIL when there is no such descriptor."
  (handler-case (progn (call-bridge (stream-function "begin_capture") number) t)
    (py-os-error () nil)))

(defun call-capturing-descriptor (number function)
  "Call FUNCTION while what is written to the file descriptor NUMBER goes to captures."
  (declare (type function function))
  (let ((begun nil))
    (pyrite/port:with-cleanup
        (progn
          (pyrite/port:without-interrupts
            (setf begun (capture-descriptor number)))
          (funcall function))
      (when begun
        (call-bridge (stream-function "end_capture") number)))))

(defun call-with-capture (number function)
  "Call FUNCTION, and return what Python wrote meanwhile to its stream of NUMBER."
  (declare (type function function))
  (python-start-if-not-alive)
  (let* ((stream (make-string-output-stream)) (entry (cons number stream)))
    (pyrite/port:with-cleanup
        (progn
          (begin-capture number entry)
          (call-capturing-descriptor number (lambda ()
                                              (let ((*captures* (cons entry *captures*)))
                                                (funcall function)))))
      (end-capture entry))
    (with-stream-locked (stream)
      (get-output-stream-string stream))))

(defmacro with-python-output (&body forms-decl)
  "Evaluate FORMS-DECL and return what Python wrote to sys.stdout meanwhile, a string.

That is what the calling thread's calls wrote, in order, and what threads that Python made wrote: if several
threads capture, to the one that began last. What Lisp writes is not captured. If FORMS-DECL is left by an
error or otherwise, what was written is dropped. Captures nest.

What is written below Python, by C code or by processes that Python starts, to the file descriptor 1 is
captured, too: the descriptor is that of a temporary file meanwhile. That holds for the whole process: while
any thread captures, what any thread writes to the descriptor itself goes to the capture that began last.
Lisp's own standard streams keep their file. A process that goes on after the end has nowhere to write."
  `(call-with-capture 1 (lambda () ,@forms-decl)))

(defmacro with-python-error-output (&body forms-decl)
  "As WITH-PYTHON-OUTPUT, for sys.stderr and the file descriptor 2."
  `(call-with-capture 2 (lambda () ,@forms-decl)))
