//! The cells of objects that are neither containers nor of Python's own simple types.

use pyo3::prelude::*;
use pyo3::types::PyInt;
use pyo3::{Bound, ffi, intern};

use super::Encoder;
use crate::abi::*;
use crate::fault::{Fault, own};
use crate::ndarray::Scalar;
use crate::walk::container_tag;
use crate::{array, bridge, loan, ndarray, numbers, text};

fn array_cell(array: *const pyr_array) -> pyr_value {
    pyr_value {
        tag: PYR_ARRAY,
        aux: 0,
        of: pyr_payload { array },
    }
}

/// Up to this many bytes of an array are copied: that costs less than to keep the array alive.
const COPIED: usize = 4096;

/// How deep arrays of objects may be nested.
const MAXIMUM_NESTED: u32 = 100;

impl Encoder {
    /// The cell of an object of none of Python's own simple types.
    pub(super) fn other(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        match ndarray::classify(&object)? {
            ndarray::Class::Array => {
                if let Some(lent) = loan::of_array(&object) {
                    return Ok(self.lent(lent));
                }
                match array::from_python(&object)? {
                    array::Converted::Array(array, element) => self.array(array, element),
                    array::Converted::Scalar(value, single) => self.numpy_scalar(value, single),
                    array::Converted::Objects(elements, dimensions) => self.objects(elements, &dimensions),
                    array::Converted::No => self.handle(object),
                }
            }
            ndarray::Class::Scalar(Scalar::Double) => {
                // SAFETY: attached; numpy's float64 is a Python float.
                let real = unsafe { ffi::PyFloat_AsDouble(object.as_ptr()) };
                Ok(pyr_value::real(PYR_FLOAT, real))
            }
            ndarray::Class::Scalar(Scalar::Integer) => self.leaf(whole(&object)?),
            ndarray::Class::Scalar(scalar) => {
                let item = object.call_method0(intern!(object.py(), "item"))?;
                self.numpy_scalar(item, scalar == Scalar::Single)
            }
            ndarray::Class::Other if object.get_type_ptr().cast() == bridge::character_type() => {
                self.character(object)
            }
            ndarray::Class::Other if object.get_type_ptr().cast() == bridge::path_type() => self.path(object),
            ndarray::Class::Other if numbers::is_fraction(&object) => self.fraction(object),
            ndarray::Class::Other => match loan::of_python(object) {
                Ok(lent) => Ok(self.lent(lent)),
                Err(object) => self.handle(object),
            },
        }
    }

    /// The cell of what the host lent as `object`, which Python does not let go of while there is the
    /// result. Whether that is so of what this call lent, is for [`loan::settle`] to see.
    fn lent(&mut self, object: Bound<'_, loan::Object>) -> pyr_value {
        let lent = object.get();
        let cell = pyr_value {
            tag: PYR_HOST,
            aux: lent.kind,
            of: pyr_payload { id: lent.id },
        };
        if loan::name(&object) {
            self.names_lent = true;
        } else {
            self.memory().keep(object.into_ptr());
        }
        cell
    }

    /// The cell of a contiguous array of `element`s: on its own memory, unless it is small.
    fn array(&mut self, array: Bound<'_, PyAny>, element: pyr_element) -> Result<pyr_value, Fault> {
        let (dimensions, data, size) = array::memory_of(&array, element);
        let head = array::description_size(dimensions.len()).next_multiple_of(16);
        let copied = if size <= COPIED { size } else { 0 };
        let room = self.room(head + copied)?;
        // SAFETY: there is room for the description and, behind it, for what is copied.
        let array = unsafe {
            let data = if size <= COPIED {
                room.add(head).copy_from_nonoverlapping(data, size);
                room.add(head)
            } else {
                self.memory().weigh(size)?;
                self.memory().keep(array.clone().into_ptr());
                data.cast_mut()
            };
            array::describe(data.cast(), dimensions, element, room)
        };
        Ok(array_cell(array))
    }

    /// The cell of an array of objects.
    fn objects(&mut self, elements: Bound<'_, PyAny>, dimensions: &[usize]) -> Result<pyr_value, Fault> {
        if self.nested == MAXIMUM_NESTED {
            return Err(Fault::new(
                PYR_TOO_DEEP,
                "arrays of objects are nested too deeply, or in a circle",
            ));
        }
        self.nested += 1;
        let list = self.container(elements, PYR_LIST)?;
        self.nested -= 1;
        // SAFETY: the tag says which member was set.
        let data = unsafe { list.of.items }.cast();
        let room = self.room(array::description_size(dimensions.len()))?;
        // SAFETY: there is room for the description.
        Ok(array_cell(unsafe {
            array::describe(data, dimensions, PYR_OBJECT, room)
        }))
    }

    fn character(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        let measure = text::measure_ucs4(object.as_ptr());
        if measure.units != 1 {
            // Made by Python code.
            return self.handle(object);
        }
        let mut point = 0u128;
        text::write_ucs4(object.as_ptr(), (&raw mut point).cast(), &measure)?;
        Ok(pyr_value::integer(PYR_CHARACTER, (point as u32).into()))
    }

    fn path(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        let name = object.getattr(intern!(object.py(), "_name"))?;
        if !name.is_exact_instance_of::<pyo3::types::PyString>() {
            return self.handle(object);
        }
        let cell = self.ucs4(PYR_PATH, name.as_ptr())?;
        cell.map_or_else(|| self.handle(object), Ok)
    }

    fn fraction(&mut self, object: Bound<'_, PyAny>) -> Result<pyr_value, Fault> {
        let py = object.py();
        let cells = self
            .memory()
            .allocate(2 * size_of::<pyr_value>())?
            .cast::<pyr_value>();
        for (index, name) in [intern!(py, "numerator"), intern!(py, "denominator")]
            .iter()
            .enumerate()
        {
            let Some(part) = integer(object.getattr(name)?)? else {
                // Made so by Python code.
                return self.handle(object);
            };
            let part = self.leaf(part)?;
            // SAFETY: there is room for two cells.
            unsafe { cells.add(index).write(part) };
        }
        Ok(pyr_value {
            tag: PYR_FRACTION,
            aux: 2,
            of: pyr_payload { items: cells },
        })
    }

    /// The cell of what a numpy scalar's `item` gave: a Python scalar, or itself.
    fn numpy_scalar(&mut self, item: Bound<'_, PyAny>, single: bool) -> Result<pyr_value, Fault> {
        if matches!(ndarray::classify(&item)?, ndarray::Class::Other) && container_tag(&item).is_none() {
            let mut cell = self.leaf(item)?;
            match cell.tag {
                PYR_FLOAT if single => cell.tag = PYR_SINGLE,
                PYR_COMPLEX => cell.aux = single.into(),
                _ => {}
            }
            return Ok(cell);
        }
        self.handle(item)
    }
}

/// The int that `part` is, or that it stands for in numpy; nothing when it is something else.
fn integer(part: Bound<'_, PyAny>) -> Result<Option<Bound<'_, PyAny>>, Fault> {
    if part.is_exact_instance_of::<PyInt>() {
        return Ok(Some(part));
    }
    match ndarray::classify(&part)? {
        ndarray::Class::Scalar(Scalar::Integer) => whole(&part).map(Some),
        _ => Ok(None),
    }
}

/// The int of an integer of numpy's.
fn whole<'py>(integer: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Fault> {
    // SAFETY: attached; an integer's `__index__` is numpy's own.
    own(integer.py(), unsafe { ffi::PyNumber_Index(integer.as_ptr()) })
}
