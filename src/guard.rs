//! The one way into Python.
//!
//! [`enter`] does what every call needs, in order: refuse when Python does not run, mask floating-point
//! exceptions, attach the thread, pay some of the release queue's debts, run the body with panics
//! caught, turn its failure into a status and a record, settle what was lent, emit the output that waits,
//! settle what was asked to stop, detach, put the host's environment back.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::{Python, ffi};

use crate::abi::*;
use crate::api::python;
use crate::fault::{Fault, Record};
use crate::fpenv::FpEnv;
use crate::signals::Forward;
use crate::{interp, interrupt, loan, output, release, signals, thread};

/// Run `body` attached to Python; every way out of it becomes a status.
#[inline]
pub(crate) fn enter(body: impl FnOnce(Python<'_>) -> Result<(), Fault>) -> pyr_status {
    if !interp::is_running() {
        return fail(Record::plain(PYR_NOT_RUNNING, "Python is not running"));
    }
    let thread = thread::current();
    if thread.interruption.is_late() {
        return fail(interrupt::fail_late(thread));
    }
    enter_unchecked(body)
}

/// [`enter`] for answers to Python, which waits for them, and for what the host needs to come to an end: also when
/// Python was stopped meanwhile, or a limit of time is over.
pub(crate) fn reply(body: impl FnOnce(Python<'_>) -> Result<(), Fault>) -> pyr_status {
    if !python::is_running() {
        return fail(Record::plain(PYR_NOT_RUNNING, "Python was never started"));
    }
    enter_unchecked(body)
}

/// [`enter`] for who knows that the interpreter exists.
#[inline]
pub(crate) fn enter_unchecked(body: impl FnOnce(Python<'_>) -> Result<(), Fault>) -> pyr_status {
    let host = FpEnv::enter();
    let thread = thread::current();
    let outer_env = thread.begin(host);
    if interp::is_finalized() {
        thread.interruption.end();
        thread.end(outer_env);
        host.restore();
        return fail(Record::plain(PYR_NOT_RUNNING, "Python was finalized"));
    }
    let taken = thread.attach();
    // SAFETY: attached until `detach` below.
    let py = unsafe { Python::assume_attached() };
    // Only who had the GIL already can have left one.
    let left = if taken { None } else { Left::take(py) };
    release::drain();
    let lent = thread.lent();
    let outer = thread.set_innermost(lent);
    let mut status = match catch_unwind(AssertUnwindSafe(|| body(py))) {
        Ok(Ok(())) => PYR_OK,
        Ok(Err(fault)) => record(py, fault),
        Err(_) => record(py, Fault::message(panic_message())),
    };
    if thread.lent() != lent {
        loan::settle(py, thread, lent);
    }
    thread.set_innermost(outer);
    status = output::flush_at_end(py, thread, status);
    let mut forward = Forward::default();
    if thread.interruption.end() {
        (status, forward) = interrupt::settle(py, thread, status);
    }
    if let Some(left) = left {
        left.settle(!thread.has_taken_gil());
    }
    if signals::vital::has_loaded(py) {
        thread.suspect_signals();
    }
    thread.detach(taken);
    thread.end(outer_env);
    host.restore();
    if thread.is_to_look_at_signals() {
        signals::vital::keep();
    }
    forward.run();
    status
}

/// An exception that was set when an entry began: of C code that called the host, say.
struct Left([*mut ffi::PyObject; 3]);

impl Left {
    /// Take the exception, if there is one.
    #[inline]
    fn take(_py: Python<'_>) -> Option<Self> {
        // SAFETY: attached.
        if unsafe { ffi::PyErr_Occurred() }.is_null() {
            return None;
        }
        let mut parts = [std::ptr::null_mut(); 3];
        let [kind, value, traceback] = &mut parts;
        // SAFETY: attached; the places are ours.
        unsafe { ffi::PyErr_Fetch(kind, value, traceback) };
        Some(Self(parts))
    }

    /// Have it be set as before if code that Python `called` has set it, and forget it if that was the host, which
    /// had taken the GIL. The caller is attached.
    #[cold]
    fn settle(self, called: bool) {
        let [kind, value, traceback] = self.0;
        // SAFETY: attached; the references are those that were taken.
        unsafe {
            ffi::PyErr_Restore(kind, value, traceback);
            if !called {
                ffi::PyErr_Clear();
            }
        }
    }
}

/// Attach the thread until it gives this hold back.
pub(crate) fn hold() -> pyr_status {
    if !interp::is_running() {
        return fail(Record::plain(PYR_NOT_RUNNING, "Python is not running"));
    }
    let host = FpEnv::enter();
    let mut forward = Forward::default();
    let status = outside(|| {
        let held = thread::current().hold();
        forward = held.ok_or_else(|| Record::plain(PYR_NOT_RUNNING, "Python was finalized"))?;
        Ok(())
    });
    host.restore();
    forward.run();
    status
}

/// Run `body`, which needs no Python; panics and failures become a status.
pub(crate) fn outside(body: impl FnOnce() -> Result<(), Record>) -> pyr_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => PYR_OK,
        Ok(Err(record)) => fail(record),
        Err(_) => fail(Record::plain(PYR_PANIC, panic_message())),
    }
}

/// Remember `record` and return its status.
#[cold]
pub(crate) fn fail(record: Record) -> pyr_status {
    let status = record.status;
    thread::current().remember(record);
    status
}

#[cold]
fn record(py: Python<'_>, fault: Fault) -> pyr_status {
    // Describing an exception runs its `__str__`: that may panic no more than the body may.
    let record = catch_unwind(AssertUnwindSafe(|| Record::of(py, fault)))
        .unwrap_or_else(|_| Record::plain(PYR_PANIC, panic_message()));
    fail(record)
}

thread_local! {
    /// What the last panic of this thread said, and where.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Have panics, all of which are caught, noted for their status instead of printed.
pub(crate) fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with_borrow_mut(|panic| *panic = info.to_string());
    }));
}

fn panic_message() -> String {
    PANIC.with_borrow_mut(std::mem::take)
}
