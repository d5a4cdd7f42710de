//! Flushing of denormal floats to zero. A denormal is a float smaller than the smallest one with full precision, about
//! 1.2e-38.
//!
//! Back-propagation through time multiplies many numbers below one, and an x86 core takes more than a hundred cycles
//! for each denormal operand or result, which makes a training step up to seven times slower. The mode of the processor
//! is set for each thread separately, so every thread holds a [`Flush`] while it computes.

use std::marker::PhantomData;

/// A guard: while it exists, denormal operands and results count as zero in this thread. Dropping it restores the mode.
#[derive(Debug)]
pub struct Flush {
    /// The mode before, the register MXCSR.
    previous: u32,
    // The guard must be dropped by the thread whose mode it restores.
    not_send: PhantomData<*const ()>,
}

impl Flush {
    /// Turns flushing on in the calling thread. Has no effect on processors other than x86-64.
    pub fn denormals() -> Self {
        let previous = mode::get();
        mode::set(previous | mode::FLUSH_TO_ZERO | mode::DENORMALS_ARE_ZERO);
        Flush { previous, not_send: PhantomData }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        mode::set(self.previous);
    }
}

/// The mode of the processor for floats, its register MXCSR, and the two bits of it that flush denormals.
#[cfg(target_arch = "x86_64")]
mod mode {
    use std::arch::asm;

    pub const FLUSH_TO_ZERO: u32 = 1 << 15;
    pub const DENORMALS_ARE_ZERO: u32 = 1 << 6;

    pub fn get() -> u32 {
        let mut mxcsr = 0u32;
        // SAFETY: `stmxcsr` stores four bytes at the address, which is that of a live, writable u32.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        mxcsr
    }

    pub fn set(mxcsr: u32) {
        // SAFETY: `ldmxcsr` reads four bytes of a live u32. The register held this value before, possibly without the
        // two flush bits: no reserved bit is set, and no exception is unmasked.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags)) };
    }
}

/// The same functions, without effect.
#[cfg(not(target_arch = "x86_64"))]
mod mode {
    pub const FLUSH_TO_ZERO: u32 = 0;
    pub const DENORMALS_ARE_ZERO: u32 = 0;

    pub fn get() -> u32 {
        0
    }

    pub fn set(_: u32) {}
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::Flush;
    use std::hint::black_box;

    #[test]
    fn denormals_are_zero_only_while_flushing() {
        let tiny = f32::MIN_POSITIVE;
        assert!(black_box(tiny) * black_box(0.5) > 0.0);
        {
            let _flush = Flush::denormals();
            assert_eq!(black_box(tiny) * black_box(0.5), 0.0);
        }
        assert!(black_box(tiny) * black_box(0.5) > 0.0);
    }
}
