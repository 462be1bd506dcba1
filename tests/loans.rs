//! Arrays that the host lends: Python works on the host's own memory. What needs numpy is skipped, and
//! says so, where it is not installed.

mod host;

use std::ptr::null_mut;

use host::abi::*;
use host::loans::{Lent, fresh_id};
use host::value::{Value, int, ints, text};
use host::{numpy, python};

const ELEMENTS: [(pyr_element, &str, usize); 13] = [
    (PYR_FLOAT32, "float32", 4),
    (PYR_FLOAT64, "float64", 8),
    (PYR_INT8, "int8", 1),
    (PYR_INT16, "int16", 2),
    (PYR_INT32, "int32", 4),
    (PYR_INT64, "int64", 8),
    (PYR_UINT8, "uint8", 1),
    (PYR_UINT16, "uint16", 2),
    (PYR_UINT32, "uint32", 4),
    (PYR_UINT64, "uint64", 8),
    (PYR_COMPLEX64, "complex64", 8),
    (PYR_COMPLEX128, "complex128", 16),
    (PYR_BOOL8, "bool", 1),
];

/// What `function`, an expression, makes of `lent` alone.
fn apply(function: &str, lent: &Lent) -> Value {
    python().call(function, &[lent.value()]).expect(function)
}

/// Check that Python did not keep `lent`, and was not said to have let go of it.
fn assert_not_kept(lent: &Lent) {
    assert_eq!((lent.kept(), python().released(lent.id())), (0, 0));
}

#[test]
fn every_element_type_is_lent() {
    let Some(python) = numpy() else { return };
    for (element, name, size) in ELEMENTS {
        // Aligned for every type; the bytes of small numbers, or of truth values.
        let mut memory: [u128; 6] = std::array::from_fn(|index| u128::from(index % 2 == 0));
        let address = memory.as_mut_ptr() as usize;
        let lent = Lent::array(fresh_id(), element, &[2, 3], memory.as_mut_ptr());
        let facts = "lambda a: [str(a.dtype), a.shape, a.nbytes, a.ctypes.data, a.flags.owndata, \
                     a.flags.writeable, a.flags.c_contiguous, a.flags.aligned]";
        assert_eq!(
            apply(facts, &lent),
            Value::List(vec![
                text(name),
                Value::Tuple(vec![int(2), int(3)]),
                int(6 * size as i64),
                int(address as i64),
                false.into(),
                true.into(),
                true.into(),
                true.into(),
            ])
        );
        let bytes = memory
            .iter()
            .flat_map(|number| number.to_ne_bytes())
            .take(6 * size);
        let given = python.call("lambda a: a.tobytes()", &[lent.value()]);
        assert_eq!(given.expect("bytes"), Value::Bytes(bytes.collect()), "{name}");
        assert_eq!(apply("lambda a: a.fill(0)", &lent), Value::None);
        let written = memory.iter().flat_map(|number| number.to_ne_bytes());
        assert!(written.take(6 * size).all(|byte| byte == 0), "{name}");
        assert_not_kept(&lent);
    }
}

#[test]
fn every_number_of_dimensions_is_lent() {
    let Some(_) = numpy() else { return };
    let mut numbers: Vec<i32> = (0..128).collect();
    for rank in 0..8 {
        let dimensions = vec![2; rank];
        let lent = Lent::array(fresh_id(), PYR_INT32, &dimensions, numbers.as_mut_ptr());
        let size = 1 << rank;
        assert_eq!(
            apply("lambda a: [a.ndim, a.size, int(a.sum()), a.strides]", &lent),
            Value::List(vec![
                int(rank as i64),
                int(size),
                int(size * (size - 1) / 2),
                Value::Tuple((0..rank).rev().map(|inner| int(4 << inner)).collect()),
            ])
        );
        assert_eq!(
            apply("lambda a: a", &lent),
            Value::Host(lent.id(), PYR_LENT_ARRAY)
        );
        assert_not_kept(&lent);
    }
}

#[test]
fn strides_may_be_any() {
    let Some(python) = numpy() else { return };
    let mut numbers: Vec<i16> = (0..6).collect();
    let start = numbers.as_mut_ptr();
    // SAFETY: within the vector.
    let last = unsafe { start.add(5) };
    for (data, strides, expected) in [
        (start, [6, 2], [[0, 1, 2], [3, 4, 5]]),
        (start, [2, 4], [[0, 2, 4], [1, 3, 5]]),
        (last, [-6, -2], [[5, 4, 3], [2, 1, 0]]),
        (start, [0, 2], [[0, 1, 2], [0, 1, 2]]),
        (last, [0, 0], [[5, 5, 5], [5, 5, 5]]),
    ] {
        let lent = Lent::array(fresh_id(), PYR_INT16, &[2, 3], data).strided(&strides);
        let rows = expected.map(ints);
        assert_eq!(
            apply("lambda a: [a.strides, a.tolist()]", &lent),
            Value::List(vec![
                Value::Tuple(strides.iter().map(|&stride| int(stride as i64)).collect()),
                Value::List(rows.to_vec()),
            ])
        );
        let given = python
            .call("lambda a: [a, a.T]", &[lent.value()])
            .expect("a list");
        let Value::List(given) = given else {
            panic!("{given:?}")
        };
        assert_eq!(given[0], Value::Host(lent.id(), PYR_LENT_ARRAY));
        assert!(matches!(given[1], Value::Array { .. }), "{:?}", given[1]);
        assert_not_kept(&lent);
    }
    let column = Lent::array(fresh_id(), PYR_INT16, &[2, 3], start).strided(&[2, 4]);
    apply("lambda a: a.__setitem__((0, 1), 70)", &column);
    assert_eq!(numbers, [0, 1, 70, 3, 4, 5]);
}

#[test]
fn memory_that_is_not_aligned_is_known_for_it() {
    let Some(_) = numpy() else { return };
    let mut memory = [0u128; 4];
    // SAFETY: within the array.
    let odd = unsafe { memory.as_mut_ptr().cast::<u8>().add(1) };
    for strides in [None, Some([8])] {
        let mut lent = Lent::array(fresh_id(), PYR_FLOAT64, &[3], odd);
        if let Some(strides) = strides {
            lent = lent.strided(&strides);
        }
        let facts = apply("lambda a: (a.fill(1.5), [a.flags.aligned, a.sum()])[1]", &lent);
        assert_eq!(facts, Value::List(vec![false.into(), 4.5.into()]));
        assert_not_kept(&lent);
    }
}

#[test]
fn python_cannot_write_to_what_is_read_only() {
    let Some(python) = numpy() else { return };
    let mut numbers = [1.0f64, 2.0];
    let lent = Lent::array(fresh_id(), PYR_FLOAT64, &[2], numbers.as_mut_ptr()).read_only();
    assert_eq!(apply("lambda a: a.sum()", &lent), 3.0.into());
    for write in [
        "lambda a: a.fill(9)",
        "lambda a: a.sort()",
        "lambda a: a.flags.__setattr__('writeable', True)",
        "lambda a: a.view().flags.__setattr__('writeable', True)",
        "lambda a: memoryview(a).__setitem__(0, 9.0)",
    ] {
        let failure = python
            .call(write, &[lent.value()])
            .expect_err("it is not to be written to");
        assert_eq!(failure.status, PYR_PYTHON_ERROR, "{write}: {failure:?}");
    }
    assert_eq!(
        apply("lambda a: a", &lent),
        Value::Host(lent.id(), PYR_LENT_ARRAY)
    );
    assert_eq!(numbers, [1.0, 2.0]);
    let empty = Lent::array(fresh_id(), PYR_FLOAT64, &[0], null_mut::<f64>()).read_only();
    assert_eq!(apply("lambda a: a.flags.writeable", &empty), false.into());
}

#[test]
fn arrays_without_elements_are_lent() {
    let Some(_) = numpy() else { return };
    let mut one = [1.0f64];
    for data in [null_mut(), one.as_mut_ptr()] {
        for dimensions in [&[0][..], &[2, 0], &[0, 3], &[0, 0, 0]] {
            let lent = Lent::array(fresh_id(), PYR_FLOAT64, dimensions, data);
            assert_eq!(
                apply("lambda a: [a.size, a.flags.owndata, a.flags.c_contiguous]", &lent),
                Value::List(vec![int(0), false.into(), true.into()])
            );
            let shape = Value::Tuple(dimensions.iter().map(|&size| int(size as i64)).collect());
            assert_eq!(apply("lambda a: a.shape", &lent), shape);
            assert_eq!(
                apply("lambda a: a", &lent),
                Value::Host(lent.id(), PYR_LENT_ARRAY)
            );
            assert_not_kept(&lent);
        }
    }
}

#[test]
fn what_python_writes_is_in_the_host_s_memory() {
    let Some(python) = numpy() else { return };
    let mut numbers: Vec<f64> = (0..1000).map(f64::from).collect();
    let lent = Lent::array(fresh_id(), PYR_FLOAT64, &[10, 100], numbers.as_mut_ptr());
    python
        .exec("def loans_write(a):\n    a *= 2\n    a[3, 5:7] = -1\n    a.T[99][9] = 7\n    return a[9, 98]")
        .expect("a function");
    assert_eq!(apply("loans_write", &lent), 1996.0.into());
    let expected = (0..1000).map(|index| match index {
        305 | 306 => -1.0,
        999 => 7.0,
        _ => 2.0 * f64::from(index),
    });
    assert!(numbers.iter().copied().eq(expected));
    assert_not_kept(&lent);
}

#[test]
fn the_array_itself_comes_back_and_nothing_else_does() {
    let Some(python) = numpy() else { return };
    let mut numbers = [0.0f64; 12];
    for (function, itself) in [
        ("lambda a: a", true),
        ("lambda a: numpy.asarray(a)", true),
        ("lambda a: numpy.ascontiguousarray(a)", true),
        ("lambda a: a.__iadd__(1)", true),
        (
            "lambda a: (setattr(a, 'shape', (4, 3)), setattr(a, 'shape', (3, 4)), a)[-1]",
            true,
        ),
        (
            "lambda a: (setattr(a, 'dtype', 'i8'), setattr(a, 'dtype', 'f8'), a)[-1]",
            true,
        ),
        ("lambda a: (a.flags.__setattr__('writeable', False), a)[-1]", true),
        ("lambda a: a[:]", false),
        ("lambda a: a.view()", false),
        ("lambda a: a.reshape(3, 4)", false),
        ("lambda a: a.copy()", false),
        ("lambda a: a + 1", false),
        ("lambda a: a.T.T", false),
        ("lambda a: a.view(numpy.matrix).view(numpy.ndarray)", false),
        ("lambda a: (setattr(a, 'shape', (4, 3)), a)[-1]", false),
        ("lambda a: (setattr(a, 'shape', 12), a)[-1]", false),
        ("lambda a: (setattr(a, 'strides', (8, 8)), a)[-1]", false),
        // The same shape and the same strides, but other numbers.
        ("lambda a: (setattr(a, 'dtype', 'i8'), a)[-1]", false),
        ("lambda a: (setattr(a, 'dtype', '>f8'), a)[-1]", false),
        ("lambda a: (setattr(a, 'dtype', 'c8'), a)[-1]", false),
    ] {
        let lent = Lent::array(fresh_id(), PYR_FLOAT64, &[3, 4], numbers.as_mut_ptr());
        let given = apply(function, &lent);
        if itself {
            assert_eq!(given, Value::Host(lent.id(), PYR_LENT_ARRAY), "{function}");
        } else {
            assert!(matches!(given, Value::Array { .. }), "{function}: {given:?}");
        }
        python.settled();
        assert_not_kept(&lent);
    }
}

#[test]
fn a_type_that_was_changed_in_place_is_the_type_that_comes_back() {
    let Some(_) = numpy() else { return };
    let mut numbers = [1.0f64, -2.0];
    let lent = Lent::array(fresh_id(), PYR_FLOAT64, &[2], numbers.as_mut_ptr());
    let Value::Array { element, data, .. } = apply("lambda a: (setattr(a, 'dtype', 'i8'), a)[-1]", &lent)
    else {
        panic!("not an array")
    };
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    assert_eq!((element, data), (PYR_INT64, bytes));
}

#[test]
fn what_is_lent_comes_back_from_inside_containers() {
    let Some(python) = numpy() else { return };
    let mut numbers = [1i64, 2, 3];
    let lent = Lent::array(fresh_id(), PYR_INT64, &[3], numbers.as_mut_ptr());
    let host = Value::Host(lent.id(), PYR_LENT_ARRAY);
    let given = Value::Tuple(vec![
        Value::List(vec![lent.value(), int(1)]),
        Value::Dict(vec![(text("a"), lent.value())]),
        Value::Objects(vec![1], vec![lent.value()]),
    ]);
    let expected = Value::Tuple(vec![
        Value::List(vec![host.clone(), int(1)]),
        Value::Dict(vec![(text("a"), host.clone())]),
        Value::Objects(vec![1], vec![host.clone()]),
    ]);
    assert_eq!(python.call("lambda x: x", &[given]).expect("the same"), expected);
    assert_not_kept(&lent);
    let keywords = [(text("a"), lent.value())];
    let given = python.call_with("lambda **k: [k, k['a'].sum()]", &[], &keywords, 0);
    assert_eq!(
        given.expect("the same"),
        Value::List(vec![Value::Dict(vec![(text("a"), host)]), int(6)])
    );
    assert_not_kept(&lent);
}

#[test]
fn a_loan_may_be_given_more_than_once() {
    let Some(python) = numpy() else { return };
    let mut numbers = [1i64, 2, 3];
    let lent = Lent::array(fresh_id(), PYR_INT64, &[3], numbers.as_mut_ptr());
    let arguments = [lent.value(), lent.value(), Value::List(vec![lent.value()])];
    let given = python.call("lambda a, b, c: (a.fill(4), b.tolist(), a, b, c)[1:]", &arguments);
    let host = Value::Host(lent.id(), PYR_LENT_ARRAY);
    let expected = vec![
        ints([4, 4, 4]),
        host.clone(),
        host.clone(),
        Value::List(vec![host]),
    ];
    assert_eq!(given.expect("the same memory"), Value::Tuple(expected));
    assert_not_kept(&lent);
    // Each is an array of its own: two of them are kept.
    let keep = "lambda a, b, c: globals().update(loans_twice=[a, c])";
    python.call(keep, &arguments).expect("None");
    assert_eq!((lent.kept(), python.released(lent.id())), (2, 0));
    python.exec("del loans_twice[0]").expect("one is gone");
    assert_eq!(python.released(lent.id()), 1);
    python.exec("del loans_twice").expect("both are gone");
    assert_eq!(python.released(lent.id()), 2);
}

#[test]
fn loans_are_taken_wherever_there_is_a_value() {
    let Some(python) = numpy() else { return };
    let mut numbers = [1i64, 2, 3];
    let lent = Lent::array(fresh_id(), PYR_INT64, &[3], numbers.as_mut_ptr());
    let host = Value::Host(lent.id(), PYR_LENT_ARRAY);
    assert_eq!(python.convert(lent.value(), 0).expect("itself"), host);
    assert_eq!(python.str(lent.value()).expect("text"), text("[1 2 3]"));
    let parts = [
        "[".into(),
        lent.value(),
        ".max(), ".into(),
        lent.value(),
        "]".into(),
    ];
    assert_eq!(
        python.eval_parts(&parts, 0).expect("a list"),
        Value::List(vec![int(3), host])
    );
    python
        .exec_parts(&[lent.value(), "[0] = 8".into()])
        .expect("a statement");
    assert_eq!(python.getattr(lent.value(), "size", 0).expect("a number"), int(3));
    assert_eq!(python.getitem(lent.value(), int(0), 0).expect("a number"), int(8));
    python.setitem(lent.value(), int(1), int(9)).expect("an item");
    assert_eq!(
        python.method(lent.value(), "max", &[], &[]).expect("a number"),
        int(9)
    );
    assert!(!python.is(lent.value(), lent.value()).expect("two arrays"));
    assert_not_kept(&lent);
    assert_eq!(numbers, [8, 9, 3]);
    python.set("loans_set", lent.value()).expect("a global");
    assert_eq!((lent.kept(), python.released(lent.id())), (1, 0));
    python.set("loans_set", 0).expect("a global");
    assert_eq!(python.released(lent.id()), 1);
}
