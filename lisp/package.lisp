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
   ;; Objects
   #:pyobject-wrapper #:pyobject-wrapper-p #:pyobject-wrapper-eq #:pyobject-wrapper-eq*
   #:+py-none+ #:+py-empty-tuple+ #:py-repr
   #:with-remote-objects #:with-remote-objects*
   #:*print-pyobject* #:*print-pyobject-wrapper-identity*
   ;; Python's memory
   #:pyarray #:pyarray-p #:view-pyarray #:make-pyarray #:release-pyarray #:with-pyarray
   #:pyaref #:row-major-pyaref #:pyarray-element-type #:pyarray-dimensions #:pyarray-rank
   #:pyarray-total-size #:pyarray-strides #:pyarray-format #:pyarray-item-size #:pyarray-writable-p
   #:pyarray-released-p #:pyarray-pointer
   ;; Names
   #:pythonize-name
   ;; Threads
   #:with-python-gil #:with-float-traps-masked
   ;; Conditions
   #:pyerror #:pyerror-type #:pyerror-message #:pyerror-value #:pyerror-traceback
   #:simple-pyerror
   #:released-pyarray #:pyarray-subscript-error
   #:pyrite-error #:stale-object #:conversion-error #:conversion-error-datum
   #:malformed-keywords #:python-not-found #:library-not-found #:abi-mismatch #:python-start-error))
