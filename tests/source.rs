//! Source: evaluated, executed, and with values spliced into it.

mod host;

use host::abi::*;
use host::python;
use host::value::{Value, int, text};

#[test]
fn expressions_are_evaluated_in_main() {
    let python = python();
    assert_eq!(python.eval("1 + 1").expect("a number"), int(2));
    assert_eq!(python.eval("  1 + 1  ").expect("a number"), int(2));
    assert_eq!(
        python.eval("(1,\n 2)").expect("a tuple"),
        Value::Tuple(vec![int(1), int(2)])
    );
    assert_eq!(
        python.eval("1, 2 # a comment").expect("a tuple"),
        Value::Tuple(vec![int(1), int(2)])
    );
    assert_eq!(python.eval("__name__").expect("text"), text("__main__"));
    assert_eq!(python.eval("'é😀'").expect("text"), text("é😀"));
    for source in ["1 +", "x = 1", "", "import os", "(", "pass", "\u{a0}1"] {
        let failure = python.eval(source).expect_err("it is no expression");
        assert_eq!(
            (failure.status, &*failure.type_name),
            (PYR_PYTHON_ERROR, "SyntaxError"),
            "{source}"
        );
    }
    assert_eq!(python.eval("1\0").expect_err("a NUL").status, PYR_PYTHON_ERROR);
}

#[test]
fn what_source_says_of_its_encoding_is_of_files() {
    let python = python();
    for encoding in ["latin-1", "no-such-encoding"] {
        let cookie = format!("# -*- coding: {encoding} -*-\n");
        let evaluated = python.eval(&format!("{cookie}'é€'"));
        assert_eq!(evaluated.expect("text"), text("é€"));
        python.exec(&format!("{cookie}source_text = 'é€'")).expect("text");
        assert_eq!(python.get("source_text").expect("set"), text("é€"));
        let called = python.call(&*format!("{cookie}lambda: 'é€'"), &[]);
        assert_eq!(called.expect("text"), text("é€"));
    }
    assert_eq!(python.eval("\u{feff}1").expect("a number"), int(1));
    let failure = python.eval("\u{a0}1").expect_err("no expression");
    assert!(failure.message.contains("<pyrite>, line 1"), "{failure:?}");
}

#[test]
fn text_in_any_encoding_is_source() {
    let python = python();
    let points = Value::Points("'€' + ".chars().map(u32::from).collect());
    let latin1 = Value::Latin1(vec![b'\'', 0xE9, b'\'']);
    assert_eq!(
        python
            .eval_parts(&[points, latin1, text(" + 'a'")], 0)
            .expect("text"),
        text("€éa")
    );
    let failure = python
        .eval_parts(&[Value::Utf8(vec![b'1', 0xFF])], 0)
        .expect_err("not UTF-8");
    assert_eq!(failure.status, PYR_INVALID_TEXT);
    let failure = python
        .eval_parts(&[Value::Points(vec![0xD800])], 0)
        .expect_err("no source");
    assert_eq!(failure.status, PYR_INVALID_TEXT);
}

#[test]
fn statements_are_executed_in_main() {
    let python = python();
    python
        .exec("source_x = 1\ndef source_f(y):\n    return source_x + y\n")
        .expect("statements");
    assert_eq!(python.eval("source_f(2)").expect("a number"), int(3));
    python.exec("source_x = 10").expect("a statement");
    assert_eq!(python.eval("source_f(2)").expect("a number"), int(12));
    python.exec("").expect("nothing is fine");
    python.exec("# a comment").expect("nothing is fine");
    python
        .exec("if True:\r\n    source_x = 'crlf'\r\n")
        .expect("lines may end so");
    assert_eq!(python.get("source_x").expect("a global"), text("crlf"));
    let failure = python
        .exec("source_early = 1\nraise ValueError('late')")
        .expect_err("it raises");
    assert_eq!((&*failure.type_name, &*failure.message), ("ValueError", "late"));
    assert_eq!(
        python.get("source_early").expect("what came before is done"),
        int(1)
    );
    assert_eq!(
        &*python.exec("def").expect_err("it is no Python").type_name,
        "SyntaxError"
    );
    assert_eq!(
        &*python.exec("  x = 1").expect_err("it is indented").type_name,
        "IndentationError"
    );
}

#[test]
fn system_exit_is_an_error_like_any_other() {
    let python = python();
    for source in ["raise SystemExit(3)", "import sys; sys.exit()", "exit()"] {
        if let Err(failure) = python.exec(source) {
            assert_eq!(failure.status, PYR_PYTHON_ERROR, "{source}");
            assert!(
                ["SystemExit", "NameError"].contains(&&*failure.type_name),
                "{source}: {failure:?}"
            );
        } else {
            panic!("{source} raises");
        }
    }
    assert_eq!(python.eval("1").expect("the process goes on"), int(1));
}
