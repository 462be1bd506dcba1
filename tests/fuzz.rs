//! Random trees of cells, some of them broken in one place: each gives its value or a status, and leaves
//! nothing behind.

mod host;

use host::abi::*;
use host::random::{Random, seed};
use host::value::Value;
use host::{child, python};

/// How many trees. `PYRITE_TEST_TREES` sets another number.
const TREES: u32 = 20_000;

/// What a broken cell is to give.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Tag,
    Null,
    Text,
    Handle,
    Name,
    Array,
    Loan,
    Slice,
    Hash,
}

const FAULTS: [Fault; 9] = [
    Fault::Tag,
    Fault::Null,
    Fault::Text,
    Fault::Handle,
    Fault::Name,
    Fault::Array,
    Fault::Loan,
    Fault::Slice,
    Fault::Hash,
];

/// Cells whose memory is there until this is dropped: what is pushed later must not move it.
#[derive(Default)]
#[allow(clippy::vec_box)]
struct Tree {
    blocks: Vec<Box<[pyr_value]>>,
    arrays: Vec<Box<(pyr_array, [usize; 2])>>,
    loans: Vec<Box<pyr_loan>>,
    /// How many cells from here on are whole, before a broken one comes; nothing for a whole tree.
    broken: Option<(usize, Fault)>,
    /// The statuses that the broken cell may give.
    expected: Option<&'static [pyr_status]>,
    /// Whether there is something that Python may refuse by itself.
    odd: bool,
}

impl Tree {
    fn pointing(&mut self, tag: pyr_tag, aux: usize, items: Vec<pyr_value>) -> pyr_value {
        let items: Box<[pyr_value]> = items.into();
        let of = pyr_payload {
            items: items.as_ptr(),
        };
        self.blocks.push(items);
        pyr_value {
            tag,
            aux: aux as u32,
            of,
        }
    }

    fn bytes(&mut self, tag: pyr_tag, bytes: Vec<u8>, unit: usize) -> pyr_value {
        // Aligned for code points.
        let length = bytes.len() / unit;
        let mut words = vec![pyr_value::integer(0, 0); bytes.len() / 16 + 1].into_boxed_slice();
        // SAFETY: there is room for the bytes.
        unsafe {
            words
                .as_mut_ptr()
                .cast::<u8>()
                .copy_from(bytes.as_ptr(), bytes.len())
        };
        let cell = pyr_value::bytes(tag, length as u32, words.as_ptr().cast());
        self.blocks.push(words);
        cell
    }

    /// A broken cell, and what it is expected to give.
    fn fault(&mut self, random: &mut Random, fault: Fault) -> pyr_value {
        let null = |tag, aux| pyr_value::bytes(tag, aux, std::ptr::null());
        let (cell, expected): (_, &[pyr_status]) = match fault {
            Fault::Tag => {
                let tag = [0, PYR_HOST, 25, 26, 99, 1 << 31, u32::MAX][random.below(7)];
                (null(tag, random.next() as u32), &[PYR_INVALID_TAG])
            }
            Fault::Null => {
                let tags = [
                    PYR_UTF8,
                    PYR_LATIN1,
                    PYR_UCS4,
                    PYR_UTF32,
                    PYR_PATH,
                    PYR_BYTES,
                    PYR_BIGINT,
                    PYR_LIST,
                    PYR_TUPLE,
                    PYR_DICT,
                    PYR_ARRAY,
                    PYR_COMPLEX,
                    PYR_LOAN,
                ];
                let aux = 1 + random.next() as u32 % (u32::MAX >> random.below(32)).max(1);
                (
                    null(tags[random.below(tags.len())], aux.max(1)),
                    &[PYR_NULL_ARGUMENT],
                )
            }
            Fault::Text => {
                let bad: [(pyr_tag, &[u8], usize); 6] = [
                    (PYR_UTF8, b"a\xff", 1),
                    (PYR_UTF8, b"\xc0\x80", 1),
                    (PYR_UTF8, b"ok\xe2\x82", 1),
                    (PYR_UCS4, &[0, 0, 0x11, 0], 4),
                    (PYR_UTF32, &[0, 0xD8, 0, 0], 4),
                    (PYR_PATH, &[0xFF, 0xFF, 0xFF, 0xFF], 4),
                ];
                let (tag, bytes, unit) = bad[random.below(6)];
                (self.bytes(tag, bytes.to_vec(), unit), &[PYR_INVALID_TEXT])
            }
            Fault::Handle => {
                let handle = random.next() >> random.below(64);
                let of = pyr_payload { handle };
                (
                    pyr_value {
                        tag: PYR_HANDLE,
                        aux: 0,
                        of,
                    },
                    &[PYR_INVALID_HANDLE, PYR_STALE_HANDLE],
                )
            }
            Fault::Name => {
                let of = pyr_payload {
                    name: random.next() | 1 << 62,
                };
                (
                    pyr_value {
                        tag: PYR_NAME,
                        aux: 0,
                        of,
                    },
                    &[PYR_INVALID_NAME],
                )
            }
            Fault::Array => {
                let [rank, element, large] = [random.below(2), random.below(2), random.below(2)];
                let sizes = if large == 1 {
                    [usize::MAX, usize::MAX]
                } else {
                    [2, 3]
                };
                let rank = if rank == 1 {
                    33 + random.below(1000) as u32
                } else {
                    2
                };
                let element = if element == 1 {
                    15 + random.below(1000) as u32
                } else {
                    PYR_INT8
                };
                let mut array = Box::new((
                    pyr_array {
                        data: std::ptr::null(),
                        dimensions: std::ptr::null(),
                        rank,
                        element,
                    },
                    sizes,
                ));
                array.0.dimensions = array.1.as_ptr();
                let of = pyr_payload {
                    array: &raw const array.0,
                };
                self.arrays.push(array);
                (
                    pyr_value {
                        tag: PYR_ARRAY,
                        aux: 0,
                        of,
                    },
                    &[PYR_INVALID_ARRAY, PYR_NULL_ARGUMENT],
                )
            }
            Fault::Loan => {
                let mut loan = sound_loan(random);
                match random.below(4) {
                    0 => loan.id |= 1 << (62 + random.below(2)),
                    1 => loan.flags |= 2 << random.below(31),
                    2 => loan.reserved = 1 + random.below(9) as u32,
                    _ => loan.kind = [0, 4, u32::MAX][random.below(3)],
                }
                (self.loan(loan), &[PYR_INVALID_FLAGS, PYR_INVALID_TAG])
            }
            Fault::Slice => {
                let aux = [0, 1, 2, 4, u32::MAX][random.below(5)];
                (null(PYR_SLICE, aux), &[PYR_INVALID_TAG, PYR_NULL_ARGUMENT])
            }
            Fault::Hash => {
                let key = self.pointing(PYR_LIST, 0, vec![]);
                let none = pyr_value::integer(PYR_NONE, 0);
                (self.pointing(PYR_DICT, 1, vec![key, none]), &[PYR_PYTHON_ERROR])
            }
        };
        self.expected = Some(expected);
        cell
    }

    fn loan(&mut self, loan: pyr_loan) -> pyr_value {
        let mut loan = Box::new(loan);
        let of = pyr_payload { loan: &raw mut *loan };
        self.loans.push(loan);
        pyr_value {
            tag: PYR_LOAN,
            aux: 0,
            of,
        }
    }

    /// The cell of `value`, a broken one in its place when its turn has come.
    fn cell(&mut self, random: &mut Random, value: &Value) -> pyr_value {
        if let Some((turn, fault)) = self.broken {
            self.broken = turn.checked_sub(1).map(|turn| (turn, fault));
            if turn == 0 {
                return self.fault(random, fault);
            }
        }
        let mut cells = |tree: &mut Self, values: &mut dyn Iterator<Item = &Value>| -> Vec<pyr_value> {
            values.map(|value| tree.cell(random, value)).collect()
        };
        match value {
            Value::List(items) => {
                let cells = cells(self, &mut items.iter());
                self.pointing(PYR_LIST, items.len(), cells)
            }
            Value::Tuple(items) => {
                let cells = cells(self, &mut items.iter());
                self.pointing(PYR_TUPLE, items.len(), cells)
            }
            Value::Dict(pairs) => {
                let cells = cells(self, &mut pairs.iter().flat_map(|(key, value)| [key, value]));
                self.pointing(PYR_DICT, pairs.len(), cells)
            }
            Value::Text(text) => self.bytes(PYR_UTF8, text.clone().into_bytes(), 1),
            Value::Latin1(bytes) => self.bytes(PYR_LATIN1, bytes.clone(), 1),
            Value::Points(points) => self.bytes(
                PYR_UCS4,
                points.iter().flat_map(|point| point.to_ne_bytes()).collect(),
                4,
            ),
            Value::Big(bytes) => self.bytes(PYR_BIGINT, bytes.clone(), 1),
            Value::Bytes(bytes) => self.bytes(PYR_BYTES, bytes.clone(), 1),
            Value::None if random.below(4) == 0 => {
                let loan = sound_loan(random);
                self.odd = true;
                self.loan(loan)
            }
            Value::None => pyr_value::integer(PYR_NONE, 0),
            Value::Bool(truth) => pyr_value::integer(PYR_BOOL, i64::from(*truth)),
            Value::Int(integer) => pyr_value::integer(PYR_INT, *integer),
            Value::Float(real) => pyr_value::real(PYR_FLOAT, *real),
            other => panic!("{other:?} is not made at random"),
        }
    }
}

fn sound_loan(random: &mut Random) -> pyr_loan {
    pyr_loan {
        id: random.below(20) as u64,
        kind: [PYR_LENT_OBJECT, PYR_LENT_FUNCTION][random.below(2)],
        flags: 0,
        array: std::ptr::null(),
        strides: std::ptr::null(),
        host: std::ptr::null(),
        context: std::ptr::null_mut(),
        kept: 0,
        reserved: 0,
    }
}

/// How many cells `value` becomes.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::List(items) | Value::Tuple(items) => items.iter().map(count).sum(),
        Value::Dict(pairs) => pairs.iter().map(|(key, value)| count(key) + count(value)).sum(),
        _ => 0,
    }
}

/// Make one tree and convert it.
fn round(random: &mut Random) {
    let python = python();
    let depth = random.below(6);
    let value = random.value(depth);
    let cells = count(&value);
    let broken = (random.below(3) > 0).then(|| (random.below(cells), FAULTS[random.below(FAULTS.len())]));
    let mut tree = Tree {
        broken,
        ..Tree::default()
    };
    let root = tree.cell(random, &value);
    // SAFETY: the cells live until the call returns.
    let outcome = python.outcome(|out| unsafe { (python.api.pyr_convert)(&raw const root, 0, out) });
    match (outcome, tree.expected) {
        (Err(failure), Some(expected)) => {
            // What is odd, or broken in a key, may fail before or otherwise: an unhashable key, say.
            let good = expected.contains(&failure.status) || failure.status == PYR_PYTHON_ERROR;
            assert!(good, "{failure:?} for {broken:?} in {value:?}");
            assert!(!failure.message.is_empty());
        }
        (Err(failure), None) => panic!("{failure:?} for {value:?}"),
        (Ok(given), Some(_)) => panic!("{given:?} for {broken:?} in {value:?}"),
        (Ok(given), None) => {
            // Python's own view of the cells, against that of the same value's source.
            if !tree.odd && cells < 40 {
                let same = python.call(
                    "lambda x, source: repr(x) == repr(eval(source))",
                    &[value.clone(), value.source().into()],
                );
                assert_eq!(
                    same.expect("a truth value"),
                    true.into(),
                    "{value:?} came as {given:?}"
                );
            }
        }
    }
    assert!(
        tree.loans.iter().all(|loan| loan.kept == 0),
        "a loan was kept of {value:?}"
    );
}

#[test]
fn every_tree_of_cells_gives_a_value_or_a_status() {
    let test = "every_tree_of_cells_gives_a_value_or_a_status";
    let Some(case) = child::case() else {
        child::run(test, &seed().to_string(), &[]);
        return;
    };
    println!("PYRITE_SEED={case}");
    let mut random = Random(case.parse().expect("a seed"));
    let trees = std::env::var("PYRITE_TEST_TREES").map_or(TREES, |trees| trees.parse().expect("a number"));
    let python = python();
    python.clear_error();
    let base = python.settled();
    let blocks = || python.eval("__import__('gc').collect() * 0 + __import__('sys').getallocatedblocks()");
    let number = |value: Value| {
        if let Value::Int(number) = value {
            number
        } else {
            panic!("{value:?}")
        }
    };
    (0..trees / 4).for_each(|_| round(&mut random));
    python.clear_error();
    python.settled();
    let before = number(blocks().expect("a number"));
    (0..trees).for_each(|_| round(&mut random));
    python.clear_error();
    assert_eq!(python.settled(), base);
    assert_eq!(python.released_count(), 0);
    // One lost object for each tree would be twenty thousand.
    let grown = number(blocks().expect("a number")) - before;
    assert!(grown < i64::from(trees) / 20 + 500, "{grown} blocks more");
}
