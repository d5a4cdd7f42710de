//! Standard output and exit status of the emulator, by Arm's semihosting calls.

use core::arch::asm;
use core::fmt;

// The operations, and the reasons of `EXIT`, of the semihosting specification.
const WRITE_BYTE: usize = 0x03;
const EXIT: usize = 0x18;
const SUCCESS: usize = 0x2_0026;
const FAILURE: usize = 0x2_0023;

/// Calls the emulator. `argument`: the address of a byte for `WRITE_BYTE`, a reason for `EXIT`.
fn call(operation: usize, argument: usize) {
    // SAFETY: the two operations used read at most one byte at the address given, and change nothing but the register.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("bkpt #0xab", inlateout("r0") operation => _, in("r1") argument);
        // The emulator knows the call by these three uncompressed instructions, which must be in one page.
        #[cfg(target_arch = "riscv32")]
        asm!(
            ".option push",
            ".option norvc",
            ".p2align 4",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inlateout("a0") operation => _, in("a1") argument
        );
    }
}

/// Standard output.
pub struct Output;

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            call(WRITE_BYTE, (&raw const byte).expose_provenance());
        }
        Ok(())
    }
}

/// Ends the emulator, with status 0 for success and 1 otherwise.
pub fn exit(success: bool) -> ! {
    call(EXIT, if success { SUCCESS } else { FAILURE });
    loop {
        core::hint::spin_loop();
    }
}
