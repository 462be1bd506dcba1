//! Errors that go through Python from one side to the other and back, and exits.

mod host;

use std::sync::Mutex;

use host::abi::*;
use host::answers::{Asked, function};
use host::calls::{Failure, Outcome};
use host::loans::{Lent, fresh_id};
use host::python;
use host::value::{Value, int, text};

/// What comes of `source`, an expression in which `f` is a function that answers with `body`.
fn calling(source: &str, body: impl Fn(&Asked) -> i32 + Send + Sync + 'static) -> Outcome {
    let function = function(body);
    python().call(&*format!("lambda f: {source}"), &[function.value()])
}

/// A Python function of the name `name`, made of `source`.
fn define(source: &str) {
    python().exec(source).expect(source);
}

fn named(name: &str) -> Value {
    Value::Name(python().name(name).expect("a name"))
}

/// The payload of the error that `failure` tells of.
fn payload(failure: &Failure) -> Value {
    let payload = python().getattr(Value::Handle(failure.exception), "payload", 0);
    payload.expect("a payload")
}

#[test]
fn instances_and_classes_are_raised() {
    let failure = calling("f()", |asked| asked.raise(named("KeyError"))).expect_err("it raises");
    assert_eq!((&*failure.type_name, &*failure.message), ("KeyError", ""));
    define("class RaiseOwn(ValueError):\n    pass\nraise_instance = RaiseOwn('said', 7)");
    let failure = calling("f()", |asked| asked.raise(named("raise_instance"))).expect_err("it raises");
    assert_eq!(
        (&*failure.type_name, &*failure.message),
        ("RaiseOwn", "('said', 7)")
    );
    let same = python().is(Value::Handle(failure.exception), named("raise_instance"));
    assert!(same.expect("a truth value"));
    define(
        "def raise_catch(f):\n    try:\n        f()\n    except ValueError as error:\n        return error is raise_instance",
    );
    assert_eq!(
        calling("raise_catch(f)", |asked| asked.raise(named("raise_instance"))).expect("truth"),
        true.into()
    );
}

#[test]
fn what_is_no_exception_cannot_be_raised() {
    define(
        "class RaiseLiar:\n    __class__ = property(lambda self: ValueError)\nraise_liar = RaiseLiar()\n\
         class RaiseNew(Exception):\n    def __new__(cls): return 7\n\
         class RaiseFails(Exception):\n    def __init__(self): 1/0",
    );
    let outcome = calling("f()", |asked| {
        for (bad, expected) in [
            (int(1), "TypeError"),
            (text("KeyError"), "TypeError"),
            (named("int"), "TypeError"),
            (Value::None, "TypeError"),
            (named("RaiseNew"), "TypeError"),
            (named("RaiseFails"), "ZeroDivisionError"),
            (named("raise_no_such_name"), "NameError"),
        ] {
            assert_eq!(
                asked.try_raise(&bad).expect_err("no exception").type_name,
                expected,
                "{bad:?}"
            );
        }
        1
    });
    assert_eq!(outcome.expect_err("no answer").type_name, "TypeError");
    // An object that only says that it is one.
    let failure = calling("f()", |asked| {
        asked.try_raise(named("raise_liar")).map_or(0, |()| 1)
    });
    assert_eq!(failure.expect_err("no exception").type_name, "TypeError");
}

#[test]
fn an_error_of_the_host_s_is_known_again() {
    for unwind in [false, true] {
        let payload_of = Lent::object(fresh_id());
        let (id, value) = (payload_of.id(), payload_of.value());
        let failure = calling("f()", move |asked| {
            asked.fail("said é", Some(value.clone()), unwind)
        });
        let failure = failure.expect_err("it fails");
        let expected = if unwind {
            "_pyrite.HostUnwind"
        } else {
            "_pyrite.HostError"
        };
        assert_eq!((&*failure.type_name, &*failure.message), (expected, "said é"));
        assert_eq!(payload(&failure), Value::Host(id, PYR_LENT_OBJECT));
        assert!(failure.traceback.contains("said é"), "{}", failure.traceback);
        assert_eq!(payload_of.kept(), 1);
        drop(failure);
        python().clear_error();
        python().settled();
        python().eval("__import__('gc').collect()").expect("a number");
        assert_eq!(python().released(id), 1);
    }
    let failure = calling("f()", |asked| asked.fail("", None, false)).expect_err("it fails");
    assert_eq!(payload(&failure), Value::None);
}

const TRY: &str = "
def raise_try(f):
    log = []
    class Manager:
        def __enter__(self): log.append('enter')
        def __exit__(self, kind, value, trace): log.append(str(kind))
    try:
        with Manager():
            try:
                f()
            except Exception as error:
                log.append('caught')
                return log
            finally:
                log.append('finally')
    except BaseException as error:
        log.append('base')
        global raise_log
        raise_log = log
        raise
";

#[test]
fn code_that_catches_exceptions_lets_an_unwind_pass() {
    define(TRY);
    let caught = calling("raise_try(f)", |asked| asked.fail("error", None, false));
    let log = |words: &[&str]| Value::List(words.iter().map(|&word| text(word)).collect());
    assert_eq!(
        caught.expect("a log"),
        log(&["enter", "caught", "finally", "None"])
    );
    let failure = calling("raise_try(f)", |asked| asked.fail("unwind", Some(int(5)), true));
    let failure = failure.expect_err("it passes");
    assert_eq!(
        (&*failure.type_name, payload(&failure)),
        ("_pyrite.HostUnwind", int(5))
    );
    let left = python().get("raise_log").expect("a log");
    assert_eq!(
        left,
        log(&["enter", "finally", "<class '_pyrite.HostUnwind'>", "base"])
    );
}

#[test]
fn the_same_exception_passes_four_levels() {
    define(
        "raise_level = ValueError('level')\ndef raise_it(): raise raise_level\ndef raise_call(f): return f()",
    );
    let inner = function(|asked| asked.pass_on(&python().call("raise_it", &[]).expect_err("it raises")))
        .named("raise_inner");
    let outer =
        function(|asked| asked.pass_on(&python().eval("raise_call(raise_inner)").expect_err("it raises")));
    let failure = python()
        .call("raise_call", &[outer.value()])
        .expect_err("it raises");
    assert!(
        python()
            .is(Value::Handle(failure.exception), named("raise_level"))
            .expect("truth")
    );
    let frames: Vec<_> = failure.traceback.matches("in raise_call").collect();
    assert_eq!(frames.len(), 2, "{}", failure.traceback);
    assert!(failure.traceback.contains("in raise_it"), "{}", failure.traceback);
    assert_eq!(inner.lent.kept(), 1);
}

#[test]
fn causes_and_contexts_are_python_s() {
    define(
        "def raise_chain(f):\n    try:\n        1/0\n    except ZeroDivisionError:\n        f()\n\
         def raise_from(f):\n    try:\n        f()\n    except Exception as error:\n        raise KeyError('new') from error",
    );
    let failure = calling("raise_chain(f)", |asked| asked.fail("second", None, false)).expect_err("it fails");
    let context = python()
        .getattr(Value::Handle(failure.exception), "__context__", 0)
        .expect("a context");
    assert_eq!(
        python().type_name(&context).expect("a name"),
        text("ZeroDivisionError")
    );
    python().release(context.handle());
    let failure =
        calling("raise_from(f)", |asked| asked.fail("first", Some(int(9)), false)).expect_err("it fails");
    let cause = python()
        .getattr(Value::Handle(failure.exception), "__cause__", 0)
        .expect("a cause");
    assert_eq!(python().getattr(&cause, "payload", 0).expect("a payload"), int(9));
    python().release(cause.handle());
}

#[test]
fn no_error_is_set_where_the_host_is_nor_after_it() {
    define(
        "import sys\ndef raise_none():\n    return [str(sys.exc_info()[0]), len('four')]\n\
         def raise_around(f):\n    before = sys.exc_info()\n    given = f()\n    return [given, before == sys.exc_info(), int('7')]",
    );
    let outcome = calling("raise_around(f)", |asked| {
        // One failing call after another: nothing of them is left.
        python().eval("1/0").expect_err("it raises");
        python().convert(Value::Handle(9), 0).expect_err("no handle");
        python().eval("raise_none()").expect("a list");
        asked
            .try_value(Value::Bare { tag: 0, aux: 0 })
            .expect_err("no tag");
        asked.value(2)
    });
    assert_eq!(
        outcome.expect("a list"),
        Value::List(vec![int(2), true.into(), int(7)])
    );
    // In a destructor that runs while an exception is on its way.
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let _watching = function(|asked| {
        let seen = python()
            .eval("1 + 1")
            .map_or_else(|failure| failure.type_name.clone(), |v| format!("{v:?}"));
        SEEN.lock().expect("no panic").push(seen);
        asked.value(Value::None)
    })
    .named("raise_watching");
    define(
        "class RaiseDying:\n    def __del__(self): raise_watching()\n\
         def raise_dying():\n    dying = RaiseDying()\n    raise LookupError('kept')",
    );
    let failure = python().eval("raise_dying()").expect_err("it raises");
    assert_eq!((&*failure.type_name, &*failure.message), ("LookupError", "kept"));
    drop(failure);
    python().clear_error();
    python().eval("__import__('gc').collect()").expect("a number");
    assert_eq!(*SEEN.lock().expect("no panic"), ["Int(2)"]);
}
