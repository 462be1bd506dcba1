//! Source.

use super::{result, slice};
use crate::abi::*;
use crate::source::{Kind, run_parts};
use crate::{encode, guard, thread};

/// Evaluate an expression in `__main__`.
///
/// The source is made of `parts`: text is source as it stands, any other value is spliced in by
/// reference (its object takes part in the expression, not its repr). `flags` and `out` as for
/// `pyr_call`. Returns `PYR_OK` or `PYR_PYTHON_ERROR` (SyntaxError too), or a status for a bad argument.
///
/// # Safety
/// `parts` is `nparts` cells that can be read with all that they point to; `out` is writable. Either
/// may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_eval(
    parts: *const pyr_value,
    nparts: u32,
    flags: u32,
    out: *mut pyr_result,
) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let (parts, out) = unsafe { (slice(parts, nparts as usize, "the source")?, result(out, flags)?) };
        encode::result(run_parts(py, parts, Kind::Expression)?, flags, out)
    })
}

/// Execute statements in `__main__`. The source as for `pyr_eval`.
///
/// Returns `PYR_OK` or `PYR_PYTHON_ERROR` (SystemExit too: the process goes on), or a status for a bad
/// argument.
///
/// # Safety
/// `parts` is `nparts` cells that can be read with all that they point to, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_exec(parts: *const pyr_value, nparts: u32) -> pyr_status {
    guard::enter(|py| {
        // SAFETY: promised by the caller; NULL is refused.
        let parts = unsafe { slice(parts, nparts as usize, "the source")? };
        thread::current().suspect_signals();
        run_parts(py, parts, Kind::Statements).map(drop)
    })
}
