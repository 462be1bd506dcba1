//! Source with values spliced into it by reference.

mod host;

use host::python;
use host::value::{Value, int, ints, text};

/// Source with values in it.
macro_rules! parts {
    ($($part:expr),* $(,)?) => { [$(Value::from($part)),*] };
}

#[test]
fn values_are_spliced_by_reference() {
    let python = python();
    let list = python.remote("[1]");
    assert_eq!(
        python
            .eval_parts(&parts!["len(", &list, ")"], 0)
            .expect("a length"),
        int(1)
    );
    assert_eq!(
        python.eval_parts(&parts![&list, ".append(2)"], 0).expect("None"),
        Value::None
    );
    assert_eq!(python.convert(&list, 0).expect("a list"), ints([1, 2]));
    assert_eq!(
        python
            .eval_parts(&parts![&list, " is ", &list], 0)
            .expect("a bool"),
        true.into()
    );
    let object = python.remote("object()");
    assert_eq!(
        python
            .eval_parts(&parts!["[", &object, "][0] is ", &object], 0)
            .expect("a bool"),
        true.into()
    );
    assert_eq!(
        python
            .eval_parts(&parts![1, "+", 2, "*", ints([3]), "[0]"], 0)
            .expect("a number"),
        int(7)
    );
    assert_eq!(
        python.eval_parts(&parts!["not", true], 0).expect("a bool"),
        false.into()
    );
    assert_eq!(
        python.eval_parts(&parts![ints([5])], 0).expect("a list"),
        ints([5])
    );
    assert_eq!(
        python.eval_parts(&parts![1, ", ", 2], 0).expect("a tuple"),
        Value::Tuple(vec![int(1), int(2)])
    );
    assert_eq!(
        python.eval_parts(&parts!["f'{", 1.5, ":.2f}'"], 0).expect("text"),
        text("1.50")
    );
}

#[test]
fn spliced_values_are_seen_in_lambdas_and_comprehensions() {
    let python = python();
    let value = python.remote("[10, 20]");
    for (before, after, expected) in [
        ("(lambda: ", ")()", ints([10, 20])),
        ("(lambda: (lambda x: x + ", "[0])(1))()", int(11)),
        ("[x + y for x in (1, 2) for y in ", "]", ints([11, 21, 12, 22])),
        ("[y for x in (0, 1) if (y := ", "[x]) > 10]", ints([20])),
        ("sorted({x for x in ", "})", ints([10, 20])),
        ("sum(x * ", "[0] for x in range(3))", int(30)),
        ("{k: ", "[1] for k in [1]}[1]", int(20)),
        (
            "list(map(lambda x: x in ",
            ", [10]))",
            Value::List(vec![true.into()]),
        ),
        ("[[a for a in ", "] for _ in [0]][0]", ints([10, 20])),
    ] {
        let given = python.eval_parts(&parts![before, &value, after], 0);
        assert_eq!(
            given.unwrap_or_else(|failure| panic!("{before}: {failure:?}")),
            expected,
            "{before}"
        );
    }
    let later = python
        .eval_parts(&parts!["lambda: ", &value, " + ", ints([30])], 0)
        .expect("a function");
    python.exec("source_between = 1").expect("other source");
    assert_eq!(python.call(&later, &[]).expect("a list"), ints([10, 20, 30]));
}

#[test]
fn spliced_source_is_one_expression() {
    let python = python();
    for source in [
        ") + (",
        "1) + (1, ",
        "1; ",
        "x = ",
        "1 if",
        "(",
        "lambda: yield",
        "*",
    ] {
        let failure = python
            .eval_parts(&parts![source, 1], 0)
            .expect_err("it is no expression");
        assert_eq!(&*failure.type_name, "SyntaxError", "{source}");
    }
    let failure = python
        .eval_parts(&parts!["1) + (", 1, ")+("], 0)
        .expect_err("it is no expression");
    assert_eq!(&*failure.type_name, "SyntaxError");
}

#[test]
fn statements_take_spliced_values() {
    let python = python();
    let list = python.remote("[1]");
    python
        .exec_parts(&parts![
            "source_a = ",
            &list,
            "\nsource_a.append(",
            ints([2]),
            ")\n"
        ])
        .expect("statements");
    assert_eq!(
        python.convert(&list, 0).expect("a list"),
        Value::List(vec![int(1), ints([2])])
    );
    assert!(python.is(python.remote("source_a"), &list).expect("two handles"));
    python
        .exec_parts(&parts![&list, ".clear()"])
        .expect("a value may come first");
    assert_eq!(python.convert(&list, 0).expect("a list"), ints([]));
    python
        .exec_parts(&parts![
            "for source_i in ",
            ints([1, 2]),
            ":\n    if source_i == ",
            2,
            ":\n        source_hit = ",
            "'b'"
        ])
        .expect("statements");
    assert_eq!(python.get("source_hit").expect("a global"), text("b"));
}

#[test]
fn functions_that_are_defined_keep_the_values_spliced_into_them() {
    let python = python();
    let value = python.remote("[1, 2]");
    python
        .exec_parts(&parts![
            "def source_function(x):\n    return [x, ",
            &value,
            "]\n",
            "source_lambda = lambda: ",
            &value,
            "[0]\n",
            "def source_outer():\n    def inner():\n        return ",
            5,
            "\n    return inner\n",
            "class SourceClass:\n    attribute = ",
            "'text'",
            "\n    def method(self): return ",
            &value,
            "\n",
            "source_generator = (x + ",
            100,
            " for x in (1, 2))\n",
            "def source_default(x=",
            ints([9]),
            "): return x\n",
        ])
        .expect("definitions");
    python.release(value.handle());
    python.exec("import gc; gc.collect()").expect("other source");
    assert_eq!(
        python.call("source_function", &[int(0)]).expect("a list"),
        Value::List(vec![int(0), ints([1, 2])])
    );
    for (source, expected) in [
        ("source_lambda()", int(1)),
        ("source_outer()()", int(5)),
        ("SourceClass().method()", ints([1, 2])),
        ("SourceClass.attribute", text("text")),
        ("list(source_generator)", ints([101, 102])),
        ("source_default()", ints([9])),
    ] {
        assert_eq!(python.eval(source).expect(source), expected, "{source}");
    }
}

#[test]
fn spliced_values_that_nobody_needs_are_let_go() {
    let python = python();
    let object = python.remote("type('SourceObject', (), {})()");
    let before = python.counts(object.handle()).expect("a handle");
    python.exec_parts(&parts!["str(", &object, ")"]).expect("a call");
    python
        .exec_parts(&parts!["raise ValueError(", &object, ")"])
        .expect_err("it raises");
    python.eval_parts(&parts!["str(", &object, ")"], 0).expect("text");
    python.clear_error();
    python.exec("import gc; gc.collect()").expect("other source");
    assert_eq!(python.counts(object.handle()).expect("a handle"), before);
}

#[test]
fn a_spliced_value_may_begin_any_line() {
    let python = python();
    let list = python.remote("[]");
    python
        .exec_parts(&parts!["source_begin = 1\n", &list, ".append(source_begin)\n"])
        .expect("statements");
    python
        .exec_parts(&parts![
            "if True:\n    pass\n    ",
            &list,
            ".append(2)\n    pass\n"
        ])
        .expect("statements");
    assert_eq!(python.convert(&list, 0).expect("a list"), ints([1, 2]));
}
