//! More names than the library remembers: in a process of its own, which then has them all.

mod host;

use host::value::{Value, int, text};
use host::{child, python};

/// Names that came as text are remembered up to a number; this is beyond it.
const MANY: i64 = 12_000;

/// Use so many names that further ones last for one use only.
fn use_up_names() {
    let python = python();
    python.set("names_dict", python.remote("{}")).expect("a global");
    for number in 0..MANY {
        let failure = python
            .get(&*format!("names_{number}"))
            .expect_err("it is not defined");
        assert_eq!(&*failure.type_name, "NameError");
    }
}

#[test]
fn names_beyond_those_that_are_remembered_work_as_well() {
    let python = python();
    use_up_names();
    for number in MANY..MANY + 300 {
        let name = format!("names_{number}");
        python.set(&*name, number).expect("a global");
        assert_eq!(python.get(&*name).expect("set"), int(number));
        let interned = Value::Name(python.name(&name).expect("a name"));
        assert_eq!(python.get(interned).expect("set"), int(number));
        let source = format!("lambda x: x + {number}");
        assert_eq!(python.call(&*source, &[int(1)]).expect("a sum"), int(number + 1));
        let object = python.remote("type('Names', (), {})()");
        python.setattr(&object, &name, "a").expect("an attribute");
        assert_eq!(python.getattr(&object, &*name, 0).expect("set"), text("a"));
        python.release(object.handle());
    }
}

#[test]
fn keywords_beyond_the_names_that_are_remembered_work_as_well() {
    if child::case().is_none() {
        // Python's debug allocator overwrites what is freed.
        let test = "keywords_beyond_the_names_that_are_remembered_work_as_well";
        child::run(test, "keywords", &[("PYTHONMALLOC", "debug")]);
        return;
    }
    use_up_names();
    for number in 0..300 {
        let keywords: Vec<_> = (0..20)
            .map(|place| (text(&format!("keyword_{number}_{place}_of_many")), int(place)))
            .collect();
        let given = python().call_with("dict", &[], &keywords, 0).expect("a dict");
        assert_eq!(given, Value::Dict(keywords));
    }
}
