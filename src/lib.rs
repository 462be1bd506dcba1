//! Pyrite: CPython embedded in Common Lisp, and in any host that can call C.
//!
//! This crate builds `libpyrite`. Its interface is C: `include/pyrite.h` is generated from
//! [`abi`] and [`api`], and is the manual. How the pieces fit is told in `docs/architecture.md`.

#![allow(clippy::missing_panics_doc)]

pub mod abi;
pub mod api;
pub mod kind;

mod array;
mod ask;
mod bridge;
mod buffer;
mod decode;
mod dispatch;
mod encode;
mod ending;
mod fault;
mod fpenv;
mod guard;
mod interp;
mod interrupt;
mod invoke;
mod loan;
mod memory;
mod names;
mod ndarray;
mod numbers;
mod objects;
mod output;
mod release;
mod signals;
mod slab;
mod source;
mod text;
mod thread;
mod types;
mod walk;
