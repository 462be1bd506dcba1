//! Watched types: the host gave them numbers, and sees their objects as they are.
//!
//! A type is told by its name once, and then by its address, which a weak reference vouches for.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyType, PyWeakrefReference};

use crate::bridge;
use crate::fault::Fault;

/// How many types are remembered.
const LIMIT: usize = 1000;

#[derive(Default)]
struct Watched {
    /// The numbers, by name.
    names: HashMap<String, u32>,
    /// The numbers of types that were asked for, 0 for those that are not watched, by address.
    known: HashMap<usize, (Py<PyWeakrefReference>, u32)>,
    /// How often `names` were changed.
    changes: u64,
    /// The changes that `known` has seen. A change needs no GIL, but to empty `known` does.
    seen: u64,
}

/// The types. No Python code may run while they are held.
fn watched() -> MutexGuard<'static, Watched> {
    static WATCHED: LazyLock<Mutex<Watched>> = LazyLock::new(Mutex::default);
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    /// The names, and of which change they are.
    fn names_now(&self) -> (Vec<String>, u64) {
        (self.names.keys().cloned().collect(), self.changes)
    }

    /// The number of `kind`, when it was asked for before.
    fn known(&mut self, kind: &Bound<'_, PyType>) -> Option<u32> {
        if self.seen != self.changes {
            self.known.clear();
            self.seen = self.changes;
        }
        let (reference, number) = self.known.get(&(kind.as_ptr() as usize))?;
        let same = reference
            .bind(kind.py())
            .upgrade()
            .is_some_and(|found| found.is(kind));
        same.then_some(*number)
    }
}

/// Give the types called `name` a `number`; 0 takes it away.
pub(crate) fn watch(name: &str, number: u32) {
    let mut watched = watched();
    if number == 0 {
        watched.names.remove(name);
    } else {
        watched.names.insert(name.to_owned(), number);
    }
    watched.changes += 1;
}

/// The number of `object`'s type, 0 when it is not watched.
pub(crate) fn number(object: &Bound<'_, PyAny>) -> Result<u32, Fault> {
    let kind = object.get_type();
    let known = watched().known(&kind);
    known.map_or_else(|| find(&kind), Ok)
}

/// The number of `kind`, which is remembered.
#[cold]
fn find(kind: &Bound<'_, PyType>) -> Result<u32, Fault> {
    let (names, changes) = watched().names_now();
    let name: Option<String> = bridge::call(kind.py(), "watched_name", (kind, names))?.extract()?;
    let reference = PyWeakrefReference::new(kind)?.unbind();
    let mut watched = watched();
    let number = name.and_then(|name| watched.names.get(&name).copied());
    let number = number.unwrap_or(0);
    if watched.known.len() == LIMIT {
        watched.known.clear();
    }
    // Else the type may be watched by now.
    if watched.changes == changes {
        watched.known.insert(kind.as_ptr() as usize, (reference, number));
    }
    Ok(number)
}
