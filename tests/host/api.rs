//! The functions of the library, as a host declares them.

use std::ffi::c_char;

use libloading::os::unix::Library;

use super::abi::*;

macro_rules! api {
    ($($name:ident: fn($($type:ty),*) $(-> $result:ty)?;)*) => {
        /// What `include/pyrite.h` declares.
        pub struct Api { $(pub $name: unsafe extern "C" fn($($type),*) $(-> $result)?,)* }

        impl Api {
            /// Look every function up in `library`.
            pub fn of(library: &'static Library) -> Self {
                Self {
                    $($name: {
                        // SAFETY: the type is that of the declaration in `include/pyrite.h`.
                        *unsafe { library.get(stringify!($name)) }
                            .unwrap_or_else(|error| panic!("{}: {error}", stringify!($name)))
                    },)*
                }
            }
        }
    };
}

type Cell = *const pyr_value;
type Out = *mut pyr_result;

api! {
    pyr_abi_version: fn() -> u32;
    pyr_abi_minimum: fn() -> u32;
    pyr_version: fn() -> *const c_char;
    pyr_layout: fn(*mut u32, usize) -> usize;
    pyr_start: fn(*const pyr_start_options) -> pyr_status;
    pyr_stop: fn() -> pyr_status;
    pyr_is_running: fn() -> i32;
    pyr_gil_acquire: fn() -> pyr_status;
    pyr_gil_release: fn() -> pyr_status;
    pyr_counters: fn(*mut usize, *mut usize) -> pyr_status;
    pyr_handle_types: fn(u32, Out) -> pyr_status;
    pyr_stats: fn(*mut usize, usize) -> usize;
    pyr_limit_results: fn(usize) -> pyr_status;
    pyr_name_release: fn(pyr_name) -> pyr_status;
    pyr_result_weight: fn(*const pyr_result) -> usize;
    pyr_intern: fn(*const u8, usize, *mut pyr_name) -> pyr_status;
    pyr_get: fn(Cell, u32, Out) -> pyr_status;
    pyr_set: fn(Cell, Cell) -> pyr_status;
    pyr_call: fn(Cell, Cell, u32, u32, u32, Out) -> pyr_status;
    pyr_call_method: fn(Cell, Cell, Cell, u32, u32, u32, Out) -> pyr_status;
    pyr_result_free: fn(Out);
    pyr_getattr: fn(Cell, Cell, u32, Out) -> pyr_status;
    pyr_setattr: fn(Cell, Cell, Cell) -> pyr_status;
    pyr_getitem: fn(Cell, Cell, u32, Out) -> pyr_status;
    pyr_setitem: fn(Cell, Cell, Cell) -> pyr_status;
    pyr_iter: fn(Cell, u32, Out) -> pyr_status;
    pyr_next: fn(Cell, u32, Out, *mut i32) -> pyr_status;
    pyr_convert: fn(Cell, u32, Out) -> pyr_status;
    pyr_str: fn(Cell, u32, Out) -> pyr_status;
    pyr_repr: fn(Cell, u32, Out) -> pyr_status;
    pyr_type_name: fn(Cell, u32, Out) -> pyr_status;
    pyr_is: fn(Cell, Cell, *mut i32) -> pyr_status;
    pyr_import: fn(Cell, Cell, u32, Out) -> pyr_status;
    pyr_import_from: fn(Cell, Cell, Cell, u32, Out) -> pyr_status;
    pyr_eval: fn(Cell, u32, u32, Out) -> pyr_status;
    pyr_exec: fn(Cell, u32) -> pyr_status;
    pyr_retain: fn(pyr_handle) -> pyr_status;
    pyr_release: fn(pyr_handle) -> pyr_status;
    pyr_counts: fn(pyr_handle, *mut usize, *mut usize) -> pyr_status;
    pyr_buffer_get: fn(Cell, u32, *mut pyr_buffer) -> pyr_status;
    pyr_buffer_retain: fn(u64) -> pyr_status;
    pyr_buffer_close: fn(u64) -> pyr_status;
    pyr_buffer_release: fn(u64) -> pyr_status;
    pyr_buffer_count: fn() -> usize;
    pyr_take_released: fn(*mut u64, usize, *mut usize) -> pyr_status;
    pyr_reply_value: fn(*mut pyr_reply, Cell) -> pyr_status;
    pyr_reply_raise: fn(*mut pyr_reply, Cell) -> pyr_status;
    pyr_reply_fail: fn(*mut pyr_reply, Cell, Cell, i32) -> pyr_status;
    pyr_serve: fn(u32, *mut pyr_request) -> pyr_status;
    pyr_served: fn(u64, i32) -> pyr_status;
    pyr_serve_wake: fn() -> pyr_status;
    pyr_error_last: fn(*mut pyr_error, i32) -> pyr_status;
    pyr_error_clear: fn();
    pyr_watch_type: fn(*const u8, usize, u32) -> pyr_status;
    pyr_format_exception: fn(pyr_handle, u32, Out) -> pyr_status;
    pyr_thread_id: fn() -> u64;
    pyr_interrupt: fn(u64, *mut i32) -> pyr_status;
    pyr_limit: fn(u64, *mut u64) -> pyr_status;
    pyr_limit_end: fn(u64) -> pyr_status;
    pyr_test_panic: fn() -> pyr_status;
}
