//! Starting Python as different executables and in different surroundings: each in a process of its
//! own, which is this test again.

mod host;

use std::path::{Path, PathBuf};
use std::process::Command;

use host::abi::*;
use host::interpreter::Interpreter;
use host::value::{Value, int, text};
use host::{Host, child, loaded};

/// A case: its name, and what the child does.
type Case = (&'static str, fn(&Host));

const CASES: [Case; 7] = [
    ("computes", computes),
    ("is the executable", is_the_executable),
    ("fails", fails),
    ("is refused", is_refused),
    ("finds no such executable", finds_no_such_executable),
    (
        "is not in the way of one that runs",
        is_not_in_the_way_of_one_that_runs,
    ),
    ("has text as UTF-8", has_text_as_utf8),
];

/// Not a test of its own: what the children run.
#[test]
fn child_process() {
    let Some(wanted) = child::case() else { return };
    let (_, body) = CASES.iter().find(|(name, _)| *name == wanted).expect("a case");
    body(loaded());
}

/// Run `case` in a child that uses the Python at `executable`.
fn run(case: &str, executable: &Path, variables: &[(&str, &str)]) -> String {
    let executable = executable.to_str().expect("UTF-8");
    child::run(
        "child_process",
        case,
        &[&[("PYRITE_PYTHON", executable)], variables].concat(),
    )
}

fn start(host: &Host) {
    assert_eq!(host.start(), PYR_OK, "{:?}", host.error(true));
    assert!(host.is_running());
}

fn computes(host: &Host) {
    start(host);
    assert_eq!(host.eval("6 * 7").expect("a number"), int(42));
    let (major, minor) = host.interpreter.version;
    let version = host.eval("__import__('sys').version_info[:2]").expect("a tuple");
    assert_eq!(version, Value::Tuple(vec![int(major.into()), int(minor.into())]));
    host.import("json", None, 0)
        .expect("the standard library is found");
    host.import("array", None, 0).expect("extension modules are, too");
    let keywords = [(text("sort_keys"), true.into())];
    let dict = Value::Dict(vec![
        (text("b"), Value::None),
        (text("a"), Value::List(vec![1.5.into(), "é".into()])),
    ]);
    let dumped = host.call_with("json.dumps", &[dict], &keywords, 0).expect("text");
    assert_eq!(dumped, text("{\"a\": [1.5, \"\\u00e9\"], \"b\": null}"));
    assert_eq!(
        &*host.eval("1/0").expect_err("it raises").type_name,
        "ZeroDivisionError"
    );
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope
                .spawn(move || assert_eq!(host.call("abs", &[int(-thread)]).expect("a number"), int(thread)));
        }
    });
    assert_eq!(host.panic().expect_err("a panic").status, PYR_PANIC);
    host.stop().expect("a stop");
    start(host);
    assert_eq!(host.eval("[1][0]").expect("a number"), int(1));
}

fn is_the_executable(host: &Host) {
    start(host);
    for (name, path) in [
        ("executable", &host.interpreter.executable),
        ("prefix", &host.interpreter.prefix),
    ] {
        let told = host.eval(&format!("__import__('sys').{name}")).expect("text");
        assert_eq!(told, text(path.to_str().expect("UTF-8")), "sys.{name}");
    }
    let path = host.eval("__import__('sys').path").expect("a list");
    let folder = host.interpreter.prefix.join("lib");
    assert!(
        format!("{path:?}").contains(folder.to_str().expect("UTF-8")),
        "{path:?}"
    );
    assert_eq!(
        host.eval("__import__('sys').argv").expect("a list"),
        Value::List(vec![text("")])
    );
}

/// Where the interpreter that this process chose is, whatever a child's environment is.
fn chosen() -> PathBuf {
    Interpreter::chosen().executable
}

#[test]
fn a_python_starts_and_computes() {
    run("computes", &chosen(), &[]);
}

#[test]
fn sys_is_as_the_executable_of_a_venv_has_it() {
    let venv = host::root().join(".venv/bin/python3");
    if venv.exists() {
        run("is the executable", &venv, &[]);
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{}", std::process::id()));
    let made = Command::new(chosen())
        .args(["-m", "venv", "--without-pip"])
        .arg(&folder)
        .output();
    let made = made.expect("Python runs");
    assert!(
        made.status.success(),
        "no venv: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    run("is the executable", &folder.join("bin/python3"), &[]);
    std::fs::remove_dir_all(&folder).expect("the venv is ours");
}

#[test]
fn sys_is_as_the_chosen_executable_has_it() {
    run("is the executable", &chosen(), &[]);
}

/// PYTHONHOME is set by the parent, but only for the start: asking Python needs it unset.
fn fails(host: &Host) {
    // SAFETY: no other thread reads the environment now.
    unsafe { std::env::set_var("PYTHONHOME", "/nonexistent") };
    for _ in 0..2 {
        assert_eq!(host.start(), PYR_START_FAILED);
        assert!(!host.is_running());
        let failure = host.error(true);
        assert_eq!((failure.status, failure.exception), (PYR_START_FAILED, 0));
        assert!(failure.message.contains("did not start"), "{failure:?}");
        assert_eq!(
            host.eval("1").expect_err("it does not run").status,
            PYR_NOT_RUNNING
        );
    }
}

#[test]
fn a_home_that_is_not_there_is_a_status() {
    run("fails", &chosen(), &[]);
}

fn finds_no_such_executable(host: &Host) {
    let status = host.start_as(Path::new("/nonexistent/python"));
    assert!(
        [PYR_OK, PYR_START_FAILED].contains(&status),
        "{:?}",
        host.error(true)
    );
    assert_eq!(host.is_running(), status == PYR_OK);
}

#[test]
fn an_executable_that_is_not_there_is_no_crash() {
    run("finds no such executable", &chosen(), &[]);
}

fn is_not_in_the_way_of_one_that_runs(host: &Host) {
    // SAFETY: libpython is loaded with global visibility, and this is how it declares the function.
    unsafe {
        let initialize = libc::dlsym(libc::RTLD_DEFAULT, c"Py_InitializeEx".as_ptr());
        assert!(!initialize.is_null());
        std::mem::transmute::<*mut std::ffi::c_void, extern "C" fn(i32)>(initialize)(0);
    }
    // This thread holds the GIL, as it does in a program that has Python embedded already.
    start(host);
    host.exec("adopted = 6 * 7").expect("a statement");
    assert_eq!(host.get("adopted").expect("a global"), int(42));
    assert_eq!(host.call("len", &["abc".into()]).expect("a number"), int(3));
}

#[test]
fn an_interpreter_that_runs_already_is_used() {
    run("is not in the way of one that runs", &chosen(), &[]);
}

fn has_text_as_utf8(host: &Host) {
    start(host);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("text-{}", std::process::id()));
    std::fs::write(&path, "é€").expect("a file");
    let read = host.call(
        "lambda path: open(path).read()",
        &[path.to_str().expect("UTF-8").into()],
    );
    std::fs::remove_file(&path).expect("the file is ours");
    assert_eq!(read.expect("text"), text("é€"));
    assert_eq!(
        host.eval("len(__import__('os').fsencode('é'))")
            .expect("a number"),
        int(2)
    );
}

#[test]
fn files_are_utf8_whatever_the_locale() {
    for locale in ["C", "POSIX", "C.UTF-8", "no_such_locale"] {
        run("has text as UTF-8", &chosen(), &[("LC_ALL", locale)]);
    }
}

fn is_refused(host: &Host) {
    assert_eq!(host.start(), PYR_UNSUPPORTED_PYTHON);
    let (failure, (major, minor)) = (host.error(true), host.interpreter.version);
    assert!(
        failure.message.contains(&format!("{major}.{minor}")),
        "{failure:?}"
    );
    assert!(!host.is_running());
    assert_eq!(
        host.eval("1").expect_err("it does not run").status,
        PYR_NOT_RUNNING
    );
}

#[test]
fn every_python_that_is_installed_is_served_or_refused() {
    let mut served = 0;
    for (path, answer) in Interpreter::all() {
        let skipped = |why: &str| eprintln!("skipped: {}: {why}", path.display());
        match answer {
            Err(why) => skipped(&why),
            Ok(python) if python.libpython.is_none() => skipped("it has no shared libpython"),
            Ok(python) if !python.is_served() => {
                run("is refused", &path, &[]);
                eprintln!("refused: {}", path.display());
            }
            Ok(_) => {
                run("computes", &path, &[]);
                run("is the executable", &path, &[]);
                run("fails", &path, &[]);
                eprintln!("served: {}", path.display());
                served += 1;
            }
        }
    }
    eprintln!("{served} Pythons are served");
}
