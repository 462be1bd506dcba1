//! Running one test of this file in a process of its own, under a time limit.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The variable that names the case to the child.
const CASE: &str = "PYRITE_TEST_CASE";
const LIMIT: Duration = Duration::from_secs(60);

/// The case that this process is to run, when it is a child.
pub fn case() -> Option<String> {
    std::env::var(CASE).ok()
}

/// Run test `test` of this file in a new process as `case`, with `variables` in its environment. What
/// it printed comes back; when it fails or takes too long, so does this.
pub fn run(test: &str, case: &str, variables: &[(&str, &str)]) -> String {
    let program = std::env::current_exe().expect("the path of this test");
    let child = Command::new(program)
        .args([
            test,
            "--exact",
            "--nocapture",
            "--include-ignored",
            "--test-threads=1",
        ])
        .env(CASE, case)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test can run itself");
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(LIMIT) else {
        // SAFETY: the child is ours and was not waited for yet, so the number is still its.
        unsafe { libc::kill(id as i32, libc::SIGKILL) };
        panic!("{case}: no end after {LIMIT:?}");
    };
    let output = output.expect("the child's output");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{case}: {}\n{said}", output.status);
    assert!(said.contains("1 passed"), "{case}: no test ran\n{said}");
    said
}

/// Tests of the names, each of which calls the function of its body in a process of its own.
#[allow(unused_macros, reason = "not each test file uses it")]
macro_rules! each {
    ($($name:ident: $body:ident;)*) => {$(
        #[test]
        fn $name() {
            match $crate::host::child::case() {
                None => drop($crate::host::child::run(stringify!($name), stringify!($body), &[])),
                Some(_) => $body(),
            }
        }
    )*};
}
#[allow(unused_imports, reason = "as above")]
pub(crate) use each;
