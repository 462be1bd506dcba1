;;;; What is lent to Python: the memory of arrays, functions, objects of any type.
;;;;
;;;; Each loan has a number by which Python refers to it. It lasts while a call that took it out runs, and
;;;; as long after as Python keeps it: libpyrite counts how often Python came to keep a loan, and tells
;;;; each time that it let go. While it lasts, the memory of an array stays where it is.

(in-package #:pyrite)

(declaim (ftype (function () address) host))

(defstruct (loan (:constructor make-loan (object &optional storage original))
                 (:copier nil) (:predicate nil))
  (object nil)
  ;; In whose memory the elements of an array are: see PYRITE/PORT:ARRAY-STORAGE. NIL for other objects.
  (storage nil :read-only t)
  ;; The array on the stack for which OBJECT, a copy in the heap, stands in until the call is over; or NIL.
  (original nil)
  (id 0 :type (unsigned-byte 62))
  ;; How often calls that still run took it out.
  (calls 0 :type fixnum)
  ;; How often Python kept it and has not let go. Below 0 when it let go before the call returned.
  (kept 0 :type fixnum)
  ;; What keeps STORAGE where it is, for PYRITE/PORT:LET-GO.
  (keeper nil)
  ;; The address of a copy of the elements, where STORAGE cannot be kept; or NIL.
  (copy nil :type (or null address))
  ;; How many bytes it has.
  (copy-bytes 0 :type (unsigned-byte 48)))

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

(defun check-places ()
  "Signal an error when nothing more can be lent. Not while the table is locked, hence the margin."
  (when (and (null **free-place**) (> **used-places** (- (ash 1 +loan-slot-bits+) 1000)))
    (fail 'pyrite-error "Python keeps 2^~D Lisp objects: more cannot be lent to it." +loan-slot-bits+)))

(defun take-place ()
  "A free place in the table."
  (let ((place **free-place**))
    (cond (place
           (setf **free-place** (svref **loans** place))
           place)
          (t
           (when (= **used-places** (length **loans**))
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

(defun write-loan (kind cell frame)
  "Write to CELL that something is lent as KIND; the address of its pyr_loan, which is zero otherwise."
  (check-places)
  (let* ((address (allocate frame +loan-size+)) (pointer (pointer address)))
    (loop for offset from 0 below +loan-size+ by 8
          do (setf (cffi:mem-ref pointer :uint64 offset) 0))
    (setf (cffi:mem-ref pointer :uint32 +loan-kind+) kind)
    (write-cell cell +loan+ 0 address)
    address))

(defun take-out (loan address frame)
  "Have FRAME's call take out LOAN, whose pyr_loan is at ADDRESS. In one piece with making LOAN, while the
table is locked: no interrupt comes between, after which nobody would end it."
  (setf (cffi:mem-ref (pointer address) :uint64) (loan-id loan))
  (incf (loan-calls loan))
  (push (cons loan address) (frame-loans frame))
  loan)

(defun lend-object (object kind cell frame)
  "Write OBJECT, lent as the KIND +LENT-OBJECT+ or +LENT-FUNCTION+, to CELL. Python can ask us about it."
  (collect-loans)
  (let ((host (host)) (address (write-loan kind cell frame)))
    (setf (cffi:mem-ref (pointer address) :uint64 +loan-host+) host)
    (with-loans
      (take-out (or (gethash object **lent-objects**)
                    (setf (gethash object **lent-objects**) (add-loan (make-loan object))))
                address frame))))

(defun lend-array (array element cell frame)
  "Write ARRAY, of ELEMENTs, lent with its memory, to CELL."
  (declare (type array array) (type fixnum element))
  (collect-loans)
  (let* ((address (write-loan +lent-array+ cell frame))
         (dimensions (lent-dimensions array))
         (size (aref *element-sizes* (1- element)))
         (count (reduce #'* dimensions))
         (stackp (pyrite/port:on-stack-p array))
         (data (if (or stackp (not (pyrite/port:keepable-p (pyrite/port:array-storage array))))
                   (or (lend-copy-again array address frame)
                       (lend-copy array stackp count size address frame))
                   (lend-memory array nil count size address frame))))
    (setf (cffi:mem-ref (pointer address) :uint64 +loan-array+)
          (describe-array dimensions element data frame))))

(defun lend-memory (array original count size address frame)
  "Lend ARRAY, which had COUNT elements of SIZE bytes, by the pyr_loan at ADDRESS. The address of its memory,
which stays there."
  (declare (type array array) (type (unsigned-byte 48) count) (type (integer 1 16) size))
  (multiple-value-bind (storage start room) (pyrite/port:array-storage array)
    (declare (type (unsigned-byte 48) start) (type fixnum room))
    ;; Another thread may have adjusted it.
    (when (> count room) (fail-changed array))
    (let ((loan (with-loans (take-out (add-loan (make-loan array storage original)) address frame))))
      (cond ((zerop count) 0)
            (t
             (unless (pin storage frame)
               (with-loans (setf (loan-keeper loan) (pyrite/port:keep storage))))
             (+ (the address (pyrite/port:vector-address storage)) (* start size)))))))

(defun lend-copy (array stackp count size address frame)
  "Lend a copy of ARRAY, which goes back into it when the call is over. The address of its memory."
  (let* ((original (when stackp array)) (array (if stackp (copy-in-heap array) array))
         (storage (pyrite/port:array-storage array)) (bytes (* count size)))
    (if (pyrite/port:keepable-p storage)
        (lend-memory array original count size address frame)
        (let ((loan (with-loans (take-out (add-loan (make-loan array storage original)) address frame))))
          (with-loans
            (setf (loan-copy loan) (cffi:pointer-address (cffi:foreign-alloc :uint8 :count bytes))
                  (loan-copy-bytes loan) bytes))
          (pyrite/port:copy-array-to-memory array (loan-copy loan) bytes)
          (loan-copy loan)))))

(defun lend-copy-again (array address frame)
  "Lend ARRAY by the pyr_loan at ADDRESS, too, if FRAME's call has a copy of it: what is written to the one
must be seen in the other. The address of the copy, or NIL."
  (loop for (loan) in (frame-loans frame)
        when (or (eq array (loan-original loan))
                 (and (loan-copy loan) (eq array (loan-object loan))))
          do (with-loans (take-out loan address frame))
             (return (or (loan-copy loan) (pyrite/port:vector-address (loan-storage loan))))))

(defun copy-in-heap (array)
  "A fresh array of the dimensions and elements of ARRAY."
  (let ((copy (make-array (lent-dimensions array) :element-type (array-element-type array))))
    (dotimes (i (array-total-size copy) copy)
      (setf (row-major-aref copy i) (row-major-aref array i)))))

;;; Giving back

(defun settle-loans (frame)
  "FRAME's call is over: keep what Python kept of its loans, end the others."
  (loop for (loan . address) in (frame-loans frame)
        for kept = (cffi:mem-ref (pointer address) :uint32 +loan-kept+)
        do (copy-back loan)
           (with-loans
             (incf (loan-kept loan) kept)
             (decf (loan-calls loan))
             ;; While FRAME has it pinned still.
             (when (and (plusp (loan-kept loan)) (loan-storage loan)
                        (not (or (loan-keeper loan) (loan-copy loan))))
               (setf (loan-keeper loan) (pyrite/port:keep (loan-storage loan))))
             (when (and (plusp (loan-kept loan)) (zerop (loan-calls loan)) (not (loan-storage loan)))
               (forget-if-on-stack loan))
             (end-loan-if-over loan)))
  (setf (frame-loans frame) '()))

(defun forget-if-on-stack (loan)
  "Have nobody see the object of LOAN, which Python has, any more if it is on the stack: when its extent ends
is not known, and Python may ask about it after that. The table is locked."
  (let ((object (loan-object loan)))
    (when (pyrite/port:on-stack-p object)
      (remhash object **lent-objects**)
      (setf (loan-object loan) '+ended+))))

(defun copy-back (loan)
  "Copy what Python made of a copy of LOAN's array into the array. One on the stack is forgotten then."
  (let ((array (loan-object loan)) (original (loan-original loan)))
    (when (loan-copy loan)
      ;; No more than there is room for: the array may have been adjusted meanwhile.
      (let ((bytes (* (element-count array) (aref *element-sizes* (1- (array-element-number array))))))
        (pyrite/port:copy-memory-to-array (loan-copy loan) array (min bytes (loan-copy-bytes loan)))))
    (when original
      (dotimes (i (min (array-total-size array) (array-total-size original)))
        (setf (row-major-aref original i) (row-major-aref array i)))
      (setf (loan-original loan) nil))))

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
  "End the loans that Python let go of, unless another thread is at it. Called before something is lent."
  (when (plusp (released-count))
    (pyrite/port:with-free-lock (**loans-lock**)
      (collect-released))))

(defun collect-loans-after-gc ()
  (when (loaded-here-p) (collect-loans)))

(pyrite/port:add-gc-hook 'collect-loans-after-gc)

(defun lent-object (id)
  "The object of the loan ID, which Python gave back."
  (let* ((loan (find-loan id)) (object (and loan (or (loan-original loan) (loan-object loan)))))
    (cond ((null loan)
           (fail 'pyrite-error "Python gave back a Lisp object that it does not have (~D)." id))
          ((eq object '+ended+)
           (fail 'stale-object "The Lisp object is gone: it had dynamic extent, and Python kept it when the call ~
                                that it was passed to was over."))
          (t object))))
