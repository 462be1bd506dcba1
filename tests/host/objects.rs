//! Safe calls about objects: attributes, items, identity, imports.

use std::ptr::null;

use super::Host;
use super::abi::*;
use super::calls::{Failure, Outcome};
use super::value::{Arena, Value};

impl Host {
    fn binary(
        &self,
        function: unsafe extern "C" fn(
            *const pyr_value,
            *const pyr_value,
            u32,
            *mut pyr_result,
        ) -> pyr_status,
        left: Value,
        right: Value,
        flags: u32,
    ) -> Outcome {
        let mut arena = Arena::default();
        let (left, right) = (arena.cell(&left), arena.cell(&right));
        // SAFETY: the cells live until the call returns.
        self.outcome(|out| unsafe { function(&raw const left, &raw const right, flags, out) })
    }

    pub fn getattr(&self, object: impl Into<Value>, name: impl Into<Value>, flags: u32) -> Outcome {
        self.binary(self.api.pyr_getattr, object.into(), name.into(), flags)
    }

    pub fn getitem(&self, object: impl Into<Value>, key: impl Into<Value>, flags: u32) -> Outcome {
        self.binary(self.api.pyr_getitem, object.into(), key.into(), flags)
    }

    /// An iterator over `value`.
    pub fn iter(&self, value: impl Into<Value>, flags: u32) -> Outcome {
        let (value, mut arena) = (value.into(), Arena::default());
        let cell = arena.cell(&value);
        // SAFETY: the cell lives until the call returns.
        self.outcome(|out| unsafe { (self.api.pyr_iter)(&raw const cell, flags, out) })
    }

    /// The next item of `iterator`, or nothing at the end.
    pub fn next(&self, iterator: impl Into<Value>, flags: u32) -> Result<Option<Value>, Failure> {
        let (iterator, mut arena, mut more) = (iterator.into(), Arena::default(), -1);
        let cell = arena.cell(&iterator);
        // SAFETY: the cell lives until the call returns; `more` is a local. At the end the result is untouched.
        let item = self.outcome(|out| unsafe {
            let status = (self.api.pyr_next)(&raw const cell, flags, out, &raw mut more);
            if more == 0 {
                (*out).value = pyr_value::integer(PYR_NONE, 0);
                (*out).memory = std::ptr::null_mut();
            }
            status
        })?;
        assert!(more == 1 || more == 0 && item == Value::None, "{more} {item:?}");
        Ok((more == 1).then_some(item))
    }

    fn store(
        &self,
        function: unsafe extern "C" fn(*const pyr_value, *const pyr_value, *const pyr_value) -> pyr_status,
        cells: [Value; 3],
    ) -> Result<(), Failure> {
        let mut arena = Arena::default();
        let cells = arena.cells(&cells);
        // SAFETY: the cells live until the call returns.
        self.checked(unsafe { function(&raw const cells[0], &raw const cells[1], &raw const cells[2]) })
    }

    pub fn setattr(
        &self,
        object: impl Into<Value>,
        name: &str,
        value: impl Into<Value>,
    ) -> Result<(), Failure> {
        self.store(self.api.pyr_setattr, [object.into(), name.into(), value.into()])
    }

    pub fn setitem(
        &self,
        object: impl Into<Value>,
        key: Value,
        value: impl Into<Value>,
    ) -> Result<(), Failure> {
        self.store(self.api.pyr_setitem, [object.into(), key, value.into()])
    }

    pub fn is(&self, left: impl Into<Value>, right: impl Into<Value>) -> Result<bool, Failure> {
        let (left, right, mut arena, mut same) = (left.into(), right.into(), Arena::default(), -1);
        let (left, right) = (arena.cell(&left), arena.cell(&right));
        // SAFETY: the cells live until the call returns; `same` is a local.
        self.checked(unsafe { (self.api.pyr_is)(&raw const left, &raw const right, &raw mut same) })?;
        Ok(same != 0)
    }

    pub fn import(&self, name: impl Into<Value>, alias: Option<&str>, flags: u32) -> Outcome {
        let (name, alias, mut arena) = (name.into(), alias.map(Value::from), Arena::default());
        let (name, alias) = (arena.cell(&name), alias.as_ref().map(|alias| arena.cell(alias)));
        let alias = alias.as_ref().map_or(null(), std::ptr::from_ref);
        // SAFETY: the cells live until the call returns.
        self.outcome(|out| unsafe { (self.api.pyr_import)(&raw const name, alias, flags, out) })
    }

    pub fn import_from(&self, name: &str, module: &str, alias: Option<&str>, flags: u32) -> Outcome {
        let (name, module, alias) = (Value::from(name), Value::from(module), alias.map(Value::from));
        let mut arena = Arena::default();
        let (name, module) = (arena.cell(&name), arena.cell(&module));
        let alias = alias.as_ref().map(|alias| arena.cell(alias));
        let alias = alias.as_ref().map_or(null(), std::ptr::from_ref);
        // SAFETY: the cells live until the call returns.
        self.outcome(|out| unsafe {
            (self.api.pyr_import_from)(&raw const name, &raw const module, alias, flags, out)
        })
    }
}
