//! Asking Python code to stop: for C-c, for a limit of time, because another thread of the host wants it.
//!
//! A request is noted with the thread that is to stop. Python's main thread is told by
//! `PyErr_SetInterrupt`, others by `PyThreadState_SetAsyncExc`, which needs the GIL: a thread of ours, made
//! when it is first needed, sees to that, to limits, and to waking what sleeps in the kernel. The entry that
//! is over looks whether something was requested, and takes back what did not arrive: nothing is left for
//! the next one.

use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::{Python, ffi};

use crate::abi::*;
use crate::fault::Record;
use crate::signals::{Forward, mask};
use crate::thread::{self, Thread};
use crate::{bridge, dispatch, interp, kind, signals};

mod helper;
mod limits;
mod questions;

pub(crate) use limits::{end_limit, limit, tell_if_late};
pub(crate) use questions::{asking, failing};

/// A SIGINT came while the thread was in Python.
pub(crate) const BY_SIGNAL: u32 = 1;
/// Another thread asked, by `pyr_interrupt` or by the host's own signal for that.
pub(crate) const BY_HOST: u32 = 2;
/// A limit of the thread's is over. Stays until an entry has failed of it.
pub(crate) const BY_LIMIT: u32 = 4;
/// Nobody asked: the entry forked, this is the child, and its signals are to be the host's again.
const FORKED: u32 = 8;
/// Not to stop, but to have the thread's signal mask put back when the entry is over.
const MASKED: u32 = 16;
/// Nobody asked: signals wait for the entry to be over.
const HOLDS: u32 = 32;

/// What of a thread signal handlers and other threads look at.
#[derive(Default)]
pub(crate) struct Interruption {
    /// How many entries of the thread run, one inside another.
    entries: AtomicU32,
    /// How many questions to the host do.
    questions: AtomicU32,
    /// The number of the entry in which the host answers with an exception of its own, from the outermost on.
    failing: AtomicU32,
    /// Why it is to stop.
    requested: AtomicU32,
    /// The signals that wait.
    held: AtomicU64,
    /// Whether Python was told of all that was requested.
    delivered: AtomicBool,
    /// Whether it was told something.
    told: AtomicBool,
    /// Whether it is the thread on which Python runs signal handlers.
    main: AtomicBool,
}

/// Add `difference` to `number`, which only this thread changes.
#[inline]
fn add(number: &AtomicU32, difference: u32) {
    number.store(number.load(Relaxed).wrapping_add(difference), Relaxed);
}

impl Interruption {
    /// Note that an entry begins.
    #[inline]
    pub(crate) fn begin(&self) {
        add(&self.entries, 1);
    }

    /// Note that an entry is over: from now on a signal is the host's. Whether something was requested.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        add(&self.entries, u32::MAX);
        self.requested.load(Relaxed) != 0
    }

    /// Forget the entries and questions that run: they were given up.
    pub(crate) fn give_up(&self) {
        self.entries.store(0, Relaxed);
        self.questions.store(0, Relaxed);
        self.failing.store(0, Relaxed);
        self.delivered.store(false, Relaxed);
        self.told.store(false, Relaxed);
    }

    /// Have the thread stop because of `why`: once more if Python code has made nothing of what it was told.
    fn request(&self, why: u32) {
        self.requested.fetch_or(why, Relaxed);
        self.delivered.store(false, Relaxed);
    }

    /// Note that Python is told of all that was requested; false when that was done.
    fn deliver(&self) -> bool {
        let new = !self.delivered.swap(true, Relaxed);
        if new {
            self.told.store(true, Relaxed);
        }
        new
    }

    /// Whether Python is yet to be told of something.
    fn is_untold(&self) -> bool {
        !self.delivered.load(Relaxed)
    }

    /// How many entries run.
    pub(crate) fn entries(&self) -> u32 {
        self.entries.load(Relaxed)
    }

    /// Whether an entry runs.
    #[inline]
    pub(crate) fn is_inside(&self) -> bool {
        self.entries.load(Relaxed) > 0
    }

    /// Whether Python runs on the thread, in an entry, and not the host, in its answer to a question.
    pub(crate) fn is_in_python(&self) -> bool {
        self.entries.load(Relaxed) > self.questions.load(Relaxed)
    }

    /// Whether a limit is over of which no entry has failed yet.
    #[inline]
    pub(crate) fn is_late(&self) -> bool {
        self.requested.load(Relaxed) & BY_LIMIT != 0
    }

    /// Whether something asks the thread to stop.
    fn is_wanted(&self) -> bool {
        self.requested.load(Relaxed) & (BY_SIGNAL | BY_HOST | BY_LIMIT) != 0
    }

    /// Have `signal`, which came to this thread, wait until Python returns, and end Python code if it is to; have
    /// another thread take one that came to the `process`. False when it need not wait. For signal handlers.
    pub(crate) fn hold(&self, signal: i32, process: bool) -> bool {
        if !self.is_in_python() {
            return false;
        }
        if process && !dispatch::is_forked() {
            signals::held::hand_over(mask::bit(signal));
            helper::wake();
            return true;
        }
        self.held.fetch_or(mask::bit(signal), Relaxed);
        self.requested.fetch_or(HOLDS, Relaxed);
        if signals::held::is_interrupt(signal) {
            self.request(BY_HOST);
            helper::wake();
        }
        true
    }

    /// Note that Python code changes the thread's signal mask; whether that is to be put back.
    pub(crate) fn note_mask(&self) -> bool {
        self.is_in_python() && self.requested.fetch_or(MASKED, Relaxed) & MASKED == 0
    }

    /// Whether the thread is the one that started Python.
    pub(crate) fn is_main(&self) -> bool {
        self.main.load(Relaxed)
    }

    /// What a handler of SIGINT does for the thread, the calling one if `here`: false when the signal is the
    /// host's.
    fn take_signal(&self, here: bool) -> bool {
        if !self.is_in_python() {
            return false;
        }
        self.request(BY_SIGNAL);
        if here && self.main.load(Relaxed) && dispatch::is_forked() {
            // There is nobody else to do it.
            self.deliver();
            // SAFETY: made for signal handlers.
            unsafe { ffi::PyErr_SetInterrupt() };
        }
        helper::wake();
        true
    }
}

/// What a handler of SIGINT does: false when the signal is the host's. One that was sent to the `process`
/// may come to any thread, though it rarely comes to another than the main one.
pub(crate) fn take_signal(process: bool) -> bool {
    if thread::of_handler().is_some_and(|thread| thread.interruption.take_signal(true)) {
        return true;
    }
    // SAFETY: the entry of the main thread is never freed.
    let main = unsafe { MAIN.load(Acquire).as_ref() };
    process && main.is_some_and(|main| main.interruption.take_signal(false))
}

/// The thread that started Python, once it did.
static MAIN: AtomicPtr<Thread> = AtomicPtr::new(std::ptr::null_mut());

/// Note that `thread` is the one that started Python. It is to be kept.
pub(crate) fn set_main(thread: &Thread) {
    thread.interruption.main.store(true, Relaxed);
    MAIN.store(std::ptr::from_ref(thread).cast_mut(), Release);
}

/// Note that this process is a child, which the entry that runs on this thread, if any, has forked.
pub(crate) fn note_fork() {
    let interruption = &thread::current().interruption;
    if interruption.is_inside() {
        interruption.requested.fetch_or(FORKED, Relaxed);
    }
}

/// A thread that others may ask to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Listed(NonNull<Thread>);

// SAFETY: used under the lock of `State`, in which a thread is while it lives.
unsafe impl Send for Listed {}

impl Listed {
    fn thread(&self) -> &Thread {
        // SAFETY: see above.
        unsafe { self.0.as_ref() }
    }
}

/// A limit of time.
struct Limit {
    id: u64,
    thread: Listed,
    /// When the thread is to be asked to stop, next.
    due: Instant,
    /// Whether it was asked before.
    over: bool,
}

#[derive(Default)]
struct State {
    threads: Vec<Listed>,
    limits: Vec<Limit>,
    last_limit: u64,
}

static STATE: Mutex<State> = Mutex::new(State {
    threads: Vec::new(),
    limits: Vec::new(),
    last_limit: 0,
});

/// How long Python code that was asked to stop because of a limit may clean up before it is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// The state. Who waits for it may have the GIL, who has it never waits for the GIL.
fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Note that `thread` lives.
pub(crate) fn add_thread(thread: NonNull<Thread>) {
    dispatch::watch_forks();
    // In a child the lock may be held by a thread that is not there.
    if !dispatch::is_forked() {
        state().threads.push(Listed(thread));
    }
}

/// Note that `thread` ends.
pub(crate) fn remove_thread(thread: NonNull<Thread>) {
    if !dispatch::is_forked() {
        let mut state = state();
        state.threads.retain(|listed| listed.0 != thread);
        state.limits.retain(|limit| limit.thread.0 != thread);
    }
}

/// Whether an entry runs on another thread than this one.
pub(crate) fn is_another_inside() -> bool {
    let here = NonNull::from(thread::current());
    let state = state();
    let mut others = state.threads.iter().filter(|listed| listed.0 != here);
    others.any(|listed| listed.thread().interruption.is_inside())
}

/// Make what SIGINT needs.
pub(crate) fn prepare() -> Result<(), Record> {
    helper::start()
}

/// Ask the Python code that the thread with `id` runs to stop; whether it runs any.
pub(crate) fn interrupt(id: u64) -> Result<bool, Record> {
    if dispatch::is_forked() {
        return Ok(false);
    }
    helper::start()?;
    let found = {
        let state = state();
        let mut threads = state.threads.iter().map(Listed::thread);
        let thread = threads.find(|thread| thread.id() == id && thread.interruption.is_in_python());
        thread
            .map(|thread| thread.interruption.request(BY_HOST))
            .is_some()
    };
    helper::wake();
    Ok(found)
}

/// Settle what was requested of `thread` while the entry ran that is just over with `status`: its status.
#[cold]
pub(crate) fn settle(py: Python<'_>, thread: &Thread, status: pyr_status) -> (pyr_status, Forward) {
    let interruption = &thread.interruption;
    if interruption.is_in_python() {
        // It is for the entry outside of this one.
        return (status, Forward::default());
    }
    let requested = interruption.requested.swap(0, Relaxed);
    let held = interruption.held.swap(0, Relaxed);
    if requested & FORKED != 0 {
        signals::child::return_to_host();
    }
    if requested & MASKED != 0
        && (interruption.questions.load(Relaxed) > 0 || !signals::mask::restore(thread))
    {
        interruption.requested.fetch_or(MASKED, Relaxed);
    }
    let delivered = interruption.delivered.swap(false, Relaxed);
    let left = interruption.told.swap(false, Relaxed) && take_back(py, interruption);
    let pending = left || !delivered;
    let stopped = status == PYR_PYTHON_ERROR && thread.record().kind == kind::PYR_KIND_KEYBOARD_INTERRUPT;
    let interrupt = requested & BY_SIGNAL != 0 && (pending || stopped);
    let forward = Forward { interrupt, held };
    if requested & BY_LIMIT == 0 {
        return (status, forward);
    }
    if stopped && !interrupt {
        // The exception, which has the frames with all that they refer to, is of no use any more.
        thread.remember(late());
        return (PYR_TIMED_OUT, forward);
    }
    if pending || interrupt {
        interruption.requested.fetch_or(BY_LIMIT, Relaxed);
    }
    (status, forward)
}

/// Take back what Python was told and has not raised yet: whether there was something.
fn take_back(py: Python<'_>, interruption: &Interruption) -> bool {
    // SAFETY: attached; no exception is set.
    let raised = unsafe {
        if interruption.is_main() {
            ffi::PyErr_CheckSignals() < 0
        } else {
            // Any code of Python's finds it.
            bridge::call(py, "breathe", ()).is_err()
        }
    };
    // SAFETY: attached.
    unsafe { ffi::PyErr_Clear() };
    raised
}

/// Fail of a limit that is over before anything was called.
#[cold]
pub(crate) fn fail_late(thread: &Thread) -> Record {
    thread.interruption.requested.fetch_and(!BY_LIMIT, Relaxed);
    late()
}

fn late() -> Record {
    Record::plain(PYR_TIMED_OUT, "the limit of time is over")
}
