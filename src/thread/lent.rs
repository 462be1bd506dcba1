//! What the entries of a thread that run lent to Python, innermost last.

use std::ptr::null_mut;

use pyo3::ffi;

use super::Thread;
use crate::abi::{pyr_loan, pyr_result};

/// One thing that an entry lent.
pub(crate) struct Lent {
    /// What it is in Python: a reference.
    pub(crate) object: *mut ffi::PyObject,
    pub(crate) loan: *mut pyr_loan,
    /// Whether the entry's result names it.
    pub(crate) named: bool,
}

impl Thread {
    /// How many loans the entries that run took out.
    #[inline]
    pub(crate) fn lent(&self) -> usize {
        self.lent.borrow().len()
    }

    /// Note that an entry whose loans begin at `first` is the innermost; the same of the one before.
    #[inline]
    pub(crate) fn set_innermost(&self, first: usize) -> usize {
        self.innermost.replace(first)
    }

    /// Note `lent` until the entry is over; its place.
    pub(crate) fn lend(&self, lent: Lent) -> usize {
        let mut all = self.lent.borrow_mut();
        all.push(lent);
        all.len() - 1
    }

    /// Take back the last loan, if there are more than `before`.
    pub(crate) fn take_lent(&self, before: usize) -> Option<Lent> {
        let mut lent = self.lent.borrow_mut();
        if lent.len() > before { lent.pop() } else { None }
    }

    /// Whether an entry of this thread that still runs lent `object`, at `place`.
    pub(crate) fn is_lent(&self, place: usize, object: *mut ffi::PyObject) -> bool {
        self.lent
            .borrow()
            .get(place)
            .is_some_and(|lent| lent.object == object)
    }

    /// Note that the result of the innermost entry names `object`, if the entry lent it, at `place`.
    pub(crate) fn name_lent(&self, place: usize, object: *mut ffi::PyObject) -> bool {
        let mut lent = self.lent.borrow_mut();
        let lent = lent.get_mut(place).filter(|_| place >= self.innermost.get());
        let lent = lent.filter(|lent| lent.object == object);
        lent.map(|lent| lent.named = true).is_some()
    }

    /// Note that `result`, of the innermost entry, is whole and names something that the entry lent.
    pub(crate) fn set_result(&self, result: *mut pyr_result) {
        self.result.set(result);
    }

    /// Take what [`Thread::set_result`] noted; NULL when that is nothing.
    pub(crate) fn take_result(&self) -> *mut pyr_result {
        self.result.replace(null_mut())
    }
}
