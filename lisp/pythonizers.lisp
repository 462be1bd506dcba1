;;;; Arguments with *PYTHONIZERS* applied, before they are written.

(in-package #:pyrite)

(declaim (ftype (function (t list) t) call-python)
         (ftype (function (t) t) fail-keywords))

(defstruct (part (:constructor make-part (value items)) (:copier nil))
  "A container whose items have their turn, or an object and what PYTHONIZE made of it: ITEMS, of which
NEXT is the first that has not had its turn."
  (value nil :read-only t)
  (items #() :type simple-vector :read-only t)
  (next 0 :type fixnum)
  (changed nil))

(defun made-part-p (part)
  "True when the value of PART is no container."
  (not (typep (part-value part) '(or cons array hash-table))))

(defun items-of (value)
  "A fresh vector of the items of VALUE, in a hash table keys and values by turns; NIL when it is no
container."
  (typecase value
    (cons (proper-length value) (coerce value 'simple-vector))
    (string nil)
    (array (when (eq t (array-element-type value))
             (let ((items (make-array (element-count value))))
               (dotimes (i (length items) items)
                 (setf (svref items i) (row-major-aref value i))))))
    (hash-table (coerce (loop for key being the hash-keys of value using (hash-value item)
                              collect key
                              collect item)
                        'simple-vector))))

(defun rebuilt (part)
  "The container of PART with its new items, or what was made of its object."
  (let ((value (part-value part)) (items (part-items part)))
    (typecase value
      (cons (if (part-changed part) (coerce items 'list) value))
      (vector (if (part-changed part) items value))
      (array (if (part-changed part)
                 (let ((array (make-array (array-dimensions value))))
                   (unless (= (length items) (array-total-size array)) (fail-changed value))
                   (dotimes (i (length items) array)
                     (setf (row-major-aref array i) (svref items i))))
                 value))
      (hash-table (if (part-changed part)
                      ;; What becomes of equal keys is Python's to say.
                      (let ((table (make-hash-table :test 'eql)))
                        (loop for i from 0 below (length items) by 2
                              do (setf (gethash (svref items i) table) (svref items (1+ i))))
                        table)
                      value))
      (t (svref items 0)))))

(defun call-pythonizer (function value)
  "What FUNCTION, a Lisp function or something to be called in Python, makes of VALUE."
  (if (functionp function)
      (call-encoding function value)
      (call-encoding (lambda (value)
                       (let ((*remote-objects* t))
                         (call-python function (list (as-positional value)))))
                     value)))

(defun as-positional (value)
  "VALUE as an argument that is not taken for a keyword."
  (if (keywordp value) (pythonize-name value) value))

(defun part-of (value path)
  "A PART for VALUE when it has items, or a method of PYTHONIZE and no pythonizer; else NIL. PATH are the
values round it."
  (let ((items (or (items-of value)
                   (and (pythonized-p value)
                        (not (entry-of value *pythonizers*))
                        (vector (pythonized value))))))
    (when items
      (when (gethash value path) (fail-to-encode value "contains itself"))
      (setf (gethash value path) t)
      (make-part value items))))

(defun finished (value original)
  "What is passed in place of ORIGINAL, which is VALUE now that its items had their turn."
  (let ((entry (entry-of original *pythonizers*)))
    (if entry (call-pythonizer (cdr entry) value) value)))

(defun pythonized-argument (root)
  "What is passed in place of ROOT, items before containers, without using the stack for depth."
  (let ((stack '()) (path (make-hash-table :test 'eq)) (made 0))
    (declare (type fixnum made))
    (labels ((put (value)
               (let* ((part (first stack)) (next (part-next part)))
                 (unless (eq value (svref (part-items part) next))
                   (setf (svref (part-items part) next) value
                         (part-changed part) t))
                 (incf (part-next part))))
             (give (value)
               (if stack (put value) (return-from pythonized-argument value)))
             (start (value)
               (let ((part (part-of value path)))
                 (cond (part (push part stack)
                             (when (made-part-p part) (check-made value (incf made))))
                       (t (give (finished value value))))))
             (finish (part)
               (pop stack)
               (when (made-part-p part) (decf made))
               (remhash (part-value part) path)
               (give (finished (rebuilt part) (part-value part)))))
      (start root)
      (loop
        (let ((part (first stack)))
          (if (= (part-next part) (length (part-items part)))
              (finish part)
              (start (svref (part-items part) (part-next part)))))))))

(defun check-keywords (arguments)
  "Signal MALFORMED-KEYWORDS unless ARGUMENTS are a plist of keywords."
  (loop for rest on arguments by #'cddr
        unless (and (keywordp (first rest)) (rest rest))
          do (fail-keywords arguments)))

(defun pythonized-value (argument)
  "What is passed in place of ARGUMENT, which stands by itself."
  (handler-bind ((conversion-error (lambda (condition) (note-place condition argument '()))))
    (pythonized-argument argument)))

(defun pythonized-arguments (arguments)
  "The list ARGUMENTS, from the first keyword on a plist, with pythonizers applied to the values."
  (let ((keywords (member-if #'keywordp arguments)))
    (check-keywords keywords)
    (nconc (mapcar (lambda (argument) (as-positional (pythonized-value argument)))
                   (ldiff arguments keywords))
           (loop for (keyword argument) on keywords by #'cddr
                 collect keyword
                 collect (pythonized-value argument)))))
