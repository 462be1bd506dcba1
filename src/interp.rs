//! Starting and stopping Python.
//!
//! There is one interpreter for the life of the process. Stopping is logical: handles become stale,
//! `__main__` is emptied, and starting again is instant. `Py_Finalize` is never called: numpy and many
//! others do not survive it.

use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::Python;

use crate::abi::*;
use crate::api::python::{self, PyStatus};
use crate::fault::Record;
use crate::fpenv::{self, FpEnv};
use crate::{bridge, guard, interrupt, names, objects, signals, source, thread};

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const STOPPED: u8 = 2;
/// A thread is starting or stopping Python.
const BUSY: u8 = 3;
/// The interpreter is being finalized, or was, by who started it: nobody enters any more.
const FINALIZED: u8 = 4;

static STATE: AtomicU8 = AtomicU8::new(IDLE);
/// The thread that made the state `BUSY`, by the address of its entry; 0 in any other state.
static BUSY_THREAD: AtomicUsize = AtomicUsize::new(0);

/// Why initialisation failed. CPython is in no state to be initialised again then.
static FAILURE: OnceLock<String> = OnceLock::new();

/// Whether the interpreter was started: it may be stopped since.
pub(crate) fn exists() -> bool {
    STATE.load(Ordering::Acquire) != IDLE
}

/// Whether calls may enter.
#[inline]
pub(crate) fn is_running() -> bool {
    STATE.load(Ordering::Acquire) == RUNNING
}

/// Whether the interpreter is being finalized, or was.
#[inline]
pub(crate) fn is_finalized() -> bool {
    STATE.load(Ordering::Relaxed) == FINALIZED
}

/// The thread that finalizes the interpreter, by the address of its entry.
static FINALIZING_THREAD: AtomicUsize = AtomicUsize::new(0);

/// Note that this thread is about to finalize the interpreter.
pub(crate) fn finalize() {
    FINALIZING_THREAD.store(this_thread(), Ordering::Relaxed);
    STATE.store(FINALIZED, Ordering::SeqCst);
}

/// Whether another thread finalizes the interpreter, or did: Python would end this one when it wants the GIL.
pub(crate) fn is_finalized_elsewhere() -> bool {
    is_finalized() && FINALIZING_THREAD.load(Ordering::Relaxed) != this_thread()
}

/// Go from state `from` to busy; false when the state is another by now.
fn claim(from: u8) -> bool {
    let claimed = STATE
        .compare_exchange(from, BUSY, Ordering::AcqRel, Ordering::Acquire)
        .is_ok();
    if claimed {
        BUSY_THREAD.store(this_thread(), Ordering::Relaxed);
    }
    claimed
}

/// Go from busy to `state`, unless Python is being finalized meanwhile.
fn settle(state: u8) {
    BUSY_THREAD.store(0, Ordering::Relaxed);
    let _ = STATE.compare_exchange(BUSY, state, Ordering::AcqRel, Ordering::Relaxed);
}

/// Have nobody wait for what this thread starts or stops, if it does: it gives that up.
pub(crate) fn give_up() {
    if STATE.load(Ordering::Acquire) == BUSY && BUSY_THREAD.load(Ordering::Relaxed) == this_thread() {
        settle(if python::is_running() { STOPPED } else { IDLE });
    }
}

fn this_thread() -> usize {
    std::ptr::from_ref(thread::current()) as usize
}

/// Wait until no other thread is starting or stopping Python. It needs the GIL: what the host took of that is
/// given up meanwhile, and C code of Python's that has it cannot wait. No lock is held, for the same reason.
fn settled() -> Result<u8, Record> {
    loop {
        let state = STATE.load(Ordering::Acquire);
        if state != BUSY {
            return Ok(state);
        }
        if BUSY_THREAD.load(Ordering::Relaxed) == this_thread() {
            let why = "this thread is starting or stopping Python, which called the caller";
            return Err(Record::plain(PYR_START_FAILED, why));
        }
        let thread = thread::current();
        let attached = thread.is_attached();
        if attached && !thread.has_taken_gil() {
            let why = "another thread is starting or stopping Python, and this one holds the GIL";
            return Err(Record::plain(PYR_START_FAILED, why));
        }
        thread.detach(attached);
        std::thread::sleep(Duration::from_millis(1));
        if attached {
            thread.attach();
        }
    }
}

/// How to start: see `pyr_start_options`.
pub(crate) struct Options<'a> {
    pub(crate) executable: &'a [u8],
    pub(crate) code: &'a str,
    pub(crate) flags: u32,
    pub(crate) interrupt_signal: i32,
}

/// Start Python, or resume after a stop, and run the code in `options`. Late comers wait for the first.
pub(crate) fn start(options: &Options) -> Result<(), Record> {
    loop {
        match settled()? {
            RUNNING => return Ok(()),
            FINALIZED => {
                let why = "Python was finalized in this process, and cannot be started in it again";
                return Err(Record::plain(PYR_START_FAILED, why));
            }
            state if claim(state) => {
                let started = if state == IDLE {
                    first_start(options)
                } else {
                    Ok(())
                };
                let next = if started.is_ok() { STOPPED } else { state };
                let ready = started.and_then(|()| run_code(options.code));
                settle(if ready.is_ok() { RUNNING } else { next });
                return ready;
            }
            _ => {}
        }
    }
}

/// Run `code` in `__main__` while nobody else can enter.
fn run_code(code: &str) -> Result<(), Record> {
    if code.is_empty() {
        return Ok(());
    }
    let status = guard::enter_unchecked(|py| {
        let code = source::compile(py, code, source::Kind::Statements)?;
        source::run(py, code.as_ptr()).map(drop)
    });
    if status == PYR_OK {
        Ok(())
    } else {
        Err(thread::current().take_record())
    }
}

fn first_start(options: &Options) -> Result<(), Record> {
    guard::quiet_panics();
    check_version()?;
    fpenv::ignore_x87(options.flags & PYR_NO_X87 != 0);
    let host = FpEnv::enter();
    let handlers = signals::Handlers::save();
    let adopted = python::is_running();
    let started = if adopted {
        Ok(())
    } else {
        initialize(options.executable)
    };
    // An interpreter that somebody else started has signals as that one wants them.
    let keep = (options.flags & PYR_KEEP_SIGNALS != 0 && !adopted).then_some(&handlers);
    let started = started.and_then(|()| attach_first(adopted, keep));
    handlers.restore();
    if signals::are_kept() {
        signals::take_interrupt();
        signals::take_broken_pipe();
        signals::held::take(options.interrupt_signal);
    }
    host.restore();
    started.and_then(|()| {
        if signals::are_kept() {
            interrupt::prepare()
        } else {
            Ok(())
        }
    })
}

/// Load the bridge, with the GIL that initialisation left held or that is taken now. The signals of
/// `handlers` are kept, if there are any.
fn attach_first(adopted: bool, handlers: Option<&signals::Handlers>) -> Result<(), Record> {
    let thread = thread::current();
    let taken = adopted && thread.attach();
    // SAFETY: attached, by initialisation or by the line above.
    let py = unsafe { Python::assume_attached() };
    let started = bridge::start(py, adopted)
        .and_then(|()| handlers.map_or(Ok(()), |handlers| signals::keep(py, handlers)));
    let started = started.map_err(|fault| {
        let record = Record::of(py, fault);
        Record {
            status: PYR_START_FAILED,
            ..record
        }
    });
    if adopted {
        thread.detach(taken);
    } else {
        thread.adopt_started();
    }
    started
}

/// Refuse a libpython that this library cannot serve, before anything of it runs.
fn check_version() -> Result<(), Record> {
    let version = python::version();
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse::<u32>().unwrap_or(0));
    let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let refuse = |why: String| Err(Record::plain(PYR_UNSUPPORTED_PYTHON, why));
    if version.is_empty() {
        refuse("no libpython is loaded: open it with RTLD_NOW | RTLD_GLOBAL before libpyrite".to_owned())
    } else if number < (3, 9) {
        refuse(format!(
            "Python {}.{} is too old: 3.9 is the oldest that is supported",
            number.0, number.1
        ))
    } else if version.contains("free-threading") {
        refuse(format!(
            "Python {version} is a free-threaded build: install one with the GIL"
        ))
    } else {
        Ok(())
    }
}

/// `Py_InitializeFromConfig` as `executable` with no script would do it.
///
/// The executable's path is given as the first argument of the command line: that is where Python
/// takes the program's name, the prefix and the venv from, and it needs no field of `PyConfig`, whose
/// layout differs between versions.
fn initialize(executable: &[u8]) -> Result<(), Record> {
    let failed = |why: &str| Record::plain(PYR_START_FAILED, why);
    let executable = CString::new(executable).map_err(|_| failed("the executable's path contains a NUL"))?;
    if !Path::new(OsStr::from_bytes(executable.as_bytes())).is_file() {
        return Err(failed(&format!(
            "there is no executable {}",
            executable.to_string_lossy()
        )));
    }
    let mut arguments: Vec<*const c_char> = vec![executable.as_ptr()];
    if std::env::var_os("PYTHONUTF8").is_none() {
        // Text files are UTF-8 whatever the locale, as Python 3.15 makes it for all.
        arguments.extend([c"-X".as_ptr(), c"utf8".as_ptr()]);
    }
    if let Some(why) = FAILURE.get() {
        return Err(failed(&format!(
            "{why}. It cannot be tried again in this process: end it, and start another"
        )));
    }
    let symbols = python::symbols();
    let (Some(init), Some(set_argv), Some(clear), Some(initialize)) = (
        symbols.config_init,
        symbols.config_set_argv,
        symbols.config_clear,
        symbols.initialize,
    ) else {
        return Err(failed("this libpython has no PyConfig"));
    };
    // More than PyConfig takes in any version.
    let mut config = [0u64; 1024];
    let config = config.as_mut_ptr().cast::<c_void>();
    // SAFETY: the functions' types are CPython's; the buffer is large enough and outlives them.
    unsafe {
        init(config);
        let mut status = set_argv(config, arguments.len() as isize, arguments.as_ptr());
        if status.kind == 0 {
            status = initialize(config);
        }
        clear(config);
        describe(&status).map_or(Ok(()), |why| {
            let why = format!("Python did not start as {}: {why}", executable.to_string_lossy());
            let _ = FAILURE.set(why.clone());
            Err(failed(&why))
        })
    }
}

/// Why `status` is a failure.
fn describe(status: &PyStatus) -> Option<String> {
    if status.kind == 0 {
        return None;
    }
    if status.message.is_null() {
        return Some(format!("exit code {}", status.exit_code));
    }
    // SAFETY: PyStatus messages are NUL-terminated and static.
    Some(
        unsafe { CStr::from_ptr(status.message) }
            .to_string_lossy()
            .into_owned(),
    )
}

/// Stop: no call enters until the next start, old handles are stale, `__main__` is empty.
pub(crate) fn stop() -> pyr_status {
    loop {
        match settled() {
            Err(record) => return guard::fail(record),
            Ok(RUNNING) if claim(RUNNING) => {
                let status = guard::enter_unchecked(|py| {
                    objects::clear(py);
                    names::forget_sources();
                    bridge::call(py, "reset", ()).map(drop)
                });
                settle(STOPPED);
                return status;
            }
            Ok(RUNNING) => {}
            Ok(_) => return PYR_OK,
        }
    }
}
