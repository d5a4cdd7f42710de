//! The flash driver of the boards with an STM32.

use embassy_stm32::flash::{Blocking, FLASH_BASE, Flash};
use embassy_stm32::peripherals::FLASH;
use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

use crate::memory_map::FlashDriver;

/// The flash. All partitions are in erase blocks of `ERASE_BYTES` bytes, which ST names pages or sectors.
pub struct Stm32Flash<const ERASE_BYTES: usize>;

/// The driver of embassy, which takes offsets from the beginning of the flash, [`FLASH_BASE`], in place of addresses.
fn flash() -> Flash<'static, Blocking> {
    // SAFETY: nothing else uses the flash: there is one thread, and it accesses the flash only here.
    Flash::new_blocking(unsafe { FLASH::steal() })
}

impl<const ERASE_BYTES: usize> FlashDriver for Stm32Flash<ERASE_BYTES> {
    const ERASE_BYTES: usize = ERASE_BYTES;
    const WRITE_BYTES: usize = embassy_stm32::flash::WRITE_SIZE;

    fn erase(address: usize) -> Result<(), NorFlashErrorKind> {
        let start = (address - FLASH_BASE) as u32;
        flash().blocking_erase(start, start + ERASE_BYTES as u32).map_err(|error| error.kind())
    }

    fn write(address: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        flash().blocking_write((address - FLASH_BASE) as u32, bytes).map_err(|error| error.kind())
    }
}
