//! A table of values named by integers that are safe to keep too long.
//!
//! A key is slot + generation + epoch in 62 bits, so that it is a fixnum on 64-bit Lisps. Releasing a
//! slot raises its generation: an old key then names nothing, and says so. The epoch comes from outside
//! and differs between processes, so that keys of another process are old as well. Nothing here knows
//! Python.

const SLOT_BITS: u32 = 30;
const GENERATION_BITS: u32 = 20;
const EPOCH_BITS: u32 = 12;
const LAST_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

/// Why a key names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// No table of this process made the key.
    Invalid,
    /// The key was released, or is from before the table was cleared.
    Stale,
}

struct Slot<T> {
    generation: u32,
    /// How many times the host holds the key.
    count: u32,
    value: Option<T>,
}

/// The table.
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    epoch: u64,
    live: usize,
}

impl<T> Slab<T> {
    /// An empty table whose keys are of `epoch` (of which the low 12 bits count).
    pub const fn new(epoch: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            epoch: epoch & ((1 << EPOCH_BITS) - 1),
            live: 0,
        }
    }

    /// Put `value` in, held once, and return its key. `Err` gives it back when the table is full.
    pub fn insert(&mut self, value: T) -> Result<u64, T> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < (1 << SLOT_BITS) => {
                // Generations begin at 1, so no key is 0.
                self.slots.push(Slot {
                    generation: 1,
                    count: 0,
                    value: None,
                });
                (self.slots.len() - 1) as u32
            }
            None => return Err(value),
        };
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        slot.count = 1;
        self.live += 1;
        Ok(u64::from(index)
            | u64::from(slot.generation) << SLOT_BITS
            | self.epoch << (SLOT_BITS + GENERATION_BITS))
    }

    /// The index of the slot that `key` names.
    fn index(&self, key: u64) -> Result<usize, Miss> {
        let index = (key & ((1 << SLOT_BITS) - 1)) as usize;
        let generation = (key >> SLOT_BITS) as u32 & LAST_GENERATION;
        let epoch = key >> (SLOT_BITS + GENERATION_BITS);
        if generation == 0 || epoch >> EPOCH_BITS != 0 {
            return Err(Miss::Invalid);
        }
        if epoch != self.epoch {
            return Err(Miss::Stale);
        }
        match self.slots.get(index) {
            None => Err(Miss::Invalid),
            Some(slot) if generation > slot.generation => Err(Miss::Invalid),
            Some(slot) if generation < slot.generation => Err(Miss::Stale),
            Some(slot) if slot.value.is_some() => Ok(index),
            // The last generation of a slot that is used up; any other was not given out yet.
            Some(_) if generation == LAST_GENERATION => Err(Miss::Stale),
            Some(_) => Err(Miss::Invalid),
        }
    }

    /// The value that `key` names.
    pub fn get(&self, key: u64) -> Result<&T, Miss> {
        let index = self.index(key)?;
        self.slots[index].value.as_ref().ok_or(Miss::Stale)
    }

    /// How many times the host holds `key`.
    pub fn count(&self, key: u64) -> Result<u32, Miss> {
        Ok(self.slots[self.index(key)?].count)
    }

    /// Hold `key` once more.
    pub fn retain(&mut self, key: u64) -> Result<(), Miss> {
        let index = self.index(key)?;
        let slot = &mut self.slots[index];
        slot.count = slot.count.saturating_add(1);
        Ok(())
    }

    /// Hold `key` once less; the value comes out with the last hold.
    pub fn release(&mut self, key: u64) -> Result<Option<T>, Miss> {
        let index = self.index(key)?;
        let slot = &mut self.slots[index];
        // A count that once was saturated is no longer known: such a slot is kept for good.
        if slot.count == u32::MAX {
            return Ok(None);
        }
        slot.count -= 1;
        if slot.count > 0 {
            return Ok(None);
        }
        Ok(self.empty(index))
    }

    /// The values in the table.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    /// How many values are in the table.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Take every value out: all keys given out so far are stale.
    pub fn clear(&mut self) -> Vec<T> {
        let mut values = Vec::with_capacity(self.live);
        for index in 0..self.slots.len() {
            values.extend(self.empty(index));
        }
        values
    }

    /// Take the value out of a slot and make its key stale.
    fn empty(&mut self, index: usize) -> Option<T> {
        let slot = &mut self.slots[index];
        let value = slot.value.take()?;
        self.live -= 1;
        // A slot whose generations are used up is never used again: a key cannot come back.
        if slot.generation < LAST_GENERATION {
            slot.generation += 1;
            self.free.push(index as u32);
        }
        Some(value)
    }
}
