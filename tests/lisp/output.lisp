;;;; Python's sys.stdin, sys.stdout and sys.stderr, which are Lisp's streams.

(in-package #:pyrite/test)

(def-suite output :in pyrite :description "Python's output and input.")
(in-suite output)

(defun text-lines (&rest lines)
  "LINES in one string, each with its end."
  (format nil "~{~A~%~}" lines))

(defmacro written (&body body)
  "What BODY writes to *STANDARD-OUTPUT*."
  `(with-output-to-string (*standard-output*) ,@body))

(defun pyprint (&rest arguments)
  (apply #'pycall "print" arguments))

(defun python-lines (&rest lines)
  "Execute LINES of Python after what many tests import."
  (apply #'define-python "import io, os, sys, threading, contextlib, subprocess, gc, time" lines))

;;; Order

(test output.order
  (is (equal (text-lines "lisp 1" "python 1" "lisp 2" "python 2 3")
             (written (format t "lisp 1~%")
                      (pyprint "python 1")
                      (format t "lisp 2~%")
                      (pyprint "python" 2 3)))))

(test output.partial-lines
  "What is not a whole line is there when the call returns, whatever call it was."
  (python-lines "class Printer:"
                "    def __getattr__(self, name): print('g', end=''); return 1"
                "    def __setattr__(self, name, value): print('s', end='')"
                "    def __getitem__(self, index): print('i', end=''); return 1"
                "    def __str__(self): print('t', end=''); return ''"
                "    def fail(self): print('f', end=''); raise KeyError()"
                "printer = Printer()")
  (with-remote-objects
    (let ((printer (pyvalue "printer")))
      (is (equal "a-b-c-d-e-s-g-i-t-f-x"
                 (written (pyprint "a" :end "") (princ "-")
                          (pyexec "print('b', end='')") (princ "-")
                          (pyeval "print('c', end='')") (princ "-")
                          (pymethod (pyvalue "sys.stdout") "write" "d") (princ "-")
                          (pycall "lambda: sys.stdout.write('e')") (princ "-")
                          (setf (pyslot-value printer "x") 1) (princ "-")
                          (pyslot-value printer "x") (princ "-")
                          (pyref printer 0) (princ "-")
                          (pycall "str" printer) (princ "-")
                          (ignore-errors (pymethod printer "fail")) (princ "-")
                          (pyprint "x" :end ""))))))
  (is (equal "abcd" (written (pyprint "a" :end "")
                             (with-python-gil (pyprint "b" :end "") (princ "c"))
                             (pyprint "d" :end "")))))

(test output.callbacks
  "Before Lisp code runs in a callback, what Python wrote comes out."
  (python-lines "def around(f):" "    print('before', end=' ')" "    f()" "    print('after', end='')")
  (is (equal "before lisp after!"
             (written (pycall "around" (lambda () (princ "lisp ")))
                      (princ "!"))))
  (is (equal "before [inner]after"
             (written (pycall "around" (lambda () (princ "[") (pyprint "inner" :end "") (princ "]")))))))

(test output.error-output
  "Both streams at once, in the order of writing."
  (python-lines "import logging, warnings, traceback"
                "log = logging.getLogger('pyrite'); log.addHandler(logging.StreamHandler())")
  (is (equal (text-lines "a1" "b2" "c")
             (written (let ((*error-output* *standard-output*))
                        (pyexec "print('a', end=''); print(1, file=sys.stderr); print('b', end='', file=sys.stderr); print(2); print('c')")))))
  (is (equal "abc"
             (written (let ((*error-output* *standard-output*))
                        (pyexec "print('a', end=''); print('b', end='', file=sys.stderr); print('c', end='')")))))
  (flet ((errors (code)
           (with-output-to-string (*error-output*) (pyexec code))))
    (is (equal (text-lines "logged") (errors "log.warning('logged')")))
    (is-true (search "UserWarning: careful" (errors "warnings.warn('careful')")))
    (is-true (search "ZeroDivisionError" (errors "try: 1/0
except Exception: traceback.print_exc()")))))

(test output.flush
  (is (equal "ab" (written (pyexec "print('a', end='', flush=True); sys.stdout.flush(); print('b', end='')")))))

(test output.many-lines
  (let ((count (scaled 100000)))
    (is (= count (count #\Newline (written (pycall "lambda n: [print('line', i) for i in range(n)] and None" count)))))
    (is (equal (format nil "~{~D ~}" (loop for i below count collect i))
               (written (pycall "lambda n: [print(i, end=' ') for i in range(n)] and None" count))))
    (is (= (* 10 count) (length (written (pycall "lambda n: print('x' * n, end='')" (* 10 count))))))))

;;; Text

(test output.unicode
  (let ((text (text 97 228 8364 128013 0 9 1114111)))
    (is (equal (text-lines text) (written (pyprint text))))
    (is (equal text (with-python-output (pyprint text :end "")))))
  (is (equal (text 8364 8364 65533)
             (written (pyexec "sys.stdout.buffer.write('€'.encode()); b = sys.stdout.buffer
for byte in '€'.encode(): b.write(bytes([byte]))
b.write(b'\\xff')"))))
  (is (equal (text-lines "a" "b") (written (pyexec "sys.stdout.writelines(['a\\n', 'b\\n'])")))))

(test output.unencodable
  "What a stream cannot encode does not lose the rest."
  (with-temporary-folder (folder)
    (let ((file (merge-pathnames "latin-1" folder)))
      (with-open-file (*standard-output* file :direction :output :external-format :latin-1)
        (pyprint (text 97 8364 98 228)))
      (with-open-file (stream file :external-format :latin-1)
        (is (equal (text 97 63 98 228) (read-line stream)))))))

;;; What programs ask of the streams

(test output.stream-objects
  (is (eql 3 (with-standard-io-syntax (let ((*standard-output* (make-broadcast-stream)))
                                        (pycall "sys.stdout.write" "abc")))))
  (is (eql 1 (pycall "sys.stdout.fileno")))
  (is (eql 2 (pycall "sys.stderr.fileno")))
  (is-true (pyeval "sys.stdout.encoding == 'utf-8' and sys.stdout.writable() and not sys.stdout.readable()"))
  (is-true (pyeval "isinstance(sys.stdout, __import__('io').TextIOBase) and not sys.stdout.closed"))
  (is-false (let ((*standard-output* (make-string-output-stream))) (pycall "sys.stdout.isatty")))
  (raises "TypeError" (pycall "sys.stdout.write" 5))
  (raises "io.UnsupportedOperation" (pycall "sys.stdin.fileno"))
  (is (equal (text-lines "x") (written (pyexec "sys.stdout.close(); sys.stdout.reconfigure(line_buffering=True); print('x')"))))
  (is (equal (text-lines "x") (written (pyexec "print('x', file=sys.__stdout__)")))))

(test output.replaced
  "Python code may put another stream in the place of sys.stdout."
  (python-lines "def redirected():" "    text = io.StringIO()"
                "    with contextlib.redirect_stdout(text): print('inside')"
                "    print('outside')" "    return text.getvalue()")
  (let ((inside nil))
    (is (equal (text-lines "outside") (written (setf inside (pycall "redirected")))))
    (is (equal (text-lines "inside") inside))))

;;; Captures

(test output.capture
  (is (equal (text-lines "hello") (with-python-output (pyprint "hello"))))
  (is (equal "" (with-python-output)))
  (is (equal (text-lines "error") (with-python-error-output (pyexec "print('error', file=sys.stderr)"))))
  (let ((captured nil))
    (is (equal "lisp" (written (setf captured (with-python-output (princ "lisp") (pyprint "x" :end ""))))))
    (is (equal "x" captured)))
  (is (= 3000000 (length (with-python-output (pyexec "print('x' * 3000000, end='')"))))))

(test output.capture.nested
  (labels ((nest (depth)
             (if (zerop depth)
                 (with-python-output (pyprint 0 :end ""))
                 (let ((inner nil))
                   (let ((outer (with-python-output
                                  (pyprint depth :end "<")
                                  (setf inner (nest (1- depth)))
                                  (pyprint depth :end ">"))))
                     (format nil "~A~A" outer inner))))))
    (is (equal "10<10>9<9>8<8>7<7>6<6>5<5>4<4>3<3>2<2>1<1>0" (nest 10))))
  (is-true (loop for i below (scaled 1000)
                 always (equal (format nil "~D~%" i) (with-python-output (pyprint i)))))
  (is (equal '("e" "o") (let (error output)
                          (setf output (with-python-output
                                         (setf error (with-python-error-output
                                                       (pyexec "print('o', end=''); print('e', end='', file=sys.stderr)")))))
                          (list error output)))))

(test output.capture.exits
  "However a capture is left, the next one and the stream are as before."
  (flet ((intact-p ()
           (and (equal (text-lines "after") (written (pyprint "after")))
                (equal "captured" (with-python-output (pyprint "captured" :end "")))
                (null pyrite::**captures**)
                (eql 0 (pycall "lambda: len(sys.modules['_pyrite_streams'].redirections)")))))
    (raises "ZeroDivisionError" (with-python-output (pyprint "x") (pyeval "1/0")))
    (is-true (intact-p))
    (is (eq :thrown (catch 'out (with-python-output (pyprint "x" :end "") (throw 'out :thrown)))))
    (is-true (intact-p))
    (is (eq :left (restart-case (with-python-output
                                  (pycall (lambda () (pyprint "x" :end "") (invoke-restart 'leave))))
                    (leave () (values :left)))))
    (is-true (intact-p))
    (is (equal (text-lines "fine") (with-python-output (ignore-errors (pyeval "1/0")) (pyprint "fine"))))))

(test output.capture.descriptors
  "What is written below Python is captured, in order with what Python writes."
  (python-lines)
  (is (equal (text-lines "python" "raw" "child" "python again")
             (with-python-output
               (pyexec "print('python'); os.write(1, b'raw\\n'); subprocess.run(['echo', 'child']); print('python again')"))))
  (is (equal (text-lines "c") (with-python-output (cffi:foreign-funcall "puts" :string "c" :int))))
  (is (equal (text-lines "error") (with-python-error-output (pyexec "os.system('echo error >&2')"))))
  (is (equal '("outer-1 outer-2 " "inner ")
             (let ((inner nil))
               (list (with-python-output
                       (pyexec "os.write(1, b'outer-1 ')")
                       (setf inner (with-python-output (pyexec "os.write(1, b'inner ')")))
                       (pyexec "os.write(1, b'outer-2 ')"))
                     inner))))
  (is (equal (text 8364 65533)
             (with-python-output (pyexec "os.write(1, '€'.encode()[:2]); time.sleep(0.01); os.write(1, '€'.encode()[2:] + b'\\xe2')"))))
  (is (= 3000000 (length (with-python-output (pyexec "os.write(1, b'x' * 1000000); os.system('head -c 2000000 /dev/zero | tr \"\\\\0\" x')"))))))

;;; Threads

(test output.threads
  "Eight threads, each with a stream of its own, and all with one."
  (let* ((line (make-string 99 :initial-element #\x)) (count (scaled 10000)) (size (* 100 count)))
    (python-lines "def write_lines(line, count):" "    for i in range(count): print(line)")
    (is (equal (make-list 8 :initial-element size)
               (in-threads 8 (lambda (i) (declare (ignore i))
                               (length (written (pycall "write_lines" line count)))))))
    (is (equal (make-list 8 :initial-element (make-string 3 :initial-element #\y))
               (in-threads 8 (lambda (i) (declare (ignore i))
                               (with-python-output (dotimes (j 3) (pyprint "y" :end "")))))))
    (let* ((stream (make-string-output-stream))
           (results (in-threads 8 (lambda (i) (declare (ignore i))
                                    (let ((*standard-output* stream))
                                      (pycall "write_lines" line count)
                                      t))))
           (text (get-output-stream-string stream)))
      (is (equal (make-list 8 :initial-element t) results))
      (is (= (* 8 size) (length text)))
      (is (= (* 8 count) (count #\Newline text)))
      (is-true (loop for start from 0 below (length text) by 100
                     always (string= line text :start2 start :end2 (+ start 99)))))))

(test output.threads-that-start
  "What a thread writes while another is starting Python goes to its own streams."
  (dotimes (i (scaled 100))
    (pystop)
    (is (equal (make-list 8 :initial-element (make-string 3 :initial-element #\y))
               (in-threads 8 (lambda (i)
                               (declare (ignore i))
                               (with-python-output (dotimes (j 3) (pyprint "y" :end "")))))))))

(test output.threads-when-another-stops
  "What of a thread's text waits when another stops Python stays that thread's."
  (python-lines "def say(): print('mine', end=''); sys.said.set(); sys.stopped.wait(); print(' all', end='')")
  (pyexec "import sys, threading; sys.said, sys.stopped = threading.Event(), threading.Event()")
  (let ((thread (bt:make-thread (lambda () (with-python-output (pycall "say"))))))
    (import-module "sys")
    (pycall "sys.said.wait")
    (is (equal "" (written (pystop))))
    (pyexec "sys.stopped.set()")
    (is (equal "mine all" (bt:join-thread thread)))))

(test output.threads-of-python
  "They write to Lisp's global streams, or to a capture, also while their maker waits for them."
  (python-lines "def run(*functions):"
                "    threads = [threading.Thread(target=function) for function in functions]"
                "    for thread in threads: thread.start()"
                "    for thread in threads: thread.join()")
  (is (equal (text-lines "from a thread") (with-python-output (pyexec "run(lambda: print('from a thread'))"))))
  (is (equal "partial" (with-python-output (pyexec "run(lambda: print('partial', end=''))"))))
  (is (equal "" (written (with-python-output (pyexec "run(lambda: print('not here'))")))))
  (let ((text (with-python-output (pycall "lambda n: run(*[lambda: [print('x' * 99) for i in range(n)]] * 8)" (scaled 1000)))))
    (is (= (* 8 (scaled 1000)) (count #\Newline text)))
    (is (= (* 800 (scaled 1000)) (length text)))))

(test output.from-finalizers
  (python-lines "class Last:"
                "    def __init__(self): self.loop = self"
                "    def __del__(self): print('last words', end='')")
  (is (equal "last words." (written (pyexec "Last(); gc.collect()") (princ "."))))
  (is (equal "last words." (written (with-remote-objects (pyexec "last = Last()"))
                                    (pystop) (princ "."))))
  (is (equal (text-lines "again") (written (pyprint "again")))))

(test output.additional-init-codes
  (pystop)
  (let ((*additional-init-codes* '("from __future__ import annotations" "print('init \"\\t\"', 0)" "print('partial', end='')")))
    (is (equal (format nil "init \"	\" 0~%partial.") (written (pystart) (princ "."))))
    (pystop)
    (is (equal "init" (subseq (written (pyeval "1")) 0 4)))))

;;; Input

(test output.input
  (flet ((reading (text code)
           (let ((*standard-input* (make-string-input-stream text)))
             (pyeval code))))
    (is (equal "line" (reading (text-lines "line" "rest") "input()")))
    (is (equal "prompt? " (written (reading (text-lines "x") "input('prompt? ')"))))
    (raises "EOFError" (reading "" "input()"))
    (is (equalp (vector (text-lines "a") (text-lines "b") "c" "") (reading (format nil "a~%b~%c") "[sys.stdin.readline() for i in range(4)]")))
    (is (equalp (vector (text-lines "a") "b") (reading (format nil "a~%b") "list(sys.stdin)")))
    (is (equalp (vector (text-lines "a") "b") (reading (format nil "a~%b") "sys.stdin.readlines()")))
    (is (equal (format nil "a~%~%b~%") (reading (format nil "a~%~%b~%") "sys.stdin.read()")))
    (is (equalp #("ab" "c" "") (reading "abc" "[sys.stdin.read(2), sys.stdin.read(5), sys.stdin.read(1)]")))
    (is (equalp #("abc" "") (reading "abc" "[sys.stdin.read(10 ** 30), sys.stdin.read(10 ** 12)]")))
    (is (equalp #(3 0) (reading "abc" "[len(sys.stdin.buffer.read(10 ** 12)), len(sys.stdin.readline(10 ** 12))]")))
    (is (equalp #(5000 4096 904) (reading (make-string 10000 :initial-element #\x)
                                          "[len(sys.stdin.read(n)) for n in (5000, 4096, 5000)]")))
    (is (equalp #("ab" "cd" "") (reading "abcd" "[sys.stdin.readline(2), sys.stdin.readline(-1), sys.stdin.readline(3)]")))
    (is (equal (text 8364) (reading (text 8364) "sys.stdin.buffer.read().decode()")))
    (is (equal (text 8364) (reading (text 8364 10 97) "sys.stdin.buffer.readline().decode()[:-1]")))
    (is-false (reading "" "sys.stdin.isatty()")))
  (with-input-from-string (*standard-input* (text-lines "for python" "for lisp"))
    (is (equal "for python" (pycall "input")))
    (is (equal "for lisp" (read-line)))))
