//! Measures the stack: fills it with a pattern at the start, and later finds how much of the pattern was overwritten.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use tern_firmware::Stack;

/// The pattern in unused stack.
const PATTERN: u32 = 0x7e7e_7e7e;
/// Bytes below the local variable of [`fill`] that are not filled, because its stack frame may continue there.
const MARGIN: usize = 256;
/// The most bytes to fill: a board may have megabytes of stack, and filling them takes time.
const MAX_FILLED: usize = 64 * 1024;

/// The address of the lowest word that was filled.
static BOTTOM: AtomicUsize = AtomicUsize::new(0);

// Symbols of the linker script: the top of the stack, and the end of the statics.
unsafe extern "C" {
    static mut _stack_start: u32;
    static mut __sheap: u32;
}

/// Fills the unused stack with the pattern, at most [`MAX_FILLED`] bytes. Called once, before anything else.
#[inline(never)]
pub fn fill() {
    // The address of this variable stands for the stack pointer.
    let here = 0u32;
    // Rounded down to a multiple of 4.
    let fill_end = (&raw const here).addr().saturating_sub(MARGIN) & !3;
    // The stack grows down towards the end of the statics.
    let bottom = (&raw const __sheap).addr().next_multiple_of(4).max(fill_end.saturating_sub(MAX_FILLED));
    for address in (bottom..fill_end).step_by(4) {
        // SAFETY: RAM between the statics and the stack pointer belongs to the stack, and none of it below `fill_end`
        // is in use: there is no heap. An interrupt uses it only while its handler runs, and nothing is filled then.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(PATTERN) };
    }
    BOTTOM.store(bottom, Ordering::Relaxed);
}

/// The largest use of the stack since [`fill`], with its size. A use below the filled words is not seen.
pub fn usage() -> Stack {
    let (top, statics) = ((&raw const _stack_start).addr(), (&raw const __sheap).addr());
    let bottom = BOTTOM.load(Ordering::Relaxed);
    let is_pattern = |address: &usize| {
        // SAFETY: these words are in RAM: `fill` wrote the lower ones, and all belong to the stack.
        unsafe { ptr::with_exposed_provenance::<u32>(*address).read_volatile() == PATTERN }
    };
    // The lowest word that was overwritten.
    let lowest = (bottom..top).step_by(4).find(|address| !is_pattern(address)).unwrap_or(top);
    Stack { used: (top - lowest) as u32, size: (top - statics) as u32 }
}
