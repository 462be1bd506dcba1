//! What is known of a failing call, and by whom.

mod host;
#[path = "../src/kind.rs"]
#[allow(dead_code, reason = "only some are asked for by name")]
mod kind;

use std::sync::Barrier;

use host::abi::*;
use host::python;
use host::value::{Value, int, text};

#[test]
fn an_exception_is_told_by_type_message_and_traceback() {
    let python = python();
    python
        .exec(
            "def errors_raise(text):\n    raise ValueError(text)\ndef errors_outer(): errors_raise('é\\n2')",
        )
        .expect("functions");
    let failure = python.call("errors_outer", &[]).expect_err("it raises");
    assert_eq!(failure.status, PYR_PYTHON_ERROR);
    assert_eq!((&*failure.type_name, &*failure.message), ("ValueError", "é\n2"));
    assert!(
        failure
            .traceback
            .starts_with("Traceback (most recent call last):\n"),
        "{}",
        failure.traceback
    );
    assert!(
        failure.traceback.ends_with("ValueError: é\n2\n"),
        "{}",
        failure.traceback
    );
    for function in ["errors_raise", "errors_outer"] {
        assert!(
            failure.traceback.contains(&format!("in {function}")),
            "{}",
            failure.traceback
        );
    }
}

#[test]
fn the_type_is_named_with_its_module() {
    let python = python();
    python
        .exec("import json\nclass ErrorsMine(Exception):\n    class Inner(Exception): pass")
        .expect("classes");
    for (source, name) in [
        ("1/0", "ZeroDivisionError"),
        ("json.loads('{')", "json.decoder.JSONDecodeError"),
        ("(_ for _ in ()).throw(ErrorsMine)", "ErrorsMine"),
        ("(_ for _ in ()).throw(ErrorsMine.Inner)", "ErrorsMine.Inner"),
        ("(_ for _ in ()).throw(KeyboardInterrupt)", "KeyboardInterrupt"),
        ("(_ for _ in ()).throw(SystemExit)", "SystemExit"),
        ("(_ for _ in ()).throw(MemoryError)", "MemoryError"),
        ("open('/no/such/file')", "FileNotFoundError"),
        ("(lambda f: f(f))(lambda f: f(f))", "RecursionError"),
    ] {
        assert_eq!(
            &*python.eval(source).expect_err("it raises").type_name,
            name,
            "{source}"
        );
    }
}

/// The kind of the last failure.
fn kind_of(source: &str) -> u32 {
    raise(source);
    let error = raw_error(0);
    python().release(error.exception);
    error.kind
}

#[test]
fn the_kind_is_the_nearest_builtin_class() {
    let python = python();
    let (mut known, source) = (0, include_str!("../src/kind.rs"));
    assert!(kind::NAMES.len() >= 68);
    for (number, name) in (1..).zip(kind::NAMES) {
        // The constant of that number is called as the class is, in other letters.
        let line = source
            .lines()
            .find(|line| line.ends_with(&format!(": u32 = {number};")));
        let constant = line.and_then(|line| line.split(':').next()).expect("a constant");
        assert_eq!(
            constant
                .trim_start_matches("pub const PYR_KIND_")
                .replace('_', "")
                .to_lowercase(),
            name.to_lowercase()
        );
        let Ok(Value::Handle(class)) = python.get(name) else {
            continue;
        };
        known += 1;
        // A group of what are not all Exceptions is no ExceptionGroup.
        let inner = if number == kind::PYR_KIND_BASE_EXCEPTION_GROUP {
            "KeyboardInterrupt()"
        } else {
            "OSError()"
        };
        let raising = |class| format!("raise {class}.__new__({class}, 'm', [{inner}])");
        assert_eq!(kind_of(&raising(name)), number, "{name}");
        let subclass = format!("class ErrorsSub({name}): pass\n{}", raising("ErrorsSub"));
        assert_eq!(kind_of(&subclass), number, "a subclass of {name}");
        python.release(class);
    }
    assert!(known >= 60, "{known}");
    for (source, kind) in [
        ("import json; json.loads('{')", kind::PYR_KIND_VALUE_ERROR),
        ("raise IOError", kind::PYR_KIND_OS_ERROR),
        ("open('/no/such/file')", kind::PYR_KIND_FILE_NOT_FOUND_ERROR),
        (
            "class A(KeyError, TypeError): pass\nraise A",
            kind::PYR_KIND_KEY_ERROR,
        ),
        (
            "class A(Exception): __mro__ = 5\nclass B(A, IndexError): pass\nraise B",
            kind::PYR_KIND_INDEX_ERROR,
        ),
        (
            "class M(type):\n    def __hash__(self): raise OSError\nclass B(EOFError, metaclass=M): pass\nraise B",
            kind::PYR_KIND_EOF_ERROR,
        ),
        ("import sys; sys.exit()", kind::PYR_KIND_SYSTEM_EXIT),
    ] {
        assert_eq!(kind_of(source), kind, "{source}");
    }
    python.convert(Value::Handle(0), 0).expect_err("no handle");
    assert_eq!(raw_error(0).kind, 0);
}

#[test]
fn an_exception_that_cannot_be_described_is_an_error_still() {
    let python = python();
    python
        .exec("class ErrorsMute(Exception):\n    def __str__(self): raise KeyError\nclass ErrorsOdd(Exception): pass")
        .expect("classes");
    let failure = python.exec("raise ErrorsMute").expect_err("it raises");
    assert_eq!(
        (failure.status, &*failure.type_name),
        (PYR_PYTHON_ERROR, "ErrorsMute")
    );
    assert!(!failure.message.is_empty());
    let failure = python.exec("raise ErrorsOdd('\\ud800')").expect_err("it raises");
    assert_eq!(
        (failure.status, &*failure.type_name),
        (PYR_PYTHON_ERROR, "ErrorsOdd")
    );
    let failure = python
        .exec("ErrorsOdd.__module__ = 5; raise ErrorsOdd")
        .expect_err("it raises");
    assert_eq!(failure.status, PYR_PYTHON_ERROR);
    assert!(failure.type_name.contains("ErrorsOdd"), "{failure:?}");
}

/// What `pyr_error_last` gives, as it stands.
fn raw_error(with_traceback: i32) -> pyr_error {
    let mut error = std::mem::MaybeUninit::zeroed();
    // SAFETY: the library writes the whole record; all zero is one, too.
    unsafe {
        assert_eq!(
            (python().api.pyr_error_last)(error.as_mut_ptr(), with_traceback),
            PYR_OK
        );
        error.assume_init()
    }
}

/// Let Python raise, without asking why.
fn raise(source: &str) {
    let cell = pyr_value {
        tag: PYR_UTF8,
        aux: source.len() as u32,
        of: pyr_payload {
            bytes: source.as_ptr(),
        },
    };
    // SAFETY: the cell and the source live until the call returns.
    let status = unsafe { (python().api.pyr_exec)(&raw const cell, 1) };
    assert_eq!(status, PYR_PYTHON_ERROR);
}

#[test]
fn each_asking_gives_a_handle_on_the_exception_of_its_own() {
    let python = python();
    raise("raise ValueError('once', 2)");
    let error = raw_error(0);
    assert_eq!((error.status, error.traceback_length), (PYR_PYTHON_ERROR, 0));
    let exception = Value::Handle(error.exception);
    assert_eq!(
        python.getattr(&exception, "args", 0).expect("it is alive"),
        Value::Tuple(vec![text("once"), int(2)])
    );
    let again = raw_error(0);
    assert_eq!(again.status, PYR_PYTHON_ERROR);
    assert_ne!(again.exception, error.exception);
    python.release(again.exception);
    assert_eq!(again.message_length, error.message_length);
    let traceback = python.format_exception(error.exception).expect("text");
    assert!(
        matches!(&traceback, Value::Text(text) if text.contains("ValueError: ('once', 2)")),
        "{traceback:?}"
    );
    python.release(error.exception);
    assert_eq!(
        python
            .format_exception(error.exception)
            .expect_err("released")
            .status,
        PYR_STALE_HANDLE
    );
}

#[test]
fn the_traceback_is_there_also_when_it_is_asked_for_late() {
    raise("raise ValueError");
    python().release(raw_error(0).exception);
    assert_ne!(raw_error(1).traceback_length, 0);
}

#[test]
fn the_last_failure_stays_until_the_next_or_until_it_is_cleared() {
    let python = python();
    raise("raise ValueError('stays')");
    assert_eq!(python.eval("1").expect("a number"), int(1));
    let failure = python.error(false);
    assert_eq!((&*failure.type_name, &*failure.message), ("ValueError", "stays"));
    python.convert(Value::Handle(0), 0).expect_err("no handle");
    let failure = python.error(true);
    assert_eq!(
        (failure.status, &*failure.type_name, failure.exception),
        (PYR_INVALID_HANDLE, "", 0)
    );
    assert_eq!(&*failure.traceback, "");
    python.clear_error();
    let failure = python.error(true);
    assert_eq!(
        (failure.status, &*failure.message, failure.exception),
        (PYR_OK, "", 0)
    );
    python.clear_error();
}

#[test]
fn an_exception_that_is_cleared_is_let_go() {
    let python = python();
    python
        .exec("import weakref\nclass ErrorsGone(Exception): pass\ndef errors_gone():\n    global errors_ref\n    \
               error = ErrorsGone()\n    errors_ref = weakref.ref(error)\n    raise error")
        .expect("a function");
    raise("errors_gone()");
    assert_eq!(python.eval("errors_ref() is None").expect("a bool"), false.into());
    python.clear_error();
    python.settled();
    python.exec("import gc; gc.collect()").expect("a collection");
    assert_eq!(python.eval("errors_ref() is None").expect("a bool"), true.into());
}

#[test]
fn each_thread_knows_its_own_errors_only() {
    const THREADS: i64 = 8;
    let barrier = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let barrier = &barrier;
            scope.spawn(move || {
                let python = python();
                assert_eq!(python.error(true).status, PYR_OK, "nothing failed here");
                for round in 0..50 {
                    barrier.wait();
                    // Every other thread fails, each for a reason of its own.
                    if (number + round) % 2 == 0 {
                        raise(&format!("raise KeyError({number}, {round})"));
                        barrier.wait();
                        let failure = python.error(true);
                        assert_eq!(failure.message, format!("({number}, {round})"));
                        assert!(failure.traceback.contains(&failure.message));
                        python.clear_error();
                    } else {
                        barrier.wait();
                        assert_eq!(python.error(true).status, PYR_OK, "another thread's error");
                    }
                }
            });
        }
    });
}

#[test]
fn a_panic_is_a_status_and_the_next_call_works() {
    let python = python();
    for round in 0..3 {
        let failure = python.panic().expect_err("a panic");
        assert_eq!(failure.status, PYR_PANIC);
        assert!(
            failure.message.ends_with("a panic that was asked for"),
            "{}",
            failure.message
        );
        assert_eq!((&*failure.type_name, failure.exception), ("", 0));
        assert_eq!(python.eval("1 + 1").expect("a number"), int(2));
        assert_eq!(
            python.release_gil().expect_err("not held").status,
            PYR_GIL_NOT_HELD,
            "round {round}"
        );
    }
    python.acquire().expect("the GIL");
    assert_eq!(python.panic().expect_err("a panic").status, PYR_PANIC);
    python.release_gil().expect("held before, held after");
    std::thread::spawn(|| python.eval("1").expect("the GIL is free"))
        .join()
        .expect("no panic");
}

/// What describes an exception may recurse further than others. It did so by a limit that is everybody's: where one
/// thread made it less again, Python ended the process because of another that was near it.
#[test]
fn threads_may_recurse_as_far_as_they_can_at_once() {
    let python = python();
    python
        .exec(
            "import sys\n\
             errors_interval = sys.getswitchinterval()\n\
             sys.setswitchinterval(1e-6)\n\
             class ErrorsDeep(Exception):\n    def __str__(self): return str(errors_down())\n\
             def errors_down():\n\
             \x20   try: return errors_down()\n\
             \x20   except RecursionError: return [i for i in range(3)] and isinstance(3, int)\n\
             def errors_deep():\n    raise ErrorsDeep()",
        )
        .expect("functions");
    let limit = python.eval("sys.getrecursionlimit()").expect("a number");
    std::thread::scope(|scope| {
        for i in 0..8 {
            scope.spawn(move || {
                for _ in 0..if i == 0 { 2000 } else { 200 } {
                    if i == 0 {
                        let failure = python.call("errors_deep", &[]).expect_err("it raises");
                        assert_eq!(failure.type_name, "ErrorsDeep");
                    } else {
                        assert_eq!(python.eval("errors_down()").expect("a bool"), true.into());
                    }
                }
            });
        }
    });
    assert_eq!(python.eval("sys.getrecursionlimit()").expect("a number"), limit);
    python
        .exec("sys.setswitchinterval(errors_interval)")
        .expect("it is set");
}
