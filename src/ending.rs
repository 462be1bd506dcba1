//! What Python does at the end of a process, without ending: the interpreter is never finalized.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::{bridge, guard, interp, thread};

/// Whether the end was begun.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// Wait up to `patience` for Python's threads, run its exit functions, flush its streams. Once a process.
pub(crate) fn end(patience: Duration) {
    if !interp::exists() || interp::is_dead() || BEGUN.swap(true, Ordering::AcqRel) {
        return;
    }
    let this = thread::current();
    if this.is_attached() || this.is_inside() || can_enter(patience) {
        guard::enter_unchecked(|py| bridge::call(py, "end", (patience.as_secs_f64(),)).map(drop));
    }
}

/// Whether the GIL can be had within `patience`: somebody may hold it for good.
fn can_enter(patience: Duration) -> bool {
    let (done, wait) = mpsc::channel();
    let probe = move || {
        guard::enter_unchecked(|_| Ok(()));
        // Who waited may have stopped waiting.
        let _ = done.send(());
    };
    let probe = std::thread::Builder::new()
        .name("pyrite end".to_owned())
        .spawn(probe);
    probe.is_ok() && wait.recv_timeout(patience).is_ok()
}
