;;;; Lisp names for Python's.

(in-package #:pyrite/test)

(def-suite names :in pyrite :description "Lisp names for Python's.")
(in-suite names)

(defun read-with-case (case text)
  "The Python name of the symbol that TEXT is read as, when the reader's case is CASE."
  (let ((*readtable* (copy-readtable nil)) (*package* (find-package '#:pyrite/test)))
    (setf (readtable-case *readtable*) case)
    (pythonize-name (read-from-string text))))

(test names.table
  (is-for-each (pair '((foo "foo") (foo-bar "foo_bar") (:foo-bar "foo_bar") (#:foo-bar-baz "foo_bar_baz")
                       (numpy.linalg.norm "numpy.linalg.norm") (sklearn.linear-model "sklearn.linear_model")
                       (-private "_private") (--init-- "__init__") (a1 "a1") (log2-x "log2_x")
                       (|fooBar| "fooBar") (|Foo| "Foo") (|foo| "foo") (|foo-Bar| "foo_Bar")
                       (|DataFrame| "DataFrame") (|sklearn.Model-B| "sklearn.Model_B")
                       (nil "nil") (t "t") (|| "")))
    (equal (second pair) (pythonize-name (first pair)))))

(test names.constants
  "Stars as round a special variable make a constant's name."
  (is-for-each (pair '((*foo* "FOO") (*foo-bar* "FOO_BAR") (:*a* "A") (|*foo*| "FOO")
                       (* "*") (** "**") (*foo "*foo") (foo* "foo*")))
    (equal (second pair) (pythonize-name (first pair)))))

(test names.strings-are-taken-as-written
  (is-for-each (name '("" "foo" "Foo-Bar" "*foo*" "a.b-c" "FOO"))
    (equal name (pythonize-name name))))

(test names.standard-reader
  (is-for-each (pair '(("foo-bar" "foo_bar") ("Foo-Bar" "foo_bar") ("|fooBar|" "fooBar") ("*foo*" "FOO")))
    (equal (second pair) (read-with-case :upcase (first pair)))))

(test names.reader-that-inverts
  (is-for-each (pair '(("foo-bar" "foo_bar") ("fooBar" "fooBar") ("FOO-BAR" "FOO_BAR") ("DataFrame" "DataFrame")
                       ("*foo*" "FOO") ("x1" "x1") ("_" "_")))
    (equal (second pair) (read-with-case :invert (first pair)))))

(test names.reader-that-preserves
  (is-for-each (pair '(("foo-bar" "foo_bar") ("fooBar" "fooBar") ("FOO-BAR" "FOO_BAR") ("DataFrame" "DataFrame")
                       ("*foo*" "FOO")))
    (equal (second pair) (read-with-case :preserve (first pair)))))

(test names.reader-that-downcases
  (is (equal "foo_bar" (read-with-case :downcase "Foo-Bar"))))

(defun call-with-case (case text &rest arguments)
  "Call what TEXT is read as with ARGUMENTS, while the reader's case is CASE."
  (let ((*readtable* (copy-readtable nil)))
    (setf (readtable-case *readtable*) case)
    (apply #'pycall (read-from-string text) arguments)))

(test names.calls-honour-the-reader
  "The name of one symbol may differ from one call to the next."
  (pyexec "def aName(**keywords): return sorted(keywords)")
  (is (equalp #("b") (call-with-case :invert "aName" :b 1)))
  (is (equalp #("B") (call-with-case :preserve "aName" :b 1)))
  (is (equalp #("b") (pycall '|aName| :b 1)))
  (pyexec "def upcased(): return 'lower'" (string #\Newline) "def UPCASED(): return 'upper'")
  (is (equal "lower" (pycall 'upcased)))
  (is (equal "upper" (call-with-case :preserve "UPCASED")))
  (is (equal "upper" (call-with-case :invert "UPCASED")))
  (is (equal "lower" (call-with-case :invert "upcased")))
  (is (equal "lower" (pycall 'upcased))))

(test names.one-object-for-each-text
  (is (eq (pyrite::find-name "some.name") (pyrite::find-name (copy-seq "some.name"))))
  (is (not (eq (pyrite::find-name "some.name") (pyrite::find-name "Some.name"))))
  (is (eq (pyrite::symbol-name-object 'some.name) (pyrite::find-name "some.name"))))

(test names.non-ascii
  (let ((german (text 103 114 246 223 101)) (japanese (text #x540D #x524D)))
    (pyexec german " = 5" (string #\Newline) "def " japanese "(**keywords): return keywords")
    (is (eql 5 (pyvalue german)))
    (is (eql 5 (pyvalue (intern german '#:pyrite/test))))
    (is (eql 7 (gethash german (pycall japanese (intern german '#:keyword) 7))))))

(test names.many
  "More names than are remembered work like the others."
  (pyexec "class Many: pass")
  (let ((count (scaled 12000)))
    (is-for-each (i (loop for i below count collect i))
      (let ((name (format nil "Many.attribute_~D" i)))
        (setf (pyvalue name) i)
        (eql i (pyvalue name))))))

(test names.ever-new-symbols-and-sources-take-no-more-memory
  "Names are forgotten with the symbols and call sites that have them, on both sides."
  (pyexec "def names_keywords(**keywords): return len(keywords)")
  (flet ((use (from to)
           (loop for i from from below to
                 for symbol = (make-symbol (format nil "NAMES-NEW-~D" i))
                 do (assert (eql i (progn (setf (pyvalue symbol) i) (pyvalue symbol))))
                    (pyexec (format nil "del names_new_~D" i))
                    (assert (eql (1+ i) (pyeval (format nil "~D + 1" i))))
                    (assert (eql (1+ i) (pycall (format nil "lambda x: x + ~D" i) 1)))))
         (left ()
           (loop repeat 5 do (pyrite::collect-garbage))
           (pyrite::forget-lost-names)
           (list (getf (python-stats) :names) (hash-table-count pyrite::*names*) (resident-kilobytes))))
    (let ((count (scaled 100000)))
      ;; Source that is called is remembered up to a number.
      (use 0 (max 12000 (floor count 2)))
      (let ((before (left)))
        (use (max 12000 (floor count 2)) (+ count (max 12000 (floor count 2))))
        (destructuring-bind (names texts kilobytes) (mapcar #'- (left) before)
          (is (< names 2000))
          (is (< texts 2000))
          (is (< kilobytes 40000)))))))

(test names.compiled-code-that-is-gone
  (if (eq (uiop:implementation-type) :ecl)
      (skip "ECL does not unload compiled code.")
      (check-names-of-compiled-code)))

(defun check-names-of-compiled-code ()
  (let ((before (getf (python-stats) :names)) (count (scaled 400)))
    (dotimes (i count)
      (assert (eql i (funcall (compile nil `(lambda () (pycall ,(format nil "lambda: ~D" i))))))))
    (loop repeat 5 do (pyrite::collect-garbage))
    (is (< (- (getf (python-stats) :names) before) (floor count 2)))))

(test names.of-symbols-are-kept-with-them
  (let ((symbol (make-symbol "NAMES-KEPT")))
    (setf (pyvalue symbol) 5)
    (trivial-garbage:gc :full t)
    (live-handles)
    (is (eql 5 (pyvalue symbol)))
    (is (eql 5 (pyvalue "names_kept")))))
