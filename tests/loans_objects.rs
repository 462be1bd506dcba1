//! Objects and functions that the host lends: to Python they are opaque, and each is one object.

mod host;

use host::abi::*;
use host::loans::{Lent, fresh_id, told};
use host::python;
use host::value::{Value, int, text};

/// What `function`, an expression, makes of `arguments`.
fn apply(function: &str, arguments: &[&Lent]) -> Value {
    let arguments: Vec<Value> = arguments.iter().map(|lent| lent.value()).collect();
    python().call(function, &arguments).expect(function)
}

fn assert_not_kept(lent: &Lent) {
    assert_eq!((lent.kept(), python().released(lent.id())), (0, 0));
}

/// The `kept` of `lent`, and how often its id was released.
fn accounts(lent: &Lent) -> (u32, usize) {
    (lent.kept(), python().released(lent.id()))
}

#[test]
fn objects_and_functions_come_back_as_what_they_are() {
    for (lent, kind, name) in [
        (Lent::object(fresh_id()), PYR_LENT_OBJECT, "Object"),
        (Lent::function(fresh_id()), PYR_LENT_FUNCTION, "Function"),
    ] {
        let host = Value::Host(lent.id(), kind);
        assert_eq!(apply("lambda x: x", &[&lent]), host);
        assert_eq!(apply("lambda x: {x: (x, [x])}", &[&lent]), {
            let inner = Value::Tuple(vec![host.clone(), Value::List(vec![host.clone()])]);
            Value::Dict(vec![(host, inner)])
        });
        assert_eq!(
            apply("repr", &[&lent]),
            text(&format!("<_pyrite.{name} {}>", lent.id()))
        );
        assert_eq!(
            apply(
                "lambda x: [callable(x), hasattr(x, '__dict__'), x == 1]",
                &[&lent]
            ),
            Value::List(vec![
                (kind == PYR_LENT_FUNCTION).into(),
                false.into(),
                false.into()
            ])
        );
        let failure = python().call("setattr", &[lent.value(), "a".into(), int(1)]);
        assert_eq!(failure.expect_err("it is opaque").status, PYR_PYTHON_ERROR);
        python().clear_error();
        python().settled();
        assert_eq!(lent.kept() as usize, python().released(lent.id()));
    }
}

#[test]
fn an_id_is_one_object() {
    let id = fresh_id();
    let (one, same) = (Lent::object(id), Lent::object(id));
    let other = Lent::object(fresh_id());
    let elsewhere = Lent::object(id).told(1);
    let with_another_context = Lent::object(id).told(2);
    let alike = "lambda a, b: [a is b, a == b, hash(a) == hash(b), a in {b: 1}, a != b]";
    let expected = |same: bool| {
        let mut facts = vec![same.into(); 4];
        facts.push((!same).into());
        Value::List(facts)
    };
    assert_eq!(apply(alike, &[&one, &one]), expected(true));
    assert_eq!(apply(alike, &[&one, &same]), expected(true));
    assert_eq!(apply(alike, &[&one, &other]), expected(false));
    assert_eq!(apply(alike, &[&one, &elsewhere]), expected(false));
    assert_eq!(
        apply(alike, &[&elsewhere, &with_another_context]),
        expected(false)
    );
    assert!(python().is(one.value(), same.value()).expect("a truth value"));
    for lent in [&one, &same, &other] {
        assert_not_kept(lent);
    }
    assert_eq!(told(id), [0usize; 0]);
}

#[test]
fn copies_are_the_object_itself() {
    let lent = Lent::object(fresh_id());
    let copies = "lambda x: [m(x) is x for m in (__import__('copy').copy, __import__('copy').deepcopy)] + \
                  [__import__('copy').deepcopy({1: [x]})[1][0] is x]";
    assert_eq!(apply(copies, &[&lent]), Value::List(vec![true.into(); 3]));
    assert_not_kept(&lent);
    let failure = python().call("lambda x: __import__('pickle').dumps(x)", &[lent.value()]);
    assert_eq!(failure.expect_err("it cannot be").status, PYR_PYTHON_ERROR);
}

#[test]
fn an_id_that_python_keeps_is_the_object_that_it_keeps() {
    let python = python();
    let id = fresh_id();
    let (first, second) = (Lent::object(id), Lent::object(id));
    python.set("loans_kept_object", first.value()).expect("a global");
    assert_eq!(accounts(&first), (1, 0));
    let is_it = "lambda x: x is loans_kept_object";
    for lent in [&first, &second] {
        assert_eq!(apply(is_it, &[lent]), true.into());
    }
    python.set("loans_kept_again", second.value()).expect("a global");
    // It is kept once, however often.
    assert_eq!((first.kept(), second.kept()), (1, 0));
    python.exec("del loans_kept_object").expect("a global less");
    assert_eq!(python.released(id), 0);
    python.exec("del loans_kept_again").expect("it is gone");
    assert_eq!(python.released(id), 1);
    // A new life.
    python.set("loans_kept_object", first.value()).expect("a global");
    assert_eq!((first.kept(), python.released(id)), (2, 1));
    python.exec("del loans_kept_object").expect("it is gone");
    assert_eq!(python.released(id), 2);
}

#[test]
fn the_same_object_twice_is_kept_once_or_not_at_all() {
    let python = python();
    let id = fresh_id();
    let (one, same) = (Lent::object(id), Lent::object(id));
    let arguments = [&one, &same, &one];
    assert_eq!(
        apply("lambda *x: x", &arguments),
        Value::Tuple(vec![Value::Host(id, PYR_LENT_OBJECT); 3])
    );
    assert_eq!((one.kept(), same.kept(), python.released(id)), (0, 0, 0));
    apply("lambda *x: globals().update(loans_twice=x)", &arguments);
    assert_eq!((one.kept() + same.kept(), python.released(id)), (1, 0));
    python.exec("del loans_twice").expect("it is gone");
    assert_eq!((one.kept() + same.kept(), python.released(id)), (1, 1));
}

#[test]
fn the_host_is_told_with_its_context() {
    let python = python();
    let id = fresh_id();
    let lent = Lent::function(id).told(77);
    assert_eq!(apply("lambda x: x", &[&lent]), Value::Host(id, PYR_LENT_FUNCTION));
    assert_eq!((lent.kept(), told(id)), (0, vec![]));
    python.set("loans_told", lent.value()).expect("a global");
    assert_eq!((lent.kept(), told(id)), (1, vec![]));
    python.exec("del loans_told").expect("it is gone");
    assert_eq!((told(id), python.released(id)), (vec![77], 0));
    // A host without a function for it asks.
    static SILENT: SilentHost = SilentHost(pyr_host {
        size: size_of::<pyr_host>(),
        release: None,
        ask: None,
        flags: 0,
        reserved: 0,
    });
    let lent = Lent::object(id).with(|loan| loan.host = &raw const SILENT.0);
    python.set("loans_told", lent.value()).expect("a global");
    python.exec("del loans_told").expect("it is gone");
    assert_eq!((lent.kept(), told(id), python.released(id)), (1, vec![77], 1));
}

struct SilentHost(pyr_host);

// SAFETY: no pointers in it.
unsafe impl Sync for SilentHost {}

#[test]
fn weak_references_do_not_keep() {
    let python = python();
    let lent = Lent::object(fresh_id());
    let watch = "lambda x: globals().update(loans_weak=__import__('weakref').ref(x))";
    apply(watch, &[&lent]);
    assert_not_kept(&lent);
    assert_eq!(python.eval("loans_weak()").expect("it is dead"), Value::None);
    let same = "lambda x: (globals().update(loans_strong=x), loans_weak() is x)[1]";
    apply(watch, &[&lent]);
    assert_eq!(apply(same, &[&lent]), false.into());
    apply(watch, &[&lent]);
    assert_eq!(apply(same, &[&lent]), true.into());
    python.exec("del loans_strong").expect("it is gone");
    assert_eq!(python.eval("loans_weak()").expect("it is dead"), Value::None);
    assert_eq!(accounts(&lent), (1, 1));
}

#[test]
fn python_can_make_none_of_its_own() {
    let python = python();
    let lent = Lent::object(fresh_id());
    python.exec("import _pyrite as loans_module").expect("a module");
    for forgery in [
        "lambda x: type(x)()",
        "lambda x: loans_module.Function()",
        "lambda x: loans_module.Memory()",
        "lambda x: object.__new__(type(x))",
        "lambda x: object.__new__(loans_module.Memory)",
        "lambda x: type('Forged', (type(x),), {})",
        "lambda x: type('Forged', (type(x), dict), {})",
        "lambda x: type('Forged', (type(x),), {}, a=1)",
        "lambda x: type(x).__new__(type(x))",
        "lambda x: __import__('copyreg').__newobj__(type(x))",
        "lambda x: __import__('copyreg')._reconstructor(type(x), object, None)",
        "lambda x: x.__reduce_ex__(2)[0](*x.__reduce_ex__(2)[1])",
        "lambda x: type('Forged', (loans_module.Function,), {})",
        "lambda x: type('Forged', (loans_module.Memory,), {})",
        "lambda x: setattr(x, '__class__', loans_module.Function)",
        "lambda x: setattr(x, '__class__', loans_module.Memory)",
        "lambda x: setattr(x, 'id', 5)",
    ] {
        match python.call(forgery, &[lent.value()]) {
            Ok(forged) => panic!("{forgery} made {forged:?}"),
            Err(failure) => assert!(
                ["TypeError", "AttributeError"].contains(&&*failure.type_name),
                "{forgery}: {failure:?}"
            ),
        }
    }
    python.clear_error();
    python.settled();
    assert_eq!(lent.kept() as usize, python.released(lent.id()));
}

#[test]
fn another_class_makes_nothing_else_of_it() {
    let python = python();
    let lent = Lent::object(fresh_id());
    // Some Pythons refuse this, for objects whose class has its own way to set attributes.
    python
        .exec(
            "import _pyrite\ndef loans_reclass(x):\n    \
             try: object.__setattr__(x, '__class__', _pyrite.Function)\n    \
             except TypeError: pass\n    return x",
        )
        .expect("a function");
    for _ in 0..100 {
        let given = python.call("loans_reclass", &[lent.value()]).expect("itself");
        assert_eq!(given, Value::Host(lent.id(), PYR_LENT_OBJECT));
    }
    assert_not_kept(&lent);
}
