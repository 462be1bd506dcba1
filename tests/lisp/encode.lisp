;;;; Lisp values to Python: each is looked at by Python itself.

(in-package #:pyrite/test)

(def-suite encode :in pyrite :description "Lisp values to Python.")
(in-suite encode)

(defun python-repr-is (text value)
  "True when Python's repr of VALUE is TEXT."
  (equal text (pycall "repr" value)))

;;; Numbers

(test encode.integers
  (is-for-each (integer (integer-cases))
    (equal (python-hex integer) (pycall "hex" integer)))
  (is-for-each (integer (integer-cases))
    (pycall "lambda value: type(value) is int" integer)))

(test encode.integers-inside-containers
  (let ((integers (integer-cases)))
    (is (equalp (map 'vector #'python-hex integers)
                (pycall "lambda values: [hex(value) for value in values]" integers)))))

(test encode.integers-of-a-million-bits
  "Python writes no such number as digits."
  (is-for-each (offset '(-1 0 1))
    (let ((integer (+ (ash 1 1000000) offset)))
      (and (pycall "lambda i, offset: i == (1 << 1000000) + offset" integer offset)
           (eql integer (pycall "lambda offset: (1 << 1000000) + offset" offset))
           (eql (- integer) (pycall "lambda i: -i" integer))
           (eql integer (pycall "lambda i: -i" (- integer)))))))

(test encode.fixnum-edges
  (is-for-each (integer (list most-positive-fixnum most-negative-fixnum (1+ most-positive-fixnum)
                              (1- most-negative-fixnum) (1- (ash 1 63)) (- (ash 1 63)) (ash 1 63)
                              (1- (- (ash 1 63))) (1- (ash 1 64)) (ash 1 64)))
    (equal (format nil "~D" integer) (pycall "str" integer))))

(defparameter *double-bits-in-python*
  "lambda value: type(value) is float and int.from_bytes(__import__('struct').pack('<d', value), 'little')")

(test encode.doubles
  (is-for-each (bits (double-bits-cases))
    (eql bits (pycall *double-bits-in-python* (bits-double bits))))
  (is (python-repr-is "-0.0" -0d0))
  (is (python-repr-is "0.1" 0.1d0)))

(defun python-double-bits (single)
  "What the bits of SINGLE's value are in double precision, as Python sees it."
  (pycall "lambda bits: int.from_bytes(__import__('struct').pack('<d',
             __import__('struct').unpack('<f', bits.to_bytes(4, 'little'))[0]), 'little')" single))

(test encode.singles
  (is-for-each (bits (single-bits-cases))
    (eql (python-double-bits bits)
         (pycall *double-bits-in-python* (bits-single bits)))))

;;; Text

(defun codes-in-python (string)
  "The code points of STRING as Python sees them."
  (pycall "lambda text: [ord(character) for character in text] if type(text) is str else None" string))

(defun string-cases ()
  "Strings of every range of characters."
  (list "" "a" "foo bar" (text 0) (text 97 0 98 0) (text 127 128) (text 255) (text 256)
        (text #xD7FF #xE000 #xFFFD #xFFFF) (text #x10000) (text 97 #x1F600 98) (text #x10FFFF)
        (text 65279 97) (text 10 13 9 92 39 34) "~A ~S %s {} \\n"
        (make-string 31 :initial-element #\x) (make-string 32 :initial-element #\y)
        (make-string 1000 :initial-element (code-char 233))))

(test encode.strings
  (is-for-each (string (string-cases))
    (equalp (codes string) (codes-in-python string))))

(test encode.strings-of-other-kinds
  "Base strings, adjustable ones, displaced ones, those with a fill pointer."
  (let ((base (make-array 6 :element-type 'base-char :initial-contents "abcdef"))
        (wide (concatenate 'string "ab" (text 233 #x1F600) "ef")))
    (is-for-each (string (list base wide))
      (equalp (codes string) (codes-in-python string)))
    (is-for-each (string (list base wide))
      (let ((part (make-array 3 :element-type (array-element-type string)
                                :displaced-to string :displaced-index-offset 2)))
        (equalp (codes (subseq string 2 5)) (codes-in-python part))))
    (is-for-each (string (list base wide))
      (let ((adjustable (make-array 6 :element-type (array-element-type string) :adjustable t
                                      :fill-pointer 4 :initial-contents string)))
        (equalp (codes (subseq string 0 4)) (codes-in-python adjustable)))))
  (is (equalp #() (codes-in-python (make-array 0 :element-type 'base-char))))
  (is (equalp #() (codes-in-python (make-array 9 :element-type 'character :fill-pointer 0)))))

(test encode.string-displaced-twice
  (let* ((string (copy-seq "0123456789"))
         (inner (make-array 8 :element-type 'character :displaced-to string :displaced-index-offset 1))
         (outer (make-array 5 :element-type 'character :displaced-to inner :displaced-index-offset 2)))
    (is (equalp (codes "34567") (codes-in-python outer)))))

(test encode.long-string
  (let* ((length (scaled 1000000)) (string (make-string length :initial-element #\a)))
    (setf (char string (1- length)) (code-char #x1F600)
          (char string (floor length 2)) (code-char 0))
    (is (equal (list length 2 #x1F600)
               (pycall "lambda text: (len(text), len(set(text.replace(chr(0), 'a'))), ord(text[-1]))" string)))))

(test encode.many-strings
  "More strings in one call than can be pinned at once."
  (let ((strings (loop for i below 1000 collect (format nil "string ~D" i))))
    (is (equalp (coerce strings 'vector) (pycall "list" strings)))
    (is (equal (format nil "~{~A~}" strings) (apply #'pycall "lambda *texts: ''.join(texts)" strings)))))

(test encode.surrogates
  "A Lisp string that is no Unicode text is a clear error."
  (let ((half (code-char #xD800)))
    (if (null half)
        (skip "This Lisp has no characters for surrogates.")
        (progn
          (refuses conversion-error (pycall "len" (string half)))
          (refuses conversion-error (pyeval (string half)))
          (refuses conversion-error (pyvalue (string half)))
          (is-true (mentions-all-p (princ-to-string (signalled (pycall "len" (list 1 (format nil "abc~A" half)))))
                                   "4 characters" "at 3: U+D800" "abc"))))))

(test encode.characters
  (is-for-each (code '(0 97 233 #x1F600))
    (pycall "lambda text, code: isinstance(text, str) and len(text) == 1 and ord(text) == code"
            (code-char code) code)))

;;; Symbols and constants

(test encode.constants
  (is (python-repr-is "None" +py-none+))
  (is (python-repr-is "()" +py-empty-tuple+))
  (is (python-repr-is "True" t))
  (is (python-repr-is "False" nil))
  (is-true (pycall "lambda a, b, c: a is None and b is True and c is False" +py-none+ t nil)))

(test encode.symbols
  (is-for-each (pair '((foo-bar "'foo_bar'") (*foo* "'FOO'") (|fooBar| "'fooBar'") (#:x "'x'")))
    (python-repr-is (second pair) (first pair)))
  (is (python-repr-is "('foo_bar', 'a')" '(:foo-bar :a)))
  (is (python-repr-is "{'foo_bar': 1}" (table :foo-bar 1))))

;;; Containers

(test encode.containers
  (is (python-repr-is "(1,)" '(1)))
  (is (python-repr-is "(1, 'two', 3.0)" '(1 "two" 3d0)))
  (is (python-repr-is "[]" #()))
  (is (python-repr-is "[1, 'two', 3.0]" #(1 "two" 3d0)))
  (is (python-repr-is "{}" (table)))
  (is (python-repr-is "{'a': 1}" (table "a" 1)))
  (is (python-repr-is "([1, (2, {'a': [3]})], False)" `(#(1 (2 ,(table "a" #(3)))) nil)))
  (is (python-repr-is "{(1, ('a', True)): [()]}" (table '(1 ("a" t)) (vector +py-empty-tuple+)))))

(test encode.vectors-of-other-kinds
  (let ((vector (make-array 5 :adjustable t :fill-pointer 3 :initial-contents '(1 (2) #(3) 4 5))))
    (is (python-repr-is "[1, (2,), [3]]" vector))
    (is (python-repr-is "[[1, (2,), [3]]]" (vector vector)))
    (vector-push-extend "four" vector)
    (is (python-repr-is "[1, (2,), [3], 'four']" vector))
    (is (python-repr-is "[(2,), [3]]"
                        (make-array 2 :displaced-to vector :displaced-index-offset 1)))
    (setf (fill-pointer vector) 0)
    (is (python-repr-is "[]" vector))))

(test encode.hash-tables-of-every-test
  (is-for-each (test '(eq eql equal equalp))
    (let ((table (make-hash-table :test test)))
      (setf (gethash 'a-b table) 1
            (gethash 3 table) '(t)
            (gethash :c table) (make-hash-table :test test))
      (and (pycall "lambda table: table == {'a_b': 1, 3: (True,), 'c': {}} and type(table) is dict" table)
           (eql 3 (pymethod table "__len__"))))))

(test encode.large-hash-table
  (let ((table (make-hash-table)) (count (scaled 100000)))
    (dotimes (i count)
      (setf (gethash i table) (* i i)))
    (is-true (pycall "lambda table, count: table == {i: i * i for i in range(count)}" table count))))

(test encode.unhashable-key
  (raises "TypeError" (pycall "len" (table #(1 2) 3)))
  (raises "TypeError" (pycall "len" (let ((keys (make-hash-table)))
                                      (setf (gethash (make-hash-table) keys) 1)
                                      keys)))
  ;; What a key's own methods raise is what they raised.
  (define-python "class Raising:"
                 "    def __hash__(self): return 1"
                 "    def __eq__(self, other): raise refusal"
                 "refusal = ValueError('refused')")
  (is (pyobject-wrapper-eq (pyvalue "refusal")
                           (pyerror-value (signalled (pycall "len" (table (pyeval "Raising()") 1 (pyeval "Raising()") 2))))))
  (is (search "the key (1, [1, 2]) of a dict at [0]['k']"
              (princ-to-string (signalled (pycall "len" (list (table "k" (table '(1 #(1 2)) 3))))))))
  (is-true (python-works-p)))

(defun eq-table (&rest keys)
  "An EQ hash table from KEYS to their positions."
  (let ((table (make-hash-table :test 'eq)))
    (loop for key in keys for i from 0 do (setf (gethash key table) i))
    table))

(test encode.equal-keys
  "Keys that are one key in Python: an error that names one, and no entry is lost."
  (is-for-each (table (list (table 1 :a 1d0 :b) (table t :a 1 :b) (table nil :a 0 :b) (table 0.5 :a 0.5d0 :b)
                            (table 1/2 :a 0.5d0 :b) (table 0d0 :a -0d0 :b) (table #c(1d0 0d0) :a 1 :b)
                            (table "a_b" 1 'a-b 2) (table #\a 1 "a" 2) (table :a 1 "a" 2)
                            (table '(1 (2)) 1 '(1d0 (2)) 2) (table (expt 2 100) 1 (expt 2d0 100) 2)
                            (eq-table (copy-seq "key") (copy-seq "key")) (eq-table (list 1) (list 1))
                            (eq-table (pathname "/tmp/x") (make-pathname :name "x" :directory '(:absolute "tmp")))
                            (let ((key (pyeval "frozenset([1])"))) (eq-table key (pycall "frozenset" #(1))))))
    (equal "ValueError" (python-error-type (lambda () (pycall "len" table)))))
  (let ((report (princ-to-string (signalled (pycall "len" (vector (list (table "k" (table 1 2 1d0 3)))))))))
    (is (search "the key 1.0 of a dict at [0][0]['k']" report)))
  (is (eql 3 (pycall "len" (table 1 :a '(1) :b "1" :c))))
  (is-true (python-works-p)))

(test encode.keys-that-are-not-equal
  "Neither case nor kind is lost, nor one of several NaNs."
  (let ((table (make-hash-table :test 'equalp)))
    (setf (gethash "Key" table) 1 (gethash 2 table) 2)
    (is-true (pycall "lambda d: d == {'Key': 1, 2: 2}" table)))
  (is (eql 3 (pycall "len" (table "key" 1 "Key" 2 "KEY" 3))))
  (is (eql 4 (pycall "len" (table 1 1 "1" 2 '(1) 3 1/3 4))))
  (let ((nan (bits-double #x7FF8000000000000)) (other (bits-double #x7FF8000000000001)))
    (is (eql 2 (pycall "len" (table nan 1 other 2))))
    (is (eql 2 (pycall "len" (table (list nan) 1 (list other) 2))))))

(test encode.wrappers
  (let ((object (pycall "object")))
    (is-true (pycall "lambda a, b, c, d: a is b[0] is c[0][0] is d['a']"
                     object (list object) (vector (list object)) (table "a" object)))))

(test encode.shared-parts
  "What occurs twice, but not inside itself, is converted twice."
  (let* ((part (list 1 2)) (whole (list part part (vector part part))))
    (is (python-repr-is "((1, 2), (1, 2), [(1, 2), (1, 2)])" whole))
    ;; Deep down, where containers are looked up, as well.
    (let ((deep (nest #'vector whole 200)))
      (is-true (pycall "lambda a: repr(a) == '[' * 200 + '((1, 2), (1, 2), [(1, 2), (1, 2)])' + ']' * 200" deep)))))

;;; Wide and deep

(test encode.wide
  (let* ((count (scaled 100000)) (items (loop for i below count collect i)))
    (is (eql (/ (* count (1- count)) 2) (pycall "sum" items)))
    (is (eql (/ (* count (1- count)) 2) (pycall "sum" (coerce items 'vector))))
    (is-true (pycall "lambda items, count: items == [(i, [i]) for i in range(count)]"
                     (map 'vector (lambda (i) (list i (vector i))) items) count))))

(defparameter *depth-in-python*
  "lambda value: next(n for n in __import__('itertools').count() if not (
     isinstance(value, (tuple, list, dict)) and
     [value := (list(value.values()) if isinstance(value, dict) else value)[0]]))"
  "How deep a value is nested.")

(test encode.deep
  (let ((depth (scaled 100000)))
    (is (eql depth (pycall *depth-in-python* (nest #'list 5 depth))))
    (is (eql depth (pycall *depth-in-python* (nest #'vector 5 depth))))
    (is (eql depth (pycall *depth-in-python* (nest (lambda (value) (table 1 value)) 5 depth))))))

(test encode.deep-adjustable-vectors
  (flet ((wrap (value) (make-array 1 :adjustable t :fill-pointer 1 :initial-element value)))
    (let ((depth (scaled 100000)))
      (is (eql depth (handler-case (pycall *depth-in-python* (nest #'wrap 5 depth))
                       (serious-condition (condition) (princ-to-string condition))))))))

(test encode.too-deep
  (if (< *scale* 1)
      (skip "A million containers inside one another take this Lisp minutes.")
      (refuses conversion-error (pycall "len" (nest #'list 5 1000002)))))

;;; Ratios and complex numbers

(test encode.ratios
  (is-for-each (ratio (list 1/2 -7/3 (/ (expt 3 90) (expt 2 80)) (/ -1 (expt 10 40))))
    (equal (py-repr ratio) (format nil "Fraction(~D, ~D)" (numerator ratio) (denominator ratio))))
  (is (equal "(Fraction(1, 2), [Fraction(3, 4)])" (py-repr (list 1/2 (vector 3/4)))))
  (is (eql 5/6 (pycall "lambda a, b: a + b" 1/2 1/3))))

(test encode.complex-numbers
  (is (equal "(1+2j)" (py-repr #c(1 2))))
  (is (equal "(0.5+0.25j)" (py-repr #c(1/2 1/4))))
  (is (equal "(1.5-2.5j)" (py-repr #c(1.5 -2.5))))
  (is (equal "(1.5-2.5j)" (py-repr #c(1.5d0 -2.5d0))))
  (let ((complex (complex 1 (expt 10 400))))
    (is (equal '(1) (conversion-error-place (signalled (py-repr (list 5 complex)))))))
  (is-true (pycall "lambda z: z.real != z.real and z.imag == float('-inf')"
                   (complex (bits-double #x7FF8000000000000) (bits-double #xFFF0000000000000)))))

;;; Arrays whose elements are no numpy type: copied

(test encode.arrays-of-narrow-integers
  (with-numpy
    (is (equal "[True, False, True]" (pycall "lambda a: repr(a.tolist())" #*101)))
    (is (equal "bool" (pycall "lambda a: str(a.dtype)" #*101)))
    (is (equal "[[True, False], [False, True]]"
               (pycall "lambda a: repr(a.tolist())"
                       (make-array '(2 2) :element-type 'bit :initial-contents '((1 0) (0 1))))))
    (is (eql 2 (pycall "len" (make-array 5 :element-type 'bit :fill-pointer 2))))
    (is-for-each (case `((fixnum "int64" (,most-negative-fixnum 0 ,most-positive-fixnum))
                         ((unsigned-byte 2) "uint8" (0 3)) ((unsigned-byte 4) "uint8" (0 15))))
      (destructuring-bind (type dtype elements) case
        (let ((array (make-array (length elements) :element-type type :initial-contents elements)))
          (and (equal dtype (pycall "lambda a: str(a.dtype)" array))
               (equalp (coerce elements 'vector) (pycall "lambda a: a.tolist()" array))))))))

;;; Characters and pathnames come back

(test encode.characters-come-back
  (is-for-each (character (list #\a #\Space (code-char 233) (code-char #x1F600)))
    (eql character (pycall "lambda c: c" character)))
  (is (equalp (vector #\a "ab" t) (pycall "lambda c: [c, c + 'b', isinstance(c, str)]" #\a)))
  (let ((table (make-hash-table)))
    (setf (gethash #\a table) 5)
    (is (eql 5 (pycall "lambda d: d['a']" table)))))

(test encode.pathnames-come-back
  (is-for-each (pathname (list #p"/tmp/file.txt" #p"/tmp/a folder/" #p"name"))
    ;; As the system names it: parsing a name may leave a version in it.
    (let ((back (pycall "lambda p: p" pathname)))
      (and (pathnamep back) (string= (uiop:native-namestring pathname) (uiop:native-namestring back)))))
  (import-module "os")
  (is (equal "file.txt" (pycall "os.path.basename" #p"/tmp/file.txt")))
  (is (equal "Path('/tmp/file.txt')" (py-repr #p"/tmp/file.txt")))
  (refuses conversion-error (pycall "str" #p"/tmp/*.lisp")))
