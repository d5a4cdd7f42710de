//! Set-up of programs that the repository needs beside cargo.
//!
//! Each part looks for its program first, installs it if it is missing, and prints one line.

pub mod packages;
pub mod programs;
pub mod toolchain;

use anyhow::Result;
use clap::ValueEnum;
use tern_boards::Board;

use crate::cores::CORES;
use crate::repo::FIRMWARE_TARGET;
use packages::{CHROMIUM, CMAKE, CXX, GCC_ARM, GCC_RISCV, LRZSZ, NPM, PYTHON, QEMU_ARM, QEMU_RISCV, VALGRIND};

/// The command that is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Needs {
    /// The compiler target of the firmware.
    Firmware,
    /// Formatter, clippy, and the compiler targets of the runtime.
    Lint,
    /// The firmware's target and the emulator.
    Demo,
    /// The targets of all measured cores, and the emulators.
    Bench,
    /// Everything.
    Test,
}

/// The compiler targets that the runtime is checked for: Arm and RISC-V cores with and without DSP or atomic
/// instructions, and WebAssembly.
pub const RUNTIME_TARGETS: [&str; 7] = [
    FIRMWARE_TARGET,
    "thumbv7m-none-eabi",
    "thumbv6m-none-eabi",
    "thumbv8m.main-none-eabihf",
    "riscv32imac-unknown-none-elf",
    "riscv32imc-unknown-none-elf",
    "wasm32-unknown-unknown",
];

/// Installs everything that `needs` takes.
pub fn run(needs: Needs) -> Result<()> {
    match needs {
        Needs::Firmware | Needs::Demo => toolchain::ensure_targets(&[FIRMWARE_TARGET])?,
        Needs::Bench => toolchain::ensure_targets(&CORES.map(|core| core.target))?,
        Needs::Lint | Needs::Test => {
            toolchain::ensure_components()?;
            toolchain::ensure_targets(&RUNTIME_TARGETS)?;
        }
    }
    if matches!(needs, Needs::Demo | Needs::Bench | Needs::Test) {
        packages::ensure(&QEMU_ARM)?;
    }
    if matches!(needs, Needs::Bench | Needs::Test) {
        packages::ensure(&QEMU_RISCV)?;
    }
    if needs == Needs::Test {
        programs::ensure_defmt_print()?;
        for package in [LRZSZ, NPM, CHROMIUM, PYTHON, CMAKE, CXX, GCC_ARM, GCC_RISCV, VALGRIND] {
            packages::ensure(&package)?;
        }
        programs::ensure_python_packages()?;
        programs::ensure_rp2040js()?;
    }
    Ok(())
}

/// Installs everything that a build of the firmware for `board` takes.
pub fn board(board: &Board) -> Result<()> {
    toolchain::ensure_targets(&[board.target])
}
