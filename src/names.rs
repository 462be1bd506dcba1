//! Names: what a host calls things by, prepared once.
//!
//! A dotted name is kept as its interned parts and looked up afresh at each use, so a redefinition is
//! always seen: first part in `__main__`, then in builtins, the rest by attribute. Only `_pyrite` is the
//! bridge, whatever else has that name. What is before a colon
//! is a module, found in `sys.modules` and imported when it is not there: `os.path:join` needs no import
//! in `__main__`. A text that is neither can be an attribute, or be called: then it is source, and its
//! code is kept.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use pyo3::prelude::*;
use pyo3::{Bound, ffi};

use crate::abi::*;
use crate::fault::{Fault, check, own};
use crate::{bridge, source};

pub(crate) use self::table::{Known, count, forget_sources, of_cell, of_text, take};

mod table;

/// One prepared name. Dropped, like all of Python's references, by an attached thread.
pub(crate) struct Name {
    text: Rc<str>,
    /// The text, interned unless it is source.
    whole: *mut ffi::PyObject,
    /// The interned name of the module that the parts are looked up in; NULL for `__main__`.
    module: *mut ffi::PyObject,
    parts: Parts,
    /// The compiled source, once it was needed.
    code: Cell<*mut ffi::PyObject>,
}

/// The identifiers of a dotted name; none of what is no such name.
type Parts = Box<[Part]>;

/// One identifier of a dotted name.
struct Part {
    /// The interned str.
    text: *mut ffi::PyObject,
    /// Whether it is none of the special names with two underscores.
    plain: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        // SAFETY: the thread is attached; the reference is this struct's own.
        unsafe { ffi::Py_DECREF(self.text) };
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // SAFETY: the thread is attached; the references are this struct's own.
        unsafe {
            ffi::Py_XDECREF(self.code.get());
            ffi::Py_XDECREF(self.module);
            ffi::Py_DECREF(self.whole);
        }
    }
}

/// The identifiers that `text`, a dotted name, is made of; none when it is something else.
fn parts_of(py: Python<'_>, text: &str) -> Result<Parts, Fault> {
    let normal = if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        // As Python does with identifiers in source.
        Cow::Owned(bridge::call(py, "normalize", (text,))?.extract::<String>()?)
    };
    for part in normal.split('.') {
        // SAFETY: attached; a live str.
        if unsafe { ffi::PyUnicode_IsIdentifier(string(py, part)?.as_ptr()) } != 1 {
            return Ok(Box::default());
        }
    }
    normal.split('.').map(|part| part_of(py, part)).collect()
}

/// A str of `text`.
fn string<'py>(py: Python<'py>, text: &str) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: attached; the length is the text's.
    own(py, unsafe {
        ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as isize)
    })
}

/// An interned str of `text`, the reference the caller's. In Python 3.12 it is never freed.
fn intern(py: Python<'_>, text: &str) -> Result<*mut ffi::PyObject, Fault> {
    let mut string = string(py, text)?.into_ptr();
    // SAFETY: attached; a str, whose reference is replaced.
    unsafe { ffi::PyUnicode_InternInPlace(&raw mut string) };
    Ok(string)
}

fn part_of(py: Python<'_>, text: &str) -> Result<Part, Fault> {
    Ok(Part {
        text: intern(py, text)?,
        plain: !text.starts_with("__"),
    })
}

/// `text` before and after its colon, when both are dotted names. (`lambda:x` is source.)
fn split_module<'a>(py: Python<'_>, text: &'a str) -> Result<Option<(&'a str, Parts)>, Fault> {
    match text.split_once(':') {
        None | Some(("lambda", _)) => Ok(None),
        Some((module, name)) => {
            let (before, parts) = (parts_of(py, module)?, parts_of(py, name)?);
            Ok((!before.is_empty() && !parts.is_empty()).then_some((module, parts)))
        }
    }
}

fn prepare(py: Python<'_>, text: &str) -> Result<Name, Fault> {
    let (module, parts) = match split_module(py, text)? {
        Some((module, parts)) => (intern(py, module)?, parts),
        None => (std::ptr::null_mut(), parts_of(py, text)?),
    };
    let whole = if parts.is_empty() {
        string(py, text)?.into_ptr()
    } else {
        intern(py, text)?
    };
    Ok(Name {
        text: text.into(),
        whole,
        module,
        parts,
        code: Cell::default(),
    })
}

/// What calling the name or source in `cell`, a `PYR_NAME` or text, calls.
#[inline]
pub(crate) fn callable<'py>(py: Python<'py>, cell: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    of_cell(py, cell)?.callable(py)
}

impl Name {
    /// Drop the compiled source.
    fn forget_code(&self) {
        let code = self.code.replace(std::ptr::null_mut());
        // SAFETY: attached; the reference was the name's.
        unsafe { ffi::Py_XDECREF(code) };
    }

    /// The name as it was written.
    pub(crate) fn text(&self) -> &Rc<str> {
        &self.text
    }

    /// The name as an attribute name.
    #[inline]
    pub(crate) fn attribute(&self) -> *mut ffi::PyObject {
        self.whole
    }

    /// The value of a dotted name, now.
    #[inline]
    pub(crate) fn value<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Fault> {
        match &*self.parts {
            [] => Err(self.undefined()),
            parts if !self.module.is_null() => self.value_in_module(py, parts),
            [first, rest @ ..] => follow(self.first(py, first.text)?, rest),
        }
    }

    /// The value of `parts` in the module.
    #[inline]
    fn value_in_module<'py>(&self, py: Python<'py>, parts: &[Part]) -> Result<Bound<'py, PyAny>, Fault> {
        // SAFETY: attached; both live for good; the borrowed value is owned at once.
        let module = unsafe { ffi::PyDict_GetItemWithError(bridge::modules_dict(), self.module) };
        if module.is_null() {
            return follow(self.import(py)?, parts);
        }
        // SAFETY: attached; the value is alive.
        match follow(unsafe { Bound::from_borrowed_ptr(py, module) }, parts) {
            // SAFETY: attached.
            Err(Fault::Python) if unsafe { ffi::PyErr_ExceptionMatches(ffi::PyExc_AttributeError) } != 0 => {
                // Another thread may be importing the module: then this waits for it.
                // SAFETY: attached.
                unsafe { ffi::PyErr_Clear() };
                follow(self.import(py)?, parts)
            }
            result => result,
        }
    }

    #[cold]
    fn import<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Fault> {
        // SAFETY: attached; the str lives as long as the name.
        own(py, unsafe { ffi::PyImport_Import(self.module) })
    }

    /// What calling this name calls: its value, or that of its source.
    #[inline]
    pub(crate) fn callable<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Fault> {
        if !self.parts.is_empty() {
            return self.value(py);
        }
        if self.code.get().is_null() {
            let code = source::compile(py, &self.text, source::Kind::Expression)?;
            // Hooks of warnings may have compiled it, too.
            self.forget_code();
            self.code.set(code.into_ptr());
        }
        source::run(py, self.code.get())
    }

    /// Set a global, or the last attribute of a dotted name.
    pub(crate) fn set_value(&self, value: &Bound<'_, PyAny>) -> Result<(), Fault> {
        let py = value.py();
        let (owner, last) = match &*self.parts {
            [] => return Err(self.undefined()),
            [middle @ .., last] if !self.module.is_null() => (follow(self.import(py)?, middle)?, last.text),
            [name] => {
                // SAFETY: attached; the dictionary and the str live for good, the value is alive.
                let set = unsafe { ffi::PyDict_SetItem(bridge::main_dict(), name.text, value.as_ptr()) };
                return check(set).map(drop);
            }
            [first, middle @ .., last] => (follow(self.first(py, first.text)?, middle)?, last.text),
        };
        // SAFETY: attached; three live objects.
        check(unsafe { ffi::PyObject_SetAttr(owner.as_ptr(), last, value.as_ptr()) }).map(drop)
    }

    /// The first part's value: from `__main__` or builtins, unless it is the bridge.
    #[inline]
    fn first<'py>(&self, py: Python<'py>, part: *mut ffi::PyObject) -> Result<Bound<'py, PyAny>, Fault> {
        if part == bridge::name() {
            return Ok(bridge::module(py));
        }
        for dictionary in [bridge::main_dict(), bridge::builtins_dict()] {
            // SAFETY: attached; the dictionary lives for good; the borrowed value is owned at once.
            unsafe {
                let value = ffi::PyDict_GetItemWithError(dictionary, part);
                if !value.is_null() {
                    return Ok(Bound::from_borrowed_ptr(py, value));
                }
                if !ffi::PyErr_Occurred().is_null() {
                    return Err(Fault::Python);
                }
            }
        }
        Err(self.undefined())
    }

    #[cold]
    fn undefined(&self) -> Fault {
        let name = if self.parts.is_empty() {
            &*self.text
        } else {
            self.text.split('.').next().unwrap_or("")
        };
        pyo3::exceptions::PyNameError::new_err(format!("name '{name}' is not defined")).into()
    }
}

/// `object`'s attribute of an attribute of … by `parts`.
#[inline]
fn follow<'py>(mut object: Bound<'py, PyAny>, parts: &[Part]) -> Result<Bound<'py, PyAny>, Fault> {
    for part in parts {
        object = attribute(object, part)?;
    }
    Ok(object)
}

/// `object.part`.
#[inline]
fn attribute<'py>(object: Bound<'py, PyAny>, part: &Part) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: attached; the object is owned, the str lives for good; the borrowed value is owned at once.
    unsafe {
        // What getattr finds in a module, unless the name is special, is what its dict has. A module
        // may answer for names it does not have: that is left to getattr.
        if part.plain && ffi::Py_TYPE(object.as_ptr()) == &raw mut ffi::PyModule_Type {
            let value = ffi::PyDict_GetItemWithError(ffi::PyModule_GetDict(object.as_ptr()), part.text);
            if !value.is_null() {
                return Ok(Bound::from_borrowed_ptr(object.py(), value));
            }
            ffi::PyErr_Clear();
        }
        own(object.py(), ffi::PyObject_GetAttr(object.as_ptr(), part.text))
    }
}
