//! The types of numpy's functions that are called by address.

use std::ffi::{c_int, c_void};

use numpy::npyffi::{PyArrayObject, npy_intp};
use pyo3::ffi;

/// `PyArray_New`.
pub(crate) type New = unsafe extern "C" fn(
    *mut ffi::PyTypeObject,
    c_int,
    *mut npy_intp,
    c_int,
    *mut npy_intp,
    *mut c_void,
    c_int,
    c_int,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// `PyArray_SetBaseObject`.
pub(crate) type SetBaseObject = unsafe extern "C" fn(*mut PyArrayObject, *mut ffi::PyObject) -> c_int;
