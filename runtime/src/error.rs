//! The errors of the runtime.

use core::fmt;

use tern_format::names::parameter;

use crate::features::ERRORS;

/// A name from a file, cut to 40 bytes. Spaces and bytes that are not printable ASCII are replaced by `?`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; 40],
    length: u8,
}

impl Name {
    /// A name; bytes beyond the 40th are dropped.
    pub fn new(name: &str) -> Self {
        Name::of_bytes(name.as_bytes())
    }

    #[inline(never)]
    pub(crate) fn of_bytes(name: &[u8]) -> Self {
        Name::joined(&[name])
    }

    /// The concatenation of `parts`, cut to 40 bytes.
    #[inline(never)]
    pub(crate) fn joined<T: AsRef<[u8]>>(parts: &[T]) -> Self {
        let mut bytes = [0; 40];
        let mut length = 0;
        for (letter, byte) in bytes.iter_mut().zip(parts.iter().flat_map(|part| part.as_ref())) {
            *letter = if byte.is_ascii_graphic() { *byte } else { b'?' };
            length += 1;
        }
        Name { bytes, length }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.length)).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or("")
    }

    /// Returns true for the name of a tensor of records, for example `lstm.units_l0`: a name that contains `.units`.
    /// Each layer in the packing `paired16` has one.
    fn is_of_records(&self) -> bool {
        let units = parameter::UNITS.as_bytes();
        (0..self.bytes.len()).any(|begin| self.bytes.get(begin..).is_some_and(|end| end.starts_with(units)))
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

/// Implements `Display` and `Error` for an error type. Each line is a pattern of the error, its message, and the
/// arguments of the message's `{}`.
macro_rules! messages {
    ($error:ident: $($pattern:pat $(if $guard:expr)? => $message:literal $(, $argument:expr)*;)*) => {
        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($pattern $(if $guard)? => write!(f, $message $(, $argument)*),)*
                }
            }
        }

        impl core::error::Error for $error {}
    };
}

/// The reason why [`Model::from_bytes`](crate::Model::from_bytes) refuses a file. `docs/format.md` specifies what a
/// file must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LoadError {
    /// The file is refused; the reason is not known because the feature `errors` is not built in.
    Refused,
    /// The address of the file is not a multiple of 8. [`include_model!`](crate::include_model) aligns a file.
    Misaligned,
    /// The file is shorter than its header requires; lengths in bytes.
    Truncated {
        /// Length of the bytes given.
        found: usize,
        /// Length needed: 8 if the file is too short for the length of its header, that of the header if the file ends
        /// in it, otherwise that of the whole file.
        expected: usize,
    },
    /// Bytes follow the last tensor; lengths in bytes.
    TrailingBytes {
        /// Length of the bytes given.
        found: usize,
        /// Length according to the header.
        expected: usize,
    },
    /// The header is not the strict JSON of docs/format.md.
    Header {
        /// Byte offset in the file.
        at: usize,
        /// The text that was expected there, or a description of it.
        expected: &'static str,
    },
    /// A metadata key has a value that this version does not support, or that the values of other keys do not allow.
    Unsupported {
        /// The key.
        key: Name,
        /// Its value in the file; empty if the file does not have the key.
        found: Name,
        /// The values that are allowed.
        expected: &'static str,
    },
    /// The file needs a feature of this crate that is not built in.
    MissingFeature {
        /// The key or the tensor that needs it.
        name: Name,
        /// The missing feature of `tern-runtime`.
        feature: &'static str,
    },
    /// A metadata key is missing.
    MissingKey(Name),
    /// A tensor is missing.
    MissingTensor(Name),
    /// A metadata key is not part of the format, or this kind of model does not have it.
    UnknownKey(Name),
    /// A tensor is not part of the format, or this kind of model does not have it.
    UnknownTensor(Name),
    /// A key or a tensor occurs twice.
    Duplicate(Name),
    /// A tensor has the wrong element type.
    Type {
        /// The tensor.
        tensor: Name,
        /// The expected type, as safetensors spells it.
        expected: &'static str,
    },
    /// A tensor has a shape that does not fit the rest of the model. Unused dimensions are 0.
    Shape {
        /// The tensor.
        tensor: Name,
        /// Its shape in the file.
        found: [u32; 3],
        /// The shape that fits.
        expected: [u32; 3],
    },
    /// A tensor's byte range (`data_offsets`) does not match its shape, does not follow the previous tensor, or is not
    /// aligned to its element size.
    ByteRange(Name),
    /// A table of texts or of golden sequences has offsets that decrease, do not begin at 0 or do not end at the length
    /// of its contents; a text is not UTF-8; or the name of the model is longer than 64 bytes.
    Texts {
        /// The table: `labels`, `vocab`, `golden`, …; `name` for the name of the model.
        table: &'static str,
        /// The index of the text or the golden sequence.
        index: usize,
    },
    /// A token of the vocabulary is empty or not greater than the one before.
    VocabularyOrder {
        /// The index among the stored tokens, from 0. It is the device id less 2, since PAD and UNK are not stored.
        index: usize,
    },
    /// A number is outside the range that the format allows: for example a weight of −128, or a negative multiplier.
    Range {
        /// The tensor.
        tensor: Name,
        /// The index of the element; in a layer in the packing `paired16`, the index of the record that contains it
        /// (`docs/format.md`, "Packings").
        index: usize,
    },
    /// The sum of a row could overflow 32 bits.
    Overflow {
        /// The tensor.
        tensor: Name,
        /// The index of the row. In a layer in the packing `paired16`, each record (`docs/format.md`, "Packings") has
        /// four rows: row 4·n + r is row r of record n.
        row: usize,
    },
}

/// Writes a shape without its unused dimensions: `[256, 64]`.
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

messages! {
    LoadError:
    LoadError::Refused => "the file is refused; build tern-runtime with the feature `errors` to learn why";
    // Without the feature `errors` the loader returns no other error than `Refused`. Because of this arm the compiler
    // drops the texts below.
    _ if !ERRORS => "the file is refused";
    LoadError::Misaligned => "the file's address is not a multiple of 8; align it, for example with `include_model!`";
    LoadError::Truncated { found, expected } => "the file ends after {found} bytes of {expected}; copy it again";
    LoadError::TrailingBytes { found, expected } =>
        "{found} bytes given, the model ends after {expected}; cut it at `tern_runtime::file_len`";
    LoadError::Header { at, expected } =>
        "header, byte {at}: expected {expected}; is this a device file written by `tern export`?";
    LoadError::Unsupported { key, found, expected } =>
        "`{key}` is `{found}`, expected {expected}; export the model again with this version";
    LoadError::MissingFeature { name, feature } =>
        "`{name}` needs the feature `{feature}` of tern-runtime, which is not built in; turn it on in Cargo.toml";
    LoadError::MissingKey(key) => "`{key}` is missing from the header; export the model again";
    LoadError::MissingTensor(name) => "tensor `{name}` is missing; export the model again";
    LoadError::UnknownKey(key) =>
        "key `{key}` is not part of the format or of this kind of model; was the file exported by a newer version?";
    LoadError::UnknownTensor(name) =>
        "tensor `{name}` is not part of the format or of this kind of model; was the file exported by a newer version?";
    LoadError::Duplicate(name) => "`{name}` occurs twice in the header; export the model again";
    LoadError::Type { tensor, expected } => "tensor `{tensor}` is not {expected}; export the model again";
    LoadError::Shape { tensor, found, expected } =>
        "tensor `{tensor}` is {}, expected {}; export the model again", Shape(*found), Shape(*expected);
    LoadError::ByteRange(name) =>
        "tensor `{name}` has a byte range that does not fit its shape or its neighbours; export the model again";
    LoadError::Texts { table, index } =>
        "entry {index} of `{table}` has wrong offsets, is too long or not UTF-8; export the model again";
    LoadError::VocabularyOrder { index } =>
        "token {index} of the vocabulary is empty or out of order; export the model again";
    LoadError::Range { tensor, index } if tensor.is_of_records() =>
        "record {index} of `{tensor}` has a number out of range; export the model again";
    LoadError::Range { tensor, index } =>
        "element {index} of `{tensor}` is out of range; export the model again";
    LoadError::Overflow { tensor, row } if tensor.is_of_records() =>
        "row {} of record {} of `{tensor}` could overflow 32 bits; export the model again", row % 4, row / 4;
    LoadError::Overflow { tensor, row } => "row {row} of `{tensor}` could overflow 32 bits; export the model again";
}

/// The error for a text of more tokens, or a sequence of more steps, than a bidirectional model can keep in its
/// scratch. If [`check_length`](crate::SessionBase::check_length) returns it, the session's logits are those of the
/// first `kept` tokens or steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooLong {
    /// The number of tokens or steps of the text or sequence so far.
    pub found: u32,
    /// The number of tokens or steps that the scratch has room for.
    pub kept: u32,
}

messages! {
    TooLong:
    TooLong { found, kept } =>
        "{found} tokens or steps, but the scratch keeps only the first {kept}; give a bidirectional model the scratch \
        that `Model::scratch_len_for` asks for";
}

/// The reason why [`save`](crate::SessionBase::save) or [`restore`](crate::SessionBase::restore) fails.
/// `docs/format.md`, "The state of a session", specifies the bytes of a state.
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
    /// The bytes are not a saved state.
    NoState,
    /// The state has another version of the format.
    Version {
        /// The version of the state.
        found: u16,
        /// The version that this crate reads.
        expected: u16,
    },
    /// The state belongs to another model: its [`fingerprint`](crate::Model::fingerprint) differs.
    Model {
        /// The fingerprint of the state's model.
        found: u32,
        /// The fingerprint of this session's model.
        expected: u32,
    },
    /// The number of bytes differs from the length in the state; lengths in bytes.
    Length {
        /// Length of the bytes given.
        found: usize,
        /// Length in the state.
        expected: usize,
    },
    /// The checksum does not match, or a number in the state, such as a count or a hidden value, is out of range for
    /// this session.
    Corrupt,
    /// The state of a bidirectional model has more tokens than this session can keep.
    TooLong(TooLong),
}

messages! {
    StateError:
    StateError::Buffer { found, expected } =>
        "a buffer of {found} bytes, the state has {expected}; give it `Model::state_len` bytes";
    StateError::NoState => "these bytes are not a saved state; give the bytes that `save` wrote";
    StateError::Version { found, expected } =>
        "a state of version {found}, this version reads {expected}; start without the saved state";
    StateError::Model { found, expected } =>
        "a state of the model {found:08x}, this session runs {expected:08x}; start without the saved state";
    StateError::Length { found, expected } =>
        "{found} bytes, but the state has {expected}; give the bytes that `save` wrote";
    StateError::Corrupt => "the state is damaged; start without the saved state";
    StateError::TooLong(error) => "the state does not fit: {error}";
}

/// The error for scratch that is too short for a session or a [`self_test`](crate::Model::self_test); lengths in `i32`
/// words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScratchError {
    /// Length given.
    pub found: usize,
    /// The shortest length that is enough.
    pub expected: usize,
}

messages! {
    ScratchError:
    ScratchError { found, expected } =>
        "scratch of {found} words, the model needs {expected}; give it `Model::scratch_len` words";
}

/// The reason why [`Model::text_session`](crate::Model::text_session) or [`value_session`](crate::Model::value_session)
/// fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SessionError {
    /// The scratch is too short.
    Scratch(ScratchError),
    /// A text session was asked for, but the model reads values.
    ReadsValues,
    /// A value session was asked for, but the model reads text.
    ReadsText,
}

messages! {
    SessionError:
    SessionError::Scratch(error) => "{error}";
    SessionError::ReadsValues => "the model reads values, not text; use `Model::value_session`";
    SessionError::ReadsText => "the model reads text, not values; use `Model::text_session`";
}
