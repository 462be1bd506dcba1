;;;; The memory of one call: the result and the cells of the arguments on the stack, what they point
;;;; to in blocks that are freed when the call is over.

(in-package #:pyrite)

(defconstant +stack-cells+ 16 "How many cells of arguments fit on the stack.")
(defconstant +quick-cells+ 8 "How many cells a call takes at the most that needs no other memory.")
(defconstant +immediates+ (- +quick-cells+ 2) "How many arguments such a call takes at the most.")
(defconstant +stack-bytes+ (+ +result-size+ (* +value-size+ +stack-cells+)))
(defconstant +block-bytes+ 16000 "The size of the first block.")

(deftype address () '(unsigned-byte 62))

(declaim (inline make-frame))
(defstruct (frame (:constructor make-frame (stack next end pins)) (:copier nil))
  "One call's memory. NEXT and END are the addresses of the free room."
  (stack 0 :type address :read-only t)
  (next 0 :type address)
  (end 0 :type address)
  (blocks '() :type list)
  (block-bytes +block-bytes+ :type (unsigned-byte 48))
  (pins nil :read-only t)
  (pin-count 0 :type fixnum)
  ;; What is lent for the call, with the addresses of the pyr_loans: see loans.lisp.
  (loans '() :type list)
  ;; Containers whose items are still to be written: see encode.lisp.
  (tasks '() :type list)
  ;; What must live as long as the call, though only its cells know it.
  (kept '() :type list)
  ;; The objects whose PYTHONIZE methods made what is being written: see pythonize.lisp.
  (origin '() :type list)
  ;; What owns the result, and what came of the call: see crossing.lisp.
  (taker nil :type (or null function))
  (outcome nil))

(defun keep (value frame)
  "VALUE, which lives until FRAME's call is over."
  (push value (frame-kept frame))
  value)

(declaim (ftype (function (frame) t) settle-loans))

(declaim (inline frame-result pointer))
(defun pointer (address)
  "ADDRESS as a foreign pointer."
  (cffi:make-pointer address))

(defun frame-result (frame)
  "The address of the result of FRAME's call."
  (frame-stack frame))

(defun free-blocks (blocks)
  (mapc #'cffi:foreign-free blocks))

(declaim (inline call-with-frame))
(defun call-with-frame (function pointer pins)
  "Call FUNCTION with a frame whose memory on the stack is at POINTER."
  (declare (type function function) (optimize speed))
  (let* ((stack (cffi:pointer-address pointer))
         (frame (make-frame stack (+ stack +result-size+) (+ stack +stack-bytes+) pins)))
    (declare (dynamic-extent frame) (type address stack))
    (pyrite/port:with-cleanup
        (funcall function frame)
      (when (frame-loans frame) (settle-loans frame))
      (when (frame-blocks frame) (free-blocks (frame-blocks frame))))))

(defmacro with-frame ((frame) &body body)
  "Bind FRAME to the memory of a call for BODY."
  (let ((pointer (gensym "POINTER")) (pins (gensym "PINS")))
    `(cffi:with-foreign-pointer (,pointer ,+stack-bytes+)
       (pyrite/port:with-pins (,pins)
         (call-with-frame (lambda (,frame) (declare (type frame ,frame)) ,@body) ,pointer ,pins)))))

(defun add-block (frame bytes)
  "Make room for BYTES in FRAME."
  (let* ((size (max bytes (frame-block-bytes frame)))
         ;; An interrupt that left malloc halfway would leave the heap of C locked.
         (block (pyrite/port:without-interrupts
                  (first (push (cffi:foreign-alloc :uint8 :count size) (frame-blocks frame))))))
    (setf (frame-next frame) (cffi:pointer-address block)
          (frame-end frame) (+ (frame-next frame) size)
          (frame-block-bytes frame) (min (* 2 size) (ash 1 24)))))

(declaim (inline allocate))
(defun allocate (frame bytes)
  "The address of BYTES of room in FRAME, aligned for a cell."
  (declare (type (unsigned-byte 48) bytes))
  (let ((bytes (logandc2 (+ bytes 15) 15)))
    (when (> (+ (frame-next frame) bytes) (frame-end frame))
      (add-block frame bytes))
    (prog1 (frame-next frame)
      (incf (frame-next frame) bytes))))

(declaim (inline allocate-cells))
(defun allocate-cells (frame count)
  "The address of COUNT cells in FRAME."
  (allocate frame (* +value-size+ (the (unsigned-byte 40) count))))

(defstruct (made (:constructor make-made (value origin)) (:copier nil))
  "A container that PYTHONIZE made, and the objects that it was made of, innermost first."
  (value nil :read-only t)
  (origin '() :type list :read-only t))

;;; Cells

(declaim (inline cell-tag cell-aux cell-word cell-handle cell-integer cell-real write-head write-word
                 write-cell write-real))

(defun cell-tag (cell) (cffi:mem-ref (pointer cell) :uint32 0))
(defun cell-aux (cell) (cffi:mem-ref (pointer cell) :uint32 +value-aux+))
(defun cell-word (cell) (cffi:mem-ref (pointer cell) :uint64 +value-of+))
(defun cell-handle (cell) (logand (cell-word cell) (1- (ash 1 62))))
(defun cell-integer (cell) (cffi:mem-ref (pointer cell) :int64 +value-of+))
(defun cell-real (cell) (cffi:mem-ref (pointer cell) :double +value-of+))

(defun write-head (cell tag aux)
  (declare (type address cell) (type (unsigned-byte 32) tag aux))
  (setf (cffi:mem-ref (pointer cell) :uint64 0) (logior tag (ash aux 32))))

(defun write-cell (cell tag aux word)
  "Write a cell whose payload is WORD: a handle, a name, an address."
  (declare (type (unsigned-byte 64) word))
  (write-head cell tag aux)
  (setf (cffi:mem-ref (pointer cell) :uint64 +value-of+) word)
  nil)

(defun write-word (cell tag integer)
  "Write a cell whose payload is INTEGER, of 64 signed bits."
  (declare (type (signed-byte 64) integer))
  (write-head cell tag 0)
  (setf (cffi:mem-ref (pointer cell) :int64 +value-of+) integer)
  nil)

(defun write-real (cell tag real)
  (declare (type double-float real))
  (write-head cell tag 0)
  (setf (cffi:mem-ref (pointer cell) :double +value-of+) real)
  nil)
