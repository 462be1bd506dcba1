//! What is kept for each host thread: its Python thread state and the record of its last failure.
//!
//! A thread that enters for the first time gets a thread state and keeps it, because making one costs
//! more than a call and because `threading.local` values live in it. It is given back when the thread
//! ends, in a pthread-key destructor: a Rust thread-local's destructor runs too late on threads that a
//! Lisp made, and `PyGILState_Release` aborts there.

use std::cell::{Cell, Ref, RefCell};
use std::ffi::c_void;
use std::ptr::{NonNull, null, null_mut};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::{Python, ffi};

pub(crate) use self::end::give_back;
pub(crate) use self::lent::Lent;
use crate::abi::{PYR_OK, pyr_result};
use crate::api::{callbacks, python};
use crate::fault::Record;
use crate::fpenv::FpEnv;
use crate::interp;
use crate::interrupt::{self, Interruption};
use crate::release::{self, Debt, ObjectPointer};
use crate::signals::{Forward, mask::Masks};

mod end;
mod lent;
mod ruin;
mod stack;

/// One host thread. Entries nest, so it is only ever shared, and changed in its cells.
pub(crate) struct Thread {
    /// The thread's Python thread state; NULL before the first entry.
    state: Cell<*mut ffi::PyThreadState>,
    /// Whether the state is to be deleted when the thread ends: it is, unless it is of the thread that
    /// started Python, or Python deleted it.
    owned: Cell<bool>,
    /// The `pyr_gil_acquire`s that were not undone yet.
    holds: RefCell<Vec<Hold>>,
    /// What was lent to Python by the entries that run, innermost last.
    lent: RefCell<Vec<Lent>>,
    /// Where in `lent` the innermost entry begins.
    innermost: Cell<usize>,
    /// The result of the innermost entry, once it is whole, if it names something that the entry lent.
    result: Cell<*mut pyr_result>,
    /// How many entries of this thread run, and whether they are to stop.
    pub(crate) interruption: Interruption,
    /// How many functions of the host's that Python called run on this thread.
    answers: Cell<u32>,
    pthread: libc::pthread_t,
    /// Whether something sees to it that text which Python wrote on this thread does not wait longer than
    /// the thread lasts.
    watched: Cell<bool>,
    /// The host's floating-point environment, as the innermost entry found it.
    host_env: Cell<Option<FpEnv>>,
    /// What Python code did with the thread's signal mask.
    pub(crate) mask: Cell<Option<Masks>>,
    /// Whether the thread is ending.
    ending: Cell<bool>,
    /// Whether the thread is paying debts.
    paying: Cell<bool>,
    /// Whether it may recurse deeper than others.
    in_room: Cell<bool>,
    /// How many entries of the thread were over since the host's signals were looked at.
    unseen: Cell<u8>,
    /// The last failure.
    record: RefCell<Record>,
}

/// One `pyr_gil_acquire`.
struct Hold {
    /// Whether it took the GIL.
    taken: bool,
    /// The [`Thread::depth`] it was made in.
    depth: u32,
}

/// How many threads of the host's have a thread state.
static ATTACHED: AtomicUsize = AtomicUsize::new(0);

/// How many threads of the host's have a thread state. Python's own, which called the host, count too.
pub(crate) fn count() -> usize {
    ATTACHED.load(Ordering::Relaxed)
}

thread_local! {
    // A plain pointer without a destructor: readable at any time of a thread's life.
    static CURRENT: Cell<*const Thread> = const { Cell::new(null()) };
}

/// The key whose destructor gives a thread's state back. Its value is the `Thread`.
static EXIT_KEY: LazyLock<libc::pthread_key_t> = LazyLock::new(|| {
    let mut key = 0;
    // SAFETY: the destructor is sound for every value that `current` sets.
    let result = unsafe { libc::pthread_key_create(&raw mut key, Some(callbacks::thread_exit)) };
    assert_eq!(result, 0, "no pthread key is left");
    key
});

/// Whether [`EXIT_KEY`] is there, which signal handlers cannot make.
static KEY_MADE: AtomicBool = AtomicBool::new(false);

/// The calling thread's entry. It lives as long as the thread.
#[inline]
pub(crate) fn current() -> &'static Thread {
    let thread = CURRENT.get();
    let thread = if thread.is_null() { register() } else { thread };
    // SAFETY: the box is freed by the thread's own destructor only, and only this thread gets at it.
    unsafe { &*thread }
}

#[cold]
fn register() -> *const Thread {
    let thread = Box::into_raw(Box::new(Thread {
        state: Cell::new(null_mut()),
        owned: Cell::new(false),
        holds: RefCell::default(),
        lent: RefCell::default(),
        innermost: Cell::new(0),
        result: Cell::new(null_mut()),
        interruption: Interruption::default(),
        answers: Cell::new(0),
        // SAFETY: may be called at any time.
        pthread: unsafe { libc::pthread_self() },
        watched: Cell::new(false),
        host_env: Cell::new(None),
        mask: Cell::new(None),
        ending: Cell::new(false),
        paying: Cell::new(false),
        in_room: Cell::new(false),
        unseen: Cell::new(0),
        record: RefCell::default(),
    }));
    // SAFETY: the key exists; the value is what its destructor expects.
    unsafe { libc::pthread_setspecific(*EXIT_KEY, thread.cast::<c_void>()) };
    KEY_MADE.store(true, Ordering::Release);
    CURRENT.set(thread);
    // SAFETY: made above.
    interrupt::add_thread(NonNull::from(unsafe { &*thread }));
    thread
}

/// The calling thread's entry, if it has one: for signal handlers, which may come before a thread-local is
/// there.
pub(crate) fn of_handler() -> Option<&'static Thread> {
    if !KEY_MADE.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: reads; the value is the thread's entry, or NULL.
    unsafe { libc::pthread_getspecific(*EXIT_KEY).cast::<Thread>().as_ref() }
}

impl Thread {
    /// Hold the GIL; true when it had to be taken, which [`Thread::detach`] wants to know.
    ///
    /// Asked of Python each time, because what called the host may have the GIL (an extension that calls
    /// without releasing it), and what an outer entry called may have released it.
    #[inline]
    pub(crate) fn attach(&self) -> bool {
        let state = self.state.get();
        if state.is_null() {
            return self.first_attach();
        }
        let take = python::current_thread_state() != state;
        if take {
            // SAFETY: the state is this thread's own, is alive, and is not current.
            unsafe { ffi::PyEval_RestoreThread(state) };
        }
        take
    }

    /// Undo one [`Thread::attach`].
    #[inline]
    pub(crate) fn detach(&self, taken: bool) {
        if taken {
            // SAFETY: attached since `attach`; the state it returns is the one we keep.
            unsafe { ffi::PyEval_SaveThread() };
        }
    }

    #[cold]
    fn first_attach(&self) -> bool {
        // SAFETY: Python runs. Without its Release, this Ensure keeps the state alive, also one that was
        // made for the duration of a callback into the host.
        unsafe {
            let before = ffi::PyGILState_GetThisThreadState();
            let take = before.is_null() || python::current_thread_state() != before;
            ffi::PyGILState_Ensure();
            self.state.set(ffi::PyGILState_GetThisThreadState());
            self.owned.set(true);
            ATTACHED.fetch_add(1, Ordering::Relaxed);
            end::learn_key(self.state.get());
            stack::prepare(self.state.get());
            if !before.is_null() {
                self.watch();
            }
            take
        }
    }

    /// Have Python tell when it deletes the state, as it does with those of the threads it makes: they
    /// cannot be told from those that last for one callback.
    fn watch(&self) {
        let this = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: attached. The capsule is in the state's own dictionary, which goes with the state, and
        // the state goes before `self` does, by Python's hand or in `give_back`.
        unsafe {
            let dict = ffi::PyThreadState_GetDict();
            let capsule = ffi::PyCapsule_New(this, c"pyrite.thread".as_ptr(), Some(callbacks::state_deleted));
            if dict.is_null()
                || capsule.is_null()
                || ffi::PyDict_SetItemString(dict, c"pyrite".as_ptr(), capsule) < 0
            {
                // Rather a state that is never deleted than one that is deleted twice.
                self.owned.set(false);
                ffi::PyErr_Clear();
            }
            ffi::Py_XDECREF(capsule);
        }
    }

    /// Note that Python deleted the state.
    pub(crate) fn state_deleted(&self) {
        self.owned.set(false);
    }

    /// Adopt the state of the thread that started Python, which holds the GIL now, and let go of it.
    pub(crate) fn adopt_started(&self) {
        // SAFETY: this thread just initialised Python and so is attached.
        self.state.set(unsafe {
            stack::prepare(ffi::PyThreadState_Get());
            ffi::PyEval_SaveThread()
        });
        ATTACHED.fetch_add(1, Ordering::Relaxed);
        interrupt::set_main(self);
    }

    /// Hold the GIL until [`Thread::release_hold`], over many entries: what is to be done then of what came while
    /// the thread waited. Nothing when Python was finalized.
    pub(crate) fn hold(&self) -> Option<Forward> {
        let depth = self.depth();
        self.interruption.begin();
        if interp::is_finalized() {
            self.interruption.end();
            return None;
        }
        let taken = self.attach();
        self.holds.borrow_mut().push(Hold { taken, depth });
        if !self.interruption.end() {
            return Some(Forward::default());
        }
        // SAFETY: attached above.
        let py = unsafe { Python::assume_attached() };
        Some(interrupt::settle(py, self, PYR_OK).1)
    }

    /// Whether the host, where it is now, took the GIL by [`Thread::hold`].
    pub(crate) fn has_taken_gil(&self) -> bool {
        let (holds, depth) = (self.holds.borrow(), self.depth());
        holds.iter().any(|hold| hold.taken && hold.depth >= depth)
    }

    /// Undo one [`Thread::hold`]; false when there is none. Those of the code that called Python, which
    /// called the host, are not the callee's to undo.
    pub(crate) fn release_hold(&self) -> bool {
        let depth = self.depth();
        let hold = self.holds.borrow_mut().pop_if(|hold| hold.depth >= depth);
        // What called the host may have let go of the GIL meanwhile.
        let taken = hold.as_ref().is_some_and(|hold| hold.taken) && self.is_attached();
        if taken {
            // SAFETY: attached. The host may have set it.
            unsafe { ffi::PyErr_Clear() };
        }
        self.detach(taken);
        hold.is_some()
    }

    /// Whether this thread has the GIL now.
    pub(crate) fn is_attached(&self) -> bool {
        let state = self.state.get();
        !state.is_null() && python::current_thread_state() == state
    }

    /// Run `body` with `levels` more for Python to recurse, also if it is inside another such. The thread is
    /// attached.
    pub(crate) fn with_room<T>(&self, levels: i32, body: impl FnOnce() -> T) -> T {
        let _room = stack::Room::new(python::current_thread_state(), levels, &self.in_room);
        body()
    }

    /// Note that an entry begins, from a host whose floating-point environment is `host`; what
    /// [`Thread::end`] is to be given.
    #[inline]
    pub(crate) fn begin(&self, host: FpEnv) -> Option<FpEnv> {
        self.interruption.begin();
        self.host_env.replace(Some(host))
    }

    /// Note that an entry is over.
    #[inline]
    pub(crate) fn end(&self, outer: Option<FpEnv>) {
        self.host_env.set(outer);
    }

    /// Note that C code may be loaded that takes signals of the host's.
    pub(crate) fn suspect_signals(&self) {
        self.unseen.set(u8::MAX);
    }

    /// Note that an entry is over; whether the host's signals are to be looked at.
    #[inline]
    pub(crate) fn is_to_look_at_signals(&self) -> bool {
        self.unseen.set(self.unseen.get().wrapping_add(1));
        self.unseen.get() == 0
    }

    /// How many entries of this thread, and functions of the host's that these called, run.
    fn depth(&self) -> u32 {
        self.interruption.entries() + self.answers.get()
    }

    /// The number by which other threads of the host ask it to stop.
    #[allow(clippy::unnecessary_cast, reason = "elsewhere it is a pointer")]
    pub(crate) fn id(&self) -> u64 {
        self.pthread as u64
    }

    /// The C library's name of the thread.
    pub(crate) fn pthread(&self) -> libc::pthread_t {
        self.pthread
    }

    /// Whether this thread is in a call of the host's, so that the host can run on it.
    pub(crate) fn is_inside(&self) -> bool {
        self.depth() > 0
    }

    /// Whether this is a thread of the host's and not in Python: for signal handlers.
    pub(crate) fn is_in_host(&self) -> bool {
        !self.state.get().is_null() && !self.interruption.is_in_python()
    }

    /// Whether the thread is ending.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Whether this was asked before: see [`Thread::watched`].
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.replace(true)
    }

    /// Run `function`, code of the host's that Python called: in the host's floating-point environment, and
    /// with the GIL as little held afterwards as before.
    pub(crate) fn call_host<R>(&self, function: impl FnOnce() -> R) -> R {
        let python = FpEnv::enter();
        let answers = self.answers.replace(self.answers.get() + 1);
        if let Some(host) = self.host_env.get() {
            host.restore();
        }
        let given = function();
        while self.release_hold() {}
        self.answers.set(answers);
        python.restore();
        given
    }

    /// Run `body`, which pays debts, unless this thread is doing so already: what ends then may end more,
    /// and that must not be a matter of the stack.
    pub(crate) fn pay(&self, body: impl FnOnce()) {
        if !self.paying.replace(true) {
            body();
            self.paying.set(false);
        }
    }

    /// What was remembered last.
    pub(crate) fn record(&self) -> Ref<'_, Record> {
        self.record.borrow()
    }

    /// Take what was remembered last.
    pub(crate) fn take_record(&self) -> Record {
        self.record.take()
    }

    /// Remember `record`; the exception of the one before is given back.
    pub(crate) fn remember(&self, record: Record) {
        self.forget_exception();
        self.record.replace(record);
    }

    /// Give back the exception of the record.
    pub(crate) fn forget_exception(&self) {
        if let Some(exception) = self.record.borrow_mut().exception.take() {
            release::push(Debt::Object(ObjectPointer(exception.as_ptr())));
        }
    }
}
