//! Versions, starting, stopping, the GIL, counters.

use std::ffi::c_char;
use std::time::Duration;

use super::slice;
use crate::abi::*;
use crate::fault::{Fault, Record};
use crate::{buffer, ending, guard, interp, memory, names, objects, release, thread};

/// The version of the interface this library implements: `PYR_ABI_VERSION` of the header it was built
/// with. A host compares it with the version it was written for: the same major, and no lower minor.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_abi_version() -> u32 {
    PYR_ABI_VERSION
}

/// The oldest interface version whose hosts this library still serves.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_abi_minimum() -> u32 {
    PYR_ABI_MINIMUM
}

/// The version of this library, such as `"0.1.0"`: NUL-terminated, static.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The sizes and offsets of the structs above, as this library was built, for hosts that cannot read
/// the header: size of `pyr_value`, offsets of `aux` and `of`; size of `pyr_result`, offsets of
/// `memory` and `scratch`; size of `pyr_array`, offsets of `dimensions`, `rank`, `element`; size of
/// `pyr_error`, offsets of `type_name`, `message`, `traceback`, `exception`; size of
/// `pyr_start_options`, offsets of `executable`, `code` and `flags`; size of `pyr_buffer`, offsets of
/// `data`, `length`, `item_size`, `format`, `dimensions`, `strides`, `rank`, `element` and `read_only`.
///
/// Writes at most `length` numbers to `numbers` and returns how many there are. `numbers` may be NULL.
///
/// # Safety
/// `numbers` points to `length` writable numbers, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_layout(numbers: *mut u32, length: usize) -> usize {
    use std::mem::offset_of;
    let layout = [
        size_of::<pyr_value>(),
        offset_of!(pyr_value, aux),
        offset_of!(pyr_value, of),
        size_of::<pyr_result>(),
        offset_of!(pyr_result, memory),
        offset_of!(pyr_result, scratch),
        size_of::<pyr_array>(),
        offset_of!(pyr_array, dimensions),
        offset_of!(pyr_array, rank),
        offset_of!(pyr_array, element),
        size_of::<pyr_error>(),
        offset_of!(pyr_error, type_name),
        offset_of!(pyr_error, message),
        offset_of!(pyr_error, traceback),
        offset_of!(pyr_error, exception),
        size_of::<pyr_start_options>(),
        offset_of!(pyr_start_options, executable),
        offset_of!(pyr_start_options, code),
        offset_of!(pyr_start_options, flags),
        offset_of!(pyr_start_options, interrupt_signal),
        size_of::<pyr_loan>(),
        offset_of!(pyr_loan, kind),
        offset_of!(pyr_loan, array),
        offset_of!(pyr_loan, host),
        offset_of!(pyr_loan, kept),
        size_of::<pyr_host>(),
        offset_of!(pyr_host, release),
        offset_of!(pyr_host, ask),
        offset_of!(pyr_host, flags),
        size_of::<pyr_request>(),
        offset_of!(pyr_request, id),
        offset_of!(pyr_request, args),
        offset_of!(pyr_request, reply),
        offset_of!(pyr_request, nargs),
        offset_of!(pyr_request, nkwargs),
        offset_of!(pyr_request, question),
        offset_of!(pyr_request, idle),
        size_of::<pyr_buffer>(),
        offset_of!(pyr_buffer, data),
        offset_of!(pyr_buffer, length),
        offset_of!(pyr_buffer, item_size),
        offset_of!(pyr_buffer, format),
        offset_of!(pyr_buffer, dimensions),
        offset_of!(pyr_buffer, strides),
        offset_of!(pyr_buffer, rank),
        offset_of!(pyr_buffer, element),
        offset_of!(pyr_buffer, read_only),
    ];
    if !numbers.is_null() {
        for (index, number) in layout.iter().take(length).enumerate() {
            // SAFETY: promised by the caller.
            unsafe { numbers.add(index).write(*number as u32) };
        }
    }
    layout.len()
}

/// Start Python as the executable of `options` would run, or resume after `pyr_stop`.
///
/// libpython must be loaded already, with global visibility: either the program is linked to it, or it
/// was opened with `dlopen(path, RTLD_NOW | RTLD_GLOBAL)` before this library. `sys.executable`,
/// `sys.prefix` and `sys.path` are then those of the executable, also in a venv. Signal handlers are
/// left as they are, but for that of SIGINT where `PYR_KEEP_SIGNALS` asks for it. Any thread may call this; several at once start one interpreter. When Python runs
/// already, nothing happens; an interpreter that somebody else started is used as it is. After a failure
/// inside Python's own start, it cannot be started in the same process any more.
///
/// Returns `PYR_OK`, `PYR_NULL_ARGUMENT`, `PYR_INVALID_SIZE`, `PYR_INVALID_FLAGS`, `PYR_INVALID_TEXT`,
/// `PYR_START_FAILED` (there is no such executable, say), `PYR_UNSUPPORTED_PYTHON`, or
/// `PYR_PYTHON_ERROR` when the code in the options raised.
///
/// # Safety
/// `options` points to a readable `pyr_start_options`, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_start(options: *const pyr_start_options) -> pyr_status {
    guard::outside(|| {
        // SAFETY: promised by the caller; NULL is refused.
        let options = unsafe { checked(options) }.map_err(Record::outside)?;
        interp::start(&options)
    })
}

/// What is in `options`.
///
/// # Safety
/// As for [`pyr_start`].
unsafe fn checked<'a>(options: *const pyr_start_options) -> Result<interp::Options<'a>, Fault> {
    // SAFETY: promised by the caller. The size is read first: the rest may be shorter than ours.
    unsafe {
        if options.is_null() {
            return Err(Fault::null("the start options"));
        }
        if (&raw const (*options).size).read() != size_of::<pyr_start_options>() {
            return Err(Fault::new(
                PYR_INVALID_SIZE,
                "the start options have a size this library does not know",
            ));
        }
        let options = &*options;
        super::check_flags(options.flags, PYR_NO_X87 | PYR_KEEP_SIGNALS)?;
        if options.interrupt_signal > 64 {
            return Err(Fault::new(
                PYR_INVALID_FLAGS,
                "the interrupt signal is no signal's number",
            ));
        }
        let executable = slice(
            options.executable,
            options.executable_length,
            "the executable's path",
        )?;
        let code = slice(options.code, options.code_length, "the code")?;
        let code =
            std::str::from_utf8(code).map_err(|_| Fault::new(PYR_INVALID_TEXT, "the code is not UTF-8"))?;
        Ok(interp::Options {
            executable,
            code,
            flags: options.flags,
            interrupt_signal: options.interrupt_signal as i32,
        })
    }
}

/// Stop: empty `__main__` (but for `sys`, which is always there), run Python's garbage collector, make
/// every handle stale.
///
/// The interpreter itself stays, since extension modules do not survive its end: `pyr_start` resumes
/// at once. Until then every other call returns `PYR_NOT_RUNNING`. Names (`pyr_intern`) stay valid.
/// Calls that other threads are in come to their end. Returns `PYR_OK`, also when Python did not run; or
/// `PYR_START_FAILED` when another thread is stopping Python and this one holds the GIL that it needs.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_stop() -> pyr_status {
    interp::stop()
}

/// To be called before the process ends: wait up to `milliseconds` for the threads that Python code made
/// (other than daemons), run the functions that were registered with `atexit`, flush `sys.stdout` and
/// `sys.stderr`. What takes longer is left alone, so that the process ends.
///
/// The interpreter is not finalized, and other functions can still be called. A second call does nothing, nor
/// does one in a process without Python. Where somebody else started Python, its end is theirs: only the streams
/// are flushed. Returns `PYR_OK`.
///
/// Who does finalize Python (`Py_FinalizeEx`, which is for who started it) need not stop threads before: calls
/// that run come to their end, within five seconds, and all later ones return `PYR_NOT_RUNNING`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_end(milliseconds: u32) -> pyr_status {
    guard::outside(|| {
        ending::end(Duration::from_millis(milliseconds.into()));
        Ok(())
    })
}

/// 1 when Python runs, 0 when it was not started or was stopped.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_is_running() -> i32 {
    interp::is_running().into()
}

/// Hold the GIL on this thread until `pyr_gil_release`: calls in between are cheaper, other threads
/// wait. Holds nest. Do not block on other threads meanwhile.
///
/// Returns `PYR_OK` or `PYR_NOT_RUNNING`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_gil_acquire() -> pyr_status {
    guard::hold()
}

/// Undo one `pyr_gil_acquire` of this thread. Returns `PYR_OK` or `PYR_GIL_NOT_HELD`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_gil_release() -> pyr_status {
    guard::outside(|| {
        if thread::current().release_hold() {
            Ok(())
        } else {
            Err(Record::plain(
                PYR_GIL_NOT_HELD,
                "this thread does not hold the GIL",
            ))
        }
    })
}

/// Counters, for tests and for the curious: `live_handles` is how many objects the host holds,
/// `pending_releases` how much waits to be given back by the next call. Either may be NULL.
///
/// # Safety
/// Both point to writable numbers, or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_counters(live_handles: *mut usize, pending_releases: *mut usize) -> pyr_status {
    guard::enter(|_| {
        // SAFETY: promised by the caller.
        unsafe {
            if let Some(live_handles) = live_handles.as_mut() {
                *live_handles = objects::live();
            }
            if let Some(pending_releases) = pending_releases.as_mut() {
                *pending_releases = release::pending();
            }
        }
        Ok(())
    })
}

/// How many things there are, for tests and for the curious, in this order: handles that are alive; what
/// waits to be given back by the next call; buffers that are held; names that are held; threads that have a
/// Python thread state because they entered.
///
/// Writes at most `length` numbers to `numbers`, which may be NULL, and returns how many there are: later
/// versions have more. Needs no GIL, and may be called at any time: other threads may change the numbers
/// meanwhile.
///
/// # Safety
/// `numbers` points to `length` writable numbers, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pyr_stats(numbers: *mut usize, length: usize) -> usize {
    let stats = [
        objects::live(),
        release::pending(),
        buffer::live(),
        names::count(),
        thread::count(),
    ];
    if !numbers.is_null() {
        for (index, number) in stats.iter().take(length).enumerate() {
            // SAFETY: promised by the caller.
            unsafe { numbers.add(index).write(*number) };
        }
    }
    stats.len()
}

/// Refuse results that take more than `bytes` of memory, as `pyr_result_weight` tells it, with
/// `PYR_TOO_LARGE`; also in the arguments of the host's functions, where that is a ValueError of Python's.
///
/// For hosts that cannot do with more, in any case: it is refused before it takes much. Holds for all
/// threads. Without this call there is no limit. Returns `PYR_OK`.
#[unsafe(no_mangle)]
pub extern "C" fn pyr_limit_results(bytes: usize) -> pyr_status {
    memory::limit(bytes);
    PYR_OK
}
