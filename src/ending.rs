//! What Python does at the end of a process, without ending: the interpreter is never finalized by us, though
//! it may be by a host that started it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pyo3::Python;

use crate::{bridge, dispatch, guard, interp, interrupt, thread};

/// Whether the end was begun.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// Wait up to `patience` for Python's threads, run its exit functions, flush its streams. Once a process.
pub(crate) fn end(patience: Duration) {
    if !interp::exists() || interp::is_finalized() || BEGUN.swap(true, Ordering::AcqRel) {
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

/// How long finalization waits for calls that run.
const PATIENCE: Duration = Duration::from_secs(5);

/// Python is about to be finalized: keep everybody out, and wait for who is in. A thread that wants the GIL later
/// would be ended by Python, whatever runs on it.
pub(crate) fn finalizing(py: Python<'_>) {
    interp::finalize();
    if dispatch::is_forked() {
        // The threads that were in are not in this process.
        return;
    }
    py.detach(|| {
        let end = Instant::now() + PATIENCE;
        // Who comes in notes so before it looks whether it may: by the first look, all have seen that.
        loop {
            std::thread::sleep(Duration::from_millis(1));
            if !interrupt::is_another_inside() || Instant::now() > end {
                return;
            }
        }
    });
}
