//! Why a call failed, and the record of it that each thread keeps.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::{Bound, ffi};

use crate::abi::*;
use crate::bridge;
use crate::slab::Miss;

/// Every reason for a call to fail. `Python` means that Python's error indicator is set. A pointer in
/// size, so that results that may be faults are returned in registers.
#[derive(Debug)]
pub(crate) enum Fault {
    Python,
    Status(Box<(pyr_status, Cow<'static, str>)>),
}

impl Fault {
    /// A fault of `status` explained by `message`.
    #[cold]
    pub(crate) fn new(status: pyr_status, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Status(Box::new((status, message.into())))
    }

    /// A fault inside the library.
    pub(crate) fn message(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PYR_PANIC, message)
    }

    /// A pointer that must not be NULL is.
    pub(crate) fn null(what: &'static str) -> Self {
        Self::new(PYR_NULL_ARGUMENT, format!("{what} is NULL"))
    }
}

impl From<Miss> for Fault {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Invalid => Self::new(PYR_INVALID_HANDLE, "not a handle of this process"),
            Miss::Stale => Self::new(
                PYR_STALE_HANDLE,
                "the handle was released, or is from before Python was stopped or the image saved",
            ),
        }
    }
}

impl From<PyErr> for Fault {
    /// Put the exception back as Python's error indicator. What pyo3 drops while it does not know that the
    /// thread is attached would wait until it is told so: attaching by its own means tells it.
    fn from(error: PyErr) -> Self {
        Python::attach(|py| error.restore(py));
        Self::Python
    }
}

/// Take an owned reference that a C function returned; NULL means that it raised.
#[inline]
pub(crate) fn own(py: Python<'_>, object: *mut ffi::PyObject) -> Result<Bound<'_, PyAny>, Fault> {
    if object.is_null() {
        return Err(Fault::Python);
    }
    // SAFETY: attached; the C function gave us a new reference.
    Ok(unsafe { Bound::from_owned_ptr(py, object) })
}

/// Turn a C function's -1 into a fault.
#[inline]
pub(crate) fn check(result: std::ffi::c_int) -> Result<std::ffi::c_int, Fault> {
    if result < 0 {
        Err(Fault::Python)
    } else {
        Ok(result)
    }
}

/// What a thread remembers of its last failing call.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) status: pyr_status,
    /// One of the numbers in `kind.rs`, or 0.
    pub(crate) kind: u32,
    pub(crate) type_name: String,
    pub(crate) message: String,
    pub(crate) traceback: String,
    /// The exception, until it is taken or another failure comes.
    pub(crate) exception: Option<std::ptr::NonNull<ffi::PyObject>>,
}

impl Record {
    /// A record without an exception: nothing in it needs the GIL.
    pub(crate) fn plain(status: pyr_status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            ..Self::default()
        }
    }

    /// The record of `fault`, which came from where there is no Python.
    pub(crate) fn outside(fault: Fault) -> Self {
        match fault {
            Fault::Status(explained) => Self::plain(explained.0, explained.1),
            Fault::Python => Self::plain(PYR_PANIC, ""),
        }
    }

    /// The record of `fault`; Python's error indicator is clear afterwards.
    #[cold]
    pub(crate) fn of(py: Python<'_>, fault: Fault) -> Self {
        match fault {
            Fault::Python => Self::of_exception(take_exception(py)),
            Fault::Status(explained) => {
                let (status, message) = *explained;
                // SAFETY: attached. A conversion that failed may have left the indicator set.
                unsafe { ffi::PyErr_Clear() };
                Self::plain(status, message)
            }
        }
    }

    fn of_exception(exception: Bound<'_, PyAny>) -> Self {
        let (type_name, message, kind) = bridge::describe(&exception);
        Self {
            status: PYR_PYTHON_ERROR,
            kind,
            type_name,
            message,
            traceback: String::new(),
            exception: std::ptr::NonNull::new(exception.into_ptr()),
        }
    }
}

/// Take the exception out of Python's error indicator, its traceback set.
fn take_exception(py: Python<'_>) -> Bound<'_, PyAny> {
    let (mut kind, mut value, mut trace) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: attached; the three pointers are locals that own what is put in them, and are passed on
    // exactly once. PyErr_Fetch works on every version served.
    unsafe {
        #[allow(deprecated)]
        ffi::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut trace);
        if kind.is_null() {
            ffi::PyErr_SetString(ffi::PyExc_SystemError, c"a call failed without raising".as_ptr());
            #[allow(deprecated)]
            ffi::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut trace);
        }
        #[allow(deprecated)]
        ffi::PyErr_NormalizeException(&raw mut kind, &raw mut value, &raw mut trace);
        if !trace.is_null() {
            ffi::PyException_SetTraceback(value, trace);
            ffi::Py_DECREF(trace);
        }
        ffi::Py_XDECREF(kind);
        Bound::from_owned_ptr(py, value)
    }
}
