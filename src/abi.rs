//! The plain data that crosses the boundary: cells, results, errors, and the numbers that name them.
//!
//! Everything here is `repr(C)` and copied into `include/pyrite.h` with its documentation, so the
//! comments are written for the C programmer. Sizes are asserted here, in tests/c and in tests/lisp.

use std::ffi::c_void;

// The path is the same for those who include this file.
#[path = "abi/loan.rs"]
mod loan;
pub use loan::*;
// By its path: tests read this file from elsewhere.
#[path = "abi/buffer.rs"]
mod buffer;

pub use buffer::*;

/// The version of this interface: `major << 16 | minor`. Within a major, things are only added.
pub const PYR_ABI_VERSION: u32 = 0x0001_0000;

/// The oldest interface that this library still serves; see `pyr_abi_minimum`.
pub const PYR_ABI_MINIMUM: u32 = 0x0001_0000;

/// What a function returns: `PYR_OK`, or why it failed. Numbers are never reused.
///
/// After any other status than `PYR_OK` the out-parameters are untouched, the interpreter and the
/// GIL are as they were before the call, and `pyr_error_last` tells the details.
pub type pyr_status = u32;

/// Success.
pub const PYR_OK: pyr_status = 0;
/// Python raised an exception; `pyr_error_last` has its type, message, traceback and a handle on it.
pub const PYR_PYTHON_ERROR: pyr_status = 1;
/// An argument that must not be NULL is NULL.
pub const PYR_NULL_ARGUMENT: pyr_status = 2;
/// A handle that this process never gave out.
pub const PYR_INVALID_HANDLE: pyr_status = 3;
/// A handle that was released, or was made before `pyr_stop` or by another process.
pub const PYR_STALE_HANDLE: pyr_status = 4;
/// A cell whose tag is unknown, or not allowed in its place.
pub const PYR_INVALID_TAG: pyr_status = 5;
/// Text that is not valid in its encoding.
pub const PYR_INVALID_TEXT: pyr_status = 6;
/// A `size` field that this library does not know.
pub const PYR_INVALID_SIZE: pyr_status = 7;
/// Python is not running: `pyr_start` was not called, failed, or `pyr_stop` came after it.
pub const PYR_NOT_RUNNING: pyr_status = 8;
/// Python could not be started; `pyr_error_last` says why.
pub const PYR_START_FAILED: pyr_status = 9;
/// The libpython in this process is one that cannot be served (too old, or free-threaded).
pub const PYR_UNSUPPORTED_PYTHON: pyr_status = 10;
/// A name (see `pyr_intern`) that this process never gave out, or that was given back.
pub const PYR_INVALID_NAME: pyr_status = 11;
/// A container that contains itself cannot be converted.
pub const PYR_CIRCULAR: pyr_status = 12;
/// Containers are nested deeper than `PYR_MAXIMUM_DEPTH`.
pub const PYR_TOO_DEEP: pyr_status = 13;
/// A container was changed by other code while it was being converted.
pub const PYR_CHANGED: pyr_status = 14;
/// `pyr_gil_release` without a `pyr_gil_acquire` on this thread.
pub const PYR_GIL_NOT_HELD: pyr_status = 15;
/// A fault inside this library (a caught panic); the message says which. Please report it.
pub const PYR_PANIC: pyr_status = 16;
/// An array whose element type or dimensions cannot be converted.
pub const PYR_INVALID_ARRAY: pyr_status = 17;
/// A flag that this library does not know, or a reserved field that is not 0.
pub const PYR_INVALID_FLAGS: pyr_status = 18;
/// A limit of time (see `pyr_limit`) was over: Python code was ended by a KeyboardInterrupt, or not begun.
pub const PYR_TIMED_OUT: pyr_status = 19;
/// A result that takes more memory than `pyr_limit_results` allows.
pub const PYR_TOO_LARGE: pyr_status = 20;

/// How deep containers may be nested in a conversion; 1000 in the key of a dict and in a slice.
pub const PYR_MAXIMUM_DEPTH: u32 = 1_000_000;

/// A reference to a Python object: an integer, never a pointer. 0 is no handle.
///
/// Below 2^62. Each one that a function gives you is yours: give it back with `pyr_release`.
/// A handle that is stale, released or made up gives a status, never a crash.
pub type pyr_handle = u64;

/// A name that was prepared by `pyr_intern`: below 2^62. 0 is no name. See `pyr_name_release`.
pub type pyr_name = u64;

/// What a cell holds. 0 is no tag.
pub type pyr_tag = u32;

/// Python's `None`.
pub const PYR_NONE: pyr_tag = 1;
/// Python's `True` or `False`: `of.integer` is 1 or 0.
pub const PYR_BOOL: pyr_tag = 2;
/// An int that fits in 64 signed bits: `of.integer`.
pub const PYR_INT: pyr_tag = 3;
/// A float: `of.real`.
pub const PYR_FLOAT: pyr_tag = 4;
/// Text in UTF-8: `of.bytes`, `aux` bytes. Lone surrogates are written as three bytes each.
pub const PYR_UTF8: pyr_tag = 5;
/// Text of one byte a character, U+0000 to U+00FF: `of.bytes`, `aux` characters. Arguments only.
pub const PYR_LATIN1: pyr_tag = 6;
/// Text of one native-endian 32-bit code point a character, lone surrogates allowed: `of.points`, `aux`
/// characters.
pub const PYR_UCS4: pyr_tag = 7;
/// An int of any size: `of.bytes`, `aux` bytes, two's complement, little-endian.
pub const PYR_BIGINT: pyr_tag = 8;
/// A list: `of.items`, `aux` cells.
pub const PYR_LIST: pyr_tag = 9;
/// A tuple: `of.items`, `aux` cells.
pub const PYR_TUPLE: pyr_tag = 10;
/// A dict: `of.items`, `aux` pairs of cells (key, value, key, value, ...). Keys that are equal in Python are a
/// `ValueError`.
pub const PYR_DICT: pyr_tag = 11;
/// Any object: `of.handle`. In a result the handle is yours to release, and `aux` is the number of its type
/// when a flag of the call asked for it (see `pyr_watch_type`), else 0.
pub const PYR_HANDLE: pyr_tag = 12;
/// A prepared name: `of.name`. Where a callable or an attribute name is wanted, or as an argument, which
/// then is the value that the name has.
pub const PYR_NAME: pyr_tag = 13;
/// Bytes: `of.bytes`, `aux` bytes.
pub const PYR_BYTES: pyr_tag = 14;
/// A numpy array: `of.array`. In results it has less than 64 dimensions, each less than 2^56; other arrays
/// are `PYR_HANDLE`.
pub const PYR_ARRAY: pyr_tag = 15;
/// A float of single precision (numpy's float16 or float32): `of.real`. As an argument, a float.
pub const PYR_SINGLE: pyr_tag = 16;
/// As `PYR_UCS4`, but lone surrogates are refused, as UTF-32 does. Arguments only.
pub const PYR_UTF32: pyr_tag = 17;
/// A complex number: `of.reals`, its real and its imaginary part. In a result `aux` is 1 when they are of
/// single precision, else 0.
pub const PYR_COMPLEX: pyr_tag = 18;
/// A `fractions.Fraction`: `of.items`, the cells of its numerator and its denominator. `aux` is 2.
pub const PYR_FRACTION: pyr_tag = 19;
/// A character of the host: `of.integer`, its code point. In Python it is a str of length 1, of a type of
/// its own, and comes back as a character.
pub const PYR_CHARACTER: pyr_tag = 20;
/// The name of a file, as text of `aux` code points like `PYR_UCS4`. In Python it is an `os.PathLike` of a
/// type of its own, and comes back as a file's name.
pub const PYR_PATH: pyr_tag = 21;
/// Something that the host lends to Python: `of.loan`. Arguments only.
pub const PYR_LOAN: pyr_tag = 22;
/// What the host lent and now gets back: `of.id`, the loan's id; `aux` is its kind. Results only. If Python
/// kept it, Python does not let go of it before the result is freed.
pub const PYR_HOST: pyr_tag = 23;
/// A slice: `of.items`, the cells of its start, stop and step, `PYR_NONE` for one that is not given. `aux`
/// is 3. Arguments only: a slice in a result is a handle.
pub const PYR_SLICE: pyr_tag = 24;

/// The element type of an array.
pub type pyr_element = u32;

/// IEEE single float.
pub const PYR_FLOAT32: pyr_element = 1;
/// IEEE double float.
pub const PYR_FLOAT64: pyr_element = 2;
/// Signed integer of 8 bits.
pub const PYR_INT8: pyr_element = 3;
/// Signed integer of 16 bits.
pub const PYR_INT16: pyr_element = 4;
/// Signed integer of 32 bits.
pub const PYR_INT32: pyr_element = 5;
/// Signed integer of 64 bits.
pub const PYR_INT64: pyr_element = 6;
/// Unsigned integer of 8 bits.
pub const PYR_UINT8: pyr_element = 7;
/// Unsigned integer of 16 bits.
pub const PYR_UINT16: pyr_element = 8;
/// Unsigned integer of 32 bits.
pub const PYR_UINT32: pyr_element = 9;
/// Unsigned integer of 64 bits.
pub const PYR_UINT64: pyr_element = 10;
/// Two single floats: real and imaginary part.
pub const PYR_COMPLEX64: pyr_element = 11;
/// Two double floats: real and imaginary part.
pub const PYR_COMPLEX128: pyr_element = 12;

/// Truth values of one byte each: 0 is false, anything else (1, in a result) true.
pub const PYR_BOOL8: pyr_element = 13;

/// Any values: `data` points to their cells. Nested in one another 100 deep at the most in a result.
pub const PYR_OBJECT: pyr_element = 14;

/// An array in memory: C order, no gaps, native byte order.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_array {
    /// The first element; NULL is allowed when there is no element.
    pub data: *const c_void,
    /// `rank` sizes, outermost first; NULL is allowed when `rank` is 0.
    pub dimensions: *const usize,
    /// The number of dimensions, 32 at the most.
    pub rank: u32,
    /// The type of the elements, such as `PYR_FLOAT64`.
    pub element: pyr_element,
}

/// What a cell's tag says is in it.
#[repr(C)]
#[derive(Clone, Copy)]
pub union pyr_payload {
    /// For `PYR_INT`, `PYR_BOOL` and `PYR_CHARACTER`.
    pub integer: i64,
    /// For `PYR_FLOAT` and `PYR_SINGLE`.
    pub real: f64,
    /// For `PYR_HANDLE`.
    pub handle: pyr_handle,
    /// For `PYR_NAME`.
    pub name: pyr_name,
    /// For `PYR_UTF8`, `PYR_LATIN1`, `PYR_BIGINT` and `PYR_BYTES`. NULL is allowed when `aux` is 0.
    pub bytes: *const u8,
    /// For `PYR_UCS4`, `PYR_UTF32` and `PYR_PATH`. NULL is allowed when `aux` is 0.
    pub points: *const u32,
    /// For `PYR_LIST`, `PYR_TUPLE`, `PYR_DICT`, `PYR_FRACTION` and `PYR_SLICE`. NULL is allowed when `aux` is 0.
    pub items: *const pyr_value,
    /// For `PYR_COMPLEX`: two numbers.
    pub reals: *const f64,
    /// For `PYR_ARRAY`.
    pub array: *const pyr_array,
    /// For `PYR_LOAN`. `kept` is written to.
    pub loan: *mut pyr_loan,
    /// For `PYR_HOST`.
    pub id: u64,
}

/// A cell: one value, 16 bytes. Containers point to the cells of their items.
///
/// As an argument a cell and all that it points to are yours, are only read, and need to live until
/// the function returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_value {
    /// What is in it.
    pub tag: pyr_tag,
    /// How much is in it: see the tags. 0 for the others.
    pub aux: u32,
    /// The value itself, or where it is.
    pub of: pyr_payload,
}

/// How many bytes of text fit in a result without memory of its own.
pub const PYR_SCRATCH: usize = 488;

/// The value that a call gave. Yours, to be given to `pyr_result_free` once read.
///
/// The root value may point into `scratch`, so read it where it is: a copy of this struct points
/// into the original.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_result {
    /// The root of the value.
    pub value: pyr_value,
    /// The memory behind it, or NULL when there is none to free.
    pub memory: *mut c_void,
    /// Room for short text.
    pub scratch: [u8; PYR_SCRATCH],
}

/// What went wrong last on this thread; see `pyr_error_last`.
///
/// All text is UTF-8, not NUL-terminated, and lives until the next failing call on this thread, or the
/// next `pyr_error_last`. Empty text is NULL and 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_error {
    /// The status that the failing call returned.
    pub status: pyr_status,
    /// Which of Python's builtin exception classes the exception is of, or inherits from: the nearest one,
    /// such as `PYR_KIND_VALUE_ERROR`. 0 when no Python exception was raised.
    pub kind: u32,
    /// The exception's qualified type name, such as `ValueError` or `json.decoder.JSONDecodeError`;
    /// empty when no Python exception was raised.
    pub type_name: *const u8,
    /// Its length in bytes.
    pub type_name_length: usize,
    /// What went wrong, in words.
    pub message: *const u8,
    /// Its length in bytes.
    pub message_length: usize,
    /// The formatted traceback, as Python prints it; empty when none was asked for.
    pub traceback: *const u8,
    /// Its length in bytes.
    pub traceback_length: usize,
    /// A handle on the exception, yours to release; 0 when there is none.
    pub exception: pyr_handle,
}

/// How to start Python; see `pyr_start`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_start_options {
    /// `sizeof(pyr_start_options)`.
    pub size: usize,
    /// The path of the `python` executable whose `sys.prefix`, `sys.path` and packages are wanted
    /// (that of a venv, say): UTF-8 as the file system has it, without NULs.
    pub executable: *const u8,
    /// Its length in bytes.
    pub executable_length: usize,
    /// Python source that is executed in `__main__` before any other call enters, in UTF-8; NULL for
    /// none. When it raises, Python counts as stopped, and `pyr_start` returns `PYR_PYTHON_ERROR`.
    pub code: *const u8,
    /// Its length in bytes.
    pub code_length: usize,
    /// `PYR_NO_X87` and `PYR_KEEP_SIGNALS`, or 0.
    pub flags: u32,
    /// With `PYR_KEEP_SIGNALS`: the signal by which the host interrupts threads of its own, or 0. One that comes
    /// to a thread in Python ends Python code there as SIGINT does, and is then the host's.
    pub interrupt_signal: u32,
}

/// Flag for `pyr_start`: the host computes nothing with the x87 unit, so a call that finds its exceptions
/// unmasked masks them and leaves them so, instead of putting the host's control word back. A host whose
/// x87 exceptions are masked anyway gains nothing; one that unmasks them saves most of what a call costs.
pub const PYR_NO_X87: u32 = 1;

/// Flag for the `pyr_start` that starts Python: signals are the host's, but SIGINT ends Python code.
///
/// A SIGINT that comes to a thread while it is in Python raises KeyboardInterrupt there, or does what Python
/// code asked for by `signal.signal`; the call returns `PYR_PYTHON_ERROR`, and then the function that the
/// host has for SIGINT, if any, is called, once. If the call was over first, it returns its result, and the
/// function is called all the same. A SIGINT that comes to a thread that is not in Python, or in code of the
/// host's that Python called, does what it did before. On the thread that started Python, sleeping and
/// waiting end at once; on others at their end, as do long computations in C on any. Without effect on an
/// interpreter that somebody else started.
///
/// Python code cannot take the signals on which memory faults and the host's collector depend, if the host
/// has functions for them: `signal.signal`, `faulthandler.enable` and `faulthandler.register` warn instead.
pub const PYR_KEEP_SIGNALS: u32 = 2;

/// Flag for a call: give every result as a `PYR_HANDLE`, whatever its type.
pub const PYR_REMOTE: u32 = 1;
/// Flag for a call: give text as `PYR_UCS4` instead of `PYR_UTF8`.
pub const PYR_AS_UCS4: u32 = 2;
/// Flag for a call: give objects of watched types (see `pyr_watch_type`) as `PYR_HANDLE`, wherever they
/// are in the result.
pub const PYR_TYPED: u32 = 4;
/// Flag for a call: as `PYR_TYPED`, for what is in the result, but not for the result itself.
pub const PYR_TYPED_ITEMS: u32 = 8;

const _: () = {
    assert!(size_of::<pyr_value>() == 16 && align_of::<pyr_value>() == 8);
    assert!(size_of::<pyr_result>() == 512);
    assert!(size_of::<pyr_array>() == 24);
    assert!(size_of::<pyr_loan>() == 56 && size_of::<pyr_host>() == 32 && size_of::<pyr_reply>() == 24);
    assert!(size_of::<pyr_error>() == 64);
    assert!(size_of::<pyr_start_options>() == 48);
};

/// The flags of a call that this library knows.
pub(crate) const CALL_FLAGS: u32 = PYR_REMOTE | PYR_AS_UCS4 | TYPED_FLAGS;

/// The flags of a call that ask for watched types.
pub(crate) const TYPED_FLAGS: u32 = PYR_TYPED | PYR_TYPED_ITEMS;

impl pyr_value {
    /// A cell of `tag` with an integer payload.
    pub(crate) fn integer(tag: pyr_tag, integer: i64) -> Self {
        Self {
            tag,
            aux: 0,
            of: pyr_payload { integer },
        }
    }

    /// A cell of `tag` with a float payload.
    pub(crate) fn real(tag: pyr_tag, real: f64) -> Self {
        Self {
            tag,
            aux: 0,
            of: pyr_payload { real },
        }
    }

    /// A cell of an object whose type has `number`, 0 when it is not watched.
    pub(crate) fn handle(handle: pyr_handle, number: u32) -> Self {
        Self {
            tag: PYR_HANDLE,
            aux: number,
            of: pyr_payload { handle },
        }
    }

    /// A cell of `tag` that points to `aux` units.
    pub(crate) fn bytes(tag: pyr_tag, aux: u32, bytes: *const u8) -> Self {
        Self {
            tag,
            aux,
            of: pyr_payload { bytes },
        }
    }
}
