//! What can be wrong with a device file or with the scratch given to it.

use core::fmt;

/// A name found in a file, cut to 40 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; 40],
    length: u8,
}

impl Name {
    /// A name; what is beyond 40 bytes is left out.
    pub fn new(name: &str) -> Self {
        Name::of_bytes(name.as_bytes())
    }

    pub(crate) fn of_bytes(name: &[u8]) -> Self {
        Name::joined(&[name])
    }

    /// The name that `parts` make one after the other.
    pub(crate) fn joined<T: AsRef<[u8]>>(parts: &[T]) -> Self {
        let mut bytes = [0; 40];
        let mut length = 0;
        for (to, from) in bytes.iter_mut().zip(parts.iter().flat_map(|part| part.as_ref())) {
            *to = if from.is_ascii_graphic() { *from } else { b'?' };
            length += 1;
        }
        Name { bytes, length }
    }

    /// The name; bytes that are not printable ASCII are shown as `?`.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.length)).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or("")
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Name::new(name)
    }
}

impl<T: AsRef<str>> PartialEq<T> for Name {
    fn eq(&self, name: &T) -> bool {
        self.as_str() == name.as_ref()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Name {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}

/// Why [`Model::from_bytes`](crate::Model::from_bytes) refuses a file. `docs/format.md` is what it checks against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LoadError {
    /// All that a build without the feature `errors` says of a file that it does not run.
    Refused,
    /// The file does not begin at a multiple of 8 in memory.
    Misaligned,
    /// The file is shorter than it says; lengths in bytes.
    Truncated {
        /// Length of the bytes given.
        found: usize,
        /// Length that the file needs, as far as it can be read.
        expected: usize,
    },
    /// Bytes follow the last tensor; lengths in bytes.
    TrailingBytes {
        /// Length of the bytes given.
        found: usize,
        /// Length by the header.
        expected: usize,
    },
    /// The header is not the strict JSON of docs/format.md.
    Header {
        /// Byte offset in the file.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A metadata key has a value that this version does not run.
    Unsupported {
        /// The key.
        key: Name,
        /// Its value in the file.
        found: Name,
        /// The values that are known.
        expected: &'static str,
    },
    /// What a key says, or a tensor holds, needs a part of this crate that is not built in.
    MissingFeature {
        /// The key or the tensor.
        name: Name,
        /// The feature of `tern-runtime` that is missing.
        feature: &'static str,
    },
    /// A metadata key is missing.
    MissingKey(Name),
    /// A tensor is missing.
    MissingTensor(Name),
    /// A metadata key that this version does not know.
    UnknownKey(Name),
    /// A tensor that this version does not know.
    UnknownTensor(Name),
    /// A key or tensor stands twice.
    Duplicate(Name),
    /// A tensor has another element type than the format says.
    Type {
        /// The tensor.
        tensor: Name,
        /// The type expected, as safetensors writes it.
        expected: &'static str,
    },
    /// A tensor has another shape than the rest of the model asks for. Unused dimensions are 0.
    Shape {
        /// The tensor.
        tensor: Name,
        /// Its shape in the file.
        found: [u32; 3],
        /// The shape that fits.
        expected: [u32; 3],
    },
    /// A tensor's place in the file is not its shape's size, does not follow the tensor before it, or is not aligned.
    Place(Name),
    /// A text table's offsets fall, or do not begin at 0 and end at the length of its bytes; or a text is not UTF-8.
    Texts {
        /// The table: `labels`, `vocab`, …
        table: &'static str,
        /// Which text.
        index: usize,
    },
    /// A token of the vocabulary is empty or not greater than the one before.
    VocabularyOrder {
        /// Index among the tokens, from 0.
        index: usize,
    },
    /// A weight is −128 or a multiplier is negative.
    Range {
        /// The tensor.
        tensor: Name,
        /// Which element.
        index: usize,
    },
    /// The sums of a row can overflow 32 bits.
    Overflow {
        /// The tensor.
        tensor: Name,
        /// Which row.
        row: usize,
    },
}

struct Shape([u32; 3]);

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, size) in self.0.iter().enumerate().filter(|&(_, &size)| size != 0) {
            write!(f, "{}{size}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Refused => {
                write!(f, "this is no file that this build runs; with the feature `errors` tern-runtime says why")
            }
            LoadError::Misaligned => write!(f, "the file lies at an address that is not a multiple of 8; move it"),
            LoadError::Truncated { found, expected } => {
                write!(f, "the file ends after {found} bytes of {expected}; copy it again")
            }
            LoadError::TrailingBytes { found, expected } => {
                write!(f, "{found} bytes given, the model ends after {expected}; cut it at `tern_runtime::file_len`")
            }
            LoadError::Header { at, expected } => {
                write!(f, "header, byte {at}: expected {expected}; is this a device file written by `tern export`?")
            }
            LoadError::Unsupported { key, found, expected } => {
                write!(f, "`{key}` is `{found}`, this version runs {expected}; export again with this version")
            }
            LoadError::MissingFeature { name, feature } => {
                write!(
                    f,
                    "`{name}` of this file needs the feature `{feature}` of tern-runtime, which this build is without; build it in"
                )
            }
            LoadError::MissingKey(key) => write!(f, "`{key}` is missing from the header; export the model again"),
            LoadError::MissingTensor(name) => write!(f, "tensor `{name}` is missing; export the model again"),
            LoadError::UnknownKey(key) => write!(f, "unknown key `{key}` in the header; a newer version may know it"),
            LoadError::UnknownTensor(name) => write!(f, "unknown tensor `{name}`; a newer version may know it"),
            LoadError::Duplicate(name) => write!(f, "`{name}` stands twice in the header; export the model again"),
            LoadError::Type { tensor, expected } => {
                write!(f, "tensor `{tensor}` is not {expected}; export the model again")
            }
            LoadError::Shape { tensor, found, expected } => {
                let (found, expected) = (Shape(*found), Shape(*expected));
                write!(f, "tensor `{tensor}` is {found}, expected {expected}; export the model again")
            }
            LoadError::Place(name) => {
                write!(
                    f,
                    "tensor `{name}` does not lie where its shape and its neighbours put it; export the model again"
                )
            }
            LoadError::Texts { table, index } => {
                write!(f, "text {index} of `{table}` is cut wrongly or is not UTF-8; export the model again")
            }
            LoadError::VocabularyOrder { index } => {
                write!(f, "token {index} of the vocabulary does not follow the one before; export the model again")
            }
            LoadError::Range { tensor, index } => {
                write!(f, "element {index} of `{tensor}` is out of range (weights −127…127, multipliers from 0)")
            }
            LoadError::Overflow { tensor, row } => {
                write!(f, "row {row} of `{tensor}` could overflow 32 bits; export the model again")
            }
        }
    }
}

impl core::error::Error for LoadError {}

/// A text has more tokens, or a sequence more steps, than a bidirectional model's session can keep. The answer is that of
/// the first `kept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooLong {
    /// Tokens, or steps, so far.
    pub found: u32,
    /// How many of them the scratch has room for.
    pub kept: u32,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooLong { found, kept } = self;
        write!(
            f,
            "{found} tokens, the scratch keeps {kept} and the rest is not read; a bidirectional model keeps them all: give it \
             `Model::scratch_len_for` words"
        )
    }
}

impl core::error::Error for TooLong {}

/// Why [`Session::save`](crate::Session::save) or [`restore`](crate::Session::restore) refuses. docs/format.md, "The state of a session", says
/// what a state holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StateError {
    /// The buffer is too short for the state; lengths in bytes.
    Buffer {
        /// Length given.
        found: usize,
        /// Length needed.
        expected: usize,
    },
    /// The bytes do not begin as a state does.
    NoState,
    /// The state is of another version.
    Version {
        /// The state's.
        found: u16,
        /// What this version of the crate reads.
        expected: u16,
    },
    /// The state is of another model: [`Model::fingerprint`](crate::Model::fingerprint).
    Model {
        /// That of the state's model.
        found: u32,
        /// That of this session's model.
        expected: u32,
    },
    /// There are more or fewer bytes than the state says; lengths in bytes.
    Length {
        /// Length of the bytes given.
        found: usize,
        /// Length that the state says.
        expected: usize,
    },
    /// The check sum is another, or a number is none that such a session can have.
    Corrupt,
    /// The state of a bidirectional model has more tokens than this session can keep.
    TooLong(TooLong),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Buffer { found, expected } => {
                write!(f, "a buffer of {found} bytes, the state has {expected}; give it `Model::state_len` bytes")
            }
            StateError::NoState => write!(f, "these bytes are no saved state; give those that `Session::save` wrote"),
            StateError::Version { found, expected } => {
                write!(f, "a state of version {found}, this version reads {expected}; begin a new text")
            }
            StateError::Model { found, expected } => {
                write!(f, "a state of the model {found:08x}, this session runs {expected:08x}; begin a new text")
            }
            StateError::Length { found, expected } => {
                write!(f, "{found} bytes of a state that has {expected}; give as many as `Session::save` wrote")
            }
            StateError::Corrupt => write!(f, "the state is damaged; begin a new text"),
            StateError::TooLong(error) => write!(f, "the state does not fit: {error}"),
        }
    }
}

impl core::error::Error for StateError {}

/// The scratch given to [`Model::session`](crate::Model::session) is too short; lengths in `i32` words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScratchError {
    /// Length given.
    pub found: usize,
    /// Length needed, at least.
    pub expected: usize,
}

impl fmt::Display for ScratchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "scratch of {} words, the model needs {}; give it `Model::scratch_len` words",
            self.found, self.expected
        )
    }
}

impl core::error::Error for ScratchError {}

/// The reason why [`Model::text_session`](crate::Model::text_session) or [`value_session`](crate::Model::value_session) begins no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SessionError {
    /// The scratch is too short.
    Scratch(ScratchError),
    /// The model reads values, and the session would read text.
    ReadsValues,
    /// The model reads text, and the session would read values.
    ReadsText,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::Scratch(error) => write!(f, "{error}"),
            SessionError::ReadsValues => write!(f, "the model reads values, not text; use `Model::value_session`"),
            SessionError::ReadsText => write!(f, "the model reads text, not values; use `Model::text_session`"),
        }
    }
}

impl core::error::Error for SessionError {}
