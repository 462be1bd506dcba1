//! Before the start, starting, stopping, resuming: one test, for it is one Python.

mod host;

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use host::abi::*;
use host::calls::{Failure, untouched};
use host::idle::{bad_options_are_refused, nothing_works};
use host::value::{Value, int, ints, text};
use host::{Host, loaded};

#[test]
fn python_starts_stops_and_resumes() {
    let host = loaded();
    assert!(!host.is_running());
    nothing_works(host);
    bad_options_are_refused(host);
    assert!(!host.is_running());
    many_threads_start_one_python(host);
    let (name, empty) = (host.name("lifecycle_function").expect("a name"), globals(host));
    for round in 0..20 {
        stopping_empties_main_and_makes_handles_stale(host, name, round);
        host.stop().expect("a stop");
        assert_eq!(host.start(), PYR_OK);
        assert_eq!(globals(host), empty);
    }
    stopping_twice_is_fine(host);
    results_and_handles_may_be_given_back_while_stopped(host);
    a_hold_ends_after_the_stop(host);
    errors_of_before_are_told_while_stopped(host);
    calls_in_progress_come_to_their_end(host);
    threads_may_start_and_stop_as_they_like(host);
}

/// The names in `__main__`.
fn globals(host: &Host) -> Value {
    host.eval("sorted(globals())").expect("a list")
}

fn many_threads_start_one_python(host: &Host) {
    let barrier = Barrier::new(8);
    let identities = std::thread::scope(|scope| {
        let start = || {
            barrier.wait();
            assert_eq!(host.start(), PYR_OK, "{:?}", host.error(true));
            host.eval("id(__import__('sys').modules)").expect("a number")
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect::<Vec<_>>()
    });
    assert!(
        identities.windows(2).all(|pair| pair[0] == pair[1]),
        "{identities:?}"
    );
    assert!(host.is_running());
}

fn restart(host: &Host) {
    host.stop().expect("a stop");
    assert!(!host.is_running());
    assert_eq!(host.start(), PYR_OK, "{:?}", host.error(true));
}

fn stopping_empties_main_and_makes_handles_stale(host: &Host, name: pyr_name, round: i64) {
    host.exec("import json\nlifecycle_x = 1\ndef lifecycle_function(): return lifecycle_x")
        .expect("statements");
    host.exec("class LifecycleDying:\n    def __del__(self): import sys; sys.lifecycle_gone = True")
        .expect("a class");
    host.exec("import sys; sys.lifecycle_gone = False; lifecycle_object = LifecycleDying()")
        .expect("an object");
    host.exec_parts(&[text("def lifecycle_spliced(): return "), ints([1])])
        .expect("a function");
    assert_eq!(host.call(Value::Name(name), &[]).expect("a number"), int(1));
    let handles: Vec<_> = ["object()", "lifecycle_object", "lifecycle_function"]
        .map(|source| host.remote(source))
        .into();
    host.stop().expect("a stop");
    assert!(!host.is_running());
    nothing_works(host);
    assert_eq!(host.start(), PYR_OK);
    assert!(host.is_running());
    assert_eq!(host.settled(), 0);
    for handle in &handles {
        assert_eq!(
            host.convert(handle, PYR_REMOTE).expect_err("it is old").status,
            PYR_STALE_HANDLE
        );
        // A finalizer may come late; it must not release what is new.
        let new = host.remote("object()");
        host.release(handle.handle());
        assert_eq!(host.counts(new.handle()).expect("it is new"), (1, 1));
        host.release(new.handle());
    }
    for gone in [
        "lifecycle_x",
        "lifecycle_function",
        "json",
        "lifecycle_spliced",
        "LifecycleDying",
    ] {
        assert_eq!(
            &*host.get(gone).expect_err("main is empty").type_name,
            "NameError",
            "{gone}"
        );
    }
    assert_eq!(
        host.eval("__import__('sys').lifecycle_gone").expect("a bool"),
        true.into()
    );
    assert_eq!(
        host.eval("__name__, len('ab')").expect("a tuple"),
        Value::Tuple(vec![text("__main__"), int(2)])
    );
    host.exec(&format!("def lifecycle_function(): return {round}"))
        .expect("a function");
    assert_eq!(
        host.call(Value::Name(name), &[]).expect("names stay valid"),
        int(round)
    );
    assert_eq!(host.name("lifecycle_function").expect("a name"), name);
}

fn stopping_twice_is_fine(host: &Host) {
    host.stop().expect("a stop");
    host.stop().expect("nothing to do");
    assert!(!host.is_running());
    assert_eq!(host.start(), PYR_OK);
    assert_eq!(host.eval("1").expect("a number"), int(1));
}

fn results_and_handles_may_be_given_back_while_stopped(host: &Host) {
    let source = "[object(), 'a' * 10000]";
    let cell = pyr_value {
        tag: PYR_UTF8,
        aux: source.len() as u32,
        of: pyr_payload {
            bytes: source.as_ptr(),
        },
    };
    let mut result = untouched();
    // SAFETY: the cell lives until the call returns; the result is whole, and is read before it is freed.
    unsafe {
        assert_eq!(
            (host.api.pyr_eval)(&raw const cell, 1, 0, &raw mut result),
            PYR_OK
        );
        host.stop().expect("a stop");
        let Value::List(items) = Value::read(&result.value) else {
            panic!("a list")
        };
        assert_eq!(items[1], text(&"a".repeat(10_000)));
        (host.api.pyr_result_free)(&raw mut result);
        host.release(items[0].handle());
    }
    assert_eq!(host.start(), PYR_OK);
    assert_eq!(host.settled(), 0);
}

fn a_hold_ends_after_the_stop(host: &Host) {
    host.acquire().expect("the GIL");
    host.stop().expect("a stop");
    host.release_gil().expect("it is held still");
    assert_eq!(host.release_gil().expect_err("not held").status, PYR_GIL_NOT_HELD);
    assert_eq!(host.start(), PYR_OK);
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(host.eval("1").expect("the GIL is free"), int(1)));
    });
}

fn errors_of_before_are_told_while_stopped(host: &Host) {
    let source = pyr_value {
        tag: PYR_UTF8,
        aux: 3,
        of: pyr_payload {
            bytes: c"1/0".as_ptr().cast(),
        },
    };
    // SAFETY: the cell lives until the call returns.
    let status = unsafe { (host.api.pyr_exec)(&raw const source, 1) };
    assert_eq!(status, PYR_PYTHON_ERROR);
    host.stop().expect("a stop");
    let failure = host.error(true);
    assert_eq!(
        (failure.status, &*failure.type_name),
        (PYR_PYTHON_ERROR, "ZeroDivisionError")
    );
    // What the host threw across Python is in the exception.
    assert_ne!(failure.exception, 0);
    // SAFETY: a handle of ours.
    assert_eq!(unsafe { (host.api.pyr_release)(failure.exception) }, PYR_OK);
    host.clear_error();
    assert_eq!(host.error(true).status, PYR_OK);
    assert_eq!(host.start(), PYR_OK);
}

fn calls_in_progress_come_to_their_end(host: &Host) {
    host.exec("import sys, time\nsys.lifecycle_in = sys.lifecycle_go = False")
        .expect("statements");
    host.exec("def lifecycle_wait(sys=sys, time=time):\n    sys.lifecycle_in = True\n    while not sys.lifecycle_go: time.sleep(0.001)\n    return [1, 'end']")
        .expect("a function");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| host.call("lifecycle_wait", &[]));
        while host.eval("__import__('sys').lifecycle_in").expect("a bool") == false.into() {}
        restart(host);
        host.exec("import sys; sys.lifecycle_go = True")
            .expect("statements");
        let given = call.join().expect("no panic").expect("the call went on");
        assert_eq!(given, Value::List(vec![int(1), text("end")]));
    });
}

fn threads_may_start_and_stop_as_they_like(host: &Host) {
    let done = AtomicBool::new(false);
    let ends = |outcome: Result<Value, Failure>| match outcome {
        Ok(value) => assert_eq!(value, ints([1, 2])),
        Err(failure) => assert_eq!(failure.status, PYR_NOT_RUNNING, "{failure:?}"),
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    ends(host.eval("[1] + [2]"));
                    if let Ok(handle) = host.eval("object()") {
                        host.release(handle.handle());
                    }
                }
            });
        }
        let changing = [(); 2].map(|()| {
            scope.spawn(|| {
                for _ in 0..300 {
                    host.stop().expect("a stop");
                    // Another thread may be stopping it at this moment.
                    assert!([PYR_OK, PYR_START_FAILED].contains(&host.start()));
                }
            })
        });
        changing
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(host.start(), PYR_OK);
    assert_eq!(host.eval("1 + 1").expect("a number"), int(2));
    assert_eq!(host.settled(), 0);
}
