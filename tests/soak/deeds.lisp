;;;; What the threads of the soak do: each deed checks what comes of it.

(in-package #:pyrite/soak)

;;; Chance, by a seed: the same deeds in the same order in a thread, whatever the others do

(defvar *chance* 0
  "What this thread's numbers are made from.")

(defun chance (limit)
  "A number from 0 below LIMIT, which is at most 2^32."
  (setf *chance* (ldb (byte 64 0) (+ (* *chance* 6364136223846793005) 1442695040888963407)))
  (mod (ash *chance* -32) limit))

(defmacro one-of (&rest forms)
  `(ecase (chance ,(length forms))
     ,@(loop for form in forms for i from 0 collect `(,i ,form))))

;;; Checks

(defun same (left right)
  "True when the values LEFT and RIGHT are of the same types and equal, whatever is in them."
  (typecase left
    (string (and (stringp right) (string= left right)))
    (cons (and (consp right) (= (length left) (length right)) (every #'same left right)))
    (hash-table (and (hash-table-p right)
                     (= (hash-table-count left) (hash-table-count right))
                     (loop for key being the hash-keys of left using (hash-value value)
                           always (same value (gethash key right)))))
    (array (and (arrayp right)
                (equal (array-dimensions left) (array-dimensions right))
                (loop for i below (array-total-size left)
                      always (same (row-major-aref left i) (row-major-aref right i)))))
    (t (eql left right))))

(defun check (expected actual)
  (unless (same expected actual)
    (error "expected ~S, not ~S" expected actual)))

(defmacro check-signals (condition &body body)
  "BODY signals CONDITION, which is returned."
  (let ((block (gensym "BLOCK")))
    `(block ,block
       (handler-case (progn ,@body)
         (,condition (condition) (return-from ,block condition)))
       (error "no ~A" ',condition))))

;;; Values

(defun chance-integer ()
  (let ((integer (loop repeat (1+ (chance (one-of 1 2 3 20))) for value = (chance (ash 1 32))
                         then (+ (ash value 32) (chance (ash 1 32)))
                       finally (return value))))
    (one-of integer (- integer) (chance 100))))

(defun chance-text ()
  (let ((codes (one-of 128 256 #x800 #xD800)))
    (coerce (loop repeat (chance (one-of 5 40 2000)) collect (code-char (chance codes))) 'string)))

(defun chance-scalar ()
  (one-of (chance-integer) (chance-text) (/ (chance 1000) (1+ (chance 1000)))
          (- (chance 1000000) 0.125d0) (chance 1) t nil +py-none+ +py-empty-tuple+
          (complex (+ 0.5d0 (chance 10)) 2d0)))

(defun chance-value (depth)
  "A value that comes back as it went."
  (flet ((items () (loop repeat (1+ (chance 6)) collect (chance-value (1- depth)))))
    (if (zerop depth)
        (chance-scalar)
        (one-of (chance-scalar) (items) (coerce (items) 'simple-vector)
                (let ((table (make-hash-table :test 'equal)))
                  (loop for item in (items)
                        for i from 0
                        do (setf (gethash (one-of i (format nil "key ~D" i) (list i "x")) table) item))
                  table)))))

(defun chance-doubles ()
  (let ((array (make-array (1+ (chance (one-of 10 1000 20000))) :element-type 'double-float)))
    (dotimes (i (length array) array)
      (setf (aref array i) (coerce (chance 1000) 'double-float)))))

;;; Deeds

(defvar *deeds* (make-array 0 :adjustable t :fill-pointer t)
  "The names of the functions, each of no arguments.")

(defmacro define-deed (name &body body)
  `(progn (defun ,name () ,@body)
          (unless (find ',name *deeds*) (vector-push-extend ',name *deeds*))))

(define-deed call
  (let ((a (chance 1000)) (b (chance 1000)))
    (one-of (check (+ a b) (pycall "soak_add" a b))
            (check (- a b) (pycall "soak_keywords" :b b :a a))
            (check (list a b) (pymethod (pycall "SoakThing" a) "pair" b))
            (check (max a b) (pycall 'max a b))
            (check a (pyslot-value (pycall "SoakThing" a) "x")))))

(define-deed convert
  (let ((value (chance-value (chance 4))))
    (check value (pycall "soak_identity" value))))

(define-deed convert-again-and-again
  (let ((value (chance-value 2)))
    (check value (pyvalue (with-remote-objects (pycall "soak_identity" value))))))

(define-deed source
  (let ((number (chance 1000000000)))
    (check (1+ number) (one-of (pyeval (format nil "~D + 1" number))
                               (pyeval number " + 1")
                               (1+ (- (pycall (format nil "lambda x: x + ~D" (mod number 2000)) number)
                                      (mod number 2000)))))))

(define-deed variable
  (let ((name (make-symbol (format nil "SOAK-~D-~D" (chance 1000000) (thread-number)))) (value (chance-value 2)))
    (setf (pyvalue name) value)
    (check value (pyvalue name))
    (pycall "soak_forget" (pythonize-name name))
    (check-signals py-name-error (pyvalue name))))

(define-deed lend
  (let ((array (chance-doubles)))
    (check (reduce #'+ array) (pycall "numpy.sum" array))
    (pycall "soak_double" array)
    (check (reduce #'+ array) (pycall "numpy.sum" array))))

(define-deed keep
  (let ((array (chance-doubles)) (key (format nil "~D-~D" (thread-number) (chance 1000000))))
    (setf (aref array 0) 1d0)
    (pycall "soak_keep" key array)
    (when (zerop (chance 5)) (trivial-garbage:gc))
    (setf (aref array 0) 7d0)
    (unless (eq array (pycall "soak_kept" key)) (error "not the same array"))
    (check 7d0 (pycall "lambda key: float(soak_things[key][0])" key))
    (check (reduce #'+ array) (pycall "soak_sum_and_drop" key))))

(define-deed copy
  (let ((array (chance-doubles)))
    (check array (pycall "numpy.copy" array))
    (check (make-array '(2 3) :initial-contents '((0 1 2) (3 4 5)))
           (pyeval "numpy.arange(6).reshape(2, 3)"))))

(define-deed view
  (let ((n (1+ (chance 1000))))
    (with-pyarray (view (with-remote-objects (pycall "numpy.zeros" n)) :element-type 'double-float)
      (setf (pyaref view (1- n)) 5d0)
      (check 5d0 (pyaref view (1- n)))
      (check n (pyarray-total-size view)))
    (let ((view (view-pyarray (with-remote-objects (pycall "bytearray" n)))))
      (check 0 (pyaref view (1- n)))
      (when (zerop (chance 2)) (release-pyarray view)))))

(define-deed callback
  (let ((n (chance 1000)))
    (check (* 2 n) (pycall "soak_apply" (lambda (x) (* 2 x)) n))
    (check n (pycall "soak_apply" (lambda (x) (pycall "soak_apply" (lambda (y) (pycall "abs" y)) x)) n))
    (let ((value (chance-value 2)))
      (check value (pycall "soak_apply" (lambda (x) (check value x) x) value)))))

(define-deed callback-that-is-kept
  (let ((key (format nil "f~D-~D" (thread-number) (chance 1000000))) (n (chance 1000)))
    (pycall "soak_keep" key (lambda () n))
    (when (zerop (chance 5)) (trivial-garbage:gc))
    (check n (pycall "lambda key: soak_things.pop(key)()" key))))

(define-deed callback-in-threads-of-pythons
  (let* ((count (1+ (chance 3))) (n (chance 1000))
         (results (pycall "soak_in_threads" (lambda (i) (pycall "soak_add" i n)) count)))
    (check (coerce (loop for i below count collect (+ i n)) 'vector) results)))

(define-deed opaque
  (let ((object (list* (chance 10) 'a)) (thing (make-condition 'simple-error)))
    (unless (eq thing (pycall "soak_identity" thing)) (error "not the same object"))
    (check-signals error (pycall "soak_identity" object))))

(define-deed errors
  (let ((n (chance 1000)))
    (check (format nil "no ~D" n)
           (pyerror-message (check-signals py-value-error (pycall "soak_raise" n))))
    (check-signals py-zero-division-error (pyeval "1 / 0"))
    (check-signals py-syntax-error (pyeval (format nil "~D +" n)))
    (check-signals conversion-error (let ((list (list 1))) (pycall "len" (setf (cdr list) list))))
    (check-signals py-type-error (let ((table (make-hash-table :test 'equal)))
                                   (setf (gethash (vector n) table) 1)
                                   (pycall "len" table)))))

(define-deed errors-through-callbacks
  (let* ((condition (make-condition 'simple-error :format-control "soak"))
         (signalled (check-signals simple-error (pycall "soak_apply" (lambda (x) x (error condition)) 1))))
    (unless (eq condition signalled) (error "not the same condition"))
    (check "caught" (pycall "soak_catch" (lambda () (error "soak"))))
    (check-signals py-key-error (pycall "soak_apply" (lambda (x) (pycall "soak_things.__getitem__" x)) "none"))))

(define-deed exits
  (let ((before (pyvalue "soak_finally")))
    (check-signals python-unwind-aborted
      (catch 'soak (pycall "soak_apply" (lambda (x) (throw 'soak x)) 5)))
    (check-signals python-unwind-aborted
      (block nil (pycall "soak_apply" (lambda (x) (return x)) 6)))
    (check 7 (restart-case (pycall "soak_apply" (lambda (x) (invoke-restart 'soak x)) 7) (soak (x) x)))
    (unless (>= (pyvalue "soak_finally") (+ before 3)) (error "finally did not run"))))

(define-deed limit
  (one-of (check-signals python-timeout (with-python-timeout (0.005) (pycall "soak_spin")))
          (check 3 (with-python-timeout (100) (pycall "len" "abc")))))

(define-deed output
  (let ((n (chance 1000)))
    (check (format nil "~D~%" n) (with-output-to-string (*standard-output*) (pycall "print" n)))
    (check (format nil "~D" n) (with-output-to-string (*error-output*) (pycall "soak_error_output" n)))))

(define-deed output-captured
  (let ((n (chance 1000)))
    (check (format nil "~D~%~D~%" n n) (with-python-output (pycall "print" n) (pycall "print" n)))))

(define-deed iterate
  (let ((n (1+ (chance 50))) (sum 0))
    (do-pyiterable (i (pycall "soak_numbers" n)) (incf sum i))
    (check (/ (* n (1- n)) 2) sum)
    (check 3 (do-pyiterable (i (pycall "soak_numbers" 10)) (when (= i 3) (return i))))))

(define-deed chains
  (let ((n (chance 100)))
    (check (format nil "<~D>" n) (chain* "<{}>" `(format ,n)))
    (check (list n n) (chain* `("SoakThing" ,n) `(pair ,n)))
    (check n (chain* `("SoakThing" ,n) "x"))))

(define-deed items
  (let* ((n (chance 100)) (list (with-remote-objects (pyeval "[1, 2, 3]"))))
    (setf (pyref list 1) n)
    (check n (pyref list 1))
    (check (vector n 3) (pyref list '(slice 1 nil)))
    (check-signals py-index-error (pyref list 7))
    (check (+ n 3) (py+ n 3))))

(define-deed contexts
  (check 5 (with-pycontext (value (pycall "contextlib.nullcontext" 5)) value)))

(define-deed collect
  (one-of (trivial-garbage:gc)
          (pycall "gc.collect")
          (check t (evenp (length (python-stats))))
          (loop repeat 50 do (pycall "object"))))
