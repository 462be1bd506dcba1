//! What the host lends to Python: memory of arrays, objects, functions.

use std::ffi::c_void;

use crate::abi::*;
use crate::fault::Record;
use crate::{guard, loan};

/// What is lent.
pub type pyr_kind = u32;

/// Any object: to Python it is opaque, equal to itself only.
pub const PYR_LENT_OBJECT: pyr_kind = 1;
/// A function: to Python it is opaque for now, as an object is.
pub const PYR_LENT_FUNCTION: pyr_kind = 2;
/// The memory of an array: to Python it is a numpy array on that memory.
pub const PYR_LENT_ARRAY: pyr_kind = 3;

/// Flag for a loan: Python must not write to the memory.
pub const PYR_READ_ONLY: u32 = 1;

/// What Python asks of a host whose loans name it; see `pyr_loan`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_host {
    /// `sizeof(pyr_host)`.
    pub size: usize,
    /// Python let go of the loan `id`, which it had kept: the host may free what it lent. Called on any
    /// thread, with the GIL, and must not call Python; `context` is the loan's.
    pub release: Option<unsafe extern "C" fn(id: u64, context: *mut c_void)>,
}

/// Something that the host lends to Python, for the tag `PYR_LOAN`.
///
/// What is lent must stay valid, and memory where it is, for as long as Python has it: until the call
/// returns, and if Python kept it (a global, an attribute, an array that shares the memory), until it
/// lets go. `kept` tells which. Set it to 0 before the call; when the call returns, with whatever status,
/// it is how often Python came to keep the loan by this call. For each time, `host->release` is called
/// once when Python lets go, or when `host` is NULL, `id` is given once by `pyr_take_released`. That may
/// happen before the call returns.
///
/// When the object or the array itself comes back in a result, it is a cell of `PYR_HOST` with its `id`.
/// An id that Python has already names the same Python object.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_loan {
    /// The host's number for it, below 2^62.
    pub id: u64,
    /// What it is.
    pub kind: pyr_kind,
    /// `PYR_READ_ONLY` or 0.
    pub flags: u32,
    /// For `PYR_LENT_ARRAY`: the memory. Any elements but `PYR_OBJECT`.
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

const _: () = assert!(size_of::<pyr_loan>() == 56 && size_of::<pyr_host>() == 16);

/// The ids of loans without a `host` that Python kept and has let go of: at most `capacity` of them are
/// written to `ids`, and how many to `count`. Each is given once, to whoever asks first.
///
/// Never blocks, needs no GIL, and may be called on any thread, also while Python does not run. Returns
/// `PYR_OK` or `PYR_NULL_ARGUMENT`.
///
/// # Safety
/// `ids` points to `capacity` writable numbers, `count` to one. Either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_take_released(ids: *mut u64, capacity: usize, count: *mut usize) -> pyr_status {
    guard::outside(|| {
        if count.is_null() || (ids.is_null() && capacity > 0) {
            return Err(Record::plain(PYR_NULL_ARGUMENT, "ids or count is NULL"));
        }
        let taken = loan::released().take(capacity).enumerate();
        // SAFETY: promised by the caller; no more than `capacity` come.
        unsafe { *count = taken.map(|(index, id)| ids.add(index).write(id)).count() };
        Ok(())
    })
}
