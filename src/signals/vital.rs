//! The handlers on which memory faults and the host's collector depend. Python code cannot take these signals, but
//! C code that calls the system can: that is found out when an entry that may have loaded such code is over, and
//! after every 256th.

use std::sync::OnceLock;

use super::{action, is_handled, set_action};

const SIGNALS: [i32; 6] = [
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGTRAP,
    libc::SIGUSR2,
];

/// What the host does at those that it handles.
static HOST: OnceLock<Vec<(i32, libc::sigaction)>> = OnceLock::new();

/// Note what is to be kept: of `actions`, which are the host's.
pub(super) fn note(actions: &[(i32, libc::sigaction)]) {
    let vital = actions.iter().filter(|(signal, _)| SIGNALS.contains(signal));
    HOST.get_or_init(|| vital.filter(|(_, action)| is_handled(action)).copied().collect());
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
