;;;; Where in an argument a value is that cannot be passed.

(in-package #:pyrite/test)

(def-suite places :in pyrite :description "What a CONVERSION-ERROR says of the place of its datum.")
(in-suite places)

(defun bad-value ()
  "A value that cannot be passed."
  (cons 1 2))

(defun place-of (value)
  "The place of the datum of the CONVERSION-ERROR that passing VALUE signals; its report."
  (let ((condition (signalled (pycall "id" value))))
    (check-type condition conversion-error)
    (values (conversion-error-place condition) (princ-to-string condition))))

(test places.by-subscripts
  (is (equal '(1) (place-of (list 1 (bad-value)))))
  (is (equal '(2 0) (place-of (vector 1 2 (list (bad-value) 4)))))
  (is (equal '(3 "a" 0) (place-of (list 1 2 3 (table "a" (vector (bad-value)))))))
  (is (equal '((1 0) 1) (place-of (make-array '(2 2) :initial-contents
                                              `((1 2) (,(vector 1 (bad-value)) 3))))))
  (is (equal '(1 2 1) (place-of (list 1 (let ((table (table 1 2))) (setf (gethash 2 table) (list 1 (bad-value))) table))))))

(test places.in-keys
  (let* ((bad (bad-value)) (key (list 1 bad)))
    (is (equal `(0 (:key ,bad)) (place-of (list (table bad 1)))))
    (is (equal `(0 (:key ,key) 1) (place-of (list (table key 1)))))))

(test places.of-the-argument-itself
  (multiple-value-bind (place report) (place-of (bad-value))
    (is (null place))
    (is (not (search "It is at" report)))))

(test places.in-reports
  (flet ((report (value) (nth-value 1 (place-of value))))
    (is (search "It is at [3][\"a\"][0] of the argument." (report (list 1 2 3 (table "a" (vector (bad-value)))))))
    (is (search "It is at [1, 0][1] of" (report (make-array '(2 1) :initial-contents `((1) (,(list 1 (bad-value))))))))
    (is (search "It is at [0][a key] of" (report (list (table (bad-value) 1)))))))

(test places.of-circles
  (let ((list (list 1 2 3)))
    (setf (cdddr list) list)
    (is (equal '(1) (place-of (vector 0 list))))
    (is (null (place-of list))))
  (let ((vector (vector 1 2)))
    (setf (svref vector 1) (list vector))
    (is (equal '(1) (place-of (list 0 vector))) "The first way to it."))
  (let ((circle (vector 1 nil)))
    ;; A circle that is not what is wrong is no obstacle on the way to what is.
    (setf (svref circle 1) (list circle (bad-value)))
    (is (equal '(0 1 1) (pyrite::find-place (second (svref circle 1)) (list circle))))))

(test places.deep
  (is (eql 2000 (length (place-of (nest #'list (bad-value) 2000))))))

(test places.with-pythonizers
  (with-pythonizers ((string "len"))
    (is (equal '(1 0) (place-of (list "abc" (vector (bad-value))))))))

(test places.of-keyword-arguments
  (let ((condition (signalled (pycall "dict" :a 1 :b (list 1 (bad-value))))))
    (is (equal '(1) (conversion-error-place condition)))))

(test places.not-of-python
  "What Python has that Lisp cannot hold has no place in an argument."
  (define-python "circle = []" "circle.append(circle)")
  (is (null (conversion-error-place (signalled (pyvalue "circle"))))))

;;; Found by libpyrite

(defun message-of (function)
  (handler-case (progn (funcall function) nil)
    (error (condition) (princ-to-string condition))))

(test places.unhashable
  "The exception tells the key, and where its dict is."
  (let ((inner (table (vector 1 2) 3)))
    (is (search "the key [1, 2] of a dict" (message-of (lambda () (pycall "len" inner)))))
    (is (search "at [1][1]['a']" (message-of (lambda () (pycall "len" (list 1 (vector 5 (table "a" inner))))))))
    (signals py-type-error (pycall "len" inner)))
  (is-true (python-works-p)))

(test places.circular
  "The condition tells what contains itself, and where."
  (pyexec "places_list = [1]; places_list.append([2, places_list])")
  (pyexec "places_dict = {'x': [1, ()]}; places_dict['x'][1] = (places_dict, 3)")
  (is (search "the list at [1][1]" (message-of (lambda () (pyvalue "places_list")))))
  (is (search "the dict at ['x'][1][0]" (message-of (lambda () (pyvalue "places_dict")))))
  (is (search "the list at [0][1][1]" (message-of (lambda () (pyeval "[places_list]")))))
  (pyexec "del places_list[:]; places_dict.clear()")
  (is-true (python-works-p)))
