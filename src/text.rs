//! Text in cells, both ways.
//!
//! Hosts write text as they have it: UTF-8, Latin-1 or UCS-4. Results are UTF-8 for C and UCS-4 for
//! Lisps, whose strings are that already. Lone surrogates survive in UCS-4, and in UTF-8 as the three
//! bytes that "surrogatepass" makes of them.

use std::borrow::Cow;
use std::ffi::c_int;

use pyo3::prelude::*;
use pyo3::{Bound, ffi};

use crate::abi::*;
use crate::api::python::symbols;
use crate::bridge;
use crate::fault::{Fault, own};

/// Whether `cell` is text.
pub(crate) fn is_text(cell: &pyr_value) -> bool {
    matches!(cell.tag, PYR_UTF8 | PYR_LATIN1 | PYR_UCS4 | PYR_UTF32)
}

/// `cell`, which must be text.
pub(crate) fn checked(cell: &pyr_value) -> Result<&pyr_value, Fault> {
    if is_text(cell) {
        Ok(cell)
    } else {
        Err(Fault::new(PYR_INVALID_TAG, "a cell that should be text is not"))
    }
}

/// The `aux` units that `cell` points to.
fn units<T>(cell: &pyr_value) -> Result<&[T], Fault> {
    // SAFETY: the tag says that a pointer was set, and to how many units; NULL is refused.
    unsafe { crate::api::slice(cell.of.bytes.cast::<T>(), cell.aux as usize, "the text of a cell") }
}

/// The bytes of a `PYR_BYTES` or `PYR_BIGINT` cell.
pub(crate) fn bytes(cell: &pyr_value) -> Result<&[u8], Fault> {
    units(cell)
}

fn invalid(why: &'static str) -> Fault {
    Fault::new(PYR_INVALID_TEXT, why)
}

/// The text of `cell`, which is used as a name or as source.
pub(crate) fn to_str(cell: &pyr_value) -> Result<Cow<'_, str>, Fault> {
    match cell.tag {
        PYR_UTF8 => std::str::from_utf8(units(cell)?)
            .map(Cow::Borrowed)
            .map_err(|_| invalid("a name or source is not valid UTF-8")),
        PYR_LATIN1 => Ok(units::<u8>(cell)?.iter().copied().map(char::from).collect()),
        PYR_UCS4 | PYR_UTF32 => units::<u32>(cell)?
            .iter()
            .map(|&point| {
                char::from_u32(point).ok_or_else(|| invalid("a name or source is not valid Unicode"))
            })
            .collect::<Result<String, _>>()
            .map(Cow::Owned),
        _ => Err(Fault::new(
            PYR_INVALID_TAG,
            "a cell that should be a name or text is neither",
        )),
    }
}

/// A str of the text in `cell`.
pub(crate) fn to_python<'py>(py: Python<'py>, cell: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    match cell.tag {
        PYR_UTF8 => from_utf8(py, units(cell)?),
        PYR_LATIN1 => from_kind(py, 1, units::<u8>(cell)?),
        _ => {
            let points = units::<u32>(cell)?;
            let surrogates = if cell.tag == PYR_UTF32 { 0xD800 } else { u32::MAX };
            let is_bad = |&point: &u32| (point & !0x7FF == surrogates) | (point > 0x10_FFFF);
            // One pass without branches.
            if points.iter().fold(false, |found, point| found | is_bad(point)) {
                return Err(no_text(points, points.iter().position(is_bad).unwrap_or(0)));
            }
            from_kind(py, 4, points)
        }
    }
}

/// The fault of `points`, of which the one at `index` is none of a text.
#[cold]
fn no_text(points: &[u32], index: usize) -> Fault {
    let before: String = points[index.saturating_sub(20)..index]
        .iter()
        .filter_map(|&point| char::from_u32(point))
        .collect();
    Fault::new(
        PYR_INVALID_TEXT,
        format!(
            "text of {} characters has a lone surrogate, or a code point beyond U+10FFFF, at {index}: \
             U+{:04X} after {before:?}",
            points.len(),
            points[index]
        ),
    )
}

/// The host's character in `cell`.
pub(crate) fn character<'py>(py: Python<'py>, cell: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: the tag says which member was set, and any bit pattern is an integer.
    let point = u32::try_from(unsafe { cell.of.integer })
        .ok()
        .filter(|point| *point <= 0x10_FFFF);
    let point = point.ok_or_else(|| invalid("a character's code is beyond U+10FFFF"))?;
    bridge::make(bridge::character_type(), &from_kind(py, 4, &[point])?)
}

/// The host's name of a file in `cell`.
pub(crate) fn path<'py>(py: Python<'py>, cell: &pyr_value) -> Result<Bound<'py, PyAny>, Fault> {
    let cell = pyr_value {
        tag: PYR_UCS4,
        ..*cell
    };
    bridge::make(bridge::path_type(), &to_python(py, &cell)?)
}

fn from_utf8<'py>(py: Python<'py>, bytes: &[u8]) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: attached; pointer and length are a slice's; the handler's name is a C string.
    let text = own(py, unsafe {
        ffi::PyUnicode_DecodeUTF8(
            bytes.as_ptr().cast(),
            bytes.len() as isize,
            c"surrogatepass".as_ptr(),
        )
    });
    text.map_err(|_| invalid("text is not valid UTF-8"))
}

/// A str of characters of `kind` bytes each.
fn from_kind<'py, T>(py: Python<'py>, kind: c_int, units: &[T]) -> Result<Bound<'py, PyAny>, Fault> {
    let (data, length) = (units.as_ptr(), units.len() as isize);
    // SAFETY: attached; pointer and length are a slice's; the code points are valid ones.
    own(py, unsafe {
        match symbols().from_kind_and_data {
            Some(from_kind_and_data) => from_kind_and_data(kind, data.cast(), length),
            None if kind == 1 => ffi::PyUnicode_DecodeLatin1(data.cast(), length, std::ptr::null()),
            None => {
                let mut order = if cfg!(target_endian = "little") { -1 } else { 1 };
                let bytes = length * 4;
                ffi::PyUnicode_DecodeUTF32(data.cast(), bytes, c"surrogatepass".as_ptr(), &raw mut order)
            }
        }
    })
}

/// How many bytes `text` takes in a result, and how many characters or bytes it counts as.
pub(crate) struct Measure {
    pub(crate) size: usize,
    pub(crate) units: usize,
}

/// The number of bytes that `text` needs as UCS-4.
#[inline]
pub(crate) fn measure_ucs4(text: *mut ffi::PyObject) -> Measure {
    // SAFETY: attached; `text` is a str.
    let units = unsafe { ffi::PyUnicode_GetLength(text) } as usize;
    Measure {
        size: units * 4,
        units,
    }
}

/// Write `text` as UCS-4 to `room`, which `measure_ucs4` measured.
#[inline]
pub(crate) fn write_ucs4(text: *mut ffi::PyObject, room: *mut u8, measure: &Measure) -> Result<(), Fault> {
    // SAFETY: attached; `text` is a str of that length; `room` is aligned to 16 and large enough.
    let written = unsafe { ffi::PyUnicode_AsUCS4(text, room.cast(), measure.units as isize, 0) };
    if written.is_null() {
        Err(Fault::Python)
    } else {
        Ok(())
    }
}

/// Run `body` on `text` as UTF-8.
pub(crate) fn with_utf8<R>(
    py: Python<'_>,
    text: *mut ffi::PyObject,
    body: impl FnOnce(&[u8]) -> R,
) -> Result<R, Fault> {
    if let Some(as_utf8) = symbols().as_utf8 {
        let mut length = 0;
        // SAFETY: attached; `text` is a str, which keeps the bytes while `body` runs.
        unsafe {
            let bytes = as_utf8(text, &raw mut length);
            if !bytes.is_null() {
                return Ok(body(std::slice::from_raw_parts(bytes.cast(), length as usize)));
            }
            ffi::PyErr_Clear();
        }
    }
    // SAFETY: attached; `text` is a str; the bytes live until `encoded` is dropped.
    unsafe {
        let encoded = own(
            py,
            ffi::PyUnicode_AsEncodedString(text, c"utf-8".as_ptr(), c"surrogatepass".as_ptr()),
        )?;
        let length = ffi::PyBytes_Size(encoded.as_ptr()) as usize;
        Ok(body(std::slice::from_raw_parts(
            ffi::PyBytes_AsString(encoded.as_ptr()).cast(),
            length,
        )))
    }
}
