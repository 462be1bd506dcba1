;;;; Which Python: the executable is chosen, then asked for everything else by running it.

(in-package #:pyrite)

(defvar *python-executable-path* nil
  "The python executable to embed: a pathname or string, or NIL to choose.

NIL means the environment's PYRITE_PYTHON, else the python of $VIRTUAL_ENV, of $CONDA_PREFIX, of
./.venv, else python3 on PATH. Looked at when Python is first started.")

(defstruct (python (:copier nil))
  "What a python executable says of itself."
  (executable "" :type string :read-only t)
  (version "" :type string :read-only t)
  (libpython nil :type (or null string) :read-only t))

(defparameter *question*
  "import os, sys, sysconfig
get = sysconfig.get_config_var
version = '%d.%d' % sys.version_info[:2]
names = [get('INSTSONAME'), get('LDLIBRARY')]
names += ['libpython%s%s.so%s' % (version, sys.abiflags, end) for end in ('.1.0', '.1', '')]
names += ['libpython%s.dylib' % version]
places = [get('LIBDIR'), get('LIBPL'), get('srcdir')]
places += [os.path.join(p, 'lib') for p in (sys.base_prefix, sys.base_exec_prefix)]
multiarch = get('MULTIARCH')
if multiarch:
    places += [os.path.join(p, multiarch) for p in list(places) if p]
framework = get('PYTHONFRAMEWORKPREFIX')
if framework:
    places.append(framework)
paths = [os.path.join(p, n) for n in names if n for p in places if p]
paths = [p for p in paths if ('.so' in p or '.dylib' in p or framework) and os.path.isfile(p)]
print(sys.executable)
print(version)
print(sys.implementation.name)
print(get('Py_GIL_DISABLED') or 0)
print(paths[0] if paths else '')
print(sys.base_prefix)
"
  "The program that a python executable runs to describe itself, a line an answer.")

(defconstant +f-ok+ 0 "What access() is asked for: whether the file exists.")

(defun executable-in (folder)
  "The python executable of FOLDER, the prefix of a venv or conda environment, or NIL.

FOLDER and the value are the system's names, in which brackets and stars mean nothing: no pathname is
made of them. A venv's python is a link, which is not followed: its place is what makes it the venv's."
  (loop for name in '("bin/python3" "bin/python")
        for file = (format nil "~A/~A" (string-right-trim "/" folder) name)
        when (present-p file)
          return file))

(defun present-p (file)
  "True when FILE, a string, exists."
  (zerop (cffi:foreign-funcall "access" :string file :int +f-ok+ :int)))

(defun getenv (name)
  "The environment variable NAME, or NIL when it is not set or empty."
  (let ((value (uiop:getenv name)))
    (unless (equal value "") value)))

(defun chosen-executable ()
  "The python executable to embed, as a string, and who chose it."
  (flet ((environment (variable)
           (let ((folder (getenv variable)))
             (when folder
               (or (executable-in folder)
                   (fail 'python-not-found "~A is ~A, but there is no bin/python3 in it." variable folder))))))
    (or (and *python-executable-path* (uiop:native-namestring *python-executable-path*))
        (getenv "PYRITE_PYTHON")
        (environment "VIRTUAL_ENV")
        (environment "CONDA_PREFIX")
        (executable-in (format nil "~A.venv" (uiop:native-namestring (uiop:getcwd))))
        "python3")))

(defun ask (executable)
  "What EXECUTABLE prints in answer to *QUESTION*, as a list of lines."
  (handler-case
      (uiop:run-program (list executable "-I" "-c" *question*)
                        :output :lines :error-output :string)
    (error (condition)
      (fail 'python-not-found
            "The Python executable ~A cannot be run~:[ (~A)~;~*~]. Set PYRITE_PYTHON or ~
             PYRITE:*PYTHON-EXECUTABLE-PATH* to one that can, or install one ~
             (Debian: apt-get install python3 libpython3.11)."
            executable (typep condition 'uiop:subprocess-error) condition))))

(defun check-python-home (executable)
  "Signal PYTHON-START-ERROR when there is a PYTHONHOME with which EXECUTABLE does not start. Here that would be
for good."
  (let ((home (getenv "PYTHONHOME")))
    (when (and home (plusp (nth-value 2 (uiop:run-program (list executable "-s" "-S" "-c" "")
                                                          :ignore-error-status t))))
      (fail 'python-start-error
            "The environment's PYTHONHOME is ~A, with which ~A does not start: unset it, or choose the Python ~
             that it is for." home executable))))

(defun missing-library-message (executable version prefix)
  "How to get a shared libpython for EXECUTABLE."
  (format nil "~A is Python ~A, but its shared library libpython~A.so cannot be found. ~A"
          executable version version
          (if (equal prefix "/usr")
              (format nil "Install it: apt-get install libpython~A" version)
              "Use a Python that was built with --enable-shared (pyenv: ~
               PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install; conda has it always).")))

(defun find-python (&optional (chosen (chosen-executable)))
  "The PYTHON to embed, that of the executable CHOSEN. Signals PYTHON-NOT-FOUND when there is none, saying what
to install."
  (destructuring-bind (&optional executable version implementation free-threaded libpython prefix)
      (ask chosen)
    (cond ((null prefix)
           (fail 'python-not-found "~A does not answer like a Python." chosen))
          ((string/= implementation "cpython")
           (fail 'python-not-found "~A is ~A: only CPython can be embedded." executable implementation))
          ((member version '("3.0" "3.1" "3.2" "3.3" "3.4" "3.5" "3.6" "3.7" "3.8") :test #'string=)
           (fail 'python-not-found "~A is Python ~A: 3.9 is the oldest that is supported." executable version))
          ((string/= free-threaded "0")
           (fail 'python-not-found "~A is a free-threaded build: use a Python with the GIL." executable))
          ((string= libpython "")
           (fail 'python-not-found "~A" (missing-library-message executable version prefix)))
          (t (make-python :executable executable :version version :libpython libpython)))))
