//! Many threads at once, and holding the GIL.

mod host;

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use host::abi::*;
use host::value::{Value, int, ints, text};
use host::{Host, python};

/// Long enough for anything but a deadlock.
const LIMIT: Duration = Duration::from_secs(60);

/// Run `body` on a thread of its own, which must come to its end.
fn within_limit<R: Send + 'static>(body: impl FnOnce(&'static Host) -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(body(python())).map_err(drop));
    match receiver.recv_timeout(LIMIT) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no end after {LIMIT:?}: a deadlock"),
        Err(_) => panic!("the thread failed: {:?}", thread.join().map(drop)),
    }
}

#[test]
fn threads_do_not_mix_their_values_up() {
    let python = python();
    python
        .exec("def threads_echo(*args, **keywords): return [list(args), keywords]")
        .expect("a function");
    std::thread::scope(|scope| {
        for thread in 0..8i64 {
            scope.spawn(move || {
                for round in 0..2000 {
                    let name = format!("thread {thread}, round {round}");
                    let args = [int(thread << 32 | round), text(&name), ints(0..round % 20)];
                    let keywords = [(text("threads_a"), Value::Dict(vec![(text(&name), Value::None)]))];
                    let given = python
                        .call_with("threads_echo", &args, &keywords, 0)
                        .expect("what was given");
                    let expected = [Value::List(args.to_vec()), Value::Dict(keywords.to_vec())];
                    assert_eq!(given, Value::List(expected.to_vec()));
                }
            });
        }
    });
}

/// How many thread states Python has.
fn thread_states() -> usize {
    type State = *mut c_void;
    let python = python();
    python.acquire().expect("the GIL");
    // SAFETY: libpython is loaded with global visibility, and this is how it declares the functions; the
    // GIL is held, so the list of states stands still.
    let count = unsafe {
        let find = |name: &CStr| {
            let function = libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr());
            assert!(!function.is_null(), "{name:?}");
            std::mem::transmute::<State, unsafe extern "C" fn(State) -> State>(function)
        };
        let next = find(c"PyThreadState_Next");
        let interpreter = find(c"PyInterpreterState_Get")(null_mut());
        let first = find(c"PyInterpreterState_ThreadHead")(interpreter);
        std::iter::successors(Some(first).filter(|state| !state.is_null()), |&state| {
            Some(next(state)).filter(|state| !state.is_null())
        })
        .count()
    };
    python.release_gil().expect("held");
    count
}

#[test]
fn threads_that_end_leave_no_thread_state_behind() {
    let python = python();
    for round in 0..1000 {
        let given = std::thread::spawn(move || python.call("abs", &[int(-round)]).expect("a number")).join();
        assert_eq!(given.expect("no panic"), int(round));
    }
    // The other tests of this file have threads, too.
    let states = thread_states();
    assert!(states < 200, "{states} thread states after 1000 threads");
}

#[test]
fn what_python_keeps_for_a_thread_stays_with_it() {
    let python = python();
    python
        .exec("import threading; threads_local = threading.local()")
        .expect("a place");
    std::thread::scope(|scope| {
        for thread in 0..4i64 {
            scope.spawn(move || {
                let identity = python.eval("threading.get_ident()").expect("a number");
                python.set("threads_local.value", thread).expect("a place");
                for _ in 0..500 {
                    assert_eq!(python.get("threads_local.value").expect("set"), int(thread));
                    assert_eq!(python.eval("threading.get_ident()").expect("a number"), identity);
                }
            });
        }
    });
    let failure = python
        .get("threads_local.value")
        .expect_err("not set on this thread");
    assert_eq!(&*failure.type_name, "AttributeError");
}

#[test]
fn a_thread_that_waits_in_python_lets_others_in() {
    let python = python();
    python
        .exec("import threading; threads_event = threading.Event()")
        .expect("an event");
    let waiter = std::thread::spawn(|| python_wait("threads_event.wait(60)"));
    let waiting = "threads_event._cond._waiters";
    while python.call("len", &[python.remote(waiting)]).expect("a number") == int(0) {
        std::thread::yield_now();
    }
    python.call("threads_event.set", &[]).expect("None");
    assert_eq!(waiter.join().expect("no panic"), true.into());
}

fn python_wait(source: &str) -> Value {
    python().eval(source).expect(source)
}

#[test]
fn holds_nest_and_each_is_undone_once() {
    within_limit(|python| {
        for depth in [1, 2, 10] {
            for _ in 0..depth {
                python.acquire().expect("the GIL");
                assert_eq!(python.eval("2 + 2").expect("a number"), int(4));
            }
            for _ in 0..depth {
                python.release_gil().expect("one hold is left");
                assert_eq!(python.eval("2 + 2").expect("a number"), int(4));
            }
            let failure = python.release_gil().expect_err("none is left");
            assert_eq!(failure.status, PYR_GIL_NOT_HELD);
        }
    });
}

#[test]
fn a_hold_is_that_of_its_thread() {
    within_limit(|python| {
        python.acquire().expect("the GIL");
        // The other thread must not call Python: it would wait for this one.
        // SAFETY: takes no arguments.
        let status = std::thread::spawn(|| unsafe { (python.api.pyr_gil_release)() }).join();
        assert_eq!(status.expect("no panic"), PYR_GIL_NOT_HELD);
        python.release_gil().expect("it is held still");
    });
    within_limit(|python| python.eval("1").expect("the GIL is free"));
}

#[test]
fn nobody_comes_between_the_calls_of_a_hold() {
    const THREADS: i64 = 4;
    const ROUNDS: i64 = 2000;
    let python = python();
    python.set("threads_sum", 0).expect("a global");
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    python.acquire().expect("the GIL");
                    // Neither call runs Python code, which might let others in.
                    let Ok(Value::Int(sum)) = python.get("threads_sum") else {
                        panic!("a number")
                    };
                    python.set("threads_sum", sum + 1).expect("a global");
                    python.release_gil().expect("held");
                }
            });
        }
    });
    assert_eq!(
        python.get("threads_sum").expect("a number"),
        int(THREADS * ROUNDS)
    );
}

#[test]
fn a_hold_keeps_others_out_until_it_ends() {
    static IN: AtomicBool = AtomicBool::new(false);
    within_limit(|python| {
        python.acquire().expect("the GIL");
        let other = std::thread::spawn(|| {
            python
                .get("len")
                .map(|value| python.release(value.handle()))
                .expect("a builtin");
            IN.store(true, Ordering::SeqCst);
        });
        for _ in 0..20_000 {
            python.set("threads_held", 1).expect("a global");
            assert!(!IN.load(Ordering::SeqCst), "another thread came in during a hold");
        }
        python.release_gil().expect("held");
        other.join().expect("no panic");
        assert!(IN.load(Ordering::SeqCst));
    });
}

#[test]
fn a_thread_that_ends_during_a_hold_gives_the_gil_back() {
    for _ in 0..50 {
        std::thread::spawn(|| {
            python().acquire().expect("the GIL");
            python().acquire().expect("the GIL");
        })
        .join()
        .expect("no panic");
        assert_eq!(within_limit(|python| python.eval("3").expect("a number")), int(3));
    }
}

#[test]
fn starting_again_changes_nothing() {
    let python = python();
    python.set("threads_kept", 1).expect("a global");
    let list = python.remote("[1]");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(python.start(), PYR_OK));
        }
    });
    assert!(python.is_running());
    assert_eq!(python.get("threads_kept").expect("a global"), int(1));
    assert_eq!(python.convert(&list, 0).expect("it is alive"), ints([1]));
    python.release(list.handle());
}

#[test]
fn results_may_be_read_and_freed_by_other_threads() {
    let python = python();
    let mut results = Vec::new();
    let source = "[list(range(1000)), 'a' * 5000, object()]";
    let cell = pyr_value {
        tag: PYR_UTF8,
        aux: source.len() as u32,
        of: pyr_payload {
            bytes: source.as_ptr(),
        },
    };
    for _ in 0..100 {
        let mut result = Box::new(host::calls::untouched());
        // SAFETY: the cell lives until the call returns, and the result stays where it is.
        let status = unsafe { (python.api.pyr_eval)(&raw const cell, 1, 0, &raw mut *result) };
        assert_eq!(status, PYR_OK);
        results.push(result);
    }
    // In a box of its own, each stays where it is: it may point into itself.
    #[allow(clippy::vec_box)]
    struct Sent(Vec<Box<pyr_result>>);
    // SAFETY: results belong to no thread.
    unsafe impl Send for Sent {}
    let sent = Sent(results);
    std::thread::spawn(move || {
        let sent = sent;
        for mut result in sent.0 {
            // SAFETY: the results are whole, are read before they are freed, and freed twice at the most.
            let value = unsafe {
                let value = Value::read(&result.value);
                (python.api.pyr_result_free)(&raw mut *result);
                (python.api.pyr_result_free)(&raw mut *result);
                value
            };
            let Value::List(items) = value else {
                panic!("a list")
            };
            assert_eq!(items[..2], [ints(0..1000), text(&"a".repeat(5000))]);
            python.release(items[2].handle());
        }
    })
    .join()
    .expect("no panic");
}
