;;;; Text that others cut off, lose or refuse: with NULs at any place, with lone surrogates, in other locales.

(in-package #:pyrite/test)

(def-suite faults/texts)
(in-suite faults/texts)

(defun texts-with-nul ()
  "Texts with a NUL at each place, and some of nothing else."
  (append (loop for place from 0 to 3
                collect (let ((text (copy-seq "abcd"))) (setf (char text place) (code-char 0)) text))
          (list (text 0) (text 0 0) (text 97 0 #x1F600 0))))

(test texts.nul.values
  "Both ways: values, keys, bytes, output."
  (is-for-each (text (texts-with-nul))
    (and (eql (length text) (pycall "len" text))
         (equal text (pycall "lambda text: text" text))
         (equal text (first (pycall "lambda d: tuple(d)" (table text 1))))
         (eql 1 (gethash text (pycall "lambda d: d" (table text 1))))
         (equalp (codes (remove (code-char #x1F600) text))
                 (pycall "lambda text: text.replace(chr(0x1F600), '').encode('latin-1')" text))
         (equal (format nil "~A~%" text)
                (with-output-to-string (*standard-output*) (pycall "print" text)))
         (equal text (pycall "lambda f: f()" (lambda () text)))
         (equal text (let ((given nil)) (pycall "lambda f, text: f(text)" (lambda (x) (setf given x) 1) text) given)))))

(test texts.nul.names
  "Attributes and keywords may have such names; nothing else has, and what is before the NUL is not found instead."
  (define-python "class Names: a = 'cut off'" "names = Names()" "a = 'cut off'" "ab = 'cut off'"
                 "def keywords(**given): return list(given)")
  (let ((names (pyvalue "names")))
    (is-for-each (text (texts-with-nul))
      (and (equal "AttributeError" (python-error-type (lambda () (pyslot-value names text))))
           (progn (setf (pyslot-value names text) 5)
                  (eql 5 (pyslot-value names text)))
           (equal "cut off" (pyslot-value names "a"))
           (equalp (vector text) (pycall "keywords" (intern text :keyword) 1))
           (every (lambda (use) (typep (signalled (funcall use)) 'pyerror))
                  (list (lambda () (pyvalue text))
                        (lambda () (pycall text))
                        (lambda () (pyeval text))
                        (lambda () (pyexec text))
                        (lambda () (pyeval "a" (text 0)))
                        (lambda () (pymethod "text" text))
                        (lambda () (import-module text))
                        (lambda () (import-function "path" text))
                        (lambda () (pycall "open" text))
                        ;; ECL has no such pathnames.
                        (lambda () (pycall "open" (handler-case (pathname text) (error () text))))))))
    (is (equal "cut off" (pyvalue "a"))))
  ;; A module that is frozen in Python, whose names are C strings there.
  (raises "ModuleNotFoundError" (import-module (text 97 98 99 0)))
  (raises "ModuleNotFoundError" (import-function "ABC" (text 97 98 99 0))))

(test texts.nul.errors
  (define-python "def fail(text): raise ValueError(text)")
  (is-for-each (text (texts-with-nul))
    (let ((condition (signalled (pycall "fail" text))))
      (and (equal text (pyerror-message condition))
           (search text (pyerror-traceback condition))
           (search text (princ-to-string condition)))))
  (is-for-each (text (texts-with-nul))
    (search text (pycall "lambda f: str(call_and_catch(f))"
                         (progn (define-python "def call_and_catch(f):" "    try: f()"
                                               "    except Exception as error: return error")
                                (lambda () (error "~A" text)))))))

;;; Surrogates

(defun lone-surrogate ()
  "A character of SBCL's that is half of one, or NIL."
  (code-char #xDC80))

(test texts.surrogates.from-python
  "Where there are no characters for them the text is there in some form; Python's own functions work with it."
  (let ((half (lone-surrogate)))
    (flet ((text-p (text before)
             (and (stringp text) (= (length text) (1+ (length before)))
                  (string= before text :end2 (length before))
                  (or (null half) (char= half (char text (length before)))))))
      (is-true (text-p (pyeval "'ab\\udc80'") "ab"))
      (is-true (text-p (first (pyeval "('ab\\udc80',)")) "ab"))
      (is-true (text-p (loop for key being the hash-keys of (pyeval "{'a\\udc80': 1}") return key) "a"))
      (is-true (text-p (let ((given nil)) (pycall "lambda f: f('a\\udc80')" (lambda (x) (setf given x) 1)) given) "a"))
      (is-true (text-p (pyrite::py-str (with-remote-objects (pyeval "'a\\udc80'"))) "a"))
      (is-true (text-p (string-right-trim '(#\Newline) (with-output-to-string (*standard-output*)
                                                         (pyexec "print('a\\udc80')")))
                       "a"))))
  (is-true (python-works-p)))

(test texts.surrogates.errors
  "Error text is readable, whatever is in it."
  (define-python "def fail(text, name='Odd'): raise type(name, (Exception,), {})(text)")
  (let ((condition (signalled (pyeval "fail('before \\udc80 after')"))))
    (is (typep condition 'pyerror))
    (is-true (search "before " (pyerror-message condition)))
    (is-true (search " after" (pyerror-message condition)))
    (is-true (search " after" (pyerror-traceback condition)))
    (is-true (search " after" (princ-to-string condition))))
  (is (typep (signalled (pyeval "fail('said', 'Odd\\udc80')")) 'pyerror))
  (raises "AttributeError" (pyeval "getattr(5, 'a\\udc80')"))
  (raises "KeyError" (pyeval "{}['a\\udc80']"))
  (is (typep (signalled (pyeval "__import__('a\\udc80')")) 'pyerror))
  (let ((half (lone-surrogate)))
    (when half
      (is (typep (signalled (pycall "lambda f: f()" (lambda () (error "x~A" half)))) 'simple-error))))
  (is-true (python-works-p)))

(test texts.surrogates.files
  "A file whose name is no text: found, and opened by a pathname."
  (with-temporary-folder (folder)
    (let ((place (uiop:native-namestring folder)))
      (pycall "lambda place: open(place.encode() + b'odd\\xff', 'w').close()" place)
      (let ((name (svref (pycall "lambda place: __import__('os').listdir(place)" place) 0)))
        (is (= 4 (length name)))
        (is (string= "odd" name :end2 3))
        (when (lone-surrogate)
          (let ((path (uiop:parse-native-namestring (concatenate 'string place name))))
            (is-true (pycall "lambda path: __import__('os').path.exists(path)" path))
            (is (eql 0 (pycall "lambda path: len(open(path).read())" path)))))))))

;;; Locales

(test texts.locales
  "Output and files are UTF-8, whatever the locale of the process."
  (with-temporary-folder (folder)
    (dolist (locale '("C" "POSIX" "en_US.ISO-8859-1" "no_such_locale"))
      (let ((file (uiop:native-namestring (merge-pathnames (format nil "~A.text" locale) folder))))
        (is (equalp '((233 955) (233 955 10) (195 169 206 187) "utf-8" "UTF-8")
                    (first (reports `((let ((text (coerce (list (code-char 233) (code-char 955)) 'string)))
                                        (list (map 'list #'char-code (pyrite:pycall "lambda text: text" text))
                                              (map 'list #'char-code (with-output-to-string (*standard-output*)
                                                                       (pyrite:pycall "print" text)))
                                              (coerce (pyrite:pycall "lambda file, text: (open(file, 'w').write(text), open(file, 'rb').read())[1]"
                                                                     ,file text)
                                                      'list)
                                              (pyrite:pyeval "__import__('sys').getfilesystemencoding()")
                                              (string-upcase (pyrite:pyeval "__import__('sys').stdout.encoding")))))
                                    (format nil "PYRITE_PYTHON=~A" (pyrite::chosen-executable))
                                    (format nil "LC_ALL=~A" locale)
                                    "PYTHONUTF8="))))))))
