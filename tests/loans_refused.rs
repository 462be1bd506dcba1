//! Loans that are refused, and calls that fail: nothing is lent then, and nothing is left behind.

mod host;

use std::ptr::{null, null_mut};

use host::abi::*;
use host::loans::{Lent, fresh_id, told};
use host::value::{Value, int, text};
use host::{Host, numpy, python};

/// The status of a call with `argument` among others.
fn refused(python: &Host, argument: Value) -> (pyr_status, String) {
    let failure = python
        .call("lambda *a: None", &[int(1), argument, int(2)])
        .expect_err("it is refused");
    assert_eq!(failure.exception != 0, failure.status == PYR_PYTHON_ERROR);
    (failure.status, failure.message.clone())
}

#[test]
fn bad_loans_are_statuses() {
    let python = python();
    let object = || Lent::object(fresh_id());
    static OTHER: Other = Other(pyr_host {
        size: size_of::<pyr_host>() - 8,
        release: None,
        ask: None,
        flags: 0,
        reserved: 0,
    });
    for (lent, status) in [
        (object().with(|loan| loan.id = 1 << 62), PYR_INVALID_FLAGS),
        (object().with(|loan| loan.id = u64::MAX), PYR_INVALID_FLAGS),
        (object().with(|loan| loan.flags = 2), PYR_INVALID_FLAGS),
        (object().with(|loan| loan.flags = u32::MAX), PYR_INVALID_FLAGS),
        (object().with(|loan| loan.reserved = 1), PYR_INVALID_FLAGS),
        (object().with(|loan| loan.kind = 0), PYR_INVALID_TAG),
        (object().with(|loan| loan.kind = 4), PYR_INVALID_TAG),
        (object().with(|loan| loan.kind = u32::MAX), PYR_INVALID_TAG),
        (
            object().with(|loan| loan.host = &raw const OTHER.0),
            PYR_INVALID_SIZE,
        ),
    ] {
        assert_eq!(refused(python, lent.value()).0, status);
        assert_eq!(lent.kept(), 0);
    }
    assert_eq!(refused(python, Value::Loan(0)).0, PYR_NULL_ARGUMENT);
    // What a result has is no argument.
    assert_eq!(
        refused(python, Value::Host(1, PYR_LENT_OBJECT)).0,
        PYR_INVALID_TAG
    );
}

struct Other(pyr_host);

// SAFETY: no pointers in it.
unsafe impl Sync for Other {}

#[test]
fn ids_may_be_any_below_2_62() {
    let python = python();
    for id in [0, 1, (1 << 62) - 1] {
        for lent in [Lent::object(id), Lent::function(id).told(1)] {
            let Value::Host(given, _) = python.convert(lent.value(), 0).expect("itself") else {
                panic!("not the host's")
            };
            assert_eq!((given, lent.kept()), (id, 0));
        }
    }
}

#[test]
fn bad_arrays_are_statuses() {
    let Some(python) = numpy() else { return };
    let mut numbers = [1.0f64; 4];
    let data = numbers.as_mut_ptr();
    let array = |element, dimensions: &[usize]| Lent::array(fresh_id(), element, dimensions, data);
    for (lent, status) in [
        (array(0, &[4]), PYR_INVALID_ARRAY),
        (array(1000, &[4]), PYR_INVALID_ARRAY),
        (array(PYR_OBJECT, &[2]), PYR_INVALID_ARRAY),
        (array(PYR_OBJECT, &[0]), PYR_INVALID_ARRAY),
        (array(PYR_FLOAT64, &[1; 33]), PYR_INVALID_ARRAY),
        (array(PYR_FLOAT64, &[usize::MAX, 2]), PYR_INVALID_ARRAY),
        (array(PYR_FLOAT64, &[1 << 61]), PYR_INVALID_ARRAY),
        (array(PYR_FLOAT64, &[0, usize::MAX]), PYR_PYTHON_ERROR),
        (
            array(PYR_FLOAT64, &[4]).with(|loan| loan.array = null()),
            PYR_NULL_ARGUMENT,
        ),
        (
            Lent::array(fresh_id(), PYR_FLOAT64, &[4], null_mut::<f64>()),
            PYR_NULL_ARGUMENT,
        ),
    ] {
        let said = refused(python, lent.value());
        assert_eq!(said.0, status, "{said:?}");
        assert_eq!(lent.kept(), 0);
        python.clear_error();
        python.settled();
        assert_eq!(python.released(lent.id()), 0);
    }
    assert!(
        refused(python, array(PYR_OBJECT, &[2]).value())
            .1
            .contains("objects")
    );
    let mut lent = array(PYR_FLOAT64, &[4]);
    lent.described().dimensions = null();
    assert_eq!(refused(python, lent.value()).0, PYR_NULL_ARGUMENT);
    // Without dimensions there is one element.
    lent.described().rank = 0;
    assert_eq!(
        python.call("lambda a: a + 1", &[lent.value()]).expect("a number"),
        2.0.into()
    );
}

#[test]
fn calls_that_fail_keep_nothing() {
    let python = python();
    let bad = Value::Bare { tag: 1000, aux: 0 };
    let (one, two, three) = (
        Lent::object(fresh_id()),
        Lent::function(fresh_id()),
        Lent::object(fresh_id()).told(3),
    );
    let values = [one.value(), two.value(), three.value()];
    let list = Value::List(values.to_vec());
    let [a, b, c] = values;
    for arguments in [
        vec![bad.clone(), a.clone()],
        vec![a.clone(), b.clone(), c.clone(), bad.clone()],
        vec![list.clone(), bad.clone()],
        vec![Value::List(vec![list.clone(), bad.clone()])],
        vec![Value::Dict(vec![
            (a.clone(), list.clone()),
            (bad.clone(), b.clone()),
        ])],
        // Lists are no keys.
        vec![Value::Dict(vec![(list.clone(), a.clone())])],
        vec![a.clone(), Value::Loan(0)],
    ] {
        let failure = python.call("lambda *a: a", &arguments).expect_err("a bad cell");
        assert!([PYR_INVALID_TAG, PYR_PYTHON_ERROR, PYR_NULL_ARGUMENT].contains(&failure.status));
    }
    // Names that are not there, and functions that do not take the arguments.
    for function in ["loans_undefined", "abs", "len", "lambda: 1"] {
        let failure = python.call(function, std::slice::from_ref(&list));
        drop(failure.err());
        let failure = python.call(function, &[a.clone(), b.clone(), c.clone()]);
        assert_eq!(
            failure.expect_err("it fails").status,
            PYR_PYTHON_ERROR,
            "{function}"
        );
    }
    // Results that cannot be converted, after cells for what is lent and handles.
    python
        .exec("def loans_circle(*x):\n    y = [*x, object(), [*x]]\n    y.append(y)\n    return y")
        .expect("a function");
    let failure = python.call("loans_circle", &[a.clone(), b.clone(), c.clone()]);
    assert_eq!(failure.expect_err("a circle").status, PYR_CIRCULAR);
    python.clear_error();
    python.eval("__import__('gc').collect()").expect("a number");
    python.settled();
    assert_eq!(one.kept() as usize, python.released(one.id()));
    assert_eq!(two.kept() as usize, python.released(two.id()));
    assert_eq!(three.kept() as usize, told(three.id()).len());
    // They are lent as before.
    let given = python.call("lambda *a: [type(x).__name__ for x in a]", &[a, b, c]);
    assert_eq!(
        given.expect("names"),
        Value::List(["Object", "Function", "Object"].map(text).to_vec())
    );
}

#[test]
fn a_call_that_fails_before_python_has_the_loan_does_not_keep_it() {
    let python = python();
    let bad = Value::Bare { tag: 1000, aux: 0 };
    for place in 0..4 {
        let lents: [Lent; 3] = std::array::from_fn(|_| Lent::object(fresh_id()));
        let mut arguments: Vec<Value> = lents.iter().map(Lent::value).collect();
        arguments.insert(place, bad.clone());
        let failure = python.call("print", &arguments).expect_err("a bad cell");
        assert_eq!(failure.status, PYR_INVALID_TAG);
        for lent in &lents {
            assert_eq!((lent.kept(), python.released(lent.id())), (0, 0), "{place}");
        }
    }
}

#[test]
fn memory_of_a_call_that_fails_is_not_kept_by_its_result() {
    let Some(python) = numpy() else { return };
    python
        .exec("def loans_view(a):\n    y = [a[1:], a]\n    y.append(y)\n    return y")
        .expect("a function");
    let mut numbers = vec![0.0f64; 10_000];
    let lent = Lent::array(fresh_id(), PYR_FLOAT64, &[10_000], numbers.as_mut_ptr());
    let failure = python.call("loans_view", &[lent.value()]);
    assert_eq!(failure.expect_err("a circle").status, PYR_CIRCULAR);
    python.eval("__import__('gc').collect()").expect("a number");
    python.settled();
    assert_eq!(lent.kept() as usize, python.released(lent.id()));
}
