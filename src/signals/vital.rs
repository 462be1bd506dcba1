//! The handlers on which memory faults and the host's collector depend. Python code cannot take these signals, but
//! C code that calls the system can: that is found out when an entry is over that has loaded modules or executed
//! statements, and after every 256th.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

use pyo3::{Python, ffi};

use super::{Handlers, action, set_action};
use crate::bridge;

/// Those signals.
pub(super) const SIGNALS: [i32; 6] = [
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGTRAP,
    libc::SIGUSR2,
];

/// What the host does at those that it handles.
static HOST: OnceLock<Vec<(i32, libc::sigaction)>> = OnceLock::new();

/// How many modules there were when [`has_loaded`] was asked last.
static MODULES: AtomicIsize = AtomicIsize::new(0);

/// Note what is to be kept of `handlers`, which are the host's.
pub(super) fn note(handlers: &Handlers) {
    HOST.get_or_init(|| handlers.handled(&SIGNALS).copied().collect());
}

/// Whether modules were loaded since this was asked last.
#[inline]
pub(crate) fn has_loaded(_py: Python<'_>) -> bool {
    // SAFETY: attached; the dictionary lives for good.
    let modules = unsafe { ffi::PyDict_Size(bridge::modules_dict()) };
    // Under the GIL: nobody comes between.
    let new = modules != MODULES.load(Relaxed);
    if new {
        MODULES.store(modules, Relaxed);
    }
    new
}

/// Put back what was taken.
#[cold]
pub(crate) fn keep() {
    for (signal, host) in HOST.get().into_iter().flatten() {
        if action(*signal).is_some_and(|now| now.sa_sigaction != host.sa_sigaction) {
            set_action(*signal, host);
        }
    }
}
