//! The floating-point environment: the host's while host code runs, C's default while Python runs.
//!
//! Lisp implementations unmask floating-point exceptions. One that is raised inside CPython unwinds
//! its frames and ruins the interpreter, so every entry masks them and every exit puts back what the
//! host had. Reading is cheap; control words are written only when they differ.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the host leaves the x87 unit to us: see `PYR_NO_X87`.
static IGNORE_X87: AtomicBool = AtomicBool::new(false);

/// Note whether the host computes nothing with the x87 unit.
pub(crate) fn ignore_x87(ignore: bool) {
    IGNORE_X87.store(ignore, Ordering::Relaxed);
}

/// The control bits of a floating-point environment.
#[derive(Clone, Copy)]
pub(crate) struct FpEnv(imp::Words);

impl FpEnv {
    /// Install C's default environment and return the one that was there.
    #[inline]
    pub(crate) fn enter() -> Self {
        Self(imp::enter())
    }

    /// Put this environment back.
    #[inline]
    pub(crate) fn restore(self) {
        imp::restore(self.0);
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use super::{IGNORE_X87, Ordering};
    use std::arch::asm;

    /// MXCSR without its status flags; the x87 control word without its reserved bits, or `IGNORED`.
    pub(super) type Words = (u32, u16);
    /// All exceptions masked, round to nearest, no flushing to zero.
    const MXCSR_DEFAULT: u32 = 0x1F80;
    const MXCSR_CONTROL: u32 = 0xFFC0;
    /// All exceptions masked, round to nearest, full precision.
    const X87_DEFAULT: u16 = 0x033F;
    const X87_CONTROL: u16 = 0x0F3F;

    #[inline]
    fn read_mxcsr() -> u32 {
        let mut mxcsr = 0u32;
        // SAFETY: the instruction only stores a control word into a local.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        mxcsr & MXCSR_CONTROL
    }

    #[inline]
    fn write_mxcsr(mxcsr: u32) {
        // SAFETY: the word comes from `read_mxcsr` or is the default: no reserved bit is set. Its status
        // flags are clear, so unmasking raises nothing.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags, readonly))
        };
    }

    #[inline]
    fn read_x87() -> u16 {
        let mut x87 = 0u16;
        // SAFETY: the instruction only stores a control word into a local.
        unsafe { asm!("fnstcw [{}]", in(reg) &raw mut x87, options(nostack, preserves_flags)) };
        x87 & X87_CONTROL
    }

    /// Install the defaults; what was there. Each instruction here is a good part of a call: none is
    /// made that need not be.
    #[inline]
    pub(super) fn enter() -> Words {
        let mxcsr = read_mxcsr();
        if mxcsr != MXCSR_DEFAULT {
            write_mxcsr(MXCSR_DEFAULT);
        }
        let x87 = read_x87();
        if x87 != X87_DEFAULT {
            // With `PYR_NO_X87` this is left so, until the host's runtime sets the word again.
            write_x87(X87_DEFAULT);
        }
        (mxcsr, x87)
    }

    /// Put `host` back.
    #[inline]
    pub(super) fn restore((mxcsr, x87): Words) {
        // Python code may have changed the word, but then to the host's liking only by chance.
        if mxcsr != MXCSR_DEFAULT || read_mxcsr() != mxcsr {
            write_mxcsr(mxcsr);
        }
        if !IGNORE_X87.load(Ordering::Relaxed) && read_x87() != x87 {
            write_x87(x87);
        }
    }

    /// Writing this word takes longer than the rest of a call: hence `PYR_NO_X87`.
    #[cold]
    fn write_x87(word: u16) {
        // SAFETY: as above; pending exceptions are cleared before any is unmasked.
        unsafe {
            asm!("fnclex", "fldcw [{}]", in(reg) &raw const word, options(nostack, preserves_flags, readonly));
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod imp {
    use std::arch::asm;

    /// FPCR: trap enables, rounding mode, flush to zero, default NaN.
    pub(super) type Words = u64;
    const DEFAULT: Words = 0;
    const CONTROL: u64 = 0x07C0_9F00;

    #[inline]
    fn read() -> Words {
        let fpcr: u64;
        // SAFETY: reading FPCR has no other effect.
        unsafe { asm!("mrs {}, fpcr", out(reg) fpcr, options(nomem, nostack, preserves_flags)) };
        fpcr & CONTROL
    }

    #[inline]
    fn write(words: Words) {
        // SAFETY: only control bits that `read` gave, or none, are set.
        unsafe { asm!("msr fpcr, {}", in(reg) words, options(nomem, nostack, preserves_flags)) };
    }

    /// Install the default; what was there.
    #[inline]
    pub(super) fn enter() -> Words {
        let host = read();
        if host != DEFAULT {
            write(DEFAULT);
        }
        host
    }

    /// Put `host` back.
    #[inline]
    pub(super) fn restore(host: Words) {
        if host != read() {
            write(host);
        }
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!(
    "Pyrite does not know this processor's floating-point control words: add them to src/fpenv.rs"
);
