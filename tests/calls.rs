//! Calls: by name, source, handle; with positional and keyword arguments; methods.

mod host;

use host::abi::*;
use host::calls::Outcome;
use host::value::{Value, int, ints, text};
use host::{child, python};

#[test]
fn a_callable_is_found_by_name_source_or_handle() {
    let python = python();
    python.import("math", None, 0).expect("math");
    let name = Value::Name(python.name("math.sqrt").expect("a name"));
    for callable in [
        text("math.sqrt"),
        text("lambda x: math.sqrt(x)"),
        name,
        python.remote("math.sqrt"),
        text("(math.sqrt)"),
    ] {
        assert_eq!(
            python.call(&callable, &[2.25.into()]).expect("a root"),
            1.5.into(),
            "{callable:?}"
        );
    }
    let name = Value::Name(python.name("lambda x: x + 1").expect("a name"));
    assert_eq!(python.call(&name, &[int(1)]).expect("a sum"), int(2));
    let (latin1, points) = (
        b"str.upper".to_vec(),
        "str.upper".chars().map(u32::from).collect(),
    );
    for callable in [Value::Latin1(latin1), Value::Points(points)] {
        assert_eq!(python.call(&callable, &["a".into()]).expect("text"), text("A"));
    }
}

#[test]
fn builtins_are_found_and_main_comes_first() {
    let python = python();
    assert_eq!(python.call("len", &["abc".into()]).expect("a length"), int(3));
    python.exec("def ord(text): return 'mine'").expect("a function");
    assert_eq!(python.call("ord", &["a".into()]).expect("text"), text("mine"));
    python.exec("del ord").expect("it was there");
    assert_eq!(python.call("ord", &["a".into()]).expect("a number"), int(97));
}

#[test]
fn any_number_of_arguments_arrives_in_order() {
    let python = python();
    let show = python.remote("lambda *args, **keywords: (list(args), keywords)");
    for (nargs, nkwargs) in (0..40)
        .flat_map(|n| [(n, 0), (n, 1), (0, n), (n, n)])
        .chain([(5000, 300)])
    {
        let args: Vec<_> = (0..nargs).map(int).collect();
        let keywords: Vec<_> = (0..nkwargs)
            .map(|n| (text(&format!("calls_{n}")), int(-n)))
            .collect();
        let given = python
            .call_with(&show, &args, &keywords, 0)
            .expect("what was given");
        assert_eq!(
            given,
            Value::Tuple(vec![Value::List(args), Value::Dict(keywords)]),
            "{nargs}, {nkwargs}"
        );
    }
}

#[test]
fn keywords_are_named_by_text_or_by_name() {
    let python = python();
    let name = Value::Name(python.name("key").expect("a name"));
    let keywords = [
        (name, python.remote("lambda x: -x")),
        (text("reverse"), true.into()),
    ];
    let sorted = python.call_with("sorted", &[ints([1, 3, 2])], &keywords, 0);
    assert_eq!(sorted.expect("a list"), ints([1, 2, 3]));
    let odd = [
        (Value::Points(vec![0x20AC]), int(1)),
        (text("not an identifier"), int(2)),
    ];
    let given = python.call_with("dict", &[], &odd, 0).expect("a dict");
    assert_eq!(
        given,
        Value::Dict(vec![(text("€"), int(1)), (text("not an identifier"), int(2))])
    );
    for (bad, status) in [
        (int(1), PYR_INVALID_TAG),
        (Value::Name(1 << 60), PYR_INVALID_NAME),
    ] {
        assert_eq!(
            python
                .call_with("dict", &[], &[(bad, int(1))], 0)
                .expect_err("no name")
                .status,
            status
        );
    }
}

#[test]
fn a_keyword_that_is_given_twice_is_an_error() {
    let python = python();
    let twice = [(text("a"), int(1)), (text("a"), int(2))];
    let failure = python
        .call_with("lambda a: a", &[], &twice, 0)
        .expect_err("a is given twice");
    assert_eq!(&*failure.type_name, "TypeError");
}

#[test]
fn keywords_may_be_very_many() {
    if child::case().is_none() {
        child::run("keywords_may_be_very_many", "keywords", &[]);
        return;
    }
    let keyword = |number: i64| (text(&format!("keyword_{number}")), int(number));
    let mut keywords: Vec<_> = (0..60_000).map(keyword).collect();
    let given = python().call_with("dict", &[], &keywords, 0).expect("a dict");
    assert_eq!(given, Value::Dict(keywords.clone()));
    keywords.push(keyword(12_345));
    let failure = python()
        .call_with("dict", &[], &keywords, 0)
        .expect_err("one is given twice");
    assert_eq!(
        (&*failure.type_name, &*failure.message),
        ("TypeError", "keyword argument repeated: keyword_12345")
    );
}

#[test]
fn methods_of_any_value_are_called() {
    let python = python();
    assert_eq!(
        python.method("abc", "upper", &[], &[]).expect("text"),
        text("ABC")
    );
    assert_eq!(
        python
            .method(ints([1, 2, 1]), "count", &[int(1)], &[])
            .expect("a number"),
        int(2)
    );
    let split = python.method("a b c", "split", &[], &[(text("maxsplit"), int(1))]);
    assert_eq!(split.expect("a list"), Value::List(vec![text("a"), text("b c")]));
    let name = Value::Name(python.name("bit_length").expect("a name"));
    assert_eq!(python.method(255, &name, &[], &[]).expect("a number"), int(8));
    let list = python.remote("[1]");
    assert_eq!(
        python
            .method(&list, "append", std::slice::from_ref(&list), &[])
            .expect("None"),
        Value::None
    );
    assert_eq!(
        python.call("len", std::slice::from_ref(&list)).expect("a length"),
        int(2)
    );
    let many: Vec<_> = (0..100).map(int).collect();
    let joined = python.method("{99}", "format", &many, &[]).expect("text");
    assert_eq!(joined, text("99"));
    let failure = python
        .method("abc", "no_such", &[], &[])
        .expect_err("there is none");
    assert_eq!(&*failure.type_name, "AttributeError");
    assert_eq!(
        python
            .method("abc", int(1), &[], &[])
            .expect_err("no name")
            .status,
        PYR_INVALID_TAG
    );
}

#[test]
fn a_redefined_function_is_seen_at_the_next_call_by_the_same_name() {
    let python = python();
    let name = Value::Name(python.name("calls_changing").expect("a name"));
    let failure = python.call(&name, &[]).expect_err("not defined yet");
    assert_eq!(
        (&*failure.type_name, &*failure.message),
        ("NameError", "name 'calls_changing' is not defined")
    );
    for version in 0..5 {
        python
            .exec(&format!("def calls_changing(): return {version}"))
            .expect("a function");
        assert_eq!(python.call(&name, &[]).expect("a number"), int(version));
        assert_eq!(
            python.call("calls_changing", &[]).expect("a number"),
            int(version)
        );
    }
    python
        .set("calls_changing", python.remote("lambda: 'set'"))
        .expect("a global");
    assert_eq!(python.call(&name, &[]).expect("text"), text("set"));
    python.exec("class CallsBox: pass").expect("a class");
    let name = Value::Name(python.name("CallsBox.method").expect("a name"));
    for version in 0..3 {
        python
            .set("CallsBox.method", python.remote(&format!("lambda: {version}")))
            .expect("an attribute");
        assert_eq!(python.call(&name, &[]).expect("a number"), int(version));
    }
}

#[test]
fn source_that_is_called_sees_globals_as_they_are() {
    let python = python();
    let name = Value::Name(python.name("lambda: calls_global").expect("a name"));
    for number in 0..3 {
        python.set("calls_global", number).expect("a global");
        assert_eq!(python.call(&name, &[]).expect("a number"), int(number));
    }
    let failure = python.call("lambda x:", &[]).expect_err("it is no Python");
    assert_eq!(&*failure.type_name, "SyntaxError");
    let failure = python.call("a\0b", &[]).expect_err("it is no Python");
    assert_eq!(failure.status, PYR_PYTHON_ERROR);
}

#[test]
fn names_are_numbers_of_this_process() {
    let python = python();
    let (one, other) = (
        python.name("calls_one").expect("a name"),
        python.name("calls_other").expect("a name"),
    );
    assert!(one != 0 && one != other);
    assert_eq!(
        python.name("calls_one").expect("a name"),
        one,
        "the same text has the same name"
    );
    assert_eq!(
        python.name([0xFF]).expect_err("not UTF-8").status,
        PYR_INVALID_TEXT
    );
    for made_up in [0, 1, one ^ (1 << 50), (one | 0xFF_FFFF_FFFF) - 1, u64::MAX] {
        let failure = python.get(Value::Name(made_up)).expect_err("nobody gave it out");
        assert_eq!(failure.status, PYR_INVALID_NAME, "{made_up:#x}");
    }
}

#[test]
fn what_cannot_be_called_raises() {
    let python = python();
    for callable in [
        int(1),
        Value::None,
        ints([]),
        python.remote("object()"),
        text("1 + 1"),
    ] {
        let failure = python.call(&callable, &[]).expect_err("it cannot be called");
        assert_eq!(
            (failure.status, &*failure.type_name),
            (PYR_PYTHON_ERROR, "TypeError"),
            "{callable:?}"
        );
    }
    let failure = python.call("len", &[]).expect_err("it wants an argument");
    assert_eq!(&*failure.type_name, "TypeError");
    let failure = python
        .call("len", &[Value::Handle(0)])
        .expect_err("0 is no handle");
    assert_eq!(failure.status, PYR_INVALID_HANDLE);
}

#[test]
fn results_come_as_the_flags_ask() {
    let python = python();
    let handle = python
        .call_with("list", &["ab".into()], &[], PYR_REMOTE)
        .expect("a handle");
    assert!(matches!(handle, Value::Handle(_)));
    assert_eq!(
        python.convert(&handle, 0).expect("a list"),
        Value::List(vec![text("a"), text("b")])
    );
    let points = python
        .call_with("str.upper", &["é".into()], &[], PYR_AS_UCS4)
        .expect("text");
    assert_eq!(points, Value::Points(vec![0xC9]));
    let handle = python
        .call_with("str.upper", &["é".into()], &[], PYR_AS_UCS4 | PYR_REMOTE)
        .expect("a handle");
    assert_eq!(python.convert(&handle, 0).expect("text"), text("É"));
}

#[test]
fn arguments_are_only_read() {
    let python = python();
    let argument = ints([3, 1, 2]);
    let sorted = python.call(
        "lambda list: (list.sort(), list)[1]",
        std::slice::from_ref(&argument),
    );
    assert_eq!(sorted.expect("a list"), ints([1, 2, 3]));
    assert_eq!(argument, ints([3, 1, 2]));
}

#[test]
fn a_call_that_fails_at_its_end_gives_no_result() {
    let test = "a_call_that_fails_at_its_end_gives_no_result";
    if child::case().is_none() {
        child::run(test, "output", &[]);
        return;
    }
    let python = python();
    python
        .exec(
            "import sys, _pyrite\n\
             def emit(number, text): raise OSError(text)\n\
             class Writes:\n    def things(self, *_): return [object(), 'long' * 300]\n\
             \x20   listed, __getitem__, __next__ = property(things), things, things\n\
             \x20   def __iter__(self): return iter(self.things())\n\
             \x20   def __del__(self): print('bye', end='')\n\
             class Maker:\n    new = property(lambda self: Writes())\n\
             maker = Maker()\n\
             sys.stdout = _pyrite.Writer(1, emit, lambda: None)",
        )
        .expect("a stream");
    let new = Value::Name(python.name("maker.new").expect("a name"));
    let base = python.settled();
    let next = || python.next(new.clone(), 0).map(|item| item.expect("no end"));
    let calls: [&dyn Fn() -> Outcome; 5] = [
        &|| python.call("Writes().things", &[]),
        &|| python.getattr(new.clone(), "listed", 0),
        &|| python.getitem(new.clone(), 1, 0),
        &|| python.iter(new.clone(), 0),
        &next,
    ];
    for call in calls {
        let failure = call().expect_err("it fails");
        assert_eq!((&*failure.type_name, &*failure.message), ("OSError", "bye"));
        drop(failure);
        python.clear_error();
        assert_eq!(python.settled(), base);
    }
}
