//! The panic handler of the images in this folder, and the memory that their entry points get. The images are linked
//! and measured, but never run.

use core::panic::PanicInfo;

unsafe extern "C" {
    /// A function that is defined nowhere: the linker rejects an image in which a panic remains after optimisation. Its
    /// error names this function and the caller.
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
    /// The memory as a slice.
    pub fn slice(&mut self) -> &mut [T] {
        // SAFETY: this is never executed, because the images are never run.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.length) }
    }
}
