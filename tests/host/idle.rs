//! What a host finds while Python does not run.

use std::ptr::null;

use super::Host;
use super::abi::*;
use super::calls::{is_untouched, untouched};

/// Every call that needs Python says that it does not run.
pub fn nothing_works(host: &Host) {
    let (api, mut out, mut numbers) = (&host.api, untouched(), [77usize; 2]);
    let [one, two] = &mut numbers;
    let cell = pyr_value {
        tag: PYR_UTF8,
        aux: 3,
        of: pyr_payload {
            bytes: c"len".as_ptr().cast(),
        },
    };
    let (cell, out_place) = (&raw const cell, &raw mut out);
    let (mut same, mut name) = (77, 77);
    // SAFETY: plain data.
    let mut buffer = unsafe { std::mem::zeroed::<pyr_buffer>() };
    // SAFETY: every pointer is to a live local.
    let statuses = unsafe {
        [
            (api.pyr_gil_acquire)(),
            (api.pyr_counters)(one, two),
            (api.pyr_intern)(c"len".as_ptr().cast(), 3, &raw mut name),
            (api.pyr_get)(cell, 0, out_place),
            (api.pyr_set)(cell, cell),
            (api.pyr_call)(cell, cell, 1, 0, 0, out_place),
            (api.pyr_call_method)(cell, cell, cell, 0, 0, 0, out_place),
            (api.pyr_getattr)(cell, cell, 0, out_place),
            (api.pyr_setattr)(cell, cell, cell),
            (api.pyr_getitem)(cell, cell, 0, out_place),
            (api.pyr_setitem)(cell, cell, cell),
            (api.pyr_convert)(cell, 0, out_place),
            (api.pyr_str)(cell, 0, out_place),
            (api.pyr_repr)(cell, 0, out_place),
            (api.pyr_type_name)(cell, 0, out_place),
            (api.pyr_is)(cell, cell, &raw mut same),
            (api.pyr_import)(cell, cell, 0, out_place),
            (api.pyr_import_from)(cell, cell, cell, 0, out_place),
            (api.pyr_eval)(cell, 1, 0, out_place),
            (api.pyr_exec)(cell, 1),
            (api.pyr_retain)(1),
            (api.pyr_buffer_get)(cell, 0, &raw mut buffer),
            (api.pyr_buffer_retain)(1),
            (api.pyr_counts)(1, one, two),
            (api.pyr_format_exception)(1, 0, out_place),
            (api.pyr_handle_types)(0, out_place),
            (api.pyr_test_panic)(),
        ]
    };
    for (index, status) in statuses.into_iter().enumerate() {
        assert_eq!(status, PYR_NOT_RUNNING, "case {index}");
    }
    assert!(is_untouched(&out) && numbers == [77; 2] && same == 77 && name == 77 && buffer.id == 0);
    assert_eq!(host.error(true).status, PYR_NOT_RUNNING);
    // These need no Python.
    host.release(12345);
    // SAFETY: any number will do.
    unsafe {
        assert_eq!((api.pyr_buffer_close)(12345), PYR_OK);
        assert_eq!((api.pyr_buffer_release)(12345), PYR_OK);
        assert_eq!((api.pyr_buffer_count)(), 0);
        assert_eq!((api.pyr_name_release)(12345), PYR_OK);
        assert_eq!((api.pyr_limit_results)(usize::MAX), PYR_OK);
    }
    host.clear_error();
    assert_eq!(host.error(true).status, PYR_OK);
    assert_eq!(host.release_gil().expect_err("not held").status, PYR_GIL_NOT_HELD);
    host.stop().expect("it does not run");
}

/// Options that no start takes.
pub fn bad_options_are_refused(host: &Host) {
    // SAFETY: all zero are options; every pointer is to a live local, or NULL.
    unsafe {
        assert_eq!((host.api.pyr_start)(null()), PYR_NULL_ARGUMENT);
        let mut options = std::mem::zeroed::<pyr_start_options>();
        let path = host.interpreter.executable.display().to_string();
        (options.executable, options.executable_length) = (path.as_ptr(), path.len());
        for size in [
            0,
            8,
            size_of::<pyr_start_options>() - 1,
            size_of::<pyr_start_options>() + 8,
            usize::MAX,
        ] {
            options.size = size;
            assert_eq!(
                (host.api.pyr_start)(&raw const options),
                PYR_INVALID_SIZE,
                "{size}"
            );
        }
        options.size = size_of::<pyr_start_options>();
        options.executable = null();
        assert_eq!((host.api.pyr_start)(&raw const options), PYR_NULL_ARGUMENT);
        options.executable = b"/a\0b".as_ptr();
        options.executable_length = 4;
        assert_eq!((host.api.pyr_start)(&raw const options), PYR_START_FAILED);
    }
    assert!(!host.error(true).message.is_empty());
}
