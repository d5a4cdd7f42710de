//! Reads the metadata of a device file: keys whose values come from fixed lists.

use super::tensor_names::shift;
use super::words;
use crate::config::Place;
use crate::error::Name;
use crate::load::file::{Fault, File, Key};
use crate::load::name_hash::NameHash;
use crate::load::scanner::{Scanner, string_at};

use crate::config::Config;
use crate::features::{self, BIDIRECTIONAL, ERRORS, HIDDEN, HTML_WORDS, POOLING, STACKED, VALUES, WIDTHS, WORDPIECE};
use crate::text;
use tern_format::names::key;
use tern_format::{Cell, Field, Input, Merge, Output, Packing, Pooling, Task, Tokenizer};

const KEYS: [&str; COUNT] = [
    key::VERSION,
    key::TASK,
    key::INPUT,
    key::TOKENIZER,
    key::VOCABULARY,
    key::CELL,
    key::LAYERS,
    key::DIRECTIONS,
    key::MERGE,
    key::POOLING,
    key::OUTPUT,
    key::PACKING,
];
const VERSION: Key = 0;
const TASK: Key = 1;
const INPUT: Key = 2;
const TOKENIZER: Key = 3;
const VOCABULARY: Key = 4;
const CELL: Key = 5;
const LAYERS: Key = 6;
const DIRECTIONS: Key = 7;
const MERGE: Key = 8;
const POOL: Key = 9;
const OUTPUT: Key = 10;
const PACKING: Key = 11;
const COUNT: usize = 12;

/// The values of each key, in the order of the enums' `ALL`.
const WORDS: [&str; COUNT] = [
    tern_format::VERSION,
    known(VALUES, Task::NAMES, 2),
    known(VALUES, Input::NAMES, 1),
    known(WORDPIECE || HTML_WORDS, Tokenizer::NAMES, text::PLAIN_NAMES),
    "sorted, bytes",
    known(GRU || RNN || WIDTHS, Cell::NAMES, 1),
    known(STACKED, "1, 2, 3, 4", 1),
    known(BIDIRECTIONAL, "1, 2", 1),
    known(BIDIRECTIONAL, Merge::NAMES, 1),
    known(POOLING, Pooling::NAMES, 1),
    known(VALUES, Output::NAMES, 2),
    known(GRU || RNN || WIDTHS, Packing::NAMES, 2),
];
/// The index in [`VALUE_HASHES`] at which the values of each key begin, and the end of the last.
const STARTS: [u8; COUNT + 1] = {
    let (mut starts, mut key) = ([0; COUNT + 1], 0);
    while key < COUNT {
        starts[key + 1] = starts[key] + words::count(WORDS[key]) as u8;
        key += 1;
    }
    starts
};
const VALUE_HASHES: &[NameHash] = &NameHash::of_lists::<{ STARTS[COUNT] as usize }>(&WORDS);
const KEY_HASHES: &[NameHash] = &NameHash::of_lists::<COUNT>(&KEYS);
const SHIFT_HASHES: &[NameHash] = &NameHash::of_lists::<{ words::count(SHIFTS) }>(&[SHIFTS]);
/// The values that this build supports, one bit each.
const BUILT: [u16; COUNT] = [
    ALL,
    ALL,
    first(1, VALUES),
    text::BUILT,
    ALL,
    CELLS,
    first(1, STACKED),
    first(1, BIDIRECTIONAL),
    ALL,
    first(1, POOLING),
    ALL,
    PACKINGS,
];

/// The names that a build compares with: all of them if one of those after the first `count` is built in, or if errors
/// name the feature that is missing; otherwise the first `count`.
const fn known(is_built: bool, names: &'static str, count: usize) -> &'static str {
    if is_built || ERRORS { names } else { words::first(names, count) }
}

const ALL: u16 = u16::MAX;
const GRU: bool = features::Gru::<()>::IS_BUILT;
const RNN: bool = features::Rnn::<()>::IS_BUILT;
const INTERLEAVED4: bool = features::Interleaved4::<()>::IS_BUILT;
const PAIRED16: bool = features::Paired16::<()>::IS_BUILT;
const CELLS: u16 =
    (INTERLEAVED4 || PAIRED16 || WIDTHS) as u16 | ((GRU || WIDTHS) as u16) << 1 | ((RNN || WIDTHS) as u16 * 0b11) << 2;
const PACKINGS: u16 =
    INTERLEAVED4 as u16 | (PAIRED16 as u16) << 1 | (GRU as u16) << 2 | (RNN as u16) << 3 | (WIDTHS as u16) << 4;

/// All values if the feature is on, otherwise the first `count`.
const fn first(count: u32, part: bool) -> u16 {
    if part { ALL } else { (1 << count) - 1 }
}

const SHIFTS: &str = "0, 1, 2, 3, 4, 5, 6, 7, 8";

/// The configuration in the metadata, checked.
pub(super) struct Kind {
    /// The choices; the sizes are still 0.
    pub config: Config,
    pub packing: Packing,
    /// The shift of the head's hidden layer; none if there is no such layer.
    pub hidden_shift: Option<u32>,
}

/// The index of the value of a key; none if the key is missing.
#[inline(never)]
fn find(file: &File<'_>, key: Key) -> Option<u8> {
    let at = usize::from(key);
    let word = file.word(*KEY_HASHES.get(at)?, words_of(key))?;
    if BUILT.get(at)? >> word & 1 == 0 {
        file.refuse(Fault::NotBuilt { key, word });
    }
    Some(word)
}

/// The index of the value of a required key; 0 if the key is missing.
fn word(file: &File<'_>, key: Key) -> u8 {
    find(file, key).unwrap_or_else(|| {
        file.refuse(Fault::MissingKey(key_hash(key)));
        0
    })
}

/// The hashes of the values of a key.
fn words_of(key: Key) -> &'static [NameHash] {
    match STARTS.get(usize::from(key)..) {
        Some([start, end, ..]) => VALUE_HASHES.get(usize::from(*start)..usize::from(*end)).unwrap_or(&[]),
        _ => &[],
    }
}

fn key_hash(key: Key) -> NameHash {
    KEY_HASHES.get(usize::from(key)).copied().unwrap_or(NameHash::EMPTY)
}

impl Kind {
    pub(super) fn read(file: &File<'_>) -> Self {
        word(file, VERSION);
        let mut config = Config {
            task: of(Task::ALL, word(file, TASK), true),
            // A file without this key reads tokens, the first value.
            input: of(Input::ALL, find(file, INPUT).unwrap_or(0), VALUES),
            tokenizer: Tokenizer::WORDS,
            vocab_size: 0,
            embedding_dim: 0,
            cell: of(Cell::ALL, word(file, CELL), GRU || RNN || WIDTHS),
            layers: usize::from(word(file, LAYERS)) + 1,
            bidirectional: word(file, DIRECTIONS) == 1 && BIDIRECTIONAL,
            merge: Merge::Concat,
            pooling: of(Pooling::ALL, word(file, POOL), POOLING),
            hidden_size: 0,
            head_hidden: 0,
            output: of(Output::ALL, word(file, OUTPUT), true),
            classes: 0,
            window: 0,
        };
        let packing = of(Packing::ALL, word(file, PACKING), true);
        if config.bidirectional {
            config.merge = of(Merge::ALL, word(file, MERGE), true);
        }
        if !config.reads_values() {
            config.tokenizer = text::numbered(word(file, TOKENIZER));
            let is_bytes = config.tokenizer.is_bytes();
            if word(file, VOCABULARY) != u8::from(is_bytes) {
                let expected = if is_bytes { "bytes" } else { "sorted" };
                file.refuse(Fault::Misfit { key: VOCABULARY, expected });
            }
        }
        if let Err(conflict) = choices(&config, packing).check() {
            file.refuse(Fault::Misfit { key: key_of(conflict.field()), expected: conflict.expected() });
        }
        Kind { config, packing, hidden_shift: if HIDDEN { choose(file, shift::HIDDEN) } else { None } }
    }
}

/// The choices that must go together.
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

/// The key that holds a field.
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
    if GRU || RNN || WIDTHS { config.cell.module() } else { Cell::Lstm.module() }
}

/// The shift of one direction of a layer.
pub(super) fn shift(file: &File<'_>, config: &Config, place: Place) -> u32 {
    required(file, shift::of_layer(module(config), place))
}

/// A shift; none if the key is missing.
fn choose(file: &File<'_>, key: NameHash) -> Option<u32> {
    file.word(key, SHIFT_HASHES).map(u32::from)
}

/// A required shift.
#[inline(never)]
pub(super) fn required(file: &File<'_>, key: NameHash) -> u32 {
    choose(file, key).unwrap_or_else(|| {
        file.refuse(Fault::MissingKey(key));
        0
    })
}

/// The value at an index; the first if the others are not built in.
fn of<T: Copy>(all: &'static [T], position: u8, is_built: bool) -> T {
    let position = if is_built { position.into() } else { 0 };
    all.get(position).copied().unwrap_or(all[0])
}

/// The names of keys and values for a [`LoadError`](crate::LoadError).
pub(super) mod explained {
    use super::*;

    /// The name of a key.
    pub(crate) fn name(key: NameHash) -> Name {
        let keys = KEYS.into_iter().find(|name| NameHash::of(name) == key);
        keys.map_or_else(|| shift::name(key), Name::new)
    }

    pub(crate) fn key(key: Key) -> Name {
        Name::new(KEYS.get(usize::from(key)).copied().unwrap_or(""))
    }

    /// All values of a key.
    pub(crate) fn words_for(key: &[u8]) -> &'static str {
        let number = KEYS.iter().position(|name| name.as_bytes() == key);
        number.map_or(SHIFTS, list_of)
    }

    fn list_of(key: usize) -> &'static str {
        WORDS.get(key).copied().unwrap_or("")
    }

    /// The value of a key in a file; empty if the key is missing.
    pub(crate) fn value(file: &File<'_>, key: Key) -> &'static str {
        let Scanner { entry, .. } = file.find(key_hash(key));
        let word = if entry.name == key_hash(key) { entry.value.position(words_of(key)) } else { None };
        word.map_or("", |word| words::nth(list_of(key.into()), word.into()))
    }

    /// The key and the value of an entry of the metadata.
    pub(crate) fn key_and_word<'a>(file: &File<'a>, at: usize) -> [&'a [u8]; 2] {
        let key = string_at(file, at);
        [key, string_at(file, at + key.len() + "\"\":".len())]
    }

    /// The feature that a value needs.
    pub(crate) fn feature(key: Key, found: u8) -> &'static str {
        match (key, words::nth(list_of(key.into()), found.into())) {
            (INPUT, _) => "values",
            (TOKENIZER, "wordpiece" | "wordpiece_cased") => "wordpiece",
            (TOKENIZER, _) => "html_words",
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
mod tests {
    use super::*;

    #[test]
    fn no_two_values_of_a_key_have_the_same_hash() {
        let all_differ = |words: &[NameHash]| (1..words.len()).all(|at| words[at].position(&words[..at]).is_none());
        assert!(all_differ(KEY_HASHES) && all_differ(SHIFT_HASHES));
        for (key, list) in (0..).zip(WORDS) {
            let words = words_of(key);
            assert_eq!(words.len(), words::count(list), "{list}");
            assert!(all_differ(words), "{list}");
            for (word, name_hash) in words::each(list).zip(words) {
                assert_eq!(NameHash::of(word), *name_hash, "{word}");
            }
        }
    }

    #[test]
    fn words_stand_in_the_order_of_their_values() {
        let lists: [(Key, &[&str]); 6] = [
            (TASK, &Task::ALL.iter().map(|task| task.name()).collect::<std::vec::Vec<_>>()),
            (INPUT, &Input::ALL.iter().map(|input| input.name()).collect::<std::vec::Vec<_>>()),
            (CELL, &Cell::ALL.iter().map(|cell| cell.name()).collect::<std::vec::Vec<_>>()),
            (POOL, &Pooling::ALL.iter().map(|pooling| pooling.name()).collect::<std::vec::Vec<_>>()),
            (OUTPUT, &Output::ALL.iter().map(|output| output.name()).collect::<std::vec::Vec<_>>()),
            (PACKING, &Packing::ALL.iter().map(|packing| packing.name()).collect::<std::vec::Vec<_>>()),
        ];
        for (key, values) in lists {
            assert!(words::each(WORDS[usize::from(key)]).eq(values.iter().copied()), "{values:?}");
        }
    }
}
