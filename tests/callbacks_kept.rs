//! What callbacks leave behind: nothing. Loans in arguments and replies, handles, memory, threads that end,
//! and children of the process.

mod host;

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use host::abi::*;
use host::answers::{function, function_of};
use host::loans::{Lent, fresh_id};
use host::value::{Value, int};
use host::{child, numpy, python};

/// Run `body` in a process of its own: counts of all that there is must not be others'.
fn apart(test: &str, body: impl FnOnce()) {
    match child::case() {
        None => drop(child::run(test, test, &[("PYTHONMALLOC", "malloc")])),
        Some(_) => body(),
    }
}

/// The memory of this process, in kilobytes.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or_default()
}

#[test]
fn loans_in_arguments_and_replies_are_told_as_often_as_kept() {
    apart("loans_in_arguments_and_replies_are_told_as_often_as_kept", || {
        let python = python();
        static KEPT: AtomicI64 = AtomicI64::new(0);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let first = 1 << 40;
        // A new object in each reply; the argument is the one of the reply before.
        let gives = function(move |asked| {
            let seen = &asked.args[0];
            assert!(
                matches!(seen, Value::None | Value::Host(_, PYR_LENT_OBJECT)),
                "{seen:?}"
            );
            let lent = Lent::object(first + NEXT.fetch_add(1, Ordering::Relaxed));
            let answered = asked.value(lent.value());
            assert_eq!(lent.kept(), 1, "the reply has it");
            KEPT.fetch_add(lent.kept().into(), Ordering::Relaxed);
            answered
        });
        python
            .exec("def kept_loop(f, x, n):\n    last = None\n    for _ in range(n):\n        last = f(last)\n        f(x)")
            .expect("a function");
        let outer = Lent::object(fresh_id());
        let base = python.settled();
        for round in 0..3 {
            let args = [gives.value(), outer.value(), int(20_000)];
            assert_eq!(python.call("kept_loop", &args).expect("None"), Value::None);
            assert_eq!(KEPT.load(Ordering::Relaxed), 40_000 * (round + 1));
            let told = (0..NEXT.load(Ordering::Relaxed)).map(|id| python.released(first + id));
            assert_eq!(
                told.filter(|&times| times == 1).count(),
                40_000 * (round as usize + 1)
            );
        }
        assert_eq!((outer.kept(), gives.balance(), python.settled()), (0, 0, base));
    });
}

#[test]
fn one_object_in_many_replies_is_one_object() {
    apart("one_object_in_many_replies_is_one_object", || {
        let python = python();
        static KEPT: AtomicI64 = AtomicI64::new(0);
        let id = fresh_id();
        let gives = function(move |asked| {
            let lent = Lent::object(id);
            let answered = asked.value(Value::List(vec![lent.value(), lent.value()]));
            KEPT.fetch_add(lent.kept().into(), Ordering::Relaxed);
            answered
        });
        let source = "lambda f: (lambda l: [all(x is l[0][0] for y in l for x in y), len(l)])([f() for _ in range(1000)])";
        let given = python.call(source, &[gives.value()]).expect("a list");
        assert_eq!(given, Value::List(vec![true.into(), int(1000)]));
        assert_eq!(KEPT.load(Ordering::Relaxed), python.released(id) as i64);
        // A function may give itself.
        let itself = Lent::function(fresh_id()).told(3);
        let (id, value) = (itself.id(), itself.value());
        let gives = function(move |asked| asked.value(value.clone()));
        let given = python
            .call("lambda f: [f(), f()]", &[gives.value()])
            .expect("a list");
        assert_eq!(given, Value::List(vec![Value::Host(id, PYR_LENT_FUNCTION); 2]));
        python.settled();
        assert_eq!(itself.kept() as usize, host::loans::told(id).len());
    });
}

#[test]
fn arrays_cross_in_both_directions() {
    apart("arrays_cross_in_both_directions", || {
        let Some(python) = numpy() else { return };
        static MEMORY: [AtomicU64; 1000] = [const { AtomicU64::new(0) }; 1000];
        let id = fresh_id();
        let lends = function(move |asked| {
            if let Some(Value::Array {
                element,
                dimensions,
                data,
            }) = asked.args.first()
            {
                assert_eq!(
                    (*element, &dimensions[..], data.len()),
                    (PYR_FLOAT64, &[100_000][..], 800_000)
                );
                return asked.direct(pyr_value::integer(PYR_INT, data[8 * 99_999 + 7].into()));
            }
            let data = MEMORY.as_ptr().cast_mut();
            let lent = Lent::array(id, PYR_INT64, &[1000], data);
            let answered = asked.value(lent.value());
            assert_eq!(lent.kept(), 1);
            answered
        });
        let source = "lambda f: (lambda a: (a.__setitem__(slice(0, 3), 7), int(a.sum()))[1])(f())";
        assert_eq!(python.call(source, &[lends.value()]).expect("a sum"), int(21));
        assert_eq!(MEMORY[2].load(Ordering::Relaxed), 7);
        assert_eq!(python.released(id), 1);
        // Each argument is of a megabyte, and in none of the host's calls: they go nevertheless.
        let source = "lambda f: sum(f(numpy.full(100000, 1.5 + i % 2)) for i in range(2000))";
        assert_eq!(
            python.call(source, &[lends.value()]).expect("a sum"),
            int(2000 * 63 + 1000)
        );
        assert!(resident() < 1_000_000, "{} kB", resident());
    });
}

#[test]
fn handles_given_back_in_callbacks_are_given_back_during_the_call() {
    apart(
        "handles_given_back_in_callbacks_are_given_back_during_the_call",
        || {
            let python = python();
            python
            .exec("class KeptThing:\n    alive = 0\n    def __init__(self): KeptThing.alive += 1\n    def __del__(self): KeptThing.alive -= 1")
            .expect("a class");
            let base = python.settled();
            let takes = function(|asked| {
                asked.release_handles();
                asked.direct(pyr_value::integer(PYR_NONE, 0))
            });
            let plain = "lambda f: max((f(KeptThing()), KeptThing.alive)[1] for _ in range(100000))";
            let Ok(Value::Int(most)) = python.call(plain, &[takes.value()]) else {
                panic!("no number")
            };
            assert!(most <= 1, "{most} at a time");
            assert_eq!((python.settled(), takes.balance()), (base, 0));
            // A host that cannot be asked is given nothing.
            let silent = Lent::function(fresh_id()).told(1);
            python
                .call("lambda f: f(object(), k=object())", &[silent.value()])
                .expect_err("no function");
            python.clear_error();
            assert_eq!(python.settled(), base);
            // Nor is one given what cannot be given whole.
            python
                .call(
                    "lambda f: (lambda l: (l.append(l), f(object(), l)))([])",
                    &[takes.value()],
                )
                .expect_err("a circle");
            python.clear_error();
            assert_eq!(python.settled(), base);
        },
    );
}

#[test]
fn a_destructor_that_asks_and_gives_back_does_not_nest() {
    apart("a_destructor_that_asks_and_gives_back_does_not_nest", || {
        let python = python();
        let base = python.settled();
        let _gives = function(|asked| {
            host::python().release(asked.int(0) as u64);
            asked.direct(pyr_value::integer(PYR_NONE, 0))
        })
        .named("kept_gives");
        python
            .exec("class KeptChain:\n    def __init__(self, handle): self.handle = handle\n    def __del__(self): kept_gives(self.handle)")
            .expect("a class");
        let chain = (0..20_000).fold(0, |handle, _| {
            python
                .call("KeptChain", &[int(handle as i64)])
                .expect("an object")
                .handle()
        });
        assert_eq!(python.settled(), base + 20_000);
        python.release(chain);
        for _ in 0..20_001 {
            python.settled();
        }
        assert_eq!(python.settled(), base);
    });
}

#[test]
fn memory_does_not_grow() {
    apart("memory_does_not_grow", || {
        let python = python();
        let works = function(|asked| {
            asked.release_handles();
            match asked.int(0) % 4 {
                0 => asked.value("a text ".repeat(10)),
                1 => asked.value(Value::List(vec![int(1), Value::Tuple(vec![])])),
                2 => asked.fail("an error", Some(int(3)), false),
                _ => {
                    host::python().eval("1/0").expect_err("it raises");
                    asked.direct(pyr_value::integer(PYR_INT, 1))
                }
            }
        });
        python
            .exec("def kept_many(f, n):\n    for i in range(n):\n        try:\n            f(i, object(), 'x' * 100, k={1: 2})\n        except Exception:\n            pass")
            .expect("a function");
        let run = || {
            python
                .call("kept_many", &[works.value(), int(20_000)])
                .map(drop)
                .expect("None")
        };
        run();
        let (before, base) = (resident(), python.settled());
        (0..5).for_each(|_| run());
        let grown = resident() - before;
        assert!(grown < 20_000, "{grown} kB");
        assert_eq!(python.settled(), base);
    });
}

#[test]
fn threads_that_end_may_ask() {
    apart("threads_that_end_may_ask", || {
        let python = python();
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let _ends = function(|asked| {
            let sum = host::python().eval("sum([1, 2])").expect("a number");
            host::python().eval("1/0").expect_err("it raises");
            ASKED.fetch_add(1, Ordering::SeqCst);
            asked.value(sum)
        })
        .named("kept_ends");
        python
            .exec(
                "import threading\nkept_local = threading.local()\nclass KeptEnd:\n    def __del__(self): kept_ends()\n\
                 def kept_here(): kept_local.value = KeptEnd()\n\
                 def kept_thread():\n    thread = threading.Thread(target=lambda: (kept_here(), kept_ends()))\n    thread.start()\n    thread.join()",
            )
            .expect("functions");
        for _ in 0..30 {
            std::thread::spawn(|| host::python().call("kept_here", &[]).map(drop).expect("None"))
                .join()
                .expect("no panic");
        }
        assert_eq!(ASKED.load(Ordering::SeqCst), 30);
        for _ in 0..30 {
            python.call("kept_thread", &[]).expect("None");
        }
        assert_eq!(ASKED.load(Ordering::SeqCst), 90);
        let threads = python.eval("len(__import__('sys')._current_frames()) <= 2");
        assert_eq!(threads.expect("a truth value"), true.into());
    });
}

#[test]
fn a_child_of_the_process_cannot_ask() {
    apart("a_child_of_the_process_cannot_ask", || {
        let python = python();
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        let asks = function(|asked| {
            TOLD.fetch_add(1, Ordering::SeqCst);
            asked.value(1)
        })
        .named("kept_asks");
        let waits = function_of(PYR_DISPATCH, |asked| asked.value(2)).named("kept_waits");
        python
            .exec(
                "import os, threading\n\
                 def kept_refused(f):\n    try:\n        f()\n    except RuntimeError as error:\n        return 'forked' in str(error)\n\
                 def kept_child():\n    try:\n        tries = [lambda: kept_asks(1), lambda: kept_waits(), lambda: kept_asks.name, lambda: repr(kept_asks)]\n\
                 \x20       good = all(kept_refused(f) for f in tries)\n        globals().pop('kept_asks')\n        os._exit(0 if good else 1)\n\
                 \x20   finally:\n        os._exit(2)\n\
                 def kept_fork():\n    child = os.fork()\n    if child == 0: kept_child()\n    return os.waitpid(child, 0)[1]",
            )
            .expect("functions");
        assert_eq!(python.eval("kept_asks()").expect("a number"), int(1));
        for _ in 0..5 {
            assert_eq!(python.eval("kept_fork()").expect("a status"), int(0));
            assert_eq!(python.eval("kept_asks()").expect("a number"), int(1));
        }
        assert_eq!(
            (TOLD.load(Ordering::SeqCst), asks.balance(), waits.balance()),
            (6, 1, 1)
        );
        python.exec("del kept_asks, kept_waits").expect("they are gone");
        assert_eq!((asks.balance(), waits.balance()), (0, 0));
    });
}
