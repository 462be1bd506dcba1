//! Signals in the children that Python code forks.
//!
//! The host's functions cannot run there, and would keep a child from ending (`Process.terminate` of
//! multiprocessing sends SIGTERM). So signals do what they do in a program without a host, until the code that
//! forked returns to the host, if it does so in the child, too.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use super::{Handlers, KEPT, PYTHON_HANDLER, is_handled, mask, set_action, vital};
use crate::bridge::Hook;
use crate::interrupt;

/// What the host did at its signals when this process was forked.
static HOST_ACTIONS: Mutex<Vec<(i32, libc::sigaction)>> = Mutex::new(Vec::new());

thread_local! {
    /// The signals that this thread blocked before it forks.
    static MASK: Cell<Option<mask::Set>> = const { Cell::new(None) };
}

/// What is to be called before a fork, in the parent, and in the child.
pub(super) fn hooks(py: Python<'_>) -> PyResult<[Bound<'_, Hook>; 3]> {
    Ok([
        Hook::new(py, block)?,
        Hook::new(py, unblock)?,
        Hook::new(py, release)?,
    ])
}

/// What is not held back beside the vital signals: other collectors of garbage stop threads by these.
const OF_COLLECTORS: [i32; 2] = [libc::SIGPWR, libc::SIGXCPU];

/// Have signals wait: a child that got one now would do with it as the host does. All of them, since a host that
/// gets one may block others until it has seen to it, which undoing this here would undo.
fn block(_py: Python<'_>) {
    let held = vital::SIGNALS
        .into_iter()
        .chain(OF_COLLECTORS)
        .fold(mask::ALL, |set, signal| set & !mask::bit(signal));
    MASK.set(Some(mask::change(libc::SIG_BLOCK, held)));
}

fn unblock(_py: Python<'_>) {
    if let Some(before) = MASK.take() {
        mask::change(libc::SIG_SETMASK, before);
    }
}

/// Have signals do what they do without a host. What Python code has taken stays.
fn release(_py: Python<'_>) {
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
