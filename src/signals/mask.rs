//! The signal masks of the host's threads: what Python code makes of one is undone when the entry is over.
//!
//! A host may change its mask itself meanwhile: SBCL, when a signal comes that it cannot handle at once, blocks
//! all such signals until it has, and does not go on from another one before that. So only a mask that is just
//! as Python code left it is put back, and what the host blocks stays blocked.

use std::mem::zeroed;

use pyo3::prelude::*;

use crate::thread::{self, Thread};

/// A set of signals, a bit for each.
pub(crate) type Set = u64;

/// What Python code has done with a thread's mask.
#[derive(Clone, Copy)]
pub(crate) struct Masks {
    /// What it was before.
    host: Set,
    /// What Python code wants.
    python: Set,
}

pub(crate) const fn bit(signal: i32) -> Set {
    1 << (signal - 1)
}

/// The signals in `set`.
pub(super) fn signals(set: Set) -> impl Iterator<Item = i32> {
    (1..65).filter(move |&signal| set & bit(signal) != 0)
}

/// What the kernel or the C library do not block.
const NEVER: [i32; 4] = [libc::SIGKILL, libc::SIGSTOP, 32, 33];

/// All signals, as far as they can be blocked.
pub(super) const ALL: Set = !0;

/// Change the calling thread's mask by `set`, as `pthread_sigmask` does by `how`: the mask before, of the same
/// moment.
pub(super) fn change(how: i32, set: Set) -> Set {
    // SAFETY: both sets are ours.
    unsafe {
        let (mut mask, mut before) = (zeroed::<libc::sigset_t>(), zeroed::<libc::sigset_t>());
        libc::sigemptyset(&raw mut mask);
        for signal in signals(set) {
            libc::sigaddset(&raw mut mask, signal);
        }
        libc::pthread_sigmask(how, &raw const mask, &raw mut before);
        signals(ALL)
            .filter(|&signal| libc::sigismember(&raw const before, signal) == 1)
            .map(bit)
            .sum()
    }
}

/// The calling thread's mask.
fn current() -> Set {
    change(libc::SIG_BLOCK, 0)
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

    /// Note that the mask is to be changed by `numbers`; which of them have to stay blocked.
    #[allow(clippy::unused_self)]
    fn note(&self, how: i32, numbers: Vec<i32>) -> Vec<i32> {
        let valid = numbers.iter().filter(|signal| (1..65).contains(*signal));
        let change = valid.fold(0, |set, &signal| set | bit(signal));
        let blocked = note(thread::current(), how, change);
        signals(blocked).collect()
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
    // A signal may not come between the look and the change: hosts have handlers that change the mask for good.
    let current = change(libc::SIG_BLOCK, ALL);
    let untouched = current == masks.python;
    change(libc::SIG_SETMASK, if untouched { masks.host } else { current });
    if untouched {
        thread.mask.set(None);
    }
    untouched
}
