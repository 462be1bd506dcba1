;;;; Python objects as Lisp objects: their lives, their identity, stale ones.

(in-package #:pyrite/test)

(def-suite wrapper :in pyrite :description "Python objects as Lisp objects.")
(in-suite wrapper)

;;; Lives

(defun counters ()
  "How many handles are alive, and how many wait to be released."
  (cffi:with-foreign-objects ((live :size) (pending :size))
    (pyrite::check-status (pyrite::%counters live pending))
    (values (cffi:mem-ref live :size) (cffi:mem-ref pending :size))))

(defun live-handles ()
  "How many handles are alive once garbage was collected and the queue emptied."
  (trivial-garbage:gc :full t)
  (loop repeat 100000
        do (python-works-p)
        until (zerop (nth-value 1 (counters))))
  (values (counters)))

(defun live-handles-below (limit)
  "The number of live handles, as soon as it is below LIMIT; finalizers may run a while after a collection."
  (loop repeat 200
        for live = (live-handles)
        until (< live limit)
        do (sleep 0.05)
        finally (return live)))

(defun drop-wrappers (count)
  "Make COUNT wrappers and keep none."
  (declare (optimize speed))
  (let ((last nil))
    (dotimes (i count)
      (setf last (pycall "object")))
    (pyobject-wrapper-p last)))

(defparameter *slack* 5000
  "How many wrappers a conservative collector, or a batch that was not full, may keep.")

(test wrapper.dropped-by-one-thread
  (let ((base (live-handles)) (count (scaled 1000000)))
    (is-true (drop-wrappers count))
    (is (< (live-handles-below (+ base *slack*)) (+ base *slack*)))))

(test wrapper.dropped-by-four-threads
  (let* ((base (live-handles)) (count (scaled 250000))
         (results (in-threads 4 (lambda (i) (declare (ignore i)) (drop-wrappers count)))))
    (is (equal '(t t t t) results))
    (is (< (live-handles-below (+ base *slack*)) (+ base *slack*)))))

(test wrapper.dropped-inside-containers
  "The wrappers of a list's items live and die like others."
  (let ((base (live-handles)) (count (scaled 1000)))
    ;; A conservative collector may keep the last few of these lists.
    (is-true (loop repeat 100
                   always (every #'pyobject-wrapper-p
                                 (pycall "lambda count: [object() for i in range(count)]" count))))
    (is (< (live-handles-below (+ base *slack*)) (+ base *slack*)))))

(test wrapper.of-failed-calls
  "Arguments, exceptions and half-converted results of calls that fail are let go of."
  (let ((base (live-handles)))
    (pyexec "def circular():
    items = [object() for i in range(100)]
    items.append(items)
    return items")
    (dotimes (i (scaled 1000))
      (unless (and (typep (signalled (pycall "circular")) 'conversion-error)
                   (typep (signalled (pycall "int" (pycall "object"))) 'pyerror))
        (return (fail "Call ~D did not fail as it should." i))))
    (is (< (live-handles-below (+ base *slack*)) (+ base *slack*)))))

(test wrapper.keeps-its-object
  "An object lives as long as its wrapper does, and no longer."
  (pyexec "import weakref
class Kept: pass
def make():
    global kept
    value = Kept()
    kept = weakref.ref(value)
    return value")
  (let ((wrapper (pycall "make")))
    (trivial-garbage:gc :full t)
    (is-true (pyeval "kept() is not None"))
    (is (pyobject-wrapper-eq wrapper (pyeval "kept()"))))
  (flet ((gone-p () (pyeval "kept() is None")))
    ;; A conservative collector may see one wrapper; it will not see one of many.
    (dotimes (i 100)
      (pycall "make"))
    (is-true (loop repeat 100
                   do (live-handles) (pyexec "make()")
                   thereis (gone-p)))))

(test wrapper.dies-while-python-is-stopped
  "A finalizer may run when Python does not, and may not touch what came after."
  (drop-wrappers 1000)
  (pystop)
  (trivial-garbage:gc :full t)
  (is (not (python-alive-p)))
  (let ((wrappers (pyeval "[object() for i in range(1000)]")))
    (live-handles)
    (is (every (lambda (wrapper) (equal "object" (pyslot-value (pyslot-value wrapper "__class__") "__name__")))
               wrappers))))

;;; Identity

(test wrapper.eq
  (pyexec "one = object()" (string #\Newline) "two = object()")
  (let ((one (pyvalue "one")) (again (pyvalue "one")) (two (pyvalue "two")))
    (is-true (pyobject-wrapper-p one))
    (is (typep one 'pyobject-wrapper))
    (is (not (pyobject-wrapper-p "one")))
    (is-true (pyobject-wrapper-eq one one))
    (is-true (pyobject-wrapper-eq one again))
    (is-true (pyobject-wrapper-eq* one again))
    (is-false (pyobject-wrapper-eq one two))
    (is-false (pyobject-wrapper-eq* one two))))

(test wrapper.eq-of-other-values
  "What is no wrapper is compared by EQ."
  (let ((list (list 1)) (object (pycall "object")))
    (is-true (pyobject-wrapper-eq list list))
    (is-false (pyobject-wrapper-eq list (list 1)))
    (is-true (pyobject-wrapper-eq +py-none+ +py-none+))
    (is-false (pyobject-wrapper-eq object 5))
    (is-false (pyobject-wrapper-eq 5 object))))

(test wrapper.same-object-in-python
  (pyexec "thing = object()")
  (let ((thing (pyvalue "thing")))
    (is-true (pycall "lambda left, right: left is right is thing" thing (pyvalue "thing")))
    (is-true (pycall "lambda items: all(item is thing for item in items)" (list thing thing)))))

;;; Files

(test wrapper.in-a-compiled-file
  "A Python object cannot be dumped, unless somebody said how; the constants can."
  (let ((wrapper (pycall "object")))
    (signals pyrite-error (make-load-form wrapper))
    (setf (pyrite::pyobject-wrapper-load-form wrapper) '(pyvalue "object"))
    (is (equal '(pyvalue "object") (make-load-form wrapper))))
  (is (eq +py-none+ (eval (make-load-form +py-none+))))
  (is (eq +py-empty-tuple+ (eval (make-load-form +py-empty-tuple+)))))

;;; Stale ones

(defun uses-of (wrapper)
  "Functions that each use WRAPPER in one of the ways there are."
  (list (lambda () (pycall "id" wrapper))
        (lambda () (pycall "id" (list 1 (vector wrapper))))
        (lambda () (pycall "dict" :a wrapper))
        (lambda () (pycall wrapper))
        (lambda () (pymethod wrapper "__str__"))
        (lambda () (pymethod "a" "join" wrapper))
        (lambda () (pyslot-value wrapper "real"))
        (lambda () (setf (pyslot-value wrapper "real") 1))
        (lambda () (setf (pyvalue "real") wrapper))
        (lambda () (pyvalue wrapper))
        (lambda () (pyeval "id(" wrapper ")"))
        (lambda () (pyexec "id(" wrapper ")"))
        (lambda () (setf (pyeval "real") wrapper))
        (lambda () (py-repr wrapper))
        (lambda () (pyobject-wrapper-eq wrapper (pycall "object")))
        (lambda () (pyobject-wrapper-eq* (pycall "object") wrapper))))

(test wrapper.stale
  "Every use of a wrapper from before PYSTOP signals STALE-OBJECT, whatever lives in its place now."
  (let ((wrapper (pycall "object")))
    (pystop)
    (pystart)
    (dotimes (i 3)
      (is-for-each (use (uses-of wrapper))
        (typep (signalled (funcall use)) 'stale-object))
      ;; Its slot may be taken again.
      (is (every #'pyobject-wrapper-p (pyeval "[object() for i in range(1000)]"))))
    (is (search "gone" (princ-to-string (signalled (pycall "id" wrapper)))))
    (is-true (python-works-p))))

(test wrapper.stale-after-several-stops
  (let ((wrappers (loop repeat 3
                        collect (pycall "object")
                        do (pystop))))
    (is-for-each (wrapper wrappers)
      (typep (signalled (pycall "id" wrapper)) 'stale-object))))

(test wrapper.first-use-starts-python-again
  "A stale wrapper is stale, and not a reason to say that Python does not run."
  (let ((wrapper (pycall "object")))
    (pystop)
    (signals stale-object (pycall "id" wrapper))
    (is-true (python-works-p))))
