//! The memory behind a result: chunks that never move, and Python objects that must outlive it.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi;

use crate::abi::{PYR_TOO_LARGE, pyr_result};
use crate::fault::Fault;
use crate::release::{self, Debt, ObjectPointer};

const CHUNK: usize = 4096;

/// How much weight a result may have.
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Refuse results of more than `bytes`.
pub(crate) fn limit(bytes: usize) {
    LIMIT.store(bytes, Ordering::Relaxed);
}

/// Memory that is handed to the host with a result, and freed by it.
#[derive(Default)]
pub(crate) struct Memory {
    chunks: Vec<Vec<u128>>,
    /// Where the free part of the last chunk begins, in bytes.
    used: usize,
    /// References that keep memory of Python alive which the result points into.
    kept: Vec<*mut ffi::PyObject>,
    /// What all of it takes, roughly, in bytes.
    weight: usize,
}

impl Memory {
    /// Room for `size` bytes, aligned to 16, that lives as long as this.
    #[inline]
    pub(crate) fn allocate(&mut self, size: usize) -> Result<*mut u8, Fault> {
        let size = size.checked_next_multiple_of(16).ok_or_else(exhausted)?;
        let room = self.chunks.last().map_or(0, |chunk| chunk.capacity() * 16);
        if self.used + size > room {
            self.add_chunk(size.max(CHUNK))?;
        }
        let start = self.used;
        self.used += size;
        Ok(self.chunks.last_mut().map_or(std::ptr::null_mut(), |chunk| {
            // SAFETY: `start + size` is within the chunk's capacity.
            unsafe { chunk.as_mut_ptr().cast::<u8>().add(start) }
        }))
    }

    fn add_chunk(&mut self, size: usize) -> Result<(), Fault> {
        self.weigh(size)?;
        let mut chunk = Vec::new();
        chunk.try_reserve_exact(size / 16).map_err(|_| exhausted())?;
        self.chunks.push(chunk);
        self.used = 0;
        Ok(())
    }

    /// Count `bytes`, also those that a host needs for what this does not show: an object of its own, say.
    #[inline]
    pub(crate) fn weigh(&mut self, bytes: usize) -> Result<(), Fault> {
        self.weight = self.weight.saturating_add(bytes);
        let limit = LIMIT.load(Ordering::Relaxed);
        if self.weight > limit {
            return Err(too_large(limit));
        }
        Ok(())
    }

    /// What all of it takes, roughly, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.weight
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

#[cold]
fn too_large(limit: usize) -> Fault {
    Fault::new(
        PYR_TOO_LARGE,
        format!("a value takes more than {limit} bytes: the host has no room for it"),
    )
}

/// There is no memory left: Python's own error for that.
#[cold]
fn exhausted() -> Fault {
    // SAFETY: results are made by threads that are attached.
    unsafe { ffi::PyErr_NoMemory() };
    Fault::Python
}

impl Drop for Memory {
    fn drop(&mut self) {
        for object in self.kept.drain(..) {
            release::push(Debt::Object(ObjectPointer(object)));
        }
    }
}
