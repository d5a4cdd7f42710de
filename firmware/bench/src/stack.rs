//! Measures the stack: fills it with a pattern, and later searches it for the deepest changed word.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;

/// The number of bytes below the caller that are filled; the RAM below the stack is far larger.
const DEPTH: usize = 16 * 1024;
/// The bytes directly below the caller that are not filled, because the frames of this module's functions are there.
const MARGIN: usize = 64;
/// The pattern.
const PAINT: u32 = 0xa5c3_96e1;

/// A filled stack.
pub struct Paint {
    /// The stack pointer of the caller of [`paint`].
    top: usize,
}

#[inline(always)]
fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("mov {0}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "riscv32")]
        asm!("mv {0}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// Fills the free stack below the caller.
#[inline(always)]
pub fn paint() -> Paint {
    let top = stack_pointer();
    paint_below(top);
    Paint { top }
}

#[inline(never)]
fn paint_below(top: usize) {
    for address in (top - DEPTH..top - MARGIN).step_by(4) {
        // SAFETY: free stack: below this function's frame, which is smaller than `MARGIN`.
        unsafe { with_exposed_provenance_mut::<u32>(address).write_volatile(PAINT) }
    }
}

impl Paint {
    /// Returns the bytes of stack that were used since [`paint`], below the caller's frame; at least [`MARGIN`].
    #[inline(never)]
    pub fn used(&self) -> usize {
        let is_painted = |address: &usize| {
            // SAFETY: memory of the stack, always mapped; the value is only compared.
            unsafe { with_exposed_provenance_mut::<u32>(*address).read_volatile() == PAINT }
        };
        let unchanged_words = (self.top - DEPTH..self.top - MARGIN).step_by(4).take_while(is_painted).count();
        DEPTH - 4 * unchanged_words
    }
}
