//! The signal masks of the host's threads: what Python code makes of one is undone when the entry is over.
//!
//! A host may change its mask itself meanwhile: SBCL, when a signal comes that it cannot handle at once, blocks
//! all such signals until it has, and does not go on from another one before that. So only a mask that is just
//! as Python code left it is put back, and what the host blocks stays blocked.

use std::mem::zeroed;
use std::ptr::null_mut;

use pyo3::prelude::*;

use crate::thread::{self, Thread};

/// A set of signals, a bit for each.
type Set = u64;

/// What Python code has done with a thread's mask.
#[derive(Clone, Copy)]
pub(crate) struct Masks {
    /// What it was before.
    host: Set,
    /// What Python code wants.
    python: Set,
}

fn bit(signal: i32) -> Set {
    1 << (signal - 1)
}

/// What the kernel or the C library do not block.
const NEVER: [i32; 4] = [libc::SIGKILL, libc::SIGSTOP, 32, 33];

/// The calling thread's mask.
fn current() -> Set {
    // SAFETY: an all-zero set is valid; with no new mask, the call only reads.
    unsafe {
        let mut mask = zeroed::<libc::sigset_t>();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask);
        (1..65)
            .filter(|&signal| libc::sigismember(&raw const mask, signal) == 1)
            .map(bit)
            .sum()
    }
}

fn set_current(set: Set) {
    // SAFETY: the set is ours.
    unsafe {
        let mut mask = zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut mask);
        for signal in (1..65).filter(|&signal| set & bit(signal) != 0) {
            libc::sigaddset(&raw mut mask, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, null_mut());
    }
}

/// What `bridge.py` asks before it changes a thread's mask.
#[pyclass(module = "_pyrite", frozen)]
pub(super) struct Masking;

#[pymethods]
impl Masking {
    /// Whether the mask is one of the host's.
    #[allow(clippy::unused_self)]
    fn is_host(&self) -> bool {
        thread::current().is_inside()
    }

    /// Note that the mask is to be changed by `signals`; which of them have to stay blocked.
    #[allow(clippy::unused_self)]
    fn note(&self, how: i32, signals: Vec<i32>) -> Vec<i32> {
        let valid = signals.iter().filter(|signal| (1..65).contains(*signal));
        let change = valid.fold(0, |set, &signal| set | bit(signal));
        let blocked = note(thread::current(), how, change);
        (1..65).filter(|&signal| blocked & bit(signal) != 0).collect()
    }
}

/// As [`Masking::note`], for `thread`, this one.
fn note(thread: &Thread, how: i32, change: Set) -> Set {
    let first = thread.interruption.note_mask();
    let mut masks = match thread.mask.get().filter(|_| !first) {
        Some(masks) => masks,
        None => {
            let host = current();
            Masks { host, python: host }
        }
    };
    // What neither Python code nor the host before it has blocked, the host has since.
    let blocked = current() & !masks.python & !masks.host;
    masks.python = match how {
        libc::SIG_BLOCK => masks.python | change,
        libc::SIG_UNBLOCK => masks.python & !change,
        _ => change,
    };
    masks.python &= !NEVER.into_iter().map(bit).sum::<Set>();
    thread.mask.set(Some(masks));
    blocked
}

/// Put back the mask of `thread`, this one, as it was before Python code changed it; whether that can be done
/// now.
#[cold]
pub(crate) fn restore(thread: &Thread) -> bool {
    let Some(masks) = thread.mask.get() else {
        return true;
    };
    let untouched = current() == masks.python;
    if untouched {
        set_current(masks.host);
        thread.mask.set(None);
    }
    untouched
}
