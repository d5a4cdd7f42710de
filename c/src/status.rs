//! The status codes that the functions return, and their names.

use core::ffi::c_char;
use tern_runtime::{LoadError, SessionError, StateError};

/// The result of a function. A number never changes its meaning; later versions may add numbers.
#[repr(i32)]
#[allow(non_camel_case_types)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum tern_status {
    /// Success.
    TERN_OK = 0,
    /// The `tern_t` is NULL, or another pointer is NULL and its length is not 0.
    TERN_NULL = 1,
    /// The `tern_t` has no model: call `tern_load` or `tern_open` first.
    TERN_NOT_LOADED = 2,
    /// The `tern_t` has no session: call `tern_start` or `tern_open` first.
    TERN_NOT_STARTED = 3,
    /// The address of the file is not a multiple of 8, or that of the scratch or the values is not a multiple of 4.
    TERN_MISALIGNED = 4,
    /// The file is shorter than its header requires.
    TERN_TRUNCATED = 5,
    /// Bytes follow the last tensor: cut the file at `tern_file_len`.
    TERN_TRAILING_BYTES = 6,
    /// The file does not begin with the header of a device file.
    TERN_HEADER = 7,
    /// The file needs a newer version of this library.
    TERN_UNSUPPORTED = 8,
    /// The file needs a feature of tern-runtime that is not built into this library.
    TERN_MISSING_FEATURE = 9,
    /// A metadata key is missing.
    TERN_MISSING_KEY = 10,
    /// A tensor is missing.
    TERN_MISSING_TENSOR = 11,
    /// A metadata key is not part of the format.
    TERN_UNKNOWN_KEY = 12,
    /// A tensor is not part of the format.
    TERN_UNKNOWN_TENSOR = 13,
    /// A key or a tensor occurs twice.
    TERN_DUPLICATE = 14,
    /// A tensor has the wrong element type.
    TERN_TYPE = 15,
    /// A tensor has a shape that does not fit the rest of the model.
    TERN_SHAPE = 16,
    /// The byte range of a tensor does not fit its shape or its neighbours.
    TERN_PLACE = 17,
    /// A table of texts has wrong offsets, or a text is not UTF-8.
    TERN_TEXTS = 18,
    /// The tokens of the vocabulary are not in order.
    TERN_VOCABULARY_ORDER = 19,
    /// A value of a tensor is out of range.
    TERN_RANGE = 20,
    /// The sum of a row could overflow 32 bits.
    TERN_OVERFLOW = 21,
    /// The file is refused for a reason that this build or version of the library does not distinguish.
    TERN_REFUSED = 22,
    /// The scratch has fewer words than `tern_scratch_words` returns.
    TERN_SCRATCH_TOO_SHORT = 23,
    /// The model reads values, not text: call `tern_feed_values`.
    TERN_READS_VALUES = 24,
    /// The model reads text, not values: call `tern_feed`.
    TERN_READS_TEXT = 25,
    /// The text, or the saved state, has more tokens than the scratch of a bidirectional model keeps.
    TERN_TOO_LONG = 26,
    /// The index is not less than the number of classes, channels or predicted values.
    TERN_NO_SUCH_INDEX = 27,
    /// The buffer is too short.
    TERN_BUFFER_TOO_SHORT = 28,
    /// The bytes are not a saved state.
    TERN_NO_STATE = 29,
    /// The state was saved by another version of this library.
    TERN_STATE_VERSION = 30,
    /// The state was saved with another model.
    TERN_STATE_OF_OTHER_MODEL = 31,
    /// The number of bytes is not that of the saved state.
    TERN_STATE_LENGTH = 32,
    /// The saved state is damaged.
    TERN_STATE_CORRUPT = 33,
    /// The number of values is not a multiple of the number of channels.
    TERN_CHANNELS = 34,
    /// The logits of a golden example differ from those in the file.
    TERN_SELF_TEST_FAILED = 35,
}

use tern_status::*;

impl From<LoadError> for tern_status {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Misaligned => TERN_MISALIGNED,
            LoadError::Truncated { .. } => TERN_TRUNCATED,
            LoadError::TrailingBytes { .. } => TERN_TRAILING_BYTES,
            LoadError::Header { .. } => TERN_HEADER,
            LoadError::Unsupported { .. } => TERN_UNSUPPORTED,
            LoadError::MissingFeature { .. } => TERN_MISSING_FEATURE,
            LoadError::MissingKey(_) => TERN_MISSING_KEY,
            LoadError::MissingTensor(_) => TERN_MISSING_TENSOR,
            LoadError::UnknownKey(_) => TERN_UNKNOWN_KEY,
            LoadError::UnknownTensor(_) => TERN_UNKNOWN_TENSOR,
            LoadError::Duplicate(_) => TERN_DUPLICATE,
            LoadError::Type { .. } => TERN_TYPE,
            LoadError::Shape { .. } => TERN_SHAPE,
            LoadError::ByteRange(_) => TERN_PLACE,
            LoadError::Texts { .. } => TERN_TEXTS,
            LoadError::VocabularyOrder { .. } => TERN_VOCABULARY_ORDER,
            LoadError::Range { .. } => TERN_RANGE,
            LoadError::Overflow { .. } => TERN_OVERFLOW,
            _ => TERN_REFUSED,
        }
    }
}

impl From<SessionError> for tern_status {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::ReadsValues => TERN_READS_VALUES,
            SessionError::ReadsText => TERN_READS_TEXT,
            _ => TERN_SCRATCH_TOO_SHORT,
        }
    }
}

impl From<StateError> for tern_status {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Buffer { .. } => TERN_BUFFER_TOO_SHORT,
            StateError::NoState => TERN_NO_STATE,
            StateError::Version { .. } => TERN_STATE_VERSION,
            StateError::Model { .. } => TERN_STATE_OF_OTHER_MODEL,
            StateError::Length { .. } => TERN_STATE_LENGTH,
            StateError::TooLong(_) => TERN_TOO_LONG,
            _ => TERN_STATE_CORRUPT,
        }
    }
}

/// The names of the statuses, in the order of their numbers.
const NAMES: [&[u8]; 36] = [
    b"ok\0",
    b"null pointer\0",
    b"no model is loaded\0",
    b"no session is started\0",
    b"misaligned\0",
    b"truncated\0",
    b"trailing bytes\0",
    b"no header of a device file\0",
    b"unsupported\0",
    b"missing feature\0",
    b"missing key\0",
    b"missing tensor\0",
    b"unknown key\0",
    b"unknown tensor\0",
    b"duplicate\0",
    b"wrong type\0",
    b"wrong shape\0",
    b"wrong place\0",
    b"wrong texts\0",
    b"vocabulary out of order\0",
    b"number out of range\0",
    b"possible overflow\0",
    b"refused\0",
    b"scratch too short\0",
    b"the model reads values\0",
    b"the model reads text\0",
    b"text too long\0",
    b"no such index\0",
    b"buffer too short\0",
    b"no saved state\0",
    b"state of another version\0",
    b"state of another model\0",
    b"state of another length\0",
    b"damaged state\0",
    b"not a multiple of the channels\0",
    b"self-test failed\0",
];

/// Returns a short name of a status in English, a string that is never freed. A number that no status has is `unknown`.
#[unsafe(no_mangle)]
pub extern "C" fn tern_status_name(status: i32) -> *const c_char {
    let name = usize::try_from(status).ok().and_then(|index| NAMES.get(index)).copied();
    name.unwrap_or(b"unknown\0").as_ptr().cast()
}
