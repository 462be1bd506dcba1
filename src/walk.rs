//! Reading containers: one after the other without recursion, whatever other code does to them.

use std::collections::HashSet;

use pyo3::prelude::*;
use pyo3::{Bound, ffi};

use crate::abi::*;
use crate::bridge;
use crate::fault::Fault;

/// Above this depth the containers on the path are looked up in a set.
const SHALLOW: usize = 16;

/// A container that is being read.
pub(crate) struct Frame<'py> {
    container: Bound<'py, PyAny>,
    tag: pyr_tag,
    cells: *mut pyr_value,
    length: usize,
    next: usize,
    /// In a dict, where PyDict_Next stands, and the value whose key was read last.
    position: isize,
    value: Option<Bound<'py, PyAny>>,
}

impl<'py> Frame<'py> {
    /// Open `container`; `allocate` gives room for as many cells as it is asked for.
    pub(crate) fn new(
        container: Bound<'py, PyAny>,
        tag: pyr_tag,
        allocate: impl FnOnce(usize) -> Result<*mut pyr_value, Fault>,
    ) -> Result<Self, Fault> {
        let length = size(container.as_ptr(), tag);
        let length = if tag == PYR_DICT { length * 2 } else { length };
        Ok(Self {
            container,
            tag,
            cells: allocate(length)?,
            length,
            next: 0,
            position: 0,
            value: None,
        })
    }

    /// The container's own cell, which points to those of its items.
    pub(crate) fn cell(&self) -> Result<pyr_value, Fault> {
        let count = if self.tag == PYR_DICT {
            self.length / 2
        } else {
            self.length
        };
        let aux = u32::try_from(count).map_err(|_| Fault::message("a container has more than 2^32 items"))?;
        Ok(pyr_value {
            tag: self.tag,
            aux,
            of: pyr_payload { items: self.cells },
        })
    }

    /// Whether every cell is written.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.next == self.length
    }

    /// The next item, owned: converting it may run code that changes the container.
    #[inline]
    pub(crate) fn item(&mut self) -> Result<Bound<'py, PyAny>, Fault> {
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
            if ffi::PyDict_Next(
                self.container.as_ptr(),
                &raw mut self.position,
                &raw mut key,
                &raw mut value,
            ) == 0
            {
                return Err(changed());
            }
            self.value = Some(Bound::from_borrowed_ptr(py, value));
            Ok(Bound::from_borrowed_ptr(py, key))
        }
    }

    #[inline]
    pub(crate) fn put(&mut self, cell: pyr_value) {
        // SAFETY: `next` is below the length for which the cells were made.
        unsafe { self.cells.add(self.next).write(cell) };
        self.next += 1;
    }

    /// Where the item `inner` of the cell at `index` is, in Python's notation.
    fn subscript(&self, index: usize, inner: &Bound<'py, PyAny>) -> String {
        if self.tag != PYR_DICT {
            return format!("[{index}]");
        }
        if index.is_multiple_of(2) {
            return "<a key>".to_owned();
        }
        let found = bridge::call(inner.py(), "key_of", (&self.container, inner));
        found.map_or_else(|_| "<a key>".to_owned(), |text| text.to_string())
    }

    /// Refuse a container that has grown since it was opened.
    pub(crate) fn unchanged(&self) -> Result<(), Fault> {
        let length = size(self.container.as_ptr(), self.tag);
        let length = if self.tag == PYR_DICT { length * 2 } else { length };
        if length == self.length {
            Ok(())
        } else {
            Err(changed())
        }
    }
}

/// How many items (pairs, in a dict) a container of `tag` has.
#[inline]
fn size(container: *mut ffi::PyObject, tag: pyr_tag) -> usize {
    // SAFETY: attached; each is called on its exact type.
    let size = unsafe {
        match tag {
            PYR_LIST => ffi::PyList_Size(container),
            PYR_TUPLE => ffi::PyTuple_Size(container),
            _ => ffi::PyDict_Size(container),
        }
    };
    size as usize
}

fn changed() -> Fault {
    Fault::new(
        PYR_CHANGED,
        "a container was changed while it was being converted",
    )
}

/// The containers round the one that is being read, outermost first.
#[derive(Default)]
pub(crate) struct Path<'py> {
    frames: Vec<Frame<'py>>,
    /// The addresses of those beyond `SHALLOW`.
    deep: HashSet<usize>,
}

impl<'py> Path<'py> {
    /// Note that `frame` is round the container that is read next.
    pub(crate) fn push(&mut self, frame: Frame<'py>) -> Result<(), Fault> {
        // The container inside `frame` is one level deeper, and the first level is 1.
        if self.frames.len() + 2 > PYR_MAXIMUM_DEPTH as usize {
            return Err(Fault::new(PYR_TOO_DEEP, "containers are nested too deeply"));
        }
        if self.frames.len() >= SHALLOW {
            self.deep.insert(address(&frame.container));
        }
        self.frames.push(frame);
        Ok(())
    }

    /// The frame to go on with.
    pub(crate) fn pop(&mut self) -> Option<Frame<'py>> {
        let frame = self.frames.pop()?;
        if self.frames.len() >= SHALLOW {
            self.deep.remove(&address(&frame.container));
        }
        Some(frame)
    }

    /// Refuse `inner`, found in `frame`, when it is one of those round itself.
    pub(crate) fn check(&self, frame: &Frame<'py>, inner: &Bound<'py, PyAny>) -> Result<(), Fault> {
        let found = inner;
        let inner = address(inner);
        let met = inner == address(&frame.container)
            || self
                .frames
                .iter()
                .take(SHALLOW)
                .any(|frame| address(&frame.container) == inner)
            || self.deep.contains(&inner);
        if met {
            return Err(self.circular(frame, found));
        }
        Ok(())
    }

    #[cold]
    fn circular(&self, frame: &Frame<'py>, inner: &Bound<'py, PyAny>) -> Fault {
        let first = self.frames.len().saturating_sub(MAXIMUM_PLACES);
        let mut place = String::new();
        for (index, outer) in self.frames.iter().enumerate().skip(first) {
            let inside = self.frames.get(index + 1).unwrap_or(frame);
            // An outer frame has the cell of its inner container already.
            place.push_str(&outer.subscript(outer.next - 1, &inside.container));
        }
        place.push_str(&frame.subscript(frame.next, inner));
        let above = if self.frames.len() > MAXIMUM_PLACES {
            "..."
        } else {
            ""
        };
        let what = bridge::type_name(inner);
        Fault::new(
            PYR_CIRCULAR,
            format!("a container that contains itself cannot be converted: the {what} at {above}{place}"),
        )
    }
}

/// How many subscripts a message tells at the most.
const MAXIMUM_PLACES: usize = 20;

fn address(object: &Bound<'_, PyAny>) -> usize {
    object.as_ptr() as usize
}

/// The tag of a list, tuple or dict; nothing for any other exact type.
#[inline]
pub(crate) fn container_tag(object: &Bound<'_, PyAny>) -> Option<pyr_tag> {
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
