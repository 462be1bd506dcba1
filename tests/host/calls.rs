//! Safe calls: owned values in, owned values or what went wrong out.

use std::mem::MaybeUninit;

use super::abi::*;
use super::value::{Arena, Value};
use super::{Host, loaded};

/// What went wrong. The handle on the exception is given back when this is dropped.
#[derive(Debug)]
pub struct Failure {
    pub status: pyr_status,
    pub type_name: String,
    pub message: String,
    pub traceback: String,
    pub exception: pyr_handle,
}

impl Drop for Failure {
    fn drop(&mut self) {
        if self.exception != 0 {
            loaded().release(self.exception);
        }
    }
}

/// A value, or why there is none.
pub type Outcome = Result<Value, Failure>;

const PATTERN: u8 = 0xA5;

/// A result that nobody has written to.
pub fn untouched() -> pyr_result {
    let mut result = MaybeUninit::<pyr_result>::uninit();
    // SAFETY: every member is plain data, for which any bytes will do, and there is no padding.
    unsafe {
        result.as_mut_ptr().write_bytes(PATTERN, 1);
        result.assume_init()
    }
}

/// Whether nobody has written to `result`.
pub fn is_untouched(result: &pyr_result) -> bool {
    // SAFETY: a result has no padding.
    let bytes =
        unsafe { std::slice::from_raw_parts((&raw const *result).cast::<u8>(), size_of::<pyr_result>()) };
    bytes.iter().all(|&byte| byte == PATTERN)
}

impl Host {
    /// What went wrong last on this thread.
    pub fn error(&self, with_traceback: bool) -> Failure {
        let mut error = MaybeUninit::<pyr_error>::zeroed();
        // SAFETY: the library writes the whole record, or returns another status than `PYR_OK`; its texts
        // are read at once.
        unsafe {
            assert_eq!(
                (self.api.pyr_error_last)(error.as_mut_ptr(), with_traceback.into()),
                PYR_OK
            );
            let error = error.assume_init();
            assert_eq!(error.kind == 0, error.type_name_length == 0);
            let text = |data, length| match length {
                0 => String::new(),
                _ => String::from_utf8(std::slice::from_raw_parts(data, length).to_vec()).expect("UTF-8"),
            };
            Failure {
                status: error.status,
                type_name: text(error.type_name, error.type_name_length),
                message: text(error.message, error.message_length),
                traceback: text(error.traceback, error.traceback_length),
                exception: error.exception,
            }
        }
    }

    fn failure(&self, status: pyr_status) -> Failure {
        let failure = self.error(true);
        assert_eq!(
            failure.status, status,
            "the record is of another call: {failure:?}"
        );
        failure
    }

    /// What went wrong, when `status` says that something did.
    pub fn checked(&self, status: pyr_status) -> Result<(), Failure> {
        if status == PYR_OK {
            Ok(())
        } else {
            Err(self.failure(status))
        }
    }

    /// The value that `call` gives. A failing call must leave the result alone.
    pub fn outcome(&self, call: impl FnOnce(*mut pyr_result) -> pyr_status) -> Outcome {
        let mut result = untouched();
        let status = call(&raw mut result);
        if status != PYR_OK {
            assert!(
                is_untouched(&result),
                "a call that failed with {status} wrote to its result"
            );
            return Err(self.failure(status));
        }
        // SAFETY: the call succeeded, so the result is whole; it is not moved, and freed once.
        let value = unsafe {
            let value = Value::read(&result.value);
            (self.api.pyr_result_free)(&raw mut result);
            value
        };
        assert!(result.memory.is_null());
        Ok(value)
    }

    pub fn call_with(
        &self,
        callable: impl Into<Value>,
        args: &[Value],
        keywords: &[(Value, Value)],
        flags: u32,
    ) -> Outcome {
        let (callable, mut arena) = (callable.into(), Arena::default());
        let callable = arena.cell(&callable);
        let cells = arena.cells(
            args.iter()
                .chain(keywords.iter().flat_map(|(name, value)| [name, value])),
        );
        let (nargs, nkwargs) = (args.len() as u32, keywords.len() as u32);
        // SAFETY: the cells live until the call returns.
        self.outcome(|out| unsafe {
            (self.api.pyr_call)(&raw const callable, cells.as_ptr(), nargs, nkwargs, flags, out)
        })
    }

    pub fn call(&self, callable: impl Into<Value>, args: &[Value]) -> Outcome {
        self.call_with(callable, args, &[], 0)
    }

    pub fn method(
        &self,
        object: impl Into<Value>,
        name: impl Into<Value>,
        args: &[Value],
        keywords: &[(Value, Value)],
    ) -> Outcome {
        let (object, name, mut arena) = (object.into(), name.into(), Arena::default());
        let (object, name) = (arena.cell(&object), arena.cell(&name));
        let cells = arena.cells(
            args.iter()
                .chain(keywords.iter().flat_map(|(name, value)| [name, value])),
        );
        let (object, name, nkwargs) = (&raw const object, &raw const name, keywords.len() as u32);
        // SAFETY: the cells live until the call returns.
        self.outcome(|out| unsafe {
            (self.api.pyr_call_method)(object, name, cells.as_ptr(), args.len() as u32, nkwargs, 0, out)
        })
    }

    pub fn eval_parts(&self, parts: &[Value], flags: u32) -> Outcome {
        let mut arena = Arena::default();
        let cells = arena.cells(parts);
        // SAFETY: the cells live until the call returns.
        self.outcome(|out| unsafe { (self.api.pyr_eval)(cells.as_ptr(), cells.len() as u32, flags, out) })
    }

    pub fn eval(&self, source: &str) -> Outcome {
        self.eval_parts(&[source.into()], 0)
    }

    /// A handle on what `source` gives.
    pub fn remote(&self, source: &str) -> Value {
        self.eval_parts(&[source.into()], PYR_REMOTE).expect(source)
    }

    pub fn exec_parts(&self, parts: &[Value]) -> Result<(), Failure> {
        let mut arena = Arena::default();
        let cells = arena.cells(parts);
        // SAFETY: the cells live until the call returns.
        self.checked(unsafe { (self.api.pyr_exec)(cells.as_ptr(), cells.len() as u32) })
    }

    pub fn exec(&self, source: &str) -> Result<(), Failure> {
        self.exec_parts(&[source.into()])
    }

    pub fn set(&self, name: impl Into<Value>, value: impl Into<Value>) -> Result<(), Failure> {
        let (name, value, mut arena) = (name.into(), value.into(), Arena::default());
        let (name, value) = (arena.cell(&name), arena.cell(&value));
        // SAFETY: the cells live until the call returns.
        self.checked(unsafe { (self.api.pyr_set)(&raw const name, &raw const value) })
    }

    /// Call a function of the kind of `pyr_repr`: one cell, flags, a result.
    pub fn unary(
        &self,
        function: unsafe extern "C" fn(*const pyr_value, u32, *mut pyr_result) -> pyr_status,
        value: impl Into<Value>,
        flags: u32,
    ) -> Outcome {
        let (value, mut arena) = (value.into(), Arena::default());
        let cell = arena.cell(&value);
        // SAFETY: the cell lives until the call returns.
        self.outcome(|out| unsafe { function(&raw const cell, flags, out) })
    }

    pub fn get(&self, name: impl Into<Value>) -> Outcome {
        self.unary(self.api.pyr_get, name, 0)
    }

    pub fn convert(&self, value: impl Into<Value>, flags: u32) -> Outcome {
        self.unary(self.api.pyr_convert, value, flags)
    }

    pub fn str(&self, value: impl Into<Value>) -> Outcome {
        self.unary(self.api.pyr_str, value, 0)
    }

    pub fn repr(&self, value: impl Into<Value>, flags: u32) -> Outcome {
        self.unary(self.api.pyr_repr, value, flags)
    }

    pub fn type_name(&self, value: impl Into<Value>) -> Outcome {
        self.unary(self.api.pyr_type_name, value, 0)
    }
}
