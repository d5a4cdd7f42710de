//! RISC-V: entry point, sleep and faults.

pub use riscv::asm::wfi as sleep;
pub use riscv::interrupt::disable as mask_interrupts;
use riscv_rt::TrapFrame;
pub use riscv_rt::entry;

/// Handles all exceptions.
#[unsafe(export_name = "ExceptionHandler")]
fn exception(_: &TrapFrame) -> ! {
    let cause = riscv::register::mcause::read().code();
    crate::stop(format_args!("exception {cause} at {:#010x}", riscv::register::mepc::read()))
}
