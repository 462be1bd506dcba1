;;;; Items: object[index].

(in-package #:pyrite)

(declaim (inline index-key))
(defun index-key (indices)
  "The key that stands for INDICES: one as it is, several as a tuple."
  (declare (type list indices))
  (cond ((null indices) +py-empty-tuple+)
        ((rest indices) (mapcar #'index-value indices))
        (t (index-value (first indices)))))

(declaim (inline cross-to-item))
(defun cross-to-item (object indices frame flags)
  "Write OBJECT and the key of INDICES to FRAME and ask for the item; the status."
  (with-encoded (frame (object encode object) (key encode (index-key indices)))
    (crossed (frame) (%%getitem object key flags (pointer (frame-result frame))))))

(defun pyref (object &rest indices)
  "The item of OBJECT, any value, at INDICES, converted to Lisp: object[i] or object[i, j, ...].

An index is any value; (slice start stop step), as a list or the value of SLICE, is start:stop:step, in
which NIL is None: (pyref x '(slice nil) 0) is x[:, 0]. Without INDICES it is x[()].

Signals PYERROR: PY-INDEX-ERROR, PY-KEY-ERROR, PY-TYPE-ERROR."
  (declare (dynamic-extent indices) (optimize speed))
  (multiple-value-bind (value done)
      (try-crossing (result cells)
          (and indices (null (rest indices))
               (encode-immediate object cells)
               (encode-immediate (first indices) (+ cells +value-size+)))
        (%%getitem (pointer cells) (pointer (+ cells +value-size+)) (result-flags) (pointer result)))
    (if done
        value
        (with-crossing (frame)
          (cross-to-item object indices frame (result-flags))))))

(defun (setf pyref) (new-value object &rest indices)
  "Set the item of OBJECT at INDICES, as for PYREF, to NEW-VALUE: object[i, j, ...] = new-value.

OBJECT should live in Python, as a PYOBJECT-WRAPPER: else it is a copy of it that changes."
  (declare (dynamic-extent indices))
  (with-command (frame)
    (with-encoded (frame (object encode object) (key encode (index-key indices))
                         (value encode new-value))
      (crossed (frame) (%%setitem object key value))))
  new-value)
