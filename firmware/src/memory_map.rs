//! Makes the three partitions that store models, the record and two slots, from the linker symbols of the board's
//! memory map. A board keeps them in its chip's flash, as [`ChipFlash`] with the chip's [`FlashDriver`], or in RAM.

#![allow(dead_code, reason = "a board keeps models either in a chip's flash or in RAM")]

use core::marker::PhantomData;
use core::ptr;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use tern_firmware::flash::{Partition, Partitions};

// Symbols of the linker script that build.rs writes. Only their addresses have a meaning.
unsafe extern "C" {
    static __record_start: u8;
    static __record_end: u8;
    static __slot_a_start: u8;
    static __slot_a_end: u8;
    static __slot_b_start: u8;
    static __slot_b_end: u8;
}

/// The region of a partition, in flash or RAM: the addresses of its first byte and of the byte after its last.
#[derive(Clone, Copy)]
pub struct FlashRegion {
    start: *const u8,
    end: *const u8,
}

impl FlashRegion {
    /// The length in bytes.
    fn len(self) -> usize {
        self.end.addr() - self.start.addr()
    }

    /// The contents.
    fn read(self) -> &'static [u8] {
        // A pointer with the symbol's own provenance may only access the one byte that the symbol is declared as.
        let start = ptr::with_exposed_provenance(self.start.expose_provenance());
        // SAFETY: build.rs sets the symbols to the ends of a region of the memory map: it is mapped, and nothing is
        // linked into it. Only the partition writes it, and the partition stays borrowed as long as the result is used.
        unsafe { core::slice::from_raw_parts(start, self.len()) }
    }

    /// The contents of a region in RAM, for writing.
    ///
    /// # Safety
    /// The region must be in RAM, and this must be called only once for it.
    pub unsafe fn memory(self) -> &'static mut [u8] {
        let start = ptr::with_exposed_provenance_mut(self.start.expose_provenance());
        // SAFETY: as for `read`; the caller promises that it is RAM and that there is no other reference to it.
        unsafe { core::slice::from_raw_parts_mut(start, self.len()) }
    }
}

/// A partition that can be made from its region in the memory map.
pub trait FromRegion: Partition {
    /// Makes the partition in this region. Must be called only once for each region.
    fn from_region(region: FlashRegion) -> Self;
}

/// Makes the partitions of the memory map. Must be called only once.
pub fn partitions<P: FromRegion>() -> Partitions<P> {
    let partition = |start, end| P::from_region(FlashRegion { start, end });
    Partitions {
        record: partition(&raw const __record_start, &raw const __record_end),
        slots: [
            partition(&raw const __slot_a_start, &raw const __slot_a_end),
            partition(&raw const __slot_b_start, &raw const __slot_b_end),
        ],
    }
}

/// Erases and writes a chip's flash. Addresses are those at which the processor reads the flash as memory. The errors
/// are those that the chip reports.
pub trait FlashDriver {
    /// Length of an erase block in bytes.
    const ERASE_BYTES: usize;
    /// Length of a write unit in bytes.
    const WRITE_BYTES: usize;

    /// Erases the block that begins at `address`.
    fn erase(address: usize) -> Result<(), NorFlashErrorKind>;

    /// Writes `bytes` to `address`. Both their length and the address are multiples of `WRITE_BYTES`.
    fn write(address: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind>;
}

/// A partition of a chip's flash, which the driver `C` erases and writes.
pub struct ChipFlash<C> {
    region: FlashRegion,
    chip: PhantomData<C>,
}

impl<C: FlashDriver> FromRegion for ChipFlash<C> {
    fn from_region(region: FlashRegion) -> Self {
        ChipFlash { region, chip: PhantomData }
    }
}

impl<C: FlashDriver> ErrorType for ChipFlash<C> {
    type Error = NorFlashErrorKind;
}

impl<C: FlashDriver> ReadNorFlash for ChipFlash<C> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.region.read()[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.region.len()
    }
}

impl<C: FlashDriver> NorFlash for ChipFlash<C> {
    const WRITE_SIZE: usize = C::WRITE_BYTES;
    const ERASE_SIZE: usize = C::ERASE_BYTES;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        let start = self.region.start.addr();
        let mut block_offsets = (from as usize..to as usize).step_by(C::ERASE_BYTES);
        block_offsets.try_for_each(|offset| C::erase(start + offset))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        C::write(self.region.start.addr() + offset as usize, bytes)
    }
}

impl<C: FlashDriver> Partition for ChipFlash<C> {
    type Frozen = &'static [u8];

    fn bytes(&mut self) -> &[u8] {
        self.region.read()
    }

    fn freeze(self) -> &'static [u8] {
        self.region.read()
    }
}
