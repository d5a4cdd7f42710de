//! The file to flash: a firmware or a model.

use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};
use tern_boards::{Board, Slot};
use tern_runtime::file_len;

use crate::checksum::crc32_hex;
use crate::device_file::DeviceFile;
use crate::package::Package;

/// The first bytes of an ELF file.
const ELF: &[u8] = b"\x7fELF";

/// The kind of a file, found by its content.
#[derive(Debug, PartialEq, Eq)]
pub enum Image {
    /// An ELF file with its own addresses.
    Firmware,
    /// A device file, signed or not.
    Model {
        /// The slot in flash that it is written to.
        slot: Slot,
        /// Length of the device file without its trailer.
        bytes: usize,
        /// Checksum of the device file, as the device prints it.
        crc32: String,
    },
}

impl Image {
    /// Reads a file and checks that it fits the board.
    pub fn open(path: &Path, board: &Board) -> anyhow::Result<Image> {
        let shown = path.display();
        let bytes = std::fs::read(path).with_context(|| shown.to_string())?;
        if bytes.starts_with(ELF) {
            return Ok(Image::Firmware);
        }
        if file_len(&bytes).map_or(true, |length| length > bytes.len()) {
            bail!("{shown}: expected a firmware (an ELF file) or a device file of `tern export`; it is neither");
        }
        let package = Package::read(&bytes).with_context(|| shown.to_string())?;
        // Refuses a file that the device would refuse.
        DeviceFile::from_bytes(package.device_file).with_context(|| shown.to_string())?;
        let slot = board.slot;
        if bytes.len() > slot.bytes as usize {
            let (found, expected) = (bytes.len(), slot.bytes);
            bail!("{shown}: {found} bytes, the model slot of {} has {expected}; export a smaller model", board.name);
        }
        Ok(Image::Model { slot, bytes: package.device_file.len(), crc32: crc32_hex(package.device_file) })
    }

    /// The kind in one word.
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
                write!(f, "a model of {bytes} bytes, crc32 {crc32}, for the slot at {:#010x}", slot.address)
            }
        }
    }
}
