//! Calls from inside calls: Python calls a C function, here one of the library's own, which calls
//! Python. Each way in a process of its own, for it is a crash when it goes wrong.

mod host;

use std::ffi::{CStr, c_char, c_void};

use host::value::{Value, int, text};
use host::{child, library_path, python};

/// `reentry_eval` evaluates source through the library, as a C function that Python calls would do it.
const HELPER: &str = r"
import ctypes, threading
class Of(ctypes.Union):
    _fields_ = [('integer', ctypes.c_int64), ('bytes', ctypes.c_char_p)]
class Cell(ctypes.Structure):
    _fields_ = [('tag', ctypes.c_uint32), ('aux', ctypes.c_uint32), ('of', Of)]
class Result(ctypes.Structure):
    _fields_ = [('value', Cell), ('memory', ctypes.c_void_p), ('scratch', ctypes.c_uint8 * 488)]
def reentry_eval(source):
    source = source.encode()
    cell, result = Cell(5, len(source), Of(bytes=source)), Result()
    status = reentry_library.pyr_eval(ctypes.byref(cell), 1, 0, ctypes.byref(result))
    if status:
        raise RuntimeError('status %d' % status)
    number = result.value.of.integer
    reentry_library.pyr_result_free(ctypes.byref(result))
    return number
def reentry_depth(depth):
    return 0 if depth == 0 else 1 + reentry_eval('reentry_depth(%d)' % (depth - 1))
def reentry_thread(source):
    results = []
    thread = threading.Thread(target=lambda: results.append(reentry_eval(source)))
    thread.start(); thread.join()
    return results
";

/// Run the body of `test` in a child whose `reentry_library` is of ctypes' class `class`.
fn in_child(test: &str, class: &str, body: impl FnOnce()) {
    if child::case().is_none() {
        child::run(test, class, &[]);
        return;
    }
    let python = python();
    if let Err(failure) = python.import("ctypes", None, 0) {
        eprintln!(
            "skipped: {} has no ctypes: {}",
            python.interpreter.name(),
            failure.message
        );
        return;
    }
    python.exec(HELPER).expect("functions");
    let library = library_path().display().to_string();
    let library = python
        .call(&*format!("ctypes.{class}"), &[library.into()])
        .expect("it is loaded");
    python.set("reentry_library", library).expect("a global");
    body();
}

fn check_calls_from_calls() {
    let python = python();
    assert_eq!(python.eval("reentry_eval('6 * 7')").expect("a number"), int(42));
    assert_eq!(python.eval("reentry_depth(20)").expect("a number"), int(20));
    let failure = python
        .eval("reentry_eval('1/0')")
        .expect_err("the inner call fails");
    assert_eq!(
        (&*failure.type_name, &*failure.message),
        ("RuntimeError", "status 1")
    );
    assert_eq!(
        python.eval("reentry_thread('6 * 7')").expect("a list"),
        Value::List(vec![int(42)])
    );
    python.acquire().expect("the GIL");
    assert_eq!(python.eval("reentry_depth(3)").expect("a number"), int(3));
    python.release_gil().expect("held");
    assert_eq!(
        python.eval("reentry_library.pyr_test_panic()").expect("a status"),
        int(16)
    );
    // The GIL is free, and other threads may call the same way.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(python.eval("reentry_depth(5)").expect("a number"), int(5));
                }
            });
        }
    });
}

#[test]
fn a_function_that_is_called_with_the_gil_may_call() {
    in_child(
        "a_function_that_is_called_with_the_gil_may_call",
        "PyDLL",
        check_calls_from_calls,
    );
}

#[test]
fn a_function_that_is_called_without_the_gil_may_call() {
    in_child(
        "a_function_that_is_called_without_the_gil_may_call",
        "CDLL",
        check_calls_from_calls,
    );
}

#[test]
fn a_thread_of_python_s_own_may_call() {
    in_child("a_thread_of_python_s_own_may_call", "CDLL", || {
        for round in 0..200 {
            let given = python()
                .call("reentry_thread", &[format!("{round} + 1").into()])
                .expect("a list");
            assert_eq!(given, Value::List(vec![int(round + 1)]));
        }
    });
}

#[test]
fn a_destructor_may_release_and_call() {
    in_child("a_destructor_may_release_and_call", "PyDLL", || {
        let python = python();
        python
            .exec(
                "class ReentryDying:\n    def __init__(self, handle): self.handle = handle\n    \
                 def __del__(self):\n        reentry_eval('1')\n        \
                 reentry_library.pyr_release(ctypes.c_uint64(self.handle))\n",
            )
            .expect("a class");
        let base = python.settled();
        let mut handle = 0;
        for _ in 0..5000 {
            handle = python
                .call("ReentryDying", &[int(handle as i64)])
                .expect("an object")
                .handle();
        }
        assert_eq!(python.settled(), base + 5000);
        python.release(handle);
        // Each object releases the one before it.
        for _ in 0..5000 {
            python.settled();
        }
        assert_eq!(python.settled(), base);
        assert_eq!(python.call("str.upper", &["a".into()]).expect("text"), text("A"));
    });
}

/// C code that Python calls, and that calls the host in the middle of failing.
extern "C" fn fail_and_call() -> *mut c_void {
    // SAFETY: a name of Python's, which is there.
    let symbol = |name: &CStr| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: the function's and the variable's types are Python's; called with the GIL.
    unsafe {
        let set: unsafe extern "C" fn(*mut c_void, *const c_char) =
            std::mem::transmute(symbol(c"PyErr_SetString"));
        set(
            *symbol(c"PyExc_LookupError").cast::<*mut c_void>(),
            c"before".as_ptr(),
        );
    }
    assert_eq!(python().eval("6 * 7").expect("a number"), int(42));
    std::ptr::null_mut()
}

#[test]
fn an_exception_that_c_code_has_set_outlasts_a_call() {
    in_child(
        "an_exception_that_c_code_has_set_outlasts_a_call",
        "PyDLL",
        || {
            let python = python();
            python
                .set("reentry_address", int(fail_and_call as *const () as i64))
                .expect("a global");
            let failure = python
                .eval("ctypes.PYFUNCTYPE(ctypes.py_object)(reentry_address)()")
                .expect_err("it fails");
            assert_eq!(
                (&*failure.type_name, &*failure.message),
                ("LookupError", "before")
            );
            let failure = python
                .eval("[*map(lambda f: f(), [ctypes.PYFUNCTYPE(ctypes.py_object)(reentry_address)])]")
                .expect_err("it fails");
            assert_eq!(failure.type_name, "LookupError");
        },
    );
}
