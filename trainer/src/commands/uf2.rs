//! Writes UF2 files: a firmware and a model in one file, to be copied to the USB drive that a Raspberry Pi Pico offers
//! in its boot mode.
//!
//! The format is specified at <https://github.com/microsoft/uf2>: a sequence of blocks of 512 bytes, each with 256
//! bytes of flash and their address.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use object::read::elf::{ElfFile32, ProgramHeader};
use object::{Object, ObjectSymbol};
use tern_boards::Board;

/// The number of bytes of a block: a header of 8 words, 476 bytes of data, and [`MAGIC_END`].
const BLOCK: usize = 512;
/// The first two words of a block.
const MAGIC: [u32; 2] = [0x0a32_4655, 0x9e5d_5157];
/// The last word of a block.
const MAGIC_END: u32 = 0x0ab1_6f30;
/// The flag of a block that names the family of the chip.
const HAS_FAMILY: u32 = 0x2000;
/// The number of bytes of flash in a block. The rest of the block's data is 0.
const PAGE: usize = 256;
/// The number of bytes that the boot ROM erases at once. A file must have all pages of such a sector, or none.
const SECTOR: u32 = 4096;
/// A byte of erased flash.
const ERASED: u8 = 0xff;

/// The contents of flash memory: sectors of [`SECTOR`] bytes by their addresses.
#[derive(Debug, Default)]
struct Flash(BTreeMap<u32, Vec<u8>>);

impl Flash {
    /// Writes bytes. All other bytes of a sector that is written for the first time are [`ERASED`].
    fn write(&mut self, address: u32, bytes: &[u8]) {
        for (address, &byte) in (address..).zip(bytes) {
            let sector = self.0.entry(address / SECTOR * SECTOR).or_insert_with(|| vec![ERASED; SECTOR as usize]);
            sector[(address % SECTOR) as usize] = byte;
        }
    }
}

/// Returns the bytes of a UF2 file. `firmware`: an ELF file for `board`. `model`: a device file, signed or not, for the
/// board's first model slot. With a model, the file also erases the board's record of its slots, so that the board runs
/// this model and not one from an earlier update.
///
/// # Errors
/// If the board's boot ROM takes no UF2 files, or the firmware is not an ELF file of this board.
pub fn file(firmware: &[u8], model: Option<&[u8]>, board: &Board) -> anyhow::Result<Vec<u8>> {
    let family = board.uf2_family.with_context(|| {
        let boards = tern_boards::BOARDS.iter().filter(|board| board.uf2_family.is_some()).map(|board| board.name);
        format!("{} does not take UF2 files; these boards do: {}", board.name, boards.collect::<Vec<_>>().join(", "))
    })?;
    let elf: ElfFile32 = ElfFile32::parse(firmware).context("expected an ELF file of `cargo xtask firmware`")?;
    let symbol = |name: &str| {
        let found = elf.symbols().find(|symbol| symbol.name() == Ok(name));
        found.map(|symbol| symbol.address() as u32).with_context(|| format!("the firmware has no symbol {name}"))
    };
    let (found, expected) = (symbol("__slot_a_start")?, board.slot.address);
    ensure!(
        found == expected,
        "the firmware has its first slot at {found:#x}, expected {expected:#x} as on {}; build it with `cargo xtask firmware \
         --board {0}`",
        board.name
    );
    let mut flash = Flash::default();
    let endian = elf.endian();
    for segment in elf.elf_program_headers().iter().filter(|segment| segment.p_type(endian) == object::elf::PT_LOAD) {
        let Ok(bytes) = segment.data(endian, firmware) else { bail!("a segment of the firmware is incomplete") };
        // The physical address is the place in flash, from which the firmware copies initialised data to RAM.
        flash.write(segment.p_paddr(endian), bytes);
    }
    if let Some(model) = model {
        flash.write(board.slot.address, model);
        let (from, to) = (symbol("__record_start")?, symbol("__record_end")?);
        flash.write(from, &vec![ERASED; (to - from) as usize]);
    }
    Ok(blocks(&flash, family))
}

/// Returns the blocks of a UF2 file that writes `flash`. `family`: the number of the chip's family in the format.
fn blocks(flash: &Flash, family: u32) -> Vec<u8> {
    let pages = flash.0.iter().flat_map(|(&start, sector)| (start..).step_by(PAGE).zip(sector.chunks(PAGE)));
    let count = flash.0.len() * SECTOR as usize / PAGE;
    let mut file = Vec::with_capacity(BLOCK * count);
    for (number, (address, page)) in pages.enumerate() {
        let header = [MAGIC[0], MAGIC[1], HAS_FAMILY, address, PAGE as u32, number as u32, count as u32, family];
        file.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        file.extend(page);
        // Zeros up to the last word of the block.
        file.resize(BLOCK * (number + 1) - size_of_val(&MAGIC_END), 0);
        file.extend(MAGIC_END.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_are_complete_and_blocks_are_numbered() {
        let mut flash = Flash::default();
        flash.write(0x1000_0ffe, &[1, 2, 3]);
        let file = blocks(&flash, 7);
        assert_eq!(file.len(), 32 * 512);
        let word =
            |block: usize, index: usize| u32::from_le_bytes(file[512 * block + 4 * index..][..4].try_into().unwrap());
        for block in 0..32 {
            let address = 0x1000_0000 + 256 * block as u32;
            let header = [MAGIC[0], MAGIC[1], HAS_FAMILY, address, 256, block as u32, 32, 7];
            assert_eq!((0..8).map(|index| word(block, index)).collect::<Vec<_>>(), header);
            assert_eq!(word(block, 127), MAGIC_END);
        }
        // The last two bytes of the first sector, and the first byte of the second.
        assert_eq!(file[15 * 512 + 32 + 253..15 * 512 + 32 + 256], [ERASED, 1, 2]);
        assert_eq!(file[16 * 512 + 32..16 * 512 + 34], [3, ERASED]);
    }

    #[test]
    fn other_boards_and_files_are_errors() {
        let error = |board: &str| file(b"no ELF", None, Board::named(board).unwrap()).unwrap_err().to_string();
        assert_eq!(error("nrf52840-dk"), "nrf52840-dk does not take UF2 files; these boards do: pico, pico2");
        assert!(error("pico").contains("expected an ELF file"));
    }
}
