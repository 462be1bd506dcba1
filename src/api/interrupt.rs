//! Asking Python code to stop.

use std::time::Duration;

use crate::abi::*;
use crate::fault::Record;
use crate::{guard, interrupt, thread};

/// The number of the calling thread for `pyr_interrupt`: never 0, and good until the thread ends.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_thread_id() -> u64 {
    thread::current().id()
}

/// Raise KeyboardInterrupt in the Python code that a thread of the host's runs, soon. Any thread may call
/// this.
///
/// `thread` is what `pyr_thread_id` gave there; 1 is written to `interrupted` when it was in Python, else 0,
/// and nothing happens. Code of the host's that Python called is not Python. Python code may catch the
/// exception; else the call returns `PYR_PYTHON_ERROR`, with the kind `PYR_KIND_KEYBOARD_INTERRUPT`. When the
/// call is over first, that is the end of it. Sleeping and waiting end at once on the thread that started
/// Python, elsewhere they, as long computations in C everywhere, come to their own end first.
///
/// Returns `PYR_OK`, or `PYR_START_FAILED` when there are not even the means for one thread.
///
/// # Safety
/// `interrupted` points to a writable number, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_interrupt(thread: u64, interrupted: *mut i32) -> pyr_status {
    guard::outside(|| {
        let found = interrupt::interrupt(thread)?;
        // SAFETY: promised by the caller.
        if let Some(interrupted) = unsafe { interrupted.as_mut() } {
            *interrupted = found.into();
        }
        Ok(())
    })
}

/// Have Python code of this thread end when `milliseconds` are over, until `pyr_limit_end` of the id that is
/// written to `limit`.
///
/// What runs then gets a KeyboardInterrupt, as by `pyr_interrupt`, and the call returns `PYR_TIMED_OUT`; if
/// nothing runs then, or the call is over first, the next call returns that at once. Later calls, which may
/// be needed to clean up, and code that has caught the exception, get a second, and so on. Limits nest; those
/// of a thread that ends are over. Python need not run.
///
/// Returns `PYR_OK`, `PYR_NULL_ARGUMENT`, `PYR_NOT_RUNNING` in a forked process, or `PYR_START_FAILED` as
/// `pyr_interrupt` does.
///
/// # Safety
/// `limit` points to a writable number, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_limit(milliseconds: u64, limit: *mut u64) -> pyr_status {
    guard::outside(|| {
        // SAFETY: promised by the caller.
        let limit = unsafe { limit.as_mut() };
        let limit =
            limit.ok_or_else(|| Record::plain(PYR_NULL_ARGUMENT, "the place for the limit is NULL"))?;
        // More than that is never over.
        *limit = interrupt::limit(Duration::from_millis(milliseconds.min(1 << 40)))?;
        Ok(())
    })
}

/// Take a limit of this thread back. Returns `PYR_OK`, or `PYR_INVALID_HANDLE` when it has no such limit.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_limit_end(limit: u64) -> pyr_status {
    guard::outside(|| {
        if interrupt::end_limit(limit) {
            Ok(())
        } else {
            Err(Record::plain(PYR_INVALID_HANDLE, "this thread has no such limit"))
        }
    })
}

/// Tell that the Python code that runs on this thread will not go on: its stack is exhausted, and the host,
/// whose fault handler this is, unwinds it.
///
/// The GIL is let go of, the host's floating-point environment is back, and the next call of this thread has a
/// new Python thread state, without the old one's `threading.local` values. What the frames referred to is not
/// given back. Code of the host's that Python called is given up with the code that called it: it must not
/// return to that. Takes little of the stack.
///
/// Returns 1, or 0 when this thread is not in Python: then nothing happens.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_give_up() -> i32 {
    thread::of_handler().is_some_and(thread::Thread::give_up).into()
}
