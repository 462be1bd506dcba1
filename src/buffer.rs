//! The memory of Python objects that the host looks at, through the buffer protocol.
//!
//! A table of its own, under the GIL like that of the handles. It is not emptied when Python stops: the
//! memory must stay while the host looks at it, and does, for the interpreter never ends.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use crate::abi::*;
use crate::api::python::{PyBuffer, symbols};
use crate::fault::{Fault, check};
use crate::objects;
use crate::slab::{Miss, Slab};

/// What `PyObject_GetBuffer` is asked for: strides and format, and perhaps memory to write to.
const RECORDS: c_int = 0x10 | 0x08 | 0x04;
const WRITABLE: c_int = 0x01;

/// No exporter that is known has more.
const MAXIMUM_RANK: usize = 64;

/// One buffer. Exporters may keep its address, and point into it.
pub(crate) struct Held {
    buffer: PyBuffer,
    dimensions: Vec<usize>,
    strides: Vec<isize>,
}

struct Table(UnsafeCell<Slab<Box<Held>>>);

// SAFETY: only reached through `table`, by the one thread that holds the GIL.
unsafe impl Sync for Table {}
// SAFETY: see above; what the buffers point to is used under the GIL only.
unsafe impl Send for Table {}

// Keys of another epoch than the handles': neither is ever taken for the other.
static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table(UnsafeCell::new(Slab::new(objects::process_epoch() ^ 1))));

/// How many buffers are in the table, for who does not hold the GIL.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Run `body` on the table. `body` must not run Python code.
fn table<R>(body: impl FnOnce(&mut Slab<Box<Held>>) -> R) -> R {
    // SAFETY: the caller holds the GIL and `body` cannot re-enter: no second borrow can exist.
    let table = unsafe { &mut *TABLE.0.get() };
    let result = body(table);
    LIVE.store(table.live(), Ordering::Relaxed);
    result
}

fn missed(miss: Miss) -> Fault {
    match miss {
        Miss::Invalid => Fault::new(PYR_INVALID_HANDLE, "not a buffer of this process"),
        Miss::Stale => Fault::new(
            PYR_STALE_HANDLE,
            "the buffer was released, or is from before the image was saved",
        ),
    }
}

/// How many buffers the host holds.
pub(crate) fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// Hold the buffer `id` once more.
pub(crate) fn retain(id: u64) -> Result<(), Fault> {
    table(|table| table.retain(id)).map_err(missed)
}

/// Hold the buffer `id` once less; what the caller must drop comes out with the last hold.
pub(crate) fn take(id: u64) -> Result<Option<Box<Held>>, Fault> {
    table(|table| table.release(id)).map_err(missed)
}

/// The memory of `object`, held once.
pub(crate) fn get(object: &Bound<'_, PyAny>, writable: bool) -> Result<pyr_buffer, Fault> {
    let held = Held::export(object, writable)?;
    let mut described = held.describe();
    described.id = table(|table| table.insert(held)).map_err(|held| {
        drop(held);
        Fault::message("more than 2^30 buffers are held")
    })?;
    Ok(described)
}

impl Held {
    /// Have `object` export its memory.
    fn export(object: &Bound<'_, PyAny>, writable: bool) -> Result<Box<Self>, Fault> {
        let export = symbols().get_buffer;
        let export = export.ok_or_else(|| Fault::message("this libpython has no buffer protocol"))?;
        let mut held = Box::new(Self {
            buffer: PyBuffer::EMPTY,
            dimensions: Vec::new(),
            strides: Vec::new(),
        });
        let flags = RECORDS | if writable { WRITABLE } else { 0 };
        // SAFETY: attached; the object is alive, and the box keeps the buffer where it is. After a failure
        // its object is NULL, so that dropping it releases nothing.
        let status = unsafe { export(object.as_ptr(), &raw mut held.buffer, flags) };
        if status < 0 {
            held.buffer.object = std::ptr::null_mut();
        }
        check(status)?;
        held.read_shape()?;
        Ok(held)
    }

    /// Take over dimensions and strides. Exporters do not always give what they were asked for.
    fn read_shape(&mut self) -> Result<(), Fault> {
        let buffer = &self.buffer;
        let rank = usize::try_from(buffer.ndim).unwrap_or(usize::MAX);
        if rank > MAXIMUM_RANK || buffer.itemsize < 0 || buffer.len < 0 {
            return Err(invalid("the object exports a buffer that makes no sense"));
        }
        if rank == 0 {
            return Ok(());
        }
        // SAFETY: of an exported buffer, each of these is NULL or has `ndim` numbers.
        let numbers = |numbers: *const isize| unsafe {
            (!numbers.is_null()).then(|| std::slice::from_raw_parts(numbers, rank))
        };
        if numbers(buffer.suboffsets).is_some_and(|offsets| offsets.iter().any(|&offset| offset >= 0)) {
            return Err(invalid("the object's memory is not in one piece"));
        }
        let dimensions = match numbers(buffer.shape) {
            Some(shape) => shape.iter().map(|&size| usize::try_from(size)).collect(),
            None if rank == 1 => Ok(vec![buffer.len as usize / (buffer.itemsize as usize).max(1)]),
            None => return Err(invalid("the object does not tell its dimensions")),
        };
        let dimensions: Vec<usize> =
            dimensions.map_err(|_| invalid("the object has a dimension of negative size"))?;
        self.strides = match numbers(buffer.strides) {
            Some(strides) => strides.to_vec(),
            None => contiguous(&dimensions, buffer.itemsize),
        };
        self.dimensions = dimensions;
        Ok(())
    }

    fn describe(&self) -> pyr_buffer {
        let buffer = &self.buffer;
        let format = if buffer.format.is_null() {
            c"B"
        } else {
            // SAFETY: NUL-terminated, and there as long as the buffer is.
            unsafe { CStr::from_ptr(buffer.format) }
        };
        let format = format.to_bytes();
        pyr_buffer {
            id: 0,
            data: buffer.data,
            length: buffer.len as usize,
            item_size: buffer.itemsize as usize,
            format: format.as_ptr(),
            format_length: format.len(),
            dimensions: self.dimensions.as_ptr(),
            strides: self.strides.as_ptr(),
            rank: self.dimensions.len() as u32,
            element: element_of(format, buffer.itemsize as usize),
            read_only: (buffer.read_only != 0).into(),
            reserved: 0,
        }
    }
}

impl Drop for Held {
    /// Give the memory back to its object. The thread is attached, and has the table not borrowed: this
    /// may run Python code.
    fn drop(&mut self) {
        if let Some(release) = symbols().release_buffer
            && !self.buffer.object.is_null()
        {
            // SAFETY: attached; the buffer was exported and is released once.
            unsafe { release(&raw mut self.buffer) };
        }
    }
}

fn invalid(why: &'static str) -> Fault {
    Fault::new(PYR_INVALID_ARRAY, why)
}

/// The strides of an array in C order.
fn contiguous(dimensions: &[usize], item_size: isize) -> Vec<isize> {
    let mut strides = vec![item_size; dimensions.len()];
    for index in (1..dimensions.len()).rev() {
        strides[index - 1] = strides[index].wrapping_mul(dimensions[index] as isize);
    }
    strides
}

/// The element type of a format; 0 when there is none of ours.
///
/// The letter tells the kind and the item size the width: what `l` is depends on the platform and on the
/// byte-order mark before it, and ctypes has it wrong.
fn element_of(format: &[u8], item_size: usize) -> pyr_element {
    let native = if cfg!(target_endian = "little") {
        b'<'
    } else {
        b'>'
    };
    let letters = match format {
        // '^' is numpy's for "native, not aligned".
        [mark, letters @ ..] if matches!(mark, b'@' | b'=' | b'^') || *mark == native => letters,
        // The order of single bytes is the same in both.
        [b'<' | b'>' | b'!', letters @ ..] if item_size == 1 => letters,
        letters => letters,
    };
    match (letters, item_size) {
        (b"?", 1) => PYR_BOOL8,
        (b"f", 4) => PYR_FLOAT32,
        (b"d", 8) => PYR_FLOAT64,
        (b"Zf" | b"F", 8) => PYR_COMPLEX64,
        (b"Zd" | b"D", 16) => PYR_COMPLEX128,
        ([b'b' | b'h' | b'i' | b'l' | b'q' | b'n'], size) => match size {
            1 => PYR_INT8,
            2 => PYR_INT16,
            4 => PYR_INT32,
            8 => PYR_INT64,
            _ => 0,
        },
        ([b'B' | b'c' | b'H' | b'I' | b'L' | b'Q' | b'N'], size) => match size {
            1 => PYR_UINT8,
            2 => PYR_UINT16,
            4 => PYR_UINT32,
            8 => PYR_UINT64,
            _ => 0,
        },
        _ => 0,
    }
}
