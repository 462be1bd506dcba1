//! Names, values, calls.

use super::{cell, place, result, slice};
use crate::abi::*;
use crate::fault::Fault;
use crate::release::{self, Debt};
use crate::{decode, encode, guard, invoke, names, text};

/// Prepare a name: an attribute's, a dotted one such as `os.path.join`, or source to be called.
///
/// A dotted name is looked up in `__main__` and then in builtins. With a colon, as in `os.path:join`, what
/// is before it is a module, which is imported when nobody did so yet; the rest are attributes.
///
/// `name` gets a number that this process understands from now on, in `PYR_NAME` cells: using it costs
/// less than using the text. It is looked up afresh at each use, so a redefinition is always seen.
/// The same text has one number, which is valid after `pyr_stop`, too, and as long as you hold it: each
/// `pyr_intern` holds it once. Where the number of names has a bound, they need no release.
///
/// `text` is UTF-8, `length` bytes. Returns `PYR_OK`, `PYR_NULL_ARGUMENT`, `PYR_INVALID_TEXT` or
/// `PYR_NOT_RUNNING`.
///
/// # Safety
/// `text` points to `length` readable bytes; `name` to a writable `pyr_name`. Either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_intern(text: *const u8, length: usize, name: *mut pyr_name) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (text, name) = unsafe {
            (
                slice(text, length, "the name")?,
                place(name, "the place for the name")?,
            )
        };
        let text =
            std::str::from_utf8(text).map_err(|_| Fault::new(PYR_INVALID_TEXT, "the name is not UTF-8"))?;
        *name = names::of_text(py, text)?;
        Ok(())
    })
}

/// Give one hold of `name`, which came from `pyr_intern`, back: with the last its number is no name any
/// more, and is never given out again.
///
/// For hosts with ever new names. Made for finalizers, as `pyr_release` is. A number that is no name does no
/// harm. Returns `PYR_OK`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_name_release(name: pyr_name) -> pyr_status {
    guard::outside(|| {
        release::push(Debt::Name(name));
        Ok(())
    })
}

/// The value of a dotted name: its first part in `__main__`, then in builtins, the rest by attribute.
///
/// `name` is a `PYR_NAME` or text, and no expression. `flags` as for `pyr_call`.
/// Returns `PYR_OK` or `PYR_PYTHON_ERROR` (a NameError when undefined), or a status for a bad argument.
///
/// # Safety
/// `name` points to a cell that can be read with all that it points to; `out` to a writable result.
/// Either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_get(name: *const pyr_value, flags: u32, out: *mut pyr_result) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (name, out) = unsafe { (cell(name, "the name")?, result(out, flags)?) };
        encode::result(names::of_cell(py, name)?.value(py)?, flags, out)
    })
}

/// Set a global of `__main__`, or the last attribute of a dotted name.
///
/// `name` is a `PYR_NAME` or text. Returns `PYR_OK` or `PYR_PYTHON_ERROR`, or a status for a bad
/// argument.
///
/// # Safety
/// Both point to cells that can be read with all that they point to, or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_set(name: *const pyr_value, value: *const pyr_value) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (name, value) = unsafe { (cell(name, "the name")?, cell(value, "the value")?) };
        names::of_cell(py, name)?.set_value(&decode::value(py, value)?)
    })
}

/// Call something.
///
/// `callable` is a `PYR_HANDLE`; a `PYR_NAME` or text, which is a dotted name or else source of an
/// expression (`lambda x: x*x`) whose value is called; or any other value that can be called. `args`
/// is `nargs` cells of positional arguments, followed by `nkwargs` *pairs* of cells for keyword
/// arguments: name (`PYR_NAME` or text), value. It may be NULL when there are none.
///
/// `flags` are `PYR_REMOTE`, `PYR_AS_UCS4`, `PYR_TYPED` and `PYR_TYPED_ITEMS`. On `PYR_OK`, `out` is the value, to be given to
/// `pyr_result_free`. Returns `PYR_PYTHON_ERROR` when the call raised, or a status for a bad argument.
///
/// # Safety
/// `callable` and `args` can be read with all that they point to; `out` is writable. Any may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_call(
    callable: *const pyr_value,
    args: *const pyr_value,
    nargs: u32,
    nkwargs: u32,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (callable, args, out) = unsafe {
            (
                cell(callable, "the callable")?,
                slice(args, cells(nargs, nkwargs), "args")?,
                result(out, flags)?,
            )
        };
        let callable = if callable.tag == PYR_NAME || text::is_text(callable) {
            names::callable(py, callable)?
        } else {
            decode::value(py, callable)?
        };
        let value = invoke::call(&callable, args, nargs as usize)?;
        // Its end may write, and fail of that: then there must be no result yet.
        drop(callable);
        encode::result(value, flags, out)
    })
}

/// Call the method `name` of `object`; the rest as for `pyr_call`.
///
/// `object` is any value (the method `upper` of a text cell, say); `name` is a `PYR_NAME` or text.
///
/// # Safety
/// `object`, `name` and `args` can be read with all that they point to; `out` is writable. Any may be
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_call_method(
    object: *const pyr_value,
    name: *const pyr_value,
    args: *const pyr_value,
    nargs: u32,
    nkwargs: u32,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (object, name) = unsafe { (cell(object, "the object")?, cell(name, "the method's name")?) };
        // SAFETY: promised by the caller; NULL is refused.
        let (args, out) = unsafe { (slice(args, cells(nargs, nkwargs), "args")?, result(out, flags)?) };
        let name = names::of_cell(py, name)?;
        let object = decode::value(py, object)?;
        encode::result(
            invoke::call_method(object, &name, args, nargs as usize)?,
            flags,
            out,
        )
    })
}

/// How many cells the arguments of a call are.
fn cells(nargs: u32, nkwargs: u32) -> usize {
    nargs as usize + 2 * nkwargs as usize
}

/// Free the memory behind a result; what `value` points to is gone then. Handles in it stay yours.
///
/// Never blocks, needs no GIL, and may be called on any thread, also while Python does not run. A
/// result that was freed, or never had memory, is left alone; so is NULL.
///
/// # Safety
/// `result` was filled in by a call that returned `PYR_OK`, or is all zero, or is NULL. A copy of a
/// result is not a second result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_result_free(result: *mut pyr_result) {
    guard::outside(|| {
        // SAFETY: promised by the caller; the memory came from `Memory::into_raw`.
        unsafe {
            if let Some(result) = result.as_mut()
                && !result.memory.is_null()
            {
                let memory = std::mem::replace(&mut result.memory, std::ptr::null_mut());
                drop(crate::memory::Memory::from_raw(memory));
            }
        }
        Ok(())
    });
}

/// What a host needs about, in bytes, for the value of `result` besides its cell: as much as there is memory
/// behind it, that of Python's which it points to included, and some for each dict and handle in it. 0 when
/// there is no memory behind it.
///
/// For hosts with little memory, to be asked before they convert a result. Needs no GIL.
///
/// # Safety
/// `result` is one that a function filled and that was not freed, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_result_weight(result: *const pyr_result) -> usize {
    // SAFETY: promised by the caller; memory that is there came from `Memory::into_raw`.
    unsafe {
        let memory = result.as_ref().map_or(std::ptr::null(), |result| result.memory);
        memory
            .cast::<crate::memory::Memory>()
            .as_ref()
            .map_or(0, |memory| memory.weight())
    }
}
