//! What is kept for each host thread: its Python thread state and the record of its last failure.
//!
//! A thread that enters for the first time gets a thread state and keeps it, because making one costs
//! more than a call and because `threading.local` values live in it. It is given back when the thread
//! ends, in a pthread-key destructor: a Rust thread-local's destructor runs too late on threads that a
//! Lisp made, and `PyGILState_Release` aborts there.

use std::cell::{Cell, Ref, RefCell};
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::LazyLock;

use pyo3::ffi;

use crate::api::{callbacks, python};
use crate::fault::Record;
use crate::fpenv;
use crate::release::{self, Debt, ObjectPointer};

/// One host thread. Entries nest, so it is only ever shared, and changed in its cells.
pub(crate) struct Thread {
    /// The thread's Python thread state; NULL before the first entry.
    state: Cell<*mut ffi::PyThreadState>,
    /// Whether we made the thread state, and so delete it.
    owned: Cell<bool>,
    /// How many entries (and `pyr_gil_acquire`s) of this thread hold the GIL now.
    depth: Cell<usize>,
    /// Whether the GIL was held before the outermost of them, by code that is not ours.
    lent: Cell<bool>,
    /// How many of them are `pyr_gil_acquire`s.
    held: Cell<usize>,
    /// The last failure.
    record: RefCell<Record>,
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
        depth: Cell::new(0),
        lent: Cell::new(false),
        held: Cell::new(0),
        record: RefCell::default(),
    }));
    // SAFETY: the key exists; the value is what its destructor expects.
    unsafe { libc::pthread_setspecific(*EXIT_KEY, thread.cast::<c_void>()) };
    CURRENT.set(thread);
    fpenv::settle_thread();
    thread
}

impl Thread {
    /// Hold the GIL. Pairs with [`Thread::detach`].
    #[inline]
    pub(crate) fn attach(&self) {
        let depth = self.depth.get();
        if depth == 0 {
            self.take_gil();
        }
        self.depth.set(depth + 1);
    }

    /// Undo one [`Thread::attach`].
    #[inline]
    pub(crate) fn detach(&self) {
        let depth = self.depth.get() - 1;
        self.depth.set(depth);
        if depth == 0 && !self.lent.replace(false) {
            // SAFETY: attached since `take_gil`; the state it returns is the one we keep.
            unsafe { ffi::PyEval_SaveThread() };
        }
    }

    #[inline]
    fn take_gil(&self) {
        if self.state.get().is_null() {
            self.first_attach();
        } else {
            self.restore();
        }
    }

    /// Make the kept state current, unless the code that called the host has it current already
    /// (a Python extension that called without releasing the GIL): waiting would never end.
    #[inline]
    fn restore(&self) {
        let state = self.state.get();
        if python::current_thread_state() == state {
            self.lent.set(true);
        } else {
            // SAFETY: the state is this thread's own and is not current.
            unsafe { ffi::PyEval_RestoreThread(state) };
        }
    }

    #[cold]
    fn first_attach(&self) {
        // SAFETY: Python runs. A thread that Python made has a state already, and keeps its own; any
        // other gets one that stays outstanding until `give_back`.
        unsafe {
            self.state.set(ffi::PyGILState_GetThisThreadState());
            if self.state.get().is_null() {
                ffi::PyGILState_Ensure();
                self.state.set(ffi::PyGILState_GetThisThreadState());
                self.owned.set(true);
            } else {
                self.restore();
            }
        }
    }

    /// Adopt the state of the thread that started Python, which holds the GIL now, and let go of it.
    pub(crate) fn adopt_started(&self) {
        // SAFETY: this thread just initialised Python and so is attached.
        self.state.set(unsafe { ffi::PyEval_SaveThread() });
    }

    /// Hold the GIL until [`Thread::release_hold`], over many entries.
    pub(crate) fn hold(&self) {
        self.attach();
        self.held.set(self.held.get() + 1);
    }

    /// Undo one [`Thread::hold`]; false when there is none.
    pub(crate) fn release_hold(&self) -> bool {
        let held = self.held.get();
        if held > 0 {
            self.held.set(held - 1);
            self.detach();
        }
        held > 0
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

/// Give back what `thread`, which is ending, kept. Called by its pthread-key destructor.
pub(crate) fn give_back(thread: *mut c_void) {
    let thread = thread.cast::<Thread>();
    CURRENT.set(null());
    // SAFETY: the key's values come from `register`, and the destructor runs once per value.
    let thread = unsafe { Box::from_raw(thread) };
    thread.remember(Record::default());
    let (state, depth) = (thread.state.get(), thread.depth.get());
    if thread.owned.get() && python::is_running() {
        // SAFETY: the state is this thread's, and is not current unless the thread ended with the GIL
        // held. Clear + DeleteCurrent releases the GIL; PyGILState_Release would abort here.
        unsafe {
            if depth == 0 {
                ffi::PyEval_RestoreThread(state);
            }
            ffi::PyThreadState_Clear(state);
            python::delete_current_thread_state();
        }
    } else if depth > 0 && !thread.lent.get() {
        // SAFETY: the thread ended inside a hold; let others run.
        unsafe { ffi::PyEval_SaveThread() };
    }
}
