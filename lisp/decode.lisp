;;;; Cells to Lisp values.
;;;;
;;;; A container is made at its full size and filled; containers in it are made empty and wait their
;;;; turn, so that no depth of nesting uses the stack. Only a container that is the key of a dict must
;;;; be whole before it is used.

(in-package #:pyrite)

(declaim (ftype (function (t) t) decode decode-array lent-object))

(declaim (inline array-element))
(defun array-element (address)
  "The pyr_element of the pyr_array at ADDRESS."
  (cffi:mem-ref (pointer address) :uint32 +array-element+))

(declaim (inline decode-leaf))
(defun decode-leaf (cell)
  "The value of CELL and true; NIL and NIL when it is a container."
  (declare (type address cell))
  (case (cell-tag cell)
    (#.+int+ (values (cell-integer cell) t))
    (#.+float+ (values (cell-real cell) t))
    (#.+ucs4+ (values (pyrite/port:string-from-memory (cell-word cell) (cell-aux cell)) t))
    (#.+handle+ (values (make-wrapper (cell-handle cell)) t))
    (#.+bool+ (values (= 1 (cell-integer cell)) t))
    (#.+none+ (values +py-none+ t))
    ((#.+list+ #.+tuple+ #.+dict+) (values nil nil))
    (#.+array+ (if (= (array-element (cell-word cell)) +object+)
                   (values nil nil)
                   (values (decode-array (cell-word cell)) t)))
    (t (values (decode-other cell) t))))

(defun decode-other (cell)
  "The value of a CELL of a less common tag."
  (ecase (cell-tag cell)
    (#.+single+ (double-at-as-single (+ cell +value-of+)))
    (#.+bigint+ (decode-integer (cell-word cell) (cell-aux cell)))
    (#.+bytes+ (decode-bytes (cell-word cell) (cell-aux cell)))
    (#.+character+ (code-char (cell-integer cell)))
    (#.+path+ (uiop:parse-native-namestring
               (pyrite/port:string-from-memory (cell-word cell) (cell-aux cell))))
    (#.+complex+ (decode-complex (cell-word cell) (= 1 (cell-aux cell))))
    (#.+host+ (lent-object (cell-word cell)))
    (#.+fraction+ (/ (decode (cell-word cell)) (decode (+ (cell-word cell) +value-size+))))
    (#.+utf8+ (values (cffi:foreign-string-to-lisp (pointer (cell-word cell))
                                                   :count (cell-aux cell) :encoding :utf-8)))))

(defun double-at-as-single (address)
  "The single float that stands at ADDRESS as a double. Looked at by its bits: arithmetic on a NaN may
trap."
  (declare (type address address))
  (let ((bits (cffi:mem-ref (pointer address) :uint64)))
    (if (= (ldb (byte 11 52) bits) #x7FF)
        (cffi:with-foreign-object (single :float)
          (setf (cffi:mem-ref single :uint32) (logior (ash (ldb (byte 1 63) bits) 31)
                                                      (ash #xFF 23)
                                                      (ldb (byte 23 29) bits)))
          (cffi:mem-ref single :float))
        (coerce (cffi:mem-ref (pointer address) :double) 'single-float))))

(defun decode-complex (address singlep)
  "The complex number whose parts stand at ADDRESS, of single floats when SINGLEP."
  (if singlep
      (complex (double-at-as-single address) (double-at-as-single (+ address 8)))
      (complex (cffi:mem-ref (pointer address) :double) (cffi:mem-ref (pointer address) :double 8))))

(defun decode (cell)
  "The value of CELL."
  (declare (type address cell) (optimize speed))
  (multiple-value-bind (value leaf) (decode-leaf cell)
    (if leaf value (decode-container cell))))

(defun decode-container (cell)
  "The list, vector or hash table of CELL with all that is in it."
  (declare (type address cell) (optimize speed))
  (let ((tasks '()) (lost nil))
    (labels ((item (cell)
               (declare (type address cell))
               (multiple-value-bind (value leaf) (decode-leaf cell)
                 (if leaf value (open-container cell))))
             (open-container (cell)
               (declare (type address cell))
               (let ((count (cell-aux cell)) (items (cell-word cell)))
                 (if (and (zerop count) (= (cell-tag cell) +tuple+))
                     +py-empty-tuple+
                     (let ((shell (make-shell (cell-tag cell) count items)))
                       (when (arrayp shell)
                         (setf count (array-total-size shell)
                               items (array-items items cell)))
                       (unless (zerop count) (push (list* shell items count) tasks))
                       shell))))
             (fill-shell (shell cell count)
               (declare (type address cell) (type (unsigned-byte 32) count))
               (etypecase shell
                 (cons (loop for place on shell
                             do (setf (car place) (item cell))
                                (incf cell +value-size+)))
                 (simple-vector (dotimes (i count)
                                  (setf (svref shell i) (item cell))
                                  (incf cell +value-size+)))
                 (array (dotimes (i count)
                          (setf (row-major-aref shell i) (item cell))
                          (incf cell +value-size+)))
                 (hash-table (dotimes (i count)
                               (let ((key (decode cell)))
                                 (setf (gethash key shell) (item (+ cell +value-size+)))
                                 (unless (or lost (> (the fixnum (hash-table-count shell)) i))
                                   (setf lost (list key))))
                               (incf cell (* 2 +value-size+)))))))
      (declare (inline item))
      (let ((root (open-container cell)))
        (loop while tasks
              do (let ((task (pop tasks)))
                   (fill-shell (first task) (cadr task) (cddr task))))
        ;; Not before all objects have wrappers.
        (when lost
          (pyrite/port:with-interrupts (fail-to-key (first lost))))
        root))))

(defun fail-to-key (key)
  "Signal that KEY is in a dict next to another key, which a hash table does not tell from it."
  (fail 'conversion-error
        "A dict would lose an entry: two of its keys are EQUAL in Lisp, as NaNs are. They are ~S. ~
         WITH-REMOTE-OBJECTS leaves the dict in Python."
        key))

(defun array-items (items cell)
  "The address of the cells of the items in CELL: ITEMS, unless there is a pyr_array."
  (if (= (cell-tag cell) +array+)
      (cffi:mem-ref (pointer items) :uint64)
      items))

(defun array-dimensions-at (address)
  "The dimensions of the pyr_array at ADDRESS."
  (loop with sizes = (cffi:mem-ref (pointer address) :uint64 +array-dimensions+)
        repeat (cffi:mem-ref (pointer address) :uint32 +array-rank+)
        for offset from 0 by 8
        collect (cffi:mem-ref (pointer sizes) :uint64 offset)))

(defun make-shell (tag count address)
  "An empty container for COUNT items, or for those of the pyr_array at ADDRESS."
  (ecase tag
    (#.+array+ (make-array (array-dimensions-at address)))
    (#.+tuple+ (make-list count))
    (#.+list+ (make-array count))
    (#.+dict+ (make-hash-table :test 'equal :size (max count 7)))))

(defun decode-integer (address bytes)
  "The integer whose BYTES at ADDRESS are its two's complement, little-endian."
  (labels ((unsigned (start count)
             (if (<= count 8)
                 (let ((integer 0))
                   (dotimes (i count integer)
                     (setf (ldb (byte 8 (* 8 i)) integer)
                           (cffi:mem-ref (pointer address) :uint8 (+ start i)))))
                 (let ((half (floor count 2)))
                   (logior (unsigned start half)
                           (ash (unsigned (+ start half) (- count half)) (* 8 half)))))))
    (let ((integer (unsigned 0 bytes)))
      (if (logbitp (1- (* 8 bytes)) integer)
          (- integer (ash 1 (* 8 bytes)))
          integer))))

(defun decode-bytes (address count)
  (let ((bytes (make-array count :element-type '(unsigned-byte 8))))
    (pyrite/port:copy-memory-to-array address bytes count)
    bytes))

(defun decode-array (address)
  "A fresh specialized array with the elements of the pyr_array at ADDRESS."
  (let* ((pointer (pointer address))
         (element (1- (array-element address)))
         (array (make-array (array-dimensions-at address) :element-type (aref *element-types* element))))
    (if (= (1+ element) +bool8+)
        (fill-bits array (cffi:mem-ref pointer :pointer))
        (pyrite/port:copy-memory-to-array (cffi:mem-ref pointer :uint64 0) array
                                          (* (array-total-size array) (aref *element-sizes* element))))
    array))

(defun fill-bits (array pointer)
  "Fill ARRAY, of bits, with the bytes at POINTER."
  (dotimes (i (array-total-size array))
    (setf (row-major-aref array i) (cffi:mem-ref pointer :uint8 i))))
