;;;; What is lent to Python: the memory of arrays, functions, objects of any type.
;;;;
;;;; Each loan has a number by which Python refers to it. It lasts while a call that took it out runs, and
;;;; as long after as Python keeps it: libpyrite counts how often Python came to keep a loan, and tells
;;;; each time that it let go. While it lasts, the memory of an array stays where it is.

(in-package #:pyrite)

(declaim (ftype (function () address) host))

(defstruct (loan (:constructor make-loan (object &optional storage)) (:copier nil) (:predicate nil))
  (object nil :read-only t)
  ;; The vector in whose memory the elements of an array are; NIL for other objects.
  (storage nil :read-only t)
  (id 0 :type (unsigned-byte 62))
  ;; How many calls that took it out still run.
  (calls 1 :type fixnum)
  ;; How often Python kept it and has not let go. Below 0 when it let go before the call returned.
  (kept 0 :type fixnum)
  ;; What keeps STORAGE where it is, for PYRITE/PORT:LET-GO.
  (keeper nil)
  ;; The address of a copy of the elements, where STORAGE cannot be kept; or NIL.
  (copy nil :type (or null address)))

(defconstant +loan-slot-bits+ 24 "How many bits of a loan's number are its place in the table.")

(pyrite/port:define-global **loans** (make-array 64 :initial-element nil)
  "The loans by their places; free places hold the next one's number, or NIL.")
(pyrite/port:define-global **free-place** nil "The first free place that was used before.")
(pyrite/port:define-global **used-places** 0 "How many places were ever used.")
(pyrite/port:define-global **loan-serial** 0 "What tells the loans of one place apart.")
(pyrite/port:define-global **lent-objects** (make-hash-table :test 'eq)
  "The loans of other objects than arrays.")
(pyrite/port:define-global **loans-lock** (pyrite/port:make-lock "Pyrite loans"))
(declaim (type simple-vector **loans**))

(defmacro with-loans (&body body)
  `(pyrite/port:with-lock (**loans-lock**) ,@body))

(defun forget-loans ()
  "Forget all loans: in a restarted image there is no Python that has any."
  (setf **loans** (make-array 64 :initial-element nil)
        **free-place** nil
        **used-places** 0
        **lent-objects** (make-hash-table :test 'eq)
        **loans-lock** (pyrite/port:make-lock "Pyrite loans")))

(pyrite/port:add-restart-hook 'forget-loans)

(defun take-place ()
  "A free place in the table."
  (let ((place **free-place**))
    (cond (place
           (setf **free-place** (svref **loans** place))
           place)
          (t
           (when (= **used-places** (length **loans**))
             (when (= **used-places** (ash 1 +loan-slot-bits+))
               (fail 'pyrite-error "Python keeps more than 2^~D Lisp objects." +loan-slot-bits+))
             (setf **loans** (replace (make-array (* 2 **used-places**) :initial-element nil) **loans**)))
           (1- (incf **used-places**))))))

(defun add-loan (loan)
  "Put LOAN, which is new, into the table, and return it."
  (let ((place (take-place)) (serial (incf **loan-serial**)))
    (setf (loan-id loan) (logior place (ash (ldb (byte (- 62 +loan-slot-bits+) 0) serial) +loan-slot-bits+))
          (svref **loans** place) loan)
    loan))

(defun find-loan (id)
  "The loan of the number ID, or NIL."
  (let* ((loans **loans**) (place (ldb (byte +loan-slot-bits+ 0) id))
         (loan (and (< place (length loans)) (svref loans place))))
    (and (typep loan 'loan) (= (loan-id loan) id) loan)))

(defun end-loan-if-over (loan)
  "Take LOAN out of the table if neither a call nor Python has it."
  (when (and (zerop (loan-calls loan)) (zerop (loan-kept loan)))
    (let ((place (ldb (byte +loan-slot-bits+ 0) (loan-id loan))))
      (setf (svref **loans** place) **free-place**
            **free-place** place))
    (unless (loan-storage loan) (remhash (loan-object loan) **lent-objects**))
    (when (loan-keeper loan) (pyrite/port:let-go (shiftf (loan-keeper loan) nil)))
    (when (loan-copy loan) (cffi:foreign-free (pointer (shiftf (loan-copy loan) nil))))))

;;; Taking out

(defun note-loan (loan cell frame)
  "Write to CELL that LOAN is lent for FRAME's call; the address of its pyr_loan, which is zero but for
the number."
  (let* ((address (allocate frame +loan-size+)) (pointer (pointer address)))
    (loop for offset from 8 below +loan-size+ by 8
          do (setf (cffi:mem-ref pointer :uint64 offset) 0))
    (setf (cffi:mem-ref pointer :uint64) (loan-id loan))
    (push (cons loan address) (frame-loans frame))
    (write-cell cell +loan+ 0 address)
    address))

(defun lend-object (object kind cell frame)
  "Write OBJECT, lent as the KIND +LENT-OBJECT+ or +LENT-FUNCTION+, to CELL. Python can ask us about it."
  (collect-loans)
  (let ((loan (with-loans
                (let ((known (gethash object **lent-objects**)))
                  (cond (known (incf (loan-calls known)) known)
                        (t (setf (gethash object **lent-objects**) (add-loan (make-loan object)))))))))
    (let ((pointer (pointer (note-loan loan cell frame))))
      (setf (cffi:mem-ref pointer :uint32 +loan-kind+) kind
            (cffi:mem-ref pointer :uint64 +loan-host+) (host)))))

(defun lend-array (array element cell frame)
  "Write ARRAY, of ELEMENTs, lent with its memory, to CELL."
  (declare (type array array) (type fixnum element))
  (collect-loans)
  (multiple-value-bind (storage start) (pyrite/port:array-storage array)
    (declare (type fixnum start))
    (let* ((loan (with-loans (add-loan (make-loan array storage))))
           (address (note-loan loan cell frame))
           (size (the (integer 1 16) (aref *element-sizes* (1- element))))
           (data (lend-memory loan (* size start) (* size (element-count array)) frame)))
      (setf (cffi:mem-ref (pointer address) :uint32 +loan-kind+) +lent-array+
            (cffi:mem-ref (pointer address) :uint64 +loan-array+)
            (describe-array array element data frame)))))

(defun lend-memory (loan offset bytes frame)
  "The address of BYTES from OFFSET on in the storage of LOAN, which stay there; or else of a copy."
  (let ((storage (loan-storage loan)))
    (cond ((zerop bytes) 0)
          ((not (pyrite/port:keepable-p storage)) (lend-copy loan bytes))
          (t
           (unless (pin storage frame)
             (with-loans (setf (loan-keeper loan) (pyrite/port:keep storage))))
           (+ (pyrite/port:vector-address storage) offset)))))

(defun lend-copy (loan bytes)
  "The address of a copy of the BYTES of LOAN's array, which go back into it when the call is over."
  (let ((copy (cffi:pointer-address (cffi:foreign-alloc :uint8 :count bytes))))
    (setf (loan-copy loan) copy)
    (pyrite/port:copy-array-to-memory (loan-object loan) copy bytes)
    copy))

;;; Giving back

(defun settle-loans (frame)
  "FRAME's call is over: keep what Python kept of its loans, end the others."
  (loop for (loan . address) in (frame-loans frame)
        for kept = (cffi:mem-ref (pointer address) :uint32 +loan-kept+)
        do (when (loan-copy loan) (copy-back loan))
           (with-loans
             (incf (loan-kept loan) kept)
             (decf (loan-calls loan))
             ;; While FRAME has it pinned still.
             (when (and (plusp (loan-kept loan)) (loan-storage loan)
                        (not (or (loan-keeper loan) (loan-copy loan))))
               (setf (loan-keeper loan) (pyrite/port:keep (loan-storage loan))))
             (end-loan-if-over loan)))
  (setf (frame-loans frame) '()))

(defun copy-back (loan)
  "Copy what Python made of the copy of LOAN's array into the array."
  (let ((array (loan-object loan)))
    (pyrite/port:copy-memory-to-array
     (loan-copy loan) array
     (* (element-count array) (aref *element-sizes* (1- (array-element-number array)))))))

(defun released-count ()
  "How many times Python let go of a loan and nobody has asked."
  (cffi:with-foreign-object (count :size)
    (if (eql +ok+ (%take-released (cffi:null-pointer) 0 count))
        (cffi:mem-ref count :size)
        0)))

(defun collect-released ()
  "End the loans that Python let go of. The table is locked."
  (cffi:with-foreign-objects ((ids :uint64 64) (count :size))
    (loop repeat (ceiling (released-count) 64)
          do (%take-released ids 64 count)
             (dotimes (i (cffi:mem-ref count :size))
               (let ((loan (find-loan (cffi:mem-aref ids :uint64 i))))
                 (when loan
                   (decf (loan-kept loan))
                   (end-loan-if-over loan)))))))

(defun collect-loans ()
  "End the loans that Python let go of, unless another thread is at it. Called before something is lent,
and after a garbage collection."
  (when (plusp (released-count))
    (pyrite/port:with-free-lock (**loans-lock**)
      (collect-released))))

(pyrite/port:add-gc-hook 'collect-loans)

(defun lent-object (id)
  "The object of the loan ID, which Python gave back."
  (let ((loan (find-loan id)))
    (if loan
        (loan-object loan)
        (fail 'pyrite-error "Python gave back a Lisp object that it does not have (~D)." id))))
