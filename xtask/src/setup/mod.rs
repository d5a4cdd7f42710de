//! Installs the compiler targets, programs and libraries that the commands of xtask need beside cargo.
//!
//! Each function `ensure…` looks for its part and installs it if it is missing. It prints what it found and installed,
//! and fails with the command to type if an installation needs a password.

pub mod packages;
pub mod programs;
pub mod toolchain;

use anyhow::Result;
use clap::ValueEnum;
use tern_boards::Board;

use crate::cores::CORES;
use crate::repo::FIRMWARE_TARGET;
use packages::{
    CHROMIUM, CLANG, CMAKE, CXX, GCC_ARM, GCC_RISCV, LRZSZ, NPM, OPEN_MPI, PYTHON, QEMU_ARM, QEMU_RISCV, VALGRIND,
};

/// The command whose requirements are installed: the argument of `cargo xtask setup --for`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// The compiler target of the default board's firmware.
    Firmware,
    /// Formatter, clippy, the compiler targets of the runtime, MPI and Clang.
    Lint,
    /// The compiler target of the default board's firmware, and QEMU for Arm.
    Demo,
    /// The compiler targets of all measured cores, and QEMU for Arm and RISC-V.
    Bench,
    /// The same as for `lint`, and QEMU for Arm and RISC-V, C and C++ compilers, CMake, Valgrind, Python packages,
    /// Chromium, Node with the emulator rp2040js, lrzsz, and defmt-print.
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

/// Installs the compiler targets, components and programs that the command needs, if they are missing.
pub fn run(purpose: Purpose) -> Result<()> {
    match purpose {
        Purpose::Firmware | Purpose::Demo => toolchain::ensure_targets(&[FIRMWARE_TARGET])?,
        Purpose::Bench => toolchain::ensure_targets(&CORES.map(|core| core.target))?,
        Purpose::Lint | Purpose::Test => {
            toolchain::ensure_components()?;
            toolchain::ensure_targets(&RUNTIME_TARGETS)?;
            packages::ensure(&OPEN_MPI)?;
            packages::ensure(&CLANG)?;
        }
    }
    if matches!(purpose, Purpose::Demo | Purpose::Bench | Purpose::Test) {
        packages::ensure(&QEMU_ARM)?;
    }
    if matches!(purpose, Purpose::Bench | Purpose::Test) {
        packages::ensure(&QEMU_RISCV)?;
    }
    if purpose == Purpose::Test {
        programs::ensure_defmt_print()?;
        for package in [LRZSZ, NPM, CHROMIUM, PYTHON, CMAKE, CXX, GCC_ARM, GCC_RISCV, VALGRIND] {
            packages::ensure(&package)?;
        }
        programs::ensure_python_packages()?;
        programs::ensure_rp2040js()?;
    }
    Ok(())
}

/// Installs the compiler target of a board's firmware, if it is missing.
pub fn ensure_target_of(board: &Board) -> Result<()> {
    toolchain::ensure_targets(&[board.target])
}
