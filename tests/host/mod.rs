//! A host of libpyrite, as the tests need one: it finds a Python, loads its libpython and then the
//! library, and starts Python once for the process.

#![allow(dead_code, reason = "each test file uses a part of this")]

#[path = "../../src/abi.rs"]
pub mod abi;
pub mod answers;
pub mod api;
pub mod buffers;
pub mod calls;
pub mod child;
pub mod handles;
pub mod idle;
pub mod interpreter;
pub mod literal;
pub mod loans;
pub mod objects;
pub mod random;
pub mod value;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};

use abi::*;
use api::Api;
use interpreter::Interpreter;

/// The folder of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The library under test: `PYRITE_LIBRARY`, else the one in `release` of cargo's target folder.
pub fn library_path() -> PathBuf {
    if let Some(path) = std::env::var_os("PYRITE_LIBRARY") {
        return existing(path.into(), "PYRITE_LIBRARY names a file that is not there");
    }
    // A test runs as <target>/<profile>/deps/<name>.
    let test = std::env::current_exe().expect("the path of this test");
    let target = test
        .ancestors()
        .nth(3)
        .expect("a test is three folders down in the target folder");
    let library = existing(
        target.join("release/libpyrite.so"),
        "the library is missing: `cargo build --release` first (`cargo test` does not build it)",
    );
    warn_of_old(&library);
    library
}

/// Say so when a source is newer than `library`: what then fails may be mended already.
fn warn_of_old(library: &Path) {
    let changed = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let folders = ["src", "src/abi", "src/api"].map(|folder| std::fs::read_dir(root().join(folder)));
    for source in folders.into_iter().flatten().flatten().flatten() {
        if changed(&source.path()) > changed(library) {
            eprintln!(
                "{} is older than {}: `cargo build --release`",
                library.display(),
                source.path().display()
            );
        }
    }
}

fn existing(path: PathBuf, why: &str) -> PathBuf {
    assert!(path.is_file(), "{why} ({})", path.display());
    path
}

/// A loaded library and the Python that goes with it.
pub struct Host {
    pub api: Api,
    pub interpreter: Interpreter,
}

impl Host {
    /// Load libpython, with global visibility, and then the library.
    pub fn load(interpreter: Interpreter) -> Self {
        let libpython = interpreter.libpython.as_deref();
        let libpython = libpython.unwrap_or_else(|| panic!("{} has no shared libpython", interpreter.name()));
        open(libpython, RTLD_NOW | RTLD_GLOBAL);
        let api = Api::of(open(&library_path(), RTLD_NOW | RTLD_LOCAL));
        Self { api, interpreter }
    }

    /// `pyr_start` as `executable`.
    pub fn start_as(&self, executable: &Path) -> pyr_status {
        self.start_with(executable, 0, 0)
    }

    /// `pyr_start` as `executable`, with `flags`, for a host that interrupts its threads by `interrupt_signal`.
    pub fn start_with(&self, executable: &Path, flags: u32, interrupt_signal: i32) -> pyr_status {
        use std::os::unix::ffi::OsStrExt;
        let executable = executable.as_os_str().as_bytes();
        // SAFETY: all zero are the options that ask for nothing.
        let mut options = unsafe { std::mem::zeroed::<pyr_start_options>() };
        options.size = size_of::<pyr_start_options>();
        options.executable = executable.as_ptr();
        options.executable_length = executable.len();
        options.flags = flags;
        options.interrupt_signal = interrupt_signal as u32;
        // SAFETY: the options and the path live until the call returns.
        unsafe { (self.api.pyr_start)(&raw const options) }
    }

    /// `pyr_start` as the interpreter that this host was loaded for.
    pub fn start(&self) -> pyr_status {
        self.start_as(&self.interpreter.executable)
    }
}

/// Open `library` for the rest of the process.
fn open(library: &Path, flags: i32) -> &'static Library {
    // SAFETY: the initialisers of libpython and of the library have no demands.
    let opened = unsafe { Library::open(Some(library), flags) };
    Box::leak(Box::new(
        opened.unwrap_or_else(|error| panic!("{}: {error}", library.display())),
    ))
}

/// The host of this process, its Python not started by this.
pub fn loaded() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::load(Interpreter::chosen()))
}

/// The host of this process, its Python running. Any number of threads may call this.
pub fn python() -> &'static Host {
    let host = loaded();
    let status = host.start();
    assert_eq!(
        status,
        PYR_OK,
        "{}: {:?}",
        host.interpreter.name(),
        host.error(true)
    );
    host
}

/// The host of this process, its Python running and numpy imported; nothing, which is told, where there
/// is no numpy.
pub fn numpy() -> Option<&'static Host> {
    let python = python();
    match python.import("numpy", None, 0) {
        Ok(module) => {
            python.release(module.handle());
            Some(python)
        }
        Err(failure) => {
            eprintln!("skipped: {}: {}", python.interpreter.name(), failure.message);
            None
        }
    }
}
