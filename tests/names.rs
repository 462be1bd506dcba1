//! More names than the library remembers: in a process of its own, which then has them all.

mod host;

use host::abi::PYR_INVALID_NAME;
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

#[test]
fn a_name_is_held_as_often_as_it_was_interned() {
    let python = python();
    let first = python.name("names_held").expect("a name");
    assert_eq!(python.name("names_held").expect("a name"), first);
    python.set(Value::Name(first), 5).expect("a global");
    python.release_name(first);
    assert_eq!(python.get(Value::Name(first)).expect("held once more"), int(5));
    python.release_name(first);
    let failure = python.get(Value::Name(first)).expect_err("given back");
    assert_eq!(failure.status, PYR_INVALID_NAME);
    let second = python.name("names_held").expect("a name");
    assert_ne!(second, first);
    assert_eq!(python.get(Value::Name(second)).expect("set"), int(5));
    assert_eq!(
        python.get(Value::Name(first)).expect_err("for good").status,
        PYR_INVALID_NAME
    );
}

#[test]
fn a_name_may_be_longer_than_all_that_is_remembered() {
    if child::case().is_none() {
        let test = "a_name_may_be_longer_than_all_that_is_remembered";
        child::run(test, "long", &[]);
        return;
    }
    let (python, long) = (python(), "x".repeat(6 << 20));
    let name = python.name(&long).expect("a name");
    assert_eq!(python.name(&long).expect("the same name"), name);
    python.set(Value::Name(name), 7).expect("a global");
    assert_eq!(python.get(&*long).expect("set"), int(7));
    python.release_name(name);
    assert_eq!(python.get(Value::Name(name)).expect("held once more"), int(7));
    python.release_name(name);
    let failure = python.get(Value::Name(name)).expect_err("given back");
    assert_eq!(failure.status, PYR_INVALID_NAME);
}

#[test]
fn numbers_of_names_that_were_given_back_do_no_harm() {
    let python = python();
    let name = python.name("names_kept").expect("a name");
    for number in [0, 1, u64::MAX, name ^ (1 << 40), name + (1 << 24), name + 1] {
        python.release_name(number);
    }
    python.set(Value::Name(name), 6).expect("it is still one");
    python.release_name(name);
    python.release_name(name);
    python.release_name(name);
    assert_eq!(python.get("names_kept").expect("by text"), int(6));
}

/// Bytes that this process has in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: usize = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number");
    pages * 4096
}

#[test]
fn ever_new_names_and_sources_take_no_more_memory() {
    if child::case().is_none() {
        child::run("ever_new_names_and_sources_take_no_more_memory", "flat", &[]);
        return;
    }
    let python = python();
    let round = |from: usize| {
        for number in from..from + 50_000 {
            let name = python.name(format!("names_new_{number}")).expect("a name");
            python.release_name(name);
            let source = format!("lambda x: x + {number} + len('a rather long text, so that it shows')");
            let sum = python.call(&*source, &[int(1)]).expect("a sum");
            assert_eq!(sum, int(number as i64 + 37));
            assert_eq!(
                python.eval(&format!("{number} + 1")).expect("a sum"),
                int(number as i64 + 1)
            );
        }
        python.settled();
        (resident(), python.stats()[3])
    };
    let (before, names) = round(0);
    let (after, names_after) = round(50_000);
    assert_eq!(names, names_after);
    // Python 3.12 frees no identifier.
    assert!(after < before + 8_000_000, "{before} bytes, then {after}");
}

#[test]
fn large_sources_are_remembered_in_some_memory_only() {
    let python = python();
    let source = |number: usize| format!("lambda: {number} #{}", " ".repeat(1 << 20));
    let call = |number| {
        assert_eq!(
            python.call(&*source(number), &[]).expect("it"),
            int(number as i64)
        )
    };
    (0..20).for_each(call);
    let before = resident();
    (20..200).for_each(call);
    let after = resident();
    assert!(after < before + (40 << 20), "{before} bytes, then {after}");
}
