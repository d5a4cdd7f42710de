//! Reads the n-gram branch of a file: its metadata and its table. The branch adds up a row of the table for each n-gram
//! of a text; a row is called a bucket, and the number of columns the rank.

use super::tensor_names::Tensor;
use crate::config::Config;
use crate::features;
use crate::kernel::buckets::Buckets;
use crate::layers::ngrams::NgramTable;
use crate::load::file::{Fault, File};
use crate::load::name_hash::NameHash;
use tern_format::limits::{NGRAM_BUCKETS, NGRAM_RANK};
use tern_format::names::key;
use tern_format::{Input, Ngrams, Task};

/// The keys of the three lengths of [`Ngrams`]. A file with the first one has an n-gram branch.
pub(super) const KEYS: [NameHash; 3] =
    [NameHash::of(key::NGRAM_WORDS), NameHash::of(key::NGRAM_MIN_CHARS), NameHash::of(key::NGRAM_MAX_CHARS)];

/// Reads the lengths of the n-grams that the file's n-gram branch counts; none if it has no such branch. `numbers`: the
/// hashes of the strings `0`, `1`, …
#[cfg_attr(feature = "errors", inline)]
pub(super) fn read_lengths(file: &File<'_>, numbers: &[NameHash]) -> Option<Ngrams> {
    let [words, ..] = KEYS;
    if !file.has(words) {
        return None;
    }
    // `check` refuses lengths that are too large.
    let [words, min_chars, max_chars] = KEYS.map(|key| match file.value_index(key, numbers) {
        Some(length) => length,
        None => {
            file.refuse(Fault::MissingKey(key));
            0
        }
    });
    Some(Ngrams { words, min_chars, max_chars })
}

/// Refuses the file if its n-grams are not valid, or if the rest of the model does not allow them.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn check(file: &File<'_>, config: &Config) {
    let Some(ngrams) = config.ngrams else { return };
    if config.task != Task::Classify || config.input != Input::Tokens {
        file.refuse(Fault::Ngrams { expected: "a classifier of text" });
    }
    if let Err(expected) = ngrams.check(config.tokenizer) {
        file.refuse(Fault::Ngrams { expected });
    }
}

/// Reads the table and writes its rank to `config`. Returns none if the model has no n-gram branch or the table is
/// empty. `shift`: the shift of the scaled sums.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn read<'a>(file: &File<'a>, config: &mut Config, shift: u32) -> Option<features::Ngrams<NgramTable<'a>>> {
    let ngrams = config.ngrams?;
    let ([buckets, columns, _], in_4_bits) = file.shape_and_type(Tensor::NGRAMS_WEIGHT);
    let rows = file.table(Tensor::NGRAMS_WEIGHT, [buckets, columns, 0], in_4_bits);
    // Only hosts use the scale; reading it checks it and marks it as known.
    file.real(Tensor::NGRAMS_SCALE);
    // The number of weights of a row: a byte holds two 4-bit weights.
    let rank = columns as usize * if in_4_bits { 2 } else { 1 };
    // The next powers of 2 in the allowed ranges, whose ends are powers of 2. (`clamp` can panic.)
    let [allowed_buckets, allowed_rank] = [(buckets as usize, NGRAM_BUCKETS), (rank, NGRAM_RANK)]
        .map(|(size, range)| size.min(*range.end()).next_power_of_two().max(*range.start()));
    if buckets as usize != allowed_buckets || rank != allowed_rank {
        let (tensor, found) = (Tensor::NGRAMS_WEIGHT, [buckets, columns, 0]);
        let allowed_columns = if in_4_bits { allowed_rank / 2 } else { allowed_rank };
        file.refuse(Fault::Shape { tensor, found, expected: [allowed_buckets as u32, allowed_columns as u32, 0] });
    }
    config.ngram_rank = rank;
    let rows = Buckets::new(rows)?;
    let fingerprint = Tensor::NGRAMS_FINGERPRINT;
    let fingerprints = if file.has(fingerprint.name_hash()) { file.bytes_of(fingerprint, buckets) } else { &[] };
    features::Ngrams::new(NgramTable {
        ngrams,
        rows,
        fingerprints: Buckets::new(fingerprints),
        // The logarithm of the bytes of a row, a power of 2.
        row_shift: columns.trailing_zeros(),
        in_4_bits,
        shift,
    })
}
