//! Both sides of the C boundary, and the only `extern "C"` functions.
//!
//! Entry points check their pointers, enter through [`crate::guard`], and delegate. [`python`] holds
//! the functions of libpython that are looked up at run time, [`callbacks`] what C code calls back.

pub(crate) mod callbacks;
pub(crate) mod numpy;
pub(crate) mod python;

pub mod buffer;
pub mod call;
pub mod error;
pub mod eval;
pub mod handle;
pub mod interrupt;
pub mod iteration;
pub mod lifecycle;
pub mod loan;
pub mod object;
pub mod reply;
pub mod types;

use crate::abi::{CALL_FLAGS, PYR_INVALID_FLAGS, pyr_result, pyr_value};
use crate::fault::Fault;

/// The `length` values at `data`.
///
/// # Safety
/// `data` points to `length` readable values, or is NULL.
pub(crate) unsafe fn slice<'a, T>(
    data: *const T,
    length: usize,
    what: &'static str,
) -> Result<&'a [T], Fault> {
    match (data.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Fault::null(what)),
        // SAFETY: promised by the caller, see above.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(data, length) }),
    }
}

/// The cell at `value`.
///
/// # Safety
/// `value` points to a readable cell, or is NULL.
pub(crate) unsafe fn cell<'a>(value: *const pyr_value, what: &'static str) -> Result<&'a pyr_value, Fault> {
    // SAFETY: promised by the caller.
    unsafe { value.as_ref() }.ok_or_else(|| Fault::null(what))
}

/// Refuse `given` flags that are not among the `known`.
pub(crate) fn check_flags(given: u32, known: u32) -> Result<(), Fault> {
    if given & !known == 0 {
        Ok(())
    } else {
        Err(Fault::new(
            PYR_INVALID_FLAGS,
            format!("the flags {given:#x} are not known"),
        ))
    }
}

/// The place for a result in the form that `flags` ask for.
///
/// # Safety
/// `out` points to a writable result, or is NULL.
pub(crate) unsafe fn result<'a>(out: *mut pyr_result, flags: u32) -> Result<&'a mut pyr_result, Fault> {
    check_flags(flags, CALL_FLAGS)?;
    // SAFETY: promised by the caller.
    unsafe { place(out, "the place for the result") }
}

/// The place for an out-parameter.
///
/// # Safety
/// `out` points to a writable `T`, or is NULL.
pub(crate) unsafe fn place<'a, T>(out: *mut T, what: &'static str) -> Result<&'a mut T, Fault> {
    // SAFETY: promised by the caller.
    unsafe { out.as_mut() }.ok_or_else(|| Fault::null(what))
}
