//! What C code calls back: not exported.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fpenv::FpEnv;
use crate::thread;

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
