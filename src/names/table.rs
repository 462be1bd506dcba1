//! The names that are kept: those that the host prepared, by their numbers, until it gives them back; and
//! those that came as text, until they are too many.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use super::{Name, prepare};
use crate::abi::*;
use crate::fault::Fault;
use crate::{objects, text};

/// How many names that came as text are remembered, and how many bytes of text. Code takes some ten times
/// as much.
const TEXT_LIMIT: usize = 10_000;
const TEXT_BYTES: usize = 4 << 20;

/// The bits of a name that are its number: slot and generation. The rest tell this process from others.
const NUMBER_BITS: u32 = 40;
const SLOT_BITS: u32 = 24;
const GENERATION: u64 = 1 << SLOT_BITS;
const SLOT: u64 = GENERATION - 1;

/// A name at hand, which lasts as long as it is in use. An entry that has it is attached.
pub(crate) type Known = Rc<Name>;

/// What a name is known by to the host.
struct Slot {
    /// The name's number; that of the next name while the slot is free; 0 when it is used up.
    key: pyr_name,
    /// How often the host holds it.
    holds: usize,
    name: Option<Known>,
}

/// What is known of a text.
struct Entry {
    name: Known,
    /// The host's number for it, or 0.
    key: pyr_name,
    /// When it was used last.
    era: u64,
}

struct Names {
    epoch: u64,
    slots: Vec<Slot>,
    free: Vec<usize>,
    texts: HashMap<Rc<str>, Entry>,
    era: u64,
    /// Of the texts without a number.
    passing: usize,
    passing_bytes: usize,
}

struct Table(UnsafeCell<Option<Names>>);

// SAFETY: only reached through `names`, by the one thread that holds the GIL.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new(None));

/// How many names the host holds, for who does not hold the GIL.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// How many names the host holds.
pub(crate) fn count() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// The table. The borrow must end before Python code can run: before a name is prepared or dropped.
#[inline]
fn names() -> &'static mut Names {
    // SAFETY: the caller holds the GIL; see above for re-entrance.
    unsafe { &mut *TABLE.0.get() }.get_or_insert_with(|| Names {
        // Like a handle, a name is below 2^62.
        epoch: (objects::epoch() & 0x3F_FFFF) << NUMBER_BITS,
        slots: Vec::new(),
        free: Vec::new(),
        texts: HashMap::new(),
        era: 0,
        passing: 0,
        passing_bytes: 0,
    })
}

impl Names {
    #[inline]
    fn find(&mut self, text: &str) -> Option<Known> {
        let entry = self.texts.get_mut(text)?;
        entry.era = self.era;
        Some(entry.name.clone())
    }

    /// The number of `text`, held once more, when it is known; a new one when only its name is.
    fn hold(&mut self, text: &str) -> Option<Result<pyr_name, Fault>> {
        let entry = self.texts.get(text)?;
        if entry.key != 0 {
            self.slots[(entry.key & SLOT) as usize].holds += 1;
            return Some(Ok(entry.key));
        }
        let name = entry.name.clone();
        Some(self.give_number(name))
    }

    /// Give `name` a number.
    fn give_number(&mut self, name: Known) -> Result<pyr_name, Fault> {
        let index = self.free.pop().map_or_else(|| self.add_slot(), Ok)?;
        let slot = &mut self.slots[index];
        let key = slot.key;
        slot.holds = 1;
        let entry = Entry {
            name: name.clone(),
            key,
            era: self.era,
        };
        if self.texts.insert(name.text.clone(), entry).is_some() {
            self.passing -= 1;
            self.passing_bytes -= name.text.len();
        }
        slot.name = Some(name);
        HELD.fetch_add(1, Ordering::Relaxed);
        Ok(key)
    }

    fn add_slot(&mut self) -> Result<usize, Fault> {
        let index = self.slots.len();
        if index as u64 > SLOT {
            return Err(Fault::message("more than 2^24 names are held"));
        }
        self.slots.push(Slot {
            key: self.epoch | GENERATION | index as u64,
            holds: 0,
            name: None,
        });
        Ok(index)
    }

    /// Hold `key` once less; the name, if it is forgotten with that.
    fn release(&mut self, key: pyr_name) -> Option<Known> {
        let index = (key & SLOT) as usize;
        let slot = self.slots.get_mut(index).filter(|slot| slot.key == key)?;
        let name = slot.name.take_if(|_| slot.holds == 1);
        slot.holds = slot.holds.saturating_sub(1);
        let name = name?;
        let next = (key + GENERATION) & !(u64::MAX << NUMBER_BITS);
        // A slot whose generations are used up is never used again: a number cannot come back.
        if next > SLOT {
            slot.key = self.epoch | next;
            self.free.push(index);
        } else {
            slot.key = 0;
        }
        HELD.fetch_sub(1, Ordering::Relaxed);
        self.texts.remove(&name.text);
        Some(name)
    }

    /// Remember `name`; what is to be dropped for it.
    #[must_use]
    fn remember(&mut self, name: &Known) -> Vec<Known> {
        let entry = Entry {
            name: name.clone(),
            key: 0,
            era: self.era,
        };
        self.passing += 1;
        self.passing_bytes += name.text.len();
        self.texts.insert(name.text.clone(), entry);
        if self.passing > TEXT_LIMIT || self.passing_bytes > TEXT_BYTES {
            let mut dropped = self.forget_unused();
            self.era += 1;
            // Most are in use: these come again soon, those that are not never.
            if self.passing > TEXT_LIMIT / 2 || self.passing_bytes > TEXT_BYTES / 2 {
                dropped.extend(self.forget_unused());
            }
            return dropped;
        }
        Vec::new()
    }

    /// Forget the texts that have no number and were not used in this era.
    fn forget_unused(&mut self) -> Vec<Known> {
        let era = self.era;
        let unused = self
            .texts
            .extract_if(|_, entry| entry.key == 0 && entry.era != era);
        let unused: Vec<_> = unused.map(|(_, entry)| entry.name).collect();
        self.passing -= unused.len();
        self.passing_bytes -= unused.iter().map(|name| name.text.len()).sum::<usize>();
        unused
    }
}

/// The name of `text`, which is remembered as one that came as text.
fn remembered(py: Python<'_>, text: &str) -> Result<Known, Fault> {
    if let Some(name) = names().find(text) {
        return Ok(name);
    }
    let name = Rc::new(prepare(py, text)?);
    // Preparing it may have run code that did the same.
    if let Some(name) = names().find(text) {
        return Ok(name);
    }
    let dropped = names().remember(&name);
    drop(dropped);
    Ok(name)
}

/// The number of `text`, held once more.
pub(crate) fn of_text(py: Python<'_>, text: &str) -> Result<pyr_name, Fault> {
    if let Some(number) = names().hold(text) {
        return number;
    }
    let name = remembered(py, text)?;
    // One that is very long is not among the texts.
    names().hold(text).unwrap_or_else(|| names().give_number(name))
}

/// Hold the number `name` once less; what the caller must drop comes out with the last hold.
pub(crate) fn take(name: pyr_name) -> Option<Known> {
    names().release(name)
}

#[inline]
fn kept(name: pyr_name) -> Result<Known, Fault> {
    match names().slots.get((name & SLOT) as usize) {
        Some(Slot {
            key,
            name: Some(known),
            ..
        }) if *key == name => Ok(known.clone()),
        _ => Err(missed(name)),
    }
}

#[cold]
fn missed(name: pyr_name) -> Fault {
    let why = if name >> NUMBER_BITS == names().epoch >> NUMBER_BITS {
        "there is no such name"
    } else {
        "not a name of this process: intern it anew"
    };
    Fault::new(PYR_INVALID_NAME, why)
}

/// The name in a cell: a `PYR_NAME`, or text.
#[inline]
pub(crate) fn of_cell(py: Python<'_>, cell: &pyr_value) -> Result<Known, Fault> {
    if cell.tag == PYR_NAME {
        // SAFETY: the tag says which member was set; any integer is a valid one.
        return kept(unsafe { cell.of.name });
    }
    remembered(py, &text::to_str(cell)?)
}

/// Drop what compiled sources hold; the names stay.
pub(crate) fn forget_sources() {
    let all: Vec<_> = names().texts.values().map(|entry| entry.name.clone()).collect();
    for name in all {
        name.forget_code();
    }
}
