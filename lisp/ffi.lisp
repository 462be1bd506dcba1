;;;; include/pyrite.h in Lisp: numbers, layouts, functions, in its order. tests/lisp checks them.

(in-package #:pyrite)

(defmacro define-numbers (&body definitions)
  `(progn ,@(loop for (name value) in definitions
                  collect `(defconstant ,name ,value "The number of the same name in pyrite.h."))))

;;; Statuses
(define-numbers
  (+ok+ 0) (+python-error+ 1) (+null-argument+ 2) (+invalid-handle+ 3) (+stale-handle+ 4)
  (+invalid-tag+ 5) (+invalid-text+ 6) (+invalid-size+ 7) (+not-running+ 8) (+start-failed+ 9)
  (+unsupported-python+ 10) (+invalid-name+ 11) (+circular+ 12) (+too-deep+ 13) (+changed+ 14)
  (+gil-not-held+ 15) (+panic+ 16) (+invalid-array+ 17) (+invalid-flags+ 18) (+timed-out+ 19)
  (+too-large+ 20))

;;; Tags
(define-numbers
  (+none+ 1) (+bool+ 2) (+int+ 3) (+float+ 4) (+utf8+ 5) (+latin1+ 6) (+ucs4+ 7) (+bigint+ 8)
  (+list+ 9) (+tuple+ 10) (+dict+ 11) (+handle+ 12) (+name+ 13) (+bytes+ 14) (+array+ 15)
  (+single+ 16) (+utf32+ 17) (+complex+ 18) (+fraction+ 19)
  (+character+ 20) (+path+ 21) (+loan+ 22) (+host+ 23) (+slice+ 24))

;;; Kinds of loans
(define-numbers (+lent-object+ 1) (+lent-function+ 2) (+lent-array+ 3))

;;; Questions, and flags of who is asked
(define-numbers
  (+ask-call+ 1) (+ask-getattr+ 2) (+ask-setattr+ 3) (+ask-repr+ 4) (+ask-dir+ 5)
  (+dispatch+ 1) (+host-ucs4+ 2) (+host-typed+ 4))

;;; Flags
(define-numbers (+remote+ 1) (+as-ucs4+ 2) (+typed+ 4) (+typed-items+ 8) (+no-x87+ 1)
  (+keep-signals+ 2) (+read-only+ 1) (+writable+ 1))

;;; Element types, by number from 1
(eval-when (:compile-toplevel :load-toplevel :execute)
  (defparameter *element-types*
    #(single-float double-float
    (signed-byte 8) (signed-byte 16) (signed-byte 32) (signed-byte 64)
    (unsigned-byte 8) (unsigned-byte 16) (unsigned-byte 32) (unsigned-byte 64)
    (complex single-float) (complex double-float)
    bit)
  "The Lisp types of array elements, in the order of pyr_element."))

(defconstant +bool8+ 13 "The pyr_element of truth values: bits in Lisp, bytes in memory.")

(defconstant +object+ 14 "The pyr_element of any values: their cells.")

(defparameter *integer-types*
  #(:int8 :int16 :int32 :int64 :uint8 :uint16 :uint32 :uint64)
  "CFFI's names of the integers among them, of which the first is the third.")

(defparameter *element-sizes* #(4 8 1 2 4 8 1 2 4 8 8 16 1)
  "The sizes in bytes of the types in *ELEMENT-TYPES*.")

;;; Layouts
(define-numbers
  (+value-size+ 16) (+value-aux+ 4) (+value-of+ 8)
  (+result-size+ 512) (+result-memory+ 16) (+result-scratch+ 24)
  (+array-size+ 24) (+array-dimensions+ 8) (+array-rank+ 16) (+array-element+ 20)
  (+error-size+ 64) (+error-type-name+ 8) (+error-message+ 24) (+error-traceback+ 40)
  (+error-exception+ 56) (+error-kind+ 4)
  (+start-options-size+ 48) (+start-options-executable+ 8) (+start-options-code+ 24)
  (+start-options-flags+ 40) (+start-options-interrupt-signal+ 44)
  (+loan-size+ 56) (+loan-kind+ 8) (+loan-array+ 16) (+loan-host+ 32) (+loan-kept+ 48)
  (+host-size+ 32) (+host-release+ 8) (+host-ask+ 16) (+host-flags+ 24)
  (+request-size+ 56) (+request-id+ 8) (+request-args+ 24) (+request-reply+ 32)
  (+request-nargs+ 40) (+request-nkwargs+ 44) (+request-question+ 48) (+request-idle+ 52)
  (+buffer-size+ 80) (+buffer-data+ 8) (+buffer-length+ 16) (+buffer-item-size+ 24) (+buffer-format+ 32)
  (+buffer-dimensions+ 48) (+buffer-strides+ 56) (+buffer-rank+ 64) (+buffer-element+ 68)
  (+buffer-read-only+ 72))

(defparameter *layout*
  (list +value-size+ +value-aux+ +value-of+
        +result-size+ +result-memory+ +result-scratch+
        +array-size+ +array-dimensions+ +array-rank+ +array-element+
        +error-size+ +error-type-name+ +error-message+ +error-traceback+ +error-exception+
        +start-options-size+ +start-options-executable+ +start-options-code+ +start-options-flags+
        +start-options-interrupt-signal+
        +loan-size+ +loan-kind+ +loan-array+ +loan-host+ +loan-kept+
        +host-size+ +host-release+ +host-ask+ +host-flags+
        +request-size+ +request-id+ +request-args+ +request-reply+
        +request-nargs+ +request-nkwargs+ +request-question+ +request-idle+
        +buffer-size+ +buffer-data+ +buffer-length+ +buffer-item-size+ +buffer-format+
        +buffer-dimensions+ +buffer-strides+ +buffer-rank+ +buffer-element+ +buffer-read-only+)
  "The numbers above in the order in which pyr_layout gives them.")

;;; Lifecycle

(define-foreign %layout "pyr_layout" :size ((numbers :pointer) (length :size))
  "Write at most LENGTH of the sizes and offsets of the structs to NUMBERS; how many there are.")

(define-foreign %start "pyr_start" :uint32 ((options :pointer))
  "Start Python, or resume after a stop.")

(define-foreign %stop "pyr_stop" :uint32 ()
  "Stop Python: its handles become stale.")

(define-foreign %end "pyr_end" :uint32 ((milliseconds :uint32))
  "Do what Python does at the end of a process.")

(define-foreign %is-running "pyr_is_running" :int32 ()
  "1 when Python runs.")

(define-foreign %gil-acquire "pyr_gil_acquire" :uint32 ()
  "Hold the GIL on this thread.")

(define-foreign %gil-release "pyr_gil_release" :uint32 ()
  "Undo one %GIL-ACQUIRE.")

(define-foreign %counters "pyr_counters" :uint32 ((live :pointer) (pending :pointer))
  "How many handles are alive, and how many wait to be released.")

(define-foreign %stats "pyr_stats" :size ((numbers :pointer) (length :size))
  "Write at most LENGTH counts of what there is to NUMBERS; how many there are.")

;;; Names, values, calls

(define-foreign %intern "pyr_intern" :uint32 ((text :pointer) (length :size) (name :pointer))
  "Prepare a name.")

(define-foreign %name-release "pyr_name_release" :uint32 ((name :uint64))
  "Give one hold of a name back, some time.")

(define-foreign %get "pyr_get" :uint32 ((name :pointer) (flags :uint32) (out :pointer))
  "The value of a dotted name.")

(define-foreign %set "pyr_set" :uint32 ((name :pointer) (value :pointer))
  "Set a global, or the last attribute of a dotted name.")

(define-foreign %call "pyr_call" :uint32
    ((callable :pointer) (args :pointer) (nargs :uint32) (nkwargs :uint32) (flags :uint32)
     (out :pointer))
  "Call something.")

(define-foreign %call-method "pyr_call_method" :uint32
    ((object :pointer) (name :pointer) (args :pointer) (nargs :uint32) (nkwargs :uint32)
     (flags :uint32) (out :pointer))
  "Call a method.")

(define-foreign %result-weight "pyr_result_weight" :size ((result :pointer))
  "How many bytes the value of a result takes, about.")

(define-foreign %limit-results "pyr_limit_results" :uint32 ((bytes :size))
  "Refuse results that take more.")

(define-foreign %result-free "pyr_result_free" :void ((result :pointer))
  "Free the memory behind a result.")

;;; Objects

(define-foreign %getattr "pyr_getattr" :uint32
    ((object :pointer) (name :pointer) (flags :uint32) (out :pointer))
  "An attribute.")

(define-foreign %setattr "pyr_setattr" :uint32 ((object :pointer) (name :pointer) (value :pointer))
  "Set an attribute.")

(define-foreign %getitem "pyr_getitem" :uint32
    ((object :pointer) (key :pointer) (flags :uint32) (out :pointer))
  "An item.")

(define-foreign %setitem "pyr_setitem" :uint32 ((object :pointer) (key :pointer) (value :pointer))
  "Set an item.")

(define-foreign %iter "pyr_iter" :uint32 ((value :pointer) (flags :uint32) (out :pointer))
  "An iterator.")

(define-foreign %next "pyr_next" :uint32
    ((iterator :pointer) (flags :uint32) (out :pointer) (more :pointer))
  "The next item of an iterator.")

(define-foreign %convert "pyr_convert" :uint32 ((value :pointer) (flags :uint32) (out :pointer))
  "Turn a handle into a value, or a value into a handle.")

(define-foreign %str "pyr_str" :uint32 ((value :pointer) (flags :uint32) (out :pointer))
  "str() of a value.")

(define-foreign %repr "pyr_repr" :uint32 ((value :pointer) (flags :uint32) (out :pointer))
  "repr() of a value.")

(define-foreign %is "pyr_is" :uint32 ((left :pointer) (right :pointer) (same :pointer))
  "Whether two values are the same Python object.")

(define-foreign %import "pyr_import" :uint32
    ((name :pointer) (alias :pointer) (flags :uint32) (out :pointer))
  "Import a module.")

(define-foreign %import-from "pyr_import_from" :uint32
    ((name :pointer) (module :pointer) (alias :pointer) (flags :uint32) (out :pointer))
  "Import a name from a module.")

(define-foreign %watch-type "pyr_watch_type" :uint32
    ((name :pointer) (length :size) (number :uint32))
  "Give the types of a name a number, which comes with their objects; 0 takes it away.")

;;; Source

(define-foreign %eval "pyr_eval" :uint32
    ((parts :pointer) (nparts :uint32) (flags :uint32) (out :pointer))
  "Evaluate an expression.")

(define-foreign %exec "pyr_exec" :uint32 ((parts :pointer) (nparts :uint32))
  "Execute statements.")

;;; Handles

(define-foreign %release "pyr_release" :uint32 ((handle :uint64))
  "Give one hold of a handle back, some time.")

(define-foreign %handle-types "pyr_handle_types" :uint32 ((flags :uint32) (out :pointer))
  "How many handles there are by type.")

(define-foreign %counts "pyr_counts" :uint32
    ((handle :uint64) (handle-count :pointer) (object-count :pointer))
  "How often a handle is held, and how many references its object has.")

;;; Loans

(define-foreign %take-released "pyr_take_released" :uint32
    ((ids :pointer) (capacity :size) (count :pointer))
  "The loans that Python kept and has let go of.")

;;; Answers to Python's questions

(define-foreign %reply-value "pyr_reply_value" :uint32 ((reply :pointer) (value :pointer))
  "Answer with a value.")

(define-foreign %reply-raise "pyr_reply_raise" :uint32 ((reply :pointer) (exception :pointer))
  "Answer by raising a Python exception.")

(define-foreign %reply-fail "pyr_reply_fail" :uint32
    ((reply :pointer) (message :pointer) (payload :pointer) (unwind :int32))
  "Answer by raising an error of Lisp's.")

(define-foreign %serve "pyr_serve" :uint32 ((milliseconds :uint32) (request :pointer))
  "Wait for a question from a thread of Python's.")

(define-foreign %served "pyr_served" :uint32 ((ticket :uint64) (answered :int32))
  "Give such a question back.")

(define-foreign %serve-wake "pyr_serve_wake" :uint32 ()
  "Have the threads that wait for questions return.")

;;; Buffers

(define-foreign %buffer-get "pyr_buffer_get" :uint32 ((value :pointer) (flags :uint32) (buffer :pointer))
  "The memory of an object.")

(define-foreign %buffer-close "pyr_buffer_close" :uint32 ((id :uint64))
  "Give one hold of a buffer back, now.")

(define-foreign %buffer-release "pyr_buffer_release" :uint32 ((id :uint64))
  "Give one hold of a buffer back, some time.")

(define-foreign %buffer-count "pyr_buffer_count" :size ()
  "How many buffers are held.")

;;; Interrupts

(define-foreign %thread-id "pyr_thread_id" :uint64 ()
  "The number by which other threads can interrupt this one.")

(define-foreign %interrupt "pyr_interrupt" :uint32 ((thread :uint64) (interrupted :pointer))
  "Raise KeyboardInterrupt in the Python code of a thread.")

(define-foreign %limit "pyr_limit" :uint32 ((milliseconds :uint64) (limit :pointer))
  "Limit the time of this thread's Python code.")

(define-foreign %limit-end "pyr_limit_end" :uint32 ((limit :uint64))
  "Take a limit back.")

;;; Errors

(define-foreign %error-last "pyr_error_last" :uint32 ((error :pointer) (with-traceback :int32))
  "What went wrong last on this thread.")

(define-foreign %error-clear "pyr_error_clear" :void ()
  "Forget what went wrong last on this thread.")

(define-foreign %format-exception "pyr_format_exception" :uint32
    ((exception :uint64) (flags :uint32) (out :pointer))
  "The formatted traceback of an exception.")

(define-foreign %test-panic "pyr_test_panic" :uint32 ()
  "Panic inside the library, for tests.")

(define-foreign %give-up "pyr_give_up" :int32 ()
  "Tell that the Python code of this thread will not go on; 1 when there is some.")

(defun give-up ()
  "Tell Python that its frames on this thread are unwound; true when there are some."
  (and (loaded-here-p) (eql 1 (%%give-up))))

(pyrite/port:add-fault-hook 'give-up)
