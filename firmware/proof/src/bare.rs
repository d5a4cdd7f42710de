//! The panic handler, and the memory that the entry points get.

use core::panic::PanicInfo;

unsafe extern "C" {
    /// A function that is defined nowhere: the linker rejects an image that can panic, and its error names this
    /// function and the caller.
    fn a_panic_path_remains() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: this call is never executed: an image in which it can be reached is not linked.
    unsafe { a_panic_path_remains() }
}

/// Memory that the caller passes to the entry point, so that the compiler cannot assume anything about it.
#[repr(C)]
pub struct Given<T> {
    start: *mut T,
    length: usize,
}

impl<T> Given<T> {
    /// The memory.
    pub fn slice(&mut self) -> &mut [T] {
        // SAFETY: these images are never run; they are only linked and measured.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.length) }
    }
}
