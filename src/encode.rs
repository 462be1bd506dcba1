//! Python objects to cells, by exact type: a subclass is never flattened, it becomes a handle.
//!
//! The items of a container stand side by side in the result's memory. Containers are walked depth
//! first with a stack of our own; what is on the stack is what a container must not meet again.

use std::mem::MaybeUninit;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use pyo3::{Bound, ffi, intern};

use crate::abi::*;
use crate::fault::{Fault, own};
use crate::memory::Memory;
use crate::release::{self, Debt};
use crate::walk::{Frame, Path, container_tag};
use crate::{numbers, objects, output, text, thread, types};

mod other;

/// Write `object` to `out` as `flags` ask.
#[inline]
pub(crate) fn result(object: Bound<'_, PyAny>, flags: u32, out: &mut pyr_result) -> Result<(), Fault> {
    // When this fails there is no result yet that somebody would have to give back.
    output::flush(object.py())?;
    if flags & (PYR_REMOTE | TYPED_FLAGS) != 0 {
        return uncommon(object, flags, out);
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

/// [`result`] when `flags` ask for an object, or for objects of watched types.
fn uncommon(object: Bound<'_, PyAny>, flags: u32, out: &mut pyr_result) -> Result<(), Fault> {
    let remote = flags & PYR_REMOTE != 0;
    let number = if flags & PYR_TYPED != 0 && !remote {
        types::number(&object)?
    } else {
        0
    };
    if !remote && number == 0 {
        return any(object, flags, out);
    }
    out.value = pyr_value::handle(objects::insert(object)?, number);
    out.memory = std::ptr::null_mut();
    Ok(())
}

/// What a hash table and an object for a handle take at the least, about, in a host.
const TABLE_WEIGHT: usize = 512;
const HANDLE_WEIGHT: usize = 64;

/// How many arguments for the host need no memory if they are numbers.
const ON_STACK: usize = 8;

/// Arguments for the host.
pub(crate) struct Arguments {
    numbers: [MaybeUninit<pyr_value>; ON_STACK],
    memory: Option<Box<Memory>>,
    /// The handles among them, which are the host's once it was asked.
    handles: Vec<pyr_handle>,
}

impl Arguments {
    /// Room for arguments.
    pub(crate) fn new() -> Self {
        Self {
            numbers: [MaybeUninit::uninit(); ON_STACK],
            memory: None,
            handles: Vec::new(),
        }
    }

    /// The cells of the items of `tuple`, which live as long as this.
    pub(crate) fn encode(
        &mut self,
        tuple: &Bound<'_, PyTuple>,
        flags: u32,
    ) -> Result<*const pyr_value, Fault> {
        if tuple.len() <= ON_STACK && flags & TYPED_FLAGS == 0 {
            let cells = tuple.iter_borrowed().map(|item| number(&item));
            let written = self
                .numbers
                .iter_mut()
                .zip(cells)
                .map_while(|(place, cell)| cell.map(|cell| place.write(cell)));
            if written.count() == tuple.len() {
                return Ok(self.numbers.as_ptr().cast());
            }
        }
        let mut encoder = Encoder::new(flags, std::ptr::null_mut());
        let root = encoder.value(tuple.clone().into_any());
        let root = root.inspect_err(|_| encoder.undo())?;
        (self.memory, self.handles) = (encoder.memory, encoder.handles);
        // SAFETY: a tuple's cell has its items; NULL when there are none.
        Ok(unsafe { root.of.items })
    }

    /// Give back what the host would have had, which was not asked.
    pub(crate) fn undo(self) {
        give_back(self.handles);
    }
}

fn give_back(handles: Vec<pyr_handle>) {
    for handle in handles {
        release::push(Debt::Handle(handle));
    }
}

/// [`result`] for what is no number.
fn any(object: Bound<'_, PyAny>, flags: u32, out: &mut pyr_result) -> Result<(), Fault> {
    let mut encoder = Encoder::new(flags, &raw mut out.scratch);
    let value = encoder.value(object);
    out.value = value.inspect_err(|_| encoder.undo())?;
    out.memory = encoder.memory.map_or(std::ptr::null_mut(), Memory::into_raw);
    if encoder.names_lent {
        thread::current().set_result(out);
    }
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
    /// Whether items of watched types stay objects.
    typed: bool,
    /// The result's scratch room, for the root; NULL once it is taken.
    scratch: *mut [u8; PYR_SCRATCH],
    memory: Option<Box<Memory>>,
    /// How many arrays of objects are round the current one: each takes some of the thread's stack.
    nested: u32,
    /// Whether there is a cell for something that the call lent.
    names_lent: bool,
    /// Handles made so far, to be given back when the conversion fails.
    handles: Vec<pyr_handle>,
}

impl Encoder {
    fn new(flags: u32, scratch: *mut [u8; PYR_SCRATCH]) -> Self {
        Self {
            ucs4: flags & PYR_AS_UCS4 != 0,
            typed: flags & TYPED_FLAGS != 0,
            scratch,
            memory: None,
            nested: 0,
            names_lent: false,
            handles: Vec::new(),
        }
    }

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
                self.bytes(PYR_BYTES, bytes)?
                    .map_or_else(|| self.handle(object), Ok)
            } else if kind == &raw mut ffi::PyComplex_Type {
                Ok(numbers::complex_cell(
                    pointer,
                    self.room(2 * size_of::<f64>())?.cast(),
                ))
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
        let bytes = bytes
            .cast_into::<PyBytes>()
            .map_err(|_| Fault::message("to_bytes gave no bytes"))?;
        self.bytes(PYR_BIGINT, bytes.as_bytes())?
            .map_or_else(|| self.handle(object), Ok)
    }

    #[inline]
    fn text(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        let pointer = object.as_ptr();
        if !self.ucs4 {
            let cell = text::with_utf8(object.py(), pointer, |bytes| self.bytes(PYR_UTF8, bytes))??;
            return cell.map_or_else(|| self.handle(object), Ok);
        }
        let cell = self.ucs4(PYR_UCS4, pointer)?;
        cell.map_or_else(|| self.handle(object), Ok)
    }

    /// A cell of `tag` with the code points of `text`, a str; nothing when there are too many.
    #[inline]
    fn ucs4(&mut self, tag: pyr_tag, text: *mut ffi::PyObject) -> Result<Option<pyr_value>, Fault> {
        let measure = text::measure_ucs4(text);
        let Some(units) = aux(measure.units) else {
            return Ok(None);
        };
        let room = self.room(measure.size)?;
        text::write_ucs4(text, room, &measure)?;
        Ok(Some(pyr_value::bytes(tag, units, room)))
    }

    /// A cell with a copy of `bytes`; nothing when there are too many.
    fn bytes(&mut self, tag: pyr_tag, bytes: &[u8]) -> Result<Option<pyr_value>, Fault> {
        let Some(length) = aux(bytes.len()) else {
            return Ok(None);
        };
        let room = self.room(bytes.len())?;
        // SAFETY: `room` is new and large enough.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len()) };
        Ok(Some(pyr_value::bytes(tag, length, room)))
    }

    /// Room for `size` bytes, aligned for any cell: the scratch room if it is free and large enough.
    #[inline]
    fn room(&mut self, size: usize) -> Result<*mut u8, Fault> {
        if size <= PYR_SCRATCH && !self.scratch.is_null() {
            return Ok(std::mem::replace(&mut self.scratch, std::ptr::null_mut()).cast());
        }
        self.memory().allocate(size)
    }

    fn memory(&mut self) -> &mut Memory {
        self.memory.get_or_insert_default()
    }

    fn handle(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        self.numbered_handle(object, 0)
    }

    fn numbered_handle(&mut self, object: Bound<'_, PyAny>, number: u32) -> Result<pyr_value, Fault> {
        let handle = objects::insert(object)?;
        self.handles.push(handle);
        if let Some(memory) = &mut self.memory {
            memory.weigh(HANDLE_WEIGHT)?;
        }
        Ok(pyr_value::handle(handle, number))
    }

    /// The cell of a container and of all that is in it.
    fn container(&mut self, root: Bound<'_, PyAny>, tag: pyr_tag) -> Result<pyr_value, Fault> {
        // The scratch room is for short text: the items of a container go into memory.
        self.scratch = std::ptr::null_mut();
        let mut frame = self.open(root, tag)?;
        let root_cell = frame.cell()?;
        let mut path = Path::default();
        loop {
            match self.fill(&mut frame)? {
                Some((inner, tag)) => {
                    path.check(&frame, &inner)?;
                    let inner = self.open(inner, tag)?;
                    frame.put(inner.cell()?);
                    path.push(std::mem::replace(&mut frame, inner))?;
                }
                None => match path.pop() {
                    None => return Ok(root_cell),
                    Some(outer) => frame = outer,
                },
            }
        }
    }

    /// Make the cells for a container's items.
    fn open<'py>(&mut self, container: Bound<'py, PyAny>, tag: pyr_tag) -> Result<Frame<'py>, Fault> {
        Frame::new(container, tag, |count| {
            if tag == PYR_DICT {
                self.memory()
                    .weigh(TABLE_WEIGHT + count.saturating_mul(size_of::<pyr_value>()))?;
            }
            let room = self
                .memory()
                .allocate(count.saturating_mul(size_of::<pyr_value>()))?;
            Ok(room.cast())
        })
    }

    /// Fill the frame's cells up to the next container among them, which is returned.
    #[inline]
    fn fill<'py>(&mut self, frame: &mut Frame<'py>) -> Result<Option<(Bound<'py, PyAny>, pyr_tag)>, Fault> {
        while !frame.is_full() {
            let item = frame.item()?;
            if self.typed {
                let number = types::number(&item)?;
                if number != 0 {
                    frame.put(self.numbered_handle(item, number)?);
                    continue;
                }
            }
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
        give_back(std::mem::take(&mut self.handles));
    }
}

/// The text of `object`'s str or repr as a result.
pub(crate) fn text_of(
    py: Python<'_>,
    text: *mut ffi::PyObject,
    flags: u32,
    out: &mut pyr_result,
) -> Result<(), Fault> {
    let text = own(py, text)?;
    // `__str__` may give an instance of a subclass, which would not be text.
    // SAFETY: attached; the object is a str, as `PyObject_Str` and its like see to.
    let text = own(py, unsafe { ffi::PyUnicode_FromObject(text.as_ptr()) })?;
    result(text, flags & PYR_AS_UCS4, out)
}
