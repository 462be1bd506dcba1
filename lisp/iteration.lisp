;;;; Iterating over Python's iterables, one item a crossing: an iterator is never ahead of the loop.

(in-package #:pyrite)

(defstruct (iterator (:include pyobject-wrapper) (:constructor %make-iterator (handle)) (:copier nil)
                     (:predicate nil))
  "A Python iterator.")

(defun take-iterator (result)
  "The taker of an ITERATOR, which is given back at the latest when it is garbage."
  (declare (type address result))
  (let* ((handle (cell-handle result)) (iterator (%make-iterator handle)))
    (release-when-garbage iterator handle %release)
    iterator))

(defun make-iterator (iterable)
  "Python's iter(ITERABLE), an ITERATOR that RELEASE-ITERATOR is to be called on."
  (with-crossing (frame #'take-iterator)
    (with-encoded (frame (iterable encode iterable))
      (crossed (frame)
        (%%iter iterable (logior +remote+ +as-ucs4+) (pointer (frame-result frame)))))))

(declaim (inline write-end))
(defun write-end (result)
  "Write to RESULT what is there when an iterator writes nothing."
  (write-word result +none+ 0)
  (setf (cffi:mem-ref (pointer result) :uint64 +result-memory+) 0))

(defun next-item (iterator)
  "The next item of ITERATOR and true; NIL and NIL at the end."
  (declare (type iterator iterator) (optimize speed))
  (let ((more 0))
    (declare (type (signed-byte 32) more))
    (multiple-value-bind (item done)
        (try-crossing (result cells fail-finally)
            (progn
              (write-end result)
              (encode-immediate iterator cells))
          (let ((place (pointer (+ cells +value-size+))))
            (prog1 (%%next (pointer cells) (result-flags) (pointer result) place)
              (setf more (cffi:mem-ref place :int32)))))
      (cond ((not done) (fail-stale))
            ((zerop more) (values nil nil))
            (t (values item t))))))

(defun release-iterator (iterator exhausted)
  "Give ITERATOR back. One that is not EXHAUSTED, a generator for instance, is closed at once."
  ;; The finalizer's release of what is stale then does no harm.
  (%release (pyobject-wrapper-handle iterator))
  (unless exhausted
    ;; Any entry into Python makes good what was given back.
    (%counters (cffi:null-pointer) (cffi:null-pointer))))

(defun map-pyiterable (function iterable)
  "Call FUNCTION with each item of ITERABLE, anything that Python can iterate over, converted to Lisp.

The next item is asked for when FUNCTION has returned. Returns NIL. Signals PYERROR for what the iterator
raises; its end is none."
  (let* ((function (if (functionp function) function (fdefinition function)))
         (iterator (make-iterator iterable))
         (exhausted nil))
    (declare (type function function))
    (unwind-protect
         (loop
           (multiple-value-bind (item more) (next-item iterator)
             (unless more (return (setf exhausted t)))
             (funcall function item)))
      (release-iterator iterator exhausted)))
  nil)

(defmacro do-pyiterable ((variable iterable &optional result) &body body)
  "Evaluate BODY with VARIABLE bound to each item of ITERABLE in turn, then RESULT: as DOLIST.

BODY is in a block named NIL and may have tags and declarations. ITERABLE is anything that Python can
iterate over, an endless generator too. When BODY is left early, the iterator is let go of, by which a
generator is closed, but not one that a wrapper still has: that can be gone on with. Close it with its method
close, or let go of the wrapper. VARIABLE is NIL in RESULT."
  (multiple-value-bind (forms declarations) (alexandria:parse-body body)
    `(block nil
       (map-pyiterable (lambda (,variable)
                         (declare (ignorable ,variable))
                         ,@declarations
                         (tagbody ,@forms))
                       ,iterable)
       ,@(when result
           `((let ((,variable nil))
               (declare (ignorable ,variable))
               ,result))))))

(defun pyfor (&rest clause)
  "A clause of ITERATE, once the system pyrite/iterate is loaded: (pyfor VARIABLE in ITERABLE), where
ITERABLE is anything that Python can iterate over. The loop ends with it. No function to be called."
  (fail 'pyrite-error "(pyfor~{ ~S~}) is a clause of ITERATE: load the system pyrite/iterate, and use it ~
                       within (iterate:iter ...)." clause))
