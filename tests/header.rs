//! The header, the exported symbols and the binary interface, as they were last accepted.

#[path = "host/declarations.rs"]
mod declarations;
mod host;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use declarations::{Kind, declarations};
use host::abi::*;

const HEADER: &str = include_str!("../include/pyrite.h");
const GENERATED: &str = include_str!(concat!(env!("OUT_DIR"), "/pyrite.h"));

/// What `tool` prints about the library.
fn inspect(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool)
        .args(arguments)
        .arg(host::library_path())
        .output();
    let output = output.unwrap_or_else(|error| panic!("{tool} (of binutils) does not run: {error}"));
    assert!(
        output.status.success(),
        "{tool}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The symbols that the library exports.
fn exported() -> BTreeSet<String> {
    let symbols = inspect("nm", &["-D", "--defined-only"]);
    symbols
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .map(str::to_owned)
        .collect()
}

/// Compare `lines` with the snapshot `name`; with PYRITE_ACCEPT=1 they become the snapshot.
fn check_snapshot(name: &str, lines: &BTreeSet<String>) {
    let path = host::root().join("tests/snapshots").join(name);
    if std::env::var("PYRITE_ACCEPT").is_ok_and(|accept| accept == "1") {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, text).expect("tests/snapshots can be written to");
        return;
    }
    let snapshot = std::fs::read_to_string(&path).unwrap_or_default();
    let snapshot: BTreeSet<_> = snapshot.lines().map(str::to_owned).collect();
    let list = |lines: Vec<&String>| {
        lines
            .iter()
            .map(|line| format!("\n    {line}"))
            .collect::<String>()
    };
    let gone = list(snapshot.difference(lines).collect());
    let new = list(lines.difference(&snapshot).collect());
    assert!(
        gone.is_empty() && new.is_empty(),
        "the interface is not what tests/snapshots/{name} says.\n\
         Gone or changed, which breaks programs within a major version:{gone}\nNew:{new}\n\
         To accept: PYRITE_ACCEPT=1 cargo test --release --test header"
    );
}

#[test]
fn the_header_is_the_generated_one() {
    assert!(
        HEADER == GENERATED,
        "include/pyrite.h is not what the sources say: run `make header`"
    );
}

#[test]
fn everything_in_the_header_is_documented() {
    let found = declarations(HEADER);
    let count = |kind| found.iter().filter(|found| found.kind == kind).count();
    // That nothing is missing shows only when something was found.
    assert!(
        count(Kind::Function) >= 36 && count(Kind::Constant) >= 50,
        "{found:?}"
    );
    assert!(count(Kind::Type) >= 10 && count(Kind::Field) >= 30, "{found:?}");
    let bare: Vec<_> = found
        .iter()
        .filter(|found| !found.documented)
        .map(|found| &found.name)
        .collect();
    assert!(bare.is_empty(), "without a comment directly before: {bare:?}");
}

#[test]
fn the_documentation_check_sees_what_is_not_documented() {
    let header = "/**\n * Said.\n */\n#define PYR_A 1\n\n#define PYR_B 2\n\n/**\n */\nvoid pyr_c(void);\n\n\
                  /**\n * Said.\n */\ntypedef struct pyr_d {\n    int e;\n} pyr_d;\n\nint pyr_f(int a,\n          int b);\n";
    let bare = declarations(header).into_iter().filter(|found| !found.documented);
    assert_eq!(
        bare.map(|found| found.name).collect::<Vec<_>>(),
        ["PYR_B", "pyr_c", "pyr_d.e", "pyr_f"]
    );
}

#[test]
fn the_exported_symbols_are_those_that_the_header_declares() {
    let exported = exported();
    let declared: BTreeSet<_> = declarations(HEADER)
        .into_iter()
        .filter(|found| found.kind == Kind::Function)
        .map(|found| found.name)
        .collect();
    let foreign: Vec<_> = exported.iter().filter(|name| !name.starts_with("pyr_")).collect();
    assert!(
        foreign.is_empty(),
        "exported, but not called pyr_...: {foreign:?}"
    );
    let hidden: Vec<_> = declared.difference(&exported).collect();
    assert!(hidden.is_empty(), "declared, but not exported: {hidden:?}");
    let unknown: Vec<_> = exported.difference(&declared).collect();
    assert!(unknown.is_empty(), "exported, but not declared: {unknown:?}");
}

#[test]
fn the_exported_symbols_are_those_of_the_snapshot() {
    check_snapshot("symbols.txt", &exported());
}

/// The size of each struct and the offset of each member, by name.
macro_rules! layouts {
    ($($kind:ident { $($member:ident),* })*) => {
        [$(
            (concat!(stringify!($kind), ".size").to_owned(), size_of::<$kind>()),
            (concat!(stringify!($kind), ".alignment").to_owned(), align_of::<$kind>()),
            $((
                concat!(stringify!($kind), ".", stringify!($member)).to_owned(),
                std::mem::offset_of!($kind, $member),
            ),)*
        )*]
    };
}

fn layouts() -> Vec<(String, usize)> {
    layouts! {
        pyr_start_options { size, executable, executable_length, code, code_length, flags, interrupt_signal }
        pyr_array { data, dimensions, rank, element }
        pyr_payload { integer, real, handle, name, bytes, points, items, reals, array, loan, id }
        pyr_value { tag, aux, of }
        pyr_result { value, memory, scratch }
        pyr_error {
            status, kind, type_name, type_name_length, message, message_length, traceback,
            traceback_length, exception
        }
        pyr_host { size, release, ask, flags, reserved }
        pyr_reply { value, object, raised, reserved }
        pyr_request { ticket, id, context, args, reply, nargs, nkwargs, question, idle }
        pyr_loan { id, kind, flags, array, strides, host, context, kept, reserved }
        pyr_buffer {
            id, data, length, item_size, format, format_length, dimensions, strides, rank, element,
            read_only, reserved
        }
    }
    .to_vec()
}

#[test]
fn layouts_and_constants_are_those_of_the_snapshot() {
    let found = declarations(HEADER);
    let layouts = layouts();
    for field in found.iter().filter(|found| found.kind == Kind::Field) {
        assert!(
            layouts.iter().any(|(name, _)| *name == field.name),
            "add {} to `layouts!`",
            field.name
        );
    }
    let constants = found.iter().filter(|found| found.kind == Kind::Constant);
    let constants = constants.map(|constant| format!("{}={}", constant.name, constant.value));
    let lines = constants
        .chain(layouts.iter().map(|(name, number)| format!("{name}={number}")))
        .collect();
    check_snapshot("abi.txt", &lines);
}

#[test]
fn the_library_was_built_with_these_layouts() {
    let api = &host::loaded().api;
    let names = [
        "pyr_value.size",
        "pyr_value.aux",
        "pyr_value.of",
        "pyr_result.size",
        "pyr_result.memory",
        "pyr_result.scratch",
        "pyr_array.size",
        "pyr_array.dimensions",
        "pyr_array.rank",
        "pyr_array.element",
        "pyr_error.size",
        "pyr_error.type_name",
        "pyr_error.message",
        "pyr_error.traceback",
        "pyr_error.exception",
        "pyr_start_options.size",
        "pyr_start_options.executable",
        "pyr_start_options.code",
        "pyr_start_options.flags",
        "pyr_start_options.interrupt_signal",
        "pyr_loan.size",
        "pyr_loan.kind",
        "pyr_loan.array",
        "pyr_loan.host",
        "pyr_loan.kept",
        "pyr_host.size",
        "pyr_host.release",
        "pyr_host.ask",
        "pyr_host.flags",
        "pyr_request.size",
        "pyr_request.id",
        "pyr_request.args",
        "pyr_request.reply",
        "pyr_request.nargs",
        "pyr_request.nkwargs",
        "pyr_request.question",
        "pyr_request.idle",
        "pyr_buffer.size",
        "pyr_buffer.data",
        "pyr_buffer.length",
        "pyr_buffer.item_size",
        "pyr_buffer.format",
        "pyr_buffer.dimensions",
        "pyr_buffer.strides",
        "pyr_buffer.rank",
        "pyr_buffer.element",
        "pyr_buffer.read_only",
    ];
    let mut numbers = [u32::MAX; 64];
    // SAFETY: there is room for as many numbers as is said; NULL is allowed.
    unsafe {
        let count = (api.pyr_layout)(numbers.as_mut_ptr(), numbers.len());
        assert!(count >= names.len() && count == (api.pyr_layout)(std::ptr::null_mut(), 0));
        let mut few = [u32::MAX; 4];
        assert_eq!((api.pyr_layout)(few.as_mut_ptr(), 3), count);
        assert_eq!(
            few,
            [numbers[0], numbers[1], numbers[2], u32::MAX],
            "no more than there is room for"
        );
    }
    let layouts = layouts();
    for (name, number) in names.iter().zip(numbers) {
        let expected = layouts
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, number)| *number);
        assert_eq!(Some(number as usize), expected, "{name}");
    }
}

#[test]
fn the_library_needs_the_c_library_only() {
    let needed: Vec<_> = inspect("readelf", &["-d"])
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned()))
        .collect();
    assert!(
        needed.iter().any(|name| name.starts_with("libc.so.")),
        "{needed:?}"
    );
    let allowed = ["libc.so.", "libgcc_s.so.", "ld-linux"];
    let other: Vec<_> = needed
        .iter()
        .filter(|name| !allowed.iter().any(|known| name.starts_with(known)))
        .collect();
    assert!(
        other.is_empty(),
        "{} needs {other:?}, too",
        Path::new(&host::library_path()).display()
    );
}
