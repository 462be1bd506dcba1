//! Loans in calls from inside calls, and lent by what runs when a thing that was lent ends.

mod host;

use std::cell::RefCell;
use std::ptr::null;
use std::sync::Mutex;

use host::abi::*;
use host::loans::{Lent, fresh_id, told};
use host::value::{Value, int};
use host::{Host, child, python};

thread_local! {
    /// What Python calls when it calls back.
    static CALLBACK: RefCell<Vec<Box<dyn FnMut()>>> = const { RefCell::new(Vec::new()) };
}

/// Call what is innermost in [`CALLBACK`], for ctypes.
extern "C" fn call_back() {
    let callback = CALLBACK.with_borrow_mut(Vec::pop);
    if let Some(mut callback) = callback {
        callback();
        CALLBACK.with_borrow_mut(|callbacks| callbacks.push(callback));
    }
}

/// Run `body` in a child of `test`, with `loans_back` to call back, in each of ctypes' ways to call C.
fn with_callbacks(test: &str, body: impl Fn(&'static Host)) {
    let Some(kind) = child::case() else {
        for kind in ["PYFUNCTYPE", "CFUNCTYPE"] {
            child::run(test, kind, &[]);
        }
        return;
    };
    let python = python();
    if let Err(failure) = python.import("ctypes", None, 0) {
        eprintln!("skipped: {}: {}", python.interpreter.name(), failure.message);
        return;
    }
    let function = python.eval(&format!(
        "ctypes.{kind}(None)({})",
        call_back as *const () as usize
    ));
    let function = function.expect("a function");
    python.set("loans_back", function.clone()).expect("a global");
    python.release(function.handle());
    body(python);
}

/// Have Python call `body` in the middle of `call`.
fn calling_back<R>(body: impl FnMut() + 'static, call: impl FnOnce() -> R) -> R {
    CALLBACK.with_borrow_mut(|callbacks| callbacks.push(Box::new(body)));
    let given = call();
    CALLBACK.with_borrow_mut(Vec::pop);
    given
}

/// The `kept` of `lent`, and how often its id was released, in both ways.
fn accounts(lent: &Lent) -> (u32, usize) {
    (lent.kept(), python().released(lent.id()) + told(lent.id()).len())
}

const AROUND: &str = "lambda x: (loans_back(), x)[1]";

#[test]
fn inner_calls_settle_their_own_loans_only() {
    with_callbacks("inner_calls_settle_their_own_loans_only", |python| {
        for inner_keeps in [false, true] {
            let (outer, inner) = (Lent::object(fresh_id()), Lent::function(fresh_id()).told(1));
            let (outer_id, inner_id) = (outer.id(), inner.id());
            let set = move || {
                if inner_keeps {
                    python.set("loans_inner", inner.value()).expect("a global");
                }
                let given = python.call("lambda x: x", &[inner.value()]).expect("itself");
                assert_eq!(given, Value::Host(inner_id, PYR_LENT_FUNCTION));
                assert_eq!(accounts(&inner), (inner_keeps.into(), 0));
                if inner_keeps {
                    python.exec("del loans_inner").expect("it is gone");
                }
                assert_eq!(accounts(&inner), (inner_keeps.into(), inner_keeps.into()));
            };
            let given = calling_back(set, || python.call(AROUND, &[outer.value()]));
            assert_eq!(given.expect("itself"), Value::Host(outer_id, PYR_LENT_OBJECT));
            assert_eq!(accounts(&outer), (0, 0));
        }
    });
}

#[test]
fn what_both_an_outer_and_an_inner_call_lend_is_counted_once() {
    with_callbacks(
        "what_both_an_outer_and_an_inner_call_lend_is_counted_once",
        |python| {
            for keep in ["lambda x: None", "lambda x: globals().update(loans_both=x)"] {
                let id = fresh_id();
                let (outer, inner) = (Lent::object(id), Lent::object(id));
                let seen = std::rc::Rc::new(RefCell::new(0));
                let count = seen.clone();
                let again = move || {
                    python.call(keep, &[inner.value()]).expect("None");
                    *count.borrow_mut() += inner.kept();
                    assert_eq!(python.released(id), 0);
                };
                let given = calling_back(again, || python.call(AROUND, &[outer.value()]));
                assert_eq!(given.expect("itself"), Value::Host(id, PYR_LENT_OBJECT));
                let expected = u32::from(keep.contains("globals"));
                assert_eq!(
                    (outer.kept() + *seen.borrow(), python.released(id)),
                    (expected, 0)
                );
                python
                    .exec("globals().pop('loans_both', None)")
                    .expect("it is gone");
                assert_eq!(python.released(id), expected as usize);
            }
        },
    );
}

/// A result that outlives the call that it was given in.
static INNER: Mutex<Option<Inner>> = Mutex::new(None);

struct Inner(Box<pyr_result>);

// SAFETY: results belong to no thread.
unsafe impl Send for Inner {}

#[test]
fn the_result_of_an_inner_call_keeps_what_the_outer_one_lent() {
    with_callbacks(
        "the_result_of_an_inner_call_keeps_what_the_outer_one_lent",
        |python| {
            let outer = Lent::object(fresh_id());
            let id = outer.id();
            python
                .exec("def loans_show(x):\n    global loans_shown\n    loans_shown = x\n    loans_back()\n    del loans_shown")
                .expect("a function");
            let keep_result = move || {
                let mut result = Box::new(host::calls::untouched());
                let source = "loans_shown";
                let cell = pyr_value::bytes(PYR_UTF8, source.len() as u32, source.as_ptr());
                // SAFETY: the cell lives until the call returns, and the result stays where it is.
                let status = unsafe { (python.api.pyr_get)(&raw const cell, 0, &raw mut *result) };
                assert_eq!(status, PYR_OK);
                *INNER.lock().expect("no panic") = Some(Inner(result));
            };
            let given = calling_back(keep_result, || python.call("loans_show", &[outer.value()]));
            assert_eq!(given.expect("None"), Value::None);
            let mut inner = INNER.lock().expect("no panic").take().expect("a result");
            // SAFETY: the result is whole.
            let named = unsafe { Value::read(&inner.0.value) };
            assert_eq!(named, Value::Host(id, PYR_LENT_OBJECT));
            assert_eq!(accounts(&outer), (1, 0), "the result has it");
            // SAFETY: the result is whole.
            unsafe { (python.api.pyr_result_free)(&raw mut *inner.0) };
            python.settled();
            assert_eq!(accounts(&outer), (1, 1));
        },
    );
}

#[test]
fn calls_nest_deeply_with_a_loan_each() {
    with_callbacks("calls_nest_deeply_with_a_loan_each", |python| {
        fn nest(python: &'static Host, depth: i64) -> i64 {
            let lent = Lent::object(fresh_id());
            let sum = std::rc::Rc::new(RefCell::new(0));
            let inner = sum.clone();
            let deeper = move || {
                if depth > 0 {
                    *inner.borrow_mut() = nest(python, depth - 1);
                }
            };
            let given = calling_back(deeper, || python.call(AROUND, &[lent.value()]));
            assert_eq!(given.expect("itself"), Value::Host(lent.id(), PYR_LENT_OBJECT));
            assert_eq!(accounts(&lent), (0, 0), "at {depth}");
            1 + *sum.borrow()
        }
        assert_eq!(nest(python, 30), 31);
    });
}

#[test]
fn code_that_runs_when_it_ends_may_lend_it_again() {
    with_callbacks("code_that_runs_when_it_ends_may_lend_it_again", |python| {
        let watch =
            "lambda x: globals().update(loans_watch=__import__('weakref').ref(x, lambda _: loans_back()))";
        for kept in [false, true] {
            let id = fresh_id();
            let (first, again) = (Lent::object(id), Lent::object(id));
            let lend_again = move || {
                python.set("loans_again", again.value()).expect("a global");
                assert_eq!(again.kept(), 1);
                let watched = python.eval("loans_watch()").expect("it is dead");
                assert_eq!(watched, Value::None);
            };
            calling_back(lend_again, || {
                if kept {
                    python.set("loans_first", first.value()).expect("a global");
                }
                python.call(watch, &[first.value()]).expect("None");
                if kept {
                    python.exec("del loans_first").expect("it is gone");
                }
            });
            assert_eq!(accounts(&first), (kept.into(), kept.into()));
            let same = python.call("lambda x: x is loans_again", &[first.value()]);
            assert_eq!(same.expect("a truth value"), true.into());
            python.exec("del loans_again").expect("it is gone");
            assert_eq!(python.released(id), 1 + usize::from(kept));
        }
    });
}

#[test]
fn code_that_runs_when_it_ends_may_end_all() {
    with_callbacks("code_that_runs_when_it_ends_may_end_all", |python| {
        let lents: Vec<Lent> = (0..20).map(|_| Lent::object(fresh_id())).collect();
        let values: Vec<Value> = lents.iter().map(Lent::value).collect();
        python
            .exec(
                "import weakref\nloans_seen = []\ndef loans_watch_all(*x):\n    \
                 loans_seen[:] = [weakref.ref(y, lambda _: (loans_back(), loans_seen.append(1))) for y in x]",
            )
            .expect("a function");
        let more = move || {
            let lent = Lent::object(fresh_id());
            python.call("lambda x: [x] * 3", &[lent.value()]).expect("a list");
            assert_eq!(accounts(&lent), (0, 0));
        };
        calling_back(more, || python.call("loans_watch_all", &values)).expect("None");
        assert_eq!(python.eval("loans_seen.count(1)").expect("a number"), int(20));
        for lent in &lents {
            assert_eq!(accounts(lent), (0, 0));
        }
    });
}

#[test]
fn null_is_no_loan_in_an_inner_call_either() {
    with_callbacks("null_is_no_loan_in_an_inner_call_either", |python| {
        let outer = Lent::object(fresh_id());
        let fail = move || {
            let inner = Lent::object(fresh_id()).with(|loan| loan.array = null());
            let failure = python.call("len", &[inner.value(), Value::Loan(0)]);
            assert_eq!(failure.expect_err("NULL").status, PYR_NULL_ARGUMENT);
            assert_eq!(accounts(&inner), (0, 0));
        };
        let given = calling_back(fail, || python.call(AROUND, &[outer.value()]));
        assert_eq!(given.expect("itself"), Value::Host(outer.id(), PYR_LENT_OBJECT));
        assert_eq!(accounts(&outer), (0, 0));
    });
}
