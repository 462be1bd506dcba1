//! Containers that are deep, shared, in themselves, or wrong.

mod host;

use host::abi::*;
use host::calls::{Outcome, untouched};
use host::python;
use host::value::{Value, int, ints, text};

/// `depth` containers of `tag` in each other, round a 7.
fn nested(tag: pyr_tag, depth: usize) -> Vec<pyr_value> {
    let mut cells = vec![
        pyr_value {
            tag,
            aux: 1,
            of: pyr_payload { integer: 0 }
        };
        depth
    ];
    cells.push(pyr_value {
        tag: PYR_INT,
        aux: 0,
        of: pyr_payload { integer: 7 },
    });
    let first = cells.as_mut_ptr();
    for index in 0..depth {
        // SAFETY: there are `depth + 1` cells, and the vector is not moved out of its memory.
        unsafe { (*first.add(index)).of.items = first.add(index + 1) };
    }
    cells
}

/// How deep the containers of `tag` in a converted `handle` are, and what is innermost.
fn depth_of(handle: &Value, tag: pyr_tag) -> Result<(usize, i64), pyr_status> {
    let handle = pyr_value {
        tag: PYR_HANDLE,
        aux: 0,
        of: pyr_payload {
            handle: handle.handle(),
        },
    };
    let (mut result, api) = (untouched(), &python().api);
    // SAFETY: the cell lives until the call returns; the result is read before it is freed.
    unsafe {
        let status = (api.pyr_convert)(&raw const handle, 0, &raw mut result);
        if status != PYR_OK {
            return Err(status);
        }
        let (mut cell, mut depth) = (&raw const result.value, 0);
        while (*cell).tag == tag {
            assert_eq!((*cell).aux, 1);
            (cell, depth) = ((*cell).of.items, depth + 1);
        }
        let innermost = (*cell).of.integer;
        (api.pyr_result_free)(&raw mut result);
        Ok((depth, innermost))
    }
}

fn send(cells: &[pyr_value]) -> Outcome {
    // SAFETY: the cells live until the call returns.
    python().outcome(|out| unsafe { (python().api.pyr_convert)(cells.as_ptr(), PYR_REMOTE, out) })
}

#[test]
fn containers_nest_as_deep_as_is_promised() {
    for tag in [PYR_LIST, PYR_TUPLE] {
        for depth in [1, 17, 1000, PYR_MAXIMUM_DEPTH as usize] {
            let handle = send(&nested(tag, depth)).expect("it is not too deep");
            assert_eq!(depth_of(&handle, tag), Ok((depth, 7)), "tag {tag}");
            python().release(handle.handle());
        }
    }
}

#[test]
fn containers_that_nest_deeper_are_refused_both_ways() {
    let handle = send(&nested(PYR_LIST, PYR_MAXIMUM_DEPTH as usize)).expect("it is not too deep");
    let deeper = Value::List(vec![Value::List(vec![Value::List(vec![handle.clone()])])]);
    let deeper = python()
        .convert(&deeper, PYR_REMOTE)
        .expect("handles are not looked into");
    assert_eq!(depth_of(&deeper, PYR_LIST), Err(PYR_TOO_DEEP));
    python().release(handle.handle());
    python().release(deeper.handle());
    let failure = send(&nested(PYR_TUPLE, PYR_MAXIMUM_DEPTH as usize + 3)).expect_err("it is too deep");
    assert_eq!(failure.status, PYR_TOO_DEEP);
}

#[test]
fn a_container_in_itself_is_refused() {
    python()
        .exec(
            "depth_list = []; depth_list.append([1, depth_list])\n\
             depth_dict = {}; depth_dict['a'] = ({}, depth_dict)\n\
             depth_far = inner = []\n\
             for _ in range(40): inner.append([]); inner = inner[0]\n\
             inner.append(depth_far)\n\
             depth_below = [0, [inner]]\n",
        )
        .expect("containers");
    for name in ["depth_list", "depth_dict", "depth_far", "depth_below"] {
        assert_eq!(
            python().get(name).expect_err("it has no end").status,
            PYR_CIRCULAR,
            "{name}"
        );
        assert!(
            matches!(
                python().eval_parts(&[name.into()], PYR_REMOTE),
                Ok(Value::Handle(_))
            ),
            "{name}"
        );
    }
}

#[test]
fn a_container_that_is_met_twice_comes_twice() {
    let twice = python()
        .eval("(lambda shared: [shared, (shared,), {1: shared}])([1])")
        .expect("a list");
    let one = ints([1]);
    let dict = Value::Dict(vec![(int(1), one.clone())]);
    assert_eq!(
        twice,
        Value::List(vec![one.clone(), Value::Tuple(vec![one]), dict])
    );
}

#[test]
fn what_is_in_a_container_may_be_wrong_anywhere() {
    let python = python();
    let deep = |value| {
        Value::List(vec![
            int(1),
            Value::Tuple(vec![Value::Dict(vec![(text("k"), value)])]),
        ])
    };
    for (bad, status) in [
        (Value::Bare { tag: 0, aux: 0 }, PYR_INVALID_TAG),
        (Value::Bare { tag: 1000, aux: 0 }, PYR_INVALID_TAG),
        (
            Value::Bare {
                tag: u32::MAX,
                aux: 0,
            },
            PYR_INVALID_TAG,
        ),
        (Value::Handle(0), PYR_INVALID_HANDLE),
        (Value::Handle(u64::MAX), PYR_INVALID_HANDLE),
        (Value::Utf8(vec![0xFF]), PYR_INVALID_TEXT),
        (Value::Utf8(vec![0xC3]), PYR_INVALID_TEXT),
        (Value::Utf8(vec![0xC0, 0x80]), PYR_INVALID_TEXT),
        (Value::Utf8(vec![0xF4, 0x90, 0x80, 0x80]), PYR_INVALID_TEXT),
        (Value::Points(vec![0x11_0000]), PYR_INVALID_TEXT),
        (Value::Points(vec![0x61, u32::MAX]), PYR_INVALID_TEXT),
        (
            Value::Bare {
                tag: PYR_UCS4,
                aux: 3,
            },
            PYR_NULL_ARGUMENT,
        ),
        (
            Value::Bare {
                tag: PYR_DICT,
                aux: 3,
            },
            PYR_NULL_ARGUMENT,
        ),
        (
            Value::Bare {
                tag: PYR_ARRAY,
                aux: 0,
            },
            PYR_NULL_ARGUMENT,
        ),
    ] {
        for value in [
            bad.clone(),
            deep(bad.clone()),
            Value::Dict(vec![(bad.clone(), int(1))]),
        ] {
            let failure = python.convert(&value, 0).expect_err("it is wrong");
            assert_eq!(failure.status, status, "{value:?}: {failure:?}");
            assert_eq!((&*failure.type_name, failure.exception), ("", 0), "{value:?}");
            assert!(!failure.message.is_empty(), "{value:?}");
        }
    }
    let failure = python
        .convert(Value::Dict(vec![(ints([1]), int(2))]), 0)
        .expect_err("lists are no keys");
    assert_eq!(
        (failure.status, &*failure.type_name),
        (PYR_PYTHON_ERROR, "TypeError")
    );
}

#[test]
fn handles_made_for_a_conversion_that_fails_are_given_back() {
    let python = python();
    python
        .exec("depth_half = [object() for _ in range(100)]; depth_half.append(depth_half)")
        .expect("a list");
    let before = python.settled();
    for _ in 0..100 {
        assert_eq!(
            python.get("depth_half").expect_err("it has no end").status,
            PYR_CIRCULAR
        );
    }
    // The other tests of this file hold a few handles now and then.
    assert!(
        python.settled() < before + 50,
        "{} were {before}",
        python.settled()
    );
}
