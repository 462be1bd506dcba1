//! Giving Python code up: the stack is exhausted in the middle of it, and the host unwinds.
//!
//! The frames that are unwound leave a thread state that nothing can run in any more, with the GIL held. So the
//! thread gets another one, and the GIL is let go of. What the frames referred to is lost.

use std::ptr::null_mut;

use pyo3::{PyErr, Python, ffi};

use super::end::{PYTHON_KEY, find_python_key};
use super::{Thread, stack};
use crate::api::python;
use crate::{bridge, interp};

impl Thread {
    /// Give up all Python code that runs on this thread, in the middle of which it is; false when it is not.
    /// Takes little of the stack.
    pub(crate) fn give_up(&self) -> bool {
        if !self.interruption.is_in_python() {
            return false;
        }
        if !self.state.get().is_null() {
            self.exchange_state();
        }
        self.forget_entries();
        interp::give_up();
        if let Some(host) = self.host_env.take() {
            host.restore();
        }
        true
    }

    /// Forget the entries that run. What they lent is not given back: frames that are lost may refer to it.
    fn forget_entries(&self) {
        if let Ok(mut lent) = self.lent.try_borrow_mut() {
            lent.clear();
        }
        if let Ok(mut holds) = self.holds.try_borrow_mut() {
            holds.clear();
        }
        self.innermost.set(0);
        self.result.set(null_mut());
        self.answers.set(0);
        self.paying.set(false);
        self.in_room.set(false);
        self.interruption.give_up();
    }

    /// Have another state, and delete the old one. It is not cleared: that would run Python code in it.
    fn exchange_state(&self) {
        let ruined = self.state.get();
        let Some(key) = *PYTHON_KEY.get_or_init(|| find_python_key(ruined)) else {
            return;
        };
        // SAFETY: the key is Python's, and takes NULL for a thread that Python does not know. Nobody uses the
        // old state. Some versions forget the thread's state when they delete one of it.
        unsafe {
            if python::current_thread_state() == ruined {
                ffi::PyEval_SaveThread();
            }
            libc::pthread_setspecific(key, null_mut());
            ffi::PyGILState_Ensure();
            let state = ffi::PyThreadState_Get();
            ffi::PyThreadState_Delete(ruined);
            libc::pthread_setspecific(key, state.cast());
            self.state.set(state);
            stack::prepare(state);
            if self.interruption.is_main() {
                keep_main_thread();
            }
            ffi::PyEval_SaveThread();
        }
    }
}

/// Have Python not take the end of the main thread's old state for the thread's.
fn keep_main_thread() {
    // SAFETY: the caller is attached.
    let py = unsafe { Python::assume_attached() };
    if bridge::call(py, "main_thread_lives", ()).is_err() {
        PyErr::take(py);
    }
}
