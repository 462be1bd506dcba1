//! How deep Python's functions written in C may recurse: Python 3.12 and 3.13 allow what fits on 8 MB.

use pyo3::ffi;

use crate::api::python;

/// How much of the stack CPython reckons with for one level: 8 MB for 10,000.
const LEVEL: usize = 8 * 1024 * 1024 / 10_000;

/// What is assumed of a stack that the C library does not know.
const SMALL: usize = 2 * 1024 * 1024;

/// The calling thread's stack: how many bytes it has.
fn size() -> usize {
    let here = 0u8;
    let here = &raw const here as usize;
    match bounds() {
        Some((start, size)) if (start..start + size).contains(&here) => size,
        // A host's own.
        _ => SMALL,
    }
}

/// Where the calling thread's stack begins, and its size.
#[cfg(target_os = "linux")]
fn bounds() -> Option<(usize, usize)> {
    let (mut start, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: all that is written to is ours; an all-zero `pthread_attr_t` is only overwritten.
    unsafe {
        let mut attributes = std::mem::zeroed::<libc::pthread_attr_t>();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let found = libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        (found == 0).then_some((start as usize, size))
    }
}

/// Where the calling thread's stack begins, and its size.
#[cfg(target_os = "macos")]
fn bounds() -> Option<(usize, usize)> {
    // SAFETY: about the calling thread.
    unsafe {
        let this = libc::pthread_self();
        let size = libc::pthread_get_stacksize_np(this);
        Some((libc::pthread_get_stackaddr_np(this) as usize - size, size))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn bounds() -> Option<(usize, usize)> {
    None
}

/// Have the calling thread, whose state is `state`, not recurse deeper in Python's C code than its stack is
/// large. It is attached.
pub(super) fn limit_depth(state: *mut ffi::PyThreadState) {
    let version = python::version();
    if !(version.starts_with("3.12.") || version.starts_with("3.13.")) {
        // Before, one number limits all recursion to little; later, Python looks at the stack itself.
        return;
    }
    let allowed = i32::try_from(size() / LEVEL).unwrap_or(i32::MAX);
    // SAFETY: attached, with the state.
    if let Some(left) = unsafe { levels_left(state) } {
        // SAFETY: the number is the state's own, which this thread alone changes.
        unsafe { left.write(left.read().min(allowed)) };
    }
}

/// Where in `state` the number of levels is that are left: where entering one level makes it less by one.
///
/// # Safety
/// The thread is attached with `state`.
unsafe fn levels_left(state: *mut ffi::PyThreadState) -> Option<*mut i32> {
    // Less than the state has, and more than comes before the number in any version.
    const NUMBERS: usize = 32;
    let symbols = python::symbols();
    let (enter, leave) = (symbols.enter_recursive_call?, symbols.leave_recursive_call?);
    let numbers = state.cast::<[i32; NUMBERS]>();
    // SAFETY: promised by the caller; a level that was entered is left.
    let (before, after) = unsafe {
        let before = numbers.read_volatile();
        if enter(c"".as_ptr()) != 0 {
            ffi::PyErr_Clear();
            return None;
        }
        let after = numbers.read_volatile();
        leave();
        (before, after)
    };
    let mut changed = (0..NUMBERS).filter(|&i| before[i] != after[i]);
    match (changed.next(), changed.next()) {
        (Some(place), None) if after[place] == before[place] - 1 => {
            // SAFETY: inside of the state.
            Some(unsafe { state.cast::<i32>().add(place) })
        }
        _ => None,
    }
}
