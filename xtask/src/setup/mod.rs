//! Set-up: what the repository needs beyond cargo. Each part looks first, installs what is missing, and says in one
//! line what it found or did.

mod browser;
pub mod cargo_deny;
mod defmt_print;
mod emulator;
mod lrzsz;
mod toolchain;

pub use toolchain::host;

use anyhow::Result;
use clap::ValueEnum;
use tern_boards::Board;

use crate::bench::CORES;
use crate::repo::FIRMWARE_TARGET;

/// The command that the set-up is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Needs {
    /// The compiler target of the firmware.
    Firmware,
    /// Formatter, clippy, and the targets that the runtime is checked for.
    Lint,
    /// The firmware's target and the emulator.
    Demo,
    /// The targets of all measured cores, and the emulators.
    Bench,
    /// Everything.
    Test,
}

/// The targets that the runtime is for: ARM with DSP instructions, without, with the smallest set, with the latest; RISC-V with atomic
/// instructions and without; no bare metal at all.
pub const RUNTIME_TARGETS: [&str; 7] = [
    FIRMWARE_TARGET,
    "thumbv7m-none-eabi",
    "thumbv6m-none-eabi",
    "thumbv8m.main-none-eabihf",
    "riscv32imac-unknown-none-elf",
    "riscv32imc-unknown-none-elf",
    "wasm32-unknown-unknown",
];

/// Sees that all is there that `needs` takes.
pub fn run(needs: Needs) -> Result<()> {
    if needs == Needs::Bench {
        let targets: Vec<_> = CORES.iter().map(|core| core.target).collect();
        toolchain::ensure_targets(&targets)?;
        emulator::ensure(&emulator::ARM)?;
        return emulator::ensure(&emulator::RISCV);
    }
    if matches!(needs, Needs::Lint | Needs::Test) {
        toolchain::ensure_components()?;
        toolchain::ensure_targets(&RUNTIME_TARGETS)?;
    } else {
        toolchain::ensure_targets(&[FIRMWARE_TARGET])?;
    }
    if matches!(needs, Needs::Demo | Needs::Test) {
        emulator::ensure(&emulator::ARM)?;
    }
    if needs == Needs::Test {
        emulator::ensure(&emulator::RISCV)?;
        defmt_print::ensure()?;
        lrzsz::ensure()?;
        browser::ensure();
    }
    Ok(())
}

/// Sees that the firmware of `board` can be built.
pub fn board(board: &Board) -> Result<()> {
    toolchain::ensure_targets(&[board.target])
}

/// Sees that dependencies can be checked.
pub fn deny() -> Result<()> {
    cargo_deny::ensure().map(drop)
}

/// One line of what was found or is done.
pub(crate) fn say(part: &str, what: &str) {
    eprintln!("set-up: {part}: {what}");
}
