;;;; Python's output: captured at any depth, from many threads, from what ends, at the end.

(in-package #:pyrite/test)

(def-suite faults/captures)
(in-suite faults/captures)

(defun nested-capture (depth)
  "What a capture has inside of DEPTH others, which have nothing, and what the outermost has."
  (if (zerop depth)
      (with-python-output (pycall "print" "inside" :end ""))
      (let ((inner nil))
        (let ((outer (with-python-output (setf inner (nested-capture (1- depth))))))
          (if (equal outer "") inner (list depth outer))))))

(test captures.nested
  (is (equal "inside" (nested-capture 200)))
  (is (equal "" (with-python-output))))

(test captures.many
  (is (loop for i below (scaled 10000)
            always (equal (princ-to-string i)
                          (with-python-output
                            (with-python-output (pycall "print" "other"))
                            (pycall "print" i :end "")))))
  (is-true (alive-p)))

(test captures.threads
  "Eight threads print a megabyte each: each captures its own, whole."
  (let* ((line "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde")
         (count (floor (scaled 1000000) (1+ (length line)))))
    (pyexec "def print_many(text, count):
    for _ in range(count): print(text)")
    (is (equal (loop for i below 8 collect (list (* count (+ 3 (length line))) t))
               (in-threads 8 (lambda (i)
                               (let ((text (with-python-output
                                             (pycall "print_many" (format nil "~D ~A" i line) count))))
                                 (list (length text)
                                       (loop for start from 0 below (length text) by (+ 3 (length line))
                                             always (and (eql (char text start) (digit-char i))
                                                         (eql (char text (+ start 2 (length line))) #\Newline)))))))))
    (is-true (alive-p))))

(test captures.threads-to-one-stream
  "Lines of several threads to one stream are whole, each."
  (let ((text (with-output-to-string (stream)
                (let ((threads (loop for i below 8
                                     collect (let ((i i))
                                               (bt:make-thread
                                                (lambda ()
                                                  (let ((*standard-output* stream))
                                                    (pyexec (format nil "for _ in range(~D): print('~D' * 20)"
                                                                    (scaled 400) i)))))))))
                  (mapc #'bt:join-thread threads)))))
    (is (= (* 8 (scaled 400)) (count #\Newline text)))
    (is-for-each (line (butlast (uiop:split-string text :separator '(#\Newline))))
      (and (= 20 (length line)) (every (lambda (character) (eql character (char line 0))) line)))))

(test captures.errors-inside
  (dotimes (i 100)
    (is (typep (signalled (with-python-output (pyexec "print('lost'); 1 / 0"))) 'py-zero-division-error))
    (is (eql i (block nil (with-python-output (return i))))))
  (is (equal "after" (with-python-output (pycall "print" "after" :end ""))))
  (is-true (alive-p)))

(test captures.from-del
  "What an object prints when it ends, wherever that is."
  (pyexec "import gc
class Talker:
    def __init__(self, text): self.text = text
    def __del__(self): print(self.text, end='')
class Cycle(Talker):
    def __init__(self, text): Talker.__init__(self, text); self.itself = self")
  (is (equal "gone" (with-python-output (pyexec "Talker('gone')"))))
  (is (equal "collected" (with-python-output (pyexec "Cycle('collected'); gc.collect()"))))
  (is (equal "in a thread" (with-python-output
                             (pyexec "import threading
thread = threading.Thread(target=lambda: Talker('in a thread'))
thread.start(); thread.join()"))))
  (is-true (alive-p)))

(test captures.at-exit
  "What is printed when the process ends, by exit functions, threads, objects, and without a newline."
  (multiple-value-bind (output code)
      (run-in-lisp '((setf pyrite:*exit-patience* 1000)
                     (pyrite:pyexec "import atexit, sys, threading, time
class Talker:
    def __del__(self): print('mark:del')
kept = Talker()
atexit.register(lambda: print('mark:unfinished', end=''))
atexit.register(lambda: globals().pop('kept', None))
atexit.register(lambda: print('mark:error', file=sys.stderr))
threading.Thread(target=lambda: (time.sleep(0.3), print('mark:thread'))).start()
print('mark:begun')")
                     (uiop:quit 0)))
    (is (eql 0 code))
    (is (null (set-exclusive-or '("begun" "thread" "error" "del" "unfinished")
                                (loop for start = (search "mark:" output) then (search "mark:" output :start2 (1+ start))
                                      while start
                                      collect (string-right-trim '(#\Newline #\Return)
                                                                 (subseq output (+ start 5)
                                                                         (or (position-if-not #'alpha-char-p output :start (+ start 5))
                                                                             (length output)))))
                                :test #'equal))
        "~A" output)))
