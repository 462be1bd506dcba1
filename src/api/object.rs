//! Attributes, items, and what objects say of themselves.

use pyo3::prelude::*;
use pyo3::{Bound, ffi};

use super::{cell, check_flags, place, result};
use crate::abi::*;
use crate::fault::{Fault, check, own};
use crate::{bridge, decode, encode, guard, names, text};

/// The attribute `name` (a `PYR_NAME` or text) of `object` (any value).
///
/// `flags` and `out` as for `pyr_call`. Returns `PYR_OK` or `PYR_PYTHON_ERROR` (AttributeError when
/// there is none), or a status for a bad argument.
///
/// # Safety
/// `object` and `name` can be read with all that they point to; `out` is writable. Any may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_getattr(
    object: *const pyr_value,
    name: *const pyr_value,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (object, name, out) = unsafe {
            (
                cell(object, "the object")?,
                cell(name, "the name")?,
                result(out, flags)?,
            )
        };
        let (object, name) = (decode::value(py, object)?, names::of_cell(py, name)?);
        // SAFETY: attached; both are alive.
        let value = own(py, unsafe {
            ffi::PyObject_GetAttr(object.as_ptr(), name.attribute())
        })?;
        // As in `pyr_call`.
        drop(object);
        encode::result(value, flags, out)
    })
}

/// Set the attribute `name` (a `PYR_NAME` or text) of `object` to `value` (both any value).
///
/// Returns `PYR_OK` or `PYR_PYTHON_ERROR`, or a status for a bad argument.
///
/// # Safety
/// All three can be read with all that they point to, or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_setattr(
    object: *const pyr_value,
    name: *const pyr_value,
    value: *const pyr_value,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (object, name, value) = unsafe {
            (
                cell(object, "the object")?,
                cell(name, "the name")?,
                cell(value, "the value")?,
            )
        };
        let (object, name) = (decode::value(py, object)?, names::of_cell(py, name)?);
        let value = decode::value(py, value)?;
        // SAFETY: attached; all three are alive.
        check(unsafe { ffi::PyObject_SetAttr(object.as_ptr(), name.attribute(), value.as_ptr()) }).map(drop)
    })
}

/// `object[key]`: the item of a list, dict, array or anything else that has items.
///
/// `flags` and `out` as for `pyr_call`. Returns `PYR_OK` or `PYR_PYTHON_ERROR` (IndexError, KeyError),
/// or a status for a bad argument.
///
/// # Safety
/// `object` and `key` can be read with all that they point to; `out` is writable. Any may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_getitem(
    object: *const pyr_value,
    key: *const pyr_value,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (object, key, out) = unsafe {
            (
                cell(object, "the object")?,
                cell(key, "the key")?,
                result(out, flags)?,
            )
        };
        let (object, key) = (decode::value(py, object)?, decode::value(py, key)?);
        // SAFETY: attached; both are alive.
        let value = own(py, unsafe {
            ffi::PyObject_GetItem(object.as_ptr(), key.as_ptr())
        })?;
        // As in `pyr_call`.
        drop((object, key));
        encode::result(value, flags, out)
    })
}

/// `object[key] = value`.
///
/// Returns `PYR_OK` or `PYR_PYTHON_ERROR` (TypeError for an unhashable key), or a status for a bad
/// argument.
///
/// # Safety
/// All three can be read with all that they point to, or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_setitem(
    object: *const pyr_value,
    key: *const pyr_value,
    value: *const pyr_value,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (object, key, value) = unsafe {
            (
                cell(object, "the object")?,
                cell(key, "the key")?,
                cell(value, "the value")?,
            )
        };
        let (object, key, value) = (
            decode::value(py, object)?,
            decode::value(py, key)?,
            decode::value(py, value)?,
        );
        // SAFETY: attached; all three are alive.
        check(unsafe { ffi::PyObject_SetItem(object.as_ptr(), key.as_ptr(), value.as_ptr()) }).map(drop)
    })
}

/// Turn a value into the form that `flags` ask for: the object behind a `PYR_HANDLE` into its value,
/// or with `PYR_REMOTE` any value into a handle on a Python object.
///
/// Returns `PYR_OK`, `PYR_PYTHON_ERROR` when Python cannot make or read the value (an unhashable key,
/// say), or a status for a bad argument.
///
/// # Safety
/// `value` can be read with all that it points to; `out` is writable. Either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_convert(
    value: *const pyr_value,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (value, out) = unsafe { (cell(value, "the value")?, result(out, flags)?) };
        encode::result(decode::value(py, value)?, flags, out)
    })
}

/// The object of `value`, given to `body`, whose text is the result.
///
/// # Safety
/// As for [`pyr_str`].
unsafe fn text_of(
    value: *const pyr_value,
    flags: u32,
    out: *mut pyr_result,
    body: impl FnOnce(&Bound<'_, PyAny>) -> *mut ffi::PyObject,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (value, out) = unsafe { (cell(value, "the value")?, result(out, flags)?) };
        let text = body(&decode::value(py, value)?);
        encode::text_of(py, text, flags, out)
    })
}

/// `str(value)`, as text. `flags`: `PYR_AS_UCS4`. Returns `PYR_OK` or `PYR_PYTHON_ERROR`, or a status
/// for a bad argument.
///
/// # Safety
/// `value` can be read with all that it points to; `out` is writable. Either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_str(value: *const pyr_value, flags: u32, out: *mut pyr_result) -> pyr_status {
    // SAFETY: promised by the caller; `PyObject_Str` is called attached, on a live object.
    unsafe { text_of(value, flags, out, |object| ffi::PyObject_Str(object.as_ptr())) }
}

/// `repr(value)`, as text. As `pyr_str`.
///
/// # Safety
/// `value` can be read with all that it points to; `out` is writable. Either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_repr(value: *const pyr_value, flags: u32, out: *mut pyr_result) -> pyr_status {
    // SAFETY: promised by the caller; `PyObject_Repr` is called attached, on a live object.
    unsafe { text_of(value, flags, out, |object| ffi::PyObject_Repr(object.as_ptr())) }
}

/// The name of the value's type, such as `list`, as text. As `pyr_str`.
///
/// # Safety
/// `value` can be read with all that it points to; `out` is writable. Either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_type_name(
    value: *const pyr_value,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    // SAFETY: promised by the caller; the new str is handed over.
    unsafe {
        text_of(value, flags, out, |object| {
            pyo3::types::PyString::new(object.py(), &bridge::type_name(object)).into_ptr()
        })
    }
}

/// Whether two values are the same Python object: `same` gets 1 or 0.
///
/// Returns `PYR_OK`, `PYR_PYTHON_ERROR` when Python cannot make one of them, or a status for a bad
/// argument.
///
/// # Safety
/// `left` and `right` can be read with all that they point to; `same` is writable. Any may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_is(
    left: *const pyr_value,
    right: *const pyr_value,
    same: *mut i32,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (left, right, same) = unsafe {
            (
                cell(left, "the left value")?,
                cell(right, "the right value")?,
                place(same, "same")?,
            )
        };
        *same = decode::value(py, left)?.is(&decode::value(py, right)?).into();
        Ok(())
    })
}

/// The text of `value`, or Python's None when it is NULL.
unsafe fn optional_text<'py>(py: Python<'py>, value: *const pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: promised by the callers.
    match unsafe { value.as_ref() } {
        None => Ok(py.None().into_bound(py)),
        Some(value) => text::to_python(py, text::checked(value)?),
    }
}

/// Import the module `name` (text, may be dotted) and bind it in `__main__` as `import name` does; with
/// `alias` (text, may be NULL) as `import name as alias` does. `out`, which may be NULL, gets what was
/// bound.
///
/// Returns `PYR_OK` or `PYR_PYTHON_ERROR` (ImportError, or what the module raised), or a status for a
/// bad argument.
///
/// # Safety
/// `name` and `alias` can be read with all that they point to; `out` is writable. Any may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_import(
    name: *const pyr_value,
    alias: *const pyr_value,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    guard::enter(|py| {
        check_flags(flags, CALL_FLAGS)?;
        // SAFETY: promised by the caller; a NULL name is refused.
        let (name, alias) = unsafe {
            (
                text::to_python(py, text::checked(cell(name, "the name")?)?)?,
                optional_text(py, alias)?,
            )
        };
        let module = bridge::call(py, "import_module", (name, alias))?;
        // SAFETY: promised by the caller.
        unsafe { out.as_mut() }.map_or(Ok(()), |out| encode::result(module, flags, out))
    })
}

/// Import `name` from the module `module` and bind it in `__main__` as `from module import name` does;
/// with `alias` (which may be NULL) under that name. As `pyr_import` otherwise.
///
/// # Safety
/// `name`, `module` and `alias` can be read with all that they point to; `out` is writable. Any may be
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_import_from(
    name: *const pyr_value,
    module: *const pyr_value,
    alias: *const pyr_value,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    guard::enter(|py| {
        check_flags(flags, CALL_FLAGS)?;
        // SAFETY: promised by the caller; NULL names are refused.
        let (name, module, alias) = unsafe {
            (
                text::to_python(py, text::checked(cell(name, "the name")?)?)?,
                text::to_python(py, text::checked(cell(module, "the module")?)?)?,
                optional_text(py, alias)?,
            )
        };
        let value = bridge::call(py, "import_function", (name, module, alias))?;
        // SAFETY: promised by the caller.
        unsafe { out.as_mut() }.map_or(Ok(()), |out| encode::result(value, flags, out))
    })
}
