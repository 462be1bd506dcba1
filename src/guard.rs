//! The one way into Python.
//!
//! [`enter`] does what every call needs, in order: refuse when Python does not run, mask floating-point
//! exceptions, attach the thread, pay some of the release queue's debts, run the body with panics
//! caught, turn its failure into a status and a record, detach, put the host's environment back.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::Python;

use crate::abi::*;
use crate::fault::{Fault, Record};
use crate::fpenv::FpEnv;
use crate::{interp, release, thread};

/// Run `body` attached to Python; every way out of it becomes a status.
#[inline]
pub(crate) fn enter(body: impl FnOnce(Python<'_>) -> Result<(), Fault>) -> pyr_status {
    if !interp::is_running() {
        return fail(Record::plain(PYR_NOT_RUNNING, "Python is not running"));
    }
    enter_unchecked(body)
}

/// [`enter`] for who knows that the interpreter exists.
#[inline]
pub(crate) fn enter_unchecked(body: impl FnOnce(Python<'_>) -> Result<(), Fault>) -> pyr_status {
    let host = FpEnv::enter();
    let thread = thread::current();
    thread.attach();
    // SAFETY: attached until `detach` below.
    let py = unsafe { Python::assume_attached() };
    release::drain();
    let status = match catch_unwind(AssertUnwindSafe(|| body(py))) {
        Ok(Ok(())) => PYR_OK,
        Ok(Err(fault)) => record(py, fault),
        Err(panic) => record(py, Fault::message(panic_message(&*panic))),
    };
    thread.detach();
    host.restore();
    status
}

/// Run `body`, which needs no Python; panics and failures become a status.
pub(crate) fn outside(body: impl FnOnce() -> Result<(), Record>) -> pyr_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => PYR_OK,
        Ok(Err(record)) => fail(record),
        Err(panic) => fail(Record::plain(PYR_PANIC, panic_message(&*panic))),
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
        .unwrap_or_else(|panic| Record::plain(PYR_PANIC, panic_message(&*panic)));
    fail(record)
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
