//! Limits of the time that Python code may take.

use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use pyo3::Python;

use super::{BY_LIMIT, Limit, Listed, helper, state};
use crate::abi::PYR_NOT_RUNNING;
use crate::fault::Record;
use crate::thread::Thread;
use crate::{dispatch, thread};

/// Have the Python code of this thread end when `patience` is over; the limit's id.
pub(crate) fn limit(patience: Duration) -> Result<u64, Record> {
    if dispatch::is_forked() {
        return Err(Record::plain(
            PYR_NOT_RUNNING,
            "this process was forked: it has no limits",
        ));
    }
    helper::start()?;
    let thread = Listed(NonNull::from(thread::current()));
    let id = {
        let mut state = state();
        state.last_limit += 1;
        let id = state.last_limit;
        let due = Instant::now() + patience;
        state.limits.push(Limit {
            id,
            thread,
            due,
            over: false,
        });
        id
    };
    helper::wake();
    Ok(id)
}

/// Tell Python that `thread`, this one, is late: the limit may have been over while the host answered, and Python
/// may run for too short a time between two answers for anybody else to find it there.
#[inline]
pub(crate) fn tell_if_late(py: Python<'_>, thread: &Thread) {
    if thread.interruption.is_late() {
        helper::tell_here(py, thread);
    }
}

/// Take the limit `id` back; whether it was one of this thread.
pub(crate) fn end_limit(id: u64) -> bool {
    if dispatch::is_forked() {
        return false;
    }
    let thread = Listed(NonNull::from(thread::current()));
    let mut state = state();
    let before = state.limits.len();
    state
        .limits
        .retain(|limit| limit.id != id || limit.thread != thread);
    if !state
        .limits
        .iter()
        .any(|limit| limit.thread == thread && limit.over)
    {
        thread
            .thread()
            .interruption
            .requested
            .fetch_and(!BY_LIMIT, Relaxed);
    }
    state.limits.len() != before
}
