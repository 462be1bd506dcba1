;;;; Lisp values to cells.
;;;;
;;;; Scalars are written where they stand. A container gets the cells of its items at once, and those
;;;; items that are containers too wait in the frame's tasks: no depth of nesting uses the stack.

(in-package #:pyrite)

(declaim (ftype (function (t address frame) t) encode-other encode-pythonized)
         (ftype (function (t address t frame) t) encode-made)
         (ftype (function (t) t) pythonized-p))

(declaim (inline encode-immediate encode-leaf))

(defun encode-immediate (value cell)
  "Write VALUE to CELL if the cell alone can hold it. True when it was done."
  (declare (type address cell))
  (typecase value
    (fixnum (write-word cell +int+ value) t)
    (double-float (write-real cell +float+ value) t)
    (pyobject-wrapper (write-cell cell +handle+ 0 (pyobject-wrapper-handle value)) t)
    (null (write-word cell +bool+ 0) t)
    ((eql t) (write-word cell +bool+ 1) t)
    (t nil)))

(defun encode-leaf (value cell frame)
  "Write VALUE to CELL. True when it was done: a container is not."
  (declare (type address cell) (type frame frame))
  (or (encode-immediate value cell)
      (typecase value
        ((simple-array character (*)) (encode-string value cell frame) t)
        ((or cons simple-vector hash-table) nil)
        (t (encode-other value cell frame)))))

(defun encode (value cell frame)
  "Write VALUE, of any type, to CELL."
  (declare (type address cell) (type frame frame) (optimize speed))
  (if (encode-leaf value cell frame)
      (when (frame-tasks frame) (encode-tasks frame))
      (with-place-noted (value frame)
        (encode-container value cell frame)
        (when (frame-tasks frame) (encode-tasks frame))))
  nil)

(defun encode-other (value cell frame)
  "Write a VALUE of a less common type to CELL; NIL when it is a container."
  (typecase value
    (single-float (write-single value cell) t)
    (name (encode-name value cell) t)
    (py-constant (encode-constant value cell) t)
    (symbol (encode-string (pythonize-name value) cell frame) t)
    (string (encode-string value cell frame) t)
    (integer (encode-integer value cell frame) t)
    (character (write-word cell +character+ (char-code value)) t)
    (pathname (encode-pathname value cell frame) t)
    (pyarray (encode-immediate (view-wrapper value) cell))
    (ratio (encode-ratio value cell frame) t)
    (complex (encode-complex value cell frame) t)
    (array (encode-array value cell frame))
    (slice nil)
    ((satisfies pythonized-p) (encode-pythonized value cell frame))
    (function (lend-object value +lent-function+ cell frame) t)
    (t (lend-object value +lent-object+ cell frame) t)))

(defun fail-to-encode (value why)
  (error 'conversion-error
         :datum value
         :message (format nil "~A cannot be passed to Python: it ~A."
                          (if (pathnamep value)
                              (format nil "The pathname ~A" value)
                              (format nil "A value of type ~S" (type-of value)))
                          why)))

(defun single-as-double (value cell)
  "The bits of VALUE, a single float, as a double. Looked at by its bits, for which CELL gives the room:
arithmetic on a NaN may trap."
  (declare (type single-float value) (type address cell))
  (setf (cffi:mem-ref (pointer cell) :float) value)
  (let ((bits (cffi:mem-ref (pointer cell) :uint32)))
    (cond ((= (ldb (byte 8 23) bits) #xFF)
           (logior (ash (ldb (byte 1 31) bits) 63) (ash #x7FF 52) (ash (ldb (byte 23 0) bits) 29)))
          (t
           (setf (cffi:mem-ref (pointer cell) :double) (coerce value 'double-float))
           (cffi:mem-ref (pointer cell) :uint64)))))

(defun write-single (value cell)
  "Write VALUE, a single float, to CELL as a double."
  (write-cell cell +single+ 0 (single-as-double value cell)))

(defun rational-as-double (part value)
  "PART, a rational, of VALUE, a complex number, as a double."
  (handler-case (coerce part 'double-float)
    (arithmetic-error ()
      (error 'conversion-error :datum value
             :message "A complex number with a part beyond the double-floats cannot be passed to Python."))))

(defun write-part (part address value)
  "Write PART of VALUE, a complex number, to ADDRESS as a double."
  (etypecase part
    (single-float (setf (cffi:mem-ref (pointer address) :uint64) (single-as-double part address)))
    (double-float (setf (cffi:mem-ref (pointer address) :double) part))
    (rational (setf (cffi:mem-ref (pointer address) :double) (rational-as-double part value)))))

(defun encode-complex (value cell frame)
  (let ((room (allocate frame 16)))
    (write-part (realpart value) room value)
    (write-part (imagpart value) (+ room 8) value)
    (write-cell cell +complex+ 0 room)))

(defun encode-ratio (value cell frame)
  (let ((parts (allocate-cells frame 2)))
    (encode-integer (numerator value) parts frame)
    (encode-integer (denominator value) (+ parts +value-size+) frame)
    (write-cell cell +fraction+ 2 parts)))

(defun encode-constant (value cell)
  (if (eq value +py-none+)
      (write-word cell +none+ 0)
      (write-cell cell +tuple+ 0 0)))

;;; Names

(defun encode-name (name cell)
  (when (zerop (name-number name))
    (prepare-name name))
  (write-cell cell +name+ 0 (name-number name)))

(defun prepare-name (name)
  "Have libpyrite prepare NAME."
  (with-utf8 (text bytes (name-text name))
    (cffi:with-foreign-object (number :uint64)
      (check-status
       (call-when-running
        (lambda ()
          (pyrite/port:without-interrupts
            (let ((status (%%intern text bytes number)))
              (when (eql status +ok+)
                (own-name-number name (cffi:mem-ref number :uint64)))
              status))))))))

(defun own-name-number (name number)
  "Have NUMBER, which was prepared for NAME, be given back some time after NAME is garbage."
  (setf (name-number name) number)
  (release-when-garbage name number %name-release))

(declaim (inline encode-name-designator))
(defun encode-name-designator (designator cell frame)
  "Write a NAME, a string or a symbol to CELL as a name."
  (typecase designator
    (name (encode-name designator cell))
    (string (encode-string designator cell frame))
    (symbol (encode-name (symbol-name-object designator) cell))
    (t (fail-to-name designator))))

(defun fail-to-name (designator)
  (error 'conversion-error
         :datum designator
         :message (format nil "~A names nothing in Python: a string or a symbol does."
                          (let ((*print-length* 10) (*print-level* 3) (*print-circle* t) (*print-readably* nil))
                            (or (ignore-errors (prin1-to-string designator))
                                (format nil "A value of type ~S" (type-of designator)))))))

;;; Text

(declaim (inline pin))
(defun pin (vector frame)
  "True when VECTOR stays where it is while FRAME is in use."
  (when (pyrite/port:pin vector (frame-pin-count frame) (frame-pins frame))
    (incf (frame-pin-count frame))
    t))

(defun encode-string (string cell frame)
  (declare (type string string) (type address cell) (type frame frame) (optimize speed))
  (pyrite/port:with-simple-string (simple start end) string
    (declare (type simple-string simple) (type fixnum start end))
    (let ((length (- end start)) (unit (pyrite/port:string-unit simple)))
      (declare (type fixnum length))
      (unless (typep length '(unsigned-byte 32))
        (fail-to-encode string "is longer than 2^32 characters"))
      (cond ((and unit (pin simple frame))
             (write-cell cell (if (eql unit 4) +utf32+ +latin1+) length
                         (+ (the address (pyrite/port:vector-address simple))
                            (* start (the (integer 1 4) unit)))))
            (t
             (let ((room (allocate frame (* 4 length)))
                   (simple (if (typep simple '(simple-array character (*)))
                               simple
                               (coerce simple '(simple-array character (*))))))
               (pyrite/port:copy-string-to-memory simple start end room)
               (write-cell cell +utf32+ length room)))))))

;;; Pathnames

(defun encode-pathname (pathname cell frame)
  "Write the name that the system has for PATHNAME to CELL."
  (when (wild-pathname-p pathname)
    (fail-to-encode pathname "is wild"))
  ;; As text of four bytes a character, which then is called a file's name.
  (encode-string (coerce (uiop:native-namestring pathname) '(simple-array character (*))) cell frame)
  (write-head cell +path+ (cell-aux cell)))

;;; Integers

(defun encode-integer (integer cell frame)
  (if (typep integer '(signed-byte 64))
      (write-word cell +int+ integer)
      (let* ((bytes (ceiling (1+ (integer-length integer)) 8)) (room (allocate frame bytes)))
        (unless (typep bytes '(unsigned-byte 32))
          (fail-to-encode integer "is longer than 2^32 bytes"))
        (write-integer-bytes integer room bytes)
        (write-cell cell +bigint+ bytes room))))

(defun write-integer-bytes (integer address bytes)
  "Write the two's complement of INTEGER to ADDRESS, little-endian."
  (cffi:with-pointer-to-vector-data (target (integer-bytes integer bytes))
    (cffi:foreign-funcall "memcpy" :pointer (pointer address) :pointer target :size bytes :pointer)))

(defun integer-bytes (integer count)
  "The COUNT low bytes of INTEGER. Halves are split first, so that large ones take no quadratic time."
  (let ((bytes (make-array count :element-type '(unsigned-byte 8))))
    (labels ((fill-bytes (integer start count)
               (if (<= count 64)
                   (dotimes (i count)
                     (setf (aref bytes (+ start i)) (ldb (byte 8 (* 8 i)) integer)))
                   (let ((half (floor count 2)))
                     (fill-bytes (ldb (byte (* 8 half) 0) integer) start half)
                     (fill-bytes (ash integer (* -8 half)) (+ start half) (- count half))))))
      (fill-bytes integer 0 count))
    bytes))

;;; Containers

(defconstant +shallow+ 64 "Below this depth nobody looks whether a container is inside itself.")

(defun fail-changed (value)
  (fail-to-encode value "changed while it was being converted"))

(defun encode-container (value cell frame &optional (depth 0))
  "Write the container VALUE to CELL and its items to new cells; containers among them become tasks. Users'
methods of PYTHONIZE run meanwhile, and other threads, which may change VALUE: there are as many cells as it had
items at first."
  (declare (type address cell) (type frame frame) (type fixnum depth) (optimize speed))
  (let ((place 0) (end 0))
    (declare (type address place end))
    (flet ((items (tag count cells-per-item &optional dimensions)
             (declare (type (integer 1 2) cells-per-item))
             (unless (typep count '(unsigned-byte 31))
               (fail-to-encode value "has more than 2^31 items"))
             (let ((count (* cells-per-item (the (unsigned-byte 31) count))))
               (setf place (allocate-cells frame count)
                     end (+ place (* count +value-size+))))
             (if (eql tag +array+)
                 (write-array dimensions +object+ place cell frame)
                 (write-cell cell tag count place)))
           (item (item)
             (when (>= place end) (fail-changed value))
             (unless (encode-leaf item place frame)
               (push (list* item place (1+ depth)) (frame-tasks frame)))
             (incf place +value-size+)))
      (declare (inline item))
      (etypecase value
        (cons
         (items +tuple+ (proper-length value) 1)
         (loop for rest on value do (item (car rest))))
        (slice
         (items +slice+ 3 1)
         (dolist (part (slice-parts value))
           (item (or part +py-none+))))
        (simple-vector
         (items +list+ (length value) 1)
         (loop for item across value do (item item)))
        (array
         (let* ((dimensions (lent-dimensions value)) (count (reduce #'* dimensions)))
           (declare (type (unsigned-byte 62) count))
           (items (if (vectorp value) +list+ +array+) count 1 dimensions)
           (dotimes (i count)
             (unless (= count (the fixnum (element-count value))) (fail-changed value))
             (item (element-at value i)))
           (unless (= count (the fixnum (element-count value))) (fail-changed value))))
        (hash-table
         (items +dict+ (hash-table-count value) 2)
         (loop for key being the hash-keys of value using (hash-value item)
               do (item key)
                  (item item))))
      (unless (= place end) (fail-changed value)))))

(defun proper-length (list)
  "The length of LIST. Signals CONVERSION-ERROR when it is dotted or circular."
  (declare (type cons list) (optimize speed))
  (let ((count 0) (slow list) (fast list))
    (declare (type fixnum count))
    (loop
      (unless (consp fast) (return))
      (setf fast (cdr fast))
      (incf count)
      (unless (consp fast) (return))
      (setf fast (cdr fast)
            slow (if (consp slow) (cdr slow) (fail-changed list)))
      (incf count)
      (when (and (eq fast slow) (consp fast)) (fail-to-encode-list list "circular")))
    (when fast (fail-to-encode-list list "dotted"))
    count))

(defun fail-to-encode-list (list how)
  (error 'conversion-error :datum list
                           :message (format nil "A ~A list cannot be passed to Python." how)))

(defun encode-tasks (frame)
  "Write the containers that wait in FRAME, depth first."
  (let ((path nil))
    (loop while (frame-tasks frame)
          do (destructuring-bind (value cell . depth) (pop (frame-tasks frame))
               (cond ((made-p value) (encode-made value cell depth frame))
                     ((zerop cell) (remhash value path))
                     (t
                      (when (> depth +shallow+)
                        (unless path (setf path (make-hash-table :test 'eq)))
                        (note-on-path value path frame))
                      (encode-container value cell frame depth)))))))

(defun note-on-path (value path frame)
  "Note in PATH that the items of VALUE come next; a task without a cell takes it off again."
  (when (gethash value path)
    (error 'conversion-error :datum value
                             :message "A structure that contains itself cannot be passed to Python."))
  (setf (gethash value path) t)
  (push (list* value 0 0) (frame-tasks frame)))

;;; Arrays

(defmacro array-element-case (array)
  "The pyr_element of the elements of ARRAY, or NIL."
  `(typecase ,array
     ,@(loop for type across *element-types*
             for element from 1
             unless (eq t (upgraded-array-element-type type))
               collect `((array ,type) ,element))))

(defun array-element-number (array)
  "The pyr_element of the elements of ARRAY, or NIL."
  (array-element-case array))

(defun wider-element (type)
  "The pyr_element of the narrowest integers that include all of the element type TYPE; NIL for others."
  (and type
       (subtypep type 'integer)
       (loop for element in '(7 8 9 10 3 4 5 6)
             when (subtypep type (aref *element-types* (1- element)))
               return element)))

(defun encode-array (array cell frame)
  "Write ARRAY to CELL; NIL when it is a container."
  (let ((element (array-element-number array)))
    (cond ((eql element +bool8+) (copy-array array 7 +bool8+ cell frame) t)
          (element (lend-array array element cell frame) t)
          ((setf element (wider-element (array-element-type array)))
           (copy-array array element element cell frame)
           t)
          ;; Of any objects: a list, or an array whose elements are cells.
          (t nil))))

(defun element-count (array)
  "How many elements of ARRAY count: those below the fill pointer."
  (if (vectorp array) (length array) (array-total-size array)))

(defun lent-dimensions (array)
  "The dimensions of ARRAY; of a vector, how many elements count."
  (if (vectorp array) (list (length array)) (array-dimensions array)))

(defun element-at (array index)
  "The element of ARRAY at the row-major INDEX, unless another thread made the array smaller meanwhile."
  (handler-case (row-major-aref array index)
    (error () (fail-changed array))))

(defun write-array (dimensions element data cell frame)
  "Write to CELL that there is an array of ELEMENTs with DIMENSIONS at the address DATA."
  (write-cell cell +array+ 0 (describe-array dimensions element data frame)))

(defun describe-array (dimensions element data frame)
  "The address of a description of an array of ELEMENTs at DATA with DIMENSIONS."
  (let* ((description (allocate frame (+ +array-size+ (* 8 (length dimensions)))))
         (pointer (pointer description)))
    (loop for dimension in dimensions
          for offset from +array-size+ by 8
          do (setf (cffi:mem-ref pointer :uint64 offset) dimension))
    (setf (cffi:mem-ref pointer :uint64 0) data
          (cffi:mem-ref pointer :uint64 +array-dimensions+) (+ description +array-size+)
          (cffi:mem-ref pointer :uint32 +array-rank+) (length dimensions)
          (cffi:mem-ref pointer :uint32 +array-element+) element)
    description))

(defun copy-array (array element told cell frame)
  "Write ARRAY, of integers, to CELL: a copy of it one by one as ELEMENTs, of which Python is TOLD."
  (let* ((dimensions (lent-dimensions array))
         (count (reduce #'* dimensions))
         (size (aref *element-sizes* (1- element)))
         (type (aref *integer-types* (- element 3)))
         (room (allocate frame (* size count))))
    (dotimes (i count)
      (setf (cffi:mem-ref (pointer room) type (* i size)) (element-at array i)))
    (write-array dimensions told room cell frame)))
