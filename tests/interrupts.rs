//! C-c, interrupts by other threads, and limits of time: each case in a process of its own.

mod host;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use host::abi::*;
use host::calls::Failure;
use host::value::int;
use host::{Host, child, loaded};

const KEYBOARD_INTERRUPT: &str = "KeyboardInterrupt";

/// How often the host's handler of SIGINT was called.
static CALLS: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_interrupt(_signal: i32) {
    CALLS.fetch_add(1, SeqCst);
}

/// A host with a handler of its own, which keeps its signals.
fn start() -> &'static Host {
    // SAFETY: the handler is safe to call at any time.
    unsafe { libc::signal(libc::SIGINT, on_interrupt as *const () as usize) };
    start_without_handler()
}

fn start_without_handler() -> &'static Host {
    let host = loaded();
    let status = host.start_with(&host.interpreter.executable, PYR_KEEP_SIGNALS, libc::SIGURG);
    assert_eq!(status, PYR_OK, "{:?}", host.error(true));
    host.exec(
        "import os, time, sys\n\
         def begin(): os.write(begin_end, b'x')\n\
         def spin():\n    begin()\n    x = 0\n    while True: x += 1\n\
         def sleep():\n    begin()\n    time.sleep(30)\n\
         def wait():\n    import socket\n    a, b = socket.socketpair()\n    begin()\n    a.recv(1)",
    )
    .expect("functions");
    host
}

/// Do `deed` a moment after Python code has called `begin`, each of the first `times`.
fn once_begun(host: &Host, times: usize, deed: impl Fn() + Send + 'static) {
    let mut ends = [0; 2];
    // SAFETY: the array is a local.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    host.set("begin_end", i64::from(ends[1])).expect("a global");
    std::thread::spawn(move || {
        for _ in 0..times {
            let mut byte = 0u8;
            // SAFETY: the place is a local of one byte.
            assert_eq!(unsafe { libc::read(ends[0], (&raw mut byte).cast(), 1) }, 1);
            std::thread::sleep(Duration::from_millis(100));
            deed();
        }
    });
}

fn interrupt() {
    // SAFETY: sends a signal that is handled.
    unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
}

fn is_interrupted(answer: Result<impl std::fmt::Debug, Failure>) {
    let failure = answer.expect_err("an interrupt");
    assert_eq!(
        (failure.status, failure.type_name.as_str()),
        (PYR_PYTHON_ERROR, KEYBOARD_INTERRUPT)
    );
}

fn alive(host: &Host) {
    assert_eq!(host.eval("sum(range(10))").expect("a number"), int(45));
    let elsewhere = std::thread::scope(|scope| scope.spawn(|| host.eval("6 * 7").expect("a number")).join());
    assert_eq!(elsewhere.expect("no panic"), int(42));
}

/// The milliseconds that `body` takes are no part of any check but that it ends before what it runs would.
fn ends_early<T>(body: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = body();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    value
}

fn a_signal_ends_python_code() {
    let host = start();
    for (round, code) in ["spin()", "sleep()", "wait()"].iter().enumerate() {
        once_begun(host, 1, interrupt);
        is_interrupted(ends_early(|| host.eval(code)));
        assert_eq!(CALLS.load(SeqCst), round as u32 + 1, "{code}");
        alive(host);
    }
}

fn a_signal_ends_code_of_another_thread() {
    let host = start();
    // Only this thread takes it.
    // SAFETY: the set is a local's.
    let block = |how| unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigaddset(&raw mut set, libc::SIGINT);
        libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
    };
    block(libc::SIG_BLOCK);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            block(libc::SIG_UNBLOCK);
            // SAFETY: as above.
            let thread = unsafe { libc::pthread_self() };
            once_begun(host, 1, move || {
                // SAFETY: the thread is in Python until this comes.
                unsafe { libc::pthread_kill(thread, libc::SIGINT) };
            });
            is_interrupted(ends_early(|| host.eval("spin()")));
            assert_eq!(host.eval("1 + 1").expect("a number"), int(2));
        });
    });
    assert_eq!(CALLS.load(SeqCst), 1);
    alive(host);
}

fn the_host_s_signal_for_interrupts_ends_python_code() {
    // SAFETY: the handler is safe to call at any time. Python is not started before it is there.
    unsafe { libc::signal(libc::SIGURG, on_interrupt as *const () as usize) };
    let host = start();
    host.exec(
        "def stubborn():\n    for i in range(3):\n        try: spin()\n        except KeyboardInterrupt: pass\n    return i",
    )
    .expect("a function");
    let interrupt_here = |times| {
        // SAFETY: as above.
        let here = unsafe { libc::pthread_self() };
        once_begun(host, times, move || {
            // SAFETY: the thread is in Python until the last comes.
            unsafe { libc::pthread_kill(here, libc::SIGURG) };
        });
    };
    for (code, calls) in [("spin()", 1), ("sleep()", 2)] {
        interrupt_here(1);
        is_interrupted(ends_early(|| host.eval(code)));
        assert_eq!(CALLS.load(SeqCst), calls);
        alive(host);
    }
    // Who catches the exception gets another one; the host hears of them once Python is through.
    interrupt_here(3);
    assert_eq!(ends_early(|| host.eval("stubborn()")).expect("a number"), int(2));
    assert_eq!(CALLS.load(SeqCst), 3);
    alive(host);
}

fn signals_to_the_process_wait_where_nobody_can_take_them() {
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGALRM, on_interrupt as *const () as usize) };
    let host = start();
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(50));
        // SAFETY: the signal is handled.
        unsafe { libc::kill(libc::getpid(), libc::SIGALRM) };
    });
    host.eval("time.sleep(0.3)").expect("it sleeps its time");
    let start = Instant::now();
    while CALLS.load(SeqCst) == 0 && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(CALLS.load(SeqCst), 1);
    alive(host);
}

fn a_result_that_is_there_is_given() {
    let host = start();
    // The computation does not look for signals, and afterwards there is no code that would.
    once_begun(host, 1, interrupt);
    assert!(host.eval("(begin(), sum(range(30000000)))").is_ok() || CALLS.load(SeqCst) == 1);
    let start = Instant::now();
    while CALLS.load(SeqCst) == 0 && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(CALLS.load(SeqCst), 1);
    alive(host);
}

fn each_signal_is_one_interrupt() {
    let host = start();
    let mut ended = 0;
    for round in 1..=300 {
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(1));
            // SAFETY: sends a signal that is handled.
            unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
        });
        while CALLS.load(SeqCst) < round {
            match host.eval("sum(range(100))") {
                Ok(value) => assert_eq!(value, int(4950)),
                Err(failure) => {
                    assert_eq!(failure.type_name, KEYBOARD_INTERRUPT);
                    ended += 1;
                }
            }
        }
        assert_eq!(CALLS.load(SeqCst), round);
        assert!(ended <= round);
    }
    alive(host);
}

fn without_a_handler_of_the_host_s_the_call_fails() {
    let host = start_without_handler();
    once_begun(host, 1, interrupt);
    is_interrupted(ends_early(|| host.eval("spin()")));
    alive(host);
}

fn what_python_code_takes_is_taken_back() {
    let host = start();
    host.exec(
        "import asyncio, signal\n\
         async def nothing(): await asyncio.sleep(0)\n\
         asyncio.run(nothing())\n\
         seen = []\n\
         def see():\n    begin()\n    while not seen: time.sleep(0.01)\n    return len(seen)",
    )
    .expect("a run");
    // SAFETY: a signal that is handled.
    unsafe { libc::raise(libc::SIGINT) };
    assert_eq!(CALLS.load(SeqCst), 1);
    host.exec("before = signal.signal(signal.SIGINT, lambda *a: seen.append(1))")
        .expect("a handler");
    // SAFETY: as above.
    unsafe { libc::raise(libc::SIGINT) };
    assert_eq!(CALLS.load(SeqCst), 2);
    once_begun(host, 1, interrupt);
    // The handler runs in the course of this, which goes on.
    assert_eq!(host.eval("see()").expect("a number"), int(1));
    assert_eq!(CALLS.load(SeqCst), 2);
    host.exec("signal.signal(signal.SIGINT, before)")
        .expect("the one before");
    once_begun(host, 1, interrupt);
    is_interrupted(ends_early(|| host.eval("sleep()")));
}

fn vital_signals_stay_the_host_s() {
    // SAFETY: the handler is safe to call at any time.
    unsafe { libc::signal(libc::SIGUSR2, on_interrupt as *const () as usize) };
    let host = start();
    host.exec(
        "import warnings, signal, faulthandler\n\
         with warnings.catch_warnings(record=True) as told:\n    warnings.simplefilter('always')\n\
         \x20   signal.signal(signal.SIGUSR2, signal.SIG_IGN)\n    faulthandler.enable()\n\
         \x20   faulthandler.register(signal.SIGUSR2)",
    )
    .expect("warnings");
    assert_eq!(host.eval("len(told)").expect("a number"), int(3));
    assert_eq!(
        host.eval("faulthandler.is_enabled()").expect("a bool"),
        false.into()
    );
    // SAFETY: a signal that is handled.
    unsafe { libc::raise(libc::SIGUSR2) };
    assert_eq!(CALLS.load(SeqCst), 1);
}

fn limit(host: &Host, milliseconds: u64) -> u64 {
    let mut limit = 0;
    // SAFETY: the place is a local's.
    let status = unsafe { (host.api.pyr_limit)(milliseconds, &raw mut limit) };
    assert_eq!(status, PYR_OK);
    limit
}

fn end(host: &Host, limit: u64) -> pyr_status {
    // SAFETY: takes any number.
    unsafe { (host.api.pyr_limit_end)(limit) }
}

fn is_late(answer: Result<impl std::fmt::Debug, Failure>) {
    assert_eq!(answer.expect_err("no time").status, PYR_TIMED_OUT);
}

fn a_limit_ends_python_code() {
    // Also for a host that does not keep signals.
    let host = host::python();
    host.exec("import time").expect("a module");
    for code in ["[0 for _ in iter(int, 1)]", "time.sleep(30)"] {
        let limit = limit(host, 100);
        is_late(ends_early(|| host.eval(code)));
        // What cleans up has time.
        assert_eq!(host.eval("1 + 1").expect("a number"), int(2));
        assert_eq!(end(host, limit), PYR_OK);
        assert_eq!(end(host, limit), PYR_INVALID_HANDLE);
        alive(host);
    }
    let other = std::thread::spawn(|| {
        let limit = limit(host, 100);
        is_late(ends_early(|| host.eval("[0 for _ in iter(int, 1)]")));
        assert_eq!(end(host, limit), PYR_OK);
    });
    other.join().expect("no panic");
    alive(host);
}

fn a_limit_that_is_over_fails_the_next_call() {
    let host = host::python();
    let inner = limit(host, 1);
    std::thread::sleep(Duration::from_millis(200));
    is_late(host.eval("1 + 1"));
    assert_eq!(end(host, inner), PYR_OK);
    assert_eq!(host.eval("1 + 1").expect("a number"), int(2));
    let late = limit(host, 1);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(end(host, late), PYR_OK);
    assert_eq!(host.eval("1 + 1").expect("a number"), int(2));
    // SAFETY: NULL is refused.
    let status = unsafe { (host.api.pyr_limit)(1, std::ptr::null_mut()) };
    assert_eq!(status, PYR_NULL_ARGUMENT);
}

fn a_thread_interrupts_another() {
    let host = host::python();
    // SAFETY: no arguments.
    let id = || unsafe { (host.api.pyr_thread_id)() };
    let interrupt = |thread| {
        let mut interrupted = -1;
        // SAFETY: the place is a local's.
        let status = unsafe { (host.api.pyr_interrupt)(thread, &raw mut interrupted) };
        assert_eq!(status, PYR_OK);
        interrupted
    };
    assert_eq!(interrupt(id()), 0);
    assert_eq!(interrupt(12345), 0);
    let main = id();
    std::thread::scope(|scope| {
        scope.spawn(|| while interrupt(main) == 0 {});
        is_interrupted(ends_early(|| host.eval("__import__('time').sleep(30)")));
    });
    let (sender, receiver) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        sender.send(id()).expect("somebody listens");
        is_interrupted(ends_early(|| host.eval("[0 for _ in iter(int, 1)]")));
    });
    let thread = receiver.recv().expect("an id");
    while interrupt(thread) == 0 {}
    other.join().expect("no panic");
    alive(host);
}

fn imports_can_be_interrupted() {
    let host = host::python();
    host.exec(
        "import sys\n\
         def reimport(*_):\n    for _ in range(50):\n        sys.modules.pop('colorsys', None)\n        import colorsys",
    )
    .expect("a function");
    let threads = (0..3).map(|_| {
        std::thread::spawn(|| {
            for _ in 0..300 {
                let limit = limit(host, 1);
                // Nothing came of it, or it was late, there or in the code of the module.
                let _ = host.eval("reimport()");
                assert_eq!(end(host, limit), PYR_OK);
            }
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().expect("no panic");
    }
    host.eval("reimport()").expect("nobody has a lock of imports");
    alive(host);
}

child::each! {
    ends_by_a_signal: a_signal_ends_python_code;
    ends_by_a_signal_elsewhere: a_signal_ends_code_of_another_thread;
    ends_by_the_host_s_signal: the_host_s_signal_for_interrupts_ends_python_code;
    waits_for_who_can_take_it: signals_to_the_process_wait_where_nobody_can_take_them;
    gives_results: a_result_that_is_there_is_given;
    interrupts_once: each_signal_is_one_interrupt;
    fails_without_a_handler: without_a_handler_of_the_host_s_the_call_fails;
    takes_signals_back: what_python_code_takes_is_taken_back;
    keeps_vital_signals: vital_signals_stay_the_host_s;
    ends_by_a_limit: a_limit_ends_python_code;
    fails_after_a_limit: a_limit_that_is_over_fails_the_next_call;
    ends_imports: imports_can_be_interrupted;
    ends_by_another_thread: a_thread_interrupts_another;
}
