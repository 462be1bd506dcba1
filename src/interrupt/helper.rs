//! The thread that delivers requests. It takes no signals, and runs no code but what is here.
//!
//! A request waits while a thread is in Python's own code of imports: an exception there may come between the
//! taking of a lock and what would give it back, and then nobody could import any more. So it does while a thread
//! begins another, which up to Python 3.11 has its number at first, and would get what is for it.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::{Python, ffi};

use super::{BY_LIMIT, Listed, PATIENCE, State, interp, signals, state};
use crate::abi::PYR_START_FAILED;
use crate::bridge;
use crate::fault::Record;
use crate::fpenv::FpEnv;
use crate::thread::Thread;

/// How long to wait before what was requested is looked at again.
const PAUSE: Duration = Duration::from_millis(20);
/// The same, when it has to wait for the end of an import.
const SHORT_PAUSE: Duration = Duration::from_millis(1);

/// The pipe by which it is woken: where it reads, and where others write.
static PIPE: OnceLock<[i32; 2]> = OnceLock::new();
/// Held by who makes the thread.
static MAKING: Mutex<()> = Mutex::new(());

/// Have the thread run. What fails for want of something can be tried again.
pub(crate) fn start() -> Result<(), Record> {
    if PIPE.get().is_some() {
        return Ok(());
    }
    let failed = || {
        Record::plain(
            PYR_START_FAILED,
            "the thread that interrupts Python cannot be made",
        )
    };
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if PIPE.get().is_none() {
        let pipe = make().ok_or_else(failed)?;
        let _ = PIPE.set(pipe);
    }
    Ok(())
}

fn make() -> Option<[i32; 2]> {
    let mut pipe = [0; 2];
    // SAFETY: the array has room for both; the numbers are those of open files.
    unsafe {
        if libc::pipe(pipe.as_mut_ptr()) != 0 {
            return None;
        }
        for end in pipe {
            libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK);
        }
    }
    signals::prepare_wake();
    let made = signals::with_all_blocked(|| {
        let name = "pyrite interrupts".to_owned();
        std::thread::Builder::new()
            .name(name)
            .stack_size(256 * 1024)
            .spawn(move || run(pipe[0]))
    });
    if made.is_ok() {
        return Some(pipe);
    }
    for end in pipe {
        // SAFETY: nobody else has it.
        unsafe { libc::close(end) };
    }
    None
}

/// Have the thread look at once. May be called by signal handlers: `errno` is the interrupted code's.
pub(crate) fn wake() {
    if let Some(pipe) = PIPE.get() {
        // SAFETY: the byte lives; a full pipe, which wakes as well, takes nothing; the place is this thread's.
        unsafe {
            let errno = errno();
            let before = *errno;
            libc::write(pipe[1], [0u8].as_ptr().cast(), 1);
            *errno = before;
        }
    }
}

/// Where `errno` of the calling thread is.
fn errno() -> *mut i32 {
    // SAFETY: gives an address.
    unsafe {
        #[cfg(target_os = "macos")]
        return libc::__error();
        #[cfg(not(target_os = "macos"))]
        libc::__errno_location()
    }
}

/// Wait until somebody wakes this thread, or `patience` is over.
fn wait(pipe: i32, patience: Option<Duration>) {
    let milliseconds = patience.map_or(-1, |patience| {
        i32::try_from(patience.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
    });
    let mut poll = libc::pollfd {
        fd: pipe,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut bytes = [0u8; 64];
    // SAFETY: both buffers are ours.
    unsafe {
        libc::poll(&raw mut poll, 1, milliseconds);
        while libc::read(pipe, bytes.as_mut_ptr().cast(), bytes.len()) > 0 {}
    }
}

fn run(pipe: i32) {
    FpEnv::enter();
    loop {
        let (mut patience, deliver) = state().look();
        if deliver && interp::is_running() {
            if !deliver_requests() {
                patience = Some(SHORT_PAUSE);
            }
            state().wake_sleepers();
        }
        if !signals::held::pass_over(|| state().is_any_in_python()) {
            patience = Some(patience.unwrap_or(PAUSE).min(PAUSE));
        }
        wait(pipe, patience);
    }
}

impl State {
    /// Note which limits are over. When to look again, and whether there is something to deliver.
    fn look(&mut self) -> (Option<Duration>, bool) {
        let now = Instant::now();
        for limit in &mut self.limits {
            if now >= limit.due {
                limit.due = now + PATIENCE;
                limit.over = true;
                limit.thread.thread().interruption.request(BY_LIMIT);
            }
        }
        let deliver = self.threads.iter().any(is_wanted);
        let next = self.limits.iter().map(|limit| limit.due - now).min();
        let patience = if deliver {
            Some(next.unwrap_or(PAUSE).min(PAUSE))
        } else {
            next
        };
        (patience, deliver)
    }

    /// Whether Python runs on a thread of the host's.
    fn is_any_in_python(&self) -> bool {
        let mut threads = self.threads.iter().map(Listed::thread);
        threads.any(|thread| thread.interruption.is_in_python())
    }

    /// The number of Python's main thread, 0 when it is none of the host's.
    fn main_id(&self) -> u64 {
        let mut threads = self.threads.iter().map(Listed::thread);
        let main = threads.find(|thread| thread.interruption.is_main());
        main.map_or(0, Thread::id)
    }

    /// Have those that sleep in the kernel look for what they were told. Only Python's main thread does so.
    fn wake_sleepers(&self) {
        for listed in self.threads.iter().filter(|listed| is_wanted(listed)) {
            if listed.thread().interruption.is_main() {
                signals::send_wake(listed.thread().pthread());
            }
        }
    }
}

/// Whether something is requested of the thread.
fn is_wanted(listed: &Listed) -> bool {
    listed.thread().interruption.is_wanted()
}

/// Tell Python what was requested of the threads in it, with the GIL, so that none of them leaves meanwhile;
/// whether all could be told.
fn deliver_requests() -> bool {
    Python::attach(|py| {
        let uninterruptible = uninterruptible(py);
        let mut all = true;
        // No Python code runs from here on.
        for listed in state().threads.iter().filter(|listed| is_wanted(listed)) {
            let thread = listed.thread();
            if thread.interruption.is_in_python() {
                all &= tell(py, thread, &uninterruptible);
            }
        }
        all
    })
}

/// Tell Python what was requested of `thread`, this one, unless that must not be now.
#[cold]
pub(super) fn tell_here(py: Python<'_>, thread: &Thread) {
    if thread.interruption.is_untold() {
        tell(py, thread, &uninterruptible(py));
    }
}

/// Tell Python what was requested of `thread`, if that was not done; false when it must not be now.
fn tell(py: Python<'_>, thread: &Thread, uninterruptible: &[u64]) -> bool {
    if uninterruptible.contains(&thread.id()) || thread.interruption.is_failing() {
        return false;
    }
    if thread.interruption.deliver() {
        deliver(py, thread);
    }
    true
}

/// The numbers of the threads where no exception may come now.
fn uninterruptible(py: Python<'_>) -> Vec<u64> {
    let main = state().main_id();
    let threads = bridge::call(py, "uninterruptible", (main,));
    threads.map_or_else(|_| Vec::new(), |threads| threads.extract().unwrap_or_default())
}

/// Tell Python that `thread` is to stop.
fn deliver(_py: Python<'_>, thread: &Thread) {
    // SAFETY: attached.
    unsafe {
        if thread.interruption.is_main() {
            ffi::PyErr_SetInterrupt();
        } else {
            ffi::PyThreadState_SetAsyncExc(thread.pthread() as _, ffi::PyExc_KeyboardInterrupt);
        }
    }
}
