//! What is to be given back, and by whom.
//!
//! Finalizers run on any thread at any time, so they only push here: no GIL, no lock, no Python.
//! Whoever next enters Python takes a bounded batch out and drops it after, holding nothing of ours,
//! because a destructor may run Python code that enters again.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};
use pyo3::ffi;

use crate::{buffer, names, objects, thread};

/// One thing to give back.
pub(crate) enum Debt {
    /// One hold of a handle.
    Handle(u64),
    /// One reference to a Python object.
    Object(ObjectPointer),
    /// One hold of a buffer.
    Buffer(u64),
    /// One hold of a name.
    Name(u64),
}

/// A counted reference on its way to the thread that will drop it.
pub(crate) struct ObjectPointer(pub(crate) *mut ffi::PyObject);

// SAFETY: the pointer is only used by the thread that drains, which holds the GIL.
unsafe impl Send for ObjectPointer {}

/// How many debts one entry pays, so that no call waits long for others' garbage: so many, and of more than that a
/// part, lest calls leave more than they pay.
const BATCH: usize = 1024;
const PART: usize = 4;

static QUEUE: LazyLock<(Sender<Debt>, Receiver<Debt>)> = LazyLock::new(unbounded);
/// How many debts are in the queue: what an entry looks at, since asking the queue itself costs more.
static PENDING: AtomicUsize = AtomicUsize::new(0);

/// Give back `debt` some time. Never blocks; any thread, with or without the GIL.
pub(crate) fn push(debt: Debt) {
    // The receiver lives as long as the process: sending cannot fail.
    let _ = QUEUE.0.send(debt);
    PENDING.fetch_add(1, Ordering::Release);
}

/// How many debts wait.
pub(crate) fn pending() -> usize {
    PENDING.load(Ordering::Relaxed)
}

/// Pay a batch of debts. The calling thread is attached.
#[inline]
pub(crate) fn drain() {
    if PENDING.load(Ordering::Relaxed) != 0 {
        thread::current().pay(drain_batch);
    }
}

#[cold]
fn drain_batch() {
    let (mut dead, mut buffers, mut forgotten) = (Vec::new(), Vec::new(), Vec::new());
    let pending = PENDING.load(Ordering::Acquire);
    for debt in QUEUE.1.try_iter().take(pending.min(BATCH.max(pending / PART))) {
        PENDING.fetch_sub(1, Ordering::Relaxed);
        match debt {
            // A stale handle owes nothing.
            Debt::Handle(handle) => dead.extend(objects::take(handle)),
            Debt::Object(ObjectPointer(object)) => dead.push(object),
            Debt::Buffer(id) => buffers.extend(buffer::take(id).ok().flatten()),
            Debt::Name(name) => forgotten.extend(names::take(name)),
        }
    }
    drop((buffers, forgotten));
    for object in dead {
        // SAFETY: attached; the reference is ours, from the table or from a result.
        unsafe { ffi::Py_DECREF(object) };
    }
}
