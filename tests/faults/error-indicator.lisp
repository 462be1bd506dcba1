;;;; The exception that Python has set: none when a call begins, none when it is over, whatever happened.

(in-package #:pyrite/test)

(def-suite faults/error-indicator)
(in-suite faults/error-indicator)

(defun python-function (name)
  "The pointer to the C function, or variable, NAME of Python, which runs."
  (cffi:make-pointer (pyrite::dlsym (cffi:null-pointer) name)))

(defun indicator-set-p ()
  "True when Python has an exception set in this thread, between two calls."
  (with-python-gil
    (not (cffi:null-pointer-p (pyrite/port:without-interrupts
                                (cffi:foreign-funcall-pointer (python-function "PyErr_Occurred") () :pointer))))))

(defun clean-after-p (function)
  "True when no exception is set after FUNCTION, whether it signals or not, and the next call works."
  (ignore-errors (funcall function))
  (and (not (indicator-set-p)) (python-works-p)))

(test error-indicator.after-every-way-out
  "Calls that return and calls that fail, in Python, in a conversion, in a callback, on purpose."
  (define-python "class Bad:"
                 "    def __str__(self): raise ValueError('str')"
                 "    def __repr__(self): raise ValueError('repr')"
                 "    def __len__(self): raise ValueError('len')"
                 "    def __eq__(self, other): raise ValueError('eq')"
                 "    def __getattr__(self, name): raise ValueError(name)"
                 "    __hash__ = None"
                 "circular = []" "circular.append(circular)")
  (let ((bad (pyeval "Bad()")) (fails (lambda () (error "callback"))))
    (is-for-each (function
                  (list (lambda () (pycall "len" "abc"))
                        (lambda () (pycall "len" bad))
                        (lambda () (pycall "no_such_function"))
                        (lambda () (pyeval "1 / 0"))
                        (lambda () (pyeval "1 +"))
                        (lambda () (pyexec "raise KeyboardInterrupt"))
                        (lambda () (pyslot-value bad "anything"))
                        (lambda () (setf (pyslot-value 5 "real") 1))
                        (lambda () (py-repr bad))
                        (lambda () (princ-to-string bad))
                        (lambda () (pyvalue "circular"))
                        (lambda () (pyvalue "no_such_variable"))
                        (lambda () (pycall "dict" (table bad 1)))
                        (lambda () (pycall "hash" (list 1 bad)))
                        (lambda () (pyhelp bad))
                        (lambda () (import-module "no_such_module"))
                        (lambda () (do-pyiterable (x bad) x))
                        (lambda () (pycall fails))
                        (lambda () (pycall "lambda f: f()" fails))
                        (lambda () (pycall "sorted" #(1 2) :key fails))
                        (lambda () (catch 'out (pycall "lambda f: f()" (lambda () (throw 'out 1)))))
                        (lambda () (with-python-timeout (0.05) (pyexec "while True: pass")))
                        (lambda () (pyerror-traceback (signalled (pyeval "1 / 0"))))
                        (lambda () (view-pyarray bad))))
      (clean-after-p function)))
  (is-true (alive-p)))

(test error-indicator.left-by-others
  "An exception that C code left set does not fail a later call."
  (pystart)
  (flet ((leave ()
           (pyrite/port:without-interrupts
             (cffi:foreign-funcall-pointer (python-function "PyErr_SetString") ()
                                           :pointer (cffi:mem-ref (python-function "PyExc_ValueError") :pointer)
                                           :string "left" :void))))
    (with-python-gil
      (dotimes (i 3)
        (leave)
        (is (eql 3 (pycall "len" "abc")))
        (leave)
        (is (equalp #(1 2) (pyeval "[1, 2]")))
        (leave)
        (raises "ZeroDivisionError" (pyeval "1 / 0"))))
    (is-false (indicator-set-p)))
  (is-true (alive-p)))

(test error-indicator.broken-functions
  "A C function that sets an exception and does not fail."
  (if (signalled (import-module "ctypes"))
      (skip "This Python has no ctypes.")
      (progn
        (define-python "import ctypes"
                       "broken_left = ctypes.PYFUNCTYPE(None, ctypes.py_object, ctypes.c_char_p)(('PyErr_SetString', ctypes.pythonapi))")
        (is (typep (signalled (pyeval "broken_left(ValueError, b'left')")) 'pyerror))
        (is-false (indicator-set-p))
        (is-true (alive-p)))))

(test error-indicator.functions-that-fail-without-raising
  "A C function that returns NULL with no exception set: Python's SystemError. Debug builds end there."
  (cond ((signalled (import-module "ctypes"))
         (skip "This Python has no ctypes."))
        ((pyeval "hasattr(__import__('sys'), 'gettotalrefcount')")
         (skip "This is a debug build."))
        (t
         ;; PyErr_Occurred in the place of a method.
         (define-python "class Method(ctypes.Structure):"
                        "    _fields_ = [('name', ctypes.c_char_p), ('function', ctypes.c_void_p),"
                        "                ('flags', ctypes.c_int), ('doc', ctypes.c_char_p)]"
                        "address = ctypes.cast(ctypes.pythonapi.PyErr_Occurred, ctypes.c_void_p)"
                        "method = Method(b'fails', address, 1, None)"
                        "new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(Method), ctypes.c_void_p, ctypes.c_void_p)"
                        "fails = new(('PyCFunction_NewEx', ctypes.pythonapi))(ctypes.byref(method), None, None)")
         (let ((fails (pyvalue "fails")))
           (is-for-each (use (list (lambda () (pycall "fails"))
                                   (lambda () (pycall fails 1))
                                   (lambda () (pyeval "fails()"))
                                   (lambda () (pycall "lambda f: f()" (lambda () (pycall fails))))
                                   (lambda () (pycall "sorted" #(1 2) :key fails))
                                   (lambda () (do-pyiterable (x (pycall "map" fails #(1))) x))))
             (and (equal "SystemError" (python-error-type use))
                  (clean-after-p use))))
         (is-true (alive-p)))))
