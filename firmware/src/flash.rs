//! The flash that stores models and the record about them.
//!
//! A board has three [`Partition`]s: the record, and two slots for models. A partition is [`NorFlash`] that the
//! processor can also read as memory, because a model is executed in place. The slot of the running model is
//! [frozen](Partition::freeze): it cannot be written until the next reset.

mod ram;
#[cfg(test)]
pub(crate) mod simulated;

use core::ops::Deref;

use embedded_storage::nor_flash::NorFlash;

pub use ram::{RamError, RamFlash};

/// The largest write unit of any flash, in bytes.
pub const MAX_WRITE_UNIT: usize = 32;

/// A part of the flash, with offsets from its own beginning. Nothing else writes to it.
pub trait Partition: NorFlash {
    /// The contents of a frozen partition: `&'static [u8]` on a board.
    type Frozen: Deref<Target = [u8]>;

    /// The contents, at an address that is a multiple of 8.
    fn bytes(&mut self) -> &[u8];

    /// Gives up writing, for contents that stay valid.
    fn freeze(self) -> Self::Frozen;
}

/// The flash partitions of a board.
#[derive(Debug)]
pub struct Partitions<P> {
    /// The record about the slots: at least two erase blocks.
    pub record: P,
    /// The two slots for models. A flasher writes to the first.
    pub slots: [P; 2],
}
