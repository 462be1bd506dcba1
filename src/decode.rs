//! Cells to Python objects.
//!
//! Containers are built with a stack of our own, so their depth is bounded by a number and not by the
//! thread's stack. A dict's pair is put in when both halves are whole, since hashing looks inside.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use pyo3::{Bound, ffi, intern};

use crate::abi::*;
use crate::api::slice;
use crate::fault::{Fault, check, own};
use crate::{array, bridge, loan, names, numbers, objects, text};

/// The object that `cell` holds.
#[inline]
pub(crate) fn value<'py>(py: Python<'py>, cell: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    match cell.tag {
        PYR_INT | PYR_FLOAT => number(py, cell),
        PYR_LIST | PYR_TUPLE | PYR_DICT | PYR_SLICE | PYR_ARRAY if is_container(cell)? => container(py, cell),
        _ => leaf(py, cell),
    }
}

/// The int or float in `cell`.
#[inline]
fn number<'py>(py: Python<'py>, cell: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: attached; the tag says which member was set, and any bit pattern is a number.
    own(py, unsafe {
        if cell.tag == PYR_INT {
            ffi::PyLong_FromLongLong(cell.of.integer)
        } else {
            ffi::PyFloat_FromDouble(cell.of.real)
        }
    })
}

/// The object of a cell that is no container.
#[inline]
fn leaf<'py>(py: Python<'py>, cell: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    match cell.tag {
        PYR_INT | PYR_FLOAT | PYR_SINGLE => number(py, cell),
        // SAFETY: the tag says which member was set, and any integer is a valid one.
        PYR_HANDLE => objects::get(py, unsafe { cell.of.handle }),
        PYR_UTF8 | PYR_LATIN1 | PYR_UCS4 | PYR_UTF32 => text::to_python(py, cell),
        PYR_NONE => Ok(py.None().into_bound(py)),
        // SAFETY: as for a handle; attached.
        PYR_BOOL => own(py, unsafe { ffi::PyBool_FromLong((cell.of.integer != 0).into()) }),
        PYR_BIGINT => big_integer(py, text::bytes(cell)?),
        PYR_BYTES => Ok(PyBytes::new(py, text::bytes(cell)?).into_any()),
        PYR_ARRAY => array::to_python(py, array_of(cell)?),
        PYR_CHARACTER => text::character(py, cell),
        PYR_PATH => text::path(py, cell),
        PYR_COMPLEX => numbers::complex(py, cell),
        PYR_FRACTION => numbers::fraction(py, cell),
        PYR_NAME => names::of_cell(py, cell)?.value(py),
        // SAFETY: the tag says which member was set.
        PYR_LOAN => loan::to_python(py, unsafe { cell.of.loan }),
        tag => Err(Fault::new(
            PYR_INVALID_TAG,
            format!("a cell has the unknown tag {tag}"),
        )),
    }
}

/// An int of two's complement, little-endian `bytes`.
fn big_integer<'py>(py: Python<'py>, bytes: &[u8]) -> Result<Bound<'py, PyAny>, Fault> {
    let keywords = pyo3::types::PyDict::new(py);
    keywords.set_item(intern!(py, "signed"), true)?;
    let kind = py.get_type::<pyo3::types::PyInt>();
    Ok(kind.call_method(
        intern!(py, "from_bytes"),
        (PyBytes::new(py, bytes), "little"),
        Some(&keywords),
    )?)
}

/// Whether `cell` holds cells of items: an array of objects does, too.
#[inline]
fn is_container(cell: &pyr_value) -> Result<bool, Fault> {
    match cell.tag {
        PYR_LIST | PYR_TUPLE | PYR_DICT | PYR_SLICE => Ok(true),
        PYR_ARRAY => Ok(array_of(cell)?.element == PYR_OBJECT),
        _ => Ok(false),
    }
}

/// The array in a cell that holds one.
fn array_of(cell: &pyr_value) -> Result<&pyr_array, Fault> {
    // SAFETY: the caller of the C function vouches for the pointer; NULL is refused.
    unsafe { cell.of.array.as_ref() }.ok_or_else(|| Fault::null("the array of a cell"))
}

/// A container that is being filled.
struct Frame<'py, 'a> {
    container: Bound<'py, PyAny>,
    tag: pyr_tag,
    items: &'a [pyr_value],
    next: usize,
    /// In a dict, the key whose value comes next.
    key: Option<Bound<'py, PyAny>>,
    /// For an array of objects, which is a list until it is whole: its dimensions.
    shape: Option<&'a [usize]>,
    /// Whether this is a slice, which is a tuple until it is whole.
    is_slice: bool,
    /// How deep inside the key of a dict, or inside a slice, this is; 0 when it is in none.
    inside: u32,
}

/// How deep the key of a dict, or a slice, may be nested: Python's hash of a tuple is recursive, and so is
/// its way of freeing a slice.
const MAXIMUM_INSIDE: u32 = 1000;

fn too_deep(what: &str) -> Fault {
    Fault::new(PYR_TOO_DEEP, format!("{what} nested too deeply"))
}

impl<'py, 'a> Frame<'py, 'a> {
    fn new(py: Python<'py>, cell: &'a pyr_value, inside: u32) -> Result<Self, Fault> {
        if inside > MAXIMUM_INSIDE {
            return Err(too_deep("the key of a dict, or a slice, is"));
        }
        // SAFETY: the tag says which pointer was set, and to how many cells; NULL is refused.
        let (items, length, shape) = unsafe {
            if cell.tag == PYR_ARRAY {
                let array = array_of(cell)?;
                let (shape, count) = array::shape(array)?;
                let items = slice(array.data.cast(), count, "the data of an array")?;
                (items, count, Some(shape))
            } else if cell.tag == PYR_SLICE && cell.aux != 3 {
                return Err(Fault::new(PYR_INVALID_TAG, "a slice is start, stop and step"));
            } else {
                let length = cell.aux as usize;
                let cells = if cell.tag == PYR_DICT { length * 2 } else { length };
                (
                    slice(cell.of.items, cells, "the items of a container")?,
                    length,
                    None,
                )
            }
        };
        let tag = match cell.tag {
            PYR_ARRAY => PYR_LIST,
            PYR_SLICE => PYR_TUPLE,
            tag => tag,
        };
        // SAFETY: attached.
        let container = own(py, unsafe {
            match tag {
                PYR_LIST => ffi::PyList_New(length as isize),
                PYR_TUPLE => ffi::PyTuple_New(length as isize),
                _ => ffi::PyDict_New(),
            }
        })?;
        Ok(Self {
            container,
            tag,
            shape,
            is_slice: cell.tag == PYR_SLICE,
            items,
            next: 0,
            key: None,
            inside,
        })
    }

    /// What the cell stands for, all its items being in.
    fn finish(self) -> Result<Bound<'py, PyAny>, Fault> {
        match self.shape {
            None if self.is_slice => slice_of(&self.container),
            None => Ok(self.container),
            Some(shape) => {
                let py = self.container.py();
                bridge::call(py, "object_array", (self.container, PyTuple::new(py, shape)?))
            }
        }
    }

    /// How deep inside a key or slice a container is that is the next item.
    fn inner_inside(&self) -> u32 {
        let is_key = self.tag == PYR_DICT && self.key.is_none();
        if is_key || self.is_slice || self.inside > 0 {
            self.inside + 1
        } else {
            0
        }
    }

    /// Where the container that is the next item is, in Python's notation.
    fn subscript(&self) -> String {
        match &self.key {
            _ if self.tag != PYR_DICT => format!("[{}]", self.next),
            None => "<a key>".to_owned(),
            Some(key) => {
                let text = bridge::call(key.py(), "subscript", (key,));
                text.map_or_else(|_| "<a key>".to_owned(), |text| text.to_string())
            }
        }
    }

    /// Put `item` in the next place.
    #[inline]
    fn put(&mut self, item: Bound<'py, PyAny>) -> Result<(), Fault> {
        let (container, index) = (self.container.as_ptr(), self.next as isize);
        self.next += 1;
        if self.tag == PYR_DICT && self.key.is_none() {
            self.key = Some(item);
            return Ok(());
        }
        // SAFETY: attached; a list or tuple was made with room for the item, which is moved in, and
        // nobody else has seen it; key and item are alive.
        let result = unsafe {
            match (self.tag, self.key.take()) {
                (PYR_LIST, _) => ffi::PyList_SetItem(container, index, item.into_ptr()),
                (PYR_DICT, Some(key)) => {
                    let mut result = ffi::PyDict_SetItem(container, key.as_ptr(), item.as_ptr());
                    if result == 0 && 2 * ffi::PyDict_Size(container) < self.next as isize {
                        // What was there would be lost. `explain` raises.
                        result = -1;
                    }
                    if result < 0 {
                        self.key = Some(key);
                    }
                    result
                }
                _ => ffi::PyTuple_SetItem(container, index, item.into_ptr()),
            }
        };
        check(result).map(drop)
    }
}

/// The slice of the three items in the tuple `parts`.
fn slice_of<'py>(parts: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: attached; the tuple was made with three items, which it keeps alive.
    own(parts.py(), unsafe {
        let part = |index| ffi::PyTuple_GetItem(parts.as_ptr(), index);
        ffi::PySlice_New(part(0), part(1), part(2))
    })
}

/// What putting an item into `frame`, which is inside `outer`, failed with: of a key that cannot be one, or is
/// there already, the exception tells which it is and where.
#[cold]
fn explain<'py>(fault: Fault, frame: &Frame<'py, '_>, outer: &[Frame<'py, '_>]) -> Fault {
    let (Fault::Python, Some(key)) = (&fault, &frame.key) else {
        return fault;
    };
    let last = outer.len().saturating_sub(MAXIMUM_PLACES);
    // Attached as pyo3 sees it: else it keeps the reference in the old error for later.
    Python::attach(|py| {
        let error = PyErr::take(py);
        let place: String = outer[last..].iter().map(Frame::subscript).collect();
        let place = if place.is_empty() {
            place
        } else {
            format!(" at {place}")
        };
        if PyErr::occurred(py) {
            // An interrupt came meanwhile.
            return;
        }
        let told = match &error {
            Some(error) => bridge::call(py, "bad_key", (error.value(py), key, place)),
            None => bridge::call(py, "equal_key", (key, place)),
        };
        match (told, error) {
            (Ok(told), _) => PyErr::from_value(told).restore(py),
            (Err(_), Some(error)) => error.restore(py),
            // Python's reason why the one could not be made is set.
            (Err(_), None) => {}
        }
    });
    Fault::Python
}

/// How many subscripts a message tells at the most.
const MAXIMUM_PLACES: usize = 20;

/// The container that `root` holds.
fn container<'py>(py: Python<'py>, root: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    let mut outer: Vec<Frame<'py, '_>> = Vec::new();
    let mut frame = Frame::new(py, root, 0)?;
    loop {
        let items = frame.items;
        let mut inner = None;
        while let Some(cell) = items.get(frame.next) {
            if is_container(cell)? {
                inner = Some(Frame::new(py, cell, frame.inner_inside())?);
                break;
            }
            let item = leaf(py, cell)?;
            frame.put(item).map_err(|fault| explain(fault, &frame, &outer))?;
        }
        if let Some(inner) = inner {
            if outer.len() + 2 > PYR_MAXIMUM_DEPTH as usize {
                return Err(too_deep("containers are"));
            }
            outer.push(std::mem::replace(&mut frame, inner));
        } else {
            match outer.pop() {
                None => return frame.finish(),
                Some(mut parent) => {
                    parent
                        .put(frame.finish()?)
                        .map_err(|fault| explain(fault, &parent, &outer))?;
                    frame = parent;
                }
            }
        }
    }
}
