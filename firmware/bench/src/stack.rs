//! Measures how much stack a call uses: [`paint`] fills the free stack with a pattern before the call, and
//! [`PaintedStack::used_bytes`] finds the deepest changed word after it. The stack grows towards lower addresses.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;

/// The distance of the deepest filled byte from the caller's stack pointer. The free RAM below the stack is far larger.
const DEPTH: usize = 16 * 1024;
/// The number of bytes directly below the caller's stack pointer that are not filled, because the frames of this
/// module's functions are there.
const MARGIN: usize = 64;
/// The word that the stack is filled with.
const PATTERN: u32 = 0xa5c3_96e1;

/// A stack that [`paint`] has filled.
pub struct PaintedStack {
    /// The stack pointer of the caller of [`paint`].
    top: usize,
}

/// Returns the stack pointer of the caller, into which this function is inlined.
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

/// Fills the free stack below the caller, into which this function is inlined.
#[inline(always)]
pub fn paint() -> PaintedStack {
    let top = stack_pointer();
    paint_below(top);
    PaintedStack { top }
}

/// Fills the bytes from `top` − [`DEPTH`] to `top` − [`MARGIN`].
#[inline(never)]
fn paint_below(top: usize) {
    for address in (top - DEPTH..top - MARGIN).step_by(4) {
        // SAFETY: this is free stack, because it is below this function's frame, which is smaller than `MARGIN`.
        unsafe { with_exposed_provenance_mut::<u32>(address).write_volatile(PATTERN) }
    }
}

impl PaintedStack {
    /// Returns the most bytes of stack that were used since [`paint`] below the frame of its caller, from [`MARGIN`] to
    /// [`DEPTH`].
    #[inline(never)]
    pub fn used_bytes(&self) -> usize {
        let is_painted = |address: &usize| {
            // SAFETY: this memory is mapped, and the value is only compared.
            unsafe { with_exposed_provenance_mut::<u32>(*address).read_volatile() == PATTERN }
        };
        // Calls change the stack from the top down, so the words from the bottom up to the first change were not used.
        let unchanged_words = (self.top - DEPTH..self.top - MARGIN).step_by(4).take_while(is_painted).count();
        DEPTH - 4 * unchanged_words
    }
}
