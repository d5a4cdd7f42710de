//! RAM that follows the rules of flash, for emulated boards without flash and for tests.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

use super::Partition;

/// Flash in RAM, with erase blocks of `ERASE` bytes and write units of `WRITE` bytes. Models outlast a reset if the RAM
/// does.
#[derive(Debug)]
pub struct RamFlash<'m, const WRITE: usize, const ERASE: usize> {
    memory: &'m mut [u8],
}

impl<'m, const WRITE: usize, const ERASE: usize> RamFlash<'m, WRITE, ERASE> {
    /// Flash in `memory`, with its contents. An incomplete erase block at the end is not used.
    pub fn new(memory: &'m mut [u8]) -> Self {
        let whole = memory.len() / ERASE * ERASE;
        RamFlash { memory: &mut memory[..whole] }
    }
}

/// Why an operation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RamError {
    /// An address outside the flash, or one that is not a multiple of the write unit or erase block.
    Place(NorFlashErrorKind),
    /// A write that would set a bit from 0 to 1, which only an erase can do.
    NotErased,
}

impl NorFlashError for RamError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            RamError::Place(kind) => *kind,
            RamError::NotErased => NorFlashErrorKind::Other,
        }
    }
}

impl<const WRITE: usize, const ERASE: usize> ErrorType for RamFlash<'_, WRITE, ERASE> {
    type Error = RamError;
}

impl<const WRITE: usize, const ERASE: usize> ReadNorFlash for RamFlash<'_, WRITE, ERASE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), RamError> {
        check_read(self, offset, bytes.len()).map_err(RamError::Place)?;
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

    fn erase(&mut self, from: u32, to: u32) -> Result<(), RamError> {
        check_erase(self, from, to).map_err(RamError::Place)?;
        self.memory[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), RamError> {
        check_write(self, offset, bytes.len()).map_err(RamError::Place)?;
        let memory = &mut self.memory[offset as usize..][..bytes.len()];
        if memory.iter().zip(bytes).any(|(old, new)| old & new != *new) {
            return Err(RamError::NotErased);
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
        assert_eq!(flash.write(0, &[1, 2, 3, 4]), Err(RamError::NotErased));
        flash.erase(0, 32).unwrap();
        flash.write(4, &[1, 2, 3, 4]).unwrap();
        assert_eq!(flash.write(4, &[1, 2, 3, 5]), Err(RamError::NotErased));
        flash.write(4, &[1, 2, 3, 0]).unwrap();
        assert!(matches!(flash.write(2, &[0; 4]), Err(RamError::Place(NorFlashErrorKind::NotAligned))));
        assert!(matches!(flash.erase(32, 96), Err(RamError::Place(NorFlashErrorKind::OutOfBounds))));
        assert_eq!(flash.bytes()[..9], [0xff, 0xff, 0xff, 0xff, 1, 2, 3, 0, 0xff]);
        assert_eq!(flash.freeze()[32..], [0x5a; 32]);
    }
}
