//! Values there and back.

mod host;

use host::abi::*;
use host::random::{Random, seed};
use host::value::{Value, int, ints, text};
use host::{child, numpy, python};

/// How many random values each direction gets.
const ROUNDS: u64 = 3000;

/// The cell that Python's `source` becomes.
fn from_python(source: &str) -> Value {
    python()
        .eval(source)
        .unwrap_or_else(|failure| panic!("{source}: {failure:?}"))
}

/// `repr` of the object that `value` becomes.
fn to_python(value: Value) -> String {
    match python().repr(value.clone(), 0) {
        Ok(Value::Text(text)) => text,
        other => panic!("{value:?}: {other:?}"),
    }
}

#[test]
fn python_s_values_become_cells_of_the_same_kind() {
    let limit = 1i64 << 62;
    for (source, value) in [
        ("None", Value::None),
        ("True", true.into()),
        ("False", false.into()),
        ("0", int(0)),
        ("-1", int(-1)),
        ("2**62", int(limit)),
        ("2**63 - 1", int(i64::MAX)),
        ("-2**63", int(i64::MIN)),
        ("2**63", Value::Big(vec![0, 0, 0, 0, 0, 0, 0, 128, 0])),
        (
            "-2**63 - 1",
            Value::Big(vec![255, 255, 255, 255, 255, 255, 255, 127, 255]),
        ),
        ("1.5", 1.5.into()),
        ("float('-inf')", f64::NEG_INFINITY.into()),
        ("''", text("")),
        ("'h\\xe9 \\u20ac \\U0001f600 \\0.'", text("hé € 😀 \0.")),
        ("'\\ud800'", Value::Utf8(vec![0xED, 0xA0, 0x80])),
        ("b''", Value::Bytes(vec![])),
        ("b'\\0\\xff'", Value::Bytes(vec![0, 255])),
        ("[]", Value::List(vec![])),
        ("()", Value::Tuple(vec![])),
        ("{}", Value::Dict(vec![])),
        (
            "[1, [2], []]",
            Value::List(vec![int(1), ints([2]), Value::List(vec![])]),
        ),
        (
            "(None, ('a',))",
            Value::Tuple(vec![Value::None, Value::Tuple(vec![text("a")])]),
        ),
        ("{'a': [1], (1, 2): {}}", {
            let key = Value::Tuple(vec![int(1), int(2)]);
            Value::Dict(vec![(text("a"), ints([1])), (key, Value::Dict(vec![]))])
        }),
    ] {
        assert_eq!(from_python(source), value, "{source}");
    }
    assert!(matches!(from_python("float('nan')"), Value::Float(nan) if nan.is_nan()));
    assert!(matches!(from_python("-0.0"), Value::Float(zero) if zero.is_sign_negative()));
}

#[test]
fn cells_become_python_s_values() {
    for (value, repr) in [
        (Value::None, "None"),
        (true.into(), "True"),
        (int(i64::MIN), "-9223372036854775808"),
        (Value::Big(vec![]), "0"),
        (Value::Big(vec![255]), "-1"),
        (Value::Big(vec![1, 0, 0, 0]), "1"),
        (
            Value::Big([vec![0; 9], vec![1]].concat()),
            "4722366482869645213696",
        ),
        (Value::Single(0.1), "0.1"),
        (Value::Utf8(vec![0xED, 0xB0, 0x80]), "'\\udc00'"),
        (Value::Latin1(vec![b'a', 0xE9, 0xFF]), "'aéÿ'"),
        (Value::Points(vec![0x61, 0xD800, 0x1F600]), "'a\\ud800😀'"),
        (Value::Bytes(vec![0, b'a']), "b'\\x00a'"),
        (Value::Tuple(vec![ints([1]), Value::Tuple(vec![])]), "([1], ())"),
    ] {
        assert_eq!(to_python(value.clone()), repr, "{value:?}");
    }
    let true_as_five = pyr_value {
        tag: PYR_BOOL,
        aux: 0,
        of: pyr_payload { integer: 5 },
    };
    // SAFETY: the cell lives until the call returns.
    let repr = python().outcome(|out| unsafe { (python().api.pyr_repr)(&raw const true_as_five, 0, out) });
    assert_eq!(repr.expect("any integer but 0 is true"), text("True"));
}

#[test]
fn a_dict_with_equal_keys_is_refused() {
    let wide = Value::Points(vec![0x61]);
    for (first, second) in [
        (int(1), int(1)),
        (int(1), Value::Float(1.0)),
        (true.into(), Value::Big(vec![1, 0])),
        (text("a"), wide),
        (Value::Tuple(vec![int(0)]), Value::Tuple(vec![false.into()])),
    ] {
        let dict = Value::Dict(vec![
            (first, text("a")),
            (text("between"), Value::None),
            (second, text("b")),
        ]);
        let failure = python()
            .repr(dict.clone(), 0)
            .expect_err("an entry would be lost");
        assert_eq!(&*failure.type_name, "ValueError", "{dict:?}");
        assert!(
            failure
                .message
                .starts_with("there is an equal key already, the key "),
            "{failure:?}"
        );
    }
}

#[test]
fn nothing_may_be_null_when_it_is_empty() {
    for (tag, repr) in [
        (PYR_UTF8, "''"),
        (PYR_LATIN1, "''"),
        (PYR_UCS4, "''"),
        (PYR_BYTES, "b''"),
        (PYR_BIGINT, "0"),
        (PYR_LIST, "[]"),
        (PYR_TUPLE, "()"),
        (PYR_DICT, "{}"),
    ] {
        assert_eq!(to_python(Value::Bare { tag, aux: 0 }), repr, "tag {tag}");
        let failure = python()
            .repr(Value::Bare { tag, aux: 1 }, 0)
            .expect_err("NULL is nothing");
        assert_eq!(failure.status, PYR_NULL_ARGUMENT, "tag {tag}");
    }
}

#[test]
fn what_is_no_plain_value_becomes_a_handle() {
    python()
        .exec("import collections, enum\nclass AnInt(int): pass\nclass AList(list): pass")
        .expect("classes");
    for source in [
        "AnInt(1)",
        "AList()",
        "collections.OrderedDict()",
        "collections.namedtuple('P', 'x')(1)",
        "enum.IntEnum('E', 'A').A",
        "bytearray(b'a')",
        "{1}",
        "type('C', (complex,), {})(1j)",
        "range(3)",
        "len",
        "int",
        "object()",
        "memoryview(b'a')",
    ] {
        let handle = from_python(source);
        assert!(matches!(handle, Value::Handle(_)), "{source}: {handle:?}");
        assert!(
            matches!(python().repr(&handle, 0), Ok(Value::Text(_))),
            "{source}"
        );
        python().release(handle.handle());
    }
    let Value::List(items) = from_python("[1, {2}, [len]]") else {
        panic!("a list stays a list")
    };
    assert!(
        matches!(&items[..], [Value::Int(1), Value::Handle(_), Value::List(_)]),
        "{items:?}"
    );
}

#[test]
fn with_the_remote_flag_everything_is_a_handle() {
    for source in ["None", "1", "'a'", "[1]", "len"] {
        let handle = python().remote(source);
        assert!(matches!(handle, Value::Handle(_)), "{source}: {handle:?}");
        assert_eq!(
            python().repr(&handle, 0).expect(source),
            python().repr(from_python(source), 0).expect(source)
        );
    }
}

#[test]
fn text_comes_as_code_points_when_asked_for() {
    let points = |text: &str| Value::Points(text.chars().map(u32::from).collect());
    let given = python().eval_parts(&["('a\\u20ac', {'\\U0001f600': '\\ud800'})".into()], PYR_AS_UCS4);
    let dict = Value::Dict(vec![(points("😀"), Value::Points(vec![0xD800]))]);
    assert_eq!(given.expect("a tuple"), Value::Tuple(vec![points("a€"), dict]));
    assert_eq!(python().repr("é", PYR_AS_UCS4).expect("text"), points("'é'"));
    assert_eq!(python().convert("", PYR_AS_UCS4).expect("text"), points(""));
}

#[test]
fn text_of_every_length_round_the_scratch_room_comes_whole() {
    for length in (0..20)
        .chain(PYR_SCRATCH / 4 - 2..PYR_SCRATCH / 4 + 3)
        .chain(PYR_SCRATCH - 3..PYR_SCRATCH + 4)
    {
        let content: String = (0..length)
            .map(|index| char::from(b'a' + (index % 26) as u8))
            .collect();
        assert_eq!(python().convert(&*content, 0).expect("text"), text(&content));
        let points = Value::Points(content.chars().map(u32::from).collect());
        assert_eq!(python().convert(&*content, PYR_AS_UCS4).expect("text"), points);
        let bytes = Value::Bytes(content.into_bytes());
        assert_eq!(python().convert(&bytes, 0).expect("bytes"), bytes);
    }
}

#[test]
fn random_values_mean_the_same_to_python() {
    let seed = seed();
    println!("PYRITE_SEED={seed}");
    let python = python();
    let check = python.remote("lambda source, there, back: repr(there) == repr(back) == repr(eval(source))");
    for round in 0..ROUNDS {
        let value = Random(seed.wrapping_add(round)).value(4);
        let there = python
            .convert(&value, PYR_REMOTE)
            .unwrap_or_else(|failure| panic!("{value:?}: {failure:?}"));
        let flags = if round % 2 == 0 { 0 } else { PYR_AS_UCS4 };
        let back = python
            .convert(&there, flags)
            .unwrap_or_else(|failure| panic!("{value:?}: {failure:?}"));
        let same = python.call(&check, &[value.source().into(), there.clone(), back.clone()]);
        assert_eq!(
            same.expect("no error"),
            true.into(),
            "seed {seed}, round {round}: {value:?} came as {back:?}"
        );
        python.release(there.handle());
    }
}

const MAKE: &str = r"
import random
def values_make(seed, depth=4):
    random.seed(seed)
    def text(): return ''.join(chr(random.choice((random.randrange(128), random.randrange(0x110000)))) for _ in range(random.randrange(9)))
    def leaf():
        return random.choice((lambda: None, lambda: random.random() < .5, lambda: random.getrandbits(random.randrange(1, 200)) - 2**62,
            lambda: random.uniform(-1, 1) * 10.0**random.randint(-300, 300), text, lambda: text().encode('utf-8', 'surrogatepass')))()
    def key(depth):
        return leaf() if depth == 0 or random.random() < .8 else tuple(key(depth - 1) for _ in range(random.randrange(4)))
    def make(depth):
        kind = random.randrange(6) if depth else 5
        if kind == 0: return [make(depth - 1) for _ in range(random.randrange(7))]
        if kind == 1: return tuple(make(depth - 1) for _ in range(random.randrange(7)))
        if kind == 2: return {key(depth - 1): make(depth - 1) for _ in range(random.randrange(7))}
        return leaf()
    return make(depth)
";

#[test]
fn random_values_of_python_s_come_back_the_same() {
    let seed = seed();
    println!("PYRITE_SEED={seed}");
    let python = python();
    python.exec(MAKE).expect("a function");
    let check = python.remote("lambda seed, value: repr(values_make(seed)) == repr(value)");
    for round in 0..ROUNDS {
        let number = int((seed.wrapping_add(round) >> 1) as i64);
        let value = python
            .call("values_make", std::slice::from_ref(&number))
            .expect("a value");
        let same = python.call(&check, &[number, value.clone()]).expect("no error");
        assert_eq!(same, true.into(), "seed {seed}, round {round}: {value:?}");
    }
}

#[test]
fn complex_numbers_and_fractions_cross_both_ways() {
    let big = Value::Big(vec![0, 0, 0, 0, 0, 0, 0, 0, 1]);
    for (value, repr) in [
        (Value::Complex([1.5, -2.5], false), "(1.5-2.5j)"),
        (Value::Complex([f64::NAN, f64::INFINITY], false), "(nan+infj)"),
        (Value::Fraction(Box::new([int(-6), int(4)])), "Fraction(-3, 2)"),
        (
            Value::Fraction(Box::new([int(1), big.clone()])),
            "Fraction(1, 18446744073709551616)",
        ),
        (
            Value::List(vec![
                Value::Fraction(Box::new([int(1), int(3)])),
                Value::Complex([0.0, 1.0], false),
            ]),
            "[Fraction(1, 3), 1j]",
        ),
    ] {
        assert_eq!(to_python(value), repr);
    }
    let fraction = |numerator, denominator| Value::Fraction(Box::new([numerator, denominator]));
    assert_eq!(from_python("1.5-2.5j"), Value::Complex([1.5, -2.5], false));
    assert_eq!(
        from_python("__import__('fractions').Fraction(6, -4)"),
        fraction(int(-3), int(2))
    );
    assert_eq!(
        from_python("[__import__('fractions').Fraction(1, 2**64)]"),
        Value::List(vec![fraction(int(1), big)])
    );
}

#[test]
fn a_fraction_is_two_ints_and_not_over_zero() {
    let fraction = |numerator, denominator| Value::Fraction(Box::new([numerator, denominator]));
    let python = python();
    for (value, status) in [
        (fraction(int(1), int(0)), PYR_PYTHON_ERROR),
        (fraction(int(1), text("2")), PYR_INVALID_TAG),
        (fraction(Value::Float(0.5), int(2)), PYR_INVALID_TAG),
        (
            Value::Bare {
                tag: PYR_FRACTION,
                aux: 2,
            },
            PYR_NULL_ARGUMENT,
        ),
        (
            Value::Bare {
                tag: PYR_FRACTION,
                aux: 1,
            },
            PYR_NULL_ARGUMENT,
        ),
        (
            Value::Bare {
                tag: PYR_COMPLEX,
                aux: 0,
            },
            PYR_NULL_ARGUMENT,
        ),
    ] {
        let failure = python.convert(&value, 0).expect_err("it is wrong");
        assert_eq!(failure.status, status, "{value:?}: {failure:?}");
    }
}

#[test]
fn a_fraction_of_something_else_than_ints_is_an_object() {
    if child::case().is_none() {
        let test = "a_fraction_of_something_else_than_ints_is_an_object";
        child::run(test, "fractions", &[]);
        return;
    }
    python()
        .exec(
            "from fractions import Fraction\n\
             def changed(place, part):\n    made = Fraction(1, 2)\n\
             \x20   setattr(made, place, made if part is None else part)\n    return made",
        )
        .expect("a function");
    for part in ["None", "[1]", "1.5", "True", "Fraction(3)"] {
        for place in ["_numerator", "_denominator"] {
            let changed = from_python(&format!("changed({place:?}, {part})"));
            assert!(matches!(changed, Value::Handle(_)), "{place} {part}: {changed:?}");
        }
    }
    if numpy().is_some() {
        let of_numpy = from_python("Fraction(__import__('numpy').int64(3), 4)");
        assert_eq!(of_numpy, Value::Fraction(Box::new([int(3), int(4)])));
    }
}

#[test]
fn utf32_has_no_surrogates() {
    let python = python();
    let points = |points: &[u32]| python.convert(Value::Utf32(points.to_vec()), 0);
    assert_eq!(points(&[0x61, 0, 0x1F600]).expect("text"), text("a\0😀"));
    for bad in [&[0xD800][..], &[0x61, 0xDFFF], &[0x11_0000]] {
        assert_eq!(points(bad).expect_err("no text").status, PYR_INVALID_TEXT);
    }
}

#[test]
fn characters_and_names_of_files_come_back_as_such() {
    let python = python();
    for value in [
        Value::Character('a'),
        Value::Character('😀'),
        Value::Path("/tmp/é b".to_owned()),
    ] {
        assert_eq!(python.convert(&value, 0).expect("the same"), value);
        assert_eq!(
            python
                .convert(Value::List(vec![value.clone()]), 0)
                .expect("the same"),
            Value::List(vec![value])
        );
    }
    let describe =
        python.remote("lambda c: (isinstance(c, str), len(c), c == 'a', hash(c) == hash('a'), c + 'b')");
    assert_eq!(
        python.call(&describe, &[Value::Character('a')]).expect("a str"),
        Value::Tuple(vec![true.into(), int(1), true.into(), true.into(), text("ab")])
    );
    let basename = python.remote("__import__('os').path.basename");
    assert_eq!(
        python
            .call(&basename, &[Value::Path("/tmp/x.txt".to_owned())])
            .expect("text"),
        text("x.txt")
    );
    let failure = python
        .convert(
            Value::Bare {
                tag: PYR_PATH,
                aux: 1,
            },
            0,
        )
        .expect_err("NULL");
    assert_eq!(failure.status, PYR_NULL_ARGUMENT);
    assert_eq!(python.eval("1 + 1").expect("a number"), int(2));
}
