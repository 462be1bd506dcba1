//! What Python asks of what the host lent, other than to be called; and hosts that cannot be asked.

mod host;

use host::abi::*;
use host::answers::{Answering, function, object};
use host::loans::Lent;
use host::python;
use host::value::{Value, int, ints, text};

/// The value that a name has, not text.
fn named(name: &str) -> Value {
    Value::Name(python().name(name).expect("a name"))
}

fn thing() -> Answering {
    object(|asked| match (asked.question, &asked.args[..]) {
        (PYR_ASK_GETATTR, [Value::Text(name)]) => match &name[..] {
            "size" => asked.value(3),
            "list" => asked.value(ints([1, 2])),
            "broken" => asked.raise(named("KeyError")),
            _ => 0,
        },
        (PYR_ASK_SETATTR, [Value::Text(name), value]) if name == "size" => {
            assert_eq!(*value, int(4));
            1
        }
        (PYR_ASK_SETATTR, [Value::Text(name), _]) if name == "plain" => {
            asked.direct(pyr_value::integer(PYR_NONE, 0))
        }
        (PYR_ASK_REPR, []) => asked.value("<a thing>"),
        (PYR_ASK_DIR, []) => asked.value(Value::List(vec![text("size"), text("list")])),
        _ => 0,
    })
}

#[test]
fn attributes_are_asked_for() {
    let (python, thing) = (python(), thing());
    let with = |source: &str| python.call(&*format!("lambda x: {source}"), &[thing.value()]);
    assert_eq!(with("x.size").expect("a number"), int(3));
    assert_eq!(with("getattr(x, 'list')").expect("a list"), ints([1, 2]));
    assert_eq!(
        with("repr(x) + str(x)").expect("text"),
        text("<a thing><a thing>")
    );
    assert_eq!(
        with("[n for n in dir(x) if n in ('size', 'list', '__repr__')]")
            .expect("names")
            .clone(),
        { Value::List(vec![text("__repr__"), text("list"), text("size")]) }
    );
    assert_eq!(
        with("hasattr(x, 'size') and not hasattr(x, 'weight')").expect("truth"),
        true.into()
    );
    assert_eq!(with("x.broken").expect_err("it raises").type_name, "KeyError");
    let failure = with("x.weight").expect_err("no attribute");
    assert_eq!(failure.type_name, "AttributeError");
    assert!(failure.message.contains("'weight'"), "{}", failure.message);
    assert_eq!(with("setattr(x, 'plain', 1)").expect("None"), Value::None);
    // An answer that says nothing of a value is one: there is none to give.
    assert_eq!(
        with("setattr(x, 'weight', 1)")
            .expect_err("no attribute")
            .type_name,
        "AttributeError"
    );
    assert_eq!(
        with("delattr(x, 'size')").expect_err("no attribute").type_name,
        "AttributeError"
    );
    assert_eq!(
        with("setattr(x, '__class__', int)").expect_err("no").type_name,
        "AttributeError"
    );
    assert_eq!(with("x()").expect_err("no function").type_name, "TypeError");
}

#[test]
fn odd_answers_about_attributes_are_errors() {
    let python = python();
    let odd = object(|asked| match asked.question {
        PYR_ASK_REPR => asked.fail("no repr", None, true),
        PYR_ASK_DIR => asked.value(7),
        _ => 0,
    });
    let with = |source: &str| python.call(&*format!("lambda x: {source}"), &[odd.value()]);
    assert_eq!(
        with("repr(x)").expect_err("it fails").type_name,
        "_pyrite.HostUnwind"
    );
    assert_eq!(with("dir(x)").expect_err("no names").type_name, "TypeError");
    // The name of an attribute that is not there asks for no repr, which unwinds.
    assert_eq!(with("hasattr(x, 'a')").expect("truth"), false.into());
    let told = function(|asked| {
        if asked.args == [text("__doc__")] {
            asked.value("what it does")
        } else {
            0
        }
    });
    assert_eq!(
        python.call("lambda f: f.__doc__", &[told.value()]).expect("text"),
        text("what it does")
    );
    let bare = object(|asked| {
        if asked.question == PYR_ASK_REPR {
            asked.value(12)
        } else {
            0
        }
    });
    assert_eq!(python.call("repr", &[bare.value()]).expect("text"), text("12"));
}

#[test]
fn a_host_that_answers_nothing_is_not_asked() {
    let python = python();
    for lent in [
        Lent::function(host::loans::fresh_id()),
        Lent::function(host::loans::fresh_id()).told(1),
    ] {
        let failure = python.call("lambda f: f(object(), k=object())", &[lent.value()]);
        assert_eq!(failure.expect_err("no function").type_name, "TypeError");
        python.clear_error();
        let found = python.call(
            "lambda f: [hasattr(f, 'x'), f.__doc__, len(repr(f)) > 3]",
            &[lent.value()],
        );
        assert_eq!(
            found.expect("a list"),
            Value::List(vec![false.into(), Value::None, true.into()])
        );
    }
}

#[test]
fn a_host_of_another_size_is_refused() {
    for size in [
        0,
        8,
        size_of::<pyr_host>() - 8,
        size_of::<pyr_host>() + 8,
        usize::MAX,
    ] {
        let host = Box::leak(Box::new(pyr_host {
            size,
            release: None,
            ask: None,
            flags: 0,
            reserved: 0,
        }));
        let lent = Lent::function(host::loans::fresh_id()).with(|loan| loan.host = host);
        let failure = python()
            .call("lambda f: f()", &[lent.value()])
            .expect_err("no size");
        assert_eq!((failure.status, lent.kept()), (PYR_INVALID_SIZE, 0));
    }
}
