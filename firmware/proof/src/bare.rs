//! The panic handler and the other items that an image needs to be linked.

use core::panic::PanicInfo;

unsafe extern "C" {
    /// A function that is defined nowhere: an image that can panic is not linked, and the linker names this function
    /// and its caller.
    fn a_panic_path_remains() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: an image in which this could be reached does not exist.
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
        // SAFETY: these images are never run.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.length) }
    }
}
