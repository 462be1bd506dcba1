;;;; How the libraries are linked: what libpyrite needs, and hosts that keep their libraries to themselves.

(in-package #:pyrite/test)

(def-suite faults/linking)
(in-suite faults/linking)

(defun needed-libraries (library)
  "The names of the libraries that LIBRARY says it needs, or NIL without a program that tells."
  (let ((output (handler-case (uiop:run-program (list "readelf" "-d" library) :output :lines :error-output nil)
                  (error () '()))))
    (loop for line in output
          for start = (search "[" line)
          when (and start (search "(NEEDED)" line))
            collect (subseq line (1+ start) (position #\] line)))))

(test linking.needs-little
  "No C++, no libpython, nothing whose version another library may disagree about."
  (let ((needed (needed-libraries (pyrite::library-path))))
    (if needed
        (is (subsetp needed '("libc.so.6" "libgcc_s.so.1" "libm.so.6" "libpthread.so.0" "libdl.so.2" "librt.so.1"
                              "ld-linux-x86-64.so.2" "ld-linux-aarch64.so.1")
                     :test #'string=)
            "It needs ~A." needed)
        (skip "There is no readelf here."))))

(test linking.extensions
  "Modules in C and C++, with threads of their own, in the Lisp's process."
  (is (equal "0.3" (pyeval "str(__import__('_decimal').Decimal('0.1') + __import__('_decimal').Decimal('0.2'))")))
  (is-true (alive-p))
  (dolist (module '("numpy" "pandas" "matplotlib.pyplot" "sklearn.cluster" "scipy.linalg"))
    (unless (signalled (import-module module))
      (is-true (alive-p))))
  (with-numpy
    ;; Large enough for the threads of a BLAS.
    (is (= 1d6 (pyeval "float((numpy.ones((100, 100)) @ numpy.ones((100, 100))).sum())")))
    (let* ((over nil)
           (thread (bt:make-thread (lambda ()
                                     (loop until over
                                           do (make-array 100000) (trivial-garbage:gc :full t))))))
      (unwind-protect
           (is (loop repeat (scaled 20)
                     always (= 512d0 (pyeval "float((numpy.ones((512, 512)) @ numpy.ones((512, 512)))[511, 511])"))))
        (setf over t)
        (bt:join-thread thread)))
    (is-true (alive-p))))

;;; A host that opens libraries locally

(defparameter *local-host*
  '("#include <dlfcn.h>" "#include <stdio.h>" "#include <string.h>" "#include \"pyrite.h\""
    "typedef pyr_status start_function(const pyr_start_options *);"
    "typedef pyr_status exec_function(const pyr_value *, size_t);"
    "typedef pyr_status error_function(pyr_error *, uint32_t);"
    "int main(int argc, char **argv) {"
    "    /* libpython, its visibility, libpyrite, executable, code. */"
    "    pyr_start_options options; pyr_value code; pyr_error error; pyr_status status; void *library;"
    "    if (argc < 6 || !dlopen(argv[1], RTLD_NOW | (argv[2][0] == 'g' ? RTLD_GLOBAL : RTLD_LOCAL))) return 2;"
    "    library = dlopen(argv[3], RTLD_NOW | RTLD_LOCAL);"
    "    if (!library) { printf(\"%s\\n\", dlerror()); return 3; }"
    "    memset(&options, 0, sizeof options); memset(&code, 0, sizeof code);"
    "    options.size = sizeof options;"
    "    options.executable = (const uint8_t *)argv[4]; options.executable_length = strlen(argv[4]);"
    "    status = ((start_function *)dlsym(library, \"pyr_start\"))(&options);"
    "    if (status == PYR_OK) {"
    "        code.tag = PYR_UTF8; code.of.bytes = (const uint8_t *)argv[5]; code.aux = strlen(argv[5]);"
    "        status = ((exec_function *)dlsym(library, \"pyr_exec\"))(&code, 1);"
    "    }"
    "    if (status != PYR_OK) {"
    "        ((error_function *)dlsym(library, \"pyr_error_last\"))(&error, 0);"
    "        printf(\"status %u: %.*s\\n\", (unsigned)status, (int)error.message_length, (const char *)error.message);"
    "        return 4;"
    "    }"
    "    return 0;"
    "}")
  "A C program that is linked with neither library.")

(defun compile-local-host (folder)
  "The name of that program in FOLDER, or NIL without a C compiler."
  (let ((source (apply #'write-file (merge-pathnames "local.c" folder) *local-host*))
        (program (uiop:native-namestring (merge-pathnames "local" folder))))
    (unless (signalled (uiop:run-program
                        (list "cc" "-o" program source "-I" (uiop:native-namestring (project-file "include/")) "-ldl")))
      program)))

(defun run-local-host (program visibility code)
  (let ((python (pyrite::find-python)))
    (multiple-value-list
     (run-for-a-minute (list program (pyrite::python-libpython python) visibility (pyrite::library-path)
                             (pyrite::python-executable python) code)))))

(test linking.local-host
  (with-temporary-folder (folder)
    (let ((program (compile-local-host folder)))
      (if program
          (destructuring-bind (output code)
              (run-local-host program "global" "import _decimal, json, ctypes
try: import numpy
except ModuleNotFoundError: pass
else: assert numpy.arange(4).sum() == 6
assert str(_decimal.Decimal(1) / 4) == '0.25'")
            (is (eql 0 code) "~A" output))
          (skip "There is no C compiler here.")))))

(test linking.local-libpython
  "A libpython whose symbols nobody sees: a clear error, from the linker or from the start."
  (with-temporary-folder (folder)
    (let ((program (compile-local-host folder)))
      (if program
          (destructuring-bind (output code) (run-local-host program "local" "1")
            (is (member code '(3 4)))
            (is-true (or (search "undefined symbol: Py" output) (search "RTLD_GLOBAL" output)) "~A" output))
          (skip "There is no C compiler here.")))))
