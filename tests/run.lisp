;;;; Run one suite of the tests in this Lisp:
;;;;
;;;;     sbcl --script tests/run.lisp SUITE
;;;;     ecl --norc --shell tests/run.lisp SUITE
;;;;     PYRITE_SUITE=SUITE ccl --no-init --batch --load tests/run.lisp
;;;;
;;;; A suite faults/NAME is the file tests/faults/NAME.lisp, which is loaded for it only.
;;;; Without a SUITE the tests are only compiled and loaded. Exits with code 22, which no crash gives,
;;;; when something was checked, or skipped, and nothing failed. Reads PYRITE_TEST_SEED, see random.lisp, and
;;;; PYRITE_TEST_ORDER, an integer: what shuffles the tests of the suite, which run in alphabetical order else.

(defvar *exit* (lambda (code) (declare (ignore code)) nil)
  "How to leave this Lisp; set as soon as that can be said portably.")

(setf *load-verbose* nil
      *compile-verbose* nil
      *compile-print* nil
      *debugger-hook* (lambda (condition hook)
                        (declare (ignore hook))
                        (format *error-output* "~&~A: ~A~%" (type-of condition) condition)
                        (finish-output *error-output*)
                        (funcall *exit* 1)))

(require :asdf)

(setf *exit* (lambda (code)
               (finish-output)
               (uiop:quit code nil)))

(defparameter *project*
  (uiop:pathname-parent-directory-pathname (uiop:pathname-directory-pathname *load-truename*)))

(asdf:initialize-source-registry
 ;; This checkout and Debian's libraries. An ASDF among these would be loaded over the running one.
 `(:source-registry (:also-exclude "cl-asdf")
                    (:directory ,(merge-pathnames "lisp/" *project*))
                    (:tree "/usr/share/common-lisp/source/")
                    :ignore-inherited-configuration))

(defun wanted-suite ()
  "The name of the suite to run, or NIL."
  (let ((variable (uiop:getenv "PYRITE_SUITE")))
    (if (and variable (string/= variable ""))
        variable
        (first (or uiop:*command-line-arguments*
                   ;; Not every ASDF knows where a script's own arguments begin.
                   (rest (member "run.lisp" (uiop:raw-command-line-arguments)
                                 :test (lambda (end argument) (uiop:string-suffix-p argument end)))))))))

(defun load-tests ()
  "Load pyrite/test. What the compilers say is shown when that fails."
  (let ((said (make-string-output-stream)) (output *standard-output*))
    (handler-bind ((error (lambda (condition)
                            (format output "~&~A~%~A: ~A~%" (get-output-stream-string said)
                                    (type-of condition) condition)
                            (finish-output output)
                            (funcall *exit* 1))))
      (let ((*standard-output* said) (*error-output* said))
        (asdf:load-system "pyrite/test")))))

(defun call-fiveam (name &rest arguments)
  (apply #'uiop:symbol-call :fiveam name arguments))

(defun find-suite (name)
  "The symbol that names the suite NAME. There being no such suite is an error."
  (let ((suite (find-symbol (string-upcase name) :pyrite/test)))
    (unless (and suite (call-fiveam '#:get-test suite))
      (error "There is no suite ~A in pyrite/test." name))
    suite))

(defun load-fault (name)
  "Load the file of the suite NAME, if it is one of those in tests/faults."
  (when (uiop:string-prefix-p "faults/" name)
    (load (merge-pathnames (format nil "tests/~A.lisp" name) *project*))))

(defun shuffled (items seed)
  "ITEMS in the order that SEED gives, the same in every Lisp."
  (flet ((next ()
           ;; Knuth's linear congruential generator, whose upper half is random.
           (ash (setf seed (mod (+ (* seed 6364136223846793005) 1442695040888963407) (expt 2 64))) -32)))
    (mapcar #'rest (sort (mapcar (lambda (item) (cons (next) item)) items) #'< :key #'first))))

(defun suite-tests (suite)
  "The names of what is in SUITE, in an order of ours: FiveAM's is by address in some Lisps."
  (let* ((table (call-fiveam '#:tests (call-fiveam '#:get-test suite)))
         (names (sort (loop for name being the hash-keys of table collect name) #'string<))
         (order (uiop:getenv "PYRITE_TEST_ORDER")))
    (if (and order (string/= order ""))
        (shuffled names (parse-integer order))
        names)))

(defun run-suite (name)
  "Run the suite NAME, say how it went, and return the exit code."
  (load-fault name)
  (let ((results (progv (list (uiop:find-symbol* '#:*test-dribble* :fiveam)) (list (make-broadcast-stream))
                   (call-fiveam '#:run (suite-tests (find-suite name))))))
    (flet ((counted (class)
             (count-if (lambda (result) (typep result (uiop:find-symbol* class :fiveam))) results)))
      (let ((passed (counted '#:test-passed))
            (failed (counted '#:test-failure))
            (skipped (counted '#:test-skipped)))
        (when (or (plusp failed) (plusp skipped))
          (call-fiveam '#:explain! results))
        (format t "~&lisp ~A: ~D passed, ~D failed, ~D skipped~%" name passed failed skipped)
        (if (and (zerop failed) (plusp (+ passed skipped))) 22 1)))))

(load-tests)
(funcall *exit* (let ((suite (wanted-suite)))
                  (if suite (run-suite suite) 22)))
