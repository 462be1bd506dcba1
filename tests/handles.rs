//! Handles: how long they hold, what becomes of stale and made-up ones, and that none is lost.

mod host;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use host::abi::*;
use host::random::{Random, seed};
use host::value::{Value, int, ints};
use host::{Host, python};

/// The tests here count handles, so there is one at a time.
fn alone() -> (&'static Host, MutexGuard<'static, ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    (python(), ALONE.lock().unwrap_or_else(PoisonError::into_inner))
}

const MILLION: usize = 1_000_000;

/// Make `count` handles and release each; `batch` of them live at a time.
fn make_and_release(python: &Host, count: usize, batch: usize) {
    let object = pyr_value {
        tag: PYR_INT,
        aux: 0,
        of: pyr_payload { integer: 12345 },
    };
    let mut handles = Vec::with_capacity(batch);
    for _ in 0..count / batch {
        for _ in 0..batch {
            let mut result = host::calls::untouched();
            // SAFETY: the cell lives until the call returns, and the result is a local.
            let handle = unsafe {
                assert_eq!(
                    (python.api.pyr_convert)(&raw const object, PYR_REMOTE, &raw mut result),
                    PYR_OK
                );
                assert_eq!((result.value.tag, result.value.aux), (PYR_HANDLE, 0));
                let handle = result.value.of.handle;
                (python.api.pyr_result_free)(&raw mut result);
                handle
            };
            assert!(handle != 0 && handle < 1 << 62);
            handles.push(handle);
        }
        assert_eq!(
            handles.iter().collect::<HashSet<_>>().len(),
            batch,
            "a handle was given out twice"
        );
        handles.drain(..).for_each(|handle| python.release(handle));
    }
}

#[test]
fn a_million_handles_of_one_thread_are_given_back() {
    let (python, _alone) = alone();
    let base = python.settled();
    make_and_release(python, MILLION, 1000);
    assert_eq!(python.settled(), base);
}

#[test]
fn a_million_handles_at_once_are_given_back() {
    let (python, _alone) = alone();
    let base = python.settled();
    make_and_release(python, MILLION, MILLION);
    assert_eq!(python.settled(), base);
}

#[test]
fn a_million_handles_of_four_threads_are_given_back() {
    let (python, _alone) = alone();
    let base = python.settled();
    std::thread::scope(|scope| {
        for batch in [1, 10, 500, 25_000] {
            scope.spawn(move || make_and_release(python, MILLION / 4, batch));
        }
    });
    assert_eq!(python.settled(), base);
}

#[test]
fn handles_may_be_released_by_threads_that_never_call_python() {
    let (python, _alone) = alone();
    let base = python.settled();
    let handles: Vec<_> = (0..10_000).map(|_| python.remote("object()").handle()).collect();
    assert_eq!(python.settled(), base + handles.len());
    std::thread::scope(|scope| {
        for part in handles.chunks(handles.len() / 4) {
            scope.spawn(move || part.iter().for_each(|&handle| python.release(handle)));
        }
    });
    assert_eq!(python.settled(), base);
}

#[test]
fn a_handle_that_is_held_twice_takes_two_releases() {
    let (python, _alone) = alone();
    let base = python.settled();
    let object = python.remote("object()");
    assert_eq!(python.counts(object.handle()).expect("it is alive"), (1, 1));
    python.retain(object.handle()).expect("it is alive");
    assert_eq!(python.counts(object.handle()).expect("it is alive"), (2, 1));
    assert_eq!(python.settled(), base + 1);
    python.release(object.handle());
    assert_eq!(python.counts(object.handle()).expect("it is alive"), (1, 1));
    python.set("handles_global", &object).expect("a global");
    assert_eq!(python.counts(object.handle()).expect("it is alive"), (1, 2));
    python.exec("del handles_global").expect("it was there");
    python.release(object.handle());
    assert_eq!(
        python
            .counts(object.handle())
            .expect_err("it was released")
            .status,
        PYR_STALE_HANDLE
    );
    assert_eq!(python.settled(), base);
}

#[test]
fn either_count_may_be_left_out() {
    let (python, _alone) = alone();
    let (object, null) = (python.remote("object()").handle(), std::ptr::null_mut());
    let mut count = 0;
    // SAFETY: the counts are locals or NULL.
    unsafe {
        assert_eq!((python.api.pyr_counts)(object, &raw mut count, null), PYR_OK);
        assert_eq!((python.api.pyr_counts)(object, null, &raw mut count), PYR_OK);
        assert_eq!((python.api.pyr_counts)(object, null, null), PYR_OK);
        assert_eq!((python.api.pyr_counters)(null, null), PYR_OK);
        assert_eq!((python.api.pyr_counters)(&raw mut count, null), PYR_OK);
    }
    python.release(object);
}

#[test]
fn two_handles_on_one_object_are_two() {
    let (python, _alone) = alone();
    let one = python.remote("[]");
    let other = python.convert(&one, PYR_REMOTE).expect("another handle");
    assert_ne!(one, other);
    python.release(one.handle());
    assert_eq!(
        python.method(&other, "append", &[int(1)], &[]).expect("None"),
        Value::None
    );
    assert_eq!(python.convert(&other, 0).expect("a list"), ints([1]));
    assert_eq!(
        python.convert(&one, 0).expect_err("it was released").status,
        PYR_STALE_HANDLE
    );
    python.release(other.handle());
}

#[test]
fn objects_are_let_go_of_by_the_next_call() {
    let (python, _alone) = alone();
    python
        .exec("handles_gone = []\nclass HandlesDying:\n    def __del__(self): handles_gone.append(1)")
        .expect("a class");
    for count in 1..10 {
        let object = python.remote("HandlesDying()");
        assert_eq!(
            python.eval("len(handles_gone)").expect("a length"),
            int(count - 1)
        );
        python.release(object.handle());
        python.settled();
        assert_eq!(python.eval("len(handles_gone)").expect("a length"), int(count));
    }
}

/// A handle of a model: how often it is held, and the number of its object.
struct Held {
    handle: pyr_handle,
    holds: usize,
    object: usize,
}

#[test]
fn random_holds_and_releases_agree_with_python_s_counts() {
    let (python, _alone) = alone();
    let base = python.settled();
    let seed = seed();
    println!("PYRITE_SEED={seed}");
    let mut random = Random(seed);
    let (mut live, mut dead, mut objects) = (Vec::<Held>::new(), Vec::new(), 0);
    for _ in 0..MILLION {
        let chosen = if live.is_empty() {
            0
        } else {
            random.below(live.len())
        };
        match random.below(10) {
            number if live.is_empty() || (number == 0 && live.len() < 500) => {
                live.push(Held {
                    handle: python.remote("object()").handle(),
                    holds: 1,
                    object: objects,
                });
                objects += 1;
            }
            1 if live.len() < 500 => {
                let again = python.convert(Value::Handle(live[chosen].handle), PYR_REMOTE);
                let object = live[chosen].object;
                live.push(Held {
                    handle: again.expect("another handle").handle(),
                    holds: 1,
                    object,
                });
            }
            2 => {
                python.retain(live[chosen].handle).expect("it is alive");
                live[chosen].holds += 1;
            }
            3..=5 => {
                python.release(live[chosen].handle);
                live[chosen].holds -= 1;
                if live[chosen].holds == 0 {
                    dead.push(live.swap_remove(chosen).handle);
                }
            }
            6 | 7 => {
                let Held {
                    handle,
                    holds,
                    object,
                } = live[chosen];
                let of_object = live.iter().filter(|held| held.object == object).count();
                assert_eq!(python.counts(handle).expect("it is alive"), (holds, of_object));
            }
            _ if dead.is_empty() => {}
            8 => python.release(dead[random.below(dead.len())]),
            _ => {
                let handle = dead[random.below(dead.len())];
                let failure = python.counts(handle).expect_err("it was released");
                assert_eq!(failure.status, PYR_STALE_HANDLE);
            }
        }
    }
    for Held { handle, holds, .. } in live {
        (0..holds).for_each(|_| python.release(handle));
    }
    assert_eq!(python.settled(), base);
}

#[test]
fn stale_and_made_up_handles_are_refused_everywhere_and_do_no_harm() {
    let (python, _alone) = alone();
    let live = python.remote("[1]");
    let stale = python.remote("object()");
    python.release(stale.handle());
    let base = python.settled();
    let (epoch, generation) = (1 << 50, 1 << 30);
    for (handle, status) in [
        (stale.handle(), PYR_STALE_HANDLE),
        (live.handle() ^ epoch, PYR_STALE_HANDLE),
        (0, PYR_INVALID_HANDLE),
        (live.handle() + generation * 1000, PYR_INVALID_HANDLE),
        (live.handle() | 0x3FFF_FFFF, PYR_INVALID_HANDLE),
        (live.handle() | 1 << 62, PYR_INVALID_HANDLE),
        (live.handle() | 1 << 63, PYR_INVALID_HANDLE),
        (u64::MAX, PYR_INVALID_HANDLE),
    ] {
        let value = Value::Handle(handle);
        for failure in [
            python.convert(&value, 0).expect_err("no handle"),
            python.call(&value, &[]).expect_err("no handle"),
            python
                .call("len", std::slice::from_ref(&value))
                .expect_err("no handle"),
            python
                .call_with("dict", &[], &[("a".into(), value.clone())], 0)
                .expect_err("no handle"),
            python.method(&value, "append", &[], &[]).expect_err("no handle"),
            python.getattr(&value, "a", 0).expect_err("no handle"),
            python.setattr(&value, "a", 1).expect_err("no handle"),
            python.getitem(&value, 1, 0).expect_err("no handle"),
            python.getitem(&live, &value, 0).expect_err("no handle"),
            python.setitem(&live, int(0), &value).expect_err("no handle"),
            python.set("handles_none", &value).expect_err("no handle"),
            python.is(&live, &value).expect_err("no handle"),
            python.str(&value).expect_err("no handle"),
            python.type_name(&value).expect_err("no handle"),
            python
                .eval_parts(std::slice::from_ref(&value), 0)
                .expect_err("no handle"),
            python
                .exec_parts(std::slice::from_ref(&value))
                .expect_err("no handle"),
            python
                .convert(Value::List(vec![live.clone(), value.clone()]), 0)
                .expect_err("no handle"),
            python.format_exception(handle).expect_err("no handle"),
            python.retain(handle).expect_err("no handle"),
            python.counts(handle).map(drop).expect_err("no handle"),
        ] {
            assert_eq!(failure.status, status, "{handle:#x}: {failure:?}");
            assert_eq!(failure.exception, 0);
        }
        python.release(handle);
        assert_eq!(python.settled(), base);
    }
    assert_eq!(python.convert(&live, 0).expect("it is alive"), ints([1]));
    python.release(live.handle());
}

#[test]
fn handles_inside_a_result_outlive_it() {
    let (python, _alone) = alone();
    let base = python.settled();
    let Ok(Value::List(items)) = python.eval("[object(), (object(), {1: object()})]") else {
        panic!("a list")
    };
    let Value::Tuple(inner) = &items[1] else {
        panic!("a tuple")
    };
    let Value::Dict(pairs) = &inner[1] else {
        panic!("a dict")
    };
    let handles = [&items[0], &inner[0], &pairs[0].1];
    assert_eq!(python.settled(), base + 3);
    for handle in handles {
        assert_eq!(python.type_name(handle).expect("it is alive"), "object".into());
        python.release(handle.handle());
    }
    assert_eq!(python.settled(), base);
}

#[test]
fn calls_pay_for_what_comes_of_calls() {
    let (python, _alone) = alone();
    let base = python.settled();
    let count = 10_000;
    for _ in 0..30 {
        let Ok(Value::List(objects)) = python.eval(&format!("[object() for _ in range({count})]")) else {
            panic!("a list")
        };
        objects.iter().for_each(|object| python.release(object.handle()));
        let (_, pending) = python.counters();
        assert!(pending <= 5 * count, "{pending}");
    }
    assert_eq!(python.settled(), base);
}
