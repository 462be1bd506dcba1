//! Arrays between cells and numpy.

use std::ffi::{c_int, c_void};

use numpy::npyffi::{NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_WRITEABLE};
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::{Bound, intern};

use crate::abi::*;
use crate::fault::Fault;
use crate::{bridge, ndarray};

/// numpy allows no more dimensions than this in every version served.
const MAXIMUM_RANK: u32 = 32;

/// What becomes of an array.
pub(crate) enum Converted<'py> {
    /// A contiguous array of elements of a type of ours.
    Array(Bound<'py, PyAny>, pyr_element),
    /// An array without dimensions: its one item, and whether that is of single precision.
    Scalar(Bound<'py, PyAny>, bool),
    /// Objects or text: its elements in a list, and its dimensions.
    Objects(Bound<'py, PyAny>, Vec<usize>),
    /// Its elements have no type of ours.
    No,
}

/// numpy's type numbers of bool, float, float16, complex64, object and str.
const BOOL: c_int = 0;
const SINGLE: c_int = 11;
const HALF: c_int = 23;
const COMPLEX_SINGLE: c_int = 14;
const OBJECT: c_int = 17;
const TEXT: c_int = 19;

/// The element type of numpy's type number and item size.
fn element_of(number: c_int) -> Option<pyr_element> {
    let long = size_of::<std::ffi::c_long>();
    Some(match number {
        BOOL => PYR_BOOL8,
        // As the next wider float.
        HALF => PYR_FLOAT32,
        1 => PYR_INT8,
        2 => PYR_UINT8,
        3 => PYR_INT16,
        4 => PYR_UINT16,
        5 => PYR_INT32,
        6 => PYR_UINT32,
        7 if long == 4 => PYR_INT32,
        8 if long == 4 => PYR_UINT32,
        7 | 9 => PYR_INT64,
        8 | 10 => PYR_UINT64,
        11 => PYR_FLOAT32,
        12 => PYR_FLOAT64,
        14 => PYR_COMPLEX64,
        15 => PYR_COMPLEX128,
        _ => return None,
    })
}

/// `value` as a float of single precision: numpy's, or Python's float where there is no numpy.
pub(crate) fn single(py: Python<'_>, value: f64) -> Result<Bound<'_, PyAny>, Fault> {
    match py.import(intern!(py, "numpy")) {
        Ok(numpy) => Ok(numpy.call_method1(intern!(py, "float32"), (value,))?),
        Err(error) if error.is_instance_of::<PyImportError>(py) => {
            Ok(pyo3::types::PyFloat::new(py, value).into_any())
        }
        Err(error) => Err(error.into()),
    }
}

/// numpy's type number and the item size of an element type.
fn number_of(element: pyr_element) -> Option<(c_int, usize)> {
    let long = if size_of::<std::ffi::c_long>() == 8 {
        (7, 8)
    } else {
        (9, 10)
    };
    Some(match element {
        PYR_BOOL8 => (BOOL, 1),
        PYR_INT8 => (1, 1),
        PYR_UINT8 => (2, 1),
        PYR_INT16 => (3, 2),
        PYR_UINT16 => (4, 2),
        PYR_INT32 => (5, 4),
        PYR_UINT32 => (6, 4),
        PYR_INT64 => (long.0, 8),
        PYR_UINT64 => (long.1, 8),
        PYR_FLOAT32 => (11, 4),
        PYR_FLOAT64 => (12, 8),
        PYR_COMPLEX64 => (14, 8),
        PYR_COMPLEX128 => (15, 16),
        _ => return None,
    })
}

/// Whether the hosts we know have arrays of `dimensions`: ECL's have 63 at the most, of less than 2^60, and CCL's
/// less than 2^56. An empty array may have them.
fn is_hosts(dimensions: &[usize]) -> bool {
    dimensions.len() < 64 && dimensions.iter().all(|size| size >> 56 == 0)
}

/// What becomes of `object`, an ndarray.
pub(crate) fn from_python<'py>(object: &Bound<'py, PyAny>) -> Result<Converted<'py>, Fault> {
    let py = object.py();
    // SAFETY: attached; an ndarray, whose descriptor lives as long as it does.
    let (number, order, flags) = unsafe {
        let fields = ndarray::fields(object);
        let descr = &(*fields.descr).fields;
        (descr.type_num, descr.byteorder as u8, fields.flags)
    };
    let dimensions = ndarray::dimensions(object);
    if !is_hosts(dimensions) {
        return Ok(Converted::No);
    }
    let element = element_of(number);
    let objects = matches!(number, OBJECT | TEXT);
    if dimensions.is_empty() && (objects || element.is_some()) {
        let single = matches!(number, SINGLE | HALF | COMPLEX_SINGLE);
        let item = object.call_method0(intern!(py, "item"))?;
        return Ok(Converted::Scalar(item, single));
    }
    if objects {
        let dimensions = dimensions.to_vec();
        let elements = object
            .call_method0(intern!(py, "ravel"))?
            .call_method0(intern!(py, "tolist"))?;
        return Ok(Converted::Objects(elements, dimensions));
    }
    let Some(element) = element else {
        return Ok(Converted::No);
    };
    let plain = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;
    let swapped = order
        == if cfg!(target_endian = "little") {
            b'>'
        } else {
            b'<'
        };
    let array = if number == HALF {
        bridge::call(py, "contiguous", (object, "float32"))?
    } else if flags & plain == plain && !swapped {
        object.clone()
    } else {
        bridge::call(py, "contiguous", (object, py.None()))?
    };
    Ok(Converted::Array(array, element))
}

/// The dimensions, the data and the size in bytes of `array`, an ndarray that is contiguous and has `element`s.
pub(crate) fn memory_of<'a>(
    array: &'a Bound<'_, PyAny>,
    element: pyr_element,
) -> (&'a [usize], *const u8, usize) {
    let dimensions = ndarray::dimensions(array);
    let item = number_of(element).map_or(0, |(_, item)| item);
    let size = dimensions.iter().product::<usize>() * item;
    // SAFETY: attached; an ndarray's fields.
    let data = unsafe { ndarray::fields(array) }.data.cast();
    (dimensions, data, size)
}

/// How many bytes the description of an array of `rank` dimensions takes.
pub(crate) fn description_size(rank: usize) -> usize {
    size_of::<pyr_array>() + rank * size_of::<usize>()
}

/// Describe an array of `element`s at `data`, in `room`.
///
/// # Safety
/// `room` is as large as `description_size` says, and aligned for a cell.
pub(crate) unsafe fn describe(
    data: *const c_void,
    dimensions: &[usize],
    element: pyr_element,
    room: *mut u8,
) -> *const pyr_array {
    // SAFETY: promised by the caller.
    unsafe {
        let room = room.cast::<pyr_array>();
        let copy = room.add(1).cast::<usize>();
        copy.copy_from_nonoverlapping(dimensions.as_ptr(), dimensions.len());
        room.write(pyr_array {
            data,
            dimensions: copy,
            rank: dimensions.len() as u32,
            element,
        });
        room
    }
}

/// The dimensions of `array`, and how many elements that makes.
pub(crate) fn shape(array: &pyr_array) -> Result<(&[usize], usize), Fault> {
    if array.rank > MAXIMUM_RANK {
        let rank = array.rank;
        return Err(invalid(format!(
            "an array has {rank} dimensions, numpy allows {MAXIMUM_RANK}"
        )));
    }
    // SAFETY: the caller of the C function vouches for the pointer; NULL is refused.
    let dimensions = unsafe {
        crate::api::slice(
            array.dimensions,
            array.rank as usize,
            "the dimensions of an array",
        )?
    };
    let count = dimensions
        .iter()
        .try_fold(1usize, |count, &dimension| count.checked_mul(dimension));
    count
        .filter(|&count| isize::try_from(count).is_ok())
        .map(|count| (dimensions, count))
        .ok_or_else(|| invalid("an array is larger than memory can be".to_owned()))
}

fn invalid(why: String) -> Fault {
    Fault::new(PYR_INVALID_ARRAY, why)
}

/// What numpy is told of the array `array` before it is made: its type number, its dimensions, its size in
/// bytes.
fn measure<'a>(py: Python<'_>, array: &'a pyr_array) -> Result<(c_int, &'a [usize], usize), Fault> {
    let Some((number, item)) = number_of(array.element) else {
        return Err(invalid(format!(
            "an array has the unknown element type {}",
            array.element
        )));
    };
    let (dimensions, count) = shape(array)?;
    let size = count
        .checked_mul(item)
        .filter(|&size| isize::try_from(size).is_ok());
    let Some(size) = size else {
        return Err(invalid("an array is larger than memory can be".to_owned()));
    };
    if array.data.is_null() && size > 0 {
        return Err(Fault::null("the data of an array"));
    }
    ndarray::import(py)?;
    Ok((number, dimensions, size))
}

/// A new numpy array with a copy of `array`.
pub(crate) fn to_python<'py>(py: Python<'py>, array: &pyr_array) -> Result<Bound<'py, PyAny>, Fault> {
    let (number, dimensions, size) = measure(py, array)?;
    // SAFETY: attached; numpy is there; the new array has `size` bytes.
    unsafe {
        let new = ndarray::new(py, number, dimensions, std::ptr::null(), std::ptr::null_mut(), 0)?;
        let data = ndarray::fields(&new).data;
        let (from, to) = (array.data.cast::<u8>(), data.cast::<u8>());
        if array.element == PYR_BOOL8 {
            // numpy knows no other truth than 1.
            (0..size).for_each(|index| to.add(index).write((*from.add(index) != 0).into()));
        } else if size > 0 {
            std::ptr::copy_nonoverlapping(from, to, size);
        }
        Ok(new)
    }
}

/// Where an array without elements is that has no memory.
static NO_ELEMENTS: u128 = 0;

/// A new numpy array on the memory of `array`, whose layout is returned, too: see [`ndarray::layout`].
pub(crate) fn on_memory<'py>(
    py: Python<'py>,
    array: &pyr_array,
    strides: *const isize,
    writable: bool,
) -> Result<(Bound<'py, PyAny>, Vec<isize>), Fault> {
    if array.element == PYR_OBJECT {
        return Err(invalid("an array of objects cannot be lent".to_owned()));
    }
    let (number, dimensions, _) = measure(py, array)?;
    // numpy allocates where it is given NULL.
    let data = if array.data.is_null() {
        (&raw const NO_ELEMENTS).cast()
    } else {
        array.data
    };
    let flags = if writable { NPY_ARRAY_WRITEABLE } else { 0 };
    // SAFETY: the caller of the C function vouches for the memory and the strides.
    unsafe {
        let new = ndarray::new(py, number, dimensions, strides, data.cast_mut(), flags)?;
        let layout = ndarray::layout(&new).collect();
        Ok((new, layout))
    }
}
