;;;; The public names.

(defpackage #:pyrite
  (:documentation "CPython embedded in Common Lisp.")
  (:use #:cl)
  (:export
   ;; The interpreter
   #:pystart #:pystop #:python-alive-p #:python-start-if-not-alive #:pyversion-info
   #:*python-executable-path* #:*additional-init-codes* #:*disable-pystop*
   ;; Calls and values
   #:pycall #:pymethod #:pyvalue #:pyslot-value #:import-module #:import-function
   #:pyeval #:pyexec #:raw-pyeval #:raw-pyexec
   ;; Functions and packages for Python's
   #:defpyfun #:defpymodule #:*defpymodule-silent-p*
   ;; Objects
   #:pyobject-wrapper #:pyobject-wrapper-p #:pyobject-wrapper-eq #:pyobject-wrapper-eq*
   #:+py-none+ #:+py-empty-tuple+ #:py-repr
   #:with-remote-objects #:with-remote-objects*
   ;; Conversions
   #:pythonize #:*pythonizers* #:with-pythonizers
   #:define-lispifier #:*lispifiers* #:with-lispifiers
   #:*print-pyobject* #:*print-pyobject-wrapper-identity*
   ;; Names
   #:pythonize-name #:lispify-name
   ;; Threads
   #:with-python-gil #:with-float-traps-masked
   ;; Conditions
   #:pyerror #:pyerror-type #:pyerror-message #:pyerror-value #:pyerror-traceback
   #:simple-pyerror
   #:pyrite-error #:stale-object #:conversion-error #:conversion-error-datum
   #:conversion-error-place
   #:malformed-keywords #:python-not-found #:library-not-found #:abi-mismatch #:python-start-error))
