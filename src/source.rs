//! Python source: compiling it, running it in `__main__`, and splicing values into it.

use std::ffi::{CString, c_int};
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use pyo3::{Bound, ffi};

use crate::abi::*;
use crate::api::python::{CompilerFlags, symbols};
use crate::fault::{Fault, own};
use crate::{array, bridge, decode, text};

/// What source is: one expression, or statements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Expression,
    Statements,
}

/// `PyCF_SOURCE_IS_UTF8` and `PyCF_IGNORE_COOKIE`: what a comment says of the encoding is of a file.
const TEXT_FLAGS: CompilerFlags = CompilerFlags {
    flags: 0x0100 | 0x0800,
    feature_version: 0,
};

/// Compile `source`.
pub(crate) fn compile<'py>(py: Python<'py>, source: &str, kind: Kind) -> Result<Bound<'py, PyAny>, Fault> {
    // What a file begins with, too, is nothing in text.
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let (source, start): (&str, c_int) = match kind {
        // As `eval` does.
        Kind::Expression => (source.trim_start_matches([' ', '\t']), ffi::Py_eval_input),
        Kind::Statements => (source, ffi::Py_file_input),
    };
    let Ok(source) = CString::new(source) else {
        let why = "source code string cannot contain null bytes";
        return Err(pyo3::exceptions::PyValueError::new_err(why).into());
    };
    let name = c"<pyrite>".as_ptr();
    // What the source imports from `__future__` is added.
    let mut flags = TEXT_FLAGS;
    // SAFETY: attached; C strings; the flags are a local.
    own(py, unsafe {
        match symbols().compile_string {
            Some(compile) => compile(source.as_ptr(), name, start, &raw mut flags, -1),
            None => ffi::Py_CompileString(source.as_ptr(), name, start),
        }
    })
}

/// Run compiled `code` in `__main__`.
pub(crate) fn run(py: Python<'_>, code: *mut ffi::PyObject) -> Result<Bound<'_, PyAny>, Fault> {
    let main = bridge::main_dict();
    // SAFETY: attached; `code` is alive, and is kept so while it runs; the dictionary lives for good.
    unsafe {
        let code = Bound::from_borrowed_ptr(py, code);
        own(py, ffi::PyEval_EvalCode(code.as_ptr(), main, main))
    }
}

/// Run the source made of `parts`: text is source, any other value is spliced in by reference.
pub(crate) fn run_parts<'py>(
    py: Python<'py>,
    parts: &[pyr_value],
    kind: Kind,
) -> Result<Bound<'py, PyAny>, Fault> {
    let mut source = String::new();
    let mut names = Vec::new();
    let mut values = Vec::new();
    let mut after_value = false;
    for part in parts {
        if text::is_text(part) {
            let text = text::to_str(part)?;
            if after_value {
                append_apart(&mut source, &text);
            } else {
                source.push_str(&text);
            }
            after_value = false;
        } else {
            let name = fresh_name();
            append_apart(&mut source, &name);
            after_value = true;
            names.push(name);
            values.push(spliced_value(py, part)?);
        }
    }
    if values.is_empty() {
        return run(py, compile(py, &source, kind)?.as_ptr());
    }
    let function = if kind == Kind::Expression {
        "evaluate"
    } else {
        "execute"
    };
    let source = source.trim_start_matches([' ', '\t']);
    bridge::call(
        py,
        function,
        (source, PyList::new(py, names)?, PyTuple::new(py, values)?),
    )
}

/// The object of a part that is a value. A single float stays one, where numpy has such a thing.
fn spliced_value<'py>(py: Python<'py>, part: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    if part.tag == PYR_SINGLE {
        // SAFETY: the tag says which member was set, and any bit pattern is a float.
        return array::single(py, unsafe { part.of.real });
    }
    decode::value(py, part)
}

/// Append `text` to `source`, apart from a word that is there already: a value that is spliced in next to
/// a word would be lost in it.
fn append_apart(source: &mut String, text: &str) {
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    if source.ends_with(is_word) && text.starts_with(is_word) {
        source.push(' ');
    }
    source.push_str(text);
}

/// A name that stands for a spliced value and that nobody else uses.
fn fresh_name() -> String {
    static COUNTER: AtomicUsize = AtomicUsize::new(0);
    format!("_pyrite_value_{}_", COUNTER.fetch_add(1, Ordering::Relaxed))
}
