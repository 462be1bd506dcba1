//! What C code calls back: not exported.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fpenv::FpEnv;
use crate::{dispatch, interrupt, signals, thread};

/// The pthread-key destructor of a thread that entered Python.
///
/// # Safety
/// `value` is what [`thread`] set for the key.
pub(crate) unsafe extern "C" fn thread_exit(value: *mut c_void) {
    let host = FpEnv::enter();
    // A panic must not unwind into the C library.
    let _ = catch_unwind(AssertUnwindSafe(|| thread::give_back(value)));
    host.restore();
}

/// The code of signals that were sent to one thread.
const SI_TKILL: i32 = -6;

/// Whether a signal was sent to the process, not to one thread.
///
/// # Safety
/// `info` is what the system gave to a handler.
unsafe fn is_for_process(info: *const libc::siginfo_t) -> bool {
    // SAFETY: promised by the caller.
    unsafe { info.as_ref() }.is_none_or(|info| info.si_code != SI_TKILL)
}

/// The handler of SIGINT where signals are kept the host's.
///
/// # Safety
/// Called by the system.
pub(crate) unsafe extern "C" fn interrupted(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives it.
    let process = unsafe { is_for_process(info) };
    if !interrupt::take_signal(process) {
        // SAFETY: the arguments are the handler's. The host may go on elsewhere and not return.
        unsafe { signals::pass_on(signal, info, context) };
    }
}

/// Call the function of `host`, which the host has installed for `signal`.
///
/// # Safety
/// The arguments are those of a handler, and `host` has a function.
pub(crate) unsafe fn handle(
    host: &libc::sigaction,
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    // SAFETY: what the host installed takes these arguments, as its flags say.
    unsafe {
        if host.sa_flags & libc::SA_SIGINFO != 0 {
            let function: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) =
                std::mem::transmute(host.sa_sigaction);
            function(signal, info, context);
        } else {
            let function: extern "C" fn(i32) = std::mem::transmute(host.sa_sigaction);
            function(signal);
        }
    }
}

/// The handler of signals that wait for Python to return.
///
/// # Safety
/// Called by the system.
pub(crate) unsafe extern "C" fn held(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives it.
    let process = unsafe { is_for_process(info) };
    if !thread::of_handler().is_some_and(|thread| thread.interruption.hold(signal, process)) {
        // SAFETY: the arguments are the handler's. The host may go on elsewhere and not return.
        unsafe { signals::pass_on(signal, info, context) };
    }
}

/// The handler of SIGPIPE where signals are kept the host's.
///
/// # Safety
/// Called by the system.
pub(crate) unsafe extern "C" fn pipe_broken(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    if thread::of_handler().is_some_and(thread::Thread::is_in_host) {
        // SAFETY: the arguments are the handler's.
        unsafe { signals::pass_on(signal, info, context) };
    }
}

/// The handler of the signal that wakes a system call.
pub(crate) extern "C" fn woken(_signal: i32) {}

/// What a child of this process does first: see [`dispatch::note_fork`].
pub(crate) extern "C" fn forked() {
    dispatch::note_fork();
}

/// The destructor of the capsule by which a thread learns that Python deletes its thread state.
///
/// # Safety
/// `capsule` is one that [`thread`] made.
pub(crate) unsafe extern "C" fn state_deleted(capsule: *mut pyo3::ffi::PyObject) {
    // SAFETY: promised by the caller; the thread's entry outlives its state.
    unsafe {
        let thread = pyo3::ffi::PyCapsule_GetPointer(capsule, c"pyrite.thread".as_ptr());
        if let Some(thread) = thread.cast::<thread::Thread>().as_ref() {
            thread.state_deleted();
        }
    }
}
