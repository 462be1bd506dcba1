;;;; Loading libpython and libpyrite, and the table of the functions in it.
;;;;
;;;; Libraries are opened with dlopen itself and functions called by address: libpython must be open
;;;; with global visibility before libpyrite is, and a saved image must not open either again before
;;;; somebody asks for Python.

(in-package #:pyrite)

(defconstant +abi-version+ #x00010000
  "The version of libpyrite's interface that this system was written for: major, minor in 16 bits each.")

(defconstant +rtld-now-global+ #+linux #x102 #-linux #xA
  "RTLD_NOW | RTLD_GLOBAL.")

(pyrite/port:define-global **functions** '()
  "An alist from the C name of each function to the symbol whose value is its address, or 0.")

(pyrite/port:define-global **server** nil
  "The SERVER whose thread makes all calls of Python; NIL when they are made where they are asked for.")

(declaim (ftype (function (t) t) call-on-server note-failure))

(eval-when (:compile-toplevel :load-toplevel :execute)
  (defparameter *called-in-place*
    '("pyr_layout" "pyr_is_running" "pyr_release" "pyr_result_free" "pyr_take_released" "pyr_serve" "pyr_served"
      "pyr_serve_wake" "pyr_buffer_release" "pyr_buffer_count" "pyr_error_last" "pyr_error_clear"
      "pyr_interrupt" "pyr_give_up" "pyr_stats" "pyr_name_release" "pyr_limit_results" "pyr_result_weight")
    "The C names of functions that do not enter Python, or are about the calling thread."))

(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun result-type (type)
    "The Lisp type of a result of the CFFI-TYPE TYPE."
    (ecase type
      (:void 't)
      ((:uint32 :uint64 :size) `(unsigned-byte ,(if (eq type :uint32) 32 64)))
      (:int32 '(signed-byte 32)))))

(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun address-variable (name)
    "The variable whose value is the address of what DEFINE-FOREIGN has defined as NAME."
    (intern (format nil "**~A**" name) '#:pyrite)))

(defmacro define-foreign (name c-name result (&rest parameters) documentation)
  "Define NAME as an inline function that calls C-NAME of libpyrite by its address.

PARAMETERS are (NAME CFFI-TYPE). Interrupts wait meanwhile; the function whose name has one more % is for
where they do so already. When the library is not loaded, a function that returns a :UINT32 status returns
+NOT-RUNNING+. Where there is a **SERVER**, it makes the call unless C-NAME is in *CALLED-IN-PLACE*."
  (let* ((address (address-variable name)) (names (mapcar #'first parameters))
         (deferred (intern (format nil "%~A" name)))
         (elsewhere (intern (format nil "~A/ELSEWHERE" name)))
         (movable (not (member c-name *called-in-place* :test #'string=)))
         (call `(cffi:foreign-funcall-pointer
                 (cffi:make-pointer ,address) ()
                 ,@(loop for (name type) in parameters append (list type name))
                 ,result)))
    `(progn
       (declaim (type (unsigned-byte 62) ,address))
       (pyrite/port:define-global ,address 0)
       (setf **functions** (acons ,c-name ',address (remove ,c-name **functions** :key #'first :test #'equal)))
       ,@(when movable
           `((defun ,elsewhere ,names
               (call-on-server (lambda () ,(if (eq result :uint32) `(note-failure ,call) call))))))
       (declaim (inline ,name ,deferred))
       (defun ,deferred ,names
         ,documentation
         (cond ((zerop ,address) ,(if (eq result :void) nil '+not-running+))
               ,@(when movable `((**server** (values (the ,(result-type result) (,elsewhere ,@names))))))
               (t ,call)))
       (defun ,name ,names
         ,documentation
         (pyrite/port:without-interrupts (,deferred ,@names))))))

(defmacro release-when-garbage (object handle function)
  "Have FUNCTION, of DEFINE-FOREIGN, called on HANDLE some time after OBJECT is garbage.

It is called in the middle of anything, so it is one that neither blocks nor enters Python."
  `(pyrite/port:finalize-handle ,object ,handle #',function ,(address-variable function)))

(defun dlopen (path)
  "Open the library at PATH; its handle as a pointer, or NIL and the reason."
  (pyrite/port:without-interrupts
    (let ((handle (cffi:foreign-funcall "dlopen" :string path :int +rtld-now-global+ :pointer)))
      (if (cffi:null-pointer-p handle)
          (values nil (cffi:foreign-funcall "dlerror" :string))
          handle))))

(defun dlsym (handle name)
  "The address of NAME in the library HANDLE; 0 when it is not there."
  (cffi:pointer-address (pyrite/port:without-interrupts
                          (cffi:foreign-funcall "dlsym" :pointer handle :string name :pointer))))

(defun checkout ()
  "The folder that holds the crate and the Lisp system, or NIL when they are not together."
  ;; In a saved image the system may be known, but gone.
  (let* ((system (ignore-errors (asdf:system-relative-pathname "pyrite" "../")))
         (folder (and system (uiop:ensure-directory-pathname (uiop:truenamize system)))))
    (when (and folder (uiop:file-exists-p (merge-pathnames "Cargo.toml" folder))) folder)))

(defun built-library ()
  "Where cargo puts libpyrite in the checkout, or NIL."
  (let ((folder (checkout)))
    (when folder
      (merge-pathnames (format nil "target/release/libpyrite.~:[so~;dylib~]" (uiop:os-macosx-p)) folder))))

(defun build-library ()
  "Build libpyrite with cargo and return its path; NIL when that cannot be done here."
  (let ((folder (checkout)))
    (when (and folder (ignore-errors (uiop:run-program '("cargo" "--version")) t))
      (format *error-output* "~&; Pyrite: building libpyrite with cargo, which takes a minute.~%")
      (handler-case (uiop:run-program '("cargo" "build" "--release" "--quiet")
                                      :directory folder :output t :error-output :output)
        (error (condition)
          (fail 'library-not-found "Building libpyrite in ~A failed: ~A" folder condition)))
      (uiop:native-namestring (built-library)))))

(defun library-beside-program ()
  "The path of the libpyrite in the folder of the program that runs, or NIL: programs may come with theirs."
  (let ((program (ignore-errors (truename "/proc/self/exe"))))
    (when program
      (loop for name in '("libpyrite.so.0" "libpyrite.so")
            for file = (format nil "~A~A" (uiop:native-namestring (uiop:pathname-directory-pathname program)) name)
            when (present-p file)
              return file))))

(defun library-path ()
  "The path of libpyrite: $PYRITE_LIBRARY, the one beside the program, the checkout's, else its name for the
system to find."
  (let ((built (built-library)))
    (or (getenv "PYRITE_LIBRARY")
        (library-beside-program)
        (and built (uiop:file-exists-p built) (uiop:native-namestring built))
        "libpyrite.so.0")))

(defun open-library (path)
  "Open libpyrite at PATH, building it when there is none and it can be built."
  (multiple-value-bind (handle reason) (dlopen path)
    (or handle
        (let ((built (and (equal path "libpyrite.so.0") (build-library))))
          (and built (dlopen built)))
        (fail 'library-not-found
              "libpyrite cannot be loaded from ~A: ~A~%Set PYRITE_LIBRARY to its path, or build it: ~
               cargo build --release" path reason))))

(defun loaded-python-version ()
  "The version, such as \"3.11\", of a libpython that this process has loaded already, or NIL."
  (let ((address (dlsym (cffi:null-pointer) "Py_GetVersion")))
    (unless (zerop address)
      (let ((version (cffi:foreign-funcall-pointer (cffi:make-pointer address) () :string)))
        (subseq version 0 (position #\. version :start (1+ (position #\. version))))))))

(defun open-libpython (python)
  "Open PYTHON's libpython with global visibility. A process can have one version only."
  (let ((loaded (loaded-python-version)))
    (when (and loaded (string/= loaded (python-version python)))
      (fail 'python-not-found
            "~A is Python ~A, but this process has loaded Python ~A already: restart Lisp to change it."
            (python-executable python) (python-version python) loaded)))
  (multiple-value-bind (handle reason) (dlopen (python-libpython python))
    (unless handle
      (fail 'python-not-found "~A cannot be loaded: ~A" (python-libpython python) reason))))

(defun check-abi (handle)
  "Signal ABI-MISMATCH unless the library HANDLE serves hosts of +ABI-VERSION+."
  (flet ((ask (name)
           (let ((address (dlsym handle name)))
             (if (zerop address)
                 0
                 (cffi:foreign-funcall-pointer (cffi:make-pointer address) () :uint32)))))
    (let ((version (ask "pyr_abi_version")) (minimum (ask "pyr_abi_minimum")))
      (unless (<= minimum +abi-version+ version)
        (flet ((text (version) (format nil "~D.~D" (ash version -16) (logand version #xFFFF))))
          (fail 'abi-mismatch
                "The libpyrite that was loaded has interface version ~A and serves ~A and later; this ~
                 system needs ~A. Rebuild the library (cargo build --release), or update the system."
                (text version) (text minimum) (text +abi-version+)))))))

(pyrite/port:define-global **library-path** nil "Where libpyrite was loaded from.")
(pyrite/port:define-global **process** 0 "The process that loaded the library.")

(defun loaded-here-p ()
  "True when this process has loaded the library. An image that starts may collect garbage, or fault, before it
knows that it has not."
  (eql **process** (cffi:foreign-funcall "getpid" :int)))

(defun load-libpyrite (&optional (path (library-path)))
  "Load libpyrite from PATH, and find the addresses of all functions."
  (let ((handle (open-library path)))
    (check-abi handle)
    (setf **library-path** path)
    (loop for (name . variable) in **functions**
          do (setf (symbol-value variable) (dlsym handle name)))
    (setf **process** (cffi:foreign-funcall "getpid" :int))))

(defun forget-library ()
  "Forget the addresses: in a restarted image, nothing is loaded."
  (setf **library-path** nil)
  (loop for (nil . variable) in **functions**
        do (setf (symbol-value variable) 0)))

(defun forget-library-to-save ()
  "Forget them before an image is saved: hooks of the garbage collector may run in it before those of its start."
  (when (pyrite/port:savable-without-p '())
    (forget-library)))

(pyrite/port:add-restart-hook 'forget-library)
;; Of this system's, the last one that is called.
(pyrite/port:add-save-hook 'forget-library-to-save)
