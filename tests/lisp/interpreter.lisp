;;;; Starting, stopping, starting again.

(in-package #:pyrite/test)

(def-suite interpreter :in pyrite :description "Starting and stopping Python.")
(in-suite interpreter)

(test interpreter.start
  (is-true (pystart))
  (is-true (python-alive-p))
  (is-true (pystart) "Starting what runs already does no harm.")
  (is-true (python-alive-p))
  (python-start-if-not-alive)
  (is-true (python-alive-p)))

(test interpreter.stop
  (pystart)
  (pystop)
  (is-false (python-alive-p))
  (finishes (pystop))
  (is-false (python-alive-p))
  (python-start-if-not-alive)
  (is-true (python-alive-p)))

(test interpreter.stop-empties-main
  (define-python "left_over = 1" "def left_over_function(): pass" "import math" "_private = 1" "__dunder__ = 1")
  (pystop)
  (pystart)
  (is-for-each (name '("left_over" "left_over_function" "math" "_private" "__dunder__"))
    (typep (signalled (pyvalue name)) 'pyerror))
  (is (equal "__main__" (pyvalue "__name__")))
  (is (eql 3 (pycall "len" "abc"))))

(test interpreter.stop-collects
  "Python's garbage collector runs: what only __main__ and Lisp held is finalized."
  (define-python "import sys" "sys.finalized = []"
    "class Finalized:" "    def __init__(self, name): self.name, self.loop = name, self"
    "    def __del__(self):" "        import sys" "        sys.finalized.append(self.name)"
    "held_by_main = Finalized('main')")
  (let ((held-by-lisp (pycall "Finalized" "lisp")))
    (pystop)
    (pyexec "import sys")
    (is (equalp #("lisp" "main") (pycall "sorted" (pyvalue "sys.finalized"))))
    (signals stale-object (pyslot-value held-by-lisp "name"))
    (pyexec "del sys.finalized")))

(test interpreter.every-entry-point-starts-python
  (flet ((starts-p (function)
           (pystop)
           (let ((before (python-alive-p)))
             (funcall function)
             (and (not before) (python-alive-p)))))
    (is-for-each (function (list (lambda () (pycall "len" "abc"))
                                 (lambda () (pycall 'len "abc"))
                                 (lambda () (pycall "lambda: 1"))
                                 (lambda () (pymethod "abc" "upper"))
                                 (lambda () (pyvalue "len"))
                                 (lambda () (setf (pyvalue "x") 1))
                                 (lambda () (pyslot-value 5 "real"))
                                 (lambda () (pyeval "1"))
                                 (lambda () (raw-pyeval "1"))
                                 (lambda () (pyexec "pass"))
                                 (lambda () (raw-pyexec "pass"))
                                 (lambda () (setf (pyeval "x") 1))
                                 (lambda () (setf (pyeval "x") "text"))
                                 (lambda () (import-module "math"))
                                 (lambda () (import-function "sqrt" "math"))
                                 (lambda () (py-repr 5))
                                 (lambda () (pyversion-info))
                                 (lambda () (with-python-gil 1))
                                 (lambda () (with-remote-objects (pyeval "1")))
                                 #'python-start-if-not-alive
                                 #'pystart))
      (starts-p function))))

(test interpreter.no-start-without-need
  "Asking whether Python runs, or stopping it, does not start it."
  (pystop)
  (python-alive-p)
  (pystop)
  (princ-to-string +py-none+)
  (is-false (python-alive-p)))

(test interpreter.restart-many-times
  (is-true (dotimes (i (scaled 100) t)
             (pystop)
             (setf (pyvalue "x") i)
             (unless (and (eql i (pyvalue "x"))
                          (eql 49 (pycall "lambda x: x*x" 7))
                          (eql 2d0 (progn (import-module "math") (pycall "math.sqrt" 4))))
               (return nil)))))

(test interpreter.modules-survive
  "Extension modules work after a stop."
  (with-numpy
    (is (eql 6 (pycall "numpy.sum" #(1 2 3))))
    (pystop)
    (import-module "numpy" :as "np")
    (is (eql 6 (pycall "np.sum" #(1 2 3))))))

(test interpreter.disable-pystop
  (pystart)
  (setf (pyvalue "kept") 1)
  (let ((wrapper (pycall "object")))
    (let ((*disable-pystop* t))
      (pystop)
      (is-true (python-alive-p)))
    (is (eql 1 (pyvalue "kept")))
    (is-true (pycall "lambda object: True" wrapper)))
  (pystop)
  (is-false (python-alive-p)))

(test interpreter.additional-init-codes
  "They run at each start, in order, before anything else."
  (pystop)
  (let ((*additional-init-codes* (list "first_init = 1" "second_init = first_init + 1" "import math")))
    (pystart)
    (is (eql 2 (pyvalue "second_init")))
    (is (eql 2d0 (pycall "math.sqrt" 4)))
    (setf (pyvalue "second_init") 5)
    (pystart)
    (is (eql 5 (pyvalue "second_init")) "They ran though Python ran already.")
    (pystop)
    (is (eql 2 (pycall "lambda: second_init")) "They did not run at an automatic start."))
  (pystop)
  (raises "NameError" (pyvalue "first_init")))

(test interpreter.failing-init-code
  "An error in it is the user's to see, and Python runs afterwards."
  (pystop)
  (let ((*additional-init-codes* (list "1 / 0")))
    (raises "ZeroDivisionError" (pystart)))
  (is-true (python-works-p)))

(test interpreter.init-codes-run-once-with-many-threads
  "Threads that all find Python stopped run them once, and none goes ahead of them."
  (pystop)
  (let* ((before *additional-init-codes*)
         (ready (list "import time" "time.sleep(0.05)" "init_count = globals().get('init_count', 0) + 1")))
    ;; Other threads see the global value, not a binding.
    (unwind-protect
         (progn (setf *additional-init-codes* ready)
                (is (equal '(1 1 1 1 1 1 1 1)
                           (in-threads 8 (lambda (i) (declare (ignore i)) (pyvalue "init_count")))))
                (is (eql 1 (pyvalue "init_count"))))
      (setf *additional-init-codes* before))))

(test interpreter.version-info
  (let ((version (pyversion-info)))
    (is (= 5 (length version)))
    (is (eql 3 (first version)))
    (is (every #'integerp (list (second version) (third version) (fifth version))))
    (is (stringp (fourth version)))
    (import-module "sys")
    (is (equal version (pyeval "tuple(sys.version_info)")))))

(defun python-says (source)
  "What the chosen python executable, run on its own, prints for the expression SOURCE."
  (uiop:run-program (list (pyrite::chosen-executable) "-c" (format nil "import sys; print(~A)" source))
                    :output '(:string :stripped t)))

(test interpreter.is-that-of-the-executable
  "The embedded Python has the version, prefix and packages of the executable that was chosen."
  (is (equal (python-says "'%d.%d.%d' % sys.version_info[:3]")
             (format nil "~{~D.~D.~D~}" (subseq (pyversion-info) 0 3))))
  (import-module "sys")
  (is (equal (python-says "sys.prefix") (pyvalue "sys.prefix")))
  (is (equal (python-says "sys.base_prefix") (pyvalue "sys.base_prefix")))
  (is (equal (python-says "sys.executable") (pyvalue "sys.executable")))
  (is (equal (python-says "[p for p in sys.path if 'site-packages' in p]")
             (pyeval "str([p for p in sys.path if 'site-packages' in p])"))))

(test interpreter.stop-while-the-gil-is-held
  (with-python-gil
    (pystop)
    (is-false (python-alive-p))
    (is-true (python-works-p)))
  (is-true (python-works-p)))

(test interpreter.stop-while-others-call
  "Calls of other threads come to their ends, and those that come later start Python again."
  (let ((results (in-threads 5 (lambda (i)
                                 (if (zerop i)
                                     (dotimes (j 20 t) (pystop) (sleep 0.001))
                                     (loop repeat (scaled 2000)
                                           always (eql 3 (pycall "len" "abc"))))))))
    (is (equal '(t t t t t) results))))
