//! Calling: the arguments on the stack, one vectorcall.

use std::collections::HashSet;
use std::mem::MaybeUninit;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{Bound, ffi};

use crate::abi::pyr_value;
use crate::api::python::symbols;
use crate::fault::{Fault, own};
use crate::{decode, names};

/// How many arguments fit on the stack.
const ON_STACK: usize = 16;
/// Of more keywords than this, those that came before are looked up in a set.
const FEW: usize = 16;
/// The bit that allows a callee to use the place before the first argument.
const ARGUMENTS_OFFSET: usize = 1 << (usize::BITS - 1);

/// The arguments of a call as vectorcall wants them: a spare place, the positional ones, the values of
/// the keyword ones; and the tuple of the keywords' names.
struct Arguments<'py> {
    stack: [MaybeUninit<*mut ffi::PyObject>; ON_STACK + 1],
    heap: Vec<MaybeUninit<*mut ffi::PyObject>>,
    filled: usize,
    positional: usize,
    keywords: Option<Bound<'py, PyTuple>>,
}

impl<'py> Arguments<'py> {
    #[inline]
    fn new(capacity: usize) -> Self {
        let heap = if capacity > ON_STACK {
            vec![MaybeUninit::uninit(); capacity + 1]
        } else {
            Vec::new()
        };
        Self {
            stack: [MaybeUninit::uninit(); ON_STACK + 1],
            heap,
            filled: 0,
            positional: 0,
            keywords: None,
        }
    }

    /// The spare place and what follows it.
    #[inline]
    fn places(&mut self) -> &mut [MaybeUninit<*mut ffi::PyObject>] {
        if self.heap.is_empty() {
            &mut self.stack
        } else {
            &mut self.heap
        }
    }

    /// Where the first argument is; the place before it is spare.
    #[inline]
    fn first(&mut self) -> *const *mut ffi::PyObject {
        self.places()[1..].as_ptr().cast()
    }

    #[inline]
    fn push(&mut self, argument: Bound<'py, PyAny>) {
        self.filled += 1;
        let place = self.filled;
        self.places()[place].write(argument.into_ptr());
    }

    /// Decode `nargs` positional cells, then pairs of cells: name, value.
    #[inline]
    fn decode(&mut self, py: Python<'py>, cells: &[pyr_value], nargs: usize) -> Result<(), Fault> {
        let (positional, keywords) = cells.split_at(nargs);
        for cell in positional {
            let argument = decode::value(py, cell)?;
            self.push(argument);
        }
        self.positional = self.filled;
        if !keywords.is_empty() {
            self.decode_keywords(py, keywords)?;
        }
        Ok(())
    }

    fn decode_keywords(&mut self, py: Python<'py>, pairs: &[pyr_value]) -> Result<(), Fault> {
        // SAFETY: attached.
        let names = own(py, unsafe { ffi::PyTuple_New((pairs.len() / 2) as isize) })?;
        // Those that are in the tuple, if they are many.
        let mut met = HashSet::new();
        for (index, pair) in pairs.chunks_exact(2).enumerate() {
            let name = names::of_cell(py, &pair[0])?;
            let repeated = if pairs.len() <= 2 * FEW {
                is_among(&names, index, name.attribute())
            } else {
                !met.insert(name.text().clone())
            };
            // SAFETY: attached; the str is alive; the new tuple takes the reference added here.
            unsafe {
                ffi::Py_INCREF(name.attribute());
                ffi::PyTuple_SetItem(names.as_ptr(), index as isize, name.attribute());
            }
            if repeated {
                let what = format!("keyword argument repeated: {}", name.text());
                return Err(pyo3::exceptions::PyTypeError::new_err(what).into());
            }
            let value = decode::value(py, &pair[1])?;
            self.push(value);
        }
        self.keywords = names.cast_into().ok();
        Ok(())
    }

    #[inline]
    fn keyword_names(&self) -> *mut ffi::PyObject {
        self.keywords
            .as_ref()
            .map_or(std::ptr::null_mut(), |names| names.as_ptr())
    }

    /// The keyword arguments as a dict, for Pythons that take them no other way; NULL for none.
    fn keyword_dict(&mut self, py: Python<'py>) -> Result<Option<Bound<'py, PyDict>>, Fault> {
        let Some(names) = self.keywords.clone() else {
            return Ok(None);
        };
        let keywords = PyDict::new(py);
        let first = self.positional + 1;
        for (index, name) in names.iter().enumerate() {
            // SAFETY: attached; the place was filled with a reference of ours.
            let value = unsafe { Bound::from_borrowed_ptr(py, self.places()[first + index].assume_init()) };
            keywords.set_item(name, value)?;
        }
        Ok(Some(keywords))
    }

    /// Call `callable` with what was decoded.
    #[inline]
    fn call(&mut self, callable: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Fault> {
        let (py, count, names) = (
            callable.py(),
            self.positional | ARGUMENTS_OFFSET,
            self.keyword_names(),
        );
        if let Some(vectorcall) = symbols().vectorcall {
            let first = self.first();
            // SAFETY: attached; the arguments are alive, the place before them is ours.
            return own(py, unsafe { vectorcall(callable.as_ptr(), first, count, names) });
        }
        let keywords = self.keyword_dict(py)?;
        let keywords = keywords
            .as_ref()
            .map_or(std::ptr::null_mut(), |keywords| keywords.as_ptr());
        let call = symbols()
            .vectorcall_dict
            .ok_or_else(|| Fault::message("this Python has no vectorcall"))?;
        let first = self.first();
        // SAFETY: as above.
        own(py, unsafe { call(callable.as_ptr(), first, count, keywords) })
    }

    /// Call the method `name` of the first argument.
    #[inline]
    fn call_method(&mut self, py: Python<'py>, name: *mut ffi::PyObject) -> Result<Bound<'py, PyAny>, Fault> {
        let (count, names) = (self.positional | ARGUMENTS_OFFSET, self.keyword_names());
        let call = symbols()
            .vectorcall_method
            .ok_or_else(|| Fault::message("this Python has no vectorcall"))?;
        let first = self.first();
        // SAFETY: attached; the arguments are alive, there is one at least, the place before is ours.
        own(py, unsafe { call(name, first, count, names) })
    }
}

impl Drop for Arguments<'_> {
    #[inline]
    fn drop(&mut self) {
        let filled = self.filled;
        for argument in &self.places()[1..=filled] {
            // SAFETY: attached; `push` moved a reference into each of these places.
            unsafe { ffi::Py_DECREF(argument.assume_init()) };
        }
    }
}

/// Whether `name` is one of the first `count` items of the tuple `names`.
fn is_among(names: &Bound<'_, PyAny>, count: usize, name: *mut ffi::PyObject) -> bool {
    // SAFETY: attached; a tuple that has as many items; strs, which can be compared.
    (0..count as isize).any(|index| unsafe {
        ffi::PyUnicode_Compare(ffi::PyTuple_GetItem(names.as_ptr(), index), name) == 0
    })
}

/// Call `callable` with `nargs` cells of positional arguments, then pairs for keyword arguments.
#[inline]
pub(crate) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    cells: &[pyr_value],
    nargs: usize,
) -> Result<Bound<'py, PyAny>, Fault> {
    let mut arguments = Arguments::new(cells.len());
    arguments.decode(callable.py(), cells, nargs)?;
    arguments.call(callable)
}

/// Call the method `name` of `object`; the cells as for [`call`].
#[inline]
pub(crate) fn call_method<'py>(
    object: Bound<'py, PyAny>,
    name: &names::Known,
    cells: &[pyr_value],
    nargs: usize,
) -> Result<Bound<'py, PyAny>, Fault> {
    let py = object.py();
    let mut arguments = Arguments::new(cells.len() + 1);
    arguments.push(object);
    arguments.decode(py, cells, nargs)?;
    arguments.call_method(py, name.attribute())
}
