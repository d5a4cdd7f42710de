//! The ranges of a model's sizes. The trainer checks the sizes of float models. The runtime checks the limits of
//! headers, names, layers, windows, n-gram tables and shifts; all other sizes only have to fit the file.

use core::ops::RangeInclusive;

/// The number of recurrent layers, in a model that has a recurrent branch.
pub const NUM_LAYERS: RangeInclusive<usize> = 1..=4;
/// The largest number of recurrent layers.
pub const MAX_LAYERS: usize = *NUM_LAYERS.end();
/// The hidden size of a recurrent layer, in each direction.
pub const HIDDEN_SIZE: RangeInclusive<usize> = 1..=1 << 14;
/// The embedding dimension.
pub const EMBEDDING_DIM: RangeInclusive<usize> = 1..=1 << 14;
/// The number of units of the head's hidden layer; 0 if the head has none.
pub const HEAD_HIDDEN: RangeInclusive<usize> = 0..=1 << 14;
/// The number of token ids, PAD and UNK included.
pub const VOCAB_SIZE: RangeInclusive<usize> = 2..=1 << 24;
/// The number of labels of a classifier.
pub const LABELS: RangeInclusive<usize> = 2..=1 << 16;
/// The number of channels of a model that reads values.
pub const CHANNELS: RangeInclusive<usize> = 1..=1 << 12;
/// The number of time steps that a forecast reads.
pub const WINDOW: RangeInclusive<usize> = 1..=1 << 16;
/// The number of time steps that a forecast predicts.
pub const HORIZON: RangeInclusive<usize> = 1..=1 << 12;
/// The number of time steps of a season; 0 for none.
pub const SEASON: RangeInclusive<usize> = 0..=1 << 24;
/// The number of buckets of an n-gram table; it must also be a power of 2.
pub const NGRAM_BUCKETS: RangeInclusive<usize> = 1 << 4..=1 << 20;
/// The rank of an n-gram table, its number of columns; it must also be a power of 2.
pub const NGRAM_RANK: RangeInclusive<usize> = 1..=1 << 8;
/// The length of a model's name in a device file, in bytes of UTF-8.
pub const NAME_BYTES: RangeInclusive<usize> = 0..=64;
/// The length of a device file's JSON header in bytes; it must also be a multiple of 8.
pub const HEADER_BYTES: RangeInclusive<usize> = 0..=32_760;
/// The numbers of bits by which sums or hidden states are shifted: the values of the metadata keys `tern.shift.*`.
pub const SHIFT: RangeInclusive<u32> = 0..=8;
