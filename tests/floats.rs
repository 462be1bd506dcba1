//! The floating-point environment is the host's, whatever Python computes and whatever traps.

mod host;

use std::ffi::c_int;

use host::python;
use host::value::{Value, text};

#[link(name = "m")]
unsafe extern "C" {
    safe fn fegetround() -> c_int;
    safe fn fesetround(mode: c_int) -> c_int;
    safe fn fegetexcept() -> c_int;
    safe fn feenableexcept(exceptions: c_int) -> c_int;
    safe fn fedisableexcept(exceptions: c_int) -> c_int;
    safe fn feclearexcept(exceptions: c_int) -> c_int;
}

#[cfg(target_arch = "x86_64")]
mod modes {
    /// To nearest, down, up, to zero.
    pub const ROUNDING: [i32; 4] = [0, 0x400, 0x800, 0xC00];
    /// Invalid, division by zero, overflow.
    pub const TRAPS: i32 = 0x01 | 0x04 | 0x08;
}
#[cfg(target_arch = "aarch64")]
mod modes {
    /// To nearest, down, up, to zero.
    pub const ROUNDING: [i32; 4] = [0, 0x80_0000, 0x40_0000, 0xC0_0000];
    /// Invalid, division by zero, overflow.
    pub const TRAPS: i32 = 0x01 | 0x02 | 0x04;
}
use modes::{ROUNDING, TRAPS};

/// Python code that does, on some way, what a trap would catch, and what comes of it.
const TRAPPING: [(&str, Result<&str, &str>); 7] = [
    ("repr(float('inf') - float('inf'))", Ok("nan")),
    ("repr(float('inf') * float('0'))", Ok("nan")),
    ("repr(float('1e308') * float('10'))", Ok("inf")),
    ("repr(float('1e-308') * float('1e-10'))", Ok("1e-318")),
    ("__import__('math').sqrt(float('-1'))", Err("ValueError")),
    ("__import__('math').exp(float('1000'))", Err("OverflowError")),
    ("__import__('math').sin(float('inf'))", Err("ValueError")),
];

/// Run `body` on a thread of its own, so that its environment ends with it.
fn apart(body: impl FnOnce() + Send + 'static) {
    python();
    std::thread::spawn(body).join().expect("no panic");
}

fn compute() {
    for (source, expected) in TRAPPING {
        match (python().eval(source), expected) {
            (Ok(value), Ok(expected)) => assert_eq!(value, text(expected), "{source}"),
            (Err(failure), Err(expected)) => assert_eq!(failure.type_name, expected, "{source}"),
            (other, _) => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn traps_of_the_host_s_do_not_go_off_in_python_and_are_there_afterwards() {
    apart(|| {
        if feenableexcept(TRAPS) == -1 || fegetexcept() & TRAPS != TRAPS {
            eprintln!("skipped: this processor does not trap");
            return;
        }
        let check = || assert_eq!(fegetexcept(), TRAPS);
        for _ in 0..3 {
            compute();
            check();
            python().panic().expect_err("a panic");
            check();
            python().convert(Value::Handle(0), 0).expect_err("no handle");
            check();
            python().acquire().expect("the GIL");
            check();
            compute();
            check();
            python().release_gil().expect("held");
            check();
        }
        feclearexcept(TRAPS);
        fedisableexcept(TRAPS);
    });
}

#[test]
fn python_rounds_as_ever_and_the_host_as_it_did() {
    for mode in ROUNDING {
        apart(move || {
            assert_eq!(fesetround(mode), 0);
            for _ in 0..10 {
                let third = python().eval("repr(float('1') / float('3'))").expect("text");
                let tenths = python().eval("repr(float('0.1') + float('0.2'))").expect("text");
                let negative = python().eval("repr(float('-1') / float('3'))").expect("text");
                let now = fegetround();
                // Comparing and formatting are the host's, and may come out otherwise in its mode.
                fesetround(ROUNDING[0]);
                assert_eq!(now, mode);
                assert_eq!(third, text("0.3333333333333333"));
                assert_eq!(tenths, text("0.30000000000000004"));
                assert_eq!(negative, text("-0.3333333333333333"));
                fesetround(mode);
            }
        });
    }
}

#[test]
fn what_python_code_does_to_the_environment_ends_with_the_call() {
    for mode in ROUNDING {
        apart(move || {
            assert_eq!(fesetround(mode), 0);
            for other in ROUNDING {
                let change = format!("__import__('ctypes').CDLL('libm.so.6').fesetround({other})");
                python().eval(&change).expect("a number");
                let now = fegetround();
                fesetround(ROUNDING[0]);
                assert_eq!(now, mode, "Python code set {other}");
                fesetround(mode);
            }
        });
    }
}
