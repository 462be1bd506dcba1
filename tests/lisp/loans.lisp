;;;; Loans end: on every way out of a call, and when Python lets go.

(in-package #:pyrite/test)

(def-suite loans :in pyrite :description "Loans and their ends.")
(in-suite loans)

;;; Freed

(defun weak-pointers (count make)
  "Weak pointers to COUNT objects that MAKE makes and keeps. In a thread, on whose stack none stays."
  (first (in-threads 1 (lambda (i)
                         (declare (ignore i))
                         (loop repeat count collect (trivial-garbage:make-weak-pointer (funcall make)))))))

(defun alive (pointers)
  (count-if #'trivial-garbage:weak-pointer-value pointers))

(test loans.freed
  "Lisp's garbage is what neither side has; what a conservative collector overlooks is little."
  (with-lending
    (lends-nothing-for-good
      (dolist (make (list (lambda () (numbered 100))
                          (lambda () (make-array 10 :element-type 'single-float :adjustable t :fill-pointer 3))
                          (lambda () (make-array '(2 3) :element-type '(unsigned-byte 8)))
                          (lambda () (make-condition 'simple-error))
                          (lambda () (let ((list (list 1))) (lambda () list)))))
        (let ((pointers (weak-pointers 50 (lambda ()
                                            (let ((object (funcall make)))
                                              (pycall "keep" object)
                                              object)))))
          (collect-everything)
          (is (= 50 (alive pointers)))
          (pyexec "kept = []")
          (collect-everything)
          (is (<= (alive pointers) 5))
          (let ((pointers (weak-pointers 50 (lambda ()
                                              (let ((object (funcall make)))
                                                (pycall "lambda a: None" object)
                                                object)))))
            (collect-everything)
            (is (<= (alive pointers) 5))))))))

(test loans.by-the-next-loan
  "What Python let go of ends without any collection, when something is lent."
  (with-lending
    (dotimes (i 100) (pycall "keep" (numbered 2)))
    (is (<= 100 (loan-count)))
    (pyexec "kept = []")
    (pycall "lambda a: None" (numbered 2))
    (is (< (loan-count) 10))))

(test loans.round-trips
  "Very many leave everything where it was."
  (with-lending
    (let ((array (numbered 10)) (adjustable (make-array 4 :element-type 'double-float :adjustable t))
          (object (make-condition 'simple-error)))
      (lends-nothing-for-good
        (let ((places (length pyrite::**loans**)) (handles (live-handles)))
          (is-true (loop repeat (scaled 25000)
                         always (and (eq array (pycall "lambda a: a" array))
                                     (eq adjustable (pycall "lambda a: a" adjustable))
                                     (eq #'car (pycall "lambda a: a" #'car))
                                     (eq object (pycall "lambda a: a" object)))))
          ;; Kept for a moment by each call.
          (is-true (loop repeat (scaled 25000)
                         always (progn (pycall "lambda a: kept.append(a)" array)
                                       (eq array (pycall "lambda: kept.pop()")))))
          (collect-everything)
          (is (= places (length pyrite::**loans**)))
          (is (= handles (live-handles))))))))

(defun heap-used ()
  (collect-everything)
  (uiop:symbol-call '#:sb-kernel '#:dynamic-usage))

(test loans.heap
  "On SBCL, where that can be told: very many loans leave no memory behind."
  (if (eq (uiop:implementation-type) :sbcl)
      (with-lending
        (let ((arrays (list (numbered 10) (make-array 4 :element-type 'double-float :adjustable t)
                            (make-array 4 :element-type 'double-float :displaced-to (numbered 10)))))
          (flet ((lend (count)
                   (dotimes (i count)
                     (dolist (array arrays) (pycall "lambda a: a" array))
                     (pycall "lambda a: a" #'car))))
            (lend 1000)
            (let ((before (heap-used)))
              (lend 20000)
              (is (< (- (heap-used) before) 500000))))))
      (skip "The heap is measured in SBCL only.")))

;;; Errors halfway

(test loans.errors
  "However a call ends, it leaves nothing lent but what Python kept."
  (with-lending
    (define-python "def keep_and_raise(*things):" "    kept.append(things[0])" "    raise ValueError"
      "def just_raise(*things): raise ValueError" "class Bad:" "    def __call__(self, a): raise KeyError(1)")
    (lends-nothing-for-good
      (let ((array (numbered 10)) (circle (list 1)) (object (make-condition 'simple-error)))
        (setf (cdr circle) circle)
        (is-true (loop repeat (scaled 2000)
                       always (typep (signalled (pycall "len" array object circle)) 'conversion-error)))
        (is-true (loop repeat 200
                       always (typep (signalled (pycall "len" (list array (vector object #'car circle))))
                                     'conversion-error)))
        (is-true (loop repeat 200
                       always (typep (signalled (pycall "len" array :a object :b)) 'malformed-keywords)))
        (is-true (loop repeat 200 always (typep (signalled (pycall "just_raise" array object #'car)) 'pyerror)))
        (is-true (loop repeat 200
                       always (typep (signalled (setf (pyvalue "no.such.name") (list array object))) 'pyerror)))
        (is (eql 7 (catch 'out (handler-bind ((pyerror (lambda (condition)
                                                         (declare (ignore condition))
                                                         (throw 'out 7))))
                                 (pycall "just_raise" array object)))))
        (raises "ValueError" (pycall "keep_and_raise" array object))
        (storm)
        (pyexec "kept[0] += 1")
        (is (equalp (numbered 10 1) array))
        (is (eq array (pyeval "kept[0]")))))))

;;; Interrupts

(defun interrupt-often (work times)
  "Have a thread call WORK again and again while it is interrupted TIMES, one interrupt after the other, each
leaving WORK wherever it is. How often WORK was left, and the errors."
  (let* ((stop nil) (delivered 0) (left 0) (errors '())
         (thread (bt:make-thread
                  (lambda ()
                    (loop until stop
                          do (when (eq :left (catch 'leave
                                               (handler-case (funcall work)
                                                 (error (condition) (push (princ-to-string condition) errors)))
                                               nil))
                               (incf left)))))))
    (dotimes (i times)
      (sleep (/ (random 1000) 1000000))
      (bt:interrupt-thread thread (lambda ()
                                    (incf delivered)
                                    ;; It may be between two calls of WORK, where nobody catches this.
                                    (ignore-errors (throw 'leave :left))))
      (loop until (or (> delivered i) (not (bt:thread-alive-p thread))) do (sleep 0.0005)))
    (setf stop t)
    (bt:join-thread thread)
    (values left errors)))

(test loans.interrupts
  "Left by an interrupt at any point, a call leaves nothing lent."
  (if (eq (uiop:implementation-type) :sbcl)
      (with-lending
        (let ((object (make-condition 'simple-error)) (array (numbered 10)))
          (pycall "lambda *a: None" array object)
          (lends-nothing-for-good
            (multiple-value-bind (left errors)
                (interrupt-often (lambda ()
                                   (pycall "lambda *a: None" array object (numbered 100) #'car
                                           (list array array array array array array array array array array))
                                   (pycall "keep" (numbered 3)))
                                 1000)
              (is (null errors))
              (is (plusp left))
              (is-true (pyeval "all((a == np.arange(3)).all() for a in kept)"))
              (is (equalp (numbered 10) array))))))
      (skip "Interrupts that unwind anywhere are safe in SBCL only.")))

(test loans.thread-ended
  "A thread that is ended while Python works on its array."
  (with-lending
    (define-python "import time" "entered = threading.Event()" "def wait(a):"
      "    try:" "        entered.set()" "        time.sleep(0.3)" "    finally:" "        a += 1" "        keep(a)")
    (lends-nothing-for-good
      (let* ((array (numbered 10)) (thread (bt:make-thread (lambda () (pycall "wait" array)))))
        (pyexec "entered.wait()")
        (bt:destroy-thread thread)
        (ignore-errors (bt:join-thread thread))
        (storm)
        (is (equalp (numbered 10 1) array))
        (pyexec "kept[0] += 1")
        (is (equalp (numbered 10 2) array))))))

;;; Threads

(test loans.threads
  "Eight threads lend, keep and drop, with GCs all the while."
  (with-lending
    (define-python "boxes = [[] for i in range(8)]"
      "def put(i, *things): boxes[i].extend(things)"
      "def take(i):" "    things = boxes[i]; boxes[i] = []; return things")
    (lends-nothing-for-good
      (let ((shared (numbered 10)) (object (make-condition 'simple-error)))
        (is (equal (make-list 8 :initial-element t)
                   (in-threads 8 (lambda (i)
                                   (loop for j below (scaled 400)
                                         for own = (numbered 10 (* 1000 i))
                                         do (when (zerop (mod (+ i j) 100)) (trivial-garbage:gc :full (evenp i)))
                                            (pycall "put" i own shared object #'car)
                                            (pycall "put" i own)
                                         always (let ((things (pycall "take" i)))
                                                  (and (every #'eq things
                                                              (list own shared object #'car own))
                                                       (equalp own (numbered 10 (* 1000 i))))))))))
        (is (equalp (numbered 10) shared))))))

;;; Arrays on the stack

(defun lend-from-the-stack (count)
  "Lend an array on the stack, which Python changes and keeps; whether it was right as long as it lived."
  (let ((array (make-array 20 :element-type 'double-float :initial-element 1d0)))
    (declare (dynamic-extent array))
    (fill array (float count 1d0))
    (and (progn (pycall "lambda a: a.__iadd__(1)" array)
                (every (lambda (x) (= x (1+ count))) array))
         (eq array (pycall "lambda a: a" array))
         ;; The same one twice: what is written to the one is seen in the other.
         (= 7 (pycall "lambda a, b: (a.fill(7), b[3])[1]" array array))
         (= 7 (aref array 19))
         (progn (pycall "keep" array)
                (fill array 0d0)
                t))))

(test loans.dynamic-extent
  "An array on the stack is lent as a copy, which takes its place when Python keeps it."
  (with-lending
    (lends-nothing-for-good
      (is (equal '((t t t)) (in-threads 1 (lambda (i)
                                            (declare (ignore i))
                                            (loop for count below 3 collect (lend-from-the-stack count))))))
      (storm)
      (when (eq (uiop:implementation-type) :sbcl)
        (is-true (pyeval "len(kept) == 3 and all((a == 7).all() for a in kept)")))
      (let ((values (pyvalue "kept")))
        (is-true (every (lambda (value) (typep value '(simple-array double-float (20)))) values))
        ;; What took its place is shared as any array.
        (pyexec "kept[1][:] = 3")
        (is-true (every (lambda (x) (= x 3)) (svref values 1)))
        (is (eq (svref values 1) (pyeval "kept[1]")))))))

;;; Copies, for Lisps whose arrays cannot be kept where they are

(defun call-with-copies (function)
  "Call FUNCTION while no array can be kept where it is."
  (let ((before #'pyrite/port:keepable-p))
    (unwind-protect
         (progn (setf (fdefinition 'pyrite/port:keepable-p) (constantly nil))
                (funcall function))
      (setf (fdefinition 'pyrite/port:keepable-p) before))))

(defun copies-lent ()
  (count-if (lambda (place) (and (typep place 'pyrite::loan) (pyrite::loan-copy place))) pyrite::**loans**))

(test loans.copies
  (with-lending
    (lends-nothing-for-good
      (call-with-copies
       (lambda ()
         (dolist (dtype *dtypes*)
           (is-for-each (shape '(() (1) (5) (2 3) (0) (2 0)))
             (let ((array (example-array (second dtype) shape)))
               (and (arrives-p array (first dtype))
                    (eq array (pycall "lambda a: (a.fill(3), a)[1]" array))
                    (loop for i below (array-total-size array) always (= 3 (row-major-aref array i)))))))
         (let* ((whole (numbered 10)) (part (make-array 3 :element-type 'double-float :displaced-to whole
                                                          :displaced-index-offset 4)))
           (pycall "lambda a: a.fill(-1)" part)
           (is (equalp #(0 1 2 3 -1 -1 -1 7 8 9) whole)))
         (is (= 5 (let ((array (numbered 4)))
                    (pycall "lambda a, b: a.fill(5) or b.sum() and None" array array)
                    (aref array 3))))
         (is (= 0 (copies-lent)))
         (let ((array (numbered 10)))
           (pycall "keep" array)
           (is (= 1 (copies-lent)))
           (is (eq array (pyeval "kept[0]")))
           (storm)
           (is-true (pyeval "(kept[0] == np.arange(10)).all()"))
           (pyexec "kept[0][:] = 1")
           (is (equalp (numbered 10) array))))))
    (is (= 0 (copies-lent)))))

(test loans.copies.adjusted-meanwhile
  "A copy goes back as far as there is room for it."
  (with-lending
    (define-python "entered = threading.Event()" "go = threading.Event()" "def wait(a):" "    entered.set()"
      "    go.wait(60)" "    a += 1")
    (lends-nothing-for-good
      (call-with-copies
       (lambda ()
         (dolist (size '(3 100000))
           (pyexec "entered.clear(); go.clear()")
           (let* ((array (make-array 10 :element-type 'double-float :adjustable t :initial-element 1d0))
                  (thread (bt:make-thread (lambda () (pycall "wait" array)))))
             (pyexec "entered.wait()")
             (adjust-array array size :initial-element 9d0)
             (pyexec "go.set()")
             (bt:join-thread thread)
             (is (= 2 (aref array 2)))
             (is (= (if (= size 3) 2 9) (aref array (1- size)))))))))))

;;; Adjustable arrays

(test loans.adjustable.nothing-left
  "What is made for each loan of an adjustable array does not stay with the array."
  (with-lending
    (let ((array (make-array 10 :element-type 'double-float :adjustable t)))
      (let ((pointers (weak-pointers 50 (lambda ()
                                          (pycall "lambda a: None" array)
                                          (pyrite/port:array-storage array)))))
        (unless (eq (trivial-garbage:weak-pointer-value (first pointers)) (pyrite/port:array-storage array))
          (collect-everything)
          (is (<= (alive pointers) 5))))
      (is (= 0d0 (progn (fill array 0d0) (pymethod array "sum")))))))

;;; Keepers, on SBCL

(test loans.keepers.survive
  "Who ends all threads that are not known does not end what Python relies on."
  (if (eq (uiop:implementation-type) :sbcl)
      (with-lending
        (lends-nothing-for-good
          (let ((array (numbered 10)))
            (pycall "keep" array)
            (dolist (thread (bt:all-threads))
              (when (search "Pyrite keeper" (bt:thread-name thread))
                (bt:destroy-thread thread)))
            (storm)
            (pyexec "kept[0] += 1")
            (is (equalp (numbered 10 1) array)))))
      (skip "Only SBCL has keepers.")))

(test loans.keepers.deadline
  "A deadline of the program does not disturb the making of a keeper."
  (if (eq (uiop:implementation-type) :sbcl)
      (with-lending
        (lends-nothing-for-good
          (is-true (dotimes (i 3 t)
                     (uiop:symbol-call '#:pyrite/port '#:stop-keepers)
                     (handler-case
                         (eval (read-from-string "(sb-sys:with-deadline (:seconds 0) (pyrite:pycall \"keep\" (make-array 3 :element-type 'double-float)))"))
                       (error (condition) (return condition)))))))
      (skip "Only SBCL has keepers.")))
