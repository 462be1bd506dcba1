//! The end of a thread: what was kept for it is given back.

use std::ffi::c_void;
use std::ptr::{NonNull, null};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use pyo3::ffi;

use super::{ATTACHED, CURRENT, Thread};
use crate::api::python;
use crate::fault::Record;
use crate::{interp, interrupt};

/// The key under which Python keeps each thread's state, once it was found.
///
/// The C library empties a thread's keys one by one, in their order, and Python's comes before ours.
/// Without it Python does not know the thread any more, and code that runs while the state is cleared
/// (of values of a `threading.local`, say) would wait for a GIL that the thread itself holds.
pub(super) static PYTHON_KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

/// Find Python's key: the one under which `state`, this thread's, is kept.
pub(super) fn find_python_key(state: *mut ffi::PyThreadState) -> Option<libc::pthread_key_t> {
    // SAFETY: asks for a limit.
    let limit = unsafe { libc::sysconf(libc::_SC_THREAD_KEYS_MAX) };
    let keys = 0..libc::pthread_key_t::try_from(limit).unwrap_or(0);
    // SAFETY: below the limit, the C library answers NULL for a key that does not exist.
    keys.into_iter()
        .find(|&key| unsafe { libc::pthread_getspecific(key) } == state.cast())
}

/// Find Python's key if it is not known: the one under which `state`, this thread's, is kept.
pub(super) fn learn_key(state: *mut ffi::PyThreadState) {
    PYTHON_KEY.get_or_init(|| find_python_key(state));
}

/// Give back what `thread`, which is ending, kept. Called by its pthread-key destructor.
pub(crate) fn give_back(thread: *mut c_void) {
    let thread = thread.cast::<Thread>();
    // SAFETY: the key's values come from `register`, and the destructor runs once per value. What runs while
    // the state is cleared may enter, and finds the thread as it always was.
    unsafe {
        (*thread).ending.set(true);
        (*thread).delete_state();
        if !(*thread).state.get().is_null() {
            ATTACHED.fetch_sub(1, Ordering::Relaxed);
        }
        (*thread).remember(Record::default());
        interrupt::remove_thread(NonNull::from(&*thread));
        CURRENT.set(null());
        // Signal handlers may look at the entry of Python's main thread at any time.
        if !(*thread).interruption.is_main() {
            drop(Box::from_raw(thread));
        }
    }
}

impl Thread {
    /// Delete the thread state, if that is for us to do.
    fn delete_state(&self) {
        let state = self.state.get();
        if interp::is_finalized() || !python::is_running() {
            return;
        }
        if !self.owned.get() {
            // The state of the thread that started Python stays; the GIL, if the host held it to the last, does not.
            self.detach(self.interruption.is_main() && self.is_attached());
            return;
        }
        // SAFETY: the state is this thread's and alive, and nobody else deletes it. Clear and DeleteCurrent
        // release the GIL; PyGILState_Release would abort here.
        unsafe {
            if let Some(key) = *PYTHON_KEY.get_or_init(|| None) {
                libc::pthread_setspecific(key, state.cast());
            }
            if !self.is_attached() {
                ffi::PyEval_RestoreThread(state);
            }
            ffi::PyThreadState_Clear(state);
            python::delete_current_thread_state();
        }
    }
}
