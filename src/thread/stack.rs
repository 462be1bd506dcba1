//! How deep Python's code may recurse. Functions written in C: Python 3.12 and 3.13 allow what fits on 8 MB. All
//! others: some of ours may go further than Python's limit.

use std::cell::Cell;
use std::sync::OnceLock;

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

/// Prepare the calling thread, which has got `state` and is attached.
pub(super) fn prepare(state: *mut ffi::PyThreadState) {
    find_depth(state);
    limit_depth(state);
}

/// Have the calling thread, whose state is `state`, not recurse deeper in Python's C code than its stack is
/// large. It is attached.
fn limit_depth(state: *mut ffi::PyThreadState) {
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

/// The first numbers of a thread state: less than it has, and more than come before those that count levels, in
/// any version.
type Numbers = [i32; 32];

/// Which of `state`'s numbers `change` changes, and by how much.
///
/// # Safety
/// The thread is attached with `state`.
unsafe fn changed(
    state: *mut ffi::PyThreadState,
    change: impl FnOnce(),
) -> impl Iterator<Item = (usize, i32, i32)> {
    let numbers = state.cast::<Numbers>();
    // SAFETY: promised by the caller.
    let before = unsafe { numbers.read_volatile() };
    change();
    // SAFETY: as before.
    let after = unsafe { numbers.read_volatile() };
    let places = (0..before.len()).map(move |i| (i, before[i], after[i]));
    places.filter(|(_, before, after)| before != after)
}

/// The place and the change of the only one of `changes`.
fn only(mut changes: impl Iterator<Item = (usize, i32, i32)>) -> Option<(usize, i32)> {
    let (place, before, after) = changes.next()?;
    changes.next().is_none().then_some((place, after - before))
}

/// Which of `state`'s numbers entering one level of C code changes, and by how much.
///
/// # Safety
/// The thread is attached with `state`.
unsafe fn level(state: *mut ffi::PyThreadState) -> Option<(usize, i32)> {
    let symbols = python::symbols();
    let (enter, leave) = (symbols.enter_recursive_call?, symbols.leave_recursive_call?);
    let entered = Cell::new(false);
    // SAFETY: promised by the caller; a level that was entered is left.
    unsafe {
        let changes = changed(state, || entered.set(enter(c"".as_ptr()) == 0));
        if entered.get() {
            leave();
        } else {
            ffi::PyErr_Clear();
        }
        only(changes)
    }
}

/// Where in `state` the number of levels of C code is that are left: where entering one makes it less by one.
///
/// # Safety
/// The thread is attached with `state`.
unsafe fn levels_left(state: *mut ffi::PyThreadState) -> Option<*mut i32> {
    // SAFETY: promised by the caller.
    let place = unsafe { level(state) }.filter(|&(_, change)| change == -1)?.0;
    // SAFETY: inside of the state.
    Some(unsafe { state.cast::<i32>().add(place) })
}

/// Which number of a thread state limits the recursion of Python's functions, and what is added to it for one more
/// level; `None` where that is not known.
static DEPTH: OnceLock<Option<(usize, i32)>> = OnceLock::new();

/// Find out what a [`Room`] needs, once, on the first thread, whose state is `state`. It is attached.
fn find_depth(state: *mut ffi::PyThreadState) {
    // SAFETY: attached, with the state.
    DEPTH.get_or_init(|| unsafe {
        match level(state)? {
            // Up to 3.10, a depth for which there is a limit elsewhere.
            (place, 1) => Some((place, -1)),
            // Later, how many levels are left, beside the limit itself.
            _ => {
                let limit = ffi::Py_GetRecursionLimit();
                let changes = changed(state, || ffi::Py_SetRecursionLimit(limit + 1));
                let left = only(changes.filter(|&(_, _, after)| after != limit + 1));
                ffi::Py_SetRecursionLimit(limit);
                left.filter(|&(_, change)| change == 1)
            }
        }
    });
}

/// Room for deeper recursion, until this is dropped.
pub(super) struct Room<'a> {
    number: Option<*mut i32>,
    added: i32,
    used: &'a Cell<bool>,
}

impl<'a> Room<'a> {
    /// `levels` more for Python's functions to recurse on the calling thread, whose state is `state`; `used` is true
    /// meanwhile, and there is no more room for who has some. The thread is attached.
    ///
    /// The limit itself, which is everybody's, cannot be made less again while other threads are near it: Python
    /// would end the process.
    pub(super) fn new(state: *mut ffi::PyThreadState, levels: i32, used: &'a Cell<bool>) -> Option<Self> {
        if used.replace(true) {
            return None;
        }
        let depth = DEPTH.get().copied().flatten();
        let room = Self {
            // SAFETY: inside of the state.
            number: depth.map(|(place, _)| unsafe { state.cast::<i32>().add(place) }),
            added: depth.map_or(0, |(_, more)| more * levels),
            used,
        };
        room.add(room.added);
        Some(room)
    }

    fn add(&self, levels: i32) {
        if let Some(number) = self.number {
            // SAFETY: it is of the attached thread state, and only this thread changes it, by differences.
            unsafe { number.write_volatile(number.read_volatile() + levels) };
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.add(-self.added);
        self.used.set(false);
    }
}
