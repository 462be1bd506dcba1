//! The process's signals. They are the host's: what Python installs is put back, and SIGINT goes to Python
//! only while a thread is in it.

use std::cell::UnsafeCell;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::Relaxed};

use pyo3::prelude::*;

use crate::api::callbacks;
use crate::bridge::{self, Hook};
use crate::fault::Fault;

pub(crate) mod child;
pub(crate) mod held;
pub(crate) mod mask;
pub(crate) mod vital;

/// What is done at `signal` now.
fn action(signal: i32) -> Option<libc::sigaction> {
    // SAFETY: an all-zero sigaction is valid; with no new action, the call only reads.
    unsafe {
        let mut action = zeroed::<libc::sigaction>();
        (libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0).then_some(action)
    }
}

fn set_action(signal: i32, action: &libc::sigaction) {
    // SAFETY: the action is valid. The kernel refuses SIGKILL and SIGSTOP, which is fine.
    unsafe { libc::sigaction(signal, action, null_mut()) };
}

/// Whether `action` calls a function.
fn is_handled(action: &libc::sigaction) -> bool {
    action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN
}

/// The process's signal handlers and this thread's signal stack, which belong to the host.
pub(crate) struct Handlers {
    actions: Vec<(i32, libc::sigaction)>,
    stack: libc::stack_t,
}

impl Handlers {
    pub(crate) fn save() -> Self {
        // SAFETY: an all-zero stack_t is valid; with no new stack, the call only reads.
        let stack = unsafe {
            let mut stack = zeroed::<libc::stack_t>();
            libc::sigaltstack(std::ptr::null(), &raw mut stack);
            stack
        };
        Self {
            actions: (1..32)
                .filter_map(|signal| Some((signal, action(signal)?)))
                .collect(),
            stack,
        }
    }

    pub(crate) fn restore(&self) {
        // SAFETY: puts back what was there.
        unsafe { libc::sigaltstack(&raw const self.stack, null_mut()) };
        for (signal, action) in &self.actions {
            set_action(*signal, action);
        }
    }

    /// What the host does at those of `signals` that it handles.
    fn handled<'a>(&'a self, signals: &'a [i32]) -> impl Iterator<Item = &'a (i32, libc::sigaction)> {
        let wanted = self.actions.iter().filter(|(signal, _)| signals.contains(signal));
        wanted.filter(|(_, action)| is_handled(action))
    }

    /// The signals without which the host cannot go on, and which it handles.
    fn vital(&self) -> Vec<i32> {
        const OTHERS: [i32; 5] = [
            libc::SIGURG,
            libc::SIGPIPE,
            libc::SIGPROF,
            libc::SIGALRM,
            libc::SIGPWR,
        ];
        let handled = self.handled(&vital::SIGNALS).chain(self.handled(&OTHERS));
        handled.map(|(signal, _)| *signal).collect()
    }
}

/// What the host does at a signal, for the handler that is in its place.
struct HostAction(UnsafeCell<Option<libc::sigaction>>);

// SAFETY: written with the GIL held, before the handler is installed that reads it, and again only when
// the host has replaced that handler.
unsafe impl Sync for HostAction {}

static HOST_ACTION: HostAction = HostAction(UnsafeCell::new(None));
/// The same for SIGPIPE.
static HOST_PIPE_ACTION: HostAction = HostAction(UnsafeCell::new(None));

/// Whether signals are to be kept the host's.
static KEPT: AtomicBool = AtomicBool::new(false);
/// The address of Python's handler.
static PYTHON_HANDLER: AtomicUsize = AtomicUsize::new(0);

fn our_handler() -> usize {
    callbacks::interrupted as *const () as usize
}

/// Python code has taken SIGINT.
fn changed(_py: Python<'_>) {
    if are_kept() {
        take_interrupt();
    }
}

/// Keep signals the host's from now on: `handlers` are the host's. On the thread that starts Python.
pub(crate) fn keep(py: Python<'_>, handlers: &Handlers) -> Result<(), Fault> {
    let changed = Hook::new(py, changed)?;
    let (hooks, masking) = (child::hooks(py)?, Bound::new(py, mask::Masking)?);
    bridge::call(py, "keep_signals", (handlers.vital(), changed, hooks, masking))?;
    if let Some(action) = action(libc::SIGINT) {
        PYTHON_HANDLER.store(action.sa_sigaction, Relaxed);
    }
    vital::note(handlers);
    KEPT.store(true, Relaxed);
    Ok(())
}

/// Whether [`keep`] was called.
pub(crate) fn are_kept() -> bool {
    KEPT.load(Relaxed)
}

/// Have our handler called at SIGINT, and by that what the host has for it.
pub(crate) fn take_interrupt() {
    let Some(now) = action(libc::SIGINT) else { return };
    if now.sa_sigaction == our_handler() {
        return;
    }
    // SAFETY: see `HostAction`.
    let host = unsafe { &mut *HOST_ACTION.0.get() };
    if host.is_none() || now.sa_sigaction != PYTHON_HANDLER.load(Relaxed) {
        *host = Some(now);
    }
    if let Some(host) = host {
        put_before(libc::SIGINT, *host, our_handler(), 0);
    }
}

/// Have `handler`, which takes what handlers with `SA_SIGINFO` do, called at `signal`, for which the host does
/// `host`. `flags` are more than the host's.
fn put_before(signal: i32, host: libc::sigaction, handler: usize, flags: i32) {
    let mut action = host;
    action.sa_sigaction = handler;
    action.sa_flags |= libc::SA_SIGINFO | flags;
    set_action(signal, &action);
}

/// Have broken pipes be no signals in Python, whose code gets an error then, and on Python's own threads, on
/// which the host's handler may not be able to run.
pub(crate) fn take_broken_pipe() {
    if let Some(host) = action(libc::SIGPIPE).filter(|host| host.sa_sigaction != libc::SIG_IGN) {
        // SAFETY: see `HostAction`.
        unsafe { *HOST_PIPE_ACTION.0.get() = Some(host) };
        let handler = callbacks::pipe_broken as *const () as usize;
        put_before(libc::SIGPIPE, host, handler, libc::SA_ONSTACK);
    }
}

/// Whether the host has a function for SIGINT.
fn host_handles() -> bool {
    // SAFETY: see `HostAction`.
    unsafe { (*HOST_ACTION.0.get()).as_ref() }.is_some_and(is_handled)
}

/// Do what the host does at a signal that is taken: for the handler, whose arguments these are.
///
/// # Safety
/// Called by the handler.
pub(crate) unsafe fn pass_on(signal: i32, info: *mut libc::siginfo_t, context: *mut std::ffi::c_void) {
    let host = match signal {
        libc::SIGINT => &HOST_ACTION,
        libc::SIGPIPE => &HOST_PIPE_ACTION,
        _ => match held::host_action(signal) {
            Some(host) => host,
            None => return,
        },
    };
    // SAFETY: see `HostAction`; what the host installed takes these arguments.
    unsafe {
        let Some(host) = &*host.0.get() else { return };
        match host.sa_sigaction {
            libc::SIG_IGN => {}
            libc::SIG_DFL => {
                set_action(signal, host);
                libc::raise(signal);
            }
            _ => callbacks::handle(host, signal, info, context),
        }
    }
}

/// What of the host's is to be done on a thread that has left Python.
#[derive(Clone, Copy, Default)]
pub(crate) struct Forward {
    /// Whether its handler of SIGINT is to be called.
    pub(crate) interrupt: bool,
    /// Signals that wait, a bit for each.
    pub(crate) held: mask::Set,
}

impl Forward {
    #[inline]
    pub(crate) fn run(self) {
        if self.held != 0 {
            held::send(self.held);
        }
        if self.interrupt {
            forward_interrupt();
        }
    }
}

/// Have the host's handler of SIGINT, if there is a function, run on this thread.
#[cold]
fn forward_interrupt() {
    if host_handles() {
        // SAFETY: our handler, or one that took its place, is installed.
        unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGINT) };
    }
}

/// The signal that wakes what sleeps in the kernel; 0 when there is none.
static WAKE: AtomicI32 = AtomicI32::new(0);

/// Find a signal that nobody uses, and have nothing done at it but that system calls return, unless that was done.
pub(crate) fn prepare_wake() {
    if WAKE.load(Relaxed) != 0 {
        return;
    }
    #[cfg(target_os = "linux")]
    let signals = (libc::SIGRTMIN() + 5..libc::SIGRTMAX()).rev();
    #[cfg(not(target_os = "linux"))]
    let signals = [libc::SIGUSR1].into_iter();
    for signal in signals {
        if action(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_DFL) {
            // SAFETY: all zero is an empty mask and no flags.
            let mut action = unsafe { zeroed::<libc::sigaction>() };
            action.sa_sigaction = callbacks::woken as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            set_action(signal, &action);
            WAKE.store(signal, Relaxed);
            return;
        }
    }
}

/// Wake `thread`, which lives.
pub(crate) fn send_wake(thread: libc::pthread_t) {
    let signal = WAKE.load(Relaxed);
    if signal != 0 {
        // SAFETY: promised by the caller; a handler is there.
        unsafe { libc::pthread_kill(thread, signal) };
    }
}

/// What `body` gives, while this thread takes no signals.
pub(crate) fn with_all_blocked<T>(body: impl FnOnce() -> T) -> T {
    let before = mask::change(libc::SIG_SETMASK, mask::ALL);
    let value = body();
    mask::change(libc::SIG_SETMASK, before);
    value
}
