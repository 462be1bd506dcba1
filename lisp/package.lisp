;;;; The public names.

(defpackage #:pyrite
  (:documentation "CPython embedded in Common Lisp.")
  (:use #:cl)
  (:export
   ;; The interpreter
   #:pystart #:pystop #:python-alive-p #:python-start-if-not-alive #:pyversion-info
   #:*python-executable-path* #:*python-site-packages-path* #:*additional-init-codes*
   #:*disable-pystop* #:*pystart-verbosity* #:*python-call-mode* #:+python-call-mode+ #:*exit-patience*
   ;; Calls and values
   #:pycall #:pymethod #:pyvalue #:pyvalue* #:pyslot-value #:import-module #:import-function
   #:pyeval #:pyexec #:raw-pyeval #:raw-pyexec
   ;; Functions and packages for Python's
   #:defpyfun #:defpymodule #:*defpymodule-silent-p*
   ;; Objects
   #:pyobject-wrapper #:pyobject-wrapper-p #:pyobject-wrapper-eq #:pyobject-wrapper-eq*
   #:+py-none+ #:+py-empty-tuple+ #:py-repr
   #:with-remote-objects #:with-remote-objects*
   ;; Lisp functions and objects in Python
   #:export-function #:pygenerator #:python-getattr #:python-setattr #:python-unwind-aborted
   ;; Conversions
   #:pythonize #:*pythonizers* #:with-pythonizers
   #:define-lispifier #:*lispifiers* #:with-lispifiers
   #:*print-pyobject* #:*print-pyobject-wrapper-identity*
   ;; Items, chains, operators
   #:pyref #:slice #:chain #:chain*
   #:py+ #:py- #:py* #:py/ #:py// #:py% #:py** #:py@ #:py= #:py/= #:py< #:py<= #:py> #:py>=
   #:py-logand #:py-logior #:py-logxor #:py-lognot #:py<< #:py>>
   #:py-not #:py-bool #:py-and #:py-or #:py-len #:py-in
   ;; Iteration and contexts
   #:map-pyiterable #:do-pyiterable #:pyfor #:with-pycontext
   ;; Looking into objects
   #:pyhelp #:pymethod-list #:pyslot-list #:pytype-of #:pyisinstance
   ;; Output
   #:with-python-output #:with-python-error-output
   ;; Python's memory
   #:pyarray #:pyarray-p #:view-pyarray #:make-pyarray #:release-pyarray #:with-pyarray
   #:pyaref #:row-major-pyaref #:pyarray-element-type #:pyarray-dimensions #:pyarray-rank
   #:pyarray-total-size #:pyarray-strides #:pyarray-format #:pyarray-item-size #:pyarray-writable-p
   #:pyarray-released-p #:pyarray-pointer
   ;; Names
   #:pythonize-name #:lispify-name
   ;; Threads
   #:with-python-gil #:with-float-traps-masked #:with-python-timeout
   ;; What there is, and what is left
   #:python-stats #:with-leak-check #:python-leak #:python-leak-counts #:*heap-share*
   ;; What programs written for py4cl2-cffi know
   #:with-pygc #:enable-pygc #:disable-pygc #:*pygc-threshold* #:pytrack #:*internal-features*
   #:+disable-pystop+ #:+py-none-pointer+ #:+py-empty-tuple-pointer+
   ;; Conditions
   #:pyerror #:pyerror-type #:pyerror-message #:pyerror-value #:pyerror-traceback
   #:pyerror-cause #:pyerror-notes
   #:simple-pyerror
   ;; Python's own exceptions
   #:py-arithmetic-error #:py-assertion-error #:py-attribute-error #:py-base-exception
   #:py-base-exception-group #:py-blocking-io-error #:py-broken-pipe-error #:py-buffer-error
   #:py-bytes-warning #:py-child-process-error #:py-connection-aborted-error #:py-connection-error
   #:py-connection-refused-error #:py-connection-reset-error #:py-deprecation-warning
   #:py-encoding-warning #:py-eof-error #:py-exception #:py-exception-group #:py-file-exists-error
   #:py-file-not-found-error #:py-floating-point-error #:py-future-warning #:py-generator-exit
   #:py-import-error #:py-import-warning #:py-indentation-error #:py-index-error
   #:py-interrupted-error #:py-is-a-directory-error #:py-key-error #:py-keyboard-interrupt
   #:py-lookup-error #:py-memory-error #:py-module-not-found-error #:py-name-error
   #:py-not-a-directory-error #:py-not-implemented-error #:py-os-error #:py-overflow-error
   #:py-pending-deprecation-warning #:py-permission-error #:py-process-lookup-error
   #:py-python-finalization-error #:py-recursion-error #:py-reference-error #:py-resource-warning
   #:py-runtime-error #:py-runtime-warning #:py-stop-async-iteration #:py-stop-iteration
   #:py-syntax-error #:py-syntax-warning #:py-system-error #:py-system-exit #:py-tab-error
   #:py-timeout-error #:py-type-error #:py-unbound-local-error #:py-unicode-decode-error
   #:py-unicode-encode-error #:py-unicode-error #:py-unicode-translate-error #:py-unicode-warning
   #:py-user-warning #:py-value-error #:py-warning #:py-zero-division-error #:py-io-error
   #:py-environment-error
   ;; What goes wrong on the way
   #:released-pyarray #:pyarray-subscript-error
   #:pyrite-error #:stale-object #:conversion-error #:conversion-error-datum
   #:conversion-error-place
   #:retry-call
   #:malformed-keywords #:malformed-chain #:malformed-slice
   #:python-not-found #:library-not-found #:abi-mismatch #:python-start-error #:python-timeout
   #:result-too-large))
