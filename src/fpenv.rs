//! The floating-point environment: the host's while host code runs, C's default while Python runs.
//!
//! Lisp implementations unmask floating-point exceptions. One that is raised inside CPython unwinds
//! its frames and ruins the interpreter, so every entry masks them and every exit puts back what the
//! host had. Reading is cheap; control words are written only when they differ.

/// The control bits of a floating-point environment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FpEnv(imp::Words);

impl FpEnv {
    /// Install C's default environment and return the one that was there.
    #[inline]
    pub(crate) fn enter() -> Self {
        let host = imp::read();
        if host != imp::DEFAULT {
            imp::write(imp::DEFAULT);
        }
        Self(host)
    }

    /// Put this environment back; status flags raised since are cleared when it traps on them.
    #[inline]
    pub(crate) fn restore(self) {
        if imp::read() != self.0 {
            imp::write(self.0);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::asm;

    /// MXCSR without its status flags, and the x87 control word without its reserved bits.
    pub(super) type Words = (u32, u16);
    /// All exceptions masked, round to nearest, no flushing to zero; x87 with full precision.
    pub(super) const DEFAULT: Words = (0x1F80, 0x033F);
    const MXCSR_CONTROL: u32 = 0xFFC0;
    const X87_CONTROL: u16 = 0x0F3F;

    #[inline]
    pub(super) fn read() -> Words {
        let mut mxcsr = 0u32;
        let mut x87 = 0u16;
        // SAFETY: both instructions only store a control word into a local.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags));
            asm!("fnstcw [{}]", in(reg) &raw mut x87, options(nostack, preserves_flags));
        }
        (mxcsr & MXCSR_CONTROL, x87 & X87_CONTROL)
    }

    #[inline]
    pub(super) fn write((mxcsr, x87): Words) {
        let (_, current) = read();
        // SAFETY: the words come from `read` or are the defaults: no reserved bit is set. Pending
        // x87 exceptions are cleared before any is unmasked.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags, readonly));
            if x87 != current {
                asm!("fnclex", "fldcw [{}]", in(reg) &raw const x87, options(nostack, preserves_flags, readonly));
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod imp {
    use std::arch::asm;

    /// FPCR: trap enables, rounding mode, flush to zero, default NaN.
    pub(super) type Words = u64;
    pub(super) const DEFAULT: Words = 0;
    const CONTROL: u64 = 0x07C0_9F00;

    #[inline]
    pub(super) fn read() -> Words {
        let fpcr: u64;
        // SAFETY: reading FPCR has no other effect.
        unsafe { asm!("mrs {}, fpcr", out(reg) fpcr, options(nomem, nostack, preserves_flags)) };
        fpcr & CONTROL
    }

    #[inline]
    pub(super) fn write(words: Words) {
        // SAFETY: only control bits that `read` gave, or none, are set.
        unsafe { asm!("msr fpcr, {}", in(reg) words, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("Pyrite does not know this processor's floating-point control words: add them to src/fpenv.rs");
