//! One version, told in several places.

mod host;

use std::ffi::CStr;

use host::abi::{PYR_ABI_MINIMUM, PYR_ABI_VERSION};

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(host::root().join(path)).ok()
}

/// The first text in double quotes.
fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

fn library_version() -> &'static str {
    // SAFETY: takes no arguments; the text is static and NUL-terminated.
    unsafe { CStr::from_ptr((host::loaded().api.pyr_version)()) }
        .to_str()
        .expect("UTF-8")
}

#[test]
fn the_library_has_the_version_of_cargo_toml() {
    let cargo = read("Cargo.toml").expect("Cargo.toml");
    let line = cargo
        .lines()
        .find(|line| line.starts_with("version "))
        .expect("a version in Cargo.toml");
    assert_eq!(quoted(line), Some(library_version()));
    assert_eq!(env!("CARGO_PKG_VERSION"), library_version());
}

#[test]
fn the_lisp_systems_have_the_version_of_the_library() {
    for path in ["version.sexp", "lisp/version.sexp"] {
        if let Some(version) = read(path) {
            assert_eq!(quoted(&version), Some(library_version()), "{path}");
        }
    }
    let Some(system) = read("lisp/pyrite.asd") else {
        return;
    };
    // A system's own version, not the least version of a dependency: `(:version "cffi" "0.20")`.
    let versions: Vec<_> = system
        .match_indices(":version")
        .filter(|&(place, _)| !system[..place].ends_with('('))
        .map(|(place, word)| system[place + word.len()..].trim_start())
        .collect();
    assert!(!versions.is_empty(), "lisp/pyrite.asd has no version");
    for version in versions {
        if version.starts_with('"') {
            assert_eq!(quoted(version), Some(library_version()), "lisp/pyrite.asd");
        } else {
            let file = quoted(version).expect("a version, or the file that it is read from");
            let path = host::root().join("lisp").join(file);
            let version =
                std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            assert_eq!(quoted(&version), Some(library_version()), "{}", path.display());
        }
    }
}

#[test]
fn the_library_implements_the_interface_of_the_header() {
    let api = &host::loaded().api;
    // SAFETY: takes no arguments.
    let (version, minimum) = unsafe { ((api.pyr_abi_version)(), (api.pyr_abi_minimum)()) };
    assert_eq!((version, minimum), (PYR_ABI_VERSION, PYR_ABI_MINIMUM));
    assert!(minimum <= version && minimum >> 16 == version >> 16);
}
