;;;; The elements of views.
;;;;
;;;; PYAREF works on any view, by its element type, under its lock. Where WITH-PYARRAY says what the view
;;;; is, a call of PYAREF compiles to checks and one load: the variable is a symbol macro whose expansion,
;;;; TYPED-VIEW, tells PYAREF's compiler macro and setf expander where everything is.

(in-package #:pyrite)

;;; One element, by the number of its type

(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun element-unit (element)
    "CFFI's name of what an ELEMENT is made of, and the size of that when there are two of them."
    (case element
      (1 :float)
      (2 :double)
      (11 (values :float 4))
      (12 (values :double 8))
      (#.+bool8+ :uint8)
      (t (aref *integer-types* (- element 3)))))

  ;; Not every implementation's MEM-REF takes negative offsets.
  (defun load-form (element pointer offset)
    "A form for the ELEMENT at OFFSET from POINTER, both variables."
    (multiple-value-bind (unit second) (element-unit element)
      (let* ((place (gensym "PLACE")) (first `(cffi:mem-ref ,place ,unit)))
        `(let ((,place (cffi:inc-pointer ,pointer ,offset)))
           ,(cond (second `(complex ,first (cffi:mem-ref ,place ,unit ,second)))
                  ((= element +bool8+) `(if (zerop ,first) 0 1))
                  (t first))))))

  (defun store-form (element pointer offset value)
    "A form that stores VALUE, a variable, as the ELEMENT at OFFSET from POINTER."
    (multiple-value-bind (unit second) (element-unit element)
      (let ((place (gensym "PLACE")))
        `(let ((,place (cffi:inc-pointer ,pointer ,offset)))
           ,(if second
                `(setf (cffi:mem-ref ,place ,unit) (realpart ,value)
                       (cffi:mem-ref ,place ,unit ,second) (imagpart ,value))
                `(setf (cffi:mem-ref ,place ,unit) ,value))))))

  (defun element-type-of (element)
    (aref *element-types* (1- element))))

(defmacro element-case (element function)
  "The form that FUNCTION, a constant lambda, gives for the number that ELEMENT is."
  (let ((function (coerce function 'function)))
    `(ecase ,element
       ,@(loop for number from 1 to (length *element-types*)
               collect `(,number ,(funcall function number))))))

(defun load-element (element address offset)
  (declare (type fixnum offset) (type address address))
  (let ((pointer (pointer address)))
    (element-case element (lambda (number) (load-form number 'pointer 'offset)))))

(defun store-element (element address offset value)
  (declare (type fixnum offset) (type address address))
  (let ((pointer (pointer address)))
    (element-case element
      (lambda (number)
        `(let ((value value))
           (declare (type ,(element-type-of number) value))
           ,(store-form number 'pointer 'offset 'value)))))
  nil)

(declaim (ftype (function (t t) nil) fail-type))
(defun fail-type (value type)
  (error 'type-error :datum value :expected-type type))

(defun check-element (value element)
  "Signal a TYPE-ERROR unless VALUE is of the type of ELEMENTs."
  (element-case element
    (lambda (number)
      (let ((type (element-type-of number)))
        `(unless (typep value ',type) (fail-type value ',type))))))

;;; Any view

(declaim (inline checked-subscript))
(defun checked-subscript (subscript size view axis)
  "SUBSCRIPT, which is in bounds."
  (declare (type fixnum size))
  (if (and (typep subscript 'fixnum) (<= 0 subscript) (< subscript size))
      subscript
      (fail-subscript view axis subscript)))

(defun subscripts-offset (view subscripts)
  "How many bytes after the first element of VIEW the one with SUBSCRIPTS is."
  (declare (type pyarray view) (type list subscripts))
  (let ((sizes (view-sizes view)) (strides (view-strides view)))
    (unless (= (length subscripts) (length sizes))
      (fail-rank view (length subscripts)))
    (loop for subscript in subscripts
          for axis from 0
          sum (* (checked-subscript subscript (aref sizes axis) view axis) (aref strides axis)))))

(defun row-major-offset (view index)
  "The same for the one with the row-major INDEX."
  (declare (type pyarray view))
  (let ((sizes (view-sizes view)) (count (pyarray-total-size view)) (rest index))
    (unless (and (integerp index) (< -1 index count))
      (error 'pyarray-subscript-error
             :datum index :expected-type `(integer 0 (,count))
             :message (view-message "The row-major index ~S is out of bounds in ~S, which has ~D element~:P."
                                    index view count)))
    (loop for axis from (1- (length sizes)) downto 0
          sum (multiple-value-bind (quotient subscript) (floor rest (aref sizes axis))
                (setf rest quotient)
                (* subscript (aref (view-strides view) axis))))))

(defun view-element-at (view offset)
  "The element of VIEW that is OFFSET bytes after the first."
  (let ((element (view-element view)))
    (when (zerop element) (fail-unknown-element view))
    (multiple-value-bind (value done)
        (with-view-lock (view)
          (when (alive-p view)
            (values (load-element element (view-address view) offset) t)))
      (if done value (fail-released view)))))

(defun (setf view-element-at) (new-value view offset)
  (let ((element (view-element view)))
    (when (zerop element) (fail-unknown-element view))
    (unless (view-writable-p view) (fail-read-only view))
    (check-element new-value element)
    (unless (with-view-lock (view)
              (when (alive-p view)
                (store-element element (view-address view) offset new-value)
                t))
      (fail-released view))
    new-value))

(defun pyaref (pyarray &rest subscripts)
  "The element of PYARRAY with SUBSCRIPTS, integers, as AREF. Can be set, when PYARRAY-WRITABLE-P.

Nothing is converted but the element: truth values are 0 and 1. Within a WITH-PYARRAY that tells element
type and rank, this compiles to a load from memory. Signals PYARRAY-SUBSCRIPT-ERROR, RELEASED-PYARRAY, and
PYRITE-ERROR for a wrong number of subscripts, for elements that no Lisp type stands for, and when a
read-only PYARRAY is set; TYPE-ERROR when it is set to a value that is not of its element type."
  (declare (dynamic-extent subscripts))
  (view-element-at pyarray (subscripts-offset pyarray subscripts)))

(defun set-pyaref (new-value pyarray &rest subscripts)
  (declare (dynamic-extent subscripts))
  (setf (view-element-at pyarray (subscripts-offset pyarray subscripts)) new-value))

(defun row-major-pyaref (pyarray index)
  "The element of PYARRAY whose row-major index, whatever its strides, is INDEX. Can be set. As PYAREF."
  (view-element-at pyarray (row-major-offset pyarray index)))

(defun (setf row-major-pyaref) (new-value pyarray index)
  (setf (view-element-at pyarray (row-major-offset pyarray index)) new-value))

;;; Views of which WITH-PYARRAY says what they are

(defmacro typed-view (view &rest plan)
  "VIEW, a variable. PLAN, for who expands PYAREF of it: element, pointer, whether it is writable, and
for each dimension size and stride, all variables but the first."
  (declare (ignore plan))
  view)

(defun typed-plan (array count environment)
  "What follows TYPED-VIEW in the expansion of the form ARRAY, when PYAREF of it with COUNT subscripts can
be compiled; else NIL."
  (let ((expansion (if (symbolp array) (macroexpand-1 array environment) array)))
    (when (and (consp expansion) (eq (first expansion) 'typed-view)
               (= count (length (nthcdr 5 expansion))))
      (rest expansion))))

(defun typed-access-form (plan subscripts body)
  "A form that binds a variable to the offset of the element with SUBSCRIPTS, variables, around the form
that the function BODY makes of element, pointer and that variable."
  (destructuring-bind (view element pointer writable &rest axes) plan
    (declare (ignore writable))
    (let ((checked (loop for nil in axes collect (gensym "SUBSCRIPT"))) (offset (gensym "OFFSET")))
      `(let (,@(loop for (size) in axes
                     for subscript in subscripts
                     for variable in checked
                     for axis from 0
                     collect `(,variable (checked-subscript ,subscript ,size ,view ,axis))))
         (declare (type fixnum ,@checked))
         (unless (alive-p ,view) (fail-released ,view))
         ;; In bounds, no sum is larger than the memory is.
         (let ((,offset (locally (declare (optimize (safety 0)))
                          (the fixnum (+ 0 ,@(loop for (nil stride) in axes
                                                   for variable in checked
                                                   collect `(the fixnum (* ,variable ,stride))))))))
           (declare (type fixnum ,offset))
           ,(funcall body element pointer offset))))))

(defun typed-load-form (plan subscripts)
  (typed-access-form plan subscripts #'load-form))

(defun typed-store-form (plan subscripts value)
  (destructuring-bind (view element pointer writable &rest axes) plan
    (declare (ignore pointer axes))
    `(progn
       (unless ,writable (fail-read-only ,view))
       (unless (typep ,value ',(element-type-of element)) (fail-type ,value ',(element-type-of element)))
       ,(typed-access-form plan subscripts (lambda (element pointer offset)
                                             (store-form element pointer offset value)))
       ,value)))

(defun gensyms (list)
  (loop for nil in list collect (gensym "SUBSCRIPT")))

(define-compiler-macro pyaref (&whole form array &rest subscripts &environment environment)
  (let ((plan (typed-plan array (length subscripts) environment)) (variables (gensyms subscripts)))
    (if plan
        `(let ,(mapcar #'list variables subscripts)
           ,(typed-load-form plan variables))
        form)))

;;; Setting has both an expander and a function, for what is set by (apply #'pyaref ...). Implementations
;;; find that odd in a DEFUN.
(eval-when (:load-toplevel :execute)
  (fmakunbound '(setf pyaref)))

(declaim (ftype function (setf pyaref)))

(define-setf-expander pyaref (array &rest subscripts &environment environment)
  (let ((plan (typed-plan array (length subscripts) environment))
        (view (gensym "VIEW")) (variables (gensyms subscripts)) (value (gensym "VALUE")))
    (if plan
        (values variables subscripts (list value)
                ;; A call whose last arguments are the subscripts: APPLY may be made of it.
                (let ((parameters (gensyms subscripts)))
                  `(funcall (lambda (,value ,@parameters) ,(typed-store-form plan parameters value))
                            ,value ,@variables))
                `(pyaref ,array ,@variables))
        (values (cons view variables) (cons array subscripts) (list value)
                `(funcall #'(setf pyaref) ,value ,view ,@variables)
                `(pyaref ,view ,@variables)))))

(setf (fdefinition '(setf pyaref)) #'set-pyaref)
