//! What Python code can do with what the host lent: mostly, to ask the host.

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};
use pyo3::{Bound, ffi};

use super::{Function, Object};
use crate::abi::*;
use crate::fault::own;
use crate::{ask, bridge};

#[pymethods]
impl Object {
    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        match Self::ask(slf, PYR_ASK_REPR, PyTuple::empty(slf.py()), 0)? {
            Some(text) => Ok(text.str()?.to_string_lossy().into_owned()),
            None => Ok(format!("<_pyrite.{} {}>", bridge::type_name(slf), slf.get().id)),
        }
    }

    fn __getattr__<'py>(slf: &Bound<'py, Self>, name: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let args = PyTuple::new(slf.py(), [&name])?;
        Self::ask(slf, PYR_ASK_GETATTR, args, 0)?.ok_or_else(|| no_attribute(slf, &name))
    }

    fn __setattr__<'py>(
        slf: &Bound<'py, Self>,
        name: Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        // Without this, an instance could be given another class of the same size.
        if name.str()?.to_string_lossy() == "__class__" {
            return Err(no_attribute(slf, &name));
        }
        let args = PyTuple::new(slf.py(), [&name, &value])?;
        let answer = Self::ask(slf, PYR_ASK_SETATTR, args, 0)?;
        answer.map(drop).ok_or_else(|| no_attribute(slf, &name))
    }

    fn __dir__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        // SAFETY: attached; the names of the type, a new list.
        let names = unsafe { ffi::PyObject_Dir(slf.get_type().as_ptr()) };
        let names = own(slf.py(), names)
            .map_err(|_| PyErr::fetch(slf.py()))?
            .cast_into::<PyList>()?;
        if let Some(more) = Self::ask(slf, PYR_ASK_DIR, PyTuple::empty(slf.py()), 0)? {
            names.call_method1("extend", (more,))?;
        }
        Ok(names)
    }

    // A subclass could bring an instance back to life that the host was told is gone.
    #[classmethod]
    #[pyo3(signature = (**_keywords))]
    fn __init_subclass__(
        _subclass: &Bound<'_, PyType>,
        _keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let why = "type '_pyrite.Object' is not an acceptable base type";
        Err(PyTypeError::new_err(why))
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(no_attribute(slf, name))
    }

    fn __reduce_ex__(slf: &Bound<'_, Self>, _protocol: i32) -> PyResult<()> {
        Err(PyTypeError::new_err(format!(
            "cannot pickle {slf}: it is an object of another language"
        )))
    }

    // There is one Python object for each of the host's: a copy is that object, too.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }
}

#[pymethods]
impl Function {
    #[pyo3(signature = (*arguments, **keywords))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Bound<'py, PyTuple>,
        keywords: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let answer = match keywords {
            None => Object::ask(slf.as_super(), PYR_ASK_CALL, arguments.clone(), 0),
            Some(keywords) => {
                let all = ask::flatten(arguments, keywords)?;
                Object::ask(slf.as_super(), PYR_ASK_CALL, all, keywords.len())
            }
        };
        answer?.ok_or_else(|| PyTypeError::new_err("this function of the host language cannot be called"))
    }

    #[getter]
    fn __doc__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let args = PyTuple::new(slf.py(), ["__doc__"])?;
        Object::ask(slf.as_super(), PYR_ASK_GETATTR, args, 0)
    }
}

/// The host is not asked what the object is: Python code looks for attributes that it does not expect to find.
fn no_attribute(object: &Bound<'_, Object>, name: &Bound<'_, PyAny>) -> PyErr {
    let kind = bridge::type_name(object);
    PyAttributeError::new_err(format!(
        "'_pyrite.{kind}' object has no attribute '{name}', or none that can be set"
    ))
}

impl Object {
    /// The host's answer to a question about this; nothing when it has none.
    fn ask<'py>(
        slf: &Bound<'py, Self>,
        question: pyr_question,
        args: Bound<'py, PyTuple>,
        nkwargs: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let object = slf.get();
        // SAFETY: the host promised that its functions live as long as the process.
        match unsafe { object.host.as_ref() } {
            Some(host) => ask::ask(host, (object.id, object.context), question, args, nkwargs),
            None => Ok(None),
        }
    }
}
