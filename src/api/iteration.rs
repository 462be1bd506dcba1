//! Iterating.

use pyo3::ffi;

use super::{cell, place, python, result};
use crate::abi::*;
use crate::fault::{Fault, own};
use crate::{decode, encode, guard};

/// An iterator over `value`, as a handle: `iter(value)`. `pyr_next` gives its items.
///
/// `flags` and `out` as for `pyr_call`; the result is a handle whatever the flags. Returns `PYR_OK` or
/// `PYR_PYTHON_ERROR` (TypeError when `value` cannot be iterated over), or a status for a bad argument.
///
/// # Safety
/// `value` can be read with all that it points to; `out` is writable. Either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_iter(value: *const pyr_value, flags: u32, out: *mut pyr_result) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (value, out) = unsafe { (cell(value, "the value")?, result(out, flags)?) };
        let value = decode::value(py, value)?;
        // SAFETY: attached; the value is alive.
        let iterator = own(py, unsafe { ffi::PyObject_GetIter(value.as_ptr()) })?;
        // As in `pyr_call`.
        drop(value);
        encode::result(iterator, flags | PYR_REMOTE, out)
    })
}

/// The next item of `iterator`, usually a `PYR_HANDLE` from `pyr_iter`.
///
/// `more` gets 1, and `out` the item; at the end `more` gets 0, and `out` is untouched. The end is no
/// failure: StopIteration is not told as an exception.
///
/// `flags` and `out` as for `pyr_call`. Returns `PYR_OK` or `PYR_PYTHON_ERROR` (what the iterator raised,
/// TypeError when it is none), or a status for a bad argument.
///
/// # Safety
/// `iterator` can be read with all that it points to; `out` and `more` are writable. Any may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_next(
    iterator: *const pyr_value,
    flags: u32,
    out: *mut pyr_result,
    more: *mut i32,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (iterator, out, more) = unsafe {
            (
                cell(iterator, "the iterator")?,
                result(out, flags)?,
                place(more, "more")?,
            )
        };
        let iterator = decode::value(py, iterator)?;
        // SAFETY: attached; the object is alive, and asked whether it is an iterator before it is used as one.
        let item = unsafe {
            if !python::is_iterator(iterator.as_ptr()) {
                return Err(not_an_iterator(&iterator));
            }
            ffi::PyIter_Next(iterator.as_ptr())
        };
        // SAFETY: attached.
        if item.is_null() && unsafe { ffi::PyErr_Occurred() }.is_null() {
            *more = 0;
            return Ok(());
        }
        let item = own(py, item)?;
        // As in `pyr_call`.
        drop(iterator);
        encode::result(item, flags, out)?;
        *more = 1;
        Ok(())
    })
}

#[cold]
fn not_an_iterator(object: &pyo3::Bound<'_, pyo3::PyAny>) -> Fault {
    let message = format!("'{}' object is not an iterator", crate::bridge::type_name(object));
    pyo3::exceptions::PyTypeError::new_err(message).into()
}
