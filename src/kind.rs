//! The kinds of Python exceptions: a number for each builtin class, so that a host can tell them apart.
//!
//! Those that the running Python does not have yet are here, too; numbers are never reused.

/// Python's `BaseException`.
pub const PYR_KIND_BASE_EXCEPTION: u32 = 1;
/// Python's `BaseExceptionGroup` (Python 3.11).
pub const PYR_KIND_BASE_EXCEPTION_GROUP: u32 = 2;
/// Python's `GeneratorExit`.
pub const PYR_KIND_GENERATOR_EXIT: u32 = 3;
/// Python's `KeyboardInterrupt`.
pub const PYR_KIND_KEYBOARD_INTERRUPT: u32 = 4;
/// Python's `SystemExit`.
pub const PYR_KIND_SYSTEM_EXIT: u32 = 5;
/// Python's `Exception`.
pub const PYR_KIND_EXCEPTION: u32 = 6;
/// Python's `ArithmeticError`.
pub const PYR_KIND_ARITHMETIC_ERROR: u32 = 7;
/// Python's `FloatingPointError`.
pub const PYR_KIND_FLOATING_POINT_ERROR: u32 = 8;
/// Python's `OverflowError`.
pub const PYR_KIND_OVERFLOW_ERROR: u32 = 9;
/// Python's `ZeroDivisionError`.
pub const PYR_KIND_ZERO_DIVISION_ERROR: u32 = 10;
/// Python's `AssertionError`.
pub const PYR_KIND_ASSERTION_ERROR: u32 = 11;
/// Python's `AttributeError`.
pub const PYR_KIND_ATTRIBUTE_ERROR: u32 = 12;
/// Python's `BufferError`.
pub const PYR_KIND_BUFFER_ERROR: u32 = 13;
/// Python's `EOFError`.
pub const PYR_KIND_EOF_ERROR: u32 = 14;
/// Python's `ImportError`.
pub const PYR_KIND_IMPORT_ERROR: u32 = 15;
/// Python's `ModuleNotFoundError`.
pub const PYR_KIND_MODULE_NOT_FOUND_ERROR: u32 = 16;
/// Python's `LookupError`.
pub const PYR_KIND_LOOKUP_ERROR: u32 = 17;
/// Python's `IndexError`.
pub const PYR_KIND_INDEX_ERROR: u32 = 18;
/// Python's `KeyError`.
pub const PYR_KIND_KEY_ERROR: u32 = 19;
/// Python's `MemoryError`.
pub const PYR_KIND_MEMORY_ERROR: u32 = 20;
/// Python's `NameError`.
pub const PYR_KIND_NAME_ERROR: u32 = 21;
/// Python's `UnboundLocalError`.
pub const PYR_KIND_UNBOUND_LOCAL_ERROR: u32 = 22;
/// Python's `OSError`.
pub const PYR_KIND_OS_ERROR: u32 = 23;
/// Python's `BlockingIOError`.
pub const PYR_KIND_BLOCKING_IO_ERROR: u32 = 24;
/// Python's `ChildProcessError`.
pub const PYR_KIND_CHILD_PROCESS_ERROR: u32 = 25;
/// Python's `ConnectionError`.
pub const PYR_KIND_CONNECTION_ERROR: u32 = 26;
/// Python's `BrokenPipeError`.
pub const PYR_KIND_BROKEN_PIPE_ERROR: u32 = 27;
/// Python's `ConnectionAbortedError`.
pub const PYR_KIND_CONNECTION_ABORTED_ERROR: u32 = 28;
/// Python's `ConnectionRefusedError`.
pub const PYR_KIND_CONNECTION_REFUSED_ERROR: u32 = 29;
/// Python's `ConnectionResetError`.
pub const PYR_KIND_CONNECTION_RESET_ERROR: u32 = 30;
/// Python's `FileExistsError`.
pub const PYR_KIND_FILE_EXISTS_ERROR: u32 = 31;
/// Python's `FileNotFoundError`.
pub const PYR_KIND_FILE_NOT_FOUND_ERROR: u32 = 32;
/// Python's `InterruptedError`.
pub const PYR_KIND_INTERRUPTED_ERROR: u32 = 33;
/// Python's `IsADirectoryError`.
pub const PYR_KIND_IS_A_DIRECTORY_ERROR: u32 = 34;
/// Python's `NotADirectoryError`.
pub const PYR_KIND_NOT_A_DIRECTORY_ERROR: u32 = 35;
/// Python's `PermissionError`.
pub const PYR_KIND_PERMISSION_ERROR: u32 = 36;
/// Python's `ProcessLookupError`.
pub const PYR_KIND_PROCESS_LOOKUP_ERROR: u32 = 37;
/// Python's `TimeoutError`.
pub const PYR_KIND_TIMEOUT_ERROR: u32 = 38;
/// Python's `ReferenceError`.
pub const PYR_KIND_REFERENCE_ERROR: u32 = 39;
/// Python's `RuntimeError`.
pub const PYR_KIND_RUNTIME_ERROR: u32 = 40;
/// Python's `NotImplementedError`.
pub const PYR_KIND_NOT_IMPLEMENTED_ERROR: u32 = 41;
/// Python's `PythonFinalizationError` (Python 3.13).
pub const PYR_KIND_PYTHON_FINALIZATION_ERROR: u32 = 42;
/// Python's `RecursionError`.
pub const PYR_KIND_RECURSION_ERROR: u32 = 43;
/// Python's `StopAsyncIteration`.
pub const PYR_KIND_STOP_ASYNC_ITERATION: u32 = 44;
/// Python's `StopIteration`.
pub const PYR_KIND_STOP_ITERATION: u32 = 45;
/// Python's `SyntaxError`.
pub const PYR_KIND_SYNTAX_ERROR: u32 = 46;
/// Python's `IndentationError`.
pub const PYR_KIND_INDENTATION_ERROR: u32 = 47;
/// Python's `TabError`.
pub const PYR_KIND_TAB_ERROR: u32 = 48;
/// Python's `SystemError`.
pub const PYR_KIND_SYSTEM_ERROR: u32 = 49;
/// Python's `TypeError`.
pub const PYR_KIND_TYPE_ERROR: u32 = 50;
/// Python's `ValueError`.
pub const PYR_KIND_VALUE_ERROR: u32 = 51;
/// Python's `UnicodeError`.
pub const PYR_KIND_UNICODE_ERROR: u32 = 52;
/// Python's `UnicodeDecodeError`.
pub const PYR_KIND_UNICODE_DECODE_ERROR: u32 = 53;
/// Python's `UnicodeEncodeError`.
pub const PYR_KIND_UNICODE_ENCODE_ERROR: u32 = 54;
/// Python's `UnicodeTranslateError`.
pub const PYR_KIND_UNICODE_TRANSLATE_ERROR: u32 = 55;
/// Python's `Warning`.
pub const PYR_KIND_WARNING: u32 = 56;
/// Python's `BytesWarning`.
pub const PYR_KIND_BYTES_WARNING: u32 = 57;
/// Python's `DeprecationWarning`.
pub const PYR_KIND_DEPRECATION_WARNING: u32 = 58;
/// Python's `EncodingWarning` (Python 3.10).
pub const PYR_KIND_ENCODING_WARNING: u32 = 59;
/// Python's `FutureWarning`.
pub const PYR_KIND_FUTURE_WARNING: u32 = 60;
/// Python's `ImportWarning`.
pub const PYR_KIND_IMPORT_WARNING: u32 = 61;
/// Python's `PendingDeprecationWarning`.
pub const PYR_KIND_PENDING_DEPRECATION_WARNING: u32 = 62;
/// Python's `ResourceWarning`.
pub const PYR_KIND_RESOURCE_WARNING: u32 = 63;
/// Python's `RuntimeWarning`.
pub const PYR_KIND_RUNTIME_WARNING: u32 = 64;
/// Python's `SyntaxWarning`.
pub const PYR_KIND_SYNTAX_WARNING: u32 = 65;
/// Python's `UnicodeWarning`.
pub const PYR_KIND_UNICODE_WARNING: u32 = 66;
/// Python's `UserWarning`.
pub const PYR_KIND_USER_WARNING: u32 = 67;
/// Python's `ExceptionGroup` (Python 3.11).
pub const PYR_KIND_EXCEPTION_GROUP: u32 = 68;

/// The names of the classes, in the order of their numbers, of which the first is 1.
pub(crate) const NAMES: [&str; 68] = [
    "BaseException",
    "BaseExceptionGroup",
    "GeneratorExit",
    "KeyboardInterrupt",
    "SystemExit",
    "Exception",
    "ArithmeticError",
    "FloatingPointError",
    "OverflowError",
    "ZeroDivisionError",
    "AssertionError",
    "AttributeError",
    "BufferError",
    "EOFError",
    "ImportError",
    "ModuleNotFoundError",
    "LookupError",
    "IndexError",
    "KeyError",
    "MemoryError",
    "NameError",
    "UnboundLocalError",
    "OSError",
    "BlockingIOError",
    "ChildProcessError",
    "ConnectionError",
    "BrokenPipeError",
    "ConnectionAbortedError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "FileExistsError",
    "FileNotFoundError",
    "InterruptedError",
    "IsADirectoryError",
    "NotADirectoryError",
    "PermissionError",
    "ProcessLookupError",
    "TimeoutError",
    "ReferenceError",
    "RuntimeError",
    "NotImplementedError",
    "PythonFinalizationError",
    "RecursionError",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "IndentationError",
    "TabError",
    "SystemError",
    "TypeError",
    "ValueError",
    "UnicodeError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeTranslateError",
    "Warning",
    "BytesWarning",
    "DeprecationWarning",
    "EncodingWarning",
    "FutureWarning",
    "ImportWarning",
    "PendingDeprecationWarning",
    "ResourceWarning",
    "RuntimeWarning",
    "SyntaxWarning",
    "UnicodeWarning",
    "UserWarning",
    "ExceptionGroup",
];
