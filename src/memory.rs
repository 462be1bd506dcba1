//! The memory behind a result: chunks that never move, and Python objects that must outlive it.

use std::ffi::c_void;

use pyo3::ffi;

use crate::abi::pyr_result;
use crate::release::{self, Debt, ObjectPointer};

const CHUNK: usize = 4096;

/// Memory that is handed to the host with a result, and freed by it.
#[derive(Default)]
pub(crate) struct Memory {
    chunks: Vec<Vec<u128>>,
    /// Where the free part of the last chunk begins, in bytes.
    used: usize,
    /// References that keep memory of Python alive which the result points into.
    kept: Vec<*mut ffi::PyObject>,
}

impl Memory {
    /// Room for `size` bytes, aligned to 16, that lives as long as this.
    pub(crate) fn allocate(&mut self, size: usize) -> *mut u8 {
        let size = size.next_multiple_of(16);
        let room = self.chunks.last().map_or(0, |chunk| chunk.capacity() * 16);
        if self.used + size > room {
            self.chunks.push(Vec::with_capacity(size.max(CHUNK) / 16));
            self.used = 0;
        }
        let start = self.used;
        self.used += size;
        self.chunks.last_mut().map_or(std::ptr::null_mut(), |chunk| {
            // SAFETY: `start + size` is within the chunk's capacity.
            unsafe { chunk.as_mut_ptr().cast::<u8>().add(start) }
        })
    }

    /// Keep `object`, whose reference moves in, alive as long as this.
    pub(crate) fn keep(&mut self, object: *mut ffi::PyObject) {
        self.kept.push(object);
    }

    /// Keep `object`, whose reference moves in, alive as long as `result`.
    ///
    /// # Safety
    /// `result` is whole, and the host does not have it yet.
    pub(crate) unsafe fn keep_for(result: *mut pyr_result, object: *mut ffi::PyObject) {
        // SAFETY: promised by the caller; memory that is there came from `into_raw`.
        unsafe {
            let mut memory = if (*result).memory.is_null() {
                Box::default()
            } else {
                Self::from_raw((*result).memory)
            };
            memory.keep(object);
            (*result).memory = memory.into_raw();
        }
    }

    /// Hand this over to the host.
    pub(crate) fn into_raw(self: Box<Self>) -> *mut c_void {
        Box::into_raw(self).cast()
    }

    /// Take back what [`Memory::into_raw`] gave.
    ///
    /// # Safety
    /// `memory` came from `into_raw` and was not taken back before.
    pub(crate) unsafe fn from_raw(memory: *mut c_void) -> Box<Self> {
        // SAFETY: see above.
        unsafe { Box::from_raw(memory.cast()) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for object in self.kept.drain(..) {
            release::push(Debt::Object(ObjectPointer(object)));
        }
    }
}
