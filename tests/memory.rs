//! How much there is, how much a result takes, and what is done when that is too much.

mod host;

use host::abi::*;
use host::calls::untouched;
use host::value::{int, text};
use host::{child, python};

/// What `pyr_result_weight` says of the value of `source`.
fn weight(source: &str) -> usize {
    let python = python();
    let function = python.remote(&format!("lambda: ({source})"));
    let mut result = untouched();
    let callable = pyr_value {
        tag: PYR_HANDLE,
        aux: 0,
        of: pyr_payload {
            handle: function.handle(),
        },
    };
    // SAFETY: both are locals; the result is freed once.
    unsafe {
        let status = (python.api.pyr_call)(&raw const callable, std::ptr::null(), 0, 0, 0, &raw mut result);
        assert_eq!(status, PYR_OK);
        let weight = (python.api.pyr_result_weight)(&raw const result);
        (python.api.pyr_result_free)(&raw mut result);
        assert_eq!((python.api.pyr_result_weight)(&raw const result), 0);
        python.release(function.handle());
        weight
    }
}

#[test]
fn a_result_weighs_what_is_behind_it() {
    assert_eq!(
        [weight("1"), weight("1.5"), weight("'abc'"), weight("None")],
        [0; 4]
    );
    let ints = weight("[0] * 100000");
    assert!((1_600_000..1_700_000).contains(&ints), "{ints}");
    assert!(weight("[[0] * 100000] * 10") > 10 * ints - 100_000);
    assert!(weight("'x' * 10**6") >= 1_000_000);
    // A dict has no cells of its own when it is empty, but is an object of the host's.
    assert!(weight("[{} for i in range(1000)]") > 400_000);
    assert!(weight("[0] + [object() for i in range(1000)]") > 60_000);
}

#[test]
fn memory_of_pythons_weighs_too() {
    if host::numpy().is_some() {
        assert!(weight("__import__('numpy').zeros(10**6)") >= 8_000_000);
    }
}

#[test]
fn what_is_over_the_limit_is_refused_and_nothing_is_left() {
    if child::case().is_none() {
        let test = "what_is_over_the_limit_is_refused_and_nothing_is_left";
        child::run(test, "limit", &[]);
        return;
    }
    let python = python();
    let before = python.settled();
    // SAFETY: any number will do.
    let limit = |bytes| assert_eq!(unsafe { (python.api.pyr_limit_results)(bytes) }, PYR_OK);
    limit(1_000_000);
    for source in [
        "[0] * 10**8",
        "'x' * 10**7",
        "[[object()] * 1000] * 1000",
        "[{1: 2}] * 100000",
        "[{}] * 2500",
        "[object()] * 16000",
    ] {
        let failure = python.eval(source).expect_err("too large");
        assert_eq!(failure.status, PYR_TOO_LARGE, "{source}");
        assert!(failure.message.contains("1000000"), "{}", failure.message);
        assert_eq!(python.eval("[0] * 50000 == 1 or 7").expect("it goes on"), int(7));
    }
    if host::numpy().is_some() {
        let failure = python
            .eval("__import__('numpy').zeros(10**6)")
            .expect_err("too large");
        assert_eq!(failure.status, PYR_TOO_LARGE);
        let remote = python.remote("__import__('numpy').zeros(10**6)");
        python.release(remote.handle());
    }
    assert_eq!(
        python.eval("'x' * 10").expect("small enough"),
        text(&"x".repeat(10))
    );
    limit(usize::MAX);
    assert!(python.eval("[0] * 10**6").is_ok());
    assert_eq!(python.settled(), before);
}

#[test]
fn memory_that_cannot_be_had_is_a_memory_error() {
    if child::case().is_none() {
        child::run("memory_that_cannot_be_had_is_a_memory_error", "none", &[]);
        return;
    }
    let python = python();
    python
        .exec("import resource, mmap\nmemory_list = [0] * 10**8")
        .expect("a list");
    let used = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let used: usize = used
        .split(' ')
        .next()
        .and_then(|pages| pages.parse().ok())
        .expect("a number");
    python
        .exec(&format!(
            "resource.setrlimit(resource.RLIMIT_AS, ({} + (1 << 29), -1))",
            used * 4096
        ))
        .expect("a limit");
    for source in ["memory_list", "[memory_list]", "bytearray(10**11)"] {
        let failure = python.eval(source).expect_err("no memory");
        assert_eq!(&*failure.type_name, "MemoryError", "{source}");
        assert_eq!(python.eval("sum(range(10))").expect("it goes on"), int(45));
    }
}

#[test]
fn handles_are_counted_by_type() {
    if child::case().is_none() {
        child::run("handles_are_counted_by_type", "types", &[]);
        return;
    }
    let python = python();
    python.exec("class MemoryThing: pass").expect("a class");
    let things = ["MemoryThing()", "MemoryThing()", "[1]", "5"].map(|source| python.remote(source));
    let types = python.outcome(|out| {
        // SAFETY: the place is writable.
        unsafe { (python.api.pyr_handle_types)(0, out) }
    });
    let expected = [("__main__.MemoryThing", 2), ("int", 1), ("list", 1)];
    let expected = expected.map(|(name, count)| (text(name), int(count)));
    assert_eq!(
        types.expect("a dict"),
        host::value::Value::Dict(expected.to_vec())
    );
    things.iter().for_each(|thing| python.release(thing.handle()));
}

#[test]
fn what_there_is_is_told_without_the_gil() {
    if child::case().is_none() {
        child::run("what_there_is_is_told_without_the_gil", "stats", &[]);
        return;
    }
    let python = python();
    let [handles, _, buffers, names, threads] = python.stats();
    assert_eq!((handles, buffers, threads), (0, 0, 1));
    let object = python.remote("object()");
    let buffer = python.buffer_of("bytearray(3)");
    let name = python.name("memory_name").expect("a name");
    python.acquire().expect("the GIL");
    let other = std::thread::spawn(|| host::python().stats());
    let [now, _, buffers, names_now, threads] = other.join().expect("it needs no GIL");
    python.release_gil().expect("held");
    assert_eq!((now, buffers, names_now, threads), (handles + 1, 1, names + 1, 1));
    let other = std::thread::spawn(|| {
        assert_eq!(host::python().eval("1").expect("one"), int(1));
        host::python().stats()[4]
    });
    assert_eq!(other.join().expect("no panic"), 2);
    assert_eq!(python.stats()[4], 1);
    python.release(object.handle());
    assert_eq!(python.stats()[1], 1);
    python.release_name(name);
    python.release_buffer(buffer.0.id);
    python.settled();
    assert_eq!(python.stats(), [handles, 0, 0, names, 1]);
}
