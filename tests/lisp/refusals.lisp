;;;; Lisp values that have no counterpart in Python: refused at once, whole, with nothing called.

(in-package #:pyrite/test)

(def-suite refusals :in pyrite :description "Lisp values that cannot be passed to Python.")
(in-suite refusals)

(defun circular-list (&rest items)
  "A list of ITEMS without an end."
  (let ((list (copy-list items)))
    (setf (cdr (last list)) list)
    list))

(defun self-containing-values ()
  "Functions that each make a value that contains itself."
  (flet ((deep (value set)
           ;; Below where anybody looks whether a container is inside itself.
           (let ((outer (nest #'list value 100)))
             (funcall set outer)
             outer)))
    (list (lambda () (let ((list (list 1 2))) (setf (first list) list) list))
          (lambda () (let ((list (list 1 2))) (setf (second list) list) list))
          (lambda () (let ((vector (vector 1 2))) (setf (svref vector 1) vector) vector))
          (lambda () (let ((vector (vector 1 2))) (setf (svref vector 0) (list vector)) vector))
          (lambda () (let ((vector (make-array 10000 :initial-element 1))) (fill vector vector) vector))
          (lambda () (let ((vector (make-array 1 :adjustable t :fill-pointer 1)))
                       (setf (aref vector 0) vector)
                       vector))
          (lambda () (let ((vector (make-array 1 :adjustable t :fill-pointer 1)))
                       (setf (aref vector 0) (list 1 (vector vector)))
                       vector))
          (lambda () (let ((table (make-hash-table))) (setf (gethash 1 table) table) table))
          (lambda () (let ((table (make-hash-table))) (setf (gethash table table) 1) table))
          (lambda () (let ((table (make-hash-table)))
                       (setf (gethash 1 table) (list 2 (vector table)))
                       table))
          (lambda () (let ((vector (vector 1)))
                       (deep vector (lambda (outer) (setf (svref vector 0) outer))))))))

(defun refused-p (value)
  "True when VALUE is refused with CONVERSION-ERROR in whatever place it stands."
  (handler-case
      (every (lambda (call) (typep (signalled (funcall call)) 'conversion-error))
             (list (lambda () (pycall "id" value))
                   (lambda () (pycall "id" 1 (list "a" value)))
                   (lambda () (pycall "dict" :a value))
                   (lambda () (pymethod value "__len__"))
                   (lambda () (setf (pyvalue "refused") value))
                   (lambda () (pyeval "id(" value ")"))))
    ;; Running out of stack or heap is no refusal.
    (storage-condition () nil)))

(test refusals.circular-lists
  (is-true (refused-p (circular-list 1)))
  (is-true (refused-p (circular-list 1 2)))
  (is-true (refused-p (list* 1 2 3 (circular-list 4 5 6))))
  (is-true (refused-p (vector (circular-list 1 2 3))))
  (is-true (python-works-p)))

(test refusals.dotted-lists
  (is-true (refused-p (cons 1 2)))
  (is-true (refused-p (list* 1 2 3)))
  (is-true (refused-p (list 1 (list* 2 3 "end"))))
  (is-true (refused-p (table "a" (cons 1 2))))
  (is-true (python-works-p)))

(test refusals.self-containing
  (let ((functions (self-containing-values)))
    (is-for-each (index (loop for i below (length functions) collect i))
      (refused-p (funcall (nth index functions))))
    (is-true (python-works-p))))

(test refusals.reports
  "A report can be printed, and says what is wrong; the datum is the value itself."
  (let* ((circle (circular-list 1 2)) (condition (signalled (pycall "len" circle))))
    (is (search "circular" (princ-to-string condition)))
    (is (eq circle (conversion-error-datum condition))))
  (is (search "dotted" (princ-to-string (signalled (pycall "len" (cons 1 2))))))
  (let ((vector (vector 1)))
    (setf (svref vector 0) vector)
    (is (search "itself" (princ-to-string (signalled (pycall "len" vector)))))))

(test refusals.nothing-is-called
  "A value that is refused is refused before anything runs, also as the last of many."
  (pyexec "calls = 0
def count(*arguments, **keywords):
    global calls
    calls += 1
    return calls")
  (dolist (bad (list (cons 1 2) (circular-list 1)))
    (signals conversion-error (pycall "count" bad))
    (signals conversion-error (pycall "count" 1 "two" #(3) bad))
    (signals conversion-error (pycall "count" 1 :keyword bad))
    (signals conversion-error (pycall "count" (loop repeat 100 collect 1) (list (list (vector bad))))))
  (is (eql 0 (pyvalue "calls")))
  (is (eql 1 (pycall "count"))))

(test refusals.nothing-is-set
  (pyexec "class Place: value = 'before'" (string #\Newline) "place = Place()" (string #\Newline) "place_value = 1")
  (signals conversion-error (setf (pyvalue "place_value") (cons 1 2)))
  (signals conversion-error (setf (pyslot-value (pyvalue "place") "value") (cons 1 2)))
  (signals conversion-error (setf (pyvalue "place.value") (cons 1 2)))
  (is (eql 1 (pyvalue "place_value")))
  (is (equal "before" (pyvalue "place.value"))))

(test refusals.names
  "What stands for a name is a string or a symbol."
  (dolist (bad '(5 1.5d0 (1 2) #(1)))
    (signals error (pyvalue bad))
    (signals error (setf (pyvalue bad) 1))
    (signals error (pyslot-value 1 bad))
    (signals error (setf (pyslot-value 1 bad) 1))
    (signals error (pymethod 1 bad)))
  (is-true (python-works-p)))

(test refusals.many-times
  "A thousand refusals leave nothing behind."
  (is-true (dotimes (i (scaled 1000) t)
             (unless (refused-p (list (make-string 100) i (cons 1 2)))
               (return nil))))
  (is-true (python-works-p)))
