//! Signals that wait for Python to return, as they would wait in the host.
//!
//! SBCL, which cannot handle a signal while a foreign function runs, blocks all signals of that kind until it
//! has: children that Python code starts meanwhile would not be ended by SIGTERM. So the host does not see them
//! before the entry is over.

use std::cell::UnsafeCell;

use super::{HostAction, action, is_handled, put_before};
use crate::api::callbacks;

/// What hosts handle at their convenience.
const HELD: [i32; 9] = [
    libc::SIGALRM,
    libc::SIGCHLD,
    libc::SIGHUP,
    libc::SIGIO,
    libc::SIGTERM,
    libc::SIGURG,
    libc::SIGUSR1,
    libc::SIGVTALRM,
    libc::SIGWINCH,
];

/// What the host does at each.
static HOST_ACTIONS: [HostAction; HELD.len()] = [const { HostAction(UnsafeCell::new(None)) }; HELD.len()];

/// What the host does at `signal`, if it is one of these.
pub(super) fn host_action(signal: i32) -> Option<&'static HostAction> {
    let place = HELD.iter().position(|&held| held == signal)?;
    HOST_ACTIONS.get(place)
}

/// Have our handler called at those signals for which the host has one.
pub(crate) fn take() {
    for (signal, host) in HELD.into_iter().zip(&HOST_ACTIONS) {
        let Some(now) = action(signal).filter(is_handled) else {
            continue;
        };
        let ours = callbacks::held as *const () as usize;
        if now.sa_sigaction != ours {
            // SAFETY: see `HostAction`.
            unsafe { *host.0.get() = Some(now) };
            put_before(signal, now, ours, 0);
        }
    }
}

/// Send this thread the signals of `set`, a bit for each.
#[cold]
pub(crate) fn send(set: u32) {
    for signal in HELD.into_iter().filter(|signal| set & (1 << signal) != 0) {
        // SAFETY: a handler is installed.
        unsafe { libc::pthread_kill(libc::pthread_self(), signal) };
    }
}
