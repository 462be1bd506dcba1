//! Safe calls about buffers.

use super::Host;
use super::abi::*;
use super::calls::Failure;
use super::value::{Arena, Value};

/// A buffer that the host holds. Not given back when dropped: the tests say when.
#[derive(Clone, Copy)]
pub struct Buffer(pub pyr_buffer);

// SAFETY: any thread may look at a buffer's memory.
unsafe impl Send for Buffer {}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:#x} {:?}", self.0.id, self.shape())
    }
}

impl Buffer {
    pub fn format(&self) -> String {
        // SAFETY: the buffer is held.
        let bytes = unsafe { std::slice::from_raw_parts(self.0.format, self.0.format_length) };
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    /// Dimensions and strides.
    pub fn shape(&self) -> (Vec<usize>, Vec<isize>) {
        let rank = self.0.rank as usize;
        // SAFETY: the buffer is held.
        unsafe {
            (
                std::slice::from_raw_parts(self.0.dimensions, rank).to_vec(),
                std::slice::from_raw_parts(self.0.strides, rank).to_vec(),
            )
        }
    }

    fn place<T>(&self, subscripts: &[usize]) -> *mut T {
        let (dimensions, strides) = self.shape();
        assert!(subscripts.len() == dimensions.len() && size_of::<T>() == self.0.item_size);
        assert!(subscripts.iter().zip(&dimensions).all(|(i, size)| i < size));
        let offset: isize = subscripts
            .iter()
            .zip(&strides)
            .map(|(&i, stride)| i as isize * stride)
            .sum();
        self.0.data.wrapping_byte_offset(offset).cast()
    }

    /// The element with `subscripts`.
    pub fn read<T: Copy>(&self, subscripts: &[usize]) -> T {
        // SAFETY: the buffer is held, and the subscripts are in bounds.
        unsafe { self.place::<T>(subscripts).read_unaligned() }
    }

    pub fn write<T: Copy>(&self, subscripts: &[usize], value: T) {
        assert_eq!(self.0.read_only, 0);
        // SAFETY: as for reading; the memory may be written to.
        unsafe { self.place::<T>(subscripts).write_unaligned(value) }
    }

    /// All elements in row-major order.
    pub fn elements<T: Copy>(&self) -> Vec<T> {
        let (dimensions, _) = self.shape();
        let count: usize = dimensions.iter().product();
        let subscripts = |mut index: usize| {
            let mut subscripts = vec![0; dimensions.len()];
            for (axis, size) in dimensions.iter().enumerate().rev() {
                subscripts[axis] = index % size;
                index /= size;
            }
            subscripts
        };
        (0..count).map(|index| self.read(&subscripts(index))).collect()
    }
}

impl Host {
    /// `pyr_buffer_get`.
    pub fn buffer(&self, value: impl Into<Value>, flags: u32) -> Result<Buffer, Failure> {
        let (value, mut arena) = (value.into(), Arena::default());
        let cell = arena.cell(&value);
        // SAFETY: plain data.
        let mut buffer = unsafe { std::mem::zeroed::<pyr_buffer>() };
        // SAFETY: the cell lives until the call returns; the buffer is a local.
        self.checked(unsafe { (self.api.pyr_buffer_get)(&raw const cell, flags, &raw mut buffer) })?;
        assert!(buffer.id != 0 && buffer.id < 1 << 62 && buffer.reserved == 0);
        Ok(Buffer(buffer))
    }

    /// The buffer of what an expression gives, which nobody else holds.
    pub fn buffer_of(&self, source: &str) -> Buffer {
        let object = self.remote(source).handle();
        let buffer = self.buffer(Value::Handle(object), 0);
        self.release(object);
        buffer.unwrap_or_else(|failure| panic!("{source}: {failure:?}"))
    }

    pub fn retain_buffer(&self, id: u64) -> Result<(), Failure> {
        // SAFETY: any number will do.
        self.checked(unsafe { (self.api.pyr_buffer_retain)(id) })
    }

    pub fn close_buffer(&self, id: u64) -> Result<(), Failure> {
        // SAFETY: any number will do.
        self.checked(unsafe { (self.api.pyr_buffer_close)(id) })
    }

    pub fn release_buffer(&self, id: u64) {
        // SAFETY: any number will do.
        assert_eq!(unsafe { (self.api.pyr_buffer_release)(id) }, PYR_OK);
    }

    pub fn buffer_count(&self) -> usize {
        // SAFETY: takes no arguments.
        unsafe { (self.api.pyr_buffer_count)() }
    }
}
