//! Complex numbers and fractions, both ways.

use std::cell::Cell;

use pyo3::prelude::*;
use pyo3::{Bound, ffi, intern};

use crate::abi::*;
use crate::fault::{Fault, own};
use crate::{bridge, decode};

/// The complex number in `cell`.
pub(crate) fn complex<'py>(py: Python<'py>, cell: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: the tag says that a pointer to two numbers was set; NULL is refused.
    let parts = unsafe { crate::api::slice(cell.of.reals, 2, "the parts of a complex number")? };
    // SAFETY: attached.
    own(py, unsafe { ffi::PyComplex_FromDoubles(parts[0], parts[1]) })
}

/// Write the parts of `object`, a complex, to `room`, and return its cell.
pub(crate) fn complex_cell(object: *mut ffi::PyObject, room: *mut f64) -> pyr_value {
    // SAFETY: attached; the object is a complex; there is room for two numbers.
    unsafe {
        room.write(ffi::PyComplex_RealAsDouble(object));
        room.add(1).write(ffi::PyComplex_ImagAsDouble(object));
    }
    pyr_value {
        tag: PYR_COMPLEX,
        aux: 0,
        of: pyr_payload { reals: room },
    }
}

/// The `fractions.Fraction` in `cell`.
pub(crate) fn fraction<'py>(py: Python<'py>, cell: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: the tag says that a pointer to two cells was set; NULL is refused.
    let parts = unsafe { crate::api::slice(cell.of.items, 2, "the parts of a fraction")? };
    if cell.aux != 2 || parts.iter().any(|part| !matches!(part.tag, PYR_INT | PYR_BIGINT)) {
        return Err(Fault::new(PYR_INVALID_TAG, "a fraction is two ints"));
    }
    bridge::call(
        py,
        "fraction",
        (decode::value(py, &parts[0])?, decode::value(py, &parts[1])?),
    )
}

struct Type(Cell<*mut ffi::PyTypeObject>);

// SAFETY: reached under the GIL only.
unsafe impl Sync for Type {}

/// `fractions.Fraction`, once that module was imported.
static FRACTION: Type = Type(Cell::new(std::ptr::null_mut()));

/// Whether `object` is exactly a `fractions.Fraction`. Nothing is imported to tell.
pub(crate) fn is_fraction(object: &Bound<'_, PyAny>) -> bool {
    if FRACTION.0.get().is_null() {
        find_fraction(object.py());
    }
    object.get_type_ptr() == FRACTION.0.get()
}

fn find_fraction(py: Python<'_>) {
    // SAFETY: attached; the borrowed module is owned at once.
    let module = unsafe {
        let module = ffi::PyDict_GetItemWithError(bridge::modules_dict(), intern!(py, "fractions").as_ptr());
        Bound::from_borrowed_ptr_or_opt(py, module)
    };
    if let Some(Ok(kind)) = module.map(|module| module.getattr(intern!(py, "Fraction"))) {
        // The reference is kept for good.
        FRACTION.0.set(kind.into_ptr().cast());
    }
}
