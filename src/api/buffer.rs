//! The memory of Python objects, looked at in place.

use super::{cell, check_flags, place};
use crate::abi::*;
use crate::release::{self, Debt};
use crate::{buffer, decode, guard, interp};

/// The memory of `value`, an object with the buffer protocol: a numpy array, bytes, a bytearray, a
/// memoryview, an array.array, an mmap, and more. Nothing is copied: `buffer` tells where the memory is.
///
/// `value` is any value; one that is not a handle becomes a new object first, of which the buffer is then
/// the only holder. `flags` are `PYR_WRITABLE` or 0. The buffer holds the object, and Python will not
/// resize it, until you give the buffer back with `pyr_buffer_close` or `pyr_buffer_release`. It outlives
/// `pyr_stop`. Python code that runs meanwhile sees what you write, and you see what it writes: that
/// neither disturbs the other is up to you.
///
/// Returns `PYR_OK`; `PYR_PYTHON_ERROR` when the object has no such memory, or none that may be written to
/// (Python's BufferError, TypeError or ValueError); `PYR_INVALID_ARRAY` when its memory is not in one
/// piece; or a status for a bad argument.
///
/// # Safety
/// `value` can be read with all that it points to; `buffer` is writable. Either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_buffer_get(
    value: *const pyr_value,
    flags: u32,
    buffer: *mut pyr_buffer,
) -> pyr_status {
    guard::enter(|py| {
        check_flags(flags, PYR_WRITABLE)?;
        // SAFETY: promised by the caller; NULL is refused.
        let (value, place) = unsafe {
            (
                cell(value, "the value")?,
                place(buffer, "the place for the buffer")?,
            )
        };
        *place = buffer::get(&decode::value(py, value)?, flags & PYR_WRITABLE != 0)?;
        Ok(())
    })
}

/// Hold the buffer `id` once more: it then is to be given back once more.
///
/// Returns `PYR_OK`, `PYR_INVALID_HANDLE`, `PYR_STALE_HANDLE` (it was given back) or `PYR_NOT_RUNNING`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_buffer_retain(id: u64) -> pyr_status {
    guard::enter(|_| buffer::retain(id))
}

/// Give one hold of the buffer `id` back, now. With the last one its memory is Python's again: do not look
/// at it any more.
///
/// While Python does not run this is as `pyr_buffer_release`. Returns `PYR_OK`, or `PYR_INVALID_HANDLE` or
/// `PYR_STALE_HANDLE` when there was nothing to give back, which does no harm.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_buffer_close(id: u64) -> pyr_status {
    if !interp::is_running() {
        return pyr_buffer_release(id);
    }
    guard::enter(|_| buffer::take(id).map(drop))
}

/// Give one hold of the buffer `id` back, some time: when a call enters Python next.
///
/// Made for finalizers, as `pyr_release` is: never blocks, needs no GIL, runs no Python code, and may be
/// called on any thread at any time, also while Python does not run. An id that is stale or made up does
/// no harm. Returns `PYR_OK`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_buffer_release(id: u64) -> pyr_status {
    guard::outside(|| {
        release::push(Debt::Buffer(id));
        Ok(())
    })
}

/// How many buffers are held, for tests and for the curious. Those that wait to be given back count until
/// a call has entered Python. May be called at any time.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_buffer_count() -> usize {
    buffer::live()
}
