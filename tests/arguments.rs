//! Arguments that no function takes, and what becomes of the places for results.

mod host;

use std::ptr::{null, null_mut};

use host::abi::*;
use host::calls::{is_untouched, untouched};
use host::python;

#[test]
fn a_null_where_there_must_be_something_is_a_status() {
    let (python, mut out, mut same) = (python(), untouched(), -1);
    let api = &python.api;
    let one = pyr_value {
        tag: PYR_UTF8,
        aux: 3,
        of: pyr_payload {
            bytes: c"len".as_ptr().cast(),
        },
    };
    let (one, none, to, nowhere) = (&raw const one, null(), &raw mut out, null_mut());
    // SAFETY: every pointer is to a live local, or NULL.
    let statuses = unsafe {
        [
            (api.pyr_start)(null()),
            (api.pyr_intern)(null(), 1, &mut 0),
            (api.pyr_intern)(c"a".as_ptr().cast(), 1, null_mut()),
            (api.pyr_get)(none, 0, to),
            (api.pyr_get)(one, 0, nowhere),
            (api.pyr_set)(none, one),
            (api.pyr_set)(one, none),
            (api.pyr_call)(none, one, 1, 0, 0, to),
            (api.pyr_call)(one, none, 1, 0, 0, to),
            (api.pyr_call)(one, none, 0, 1, 0, to),
            (api.pyr_call)(one, one, 1, 0, 0, nowhere),
            (api.pyr_call_method)(none, one, none, 0, 0, 0, to),
            (api.pyr_call_method)(one, none, none, 0, 0, 0, to),
            (api.pyr_call_method)(one, one, none, 1, 0, 0, to),
            (api.pyr_call_method)(one, one, none, 0, 0, 0, nowhere),
            (api.pyr_getattr)(none, one, 0, to),
            (api.pyr_getattr)(one, none, 0, to),
            (api.pyr_getattr)(one, one, 0, nowhere),
            (api.pyr_setattr)(none, one, one),
            (api.pyr_setattr)(one, none, one),
            (api.pyr_setattr)(one, one, none),
            (api.pyr_getitem)(none, one, 0, to),
            (api.pyr_getitem)(one, none, 0, to),
            (api.pyr_getitem)(one, one, 0, nowhere),
            (api.pyr_setitem)(none, one, one),
            (api.pyr_setitem)(one, none, one),
            (api.pyr_setitem)(one, one, none),
            (api.pyr_convert)(none, 0, to),
            (api.pyr_convert)(one, 0, nowhere),
            (api.pyr_str)(none, 0, to),
            (api.pyr_str)(one, 0, nowhere),
            (api.pyr_repr)(none, 0, to),
            (api.pyr_type_name)(none, 0, to),
            (api.pyr_is)(none, one, &raw mut same),
            (api.pyr_is)(one, none, &raw mut same),
            (api.pyr_is)(one, one, null_mut()),
            (api.pyr_import)(none, none, 0, to),
            (api.pyr_import_from)(none, one, none, 0, to),
            (api.pyr_import_from)(one, none, none, 0, to),
            (api.pyr_eval)(none, 1, 0, to),
            (api.pyr_eval)(one, 1, 0, nowhere),
            (api.pyr_exec)(none, 1),
            (api.pyr_format_exception)(1, 0, nowhere),
            (api.pyr_error_last)(null_mut(), 1),
        ]
    };
    for (index, status) in statuses.into_iter().enumerate() {
        assert_eq!(status, PYR_NULL_ARGUMENT, "case {index}");
    }
    assert!(is_untouched(&out) && same == -1);
    let failure = python.error(true);
    assert_eq!(failure.status, PYR_NULL_ARGUMENT);
    assert!(failure.message.contains("NULL"), "{failure:?}");
    // SAFETY: NULL, and a result that is all zero, are left alone.
    unsafe {
        (api.pyr_result_free)(null_mut());
        (api.pyr_result_free)(std::mem::MaybeUninit::zeroed().as_mut_ptr());
    }
}

#[test]
fn a_failing_call_leaves_its_places_alone() {
    let (python, mut name, mut same) = (python(), 77, 77);
    let bad = pyr_value {
        tag: PYR_HANDLE,
        aux: 0,
        of: pyr_payload { handle: 0 },
    };
    let (bad, invalid) = (&raw const bad, [0xFFu8]);
    let (mut holds, mut references) = (77, 77);
    // SAFETY: every pointer is to a live local.
    unsafe {
        assert_eq!(
            (python.api.pyr_intern)(invalid.as_ptr(), 1, &raw mut name),
            PYR_INVALID_TEXT
        );
        assert_eq!((python.api.pyr_is)(bad, bad, &raw mut same), PYR_INVALID_HANDLE);
        let status = (python.api.pyr_counts)(0, &raw mut holds, &raw mut references);
        assert_eq!(status, PYR_INVALID_HANDLE);
    }
    assert_eq!((name, same, holds, references), (77, 77, 77, 77));
}
