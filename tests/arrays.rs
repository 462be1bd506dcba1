//! numpy arrays, there and back. What needs numpy is skipped, and says so, where it is not installed.

mod host;

use host::abi::*;
use host::value::{Value, int, ints, text};
use host::{numpy, python};

const ELEMENTS: [(pyr_element, &str, usize); 12] = [
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
];

fn array(element: pyr_element, dimensions: &[usize], data: Vec<u8>) -> Value {
    Value::Array {
        element,
        dimensions: dimensions.to_vec(),
        data,
    }
}

#[test]
fn arrays_of_every_element_type_and_rank_come_back_the_same() {
    let Some(python) = numpy() else { return };
    for (element, name, size) in ELEMENTS {
        for dimensions in [&[6][..], &[2, 3], &[1, 2, 1, 3], &[0], &[3, 0, 2], &[1; 32]] {
            let length = size * dimensions.iter().product::<usize>();
            // The bytes of small numbers, so that no float of them is a NaN.
            let data = (0..length).map(|index| (index % 50) as u8).collect();
            let given = array(element, dimensions, data);
            let handle = python.convert(&given, PYR_REMOTE).expect("a handle");
            let kind = python.eval_parts(&["str(".into(), handle.clone(), ".dtype)".into()], 0);
            assert_eq!(kind.expect("text"), text(name));
            let shape = python.getattr(&handle, "shape", 0).expect("a tuple");
            assert_eq!(
                shape,
                Value::Tuple(dimensions.iter().map(|&size| int(size as i64)).collect())
            );
            assert_eq!(
                python.convert(&handle, 0).expect("an array"),
                given,
                "{name} {dimensions:?}"
            );
            python.release(handle.handle());
        }
    }
}

#[test]
fn elements_stand_in_c_order() {
    let Some(python) = numpy() else { return };
    let data: Vec<u8> = (0..6i32).flat_map(i32::to_ne_bytes).collect();
    let given = array(PYR_INT32, &[2, 3], data);
    let list = python.method(&given, "tolist", &[], &[]).expect("a list");
    assert_eq!(list, Value::List(vec![ints([0, 1, 2]), ints([3, 4, 5])]));
    for source in [
        "numpy.arange(6, dtype='i4').reshape(2, 3)",
        "numpy.arange(6, dtype='>i4').reshape(2, 3)",
        "numpy.asfortranarray(numpy.arange(6, dtype='i4').reshape(2, 3))",
        "numpy.arange(12, dtype='i4')[::2].reshape(2, 3) // 2",
        "numpy.arange(12, dtype='i4').reshape(2, 6)[:, :3] - numpy.array([[0], [3]], dtype='i4')",
        "numpy.arange(5, -1, -1, dtype='i4')[::-1].reshape(2, 3)",
    ] {
        assert_eq!(python.eval(source).expect("an array"), given, "{source}");
    }
}

#[test]
fn an_array_in_a_result_lives_as_long_as_the_result() {
    let Some(python) = numpy() else { return };
    let nested = python
        .eval("{'a': [numpy.ones(1000), numpy.zeros(3, 'u1')]}")
        .expect("a dict");
    let ones: Vec<u8> = std::iter::repeat_n(1f64.to_ne_bytes(), 1000).flatten().collect();
    let arrays = vec![
        array(PYR_FLOAT64, &[1000], ones),
        array(PYR_UINT8, &[3], vec![0; 3]),
    ];
    assert_eq!(nested, Value::Dict(vec![(text("a"), Value::List(arrays))]));
}

#[test]
fn arrays_of_the_host_are_copied() {
    let Some(python) = numpy() else { return };
    let given = array(PYR_UINT8, &[3], vec![1, 2, 3]);
    let changed = python.call(
        "lambda array: (array.fill(9), array)[1]",
        std::slice::from_ref(&given),
    );
    assert_eq!(changed.expect("an array"), array(PYR_UINT8, &[3], vec![9; 3]));
    assert_eq!(given, array(PYR_UINT8, &[3], vec![1, 2, 3]));
}

#[test]
fn numpy_s_scalars_are_numbers() {
    let Some(python) = numpy() else { return };
    for (source, value) in [
        ("numpy.float64(1.5)", Value::Float(1.5)),
        ("numpy.float32(1.5)", Value::Single(1.5)),
        ("numpy.float16(1.5)", Value::Single(1.5)),
        ("numpy.int8(-1)", int(-1)),
        ("numpy.int64(5)", int(5)),
        (
            "numpy.uint64(2**64 - 1)",
            Value::Big([vec![255; 8], vec![0]].concat()),
        ),
        ("numpy.bool_(True)", true.into()),
        ("numpy.str_('é')", text("é")),
        ("numpy.array(7, dtype='i2')", int(7)),
    ] {
        assert_eq!(python.eval(source).expect(source), value, "{source}");
        let listed = python.eval(&format!("[{source}]")).expect(source);
        assert_eq!(listed, Value::List(vec![value]), "{source}");
    }
}

#[test]
fn what_has_no_element_type_of_ours_is_a_handle() {
    let Some(python) = numpy() else { return };
    for source in [
        "numpy.array(['2020-01-01'], dtype='M8[D]')",
        "numpy.zeros(2, dtype=[('a', 'i4')])",
        "numpy.matrix([[1]])",
        "numpy.ma.array([1])",
    ] {
        let value = python.eval(source).expect(source);
        assert!(matches!(value, Value::Handle(_)), "{source}: {value:?}");
        python.release(value.handle());
    }
}

#[test]
fn arrays_of_objects_and_of_text_cross_element_by_element() {
    let Some(python) = numpy() else { return };
    let inner = Value::List(vec![int(1), Value::Objects(vec![1], vec![text("deep")])]);
    let array = Value::Objects(vec![2, 2], vec![int(1), text("two"), inner, Value::None]);
    assert_eq!(
        python.repr(&array, 0).expect("text"),
        text("array([[1, 'two'],\n       [list([1, array(['deep'], dtype=object)]), None]], dtype=object)")
    );
    assert_eq!(python.convert(&array, 0).expect("the same"), array);
    assert_eq!(
        python.eval("numpy.array([['a', 'bc']]).T").expect("text"),
        Value::Objects(vec![2, 1], vec![text("a"), text("bc")])
    );
    assert_eq!(
        python.eval("numpy.array([], dtype=object)").expect("nothing"),
        Value::Objects(vec![0], vec![])
    );
    python
        .exec("circle = numpy.empty(1, dtype=object); circle[0] = circle")
        .expect("a circle");
    assert_eq!(python.get("circle").expect_err("a circle").status, PYR_TOO_DEEP);
    python.exec("del circle").expect("gone");
    assert_eq!(
        python
            .convert(
                Value::Objects(vec![2], vec![int(1), Value::Bare { tag: 0, aux: 0 }]),
                0
            )
            .expect_err("a bad cell")
            .status,
        PYR_INVALID_TAG
    );
}

#[test]
fn bad_arrays_are_statuses() {
    let python = python();
    for (bad, status) in [
        (array(0, &[1], vec![0; 16]), PYR_INVALID_ARRAY),
        (array(1000, &[1], vec![0; 16]), PYR_INVALID_ARRAY),
        (array(PYR_UINT8, &[1; 33], vec![0]), PYR_INVALID_ARRAY),
        (
            array(PYR_FLOAT64, &[usize::MAX, 2], vec![0; 16]),
            PYR_INVALID_ARRAY,
        ),
        (array(PYR_FLOAT64, &[1 << 61], vec![0; 16]), PYR_INVALID_ARRAY),
    ] {
        let failure = python.convert(&bad, 0).expect_err("it cannot be converted");
        assert_eq!(
            (failure.status, failure.exception),
            (status, 0),
            "{bad:?}: {failure:?}"
        );
    }
    let empty = pyr_array {
        data: std::ptr::null(),
        dimensions: std::ptr::null(),
        rank: 1,
        element: PYR_UINT8,
    };
    let three = [3usize];
    let no_data = pyr_array {
        dimensions: three.as_ptr(),
        ..empty
    };
    for array in [empty, no_data] {
        let cell = pyr_value {
            tag: PYR_ARRAY,
            aux: 0,
            of: pyr_payload {
                array: &raw const array,
            },
        };
        // SAFETY: the cell and the array live until the call returns.
        let outcome = python.outcome(|out| unsafe { (python.api.pyr_convert)(&raw const cell, 0, out) });
        assert_eq!(outcome.expect_err("NULL is nothing").status, PYR_NULL_ARGUMENT);
    }
}

#[test]
fn a_list_that_changes_while_it_is_converted_is_refused() {
    let Some(python) = numpy() else { return };
    // Bringing an array into C order calls Python code; here this imports, and the import adds an item.
    python
        .exec(
            "import builtins\narrays_list = [numpy.arange(6)[::2], 1]\narrays_import = builtins.__import__\n\
             def arrays_adding(*args, **keywords):\n    arrays_list.append(2)\n    \
             return arrays_import(*args, **keywords)\nbuiltins.__import__ = arrays_adding",
        )
        .expect("statements");
    let outcome = python.get("arrays_list");
    python
        .exec("builtins.__import__ = arrays_import")
        .expect("a statement");
    assert_eq!(outcome.expect_err("it has grown").status, PYR_CHANGED);
}
