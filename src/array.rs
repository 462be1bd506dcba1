//! numpy arrays and scalars, by numpy's own C interface (the same for numpy 1 and 2).
//!
//! numpy is never imported to look at a result: what is no numpy object as long as numpy is not there
//! needs no looking.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};

use numpy::PyUntypedArray;
use numpy::npyffi::{
    NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NpyTypes, PY_ARRAY_API, PyArrayObject, get_type_object,
    npy_intp,
};
use pyo3::prelude::*;
use pyo3::{Bound, ffi, intern};

use crate::abi::*;
use crate::bridge;
use crate::fault::{Fault, own};
use crate::memory::Memory;

/// numpy allows no more dimensions than this in every version served.
const MAXIMUM_RANK: u32 = 32;

/// What numpy makes of an object.
pub(crate) enum Class {
    Array,
    /// A numpy scalar that has a Python value; `single` when a float of it has single precision.
    Scalar {
        single: bool,
    },
    Other,
}

/// What becomes of an array.
pub(crate) enum Converted<'py> {
    Array(*const pyr_array),
    /// An array without dimensions: its one item, and whether that is of single precision.
    Scalar(Bound<'py, PyAny>, bool),
    /// Objects or text: its elements in a list, and its dimensions.
    Objects(Bound<'py, PyAny>, Vec<usize>),
    /// Its elements have no type of ours.
    No,
}

/// numpy's types, by address, once numpy is there.
struct Types {
    array: *mut ffi::PyTypeObject,
    /// Scalar types, and whether their floats have single precision.
    scalars: HashMap<usize, bool>,
}

struct TypesCell(UnsafeCell<Option<Types>>);

// SAFETY: reached under the GIL only; set once.
unsafe impl Sync for TypesCell {}

static TYPES: TypesCell = TypesCell(UnsafeCell::new(None));

/// numpy's types, if numpy has been imported.
#[inline]
fn types(py: Python<'_>) -> Option<&'static Types> {
    // SAFETY: attached; once set, the value is not written again.
    match unsafe { &*TYPES.0.get() } {
        Some(types) => Some(types),
        None => find_types(py),
    }
}

fn find_types(py: Python<'_>) -> Option<&'static Types> {
    // SAFETY: attached; the borrowed module is owned at once.
    let module = unsafe {
        let module = ffi::PyDict_GetItemWithError(bridge::modules_dict(), intern!(py, "numpy").as_ptr());
        Bound::from_borrowed_ptr_or_opt(py, module)?
    };
    let found = read_types(&module).ok()?;
    // SAFETY: attached, and no Python code runs between the check and the write.
    unsafe {
        let types = &mut *TYPES.0.get();
        Some(types.get_or_insert(found))
    }
}

fn read_types(module: &Bound<'_, PyAny>) -> PyResult<Types> {
    let mut scalars = HashMap::new();
    for (names, single) in [
        (&["float16", "float32", "complex64"][..], true),
        (
            &[
                "bool_",
                "float64",
                "complex128",
                "byte",
                "short",
                "intc",
                "int_",
                "longlong",
                "int64",
            ],
            false,
        ),
        (
            &["ubyte", "ushort", "uintc", "uint", "ulonglong", "uint64", "str_"],
            false,
        ),
    ] {
        for name in names {
            scalars.insert(module.getattr(*name)?.as_ptr() as usize, single);
        }
    }
    Ok(Types {
        array: module.getattr("ndarray")?.into_ptr().cast(),
        scalars,
    })
}

/// What numpy makes of `object`.
pub(crate) fn classify(object: &Bound<'_, PyAny>) -> Result<Class, Fault> {
    let Some(types) = types(object.py()) else {
        return Ok(Class::Other);
    };
    let kind = object.get_type_ptr();
    if kind == types.array {
        return Ok(Class::Array);
    }
    Ok(types
        .scalars
        .get(&(kind as usize))
        .map_or(Class::Other, |&single| Class::Scalar { single }))
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
        Err(_) => Ok(pyo3::types::PyFloat::new(py, value).into_any()),
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

/// The numpy array `object` as a description of its memory, which `memory` keeps alive.
pub(crate) fn from_python<'py>(
    object: &Bound<'py, PyAny>,
    memory: &mut Memory,
) -> Result<Converted<'py>, Fault> {
    let py = object.py();
    let array = object
        .cast::<PyUntypedArray>()
        .map_err(|_| Fault::message("not an array"))?;
    // SAFETY: attached; the object is an ndarray, whose descriptor lives as long as it does.
    let (number, order) = unsafe {
        let descr = &(*(*object.as_ptr().cast::<PyArrayObject>()).fields.descr).fields;
        (descr.type_num, descr.byteorder as u8)
    };
    if matches!(number, OBJECT | TEXT) && numpy::PyUntypedArrayMethods::ndim(array) > 0 {
        let dimensions = numpy::PyUntypedArrayMethods::shape(array).to_vec();
        let elements = object
            .call_method0(intern!(py, "ravel"))?
            .call_method0(intern!(py, "tolist"))?;
        return Ok(Converted::Objects(elements, dimensions));
    }
    let Some(element) = element_of(number) else {
        return Ok(Converted::No);
    };
    if numpy::PyUntypedArrayMethods::ndim(array) == 0 {
        let single = matches!(number, SINGLE | HALF | COMPLEX_SINGLE);
        let item = object.call_method0(intern!(py, "item"))?;
        return Ok(Converted::Scalar(item, single));
    }
    // SAFETY: as above.
    let flags = unsafe { (*object.as_ptr().cast::<PyArrayObject>()).fields.flags };
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
    Ok(Converted::Array(describe_numpy(array, element, memory)))
}

/// Describe the memory of `array`, which is contiguous, and hand the reference to `memory`.
fn describe_numpy(array: Bound<'_, PyAny>, element: pyr_element, memory: &mut Memory) -> *const pyr_array {
    // SAFETY: attached; an ndarray's fields, of which there is one dimension at least.
    let (data, dimensions) = unsafe {
        let fields = &(*array.as_ptr().cast::<PyArrayObject>()).fields;
        let dimensions = std::slice::from_raw_parts(fields.dimensions.cast::<usize>(), fields.nd as usize);
        (fields.data.cast(), dimensions)
    };
    let description = describe(data, dimensions, element, memory);
    memory.keep(array.into_ptr());
    description
}

/// Describe an array of `element`s at `data`.
pub(crate) fn describe(
    data: *const c_void,
    dimensions: &[usize],
    element: pyr_element,
    memory: &mut Memory,
) -> *const pyr_array {
    // SAFETY: the room is large enough and aligned for what is written.
    unsafe {
        let room = memory
            .allocate(size_of::<pyr_array>() + size_of_val(dimensions))
            .cast::<pyr_array>();
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

/// A new numpy array with a copy of `array`.
pub(crate) fn to_python<'py>(py: Python<'py>, array: &pyr_array) -> Result<Bound<'py, PyAny>, Fault> {
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
    if types(py).is_none() {
        py.import(intern!(py, "numpy"))?;
    }
    // SAFETY: attached; numpy is there, so its interface is; the new array has `size` bytes.
    unsafe {
        let kind = get_type_object(py, NpyTypes::PyArray_Type);
        let (rank, shape) = (
            array.rank as c_int,
            dimensions.as_ptr().cast::<npy_intp>().cast_mut(),
        );
        let null = std::ptr::null_mut::<u8>();
        let new = PY_ARRAY_API.PyArray_New(
            py,
            kind,
            rank,
            shape,
            number,
            null.cast(),
            null.cast(),
            0,
            0,
            null.cast(),
        );
        let new = own(py, new)?;
        let data = (*new.as_ptr().cast::<PyArrayObject>()).fields.data;
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
