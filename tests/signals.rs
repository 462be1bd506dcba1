//! Signal handlers are the host's, whatever Python is asked for: each case in a process of its own.

mod host;

use host::abi::*;
use host::interpreter::Interpreter;
use host::value::int;
use host::{Host, child, loaded};

/// Not a test of its own: what the children run.
#[test]
fn child_process() {
    if child::case().is_some() {
        keeps_the_signal_handlers(loaded());
    }
}

/// What the kernel does with each signal: handler, flags, mask.
fn handlers() -> Vec<(i32, usize, i32, u64)> {
    /// A flag that the C library sets by itself.
    const SA_RESTORER: i32 = 0x0400_0000;
    let describe = |signal| {
        // SAFETY: an all-zero sigaction is valid, with no new one the call only reads, and the mask
        // that is asked about is a local's.
        unsafe {
            let mut action = std::mem::zeroed::<libc::sigaction>();
            if libc::sigaction(signal, std::ptr::null(), &raw mut action) != 0 {
                return None;
            }
            let blocked = |other: &i32| libc::sigismember(&raw const action.sa_mask, *other) == 1;
            let mask = (1..65).filter(blocked).map(|other| 1 << (other - 1)).sum();
            Some((signal, action.sa_sigaction, action.sa_flags & !SA_RESTORER, mask))
        }
    };
    (1..65).filter_map(describe).collect()
}

/// What is there now and was not before.
fn changes(before: &[(i32, usize, i32, u64)]) -> Vec<(i32, usize, i32, u64)> {
    handlers()
        .into_iter()
        .filter(|now| !before.contains(now))
        .collect()
}

fn start(host: &Host) {
    assert_eq!(host.start(), PYR_OK, "{:?}", host.error(true));
}

extern "C" fn host_handler(_signal: i32) {}

fn keeps_the_signal_handlers(host: &Host) {
    // One of our own for a signal that Python would take, one that ignores, the rest as they are.
    // SAFETY: the handler does nothing.
    unsafe {
        libc::signal(libc::SIGINT, host_handler as *const () as usize);
        libc::signal(libc::SIGUSR1, libc::SIG_IGN);
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
    let before = handlers();
    assert!(before.len() > 50);
    start(host);
    assert_eq!(changes(&before), [], "after the start");
    assert_eq!(host.eval("1").expect("a number"), int(1));
    let enabled = host
        .eval("__import__('faulthandler').is_enabled()")
        .expect("a bool");
    assert_eq!(enabled, false.into());
    host.stop().expect("a stop");
    start(host);
    assert_eq!(changes(&before), [], "after another start");
}

fn run(python: &Interpreter, variables: &[(&str, &str)]) {
    let executable = [("PYRITE_PYTHON", python.executable.to_str().expect("UTF-8"))];
    child::run(
        "child_process",
        &python.name(),
        &[&executable, variables].concat(),
    );
}

#[test]
fn the_signal_handlers_are_the_host_s() {
    run(&Interpreter::chosen(), &[]);
}

#[test]
fn the_signal_handlers_are_the_host_s_also_with_a_fault_handler() {
    run(&Interpreter::chosen(), &[("PYTHONFAULTHANDLER", "1")]);
    run(&Interpreter::chosen(), &[("PYTHONDEVMODE", "1")]);
}

#[test]
fn every_python_that_is_installed_leaves_the_signal_handlers_alone() {
    for python in Interpreter::all()
        .into_iter()
        .filter_map(|(_, answer)| answer.ok())
    {
        if python.is_served() {
            run(&python, &[("PYTHONFAULTHANDLER", "1")]);
        }
    }
}

/// The alternate stack on which this thread's signal handlers run.
fn signal_stack() -> (usize, usize, i32) {
    // SAFETY: an all-zero stack_t is valid, and with no new one the call only reads.
    unsafe {
        let mut stack = std::mem::zeroed::<libc::stack_t>();
        assert_eq!(libc::sigaltstack(std::ptr::null(), &raw mut stack), 0);
        (stack.ss_sp as usize, stack.ss_size, stack.ss_flags)
    }
}

#[test]
fn the_signal_stack_is_the_host_s_also_with_a_fault_handler() {
    if child::case().is_some() {
        let before = signal_stack();
        start(loaded());
        assert_eq!(signal_stack(), before);
        return;
    }
    let test = "the_signal_stack_is_the_host_s_also_with_a_fault_handler";
    child::run(test, "stack", &[("PYTHONFAULTHANDLER", "1")]);
}
