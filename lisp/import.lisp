;;;; Importing.

(in-package #:pyrite)

(defun encode-text (designator cell frame)
  "Write the Python name that DESIGNATOR stands for to CELL, as text."
  (encode-string (pythonize-name designator) cell frame))

(defun import-module (name &key as)
  "Import the module NAME, a string or symbol, under its own name or AS; true.

As Python's `import name [as ...]` in __main__: PYVALUE and PYCALL find what is in it. Signals PYERROR
when there is no such module."
  (with-command (frame)
    (with-encoded (frame (name encode-text name))
      (if as
          (with-encoded (frame (alias encode-text as))
            (crossed (frame) (%%import name alias 0 (cffi:null-pointer))))
          (crossed (frame) (%%import name (cffi:null-pointer) 0 (cffi:null-pointer))))))
  t)

(defun import-function (name from &key as)
  "Import NAME from the module FROM, under its own name or AS; true.

As Python's `from ... import name [as ...]` in __main__. Signals PYERROR when there is no such name."
  (with-command (frame)
    (with-encoded (frame (name encode-text name) (module encode-text from))
      (if as
          (with-encoded (frame (alias encode-text as))
            (crossed (frame) (%%import-from name module alias 0 (cffi:null-pointer))))
          (crossed (frame) (%%import-from name module (cffi:null-pointer) 0 (cffi:null-pointer))))))
  t)
