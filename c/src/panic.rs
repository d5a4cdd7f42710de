//! The panic handler of programs without other Rust code.

use core::panic::PanicInfo;

unsafe extern "C" {
    /// A function that is defined nowhere, so that a program in which the library could panic cannot be linked.
    fn tern_could_panic() -> !;
}

/// The optimiser removes this function, because no function of the library can panic.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: a program in which this could be reached does not exist.
    unsafe { tern_could_panic() }
}
