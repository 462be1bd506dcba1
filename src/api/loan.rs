//! What the host lends to Python, and what Python let go of.

use crate::abi::*;
use crate::fault::Record;
use crate::{guard, loan};

/// The ids of loans without a `host` that Python kept and has let go of: at most `capacity` of them are
/// written to `ids`, and how many to `count`. Each is given once, to whoever asks first. With a `capacity`
/// of 0, `count` is how many there are.
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
        if capacity == 0 {
            // SAFETY: promised by the caller.
            unsafe { *count = loan::count_released() };
            return Ok(());
        }
        let taken = loan::released().take(capacity).enumerate();
        // SAFETY: promised by the caller; no more than `capacity` come.
        unsafe { *count = taken.map(|(index, id)| ids.add(index).write(id)).count() };
        Ok(())
    })
}
