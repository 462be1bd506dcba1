//! Python objects to cells, by exact type: a subclass is never flattened, it becomes a handle.
//!
//! The items of a container stand side by side in the result's memory. Containers are walked depth
//! first with a stack of our own; what is on the stack is what a container must not meet again.

use std::collections::HashSet;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{Bound, ffi, intern};

use crate::abi::*;
use crate::fault::{Fault, own};
use crate::memory::Memory;
use crate::release::{self, Debt};
use crate::{array, objects, text};

/// Above this depth the containers on the path are looked up in a set.
const SHALLOW: usize = 16;

/// Write `object` to `out` as `flags` ask.
#[inline]
pub(crate) fn result(object: Bound<'_, PyAny>, flags: u32, out: &mut pyr_result) -> Result<(), Fault> {
    if flags & PYR_REMOTE != 0 {
        let handle = objects::insert(object)?;
        out.value = pyr_value { tag: PYR_HANDLE, aux: 0, of: pyr_payload { handle } };
        out.memory = std::ptr::null_mut();
        return Ok(());
    }
    // A number is written where the host reads it, field by field, and nothing else is set up: copying
    // a cell that was just written in parts stalls the processor longer than converting it takes.
    if let Some(cell) = number(&object) {
        out.value.tag = cell.tag;
        out.value.aux = 0;
        out.value.of = cell.of;
        out.memory = std::ptr::null_mut();
        return Ok(());
    }
    any(object, flags, out)
}

/// [`result`] for what is no number.
fn any(object: Bound<'_, PyAny>, flags: u32, out: &mut pyr_result) -> Result<(), Fault> {
    let mut encoder = Encoder {
        ucs4: flags & PYR_AS_UCS4 != 0,
        scratch: &raw mut out.scratch,
        memory: None,
        handles: Vec::new(),
    };
    let value = encoder.value(object);
    out.value = value.inspect_err(|_| encoder.undo())?;
    out.memory = encoder.memory.map_or(std::ptr::null_mut(), Memory::into_raw);
    Ok(())
}

/// The cell of a float, or of an int that fits in one.
#[inline(always)]
fn number(object: &Bound<'_, PyAny>) -> Option<pyr_value> {
    let pointer = object.as_ptr();
    // SAFETY: attached; the object is alive; the accessors are called on their exact types.
    unsafe {
        let kind = ffi::Py_TYPE(pointer);
        if kind == &raw mut ffi::PyFloat_Type {
            return Some(pyr_value::real(PYR_FLOAT, ffi::PyFloat_AsDouble(pointer)));
        }
        if kind == &raw mut ffi::PyLong_Type {
            let mut overflow = 0;
            let integer = ffi::PyLong_AsLongLongAndOverflow(pointer, &raw mut overflow);
            return (overflow == 0).then(|| pyr_value::integer(PYR_INT, integer));
        }
        None
    }
}

/// The length of a cell, or nothing when it does not fit.
fn aux(length: usize) -> Option<u32> {
    u32::try_from(length).ok()
}

struct Encoder {
    ucs4: bool,
    /// The result's scratch room, for the root; NULL once it is taken.
    scratch: *mut [u8; PYR_SCRATCH],
    memory: Option<Box<Memory>>,
    /// Handles made so far, to be given back when the conversion fails.
    handles: Vec<pyr_handle>,
}

/// A container that is being read.
struct Frame<'py> {
    container: Bound<'py, PyAny>,
    tag: pyr_tag,
    cells: *mut pyr_value,
    length: usize,
    next: usize,
    /// In a dict, where PyDict_Next stands, and the value whose key was read last.
    position: isize,
    value: Option<Bound<'py, PyAny>>,
}

impl Encoder {
    /// The cell of `object`.
    #[inline]
    fn value(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        match container_tag(&object) {
            None => self.leaf(object),
            Some(tag) => self.container(object, tag),
        }
    }

    /// The cell of an object that is no container.
    #[inline]
    fn leaf(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        if let Some(cell) = number(&object) {
            return Ok(cell);
        }
        let pointer = object.as_ptr();
        // SAFETY: attached; the object is alive; the accessors are called on their exact types.
        unsafe {
            let kind = ffi::Py_TYPE(pointer);
            if kind == &raw mut ffi::PyUnicode_Type {
                self.text(object)
            } else if kind == &raw mut ffi::PyLong_Type {
                self.big_integer(object)
            } else if pointer == ffi::Py_None() {
                Ok(pyr_value::integer(PYR_NONE, 0))
            } else if kind == &raw mut ffi::PyBool_Type {
                Ok(pyr_value::integer(PYR_BOOL, (pointer == ffi::Py_True()).into()))
            } else if kind == &raw mut ffi::PyBytes_Type {
                let length = ffi::PyBytes_Size(pointer) as usize;
                let bytes = std::slice::from_raw_parts(ffi::PyBytes_AsString(pointer).cast(), length);
                self.bytes(PYR_BYTES, bytes).map_or_else(|| self.handle(object), Ok)
            } else {
                self.other(object)
            }
        }
    }

    #[cold]
    fn big_integer(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        let py = object.py();
        let bits: usize = object.call_method0(intern!(py, "bit_length"))?.extract()?;
        let keywords = pyo3::types::PyDict::new(py);
        keywords.set_item(intern!(py, "signed"), true)?;
        let bytes = object.call_method(intern!(py, "to_bytes"), (bits / 8 + 1, "little"), Some(&keywords))?;
        let bytes = bytes.cast_into::<PyBytes>().map_err(|_| Fault::message("to_bytes gave no bytes"))?;
        self.bytes(PYR_BIGINT, bytes.as_bytes()).map_or_else(|| self.handle(object), Ok)
    }

    #[inline]
    fn text(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        let pointer = object.as_ptr();
        if !self.ucs4 {
            let cell = text::with_utf8(object.py(), pointer, |bytes| self.bytes(PYR_UTF8, bytes))?;
            return cell.map_or_else(|| self.handle(object), Ok);
        }
        let measure = text::measure_ucs4(pointer);
        let Some(units) = aux(measure.units) else { return self.handle(object) };
        let room = self.room(measure.size);
        text::write_ucs4(pointer, room, &measure)?;
        Ok(pyr_value::bytes(PYR_UCS4, units, room))
    }

    /// A cell with a copy of `bytes`; nothing when there are too many.
    fn bytes(&mut self, tag: pyr_tag, bytes: &[u8]) -> Option<pyr_value> {
        let length = aux(bytes.len())?;
        let room = self.room(bytes.len());
        // SAFETY: `room` is new and large enough.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len()) };
        Some(pyr_value::bytes(tag, length, room))
    }

    /// Room for `size` bytes, aligned for any cell: the scratch room if it is free and large enough.
    #[inline]
    fn room(&mut self, size: usize) -> *mut u8 {
        if size <= PYR_SCRATCH && !self.scratch.is_null() {
            return std::mem::replace(&mut self.scratch, std::ptr::null_mut()).cast();
        }
        self.memory().allocate(size)
    }

    fn memory(&mut self) -> &mut Memory {
        self.memory.get_or_insert_default()
    }

    fn handle(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        let handle = objects::insert(object)?;
        self.handles.push(handle);
        Ok(pyr_value { tag: PYR_HANDLE, aux: 0, of: pyr_payload { handle } })
    }

    /// The cell of an object of none of Python's own simple types.
    fn other(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        match array::classify(&object)? {
            array::Class::Array => {
                let memory = self.memory.get_or_insert_default();
                match array::from_python(&object, memory)? {
                    array::Converted::Array(array) => {
                        Ok(pyr_value { tag: PYR_ARRAY, aux: 0, of: pyr_payload { array } })
                    }
                    array::Converted::Scalar(value) => self.numpy_scalar(value, false),
                    array::Converted::No => self.handle(object),
                }
            }
            array::Class::Scalar { single } => {
                let item = object.call_method0(intern!(object.py(), "item"))?;
                self.numpy_scalar(item, single)
            }
            array::Class::Other => self.handle(object),
        }
    }

    /// The cell of what a numpy scalar's `item` gave: a Python scalar, or itself.
    fn numpy_scalar(&mut self, item: Bound<'_, PyAny>, single: bool) -> Result<pyr_value, Fault> {
        if matches!(array::classify(&item)?, array::Class::Other) && container_tag(&item).is_none() {
            let mut cell = self.leaf(item)?;
            if single && cell.tag == PYR_FLOAT {
                cell.tag = PYR_SINGLE;
            }
            return Ok(cell);
        }
        self.handle(item)
    }

    /// The cell of a container and of all that is in it.
    fn container(&mut self, root: Bound<'_, PyAny>, tag: pyr_tag) -> Result<pyr_value, Fault> {
        // The scratch room is for short text: the items of a container go into memory.
        self.scratch = std::ptr::null_mut();
        let (root_cell, mut frame) = self.open(root, tag)?;
        let mut path = Path::default();
        loop {
            match self.fill(&mut frame)? {
                Some((inner, tag)) => {
                    path.push(&frame)?;
                    path.check(&inner)?;
                    let (cell, inner) = self.open(inner, tag)?;
                    frame.put(cell);
                    path.frames.push(std::mem::replace(&mut frame, inner));
                }
                None => match path.pop() {
                    None => return Ok(root_cell),
                    Some(outer) => frame = outer,
                },
            }
        }
    }

    /// Make the cells for a container's items.
    fn open<'py>(&mut self, container: Bound<'py, PyAny>, tag: pyr_tag) -> Result<(pyr_value, Frame<'py>), Fault> {
        let pointer = container.as_ptr();
        // SAFETY: attached; each is called on its exact type.
        let length = unsafe {
            match tag {
                PYR_LIST => ffi::PyList_Size(pointer),
                PYR_TUPLE => ffi::PyTuple_Size(pointer),
                _ => ffi::PyDict_Size(pointer),
            }
        } as usize;
        let aux = aux(length).ok_or_else(|| Fault::message("a container has more than 2^32 items"))?;
        let length = if tag == PYR_DICT { length * 2 } else { length };
        let cells = self.memory().allocate(length * size_of::<pyr_value>()).cast::<pyr_value>();
        let cell = pyr_value { tag, aux, of: pyr_payload { items: cells } };
        Ok((cell, Frame { container, tag, cells, length, next: 0, position: 0, value: None }))
    }

    /// Fill the frame's cells up to the next container among them, which is returned.
    #[inline]
    fn fill<'py>(&mut self, frame: &mut Frame<'py>) -> Result<Option<(Bound<'py, PyAny>, pyr_tag)>, Fault> {
        while frame.next < frame.length {
            let item = frame.item()?;
            if let Some(tag) = container_tag(&item) {
                return Ok(Some((item, tag)));
            }
            let cell = self.leaf(item)?;
            frame.put(cell);
        }
        frame.unchanged().map(|()| None)
    }

    /// Give back what a failed conversion made.
    fn undo(&mut self) {
        for handle in self.handles.drain(..) {
            release::push(Debt::Handle(handle));
        }
    }
}

impl<'py> Frame<'py> {
    /// The next item, owned: converting it may run code that changes the container.
    #[inline]
    fn item(&mut self) -> Result<Bound<'py, PyAny>, Fault> {
        let (py, container) = (self.container.py(), self.container.as_ptr());
        // SAFETY: attached; each is called on its exact type and checks the index; the borrowed
        // reference is owned before anything else can run.
        unsafe {
            let item = match self.tag {
                PYR_LIST => ffi::PyList_GetItem(container, self.next as isize),
                PYR_TUPLE => ffi::PyTuple_GetItem(container, self.next as isize),
                _ => return self.dict_item(),
            };
            if item.is_null() {
                ffi::PyErr_Clear();
                return Err(changed());
            }
            Ok(Bound::from_borrowed_ptr(py, item))
        }
    }

    #[inline]
    fn dict_item(&mut self) -> Result<Bound<'py, PyAny>, Fault> {
        if let Some(value) = self.value.take() {
            return Ok(value);
        }
        let (py, mut key, mut value) = (self.container.py(), std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: attached; the container is a dict; the borrowed references are owned at once.
        unsafe {
            if ffi::PyDict_Next(self.container.as_ptr(), &raw mut self.position, &raw mut key, &raw mut value) == 0 {
                return Err(changed());
            }
            self.value = Some(Bound::from_borrowed_ptr(py, value));
            Ok(Bound::from_borrowed_ptr(py, key))
        }
    }

    #[inline]
    fn put(&mut self, cell: pyr_value) {
        // SAFETY: `next` is below the length for which the cells were made.
        unsafe { self.cells.add(self.next).write(cell) };
        self.next += 1;
    }

    /// Refuse a container that has grown since it was opened.
    fn unchanged(&self) -> Result<(), Fault> {
        // SAFETY: attached; each is called on its exact type.
        let length = unsafe {
            match self.tag {
                PYR_LIST => ffi::PyList_Size(self.container.as_ptr()) as usize,
                PYR_DICT => ffi::PyDict_Size(self.container.as_ptr()) as usize * 2,
                _ => self.length,
            }
        };
        if length == self.length { Ok(()) } else { Err(changed()) }
    }
}

fn changed() -> Fault {
    Fault::new(PYR_CHANGED, "a container was changed while it was being converted")
}

/// The containers round the one that is being read, outermost first.
#[derive(Default)]
struct Path<'py> {
    frames: Vec<Frame<'py>>,
    /// Those beyond `SHALLOW`, by address.
    deep: HashSet<usize>,
    current: usize,
}

impl<'py> Path<'py> {
    /// Note that `frame` will be round the next container.
    fn push(&mut self, frame: &Frame<'py>) -> Result<(), Fault> {
        if self.frames.len() >= PYR_MAXIMUM_DEPTH as usize {
            return Err(Fault::new(PYR_TOO_DEEP, "containers are nested too deeply"));
        }
        self.current = frame.container.as_ptr() as usize;
        if self.frames.len() >= SHALLOW {
            self.deep.insert(self.current);
        }
        Ok(())
    }

    fn pop(&mut self) -> Option<Frame<'py>> {
        let frame = self.frames.pop()?;
        if self.frames.len() >= SHALLOW {
            self.deep.remove(&(frame.container.as_ptr() as usize));
        }
        Some(frame)
    }

    /// Refuse a container that is inside itself.
    fn check(&self, inner: &Bound<'py, PyAny>) -> Result<(), Fault> {
        let address = inner.as_ptr() as usize;
        let met = address == self.current
            || self.frames.iter().take(SHALLOW).any(|frame| frame.container.as_ptr() as usize == address)
            || self.deep.contains(&address);
        if met {
            return Err(Fault::new(PYR_CIRCULAR, "a container that contains itself cannot be converted"));
        }
        Ok(())
    }
}

/// The tag of a list, tuple or dict; nothing for any other exact type.
#[inline]
fn container_tag(object: &Bound<'_, PyAny>) -> Option<pyr_tag> {
    // SAFETY: attached; the object is alive.
    let kind = unsafe { ffi::Py_TYPE(object.as_ptr()) };
    if kind == &raw mut ffi::PyList_Type {
        Some(PYR_LIST)
    } else if kind == &raw mut ffi::PyTuple_Type {
        Some(PYR_TUPLE)
    } else if kind == &raw mut ffi::PyDict_Type {
        Some(PYR_DICT)
    } else {
        None
    }
}

/// The text of `object`'s str or repr as a result.
pub(crate) fn text_of(
    py: Python<'_>,
    text: *mut ffi::PyObject,
    flags: u32,
    out: &mut pyr_result,
) -> Result<(), Fault> {
    result(own(py, text)?, flags & !PYR_REMOTE, out)
}
