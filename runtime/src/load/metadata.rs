//! Reads the metadata of a device file: keys, each with a fixed list of possible values.
//!
//! The loader compares hashes of names ([`NameHash`]). It represents a value by its index in the list of its key; if an
//! enum of `tern_format` has the values, that is also the index in the enum's `ALL`. The names themselves are needed
//! for errors only, in [`explained`]. A build without the feature `errors` that supports only the first values of a
//! list stores only those, and refuses a file with another value.

mod name_list;

use super::inputs;
#[cfg(feature = "ngrams")]
use super::ngrams;
use super::tensor_names::shift;
use crate::config::LayerDirection;
use crate::error::Name;
use crate::load::file::{Fault, File, Key};
use crate::load::name_hash::NameHash;
use crate::load::scanner::{Scanner, string_at};

use crate::config::Config;
use crate::features::{
    self, BIDIRECTIONAL, ERRORS, HIDDEN, HTML_WORDS, NGRAMS, POOLING, STACKED, TOKEN_FINGERPRINTS, VALUES, WIDTHS,
    WORDPIECE,
};
use crate::text;
use tern_format::names::key;
use tern_format::{Cell, Field, Input, Merge, Ngrams, Output, Packing, Pooling, Task, Tokenizer};

/// Declares the keys of the metadata. Each line has a constant for the key, the key's name, the names of the values
/// that this build stores, separated by `, `, and a bit mask of the values that it supports, bit 0 for the first. The
/// enum `Number` numbers the keys from 0.
macro_rules! keys {
    ($($key:ident = $name:expr, $values:expr, $built:expr;)*) => {
        #[allow(clippy::upper_case_acronyms)]
        enum Number { $($key),* }
        $(const $key: Key = Number::$key as Key;)*
        const COUNT: usize = [$($key),*].len();
        const KEYS: [&str; COUNT] = [$($name),*];
        const VALUE_NAMES: [&str; COUNT] = [$($values),*];
        const BUILT: [u16; COUNT] = [$($built),*];
    };
}

keys! {
    VERSION = key::VERSION, tern_format::VERSION, ALL;
    TASK = key::TASK, known(VALUES, Task::NAMES, 2), ALL;
    INPUT = key::INPUT, known(VALUES, Input::NAMES, 1), first_values(1, VALUES);
    TOKENIZER = key::TOKENIZER, known(WORDPIECE || HTML_WORDS, Tokenizer::NAMES, text::PLAIN_COUNT), text::BUILT;
    VOCABULARY = key::VOCABULARY, known(TOKEN_FINGERPRINTS, "sorted, bytes, fingerprints", 2),
        first_values(2, TOKEN_FINGERPRINTS);
    CELL = key::CELL, known(OTHER_CELLS, Cell::NAMES, 1), CELLS;
    LAYERS = key::LAYERS, known(STACKED, "1, 2, 3, 4", 1), first_values(1, STACKED);
    DIRECTIONS = key::DIRECTIONS, known(BIDIRECTIONAL, "1, 2", 1), first_values(1, BIDIRECTIONAL);
    MERGE = key::MERGE, known(BIDIRECTIONAL, Merge::NAMES, 1), ALL;
    POOL = key::POOLING, known(POOLING, Pooling::NAMES, 1), first_values(1, POOLING);
    OUTPUT = key::OUTPUT, known(VALUES, Output::NAMES, 2), ALL;
    PACKING = key::PACKING, known(OTHER_CELLS, Packing::NAMES, 2), PACKINGS;
}

/// The index at which the values of each key begin in [`VALUE_HASHES`], and the end of the last.
const STARTS: [u8; COUNT + 1] = {
    let (mut starts, mut key) = ([0; COUNT + 1], 0);
    while key < COUNT {
        starts[key + 1] = starts[key] + name_list::count(VALUE_NAMES[key]) as u8;
        key += 1;
    }
    starts
};
/// The hashes of the values of all keys, key by key.
const VALUE_HASHES: &[NameHash] = &NameHash::of_lists::<{ STARTS[COUNT] as usize }>(&VALUE_NAMES);
const KEY_HASHES: &[NameHash] = &NameHash::of_lists::<COUNT>(&KEYS);
/// The hashes of [`SHIFTS`], the numbers 0 to 8.
const SHIFT_HASHES: &[NameHash] = &NameHash::of_lists::<{ name_list::count(SHIFTS) }>(&[SHIFTS]);

/// Returns the names that this build stores: all `names` if those beyond the first `count` are built in (`is_built`),
/// or if errors name the feature that a file needs; otherwise the first `count`.
const fn known(is_built: bool, names: &'static str, count: usize) -> &'static str {
    if is_built || ERRORS { names } else { name_list::first(names, count) }
}

/// The bit mask of all values.
const ALL: u16 = u16::MAX;
const GRU: bool = features::Gru::<()>::IS_BUILT;
const RNN: bool = features::Rnn::<()>::IS_BUILT;
/// True if cells other than LSTM are built in, in any packing.
const OTHER_CELLS: bool = GRU || RNN || WIDTHS;
const INTERLEAVED4: bool = features::Interleaved4::<()>::IS_BUILT;
const PAIRED16: bool = features::Paired16::<()>::IS_BUILT;
/// The bit masks of the cells and of the packings that this build supports, in the order of their enums. The plain
/// cells have two values, with tanh and with ReLU.
const CELLS: u16 =
    (INTERLEAVED4 || PAIRED16 || WIDTHS) as u16 | ((GRU || WIDTHS) as u16) << 1 | ((RNN || WIDTHS) as u16 * 0b11) << 2;
const PACKINGS: u16 =
    INTERLEAVED4 as u16 | (PAIRED16 as u16) << 1 | (GRU as u16) << 2 | (RNN as u16) << 3 | (WIDTHS as u16) << 4;

/// Returns the bit mask of all values if the feature for the others is on (`is_built`), otherwise of the first `count`.
const fn first_values(count: u32, is_built: bool) -> u16 {
    if is_built { ALL } else { (1 << count) - 1 }
}

/// The values of a shift. The lengths of n-grams are read from the same list.
const SHIFTS: &str = "0, 1, 2, 3, 4, 5, 6, 7, 8";

/// The metadata of a file, checked.
pub(super) struct Metadata {
    /// The choices. The sizes, other than the number of layers, are still 0; the loader reads them later from the
    /// shapes of the tensors.
    pub config: Config,
    pub packing: Packing,
    /// The shift of the head's hidden layer; none if there is no such layer.
    pub hidden_shift: Option<u32>,
    /// The shift of the n-gram branch; 0 without one.
    #[cfg(feature = "ngrams")]
    pub ngram_shift: u32,
}

/// Returns the index of the value of a key; none if the key is missing or its value is unknown. Records a fault if the
/// value is unknown or not built in.
#[inline(never)]
fn optional(file: &File<'_>, key: Key) -> Option<u8> {
    let number = usize::from(key);
    let value = file.value_index(*KEY_HASHES.get(number)?, value_hashes(key))?;
    if BUILT.get(number)? >> value & 1 == 0 {
        file.refuse(Fault::NotBuilt { key, value });
    }
    Some(value)
}

/// Returns the index of the value of a required key. Records a fault and returns 0 if the key is missing or its value
/// is unknown.
#[inline(never)]
fn required(file: &File<'_>, key: Key) -> u8 {
    optional(file, key).unwrap_or_else(|| {
        file.refuse(Fault::MissingKey(key_hash(key)));
        0
    })
}

/// The hashes of the values of a key.
fn value_hashes(key: Key) -> &'static [NameHash] {
    match STARTS.get(usize::from(key)..) {
        Some([start, end, ..]) => VALUE_HASHES.get(usize::from(*start)..usize::from(*end)).unwrap_or(&[]),
        _ => &[],
    }
}

fn key_hash(key: Key) -> NameHash {
    KEY_HASHES.get(usize::from(key)).copied().unwrap_or(NameHash::EMPTY)
}

impl Metadata {
    #[cfg_attr(feature = "errors", inline)]
    pub(super) fn read(file: &File<'_>) -> Self {
        required(file, VERSION);
        let ngrams = ngrams_of(file);
        // A model has a recurrent branch unless it has only an n-gram branch.
        let is_recurrent = !NGRAMS || ngrams.is_none() || file.has(key_hash(CELL));
        let [cell, layers, directions, pooling, packing] =
            [CELL, LAYERS, DIRECTIONS, POOL, PACKING].map(|key| if is_recurrent { required(file, key) } else { 0 });
        let mut config = Config {
            task: value_at(Task::ALL, required(file, TASK), true),
            // A file without this key reads tokens, the first value.
            input: value_at(Input::ALL, optional(file, INPUT).unwrap_or(0), VALUES),
            tokenizer: Tokenizer::WORDS,
            vocab_size: 0,
            embedding_dim: 0,
            cell: value_at(Cell::ALL, cell, OTHER_CELLS),
            // The value with the index 0 is 1 layer.
            layers: usize::from(layers) + usize::from(is_recurrent),
            // The value with the index 1 is 2 directions.
            bidirectional: directions == 1 && BIDIRECTIONAL,
            merge: Merge::Concat,
            pooling: value_at(Pooling::ALL, pooling, POOLING),
            hidden_size: 0,
            ngrams,
            ngram_rank: 0,
            pooled_shift: 0,
            head_hidden: 0,
            output: value_at(Output::ALL, required(file, OUTPUT), true),
            classes: 0,
            window: 0,
        };
        let packing = value_at(Packing::ALL, packing, true);
        // The feature `widths` builds all cells in, but only for the packing `rows`.
        let is_built = match config.cell {
            Cell::Lstm => true,
            Cell::Gru => GRU,
            Cell::Rnn | Cell::RnnRelu => RNN,
        };
        if WIDTHS && packing == Packing::Paired16 && !is_built {
            file.refuse(Fault::NotBuilt { key: CELL, value: cell });
        }
        if config.bidirectional {
            config.merge = value_at(Merge::ALL, required(file, MERGE), true);
        }
        if !config.reads_values() {
            config.tokenizer = text::numbered(required(file, TOKENIZER));
            let is_bytes = config.tokenizer.is_bytes();
            // The values are `sorted`, `bytes` and `fingerprints`, in this order.
            let (value, expected) = match is_bytes {
                _ if inputs::has_token_fingerprints(file, &config) => (2, "fingerprints"),
                true => (1, "bytes"),
                false => (0, "sorted"),
            };
            if is_recurrent && required(file, VOCABULARY) != value {
                file.refuse(Fault::Conflict { key: VOCABULARY, expected });
            }
        }
        if let Err(conflict) = choices(&config, packing).check() {
            file.refuse(Fault::Conflict { key: key_of(conflict.field), expected: conflict.expected });
        }
        #[cfg(feature = "ngrams")]
        {
            ngrams::check(file, &config);
            // In other models the key is refused as an unused entry.
            if is_recurrent && config.ngrams.is_some() {
                config.pooled_shift = optional_shift(file, shift::POOLED).unwrap_or(0);
            }
        }
        Metadata {
            config,
            packing,
            hidden_shift: if HIDDEN { optional_shift(file, shift::HIDDEN) } else { None },
            #[cfg(feature = "ngrams")]
            ngram_shift: if config.ngrams.is_some() { required_shift(file, shift::NGRAMS) } else { 0 },
        }
    }
}

/// Reads the n-grams that the file's n-gram branch counts; none if it has no such branch.
#[cfg(feature = "ngrams")]
fn ngrams_of(file: &File<'_>) -> Option<Ngrams> {
    ngrams::read_lengths(file, SHIFT_HASHES)
}

/// Returns none, and refuses a file with an n-gram branch.
#[cfg(not(feature = "ngrams"))]
fn ngrams_of(file: &File<'_>) -> Option<Ngrams> {
    if ERRORS && file.has(NameHash::of(key::NGRAM_WORDS)) {
        file.refuse(Fault::NgramsNotBuilt);
    }
    None
}

/// Returns the choices as the type of `tern_format` that checks their combinations.
#[cfg_attr(feature = "errors", inline)]
fn choices(config: &Config, packing: Packing) -> tern_format::Config {
    tern_format::Config {
        task: config.task,
        input: config.input,
        output: config.output,
        cell: config.cell,
        bidirectional: config.bidirectional,
        merge: config.merge,
        pooling: config.pooling,
        packing: Some(packing),
    }
}

/// Returns the key that stores a field.
fn key_of(field: Field) -> Key {
    match field {
        Field::Input => INPUT,
        Field::Output => OUTPUT,
        Field::Bidirectional => DIRECTIONS,
        Field::Merge => MERGE,
        Field::Pooling => POOL,
        Field::Packing => PACKING,
    }
}

/// The module name with which the names of the recurrent tensors begin.
pub(super) fn module(config: &Config) -> &'static str {
    if OTHER_CELLS { config.cell.module() } else { Cell::Lstm.module() }
}

/// Reads the shift of one direction of a layer.
pub(super) fn shift(file: &File<'_>, config: &Config, direction: LayerDirection) -> u32 {
    required_shift(file, shift::of_layer(module(config), direction))
}

/// Reads a shift; none if the key is missing or its value is not a shift, which is a fault.
fn optional_shift(file: &File<'_>, key: NameHash) -> Option<u32> {
    file.value_index(key, SHIFT_HASHES).map(u32::from)
}

/// Reads a required shift. Records a fault and returns 0 if the key is missing or its value is not a shift.
#[inline(never)]
pub(super) fn required_shift(file: &File<'_>, key: NameHash) -> u32 {
    optional_shift(file, key).unwrap_or_else(|| {
        file.refuse(Fault::MissingKey(key));
        0
    })
}

/// Returns the value at an index of an enum's `ALL`. Returns the first if `is_built` is false, so that the compiler
/// sees a constant.
fn value_at<T: Copy>(all: &'static [T], index: u8, is_built: bool) -> T {
    let built_index = if is_built { index.into() } else { 0 };
    all.get(built_index).copied().unwrap_or(all[0])
}

/// Looks up the names of keys and values for a [`LoadError`](crate::LoadError).
pub(super) mod explained {
    use super::*;

    /// The name of the key with this hash: a key of the list above, of a shift, or of a length of n-grams.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn name(key: NameHash) -> Name {
        let name_in_list = KEYS.into_iter().find(|name| NameHash::of(name) == key);
        name_in_list.map_or_else(|| shift::name(key), Name::new)
    }

    /// The name of a key of the list above.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn key(key: Key) -> Name {
        Name::new(KEYS.get(usize::from(key)).copied().unwrap_or(""))
    }

    /// All values of a key, separated by `, `. A key that is not in the list above has the values of a shift.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn values_of(key: &[u8]) -> &'static str {
        let number = KEYS.iter().position(|name| name.as_bytes() == key);
        number.map_or(SHIFTS, list_of)
    }

    /// The names of the values of a key of the list above, separated by `, `.
    #[cfg_attr(feature = "errors", inline)]
    fn list_of(key: usize) -> &'static str {
        VALUE_NAMES.get(key).copied().unwrap_or("")
    }

    /// The value of a key in a file; empty if the key is missing or its value is unknown.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn value(file: &File<'_>, key: Key) -> &'static str {
        let Scanner { entry, .. } = file.find(key_hash(key));
        let index = if entry.name == key_hash(key) { entry.value.position(value_hashes(key)) } else { None };
        index.map_or("", |index| name_list::nth(list_of(key.into()), index.into()))
    }

    /// The key and the value of the metadata entry `"key":"value"` at the offset `at` of the file.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn key_and_value<'a>(file: &File<'a>, at: usize) -> [&'a [u8]; 2] {
        let key = string_at(file, at);
        // The quotes around the key and the colon come before the value.
        [key, string_at(file, at + key.len() + "\"\":".len())]
    }

    /// The feature that a value of a key needs. `found`: the index of the value.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn feature(key: Key, found: u8) -> &'static str {
        match (key, name_list::nth(list_of(key.into()), found.into())) {
            (INPUT, _) => "values",
            (TOKENIZER, "wordpiece" | "wordpiece_cased") => "wordpiece",
            (TOKENIZER, _) => "html_words",
            (VOCABULARY, _) => "token_fingerprints",
            (LAYERS, _) => "stacked",
            (DIRECTIONS, _) => "bidirectional",
            (POOL, _) => "pooling",
            (CELL, "gru") | (PACKING, "interleaved3") => "gru",
            (CELL, "rnn" | "rnn_relu") | (PACKING, "interleaved1") => "rnn",
            (PACKING, "paired16") => "paired16",
            (PACKING, "rows") => "widths",
            _ => "interleaved4",
        }
    }
}

#[cfg(test)]
mod tests;
