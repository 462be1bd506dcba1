;;;; Many threads.

(in-package #:pyrite/test)

(def-suite threads :in pyrite :description "Calls of many threads.")
(in-suite threads)

(defmacro is-in-threads ((count variable) &body body)
  "One check: BODY is T in each of COUNT threads, whose number is VARIABLE."
  `(is (equal (make-list ,count :initial-element t)
              (in-threads ,count (lambda (,variable) (declare (ignorable ,variable)) ,@body)))))

(defun mixed-calls-p (i j)
  "True when calls of each kind, with arguments of their own, give what they should."
  (let ((n (+ (* 1000003 i) j)))
    (and (eql (* n n) (pycall "lambda x: x * x" n))
         (eql (expt n 9) (pycall "pow" n 9))
         (equal (format nil "~D" n) (pycall "str" n))
         (equal (format nil "<~D>" n) (pymethod "<{}>" "format" n))
         (same (list n (vector (format nil "~D" n)) (table n (float n 1d0)))
               (pycall "lambda n: (n, [str(n)], {n: float(n)})" n))
         (equal (list n j) (pycall "lambda *, first, second: (first, second)" :first n :second j))
         (eql n (pyeval n "+ 0"))
         (eql n (pyslot-value n "real"))
         (eql n (pyvalue (with-remote-objects (pycall "int" n))))
         (equal (format nil "~D" n) (pyerror-message (signalled (pycall "raise_value" n)))))))

(test threads.mixed-calls
  "Eight threads, every kind of call, every result checked."
  (define-python "def raise_value(n): raise ValueError(n)")
  (is-in-threads (8 i)
    (loop for j below (scaled 2000) always (mixed-calls-p i j))))

(test threads.globals
  "Globals of one thread's own."
  (is-in-threads (8 i)
    (let ((name (format nil "global_of_~D" i)))
      (loop for j below (scaled 1000)
            do (setf (pyvalue name) j)
            always (eql j (pyvalue name))))))

(test threads.errors-of-their-own
  "The error that a thread sees is its own."
  (define-python "def raise_numbered(i, j): raise (ValueError, KeyError, TypeError)[i % 3](str(i) + '-' + str(j))")
  (is-in-threads (8 i)
    (loop for j below (scaled 500)
          always (let ((condition (signalled (pycall "raise_numbered" i j))))
                   (and (equal (nth (mod i 3) '("ValueError" "KeyError" "TypeError")) (pyerror-type condition))
                        (search (format nil "~D-~D" i j) (pyerror-message condition))
                        (search (format nil "~D-~D" i j) (pyerror-traceback condition))
                        t)))))

(test threads.large-values
  (is-in-threads (4 i)
    (let ((list (loop for j below 2000 collect (format nil "~D-~D" i j))))
      (loop repeat (scaled 50)
            always (equal list (pycall "lambda items: items" list))))))

(test threads.shared-wrapper
  "One object, used by all; one list, appended to by all."
  (let ((list (with-remote-objects (pyeval "[]"))) (count (scaled 500)))
    (is-in-threads (8 i)
      (loop for j below count
            do (pymethod list "append" (list i j))
            finally (return t)))
    (is (eql (* 8 count) (pymethod list "__len__")))
    (is-true (pycall "lambda items, count: sorted(items) == [(i, j) for i in range(8) for j in range(count)]"
                     list count))))

(test threads.wrappers-of-others
  "What one thread made, another may use and drop."
  (let ((wrappers (in-threads 4 (lambda (i) (loop for j below 100
                                                  collect (with-remote-objects (pycall "int" (+ i j))))))))
    (is (equal (loop for i below 4 collect (loop for j below 100 collect (+ i j)))
               (mapcar (lambda (list) (mapcar #'pyvalue list)) wrappers)))))

(test threads.that-come-and-go
  "Many short-lived threads, each with a call or two."
  (dotimes (round (scaled 20))
    (let ((results (in-threads 10 (lambda (i) (pycall "lambda x: x + 1" i)))))
      (unless (equal results '(1 2 3 4 5 6 7 8 9 10))
        (return (is (equal '(1 2 3 4 5 6 7 8 9 10) results))))))
  (is-true (python-works-p)))

(test threads.that-ended-leave-nothing
  "Python's thread states are given back when threads end."
  (import-module "threading")
  (in-threads 10 (lambda (i) (pycall "threading.current_thread") i))
  (import-module "sys")
  (is (< (length (pyeval "list(sys._current_frames())")) 5)))

(test threads.thread-local-values
  "A Lisp thread is one Python thread: its threading.local values stay from call to call."
  (define-python "import threading" "local = threading.local()" "def set_local(value): local.value = value"
    "def get_local(): return local.value")
  (is-in-threads (4 i)
    (pycall "set_local" i)
    (loop repeat 50 always (eql i (pycall "get_local")))))

(test threads.python-threads
  "Threads that Python starts run while Lisp is elsewhere, and while it calls."
  (define-python "import threading" "done = []"
    "def work(n):" "    for i in range(n): done.append(i)"
    "workers = [threading.Thread(target=work, args=(100,)) for i in range(4)]"
    "for worker in workers: worker.start()")
  (dotimes (i 100)
    (python-works-p))
  (pyexec "for worker in workers: worker.join()")
  (is (eql 400 (pyeval "len(done)"))))

(test threads.sleeping-python-holds-nobody-up
  "A call that waits in Python lets others go on: the one it waits for comes from another thread."
  (define-python "import queue" "answers = queue.Queue()")
  (let* ((result nil)
         (waiting (bt:make-thread (lambda () (setf result (pyeval "answers.get(timeout=60)"))))))
    (is-true (python-works-p))
    (pyexec "answers.put('answer')")
    (bt:join-thread waiting)
    (is (equal "answer" result))))

;;; The GIL

(test threads.with-python-gil
  (is (eql 3 (with-python-gil (pycall "len" "abc"))))
  (is (equal '(1 2) (multiple-value-list (with-python-gil (values 1 2)))))
  (is (eql 3 (with-python-gil (with-python-gil (pycall "len" "abc")))))
  (is-in-threads (8 i)
    (loop for j below (scaled 200)
          always (with-python-gil
                   (and (eql (+ i j) (pycall "lambda a, b: a + b" i j))
                        (with-python-gil (eql j (pycall "int" j))))))))

(test threads.with-python-gil-is-atomic
  "Nobody else's calls come between those of its body."
  (define-python "shared_count = 0")
  (let ((count (scaled 500)))
    (is-in-threads (8 i)
      (dotimes (j count t)
        (with-python-gil
          (setf (pyvalue "shared_count") (1+ (pyvalue "shared_count"))))))
    (is (eql (* 8 count) (pyvalue "shared_count")))))

(test threads.with-python-gil-left-early
  "However the body is left, other threads can call afterwards."
  (flet ((others-work-p ()
           (equal '(t t) (in-threads 2 (lambda (i) (declare (ignore i)) (python-works-p))))))
    (is (eql 7 (catch 'out (with-python-gil (throw 'out 7)))))
    (is-true (others-work-p))
    (signals error (with-python-gil (error "out")))
    (is-true (others-work-p))
    (raises "ZeroDivisionError" (with-python-gil (with-python-gil (pyeval "1 / 0"))))
    (is-true (others-work-p))
    (is (eql 8 (block nil (with-python-gil (return 8)))))
    (is-true (others-work-p))))

(test threads.dying-inside-the-gil
  "A thread that ends while it holds the GIL gives it back."
  (in-threads 2 (lambda (i) (with-python-gil (error "~D" i))))
  (is-true (python-works-p)))

(test threads.collecting-meanwhile
  "Garbage is collected, and finalizers run, while threads call."
  (is-in-threads (6 i)
    (if (zerop i)
        (dotimes (j 20 t) (trivial-garbage:gc :full t))
        (loop for j below (scaled 1000)
              always (every #'pyobject-wrapper-p (pyeval "[object(), object()]"))))))
