//! The flash that stores models and the record about them.
//!
//! A board has three [`Partition`]s: the record, and two slots for models. A partition is [`NorFlash`] that the
//! processor can also read as memory, because a model is executed in place. The slot of the running model is
//! [frozen](Partition::freeze): it cannot be written until the next reset. [`RamFlash`] keeps a partition in RAM, for
//! emulated boards without flash, for the host and for tests.

#[cfg(test)]
pub(crate) mod simulated;

use core::ops::Deref;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// The largest write unit, in bytes, that a board's flash may have. A write unit is the least that can be written at
/// once.
pub const MAX_WRITE_UNIT: usize = 32;

/// A part of the flash that only its owner writes. Offsets count from its own beginning.
pub trait Partition: NorFlash {
    /// The contents after [`freeze`](Partition::freeze): `&'static [u8]` on a board.
    type Frozen: Deref<Target = [u8]>;

    /// The contents. Those of a slot begin at an address that is a multiple of 8, as a model needs.
    fn bytes(&mut self) -> &[u8];

    /// Gives up the partition, and with it writing and erasing. Returns the contents, which no longer change.
    fn freeze(self) -> Self::Frozen;
}

/// The flash partitions of a board.
#[derive(Debug)]
pub struct Partitions<P> {
    /// The record about the slots: at least two erase blocks.
    pub record: P,
    /// The two slots for models. A host's flashing tool writes to the first.
    pub slots: [P; 2],
}

/// RAM that follows the rules of flash, with erase blocks of `ERASE` bytes and write units of `WRITE` bytes. Its
/// contents outlast a reset that does not clear the RAM.
#[derive(Debug)]
pub struct RamFlash<'m, const WRITE: usize, const ERASE: usize> {
    memory: &'m mut [u8],
}

impl<'m, const WRITE: usize, const ERASE: usize> RamFlash<'m, WRITE, ERASE> {
    /// Makes flash of `memory` and keeps what it contains. An incomplete erase block at the end is not used. For a
    /// slot, the address of `memory` must be a multiple of 8.
    pub fn new(memory: &'m mut [u8]) -> Self {
        let usable = memory.len() / ERASE * ERASE;
        RamFlash { memory: &mut memory[..usable] }
    }
}

impl<const WRITE: usize, const ERASE: usize> ErrorType for RamFlash<'_, WRITE, ERASE> {
    type Error = NorFlashErrorKind;
}

impl<const WRITE: usize, const ERASE: usize> ReadNorFlash for RamFlash<'_, WRITE, ERASE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.memory[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.memory.len()
    }
}

impl<const WRITE: usize, const ERASE: usize> NorFlash for RamFlash<'_, WRITE, ERASE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        self.memory[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let memory = &mut self.memory[offset as usize..][..bytes.len()];
        // A write can clear bits. Only an erase can set a bit from 0 to 1.
        let needs_erase = memory.iter().zip(bytes).any(|(old, new)| old & new != *new);
        if needs_erase {
            return Err(NorFlashErrorKind::Other);
        }
        memory.copy_from_slice(bytes);
        Ok(())
    }
}

impl<'m, const WRITE: usize, const ERASE: usize> Partition for RamFlash<'m, WRITE, ERASE> {
    type Frozen = &'m [u8];

    fn bytes(&mut self) -> &[u8] {
        self.memory
    }

    fn freeze(self) -> &'m [u8] {
        self.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_rules_of_flash() {
        let mut memory = [0x5a; 70];
        let mut flash = RamFlash::<4, 32>::new(&mut memory);
        assert_eq!(flash.capacity(), 64);
        assert_eq!(flash.write(0, &[1, 2, 3, 4]), Err(NorFlashErrorKind::Other));
        flash.erase(0, 32).unwrap();
        flash.write(4, &[1, 2, 3, 4]).unwrap();
        assert_eq!(flash.write(4, &[1, 2, 3, 5]), Err(NorFlashErrorKind::Other));
        flash.write(4, &[1, 2, 3, 0]).unwrap();
        assert_eq!(flash.write(2, &[0; 4]), Err(NorFlashErrorKind::NotAligned));
        assert_eq!(flash.erase(32, 96), Err(NorFlashErrorKind::OutOfBounds));
        assert_eq!(flash.bytes()[..9], [0xff, 0xff, 0xff, 0xff, 1, 2, 3, 0, 0xff]);
        assert_eq!(flash.freeze()[32..], [0x5a; 32]);
    }
}
