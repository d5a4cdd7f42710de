//! The flash beside the program, as the board's memory map divides it.

use core::marker::PhantomData;
use core::ptr;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use tern_firmware::flash::{Partition, Partitions};

unsafe extern "C" {
    static __record_start: u8;
    static __record_end: u8;
    static __slot_a_start: u8;
    static __slot_a_end: u8;
    static __slot_b_start: u8;
    static __slot_b_end: u8;
}

/// Addresses of a partition's first byte and of the one behind its last.
#[derive(Clone, Copy)]
pub struct Span {
    start: *const u8,
    end: *const u8,
}

impl Span {
    fn bytes(self) -> usize {
        self.end.addr() - self.start.addr()
    }

    /// What lies there.
    fn read(self) -> &'static [u8] {
        let start = ptr::with_exposed_provenance(self.start.expose_provenance());
        // SAFETY: build.rs sets the symbols to the ends of a region of the memory map: it is mapped, and nothing else is linked into it.
        // It is written through the partition only, which is borrowed as long as what this gives.
        unsafe { core::slice::from_raw_parts(start, self.bytes()) }
    }

    /// The same memory, where it is one that can be written as such.
    ///
    /// # Safety
    /// It is RAM, and this is called once for each span.
    #[allow(dead_code, reason = "not every board has RAM in flash's place")]
    pub unsafe fn memory(self) -> &'static mut [u8] {
        let start = ptr::with_exposed_provenance_mut(self.start.expose_provenance());
        // SAFETY: as for `read`; the caller says that it can be written, and that nobody else has it.
        unsafe { core::slice::from_raw_parts_mut(start, self.bytes()) }
    }
}

/// Makes partitions of the memory map's regions.
pub fn divide<P>(make: impl Fn(Span) -> P) -> Partitions<P> {
    let span = |start, end| make(Span { start, end });
    Partitions {
        record: span(&raw const __record_start, &raw const __record_end),
        slots: [
            span(&raw const __slot_a_start, &raw const __slot_a_end),
            span(&raw const __slot_b_start, &raw const __slot_b_end),
        ],
    }
}

/// How a chip's flash is erased and written, at the addresses where it is read.
#[allow(dead_code, reason = "not every board has flash")]
pub trait Chip {
    /// What is erased at once, in bytes.
    const ERASE_BYTES: usize;
    /// What is written at once, in bytes.
    const WRITE_BYTES: usize;

    /// Erases the block that begins at `address`.
    ///
    /// # Errors
    /// What the chip reports.
    fn erase(address: usize) -> Result<(), NorFlashErrorKind>;

    /// Writes `bytes`, a multiple of `WRITE_BYTES`, to `address`, which is one too.
    ///
    /// # Errors
    /// What the chip reports.
    fn write(address: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind>;
}

/// A partition of a chip's flash.
pub struct ChipFlash<C> {
    span: Span,
    chip: PhantomData<C>,
}

#[allow(dead_code, reason = "not every board has flash")]
impl<C: Chip> ChipFlash<C> {
    /// The partition of this span.
    pub fn new(span: Span) -> Self {
        ChipFlash { span, chip: PhantomData }
    }
}

impl<C: Chip> ErrorType for ChipFlash<C> {
    type Error = NorFlashErrorKind;
}

impl<C: Chip> ReadNorFlash for ChipFlash<C> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.span.read()[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.span.bytes()
    }
}

impl<C: Chip> NorFlash for ChipFlash<C> {
    const WRITE_SIZE: usize = C::WRITE_BYTES;
    const ERASE_SIZE: usize = C::ERASE_BYTES;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        let start = self.span.start.addr();
        (from as usize..to as usize).step_by(C::ERASE_BYTES).try_for_each(|offset| C::erase(start + offset))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        C::write(self.span.start.addr() + offset as usize, bytes)
    }
}

impl<C: Chip> Partition for ChipFlash<C> {
    type Frozen = &'static [u8];

    fn bytes(&mut self) -> &[u8] {
        self.span.read()
    }

    fn freeze(self) -> &'static [u8] {
        self.span.read()
    }
}
