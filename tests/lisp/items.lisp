;;;; PYREF and slices.

(in-package #:pyrite/test)

(def-suite items :in pyrite :description "Items and slices.")
(in-suite items)

(test items.manual
  "The examples of the manual."
  (is (equal "e" (pyref "hello" 1)))
  (is (eql 2 (pyref #(1 2 3) 1)))
  (is (equalp #(4 5) (pyref #(1 2 3 4 5) '(slice 3 5))))
  (with-numpy
    (is (equalp #(0 4 8)
                (with-remote-objects*
                  (pyref (chain ("numpy.arange" 12) ("reshape" (3 4)))
                         `(slice ,+py-none+)
                         0))))))

(test items.indices
  (is (eql 5 (pyref '(4 5 6) 1)))
  (is (eql 6 (pyref '(4 5 6) -1)))
  (is (eql :found (if (eql 7 (pyref (table "a" 7) "a")) :found :lost)))
  (is (eql 7 (pyref (table '(1 "b") 7) '(1 "b"))))
  (is (eql 7 (pyref (table '(1 "b") 7) 1 "b")) "Several indices are a tuple.")
  (is (eql 7 (pyref (table nil 7) nil)) "NIL is False, as everywhere.")
  (is (eql 7 (pyref (table +py-none+ 7) +py-none+)))
  (is (eql 7 (pyref (pyeval "{(): 7}"))) "No index at all is the empty tuple.")
  (is (eql 7 (pyref (pyeval "type('T', (), {'__getitem__': lambda self, key: key})()") 7)))
  (is (equal '(1 2 3) (pyref (pyeval "type('T', (), {'__getitem__': lambda self, key: key})()") 1 2 3)))
  (is (pyobject-wrapper-p (with-remote-objects (pyref #(1 2) 0)))))

(defun slice-text (&rest indices)
  "What Python makes of INDICES, as text."
  (apply #'pyref (pyeval "type('T', (), {'__getitem__': lambda self, key: repr(key)})()") indices))

(test items.slices
  (is (equal "slice(None, None, None)" (slice-text (slice nil))))
  (is (equal "slice(None, None, None)" (slice-text (slice +py-none+))))
  (is (equal "slice(None, 3, None)" (slice-text (slice 3))))
  (is (equal "slice(1, None, None)" (slice-text (slice 1 nil))))
  (is (equal "slice(1, -1, 2)" (slice-text (slice 1 -1 2))))
  (is (equal "slice(None, None, -1)" (slice-text (slice nil nil -1))))
  (is (equal "slice('a', (1, 'b'), 2.5)" (slice-text (slice "a" '(1 "b") 2.5d0))))
  (is (equal (format nil "slice(~D, None, None)" (expt 2 100)) (slice-text (slice (expt 2 100) nil))))
  (is (equal "(slice(None, None, None), 0, slice(1, 2, None))" (slice-text '(slice nil) 0 '(slice 1 2))))
  (is (equal "slice(None, 2, None)" (slice-text (list 'slice 2))))
  (is (equal "slice(None, 2, None)" (slice-text (list (make-symbol "SLICE") 2))) "Of whatever package.")
  (is (equal "('slice', 2)" (slice-text '("slice" 2))) "A string says nothing.")
  (is (equal "olleh" (pyref "hello" (slice nil nil -1)))))

(test items.slices-anywhere
  "A slice is a value like any other: in calls, in lists, in keyword arguments."
  (is (equal "(slice(None, 1, None), [slice(2, 3, None)], {'k': slice(None, None, None)})"
             (pycall "repr" (list (slice 1) (vector (slice 2 3)) (table "k" (slice nil))))))
  (is (equal "slice(None, 4, None)" (pycall "lambda *, s: str(s)" :s (slice 4))))
  (is (eql 4 (pyslot-value (slice 4) "stop")))
  (is (equal "slice(slice(1, 2, 3), None, None)" (pycall "repr" (slice (slice 1 2 3) nil))))
  (is (equal '(0 3 2) (pymethod (slice nil nil 2) "indices" 3)))
  (let ((list (list 1)))
    (setf (cdr list) list)
    (refuses conversion-error (pycall "repr" (slice list))))
  (refuses conversion-error
    (let ((slice nil))
      (dotimes (i 100000) (setf slice (slice slice)))
      (pycall "repr" slice))))

(test items.malformed-slices
  (is-for-each (index '((slice) (slice 1 2 3 4) (slice 1 . 2)))
    (typep (signalled (pyref "hello" index)) 'malformed-slice))
  (is (search "(SLICE 1 2 3 4)" (let ((*package* (find-package '#:pyrite/test)))
                                  (princ-to-string (signalled (pyref "hello" '(slice 1 2 3 4)))))))
  (is-true (python-works-p)))

(test items.slices-print-and-compile
  (is (search "SLICE 1 NIL 2" (prin1-to-string (slice 1 nil 2))))
  (is (equal "slice(None, 5, None)" (funcall (compile nil `(lambda () (pycall "repr" ,(slice 5))))))))

(test items.numpy
  (with-numpy
    (let ((matrix #2A((1 2 3) (4 5 6))))
      (is (equalp #(2 5) (pyref (pycall "numpy.array" matrix) (slice nil) 1)))
      (is (equalp #2A((3 1) (6 4)) (pyref matrix '(slice nil) '(slice nil nil -2))))
      (is (equalp #(4 5 6) (pyref matrix 1)))
      (is (equalp #2A((4 5 6)) (pyref matrix #(nil t)))))))

(test items.missing
  (signals py-index-error (pyref #(1 2) 2))
  (signals py-key-error (pyref (table) 1))
  (signals py-type-error (pyref 5 0))
  (signals py-type-error (pyref (table) #(1)))
  (signals py-type-error (pyref nil 0))
  (is-true (python-works-p)))

(test items.setting
  (let ((list (with-remote-objects (pycall "list" '(1 2 3 4)))))
    (is (eql 9 (setf (pyref list 0) 9)))
    (setf (pyref list '(slice 1 3)) #("x"))
    (is (equalp #(9 "x" 4) (pyvalue list)))
    (incf (pyref list -1) 10)
    (is (eql 14 (pyref list 2)))
    (signals py-index-error (setf (pyref list 10) 1)))
  (let ((dict (with-remote-objects (pycall "dict"))))
    (setf (pyref dict "a") nil
          (pyref dict 1 2) '(3))
    (is (equal "{'a': False, (1, 2): (3,)}" (pycall "str" dict)))
    (signals py-type-error (setf (pyref dict #(1)) 1)))
  (signals py-type-error (setf (pyref "abc" 0) "x"))
  (let ((vector (vector 1 2)))
    (setf (pyref vector 0) 5)
    (is (equalp #(1 2) vector) "A list is copied; the copy changed.")))

(test items.quick-and-slow
  "An object and an index that need no memory, and those that do, give the same."
  (let ((list (with-remote-objects (pycall "list" '(1 2 3)))))
    (is-for-each (index (list 1 -2 (expt 2 0)))
      (equal (pyref list index) (pyref '(1 2 3) index)))
    (signals py-index-error (pyref list most-positive-fixnum))
    (signals py-index-error (pyref list (expt 2 80)))))

(test items.stopped
  (let ((list (with-remote-objects (pycall "list" '(1 2 3)))))
    (pystop)
    (signals stale-object (pyref list 0))
    (signals stale-object (setf (pyref list 0) 1))
    (is (equal "b" (pyref "abc" 1)))))

(test items.leaks
  (holds-nothing-new
    (dotimes (i 100)
      (pyref #(1 2 3) '(slice 1 2))
      (setf (pyref #(1 2 3) '(slice 1 2)) (list (slice nil))))))
