//! What a host lends, and being told that Python let go of it.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Host;
use super::abi::*;
use super::value::Value;

/// A number that no other test of the process has.
pub fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Something that is lent, and what its `pyr_loan` points to.
pub struct Lent {
    loan: *mut pyr_loan,
    array: Box<pyr_array>,
    dimensions: Box<[usize]>,
    strides: Box<[isize]>,
}

// SAFETY: the library may be given it on any thread.
unsafe impl Send for Lent {}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: the loan came out of a box, and no call has it any more.
        drop(unsafe { Box::from_raw(self.loan) });
    }
}

impl Lent {
    fn new(id: u64, kind: pyr_loan_kind) -> Self {
        let loan = pyr_loan {
            id,
            kind,
            flags: 0,
            array: null(),
            strides: null(),
            host: null(),
            context: null_mut(),
            kept: 0,
            reserved: 0,
        };
        Self {
            loan: Box::into_raw(Box::new(loan)),
            array: Box::new(pyr_array {
                data: null(),
                dimensions: null(),
                rank: 0,
                element: 0,
            }),
            dimensions: Box::default(),
            strides: Box::default(),
        }
    }

    pub fn object(id: u64) -> Self {
        Self::new(id, PYR_LENT_OBJECT)
    }

    pub fn function(id: u64) -> Self {
        Self::new(id, PYR_LENT_FUNCTION)
    }

    /// The memory at `data`, which must stay until Python lets go of it.
    pub fn array<T>(id: u64, element: pyr_element, dimensions: &[usize], data: *mut T) -> Self {
        let mut lent = Self::new(id, PYR_LENT_ARRAY);
        lent.dimensions = dimensions.into();
        *lent.array = pyr_array {
            data: data.cast::<c_void>(),
            dimensions: lent.dimensions.as_ptr(),
            rank: dimensions.len() as u32,
            element,
        };
        let array = &raw const *lent.array;
        lent.with(|loan| loan.array = array)
    }

    pub fn strided(mut self, strides: &[isize]) -> Self {
        self.strides = strides.into();
        let strides = self.strides.as_ptr();
        self.with(|loan| loan.strides = strides)
    }

    pub fn read_only(self) -> Self {
        self.with(|loan| loan.flags = PYR_READ_ONLY)
    }

    /// Lent by [`TELLING`], with `context`.
    pub fn told(self, context: usize) -> Self {
        self.with(|loan| {
            loan.host = &raw const TELLING.0;
            loan.context = context as *mut c_void;
        })
    }

    /// Change the loan, before it is lent.
    pub fn with(self, change: impl FnOnce(&mut pyr_loan)) -> Self {
        // SAFETY: the loan lives as long as this, and no call has it now.
        change(unsafe { &mut *self.loan });
        self
    }

    pub fn id(&self) -> u64 {
        // SAFETY: as for `with`.
        unsafe { (*self.loan).id }
    }

    /// Who lends it.
    pub fn host(&self) -> *const pyr_host {
        // SAFETY: as for `with`.
        unsafe { (*self.loan).host }
    }

    /// How often Python came to keep it, by all the calls so far.
    pub fn kept(&self) -> u32 {
        // SAFETY: as for `with`.
        unsafe { (*self.loan).kept }
    }

    /// The argument.
    pub fn value(&self) -> Value {
        Value::Loan(self.loan as usize)
    }

    /// The array that the loan describes.
    pub fn described(&mut self) -> &mut pyr_array {
        &mut self.array
    }
}

struct Telling(pyr_host);

// SAFETY: function pointers only.
unsafe impl Sync for Telling {}

/// A host that is told what Python let go of: see [`told`].
static TELLING: Telling = Telling(pyr_host {
    size: size_of::<pyr_host>(),
    release: Some(note),
    ask: None,
    flags: 0,
    reserved: 0,
});

static TOLD: Mutex<Vec<(u64, usize)>> = Mutex::new(Vec::new());

unsafe extern "C" fn note(id: u64, context: *mut c_void) {
    TOLD.lock().expect("no panic").push((id, context as usize));
}

/// The contexts with which the host was told of `id` so far.
pub fn told(id: u64) -> Vec<usize> {
    let told = TOLD.lock().expect("no panic");
    told.iter()
        .filter(|&&(known, _)| known == id)
        .map(|&(_, context)| context)
        .collect()
}

static RELEASED: Mutex<Option<HashMap<u64, usize>>> = Mutex::new(None);

impl Host {
    /// How often `id` was released so far.
    pub fn released(&self, id: u64) -> usize {
        let mut released = RELEASED.lock().expect("no panic");
        let released = released.get_or_insert_default();
        let (mut ids, mut count) = ([0u64; 7], 7);
        while count == 7 {
            // SAFETY: both are locals.
            let status = unsafe { (self.api.pyr_take_released)(ids.as_mut_ptr(), 7, &raw mut count) };
            assert_eq!(status, PYR_OK);
            ids[..count]
                .iter()
                .for_each(|&id| *released.entry(id).or_default() += 1);
        }
        released.get(&id).copied().unwrap_or_default()
    }

    /// How many releases wait to be asked for.
    pub fn released_count(&self) -> usize {
        let mut count = usize::MAX;
        // SAFETY: a local.
        let status = unsafe { (self.api.pyr_take_released)(null_mut(), 0, &raw mut count) };
        assert_eq!(status, PYR_OK);
        count
    }
}
