//! Handles.

use pyo3::ffi;
use pyo3::types::PyList;

use super::result;
use crate::abi::*;
use crate::release::{self, Debt};
use crate::{bridge, encode, guard, objects};

/// Hold `handle` once more: it then takes one more `pyr_release`.
///
/// Returns `PYR_OK`, `PYR_INVALID_HANDLE`, `PYR_STALE_HANDLE` or `PYR_NOT_RUNNING`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_retain(handle: pyr_handle) -> pyr_status {
    guard::enter(|_| objects::retain(handle))
}

/// Give one hold of `handle` back.
///
/// Made for finalizers: never blocks, needs no GIL, runs no Python code, and may be called on any
/// thread at any time, also while Python does not run. Each call that enters Python pays up to 1024 such
/// debts first; until its turn comes the handle still works. A handle that is stale or made up does no
/// harm. Returns `PYR_OK`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_release(handle: pyr_handle) -> pyr_status {
    guard::outside(|| {
        release::push(Debt::Handle(handle));
        Ok(())
    })
}

/// How often `handle` is held (`handle_count`), and how many references its object has in Python
/// (`object_count`, of which one is the handle's). Either may be NULL.
///
/// Returns `PYR_OK`, `PYR_INVALID_HANDLE`, `PYR_STALE_HANDLE` or `PYR_NOT_RUNNING`.
///
/// # Safety
/// Both point to writable numbers, or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_counts(
    handle: pyr_handle,
    handle_count: *mut usize,
    object_count: *mut usize,
) -> pyr_status {
    guard::enter(|py| {
        let (holds, object) = (objects::count(handle)?, objects::get(py, handle)?);
        // SAFETY: promised by the caller; the object is alive. One reference is `object`'s own.
        unsafe {
            if let Some(handle_count) = handle_count.as_mut() {
                *handle_count = holds as usize;
            }
            if let Some(object_count) = object_count.as_mut() {
                *object_count = ffi::Py_REFCNT(object.as_ptr()) as usize - 1;
            }
        }
        Ok(())
    })
}

/// Of what types the objects are that have handles, to find out what is kept by mistake: a dict from the
/// types' qualified names to how many there are. `flags` and `out` as for `pyr_call`.
///
/// Returns `PYR_OK`, `PYR_PYTHON_ERROR` (MemoryError, say), or a status for a bad argument.
///
/// # Safety
/// `out` points to a writable result, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_handle_types(flags: u32, out: *mut pyr_result) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let out = unsafe { result(out, flags)? };
        let types = bridge::call(py, "type_counts", (PyList::new(py, objects::all(py))?,))?;
        encode::result(types, flags, out)
    })
}
