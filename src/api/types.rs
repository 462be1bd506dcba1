//! Watched types.

use super::slice;
use crate::abi::*;
use crate::fault::{Fault, Record};
use crate::{guard, types};

/// Watch the types called `name` (`length` bytes of UTF-8): calls with `PYR_TYPED` or `PYR_TYPED_ITEMS`
/// then give their objects as `PYR_HANDLE` cells whose `aux` is `number`, whatever they would be converted
/// to otherwise. Objects of subclasses are not meant. 0 ends this for the name.
///
/// A type's name is the qualified one, as Python prints it (`datetime.date`, `__main__.Thing`, `float`), or
/// the dotted way to it in a loaded module (`pandas.DataFrame`); without a dot, one in builtins, else in
/// `__main__`. May be called on any thread at any time, also while Python does not run; the names and
/// numbers outlast `pyr_stop`. Returns `PYR_OK`, `PYR_NULL_ARGUMENT` or `PYR_INVALID_TEXT`.
///
/// # Safety
/// `name` points to `length` readable bytes, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_watch_type(name: *const u8, length: usize, number: u32) -> pyr_status {
    guard::outside(|| {
        // SAFETY: promised by the caller; NULL is refused.
        let name = unsafe { slice(name, length, "the type's name") }.and_then(|name| {
            std::str::from_utf8(name)
                .map_err(|_| Fault::new(PYR_INVALID_TEXT, "the type's name is not UTF-8"))
        });
        types::watch(name.map_err(Record::outside)?, number);
        Ok(())
    })
}
