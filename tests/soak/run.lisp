;;;; A long run of everything at once: `make soak` (SECONDS=600, SEED, LISP=sbcl or ecl).
;;;;
;;;; Four threads do deeds at random, each thread for a while, then another takes its place. From time to
;;;; time all stand still, garbage is collected, and what there is is noted. After a warm-up of a quarter of
;;;; the time nothing of it may grow. Ends with code 0 when nothing went wrong.

(require :asdf)

(let ((*standard-output* (make-broadcast-stream)) (*error-output* (make-broadcast-stream)))
  (asdf:load-system "pyrite"))

(defpackage #:pyrite/soak
  (:use #:cl #:pyrite)
  (:shadow #:variable))

(in-package #:pyrite/soak)

(defun setting (name default)
  "The number in the environment variable NAME, or DEFAULT."
  (let ((text (uiop:getenv name)))
    (if (and text (string/= text "")) (parse-integer text) default)))

(defparameter *seconds* (setting "SOAK_SECONDS" 600))
(defparameter *seed* (setting "SOAK_SEED" (mod (get-universal-time) 1000000)))
(defparameter *threads* 4)

(defvar *number* 0 "The number of this thread.")

(defun thread-number () *number*)

;; Compiled: closures of ECL's evaluator keep all that is round them, and what is in a circle through both
;; sides is never let go of.
(uiop:with-temporary-file (:pathname output :type "fas")
  (let ((*standard-output* (make-broadcast-stream)))
    (load (compile-file (merge-pathnames "deeds.lisp" *load-truename*) :output-file output))))

;;; What all threads look at

(defvar *lock* (bt:make-lock "soak"))
(defvar *stop* nil "Whether threads are to end.")
(defvar *pause* nil "Whether threads are to stand still.")
(defvar *still* 0 "How many stand still.")
(defvar *running* 0 "How many threads there are.")
(defvar *started* 0 "How many there were.")
(defvar *count* 0 "How many deeds were done.")
(defvar *failures* '() "What went wrong, strings.")

(defmacro locked (&body body)
  `(bt:with-lock-held (*lock*) ,@body))

(defun fail (control &rest arguments)
  (locked (push (apply #'format nil control arguments) *failures*)
          (setf *stop* t)))

;;; Threads

(defun stand-still ()
  (when *pause*
    (locked (incf *still*))
    (loop while *pause* do (sleep 0.005))
    (locked (decf *still*))))

(defun do-deed (deed)
  "Do DEED, perhaps in some surroundings."
  (ecase (chance 4)
    ((0 1) (funcall deed))
    (2 (if (member deed '(callback-in-threads-of-pythons collect)) (funcall deed) (with-python-gil (funcall deed))))
    (3 (with-float-traps-masked (funcall deed)))))

(defun work (number)
  "What a thread does: a number of deeds."
  (let* ((*number* number) (*chance* (+ (* 1000003 *seed*) number)) (deed nil))
    (dotimes (i 20) (chance 2))
    (unwind-protect
         (loop repeat (+ 50 (chance 2000))
               until *stop*
               do (setf deed (aref *deeds* (chance (length *deeds*))))
                  (handler-case (do-deed deed)
                    (serious-condition (condition)
                      (fail "thread ~D, deed ~A: ~A: ~A" number deed (type-of condition) condition)))
                  (incf *count*)
                  (stand-still))
      (locked (decf *running*)))))

(defun start-thread ()
  (locked (incf *running*)
          (let ((number (incf *started*)))
            (bt:make-thread (lambda () (work number)) :name (format nil "soak ~D" number)))))

(defun keep-threads ()
  "Have there be as many threads as there should."
  (loop while (< *running* *threads*) do (start-thread)))

;;; Samples

(defun resident-kilobytes ()
  (with-open-file (stream "/proc/self/statm")
    (read stream)
    (* 4 (read stream))))

(defun heap-kilobytes ()
  (floor (let ((free (pyrite/port:free-heap)))
           (if free (- (pyrite/port:heap-size) free) 0))
         1024))

(defun call-still (function)
  "Call FUNCTION while all threads stand still."
  (setf *pause* t)
  (unwind-protect
       (loop repeat 12000
             when (>= *still* *running*) do (return (funcall function))
             do (sleep 0.005)
             finally (fail "threads do not stand still: one hangs"))
    (setf *pause* nil)
    (loop until (or *stop* (zerop *still*)) do (sleep 0.001))))

(defun take-sample ()
  "A plist of what there is, once garbage was collected."
  (call-still
   (lambda ()
     (let* ((types (pyrite::collect-garbage)) (stats (python-stats)))
       (list :resident (resident-kilobytes) :heap (heap-kilobytes)
             :handles (getf stats :handles) :buffers (getf stats :buffers)
             :lent (+ (getf stats :lent-arrays) (getf stats :lent-functions) (getf stats :lent-objects))
             :names (getf stats :names) :threads (getf stats :threads)
             :blocks (pyeval "sys.getallocatedblocks()")
             :objects (loop for count being the hash-values of types sum count))))))

(defparameter *limits*
  '(:resident 8192 :heap 4096 :handles 100 :buffers 100 :lent 100 :names 300 :objects 2000 :blocks 5000)
  "How much the median of the last third of the samples may be above that of the first third.")

(defun median (numbers)
  (let ((sorted (sort (copy-list numbers) #'<)))
    (nth (floor (length sorted) 2) sorted)))

(defun growth (samples key)
  "The median of KEY in the first third of SAMPLES and in the last third."
  (let ((count (max 1 (floor (length samples) 3))) (numbers (mapcar (lambda (sample) (getf sample key)) samples)))
    (values (median (subseq numbers 0 count)) (median (last numbers count)))))

(defun judge (samples)
  "Print how what is in SAMPLES, first first, grew; what grew too much is a failure."
  (format t "~&~12A ~12@A ~12@A ~12@A~%" "" "first third" "last third" "limit")
  (loop for (key limit) on *limits* by #'cddr
        do (multiple-value-bind (before after) (growth samples key)
             (format t "~12A ~12D ~12D ~12D~%" (string-downcase key) before after limit)
             (when (> (- after before) limit)
               (fail "~(~A~) grew from ~D to ~D" key before after)))))

;;; The run

(defun now ()
  (/ (get-internal-real-time) (float internal-time-units-per-second 1d0)))

(defun prepare ()
  (pystart)
  (mapc #'import-module '("contextlib" "gc" "numpy" "sys" "threading"))
  (pyexec "
soak_things = {}
soak_finally = 0
def soak_add(a, b): return a + b
def soak_keywords(*, a, b): return a - b
def soak_identity(x): return x
def soak_apply(f, x):
    global soak_finally
    try: return f(x)
    finally: soak_finally += 1
def soak_catch(f):
    try: f()
    except Exception: return 'caught'
def soak_raise(n): raise ValueError('no %d' % n)
def soak_double(array): array *= 2
def soak_keep(key, value): soak_things[key] = value
def soak_kept(key): return soak_things[key]
def soak_sum_and_drop(key): return soak_things.pop(key).sum()
def soak_forget(name): del globals()[name]
def soak_numbers(n):
    for i in range(n): yield i
def soak_spin():
    while True: pass
def soak_error_output(n):
    import sys
    print(n, file=sys.stderr, end='', flush=True)
def soak_in_threads(f, count):
    results = [None] * count
    def run(i): results[i] = f(i)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return results
class SoakThing:
    def __init__(self, x): self.x = x; self.itself = self
    def pair(self, y): return (self.x, y)
"))

(defun fill-caches ()
  "Have libpyrite remember the source that is called: that is no leak."
  (dotimes (i 2000)
    (pycall (format nil "lambda x: x + ~D" i) 1)))

(defun report (start sample)
  (format t "~6Ds ~10D deeds ~6D threads so far, ~6D kB, heap ~6D kB, ~D handles, ~D lent, ~D names~%"
          (round (- (now) start)) *count* *started* (getf sample :resident) (getf sample :heap)
          (getf sample :handles) (getf sample :lent) (getf sample :names))
  (finish-output))

(defun run ()
  (format t "~&Soak: ~A ~A, ~D seconds, ~D threads, SEED=~D (SOAK_SEED)~%" (lisp-implementation-type)
          (lisp-implementation-version) *seconds* *threads* *seed*)
  (finish-output)
  (prepare)
  (fill-caches)
  (let* ((start (now)) (step (max 0.5 (/ *seconds* 60d0))) (next-sample (+ start (/ *seconds* 4d0)))
         (next-report start) (samples '()) (end (+ start *seconds*)))
    (loop until (or *stop* (> (now) end))
          do (keep-threads)
             (sleep 0.05)
             (when (> (now) next-sample)
               (let ((sample (take-sample)))
                 (when sample (push sample samples)))
               (setf next-sample (+ (now) step)))
             (when (and samples (> (now) next-report))
               (report start (first samples))
               (setf next-report (+ (now) 60))))
    (setf *stop* t)
    (loop repeat 1200 while (plusp *running*) do (sleep 0.05))
    (when samples (report start (first samples)))
    (when (and (null *failures*) (> (length samples) 5))
      (judge (reverse samples)))
    (when (plusp *running*) (fail "~D threads hang" *running*))
    (if *failures*
        (format t "~{~&FAILED: ~A~}~%" (reverse *failures*))
        (format t "soak passed: ~D deeds~%" *count*))
    (finish-output)
    (uiop:quit (if *failures* 1 0) nil)))

(run)
