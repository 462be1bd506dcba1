//! Threads that end: what Python keeps for them goes, and that is Python code, too.

mod host;

use host::value::{int, text};
use host::{child, python};

/// Run `body` in a child of `test`, in which a Python error of memory use is the end.
fn with_checked_memory(test: &str, body: fn()) {
    match child::case() {
        None => drop(child::run(test, "checked memory", &[("PYTHONMALLOC", "debug")])),
        Some(_) => body(),
    }
}

/// Let threads end that have a value of class `ThreadEnd` in a `threading.local`.
fn end_threads(class: &str) {
    let python = python();
    python
        .exec("import threading, sys; thread_end = threading.local(); sys.thread_ended = 0")
        .expect("a place");
    python.exec(class).expect("a class");
    for round in 1..=20 {
        std::thread::spawn(|| {
            python
                .exec("thread_end.value = ThreadEnd()")
                .expect("a statement")
        })
        .join()
        .expect("no panic");
        assert_eq!(python.eval("sys.thread_ended").expect("a number"), int(round));
    }
}

#[test]
fn what_a_thread_kept_is_let_go_of_when_it_ends() {
    end_threads("class ThreadEnd:\n    def __del__(self): sys.thread_ended += 1");
}

#[test]
fn memory_is_freed_as_it_should_be_when_a_thread_ends() {
    with_checked_memory("memory_is_freed_as_it_should_be_when_a_thread_ends", || {
        end_threads(
            "class ThreadEnd:\n    def __del__(self): sys.thread_ended += len(str([1, 2]) * 100) // 600",
        );
    });
}

#[test]
fn a_thread_may_end_with_an_error() {
    with_checked_memory("a_thread_may_end_with_an_error", || {
        for _ in 0..20 {
            std::thread::spawn(|| {
                let failure = python().eval("1/0").expect_err("it raises");
                assert_eq!(failure.type_name, "ZeroDivisionError");
            })
            .join()
            .expect("no panic");
        }
        assert_eq!(python().eval("'a' + 'b'").expect("text"), text("ab"));
    });
}

#[test]
fn a_destructor_may_be_called_back_from_c_when_a_thread_ends() {
    let test = "a_destructor_may_be_called_back_from_c_when_a_thread_ends";
    if child::case().is_none() {
        child::run(test, "called back", &[]);
        return;
    }
    end_threads(
        "import ctypes\n\
         def thread_end_count():\n    sys.thread_ended += 1\n    return 0\n\
         thread_end_callback = ctypes.PYFUNCTYPE(ctypes.c_int)(thread_end_count)\n\
         class ThreadEnd:\n    def __del__(self): thread_end_callback()",
    );
}
