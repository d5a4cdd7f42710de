//! The stack: painted at the start, so that it can be seen how deep it went.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use tern_firmware::Stack;

/// What free stack holds.
const PAINT: u32 = 0x7e7e_7e7e;
/// Bytes below the painter's own frame that are left alone.
const MARGIN: usize = 256;
/// Bytes painted at most: a board may have megabytes.
const MOST: usize = 64 * 1024;

/// The lowest word that was painted.
static BOTTOM: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    static mut _stack_start: u32;
    static mut __sheap: u32;
}

/// Paints the stack that is free. Called once, first of all.
#[inline(never)]
pub fn paint() {
    let here = 0u32;
    let end = (&raw const here).addr().saturating_sub(MARGIN) & !3;
    // The stack grows down towards the end of the statics.
    let bottom = (&raw const __sheap).addr().next_multiple_of(4).max(end.saturating_sub(MOST));
    for address in (bottom..end).step_by(4) {
        // SAFETY: RAM between the statics and the stack pointer belongs to the stack alone, and below `here` none of it is in use:
        // there is no heap, and an interrupt that comes meanwhile takes less than the margin and uses what it takes before it is
        // painted over only while it runs, when nothing is painted.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(PAINT) };
    }
    BOTTOM.store(bottom, Ordering::Relaxed);
}

/// How deep the stack went.
pub fn depth() -> Stack {
    let (top, statics) = ((&raw const _stack_start).addr(), (&raw const __sheap).addr());
    let bottom = BOTTOM.load(Ordering::Relaxed);
    let is_paint = |address: &usize| {
        // SAFETY: these words are in RAM, and were painted; reading them changes nothing.
        unsafe { ptr::with_exposed_provenance::<u32>(*address).read_volatile() == PAINT }
    };
    let lowest = (bottom..top).step_by(4).find(|address| !is_paint(address)).unwrap_or(top);
    Stack { used: (top - lowest) as u32, size: (top - statics) as u32 }
}
