;;;; Other interpreters in this process: Lisp and its functions are of the main one only.

(in-package #:pyrite/test)

(def-suite faults/subinterpreters)
(in-suite faults/subinterpreters)

(defun interpreters-p ()
  "True when Python has a module for them, which is __main__'s `interpreters` then."
  (or (not (signalled (import-module "_interpreters" :as "interpreters")))
      (not (signalled (import-module "_xxsubinterpreters" :as "interpreters")))))

(defun run-elsewhere (code)
  "What CODE, Python, writes to the descriptor `writer` in an interpreter of its own."
  (pyexec "import os
def run_elsewhere(code):
    reader, writer = os.pipe()
    number = interpreters.create()
    failure = None
    try:
        failure = interpreters.run_string(number, 'import os; writer = %d\\n' % writer + code)
    except Exception as error:
        failure = error
    finally:
        interpreters.destroy(number)
        os.close(writer)
    with open(reader) as text: return text.read() or repr(failure)")
  (pycall "run_elsewhere" code))

(defmacro with-interpreters (&body body)
  `(if (interpreters-p)
       (progn ,@body (is-true (alive-p)))
       (skip "This Python has no module for other interpreters.")))

(test subinterpreters.work
  (with-interpreters
    (is (equal "45" (run-elsewhere "os.write(writer, str(sum(range(10))).encode())")))))

(test subinterpreters.bridge
  "The bridge cannot be imported there."
  (with-interpreters
    (is (equal "ImportError" (run-elsewhere "
try: import _pyrite; name = 'imported'
except Exception as error: name = ImportError.__name__ if isinstance(error, ImportError) else repr(error)
os.write(writer, name.encode())")))))

(test subinterpreters.many
  "Interpreters come and go while this one and others of its threads work."
  (with-interpreters
    (pycall "lambda f: f()" (lambda () 1))
    (let ((results (in-threads 3 (lambda (i)
                                   (if (zerop i)
                                       (loop repeat (scaled 10)
                                             always (equal "1" (run-elsewhere "os.write(writer, b'1')")))
                                       (loop repeat (scaled 500)
                                             always (eql 2 (pycall "lambda f: f(1)" #'1+))))))))
      (is (equal '(t t t) results)))))

(test subinterpreters.from-a-callback
  (with-interpreters
    (is (equal "1" (pycall "lambda f: f()" (lambda () (run-elsewhere "os.write(writer, b'1')")))))))
