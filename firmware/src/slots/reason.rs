//! Why a model is not taken, or not kept.

use core::fmt;

use embedded_storage::nor_flash::NorFlashErrorKind;
use tern_runtime::LoadError;

use super::package::KEY_BYTES;
use crate::classifier::Refusal;

/// Why a slot's model does not run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no model in the slot that could be activated.
    Empty,
    /// There is no model that has served before.
    NothingBefore,
    /// The device file is refused.
    File(LoadError),
    /// What was received is neither a device file nor one with its trailer; lengths in bytes.
    Length {
        /// What was received.
        found: usize,
        /// The device file by its header, without a trailer and with one.
        expected: [usize; 2],
    },
    /// What follows the device file is no trailer.
    Trailer,
    /// The trailer's checksum is not that of what was received.
    Checksum {
        /// CRC-32 of what was received.
        found: u32,
        /// That of the trailer.
        expected: u32,
    },
    /// There is no signature, and this firmware wants one.
    Unsigned,
    /// Somebody else signed it.
    OtherKey {
        /// How the key begins that the trailer names.
        found: [u8; 8],
        /// The key of this firmware.
        expected: [u8; KEY_BYTES],
    },
    /// The signature is not one of these bytes.
    Signature,
    /// The key of this firmware is no public key.
    BadKey,
    /// A newer model was confirmed before.
    Downgrade {
        /// Its version.
        found: u32,
        /// The version that was confirmed.
        floor: u32,
    },
    /// The console or the scratch is not for it.
    Unfit(Refusal),
    /// Golden texts do not give their logits.
    Golden {
        /// Texts that do.
        exact: usize,
        /// All of them.
        total: usize,
    },
    /// Golden texts take longer than a start may.
    Slow {
        /// What they may take.
        seconds: u32,
    },
    /// The slot does not hold what was received.
    Changed {
        /// CRC-32 of what it holds.
        found: u32,
        /// CRC-32 of what was received.
        expected: u32,
    },
    /// The trial did not come to its end: the device was reset, or lost its power.
    Unfinished,
    /// The flash refuses to be written.
    Flash(NorFlashErrorKind),
}

impl From<LoadError> for Reason {
    fn from(error: LoadError) -> Self {
        Reason::File(error)
    }
}

impl Reason {
    /// What a console without a model answers.
    pub fn refusal(&self) -> Refusal {
        match *self {
            Reason::File(error) => Refusal::File(error),
            Reason::Unfit(refusal) => refusal,
            Reason::Empty => Refusal::Empty,
            _ => Refusal::NotRun,
        }
    }

    /// In a word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::NothingBefore => "nothing_before",
            // Another version of the format is a word that the header's keys do not allow.
            Reason::File(LoadError::Unsupported { key, .. }) if *key == "tern.version" => "wrong_version",
            Reason::File(_) => "file",
            Reason::Length { .. } => "length",
            Reason::Trailer => "trailer",
            Reason::Checksum { .. } => "checksum",
            Reason::Unsigned => "unsigned",
            Reason::OtherKey { .. } => "other_key",
            Reason::Signature => "signature",
            Reason::BadKey => "bad_key",
            Reason::Downgrade { .. } => "downgrade",
            Reason::Unfit(_) => "unfit",
            Reason::Golden { .. } => "golden",
            Reason::Slow { .. } => "slow",
            Reason::Changed { .. } => "changed",
            Reason::Unfinished => "unfinished",
            Reason::Flash(_) => "flash",
        }
    }
}

/// Bytes as hexadecimal digits.
struct Hex<'b>(&'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Empty => write!(f, "the slot is empty; `load` a model first"),
            Reason::NothingBefore => {
                write!(f, "the other slot has no model that has served before; `models` lists what there is")
            }
            Reason::File(error) => write!(f, "the device file is refused: {error}"),
            Reason::Length { found, expected: [file, package] } => write!(
                f,
                "{found} bytes received, the device file in them says {file}, or {package} with its signature; send the file again"
            ),
            Reason::Trailer => {
                write!(f, "what follows the device file is not its signature; sign the file again with `tern sign`")
            }
            Reason::Checksum { found, expected } => write!(
                f,
                "checksum {found:08x}, the file was signed with {expected:08x}: it was damaged on its way; send it again"
            ),
            Reason::Unsigned => {
                write!(f, "the model is not signed, and this firmware has a key; sign it with `tern sign`")
            }
            Reason::OtherKey { found, expected } => write!(
                f,
                "the model is signed by the key {}…, this firmware trusts {}; sign it with the key that belongs to that one",
                Hex(found),
                Hex(expected)
            ),
            Reason::Signature => write!(
                f,
                "the signature is wrong: the model is not what was signed, or was not signed by the key that it names; it is not used"
            ),
            Reason::BadKey => {
                write!(
                    f,
                    "the key built into this firmware is no Ed25519 public key; build it with one of `tern key new`"
                )
            }
            Reason::Downgrade { found, floor } => write!(
                f,
                "version {found} is older than version {floor}, which this device has run; sign a model of version {floor} or later"
            ),
            Reason::Unfit(refusal) => write!(f, "{refusal}"),
            Reason::Golden { exact, total } => write!(
                f,
                "{exact} of {total} golden texts exact: this device does not compute what the exporter did; export the model again \
                 with the `tern` of this firmware"
            ),
            Reason::Slow { seconds } => {
                write!(
                    f,
                    "its golden texts take longer than {seconds} s on this board; export it with shorter ones, or a smaller model"
                )
            }
            Reason::Changed { found, expected } => write!(
                f,
                "the slot holds bytes with checksum {found:08x}, received were {expected:08x}: the flash was changed or is worn; load \
                 the model again"
            ),
            Reason::Unfinished => write!(
                f,
                "its trial did not come to an end, for the device was reset or lost its power; `activate` tries it again"
            ),
            Reason::Flash(kind) => write!(f, "the flash refuses to be written: {kind}"),
        }
    }
}
