//! Questions from threads that are in no call of the host's, which others of its threads answer.

mod host;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use host::abi::*;
use host::answers::{Answering, Asked, function_of, object};
use host::value::{Value, int, text};
use host::{child, python};

/// Run `body` in a process of its own: there is one desk for all questions of a process.
fn apart(test: &str, body: impl FnOnce()) {
    match child::case() {
        None => drop(child::run(test, test, &[])),
        Some(_) => body(),
    }
}

/// A function that is only answered on threads of the host's.
fn dispatched(body: impl Fn(&Asked) -> i32 + Send + Sync + 'static) -> Answering {
    function_of(PYR_DISPATCH, body)
}

/// Threads that serve until this is dropped.
struct Servers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Servers {
    fn start(count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let serve = |stop: Arc<AtomicBool>| {
            move || {
                while !stop.load(Ordering::SeqCst) {
                    if let Some(taken) = python().serve(50) {
                        let answered = taken.answer();
                        assert_eq!(python().served(taken.request.ticket, answered), PYR_OK);
                    }
                }
            }
        };
        let threads = (0..count).map(|_| thread::spawn(serve(stop.clone()))).collect();
        Self { stop, threads }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        python().wake_servers();
        self.threads
            .drain(..)
            .for_each(|thread| thread.join().expect("no panic"));
    }
}

/// `pool(n, f, args)`: what `f` gives for each of the `args`, on `n` threads of Python's.
const POOL: &str = "
from concurrent.futures import ThreadPoolExecutor
def pool(n, f, args):
    with ThreadPoolExecutor(n) as executor:
        return list(executor.map(f, args))
";

#[test]
fn nobody_serves_in_vain() {
    apart("nobody_serves_in_vain", || {
        let python = python();
        for patience in [0, 1, 30] {
            assert!(python.serve(patience).is_none());
        }
        // No such question is taken.
        for ticket in [0, 1, 2, u64::MAX] {
            assert_eq!(python.served(ticket, 1), PYR_INVALID_HANDLE);
        }
        // SAFETY: NULL is refused.
        let status = unsafe { (python.api.pyr_serve)(0, std::ptr::null_mut()) };
        assert_eq!(status, PYR_NULL_ARGUMENT);
        let woken: Vec<_> = (0..4)
            .map(|_| thread::spawn(|| host::python().serve(u32::MAX).is_none()))
            .collect();
        // Those that are not waiting yet would miss a single call.
        while !woken.iter().all(JoinHandle::is_finished) {
            python.wake_servers();
            thread::sleep(Duration::from_millis(1));
        }
        assert!(woken.into_iter().all(|thread| thread.join().expect("no panic")));
    });
}

#[test]
fn questions_are_dispatched_only_from_where_the_host_is_not() {
    apart("questions_are_dispatched_only_from_where_the_host_is_not", || {
        let python = python();
        python.exec(POOL).expect("a function");
        let here = dispatched(|asked| {
            let thread = format!("{:?}", thread::current().id());
            asked.value(thread)
        });
        let own = text(&format!("{:?}", thread::current().id()));
        assert_eq!(
            python.call("lambda f: f()", &[here.value()]).expect("a thread"),
            own
        );
        let servers = Servers::start(1);
        let server = text(&format!("{:?}", servers.threads[0].thread().id()));
        let given = python.call(
            "lambda f: [f(), pool(1, lambda _: f(), [1])[0], f()]",
            &[here.value()],
        );
        assert_eq!(
            given.expect("threads"),
            Value::List(vec![own.clone(), server, own])
        );
    });
}

#[test]
fn a_question_is_answered_once_by_who_took_it() {
    apart("a_question_is_answered_once_by_who_took_it", || {
        let python = python();
        python.exec(POOL).expect("a function");
        let adds = dispatched(|asked| asked.value(asked.int(0) + 1)).named("served_adds");
        for answered in [1, 0, 7] {
            let asker = thread::spawn(|| host::python().eval("pool(1, served_adds, [41])"));
            let taken = loop {
                // Nothing is taken yet, whatever is asked.
                assert_eq!(host::python().served(1, 1), PYR_INVALID_HANDLE);
                if let Some(taken) = python.serve(20) {
                    break taken;
                }
            };
            assert_eq!(taken.request.question, PYR_ASK_CALL);
            assert_eq!(
                (taken.request.id, &taken.asked.args[..]),
                (adds.lent.id(), &[int(41)][..])
            );
            assert_eq!(
                (taken.request.nargs, taken.request.nkwargs, taken.request.idle),
                (1, 0, 0)
            );
            assert!(python.serve(0).is_none(), "it was taken");
            let ticket = taken.request.ticket;
            assert_eq!(python.served(ticket + 1, 1), PYR_INVALID_HANDLE);
            // Any thread may answer, and another one give it back.
            let taken = thread::spawn(move || {
                taken.answer();
                taken
            })
            .join()
            .expect("no panic");
            assert_eq!(python.served(taken.request.ticket, answered), PYR_OK);
            assert_eq!(python.served(taken.request.ticket, answered), PYR_INVALID_HANDLE);
            match asker.join().expect("no panic") {
                Ok(value) => assert_eq!((value, answered != 0), (Value::List(vec![int(42)]), true)),
                Err(failure) => assert_eq!((&*failure.type_name, answered), ("TypeError", 0)),
            }
        }
    });
}

#[test]
fn the_number_of_those_who_wait_is_told() {
    apart("the_number_of_those_who_wait_is_told", || {
        let python = python();
        python.exec(POOL).expect("a function");
        let _says = dispatched(|asked| asked.value(1)).named("served_says");
        let seen = Arc::new(AtomicI64::new(-1));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let seen = seen.clone();
                thread::spawn(move || {
                    while seen.load(Ordering::SeqCst) < 2 {
                        if let Some(taken) = host::python().serve(100) {
                            seen.fetch_max(taken.request.idle.into(), Ordering::SeqCst);
                            taken.answer();
                            assert_eq!(host::python().served(taken.request.ticket, 1), PYR_OK);
                        }
                    }
                })
            })
            .collect();
        // Until all three wait.
        while seen.load(Ordering::SeqCst) < 2 {
            assert_eq!(
                python
                    .eval("pool(1, lambda _: served_says(), [0])")
                    .expect("a list"),
                Value::List(vec![int(1)])
            );
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(seen.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn many_ask_and_many_serve() {
    apart("many_ask_and_many_serve", || {
        let python = python();
        python.exec(POOL).expect("a function");
        let base = python.settled();
        let works = dispatched(|asked| {
            let host = host::python();
            asked.release_handles();
            match asked.int(0) {
                n if n % 50 == 0 => asked.raise(Value::Name(host.name("KeyError").expect("a name"))),
                n if n % 51 == 0 => asked.fail("odd", None, false),
                n if n % 3 == 0 => asked.value(
                    vec![n, n]
                        .into_iter()
                        .fold(Value::None, |_, n| text(&n.to_string())),
                ),
                n => asked.direct(pyr_value::integer(PYR_INT, n)),
            }
        });
        let source = "lambda f: pool(8, lambda n: served_one(f, n), range(16000))";
        python
            .exec(
                "def served_one(f, n):\n    try:\n        return int(f(n, object(), k='x')) == n\n\
                 \x20   except KeyError:\n        return n % 50 == 0\n\
                 \x20   except Exception as error:\n        return n % 51 == 0 and str(error) == 'odd'",
            )
            .expect("a function");
        let servers = Servers::start(8);
        let given = python.call(source, &[works.value()]).expect("a list");
        assert_eq!(given, Value::List(vec![true.into(); 16000]));
        drop(servers);
        assert_eq!((python.settled(), works.balance()), (base, 0));
    });
}

#[test]
fn those_who_serve_may_call_and_be_called_again() {
    apart("those_who_serve_may_call_and_be_called_again", || {
        let python = python();
        python.exec(POOL).expect("a function");
        // Each level on a thread of Python's own, so that each is dispatched.
        python
            .exec("def served_nest(n): return 0 if n == 0 else 1 + pool(1, served_down, [n - 1])[0]")
            .expect("a function");
        let _down = dispatched(|asked| match host::python().call("served_nest", &asked.args) {
            Ok(depth) => asked.value(depth),
            Err(failure) => asked.pass_on(&failure),
        })
        .named("served_down");
        let servers = Servers::start(24);
        let given = python.eval("pool(3, served_nest, [7] * 60)").expect("a list");
        assert_eq!(given, Value::List(vec![int(7); 60]));
        // Who serves is in a call of its own while Python runs on its thread: no other one is needed.
        python
            .exec("def served_same(n): return 0 if n == 0 else 1 + served_step(n - 1)")
            .expect("a function");
        let step = dispatched(|asked| {
            asked.value(host::python().call("served_same", &asked.args).expect("a depth"))
        });
        let _step = step.named("served_step");
        drop(servers);
        let servers = Servers::start(1);
        let given = python.eval("pool(1, served_same, [30])").expect("a list");
        assert_eq!(given, Value::List(vec![int(30)]));
        drop(servers);
    });
}

#[test]
fn attributes_are_dispatched_too_and_python_may_be_stopped_meanwhile() {
    apart(
        "attributes_are_dispatched_too_and_python_may_be_stopped_meanwhile",
        || {
            let python = python();
            let thing = object(|asked| asked.value(asked.args[0].clone()));
            let thing = Answering {
                lent: thing.lent.with(|loan| {
                    let dispatching = dispatched(|_| 0);
                    loan.host = dispatching.lent.host();
                }),
                ..thing
            };
            let source = "lambda x: __import__('concurrent.futures').futures.ThreadPoolExecutor(1).submit(lambda: x.name).result()";
            let servers = Servers::start(2);
            assert_eq!(python.call(source, &[thing.value()]).expect("text"), text("name"));
            drop(servers);
            let asker = thread::spawn(move || host::python().call(source, &[thing.value()]));
            let taken = (0..1000).find_map(|_| python.serve(20)).expect("a question");
            python.stop().expect("it stops");
            // An answer that needs no Python still arrives.
            taken.asked.direct(pyr_value::integer(PYR_INT, 5));
            assert_eq!(python.served(taken.request.ticket, 1), PYR_OK);
            assert_eq!(asker.join().expect("no panic").expect("a number"), int(5));
            assert_eq!(python.start(), PYR_OK);
            assert_eq!(python.eval("1").expect("a number"), int(1));
        },
    );
}

#[test]
fn a_child_of_the_process_serves_nobody() {
    apart("a_child_of_the_process_serves_nobody", || {
        let python = python();
        let servers: Vec<_> = (0..2)
            .map(|_| {
                thread::spawn(|| {
                    (0..200_000).for_each(|_| assert!(host::python().serve(0).is_none()));
                })
            })
            .collect();
        while servers.iter().any(|server| !server.is_finished()) {
            // SAFETY: the child makes only calls that need nothing of other threads.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: it ends in a while, whatever it waits for.
                unsafe { libc::alarm(10) };
                python.wake_servers();
                let good = python.serve(1).is_none() && python.served(1, 1) == PYR_INVALID_HANDLE;
                // SAFETY: nothing else of the process runs here.
                unsafe { libc::_exit(i32::from(!good)) };
            }
            let mut status = -1;
            // SAFETY: the place is a local's.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert_eq!(status, 0);
        }
    });
}
