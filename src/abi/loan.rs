//! What the host lends to Python, and how it is asked about it.

use std::ffi::c_void;

use super::{pyr_array, pyr_value};

/// What is lent.
pub type pyr_loan_kind = u32;

/// Any object: to Python it is opaque, equal to itself only.
pub const PYR_LENT_OBJECT: pyr_loan_kind = 1;
/// A function, which Python can call.
pub const PYR_LENT_FUNCTION: pyr_loan_kind = 2;
/// The memory of an array: to Python it is a numpy array on that memory.
pub const PYR_LENT_ARRAY: pyr_loan_kind = 3;

/// Flag for a loan: Python must not write to the memory.
pub const PYR_READ_ONLY: u32 = 1;

/// Told that Python let go of the loan `id`, which it had kept: the host may free what it lent. Called on
/// any thread, with the GIL, and must not call Python, nor wait for who does; `context` is the loan's.
pub type pyr_release_function = Option<unsafe extern "C" fn(id: u64, context: *mut c_void)>;

/// What Python wants of something that was lent.
pub type pyr_question = u32;

/// Call the function: `args` are its arguments, and as many pairs of a name (text) and a value as `nkwargs`
/// says, in the order of the call.
pub const PYR_ASK_CALL: pyr_question = 1;
/// The attribute whose name (text) is the one argument.
pub const PYR_ASK_GETATTR: pyr_question = 2;
/// Set the attribute whose name (text) is the first argument to the second.
pub const PYR_ASK_SETATTR: pyr_question = 3;
/// A text that `repr()` is to give.
pub const PYR_ASK_REPR: pyr_question = 4;
/// A list of the names (text) of attributes, for `dir()`.
pub const PYR_ASK_DIR: pyr_question = 5;

/// The place for the host's answer to a question.
///
/// A value whose cell points to nothing (a number, a truth value, `PYR_NONE`) can be written to `*value`
/// itself. For any value there is `pyr_reply_value`, for an exception `pyr_reply_raise` and
/// `pyr_reply_fail`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_reply {
    /// Where a plain answer is written.
    pub value: *mut pyr_value,
    /// The library's own.
    pub object: *mut c_void,
    /// The library's own.
    pub raised: u32,
    /// 0.
    pub reserved: u32,
}

/// Asked `question` about the loan `id`: 1 when the answer is in `reply`, 0 when there is none, which gives
/// Python its usual error (an AttributeError, say).
///
/// Called without the GIL and with the host's floating-point environment, on the thread that asks, which
/// is any that Python code runs on; see `PYR_DISPATCH`. On a thread of Python's that environment is C's
/// default one. It may call all functions of this library, must return, and must not unwind; what it holds
/// with `pyr_gil_acquire` is given back when it returns. `args` and all that they point to live until it returns; handles in them
/// are the host's to release.
pub type pyr_ask_function = Option<
    unsafe extern "C" fn(
        question: pyr_question,
        id: u64,
        context: *mut c_void,
        args: *const pyr_value,
        nargs: u32,
        nkwargs: u32,
        reply: *mut pyr_reply,
    ) -> i32,
>;

/// Flag of a host: it is asked on threads that are in a call of its own, and questions of other threads wait
/// for one that serves them; see `pyr_serve`.
pub const PYR_DISPATCH: u32 = 1;
/// Flag of a host: give it text as `PYR_UCS4` instead of `PYR_UTF8`.
pub const PYR_HOST_UCS4: u32 = 2;
/// Flag of a host: give it objects of watched types as with `PYR_TYPED_ITEMS`.
pub const PYR_HOST_TYPED: u32 = 4;

/// Who lends, and answers Python's questions about its loans; see `pyr_loan`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_host {
    /// `sizeof(pyr_host)`.
    pub size: usize,
    /// Told when Python let go of a loan. NULL to have `pyr_take_released` tell.
    pub release: pyr_release_function,
    /// Asked what Python wants of a loan. NULL when there are no answers: then functions cannot be called.
    pub ask: pyr_ask_function,
    /// `PYR_DISPATCH`, `PYR_HOST_UCS4`, `PYR_HOST_TYPED`. The host may change the last one at any time.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}

/// Something that the host lends to Python, for the tag `PYR_LOAN`.
///
/// What is lent must stay valid, and memory where it is, for as long as Python has it: until the call
/// returns, and if Python kept it (a global, an array that shares the memory, a handle, the traceback of
/// the last failure), until it lets go. `kept` tells which. Set it to 0 before the call; when the call
/// returns, with whatever status, it is how often Python came to keep the loan by this call. For each time,
/// `host->release` is called once when Python lets go, or without that function, `id` is given once by
/// `pyr_take_released`. That may happen before the call returns.
///
/// When the object or the array itself comes back in a result, it is a cell of `PYR_HOST` with its `id`.
/// The id of an object or a function that Python has already, for the same `host` and `context`, names
/// the same Python object, which is kept once, by one of the calls that lend it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_loan {
    /// The host's number for it, below 2^62.
    pub id: u64,
    /// What it is.
    pub kind: pyr_loan_kind,
    /// `PYR_READ_ONLY` or 0.
    pub flags: u32,
    /// For `PYR_LENT_ARRAY`: the memory. Any elements but `PYR_OBJECT`; those of `PYR_BOOL8` are 0 or 1.
    pub array: *const pyr_array,
    /// For `PYR_LENT_ARRAY`: the distance in bytes between elements, for each dimension; NULL for C order
    /// without gaps.
    pub strides: *const isize,
    /// What to ask of the host, or NULL. It must live as long as the process.
    pub host: *const pyr_host,
    /// Given to the functions of `host`.
    pub context: *mut c_void,
    /// How often Python came to keep it.
    pub kept: u32,
    /// 0.
    pub reserved: u32,
}

/// A question that waits for one of the host's threads; see `pyr_serve`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_request {
    /// What names it for `pyr_served`; 0 when there was none.
    pub ticket: u64,
    /// As for `pyr_ask_function`.
    pub id: u64,
    /// As for `pyr_ask_function`.
    pub context: *mut c_void,
    /// As for `pyr_ask_function`. They live until `pyr_served`.
    pub args: *const pyr_value,
    /// Where the answer goes.
    pub reply: *mut pyr_reply,
    /// As for `pyr_ask_function`.
    pub nargs: u32,
    /// As for `pyr_ask_function`.
    pub nkwargs: u32,
    /// As for `pyr_ask_function`.
    pub question: pyr_question,
    /// How many other threads wait for questions now. Who takes the last one's place should see to another
    /// before it answers: the answer may have to wait for the next question. `UINT32_MAX` when the thread
    /// that asks is one of the host's, which is ending: who makes a thread may have to wait for that.
    pub idle: u32,
}
