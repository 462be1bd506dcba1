;;;; Round trips of every kind, many of them: nothing is left behind on either side.

(in-package #:pyrite/test)

(def-suite leaks :in pyrite :description "A hundred thousand round trips of each kind.")
(in-suite leaks)

(defun resident-kilobytes ()
  "What the system says that this process has in memory; 0 where it cannot be asked like that."
  (handler-case (with-open-file (stream "/proc/self/statm")
                  (read stream)
                  (* 4 (read stream)))
    (file-error () 0)))

(defun lent-count ()
  (count-if (lambda (place) (typep place 'pyrite::loan)) pyrite::**loans**))

(defun leftovers ()
  "How many handles, loans, Python objects, blocks of Python's memory there are, and the kilobytes, after
garbage collections."
  (let ((handles 0))
    (loop repeat 3
          do (trivial-garbage:gc :full t)
             (setf handles (live-handles))
             (pyrite::collect-loans))
    (list handles (lent-count) (pyeval "__import__('gc').collect() * 0 + len(__import__('gc').get_objects())")
          (pyeval "__import__('sys').getallocatedblocks()")
          (resident-kilobytes))))

(defmacro leaves-nothing (name &body body)
  "Checks that many evaluations of BODY leave nothing behind."
  `(leaves-nothing-p ,name (lambda () ,@body)))

(defun leaves-nothing-p (name function)
  (let ((count (scaled 100000)))
    (loop repeat (floor count 20) do (funcall function))
    (let ((before (leftovers)))
      (loop repeat count do (funcall function))
      (destructuring-bind (handles loans objects blocks kilobytes) (mapcar #'- (leftovers) before)
        ;; A conservative collector may take a few for alive.
        (is (< handles *slack*) "~A: ~D handles" name handles)
        (is (< loans *slack*) "~A: ~D loans" name loans)
        (is (< objects (+ *slack* 50)) "~A: ~D objects" name objects)
        (is (< blocks (+ (* 2 *slack*) (floor count 10))) "~A: ~D blocks" name blocks)
        (is (< kilobytes 20000) "~A: ~D kB" name kilobytes)))))

(defclass passed () ())

(test leaks.values
  (let ((big (expt 3 200)) (nested (list 1 2.5d0 "x" (vector 1 2) (list "a")))
        (table (table "a" 1 "b" (list 1 2))))
    (leaves-nothing "small integer" (pycall "abs" 5))
    (leaves-nothing "large integer" (pycall "abs" big))
    (leaves-nothing "text" (pycall "str" "hello"))
    (leaves-nothing "containers" (pycall "lambda x: x" nested))
    (leaves-nothing "hash table" (pycall "lambda x: x" table))
    (leaves-nothing "ratio, complex, character, pathname"
      (pycall "lambda x: x" (list 1/3 #c(1d0 2d0) #\a #p"/tmp/a")))))

(test leaks.objects
  (let ((object (make-instance 'passed)) (function (lambda (x) x)))
    (leaves-nothing "wrapper" (pycall "object"))
    (leaves-nothing "opaque object" (pycall "lambda x: x" object))
    (leaves-nothing "fresh opaque object" (pycall "lambda x: x" (make-instance 'passed)))
    (leaves-nothing "callback" (pycall "lambda f: f(1)" function))
    (leaves-nothing "fresh closure" (let ((n (random 10))) (pycall "lambda f: f(1)" (lambda (x) (+ x n)))))))

(test leaks.errors
  (leaves-nothing "undefined name" (handler-case (pyvalue "leaks_undefined") (py-name-error () t)))
  (leaves-nothing "keyword argument twice" (handler-case (pycall "dict" :a 1 :a 2) (py-type-error () t)))
  (leaves-nothing "source with a NUL" (handler-case (pyeval (format nil "1~C" (code-char 0))) (py-value-error () t)))
  (leaves-nothing "Python's error" (handler-case (pyeval "1/0") (pyerror () t)))
  (leaves-nothing "unhashable key" (handler-case (pycall "len" (table (vector 1) 2 "a" 3)) (pyerror () t)))
  (leaves-nothing "equal keys" (handler-case (pycall "len" (table 1 (lambda (x) x) 1d0 #'car)) (py-value-error () t)))
  (leaves-nothing "a dict with equal keys"
    (handler-case (pyeval "{float('nan'): [object()], float('nan'): 1}") (conversion-error () t)))
  (leaves-nothing "Lisp's error in a callback"
    (handler-case (pycall "lambda f: f(1)" (lambda (x) (error "~A" x))) (simple-error () t))))

(test leaks.arrays
  (with-numpy
    (let ((array (make-array 20 :element-type 'double-float)) (bits (make-array 20 :element-type 'bit))
          (objects (make-array '(2 2) :initial-element "z")))
      (leaves-nothing "array" (pycall "lambda x: x" array))
      (leaves-nothing "slice of an array" (pycall "lambda x: x[3:9]" array))
      (leaves-nothing "bits" (pycall "lambda x: x" bits))
      (leaves-nothing "array of objects" (pycall "lambda x: x" objects))
      (leaves-nothing "array that is kept for a while"
        (progn (setf (pyvalue "leaks_kept") array)
               (setf (pyvalue "leaks_kept") 1)))
      (leaves-nothing "view" (with-pyarray (view array) (pyaref view 0))))))
