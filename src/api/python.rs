//! The functions of libpython outside the stable ABI of 3.9, looked up once when Python starts.
//!
//! Binding them at load would tie `libpyrite` to some versions: what a version does not have is NULL
//! here, and its caller falls back.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use pyo3::ffi::{Py_ssize_t, PyObject, PyThreadState};

type Vectorcall =
    unsafe extern "C" fn(*mut PyObject, *const *mut PyObject, usize, *mut PyObject) -> *mut PyObject;

/// `PyStatus`, whose layout has not changed since 3.8.
#[repr(C)]
pub(crate) struct PyStatus {
    pub(crate) kind: c_int,
    pub(crate) function: *const c_char,
    pub(crate) message: *const c_char,
    pub(crate) exit_code: c_int,
}

/// `Py_buffer`, whose layout has not changed since 3.0.
#[repr(C)]
pub(crate) struct PyBuffer {
    pub(crate) data: *mut c_void,
    /// The exporter, a reference of the buffer's own; NULL when there is nothing to release.
    pub(crate) object: *mut PyObject,
    pub(crate) len: Py_ssize_t,
    pub(crate) itemsize: Py_ssize_t,
    pub(crate) read_only: c_int,
    pub(crate) ndim: c_int,
    pub(crate) format: *const c_char,
    pub(crate) shape: *const Py_ssize_t,
    pub(crate) strides: *const Py_ssize_t,
    pub(crate) suboffsets: *const Py_ssize_t,
    internal: *mut c_void,
}

/// `PyCompilerFlags`, whose layout has not changed since 3.8.
#[repr(C)]
pub(crate) struct CompilerFlags {
    pub(crate) flags: c_int,
    /// Only of meaning for syntax trees.
    pub(crate) feature_version: c_int,
}

type CompileString =
    unsafe extern "C" fn(*const c_char, *const c_char, c_int, *mut CompilerFlags, c_int) -> *mut PyObject;

impl PyBuffer {
    pub(crate) const EMPTY: Self = Self {
        data: std::ptr::null_mut(),
        object: std::ptr::null_mut(),
        len: 0,
        itemsize: 0,
        read_only: 0,
        ndim: 0,
        format: std::ptr::null(),
        shape: std::ptr::null(),
        strides: std::ptr::null(),
        suboffsets: std::ptr::null(),
        internal: std::ptr::null_mut(),
    };
}

/// What was found. Missing functions are `None`.
pub(crate) struct Symbols {
    pub(crate) vectorcall: Option<Vectorcall>,
    pub(crate) vectorcall_dict: Option<Vectorcall>,
    pub(crate) vectorcall_method: Option<Vectorcall>,
    pub(crate) from_kind_and_data:
        Option<unsafe extern "C" fn(c_int, *const c_void, Py_ssize_t) -> *mut PyObject>,
    pub(crate) as_utf8: Option<unsafe extern "C" fn(*mut PyObject, *mut Py_ssize_t) -> *const c_char>,
    /// Exported since 3.8; the library must load into older Pythons, too, to refuse them.
    iter_check: Option<unsafe extern "C" fn(*mut PyObject) -> c_int>,
    pub(crate) get_buffer: Option<unsafe extern "C" fn(*mut PyObject, *mut PyBuffer, c_int) -> c_int>,
    pub(crate) release_buffer: Option<unsafe extern "C" fn(*mut PyBuffer)>,
    delete_current: Option<unsafe extern "C" fn()>,
    current_state: Option<unsafe extern "C" fn() -> *mut PyThreadState>,
    pub(crate) config_init: Option<unsafe extern "C" fn(*mut c_void)>,
    pub(crate) config_set_argv:
        Option<unsafe extern "C" fn(*mut c_void, Py_ssize_t, *const *const c_char) -> PyStatus>,
    pub(crate) config_clear: Option<unsafe extern "C" fn(*mut c_void)>,
    pub(crate) initialize: Option<unsafe extern "C" fn(*const c_void) -> PyStatus>,
    pub(crate) compile_string: Option<CompileString>,
    get_version: Option<unsafe extern "C" fn() -> *const c_char>,
    is_initialized: Option<unsafe extern "C" fn() -> c_int>,
    pub(crate) enter_recursive_call: Option<unsafe extern "C" fn(*const c_char) -> c_int>,
    pub(crate) leave_recursive_call: Option<unsafe extern "C" fn()>,
}

// SAFETY: function pointers only.
unsafe impl Send for Symbols {}
// SAFETY: function pointers only.
unsafe impl Sync for Symbols {}

static SYMBOLS: OnceLock<Symbols> = OnceLock::new();

/// Find `name` among the libraries loaded with global visibility.
///
/// # Safety
/// `F` is an `Option` of the function's type.
unsafe fn find<F>(name: &CStr) -> F {
    // SAFETY: dlsym reads the name only; the caller vouches for the type, and NULL is `None`.
    unsafe {
        let symbol = libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr());
        std::mem::transmute_copy::<*mut c_void, F>(&symbol)
    }
}

/// The functions, looked up at the first use.
#[inline]
pub(crate) fn symbols() -> &'static Symbols {
    SYMBOLS.get_or_init(look_up)
}

fn look_up() -> Symbols {
    // SAFETY: each field has the type that CPython's headers declare for the name.
    unsafe {
        let mut found = Symbols {
            vectorcall: find(c"PyObject_Vectorcall"),
            vectorcall_dict: find(c"PyObject_VectorcallDict"),
            vectorcall_method: find(c"PyObject_VectorcallMethod"),
            from_kind_and_data: find(c"PyUnicode_FromKindAndData"),
            as_utf8: find(c"PyUnicode_AsUTF8AndSize"),
            iter_check: find(c"PyIter_Check"),
            get_buffer: find(c"PyObject_GetBuffer"),
            release_buffer: find(c"PyBuffer_Release"),
            delete_current: find(c"PyThreadState_DeleteCurrent"),
            current_state: find(c"PyThreadState_GetUnchecked"),
            config_init: find(c"PyConfig_InitPythonConfig"),
            config_set_argv: find(c"PyConfig_SetBytesArgv"),
            config_clear: find(c"PyConfig_Clear"),
            initialize: find(c"Py_InitializeFromConfig"),
            compile_string: find(c"Py_CompileStringExFlags"),
            get_version: find(c"Py_GetVersion"),
            is_initialized: find(c"Py_IsInitialized"),
            enter_recursive_call: find(c"Py_EnterRecursiveCall"),
            leave_recursive_call: find(c"Py_LeaveRecursiveCall"),
        };
        if found.current_state.is_none() {
            found.current_state = find(c"_PyThreadState_UncheckedGet");
        }
        found
    }
}

/// Whether an interpreter exists in this process, ours or another's.
pub(crate) fn is_running() -> bool {
    // SAFETY: may be called at any time.
    symbols()
        .is_initialized
        .is_some_and(|is_initialized| unsafe { is_initialized() } != 0)
}

/// Python's own version text, such as `3.11.7 (main, ...) [GCC ...]`; empty when there is no libpython.
pub(crate) fn version() -> String {
    // SAFETY: may be called before initialisation; the text is static and NUL-terminated.
    symbols().get_version.map_or_else(String::new, |get| unsafe {
        CStr::from_ptr(get()).to_string_lossy().into_owned()
    })
}

/// The thread state that is current now, or NULL.
#[inline]
pub(crate) fn current_thread_state() -> *mut PyThreadState {
    // SAFETY: reads one pointer.
    symbols()
        .current_state
        .map_or(std::ptr::null_mut(), |get| unsafe { get() })
}

/// Whether `object` has what PyIter_Next calls.
///
/// # Safety
/// The thread is attached; the object is alive.
#[inline]
pub(crate) unsafe fn is_iterator(object: *mut PyObject) -> bool {
    // SAFETY: promised by the caller.
    symbols()
        .iter_check
        .is_some_and(|check| unsafe { check(object) } != 0)
}

/// Delete the current thread state and release the GIL.
///
/// # Safety
/// The thread is attached, and its state was cleared.
pub(crate) unsafe fn delete_current_thread_state() {
    if let Some(delete) = symbols().delete_current {
        // SAFETY: promised by the caller.
        unsafe { delete() };
    }
}
