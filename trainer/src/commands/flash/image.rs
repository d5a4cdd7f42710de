//! What is flashed: a firmware or a model.

use std::fmt;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use tern_boards::{Board, Slot};
use tern_runtime::file_len;

use crate::device_file::DeviceFile;

const ELF: &[u8] = b"\x7fELF";

/// What a file is, after a look at it.
#[derive(Debug, PartialEq, Eq)]
pub enum Image {
    /// A program with its own addresses.
    Firmware,
    /// A device file.
    Model {
        /// Where it goes.
        slot: Slot,
        /// Its length; a signature may follow.
        bytes: usize,
        /// Its checksum, as the device tells it.
        crc32: u32,
    },
}

impl Image {
    /// Reads a file and sees that it fits the board.
    pub fn open(path: &Path, board: &Board) -> anyhow::Result<Image> {
        let shown = path.display();
        let bytes = std::fs::read(path).with_context(|| format!("{shown}"))?;
        if bytes.starts_with(ELF) {
            return Ok(Image::Firmware);
        }
        let Some(file) = file_len(&bytes).ok().and_then(|length| bytes.get(..length)) else {
            bail!("{shown}: expected a firmware (ELF) or a device file of `tern export`; it is neither");
        };
        // Refuses what a device would refuse.
        DeviceFile::from_bytes(file).map_err(|error| anyhow!("{shown}: {error}"))?;
        let slot = board.slot;
        if bytes.len() > slot.bytes as usize {
            let (found, expected) = (bytes.len(), slot.bytes);
            bail!("{shown}: {found} bytes, the model slot of {} holds {expected}; export a smaller model", board.name);
        }
        Ok(Image::Model { slot, bytes: file.len(), crc32: crc32fast::hash(file) })
    }

    /// In a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Image::Firmware => "firmware",
            Image::Model { .. } => "model",
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Image::Firmware => f.write_str("a firmware"),
            Image::Model { slot, bytes, crc32 } => {
                write!(f, "a model of {bytes} bytes, crc32 {crc32:08x}, for the slot at {:#010x}", slot.address)
            }
        }
    }
}
