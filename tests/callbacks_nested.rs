//! Functions of the host's that call Python, which calls them again: depth, the GIL, the floating-point
//! environment, stopping.

mod host;

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use host::abi::*;
use host::answers::{Answering, function};
use host::value::{Value, int, text};
use host::{child, python};

/// Run `body` in a process of its own: what goes wrong there is a crash or a hang.
fn apart(test: &str, body: impl FnOnce()) {
    match child::case() {
        None => drop(child::run(test, test, &[])),
        Some(_) => body(),
    }
}

/// The Python function `nested_down` calls `nested_step` of the host, which calls `nested_down`, as often as
/// its argument says; errors are passed on.
fn recursion() -> Answering {
    python()
        .exec("def nested_down(n): return 0 if n == 0 else 1 + nested_step(n - 1)")
        .expect("a function");
    function(|asked| match python().call("nested_down", &asked.args) {
        Ok(Value::Int(depth)) => asked.direct(pyr_value::integer(PYR_INT, depth)),
        Ok(other) => panic!("{other:?}"),
        Err(failure) => asked.pass_on(&failure),
    })
    .named("nested_step")
}

/// Run `body` on a thread with a stack of `size` bytes.
fn with_stack(size: usize, body: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(size)
            .spawn_scoped(scope, body);
        thread.expect("a thread").join().expect("no panic");
    });
}

#[test]
fn calls_and_callbacks_nest() {
    apart("calls_and_callbacks_nest", || {
        let python = python();
        let _step = recursion();
        with_stack(16 << 20, || {
            for depth in [1, 10, 200] {
                assert_eq!(
                    python.call("nested_down", &[int(depth)]).expect("a depth"),
                    int(depth)
                );
            }
            for _ in 0..3 {
                let failure = python
                    .call("nested_down", &[int(1_000_000)])
                    .expect_err("too deep");
                assert_eq!(failure.type_name, "RecursionError");
                assert_eq!(
                    python.call("nested_down", &[int(100)]).expect("a depth"),
                    int(100)
                );
            }
        });
        assert_eq!(python.eval("sum(range(10))").expect("a number"), int(45));
    });
}

#[test]
fn nested_calls_of_several_threads_do_not_mix() {
    apart("nested_calls_of_several_threads_do_not_mix", || {
        let python = python();
        let _step = recursion();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for depth in 0..40 {
                        let depth = (depth + thread) % 30;
                        assert_eq!(
                            python.call("nested_down", &[int(depth)]).expect("a depth"),
                            int(depth)
                        );
                    }
                });
            }
        });
    });
}

#[test]
fn the_gil_is_free_in_a_callback_and_held_after_it() {
    apart("the_gil_is_free_in_a_callback_and_held_after_it", || {
        let python = python();
        let waits = function(|asked| {
            let other = std::thread::spawn(|| host::python().eval("6 * 7").expect("a number"));
            asked.value(other.join().expect("no panic"))
        });
        let source = "lambda f: [f(), len(__import__('sys')._current_frames()) > 0]";
        let expected = Value::List(vec![int(42), true.into()]);
        assert_eq!(python.call(source, &[waits.value()]).expect("a list"), expected);
        // Also where the host holds it over many calls.
        python.acquire().expect("the GIL");
        python.acquire().expect("the GIL");
        assert_eq!(python.call(source, &[waits.value()]).expect("a list"), expected);
        let blocked = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                python.eval("1").expect("a number");
                blocked.store(false, Ordering::SeqCst);
            });
            std::thread::sleep(std::time::Duration::from_millis(100));
            assert!(blocked.load(Ordering::SeqCst), "the host holds the GIL again");
            python.release_gil().expect("held");
            python.release_gil().expect("held");
        });
        assert_eq!(
            python.release_gil().expect_err("not held").status,
            PYR_GIL_NOT_HELD
        );
    });
}

#[test]
fn a_callback_cannot_undo_a_hold_outside_and_leaves_none() {
    apart("a_callback_cannot_undo_a_hold_outside_and_leaves_none", || {
        let python = python();
        let holds = function(|asked| {
            let host = host::python();
            assert_eq!(
                host.release_gil().expect_err("not its own").status,
                PYR_GIL_NOT_HELD
            );
            host.acquire().expect("the GIL");
            host.acquire().expect("the GIL");
            host.release_gil().expect("held");
            let given = host.call("abs", &asked.args).expect("a number");
            host.acquire().expect("the GIL");
            // It returns with two holds.
            asked.value(given)
        });
        let source = "lambda f: [f(-1), f(-2)]";
        let expected = Value::List(vec![int(1), int(2)]);
        for held in [false, true] {
            if held {
                python.acquire().expect("the GIL");
            }
            assert_eq!(python.call(source, &[holds.value()]).expect("a list"), expected);
            let threads =
                "__import__('concurrent.futures').futures.ThreadPoolExecutor(1).submit(f, -3).result()";
            assert_eq!(
                python
                    .call(&*format!("lambda f: {threads}"), &[holds.value()])
                    .expect("a number"),
                int(3)
            );
            if held {
                python.release_gil().expect("held");
            }
            assert_eq!(
                python.release_gil().expect_err("not held").status,
                PYR_GIL_NOT_HELD
            );
            let other = std::thread::spawn(|| host::python().eval("8").expect("a number"));
            assert_eq!(other.join().expect("no panic"), int(8));
        }
    });
}

#[link(name = "m")]
unsafe extern "C" {
    safe fn fegetround() -> c_int;
    safe fn fesetround(mode: c_int) -> c_int;
    safe fn fegetexcept() -> c_int;
    safe fn feenableexcept(exceptions: c_int) -> c_int;
    safe fn fedisableexcept(exceptions: c_int) -> c_int;
    safe fn feclearexcept(exceptions: c_int) -> c_int;
}
#[cfg(target_arch = "x86_64")]
const DOWN_UP_TRAPS: [c_int; 3] = [0x400, 0x800, 0x01 | 0x04 | 0x08];
#[cfg(target_arch = "aarch64")]
const DOWN_UP_TRAPS: [c_int; 3] = [0x80_0000, 0x40_0000, 0x01 | 0x02 | 0x04];

#[test]
fn the_host_computes_in_its_own_environment() {
    apart("the_host_computes_in_its_own_environment", || {
        let python = python();
        let [down, up, traps] = DOWN_UP_TRAPS;
        python.exec("nested_depth = 0").expect("a global");
        // Each level sets another mode before it calls, and finds its own again afterwards.
        let looks = function(move |asked| {
            let (mode, depth) = (fegetround(), asked.int(0));
            let trapping = fegetexcept();
            if depth > 0 {
                fesetround(if depth % 2 == 0 { up } else { down });
                let inner = host::python().call(
                    "lambda n: [nested_look(n - 1), nested_third(), nested_look(0)]",
                    &asked.args,
                );
                let kept = fegetround();
                fesetround(0);
                let Ok(Value::List(inner)) = inner else {
                    panic!("{inner:?}")
                };
                assert_eq!(kept, if depth % 2 == 0 { up } else { down });
                assert_eq!(inner[0], int(kept.into()), "the mode of the caller");
                assert_eq!(inner[1], text("0.3333333333333333"), "Python has its own");
                assert_eq!(inner[2], int(kept.into()), "the same at the second call");
                fesetround(mode);
            }
            assert_eq!(fegetexcept(), trapping);
            asked.direct(pyr_value::integer(PYR_INT, mode.into()))
        });
        let looks = looks.named("nested_look");
        python
            .exec("def nested_third(): return repr(float('1') / float('3'))")
            .expect("a function");
        for mode in [0, down, up] {
            fesetround(mode);
            let given = python.eval("nested_look(4)");
            let now = fegetround();
            fesetround(0);
            assert_eq!((given.expect("a mode"), now), (int(mode.into()), mode));
        }
        // What Python set for itself is there after the callback.
        let kept = python.exec(&format!(
            "import ctypes\nlibm = ctypes.CDLL('libm.so.6')\nlibm.fesetround({up})\n\
             nested_modes = [nested_look(0), libm.fegetround()]"
        ));
        kept.expect("a list");
        let modes = python.get("nested_modes").expect("a list");
        assert_eq!(modes, Value::List(vec![int(0), int(up.into())]));
        // Traps are the host's, on its threads; Python's threads have none.
        if feenableexcept(traps) != -1 && fegetexcept() & traps == traps {
            let sees = function(|asked| asked.direct(pyr_value::integer(PYR_INT, fegetexcept().into())));
            let sees = sees.named("nested_traps");
            let seen = python.eval("[nested_traps(), repr(float('inf') - float('inf')), nested_traps()]");
            let expected = vec![int(traps.into()), text("nan"), int(traps.into())];
            assert_eq!(seen.expect("a list"), Value::List(expected));
            let thread = "__import__('concurrent.futures').futures.ThreadPoolExecutor(1).submit(nested_traps).result()";
            assert_eq!(python.eval(thread).expect("a number"), int(0));
            assert_eq!(fegetexcept(), traps);
            feclearexcept(traps);
            fedisableexcept(traps);
            drop(sees);
        }
        drop(looks);
    });
}

#[test]
fn python_may_be_stopped_in_a_callback() {
    apart("python_may_be_stopped_in_a_callback", || {
        let python = python();
        let object = python.remote("object()").handle();
        let stops = function(move |asked| {
            let host = host::loaded();
            host.stop().expect("it stops");
            assert!(!host.is_running());
            assert_eq!(host.eval("1").expect_err("stopped").status, PYR_NOT_RUNNING);
            // Python waits for the answer all the same.
            assert_eq!(
                asked.try_raise(1).expect_err("no exception").status,
                PYR_PYTHON_ERROR
            );
            if asked.int(0) == 1 {
                assert_eq!(host.start(), PYR_OK);
                assert_eq!(host.retain(object).expect_err("stale").status, PYR_STALE_HANDLE);
                return asked.value("text");
            }
            asked.direct(pyr_value::integer(PYR_INT, 5))
        });
        let source = "lambda f, again: (f(again), f(again), sum([1, 2]))";
        let call = |again| python.call(source, &[stops.value(), int(again)]);
        assert_eq!(
            call(0).expect("a tuple"),
            Value::Tuple(vec![int(5), int(5), int(3)])
        );
        assert_eq!(python.eval("1").expect_err("stopped").status, PYR_NOT_RUNNING);
        assert_eq!(python.start(), PYR_OK);
        assert_eq!(
            call(1).expect("a tuple"),
            Value::Tuple(vec![text("text"), text("text"), int(3)])
        );
        assert_eq!(python.eval("1").expect("a number"), int(1));
    });
}

#[test]
fn what_stopping_itself_calls_cannot_stop_or_start() {
    apart("what_stopping_itself_calls_cannot_stop_or_start", || {
        static ASKED: AtomicI64 = AtomicI64::new(0);
        let python = python();
        let _dies = function(|asked| {
            let host = host::loaded();
            assert_eq!(host.stop().expect_err("it is stopping").status, PYR_START_FAILED);
            assert_eq!(host.start(), PYR_START_FAILED);
            assert_eq!(
                host.eval("1").expect_err("it is stopping").status,
                PYR_NOT_RUNNING
            );
            ASKED.fetch_add(1, Ordering::SeqCst);
            asked.direct(pyr_value::integer(PYR_NONE, 0))
        })
        .named("nested_dies");
        let class = "class NestedDying:\n    def __init__(self, f): self.f = f\n    def __del__(self): self.f()\n\
                     nested_dying = NestedDying(nested_dies)";
        python.exec(class).expect("an object");
        python.stop().expect("it stops");
        assert_eq!(ASKED.load(Ordering::SeqCst), 1);
        assert_eq!(python.start(), PYR_OK);
        assert_eq!(python.eval("2").expect("a number"), int(2));
    });
}

#[test]
fn python_s_threads_ask_while_it_is_stopped() {
    apart("python_s_threads_ask_while_it_is_stopped", || {
        static ASKED: AtomicI64 = AtomicI64::new(0);
        let python = python();
        let counts = function(|asked| {
            ASKED.fetch_add(1, Ordering::SeqCst);
            asked.release_handles();
            let known = asked
                .try_value("text")
                .map_or_else(|failure| failure.status, |()| PYR_OK);
            assert!(known == PYR_OK || known == PYR_NOT_RUNNING, "{known}");
            asked.direct(pyr_value::integer(PYR_BOOL, 1))
        });
        let loops = "import threading\ndef nested_loop(f):\n    while f(f, object()): pass\n\
                     def nested_loops(f):\n    for _ in range(3): threading.Thread(target=nested_loop, args=[f], daemon=True).start()";
        python.exec(loops).expect("functions");
        python.call("nested_loops", &[counts.value()]).expect("None");
        let more = |wanted: i64| {
            let start = ASKED.load(Ordering::SeqCst);
            while ASKED.load(Ordering::SeqCst) < start + wanted {
                std::thread::yield_now();
            }
        };
        for _ in 0..5 {
            more(50);
            python.stop().expect("it stops");
            more(50);
            assert_eq!(python.start(), PYR_OK);
        }
        assert_eq!(python.eval("3").expect("a number"), int(3));
        // The threads are Python's and do not end: neither may the process wait for them.
    });
}
