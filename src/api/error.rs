//! What went wrong.

use super::result;
use crate::abi::*;
use crate::bridge;
use crate::fault::{Fault, Record};
use crate::{encode, guard, objects, thread};

/// What went wrong in the last failing call of this thread.
///
/// With `with_traceback` not 0, the formatted traceback is in it, too. The texts live until the next
/// failing call on this thread. The handle on the exception is yours to release; asking again gives 0
/// in its place. Returns `PYR_OK` (also when nothing has failed yet: `error->status` is 0 then) or
/// `PYR_NULL_ARGUMENT`.
///
/// # Safety
/// `error` points to a writable `pyr_error`, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_error_last(error: *mut pyr_error, with_traceback: i32) -> pyr_status {
    guard::outside(|| {
        // SAFETY: promised by the caller; NULL is refused.
        let Some(error) = (unsafe { error.as_mut() }) else {
            return Err(Record::plain(
                PYR_NULL_ARGUMENT,
                "the place for the error is NULL",
            ));
        };
        let exception = take_exception(with_traceback != 0);
        *error = describe(&thread::current().record(), exception);
        Ok(())
    })
}

/// Turn the exception of this thread's record into a handle, and write its traceback down when that is asked for.
///
/// When Python does not run any more, the record keeps the exception and there is no handle.
fn take_exception(with_traceback: bool) -> pyr_handle {
    // The call below may fail, and then writes a record of its own: ours is out of the way meanwhile.
    let thread = thread::current();
    let mut kept = thread.take_record();
    let mut exception = 0;
    if let Some(object) = kept.exception {
        guard::enter(|py| {
            // SAFETY: attached; `kept` owns a reference.
            let object = unsafe { pyo3::Bound::from_borrowed_ptr(py, object.as_ptr()) };
            if with_traceback {
                kept.traceback = bridge::format_exception(&object)?;
            }
            exception = objects::insert(object)?;
            Ok(())
        });
    }
    thread.remember(kept);
    if exception != 0 {
        thread.forget_exception();
    }
    exception
}

fn describe(record: &Record, exception: pyr_handle) -> pyr_error {
    pyr_error {
        status: record.status,
        reserved: 0,
        type_name: record.type_name.as_ptr(),
        type_name_length: record.type_name.len(),
        message: record.message.as_ptr(),
        message_length: record.message.len(),
        traceback: record.traceback.as_ptr(),
        traceback_length: record.traceback.len(),
        exception,
    }
}

/// Forget what went wrong on this thread, and the exception with it.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_error_clear() {
    guard::outside(|| {
        thread::current().remember(Record::default());
        Ok(())
    });
}

/// The formatted traceback of an exception, as Python prints it, as text.
///
/// `exception` is a handle on it. `flags`: `PYR_AS_UCS4`. Returns `PYR_OK`, or a status for a bad
/// argument.
///
/// # Safety
/// `out` points to a writable result, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_format_exception(
    exception: pyr_handle,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let out = unsafe { result(out)? };
        let text = bridge::format_exception(&objects::get(py, exception)?)?;
        let text = pyo3::types::PyString::new(py, &text);
        encode::text_of(py, text.into_ptr(), flags, out)
    })
}

/// Ask for a panic inside the library, to see that it becomes `PYR_PANIC`. For tests.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_test_panic() -> pyr_status {
    guard::enter(|_| -> Result<(), Fault> { panic!("a panic that was asked for") })
}
