;;;; What Python's objects weigh, which Lisp's garbage collector does not know: a wrapper takes a few words of its
;;;; heap, and may keep gigabytes. So the process's memory is looked at now and then where wrappers are made, and
;;;; garbage collected when there is much more of it than there was.

(in-package #:pyrite)

(defconstant +wrappers-for-a-look+ 4 "How many wrappers are made before the time is looked at.")
(defconstant +look-interval+ (ceiling internal-time-units-per-second 50)
  "How long the memory is not looked at again.")
(defconstant +least-growth+ (* 256 1024) "By how many kilobytes the memory grows before garbage is collected.")

(pyrite/port:define-global **unlooked-wrappers** 0 "How many wrappers were made since the time was looked at.")
(pyrite/port:define-global **next-look** 0 "The internal real time from which on to look again.")
(pyrite/port:define-global **memory-limit** 0 "From how many kilobytes on garbage is collected.")
(pyrite/port:define-global **collected** 0
  "What was done since the memory was below the limit: nothing, 1 a collection, 2 a full one.")
(declaim (type fixnum **unlooked-wrappers** **collected**)
         (type unsigned-byte **next-look** **memory-limit**))

(defun resident-memory ()
  "How many kilobytes of memory this process has; NIL where the system does not tell."
  (ignore-errors
   (with-open-file (stream "/proc/self/statm")
     (with-standard-io-syntax
       (read stream)
       (floor (* (read stream) (cffi:foreign-funcall "getpagesize" :int)) 1024)))))

(defun set-memory-limit (resident)
  "Allow for half as much again as RESIDENT, or somewhat more: so what grows for good costs few collections."
  (setf **memory-limit** (+ resident (max +least-growth+ (floor resident 2)))
        **collected** 0))

(defun weigh-memory (resident)
  "Collect garbage when RESIDENT, kilobytes, is above the limit: the youngest, then all, as looks go by between
which calls give back what was found. What is left then is in use."
  (cond ((<= resident **memory-limit**)
         (when (< (+ resident (max +least-growth+ (floor resident 2))) **memory-limit**)
           (set-memory-limit resident))
         (setf **collected** 0))
        ((= 2 **collected**) (set-memory-limit resident))
        (t (trivial-garbage:gc :full (= 2 (incf **collected**))))))

(defun look-at-memory ()
  "Look at the memory, unless that was done a moment ago."
  (setf **unlooked-wrappers** 0)
  (pyrite/port:catch-up-with-gc)
  (let ((now (get-internal-real-time)))
    (when (>= now **next-look**)
      (setf **next-look** (+ now +look-interval+))
      (let ((resident (resident-memory)))
        (cond ((null resident))
              ((zerop **memory-limit**) (set-memory-limit resident))
              (t (weigh-memory resident)))))))

(declaim (inline consider-memory))
(defun consider-memory ()
  "Called when a wrapper was made. Threads may count at once: a few more or less are no matter."
  (when (>= (incf **unlooked-wrappers**) +wrappers-for-a-look+)
    (look-at-memory)))

(defun forget-memory ()
  "Forget what was looked at: a restarted image is another process."
  (setf **next-look** 0 **memory-limit** 0 **collected** 0))

(pyrite/port:add-restart-hook 'forget-memory)
