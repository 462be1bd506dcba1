//! Writes `pyrite.h` into the build's own folder (`make header` copies it into the tree), and names
//! the shared library.

use std::{env, path::PathBuf};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    for source in [
        "src/abi.rs",
        "src/abi",
        "src/kind.rs",
        "src/api",
        "cbindgen.toml",
        "build.rs",
    ] {
        println!("cargo:rerun-if-changed={source}");
    }
    let mut builder = cbindgen::Builder::new()
        .with_config(cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml"));
    for source in [
        "abi",
        "abi/loan",
        "abi/buffer",
        "kind",
        "api/lifecycle",
        "api/call",
        "api/object",
        "api/buffer",
        "api/iteration",
        "api/eval",
        "api/handle",
        "api/loan",
        "api/reply",
        "api/types",
        "api/interrupt",
        "api/error",
    ] {
        builder = builder.with_src(root.join("src").join(source).with_extension("rs"));
    }
    let mut header = Vec::new();
    builder.generate().expect("the header").write(&mut header);
    // Rust's heading for what a caller must see to means nothing in C.
    let header = String::from_utf8(header)
        .expect("UTF-8")
        .replace(" * # Safety\n * ", " * Requires: ");
    std::fs::write(out.join("pyrite.h"), header).expect("OUT_DIR is writable");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libpyrite.so.0");
    }
}
