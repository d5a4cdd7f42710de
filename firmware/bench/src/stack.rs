//! Measures the stack: it is filled with a pattern, and later searched for the first changed word.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;

/// The depth that is filled; the RAM below the stack is far larger.
const DEPTH: usize = 16 * 1024;
/// The bytes above it that are not filled: this module's own frames, which are gone when the measured code runs.
const MARGIN: usize = 64;
const PAINT: u32 = 0xa5c3_96e1;

/// A filled stack.
pub struct Paint {
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
    /// The bytes of stack that were used since, below the caller's frame; at least the bytes that were not filled.
    #[inline(never)]
    pub fn used(&self) -> usize {
        let painted = |address: &usize| {
            // SAFETY: memory of the stack, always mapped; the value is only compared.
            unsafe { with_exposed_provenance_mut::<u32>(*address).read_volatile() == PAINT }
        };
        let depth = (self.top - DEPTH..self.top - MARGIN).step_by(4).take_while(painted).count();
        DEPTH - 4 * depth
    }
}
