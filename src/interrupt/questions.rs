//! What asks the host, and what it answers: meanwhile signals are its own.

use std::sync::atomic::Ordering::Relaxed;

use pyo3::{Python, ffi};

use super::{Interruption, add};
use crate::thread::Thread;
use crate::{bridge, signals};

impl Interruption {
    /// Whether the innermost entry is that of [`failing`].
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Relaxed) == self.entries()
    }
}

/// Run `entry`, in which the host answers with an exception on `thread`: Python is told of nothing there, since
/// that would be raised in its place. What is requested meanwhile is the host's when it is over.
pub(crate) fn failing<T>(thread: &Thread, entry: impl FnOnce() -> T) -> T {
    let interruption = &thread.interruption;
    let outer = interruption.failing.swap(interruption.entries() + 1, Relaxed);
    let result = entry();
    interruption.failing.store(outer, Relaxed);
    result
}

/// Run `question`, in which the host answers on `thread`. What Python was told before is raised instead:
/// `Err`, with the exception set.
pub(crate) fn asking<T>(py: Python<'_>, thread: &Thread, question: impl FnOnce() -> T) -> Result<T, ()> {
    let interruption = &thread.interruption;
    if !interruption.is_inside() {
        return Ok(question());
    }
    // From here on signals are the host's.
    add(&interruption.questions, 1);
    if interruption.held.load(Relaxed) != 0 {
        signals::held::send(interruption.held.swap(0, Relaxed));
    }
    let raised = interruption.told.load(Relaxed) && raise(py, interruption);
    let answer = if raised { Err(()) } else { Ok(question()) };
    add(&interruption.questions, u32::MAX);
    answer
}

/// Raise what Python was told and has not raised yet; whether there is something.
fn raise(py: Python<'_>, interruption: &Interruption) -> bool {
    if interruption.is_main() {
        // SAFETY: attached.
        return unsafe { ffi::PyErr_CheckSignals() } < 0;
    }
    // What failed has set the exception.
    bridge::call(py, "breathe", ()).is_err()
}
