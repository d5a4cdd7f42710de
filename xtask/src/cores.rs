//! The processor cores that the benchmarks run on, and the QEMU machine for each.

use tern_runtime::Packing;

use crate::repo;

/// A core and the QEMU machine that runs its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Core {
    /// The name in tables.
    pub name: &'static str,
    /// The compiler target.
    pub target: &'static str,
    /// The feature of `firmware/bench` for an option of the core that the target's name does not tell; `""` for none.
    pub feature: &'static str,
    /// The packing of LSTM weights that suits the core.
    pub packing: Packing,
    /// The program of QEMU.
    pub emulator: &'static str,
    /// The arguments of QEMU: the machine, and the time that one instruction takes, 2^shift ns, from which
    /// `firmware/bench` computes the number of instructions.
    pub arguments: &'static [&'static str],
    /// The address of the model, as in the linker scripts of `firmware/bench`.
    pub model_address: u32,
    /// The address of the token ids, as in the linker scripts of `firmware/bench`.
    pub ids_address: u32,
}

/// Returns a core of Arm with the addresses of the MPS2 boards and without a feature.
const fn arm(name: &'static str, target: &'static str, packing: Packing, arguments: &'static [&'static str]) -> Core {
    let emulator = "qemu-system-arm";
    Core { name, target, feature: "", packing, emulator, arguments, model_address: 0x20_0000, ids_address: 0x38_0000 }
}

// The arguments of QEMU for the Arm cores.
const M3: &[&str] = &["-M", "mps2-an385", "-icount", "shift=6"];
const M4: &[&str] = &["-M", "mps2-an386", "-icount", "shift=6"];
const M7: &[&str] = &["-M", "mps2-an500", "-icount", "shift=6"];
const M55: &[&str] = &["-M", "mps3-an547", "-icount", "shift=0"];
const M33: &[&str] = &["-M", "mps2-an505", "-icount", "shift=6"];

/// Cortex-M4F, the core of the firmware in the demo and the tests.
pub const CORTEX_M4: Core = arm("cortex-m4", repo::FIRMWARE_TARGET, Packing::Paired16, M4);

/// Cortex-M33 with the DSP extension.
pub const CORTEX_M33: Core = Core {
    feature: "cortex-m33-dsp",
    model_address: 0x1020_0000,
    ids_address: 0x1038_0000,
    ..arm("cortex-m33", "thumbv8m.main-none-eabihf", Packing::Paired16, M33)
};

/// Cortex-M55 with Helium.
pub const CORTEX_M55: Core = Core {
    feature: "cortex-m55-helium",
    model_address: 0x2100_0000,
    ids_address: 0x2118_0000,
    ..arm("cortex-m55", "thumbv8m.main-none-eabihf", Packing::Paired16, M55)
};

/// The RISC-V core.
pub const RV32IMAC: Core = Core {
    name: "rv32imac",
    target: "riscv32imac-unknown-none-elf",
    feature: "",
    packing: Packing::Interleaved4,
    emulator: "qemu-system-riscv32",
    arguments: &["-M", "virt", "-bios", "none", "-icount", "shift=0"],
    model_address: 0x8020_0000,
    ids_address: 0x8038_0000,
};

/// All cores, in the order of the table.
///
/// QEMU has no Cortex-M0+ machine with enough memory, so the code for a Cortex-M0+ runs on a Cortex-M3, which has all
/// of its instructions.
pub const CORES: [Core; 7] = [
    CORTEX_M4,
    arm("cortex-m7", repo::FIRMWARE_TARGET, Packing::Paired16, M7),
    CORTEX_M33,
    CORTEX_M55,
    arm("cortex-m3", "thumbv7m-none-eabi", Packing::Interleaved4, M3),
    arm("cortex-m0plus", "thumbv6m-none-eabi", Packing::Interleaved4, M3),
    RV32IMAC,
];
