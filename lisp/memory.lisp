;;;; Results that do not fit: a heap that is exhausted in the middle of a conversion may be the end of the
;;;; process, so that large ones are looked at before.

(in-package #:pyrite)

(define-condition result-too-large (pyrite-error storage-condition) ()
  (:documentation "A value of Python's was not converted, because there is no room for it in Lisp's heap, or
only so much that little would be left: see *HEAP-SHARE*."))

(defvar *heap-share* 1/2
  "The greatest share of the heap's free room that one result may take, a real number from 0 to 1.

What a call returns that takes more is not converted: the call, which was made, signals RESULT-TOO-LARGE.
WITH-REMOTE-OBJECTS leaves it in Python. Results of less than a megabyte are never refused, nor is anything
where the size of the heap is not known, as in CCL.")

(defconstant +large-result+ (ash 1 20) "What a result weighs that is looked at.")

(defun limit-results ()
  "Have libpyrite refuse at once what never fits."
  (let ((size (pyrite/port:heap-size)))
    (when size (%limit-results (floor size 2)))))

(defun fits-p (weight)
  "Whether there is room for the value of a result of WEIGHT."
  (let ((free (pyrite/port:free-heap)))
    ;; A cell is 16 bytes; what it becomes is twice that at the most, about: a cons and a float, say.
    (or (null free) (<= (* 2 weight) (* *heap-share* free)))))

(defun release-cells (cell)
  "Give back the handles in CELL, whatever depth they are at: it is not converted."
  (let ((places (list (cons cell 1))))
    (flet ((later (address count)
             (unless (zerop count) (push (cons address count) places))))
      (loop while places
            do (destructuring-bind (cell . count) (pop places)
                 (loop repeat count
                       do (case (cell-tag cell)
                            (#.+handle+ (%release (cell-handle cell)))
                            ((#.+list+ #.+tuple+) (later (cell-word cell) (cell-aux cell)))
                            (#.+dict+ (later (cell-word cell) (* 2 (cell-aux cell))))
                            (#.+array+ (when (= (array-element (cell-word cell)) +object+)
                                         (later (array-items (cell-word cell) cell)
                                                (reduce #'* (array-dimensions-at (cell-word cell)))))))
                          (incf cell +value-size+)))))))

(defun refuse-result (result weight)
  "Signal that the value of the result at the address RESULT, of WEIGHT, has no room."
  (release-cells result)
  (pyrite/port:with-interrupts
    (fail 'result-too-large
          "A result takes about ~D megabytes, and ~D are free in the heap, of which it may take ~D%: ~
           leave it in Python (WITH-REMOTE-OBJECTS), set *HEAP-SHARE*, or start Lisp with a larger heap."
          (ceiling (* 2 weight) (ash 1 20)) (floor (pyrite/port:free-heap) (ash 1 20))
          (round (* 100 *heap-share*)))))

(defun check-heap (result weight)
  "Signal RESULT-TOO-LARGE unless there is room for the value of the result at the address RESULT, of WEIGHT."
  (unless (fits-p weight)
    (trivial-garbage:gc :full t)
    (unless (fits-p weight)
      (refuse-result result weight))))

(declaim (inline check-room))
(defun check-room (result)
  "Signal RESULT-TOO-LARGE when the value of the result at the address RESULT is large and does not fit."
  (declare (type address result))
  (let ((weight (%%result-weight (pointer result))))
    (when (> weight +large-result+)
      (check-heap result weight))))
