//! Random numbers and values that a seed can bring back.

use std::time::{SystemTime, UNIX_EPOCH};

use super::value::Value;

/// A seed for this run: `PYRITE_SEED`, else one of the clock's. Tests print it when they fail.
pub fn seed() -> u64 {
    let given = std::env::var("PYRITE_SEED").ok();
    given
        .map(|seed| seed.parse().expect("PYRITE_SEED is a number"))
        .unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| u64::from(time.subsec_nanos()))
        })
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn many<T>(&mut self, limit: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(limit)).map(|_| make(self)).collect()
    }

    /// A code point; surrogates too when `lone` says so.
    fn point(&mut self, lone: bool) -> u32 {
        loop {
            let point = match self.below(5) {
                0 => self.below(0x80),
                1 => self.below(0x100),
                2 => self.below(0x1_0000),
                3 => 0xD800 + self.below(0x800),
                _ => self.below(0x11_0000),
            } as u32;
            if lone || char::from_u32(point).is_some() {
                return point;
            }
        }
    }

    fn integer(&mut self) -> i64 {
        let integer = self.next() as i64;
        integer >> self.below(64)
    }

    fn float(&mut self) -> f64 {
        match self.below(4) {
            0 => f64::from_bits(self.next()),
            1 => [
                0.0,
                -0.0,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::NAN,
                5e-324,
                f64::MAX,
            ][self.below(7)],
            _ => self.integer() as f64 / 1024.0,
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let limit = if self.below(20) == 0 { 2000 } else { 20 };
        self.many(limit, |random| random.next() as u8)
    }

    fn text(&mut self) -> String {
        let limit = if self.below(20) == 0 { 1000 } else { 12 };
        self.many(limit, |random| char::from_u32(random.point(false)).unwrap_or(' '))
            .into_iter()
            .collect()
    }

    /// A value without items; one that can be a dict's key when `key` says so.
    fn leaf(&mut self, key: bool) -> Value {
        match self.below(10) {
            0 => Value::None,
            1 => Value::Bool(self.below(2) == 1),
            2 | 3 => Value::Int(self.integer()),
            4 => Value::Float(
                Some(self.float())
                    .filter(|float| !key || !float.is_nan())
                    .unwrap_or(1.5),
            ),
            5 => Value::Text(self.text()),
            6 => Value::Latin1(self.bytes()),
            7 => Value::Points(self.many(12, |random| random.point(true))),
            // Python writes ints of up to 4300 digits.
            8 => Value::Big(self.bytes().into_iter().take(1700).collect()),
            _ => Value::Bytes(self.bytes()),
        }
    }

    fn key(&mut self, depth: usize) -> Value {
        if depth > 0 && self.below(6) == 0 {
            return Value::Tuple(self.many(4, |random| random.key(depth - 1)));
        }
        self.leaf(true)
    }

    /// A value nested at most `depth` deep.
    pub fn value(&mut self, depth: usize) -> Value {
        let kind = if depth == 0 { 9 } else { self.below(10) };
        match kind {
            0 | 1 => Value::List(self.many(7, |random| random.value(depth - 1))),
            2 | 3 => Value::Tuple(self.many(7, |random| random.value(depth - 1))),
            4 | 5 => Value::Dict(self.pairs(depth - 1)),
            _ => self.leaf(false),
        }
    }

    /// Pairs for a dict, whose keys are not equal: the first of each kind is as it comes, the others have a number.
    fn pairs(&mut self, depth: usize) -> Vec<(Value, Value)> {
        let mut kinds = Vec::new();
        let mut pairs = self.many(6, |random| (random.key(depth), random.value(depth)));
        for (index, (key, _)) in pairs.iter_mut().enumerate() {
            let kind = match key {
                Value::None => 0,
                Value::Bytes(_) => 1,
                Value::Text(_) | Value::Latin1(_) | Value::Points(_) => 2,
                Value::Tuple(_) => 3,
                _ => 4,
            };
            if kinds.contains(&kind) {
                let plain = std::mem::replace(key, Value::None);
                *key = Value::Tuple(vec![Value::Text(format!("key {index}")), plain]);
            }
            kinds.push(kind);
        }
        pairs
    }
}
