;;;; Views of Python's memory: how long the memory stays.

(in-package #:pyrite/test)

(def-suite pyarray-memory :in pyrite :description "How long the memory of views stays.")
(in-suite pyarray-memory)

(defun live-buffers ()
  "How many buffers are held, once those that were given back are paid for."
  (live-handles)
  (pyrite::%buffer-count))

(defun held-buffers ()
  "How many buffers are held, without a garbage collection."
  (pyrite::%buffer-count))

(defmacro holds-nothing (&body body)
  "One check: BODY gives as many buffers back as it takes, without a garbage collection. Garbage of before
may be collected meanwhile."
  (let ((before (gensym "BEFORE")))
    `(let ((,before (held-buffers)))
       (prog1 (progn ,@body)
         (python-works-p)
         (is (>= ,before (held-buffers)))))))

(defun byte-array (text)
  "A wrapper of a bytearray of TEXT."
  (with-remote-objects (pycall "lambda text: bytearray(text, 'latin-1')" text)))

(defun as-text (bytes)
  (pymethod bytes "decode" "latin-1"))

(defun viewed-p (bytes)
  "True when Python refuses to resize the bytearray BYTES, because somebody looks at it."
  (equal "BufferError" (python-error-type (lambda () (pycall "lambda b: (b.append(0), b.pop())" bytes)))))

(test pyarray-memory.release
  (let* ((bytes (byte-array "abc")) (view (view-pyarray bytes)))
    (is-true (viewed-p bytes))
    (is (eql 97 (pyaref view 0)))
    (is (null (release-pyarray view)))
    (is-false (viewed-p bytes))
    (is-true (pyarray-released-p view))
    (is (null (release-pyarray view)))
    (is-for-each (function (list (lambda () (pyaref view 0)) (lambda () (row-major-pyaref view 0))
                                 (lambda () (setf (pyaref view 0) 1)) (lambda () (pyarray-pointer view))
                                 (lambda () (with-pyarray (again view) again))
                                 (lambda () (with-pyarray (again view :element-type '(unsigned-byte 8))
                                              (pyaref again 0)))))
      (typep (signalled (funcall function)) 'released-pyarray))
    (is-false (viewed-p bytes))
    (is-true (search "VIEW-PYARRAY" (princ-to-string (signalled (pyaref view 0)))))
    ;; It still is its object.
    (is (equal '(3) (pyarray-dimensions view)))
    (is (equal "abc" (as-text view)))
    (with-pyarray (again (view-pyarray view)) (is (eql 97 (pyaref again 0))))
    (signals type-error (release-pyarray bytes))))

(test pyarray-memory.no-resize-while-viewed
  (let ((bytes (byte-array "abc")))
    (with-pyarray (view bytes :element-type '(unsigned-byte 8) :writable t)
      (raises "BufferError" (pymethod bytes "append" 1))
      (setf (pyaref view 0) 88)
      (is (equal "Xbc" (as-text bytes))))
    (finishes (pymethod bytes "append" 100))
    (is (equal "Xbcd" (as-text bytes)))
    (let ((view (view-pyarray bytes)))
      (raises "BufferError" (pymethod bytes "clear"))
      (release-pyarray view)
      (finishes (pymethod bytes "clear")))))

(test pyarray-memory.with-pyarray-gives-back
  "At the end, however the body is left."
  (let ((bytes (byte-array "abc")))
    (holds-nothing
      (is (eql 98 (with-pyarray (view bytes) (pyaref view 1))))
      (is (equal '(97 98) (multiple-value-list (with-pyarray (view bytes :element-type '(unsigned-byte 8))
                                                 (values (pyaref view 0) (pyaref view 1))))))
      (is (eql 99 (block nil (with-pyarray (view bytes) (return (pyaref view 2))))))
      (is (eql 1 (catch 'out (with-pyarray (view bytes) (throw 'out (pyarray-rank view))))))
      (signals pyarray-subscript-error (with-pyarray (view bytes) (pyaref view 3)))
      (signals pyrite-error (with-pyarray (view bytes :element-type 'double-float) (pyaref view 0)))
      (signals pyrite-error (with-pyarray (view bytes :rank 2) (pyaref view 0)))
      (raises "BufferError" (with-pyarray (view (with-remote-objects (raw-pyeval "b'abc'")) :writable t) view))
      (dotimes (i 1000)
        (with-pyarray (view bytes) (pyaref view 0))))
    (finishes (pymethod bytes "append" 1))))

(test pyarray-memory.what-escapes-is-released
  (let ((bytes (byte-array "abc")))
    (let ((view (with-pyarray (view bytes) view)))
      (is-true (pyarray-released-p view))
      (signals released-pyarray (pyaref view 0)))
    (let ((read (with-pyarray (view bytes :element-type '(unsigned-byte 8)) (lambda () (pyaref view 0)))))
      (signals released-pyarray (funcall read)))))

(test pyarray-memory.release-in-the-body
  "The next access says so, and the memory goes at the end."
  (let ((bytes (byte-array "abc")))
    (holds-nothing
      (with-pyarray (view bytes :element-type '(unsigned-byte 8))
        (is (eql 97 (pyaref view 0)))
        (release-pyarray view)
        (signals released-pyarray (pyaref view 0))
        (signals released-pyarray (setf (pyaref view 0) 1))
        (raises "BufferError" (pymethod bytes "append" 1))))
    (holds-nothing
      (let ((view (view-pyarray bytes)))
        (with-pyarray (typed view :element-type '(unsigned-byte 8))
          (with-pyarray (again typed)
            (release-pyarray view)
            (signals released-pyarray (pyaref typed 0))
            (signals released-pyarray (pyaref again 0)))
          (raises "BufferError" (pymethod bytes "append" 1)))
        (finishes (pymethod bytes "append" 1))))))

(test pyarray-memory.nested
  (with-numpy
    (let ((array (numpy-remote "np.arange(4.0)")))
      (holds-nothing
        (with-pyarray (outer array :element-type 'double-float)
          (with-pyarray (inner array :element-type 'double-float)
            (setf (pyaref inner 0) 9d0)
            (is (eql 9d0 (pyaref outer 0)))
            (with-pyarray (same outer :element-type 'double-float)
              (is (eql 9d0 (pyaref same 0)))
              (incf (pyaref same 0))))
          (is (eql 10d0 (pyaref outer 0)))
          (is-false (pyarray-released-p outer))))
      (let ((view (view-pyarray array)))
        (with-pyarray (held view) (pyaref held 0))
        (is (eql 10d0 (pyaref view 0)))
        (release-pyarray view)))))

(defun numpy-remote (source)
  (with-remote-objects (numpy-array source)))

(test pyarray-memory.both-sides-see-it
  "Large data is in one place."
  (with-numpy
    (let* ((count (scaled 1000000)) (view (make-pyarray count)))
      (with-pyarray (typed view :element-type 'double-float)
        (dotimes (i count)
          (setf (pyaref typed i) (float i 1d0)))
        (is (= (/ (* count (1- count)) 2) (pymethod view "sum")))
        (pymethod view "fill" 0.5d0)
        (let ((sum 0d0))
          (declare (type double-float sum))
          (dotimes (i count)
            (incf sum (pyaref typed i)))
          (is (= (/ count 2) sum))))
      (release-pyarray view))))

;;; Garbage

(defun drop-views (bytes count)
  (let ((last nil))
    (dotimes (i count (pyaref last 0))
      (setf last (view-pyarray bytes)))))

(test pyarray-memory.garbage-is-given-back
  "Finalizers release views, and do not take wrappers' handles for them."
  (let* ((bytes (byte-array "abc")) (before (live-buffers)) (wrappers (pyeval "[object() for i in range(100)]")))
    (is (eql 97 (drop-views bytes 500)))
    (drop-wrappers 500)
    (is (> (+ before 20) (loop repeat 100
                               for live = (live-buffers)
                               while (>= live (+ before 20))
                               do (sleep 0.05)
                               finally (return live))))
    (is-true (every (lambda (wrapper) (pycall "lambda object: True" wrapper)) wrappers))))

(test pyarray-memory.object-is-kept
  "Python forgets the object; the view does not."
  (define-python "import array" "kept = array.array('d', range(1000))")
  (let ((view (view-pyarray (with-remote-objects (pyvalue "kept")))))
    (define-python "del kept" "import gc" "gc.collect()" "junk = [array.array('d', [1.5] * 1000) for i in range(100)]")
    (trivial-garbage:gc :full t)
    (is (loop for i below 1000 always (= i (pyaref view i))))
    (release-pyarray view)))

;;; Python stopped

(test pyarray-memory.outlives-pystop
  (let* ((bytes (byte-array "abc")) (before (live-buffers)) (view (view-pyarray bytes)))
    (with-pyarray (typed bytes :element-type '(unsigned-byte 8))
      (pystop)
      (is (eql 98 (pyaref typed 1)))
      (is (eql 98 (pyaref view 1)))
      (setf (pyaref view 1) 66)
      (is (eql 66 (pyaref typed 1)))
      (is (eql 1 (with-pyarray (again view) (pyarray-rank again))))
      (is-false (python-alive-p)))
    (is-true (search "PYARRAY" (prin1-to-string view)))
    (is-false (python-alive-p))
    (signals stale-object (pycall "len" view))
    (signals stale-object (view-pyarray view))
    (is (eql 66 (pyaref view 1)))
    (pystop)
    (release-pyarray view)
    (is-true (pyarray-released-p view))
    (is-true (python-works-p))
    (is (>= before (live-buffers)))))

(test pyarray-memory.python-starts-for-a-view
  (pystop)
  (is-false (python-alive-p))
  (with-pyarray (view (make-array 3 :element-type '(unsigned-byte 8)))
    (is (eql 0 (pyaref view 2))))
  (is-true (python-alive-p)))

;;; Threads

(test pyarray-memory.threads
  "Many threads with views of their own of one object."
  (let ((bytes (byte-array (make-string 64 :initial-element #\a))))
    (holds-nothing
      (is (equal (make-list 8 :initial-element t)
                 (in-threads 8 (lambda (thread)
                                 (loop for i below (scaled 400)
                                       always (with-pyarray (view bytes :element-type '(unsigned-byte 8))
                                                (setf (pyaref view thread) (mod i 256))
                                                (and (eql (mod i 256) (pyaref view thread))
                                                     (eql 97 (pyaref view 63))))))))))
    (finishes (pymethod bytes "append" 1))))

(defun read-until-released (view)
  "Read VIEW in every way until another thread releases it; T when nothing else was seen."
  (handler-case
      (loop (unless (and (member (pyaref view 0) '(97 98))
                         (with-pyarray (typed view :element-type '(unsigned-byte 8))
                           (handler-case (loop repeat 20 always (member (pyaref typed 100) '(97 98)))
                             (released-pyarray () t))))
              (return nil)))
    (released-pyarray () t)))

(defun released-by-threads-p (count function)
  "True when FUNCTION, of a thread's number and a view, is true in COUNT threads, which release the view."
  (let* ((bytes (byte-array (make-string 200000 :initial-element #\a))) (view (view-pyarray bytes)))
    (and (viewed-p bytes)
         (equal (make-list count :initial-element t)
                (in-threads count (lambda (thread) (funcall function thread view))))
         (not (viewed-p bytes)))))

(test pyarray-memory.release-while-others-read
  "Readers see what was there, or the condition; the memory is not pulled away under them."
  (is-for-each (round (loop repeat (scaled 20) collect t))
    (released-by-threads-p 5 (lambda (thread view)
                               (cond ((zerop thread)
                                      (sleep 0.005)
                                      (release-pyarray view)
                                      round)
                                     (t (read-until-released view)))))))

(test pyarray-memory.released-once
  "Of many threads that release a view, one does; another view is not touched."
  (let ((other (view-pyarray (byte-array "abc"))))
    (is-for-each (round (loop repeat (scaled 50) collect t))
      (released-by-threads-p 4 (lambda (thread view)
                                 (declare (ignore thread))
                                 (release-pyarray view)
                                 round)))
    (is (eql 97 (pyaref other 0)))
    (release-pyarray other)))
