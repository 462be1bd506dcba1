//! The Python objects that the host holds, by handle.
//!
//! The table belongs to the thread that is attached: every function here is called with the GIL and
//! runs no Python code while it borrows the table.

use std::cell::UnsafeCell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::{Bound, ffi};

use crate::abi::pyr_handle;
use crate::fault::Fault;
use crate::slab::Slab;

struct Table(UnsafeCell<Slab<*mut ffi::PyObject>>);

// SAFETY: only reached through `table`, by the one thread that holds the GIL.
unsafe impl Sync for Table {}
// SAFETY: see above; the pointers in it are used under the GIL only.
unsafe impl Send for Table {}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table(UnsafeCell::new(Slab::new(process_epoch()))));

/// The epoch of this process's handles.
pub(crate) fn process_epoch() -> u64 {
    static EPOCH: LazyLock<u64> = LazyLock::new(epoch);
    *EPOCH
}

/// A number in whose low bits another process is unlikely to agree.
pub(crate) fn epoch() -> u64 {
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |t| t.as_nanos() as u64);
    (time ^ u64::from(std::process::id())).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40
}

/// How many objects are in the table, for who does not hold the GIL.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Run `body` on the table. `body` must not run Python code.
fn table<R>(body: impl FnOnce(&mut Slab<*mut ffi::PyObject>) -> R) -> R {
    // SAFETY: the caller holds the GIL and `body` cannot re-enter: no second borrow can exist.
    body(unsafe { &mut *TABLE.0.get() })
}

/// [`table`] for a `body` that puts objects in or takes them out.
fn change_table<R>(body: impl FnOnce(&mut Slab<*mut ffi::PyObject>) -> R) -> R {
    table(|table| {
        let result = body(table);
        LIVE.store(table.live(), Ordering::Relaxed);
        result
    })
}

/// A new handle on `object`, whose reference moves into the table.
pub(crate) fn insert(object: Bound<'_, PyAny>) -> Result<pyr_handle, Fault> {
    let py = object.py();
    change_table(|table| table.insert(object.into_ptr())).map_err(|object| {
        // SAFETY: attached; the table gave the reference back.
        drop(unsafe { Bound::from_owned_ptr(py, object) });
        Fault::message("more than 2^30 handles are alive")
    })
}

/// The object of `handle`.
pub(crate) fn get(py: Python<'_>, handle: pyr_handle) -> Result<Bound<'_, PyAny>, Fault> {
    let object = table(|table| table.get(handle).copied())?;
    // SAFETY: attached; the table holds a reference, so the object is alive.
    Ok(unsafe { Bound::from_borrowed_ptr(py, object) })
}

/// Hold `handle` once more.
pub(crate) fn retain(handle: pyr_handle) -> Result<(), Fault> {
    Ok(table(|table| table.retain(handle))?)
}

/// How many times `handle` is held.
pub(crate) fn count(handle: pyr_handle) -> Result<u32, Fault> {
    Ok(table(|table| table.count(handle))?)
}

/// Hold `handle` once less; a reference that the caller must drop comes out with the last hold.
pub(crate) fn take(handle: pyr_handle) -> Option<*mut ffi::PyObject> {
    change_table(|table| table.release(handle)).ok().flatten()
}

/// All objects that the host holds.
pub(crate) fn all(py: Python<'_>) -> Vec<Bound<'_, PyAny>> {
    table(|table| {
        let objects = table.values();
        // SAFETY: attached; the table holds a reference to each, so it is alive.
        objects
            .map(|&object| unsafe { Bound::from_borrowed_ptr(py, object) })
            .collect()
    })
}

/// How many objects the host holds.
pub(crate) fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// Make every handle stale and drop what they held.
pub(crate) fn clear(_py: Python<'_>) {
    for object in change_table(Slab::clear) {
        // SAFETY: attached; the table's reference came out with the pointer.
        unsafe { ffi::Py_DECREF(object) };
    }
}
