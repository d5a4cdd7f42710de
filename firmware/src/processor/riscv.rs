//! RISC-V: entry point, sleep, masking of interrupts, and the handler of faults.

#[cfg(feature = "esp32-c3")]
pub use esp_hal::main as entry;
#[cfg(feature = "esp32-c3")]
use esp_hal::trapframe::TrapFrame;
pub use riscv::asm::wfi as sleep;
pub use riscv::interrupt::disable as mask_interrupts;
#[cfg(not(feature = "esp32-c3"))]
pub use riscv_rt::{TrapFrame, entry};

/// Handles all exceptions: prints the cause and the address of the faulty instruction, and resets the device.
#[unsafe(export_name = "ExceptionHandler")]
fn exception(_: &TrapFrame) -> ! {
    let cause = riscv::register::mcause::read().code();
    crate::stop(format_args!("exception {cause} at {:#010x}", riscv::register::mepc::read()))
}
