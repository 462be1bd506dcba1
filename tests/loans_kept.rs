//! Loans that Python keeps: each is counted when the call is over, and let go of once for each count.

mod host;

use std::ptr::null_mut;

use host::abi::*;
use host::calls::untouched;
use host::loans::{Lent, fresh_id, told};
use host::value::{Value, int, text};
use host::{Host, child, numpy, python};

/// Check that `keep`, called with an array, keeps it until `drop` is executed; told in both ways.
fn kept_until(python: &Host, keep: &str, drop: &str) {
    for telling in [false, true] {
        let mut numbers: Vec<f64> = (0..8).map(f64::from).collect();
        let id = fresh_id();
        let mut lent = Lent::array(id, PYR_FLOAT64, &[8], numbers.as_mut_ptr());
        if telling {
            lent = lent.told(id as usize + 1);
        }
        // What the call gave, and why it failed, may keep the array, too: neither is wanted here.
        if let Ok(Value::Handle(handle)) = python.call(keep, &[lent.value()]) {
            python.release(handle);
        }
        python.clear_error();
        python.settled();
        let released = || (python.released(id), told(id));
        assert_eq!((lent.kept(), released()), (1, (0, vec![])), "{keep}");
        python.exec(drop).expect(drop);
        let expected = if telling {
            (0, vec![id as usize + 1])
        } else {
            (1, vec![])
        };
        assert_eq!((lent.kept(), released()), (1, expected), "{keep}");
        assert!(numbers.iter().copied().eq((0..8).map(f64::from)), "{keep}");
    }
}

#[test]
fn whatever_has_the_memory_keeps_it() {
    let Some(python) = numpy() else { return };
    python
        .exec(
            "import collections, functools, gc, threading\nloans_list = []\nclass Loans: pass\n\
             def loans_cycle(a):\n    c = Loans()\n    c.self, c.a = c, a\n\
             def loans_generator(a):\n    yield 1\n    yield a\n\
             def loans_started(a):\n    g = loans_generator(a)\n    next(g)\n    return g\n\
             def loans_raise(a):\n    raise ValueError\n\
             def loans_caught(a):\n    try:\n        loans_raise(a)\n    except ValueError as e:\n        \
             loans_list.append(e)\n\
             def loans_thread(a):\n    go, up = threading.Event(), threading.Event()\n    \
             def run(a):\n        up.set(); go.wait(60)\n    \
             thread = threading.Thread(target=run, args=(a,))\n    thread.start(); up.wait(60)\n    \
             loans_list.append((go, thread))\n\
             def loans_join():\n    go, thread = loans_list.pop()\n    go.set(); thread.join()",
        )
        .expect("functions");
    for (keep, drop) in [
        ("lambda a: globals().update(loans_global=a)", "del loans_global"),
        ("loans_list.append", "loans_list.clear()"),
        (
            "lambda a: loans_list.extend([a, a, {1: (a,)}])",
            "loans_list.clear()",
        ),
        (
            "lambda a: loans_list.append(a[2:][1:3][::-1])",
            "loans_list.clear()",
        ),
        (
            "lambda a: loans_list.append(memoryview(a)[3:])",
            "loans_list.clear()",
        ),
        (
            "lambda a: loans_list.append(a.reshape(2, 4).T)",
            "loans_list.clear()",
        ),
        ("lambda a: loans_list.append(a.base)", "loans_list.clear()"),
        (
            "lambda a: loans_list.append(numpy.frombuffer(a, 'u1'))",
            "loans_list.clear()",
        ),
        ("lambda a: loans_list.append(lambda: a)", "loans_list.clear()"),
        (
            "lambda a: loans_list.append(functools.partial(len, a))",
            "loans_list.clear()",
        ),
        ("lambda a: loans_list.append(a.flat)", "loans_list.clear()"),
        ("lambda a: loans_list.append(a.ctypes)", "loans_list.clear()"),
        (
            "lambda a: loans_list.append(loans_started(a))",
            "loans_list.clear()",
        ),
        (
            "lambda a: (setattr(a, 'dtype', 'i8'), loans_list.append(a))",
            "loans_list.clear()",
        ),
        ("loans_caught", "loans_list.clear()"),
        ("loans_cycle", "gc.collect()"),
        ("loans_thread", "loans_join()"),
    ] {
        kept_until(python, keep, drop);
    }
}

#[test]
fn an_exception_keeps_what_its_traceback_has() {
    let python = python();
    let lent = Lent::object(fresh_id());
    python
        .exec("def loans_fail(x): raise ValueError")
        .expect("a function");
    let failure = python.call("loans_fail", &[lent.value()]).expect_err("it fails");
    assert_eq!((lent.kept(), python.released(lent.id())), (1, 0));
    assert!(failure.exception != 0);
    drop(failure);
    python.clear_error();
    python.settled();
    assert_eq!((lent.kept(), python.released(lent.id())), (1, 1));
}

#[test]
fn what_was_let_go_of_during_the_call_is_not_kept() {
    let python = python();
    let lent = Lent::object(fresh_id());
    for function in [
        "lambda x: (globals().update(loans_brief=x), globals().pop('loans_brief'), None)[2]",
        "lambda x: [x for _ in range(100)] and None",
    ] {
        assert_eq!(python.call(function, &[lent.value()]).expect("None"), Value::None);
        assert_eq!((lent.kept(), python.released(lent.id())), (0, 0), "{function}");
    }
}

#[test]
fn handles_keep_what_is_lent() {
    let Some(python) = numpy() else { return };
    let mut numbers = [1i32, 2, 3];
    let lent = Lent::array(fresh_id(), PYR_INT32, &[3], numbers.as_mut_ptr());
    let host = Value::Host(lent.id(), PYR_LENT_ARRAY);
    let remote = python
        .call_with("lambda a: a", &[lent.value()], &[], PYR_REMOTE)
        .expect("a handle");
    assert_eq!((lent.kept(), python.released(lent.id())), (1, 0));
    assert_eq!(python.convert(&remote, 0).expect("itself"), host);
    assert_eq!(
        python
            .call("lambda a: a", std::slice::from_ref(&remote))
            .expect("itself"),
        host
    );
    python.method(&remote, "fill", &[int(7)], &[]).expect("None");
    assert_eq!(numbers, [7; 3]);
    python.release(remote.handle());
    python.settled();
    assert_eq!((lent.kept(), python.released(lent.id())), (1, 1));
    let object = Lent::object(fresh_id());
    let remote = python.convert(object.value(), PYR_REMOTE).expect("a handle");
    assert_eq!(object.kept(), 1);
    assert!(python.is(&remote, object.value()).expect("a truth value"));
    assert_eq!(object.kept(), 1);
    python.release(remote.handle());
    python.settled();
    assert_eq!((object.kept(), python.released(object.id())), (1, 1));
}

/// The result of evaluating `source`, or of calling it when there are `arguments`: not freed.
fn raw_result(python: &Host, source: &str, arguments: &[&Lent]) -> Box<pyr_result> {
    let mut arena = host::value::Arena::default();
    let (source, values) = (text(source), arguments.iter().map(|lent| lent.value()));
    let (source, values) = (arena.cell(&source), values.collect::<Vec<_>>());
    let cells = arena.cells(&values);
    let mut result = Box::new(untouched());
    // SAFETY: the cells live until the call returns, and the result stays where it is.
    let status = unsafe {
        let (out, count) = (&raw mut *result, cells.len() as u32);
        if arguments.is_empty() {
            (python.api.pyr_eval)(&raw const source, 1, 0, out)
        } else {
            (python.api.pyr_call)(&raw const source, cells.as_ptr(), count, 0, 0, out)
        }
    };
    assert_eq!(status, PYR_OK);
    result
}

/// Free `result`, and pay what it owes.
fn free(python: &Host, mut result: Box<pyr_result>) {
    // SAFETY: the result is whole.
    unsafe { (python.api.pyr_result_free)(&raw mut *result) };
    python.settled();
}

#[test]
fn what_a_result_names_stays_until_it_is_freed() {
    let Some(python) = numpy() else { return };
    let mut numbers = [1i32, 2, 3];
    let keep = "lambda a, b: (globals().update(loans_a=a, loans_b=b), [a, b, a])[1]";
    let lend = |data: *mut i32| {
        let array = Lent::array(fresh_id(), PYR_INT32, &[3], data);
        [array, Lent::object(fresh_id())]
    };
    let released = |lents: &[Lent; 2]| lents.each_ref().map(|lent| python.released(lent.id()));
    // Lent by the call that gives the result, and by an earlier one.
    for again in [false, true] {
        let lents = lend(numbers.as_mut_ptr());
        let mut result = raw_result(python, keep, &lents.each_ref());
        if again {
            free(python, result);
            result = raw_result(python, "[loans_a, loans_b, loans_a]", &[]);
        }
        assert_eq!(lents.each_ref().map(Lent::kept), [1, 1]);
        // Another thread has Python let go of them, and asks what was released.
        std::thread::spawn(|| python.exec("del loans_a, loans_b").expect("gone"))
            .join()
            .expect("no panic");
        python.settled();
        assert_eq!(released(&lents), [0, 0], "again: {again}");
        // SAFETY: the result is whole.
        let Value::List(items) = (unsafe { Value::read(&result.value) }) else {
            panic!("not a list")
        };
        let ids = lents.each_ref().map(Lent::id);
        let array = Value::Host(ids[0], PYR_LENT_ARRAY);
        assert_eq!(
            items,
            [array.clone(), Value::Host(ids[1], PYR_LENT_OBJECT), array]
        );
        free(python, result);
        assert_eq!(released(&lents), [1, 1], "again: {again}");
    }
    // What only the result names is not kept, and is named no longer than the call's loans last.
    let lents = lend(numbers.as_mut_ptr());
    let result = raw_result(python, "lambda *lents: lents", &lents.each_ref());
    assert_eq!(lents.each_ref().map(Lent::kept), [0, 0]);
    free(python, result);
    assert_eq!(released(&lents), [0, 0]);
}

#[test]
fn views_in_results_keep_the_memory_that_they_are_on() {
    let Some(python) = numpy() else { return };
    let mut numbers: Vec<f64> = (0..10_000).map(f64::from).collect();
    let lent = Lent::array(fresh_id(), PYR_FLOAT64, &[10_000], numbers.as_mut_ptr());
    let result = raw_result(python, "lambda a: a[1:]", &[&lent]);
    // SAFETY: the result is whole and has an array.
    let data = unsafe { (*result.value.of.array).data.cast::<f64>() };
    assert_eq!(data, numbers[1..].as_ptr(), "large arrays are not copied");
    assert_eq!((lent.kept(), python.released(lent.id())), (1, 0));
    free(python, result);
    assert_eq!((lent.kept(), python.released(lent.id())), (1, 1));
}

#[test]
fn a_stop_lets_go_of_what_is_in_main() {
    if child::case().is_none() {
        child::run("a_stop_lets_go_of_what_is_in_main", "stop", &[]);
        return;
    }
    let python = python();
    let (global, handle, module) = (
        Lent::object(fresh_id()),
        Lent::object(fresh_id()).told(5),
        Lent::object(fresh_id()),
    );
    python.set("loans_global", global.value()).expect("a global");
    python.convert(handle.value(), PYR_REMOTE).expect("a handle");
    let set = "lambda x: setattr(__import__('os'), 'loans_kept', x)";
    python.call(set, &[module.value()]).expect("None");
    let kept = [&global, &handle, &module].map(Lent::kept);
    python.stop().expect("it runs");
    assert_eq!((kept, python.released_count()), ([1, 1, 1], 1));
    assert_eq!(python.released(global.id()), 1);
    assert_eq!(told(handle.id()), [5]);
    let status = status_of(python, &module);
    assert_eq!(
        (status, module.kept(), python.released(module.id())),
        (PYR_NOT_RUNNING, 1, 0)
    );
    assert_eq!(python.start(), PYR_OK);
    // The same object still.
    let same = "lambda x: __import__('os').loans_kept is x";
    assert_eq!(
        python.call(same, &[module.value()]).expect("a truth value"),
        true.into()
    );
    python.exec("import os; del os.loans_kept").expect("it is gone");
    assert_eq!((module.kept(), python.released(module.id())), (1, 1));
}

/// The status of a call with `lent`.
fn status_of(python: &Host, lent: &Lent) -> pyr_status {
    python
        .convert(lent.value(), 0)
        .expect_err("it does not run")
        .status
}

#[test]
fn the_released_are_given_in_parts() {
    if child::case().is_none() {
        child::run("the_released_are_given_in_parts", "parts", &[]);
        return;
    }
    let python = python();
    let lents: Vec<Lent> = (0..10).map(|_| Lent::object(fresh_id())).collect();
    let values = lents.iter().map(Lent::value).collect::<Vec<_>>();
    python.set("loans_many", Value::List(values)).expect("a global");
    assert_eq!(python.released_count(), 0);
    python.exec("del loans_many").expect("gone");
    assert_eq!(python.released_count(), 10);
    let (mut ids, mut count) = ([0u64; 8], usize::MAX);
    let mut all = Vec::new();
    // SAFETY: both are locals.
    unsafe {
        for (capacity, expected) in [(3, 3), (0, 7), (1, 1), (8, 6), (8, 0)] {
            let status = (python.api.pyr_take_released)(ids.as_mut_ptr(), capacity, &raw mut count);
            assert_eq!((status, count), (PYR_OK, expected));
            all.extend_from_slice(&ids[..count.min(capacity)]);
        }
        for (ids, count) in [(ids.as_mut_ptr(), null_mut()), (null_mut(), &raw mut count)] {
            assert_eq!((python.api.pyr_take_released)(ids, 1, count), PYR_NULL_ARGUMENT);
        }
    }
    assert_eq!(count, 0);
    all.sort_unstable();
    assert!(all.iter().copied().eq(lents.iter().map(Lent::id)), "{all:?}");
}

#[test]
fn threads_lend_at_once_and_every_loan_is_accounted_for() {
    let python = python();
    python
        .exec(
            "import collections\nloans_box = collections.deque(maxlen=50)\n\
             def loans_put(n, x, y):\n    \
             if n % 3: loans_box.append(x)\n    return [x, y, loans_box[0] if loans_box else None]",
        )
        .expect("a function");
    let shared = fresh_id();
    let kept: Vec<(u64, usize)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                scope.spawn(move || {
                    let mut kept = Vec::new();
                    for round in 0..1000 {
                        let own = Lent::object(fresh_id());
                        let own = if thread % 2 == 0 { own.told(thread) } else { own };
                        let common = Lent::object(shared);
                        let arguments = [int(round), own.value(), common.value()];
                        let given = python.call("loans_put", &arguments).expect("a list");
                        let Value::List(given) = given else {
                            panic!("{given:?}")
                        };
                        assert_eq!(given[0], Value::Host(own.id(), PYR_LENT_OBJECT));
                        assert_eq!(given[1], Value::Host(shared, PYR_LENT_OBJECT));
                        kept.push((own.id(), own.kept() as usize));
                        kept.push((shared, common.kept() as usize));
                        python.released(shared);
                    }
                    kept
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    python.exec("loans_box.clear()").expect("all are gone");
    python.settled();
    for &(id, kept) in kept.iter().filter(|&&(id, _)| id != shared) {
        assert!(kept <= 1);
        assert_eq!(python.released(id) + told(id).len(), kept, "{id}");
    }
    let common = kept.iter().filter(|&&(id, _)| id == shared);
    let common: usize = common.map(|&(_, kept)| kept).sum();
    assert_eq!(python.released(shared), common);
}

#[test]
fn round_trips_leave_nothing_behind() {
    if child::case().is_none() {
        child::run("round_trips_leave_nothing_behind", "leaks", &[]);
        return;
    }
    let Some(python) = numpy() else { return };
    let mut numbers = [1i32, 2, 3];
    let array = Lent::array(fresh_id(), PYR_INT32, &[3], numbers.as_mut_ptr());
    let object = Lent::object(fresh_id());
    python
        .exec(
            "import gc, sys, _pyrite\nloans_last = []\n\
             def loans_round(a, x, n):\n    \
             loans_last[:] = [a, x] if n % 5 == 0 else []\n    \
             if n % 7 == 0: raise ValueError\n    return [a, x]\n\
             def loans_count():\n    loans_last.clear(); gc.collect()\n    \
             return [len(gc.get_objects()), sys.getrefcount(_pyrite.Object), \
             sys.getrefcount(_pyrite.Memory), sys.getrefcount(numpy.ndarray), sys.getrefcount(numpy.dtype('i4'))]",
        )
        .expect("functions");
    let count = || {
        python.clear_error();
        let live = python.settled();
        (live, python.call("loans_count", &[]).expect("numbers"))
    };
    let mut before = None;
    for round in 0..100_000i64 {
        if round == 1000 {
            before = Some(count());
        }
        let arguments = [array.value(), object.value(), int(round)];
        let failed = python.call("loans_round", &arguments).is_err();
        assert_eq!(failed, round % 7 == 0);
        // The exception keeps what it was raised over.
        python.clear_error();
    }
    // The numbers of other things vary by a few with the interpreter's caches.
    let (Some((live, Value::List(before))), (live_after, Value::List(after))) = (before, count()) else {
        panic!("not lists")
    };
    assert_eq!(live_after, live);
    for (before, after) in before.into_iter().zip(after) {
        let (Value::Int(before), Value::Int(after)) = (before, after) else {
            panic!("not numbers")
        };
        assert!((after - before).abs() < 50, "{before} became {after}");
    }
    for lent in [array, object] {
        assert!(lent.kept() > 10_000, "{}", lent.kept());
        assert_eq!(lent.kept() as usize, python.released(lent.id()));
    }
}
