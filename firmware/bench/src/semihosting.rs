//! Standard output and exit status of the emulator, by semihosting: a special instruction makes the emulator act for
//! the program. Arm's specification defines the calls; QEMU has the same ones for RISC-V.

use core::arch::asm;
use core::fmt;

// Two operations of the specification, and two reasons for `EXIT`.
const WRITE_BYTE: usize = 0x03;
const EXIT: usize = 0x18;
const SUCCESS: usize = 0x2_0026;
const FAILURE: usize = 0x2_0023;

/// Calls the emulator. `argument` is the address of a byte for [`WRITE_BYTE`], and [`SUCCESS`] or [`FAILURE`] for
/// [`EXIT`].
fn call(operation: usize, argument: usize) {
    // SAFETY: these two operations read at most one byte, at `argument`, and change only the register of the operation.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("bkpt #0xab", inlateout("r0") operation => _, in("r1") argument);
        // The emulator knows the call by these three uncompressed instructions, which must be in one page of memory:
        // hence the alignment to 2^4 bytes.
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

/// The emulator's standard output.
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
