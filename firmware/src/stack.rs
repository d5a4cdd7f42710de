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

/// Fills the unused stack with the pattern. Called once, before anything else.
#[inline(never)]
pub fn fill() {
    let here = 0u32;
    let end = (&raw const here).addr().saturating_sub(MARGIN) & !3;
    // The stack grows down towards the end of the statics.
    let bottom = (&raw const __sheap).addr().next_multiple_of(4).max(end.saturating_sub(MAX_FILLED));
    for address in (bottom..end).step_by(4) {
        // SAFETY: RAM between the statics and the stack pointer belongs to the stack, and none of it below `here` is in
        // use: there is no heap. An interrupt uses it only while its handler runs, during which nothing is filled.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(PATTERN) };
    }
    BOTTOM.store(bottom, Ordering::Relaxed);
}

/// The largest use of the stack since [`fill`]. A use beyond the filled part is not seen.
pub fn usage() -> Stack {
    let (top, statics) = ((&raw const _stack_start).addr(), (&raw const __sheap).addr());
    let bottom = BOTTOM.load(Ordering::Relaxed);
    let is_pattern = |address: &usize| {
        // SAFETY: these words are in RAM and were written by `fill`; reading them has no effect.
        unsafe { ptr::with_exposed_provenance::<u32>(*address).read_volatile() == PATTERN }
    };
    let lowest = (bottom..top).step_by(4).find(|address| !is_pattern(address)).unwrap_or(top);
    Stack { used: (top - lowest) as u32, size: (top - statics) as u32 }
}
