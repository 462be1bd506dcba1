;;;; Making views, and giving the memory back.

(in-package #:pyrite)

(defun close-buffer (id)
  "Give the buffer ID back now."
  (let ((status (%buffer-close id)))
    (unless (or (eql status +stale-handle+) (eql status +invalid-handle+))
      (check-status status))))

(defun numbers-at (address count)
  "COUNT signed words at ADDRESS."
  (let ((numbers (make-array count :element-type '(signed-byte 64))))
    (dotimes (i count numbers)
      (setf (aref numbers i) (cffi:mem-ref (pointer address) :int64 (* 8 i))))))

(defun read-view (buffer wrapper)
  "The view that the pyr_buffer at BUFFER describes, of WRAPPER's object."
  (let* ((id (cffi:mem-ref buffer :uint64))
         (rank (cffi:mem-ref buffer :uint32 +buffer-rank+))
         (view (make-view
                :wrapper wrapper
                :id id
                :address (cffi:mem-ref buffer :uint64 +buffer-data+)
                :element (cffi:mem-ref buffer :uint32 +buffer-element+)
                :format (foreign-text buffer +buffer-format+)
                :item-size (cffi:mem-ref buffer :uint64 +buffer-item-size+)
                :sizes (numbers-at (cffi:mem-ref buffer :uint64 +buffer-dimensions+) rank)
                :strides (numbers-at (cffi:mem-ref buffer :uint64 +buffer-strides+) rank)
                :writable-p (zerop (cffi:mem-ref buffer :uint32 +buffer-read-only+)))))
    (release-when-garbage view id %buffer-release)
    view))

(defun object-wrapper (value)
  "A wrapper of the Python object that VALUE is."
  (typecase value
    (pyobject-wrapper value)
    (pyarray (view-wrapper value))
    (t (python-object value))))

(defun view-pyarray (object &key writable)
  "A PYARRAY, a view of the memory of OBJECT: nothing is copied.

OBJECT is a PYOBJECT-WRAPPER of a numpy array, bytes, a bytearray, a memoryview, an array.array, an mmap
or anything else with Python's buffer protocol; a PYARRAY, whose object gets another view; or another
value, of which Python gets a copy. When WRITABLE is true the elements must be such that they can be set.

The memory stays, also after PYSTOP, until RELEASE-PYARRAY, or else until the view is garbage. Until then
Python refuses to resize OBJECT. Signals PYERROR when OBJECT has no such memory."
  (let ((wrapper (object-wrapper object)))
    (cffi:with-foreign-pointer (buffer +buffer-size+)
      (flet ((take (result)
               (declare (ignore result))
               (read-view buffer wrapper)))
        (with-crossing (frame #'take)
          (with-encoded (frame (value encode wrapper))
            (crossed (frame) (%%buffer-get value (if writable +writable+ 0) buffer))))))))

(defun release-pyarray (pyarray)
  "Give the memory that PYARRAY views back, now; NIL. PYARRAY cannot be read or written any more.

Nothing happens when that was done before. Where a WITH-PYARRAY holds PYARRAY, the memory goes at its end.
As an argument of calls PYARRAY still is its object."
  (check-type pyarray pyarray)
  (when (with-view-lock (pyarray)
          (when (alive-p pyarray)
            (setf (view-life pyarray) 0)
            (zerop (view-holds pyarray))))
    (close-buffer (view-id pyarray)))
  nil)

(defun hold-view (view)
  "Have the memory of VIEW stay until DROP-VIEW."
  (unless (with-view-lock (view)
            (when (alive-p view)
              (incf (view-holds view))))
    (fail-released view)))

(defun drop-view (view)
  "Undo one HOLD-VIEW."
  (when (with-view-lock (view)
          (and (zerop (decf (view-holds view)))
               (zerop (view-life view))))
    (close-buffer (view-id view))))

;;; WITH-PYARRAY

(defun element-of-type (type)
  "The pyr_element of elements of the Lisp TYPE. Signals PYRITE-ERROR when there is none."
  (let ((index (or (position type *element-types* :test #'equal)
                   (and type
                        (position-if (lambda (known) (and (subtypep type known) (subtypep known type)))
                                     *element-types*)))))
    (if index
        (1+ index)
        (fail-view "~S is no type of elements in Python's memory. Those are ~{~S~^, ~}."
                   type (coerce *element-types* 'list)))))

(defun check-view (view element rank writable)
  "Signal a PYRITE-ERROR unless VIEW is of ELEMENTs, of RANK, and WRITABLE, where these are not NIL."
  (unless (or (null element) (= element (view-element view)))
    (fail-view "~S was to be viewed as elements of type ~S, but has ~:[others, of format ~S~;~:*~S~*~]."
               view (element-type-of element) (pyarray-element-type view) (view-format view)))
  (unless (or (null rank) (= rank (view-rank view)))
    (fail-view "~S was to be viewed with ~D dimension~:P, but has ~D. Say so to WITH-PYARRAY: :RANK ~:*~D."
               view rank (view-rank view)))
  (when (and writable (not (view-writable-p view)))
    (fail-read-only view)))

(defun enter-view (object element rank writable)
  "A view of OBJECT, or OBJECT if it is one, held. LEAVE-VIEW undoes that."
  (let ((view (if (pyarray-p object) object (view-pyarray object :writable writable))) (good nil))
    (hold-view view)
    (unwind-protect (progn (check-view view element rank writable) (setf good t))
      (unless good (leave-view view object)))
    view))

(defun leave-view (view object)
  "Drop VIEW, and release it unless it is OBJECT, the user's own."
  (unless (eq view object) (release-pyarray view))
  (drop-view view))

(defun typed-body (var view element rank body)
  "BODY, in which PYAREF of VAR compiles to a load from VIEW, of ELEMENTs and RANK."
  (let ((pointer (gensym "POINTER")) (writable (gensym "WRITABLE"))
        (axes (loop repeat rank collect (list (gensym "SIZE") (gensym "STRIDE")))))
    `(let ((,pointer (pointer (view-address ,view)))
           (,writable (view-writable-p ,view))
           ,@(loop for (size stride) in axes
                   for axis from 0
                   collect `(,size (aref (view-sizes ,view) ,axis))
                   collect `(,stride (aref (view-strides ,view) ,axis))))
       (declare (type cffi:foreign-pointer ,pointer) (ignorable ,pointer ,writable ,@(alexandria:flatten axes))
                ,@(when axes `((type fixnum ,@(alexandria:flatten axes)))))
       (symbol-macrolet ((,var (typed-view ,view ,element ,pointer ,writable ,@axes)))
         ,@body))))

(defmacro with-pyarray ((var object &key (element-type nil typed) (rank nil ranked) writable) &body body)
  "Evaluate BODY with VAR a PYARRAY, a view of the memory of OBJECT, which is given back at the end.

OBJECT is what VIEW-PYARRAY takes; a PYARRAY is bound to VAR itself, and its memory stays for BODY whoever
releases it, but is not given back.

ELEMENT-TYPE is a Lisp type, such as 'DOUBLE-FLOAT, and RANK a number of dimensions, 1 when there is an
ELEMENT-TYPE and NIL, any number, when there is none: what OBJECT must have, else a PYRITE-ERROR is
signalled, as when WRITABLE is true and it is not. When both are constants, calls of PYAREF on VAR in BODY
compile to a load from memory, with the subscripts checked.

VAR cannot be assigned, and is for this thread, while BODY lasts: other threads make a view of their own."
  (let ((value (gensym "OBJECT")) (view (gensym "VIEW"))
        (rank (if (and typed (not ranked)) 1 rank))
        (element (and typed (constantp element-type) (element-of-type (eval element-type)))))
    `(let* ((,value ,object)
            (,view (enter-view ,value
                               ,(or element (and typed `(element-of-type ,element-type)))
                               ,rank ,writable)))
       (declare (type pyarray ,view))
       (unwind-protect
            ,(if (and element (typep rank '(integer 0 64)))
                 (typed-body var view element rank body)
                 `(symbol-macrolet ((,var (progn ,view))) ,@body))
         (leave-view ,view ,value)))))

;;; Fresh arrays

(defparameter *dtypes*
  #("float32" "float64" "int8" "int16" "int32" "int64" "uint8" "uint16" "uint32" "uint64"
    "complex64" "complex128" "bool")
  "numpy's names of the types in *ELEMENT-TYPES*.")

(defun fresh-array (sizes element arguments)
  "A wrapper of a numpy array of SIZES and ELEMENTs, which are the one in ARGUMENTS or else 0."
  (let ((*remote-objects* t) (*pythonizers* '()))
    (call-python "lambda shape, kind, *value: (lambda numpy: numpy.full(shape, *value, dtype=kind)
                  if value else numpy.zeros(shape, kind))(__import__('numpy'))"
                 (list* (or sizes +py-empty-tuple+) (aref *dtypes* (1- element)) arguments))))

(defun make-pyarray (dimensions &key (element-type 'double-float) (initial-element nil initialized))
  "A fresh numpy array, as a PYARRAY: large data is made in Python's memory and never moves.

DIMENSIONS is an integer or a list of them, ELEMENT-TYPE one of single-float, double-float, (un)signed
bytes of 8, 16, 32 or 64 bits, complex numbers of both floats, and BIT for truth values. The elements are
INITIAL-ELEMENT, a value of that type, or 0. Signals PYRITE-ERROR for other types, TYPE-ERROR for other
dimensions and values, and PYERROR where there is no numpy, or no memory."
  (let ((element (element-of-type element-type)) (sizes (alexandria:ensure-list dimensions)))
    (dolist (size sizes)
      (unless (typep size '(unsigned-byte 62)) (fail-type size '(unsigned-byte 62))))
    (when initialized (check-element initial-element element))
    (view-pyarray (fresh-array sizes element (if initialized (list initial-element) '())) :writable t)))
