//! The errors of the model slots: why a model is refused or given up.

use core::fmt;

use embedded_storage::nor_flash::NorFlashErrorKind;
use tern_runtime::LoadError;

use super::package::KEY_BYTES;
use crate::engine::Refusal;

/// Why a model is refused or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotError {
    /// The slot is empty.
    Empty,
    /// There is no previous model.
    NothingBefore,
    /// The device file is refused.
    File(LoadError),
    /// The length is neither that of the device file nor that of the file with a trailer, in bytes.
    Length {
        /// Length received.
        found: usize,
        /// Length of the device file by its header, without and with a trailer.
        expected: [usize; 2],
    },
    /// The bytes after the device file are not a trailer.
    Trailer,
    /// The trailer's checksum does not match.
    Checksum {
        /// CRC-32 of the bytes received.
        found: u32,
        /// CRC-32 in the trailer.
        expected: u32,
    },
    /// The model is not signed, and this firmware has a key.
    Unsigned,
    /// The model is signed with another key.
    OtherKey {
        /// The first bytes of the key in the trailer.
        found: [u8; 8],
        /// The key of this firmware.
        expected: [u8; KEY_BYTES],
    },
    /// The signature is wrong.
    Signature,
    /// The key in this firmware is not a valid public key.
    BadKey,
    /// The model is older than one that was confirmed before.
    Downgrade {
        /// Version of the model.
        found: u32,
        /// The highest version confirmed.
        min_version: u32,
    },
    /// The engine cannot run the model, for example for lack of RAM.
    Unfit(Refusal),
    /// Golden examples do not give their stored logits.
    Golden {
        /// Examples with exact logits.
        exact: usize,
        /// All examples.
        total: usize,
    },
    /// The golden examples exceed the time limit.
    Slow {
        /// The time limit in seconds.
        seconds: u32,
    },
    /// The slot's contents have changed since they were received.
    Changed {
        /// CRC-32 of the slot's contents.
        found: u32,
        /// CRC-32 of the package received.
        expected: u32,
    },
    /// The trial was interrupted by a reset or a loss of power.
    Unfinished,
    /// The flash reported an error.
    Flash(NorFlashErrorKind),
}

impl From<LoadError> for SlotError {
    fn from(error: LoadError) -> Self {
        SlotError::File(error)
    }
}

impl SlotError {
    /// The reason that a console without a model prints.
    pub fn refusal(&self) -> Refusal {
        match *self {
            SlotError::File(error) => Refusal::File(error),
            SlotError::Unfit(refusal) => refusal,
            SlotError::Empty => Refusal::Empty,
            _ => Refusal::NotRun,
        }
    }

    /// The error code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            SlotError::Empty => "empty",
            SlotError::NothingBefore => "nothing_before",
            // Another format version is an unsupported value of this key.
            SlotError::File(LoadError::Unsupported { key, .. }) if *key == "tern.version" => "wrong_version",
            SlotError::File(_) => "file",
            SlotError::Length { .. } => "length",
            SlotError::Trailer => "trailer",
            SlotError::Checksum { .. } => "checksum",
            SlotError::Unsigned => "unsigned",
            SlotError::OtherKey { .. } => "other_key",
            SlotError::Signature => "signature",
            SlotError::BadKey => "bad_key",
            SlotError::Downgrade { .. } => "downgrade",
            SlotError::Unfit(_) => "unfit",
            SlotError::Golden { .. } => "golden",
            SlotError::Slow { .. } => "slow",
            SlotError::Changed { .. } => "changed",
            SlotError::Unfinished => "unfinished",
            SlotError::Flash(_) => "flash",
        }
    }
}

/// Displays bytes as hexadecimal digits.
struct Hex<'b>(&'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotError::Empty => write!(f, "the slot is empty; `load` a model first"),
            SlotError::NothingBefore => {
                write!(f, "the other slot has no previous model; `models` lists both slots")
            }
            SlotError::File(error) => write!(f, "the device file is refused: {error}"),
            SlotError::Length { found, expected: [file, package] } => write!(
                f,
                "{found} bytes received, expected {file} for the device file or {package} with its signature; send the file again"
            ),
            SlotError::Trailer => {
                write!(f, "the bytes after the device file are not a signature; sign the file again with `tern sign`")
            }
            SlotError::Checksum { found, expected } => write!(
                f,
                "checksum {found:08x}, expected {expected:08x}: the file was damaged on its way; send it again"
            ),
            SlotError::Unsigned => {
                write!(f, "the model is not signed, and this firmware has a key; sign it with `tern sign`")
            }
            SlotError::OtherKey { found, expected } => write!(
                f,
                "the model is signed with the key {}…, this firmware trusts {}; sign it with that one's private key",
                Hex(found),
                Hex(expected)
            ),
            SlotError::Signature => {
                write!(f, "the signature is wrong: the model was changed after signing, or signed with another key")
            }
            SlotError::BadKey => {
                write!(f, "the firmware's key is not an Ed25519 public key; use one from `tern key new`")
            }
            SlotError::Downgrade { found, min_version } => write!(
                f,
                "version {found} is older than version {min_version}, which this device has run; sign the model with version {min_version} or \
                 later"
            ),
            SlotError::Unfit(refusal) => write!(f, "{refusal}"),
            SlotError::Golden { exact, total } => write!(
                f,
                "{exact} of {total} golden examples exact: this device computes other results than `tern export`; export again with the `tern` of this firmware"
            ),
            SlotError::Slow { seconds } => {
                write!(
                    f,
                    "its golden examples take longer than {seconds} s here; export shorter ones or a smaller model"
                )
            }
            SlotError::Changed { found, expected } => write!(
                f,
                "the slot's checksum is {found:08x}, received was {expected:08x}: the flash was changed or is worn; \
                 `load` it again"
            ),
            SlotError::Unfinished => {
                write!(f, "its trial was interrupted by a reset or a loss of power; `activate` tries it again")
            }
            SlotError::Flash(kind) => write!(f, "the flash reports an error: {kind}"),
        }
    }
}
