//! Python's questions to the host about what it lent.

use std::ffi::c_void;

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{Bound, ffi};

use crate::abi::*;
use crate::fault::{Fault, own};
use crate::{decode, dispatch, encode, interp, interrupt, output, release, thread};

/// One question, with all that the host is told.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    pub(crate) question: pyr_question,
    pub(crate) id: u64,
    pub(crate) context: *mut c_void,
    pub(crate) args: *const pyr_value,
    pub(crate) nargs: u32,
    pub(crate) nkwargs: u32,
    pub(crate) reply: *mut pyr_reply,
}

impl Question {
    /// Have `host` answer on this thread; 1 when it did.
    fn put_to(&self, host: &pyr_host) -> i32 {
        let Some(function) = host.ask else { return 0 };
        // SAFETY: the host vouches for its function; what it is given lives until it returns.
        thread::current().call_host(|| unsafe {
            function(
                self.question,
                self.id,
                self.context,
                self.args,
                self.nargs,
                self.nkwargs,
                self.reply,
            )
        })
    }
}

/// Without the GIL: have the host answer, on this thread or on one that serves others.
fn put(question: &Question, host: &pyr_host) -> i32 {
    if host.flags & PYR_DISPATCH == 0 || thread::current().is_inside() {
        question.put_to(host)
    } else {
        dispatch::put(question)
    }
}

/// The answer of `host` to `question` about `id`; nothing when it has none. `args` is a tuple: the arguments,
/// and then names and values of `nkwargs` keyword arguments.
pub(crate) fn ask<'py>(
    host: &pyr_host,
    (id, context): (u64, *mut c_void),
    question: pyr_question,
    args: Bound<'py, PyTuple>,
    nkwargs: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = args.py();
    if host.ask.is_none() {
        return Ok(None);
    }
    if dispatch::is_forked() {
        let why = "this process was forked from one of another language, which is not in it";
        return Err(PyRuntimeError::new_err(why));
    }
    output::flush(py).map_err(|fault| error(py, fault))?;
    let count = args.len() - 2 * nkwargs;
    let mut cells = encode::Arguments::new();
    let cells_at = cells
        .encode(&args, flags_for(host))
        .map_err(|fault| error(py, fault))?;
    let mut value = pyr_value::integer(0, 0);
    let mut reply = pyr_reply {
        value: &raw mut value,
        object: std::ptr::null_mut(),
        raised: 0,
        reserved: 0,
    };
    let question = Question {
        question,
        id,
        context,
        args: cells_at,
        nargs: count as u32,
        nkwargs: nkwargs as u32,
        reply: &raw mut reply,
    };
    let answered = interrupt::asking(py, thread::current(), || {
        // SAFETY: attached, and again afterwards.
        unsafe {
            let state = ffi::PyEval_SaveThread();
            let answered = put(&question, host);
            while interp::is_finalized_elsewhere() {
                // Python would end the thread, with all that is on its stack.
                std::thread::park();
            }
            ffi::PyEval_RestoreThread(state);
            answered
        }
    })
    .map_err(|()| PyErr::fetch(py));
    if answered.is_err() {
        cells.undo();
    } else {
        drop(cells);
    }
    // Python code that calls the host in a loop may not come by another entry for long.
    release::drain();
    interrupt::tell_if_late(py, thread::current());
    let answered = answered?;
    answer(py, answered, &reply, &value)
}

/// The flags by which arguments for `host` are encoded.
fn flags_for(host: &pyr_host) -> u32 {
    let flag = |of_host, flag| if host.flags & of_host != 0 { flag } else { 0 };
    flag(PYR_HOST_UCS4, PYR_AS_UCS4) | flag(PYR_HOST_TYPED, PYR_TYPED_ITEMS)
}

/// What `reply` says.
fn answer<'py>(
    py: Python<'py>,
    answered: i32,
    reply: &pyr_reply,
    value: &pyr_value,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if !reply.object.is_null() {
        // SAFETY: attached; `reply_with` put a reference there.
        let object = unsafe { Bound::from_owned_ptr(py, reply.object.cast()) };
        return match (answered, reply.raised) {
            (0, _) => Ok(None),
            (_, 0) => Ok(Some(object)),
            _ => Err(raised(&object)),
        };
    }
    if answered == 0 {
        return Ok(None);
    }
    match value.tag {
        PYR_NONE | PYR_BOOL | PYR_INT | PYR_FLOAT | PYR_SINGLE | PYR_CHARACTER | PYR_HANDLE | PYR_NAME => {
            decode::value(py, value)
                .map(Some)
                .map_err(|fault| error(py, fault))
        }
        tag => Err(PyTypeError::new_err(format!(
            "the host answered with a cell of the tag {tag}, which it must give to pyr_reply_value"
        ))),
    }
}

/// `exception` as the `raise` statement raises it, with the exception that is being handled as its context.
fn raised(exception: &Bound<'_, PyAny>) -> PyErr {
    // SAFETY: attached; the object is an exception, as `bridge.py` saw to.
    unsafe { ffi::PyErr_SetObject(exception.get_type_ptr().cast(), exception.as_ptr()) };
    PyErr::fetch(exception.py())
}

/// Put `object`, or that it is raised, into `reply`.
///
/// # Safety
/// `reply` is one that the host is to fill in, or a copy of it.
pub(crate) fn reply_with(reply: &mut pyr_reply, object: Bound<'_, PyAny>, raised: bool) {
    let old = std::mem::replace(&mut reply.object, object.into_ptr().cast());
    reply.raised = raised.into();
    // SAFETY: attached, as `object` shows; the old reference was the reply's.
    unsafe { ffi::Py_XDECREF(old.cast()) };
}

/// A fault of ours as an exception.
fn error(py: Python<'_>, fault: Fault) -> PyErr {
    match fault {
        Fault::Python => PyErr::fetch(py),
        Fault::Status(explained) => PyValueError::new_err(explained.1.into_owned()),
    }
}

/// `arguments` and then the names and values of `keywords` in one tuple.
pub(crate) fn flatten<'py>(
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, pyo3::types::PyDict>,
) -> PyResult<Bound<'py, PyTuple>> {
    let mut all: Vec<Bound<'py, PyAny>> = arguments.iter().collect();
    for (name, value) in keywords.iter() {
        // A str of any subclass may be a name here; the host gets plain text.
        // SAFETY: attached; the name is a str.
        let name = own(name.py(), unsafe { ffi::PyUnicode_FromObject(name.as_ptr()) });
        all.push(name.map_err(|fault| error(value.py(), fault))?);
        all.push(value);
    }
    PyTuple::new(arguments.py(), all)
}
