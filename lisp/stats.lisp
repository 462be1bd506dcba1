;;;; How much there is of what Lisp and Python hold of each other.

(in-package #:pyrite)

(defun library-counts ()
  "Of libpyrite's counts: handles, pending releases, buffers, names, threads."
  (cffi:with-foreign-object (numbers :size 5)
    (dotimes (i 5) (setf (cffi:mem-aref numbers :size i) 0))
    (when (library-loaded-p) (%stats numbers 5))
    (loop for i below 5 collect (cffi:mem-aref numbers :size i))))

(defun loan-kind (loan)
  "What kind of thing LOAN is of, a keyword."
  (cond ((loan-storage loan) :lent-arrays)
        ((functionp (loan-object loan)) :lent-functions)
        (t :lent-objects)))

(defun lent-counts ()
  "A plist of how many things of each kind are lent to Python."
  (when (library-loaded-p) (collect-loans))
  (let ((counts (list :lent-arrays 0 :lent-functions 0 :lent-objects 0)))
    (with-loans
      (loop for place below **used-places**
            for loan = (svref **loans** place)
            when (typep loan 'loan)
              do (incf (getf counts (loan-kind loan)))))
    counts))

(defun handle-types ()
  "A table from the types of the objects that Lisp holds, by name, to how many there are."
  (with-crossing (frame #'take-default)
    (crossed (frame) (%%handle-types +as-ucs4+ (pointer (frame-result frame))))))

(defun most-first (alist)
  (sort alist #'> :key #'cdr))

(defun python-stats (&key by-type)
  "What Lisp and Python hold of each other at this moment, a plist, for the curious and to find leaks.

:HANDLES: the Python objects that Lisp holds, by wrappers mostly. :PENDING-RELEASES: what of that and of
buffers is garbage in Lisp, and is given back by the calls that come. :BUFFERS: memory of Python's that
views look at. :LENT-ARRAYS, :LENT-FUNCTIONS, :LENT-OBJECTS: what of Lisp's Python has. :NAMES: names of
Python's that were prepared for Lisp code. :THREADS: the threads that called Python and still live.
:WORKERS: threads that answer the questions of threads that Python made. With BY-TYPE true there is :TYPES,
an alist from names of Python types to how many of the :HANDLES are of them, most first.

Cheap, and does not wait for the GIL, but for BY-TYPE, which calls Python. Does not start Python, either."
  (destructuring-bind (handles pending buffers names threads) (library-counts)
    (append (list :handles handles :pending-releases pending :buffers buffers)
            (lent-counts)
            (list :names names :threads threads :workers (length **workers**))
            (when by-type
              (list :types (when (python-alive-p)
                            (most-first (alexandria:hash-table-alist (handle-types)))))))))
