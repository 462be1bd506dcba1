;;;; Containers that change while they are converted, by code that the conversion runs, or by other threads.

(in-package #:pyrite/test)

(def-suite faults/changing)
(in-suite faults/changing)

;;; Lisp's

(defstruct changer "An object whose conversion calls HOOK." hook)

(defmethod pythonize ((changer changer))
  (funcall (changer-hook changer))
  7)

(defun changed-outcome (make change)
  "What Python gets for the container that MAKE makes of an object, in whose conversion CHANGE changes the
container; or the type of the error."
  (let* ((container nil)
         (changer (make-changer :hook (lambda () (when container (funcall change container))))))
    (setf container (funcall make changer))
    (handler-case (pycall "lambda c: repr(c)" container)
      (error (condition) (type-of condition)))))

(defun adjustable (&rest items)
  (make-array (length items) :adjustable t :fill-pointer t :initial-contents items))

(defun changes ()
  "Of containers with an object that changes them: a function that makes one, and one that changes it."
  (flet ((change (make &rest changes)
           (mapcar (lambda (change) (list make change)) changes))
         (grow (count) (lambda (list) (setf (cdr (last list)) (make-list count :initial-element 1)))))
    (append (change (lambda (changer) (list changer 2 3 4))
                    (grow 1) (grow 10) (grow 1000000)
                    (lambda (list) (setf (cdr list) nil))
                    (lambda (list) (setf (cdr list) 5))
                    (lambda (list) (setf (cdr list) (circular-list 1 2)))
                    (lambda (list) (setf (cddr list) '(3 . 4))))
            (change (lambda (changer) (list 1 (list changer 2)))
                    (lambda (list) (setf (cdr (second list)) nil (cdr list) nil))
                    (lambda (list) (funcall (grow 100000) (second list))))
            (change (lambda (changer) (adjustable changer 2 3 4))
                    (lambda (vector) (setf (fill-pointer vector) 1))
                    (lambda (vector) (adjust-array vector 1 :fill-pointer 1))
                    (lambda (vector) (vector-push-extend 5 vector))
                    (lambda (vector) (dotimes (i 100000) (vector-push-extend i vector))))
            (change (lambda (changer) (adjustable 1 2 3 changer))
                    (lambda (vector) (setf (fill-pointer vector) 0))
                    (lambda (vector) (vector-push-extend 5 vector)))
            (change (lambda (changer) (make-array '(2 2) :adjustable t :initial-contents `((,changer 2) (3 4))))
                    (lambda (array) (adjust-array array '(1 1)))
                    (lambda (array) (adjust-array array '(100 100) :initial-element 1)))
            (change (lambda (changer) (table "a" changer "b" changer "c" changer))
                    #'clrhash))))

(test changing.by-pythonize
  "A method of PYTHONIZE changes what its object is in: no item is lost or made up, and nothing is overwritten."
  (dotimes (i 3)
    (is-for-each (case (changes))
      (eq 'conversion-error (apply #'changed-outcome case))))
  (is (equal "(7, 8, 3)" (changed-outcome (lambda (changer) (list changer 2 3)) (lambda (list) (setf (second list) 8))))
      "Other items are no other container.")
  (is-true (alive-p)))

(test changing.by-pythonizers
  "Each pythonizer sees the container as it was, and so does Python."
  (let ((list (list 1 2 3)) (vector (adjustable 1 2 3)) (array (make-array '(2 2) :adjustable t :initial-element 1)))
    (with-pythonizers ((integer (lambda (x) (setf (fill-pointer vector) 0) (- x))))
      (is (equal "[-1, -2, -3]" (pycall "repr" vector))))
    (with-pythonizers ((integer (lambda (x) (setf (cdr list) nil) (- x))))
      (is (equal "(-1, -2, -3)" (pycall "repr" list))))
    (with-pythonizers ((integer (lambda (x) (adjust-array array '(3 3)) (- x))))
      (signals conversion-error (pycall "len" array))))
  (is-true (alive-p)))

(defun call-while-others (deeds function)
  "The value of FUNCTION, while a thread for each of DEEDS, which is running when FUNCTION begins, does that over
and over."
  (let* ((over nil) (running '())
         (threads (mapcar (lambda (deed)
                            (let ((begun (list nil)))
                              (push begun running)
                              (bt:make-thread (lambda ()
                                                (setf (first begun) t)
                                                (loop until over do (funcall deed))))))
                          deeds)))
    (loop until (every #'first running) do (sleep 0.01))
    (unwind-protect (funcall function)
      (setf over t)
      (mapc #'bt:join-thread threads))))

(defun by-turns (one other)
  "A function that calls ONE and OTHER, and lets other threads go on after each."
  (lambda ()
    (funcall one)
    (sleep 0.0001)
    (funcall other)
    (sleep 0.0001)))

(test changing.by-other-threads
  "A list and a vector that other threads change all the time: one of their states, or an error."
  (let* ((list (make-list 500 :initial-element 1)) (end (last list)) (tail (make-list 20000 :initial-element 2))
         (vector (make-array 1000 :fill-pointer 500 :initial-element 1)))
    (flet ((sum (container)
             (handler-case (pycall "sum" container)
               (conversion-error () :changed))))
      (is-true (call-while-others (list (by-turns (lambda () (setf (cdr end) tail))
                                                  (lambda () (setf (cdr end) nil)))
                                        (by-turns (lambda () (setf (fill-pointer vector) 1000))
                                                  (lambda () (setf (fill-pointer vector) 500))))
                                  (lambda ()
                                    (loop repeat (scaled 2000)
                                          always (and (member (sum list) '(500 40500 :changed))
                                                      (member (sum vector) '(500 1000 :changed)))))))))
  (is-true (alive-p)))

(test changing.arrays-by-other-threads
  "Arrays of numbers that another thread adjusts all the time: Python sees memory that there is, or there is an error."
  (with-numpy
    (dolist (type '(double-float (unsigned-byte 8) bit))
      (let ((vector (make-array 10 :element-type type :adjustable t :initial-element (coerce 1 type)))
            (array (make-array '(10 10) :element-type type :adjustable t :initial-element (coerce 1 type))))
        (flet ((adjust (array &rest dimensions)
                 (lambda () (adjust-array array dimensions :initial-element (coerce 1 type))))
               (sum (array)
                 (handler-case (pycall "numpy.sum" array :dtype "float64")
                   (conversion-error () 0))))
          (is-true (call-while-others (list (by-turns (adjust vector 20000) (adjust vector 10))
                                            (by-turns (adjust array 100 200) (adjust array 10 10)))
                                      (lambda ()
                                        (loop repeat (scaled 1000)
                                              always (and (<= 0 (sum vector) 20000) (<= 0 (sum array) 20000))))))))))
  (is-true (alive-p)))

(test changing.by-hashes
  "A key's __hash__ and __eq__ have Lisp change what is being passed, and collect garbage: Python gets what was there."
  (pyexec "class Key:
    def __init__(self, f): self.f = f
    def __hash__(self): self.f(); return 1
    def __eq__(self, other): self.f(); return self is other
class BadKey(Key):
    def __hash__(self): self.f(); raise ValueError('no hash')")
  (let* ((calls 0) (list '()) (table nil)
         (text (make-array 0 :element-type 'character :adjustable t))
         (change (lambda ()
                   (incf calls)
                   (clrhash table)
                   (setf (cdr list) nil)
                   (adjust-array text 1)
                   (loop repeat 1000 do (make-string 100 :initial-element #\z))
                   (trivial-garbage:gc)))
         (keys (list (pycall "Key" change) (pycall "Key" change))))
    (dotimes (i 5)
      (setf calls 0
            list (list 1 (make-string 3 :initial-element #\t) 3)
            text (adjust-array text 5 :initial-element #\a)
            table (table (first keys) (make-string 5 :initial-element #\f) (second keys) (list (make-string 6 :initial-element #\s) 2)
                         (make-string 4 :initial-element #\k) (make-string 5 :initial-element #\v)))
      (setf text (adjust-array text 5 :initial-element #\a))
      (is (equal "([('ssssss', 2), 'fffff', 'vvvvv'], 'kkkk', ((1, 'ttt', 3), 'aaaaa'))"
                 (pycall "lambda d, *a: repr((sorted(d.values(), key=str), [k for k in d if isinstance(k, str)][0], a))"
                         table list (fill text #\a))))
      (is (<= 3 calls) "Two hashes, and a comparison."))
    ;; Those that fail halfway give back what they had made.
    (setf keys (list (pycall "BadKey" change)))
    (holds-nothing-new
      (dotimes (i 50)
        (setf list (list 1)
              table (table "a" (pyeval "(object(),)") (first keys) 2))
        (raises "ValueError" (pycall "len" (list (list "b") table)))
        (trivial-garbage:gc :full t))))
  (is-true (alive-p)))

;;; Python's

(defparameter *changing-code* "
import builtins, gc, threading, sys
real_import = builtins.__import__
class changing:
    # Python code that a conversion runs: bringing an array into C order imports a module.
    def __init__(self, change): self.change = change
    def __enter__(self): builtins.__import__ = self
    def __exit__(self, *a): builtins.__import__ = real_import
    def __call__(self, *a, **k):
        change, self.change = self.change, None
        if change: change()
        return real_import(*a, **k)
")

(test changing.results
  "What is read of a Python container that code of the conversion changes is an error; objects that it let go of
are not touched."
  (with-numpy
    (pyexec *changing-code*)
    (pyexec "import numpy
def strided(): return numpy.arange(2000)[::2]
class Big:
    def __init__(self): self.a = [0] * 100
cases = [(lambda: [strided(), 1, 2], c) for c in
         (lambda l: l.append(3), lambda l: l.clear(), lambda l: l.pop(), lambda l: l.__setitem__(slice(1, 2), range(10000)))]
cases += [(lambda: {'a': 1, 'b': strided(), 'c': Big(), 2: 3}, c) for c in
          (lambda d: d.clear(), lambda d: d.pop('c'), lambda d: d.update({i: i for i in range(10000)}),
           lambda d: (d.clear(), d.update({'x': 1})))]
cases += [(lambda: {'a': [Big(), strided(), {1: [2]}]}, lambda d: (d.pop('a').clear(), gc.collect()))]
def container_of(i):
    global the_container
    make, change = cases[i]
    the_container = make()
    builtins.__import__ = changing(lambda: change(the_container))
    return the_container")
    (unwind-protect
         (let ((before (held-objects)))
           (dotimes (round 3)
             (is-for-each (i (loop for i below (pyeval "len(cases)") collect i))
               (and (typep (signalled (pycall "container_of" i)) 'conversion-error)
                    (progn (pyexec "builtins.__import__ = real_import") t))))
           ;; The size is as before: what was put in the place of what went is converted, or it is an error.
           (pyexec "cases.append((lambda: {'a': 1, 'b': strided(), 'c': Big()},
                                 lambda d: (d.clear(), d.update({'x': 1, 'y': 2, 'z': 3}), gc.collect())))")
           (is (typep (handler-case (pycall "container_of" (1- (pyeval "len(cases)")))
                        (conversion-error (condition) condition))
                      '(or hash-table conversion-error)))
           (is (<= (held-objects) (+ before 3)) "What failed conversions had made is given back."))
      (pyexec "builtins.__import__ = real_import")))
  (is-true (alive-p)))

(test changing.by-python-threads
  "Lists and dicts that Python's threads change all the time, also while a conversion runs Python code."
  (pyexec "import threading, sys
switch = sys.getswitchinterval()
sys.setswitchinterval(1e-5)
changing_list, changing_dict, changing_on = [], {}, True
try:
    import numpy
    strided = numpy.arange(2000)[::2]
except ImportError: strided = 'strided'
def change():
    while changing_on:
        for i in range(50):
            changing_list.append([str(i)] * 3)
            changing_dict[i] = [object(), strided]
        del changing_list[20:]
        changing_list.append(strided)
        changing_list.clear()
        changing_dict.clear()
changers = [threading.Thread(target=change) for i in range(2)]
for t in changers: t.start()")
  (flet ((items-p (vector)
           (every (lambda (item)
                    (or (arrayp item) (and (simple-vector-p item) (= 3 (length item)))))
                  vector))
         (value (name)
           (handler-case (pyvalue name)
             (conversion-error () :changed))))
    (is-true (loop repeat (scaled 400)
                   for list = (value "changing_list")
                   for dict = (value "changing_dict")
                   always (and (or (eq list :changed) (items-p list))
                               (or (eq dict :changed)
                                   (loop for key being the hash-keys of dict using (hash-value item)
                                         always (and (integerp key) (pyobject-wrapper-p (svref item 0)))))))))
  (pyexec "changing_on = False
for t in changers: t.join()
sys.setswitchinterval(switch)")
  (is-true (alive-p)))

(test changing.by-lispifiers
  "A result is read whole before a lispifier runs, which may change the container."
  (pyexec "lispified = [1, [2, 3], {'a': 4}]")
  (let ((list (with-remote-objects (pyvalue "lispified"))))
    (is (equalp (vector -1 (vector -2 -3) (table "a" -4))
                (with-lispifiers ((integer (lambda (x) (pymethod list "clear") (trivial-garbage:gc) (- x))))
                  (pyvalue "lispified"))))
    (is (equalp #() (pyvalue "lispified"))))
  (is-true (alive-p)))

(test changing.while-iterated
  "Iterating is Python's: what it raises is a condition, and no iteration is without end."
  (pyexec "iterated = {1: 2, 3: 4}; iterated_list = [1, 2, 3]")
  (raises "RuntimeError" (do-pyiterable (key (with-remote-objects (pyvalue "iterated")))
                           (pyexec "iterated[" (+ 10 key) "] = 1")))
  (is (equal '(1) (let ((items '()))
                    (do-pyiterable (item (with-remote-objects (pyvalue "iterated_list")))
                      (push item items)
                      (pyexec "iterated_list.clear()"))
                    items)))
  (is-true (alive-p)))
