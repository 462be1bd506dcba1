;;;; All of Python on one thread: everything is as it is otherwise.

(in-package #:pyrite/test)

(def-suite dedicated :in pyrite :description "The mode :DEDICATED-THREAD.")
(in-suite dedicated)

(defun call-in-dedicated-mode (function)
  (pystop)
  (setf *python-call-mode* :dedicated-thread)
  (unwind-protect (funcall function)
    (setf *python-call-mode* :standard)
    (pystop)
    (pystart)))

(defmacro with-dedicated-thread (&body body)
  "Evaluate BODY while one thread does all that Python does."
  `(call-in-dedicated-mode (lambda () ,@body)))

(defun python-thread ()
  "The number by which Python knows the thread that a call of this thread runs on."
  (pycall "_thread.get_ident"))

(defvar *bound* :outside "A special variable that no library knows.")

(test dedicated.one-thread
  "Calls of any thread are made by one; in standard mode by each thread itself."
  (flet ((threads ()
           (import-module "_thread")
           (let ((own (python-thread)))
             (remove-duplicates (cons own (in-threads 4 (lambda (i) (declare (ignore i)) (python-thread))))))))
    (is (< 1 (length (threads))))
    (with-dedicated-thread
      (is (eql 1 (length (threads))))
      (is (eq :dedicated-thread +python-call-mode+)))
    (is (eq :standard +python-call-mode+))
    (is (< 1 (length (threads))))))

(test dedicated.mode-is-checked
  (pystop)
  (let ((*python-call-mode* :several))
    (signals pyrite-error (pystart)))
  (is-true (python-works-p)))

(test dedicated.values
  (with-dedicated-thread
    (define-python "class Thing: pass" "thing = Thing()" "thing.items = [1, 2, 3]")
    (is (equal '(1 "two" (3d0)) (pycall "lambda x: x" '(1 "two" (3d0)))))
    (is (eql (expt 7 200) (pycall "pow" 7 200)))
    (is (equal "HELLO" (pymethod "hello" "upper")))
    (is (eql 2 (chain thing items (aref 1))))
    (is (eql 5 (setf (chain thing items (aref 1)) 5)))
    (is (equalp #(1 5 3) (pyeval "thing.items")))
    (setf (pyvalue "thing.name") 'a-name)
    (is (equal "a_name" (pyslot-value (pyvalue "thing") "name")))
    (is (equal '(2 4) (let ((found '()))
                        (do-pyiterable (x (pyeval "(2 * i for i in range(1, 3))") (nreverse found))
                          (push x found)))))
    (is (equal '(1 2) (multiple-value-list (with-python-gil (values 1 2)))))
    (is (search "Thing" (princ-to-string (pyvalue "thing"))))))

(test dedicated.arrays
  (with-numpy
    (with-dedicated-thread
      (import-module "numpy")
      (let ((a (make-array 1000 :element-type 'double-float :initial-element 1d0)))
        (is (eq a (pycall "numpy.add" a a :out a)))
        (is (every (lambda (x) (= x 2)) a))
        (setf (pyvalue "kept") a)
        (trivial-garbage:gc :full t)
        (pyexec "kept += 1")
        (is (every (lambda (x) (= x 3)) a))))))

(test dedicated.errors
  "The same conditions, with restarts of the caller's, in the caller's handlers."
  (with-dedicated-thread
    (raises "ValueError" (pycall "int" "x"))
    (signals py-zero-division-error (pyeval "1 / 0"))
    (let ((condition (signalled (pyeval "{}['key']"))))
      (is (equal "'key'" (pyerror-message condition)))
      (is (search "KeyError" (pyerror-traceback condition)))
      (is (pyobject-wrapper-p (pyerror-value condition))))
    (is (eql 5 (handler-bind ((py-value-error (lambda (condition)
                                                (declare (ignore condition))
                                                (invoke-restart 'another 5))))
                 (restart-case (pycall "int" "x")
                   (another (value) value)))))
    (signals conversion-error (pycall "len" '(1 . 2)))
    (signals malformed-keywords (pycall "len" :a))
    (is-true (python-works-p))))

(test dedicated.errors-of-their-own
  (with-dedicated-thread
    (define-python "def raise_numbered(i): raise (ValueError, KeyError)[i % 2](i)")
    (is (equal (make-list 6 :initial-element t)
               (in-threads 6 (lambda (i)
                               (loop for j below (scaled 200)
                                     for condition = (signalled (pycall "raise_numbered" (+ (* 1000 i) j)))
                                     always (equal (format nil "~D" (+ (* 1000 i) j))
                                                   (pyerror-message condition)))))))))

(test dedicated.callbacks
  "A Lisp function runs on the thread that called, with all of its bindings."
  (with-dedicated-thread
    (define-python "def call(f, *args, **kwargs): return f(*args, **kwargs)")
    (let ((thread (bt:current-thread)) (*bound* :inside) (*read-default-float-format* 'double-float))
      (is (equal (list t "inside" "1.5")
                 (pycall "call" (lambda ()
                                  (list (eq thread (bt:current-thread)) *bound* (prin1-to-string 1.5d0)))))))
    (is (equal "said" (with-output-to-string (*standard-output*)
                        (pycall "call" #'princ "said"))))
    (is (equal '(1 2) (pycall "call" (lambda (a &key b) (list a b)) 1 :b 2)))
    (is (equalp #("1" "2") (pycall "list" (pycall "map" (lambda (x) (pycall "str" x)) #(1 2)))))
    (is (eql 24 (labels ((factorial (n) (if (zerop n) 1 (* n (pycall "call" #'factorial (1- n))))))
                  (factorial 4))))
    (is-true (with-remote-objects
               (pyobject-wrapper-p (pycall "call" (lambda (x) (1+ x)) 1))))
    (is (equal '("1" 2) (with-lispifiers ((integer #'1+))
                          (list (pycall "str" 1) (pycall "int" 1)))))))

(test dedicated.ways-out
  "An exit leaves the callback, and Python in order."
  (with-dedicated-thread
    (define-python "left = []"
      "def call(f):" "    try: return f()" "    finally: left.append(1)")
    (let ((condition (signalled (pycall "call" (lambda () (error "from Lisp"))))))
      (is (typep condition 'simple-error))
      (is (equal "from Lisp" (princ-to-string condition))))
    (is (eql 6 (restart-case (pycall "call" (lambda () (invoke-restart 'away 6)))
                 (away (value) value))))
    (is (search "non-local exit" (princ-to-string (signalled
                                                    (catch 'out (pycall "call" (lambda () (throw 'out 1))))))))
    (is (equalp #(1 1 1) (pyvalue "left")))
    (is-true (python-works-p))))

(test dedicated.threads
  (with-dedicated-thread
    (is (equal (make-list 6 :initial-element t)
               (in-threads 6 (lambda (i)
                               (loop for j below (scaled 300) always (mixed-calls-in-dedicated-mode-p i j))))))))

(defun mixed-calls-in-dedicated-mode-p (i j)
  (let ((n (+ (* 100003 i) j)))
    (and (eql (* n n) (pycall "lambda x: x * x" n))
         (equal (format nil "~D" n) (pycall "str" n))
         (eql (1+ n) (pycall "lambda f, x: f(x)" #'1+ n))
         (same (list n (vector "x")) (pycall "lambda n: (n, ['x'])" n)))))

(test dedicated.callback-that-waits-for-a-thread
  "While a Lisp function runs, other threads' calls are made: it may wait for them."
  (with-dedicated-thread
    (is (equal '(3 3) (pycall "lambda f: f()"
                              (lambda ()
                                (in-threads 2 (lambda (i) (declare (ignore i)) (pycall "len" "abc")))))))))

(test dedicated.python-threads
  "A function that a thread of Python's calls can call Python, though the one thread waits for it."
  (with-dedicated-thread
    (define-python "import threading" "answers = []"
      "def call_in_thread(f):"
      "    thread = threading.Thread(target=lambda: answers.append(f()))"
      "    thread.start()" "    thread.join()" "    return answers.pop()")
    (is (equal "5" (pycall "call_in_thread" (lambda () (pycall "str" 5)))))
    (is-true (python-works-p))))

(test dedicated.errors-of-workers
  "A function that a thread of Python's calls learns why its own call failed, and the one thread's caller is not told."
  (with-dedicated-thread
    (define-python "import threading"
      "def ask_in_thread(f, answers):"
      "    thread = threading.Thread(target=lambda: answers.append(f()))"
      "    thread.start()" "    thread.join()" "    return int(answers[0])")
    (flet ((message (text) (pyerror-message (signalled (pycall "int" text)))))
      (let ((message (message "x")))
        (is (equal message (let ((heard nil))
                             (pycall "ask_in_thread" (lambda () (setf heard (message "x")) 1) #())
                             heard)))
        (is (equal (substitute #\y #\x message)
                   (pyerror-message (signalled (pycall "ask_in_thread" (lambda () (message "x") "y") #())))))))))

(test dedicated.limits-of-others
  "A limit that a thread sets while another answers is not one of the other's Python code, which waits for its end."
  (with-dedicated-thread
    (define-python "import time"
      "def work(f):" "    f()" "    end = time.monotonic() + 0.3" "    while time.monotonic() < end: pass" "    return 'done'")
    (let* ((asked nil) (limited nil)
           (thread (bt:make-thread
                    (lambda ()
                      (handler-case (pycall "work" (lambda ()
                                                     (setf asked t)
                                                     (loop until limited do (sleep 0.001))))
                        (error (condition) (type-of condition)))))))
      (loop until asked do (sleep 0.001))
      (with-python-timeout (0.1)
        (is (eql 1 (pycall "abs" -1)))
        (setf limited t)
        (sleep 0.4)
        (signals python-timeout (pycall "abs" -1)))
      (is (equal "done" (bt:join-thread thread))))))

(test dedicated.with-python-gil-is-atomic
  (with-dedicated-thread
    (define-python "shared_count = 0")
    (let ((count (scaled 200)))
      (is (equal '(t t t t)
                 (in-threads 4 (lambda (i)
                                 (declare (ignore i))
                                 (dotimes (j count t)
                                   (with-python-gil
                                     (setf (pyvalue "shared_count") (1+ (pyvalue "shared_count")))))))))
      (is (eql (* 4 count) (pyvalue "shared_count"))))
    (is (eql 7 (catch 'out (with-python-gil (throw 'out 7)))))
    (raises "ZeroDivisionError" (with-python-gil (with-python-gil (pyeval "1 / 0"))))
    (is (equal '(t t) (in-threads 2 (lambda (i) (declare (ignore i)) (python-works-p)))))))

(test dedicated.with-python-gil-is-undone
  "Whatever is answered to others meanwhile, Python's threads run after it."
  (with-dedicated-thread
    (define-python "import threading")
    (let ((count (scaled 500)) (called nil))
      (in-threads 4 (lambda (i)
                      (dotimes (j count)
                        (if (evenp i)
                            (with-python-gil (pycall "len" "abc"))
                            (pycall "lambda f: f()" (lambda () (bt:thread-yield) 1))))))
      (pycall "lambda f: threading.Timer(0.01, f).start()" (lambda () (setf called t) nil))
      (is-true (loop repeat 1000
                     thereis called
                     do (sleep 0.01))))))

(defun interrupt-waiting-caller (interrupt)
  "What becomes of a thread that INTERRUPT interrupts while it waits for Python, and of the wait."
  (define-python "import os" "left = False"
    "entered, enter = os.pipe()" "go_on, go = os.pipe()"
    "def wait():"
    "    global left" "    os.write(enter, b'x')" "    os.read(go_on, 1)" "    left = True" "    return 'value'")
  (let* ((result :none) (entered (pyvalue "entered")) (go (pyvalue "go"))
         (thread (bt:make-thread
                  (lambda ()
                    (setf result (handler-case (pycall "wait")
                                   (error (condition) (princ-to-string condition))))))))
    (cffi:with-foreign-object (byte :uint8)
      ;; Not by Python, which is busy.
      (cffi:foreign-funcall "read" :int entered :pointer byte :size 1 :ssize)
      (funcall interrupt thread)
      (cffi:foreign-funcall "write" :int go :pointer byte :size 1 :ssize))
    (ignore-errors (bt:join-thread thread))
    (list result (pyvalue "left"))))

(test dedicated.interrupts-wait
  "An interrupt of a thread that waits for Python comes when Python is done."
  (with-dedicated-thread
    (is (equal '("interrupted" t)
               (interrupt-waiting-caller
                (lambda (thread) (bt:interrupt-thread thread (lambda () (error "interrupted")))))))
    (is (equal t (second (interrupt-waiting-caller #'bt:destroy-thread))))
    (is-true (python-works-p))))

(test dedicated.stop
  (with-dedicated-thread
    (let ((object (pycall "object")))
      (pystop)
      (signals stale-object (pycall "id" object))
      (is-true (python-works-p)))))

(test dedicated.changes-of-mode
  "Threads call on while the mode changes: each call has its own value, or its own error."
  (let* ((over nil)
         (threads (loop for i below 4
                        collect (let ((i i))
                                  (bt:make-thread
                                   (lambda ()
                                     (loop for j from (* i 100000)
                                           until over
                                           for problem = (problem-of-calls j)
                                           when problem return problem)))))))
    (unwind-protect
         (dotimes (i (scaled 150))
           (setf *python-call-mode* (if (evenp i) :dedicated-thread :standard))
           (pystop)
           (pystart)
           (sleep 0.002))
      (setf *python-call-mode* :standard over t))
    (is (equal '(nil nil nil nil) (mapcar #'bt:join-thread threads)))
    (pystop)
    (is-true (python-works-p))
    (is (eq :standard +python-call-mode+))))

(defun problem-of-calls (i)
  "What is wrong with what calls with I return or signal, or NIL."
  (handler-case
      (let ((text (with-python-timeout (60)
                    (with-python-gil
                      (pycall "abs" i)
                      (pycall "str" i))))
            (answer (pycall "lambda f, x: f(x)" (lambda (x) (pycall "abs" x)) (- i)))
            (message (handler-case (pycall "int" (format nil "x~D" i))
                       (py-value-error (condition) (pyerror-message condition)))))
        (unless (and (equal (princ-to-string i) text) (eql i answer)
                     (search (format nil "'x~D'" i) message))
          (list text answer message)))
    (error (condition) (format nil "~S: ~A" (type-of condition) condition))))

(test dedicated.captures-of-threads
  "Each thread captures what its own calls write, though one thread writes it all."
  (with-dedicated-thread
    (dotimes (i (scaled 20))
      (pystop)
      (is (equal (make-list 8 :initial-element (make-string 30 :initial-element #\y))
                 (in-threads 8 (lambda (i)
                                 (declare (ignore i))
                                 (apply #'concatenate 'string
                                        (loop repeat 10
                                              collect (with-python-output
                                                        (dotimes (j 3) (pycall "print" "y" :end ""))))))))))
    (is (equal "below" (with-python-output (pyexec "import os; os.write(1, b'below')"))))
    (is-true (python-works-p))))
