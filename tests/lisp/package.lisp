;;;; The package of the tests, and what several of them need.

(defpackage #:pyrite/test
  (:documentation "Tests of Pyrite: a suite for each file, named as the file, all in the suite PYRITE.")
  (:use #:cl #:fiveam #:pyrite))

(in-package #:pyrite/test)

(def-suite pyrite :description "Everything.")

;; The suites that do not run in a process need not be compiled in it. ECL's EVAL is quick, and its COMPILE is not.
(eval-when (:compile-toplevel :load-toplevel :execute)
  (setf *default-test-compilation-time* (if (eq (uiop:implementation-type) :ecl) :definition-time :run-time)))

;;; How much

(defparameter *scale* (if (eq (uiop:implementation-type) :ecl) 1/4 1)
  "What the counts of the long tests are multiplied by.")

(defun scaled (count)
  "COUNT, or less of it on a slow Lisp."
  (max 1 (round (* count *scale*))))

;;; Checks of many cases at once

(defun mismatches (function cases &key (limit 10))
  "The first LIMIT of CASES for which FUNCTION is false or signals an error, which comes with the case."
  (loop with found = 0
        for case in cases
        for failure = (handler-case (if (funcall function case) nil (list case))
                        (error (condition) (list case (princ-to-string condition))))
        when failure
          collect failure and do (incf found)
        until (= found limit)))

(defmacro is-for-each ((variable cases) &body body)
  "One check: BODY is true for each of CASES."
  `(is (null (mismatches (lambda (,variable) ,@body) ,cases))))

(defun python-works-p ()
  "True when an ordinary call gives the ordinary result."
  (eql 3 (pycall "len" "abc")))

(defmacro refuses (condition &body body)
  "Two checks: BODY signals CONDITION, and the next call works."
  `(progn
     (signals ,condition ,@body)
     (is-true (python-works-p))))

(defmacro signalled (&body body)
  "The error that BODY signals, or NIL."
  `(handler-case (progn ,@body nil)
     (error (condition) condition)))

(defun python-error-type (function)
  "The type name of the Python exception that calling FUNCTION signals, or NIL."
  (handler-case (progn (funcall function) nil)
    (pyerror (condition) (pyerror-type condition))))

(defmacro raises (type &body body)
  "One check: BODY signals a PYERROR whose Python type is named TYPE."
  `(is (equal ,type (python-error-type (lambda () ,@body)))))

(defmacro with-numpy (&body body)
  "Evaluate BODY when Python has numpy, else skip."
  `(if (signalled (import-module "numpy"))
       (skip "This Python has no numpy.")
       (progn ,@body)))

(defun define-python (&rest lines)
  "Execute LINES of Python."
  (pyexec (format nil "~{~A~%~}" lines)))

(defun alive-p ()
  "True when Python is as it should be, in this thread and in another, also deep in its stack."
  (flet ((sum () (eql 45 (pyeval "sum(range(10))"))))
    (and (sum)
         (first (in-threads 1 (lambda (i) (declare (ignore i)) (sum))))
         (eql 900 (pycall "lambda f, n: f(f, n)" (pyeval "lambda f, n: n and 1 + f(f, n - 1)") 900))
         (eql 1 (pyeval "len(__import__('traceback').extract_stack())")))))

;;; Other Pythons

(defun pyenv-executables ()
  "The executables of the Pythons of this user's pyenv that Pyrite serves."
  (loop for folder in (uiop:subdirectories (merge-pathnames ".pyenv/versions/" (user-homedir-pathname)))
        for version = (uiop:split-string (car (last (pathname-directory folder))) :separator ".")
        when (and (equal "3" (first version))
                  (<= 9 (or (parse-integer (second version) :junk-allowed t) 0)))
          collect (uiop:native-namestring (merge-pathnames "bin/python3" folder))))

(defmacro is-with-each-python ((python) &body body)
  "One check for each Python that is installed beside: BODY is true where the environment chooses it."
  `(let ((pythons (pyenv-executables)))
     (unless pythons (skip "There are no others."))
     (is-for-each (,python pythons)
       (with-environment (("PYRITE_PYTHON" ,python))
         ,@body))))

;;; Objects

(defun held-objects ()
  "How many Python objects Lisp holds, once all releases that wait were made good."
  (pystart)
  (cffi:with-foreign-objects ((live :size) (pending :size))
    (loop do (pyrite::%counters live pending)
          until (zerop (cffi:mem-ref pending :size)))
    (cffi:mem-ref live :size)))

(defmacro holds-nothing-new (&body body)
  "One check: after BODY Lisp holds no more Python objects than before: fewer, if what was garbage then was
collected meanwhile. BODY must keep no wrappers of its own, for it is not waited for finalizers."
  (let ((before (gensym "BEFORE")))
    `(let ((,before (held-objects)))
       ,@body
       (is (>= ,before (held-objects))))))

;;; Values

(defun double-bits (double)
  "The bits of DOUBLE, an integer: what tells NaNs and zeros apart without comparing them."
  (cffi:with-foreign-object (memory :double)
    (setf (cffi:mem-ref memory :double) double)
    (cffi:mem-ref memory :uint64)))

(defun bits-double (bits)
  "The double float of BITS."
  (cffi:with-foreign-object (memory :double)
    (setf (cffi:mem-ref memory :uint64) bits)
    (cffi:mem-ref memory :double)))

(defun single-bits (single)
  "The bits of SINGLE, an integer."
  (cffi:with-foreign-object (memory :float)
    (setf (cffi:mem-ref memory :float) single)
    (cffi:mem-ref memory :uint32)))

(defun bits-single (bits)
  "The single float of BITS."
  (cffi:with-foreign-object (memory :float)
    (setf (cffi:mem-ref memory :uint32) bits)
    (cffi:mem-ref memory :float)))

(defun double-bits-cases ()
  "Bits of doubles that something might treat wrongly: zeros, denormals, extremes, infinities, NaN."
  (list 0 1 #x8000000000000000 #x000FFFFFFFFFFFFF #x0010000000000000 #x3FF0000000000000
        #xBFF0000000000000 #x3FB999999999999A #x7FEFFFFFFFFFFFFF #xFFEFFFFFFFFFFFFF
        #x7FF0000000000000 #xFFF0000000000000 #x7FF8000000000000 #x47EFFFFFE0000000 #x36A0000000000000))

(defun single-bits-cases ()
  "The same for single floats."
  (list 0 1 #x80000000 #x007FFFFF #x00800000 #x3F800000 #xBF800000 #x3DCCCCCD #x7F7FFFFF #xFF7FFFFF
        #x7F800000 #xFF800000 #x7FC00000))

(defun integer-cases ()
  "Powers of two up to 2^200, a few larger ones, and their neighbours, with both signs."
  (loop for exponent in (append (loop for k from 0 to 200 collect k) '(255 256 511 1000 4099 100000))
        append (loop for offset from -1 to 1
                     collect (+ (ash 1 exponent) offset)
                     collect (- offset (ash 1 exponent)))))

(defun python-hex (integer)
  "What Python's hex gives for INTEGER."
  (format nil "~:[~;-~]0x~(~X~)" (minusp integer) (abs integer)))

(defun codes (string)
  "The codes of the characters of STRING, a vector."
  (map 'vector #'char-code string))

(defun text (&rest codes)
  "The string of the characters of CODES."
  (map 'string #'code-char codes))

(defun table (&rest keys-and-values)
  "An EQUAL hash table of KEYS-AND-VALUES."
  (let ((table (make-hash-table :test 'equal)))
    (loop for (key value) on keys-and-values by #'cddr
          do (setf (gethash key table) value))
    table))

(defun nest (function innermost depth)
  "INNERMOST inside DEPTH containers, each of which FUNCTION makes of what is in it."
  (let ((value innermost))
    (dotimes (i depth value)
      (setf value (funcall function value)))))

(defun unnest (function value)
  "How often FUNCTION, which takes a container's one item out, can be applied to VALUE; what is inside."
  (loop for depth from 0
        while (typep value '(or cons simple-vector hash-table))
        do (setf value (funcall function value))
        finally (return (values depth value))))

(defun same (left right)
  "True when LEFT and RIGHT are equal values of equal types, containers to any depth."
  (let ((pairs (list (cons left right))))
    (flet ((later (left right) (push (cons left right) pairs)))
      (loop while pairs
            do (destructuring-bind (left . right) (pop pairs)
                 (unless (same-outside left right #'later)
                   (return nil)))
            finally (return t)))))

(defun same-outside (left right later)
  "True when LEFT and RIGHT are equal but for their items, which are passed to LATER in pairs."
  (typecase left
    (cons (and (consp right) (= (length left) (length right))
               (progn (mapc later left right) t)))
    (string (and (stringp right) (string= left right)))
    (array (and (arrayp right)
                (equal (array-dimensions left) (array-dimensions right))
                (equal (array-element-type left) (array-element-type right))
                (dotimes (i (array-total-size left) t)
                  (funcall later (row-major-aref left i) (row-major-aref right i)))))
    (hash-table (and (hash-table-p right)
                     (= (hash-table-count left) (hash-table-count right))
                     (loop for key being the hash-keys of left using (hash-value value)
                           always (multiple-value-bind (other found) (gethash key right)
                                    (funcall later value other)
                                    found))))
    (t (eql left right))))

;;; The world outside

(defun set-environment (name value)
  "Set the environment variable NAME to VALUE, or unset it when VALUE is NIL."
  (if value
      (cffi:foreign-funcall "setenv" :string name :string value :int 1 :int)
      (cffi:foreign-funcall "unsetenv" :string name :int)))

(defun call-with-environment (bindings function)
  "Call FUNCTION with the environment of BINDINGS, an alist from names to values or NIL."
  (let ((before (loop for (name) in bindings collect (cons name (uiop:getenv name)))))
    (flet ((install (bindings)
             (loop for (name . value) in bindings do (set-environment name value))))
      (unwind-protect (progn (install bindings) (funcall function))
        (install before)))))

(defmacro with-environment ((&rest bindings) &body body)
  "Evaluate BODY with environment variables set: BINDINGS are (NAME VALUE), a NIL unsets."
  `(call-with-environment (list ,@(loop for (name value) in bindings collect `(cons ,name ,value)))
                          (lambda () ,@body)))

(defun call-with-temporary-folder (function)
  "Call FUNCTION with the pathname of a new folder, which is deleted afterwards."
  (let ((folder (uiop:ensure-directory-pathname
                 (uiop:run-program '("mktemp" "-d") :output '(:string :stripped t)))))
    (unwind-protect (funcall function folder)
      (uiop:run-program (list "rm" "-rf" (uiop:native-namestring folder))))))

(defmacro with-temporary-folder ((folder) &body body)
  "Evaluate BODY with FOLDER bound to the pathname of a new folder."
  `(call-with-temporary-folder (lambda (,folder) ,@body)))

(defun write-file (path &rest lines)
  "Write LINES to the file PATH and return its name."
  (ensure-directories-exist path)
  (with-open-file (stream path :direction :output :if-exists :supersede)
    (format stream "~{~A~%~}" lines))
  (uiop:native-namestring path))

(defun write-script (path &rest lines)
  "Write the shell script of LINES to PATH and return its name."
  (let ((name (apply #'write-file path "#!/bin/sh" lines)))
    (uiop:run-program (list "chmod" "+x" name))
    name))

(defun project-file (name)
  "The pathname of the file NAME of the project."
  (asdf:system-relative-pathname "pyrite" (concatenate 'string "../" name)))

;;; Other processes

(defun loaded-registry ()
  "The source registry of the systems that are loaded, for another process to find them."
  `(:source-registry
    (:also-exclude "cl-asdf")
    ,@(loop for folder in (remove-duplicates
                           (remove nil (mapcar #'asdf:system-source-directory (asdf:already-loaded-systems)))
                           :test #'equal)
            collect (list :directory (uiop:native-namestring folder)))
    :ignore-inherited-configuration))

(defun lisp-command (script)
  "The command of a Lisp like this one that loads the file SCRIPT and then, on SBCL, reads its input."
  (ecase (uiop:implementation-type)
    (:sbcl (list (uiop:native-namestring (symbol-value (uiop:find-symbol* '#:*runtime-pathname* '#:sb-ext)))
                 "--noinform" "--no-sysinit" "--no-userinit" "--disable-debugger" "--load" script))
    (:ecl (list "ecl" "--norc" "--shell" script))
    (:ccl (list "ccl" "--no-init" "--batch" "--load" script))))

(defun run-for-a-minute (command &key (input "") (environment '()))
  "The output, with that of errors, of COMMAND, a list of strings, and its exit code: 137 when it takes longer
than a minute. ENVIRONMENT is a list of NAME=VALUE."
  (with-input-from-string (input input)
    (multiple-value-bind (output error-output code)
        (uiop:run-program `("timeout" "-s" "KILL" "60" "env" ,@environment ,@command)
                          :input input :output :string :error-output :output :ignore-error-status t)
      (declare (ignore error-output))
      (values output code))))

(defun run-in-lisp (forms &rest options &key input environment)
  "What RUN-FOR-A-MINUTE gives for a new Lisp that loads the system and evaluates FORMS."
  (declare (ignore input environment))
  (with-temporary-folder (folder)
    (let ((script (apply #'write-file (merge-pathnames "script.lisp" folder)
                         (with-standard-io-syntax
                           (loop for form in `((defpackage #:pyrite/test (:use #:cl))
                                               (require :asdf)
                                               (asdf:initialize-source-registry ',(loaded-registry))
                                               (let ((*standard-output* (make-broadcast-stream)))
                                                 (asdf:load-system "pyrite"))
                                               ,@forms)
                                 collect (prin1-to-string form))))))
      (apply #'run-for-a-minute (lisp-command script) options))))

(defun read-results (output)
  "The rest of the list (:RESULTS ...) that OUTPUT ends with, or NIL, and whether there is one."
  (let ((start (search "(:RESULTS" output)))
    (if start
        (values (with-standard-io-syntax (rest (read-from-string output t nil :start start))) t)
        (values nil nil))))

(defun results-in-sbcl (forms &key (seconds 60) (runtime-options '()))
  "The rest of the list (:RESULTS ...) that a new SBCL prints which loads the system and evaluates FORMS, strings;
all its output if it prints none, or takes longer than SECONDS. RUNTIME-OPTIONS are strings."
  (with-temporary-folder (folder)
    (let* ((script (apply #'write-file (merge-pathnames "script.lisp" folder)
                          "(require :asdf)"
                          (with-standard-io-syntax
                            (format nil "(asdf:initialize-source-registry '~S)" (loaded-registry)))
                          "(asdf:load-system \"pyrite\")"
                          forms))
           (command (lisp-command script))
           (output (uiop:run-program
                    `("timeout" "-s" "KILL" ,(princ-to-string seconds)
                                ,(first command) ,@runtime-options ,@(rest command) "--non-interactive")
                    :output :string :error-output :output :ignore-error-status t)))
      (multiple-value-bind (results there) (read-results output)
        (if there results output)))))

(defun reports (forms &rest environment)
  "What a new Lisp in ENVIRONMENT gets of each of FORMS: the value, or the condition's type and report."
  (multiple-value-bind (output code)
      (run-in-lisp `((defvar *results* '())
                     ,@(loop for form in forms
                             collect `(push (handler-case ,form
                                              (error (condition) (list (type-of condition) (princ-to-string condition))))
                                            *results*))
                     (with-standard-io-syntax (format t "~&~S~%" (cons :results (reverse *results*)))))
                   :environment environment)
    (multiple-value-bind (results there) (read-results output)
      (if (and there (eql code 0)) results (error "~A" output)))))

(defun report-p (report type &rest texts)
  "True when REPORT is of a condition of TYPE and has TEXTS."
  (and (consp report) (eq type (first report))
       (every (lambda (text) (search text (second report))) texts)))

;;; Threads

(defun in-threads (count function)
  "Call FUNCTION with 0, 1, ... in COUNT threads at once; its values in order, or the text of errors."
  (let* ((results (make-array count :initial-element :none))
         (threads (loop for i below count
                        collect (let ((i i))
                                  (bt:make-thread
                                   (lambda ()
                                     (setf (svref results i)
                                           (handler-case (funcall function i)
                                             (error (condition) (princ-to-string condition))))))))))
    (mapc #'bt:join-thread threads)
    (coerce results 'list)))
