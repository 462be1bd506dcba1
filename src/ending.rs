//! What Python does at the end of a process, without ending: the interpreter is never finalized.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::{bridge, guard, interp, thread};

/// Whether the end was begun.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// How much longer than Python's threads may take the rest may.
const REST: Duration = Duration::from_secs(1);

/// Wait up to `patience` for Python's threads, run its exit functions, flush its streams. Once a process.
pub(crate) fn end(patience: Duration) {
    if !interp::exists() || BEGUN.swap(true, Ordering::AcqRel) {
        return;
    }
    let run =
        move || guard::enter_unchecked(|py| bridge::call(py, "end", (patience.as_secs_f64(),)).map(drop));
    let this = thread::current();
    if this.is_attached() || this.is_inside() {
        run();
        return;
    }
    // On a thread of its own: whoever has the GIL may not let go of it in time.
    let (done, wait) = mpsc::channel();
    let helper = std::thread::Builder::new()
        .name("pyrite end".to_owned())
        .spawn(move || {
            thread::current().set_ours();
            run();
            // Who waited may have stopped waiting.
            let _ = done.send(());
        });
    if helper.is_ok() {
        let _ = wait.recv_timeout(patience + REST);
    }
}
