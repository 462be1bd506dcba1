//! Python calls functions of the host's: arguments, values, errors.

mod host;

use std::sync::{Arc, Mutex};

use host::abi::*;
use host::answers::{Asked, function, function_of};
use host::calls::Outcome;
use host::python;
use host::value::{Value, int, ints, text};

/// What Python gets when it calls `body` with arguments as `source` writes them, `f` being the function.
fn calling(source: &str, body: impl Fn(&Asked) -> i32 + Send + Sync + 'static) -> Outcome {
    let function = function(body);
    python().call(&*format!("lambda f: {source}"), &[function.value()])
}

/// The arguments that a function gets when it is called as `source` says.
fn given(source: &str) -> (Vec<Value>, Vec<(Value, Value)>) {
    let seen = Arc::new(Mutex::new(None));
    let note = seen.clone();
    let outcome = calling(source, move |asked| {
        assert_eq!(asked.question, PYR_ASK_CALL);
        *note.lock().expect("no panic") = Some((asked.args.clone(), asked.keywords.clone()));
        asked.release_handles();
        asked.value(Value::None)
    });
    assert_eq!(outcome.expect(source), Value::None);
    let seen = seen.lock().expect("no panic").take();
    seen.expect("it was called")
}

#[test]
fn every_kind_of_argument_arrives() {
    let cases = [
        ("None", Value::None),
        ("True", true.into()),
        ("-7", int(-7)),
        ("2**63 - 1", int(i64::MAX)),
        ("2**63", Value::Big(vec![0, 0, 0, 0, 0, 0, 0, 0x80, 0])),
        ("1.5", Value::Float(1.5)),
        ("2-3j", Value::Complex([2.0, -3.0], false)),
        ("''", text("")),
        ("'\\0 \\xe9 \\U0001F600'", text("\0 é 😀")),
        ("'\\ud800'", Value::Utf8(vec![0xED, 0xA0, 0x80])),
        ("b'\\0\\xff'", Value::Bytes(vec![0, 255])),
        (
            "[1, [2, ()]]",
            Value::List(vec![int(1), Value::List(vec![int(2), Value::Tuple(vec![])])]),
        ),
        (
            "{'a': {2: None}}",
            Value::Dict(vec![(text("a"), Value::Dict(vec![(int(2), Value::None)]))]),
        ),
        ("list(range(5000))", ints(0..5000)),
        ("'x' * 100000", Value::Text("x".repeat(100_000))),
    ];
    for (source, value) in cases {
        assert_eq!(given(&format!("f({source})")), (vec![value], vec![]), "{source}");
    }
    let (objects, _) = given("f(object(), len, type, Exception('x'), {1}, slice(1))");
    assert!(
        objects.iter().all(|value| matches!(value, Value::Handle(_))),
        "{objects:?}"
    );
}

#[test]
fn none_few_and_many_arguments_arrive_in_order() {
    assert_eq!(given("f()"), (vec![], vec![]));
    assert_eq!(given("f(*[], **{})"), (vec![], vec![]));
    // Those that need no memory are another matter.
    for count in [1, 7, 8, 9, 10, 1000] {
        let numbers: Vec<Value> = (0..count).map(int).collect();
        assert_eq!(given(&format!("f(*range({count}))")), (numbers, vec![]));
        let mut mixed: Vec<Value> = (0..count).map(int).collect();
        mixed[count as usize - 1] = text("last");
        assert_eq!(given(&format!("f(*range({count} - 1), 'last')")), (mixed, vec![]));
    }
}

#[test]
fn keyword_arguments_arrive_in_the_order_of_the_call() {
    let pairs = |pairs: &[(&str, i64)]| {
        pairs
            .iter()
            .map(|&(name, n)| (text(name), int(n)))
            .collect::<Vec<_>>()
    };
    assert_eq!(given("f(b=1, a=2)"), (vec![], pairs(&[("b", 1), ("a", 2)])));
    assert_eq!(given("f(7, 8, x=9)"), (vec![int(7), int(8)], pairs(&[("x", 9)])));
    assert_eq!(
        given("f(**{'not a name': 1, 'é': 2, '': 3})").1,
        pairs(&[("not a name", 1), ("é", 2), ("", 3)])
    );
    // A name of a subclass of str is plain text to the host.
    assert_eq!(
        given("f(**{type('S', (str,), {})('s'): 1})").1,
        pairs(&[("s", 1)])
    );
    let (args, keywords) = given("f(*range(300), **{'k%d' % i: i for i in range(300)})");
    assert_eq!((args.len(), keywords.len()), (300, 300));
    assert_eq!(keywords[299], (text("k299"), int(299)));
    let failure = calling("f(**{1: 2})", |asked| asked.value(Value::None)).expect_err("no name");
    assert_eq!(failure.type_name, "TypeError");
}

#[test]
fn a_host_may_have_its_text_as_code_points() {
    let ucs4 = function_of(PYR_HOST_UCS4, |asked| {
        assert_eq!(asked.args, [Value::Points(vec![0x1F600, 97])]);
        assert_eq!(
            asked.keywords,
            [(Value::Points(vec![107]), Value::Points(vec![]))]
        );
        asked.value(&asked.args[0])
    });
    let given = python().call("lambda f: f('\\U0001F600a', k='')", &[ucs4.value()]);
    assert_eq!(given.expect("text"), text("😀a"));
}

#[test]
fn any_value_can_be_the_answer() {
    let values = [
        Value::None,
        true.into(),
        int(i64::MIN),
        Value::Float(f64::INFINITY),
        Value::Complex([1.0, 2.0], false),
        text("é\0"),
        Value::Text("y".repeat(10_000)),
        Value::Bytes(vec![1, 2, 3]),
        Value::Big(vec![0; 20].into_iter().chain([1]).collect()),
        Value::Character('ß'),
        Value::Path("/a b".to_owned()),
        Value::List(vec![
            int(1),
            Value::Tuple(vec![text("x"), Value::Dict(vec![(int(1), Value::None)])]),
        ]),
        ints(0..3000),
    ];
    for value in values {
        let answer = value.clone();
        let outcome = calling("f()", move |asked| asked.value(&answer));
        assert_eq!(outcome.expect("a value"), value);
    }
    let slice = Value::Slice(Box::new([int(1), Value::None, int(2)]));
    let outcome = calling("list(range(6))[f()]", move |asked| asked.value(&slice));
    assert_eq!(outcome.expect("a list"), ints([1, 3, 5]));
}

#[test]
fn plain_values_can_be_written_where_the_answer_goes() {
    let cells = [
        (pyr_value::integer(PYR_NONE, 0), "None"),
        (pyr_value::integer(PYR_BOOL, 1), "True"),
        (pyr_value::integer(PYR_BOOL, 0), "False"),
        (pyr_value::integer(PYR_INT, -3), "-3"),
        (pyr_value::real(PYR_FLOAT, 0.25), "0.25"),
        (pyr_value::integer(PYR_CHARACTER, 65), "'A'"),
    ];
    for (cell, expected) in cells {
        // SAFETY: any bits are an integer.
        let (tag, bits) = (cell.tag, unsafe { cell.of.integer });
        let outcome = calling("repr(f())", move |asked| {
            asked.direct(pyr_value {
                of: pyr_payload { integer: bits },
                ..pyr_value::integer(tag, 0)
            })
        });
        assert_eq!(outcome.expect(expected), text(expected));
    }
    let name = python().name("math:pi").expect("a name");
    let outcome = calling("f()", move |asked| {
        asked.direct(pyr_value {
            tag: PYR_NAME,
            aux: 0,
            of: pyr_payload { name },
        })
    });
    assert_eq!(outcome.expect("a number"), Value::Float(std::f64::consts::PI));
}

#[test]
fn other_cells_written_there_are_refused() {
    for tag in (0..40).chain([255, 1 << 31, u32::MAX]) {
        let plain = [PYR_NONE, PYR_BOOL, PYR_INT, PYR_FLOAT, PYR_SINGLE, PYR_CHARACTER];
        if plain.contains(&tag) {
            continue;
        }
        // The payload would be read as an address, if it were.
        let outcome = calling("f()", move |asked| asked.direct(pyr_value::integer(tag, 3)));
        let failure = outcome.expect_err("no value");
        let expected = if matches!(tag, PYR_HANDLE | PYR_NAME) {
            "ValueError"
        } else {
            "TypeError"
        };
        assert_eq!(failure.type_name, expected, "{tag}: {failure:?}");
    }
    let failure = calling("f()", |asked| asked.direct(pyr_value::integer(PYR_CHARACTER, -1)));
    assert_eq!(failure.expect_err("no character").type_name, "ValueError");
    // Nothing was written at all.
    assert_eq!(
        calling("f()", |_| 1).expect_err("no value").type_name,
        "TypeError"
    );
}

#[test]
fn no_answer_is_a_type_error_and_a_reply_without_return_counts_not() {
    let failure = calling("f(1)", |_| 0).expect_err("no answer");
    assert_eq!(failure.type_name, "TypeError");
    assert!(
        failure.message.contains("cannot be called"),
        "{}",
        failure.message
    );
    let failure = calling("f()", |asked| i32::from(asked.value("x") == 0)).expect_err("no answer");
    assert_eq!(failure.type_name, "TypeError");
    let failure =
        calling("f()", |asked| i32::from(asked.raise(named("KeyError")) == 0)).expect_err("no answer");
    assert_eq!(failure.type_name, "TypeError");
    for answered in [-1, 2, i32::MIN] {
        let outcome = calling("f()", move |asked| asked.value(answered as i64) * answered);
        assert_eq!(outcome.expect("a number"), int(answered.into()));
    }
}

#[test]
fn the_last_answer_counts() {
    let outcome = calling("f()", |asked| {
        asked.value("first") & asked.value(vec_of(2)) & asked.value(3)
    });
    assert_eq!(outcome.expect("the last"), int(3));
    let outcome = calling("f()", |asked| asked.raise(named("KeyError")) & asked.value(4));
    assert_eq!(outcome.expect("the last"), int(4));
    let failure = calling("f()", |asked| asked.value(4) & asked.raise(named("KeyError")));
    assert_eq!(failure.expect_err("the last").type_name, "KeyError");
    let failure = calling("f()", |asked| {
        asked.raise(named("KeyError")) & asked.fail("last", None, false)
    });
    assert_eq!(failure.expect_err("the last").type_name, "_pyrite.HostError");
    // What could not be made leaves the answer before it as it was.
    let outcome = calling("f()", |asked| {
        asked.value(5);
        asked
            .try_value(Value::Bare { tag: 99, aux: 0 })
            .expect_err("no tag");
        asked.try_raise(6).expect_err("no exception");
        asked
            .try_fail("", Some(Value::Handle(1)), false)
            .expect_err("no handle");
        1
    });
    assert_eq!(outcome.expect("the first"), int(5));
}

/// The value that a name has, not text.
fn named(name: &str) -> Value {
    Value::Name(python().name(name).expect("a name"))
}

fn vec_of(number: i64) -> Value {
    Value::List(vec![int(number)])
}

#[test]
fn replies_that_cannot_be_made_are_statuses() {
    let outcome = calling("f()", |asked| {
        let status = |outcome: Result<(), host::calls::Failure>| outcome.expect_err("bad").status;
        assert_eq!(
            status(asked.try_value(Value::Bare { tag: 0, aux: 0 })),
            PYR_INVALID_TAG
        );
        assert_eq!(
            status(asked.try_value(Value::Host(1, PYR_LENT_OBJECT))),
            PYR_INVALID_TAG
        );
        assert_eq!(status(asked.try_value(Value::Handle(77))), PYR_INVALID_HANDLE);
        assert_eq!(status(asked.try_value(Value::Utf8(vec![0xFF]))), PYR_INVALID_TEXT);
        assert_eq!(
            status(asked.try_value(Value::Bare {
                tag: PYR_LIST,
                aux: 3
            })),
            PYR_NULL_ARGUMENT
        );
        let unhashable = Value::Dict(vec![(vec_of(1), Value::None)]);
        assert_eq!(status(asked.try_value(unhashable)), PYR_PYTHON_ERROR);
        assert_eq!(status(asked.try_raise(Value::Handle(77))), PYR_INVALID_HANDLE);
        assert_eq!(status(asked.try_raise(Value::None)), PYR_PYTHON_ERROR);
        for bad in [int(1), Value::Name(1 << 61)] {
            let mut arena = host::value::Arena::default();
            let cell = arena.cell(&bad);
            let fail = python().api.pyr_reply_fail;
            // SAFETY: the cell lives until the call returns; the payload may be NULL.
            let status = unsafe { fail(asked.reply, &raw const cell, std::ptr::null(), 0) };
            assert_eq!(status, PYR_INVALID_TAG);
        }
        let (api, null) = (&python().api, std::ptr::null());
        // SAFETY: NULL is refused.
        unsafe {
            assert_eq!((api.pyr_reply_value)(asked.reply, null), PYR_NULL_ARGUMENT);
            assert_eq!((api.pyr_reply_raise)(asked.reply, null), PYR_NULL_ARGUMENT);
            assert_eq!(
                (api.pyr_reply_fail)(asked.reply, null, null, 0),
                PYR_NULL_ARGUMENT
            );
            let none = pyr_value::integer(PYR_NONE, 0);
            assert_eq!(
                (api.pyr_reply_value)(std::ptr::null_mut(), &raw const none),
                PYR_NULL_ARGUMENT
            );
            assert_eq!(
                (api.pyr_reply_raise)(std::ptr::null_mut(), &raw const none),
                PYR_NULL_ARGUMENT
            );
        }
        asked.value("fine")
    });
    assert_eq!(outcome.expect("text"), text("fine"));
}

#[test]
fn what_cannot_be_converted_raises_in_python_and_is_not_asked() {
    for source in [
        "(lambda l: (l.append(l), f(l)))([])",
        "(lambda d: (d.update(d=d), f(1, x=d)))({})",
        "f((lambda t, l: (l.append(t), t)[1])(*(lambda l: ((l,), l))([])))",
    ] {
        let outcome = calling(source, |_| unreachable!("it was asked"));
        assert_eq!(outcome.expect_err("a circle").type_name, "ValueError", "{source}");
    }
    python()
        .exec("class CallbacksEvil(int):\n    def __index__(self): 1/0\ncallbacks_deep = []\nfor _ in range(1100000): callbacks_deep = [callbacks_deep]")
        .expect("a deep list");
    let failure = calling("f(callbacks_deep)", |_| unreachable!("it was asked"));
    assert_eq!(failure.expect_err("too deep").type_name, "ValueError");
    python()
        .exec("while callbacks_deep: callbacks_deep = callbacks_deep[0]")
        .expect("it is gone");
}
