//! The table of boards that `tern-firmware` runs on. `tern`, the build of the firmware and the tests use it.
//!
//! The firmware is the program of a device, which runs the model in a slot, a range of its flash. The memory map of a
//! board is in its file `firmware/src/board/…`. `cargo xtask firmware` checks that [`Board::slot`] agrees with it.

/// A microcontroller board or an emulated machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// The name: the firmware's cargo feature, the argument of `--board`, and the name that the command `info` of the
    /// console prints.
    pub name: &'static str,
    /// A description of chip, core and clock rate for users.
    pub processor: &'static str,
    /// The Rust target of the firmware.
    pub target: &'static str,
    /// The features of the firmware.
    pub features: Features,
    /// The first model slot, which `tern flash` and QEMU's loader write to.
    pub slot: Slot,
    /// The QEMU machine that emulates the board; `None` if there is none.
    pub emulator: Option<Emulator>,
    /// The chip; `None` for boards that exist only in QEMU.
    pub chip: Option<Chip>,
    /// The family id of the chip in UF2 files; `None` if the boot ROM does not accept such files.
    pub uf2_family: Option<u32>,
}

/// The set of features of a board's firmware, which also determines the cargo profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Features {
    /// All models and all functions of the firmware.
    Full,
    /// Classifiers of texts with one LSTM layer, without updates and line editing, in 64 KB of flash.
    Minimal,
}

impl Features {
    /// The name of the cargo feature of `tern-firmware`.
    pub const fn feature(self) -> &'static str {
        match self {
            Features::Full => "full",
            Features::Minimal => "minimal",
        }
    }

    /// The name of the cargo profile with which the firmware is built.
    pub const fn profile(self) -> &'static str {
        match self {
            Features::Full => "release",
            Features::Minimal => "small",
        }
    }
}

/// A range of flash that stores a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The address of the first byte.
    pub address: u32,
    /// The length in bytes.
    pub bytes: u32,
}

/// A chip, by its name in the program that writes to its flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// The name in probe-rs, which writes through a debug probe.
    ProbeRs(&'static str),
    /// A chip of Espressif, which espflash writes at its serial port.
    Espflash {
        /// The name in espflash.
        name: &'static str,
        /// The address at which the processor reads the first byte of the flash chip. espflash takes offsets from it,
        /// not addresses.
        flash_base: u32,
    },
}

/// A machine that QEMU emulates.
#[derive(Debug, PartialEq, Eq)]
pub struct Emulator {
    /// The QEMU program.
    pub program: &'static str,
    /// The Debian package with this program.
    pub package: &'static str,
    /// QEMU's name for the machine.
    pub machine: &'static str,
    /// Options that the machine needs.
    pub arguments: &'static [&'static str],
    /// True if the machine has a second serial port, to which the firmware writes its log (defmt).
    pub has_log: bool,
    /// The length in bytes of the flash that QEMU can store in a file (`-drive if=pflash,unit=1`); `None` if it cannot.
    pub flash: Option<u32>,
}

/// Returns a machine of `qemu-system-arm` with a second serial port for the log and without a file for the flash.
const fn arm(machine: &'static str) -> Option<Emulator> {
    Some(Emulator {
        program: "qemu-system-arm",
        package: "qemu-system-arm",
        machine,
        arguments: &[],
        has_log: true,
        flash: None,
    })
}

/// The number of bytes in 1 KB.
const KB: u32 = 1024;

/// All boards. The first is the default.
pub static BOARDS: &[Board] = &[
    Board {
        name: "mps2-an386",
        processor: "Cortex-M4F, 25 MHz",
        target: "thumbv7em-none-eabihf",
        features: Features::Full,
        slot: Slot { address: 0x0020_0000, bytes: 1536 * KB },
        emulator: arm("mps2-an386"),
        chip: None,
        uf2_family: None,
    },
    Board {
        name: "mps2-an385",
        processor: "Cortex-M3, 25 MHz",
        target: "thumbv7m-none-eabi",
        features: Features::Full,
        slot: Slot { address: 0x0020_0000, bytes: 1536 * KB },
        emulator: arm("mps2-an385"),
        chip: None,
        uf2_family: None,
    },
    Board {
        name: "mps2-an385-64k",
        processor: "Cortex-M3, 25 MHz",
        target: "thumbv7m-none-eabi",
        features: Features::Minimal,
        slot: Slot { address: 0xa000, bytes: 24 * KB },
        emulator: arm("mps2-an385"),
        chip: None,
        uf2_family: None,
    },
    Board {
        name: "mps2-an500",
        processor: "Cortex-M7, 25 MHz",
        target: "thumbv7em-none-eabihf",
        features: Features::Full,
        slot: Slot { address: 0x0020_0000, bytes: 1536 * KB },
        emulator: arm("mps2-an500"),
        chip: None,
        uf2_family: None,
    },
    Board {
        name: "mps2-an505",
        processor: "Cortex-M33, 20 MHz",
        target: "thumbv8m.main-none-eabihf",
        features: Features::Full,
        slot: Slot { address: 0x1020_0000, bytes: 1536 * KB },
        emulator: arm("mps2-an505"),
        chip: None,
        uf2_family: None,
    },
    Board {
        name: "mps3-an547",
        processor: "Cortex-M55, 32 MHz",
        target: "thumbv8m.main-none-eabihf",
        features: Features::Full,
        slot: Slot { address: 0x2100_0000, bytes: 1536 * KB },
        emulator: arm("mps3-an547"),
        chip: None,
        uf2_family: None,
    },
    Board {
        name: "netduinoplus2",
        processor: "STM32F405, Cortex-M4F, 168 MHz",
        target: "thumbv7em-none-eabihf",
        features: Features::Full,
        slot: Slot { address: 0x0804_0000, bytes: 256 * KB },
        emulator: arm("netduinoplus2"),
        chip: Some(Chip::ProbeRs("STM32F405RG")),
        uf2_family: None,
    },
    Board {
        name: "riscv32-virt",
        processor: "RV32IMAC",
        target: "riscv32imac-unknown-none-elf",
        features: Features::Full,
        slot: Slot { address: 0x2208_0000, bytes: 1536 * KB },
        emulator: Some(Emulator {
            program: "qemu-system-riscv32",
            package: "qemu-system-misc",
            machine: "virt",
            arguments: &["-bios", "none"],
            has_log: false,
            flash: Some(32 * 1024 * KB),
        }),
        chip: None,
        uf2_family: None,
    },
    Board {
        name: "esp32-c3",
        processor: "ESP32-C3, RV32IMC, 160 MHz",
        target: "riscv32imc-unknown-none-elf",
        features: Features::Full,
        slot: Slot { address: 0x3c11_0000, bytes: 1024 * KB },
        emulator: None,
        chip: Some(Chip::Espflash { name: "esp32c3", flash_base: 0x3c00_0000 }),
        uf2_family: None,
    },
    Board {
        name: "nucleo-f072rb",
        processor: "STM32F072, Cortex-M0, 48 MHz",
        target: "thumbv6m-none-eabi",
        features: Features::Minimal,
        slot: Slot { address: 0x0800_b800, bytes: 18 * KB },
        emulator: None,
        chip: Some(Chip::ProbeRs("STM32F072RBTx")),
        uf2_family: None,
    },
    Board {
        name: "nucleo-f429zi",
        processor: "STM32F429, Cortex-M4F, 168 MHz",
        target: "thumbv7em-none-eabihf",
        features: Features::Full,
        slot: Slot { address: 0x0808_0000, bytes: 512 * KB },
        emulator: None,
        chip: Some(Chip::ProbeRs("STM32F429ZITx")),
        uf2_family: None,
    },
    Board {
        name: "nrf52840-dk",
        processor: "nRF52840, Cortex-M4F, 64 MHz",
        target: "thumbv7em-none-eabihf",
        features: Features::Full,
        slot: Slot { address: 0x0004_0000, bytes: 376 * KB },
        emulator: None,
        chip: Some(Chip::ProbeRs("nRF52840_xxAA")),
        uf2_family: None,
    },
    Board {
        name: "pico",
        processor: "RP2040, Cortex-M0+, 125 MHz",
        target: "thumbv6m-none-eabi",
        features: Features::Full,
        slot: Slot { address: 0x1004_0000, bytes: 864 * KB },
        emulator: None,
        chip: Some(Chip::ProbeRs("RP2040")),
        uf2_family: Some(0xe48b_ff56),
    },
    Board {
        name: "pico2",
        processor: "RP2350, Cortex-M33, 150 MHz",
        target: "thumbv8m.main-none-eabihf",
        features: Features::Full,
        slot: Slot { address: 0x1010_0000, bytes: 1024 * KB },
        emulator: None,
        chip: Some(Chip::ProbeRs("RP235x")),
        uf2_family: Some(0xe48b_ff59),
    },
];

/// The board that commands use without `--board`.
pub static DEFAULT: &Board = &BOARDS[0];

impl Board {
    /// Returns the board with this name; `None` if there is no such board.
    pub fn named(name: &str) -> Option<&'static Board> {
        BOARDS.iter().find(|board| board.name == name)
    }

    /// The path of the firmware that `cargo xtask firmware` builds, relative to the root of the repository.
    pub fn firmware(&self) -> String {
        format!("firmware/target/boards/{}.elf", self.name)
    }

    /// The path of the firmware in an archive of `cargo xtask dist`, relative to the folder that has `bin/tern`.
    pub fn installed_firmware(&self) -> String {
        format!("share/tern/firmware/{}.elf", self.name)
    }

    /// The path of the firmware that `cargo xtask firmware` builds if `TERN_PUBLIC_KEY` is set: it runs only models
    /// signed with that key.
    pub fn signed_firmware(&self) -> String {
        format!("firmware/target/boards/{}-signed.elf", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_is_found_by_its_name() {
        for board in BOARDS {
            assert_eq!(Board::named(board.name), Some(board));
            assert!(board.emulator.is_some() || board.chip.is_some(), "{} is emulated or a real board", board.name);
        }
        assert_eq!(Board::named("no-such-board"), None);
    }

    #[test]
    fn slots_are_aligned_for_models() {
        for board in BOARDS {
            assert_eq!(board.slot.address % 8, 0, "{}", board.name);
        }
    }
}
