;;;; Views of Python's memory: what they are, and how long they are good.

(in-package #:pyrite)

(pyrite/port:define-global **image** 1
  "A number for each time that this image was started: the memory of views of another is gone.")
(declaim (type (and fixnum (integer 1)) **image**))

(defun forget-views ()
  "Have every view count as released."
  (incf **image**))

(pyrite/port:add-restart-hook 'forget-views)

(deftype numbers () '(simple-array (signed-byte 64) (*)))

(defstruct (pyarray (:conc-name view-) (:constructor make-view) (:copier nil) (:predicate nil))
  "A view of the memory of a Python object: the elements of a numpy array, say, where they are.

Made by VIEW-PYARRAY, MAKE-PYARRAY and WITH-PYARRAY. Passed to Python it is the object that it views."
  (wrapper nil :type pyobject-wrapper :read-only t)
  (id 0 :type (unsigned-byte 62) :read-only t)
  (address 0 :type (unsigned-byte 62) :read-only t)
  ;; The pyr_element; 0 when it is none of ours.
  (element 0 :type (integer 0 13) :read-only t)
  (format "" :type string :read-only t)
  (item-size 0 :type (unsigned-byte 62) :read-only t)
  (sizes nil :type numbers :read-only t)
  (strides nil :type numbers :read-only t)
  (writable-p nil :type boolean :read-only t)
  ;; **IMAGE** while the view is good, 0 once it is released.
  (life **image** :type fixnum)
  ;; How many WITH-PYARRAYs want the memory to stay. Once the view is released, the last gives it back.
  (holds 0 :type fixnum)
  ;; For LIFE and HOLDS, and for reading and writing where no WITH-PYARRAY keeps the memory.
  (lock (bt:make-recursive-lock "Pyrite view") :read-only t))

(defmacro with-view-lock ((view) &body body)
  "Evaluate BODY, which calls no code of users, while no other thread releases VIEW."
  `(bt:with-recursive-lock-held ((view-lock ,view)) ,@body))

(declaim (inline alive-p view-rank))
(defun alive-p (view)
  "Whether VIEW is not released."
  (= (view-life view) **image**))

(defun view-rank (view)
  (length (view-sizes view)))

;;; What users ask

(declaim (ftype (function (pyarray) (values fixnum &optional))
                pyarray-rank pyarray-total-size pyarray-item-size)
         (ftype (function (pyarray) (values list &optional)) pyarray-dimensions pyarray-strides))

(defun pyarray-p (object)
  "True when OBJECT is a PYARRAY."
  (typep object 'pyarray))

(defun pyarray-element-type (pyarray)
  "The Lisp type of the elements of PYARRAY, such as DOUBLE-FLOAT; NIL when no Lisp type stands for them.

Truth values are of type BIT. PYARRAY-FORMAT tells what the others are."
  (let ((element (view-element pyarray)))
    (if (zerop element) nil (aref *element-types* (1- element)))))

(defun pyarray-dimensions (pyarray)
  "The dimensions of PYARRAY, a fresh list."
  (coerce (view-sizes pyarray) 'list))

(defun pyarray-rank (pyarray)
  "The number of dimensions of PYARRAY; 0 for a single element."
  (view-rank pyarray))

(defun pyarray-total-size (pyarray)
  "The number of elements of PYARRAY."
  (reduce #'* (view-sizes pyarray)))

(defun pyarray-strides (pyarray)
  "For each dimension of PYARRAY, how many bytes further the next element is: a fresh list of integers,
which may be negative or 0."
  (coerce (view-strides pyarray) 'list))

(defun pyarray-format (pyarray)
  "The type of the elements of PYARRAY as Python's buffer protocol writes it, a string such as \"d\"."
  (view-format pyarray))

(defun pyarray-item-size (pyarray)
  "The size in bytes of an element of PYARRAY."
  (view-item-size pyarray))

(defun pyarray-writable-p (pyarray)
  "True when the elements of PYARRAY can be set."
  (view-writable-p pyarray))

(defun pyarray-released-p (pyarray)
  "True when PYARRAY was released, or is from before the image was saved."
  (not (alive-p pyarray)))

(defun pyarray-pointer (pyarray)
  "A foreign pointer to the first element of PYARRAY, the one whose subscripts are all 0.

It is good until PYARRAY is released or garbage: keep PYARRAY, or use the pointer in WITH-PYARRAY only.
Signals RELEASED-PYARRAY."
  (unless (alive-p pyarray) (fail-released pyarray))
  (pointer (view-address pyarray)))

(defmethod print-object ((view pyarray) stream)
  (print-unreadable-object (view stream :identity t)
    (format stream "PYARRAY ~:[of format ~S~;~:*~S~*~] ~:S~@[ ~A~]"
            (pyarray-element-type view) (view-format view) (pyarray-dimensions view)
            (if (alive-p view) nil "released"))))

;;; What goes wrong

(define-condition released-pyarray (pyrite-error) ()
  (:documentation "A PYARRAY was read or written that is released, or is from before the image was
saved: its memory is gone."))

(define-condition pyarray-subscript-error (pyrite-error type-error) ()
  (:documentation "A subscript of a PYARRAY is no integer, or is out of bounds."))

(declaim (ftype (function (t) nil) fail-released fail-read-only fail-unknown-element)
         (ftype (function (t t t) nil) fail-subscript)
         (ftype (function (t t) nil) fail-rank))

(defun view-message (control &rest arguments)
  "CONTROL formatted with ARGUMENTS, views and types among them."
  (let ((*print-pretty* nil) (*print-readably* nil))
    (apply #'format nil control arguments)))

(defun fail-view (control &rest arguments)
  (fail 'pyrite-error "~A" (apply #'view-message control arguments)))

(defun fail-released (view)
  (fail 'released-pyarray "~A"
        (view-message "~S cannot be read or written any more. VIEW-PYARRAY makes another view of the same ~
                       object." view)))

(defun fail-read-only (view)
  (fail-view "~S is read-only: its object allows nobody to write to it. Write to a copy, such as numpy.copy ~
              gives." view))

(defun fail-unknown-element (view)
  (fail-view "No Lisp type stands for the elements of ~S. Have Python convert them, with the method astype of ~
              numpy's arrays, say, or read them from PYARRAY-POINTER." view))

(defun fail-subscript (view axis subscript)
  (let ((size (aref (view-sizes view) axis)))
    (error 'pyarray-subscript-error
           :datum subscript :expected-type `(integer 0 (,size))
           :message (view-message "The subscript ~S of dimension ~D is out of bounds in ~S: it must be an ~
                                   integer from 0 below ~D." subscript axis view size))))

(defun fail-rank (view count)
  (fail-view "~D subscript~:P for ~S, which has ~D dimension~:P." count view (view-rank view)))
