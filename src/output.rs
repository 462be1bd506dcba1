//! What Python writes to `sys.stdout` and `sys.stderr`, on its way to a host with streams of its own.
//!
//! A line goes to the host when it ends. What is not a whole line waits, in the name of the thread that
//! wrote it, for its end, for a flush, or for code of the host's to run on that thread: what Python wrote
//! before a call returns, or before it calls the host, the host has by then.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{Bound, ffi};

use crate::abi::*;
use crate::fault::{Fault, Record, own};
use crate::thread::{self, Thread};
use crate::{bridge, guard};

/// How many characters wait at the most.
const LIMIT: isize = 8192;

/// The end of a stream on Python's side.
#[pyclass(name = "Writer", module = "_pyrite", frozen)]
pub(crate) struct Writer {
    number: usize,
    /// Called with the number and the text that is to be written.
    emit: Py<PyAny>,
    /// Called in a thread of Python's own when its text begins to wait: it sees to the thread's end.
    watch: Py<PyAny>,
}

/// Text that waits.
struct Waiting {
    thread: usize,
    writer: Py<Writer>,
    text: Py<PyString>,
}

struct Table(UnsafeCell<Vec<Waiting>>);

// SAFETY: only reached through `table`, by the one thread that holds the GIL.
unsafe impl Sync for Table {}

/// All text that waits: at most one of a thread.
static TABLE: Table = Table(UnsafeCell::new(Vec::new()));
/// How many there are: what an entry looks at.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Run `body` on the table. `body` must not run Python code.
fn table<R>(_py: Python<'_>, body: impl FnOnce(&mut Vec<Waiting>) -> R) -> R {
    // SAFETY: attached, as `_py` shows, and `body` cannot re-enter: no second borrow can exist.
    let table = unsafe { &mut *TABLE.0.get() };
    let value = body(table);
    COUNT.store(table.len(), Ordering::Relaxed);
    value
}

/// Take what `wanted` says out of the table.
fn take(py: Python<'_>, wanted: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
    table(py, |table| {
        table.extract_if(.., |waiting| wanted(waiting)).collect()
    })
}

/// Emit what was taken. What is left after a failure waits again.
fn emit(py: Python<'_>, taken: Vec<Waiting>) -> PyResult<()> {
    let mut taken = taken.into_iter();
    while let Some(Waiting { writer, text, .. }) = taken.next() {
        if let Err(error) = writer.get().emit(text.bind(py)) {
            table(py, |table| table.splice(..0, taken).for_each(drop));
            return Err(error);
        }
    }
    Ok(())
}

fn key(thread: &Thread) -> usize {
    std::ptr::from_ref(thread) as usize
}

/// Emit what waits in the name of this thread. To be called before code of the host's runs on it.
#[inline]
pub(crate) fn flush(py: Python<'_>) -> Result<(), Fault> {
    if COUNT.load(Ordering::Relaxed) == 0 {
        Ok(())
    } else {
        Ok(flush_thread(py)?)
    }
}

#[cold]
fn flush_thread(py: Python<'_>) -> PyResult<()> {
    let thread = key(thread::current());
    // All is taken before any of it is emitted: that comes here again, and must not change the order.
    emit(py, take(py, |waiting| waiting.thread == thread))
}

/// The status of an entry of `thread` that is over with `status`, but for the output that waits.
#[inline]
pub(crate) fn flush_at_end(py: Python<'_>, thread: &Thread, status: pyr_status) -> pyr_status {
    if COUNT.load(Ordering::Relaxed) == 0 {
        status
    } else {
        flush_after(py, thread, status)
    }
}

/// What the host does in between does not change the record. A failure is the entry's, unless that failed
/// itself; an exit of the host's goes on in any case.
#[cold]
fn flush_after(py: Python<'_>, thread: &Thread, status: pyr_status) -> pyr_status {
    let before = thread.take_record();
    let flushed = catch_unwind(AssertUnwindSafe(|| flush_thread(py)));
    thread.remember(before);
    match flushed {
        Ok(Err(error)) if status == PYR_OK || is_unwind(&error, py) => {
            guard::fail(Record::of(py, Fault::from(error)))
        }
        _ => status,
    }
}

fn is_unwind(error: &PyErr, py: Python<'_>) -> bool {
    let unwind = bridge::module(py).getattr("HostUnwind");
    unwind.is_ok_and(|unwind| error.matches(py, unwind).unwrap_or(false))
}

/// Make the type of this file known in `module`, where Python code can find it.
pub(crate) fn add_types(module: &Bound<'_, PyAny>) -> Result<(), Fault> {
    Ok(module.setattr("Writer", module.py().get_type::<Writer>())?)
}

impl Writer {
    fn emit(&self, text: &Bound<'_, PyString>) -> PyResult<()> {
        self.emit.bind(text.py()).call1((self.number, text)).map(drop)
    }

    /// Have `text` wait in the name of `thread`.
    fn put(slf: &Bound<'_, Self>, text: Bound<'_, PyString>, thread: &Thread) -> PyResult<()> {
        let waiting = Waiting {
            thread: key(thread),
            writer: slf.clone().unbind(),
            text: text.unbind(),
        };
        table(slf.py(), |table| table.push(waiting));
        if !thread.is_inside() && !thread.is_watched() {
            slf.get().watch.bind(slf.py()).call0()?;
        }
        Ok(())
    }

    /// Take what waits in the name of `thread`, if anything does. That of another writer is emitted.
    fn take<'py>(slf: &Bound<'py, Self>, thread: &Thread) -> PyResult<Option<Bound<'py, PyString>>> {
        let (py, thread) = (slf.py(), key(thread));
        if COUNT.load(Ordering::Relaxed) == 0 {
            return Ok(None);
        }
        let mut taken = take(py, |waiting| waiting.thread == thread);
        let own = taken.pop_if(|waiting| waiting.writer.is(slf));
        emit(py, taken)?;
        Ok(own.map(|waiting| waiting.text.into_bound(py)))
    }
}

#[pymethods]
impl Writer {
    #[new]
    fn new(number: usize, emit: Py<PyAny>, watch: Py<PyAny>) -> Self {
        Self { number, emit, watch }
    }

    /// Write `text` and return its length.
    fn write(slf: &Bound<'_, Self>, text: &Bound<'_, PyAny>) -> PyResult<isize> {
        let text = plain(text)?;
        let (thread, length) = (thread::current(), length(&text));
        let whole = match Self::take(slf, thread)? {
            Some(before) => joined(before, &text)?,
            None => text.clone(),
        };
        // As any text file of Python's that is buffered by lines, also for progress bars.
        if self::length(&whole) >= LIMIT || has(&text, '\n') || has(&text, '\r') {
            slf.get().emit(&whole)?;
        } else if self::length(&whole) > 0 {
            Self::put(slf, whole, thread)?;
        }
        Ok(length)
    }

    /// Emit what waits in the name of the calling thread, of any writer.
    #[staticmethod]
    fn flush(py: Python<'_>) -> PyResult<()> {
        flush_thread(py)
    }

    /// Emit what waits in the name of any thread.
    #[staticmethod]
    fn flush_all(py: Python<'_>) -> PyResult<()> {
        emit(py, take(py, |_| true))
    }

    /// Have C write what it keeps for its `stdout`.
    #[staticmethod]
    fn flush_c() {
        #[cfg(target_os = "macos")]
        let name = c"__stdoutp";
        #[cfg(not(target_os = "macos"))]
        let name = c"stdout";
        // SAFETY: the variable of the C library is a pointer to a FILE.
        unsafe {
            let stdout = libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()).cast::<*mut libc::FILE>();
            if let Some(stdout) = stdout.as_ref() {
                libc::fflush(*stdout);
            }
        }
    }

    /// Forget what waits: in a child of this process, it is the parent's to write.
    #[staticmethod]
    fn forget(py: Python<'_>) {
        drop(take(py, |_| true));
    }
}

/// `text` as a str of no subclass, which could mean something else to the host.
fn plain<'py>(text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if !text.is_instance_of::<PyString>() {
        let kind = bridge::type_name(text);
        return Err(PyTypeError::new_err(format!(
            "write() argument must be str, not {kind}"
        )));
    }
    // SAFETY: attached; the argument is a str.
    let plain = own(text.py(), unsafe { ffi::PyUnicode_FromObject(text.as_ptr()) });
    let plain = plain.map_err(|_| PyErr::fetch(text.py()))?;
    Ok(plain.cast_into()?)
}

fn length(text: &Bound<'_, PyString>) -> isize {
    // SAFETY: attached; a str.
    unsafe { ffi::PyUnicode_GetLength(text.as_ptr()) }
}

fn has(text: &Bound<'_, PyString>, character: char) -> bool {
    // SAFETY: attached; a str.
    unsafe { ffi::PyUnicode_FindChar(text.as_ptr(), character.into(), 0, length(text), 1) >= 0 }
}

/// `before` and `text` in one, in place when nobody else has `before`.
fn joined<'py>(before: Bound<'py, PyString>, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    let py = before.py();
    let mut whole = before.into_ptr();
    // SAFETY: attached; two strs. The first reference is given up, and NULL on failure.
    unsafe { ffi::PyUnicode_Append(&raw mut whole, text.as_ptr()) };
    let whole = own(py, whole).map_err(|_| PyErr::fetch(py))?;
    Ok(whole.cast_into()?)
}
