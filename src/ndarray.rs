//! numpy's arrays and types as its own C interface has them (the same for numpy 1 and 2).
//!
//! numpy is never imported to look at a result: what is no numpy object as long as numpy is not there
//! needs no looking. Its functions are looked up here and not by the crate, which panics where numpy cannot be
//! imported: after an import that was interrupted, say, it never can.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use numpy::npyffi::{PyArrayObject, PyArrayObject_fields, npy_intp};
use pyo3::exceptions::{PyAttributeError, PyModuleNotFoundError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyType};
use pyo3::{Bound, ffi, intern};

use crate::api::numpy::{New, SetBaseObject};
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
    let array = module.getattr("ndarray")?;
    if !is_array_type(&array)? {
        return Err(PyTypeError::new_err("another module has numpy's name"));
    }
    Ok(Types {
        array: array.into_ptr().cast(),
        scalars,
    })
}

/// Whether `array` is numpy's own type, whose objects have its fields: one that is made in C, of which nobody can
/// change the module. Others go by the name of numpy, too: stand-ins for tests, modules for other devices.
fn is_array_type(array: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Ok(array) = array.cast::<PyType>() else {
        return Ok(false);
    };
    // SAFETY: attached; a type.
    let made_in_c = unsafe { ffi::PyType_GetFlags(array.as_type_ptr()) } & ffi::Py_TPFLAGS_HEAPTYPE == 0;
    Ok(made_in_c && array.module()? == "numpy")
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

/// numpy's table of functions and types, NULL until it is needed. Reached under the GIL, and set to what it has
/// always been.
static API: AtomicPtr<*mut c_void> = AtomicPtr::new(std::ptr::null_mut());

/// The places in it of the type of arrays and of functions, the same in every version of numpy.
const ARRAY_TYPE: usize = 2;
const NEW: usize = 93;
const SET_BASE_OBJECT: usize = 282;

/// The entry at `place` of numpy's table.
fn entry(py: Python<'_>, place: usize) -> Result<*mut c_void, Fault> {
    let mut api = API.load(Ordering::Relaxed);
    if api.is_null() {
        api = find_api(py)?;
        API.store(api, Ordering::Relaxed);
    }
    // SAFETY: the table has entries at the places above in every version of numpy.
    Ok(unsafe { api.add(place).read() })
}

#[cold]
fn find_api(py: Python<'_>) -> Result<*mut *mut c_void, Fault> {
    let find = |module| py.import(module)?.getattr(intern!(py, "_ARRAY_API"));
    // As numpy 2 has it, and as numpy 1.
    let capsule = find("numpy._core.multiarray").or_else(|error| {
        let elsewhere =
            error.is_instance_of::<PyModuleNotFoundError>(py) || error.is_instance_of::<PyAttributeError>(py);
        let other = elsewhere.then(|| find("numpy.core.multiarray"));
        other.and_then(Result::ok).ok_or(error)
    })?;
    let capsule = capsule
        .cast_into::<PyCapsule>()
        .map_err(|_| Fault::message("numpy has no table of its functions"))?;
    // The reference is kept for good.
    let capsule = capsule.into_ptr();
    // SAFETY: attached; a capsule without a name, as numpy has always made it.
    let api = unsafe { ffi::PyCapsule_GetPointer(capsule, std::ptr::null()) };
    if api.is_null() {
        Err(Fault::Python)
    } else {
        Ok(api.cast())
    }
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
    let (kind, new) = (entry(py, ARRAY_TYPE)?.cast(), entry(py, NEW)?);
    // SAFETY: promised by the caller; numpy copies dimensions and strides; the entry is of this type.
    unsafe {
        let new: New = std::mem::transmute(new);
        let shape = dimensions.as_ptr().cast::<npy_intp>().cast_mut();
        let strides = strides.cast_mut();
        let rank = dimensions.len() as c_int;
        let null = std::ptr::null_mut();
        own(py, new(kind, rank, shape, number, strides, data, 0, flags, null))
    }
}

/// Have `array`, which is new, keep `base` alive.
pub(crate) fn set_base(array: &Bound<'_, PyAny>, base: Bound<'_, PyAny>) -> Result<(), Fault> {
    let set = entry(array.py(), SET_BASE_OBJECT)?;
    // SAFETY: attached; an array that has no base yet; numpy takes the reference; the entry is of this type.
    check(unsafe {
        let set: SetBaseObject = std::mem::transmute(set);
        set(array.as_ptr().cast(), base.into_ptr())
    })
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

/// The dimensions of `array`, an ndarray.
pub(crate) fn dimensions<'a>(array: &'a Bound<'_, PyAny>) -> &'a [usize] {
    // SAFETY: attached; as promised by the callers; without dimensions there may be NULL.
    unsafe {
        let fields = fields(array);
        match fields.nd {
            0 => &[],
            rank => std::slice::from_raw_parts(fields.dimensions.cast(), rank as usize),
        }
    }
}

/// What the memory of `array` means: the address of its type, which lives for good when it is one of
/// numpy's own, its dimensions, its strides.
///
/// # Safety
/// `array` is an ndarray.
pub(crate) unsafe fn layout<'a>(array: &'a Bound<'_, PyAny>) -> impl Iterator<Item = isize> + 'a {
    // SAFETY: promised by the caller; both have `nd` entries, and may be NULL without.
    unsafe {
        let fields = fields(array);
        let (dimensions, strides) = (fields.dimensions, fields.strides);
        let rank = fields.nd as usize;
        std::iter::once(fields.descr.addr() as isize)
            .chain((0..rank).map(move |index| *dimensions.add(index)))
            .chain((0..rank).map(move |index| *strides.add(index)))
    }
}

/// What keeps the memory of `array`, an ndarray, alive; nothing when the memory is its own.
pub(crate) fn base<'py>(array: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: attached; an ndarray, as promised by the callers; the base is owned at once.
    unsafe { Bound::from_borrowed_ptr_or_opt(array.py(), fields(array).base) }
}
