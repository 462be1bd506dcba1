//! Signals that wait for Python to return, as they would wait in the host.
//!
//! SBCL, which cannot handle a signal while a foreign function runs, blocks all signals of that kind until it
//! has: children that Python code starts meanwhile would not be ended by SIGTERM. So the host does not see them
//! before the entry is over, or, if they came to the process, a thread that waits for questions takes them: Lisp's
//! timers go on meanwhile. The signal by which it interrupts its threads ends the Python code, too.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

use super::{HostAction, action, is_handled, mask, put_before};
use crate::api::callbacks;
use crate::dispatch;

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

/// What the host does at each, and at the one by which it interrupts.
static HOST_ACTIONS: [HostAction; HELD.len() + 1] =
    [const { HostAction(UnsafeCell::new(None)) }; HELD.len() + 1];

/// The signal by which the host interrupts its threads; 0 when there is none.
static INTERRUPT: AtomicI32 = AtomicI32::new(0);

/// The signals to the process that came to a thread in Python, and that another thread is to take.
static HANDED_OVER: AtomicU64 = AtomicU64::new(0);

/// Have another thread take the signals of `set`. For signal handlers, which wake who calls [`pass_over`].
pub(crate) fn hand_over(set: mask::Set) {
    HANDED_OVER.fetch_or(set, Relaxed);
}

/// Send what was handed over to a thread of the host's that waits for questions, or to the process unless Python
/// `runs`; false when some of it has to wait.
pub(crate) fn pass_over(runs: impl Fn() -> bool) -> bool {
    let set = HANDED_OVER.swap(0, Relaxed);
    for signal in mask::signals(set).filter(|&signal| !dispatch::signal(signal)) {
        if runs() {
            hand_over(mask::bit(signal));
        } else {
            // SAFETY: a handler is installed.
            unsafe { libc::kill(libc::getpid(), signal) };
        }
    }
    HANDED_OVER.load(Relaxed) == 0
}

/// Whether the host interrupts its threads by `signal`.
pub(crate) fn is_interrupt(signal: i32) -> bool {
    signal == INTERRUPT.load(Relaxed)
}

/// All of them.
fn all() -> impl Iterator<Item = i32> {
    HELD.into_iter().chain(std::iter::once(INTERRUPT.load(Relaxed)))
}

/// What the host does at `signal`, if it is one of these.
pub(super) fn host_action(signal: i32) -> Option<&'static HostAction> {
    let place = all().position(|held| held == signal)?;
    HOST_ACTIONS.get(place)
}

/// Have our handler called at those signals for which the host has one. The host interrupts by `interrupt`.
pub(crate) fn take(interrupt: i32) {
    INTERRUPT.store(interrupt, Relaxed);
    for (signal, host) in all().zip(&HOST_ACTIONS) {
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

/// Send this thread the signals of `set`.
#[cold]
pub(crate) fn send(set: mask::Set) {
    for signal in mask::signals(set) {
        // SAFETY: a handler is installed.
        unsafe { libc::pthread_kill(libc::pthread_self(), signal) };
    }
}
