;;;; Loading libpyrite, and whether lisp/ffi.lisp says what pyrite.h and the library say.

(in-package #:pyrite/test)

(def-suite library :in pyrite :description "Loading libpyrite and agreeing with it.")
(in-suite library)

;;; The header

(defun header-lines ()
  "The lines of include/pyrite.h."
  (uiop:read-file-lines (project-file "include/pyrite.h")))

(defun header-definitions ()
  "The numbers that the header defines: an alist from names without PYR_, as strings."
  (loop for line in (header-lines)
        for words = (uiop:split-string line :separator " ")
        when (and (equal (first words) "#define") (= (length words) 3)
                  (uiop:string-prefix-p "PYR_" (second words)))
          collect (cons (subseq (second words) 4) (parse-integer (third words)))))

(defun lisp-name (c-name)
  "The symbol of PYRITE that stands for the header's C-NAME, or NIL."
  (find-symbol (format nil "+~A+" (substitute #\- #\_ c-name)) '#:pyrite))

(defparameter *header-elements*
  '(("FLOAT32" . single-float) ("FLOAT64" . double-float)
    ("INT8" . (signed-byte 8)) ("INT16" . (signed-byte 16))
    ("INT32" . (signed-byte 32)) ("INT64" . (signed-byte 64))
    ("UINT8" . (unsigned-byte 8)) ("UINT16" . (unsigned-byte 16))
    ("UINT32" . (unsigned-byte 32)) ("UINT64" . (unsigned-byte 64))
    ("COMPLEX64" . (complex single-float)) ("COMPLEX128" . (complex double-float))
    ("BOOL8" . bit))
  "The header's element types in Lisp.")

(test library.numbers-are-the-header
  "Every status, tag and flag of the header has its number in Lisp."
  (let ((definitions (header-definitions))
        (others '("ABI_VERSION" "ABI_MINIMUM" "MAXIMUM_DEPTH" "SCRATCH")))
    (is (< 40 (length definitions)))
    (is-for-each (definition (remove-if (lambda (definition)
                                          (or (member (car definition) others :test #'equal)
                                              ;; Those have condition classes: see exceptions.lisp.
                                              (uiop:string-prefix-p "KIND_" (car definition))
                                              (assoc (car definition) *header-elements* :test #'equal)))
                                        definitions))
      (eql (cdr definition) (symbol-value (lisp-name (car definition)))))))

(test library.elements-are-the-header
  (let ((definitions (header-definitions)))
    (is (= (length *header-elements*) (length pyrite::*element-types*) (length pyrite::*element-sizes*)))
    (is-for-each (element *header-elements*)
      (equal (cdr element)
             (aref pyrite::*element-types*
                   (1- (cdr (assoc (car element) definitions :test #'equal))))))
    (is-for-each (element *header-elements*)
      ;; The bits are the last part of the name.
      (let ((bits (parse-integer (string-left-trim "ABCDEFGHIJKLMNOPQRSTUVWXYZ" (car element)))))
        (= (/ bits 8)
           (aref pyrite::*element-sizes*
                 (position (cdr element) pyrite::*element-types* :test #'equal)))))))

(test library.interface-version-is-the-header
  (flet ((number (name) (cdr (assoc name (header-definitions) :test #'equal))))
    (is (eql (number "ABI_VERSION") pyrite::+abi-version+))
    (is (<= (number "ABI_MINIMUM") pyrite::+abi-version+))
    (is (eql (number "SCRATCH") (- pyrite::+result-size+ pyrite::+result-scratch+)))))

(test library.functions-are-the-header
  (let ((header (format nil "~{~A~%~}" (header-lines))))
    (is (< 20 (length pyrite::**functions**)))
    (is-for-each (name (mapcar #'first pyrite::**functions**))
      (search (format nil " ~A(" name) header))))

;;; The library

(test library.functions-are-there
  "Every function that Lisp calls has an address once the library is loaded, and the right one."
  (pystart)
  (is-for-each (function pyrite::**functions**)
    (plusp (symbol-value (cdr function))))
  (is (= (length pyrite::**functions**)
         (length (remove-duplicates (mapcar (lambda (function) (symbol-value (cdr function)))
                                            pyrite::**functions**))))))

(test library.layout
  (pystart)
  (let ((count (pyrite::%layout (cffi:null-pointer) 0)))
    (is (= count (length pyrite::*layout*)))
    (cffi:with-foreign-object (numbers :uint32 count)
      (is (= count (pyrite::%layout numbers count)))
      (is (equal pyrite::*layout*
                 (loop for i below count collect (cffi:mem-aref numbers :uint32 i)))))))

(defun loading-report (path)
  "What is said when libpyrite is to be loaded from PATH: the condition's type and its report."
  (with-environment (("PYRITE_LIBRARY" path))
    (handler-case (progn (pyrite::open-libpython (pyrite::find-python))
                          (pyrite::load-libpyrite)
                          nil)
      (pyrite-error (condition) (list (type-of condition) (princ-to-string condition))))))

(test library.missing
  (destructuring-bind (type report) (loading-report "/nonexistent/libpyrite.so")
    (is (eq 'library-not-found type))
    (is (mentions-p report "/nonexistent/libpyrite.so" "PYRITE_LIBRARY" "cargo build --release")))
  (is-true (python-works-p)))

(test library.not-a-library
  (with-temporary-folder (folder)
    (is (eq 'library-not-found
            (first (loading-report (write-file (merge-pathnames "libpyrite.so" folder) "text")))))))

(defun libpython-report (version libpython)
  "What is said when LIBPYTHON of a Python VERSION cannot be used, or NIL."
  (handler-case (progn (pyrite::open-libpython
                        (pyrite::make-python :executable "/some/python3" :version version :libpython libpython))
                       nil)
    (python-not-found (condition) (princ-to-string condition))))

(test library.missing-libpython
  (let ((version (pyrite::python-version (pyrite::find-python))))
    (is (mentions-p (libpython-report version "/nonexistent/libpython.so") "/nonexistent/libpython.so"))))

(test library.one-libpython-for-a-process
  "Another version than the one that is loaded is refused, with both versions."
  (pystart)
  (let ((python (pyrite::find-python)))
    (is (mentions-p (libpython-report "3.99" (pyrite::python-libpython python))
                    "/some/python3" "3.99" (pyrite::python-version python)))))

;;; Another version of it

(defun compile-c (folder name &rest lines)
  "The name of the shared library NAME in FOLDER of the C source LINES, or NIL without a C compiler."
  (let ((source (apply #'write-file (merge-pathnames (format nil "~A.c" name) folder) lines))
        (library (uiop:native-namestring (merge-pathnames (format nil "~A.so" name) folder))))
    (unless (signalled (uiop:run-program (list "cc" "-shared" "-fPIC" "-o" library source)))
      library)))

(defun fake-library (folder name version minimum)
  "The name of a library in FOLDER with interface VERSION that serves MINIMUM and later."
  (compile-c folder name
             "#include <stdint.h>"
             (format nil "uint32_t pyr_abi_version(void) { return ~DU; }" version)
             (format nil "uint32_t pyr_abi_minimum(void) { return ~DU; }" minimum)))

(test library.other-interface-version
  "A library that is too new or too old is refused with its number and ours."
  (with-temporary-folder (folder)
    (let* ((ours pyrite::+abi-version+)
           (text (format nil "~D.~D" (ash ours -16) (logand ours #xFFFF)))
           (newer (+ (* 7 65536) 5))
           (library (fake-library folder "newer" newer newer)))
      (if (null library)
          (skip "There is no C compiler.")
          (progn
            (destructuring-bind (type report) (loading-report library)
              (is (eq 'abi-mismatch type))
              (is (mentions-p report "7.5" text)))
            (destructuring-bind (type report)
                (loading-report (fake-library folder "older" (- ours 1) 1))
              (is (eq 'abi-mismatch type))
              (is (mentions-p report (format nil "~D.~D" (ash (- ours 1) -16) (logand (- ours 1) #xFFFF))
                              text))))))))

(test library.later-version-that-still-serves-us
  (with-temporary-folder (folder)
    (let ((library (fake-library folder "later" (+ pyrite::+abi-version+ 3) pyrite::+abi-version+)))
      (if (null library)
          (skip "There is no C compiler.")
          (finishes (pyrite::check-abi (pyrite::dlopen library)))))))

(test library.not-libpyrite-at-all
  "A library without the functions that tell its version is a mismatch, not a crash."
  (with-temporary-folder (folder)
    (let ((library (compile-c folder "other" "int unrelated(void) { return 1; }")))
      (if (null library)
          (skip "There is no C compiler.")
          (is (eq 'abi-mismatch (first (loading-report library))))))))

(test library.refused-one-changes-nothing
  "After a library was refused, calls go to the one that was loaded before."
  (is-true (python-works-p)))
