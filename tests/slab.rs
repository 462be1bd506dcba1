//! The table of handles, with numbers in the place of Python objects.

#[path = "../src/slab.rs"]
mod slab;

#[path = "../src/abi.rs"]
#[allow(dead_code, unused_imports, reason = "values are made of it")]
mod abi;
#[path = "host/random.rs"]
#[allow(dead_code, reason = "only the numbers are used here")]
mod random;
#[path = "host/value.rs"]
#[allow(dead_code, reason = "random values are made of it")]
mod value;

use std::collections::HashMap;
use std::rc::Rc;

use random::{Random, seed};
use slab::{Miss, Slab};

/// What is documented of keys: they are fixnums on 64-bit Lisps.
const LIMIT: u64 = 1 << 62;
/// The bits of a key below its generation, and below its epoch.
const GENERATION: u32 = 30;
const EPOCH: u32 = 50;
const GENERATIONS: u64 = (1 << 20) - 1;

#[test]
fn a_value_is_there_until_its_last_hold_is_released() {
    let mut slab = Slab::new(7);
    let key = slab.insert("a").expect("room");
    assert_eq!(slab.get(key), Ok(&"a"));
    assert_eq!((slab.count(key), slab.live()), (Ok(1), 1));
    assert_eq!(slab.values().collect::<Vec<_>>(), [&"a"]);
    slab.retain(key).expect("it is there");
    assert_eq!(slab.count(key), Ok(2));
    assert_eq!(slab.release(key), Ok(None));
    assert_eq!((slab.get(key), slab.live()), (Ok(&"a"), 1));
    assert_eq!(slab.release(key), Ok(Some("a")));
    assert_eq!(slab.live(), 0);
}

#[test]
fn a_released_key_is_stale_for_everything_also_when_its_slot_is_used_again() {
    let mut slab = Slab::new(0);
    let old = slab.insert(1).expect("room");
    slab.release(old).expect("it is there");
    for _ in 0..2 {
        assert_eq!(slab.get(old), Err(Miss::Stale));
        assert_eq!(slab.count(old), Err(Miss::Stale));
        assert_eq!(slab.retain(old), Err(Miss::Stale));
        assert_eq!(slab.release(old), Err(Miss::Stale));
        let new = slab.insert(2).expect("room");
        assert_ne!(new, old);
        assert_eq!(slab.get(new), Ok(&2));
    }
}

#[test]
fn a_made_up_key_is_invalid() {
    let mut slab = Slab::new(5);
    let key = slab.insert('x').expect("room");
    let forged = [
        0,
        1,
        key + 1,
        key + (1 << 29),
        key + (1 << GENERATION),
        key + ((GENERATIONS - 1) << GENERATION),
        key & !(GENERATIONS << GENERATION),
        key | LIMIT,
        key | 1 << 63,
        u64::MAX,
    ];
    for made_up in forged {
        assert_eq!(slab.get(made_up), Err(Miss::Invalid), "{made_up:#x}");
        assert_eq!(slab.retain(made_up), Err(Miss::Invalid), "{made_up:#x}");
        assert_eq!(slab.release(made_up), Err(Miss::Invalid), "{made_up:#x}");
    }
    assert_eq!(
        (slab.get(key), slab.count(key), slab.live()),
        (Ok(&'x'), Ok(1), 1)
    );
}

#[test]
fn a_key_of_another_epoch_is_stale() {
    let mut here = Slab::new(5);
    let mut there = Slab::new(6);
    let key = here.insert(1).expect("room");
    let foreign = there.insert(2).expect("room");
    assert_ne!(key, foreign);
    assert_eq!(here.get(foreign), Err(Miss::Stale));
    assert_eq!(there.release(key), Err(Miss::Stale));
    assert_eq!(here.get(key ^ (1 << EPOCH)), Err(Miss::Stale));
}

#[test]
fn only_the_low_bits_of_the_first_epoch_count() {
    let mut slab = Slab::new(u64::MAX);
    let key = slab.insert(()).expect("room");
    assert!(key < LIMIT, "{key:#x}");
    assert_eq!(slab.get(key), Ok(&()));
}

#[test]
fn a_slot_whose_generations_are_used_up_is_retired() {
    let mut slab = Slab::new(LIMIT);
    let slot = |key: u64| key & ((1 << GENERATION) - 1);
    let first = slab.insert(0).expect("room");
    slab.release(first).expect("it is there");
    let mut last = first;
    for generation in 1..GENERATIONS {
        let key = slab.insert(generation).expect("room");
        assert_eq!(slot(key), slot(first), "a free slot is used before a new one");
        assert!(key > last && key < LIMIT);
        assert_eq!(slab.release(key), Ok(Some(generation)));
        last = key;
    }
    let next = slab.insert(1).expect("room");
    assert_ne!(slot(next), slot(first));
    for old in [first, last] {
        assert_eq!(slab.get(old), Err(Miss::Stale));
    }
    assert_eq!(slab.live(), 1);
}

#[test]
fn clearing_gives_the_values_back_and_makes_every_key_stale() {
    let mut slab = Slab::new(4095);
    let keys: Vec<_> = (0..10).map(|number| slab.insert(number).expect("room")).collect();
    slab.retain(keys[3]).expect("it is there");
    slab.release(keys[5]).expect("it is there");
    let mut values = slab.clear();
    values.sort_unstable();
    assert_eq!(values, [0, 1, 2, 3, 4, 6, 7, 8, 9]);
    assert_eq!(slab.live(), 0);
    let new: Vec<_> = (0..10).map(|number| slab.insert(number).expect("room")).collect();
    for key in &keys {
        assert_eq!(slab.get(*key), Err(Miss::Stale));
        assert!(!new.contains(key));
    }
    assert!(new.iter().all(|&key| key < LIMIT && slab.get(key).is_ok()));
}

#[test]
fn values_are_dropped_by_who_takes_them_and_only_once() {
    let value = Rc::new(());
    let mut slab = Slab::new(1);
    let kept = slab.insert(value.clone()).expect("room");
    slab.insert(value.clone()).expect("room");
    assert_eq!(Rc::strong_count(&value), 3);
    drop(slab.release(kept));
    assert_eq!(Rc::strong_count(&value), 2);
    drop(slab.clear());
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn a_key_stays_stale_however_often_the_table_is_cleared() {
    let mut slab = Slab::new(0);
    let old = slab.insert(1).expect("room");
    for _ in 0..4096 {
        slab.clear();
        slab.insert(2).expect("room");
        assert_eq!(slab.get(old), Err(Miss::Stale));
    }
}

#[test]
fn a_key_that_was_not_given_out_yet_is_invalid() {
    let mut slab = Slab::new(0);
    let old = slab.insert(1).expect("room");
    slab.release(old).expect("it is there");
    assert_eq!(slab.get(old + (1 << GENERATION)), Err(Miss::Invalid));
}

/// What the table should be: each key that is alive with its value and count, and the dead keys.
#[derive(Default)]
struct Model {
    alive: HashMap<u64, (u64, u32)>,
    keys: Vec<u64>,
    dead: Vec<u64>,
}

impl Model {
    fn forget(&mut self, index: usize) -> u64 {
        let key = self.keys.swap_remove(index);
        self.dead.push(key);
        self.alive.remove(&key).expect("a key that is alive").0
    }

    fn step(&mut self, slab: &mut Slab<u64>, random: &mut Random) {
        match random.below(100) {
            0 if random.below(20) == 0 => {
                let mut values = slab.clear();
                let mut expected: Vec<_> = (0..self.keys.len()).map(|_| self.forget(0)).collect();
                values.sort_unstable();
                expected.sort_unstable();
                assert_eq!(values, expected);
            }
            0..45 => {
                let value = random.next();
                let key = slab.insert(value).expect("room");
                assert!(
                    key != 0 && key < LIMIT && !self.alive.contains_key(&key) && !self.dead.contains(&key)
                );
                self.alive.insert(key, (value, 1));
                self.keys.push(key);
            }
            operation if !self.keys.is_empty() => {
                let index = random.below(self.keys.len());
                let key = self.keys[index];
                let (value, count) = self.alive.get_mut(&key).expect("a key that is alive");
                assert_eq!((slab.get(key), slab.count(key)), (Ok(&*value), Ok(*count)));
                if operation < 55 {
                    *count += 1;
                    slab.retain(key).expect("it is there");
                } else if *count > 1 {
                    *count -= 1;
                    assert_eq!(slab.release(key), Ok(None));
                } else {
                    let value = self.forget(index);
                    assert_eq!(slab.release(key), Ok(Some(value)));
                }
            }
            _ => {}
        }
        if let Some(&key) = self.dead.get(random.below(self.dead.len().max(1))) {
            assert_eq!(slab.get(key), Err(Miss::Stale));
        }
        assert_eq!(slab.live(), self.alive.len());
    }
}

#[test]
fn random_operations_agree_with_a_model() {
    for seed in (0..50).map(|run| seed().wrapping_add(run)) {
        println!("PYRITE_SEED={seed}");
        let mut random = Random(seed);
        let mut slab = Slab::new(random.next());
        let mut model = Model::default();
        (0..2000).for_each(|_| model.step(&mut slab, &mut random));
    }
}
