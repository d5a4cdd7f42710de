//! What an image needs to be linked.

use core::panic::PanicInfo;

unsafe extern "C" {
    /// Defined nowhere: an image that can panic cannot be linked, and the linker names this and who wants it.
    fn a_panic_path_remains() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: an image in which this could be reached does not exist.
    unsafe { a_panic_path_remains() }
}

/// Memory of the caller's, given to the entry point, so that the compiler knows nothing of it.
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
