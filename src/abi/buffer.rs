//! What a host sees of a Python object's memory.

use std::ffi::c_void;

use super::pyr_element;

/// Flag for `pyr_buffer_get`: the memory is to be written to.
pub const PYR_WRITABLE: u32 = 1;

/// The memory of a Python object, where it is; see `pyr_buffer_get`.
///
/// Everything here, and the memory, is there and stays where it is until the last hold of `id` is given
/// back, also after `pyr_stop`. The element with the subscripts i, j, ... stands at
/// `(char *)data + i * strides[0] + j * strides[1] + ...`, where nobody says that it is aligned. Copies of
/// this struct are as good as the struct.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pyr_buffer {
    /// What to hold and to give back: below 2^62, never 0, never a handle.
    pub id: u64,
    /// The first element: the one whose subscripts are all 0.
    pub data: *mut c_void,
    /// The size in bytes of all elements, were there no gaps between them.
    pub length: usize,
    /// The size in bytes of one element.
    pub item_size: usize,
    /// The type of the elements as Python's buffer protocol writes it (as the module `struct` does, and a
    /// few more): UTF-8. `B` when the object does not tell.
    pub format: *const u8,
    /// Its length in bytes.
    pub format_length: usize,
    /// `rank` sizes, outermost first.
    pub dimensions: *const usize,
    /// For each dimension, how many bytes further the next element is: may be negative, or 0.
    pub strides: *const isize,
    /// The number of dimensions. 0 for a single element.
    pub rank: u32,
    /// The type of the elements, such as `PYR_FLOAT64`, when they are of one of these types in native
    /// byte order; else 0: `format` and `item_size` tell.
    pub element: pyr_element,
    /// 1 when the memory must not be written to, else 0.
    pub read_only: u32,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<pyr_buffer>() == 80 && align_of::<pyr_buffer>() == 8);
