//! Values that own what they hold, and the cells that they become and come from.

use super::abi::*;

/// A value of the host's.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Single(f64),
    /// Its parts, and whether a result says that they are of single precision.
    Complex([f64; 2], bool),
    Character(char),
    Path(String),
    /// An argument only.
    Utf32(Vec<u32>),
    /// Numerator and denominator.
    Fraction(Box<[Value; 2]>),
    Text(String),
    /// A `PYR_UTF8` cell with any bytes; what is read is this when it is not valid in Rust.
    Utf8(Vec<u8>),
    Latin1(Vec<u8>),
    Points(Vec<u32>),
    /// Two's complement, little-endian.
    Big(Vec<u8>),
    Bytes(Vec<u8>),
    /// Start, stop and step; an argument only.
    Slice(Box<[Value; 3]>),
    List(Vec<Self>),
    Tuple(Vec<Self>),
    Dict(Vec<(Self, Self)>),
    Handle(pyr_handle),
    Name(pyr_name),
    Array {
        element: pyr_element,
        dimensions: Vec<usize>,
        data: Vec<u8>,
    },
    /// An array of objects: its dimensions and its elements.
    Objects(Vec<usize>, Vec<Value>),
    /// The address of a `pyr_loan`, an argument only: see [`super::loans`].
    Loan(usize),
    /// What was lent and comes back: its id and its kind.
    Host(u64, pyr_loan_kind),
    /// A cell whose payload is all zero: a bad tag, or a NULL where there should be data.
    Bare {
        tag: pyr_tag,
        aux: u32,
    },
}

/// Text.
pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// An int.
pub fn int(integer: i64) -> Value {
    Value::Int(integer)
}

/// A list of ints.
pub fn ints(integers: impl IntoIterator<Item = i64>) -> Value {
    Value::List(integers.into_iter().map(int).collect())
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        text(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

/// The cells that other cells point to. Each is in a box of its own, for what is pushed later must not
/// move it.
#[derive(Default)]
#[allow(clippy::vec_box)]
pub struct Arena {
    points: Vec<Box<[u32]>>,
    cells: Vec<Box<[pyr_value]>>,
    arrays: Vec<Box<pyr_array>>,
}

impl Arena {
    fn items(&mut self, tag: pyr_tag, aux: usize, cells: Vec<pyr_value>) -> pyr_value {
        self.cells.push(cells.into());
        let items = self.cells.last().map_or(std::ptr::null(), |cells| cells.as_ptr());
        pyr_value {
            tag,
            aux: aux as u32,
            of: pyr_payload { items },
        }
    }

    /// The cells of `values`, side by side. They live as long as the values and this do.
    pub fn cells<'a>(&mut self, values: impl IntoIterator<Item = &'a Value>) -> Vec<pyr_value> {
        values.into_iter().map(|value| self.cell(value)).collect()
    }

    /// The cell of `value`. It lives as long as the value and this do.
    pub fn cell(&mut self, value: &Value) -> pyr_value {
        let units = |tag, length: usize, bytes| pyr_value::bytes(tag, length as u32, bytes);
        match value {
            Value::None => pyr_value::integer(PYR_NONE, 0),
            Value::Bool(truth) => pyr_value::integer(PYR_BOOL, i64::from(*truth)),
            Value::Int(integer) => pyr_value::integer(PYR_INT, *integer),
            Value::Float(real) => pyr_value::real(PYR_FLOAT, *real),
            Value::Single(real) => pyr_value::real(PYR_SINGLE, *real),
            Value::Complex(parts, _) => pyr_value {
                tag: PYR_COMPLEX,
                aux: 0,
                of: pyr_payload {
                    reals: parts.as_ptr(),
                },
            },
            Value::Fraction(parts) => {
                let cells = self.cells(parts.iter());
                self.items(PYR_FRACTION, 2, cells)
            }
            Value::Slice(parts) => {
                let cells = self.cells(parts.iter());
                self.items(PYR_SLICE, 3, cells)
            }
            Value::Text(text) => units(PYR_UTF8, text.len(), text.as_ptr()),
            Value::Utf8(bytes) => units(PYR_UTF8, bytes.len(), bytes.as_ptr()),
            Value::Latin1(bytes) => units(PYR_LATIN1, bytes.len(), bytes.as_ptr()),
            Value::Points(points) => units(PYR_UCS4, points.len(), points.as_ptr().cast()),
            Value::Character(character) => pyr_value::integer(PYR_CHARACTER, u32::from(*character).into()),
            Value::Path(name) => {
                let points: Box<[u32]> = name.chars().map(u32::from).collect();
                let cell = units(PYR_PATH, points.len(), points.as_ptr().cast());
                self.points.push(points);
                cell
            }
            Value::Utf32(points) => units(PYR_UTF32, points.len(), points.as_ptr().cast()),
            Value::Big(bytes) => units(PYR_BIGINT, bytes.len(), bytes.as_ptr()),
            Value::Bytes(bytes) => units(PYR_BYTES, bytes.len(), bytes.as_ptr()),
            Value::List(items) => {
                let cells = self.cells(items);
                self.items(PYR_LIST, items.len(), cells)
            }
            Value::Tuple(items) => {
                let cells = self.cells(items);
                self.items(PYR_TUPLE, items.len(), cells)
            }
            Value::Dict(pairs) => {
                let cells = self.cells(pairs.iter().flat_map(|(key, value)| [key, value]));
                self.items(PYR_DICT, pairs.len(), cells)
            }
            Value::Handle(handle) => pyr_value {
                tag: PYR_HANDLE,
                aux: 0,
                of: pyr_payload { handle: *handle },
            },
            Value::Name(name) => pyr_value {
                tag: PYR_NAME,
                aux: 0,
                of: pyr_payload { name: *name },
            },
            Value::Objects(dimensions, elements) => {
                let cells = self.cells(elements);
                let items = self.items(PYR_LIST, elements.len(), cells);
                let array = Box::new(pyr_array {
                    // SAFETY: `items` made a list.
                    data: unsafe { items.of.items }.cast(),
                    dimensions: dimensions.as_ptr(),
                    rank: dimensions.len() as u32,
                    element: PYR_OBJECT,
                });
                let of = pyr_payload {
                    array: &raw const *array,
                };
                self.arrays.push(array);
                pyr_value {
                    tag: PYR_ARRAY,
                    aux: 0,
                    of,
                }
            }
            Value::Array {
                element,
                dimensions,
                data,
            } => {
                let (rank, dimensions) = (dimensions.len() as u32, dimensions.as_ptr());
                let array = Box::new(pyr_array {
                    data: data.as_ptr().cast(),
                    dimensions,
                    rank,
                    element: *element,
                });
                let of = pyr_payload {
                    array: &raw const *array,
                };
                self.arrays.push(array);
                pyr_value {
                    tag: PYR_ARRAY,
                    aux: 0,
                    of,
                }
            }
            Value::Loan(loan) => pyr_value {
                tag: PYR_LOAN,
                aux: 0,
                of: pyr_payload {
                    loan: *loan as *mut pyr_loan,
                },
            },
            Value::Host(id, kind) => pyr_value {
                tag: PYR_HOST,
                aux: *kind,
                of: pyr_payload { id: *id },
            },
            Value::Bare { tag, aux } => units(*tag, *aux as usize, std::ptr::null()),
        }
    }
}

/// A copy of the `length` units at `data`.
///
/// # Safety
/// `data` points to that many, or `length` is 0.
unsafe fn copy<T: Copy>(data: *const T, length: usize) -> Vec<T> {
    if length == 0 {
        return Vec::new();
    }
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(data, length) }.to_vec()
}

impl Value {
    /// What a cell of a result holds.
    ///
    /// # Safety
    /// The cell is of a result that was not freed yet.
    pub unsafe fn read(cell: &pyr_value) -> Self {
        let (of, length) = (cell.of, cell.aux as usize);
        // SAFETY: the library set the member that the tag names, and made it point to what `aux` says.
        unsafe {
            match cell.tag {
                PYR_NONE => Self::None,
                PYR_BOOL => Self::Bool(match of.integer {
                    0 => false,
                    1 => true,
                    other => panic!("a bool cell holds {other}"),
                }),
                PYR_INT => Self::Int(of.integer),
                PYR_FLOAT => Self::Float(of.real),
                PYR_SINGLE => Self::Single(of.real),
                PYR_COMPLEX => Self::Complex([*of.reals, *of.reals.add(1)], cell.aux == 1),
                PYR_FRACTION => {
                    Self::Fraction(Box::new([Self::read(&*of.items), Self::read(&*of.items.add(1))]))
                }
                PYR_CHARACTER => Self::Character(char::from_u32(of.integer as u32).expect("a character")),
                PYR_PATH => Self::Path(
                    copy(of.points, length)
                        .into_iter()
                        .filter_map(char::from_u32)
                        .collect(),
                ),
                PYR_UTF8 => String::from_utf8(copy(of.bytes, length))
                    .map_or_else(|e| Self::Utf8(e.into_bytes()), Self::Text),
                PYR_UCS4 => Self::Points(copy(of.points, length)),
                PYR_BIGINT => Self::Big(copy(of.bytes, length)),
                PYR_BYTES => Self::Bytes(copy(of.bytes, length)),
                PYR_LIST => Self::List(Self::read_items(of.items, length)),
                PYR_TUPLE => Self::Tuple(Self::read_items(of.items, length)),
                PYR_DICT => {
                    let mut items = Self::read_items(of.items, 2 * length).into_iter();
                    Self::Dict(std::iter::from_fn(|| items.next().zip(items.next())).collect())
                }
                PYR_HANDLE => Self::Handle(of.handle),
                PYR_HOST => Self::Host(of.id, cell.aux),
                PYR_ARRAY => Self::read_array(&*of.array),
                tag => panic!("a result holds a cell of tag {tag}"),
            }
        }
    }

    /// # Safety
    /// As for [`Value::read`].
    unsafe fn read_items(items: *const pyr_value, length: usize) -> Vec<Self> {
        // SAFETY: promised by the caller.
        unsafe { copy(items, length).iter().map(|item| Self::read(item)).collect() }
    }

    /// # Safety
    /// As for [`Value::read`].
    unsafe fn read_array(array: &pyr_array) -> Self {
        if array.element == PYR_OBJECT {
            // SAFETY: promised by the caller.
            unsafe {
                let dimensions = copy(array.dimensions, array.rank as usize);
                let count = dimensions.iter().product();
                return Self::Objects(dimensions, Self::read_items(array.data.cast(), count));
            }
        }
        let size = match array.element {
            PYR_INT8 | PYR_UINT8 | PYR_BOOL8 => 1,
            PYR_INT16 | PYR_UINT16 => 2,
            PYR_INT32 | PYR_UINT32 | PYR_FLOAT32 => 4,
            PYR_INT64 | PYR_UINT64 | PYR_FLOAT64 | PYR_COMPLEX64 => 8,
            PYR_COMPLEX128 => 16,
            element => panic!("an array of a result has elements of type {element}"),
        };
        // SAFETY: promised by the caller.
        unsafe {
            let dimensions = copy(array.dimensions, array.rank as usize);
            let data = copy(array.data.cast(), size * dimensions.iter().product::<usize>());
            Self::Array {
                element: array.element,
                dimensions,
                data,
            }
        }
    }

    /// The handle that this is.
    pub fn handle(&self) -> pyr_handle {
        match self {
            Self::Handle(handle) => *handle,
            other => panic!("{other:?} is no handle"),
        }
    }
}
