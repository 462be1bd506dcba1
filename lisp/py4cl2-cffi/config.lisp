;;;; The package of py4cl2-cffi's configuration. What there is to say is Pyrite's; what is of no use here is
;;;; accepted, so that programs that set it go on.

(defpackage #:py4cl2-cffi/config
  (:documentation "What py4cl2-cffi calls its configuration. The names of Pyrite are Pyrite's own.")
  (:use #:cl)
  (:import-from #:pyrite
                #:*python-executable-path* #:*python-site-packages-path* #:*disable-pystop*
                #:*pystart-verbosity* #:*python-call-mode*)
  (:export #:*python-executable-path* #:*python-site-packages-path* #:*disable-pystop*
           #:*pystart-verbosity* #:*python-call-mode*
           #:*python-ldflags* #:*python-includes* #:print-configuration
           #:shared-library-from-ldflag #:shared-library-from-lflag))

(in-package #:py4cl2-cffi/config)

(defvar *python-ldflags* '()
  "A list of strings, of no effect: nothing is compiled or linked here. The library of Python is the one
that the executable names: see *PYTHON-EXECUTABLE-PATH*.")

(defvar *python-includes* '()
  "A list of strings, of no effect: nothing is compiled here, and no headers are needed.")

(defgeneric shared-library-from-ldflag (ldflag operating-system)
  (:documentation "The name of the shared library that LDFLAG, a string such as \"-lpython3.11\", means on
OPERATING-SYSTEM, a keyword as of (UIOP:OPERATING-SYSTEM).

Nobody calls this here: methods for it are accepted, and of no effect. Signals a TYPE-ERROR for what is no
flag of a library.")
  (:method ((ldflag string) operating-system)
    (unless (and (< 2 (length ldflag)) (string= "-l" ldflag :end2 2))
      (error 'simple-type-error :datum ldflag :expected-type 'string
                                :format-control "~S is no flag of a library: those begin with -l."
                                :format-arguments (list ldflag)))
    (concatenate 'string (subseq ldflag 2)
                 (if (member operating-system '(:macosx :darwin)) ".dylib" ".so"))))

(defun shared-library-from-lflag (lflag operating-system)
  "As SHARED-LIBRARY-FROM-LDFLAG, which has the methods, by another name that its manual has for it."
  (shared-library-from-ldflag lflag operating-system))

(defun print-configuration ()
  "Print to *STANDARD-OUTPUT* which Python is chosen, and with what; no values. Python is not started.

Signals PYRITE:PYTHON-NOT-FOUND when there is none, saying what to install."
  (pyrite::write-configuration (pyrite::find-python) *standard-output*)
  (values))
