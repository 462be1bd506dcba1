//! numpy's arrays and types as its own C interface has them (the same for numpy 1 and 2).
//!
//! numpy is never imported to look at a result: what is no numpy object as long as numpy is not there
//! needs no looking.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};

use numpy::npyffi::{NpyTypes, PY_ARRAY_API, PyArrayObject, PyArrayObject_fields, get_type_object, npy_intp};
use pyo3::prelude::*;
use pyo3::{Bound, ffi, intern};

use crate::bridge;
use crate::fault::{Fault, check, own};

/// What numpy makes of an object.
pub(crate) enum Class {
    Array,
    /// A numpy scalar that has a Python value.
    Scalar(Scalar),
    Other,
}

/// The kinds of numpy's scalars.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// A float64, which is a Python float, too.
    Double,
    /// An integer.
    Integer,
    /// Of floats of single precision.
    Single,
    Other,
}

/// numpy's types, by address, once numpy is there.
struct Types {
    array: *mut ffi::PyTypeObject,
    /// Scalar types, the commonest first: so few that looking at each costs less than hashing.
    scalars: Vec<(*mut ffi::PyTypeObject, Scalar)>,
}

struct TypesCell(UnsafeCell<Option<Types>>);

// SAFETY: reached under the GIL only; set once.
unsafe impl Sync for TypesCell {}

static TYPES: TypesCell = TypesCell(UnsafeCell::new(None));

/// Import numpy unless that was done.
pub(crate) fn import(py: Python<'_>) -> Result<(), Fault> {
    if types(py).is_none() {
        py.import(intern!(py, "numpy"))?;
    }
    Ok(())
}

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
    let names = [
        (Scalar::Double, &["float64"][..]),
        (
            Scalar::Integer,
            &[
                "int64",
                "int_",
                "longlong",
                "intc",
                "short",
                "byte",
                "uint64",
                "uint",
                "ulonglong",
                "uintc",
                "ushort",
                "ubyte",
            ],
        ),
        (Scalar::Single, &["float32", "float16", "complex64"]),
        (Scalar::Other, &["bool_", "complex128", "str_"]),
    ];
    let mut scalars = Vec::new();
    for (scalar, names) in names {
        for name in names {
            scalars.push((module.getattr(*name)?.into_ptr().cast(), scalar));
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
    let scalar = types.scalars.iter().find(|(known, _)| *known == kind);
    Ok(scalar.map_or(Class::Other, |&(_, scalar)| Class::Scalar(scalar)))
}

/// A new numpy array of the type `number` on the memory at `data`, or on memory of its own when that is
/// NULL.
///
/// # Safety
/// numpy was imported; `strides` is NULL or as long as `dimensions`, and the memory as large as they say.
pub(crate) unsafe fn new<'py>(
    py: Python<'py>,
    number: c_int,
    dimensions: &[usize],
    strides: *const isize,
    data: *mut c_void,
    flags: c_int,
) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: promised by the caller; numpy copies dimensions and strides.
    unsafe {
        let kind = get_type_object(py, NpyTypes::PyArray_Type);
        let shape = dimensions.as_ptr().cast::<npy_intp>().cast_mut();
        let strides = strides.cast_mut();
        let rank = dimensions.len() as c_int;
        let null = std::ptr::null_mut();
        own(
            py,
            PY_ARRAY_API.PyArray_New(py, kind, rank, shape, number, strides, data, 0, flags, null),
        )
    }
}

/// Have `array`, which is new, keep `base` alive.
pub(crate) fn set_base(array: &Bound<'_, PyAny>, base: Bound<'_, PyAny>) -> Result<(), Fault> {
    // SAFETY: attached; an array that has no base yet; numpy takes the reference.
    check(unsafe { PY_ARRAY_API.PyArray_SetBaseObject(array.py(), array.as_ptr().cast(), base.into_ptr()) })
        .map(drop)
}

/// The fields of an array.
///
/// # Safety
/// `array` is an ndarray.
pub(crate) unsafe fn fields<'a>(array: &'a Bound<'_, PyAny>) -> &'a PyArrayObject_fields {
    // SAFETY: promised by the caller.
    unsafe { &(*array.as_ptr().cast::<PyArrayObject>()).fields }
}

/// The dimensions, the strides, and the type of `array`, which is that at an address.
///
/// # Safety
/// `array` is an ndarray.
pub(crate) unsafe fn layout<'a>(array: &'a Bound<'_, PyAny>) -> impl Iterator<Item = isize> + 'a {
    // SAFETY: promised by the caller; both have `nd` entries, and may be NULL without.
    unsafe {
        let fields = fields(array);
        let (dimensions, strides) = (fields.dimensions, fields.strides);
        let rank = fields.nd as usize;
        (0..rank)
            .map(move |index| *dimensions.add(index))
            .chain((0..rank).map(move |index| *strides.add(index)))
            .chain([fields.descr as isize])
    }
}

/// What keeps the memory of `array`, an ndarray, alive; nothing when the memory is its own.
pub(crate) fn base<'py>(array: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: attached; an ndarray, as promised by the callers; the base is owned at once.
    unsafe { Bound::from_borrowed_ptr_or_opt(array.py(), fields(array).base) }
}
