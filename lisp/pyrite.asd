;;;; Pyrite: CPython embedded in Common Lisp.

(defsystem "pyrite"
  :description "CPython embedded in Common Lisp, through a shared library written in Rust."
  :version "0.1.0"
  :license "MIT"
  :depends-on ("cffi" "alexandria" "bordeaux-threads" "trivial-garbage")
  :serial t
  ;; What an optimizing compiler could not do is of no interest to who loads this.
  :around-compile (lambda (compile)
                    (let ((uiop:*uninteresting-conditions*
                            (append uiop:*uninteresting-conditions*
                                    uiop:*usual-uninteresting-conditions*)))
                      (uiop:call-with-muffled-compiler-conditions compile)))
  :components ((:file "package")
               (:module "port"
                :serial t
                :components ((:file "package")
                             (:file "sbcl-finalizers" :if-feature :sbcl)
                             (:file "sbcl" :if-feature :sbcl)
                             (:file "sbcl-keepers" :if-feature :sbcl)
                             (:file "sbcl-exits" :if-feature :sbcl)
                             (:file "ecl" :if-feature :ecl)
                             (:file "ecl-interrupts" :if-feature :ecl)
                             (:file "ecl-exits" :if-feature :ecl)
                             (:file "ccl" :if-feature :ccl)
                             (:file "no-faults" :if-feature (:not :sbcl))))
               (:file "conditions")
               (:file "exceptions")
               (:file "python")
               (:file "library")
               (:file "ffi")
               (:file "dedicated")
               (:file "names")
               (:file "pressure")
               (:file "wrapper")
               (:file "conversions")
               (:file "slices")
               (:file "frame")
               (:file "errors")
               (:file "place")
               (:file "pyarray")
               (:file "encode")
               (:file "pythonize")
               (:file "pythonizers")
               (:file "loans")
               (:file "decode")
               (:file "memory")
               (:file "lispify")
               (:file "crossing")
               (:file "call")
               (:file "workers")
               (:file "callbacks")
               (:file "gil")
               (:file "items")
               (:file "chain")
               (:file "operators")
               (:file "inspect")
               (:file "context")
               (:file "iteration")
               (:file "pyarray-access")
               (:file "pyarray-view")
               (:static-file "streams.py")
               (:file "output" :depends-on ("streams.py"))
               (:file "capture")
               (:file "interpreter")
               (:file "timeout")
               (:file "stats")
               (:file "leaks")
               (:file "import")
               (:file "eval")
               (:file "print")
               (:file "compatibility")
               (:static-file "introspect.py")
               (:file "introspection" :depends-on ("introspect.py"))
               (:file "signature")
               (:file "attributes")
               (:file "defpyfun")
               (:file "defpymodule"))
  :in-order-to ((test-op (test-op "pyrite/test"))))

(defsystem "pyrite/iterate"
  :description "The clause PYFOR of ITERATE."
  :depends-on ("pyrite" "iterate")
  :pathname "iterate/"
  :components ((:file "pyfor")))

(defsystem "pyrite/py4cl2-cffi"
  :description "The packages of py4cl2-cffi, for programs that are written for it."
  :depends-on ("pyrite" "pyrite/py4cl2-cffi/config")
  :pathname "py4cl2-cffi/"
  :serial t
  :components ((:file "package")
               (:file "single-threaded")))

(defsystem "pyrite/py4cl2-cffi/config"
  :description "The package py4cl2-cffi/config."
  :depends-on ("pyrite")
  :pathname "py4cl2-cffi/"
  :components ((:file "config")))

(defsystem "pyrite/py4cl2-cffi/single-threaded"
  :description "The same as pyrite/py4cl2-cffi, by the name of a system of py4cl2-cffi."
  :depends-on ("pyrite/py4cl2-cffi"))

(defsystem "pyrite/test"
  :description "Tests of Pyrite. tests/run.lisp runs one suite a process, with a time limit."
  :depends-on ("pyrite" "pyrite/iterate" "pyrite/py4cl2-cffi" "fiveam")
  :pathname "../tests/lisp/"
  :serial t
  :components ((:file "package")
               (:file "python")
               (:file "library")
               (:file "names")
               (:file "wrapper")
               (:file "print")
               (:file "encode")
               (:file "refusals")
               (:file "decode")
               (:file "arrays")
               (:file "pyarray")
               (:file "pyarray-memory")
               (:file "lending")
               (:file "loans")
               (:file "opaque")
               (:file "leaks")
               (:file "stats")
               (:file "exit")
               (:file "callbacks")
               (:file "callbacks-exits")
               (:file "attributes")
               (:file "random")
               (:file "random-arrays")
               (:file "call")
               (:file "values")
               (:file "lispifiers")
               (:file "pythonizers")
               (:file "places")
               (:file "interpreter")
               (:file "start")
               (:file "import")
               (:file "eval")
               (:file "defpyfun")
               (:file "defpymodule")
               (:file "errors")
               (:file "exceptions")
               (:file "items")
               (:file "chain")
               (:file "operators")
               (:file "inspect")
               (:file "context")
               (:file "iteration")
               (:file "output")
               (:file "threads")
               (:file "dedicated")
               (:file "single-threaded")
               (:file "exports")
               (:file "expansions")
               (:file "manual")
               (:file "image")
               (:file "callbacks-threads")
               (:file "streams")
               (:file "interrupts")
               (:file "thread-interrupts")
               (:file "docs")
               (:file "reference")
               (:file "hygiene"))
  :perform (test-op (operation system)
             (declare (ignore operation system))
             ;; RUN! only returns NIL on failures, which nobody would notice.
             (unless (uiop:symbol-call :fiveam '#:run! (uiop:find-symbol* '#:pyrite :pyrite/test))
               (error "Tests of Pyrite failed."))))

(defsystem "pyrite/bench"
  :description "Benchmarks of Pyrite: ratios to CPython's own loop in the same run."
  :depends-on ("pyrite")
  :pathname "../bench/"
  :components ((:file "bench")))
