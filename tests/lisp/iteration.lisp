;;;; Iterating over Python's iterables.

(in-package #:pyrite/test)

(def-suite iteration :in pyrite :description "Iterating over Python's iterables.")
(in-suite iteration)

(defun collected (iterable)
  "The items of ITERABLE, a list."
  (let ((items '()))
    (do-pyiterable (item iterable (nreverse items))
      (push item items))))

(test iteration.iterables
  (is (equal '(1 2 3) (collected #(1 2 3))))
  (is (equal '(1 2 3) (collected '(1 2 3))))
  (is (equal '("a" "b") (collected "ab")))
  (is (equal '(0 1 2) (collected (pycall "range" 3))))
  (is (equal '("k") (collected (table "k" 5))))
  (is (equal '((1 "a") (2 "b")) (collected (pycall "zip" '(1 2) "ab"))))
  (is (equal '() (collected #())))
  (is (equal '() (collected +py-empty-tuple+)))
  (is (equal (list +py-none+ nil +py-none+ t) (collected (vector +py-none+ nil +py-none+ t))))
  (is (equal '(0 1 4) (collected (pyeval "(x * x for x in range(3))"))))
  (is (equal '(5 6) (collected (pyeval "type('Old', (), {'__getitem__': lambda self, i: [5, 6][i]})()"))))
  (with-numpy
    (is (equalp '(#(1 2) #(3 4)) (collected (pycall "numpy.array" #2A((1 2) (3 4))))))))

(test iteration.as-dolist
  (is (null (do-pyiterable (x #(1 2)) x)))
  (is (equal '(nil 2) (let ((count 0)) (do-pyiterable (x #(1 2) (list x count)) (incf count)))))
  (is (eql 2 (do-pyiterable (x #(1 2 3)) (when (= x 2) (return x)))))
  (is (equal '(1 3) (let ((items '()))
                      (do-pyiterable (x #(1 2 3) (nreverse items))
                        (declare (type fixnum x))
                        (when (= x 2) (go next))
                        (push x items)
                        next))))
  (is (equal '(1 2) (mapcar #'funcall (let ((functions '()))
                                        (do-pyiterable (x #(1 2) (nreverse functions))
                                          (push (lambda () x) functions)))))
      "Each item has a binding of its own.")
  (is (eql 9 (block outer (do-pyiterable (x #(1 2)) (do-pyiterable (y #(5 9)) (when (= y 9) (return-from outer y))))))))

(test iteration.map
  (let ((items '()))
    (is (null (map-pyiterable (lambda (x) (push x items)) #(1 2))))
    (is (equal '(2 1) items)))
  (is (null (map-pyiterable 'identity #(1 2)))))

(test iteration.never-ahead
  "An item is made when it is asked for, not before."
  (define-python "made = []" "def makes():" "    for i in range(5):" "        made.append(i)" "        yield i")
  (is (equal '((0 1) (1 2) (2 3)) (let ((seen '()))
                                    (do-pyiterable (x (pycall "makes") (error "not reached"))
                                      (push (list x (length (pyvalue "made"))) seen)
                                      (when (= x 2) (return (nreverse seen)))))))
  (is (equalp #(0 1 2) (pyvalue "made"))))

(test iteration.endless
  (import-module "itertools")
  (is (eql 1000 (do-pyiterable (x (pycall "itertools.count")) (when (= x 1000) (return x))))))

(test iteration.closed
  "A generator that is left early runs its finally clause at once, however it is left."
  (define-python "closed = []" "def closing(i):" "    try:" "        while True: yield i" "    finally: closed.append(i)")
  (let ((i 0))
    (flet ((closing ()
             (pyeval (format nil "type('C', (), {'__iter__': lambda self: closing(~D)})()" (incf i))))
           (closed () (pyvalue "closed")))
      (do-pyiterable (x (closing)) (when x (return)))
      (is (equalp #(1) (closed)))
      (signalled (do-pyiterable (x (closing)) (error "left with ~A" x)))
      (is (equalp #(1 2) (closed)))
      (catch 'out (do-pyiterable (x (closing)) (throw 'out x)))
      (is (equalp #(1 2 3) (closed)))
      (iterate:iter (pyfor x in (closing)) (when x (iterate:finish)))
      (is (equalp #(1 2 3 4) (closed))))))

(test iteration.left-and-gone-on-with
  "What a wrapper still has stays open, and goes on where it was left."
  (let ((generator (pyeval "(i for i in range(5))")))
    (is (eql 1 (do-pyiterable (x generator) (when (= x 1) (return x)))))
    (is (equal '(2 3 4) (collected generator)))))

(test iteration.errors
  (define-python "def raises(error):" "    yield 1" "    raise error" "class Ends:" "    def __iter__(self): return self"
                 "    def __next__(self): return [].pop()")
  (let ((items '()))
    (signals py-key-error (do-pyiterable (x (pycall "raises" (pyeval "KeyError(5)"))) (push x items)))
    (is (equal '(1) items)))
  (signals py-runtime-error (collected (pycall "raises" (pyeval "StopIteration()"))))
  (signals py-index-error (collected (pycall "Ends")))
  (signals py-type-error (collected 5))
  (signals py-type-error (collected nil))
  (signals conversion-error (collected '(1 . 2)))
  (signals undefined-function (map-pyiterable 'no-such-function-at-all #(1)))
  (signals py-type-error (collected (pyeval "type('No', (), {'__iter__': lambda self: 5})()")))
  ;; An error of the body's own is not taken for the end.
  (signals py-stop-iteration (do-pyiterable (x #(1)) (pyexec (format nil "raise StopIteration(~D)" x))))
  (is-true (python-works-p)))

(test iteration.item-that-cannot-be-converted
  (pyexec "cycle = []; cycle.append(cycle)")
  (signals conversion-error (collected (pyeval "[cycle]"))))

(test iteration.remote
  (with-remote-objects
    (do-pyiterable (x #(1 2))
      (is-true (pyobject-wrapper-p x))))
  (is (equal '(2 4) (let ((items '()))
                      (with-remote-objects
                        (do-pyiterable (x #(1 2)) (push (py+ x x) items)))
                      (mapcar #'pyvalue (nreverse items))))))

(test iteration.changing
  (let ((list (with-remote-objects (pycall "list" '(1 2)))))
    (is (equal '(1 2 2 4) (let ((items '()))
                            (do-pyiterable (x list (nreverse items))
                              (when (< (length items) 2) (pymethod list "append" (* 2 x)))
                              (push x items)))))))

(test iteration.stopped-meanwhile
  (signals stale-object (do-pyiterable (x #(1 2 3)) (when x (pystop))))
  (is-true (python-works-p)))

(test iteration.iterate
  (import-module "itertools")
  (is (equal '(1 4 9) (iterate:iter (pyfor x in #(1 2 3)) (iterate:collect (* x x)))))
  (is (equal '((1 . a) (2 . b)) (iterate:iter (pyfor x in (pycall "iter" #(1 2 3)))
                                  (iterate:for y in '(a b))
                                  (iterate:collect (cons x y)))))
  (is (equal '((a . 1) (b . 2)) (iterate:iter (iterate:for y in '(a b c))
                                  (pyfor x in #(1 2))
                                  (iterate:collect (cons y x)))))
  (is (equal '(4 6) (iterate:iter (pyfor (a b) in (pycall "zip" '(1 2) '(3 4))) (iterate:collect (+ a b)))))
  (is (equal '() (iterate:iter (pyfor x in #()) (iterate:collect x))))
  (is (eql 2 (iterate:iter (pyfor x in #(1 2 3)) (iterate:finding x :such-that (evenp x)))))
  (is (equal '((1 5) (1 6) (2 5) (2 6))
             (iterate:iter outer (pyfor x in #(1 2))
               (iterate:iter (pyfor y in #(5 6)) (iterate:in outer (iterate:collect (list x y)))))))
  (is (eql 10 (iterate:iter (pyfor x in (pycall "itertools.count")) (when (= x 10) (return x)))))
  (signals py-type-error (iterate:iter (pyfor x in 5) (iterate:collect x))))

(test iteration.iterate-only
  (is (search "pyrite/iterate" (princ-to-string (signalled (pyfor 1 2))))))

(test iteration.leaks
  (import-module "itertools")
  (holds-nothing-new
    (dotimes (i 50)
      (collected #(1 2 3))
      (do-pyiterable (x #(1 2)) (return x))
      (iterate:iter (pyfor x in #(1 2)) (iterate:collect x))
      (iterate:iter (pyfor x in #(1 2)) (iterate:finding x :such-that (= x 1)))
      (signalled (do-pyiterable (x #(1 2)) (error "left with ~A" x))))))
