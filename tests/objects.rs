//! Attributes, items, globals, imports, and what objects say of themselves.

mod host;

use host::abi::*;
use host::python;
use host::value::{Value, int, ints, text};

#[test]
fn attributes_are_read_and_set() {
    let python = python();
    python.exec("class ObjectsBox: pass").expect("a class");
    let object = python.remote("ObjectsBox()");
    let failure = python.getattr(&object, "value", 0).expect_err("not set yet");
    assert_eq!(
        (failure.status, &*failure.type_name),
        (PYR_PYTHON_ERROR, "AttributeError")
    );
    for value in [int(1), ints([1, 2]), text("é"), Value::None] {
        python
            .setattr(&object, "value", &value)
            .expect("objects take attributes");
        assert_eq!(python.getattr(&object, "value", 0).expect("set"), value);
        let name = Value::Name(python.name("value").expect("a name"));
        assert_eq!(python.getattr(&object, name, 0).expect("set"), value);
    }
    assert_eq!(python.getattr(7, "real", 0).expect("ints have it"), int(7));
    assert!(matches!(python.getattr("a", "upper", 0), Ok(Value::Handle(_))));
    assert!(matches!(
        python.getattr(7, "real", PYR_REMOTE),
        Ok(Value::Handle(_))
    ));
    assert_eq!(
        python.setattr(7, "real", 1).expect_err("read-only").status,
        PYR_PYTHON_ERROR
    );
    assert_eq!(
        python.getattr(7, int(1), 0).expect_err("no name").status,
        PYR_INVALID_TAG
    );
}

#[test]
fn an_attribute_may_have_a_name_with_dots() {
    let python = python();
    let object = python.remote("type('ObjectsDotted', (), {'a.b': 5})()");
    assert_eq!(python.getattr(&object, "a.b", 0).expect("it is there"), int(5));
}

#[test]
fn items_are_read_and_set() {
    let python = python();
    let list = python.remote("[1, 2, 3]");
    assert_eq!(python.getitem(&list, -1, 0).expect("the last"), int(3));
    python
        .setitem(&list, int(0), ints([9]))
        .expect("there is such an item");
    assert_eq!(
        python.convert(&list, 0).expect("a list"),
        Value::List(vec![ints([9]), int(2), int(3)])
    );
    let slice = python.remote("slice(None, None, -1)");
    assert_eq!(
        python.getitem(ints([1, 2]), slice, 0).expect("a list"),
        ints([2, 1])
    );
    let dict = python.remote("{}");
    let key = Value::Tuple(vec![int(1), text("a")]);
    python
        .setitem(&dict, key.clone(), true)
        .expect("a tuple is a key");
    assert_eq!(python.getitem(&dict, &key, 0).expect("it is there"), true.into());
    assert_eq!(python.getitem("abc", 1, 0).expect("a character"), text("b"));
    assert!(matches!(
        python.getitem("abc", 1, PYR_REMOTE),
        Ok(Value::Handle(_))
    ));
    for (object, key, error) in [
        (&list, int(3), "IndexError"),
        (&dict, int(3), "KeyError"),
        (&dict, ints([]), "TypeError"),
    ] {
        assert_eq!(
            &*python.getitem(object, key, 0).expect_err("not there").type_name,
            error
        );
    }
    assert_eq!(
        &*python.setitem(&dict, ints([]), 1).expect_err("no key").type_name,
        "TypeError"
    );
    assert_eq!(
        &*python.setitem("abc", int(0), 1).expect_err("read-only").type_name,
        "TypeError"
    );
}

#[test]
fn a_slice_crosses_as_its_three_cells() {
    let python = python();
    let slice = |start, stop, step| Value::Slice(Box::new([start, stop, step]));
    let none = || Value::None;
    for (value, repr) in [
        (slice(none(), none(), none()), "slice(None, None, None)"),
        (slice(int(1), int(-1), none()), "slice(1, -1, None)"),
        (
            slice(text("a"), Value::Tuple(vec![int(1), text("b")]), ints([2])),
            "slice('a', (1, 'b'), [2])",
        ),
        (
            Value::List(vec![
                Value::Tuple(vec![slice(int(0), none(), int(2)), int(3)]),
                ints([]),
            ]),
            "[(slice(0, None, 2), 3), []]",
        ),
        (
            slice(slice(int(1), int(2), int(3)), none(), none()),
            "slice(slice(1, 2, 3), None, None)",
        ),
    ] {
        assert_eq!(python.call("repr", &[value]).expect("any value"), text(repr));
    }
    assert_eq!(
        python
            .getitem(ints([1, 2, 3, 4]), slice(none(), none(), int(-2)), 0)
            .expect("a list"),
        ints([4, 2])
    );
    let list = python.remote("[1, 2, 3, 4]");
    python
        .setitem(&list, slice(int(1), int(3), none()), ints([]))
        .expect("a list");
    assert_eq!(python.convert(&list, 0).expect("a list"), ints([1, 4]));
    for (aux, status) in [
        (2, PYR_INVALID_TAG),
        (4, PYR_INVALID_TAG),
        (0, PYR_INVALID_TAG),
        (3, PYR_NULL_ARGUMENT),
    ] {
        let bare = Value::Bare { tag: PYR_SLICE, aux };
        assert_eq!(
            python.call("repr", &[bare]).expect_err("no slice").status,
            status,
            "{aux}"
        );
    }
}

/// What making `depth` slices, each but the first the start of another, returns.
fn nest_slices(depth: usize) -> pyr_status {
    let python = python();
    let mut cells = vec![pyr_value::integer(PYR_NONE, 0); 3 * depth + 1];
    let address = cells.as_mut_ptr();
    for index in 0..depth {
        let slice = &mut cells[3 * index + 3];
        (slice.tag, slice.aux) = (PYR_SLICE, 3);
        // SAFETY: inside the vector, which stays where it is.
        slice.of.items = unsafe { address.add(3 * index) };
    }
    let mut result = std::mem::MaybeUninit::<pyr_result>::zeroed();
    // SAFETY: the cells live until the call returns; the result is written, or all zero.
    unsafe {
        let status = (python.api.pyr_convert)(address.add(3 * depth), PYR_REMOTE, result.as_mut_ptr());
        python.release(result.assume_init().value.of.handle);
        status
    }
}

#[test]
fn slices_are_nested_to_a_limit() {
    for depth in [1, 2, 1000] {
        assert_eq!(nest_slices(depth), PYR_OK, "{depth}");
    }
    for depth in [1002, 100_000] {
        assert_eq!(nest_slices(depth), PYR_TOO_DEEP, "{depth}");
    }
}

#[test]
fn iterators_give_their_items_and_end() {
    let python = python();
    let iterator = python.iter(ints([7, 8]), 0).expect("lists can be iterated over");
    assert!(matches!(iterator, Value::Handle(_)));
    assert_eq!(python.next(&iterator, 0).expect("an item"), Some(int(7)));
    assert!(matches!(
        python.next(&iterator, PYR_REMOTE),
        Ok(Some(Value::Handle(_)))
    ));
    for _ in 0..3 {
        assert_eq!(python.next(&iterator, 0).expect("the end"), None);
    }
    python
        .exec("def objects_numbers():\n    yield None\n    yield (1, [2])\n    raise KeyError('inside')")
        .expect("a generator");
    let numbers = python.remote("objects_numbers()");
    let generator = python.iter(&numbers, 0).expect("generators, too");
    assert_eq!(python.next(&generator, 0).expect("an item"), Some(Value::None));
    assert_eq!(
        python.next(&generator, 0).expect("an item"),
        Some(Value::Tuple(vec![int(1), ints([2])]))
    );
    assert_eq!(
        &*python.next(&generator, 0).expect_err("it raises").type_name,
        "KeyError"
    );
    assert_eq!(python.next(&generator, 0).expect("it is over"), None);
    for (failure, part) in [
        (python.iter(5, 0).expect_err("not iterable"), "not iterable"),
        (
            python.next(ints([1]), 0).expect_err("a list is none"),
            "'list' object is not an iterator",
        ),
    ] {
        assert_eq!(&*failure.type_name, "TypeError");
        assert!(failure.message.contains(part), "{}", failure.message);
    }
}

#[test]
fn the_bridge_has_its_name_to_itself() {
    let python = python();
    python.set("_pyrite", 5).expect("a global");
    let name = Value::Name(python.name("_pyrite.fraction").expect("a name"));
    assert!(matches!(python.get(&name), Ok(Value::Handle(_))));
    python.exec("del _pyrite").expect("it is a global");
    assert!(matches!(python.get("_pyrite.fraction"), Ok(Value::Handle(_))));
    assert_eq!(
        &*python
            .eval("_pyrite")
            .expect_err("source does not see it")
            .type_name,
        "NameError"
    );
}

#[test]
fn globals_are_read_and_set_by_name() {
    let python = python();
    python.set("objects_global", ints([1])).expect("any value");
    assert_eq!(python.get("objects_global").expect("set"), ints([1]));
    assert_eq!(python.eval("objects_global + [2]").expect("a list"), ints([1, 2]));
    assert_eq!(python.get("True").expect("a builtin"), true.into());
    python
        .exec("import types; objects_space = types.SimpleNamespace(inner=types.SimpleNamespace())")
        .expect("objects");
    python
        .set("objects_space.inner.value", 5)
        .expect("an attribute of an attribute");
    assert_eq!(python.get("objects_space.inner.value").expect("set"), int(5));
    let name = Value::Name(python.name("objects_space.inner.value").expect("a name"));
    python.set(&name, 6).expect("set by name");
    assert_eq!(python.get(&name).expect("set"), int(6));
    for missing in ["objects_missing", "objects_missing.attribute", "1 + 1", ""] {
        let failure = python.get(missing).expect_err("it is not defined");
        assert_eq!(
            (failure.status, &*failure.type_name),
            (PYR_PYTHON_ERROR, "NameError"),
            "{missing}"
        );
    }
    assert_eq!(
        &*python
            .get("objects_space.missing")
            .expect_err("not set")
            .type_name,
        "AttributeError"
    );
    assert_eq!(
        python.set("1 + 1", 2).expect_err("no name").status,
        PYR_PYTHON_ERROR
    );
    assert_eq!(python.get(int(1)).expect_err("no name").status, PYR_INVALID_TAG);
    assert_eq!(
        python.get(Value::Utf8(vec![0xFF])).expect_err("no text").status,
        PYR_INVALID_TEXT
    );
}

#[test]
fn identifiers_of_other_scripts_are_names() {
    let python = python();
    for name in ["größe", "変数", "_x1", "переменная"] {
        python.exec(&format!("{name} = 1")).expect("an identifier");
        assert_eq!(python.get(name).expect(name), int(1));
        python.set(name, 2).expect(name);
        assert_eq!(python.eval(name).expect(name), int(2));
    }
}

#[test]
fn identifiers_are_what_python_takes_them_for() {
    let python = python();
    // With combining marks, and with a ligature that Python spells out.
    for name in ["x\u{301}", "नमस्ते", "ﬁn"] {
        python.exec(&format!("{name} = 1")).expect("an identifier");
        assert_eq!(python.get(name).expect(name), int(1));
    }
}

#[test]
fn objects_say_what_they_are() {
    let python = python();
    python
        .exec("class ObjectsSelf:\n    def __str__(self): return 'é'\n    def __repr__(self): return 'R'")
        .expect("a class");
    let object = python.remote("ObjectsSelf()");
    assert_eq!(python.str(&object).expect("text"), text("é"));
    assert_eq!(python.repr(&object, 0).expect("text"), text("R"));
    assert_eq!(python.type_name(&object).expect("text"), text("ObjectsSelf"));
    assert_eq!(python.str("a'b").expect("text"), text("a'b"));
    assert_eq!(
        python
            .repr(Value::List(vec![text("a'b"), int(1)]), 0)
            .expect("text"),
        text("[\"a'b\", 1]")
    );
    for (value, name) in [
        (int(1), "int"),
        (Value::None, "NoneType"),
        (text(""), "str"),
        (ints([]), "list"),
    ] {
        assert_eq!(python.type_name(value).expect("text"), text(name));
    }
    let object = python.remote("type('ObjectsMute', (), {'__repr__': lambda self: 1/0})()");
    assert_eq!(
        &*python
            .repr(&object, 0)
            .expect_err("its __repr__ raises")
            .type_name,
        "ZeroDivisionError"
    );
}

#[test]
fn what_an_object_says_is_text_whatever_its_class() {
    let python = python();
    python
        .exec("class ObjectsText(str):\n    def __str__(self): return self\n    __repr__ = __str__")
        .expect("a class");
    let object = python.remote("ObjectsText('a')");
    assert_eq!(python.str(&object).expect("text"), text("a"));
    assert_eq!(python.repr(&object, 0).expect("text"), text("a"));
}

#[test]
fn identity_is_that_of_objects() {
    let python = python();
    let (list, other) = (python.remote("[]"), python.remote("[]"));
    assert!(python.is(&list, &list).expect("two values"));
    assert!(!python.is(&list, &other).expect("two values"));
    assert!(!python.is(ints([]), ints([])).expect("two values"));
    assert!(python.is(Value::None, python.remote("None")).expect("two values"));
    python.set("objects_same", &list).expect("a global");
    assert!(
        python
            .is(python.remote("objects_same"), &list)
            .expect("two handles on one object")
    );
    assert_eq!(
        python.is(Value::Handle(0), 1).expect_err("no handle").status,
        PYR_INVALID_HANDLE
    );
}
