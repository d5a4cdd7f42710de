//! Finds and loads the model in a slot, or gives the reason why no model runs. A slot is one of two places in flash for
//! a model, which is stored as a device file: the file that `tern export` writes.

use tern_runtime::{LoadError, Model, Task, file_len};
use thiserror::Error;

use crate::boot_count::MAX_FAILED_BOOTS;
use crate::crc32::crc32;
use crate::features::UPDATES;

/// A model that was found in a slot.
#[derive(Clone, Copy, Debug)]
pub struct LoadedModel<'f> {
    pub model: Model<'f>,
    /// The device file, without the bytes that follow it in the slot.
    pub file: &'f [u8],
    /// CRC-32 of the device file.
    pub crc32: u32,
}

impl<'f> LoadedModel<'f> {
    /// Loads the device file at the beginning of a slot. Bytes after it, such as a signature trailer, are ignored.
    ///
    /// # Errors
    /// Fails with [`Refusal::Empty`] if the slot is blank, and with [`Refusal::File`] if the file is refused.
    pub fn from_slot(slot: &'f [u8]) -> Result<Self, Refusal> {
        if is_blank(slot) {
            return Err(Refusal::Empty);
        }
        // If the file is longer than the slot, `from_bytes` refuses what there is of it.
        let file = slot.get(..file_len(slot)?).unwrap_or(slot);
        Ok(LoadedModel { model: Model::from_bytes(file)?, file, crc32: crc32(file) })
    }
}

/// Returns true if the first 8 bytes of a slot show that it was never written: erased flash reads as ones, and
/// unwritten memory as zeros. A shorter slot is blank, too.
pub fn is_blank(slot: &[u8]) -> bool {
    let first = slot.get(..8).unwrap_or(&[]);
    first.iter().all(|&byte| byte == 0) || first.iter().all(|&byte| byte == 0xff)
}

/// The part of a message that tells how to get a model into a slot.
const LOAD_INTO_SLOT: &str = if UPDATES {
    "`load` a device file (`tern export`), or write it with `tern flash`"
} else {
    "write a device file (`tern export`) with `tern flash`"
};
/// The part of a message that tells how to run another model.
const LOAD_ANOTHER: &str =
    if UPDATES { "`load` another model, `rollback`" } else { "write another model with `tern flash`" };

/// The reason why no model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The slot is blank: it contains no model.
    #[error("the model slot is empty; {LOAD_INTO_SLOT}")]
    Empty,
    /// A model failed its checks. The lines before the banner give the details.
    #[cfg(feature = "updates")]
    #[error("the model failed its checks; the lines after a reset give the reason. `load` another one")]
    NotRun,
    /// Several starts in a row failed before the prompt, so this one runs no model.
    #[error(
        "the last {MAX_FAILED_BOOTS} starts failed before the prompt, so this one runs no model; {LOAD_ANOTHER}, or \
         try again with `reset`"
    )]
    RepeatedFailures,
    /// The runtime refuses the file in the slot.
    #[error("the file in the model slot is refused: {0}")]
    File(#[from] LoadError),
    /// The model has this task, and the firmware was built without the feature `tasks`.
    #[error("the model is for the task `{}`, this firmware only for `classify`; build it with the feature `tasks`", .0.name())]
    Task(Task),
    /// The model's state, logits and one time step of numbers do not fit the board's RAM for models.
    #[error(
        "the model and its answer need {needed} bytes of RAM, this board reserves {available}; use a smaller model \
         or a larger SCRATCH_BYTES"
    )]
    Scratch {
        /// Bytes that the model needs.
        needed: usize,
        /// Bytes that the board has.
        available: usize,
    },
}
