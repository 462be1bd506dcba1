;;;; Python values to Lisp.

(in-package #:pyrite/test)

(def-suite decode :in pyrite :description "Python values to Lisp.")
(in-suite decode)

;;; Numbers

(test decode.integers
  "Powers of two and their neighbours, computed by Python from their exponents."
  (is-for-each (exponent (append (loop for k from 0 to 200 collect k) '(255 256 511 1000 4099 100000)))
    (loop for offset from -1 to 1
          always (and (eql (+ (ash 1 exponent) offset)
                           (pycall "lambda exponent, offset: (1 << exponent) + offset" exponent offset))
                      (eql (- offset (ash 1 exponent))
                           (pycall "lambda exponent, offset: offset - (1 << exponent)" exponent offset))))))

(test decode.integers-of-source
  (is-for-each (integer (remove-if (lambda (integer) (> (integer-length integer) 5000)) (integer-cases)))
    (eql integer (pyeval (python-hex integer)))))

(test decode.integers-inside-containers
  (is (equalp (coerce (integer-cases) 'vector)
              (pycall "lambda texts: [int(text, 16) for text in texts]"
                      (mapcar #'python-hex (integer-cases))))))

(test decode.doubles
  (is-for-each (bits (double-bits-cases))
    (let ((value (pycall "lambda bits: __import__('struct').unpack('<d', bits.to_bytes(8, 'little'))[0]" bits)))
      (and (typep value 'double-float) (eql bits (double-bits value)))))
  (is (eql 1.5d0 (pyeval "1.5")))
  (is (eql 0.1d0 (pyeval "0.1")))
  (is (eql -0d0 (pyeval "-0.0"))))

(test decode.constants
  (is (eq t (pyeval "True")))
  (is (eq nil (pyeval "False")))
  (is (eq +py-none+ (pyeval "None")))
  (is (eq +py-empty-tuple+ (pyeval "()")))
  (is (equal (list +py-none+ +py-empty-tuple+ nil) (pyeval "(None, (), False)")))
  (is (eq +py-none+ (gethash +py-none+ (pyeval "{None: None}")))))

;;; Text

(test decode.strings
  (is-for-each (string (string-cases))
    (let ((value (pycall "lambda codes: ''.join(map(chr, codes))" (codes string))))
      (and (typep value '(simple-array character (*)))
           (equalp (codes string) (codes value))))))

(test decode.strings-are-fresh
  (pyexec "constant = 'constant'")
  (let ((string (pyvalue "constant")))
    (setf (char string 0) #\X)
    (is (equal "constant" (pyvalue "constant")))))

(test decode.long-string
  (let* ((length (scaled 1000000))
         (string (pycall "lambda length: chr(0x1F600) + 'a' * (length - 2) + chr(0)" length)))
    (is (= length (length string)))
    (is (= #x1F600 (char-code (char string 0))))
    (is (= 0 (char-code (char string (1- length)))))
    (is (= (- length 2) (count #\a string)))))

(test decode.lone-surrogate
  "It does not lose the call."
  (let ((string (pyeval "'a\\ud800b'")))
    (is (= 3 (length string)))
    (is (eql #\a (char string 0)))
    (is (eql #\b (char string 2))))
  (is-true (python-works-p)))

(test decode.bytes
  (dolist (count '(0 1 255 256 100000))
    (let ((bytes (pycall "lambda count: bytes(i % 256 for i in range(count))" count)))
      (is (typep bytes '(simple-array (unsigned-byte 8) (*))))
      (is (= count (length bytes)))
      (is-true (loop for byte across bytes for i from 0 always (= byte (mod i 256)))))))

;;; Containers

(test decode.containers
  (is (equal '(1) (pyeval "(1,)")))
  (is (equal '(1 "two" 3d0) (pyeval "(1, 'two', 3.0)")))
  (is (equalp #() (pyeval "[]")))
  (is (same #(1 "two" 3d0) (pyeval "[1, 'two', 3.0]")))
  (is (typep (pyeval "[1, 2]") 'simple-vector))
  (is (same `(#(1 (2 ,(table "a" #(3)))) nil) (pyeval "([1, (2, {'a': [3]})], False)"))))

(test decode.dicts
  (let ((table (pyeval "{'a': 1, 2: 'b', 2.5: (1,), (1, ('x', True)): {}, None: [], 1 << 70: 0}")))
    (is (eq 'equal (hash-table-test table)))
    (is (= 6 (hash-table-count table)))
    (is (eql 1 (gethash "a" table)))
    (is (equal "b" (gethash 2 table)))
    (is (equal '(1) (gethash 2.5d0 table)))
    (is (zerop (hash-table-count (gethash '(1 ("x" t)) table))))
    (is (equalp #() (gethash +py-none+ table)))
    (is (eql 0 (gethash (ash 1 70) table))))
  (is (zerop (hash-table-count (pyeval "{}"))))
  (is-true (nth-value 1 (gethash +py-empty-tuple+ (pyeval "{(): 1}")))))

(test decode.equal-keys
  "A dict with keys that a hash table does not tell apart is refused, and nothing of it is kept."
  (define-python "nans = lambda: {'a': {float('nan'): object(), 2: object(), float('nan'): object(), 3: [object()]}}"
                 "tuples = lambda: {(float('nan'), 1): object(), (float('nan'), 1): 2}")
  (dolist (source '("nans()" "tuples()" "[1, (nans(),)]"))
    (refuses conversion-error (pyeval source))
    (refuses conversion-error (with-lispifiers ((integer #'1+)) (pyeval source)))
    (is-true (search "EQUAL" (princ-to-string (signalled (pyeval source)))))
    (is (pyobject-wrapper-p (with-remote-objects (pyeval source)))))
  (refuses conversion-error (pycall "lambda f: f(nans())" (lambda (table) (declare (ignore table)) 1)))
  (is (equal '(1 2) (sort (loop for value being the hash-values of (pyeval "{float('nan'): 1, -float('nan'): 2}")
                                collect value)
                          #'<)))
  (is (eql 2 (hash-table-count (pyeval "{(1.0, 'a'): 1, (1.0, 'A'): 2}"))))
  ;; All objects in what was refused were given wrappers, which are garbage.
  (let ((before (held-objects)))
    (dotimes (i 100) (signalled (pyeval "nans()")))
    (is-true (loop repeat 200
                   do (trivial-garbage:gc :full t)
                   thereis (< (held-objects) (+ before 100))
                   do (sleep 0.02)))))

(test decode.lispifiers-and-keys
  "Nor is an entry lost where users' functions make keys equal."
  (refuses conversion-error (with-lispifiers ((integer #'abs)) (pyeval "{1: 1, -1: 2}")))
  (is (eql 1 (gethash 2 (with-lispifiers ((integer #'1+)) (pyeval "{1: 0}"))))))

(test decode.containers-are-fresh
  (pyexec "shared = [1, 2]")
  (let ((one (pyvalue "shared")) (both (pyeval "(shared, shared)")))
    (setf (svref one 0) 99)
    (is (same #(1 2) (pyvalue "shared")))
    (setf (svref (first both) 0) 99)
    (is (same #(1 2) (second both)))))

(test decode.subclasses-are-wrappers
  "Only exact types are converted, so that nothing of a subclass is lost."
  (is-for-each (source '("__import__('collections').namedtuple('P', 'x y')(1, 2)"
                         "__import__('collections').OrderedDict(a=1)"
                         "__import__('collections').defaultdict(list)"
                         "__import__('collections').Counter('abc')"
                         "__import__('enum').IntEnum('E', 'A B').A"
                         "type('I', (int,), {})(5)" "type('F', (float,), {})(5)" "type('S', (str,), {})('a')"
                         "type('T', (tuple,), {})()" "type('L', (list,), {})([1])" "type('D', (dict,), {})()"
                         "type('B', (bytes,), {})(b'a')"))
    (let ((value (pyeval source)))
      (and (pyobject-wrapper-p value)
           (pycall "lambda value: type(value) not in (int, float, str, tuple, list, dict, bytes)" value)))))

(test decode.impostors-are-wrappers
  "Classes that are only called like what is converted, also where they say that they are of those modules."
  (define-python "def impostor(name, module):"
                 "    return type(name, (), {'__module__': module, '__index__': lambda self: 5, '__len__': lambda self: 1,"
                 "                           '__getitem__': lambda self, i: 5, 'numerator': 1, 'denominator': 2,"
                 "                           'dtype': 'f8', 'shape': (1,), '__float__': lambda self: 5.0})()"
                 "class Liar:"
                 "    def __init__(self, kind): self.kind = kind"
                 "    __class__ = property(lambda self: self.kind)")
  (is-for-each (names '(("builtins" "int" "float" "complex" "bool" "str" "bytes" "list" "tuple" "dict" "NoneType")
                        ("fractions" "Fraction") ("_pyrite" "Character" "Path" "Object" "Function")
                        ("numpy" "ndarray" "float64" "int64" "float32" "bool")))
    (every (lambda (name)
             (let ((one (pycall "impostor" name (first names))))
               (and (pyobject-wrapper-p one)
                    (pyobject-wrapper-p (svref (pycall "lambda *x: [impostor(*x)]" name (first names)) 0))
                    ;; It goes back as what it is.
                    (eq t (pycall "lambda x, *names: type(x).__name__ == names[0]" one name)))))
           (rest names)))
  (is-for-each (kind '("int" "float" "str" "list" "dict" "tuple" "type(None)" "ValueError"))
    (let ((liar (pyeval (format nil "Liar(~A)" kind))))
      (and (pyobject-wrapper-p liar)
           (search "__main__.Liar" (princ-to-string liar)))))
  ;; In __main__, by the very names that Python's own have.
  (define-python "class int(int): pass" "class list(list): pass" "class Exception(Exception): pass")
  (is-for-each (source '("int(5)" "list([1])" "(int(5),)[0]"))
    (pyobject-wrapper-p (pyeval source)))
  (define-python "del int, list, Exception")
  (is (eql 5 (pyeval "int(5)"))))

(test decode.impostors-of-exceptions
  "Exceptions that are called like Lisp's errors or builtin ones are those that they are."
  (define-python "def raise_one(name, module, base, **more):"
                 "    raise type(name, (base,), dict(more, __module__=module))('said')")
  (dolist (name '("HostError" "HostUnwind"))
    (dolist (payload '("" ", payload=5" ", payload=None" ", payload=property(lambda self: 1 / 0)"))
      (let ((condition (signalled (pyeval (format nil "raise_one('~A', '_pyrite', LookupError~A)" name payload)))))
        (is (typep condition 'py-lookup-error))
        (is (equal "said" (pyerror-message condition))))))
  (let ((condition (signalled (pyeval "raise_one('KeyError', 'builtins', ArithmeticError)"))))
    (is (typep condition 'py-arithmetic-error))
    (is-false (typep condition 'py-key-error)))
  (is-true (python-works-p)))

(test decode.subclasses-of-numpy-s-are-wrappers
  (with-numpy
    (define-python "class Float(numpy.float64): pass" "class Single(numpy.float32): pass"
                   "class Array(numpy.ndarray): pass")
    (is-for-each (source '("Float(1.5)" "Single(1.5)" "numpy.zeros(2).view(Array)" "numpy.matrix([[1]])"
                           "numpy.ma.array([1, 2])" "numpy.rec.array([(1, 2)])" "numpy.memmap('/dev/zero', 'b', 'r', 0, 8)"))
      (let ((value (pyeval source)))
        (and (pyobject-wrapper-p value)
             (pycall "lambda x: isinstance(x, (numpy.ndarray, numpy.floating)) and type(x) is not numpy.ndarray" value))))))

(test decode.other-types-are-wrappers
  (is-for-each (source '("object()" "{1, 2}" "frozenset()" "range(3)" "iter([])" "(i for i in [])" "len" "int"
                         "__import__('math')" "lambda: 1" "bytearray(b'a')" "memoryview(b'a')" "slice(1)"
                         "..." "NotImplemented" "ValueError('a')" "{}.keys()" "[].append"
                         "__import__('decimal').Decimal(1)" "__import__('datetime').date(2000, 1, 1)"))
    (pyobject-wrapper-p (pyeval source)))
  (is (every #'pyobject-wrapper-p (pyeval "[object(), len, {1}]")))
  (is (pyobject-wrapper-p (gethash "a" (pyeval "{'a': object()}")))))

;;; Wide and deep

(test decode.wide
  (let ((count (scaled 100000)))
    (is-true (let ((list (pycall "lambda count: tuple(range(count))" count)))
               (and (= count (length list))
                    (loop for item in list for i from 0 always (eql item i)))))
    (is-true (let ((vector (pycall "lambda count: [(i, [str(i)]) for i in range(count)]" count)))
               (and (= count (length vector))
                    (loop for item across vector
                          for i from 0
                          always (and (eql i (first item))
                                      (equal (format nil "~D" i) (svref (second item) 0)))))))
    (is-true (let ((table (pycall "lambda count: {str(i): i for i in range(count)}" count)))
               (and (= count (hash-table-count table))
                    (loop for i below count always (eql i (gethash (format nil "~D" i) table))))))))

(defun deep-in-python (wrap depth)
  "A Python value: 5 inside DEPTH containers that WRAP, the source of an expression of v, makes."
  (pyexec (format nil "def nest(depth):~%    v = 5~%    for i in range(depth): v = ~A~%    return v" wrap))
  (pycall "nest" depth))

(test decode.deep
  (let ((depth (scaled 100000)))
    (flet ((depth-and-value (wrap unwrap)
             (multiple-value-list (unnest unwrap (deep-in-python wrap depth)))))
      (is (equal (list depth 5) (depth-and-value "(v,)" #'first)))
      (is (equal (list depth 5) (depth-and-value "[v]" (lambda (value) (svref value 0)))))
      (is (equal (list depth 5) (depth-and-value "{1: v}" (lambda (value) (gethash 1 value))))))))

(test decode.too-deep
  (refuses conversion-error (deep-in-python "[v]" 1000002)))

(test decode.self-containing
  "A container that contains itself is an error that says so."
  (pyexec "loop_list = []
loop_list.append(loop_list)
loop_dict = {}
loop_dict['a'] = loop_dict
loop_far = [1, 2, ({'a': (3,)},)]
loop_far[2][0]['b'] = loop_far
loop_deep = inner = []
for i in range(1000): inner.append([]); inner = inner[0]
inner.append(loop_deep)")
  (dolist (name '("loop_list" "loop_dict" "loop_far" "loop_deep"))
    (refuses conversion-error (pyvalue name))
    (is (search "itself" (princ-to-string (signalled (pyvalue name)))))
    (is (pyobject-wrapper-p (with-remote-objects (pyvalue name))))))

(test decode.shared-parts
  (is (same '(#(1) #(1) (#(1))) (pyeval "(lambda v: (v, v, (v,)))([1])")))
  (is (same (nest #'vector '(#(1) #(1)) 100)
            (deep-in-python "[v] if i else (lambda part: (part, part))([1])" 101))))

(test decode.types-that-numpy-lacks
  "What is no numpy object is the same with numpy there as without."
  (with-numpy
    (is (eql 1.5d0 (pyeval "1.5")))
    (is (eql 5 (pyeval "5")))
    (is (pyobject-wrapper-p (pyeval "object()")))))

;;; Fractions and complex numbers

(test decode.fractions
  (import-module "fractions")
  (is (eql 1/2 (raw-pyeval "fractions.Fraction(1, 2)")))
  (is (eql (/ (- (expt 3 90)) (expt 2 80)) (raw-pyeval "fractions.Fraction(-3**90, 2**80)")))
  (is (eql 3 (raw-pyeval "fractions.Fraction(6, 2)")))
  (is (equalp (vector 1/3 '(2/3)) (raw-pyeval "[fractions.Fraction(1, 3), (fractions.Fraction(2, 3),)]")))
  (pyexec "class Fraction(fractions.Fraction): pass
class Impostor: numerator, denominator = 1, 2
Impostor.__name__ = 'Fraction'")
  (is (pyobject-wrapper-p (raw-pyeval "Fraction(1, 2)")))
  (is (pyobject-wrapper-p (raw-pyeval "Impostor()"))))

(test decode.complex-numbers
  (is (eql #c(1.5d0 -2.5d0) (raw-pyeval "1.5-2.5j")))
  (is (eql #c(1d0 0d0) (raw-pyeval "complex(1)")))
  (is (equalp (vector #c(0d0 1d0) #c(0d0 2d0)) (raw-pyeval "[1j, 2j]")))
  (let ((special (raw-pyeval "complex(float('nan'), float('-inf'))")))
    (is (= #xFFF0000000000000 (double-bits (imagpart special))))
    (is (= #x7FF (ldb (byte 11 52) (double-bits (realpart special)))))))

(test decode.numpy-complex-numbers
  (with-numpy
    (is (eql #c(1.5 -2.5) (raw-pyeval "numpy.complex64(1.5-2.5j)")))
    (is (eql #c(1.5d0 -2.5d0) (raw-pyeval "numpy.complex128(1.5-2.5j)")))
    (is (eql #c(1.5 2.5) (raw-pyeval "numpy.array(1.5+2.5j, dtype='complex64')")))))

(test decode.arrays-of-bools-and-halves
  (with-numpy
    (is (equalp #*1011 (raw-pyeval "numpy.array([True, False, True, True])")))
    (is (equal '(simple-array bit (2 2)) (type-of (raw-pyeval "numpy.eye(2, dtype=bool)"))))
    (is (equalp #*011 (raw-pyeval "numpy.array([1, 1, 0, 0], dtype=bool)[:3][::-1]")))
    (let ((halves (raw-pyeval "numpy.arange(6, dtype='>f2').reshape(2, 3)[:, ::-1]")))
      (is (equal 'single-float (array-element-type halves)))
      (is (equalp #2A((2.0 1.0 0.0) (5.0 4.0 3.0)) halves)))))
