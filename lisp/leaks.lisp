;;;; Finding what is left behind.

(in-package #:pyrite)

(define-condition python-leak (pyrite-error)
  ((counts :initarg :counts :initform '() :reader python-leak-counts))
  (:documentation "Something was left behind that was not there before: see WITH-LEAK-CHECK."))

(setf (documentation 'python-leak-counts 'function)
      "What a PYTHON-LEAK found to be left, a plist: of :HANDLES, :BUFFERS, :LENT-ARRAYS, :LENT-FUNCTIONS,
:LENT-OBJECTS and :OBJECTS, Python's own, how many more there are than before; and of :TYPES and :HANDLE-TYPES, alists
from names of Python types to how many more objects, or handles, there are of them, most first.")

(defun collect-garbage ()
  "Collect garbage in Lisp and in Python until nothing waits to be given back; Python's objects by type."
  (loop repeat 100
        do (trivial-garbage:gc :full t)
           (pyrite/port:run-finalizers)
           (%counters (cffi:null-pointer) (cffi:null-pointer))
        until (zerop (getf (python-stats) :pending-releases)))
  (with-default-conversions (call-by-name (bridge-name "objects_by_type"))))

(defun inventory ()
  "A plist of what there is once garbage was collected, as in PYTHON-LEAK-COUNTS. :TYPES is a hash table."
  (let ((types (collect-garbage)) (stats (python-stats)))
    (append (loop for key in '(:handles :buffers :lent-arrays :lent-functions :lent-objects)
                  append (list key (getf stats key)))
            (list :objects (loop for count being the hash-values of types sum count)
                  :types types :handle-types (handle-types)))))

(defun grown-types (before after)
  "An alist of the types of which there are more in the table AFTER than in BEFORE, most first."
  (most-first (loop for name being the hash-keys of after using (hash-value count)
                    for more = (- count (gethash name before 0))
                    when (plusp more) collect (cons name more))))

(defun leftovers (before after tolerance objects)
  "What there is more in the inventory AFTER than BEFORE, a plist; NIL when that is within the limits."
  (let ((more (loop for (key count) on after by #'cddr
                    for limit = (if (eq key :objects) objects tolerance)
                    when (and (numberp count) (> (- count (getf before key)) limit))
                      append (list key (- count (getf before key))))))
    (when more
      (append more (loop for key in '(:handle-types :types)
                         append (list key (grown-types (getf before key) (getf after key))))))))

(defun signal-leak (counts)
  (flet ((types (key)
           (loop for (name . count) in (getf counts key)
                 repeat 5
                 collect (format nil "~A (~D)" name count))))
    (error 'python-leak
           :counts counts
           :message (format nil "Left behind: ~{~A ~D~^, ~}.~@[ Of the handles: ~{~A~^, ~}.~]~
                                 ~@[ Of Python's objects: ~{~A~^, ~}.~]"
                            (loop for (key count) on counts by #'cddr
                                  when (integerp count)
                                    append (list (substitute #\Space #\- (string-downcase key)) count))
                            (types :handle-types) (types :types)))))

(defun call-with-leak-check (function tolerance objects)
  "Call FUNCTION: see WITH-LEAK-CHECK."
  ;; What the first time makes is not what the calls between leave.
  (inventory)
  (let ((before (inventory)))
    (funcall function)
    ;; A finalizer may be late, and what Lisp's collector takes for alive differs from time to time.
    (let ((counts (loop repeat 10
                        for counts = (leftovers before (inventory) tolerance objects)
                        while counts
                        do (sleep 0.02)
                        finally (return counts))))
      (when counts (signal-leak counts)))))

(pyrite/port:define-macro with-leak-check ((&key (tolerance 0) (objects 20)) &body body)
  "Evaluate BODY and signal a PYTHON-LEAK, an error, if something is left behind then. Returns NIL.

That is, once garbage was collected on both sides, more than TOLERANCE more handles (Python objects that
Lisp holds), buffers (Python's memory that is viewed), or arrays, functions or other objects lent to
Python, of each; or more than OBJECTS more objects that Python's collector knows. The values of BODY are
dropped, so that they are no leak. SBCL's and ECL's collectors may take what is garbage for alive: where
BODY makes many objects, repeat what may leak often, and let TOLERANCE be less than that. What other threads
do meanwhile counts, too. Nothing is checked when BODY is left by an exit. Starts Python when it does not
run."
  `(call-with-leak-check (lambda () ,@body nil) ,tolerance ,objects))
