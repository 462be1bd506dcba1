//! Signals in the children that Python code forks.
//!
//! The host's functions cannot run there, and would keep a child from ending (`Process.terminate` of
//! multiprocessing sends SIGTERM). So signals do what they do in a program without a host, until the code that
//! forked returns to the host, if it does so in the child, too.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use super::{Handlers, KEPT, PYTHON_HANDLER, is_handled, set_action};
use crate::bridge::Hook;
use crate::interrupt;

/// What the host did at its signals when this process was forked.
static HOST_ACTIONS: Mutex<Vec<(i32, libc::sigaction)>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether Python code on this thread is about to fork.
    static FORKS: Cell<bool> = const { Cell::new(false) };
}

/// What is to be called before a fork and after it, in the parent and in the child.
///
/// No signals are blocked meanwhile: a mask that is put back may be another than the host's by then.
pub(super) fn hooks(py: Python<'_>) -> PyResult<[Bound<'_, Hook>; 2]> {
    Ok([
        Hook::new(py, |_| FORKS.set(true))?,
        Hook::new(py, |_| FORKS.set(false))?,
    ])
}

/// What a child does first: if it is one of Python code's, [`release`]. A signal that came before would do what
/// it does in the host.
pub(crate) fn begin() {
    if FORKS.get() {
        release();
    }
}

/// Have signals do what they do without a host. What Python code has taken stays.
fn release() {
    KEPT.store(false, Relaxed);
    let python = PYTHON_HANDLER.load(Relaxed);
    let actions = Handlers::save().actions.into_iter();
    let mut host = HOST_ACTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    *host = actions
        .filter(|(_, action)| is_handled(action) && action.sa_sigaction != python)
        .collect();
    for (signal, action) in host.iter() {
        let mut action = *action;
        // Python has an exception for what SIGPIPE tells.
        action.sa_sigaction = if *signal == libc::SIGPIPE {
            libc::SIG_IGN
        } else {
            libc::SIG_DFL
        };
        action.sa_flags = 0;
        set_action(*signal, &action);
    }
    interrupt::note_fork();
}

/// Give the host its signals back.
#[cold]
pub(crate) fn return_to_host() {
    for (signal, action) in HOST_ACTIONS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .drain(..)
    {
        set_action(signal, &action);
    }
    KEPT.store(true, Relaxed);
}
