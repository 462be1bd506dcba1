//! Safe calls that take numbers only.

use super::Host;
use super::abi::*;
use super::calls::{Failure, Outcome};

impl Host {
    /// `pyr_intern`.
    pub fn name(&self, text: impl AsRef<[u8]>) -> Result<pyr_name, Failure> {
        let (text, mut name) = (text.as_ref(), 0);
        // SAFETY: pointer and length are a slice's; `name` is a local.
        self.checked(unsafe { (self.api.pyr_intern)(text.as_ptr(), text.len(), &raw mut name) })?;
        Ok(name)
    }

    pub fn retain(&self, handle: pyr_handle) -> Result<(), Failure> {
        // SAFETY: any number will do.
        self.checked(unsafe { (self.api.pyr_retain)(handle) })
    }

    pub fn release(&self, handle: pyr_handle) {
        // SAFETY: any number will do.
        assert_eq!(unsafe { (self.api.pyr_release)(handle) }, PYR_OK);
    }

    /// How often `handle` is held, and how many references its object has.
    pub fn counts(&self, handle: pyr_handle) -> Result<(usize, usize), Failure> {
        let (mut holds, mut references) = (0, 0);
        // SAFETY: both are locals.
        self.checked(unsafe { (self.api.pyr_counts)(handle, &raw mut holds, &raw mut references) })?;
        Ok((holds, references))
    }

    /// How many objects the host holds, and how many releases wait.
    pub fn counters(&self) -> (usize, usize) {
        let (mut live, mut pending) = (0, 0);
        // SAFETY: both are locals.
        let status = unsafe { (self.api.pyr_counters)(&raw mut live, &raw mut pending) };
        assert_eq!(status, PYR_OK);
        (live, pending)
    }

    /// How many objects the host holds once nothing waits to be released.
    pub fn settled(&self) -> usize {
        (0..100_000)
            .find_map(|_| Some(self.counters()).filter(|&(_, pending)| pending == 0))
            .map_or_else(
                || panic!("releases are never paid: {:?}", self.counters()),
                |(live, _)| live,
            )
    }

    /// Give one hold of `name` back.
    pub fn release_name(&self, name: pyr_name) {
        // SAFETY: any number will do.
        assert_eq!(unsafe { (self.api.pyr_name_release)(name) }, PYR_OK);
    }

    /// Handles, releases that wait, buffers, names, threads.
    pub fn stats(&self) -> [usize; 5] {
        let mut stats = [0; 5];
        // SAFETY: pointer and length are the array's.
        let count = unsafe { (self.api.pyr_stats)(stats.as_mut_ptr(), stats.len()) };
        assert_eq!(count, stats.len());
        stats
    }

    pub fn acquire(&self) -> Result<(), Failure> {
        // SAFETY: takes no arguments.
        self.checked(unsafe { (self.api.pyr_gil_acquire)() })
    }

    pub fn release_gil(&self) -> Result<(), Failure> {
        // SAFETY: takes no arguments.
        self.checked(unsafe { (self.api.pyr_gil_release)() })
    }

    pub fn panic(&self) -> Result<(), Failure> {
        // SAFETY: takes no arguments.
        self.checked(unsafe { (self.api.pyr_test_panic)() })
    }

    pub fn clear_error(&self) {
        // SAFETY: takes no arguments.
        unsafe { (self.api.pyr_error_clear)() };
    }

    pub fn stop(&self) -> Result<(), Failure> {
        // SAFETY: takes no arguments.
        self.checked(unsafe { (self.api.pyr_stop)() })
    }

    pub fn is_running(&self) -> bool {
        // SAFETY: takes no arguments.
        match unsafe { (self.api.pyr_is_running)() } {
            0 => false,
            1 => true,
            other => panic!("pyr_is_running gave {other}"),
        }
    }

    pub fn format_exception(&self, exception: pyr_handle) -> Outcome {
        // SAFETY: any number will do for the handle; `out` is the wrapper's own.
        self.outcome(|out| unsafe { (self.api.pyr_format_exception)(exception, 0, out) })
    }
}
