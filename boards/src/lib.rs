//! The boards that `tern-firmware` runs on, in one table: for `tern`, for the build and for tests.
//!
//! A board's own file, `firmware/src/board/…`, is where its memory map stands; what is repeated here is compared with the firmware's
//! ELF file after each build of it.

/// A board.
#[derive(Debug, PartialEq, Eq)]
pub struct Board {
    /// Its name, everywhere: the firmware's feature, `info`, `--board`.
    pub name: &'static str,
    /// The chip or core, for people.
    pub processor: &'static str,
    /// The compiler target of its firmware.
    pub target: &'static str,
    /// Where a flasher writes a model.
    pub slot: Slot,
    /// What emulates it, if something does.
    pub emulator: Option<Emulator>,
    /// The chip's name in probe-rs, if it is one that can be bought.
    pub chip: Option<&'static str>,
}

/// A model's place in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it begins.
    pub address: u32,
    /// Its length in bytes.
    pub bytes: u32,
}

/// A machine of QEMU.
#[derive(Debug, PartialEq, Eq)]
pub struct Emulator {
    /// QEMU's program.
    pub program: &'static str,
    /// Debian's package of it.
    pub package: &'static str,
    /// QEMU's name of the machine.
    pub machine: &'static str,
    /// Options that the machine needs.
    pub arguments: &'static [&'static str],
    /// Whether it has a second serial port, for the log.
    pub has_log: bool,
    /// Bytes of the bank of flash that models lie in, where the emulator can keep it in a file: its parallel flash of unit 1.
    pub flash: Option<u32>,
}

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

const KB: u32 = 1024;

/// All boards; the first is the one that commands mean where none is named.
pub const BOARDS: [Board; 7] = [
    Board {
        name: "mps2-an386",
        processor: "Cortex-M4F, 25 MHz",
        target: "thumbv7em-none-eabihf",
        slot: Slot { address: 0x0020_0000, bytes: 1536 * KB },
        emulator: arm("mps2-an386"),
        chip: None,
    },
    Board {
        name: "mps2-an385",
        processor: "Cortex-M3, 25 MHz",
        target: "thumbv7m-none-eabi",
        slot: Slot { address: 0x0020_0000, bytes: 1536 * KB },
        emulator: arm("mps2-an385"),
        chip: None,
    },
    Board {
        name: "netduinoplus2",
        processor: "STM32F405, Cortex-M4F, 168 MHz",
        target: "thumbv7em-none-eabihf",
        slot: Slot { address: 0x0804_0000, bytes: 256 * KB },
        emulator: arm("netduinoplus2"),
        chip: Some("STM32F405RG"),
    },
    Board {
        name: "riscv32-virt",
        processor: "RV32IMAC",
        target: "riscv32imac-unknown-none-elf",
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
    },
    Board {
        name: "nucleo-f429zi",
        processor: "STM32F429, Cortex-M4F, 168 MHz",
        target: "thumbv7em-none-eabihf",
        slot: Slot { address: 0x0808_0000, bytes: 512 * KB },
        emulator: None,
        chip: Some("STM32F429ZITx"),
    },
    Board {
        name: "nrf52840-dk",
        processor: "nRF52840, Cortex-M4F, 64 MHz",
        target: "thumbv7em-none-eabihf",
        slot: Slot { address: 0x0004_0000, bytes: 376 * KB },
        emulator: None,
        chip: Some("nRF52840_xxAA"),
    },
    Board {
        name: "pico2",
        processor: "RP2350, Cortex-M33, 150 MHz",
        target: "thumbv8m.main-none-eabihf",
        slot: Slot { address: 0x1010_0000, bytes: 1024 * KB },
        emulator: None,
        chip: Some("RP235x"),
    },
];

/// The board that commands mean where none is named.
pub const DEFAULT: &Board = &BOARDS[0];

impl Board {
    /// The board of this name.
    pub fn named(name: &str) -> Option<&'static Board> {
        BOARDS.iter().find(|board| board.name == name)
    }

    /// Where its firmware lies when `cargo xtask firmware` has built it, from the root of the repository.
    pub fn firmware(&self) -> String {
        format!("firmware/target/boards/{}.elf", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for board in &BOARDS {
            assert_eq!(Board::named(board.name), Some(board));
            assert!(board.emulator.is_some() || board.chip.is_some(), "{} can be had", board.name);
        }
        assert_eq!(Board::named("no-such-board"), None);
    }

    #[test]
    fn a_model_may_begin_where_a_slot_does() {
        for board in &BOARDS {
            assert_eq!(board.slot.address % 8, 0, "{}", board.name);
        }
    }
}
