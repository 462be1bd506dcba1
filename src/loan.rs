//! What the host lends to Python, as Python objects.
//!
//! While a call runs, the thread holds a reference to each object that was made for it. When the call is
//! over and that reference is the last one, nobody kept the object: it goes, and the host is told by the
//! call itself. Otherwise Python kept it, and the object's end is what tells the host.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};
use pyo3::prelude::*;
use pyo3::{Bound, ffi};

use crate::abi::*;
use crate::fault::Fault;
use crate::thread::{self, Lent, Thread};
use crate::{array, memory, ndarray, release};

mod methods;

/// The loans without a host that Python let go of.
static RELEASED: LazyLock<(Sender<u64>, Receiver<u64>)> = LazyLock::new(unbounded);

/// How many ids are in [`RELEASED`].
pub(crate) fn count_released() -> usize {
    RELEASED.1.len()
}

/// Take the ids of [`RELEASED`] one by one.
pub(crate) fn released() -> impl Iterator<Item = u64> {
    RELEASED.1.try_iter()
}

/// An object of the host language. It is equal to itself only, and goes back as the object.
#[pyclass(name = "Object", module = "_pyrite", subclass, frozen, weakref)]
pub(crate) struct Object {
    pub(crate) id: u64,
    pub(crate) kind: pyr_loan_kind,
    host: *const pyr_host,
    context: *mut c_void,
    /// Whether the host was told that Python kept this.
    kept: AtomicBool,
    /// Where among the loans of a thread this is, if the thread lends it.
    place: AtomicUsize,
    /// The Python object that this is in, for [`PROXIES`]; NULL for the memory of an array.
    proxy: AtomicPtr<ffi::PyObject>,
}

// SAFETY: the pointers are the host's, which promised that any thread may use them.
unsafe impl Send for Object {}
// SAFETY: see above.
unsafe impl Sync for Object {}

// A function of the host language. It is equal to itself only, and goes back as the function. (A docstring
// of the type would hide that of the function.)
#[pyclass(name = "Function", module = "_pyrite", extends = Object, frozen)]
pub(crate) struct Function;

/// The memory of an array of the host language, on which numpy arrays are.
#[pyclass(name = "Memory", module = "_pyrite", extends = Object, frozen)]
pub(crate) struct Memory {
    /// That of the array that was lent: see [`ndarray::layout`].
    layout: Vec<isize>,
}

impl Object {
    fn new(loan: &pyr_loan) -> Self {
        Self {
            id: loan.id,
            kind: loan.kind,
            host: loan.host,
            context: loan.context,
            kept: AtomicBool::new(false),
            place: AtomicUsize::new(usize::MAX),
            proxy: AtomicPtr::default(),
        }
    }

    fn key(&self) -> Key {
        (self.id, self.host as usize, self.context as usize)
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let proxy = *self.proxy.get_mut();
        if !proxy.is_null() {
            proxies(|proxies| {
                if proxies.get(&self.key()) == Some(&proxy) {
                    proxies.remove(&self.key());
                }
            });
        }
        if !*self.kept.get_mut() {
            return;
        }
        // SAFETY: the host promised that its functions live as long as the process.
        match unsafe { self.host.as_ref() } {
            Some(pyr_host {
                release: Some(release),
                ..
            }) => {
                // SAFETY: called as the host was told it would be.
                unsafe { release(self.id, self.context) }
            }
            // The receiver lives as long as the process: sending cannot fail.
            _ => drop(RELEASED.0.send(self.id)),
        }
    }
}

/// Make the types of this file known in `module`, where Python code can find them.
pub(crate) fn add_types(module: &Bound<'_, PyAny>) -> Result<(), Fault> {
    let py = module.py();
    module.setattr("Object", py.get_type::<Object>())?;
    module.setattr("Function", py.get_type::<Function>())?;
    module.setattr("Memory", py.get_type::<Memory>())?;
    Ok(())
}

/// What names an object of the host: its id, its host, its context.
type Key = (u64, usize, usize);

struct Proxies(UnsafeCell<HashMap<Key, *mut ffi::PyObject>>);

// SAFETY: only reached through `proxies`, by the one thread that holds the GIL.
unsafe impl Sync for Proxies {}
// SAFETY: see above.
unsafe impl Send for Proxies {}

/// The Python objects of the host's objects and functions, borrowed: they take themselves out.
static PROXIES: LazyLock<Proxies> = LazyLock::new(|| Proxies(UnsafeCell::default()));

/// Run `body` on the table. `body` must not run Python code.
fn proxies<R>(body: impl FnOnce(&mut HashMap<Key, *mut ffi::PyObject>) -> R) -> R {
    // SAFETY: the caller holds the GIL and `body` cannot re-enter: no second borrow can exist.
    body(unsafe { &mut *PROXIES.0.get() })
}

/// The Python object of what is lent by `loan`.
pub(crate) fn to_python<'py>(py: Python<'py>, loan: *mut pyr_loan) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: the caller of the C function vouches for the pointer; NULL is refused.
    let lent = unsafe { loan.as_ref() }.ok_or_else(|| Fault::null("the loan of a cell"))?;
    if lent.id >= 1 << 62 || lent.flags & !PYR_READ_ONLY != 0 || lent.reserved != 0 {
        return Err(Fault::new(
            PYR_INVALID_FLAGS,
            "a loan has an id of 2^62 or more, or unknown flags",
        ));
    }
    // SAFETY: the caller of the C function vouches for the pointer.
    if unsafe { lent.host.as_ref() }.is_some_and(|host| host.size != size_of::<pyr_host>()) {
        return Err(Fault::new(
            PYR_INVALID_SIZE,
            "the host of a loan has a size that is not sizeof(pyr_host)",
        ));
    }
    match lent.kind {
        PYR_LENT_ARRAY => array(py, loan, lent),
        PYR_LENT_OBJECT | PYR_LENT_FUNCTION => object(py, loan, lent),
        kind => Err(Fault::new(
            PYR_INVALID_TAG,
            format!("a loan has the unknown kind {kind}"),
        )),
    }
}

/// Note that `object` stands for `loan` until the call is over.
fn lend(object: &Bound<'_, Object>, loan: *mut pyr_loan) {
    let (thread, inner) = (thread::current(), object.get());
    // What this thread lends already is settled there: our own reference to it must not count as Python's.
    if !thread.is_lent(inner.place.load(Ordering::Relaxed), object.as_ptr()) {
        let object = object.clone().into_ptr();
        let named = false;
        let place = thread.lend(Lent { object, loan, named });
        inner.place.store(place, Ordering::Relaxed);
    }
}

/// Note that the result of the innermost call names `object`, if this call lent it.
pub(crate) fn name(object: &Bound<'_, Object>) -> bool {
    let place = object.get().place.load(Ordering::Relaxed);
    thread::current().name_lent(place, object.as_ptr())
}

fn object<'py>(py: Python<'py>, loan: *mut pyr_loan, lent: &pyr_loan) -> Result<Bound<'py, PyAny>, Fault> {
    let new = Object::new(lent);
    let key = new.key();
    let known = proxies(|proxies| proxies.get(&key).copied());
    // SAFETY: an object takes itself out of the table before it is freed. One without references is on its
    // way there: code that its end runs may come here.
    let object = match known.filter(|&known| unsafe { ffi::Py_REFCNT(known) } > 0) {
        // SAFETY: attached; the object is alive.
        Some(known) => unsafe { Bound::from_borrowed_ptr(py, known).cast_into_unchecked() },
        None => make(py, new)?,
    };
    lend(&object, loan);
    Ok(object.into_any())
}

/// A new Python object that is `new`.
fn make(py: Python<'_>, new: Object) -> Result<Bound<'_, Object>, Fault> {
    let (key, kind) = (new.key(), new.kind);
    let base = PyClassInitializer::from(new);
    let object = if kind == PYR_LENT_FUNCTION {
        Bound::new(py, base.add_subclass(Function))?.into_super()
    } else {
        Bound::new(py, base)?
    };
    object.get().proxy.store(object.as_ptr(), Ordering::Relaxed);
    proxies(|proxies| proxies.insert(key, object.as_ptr()));
    Ok(object)
}

fn array<'py>(py: Python<'py>, loan: *mut pyr_loan, lent: &pyr_loan) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: the caller of the C function vouches for the pointer; NULL is refused.
    let described = unsafe { lent.array.as_ref() }.ok_or_else(|| Fault::null("the array of a loan"))?;
    let (array, layout) = array::on_memory(py, described, lent.strides, lent.flags & PYR_READ_ONLY == 0)?;
    let base = PyClassInitializer::from(Object::new(lent)).add_subclass(Memory { layout });
    let memory = Bound::new(py, base)?.into_super();
    lend(&memory, loan);
    ndarray::set_base(&array, memory.into_any())?;
    Ok(array)
}

/// What of the host's `object` is; or `object` again.
pub(crate) fn of_python(object: Bound<'_, PyAny>) -> Result<Bound<'_, Object>, Bound<'_, PyAny>> {
    let (py, kind) = (object.py(), object.get_type_ptr());
    let object_type = py.get_type::<Object>().as_type_ptr();
    if kind == object_type || kind == py.get_type::<Function>().as_type_ptr() {
        // SAFETY: an instance of `Object` or of a subclass.
        return Ok(unsafe { object.cast_into_unchecked() });
    }
    Err(object)
}

/// The memory of the array that was lent as `array`, an ndarray; nothing when it is another array, a view
/// for instance, or was made another.
pub(crate) fn of_array<'py>(array: &Bound<'py, PyAny>) -> Option<Bound<'py, Object>> {
    let base = ndarray::base(array)?;
    let memory = base.cast_into_exact::<Memory>().ok()?;
    // SAFETY: an ndarray, as promised by the callers.
    let same = unsafe { ndarray::layout(array) }.eq(memory.get().layout.iter().copied());
    same.then(|| memory.into_super())
}

/// Settle the loans that the thread took out since there were `before`: tell the host which ones Python
/// kept, and let go of the others. What the result names as well as Python, the result keeps, too.
#[cold]
pub(crate) fn settle(py: Python<'_>, thread: &Thread, before: usize) {
    let result = thread.take_result();
    // What is on its way out would count as kept.
    release::drain();
    while let Some(Lent { object, loan, named }) = thread.take_lent(before) {
        // SAFETY: attached; the reference is the thread's, to an `Object`.
        let object = unsafe { Bound::from_owned_ptr(py, object).cast_into_unchecked::<Object>() };
        // SAFETY: as above.
        if unsafe { ffi::Py_REFCNT(object.as_ptr()) } == 1 {
            continue;
        }
        if !object.get().kept.swap(true, Ordering::Relaxed) {
            // SAFETY: the loan is the host's, which waits for the call to return.
            unsafe { (*loan).kept += 1 };
        }
        if named && !result.is_null() {
            // SAFETY: the call that gave the result is still on its way out.
            unsafe { memory::Memory::keep_for(result, object.into_ptr()) };
        }
    }
}
