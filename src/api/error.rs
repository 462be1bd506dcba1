//! What went wrong.

use super::result;
use crate::abi::*;
use crate::bridge;
use crate::fault::{Fault, Record};
use crate::{encode, guard, objects, thread};

/// What went wrong in the last failing call of this thread.
///
/// With `with_traceback` not 0, the formatted traceback is in it, too. The texts live until the next
/// failing call on this thread, and until this function is called again. The exception, which may hold
/// large objects alive, is kept until the next failing call or `pyr_error_clear`; the handle on it, which is
/// given also while Python is stopped, and used when it runs again, is yours to release.
///
/// Returns `PYR_OK` (also when nothing has failed yet: `error->status` is 0 then) or
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
        let exception = exception_handle(with_traceback != 0);
        *error = describe(&thread::current().record(), exception);
        Ok(())
    })
}

/// A handle on the exception of this thread's record, whose traceback is written down when that is
/// asked for. 0 when there is none, or Python was finalized.
fn exception_handle(with_traceback: bool) -> pyr_handle {
    let thread = thread::current();
    // The call below may fail, and then writes a record of its own: ours is out of the way meanwhile.
    let mut record = thread.take_record();
    record.traceback.clear();
    let mut exception = 0;
    if let Some(object) = record.exception {
        // Also when Python was stopped since: what the host threw across it is in the exception.
        guard::reply(|py| {
            // SAFETY: attached; the record owns a reference.
            let object = unsafe { pyo3::Bound::from_borrowed_ptr(py, object.as_ptr()) };
            exception = objects::insert(object.clone())?;
            if with_traceback {
                record.traceback = bridge::format_exception(&object)?;
            }
            Ok(())
        });
    }
    thread.remember(record);
    exception
}

fn describe(record: &Record, exception: pyr_handle) -> pyr_error {
    let text = |text: &str| {
        if text.is_empty() {
            std::ptr::null()
        } else {
            text.as_ptr()
        }
    };
    pyr_error {
        status: record.status,
        kind: record.kind,
        type_name: text(&record.type_name),
        type_name_length: record.type_name.len(),
        message: text(&record.message),
        message_length: record.message.len(),
        traceback: text(&record.traceback),
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
        let out = unsafe { result(out, flags)? };
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
