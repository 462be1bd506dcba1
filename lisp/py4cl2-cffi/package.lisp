;;;; The package that programs written for py4cl2-cffi use. All of it is Pyrite's.

(in-package #:cl-user)

(defpackage #:py4cl2-cffi
  (:documentation "The names of py4cl2-cffi, for programs that use them. They are Pyrite's symbols.")
  (:use)
  .
  #.(let ((names
            '(;; Variables
              #:*additional-init-codes* #:*defpymodule-silent-p* #:*internal-features* #:*lispifiers*
              #:*print-pyobject* #:*print-pyobject-wrapper-identity* #:*pygc-threshold* #:*pythonizers*
              #:+disable-pystop+ #:+py-empty-tuple+ #:+py-empty-tuple-pointer+ #:+py-none+
              #:+py-none-pointer+ #:+python-call-mode+
              ;; The interpreter
              #:pystart #:pystop #:python-alive-p #:python-start-if-not-alive #:pyversion-info
              #:with-python-gil #:with-pygc #:enable-pygc #:disable-pygc #:pytrack
              ;; Values and calls
              #:pyvalue #:pyvalue* #:pycall #:pymethod #:pymethod-list #:pyslot-value #:pyslot-list
              #:pyref #:pyhelp #:py-repr #:chain #:chain* #:pyfor
              #:pyeval #:pyexec #:raw-pyeval #:raw-pyexec
              #:import-module #:import-function #:defpyfun #:defpymodule #:export-function #:pygenerator
              ;; Objects and conversions
              #:pyobject-wrapper #:pyobject-wrapper-eq #:pyobject-wrapper-eq* #:pythonize
              #:python-getattr #:python-setattr #:define-lispifier #:with-lispifiers #:with-pythonizers
              #:with-remote-objects #:with-remote-objects*
              ;; Output and errors
              #:with-python-output #:with-python-error-output #:pyerror #:simple-pyerror)))
      `((:import-from #:pyrite ,@names)
        (:export ,@names))))
