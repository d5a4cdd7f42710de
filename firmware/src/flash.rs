//! Flash that models and the record of them lie in.
//!
//! A board has three [`Partition`]s: one for the record, and two slots for models. A partition is [`NorFlash`] that the processor can also
//! read as memory, for a model runs where it lies. The slot whose model runs is [frozen](Partition::freeze): the value through which
//! it could be written is gone until the next reset.

mod ram;
#[cfg(test)]
pub(crate) mod simulated;

use core::ops::Deref;

use embedded_storage::nor_flash::NorFlash;

pub use ram::{RamError, RamFlash};

/// The longest piece that flash may ask to be written at once, in bytes.
pub const LARGEST_WRITE: usize = 32;

/// A part of flash that nothing else writes to. Its offsets count from its own beginning.
pub trait Partition: NorFlash {
    /// Bytes that nobody writes any more: `&'static [u8]` on a board.
    type Frozen: Deref<Target = [u8]>;

    /// All bytes of the partition, as memory. They begin at a multiple of 8.
    fn bytes(&mut self) -> &[u8];

    /// Gives the way to write up, for bytes that last.
    fn freeze(self) -> Self::Frozen;
}

/// The flash beside the program.
#[derive(Debug)]
pub struct Partitions<P> {
    /// The record of what the slots hold: at least two erase blocks.
    pub record: P,
    /// A model each. A flasher writes to the first.
    pub slots: [P; 2],
}
