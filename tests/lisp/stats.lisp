;;;; How much there is of what Lisp and Python hold of each other, and finding what is left.

(in-package #:pyrite/test)

(def-suite stats :in pyrite :description "PYTHON-STATS and WITH-LEAK-CHECK.")
(in-suite stats)

(defvar *left* '()
  "What keeps wrappers alive here.")

(defun stat (key)
  (getf (python-stats) key))

(defmacro adds (count key &body body)
  "One check: after BODY there are COUNT more of KEY."
  (let ((before (gensym "BEFORE")))
    `(let ((,before (stat ,key)))
       ,@body
       (is (= ,count (- (stat ,key) ,before)) "~S" ,key))))

(test stats.counts
  (pystart)
  (pyexec "stats_kept = []")
  ;; What is garbage now is not to be given back while there is counted.
  (live-handles)
  (adds 3 :handles (dotimes (i 3) (push (pycall "object") *left*)))
  (adds 2 :lent-functions
    (dotimes (i 2) (let ((i i)) (pycall "stats_kept.append" (lambda () i)))))
  (adds 1 :lent-objects (pycall "stats_kept.append" (make-instance 'passed)))
  (adds 0 :lent-objects (pycall "id" (make-instance 'passed)))
  (with-numpy
    (adds 1 :lent-arrays
      (pycall "stats_kept.append" (make-array 10 :element-type 'double-float :initial-element 0d0))))
  (let ((view nil))
    (adds 1 :buffers (setf view (view-pyarray (pycall "bytearray" 10))))
    (adds -1 :buffers (release-pyarray view)))
  (adds 1 :pending-releases (pyrite::%release 12345))
  (adds -1 :pending-releases (python-works-p))
  (pyexec "stats_kept.clear()"))

(test stats.lent-things-are-let-go-of
  ;; Python's streams are lent things, too.
  (python-works-p)
  (let ((before (python-stats)))
    (pyexec "stats_kept = []")
    (pycall "stats_kept.append" (lambda () 1))
    (pyexec "stats_kept.clear()")
    ;; Fewer, if what was garbage before was collected meanwhile.
    (is (>= (getf before :lent-functions) (stat :lent-functions)))))

(defun counted-in-a-thread ()
  "How many threads there are more in a new thread that calls Python than before it."
  (let ((before (stat :threads)))
    (first (in-threads 1 (lambda (i)
                           (declare (ignore i))
                           (python-works-p)
                           (- (stat :threads) before))))))

(test stats.threads
  "Workers are threads, too, and come and go as they like."
  (python-works-p)
  (is (plusp (stat :threads)))
  (is-true (loop repeat 100 thereis (eql 1 (counted-in-a-thread)) do (sleep 0.05)))
  (let ((before (stat :threads)))
    (in-threads 30 (lambda (i) (declare (ignore i)) (python-works-p)))
    (is-true (loop repeat 200
                   thereis (< (stat :threads) (+ before 10))
                   do (sleep 0.02)))))

(test stats.needs-no-gil
  "Another thread holds it, and waits for this one."
  (let ((told nil) (asked nil))
    (pystart)
    (let ((thread (bt:make-thread (lambda ()
                                    (with-python-gil
                                      (setf asked t)
                                      (loop repeat 1000 until told do (sleep 0.01)))))))
      (loop until asked do (sleep 0.01))
      (is (evenp (length (python-stats))))
      (setf told t)
      (bt:join-thread thread))))

(test stats.by-type
  (pyexec "class Counted: pass")
  (dotimes (i 4) (push (pycall "Counted") *left*))
  (let ((types (getf (python-stats :by-type t) :types)))
    (is (eql 4 (cdr (assoc "__main__.Counted" types :test #'string=))))
    (is (equal types (sort (copy-list types) #'> :key #'cdr)))
    ;; What is garbage may be given back between the two.
    (is-true (loop repeat 10
                   thereis (let ((stats (python-stats :by-type t)))
                             (= (getf stats :handles) (reduce #'+ (getf stats :types) :key #'cdr)))))))

;;; Leaks

(defmacro leaks (counts &body body)
  "One check: BODY leaves COUNTS behind, a plist, and nothing else."
  `(is (equal ',counts
              (handler-case (with-leak-check () ,@body)
                (python-leak (leak)
                  (loop for (key count) on (python-leak-counts leak) by #'cddr
                        when (integerp count) append (list key count)))))))

(test stats.what-leaves-nothing
  (leaks () (python-works-p))
  (leaks () (dotimes (i 10) (pycall "object")))
  (leaks () (pycall "lambda f: f()" (lambda () 1)))
  (leaks () (handler-case (pyeval "1/0") (pyerror () nil)))
  (leaks () (pyexec "stats_cycle = []" (string #\Newline) "stats_cycle.append(stats_cycle)"
                    (string #\Newline) "del stats_cycle"))
  (with-numpy
    (leaks () (pycall "numpy.sum" (make-array 10 :element-type 'double-float :initial-element 0d0)))
    (leaks () (with-pyarray (view (pycall "bytearray" 10)) (pyaref view 0)))))

(test stats.what-leaks
  (pyexec "stats_kept = []")
  (leaks (:handles 7) (dotimes (i 7) (push (pycall "object") *left*)))
  (leaks (:lent-functions 1) (pycall "stats_kept.append" (lambda () 1)))
  (leaks (:lent-objects 1) (pycall "stats_kept.append" (make-instance 'passed)))
  (leaks (:objects 50) (dotimes (i 50) (pyexec "stats_kept.append([1])")))
  (let ((bytes (pycall "bytearray" 10)))
    (leaks (:buffers 1) (push (view-pyarray bytes) *left*)))
  (with-numpy
    (leaks (:lent-arrays 1)
      (pycall "stats_kept.append" (make-array 10 :element-type 'double-float :initial-element 0d0)))))

(test stats.limits
  (pyexec "stats_kept = []")
  (is (null (with-leak-check (:tolerance 3) (dotimes (i 3) (push (pycall "object") *left*)))))
  (signals python-leak (with-leak-check (:tolerance 3) (dotimes (i 4) (push (pycall "object") *left*))))
  (is (null (with-leak-check (:objects 100) (dotimes (i 90) (pyexec "stats_kept.append([1])")))))
  (signals python-leak (with-leak-check (:objects 100) (dotimes (i 110) (pyexec "stats_kept.append([1])")))))

(test stats.leaks-are-named
  (pyexec "class Named: pass")
  (let* ((leak (signalled (with-leak-check () (dotimes (i 30) (push (pycall "Named") *left*)))))
         (text (princ-to-string leak)))
    (is (typep leak 'python-leak))
    (is-true (search "handles 30" text))
    (is-true (search "__main__.Named (30)" text))
    (is (equal '("__main__.Named" . 30) (first (getf (python-leak-counts leak) :handle-types))))))

(defun weak-reader (object)
  "A function that gives OBJECT as long as somebody else has it."
  (let ((weak (trivial-garbage:make-weak-pointer object)))
    (lambda () (trivial-garbage:weak-pointer-value weak))))

(test stats.a-callback-stored-by-a-cycle-leaks
  "Cycles through both sides are not found, each of them; through a weak reference there is none, and one that is
broken by hand is none any more."
  (pyexec "class Node: pass
class Slotted: __slots__ = ('callback', '__weakref__')")
  (flet ((cycle (class reader)
           (let ((node (with-remote-objects (pycall class))))
             (setf (pyslot-value node "callback") (funcall reader node))
             node)))
    (leaks (:handles 1000 :lent-functions 1000 :objects 2000)
      (dotimes (i 1000) (cycle "Slotted" #'constantly)))
    (leaks ()
      (dotimes (i 1000) (cycle "Node" #'weak-reader)))
    (leaks ()
      (dotimes (i 1000)
        (setf (pyslot-value (cycle "Node" #'constantly) "callback") +py-none+)))))
