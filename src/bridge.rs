//! The part of the library that is written in Python (`bridge.py`), and how Rust calls it.

use std::cell::UnsafeCell;
use std::ffi::CStr;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{Bound, ffi, intern};

use crate::fault::{Fault, own};
use crate::{ending, kind, loan, output, thread};

const SOURCE: &CStr = match CStr::from_bytes_with_nul(concat!(include_str!("bridge.py"), "\0").as_bytes()) {
    Ok(source) => source,
    Err(_) => panic!("bridge.py contains a NUL"),
};

/// What every call needs at hand. Set once, when Python starts; the interpreter never ends.
struct Roots {
    bridge: *mut ffi::PyObject,
    /// The bridge's module and its interned name.
    module: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    main: *mut ffi::PyObject,
    builtins: *mut ffi::PyObject,
    modules: *mut ffi::PyObject,
    /// The types of `bridge.py`.
    character: *mut ffi::PyObject,
    path: *mut ffi::PyObject,
}

struct RootCell(UnsafeCell<Roots>);

// SAFETY: written once under the GIL before any reader can enter, read under the GIL.
unsafe impl Sync for RootCell {}

static ROOTS: RootCell = RootCell(UnsafeCell::new(Roots {
    bridge: std::ptr::null_mut(),
    module: std::ptr::null_mut(),
    name: std::ptr::null_mut(),
    main: std::ptr::null_mut(),
    builtins: std::ptr::null_mut(),
    modules: std::ptr::null_mut(),
    character: std::ptr::null_mut(),
    path: std::ptr::null_mut(),
}));

fn roots() -> &'static Roots {
    // SAFETY: see `RootCell`.
    unsafe { &*ROOTS.0.get() }
}

/// A function of ours that `bridge.py` calls. Not one of Python's kind, which takes a function that Pythons do not
/// have into which the library must load to refuse them.
#[pyclass(module = "_pyrite", frozen)]
pub(crate) struct Hook(fn(Python<'_>));

#[pymethods]
impl Hook {
    fn __call__(&self, py: Python<'_>) {
        (self.0)(py);
    }
}

impl Hook {
    pub(crate) fn new(py: Python<'_>, function: fn(Python<'_>)) -> PyResult<Bound<'_, Self>> {
        Bound::new(py, Self(function))
    }
}

/// Run `bridge.py` and find the dictionaries that calls look in. The interpreter is `adopted` when somebody else
/// started it.
pub(crate) fn start(py: Python<'_>, adopted: bool) -> Result<(), Fault> {
    // SAFETY: attached; C strings; every reference that is kept is kept for good.
    unsafe {
        let code = own(
            py,
            ffi::Py_CompileString(SOURCE.as_ptr(), c"pyrite/bridge.py".as_ptr(), ffi::Py_file_input),
        )?;
        let module = own(
            py,
            ffi::PyImport_ExecCodeModule(c"_pyrite".as_ptr(), code.as_ptr()),
        )?;
        let main = ffi::PyImport_AddModule(c"__main__".as_ptr());
        if main.is_null() {
            return Err(Fault::Python);
        }
        let kind = |name| -> Result<_, Fault> { Ok(module.getattr(name)?.into_ptr()) };
        let (character, path) = (kind("Character")?, kind("Path")?);
        loan::add_types(&module)?;
        // pyo3 makes it at the first exception that it is given. If that is one of too deep a recursion,
        // making it fails, with an exception that it is given.
        py.get_type::<pyo3::panic::PanicException>();
        output::add_types(&module)?;
        let module = module.into_ptr();
        *ROOTS.0.get() = Roots {
            character,
            path,
            bridge: ffi::PyModule_GetDict(module),
            module,
            name: ffi::PyUnicode_InternFromString(c"_pyrite".as_ptr()),
            main: ffi::PyModule_GetDict(main),
            builtins: ffi::PyEval_GetBuiltins(),
            modules: ffi::PyImport_GetModuleDict(),
        };
    }
    let finalizing = Hook::new(py, ending::finalizing)?;
    call(
        py,
        "started",
        (PyTuple::new(py, kind::NAMES)?, adopted, finalizing),
    )
    .map(drop)
}

/// The module of `bridge.py`.
pub(crate) fn module(py: Python<'_>) -> Bound<'_, PyAny> {
    // SAFETY: attached; the module lives for good.
    unsafe { Bound::from_borrowed_ptr(py, roots().module) }
}

/// The interned name of the module of `bridge.py`, borrowed for good.
#[inline]
pub(crate) fn name() -> *mut ffi::PyObject {
    roots().name
}

/// The dictionary of `__main__`, borrowed for good.
#[inline]
pub(crate) fn main_dict() -> *mut ffi::PyObject {
    roots().main
}

/// The dictionary of builtins, borrowed for good.
#[inline]
pub(crate) fn builtins_dict() -> *mut ffi::PyObject {
    roots().builtins
}

/// `sys.modules`, borrowed for good.
pub(crate) fn modules_dict() -> *mut ffi::PyObject {
    roots().modules
}

/// The type of the host's characters, borrowed for good.
pub(crate) fn character_type() -> *mut ffi::PyObject {
    roots().character
}

/// The type of the host's names of files, borrowed for good.
pub(crate) fn path_type() -> *mut ffi::PyObject {
    roots().path
}

/// An instance of `kind`, a type of `bridge.py`, made of `text`.
pub(crate) fn make<'py>(
    kind: *mut ffi::PyObject,
    text: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: attached; the type lives for good.
    let kind = unsafe { Bound::from_borrowed_ptr(text.py(), kind) };
    Ok(kind.call1((text,))?)
}

/// Call `function` of `bridge.py`.
pub(crate) fn call<'py>(
    py: Python<'py>,
    function: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: attached; the dictionary lives for good.
    let bridge = unsafe { Bound::from_borrowed_ptr(py, roots().bridge) };
    let bridge = bridge
        .cast_into::<PyDict>()
        .map_err(|_| Fault::message("no bridge"))?;
    let function = bridge
        .get_item(function)?
        .ok_or_else(|| Fault::message("not in bridge.py"))?;
    Ok(function.call1(arguments)?)
}

/// How much further than it allows itself Python may recurse where it is asked about an exception, which may
/// be one of too deep a recursion.
const ROOM: i32 = 100;

/// [`call`] where Python has come to its recursion limit, too: for functions that answer for exceptions.
pub(crate) fn call_in_room<'py>(
    py: Python<'py>,
    function: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> Result<Bound<'py, PyAny>, Fault> {
    thread::current().with_room(ROOM, || call(py, function, arguments))
}

/// The type name, message and kind of `exception`. Never fails, and leaves no error behind.
pub(crate) fn describe(exception: &Bound<'_, PyAny>) -> (String, String, u32) {
    let py = exception.py();
    let described = call_in_room(py, "describe", (exception,)).and_then(|description| {
        let text = |index: usize| Ok::<_, Fault>(lossy(&description.get_item(index)?));
        Ok((text(0)?, text(1)?, description.get_item(2)?.extract()?))
    });
    described.unwrap_or_else(|_| {
        // SAFETY: attached.
        unsafe { ffi::PyErr_Clear() };
        let message = argument(exception).unwrap_or_else(|| "<it cannot be described>".to_owned());
        let kind = kind_of(exception).unwrap_or(kind::PYR_KIND_BASE_EXCEPTION);
        (type_name(exception), message, kind)
    })
}

/// The argument of `exception`, when that is text. Nothing is called: there may be no room on the stack.
fn argument(exception: &Bound<'_, PyAny>) -> Option<String> {
    let arguments = exception.getattr(intern!(exception.py(), "args")).ok()?;
    let argument = arguments.cast::<PyTuple>().ok()?.get_item(0).ok()?;
    argument
        .is_exact_instance_of::<PyString>()
        .then(|| lossy(&argument))
}

/// As `kind_of` of `bridge.py`, which is not called, and nor is anything of the exception's class.
fn kind_of(exception: &Bound<'_, PyAny>) -> Option<u32> {
    let py = exception.py();
    // SAFETY: attached; the dictionary lives for good.
    let bridge = unsafe { Bound::from_borrowed_ptr(py, roots().bridge) };
    let bridge = bridge.cast::<PyDict>().ok()?;
    let kinds = bridge.get_item(intern!(py, "KINDS")).ok()??;
    let kinds = kinds.cast::<PyDict>().ok()?;
    let bases = bridge.get_item(intern!(py, "MRO")).ok()??;
    let bases = bases
        .call_method1(intern!(py, "__get__"), (exception.get_type(),))
        .ok()?;
    let number = |base: Bound<'_, PyAny>| kinds.get_item(base.as_ptr() as usize).ok()?;
    let bases = bases.cast::<PyTuple>().ok()?;
    bases.iter().find_map(number)?.extract().ok()
}

/// The formatted traceback of `exception`.
pub(crate) fn format_exception(exception: &Bound<'_, PyAny>) -> Result<String, Fault> {
    let py = exception.py();
    Ok(lossy(&call_in_room(py, "format_exception", (exception,))?))
}

/// The text of a str, with what UTF-8 cannot hold replaced.
fn lossy(text: &Bound<'_, PyAny>) -> String {
    text.cast::<PyString>()
        .map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned())
}

/// The attribute `__name__` of `object`'s type, for messages.
pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> String {
    let py = object.py();
    object
        .get_type()
        .getattr(intern!(py, "__qualname__"))
        .map_or_else(|_| "object".to_owned(), |name| lossy(&name))
}
