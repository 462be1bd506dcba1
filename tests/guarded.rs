//! What the sources themselves show: no panic leaves the library, and C's calling convention stays in one folder.

use std::fs;
use std::path::{Path, PathBuf};

/// Functions that tell a number or set one: nothing in them can panic.
const PLAIN: [&str; 11] = [
    "pyr_abi_minimum",
    "pyr_abi_version",
    "pyr_buffer_count",
    "pyr_give_up",
    "pyr_is_running",
    "pyr_layout",
    "pyr_limit_results",
    "pyr_result_weight",
    "pyr_stats",
    "pyr_thread_id",
    "pyr_version",
];

/// What catches panics, or calls only what does: a function of one of these names.
const GUARDS: [&str; 8] = [
    "catch_unwind(",
    "enter(",
    "enter_late(",
    "enter_unchecked(",
    "guard::hold(",
    "interp::stop(",
    "outside(",
    "reply(",
];

/// All Rust files in `folder` and below.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The functions of a file, from each `fn` at the margin or below `pub` to the brace that ends it: names and text.
fn functions(text: &str) -> Vec<(String, String)> {
    let starts: Vec<usize> = text
        .match_indices("fn ")
        .map(|(at, _)| at)
        .filter(|at| {
            let line = text[..*at].rfind('\n').map_or(0, |end| end + 1);
            !text[line..*at].starts_with([' ', '/'])
        })
        .collect();
    starts
        .iter()
        .map(|&at| {
            let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let name = text[at + 3..]
                .split(['(', '<'])
                .next()
                .expect("a name")
                .to_owned();
            let end = text[at..].find("\n}").map_or(text.len(), |end| at + end);
            (name, text[line..end].to_owned())
        })
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn every_exported_function_is_guarded() {
    let api: Vec<(String, String)> = sources(&root().join("api"))
        .into_iter()
        .flat_map(|path| functions(&fs::read_to_string(path).expect("text")))
        .collect();
    let guarded = |text: &str| GUARDS.iter().any(|guard| text.contains(guard));
    // Functions of the files' own through which others enter.
    let helpers: Vec<String> = api
        .iter()
        .filter(|(name, text)| !name.starts_with("pyr_") && guarded(text))
        .map(|(name, _)| format!("{name}("))
        .collect();
    let exported: Vec<&(String, String)> = api.iter().filter(|(name, _)| name.starts_with("pyr_")).collect();
    assert!(exported.len() > 50, "not all are found: {}", exported.len());
    let bare: Vec<&str> = exported
        .iter()
        .filter(|(name, text)| {
            let body = text.split_once('{').map_or("", |(_, body)| body);
            !PLAIN.contains(&name.as_str())
                && !guarded(body)
                && !helpers.iter().any(|helper| body.contains(helper.as_str()))
        })
        .map(|(name, _)| name.as_str())
        .collect();
    assert!(bare.is_empty(), "these let a panic through: {bare:?}");
}

#[test]
fn functions_for_c_are_in_one_folder() {
    let elsewhere: Vec<PathBuf> = sources(&root())
        .into_iter()
        .filter(|path| !path.starts_with(root().join("api")))
        .filter(|path| {
            let text = fs::read_to_string(path).expect("text");
            functions(&text).iter().any(|(_, text)| {
                text.lines()
                    .next()
                    .is_some_and(|line| line.contains("extern \"C\" fn"))
            })
        })
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}
