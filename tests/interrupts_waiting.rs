//! Interrupts that come where no Python code of the thread runs: each case in a process of its own.

mod host;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;

use host::abi::*;
use host::answers::function;
use host::value::int;
use host::{Host, child, loaded, python};

const SIGNALS: [i32; 3] = [libc::SIGALRM, libc::SIGINT, libc::SIGURG];

/// How often the host's handler was called.
static CALLS: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_signal(_signal: i32) {
    CALLS.fetch_add(1, SeqCst);
}

/// A host that has handlers, and interrupts its threads by SIGURG.
fn start() -> &'static Host {
    for signal in SIGNALS {
        // SAFETY: the handler is safe to call at any time.
        unsafe { libc::signal(signal, on_signal as *const () as usize) };
    }
    let host = loaded();
    let status = host.start_with(&host.interpreter.executable, PYR_KEEP_SIGNALS, libc::SIGURG);
    assert_eq!(status, PYR_OK, "{:?}", host.error(true));
    host
}

/// Take and give back the GIL, which another thread has; that one calls `body` while this one waits.
fn wait_for_the_gil(host: &'static Host, body: impl FnOnce() + Send) {
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            host.acquire().expect("the GIL");
            sender.send(()).expect("somebody listens");
            std::thread::sleep(Duration::from_millis(100));
            body();
            std::thread::sleep(Duration::from_millis(100));
            host.release_gil().expect("held");
        });
        receiver.recv().expect("it has the GIL");
        host.acquire().expect("the GIL");
        host.release_gil().expect("held");
    });
}

fn a_signal_while_a_thread_waits_for_the_gil_is_the_host_s() {
    let host = start();
    // SAFETY: no arguments.
    let here = unsafe { libc::pthread_self() };
    for (round, signal) in (1..).zip(SIGNALS) {
        wait_for_the_gil(host, || {
            // SAFETY: the thread waits for this one.
            unsafe { libc::pthread_kill(here, signal) };
        });
        assert_eq!(CALLS.load(SeqCst), round, "{signal}");
        assert_eq!(host.eval("sum(range(10))").expect("a number"), int(45));
        assert_eq!(CALLS.load(SeqCst), round, "{signal}");
    }
}

fn an_interrupt_of_a_thread_that_waits_for_the_gil_is_not_the_next_call_s() {
    let host = python();
    let check = || {
        // SAFETY: no arguments.
        let here = unsafe { (host.api.pyr_thread_id)() };
        // SAFETY: NULL is allowed.
        wait_for_the_gil(host, || unsafe {
            (host.api.pyr_interrupt)(here, std::ptr::null_mut());
        });
        assert_eq!(host.eval("sum(range(10))").expect("a number"), int(45));
    };
    check();
    std::thread::scope(|scope| {
        scope.spawn(check);
    });
}

fn a_question_that_an_interrupt_forestalls_leaves_no_handles() {
    let host = python();
    host.exec("import hashlib, time; waits_text = bytes(1 << 26)")
        .expect("a module");
    let asked = function(|asked| {
        asked.release_handles();
        asked.value(1)
    })
    .named("waits_ask");
    let base = host.settled();
    // SAFETY: no arguments.
    let here = unsafe { (host.api.pyr_thread_id)() };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            let mut interrupted = 0;
            while interrupted == 0 {
                // SAFETY: the place is a local's.
                unsafe { (host.api.pyr_interrupt)(here, &raw mut interrupted) };
            }
        });
        // The hash is computed without the GIL, and given to the host before Python looks for interrupts.
        let failure = host
            .eval("[*map(waits_ask, map(hashlib.sha256, [waits_text] * 32))]")
            .expect_err("an interrupt");
        assert_eq!(failure.type_name, "KeyboardInterrupt");
        host.clear_error();
        host.release(failure.exception);
    });
    assert_eq!(host.settled(), base);
    drop(asked);
}

fn an_interrupt_does_not_replace_what_the_host_answers_with() {
    let host = python();
    host.exec("import sys; sys.setswitchinterval(1e-6)")
        .expect("a module");
    let check = || {
        let asked = function(|asked| {
            let over = AtomicBool::new(false);
            // SAFETY: no arguments.
            let here = unsafe { (host.api.pyr_thread_id)() };
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(SeqCst) {
                        // SAFETY: NULL is allowed.
                        unsafe { (host.api.pyr_interrupt)(here, std::ptr::null_mut()) };
                    }
                });
                let failed = (0..50_000).find_map(|_| asked.try_fail("out", None, true).err());
                over.store(true, SeqCst);
                assert_eq!(failed.map(|failure| failure.type_name.clone()), None);
            });
            1
        });
        let failure = host.call("lambda f: f()", &[asked.value()]).expect_err("an exit");
        assert_eq!(failure.type_name, "_pyrite.HostUnwind");
        host.clear_error();
        host.release(failure.exception);
        assert_eq!(host.eval("sum(range(10))").expect("a number"), int(45));
    };
    check();
    std::thread::scope(|scope| {
        scope.spawn(check);
    });
}

/// Have no more than `count` files be open.
fn limit_files(count: u64) {
    // SAFETY: the structure is a local's.
    unsafe {
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = count.min(limit.rlim_max);
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
}

fn what_failed_for_want_of_files_works_later() {
    let host = python();
    let mut id = 0;
    // SAFETY: the place is a local's.
    let mut limit = || unsafe { (host.api.pyr_limit)(1, &raw mut id) };
    limit_files(1);
    assert_eq!(limit(), PYR_START_FAILED);
    assert_eq!(limit(), PYR_START_FAILED);
    limit_files(256);
    assert_eq!(limit(), PYR_OK);
    let late = host.eval("[0 for _ in iter(int, 1)]").expect_err("no time");
    assert_eq!(late.status, PYR_TIMED_OUT);
}

fn a_child_has_no_limits_also_of_a_process_without_python() {
    let host = loaded();
    let mut id = 0;
    // SAFETY: the place is a local's.
    let mut limit = || unsafe { (host.api.pyr_limit)(60_000, &raw mut id) };
    assert_eq!(limit(), PYR_OK);
    // SAFETY: the child makes only a call that needs nothing of other threads.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = limit() == PYR_NOT_RUNNING;
        // SAFETY: nothing else of the process runs here.
        unsafe { libc::_exit(i32::from(!refused)) };
    }
    let mut status = -1;
    // SAFETY: the place is a local's.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0);
}

fn the_thread_that_started_python_may_end_with_the_gil() {
    std::thread::spawn(|| python().acquire().expect("the GIL"))
        .join()
        .expect("no panic");
    assert_eq!(python().eval("6 * 7").expect("a number"), int(42));
}

fn threads_that_begin_are_not_taken_for_those_that_begin_them() {
    let host = python();
    host.exec(
        "import threading\n\
         def nothing(): pass\n\
         def begin():\n    for _ in range(50): threading.Thread(target=nothing, daemon=True).start()",
    )
    .expect("a function");
    std::thread::scope(|scope| {
        let threads = (0..3).map(|_| {
            scope.spawn(|| {
                for _ in 0..200 {
                    let mut limit = 0;
                    // SAFETY: the place is a local's.
                    assert_eq!(unsafe { (host.api.pyr_limit)(1, &raw mut limit) }, PYR_OK);
                    let _ = host.eval("begin()");
                    // SAFETY: only numbers.
                    assert_eq!(unsafe { (host.api.pyr_limit_end)(limit) }, PYR_OK);
                }
            })
        });
        for thread in threads.collect::<Vec<_>>() {
            thread.join().expect("no panic");
        }
    });
    assert_eq!(host.eval("6 * 7").expect("a number"), int(42));
}

child::each! {
    gives_signals_to_the_host: a_signal_while_a_thread_waits_for_the_gil_is_the_host_s;
    forgets_interrupts: an_interrupt_of_a_thread_that_waits_for_the_gil_is_not_the_next_call_s;
    leaves_no_handles: a_question_that_an_interrupt_forestalls_leaves_no_handles;
    answers_with_failures: an_interrupt_does_not_replace_what_the_host_answers_with;
    works_later: what_failed_for_want_of_files_works_later;
    is_a_child: a_child_has_no_limits_also_of_a_process_without_python;
    begins_threads: threads_that_begin_are_not_taken_for_those_that_begin_them;
    lets_go_of_the_gil: the_thread_that_started_python_may_end_with_the_gil;
}
