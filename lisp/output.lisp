;;;; Python's sys.stdin, sys.stdout and sys.stderr on Lisp's streams: see streams.py and src/output.rs.

(in-package #:pyrite)

(declaim (ftype (function (t) t) capture-stream)
         (ftype (function (t t) t) write-captured-text))

(defparameter *streams-source*
  (macrolet ((text ()
               (uiop:read-file-string
                (merge-pathnames "streams.py" (or *compile-file-truename* *load-truename*))
                :external-format :utf-8)))
    (text))
  "The text of streams.py.")

;;; One stream may be that of several threads

(pyrite/port:define-global **stream-locks** (trivial-garbage:make-weak-hash-table :test 'eq :weakness :key)
  "A lock for each stream that Python uses.")
(pyrite/port:define-global **stream-locks-lock** (pyrite/port:make-lock "Pyrite streams"))

(defun stream-lock (stream)
  "The lock that a thread of Python's has while it uses STREAM."
  (pyrite/port:with-lock (**stream-locks-lock**)
    (or (gethash stream **stream-locks**)
        (setf (gethash stream **stream-locks**) (bt:make-recursive-lock "Pyrite stream")))))

(defmacro with-stream-locked ((stream) &body body)
  `(bt:with-recursive-lock-held ((stream-lock ,stream)) ,@body))

;;; What Python asks for

(defvar *busy-streams* '()
  "The streams that this thread is in the middle of writing to.")

(defun stream-of (number)
  "The calling thread's stream for the one of Python's with NUMBER."
  (ecase number
    (0 *standard-input*)
    (1 (or (capture-stream 1) *standard-output*))
    (2 (or (capture-stream 2) *error-output*))))

(defun write-text (text stream)
  "Write TEXT to STREAM; NIL, if this thread is doing that already: it would never come to an end."
  (unless (member stream *busy-streams*)
    (with-stream-locked (stream)
      (let ((*busy-streams* (cons stream *busy-streams*)))
        (pyrite/port:with-unencodable-replaced
          (write-string text stream))))
    t))

(defun finish-stream (stream)
  "As WRITE-TEXT, when Python flushes."
  (unless (member stream *busy-streams*)
    (with-stream-locked (stream)
      (let ((*busy-streams* (cons stream *busy-streams*)))
        (finish-output stream)))
    t))

(defun read-text-line (stream limit)
  "The next line of STREAM with its end, but at most LIMIT characters, if that is not negative."
  (if (minusp limit)
      (multiple-value-bind (line missing-newline-p) (read-line stream nil "")
        (if missing-newline-p line (format nil "~A~%" line)))
      (with-output-to-string (text)
        (loop repeat limit
              for character = (read-char stream nil)
              while character
              do (write-char character text)
              until (char= character #\Newline)))))

(defconstant +read-size+ 4096 "How many characters are read at once: more may be asked for than there are.")

(defun read-text (stream limit)
  "At most LIMIT characters of STREAM, or the rest of it if that is negative."
  (if (minusp limit)
      (with-output-to-string (text)
        (loop for line = (read-text-line stream -1)
              until (string= line "")
              do (write-string line text)))
      (let ((part (make-string (min limit +read-size+))))
        (with-output-to-string (text)
          (loop for wanted = (min limit +read-size+)
                for count = (read-sequence part stream :end wanted)
                do (write-string part text :end count)
                   (decf limit count)
                until (or (< count wanted) (zerop limit)))))))

(defun answer-stream (operation number &optional argument line)
  "Do what Python asks for, OPERATION on its stream of NUMBER."
  (let ((stream (stream-of number)))
    (ecase operation
      (0 (write-text argument stream))
      (1 (finish-stream stream))
      (2 (and (interactive-stream-p stream) t))
      (3 (finish-output *standard-output*)
       (if line (read-text-line stream argument) (read-text stream argument)))
      (4 (write-captured-text number argument))
      (5 (pyrite/port:move-standard-stream number argument)))))

;;; When Python starts and ends

(defvar *additional-init-codes* '()
  "A list of strings of Python code that PYSTART executes, before any thread's call enters Python.")

(defun python-literal (text)
  "TEXT as a literal of Python's source, on one line."
  (with-output-to-string (literal)
    (write-char #\" literal)
    (loop for character across text
          do (case (char-code character)
               (10 (write-string "\\n" literal))
               (13 (write-string "\\r" literal))
               (0 (write-string "\\x00" literal))
               (34 (write-string "\\\"" literal))
               (92 (write-string "\\\\" literal))
               (t (write-char character literal))))
    (write-char #\" literal)))

(defparameter *load-streams*
  "lambda text, name='_pyrite_streams', sys=__import__('sys'): name in sys.modules or (
     exec(compile(text, 'pyrite/streams.py', 'exec'),
          sys.modules.setdefault(name, type(sys)(name)).__dict__))"
  "The source of a Python function that executes the text of streams.py, unless that was done.")

(defun start-code ()
  "What Python is to execute when it starts: *ADDITIONAL-INIT-CODES*, with its streams prepared."
  (format nil "(~A)(~A)~%__import__('_pyrite_streams').initialize(~A, globals())~%" *load-streams*
          (python-literal *streams-source*)
          (python-literal (format nil "~{~A~%~}" (append (site-packages-code) *additional-init-codes*)))))

(defun call-whole (call)
  "The value of CALL, a function that calls one of streams.py. What ends Python code does not come in the middle of
that; it may at its beginning. CALL is called again then: whose interrupt it was has run, or waits."
  (declare (type function call))
  (with-default-conversions
    (loop
      (handler-case (return (funcall call))
        (py-keyboard-interrupt () nil)))))

(defun connect-streams ()
  "Have Python write to and read from Lisp's streams."
  (call-whole (lambda ()
                (call-python *load-streams* (list *streams-source*))
                (call-by-name (load-time-value (find-name "_pyrite_streams:connect") t) #'answer-stream))))

(defun write-kept-output ()
  "Write what Python wrote before it was connected."
  (with-default-conversions
    (call-by-name (load-time-value (find-name "_pyrite_streams:write_kept") t))))

(defun flush-python-output ()
  "Write what waits in Python to be written, of all threads."
  (with-default-conversions
    (call-by-name (load-time-value (find-name "_pyrite_streams:flush") t))))

(defun disconnect-streams ()
  "Write what waits in Python, which uses the process's own streams from now on: Lisp is about to end."
  (when (python-alive-p)
    (ignore-errors
     (with-default-conversions
       (call-by-name (load-time-value (find-name "_pyrite_streams:disconnect") t)))
     (finish-output *standard-output*)
     (finish-output *error-output*))))

(pyrite/port:add-exit-hook 'disconnect-streams)
