//! The errors of the model slots: the reasons why a model is refused or given up.

use core::fmt;

use ed25519_dalek::PUBLIC_KEY_LENGTH;
use embedded_storage::nor_flash::NorFlashErrorKind;
use tern_runtime::LoadError;
use thiserror::Error;

use crate::loaded_model::Refusal;

/// The reason why a model is refused or given up, or a command about the slots fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SlotError {
    #[error("the slot is empty; `load` a model first")]
    Empty,
    #[error("the other slot has no previous model; `models` lists both slots")]
    NothingBefore,
    #[error("the device file is refused: {0}")]
    File(#[from] LoadError),
    #[error("the file is empty; send a device file (`tern export`)")]
    NoBytes,
    /// Lengths in bytes.
    #[error("a slot holds {capacity} bytes, this model has {found}: export a smaller one")]
    TooLong { found: u32, capacity: u32 },
    /// `expected`: the length of the device file by its header, without and with a trailer; lengths in bytes.
    #[error(
        "{found} bytes received, expected {} for the device file or {} with its signature; send the file again",
        .expected[0], .expected[1]
    )]
    Length { found: usize, expected: [usize; 2] },
    #[error("the bytes after the device file are not a signature; sign the file again with `tern sign`")]
    Trailer,
    #[error("checksum {found:08x}, expected {expected:08x}: the file was damaged on its way; send it again")]
    Checksum { found: u32, expected: u32 },
    #[error("the model is not signed, and this firmware has a key; sign it with `tern sign`")]
    Unsigned,
    /// `found`: the first bytes of the signer's key, from the trailer; `expected`: the firmware's key.
    #[error(
        "the model is signed with the key {}…, this firmware trusts {}; sign it with that one's private key",
        Hex(found),
        Hex(expected)
    )]
    OtherKey { found: [u8; 8], expected: [u8; PUBLIC_KEY_LENGTH] },
    #[error("the signature is wrong: the model was changed after signing, or signed with another key")]
    Signature,
    #[error("the firmware's key is not an Ed25519 public key; use one from `tern key new`")]
    BadKey,
    #[error(
        "version {found} is older than version {min_version}, which this device has run; sign the model with version \
         {min_version} or later"
    )]
    Downgrade { found: u32, min_version: u32 },
    /// The engine cannot run the model, for example for lack of RAM.
    #[error("{0}")]
    Unfit(Refusal),
    /// `exact` of the `total` golden examples give their stored logits.
    #[error(
        "{exact} of {total} golden examples exact: this device computes other results than `tern export`; export \
         again with the `tern` of this firmware"
    )]
    Golden { exact: usize, total: usize },
    #[error("its golden examples take longer than {seconds} s here; export shorter ones or a smaller model")]
    Slow { seconds: u32 },
    #[error(
        "the slot's checksum is {found:08x}, received was {expected:08x}: the flash was changed or is worn; `load` it \
         again"
    )]
    Changed { found: u32, expected: u32 },
    #[error("its trial was interrupted by a reset or a loss of power; `activate` tries it again")]
    Unfinished,
    #[error("the flash reports an error: {0}")]
    Flash(NorFlashErrorKind),
}

impl SlotError {
    /// The refusal that the console prints if, because of this error, no model runs.
    pub fn refusal(&self) -> Refusal {
        match *self {
            SlotError::File(error) => Refusal::File(error),
            SlotError::Unfit(refusal) => refusal,
            SlotError::Empty => Refusal::Empty,
            #[cfg(feature = "updates")]
            _ => Refusal::NotRun,
            // Never reached: without updates the firmware reads slot A directly.
            #[cfg(not(feature = "updates"))]
            _ => Refusal::Empty,
        }
    }

    /// The error code for programs, which `docs/update.md` lists.
    pub fn code(&self) -> &'static str {
        match self {
            SlotError::Empty => "empty",
            SlotError::NothingBefore => "nothing_before",
            // A file of another format version: the value of this key is not supported.
            SlotError::File(LoadError::Unsupported { key, .. }) if *key == "tern.version" => "wrong_version",
            SlotError::File(_) => "file",
            SlotError::NoBytes | SlotError::TooLong { .. } | SlotError::Length { .. } => "length",
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
