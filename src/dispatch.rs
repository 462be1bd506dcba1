//! Questions that wait for a thread of the host's to serve them.
//!
//! Python makes threads that some hosts cannot run on. Such a thread puts its question here and waits,
//! without the GIL, until one of the host's threads has taken it and answered.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use crate::api::callbacks;
use crate::ask::Question;
use crate::thread;

/// A question that somebody waits for.
struct Waiting {
    ticket: u64,
    question: Question,
    /// Whether a thread of the host's asks that is ending.
    ending: bool,
}

// SAFETY: who asks waits until the question is answered, so what it points to lives, and only the thread
// that serves it uses that meanwhile.
unsafe impl Send for Waiting {}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// The tickets of questions that were taken and not yet answered.
    taken: Vec<u64>,
    /// Answers that nobody has fetched yet, with their tickets.
    answers: Vec<(u64, i32)>,
    last_ticket: u64,
    /// The threads that wait for questions.
    idle: Vec<libc::pthread_t>,
    /// How often they were told to stop waiting.
    wakes: u64,
}

struct Desk {
    state: Mutex<State>,
    asked: Condvar,
    answered: Condvar,
}

static DESK: LazyLock<Desk> = LazyLock::new(|| Desk {
    state: Mutex::default(),
    asked: Condvar::new(),
    answered: Condvar::new(),
});

/// Set in a child of this process.
static FORKED: AtomicBool = AtomicBool::new(false);

/// Have the children that are forked from now on know that they are. Without memory for that they do not.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    // SAFETY: the function only sets a flag.
    ONCE.call_once(|| _ = unsafe { libc::pthread_atfork(None, None, Some(callbacks::forked)) });
}

/// Note that this is a child, in which no thread of the host's is left.
pub(crate) fn note_fork() {
    FORKED.store(true, Ordering::Relaxed);
}

/// Whether this is such a child.
pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// The state; nothing in a child, where a thread that is not there may have locked it.
fn state() -> Option<MutexGuard<'static, State>> {
    (!is_forked()).then(|| DESK.state.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Have `question` answered by a thread that serves; 1 when it was.
pub(crate) fn put(question: &Question) -> i32 {
    let Some(mut state) = state() else { return 0 };
    state.last_ticket += 1;
    let ticket = state.last_ticket;
    state.waiting.push_back(Waiting {
        ticket,
        question: *question,
        ending: thread::current().is_ending(),
    });
    DESK.asked.notify_one();
    loop {
        if let Some(place) = state.answers.iter().position(|&(answered, _)| answered == ticket) {
            return state.answers.swap_remove(place).1;
        }
        state = DESK.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Wait up to `patience` for a question: its ticket, itself, and how many other threads wait for one.
pub(crate) fn take(patience: Duration) -> Option<(u64, Question, u32)> {
    let end = Instant::now() + patience;
    let Some(mut state) = state() else {
        std::thread::sleep(patience);
        return None;
    };
    // SAFETY: may be called at any time.
    let here = unsafe { libc::pthread_self() };
    let wakes = state.wakes;
    loop {
        if let Some(waiting) = state.waiting.pop_front() {
            state.taken.push(waiting.ticket);
            let idle = if waiting.ending {
                u32::MAX
            } else {
                state.idle.len() as u32
            };
            return Some((waiting.ticket, waiting.question, idle));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || state.wakes != wakes {
            return None;
        }
        state.idle.push(here);
        state = DESK
            .asked
            .wait_timeout(state, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        let place = state.idle.iter().position(|&idle| idle == here);
        place.map(|place| state.idle.swap_remove(place));
    }
}

/// The question of `ticket` is answered, or (0) not. False when it is nobody's.
pub(crate) fn answer(ticket: u64, answered: i32) -> bool {
    let Some(mut state) = state() else { return false };
    let Some(place) = state.taken.iter().position(|&taken| taken == ticket) else {
        return false;
    };
    state.taken.swap_remove(place);
    state.answers.push((ticket, answered));
    DESK.answered.notify_all();
    true
}

/// Send `signal` to one of the threads that wait for questions, and have them return to the host, which may be
/// deferring it until then; false when there is none.
pub(crate) fn signal(signal: i32) -> bool {
    let Some(mut state) = state() else { return false };
    let Some(&idle) = state.idle.last() else {
        return false;
    };
    state.wakes += 1;
    // SAFETY: the thread lives: it is to leave the list.
    unsafe { libc::pthread_kill(idle, signal) };
    DESK.asked.notify_all();
    true
}

/// Have all threads that wait for questions return at once.
pub(crate) fn wake() {
    if let Some(mut state) = state() {
        state.wakes += 1;
        DESK.asked.notify_all();
    }
}
