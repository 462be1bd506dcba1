;;;; A numpy that cannot be imported: Python's error from what needs it, and from nothing else. In processes of
;;;; their own, since numpy can be imported once in each.

(in-package #:pyrite/test)

(def-suite faults/numpy)
(in-suite faults/numpy)

(defparameter *array* '(make-array 3 :element-type 'double-float :initial-element 1d0))

(defparameter *needs-numpy*
  `((pyrite:pycall "len" ,*array*)
    (pyrite:pycall "lambda x: x" (list 1 ,*array*))
    (pyrite:pycall "lambda f: [f()]" (lambda () ,*array*))
    (pyrite:pycall "len" (make-array 3 :element-type 'bit))
    (pyrite:pycall "len" (make-array '(3 2) :initial-element 1)))
  "Calls for which arrays of numpy's are made.")

(defparameter *numpy-values* '(3 (1 #(1d0 1d0 1d0)) #(#(1d0 1d0 1d0)) 3 3)
  "Their values with numpy.")

(defparameter *needs-no-numpy*
  '((equal "1.5" (pyrite:pycall "str" 1.5))
    (eql 2.5d0 (coerce (pyrite:pyeval 1.5 " + 1") 'double-float))
    (equalp #(1 2) (pyrite:pyeval "[1, 2]"))
    (pyrite:pyobject-wrapper-p (pyrite:pyeval "object()"))
    (eql 45 (pyrite:pyeval "sum(range(10))")))
  "Calls that are true without.")

(defun numpy-reports (&rest forms)
  "What each of FORMS gives in a new process with the Python that is chosen."
  (reports forms (format nil "PYRITE_PYTHON=~A" (pyrite::chosen-executable))))

(defun import-error-p (report)
  "True when REPORT is of Python's own error of an import, which is told as it is."
  (or (report-p report 'py-import-error "ImportError") (report-p report 'py-module-not-found-error "numpy")))

(test numpy.interrupted-import
  "The first import ends in the middle: numpy says itself that it is lost for this process, whoever asks."
  (with-numpy
    (destructuring-bind (first . others)
        (apply #'numpy-reports
               '(pyrite:pyexec "import sys
class Interrupting:
    def find_spec(self, name, *rest):
        if name == 'datetime': raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
sys.modules.pop('datetime', None)
try: import numpy
finally: sys.meta_path.pop(0)")
               (append *needs-numpy* *needs-no-numpy*))
      (if (typep first '(cons (member py-import-error py-keyboard-interrupt)))
          ;; numpy 1 can be imported again.
          (is-true (or (every #'import-error-p (subseq others 0 (length *needs-numpy*)))
                       (equalp *numpy-values* (subseq others 0 (length *needs-numpy*)))))
          (skip "This numpy needs no datetime when it is imported."))
      (is-for-each (report (nthcdr (length *needs-numpy*) others))
        (eq t report)))))

(test numpy.functions-that-are-not-to-be-had
  "numpy is there, and the module with its functions in C is not; then it is."
  (with-numpy
    (let* ((count (length *needs-numpy*))
           (reports (apply #'numpy-reports
                           (append '((pyrite:pyexec "import numpy, sys
hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[:2] in (['numpy', '_core'], ['numpy', 'core'])}
for name in 'numpy._core', 'numpy._core.multiarray', 'numpy.core', 'numpy.core.multiarray': sys.modules[name] = None"))
                                   *needs-numpy* *needs-no-numpy*
                                   '((equalp #(0d0 0d0) (pyrite:pyeval "numpy.zeros(2)"))
                                     (eql 1.0 (pyrite:pyeval "numpy.float32(1)"))
                                     (pyrite:pyexec "for name in 'numpy._core', 'numpy._core.multiarray', 'numpy.core', 'numpy.core.multiarray': del sys.modules[name]
sys.modules.update(hidden)"))
                                   *needs-numpy*))))
      ;; Arrays of objects are made by Python code.
      (is-for-each (report (subseq reports 1 count))
        (import-error-p report))
      (is-for-each (report (subseq reports (1+ count) (+ 3 count (length *needs-no-numpy*))))
        (eq t report))
      (is (equalp *numpy-values* (last reports count))))))

(test numpy.stand-ins
  "What goes by the name of numpy is not taken for it."
  (with-numpy
    (let ((reports (numpy-reports
                    '(pyrite:pyexec "import sys, types
numpy = sys.modules['numpy'] = types.ModuleType('numpy')
for name in '''ndarray float64 int64 int_ longlong intc short byte uint64 uint ulonglong uintc ushort ubyte float32 float16
            complex64 bool_ complex128 str_'''.split():
    setattr(numpy, name, type(name, (), {'__module__': 'numpy'}))")
                    '(pyrite:pyobject-wrapper-p (pyrite:pyeval "numpy.ndarray()"))
                    '(pyrite:pyobject-wrapper-p (pyrite:pyeval "numpy.float64()"))
                    '(pyrite:pyexec "del sys.modules['numpy']
import numpy")
                    '(equalp #(0d0 0d0) (pyrite:pyeval "numpy.zeros(2)"))
                    '(eql 1.0 (pyrite:pyeval "numpy.float32(1)")))))
      (is-for-each (place '(1 2 4 5))
        (eq t (nth place reports))))))
