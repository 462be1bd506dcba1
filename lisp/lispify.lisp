;;;; Values from Python as users want them.
;;;;
;;;; A result is read whole before any user's function is called: from then on its handles are owned by
;;;; wrappers and its memory is free, whatever the function does. Containers are read as nodes, and made
;;;; when their items are what they are to be.

(in-package #:pyrite)

(declaim (ftype (function (t) t) convert)
         (ftype (function () t) library-loaded-p update-host))

(defstruct (node (:constructor make-node (tag items dimensions)) (:copier nil))
  "A container that is not made yet: the items, in a dict keys and values by turns. NEXT is the first
of them that has not had its turn."
  (tag 0 :type (unsigned-byte 32) :read-only t)
  (items #() :type simple-vector :read-only t)
  (dimensions '() :type list :read-only t)
  (next 0 :type fixnum))

(defstruct (typed (:constructor make-typed (wrapper number)) (:copier nil))
  "An object of the type with NUMBER, for which there is a lispifier."
  (wrapper nil :type pyobject-wrapper :read-only t)
  (number 0 :type (unsigned-byte 32) :read-only t))

;;; Lispifiers of types

(pyrite/port:define-global **type-lispifiers** #()
  "The lispifiers of types, (NAME . FUNCTION); a type's number is its index and 1. Never changed, but
replaced by another vector.")
(declaim (type simple-vector **type-lispifiers**))

(defvar *type-lispifiers-lock* (bt:make-lock "Pyrite lispifiers"))

(defvar *lispified* nil
  "The wrapper whose type's lispifier runs: its own value is converted as if there was none.")

(defun watch-type (name number)
  (with-utf8 (text bytes name)
    (check-status (%watch-type text bytes number))))

(defun watch-types ()
  "Tell libpyrite, which was just started, of the types that have lispifiers."
  (loop for (name . function) across **type-lispifiers**
        for number from 1
        do (watch-type name (if function number 0))))

(declaim (inline types-watched-p))
(defun types-watched-p ()
  "Whether there is a lispifier of a type."
  (let ((lispifiers **type-lispifiers**))
    (and (plusp (length lispifiers)) (some #'cdr lispifiers))))

(defun set-type-lispifier (name function)
  "Have FUNCTION, or NIL, lispify the objects of the types called NAME."
  (check-type name string)
  (bt:with-lock-held (*type-lispifiers-lock*)
    (let* ((before **type-lispifiers**)
           (index (or (position name before :key #'car :test #'string=) (length before)))
           (after (replace (make-array (max (length before) (1+ index))) before)))
      (setf (svref after index) (cons name function)
            **type-lispifiers** after
            *conversion-flags* (if (types-watched-p) (logior +as-ucs4+ +typed+) +as-ucs4+))
      (update-host)
      (when (library-loaded-p)
        (watch-type name (if function (1+ index) 0)))))
  name)

(defmacro define-lispifier (name (pyobject-var) &body body)
  "Have BODY convert the objects of the Python types called NAME, a string, from now on, in all threads.

NAME is a type's qualified name as Python prints it, such as \"datetime.date\", \"__main__.Thing\" or
\"float\", or the way to it in a loaded module (\"pandas.DataFrame\"); without a dot it is one of builtins,
else of __main__. Subclasses are not meant. BODY is evaluated with PYOBJECT-VAR bound to a
PYOBJECT-WRAPPER whenever such an object comes to Lisp, also in a container, and also when it would be
converted otherwise; its value takes the place of the object. Within BODY, (PYVALUE PYOBJECT-VAR) is what
the object is converted to otherwise, and *LISPIFIERS* and *PYTHONIZERS* are empty. Returns NAME."
  `(set-type-lispifier ,name (lambda (,pyobject-var) ,@body)))

(defun lispify-typed (typed)
  "What the lispifier of its type makes of the object in TYPED."
  (let* ((wrapper (typed-wrapper typed))
         (function (cdr (svref **type-lispifiers** (1- (typed-number typed)))))
         (*lispified* wrapper))
    (call-conversion (or function #'convert) wrapper)))

;;; Reading

(defun read-leaf (cell)
  "As DECODE-LEAF, but an object that its type's lispifier is to convert is a TYPED."
  (declare (type address cell))
  (if (and (= (cell-tag cell) +handle+) (plusp (cell-aux cell)))
      (values (make-typed (make-wrapper (cell-word cell)) (cell-aux cell)) t)
      (decode-leaf cell)))

(defun read-cells (cell)
  "The value of CELL, or a TYPED, or a NODE with all that is in it."
  (declare (type address cell))
  (let ((tasks '()))
    (labels ((item (cell)
               (multiple-value-bind (value leaf) (read-leaf cell)
                 (if leaf value (open-node cell))))
             (open-node (cell)
               (multiple-value-bind (node items) (node-of cell)
                 (when (node-p node) (push (cons node items) tasks))
                 node))
             (fill-node (node cell)
               (declare (type address cell))
               (let ((items (node-items node)))
                 (dotimes (i (length items))
                   (setf (svref items i) (item cell))
                   (incf cell +value-size+)))))
      (let ((root (item cell)))
        (loop while tasks
              do (let ((task (pop tasks)))
                   (fill-node (car task) (cdr task))))
        root))))

(defun node-of (cell)
  "A NODE for the container of CELL, and the address of its items; or a value, when that is all."
  (declare (type address cell))
  (let* ((tag (cell-tag cell)) (count (cell-aux cell)) (items (array-items (cell-word cell) cell))
         (dimensions (when (= tag +array+) (array-dimensions-at (cell-word cell)))))
    (if (and (= tag +tuple+) (zerop count))
        +py-empty-tuple+
        (values (make-node tag
                           (make-array (cond ((= tag +array+) (reduce #'* dimensions))
                                             ((= tag +dict+) (* 2 count))
                                             (t count))
                                       :initial-element nil)
                           dimensions)
                items))))

;;; Making

(defun make-container (node)
  "The container that NODE stands for."
  (let ((items (node-items node)))
    (ecase (node-tag node)
      (#.+tuple+ (coerce items 'list))
      (#.+list+ items)
      (#.+array+ (let ((array (make-array (node-dimensions node))))
                   (dotimes (i (length items) array)
                     (setf (row-major-aref array i) (svref items i)))))
      (#.+dict+ (let ((table (make-hash-table :test 'equal :size (max 7 (ash (length items) -1)))))
                  (loop for i from 0 below (length items) by 2
                        do (setf (gethash (svref items i) table) (svref items (1+ i)))
                        unless (> (* 2 (hash-table-count table)) i)
                          do (fail-to-key (svref items i)))
                  table)))))

(defun lispify-value (value)
  "What *LISPIFIERS* make of VALUE, whose items had their turn."
  (let ((entry (entry-of value *lispifiers*)))
    (if entry (call-conversion (cdr entry) value) value)))

(defun lispify-item (item)
  "What is to stand for ITEM, which is no node."
  (lispify-value (if (typed-p item) (lispify-typed item) item)))

(defun lispify-node (root)
  "The container of the node ROOT, items before containers, without using the stack for depth."
  (let ((path (list root)))
    (loop
      (let* ((node (first path)) (items (node-items node)) (next (node-next node)))
        (flet ((put (node value)
                 (setf (svref (node-items node) (node-next node)) value)
                 (incf (node-next node))))
          (cond ((= next (length items))
                 (let ((value (lispify-value (make-container node))))
                   (pop path)
                   (if path
                       (put (first path) value)
                       (return value))))
                ((node-p (svref items next)) (push (svref items next) path))
                (t (put node (lispify-item (svref items next))))))))))

;;; Results

(declaim (inline take-default))
(defun take-default (result)
  "The value of the result at the address RESULT, whose memory is freed, without lispifiers."
  (declare (type address result))
  (cond ((eql (cell-tag result) +float+) (cell-real result))
        ((zerop (cffi:mem-ref (pointer result) :uint64 +result-memory+)) (decode result))
        (t (unwind-protect (progn (check-room result) (decode result))
             (%result-free (pointer result))))))

(defun read-result (result)
  "As TAKE-DEFAULT, when lispifiers are in force: what LISPIFY-READ makes the value of."
  (declare (type address result))
  (unwind-protect (progn (check-room result) (read-cells result))
    (%result-free (pointer result))))

(defun lispify-read (read)
  "The value that READ, which READ-RESULT gave, stands for."
  (if (node-p read) (lispify-node read) (lispify-item read)))
