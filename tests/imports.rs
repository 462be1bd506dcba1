//! Imports: what is bound, and under which name.

mod host;

use host::abi::*;
use host::python;
use host::value::{Value, int, text};

#[test]
fn modules_are_imported_as_python_binds_them() {
    let python = python();
    let module = python.import("json.decoder", None, 0).expect("a module");
    assert_eq!(python.eval("json.__name__").expect("bound"), text("json"));
    assert_eq!(
        python.getattr(&module, "__name__", 0).expect("what was bound"),
        text("json")
    );
    let module = python
        .import("json.decoder", Some("objects_decoder"), 0)
        .expect("a module");
    assert_eq!(
        python.getattr(&module, "__name__", 0).expect("what was bound"),
        text("json.decoder")
    );
    assert_eq!(
        python.eval("objects_decoder.__name__").expect("bound"),
        text("json.decoder")
    );
    let points = Value::Points("colorsys".chars().map(u32::from).collect());
    python.import(points, None, 0).expect("any text names a module");
    assert_eq!(python.eval("colorsys.__name__").expect("bound"), text("colorsys"));
    let failure = python
        .import("no_such_module", None, 0)
        .expect_err("there is none");
    assert_eq!(
        (failure.status, &*failure.type_name),
        (PYR_PYTHON_ERROR, "ModuleNotFoundError")
    );
    assert_eq!(
        python
            .get("no_such_module")
            .expect_err("nothing was bound")
            .status,
        PYR_PYTHON_ERROR
    );
    assert_eq!(
        python.import(int(1), None, 0).expect_err("no text").status,
        PYR_INVALID_TAG
    );
}

#[test]
fn the_place_for_what_was_imported_may_be_null() {
    let (python, null) = (python(), std::ptr::null());
    let cell = |text: &'static str| pyr_value {
        tag: PYR_UTF8,
        aux: text.len() as u32,
        of: pyr_payload { bytes: text.as_ptr() },
    };
    let (module, name, out) = (cell("calendar"), cell("isleap"), std::ptr::null_mut());
    // SAFETY: the cells live until the calls return.
    unsafe {
        assert_eq!((python.api.pyr_import)(&raw const module, null, 0, out), PYR_OK);
        assert_eq!(
            (python.api.pyr_import_from)(&raw const name, &raw const module, null, 0, out),
            PYR_OK
        );
    }
    assert_eq!(
        python
            .eval("isleap(2024) and calendar.isleap(2024)")
            .expect("bound"),
        true.into()
    );
}

#[test]
fn things_are_imported_from_modules() {
    let python = python();
    let given = python.import_from("floor", "math", None, 0).expect("a function");
    assert!(
        python
            .is(&given, python.remote("__import__('math').floor"))
            .expect("two objects")
    );
    assert_eq!(python.call("floor", &[2.5.into()]).expect("a number"), int(2));
    python
        .import_from("pi", "math", Some("objects_pi"), 0)
        .expect("a number");
    assert_eq!(
        python.get("objects_pi").expect("bound"),
        std::f64::consts::PI.into()
    );
    let failure = python
        .import_from("nothing", "math", None, 0)
        .expect_err("math has no such thing");
    assert_eq!(&*failure.type_name, "ImportError");
    let failure = python
        .import_from("a", "no_such_module", None, 0)
        .expect_err("there is none");
    assert_eq!(&*failure.type_name, "ModuleNotFoundError");
}

#[test]
fn submodules_are_imported_from_packages() {
    let python = python();
    python
        .import_from("minidom", "xml.dom", None, 0)
        .expect("as `from xml.dom import minidom`");
    assert_eq!(
        python.eval("minidom.__name__").expect("bound"),
        text("xml.dom.minidom")
    );
}

#[test]
fn a_name_with_a_colon_is_found_in_its_module() {
    let python = python();
    let quoted = python.call("urllib.parse:quote", &[text("a b")]);
    assert_eq!(quoted.expect("imported at the first use"), text("a%20b"));
    assert_eq!(
        python.get("urllib").expect_err("nothing is bound").status,
        PYR_PYTHON_ERROR
    );
    assert_eq!(
        python.get("colorsys:ONE_THIRD.real").expect("an attribute"),
        Value::Float(1.0 / 3.0)
    );
    python.set("colorsys:added", 5).expect("an attribute");
    assert_eq!(python.get("colorsys:added").expect("set"), int(5));
    assert_eq!(python.call("lambda:7", &[]).expect("source"), int(7));
    for (name, kind) in [
        ("no_such_module:name", "ModuleNotFoundError"),
        ("colorsys:no_such_name", "AttributeError"),
        ("colorsys:", "NameError"),
        (":colorsys", "NameError"),
        ("colorsys:a:b", "NameError"),
    ] {
        assert_eq!(
            &*python.get(name).expect_err("undefined").type_name,
            kind,
            "{name}"
        );
    }
}

#[test]
fn a_module_that_another_thread_is_importing_is_waited_for() {
    let python = python();
    python
        .exec(
            "import sys, threading, time, types
class Finder:
    def find_spec(self, name, path=None, target=None):
        import importlib.util
        return importlib.util.spec_from_loader(name, self) if name == 'slow_module' else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        entered.set()
        time.sleep(0.3)
        module.value = 1
entered = threading.Event()
sys.meta_path.append(Finder())
importer = threading.Thread(target=__import__, args=('slow_module',))
importer.start()
entered.wait()",
        )
        .expect("a thread");
    assert_eq!(python.get("slow_module:value").expect("when it is there"), int(1));
    python.exec("importer.join()").expect("its end");
}
