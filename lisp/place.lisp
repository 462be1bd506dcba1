;;;; Where in an argument a value is that cannot be passed. Looked for after the fact.

(in-package #:pyrite)

(declaim (ftype (function (t) t) element-count))

(defmacro with-place-noted ((root frame) &body body)
  "Evaluate BODY, which writes ROOT with FRAME; a CONVERSION-ERROR in it learns where its datum is."
  `(handler-bind ((conversion-error (lambda (condition) (note-place condition ,root (frame-origin ,frame)))))
     ,@body))

(defun note-place (condition root origin)
  "Tell CONDITION where in ROOT its datum is, or else the first of ORIGIN, the objects round it."
  (when (and (conversion-error-datum condition) (null (conversion-error-place condition)))
    (setf (conversion-error-place condition)
          (or (find-place (conversion-error-datum condition) root)
              (and origin (find-place (first (last origin)) root))))))

(defun find-place (datum root)
  "The subscripts that lead from ROOT to DATUM, the fewest there are; NIL when it is not inside."
  (let* ((seen (make-hash-table :test 'eq)) (queue (list (list root))) (last queue))
    (flet ((visit (item place)
             (when (eq item datum)
               (return-from find-place (reverse place)))
             (when (and (typep item '(or cons hash-table (and array (not string))))
                        (not (gethash item seen)))
               (setf (gethash item seen) t
                     last (setf (rest last) (list (cons item place)))))))
      (setf (gethash root seen) t)
      (loop while queue
            do (map-items #'visit (car (first queue)) (cdr (first queue)))
               ;; Only now, for what was found is put behind it.
               (pop queue)))))

(defun map-items (function container place)
  "Call FUNCTION with each item of CONTAINER and its place, the last subscript first."
  (flet ((item (item subscript) (funcall function item (cons subscript place))))
    (typecase container
      (cons (loop repeat (spine-length container)
                  for rest = container then (cdr rest)
                  for index from 0
                  do (item (car rest) index)))
      (hash-table (maphash (lambda (key value)
                             (item key (list :key key))
                             (item value key))
                           container))
      (array (when (eq t (array-element-type container))
               (dotimes (index (element-count container))
                 (item (row-major-aref container index)
                       (if (vectorp container) index (subscripts container index)))))))))

(defun spine-length (list)
  "How many different conses LIST consists of, whatever its end is."
  (let ((slow list) (fast list) (count 0))
    (loop while (consp fast)
          do (setf fast (cdr fast))
             (incf count)
             (when (evenp count)
               (setf slow (cdr slow))
               (when (eq fast slow) (return))))
    ;; In a circle, that many are enough to see each of them.
    count))

(defun subscripts (array index)
  "The subscripts of the element of ARRAY with the row-major INDEX."
  (let ((subscripts '()))
    (dolist (dimension (reverse (array-dimensions array)) subscripts)
      (multiple-value-bind (rest subscript) (floor index dimension)
        (push subscript subscripts)
        (setf index rest)))))

(defun write-place (place stream)
  "Write where PLACE, a list of subscripts, is in an argument to STREAM."
  (let ((*print-length* 5) (*print-level* 3) (*print-circle* t) (*print-pretty* nil))
    (write-string " It is at " stream)
    (dolist (subscript place)
      (cond ((not (consp subscript)) (format stream "[~S]" subscript))
            ((eq (first subscript) :key) (write-string "[a key]" stream))
            (t (format stream "[~{~S~^, ~}]" subscript))))
    (write-string " of the argument." stream)))
