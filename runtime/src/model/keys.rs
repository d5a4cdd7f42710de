//! The metadata of a device file: closed words.

use super::names::{Place, shift};
use super::words;
use crate::error::Name;
use crate::fault::{Fault, File};
use crate::fingerprint::Fingerprint;
use crate::header::{Scanner, string_at};
use crate::kind::{CellKind, Input, Merge, Output, Pooling, Task};
use crate::model::{Config, Model, Packing};
use crate::parts::{self, BIDIRECTIONAL, ERRORS, HIDDEN, HTML_WORDS, POOLING, STACKED, VALUES, WIDTHS, WORDPIECE};
use crate::text::{self, Tokenizer};

/// A key of the metadata, by its place in the list of them.
pub(crate) type Key = u8;

const KEYS: &str = "tern.version, tern.task, tern.input, tern.tokenizer, tern.vocabulary, tern.cell, tern.layers, tern.directions, tern.merge, \
    tern.pooling, tern.output, tern.packing";
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

/// The words of each key; enums of [`kind`](crate::kind) list them in the same order.
const WORDS: [&str; COUNT] = [
    Model::FORMAT,
    known(VALUES, "classify, language-model, forecast", "classify, language-model"),
    known(VALUES, "tokens, values", "tokens"),
    known(WORDPIECE || HTML_WORDS, Tokenizer::NAMES, Tokenizer::PLAIN_NAMES),
    "sorted, bytes",
    known(GRU || RNN || WIDTHS, "lstm, gru, rnn, rnn_relu", "lstm"),
    known(STACKED, "1, 2, 3, 4", "1"),
    known(BIDIRECTIONAL, "1, 2", "1"),
    known(BIDIRECTIONAL, "concat, sum, mean, product", ""),
    known(POOLING, "last, mean, max, mean_max", "last"),
    known(VALUES, "softmax, sigmoid, linear", "softmax, sigmoid"),
    known(GRU || RNN || WIDTHS, "interleaved4, paired16, interleaved3, interleaved1, rows", "interleaved4, paired16"),
];
/// Where each key's words begin among [`FINGERPRINTS`], and where the last one's end.
const STARTS: [u8; COUNT + 1] = {
    let (mut starts, mut key) = ([0; COUNT + 1], 0);
    while key < COUNT {
        starts[key + 1] = starts[key] + words::count(WORDS[key]) as u8;
        key += 1;
    }
    starts
};
const FINGERPRINTS: &[Fingerprint] = &Fingerprint::of_lists::<{ STARTS[COUNT] as usize }>(&WORDS);
const KEY_FINGERPRINTS: &[Fingerprint] = &Fingerprint::of_lists::<COUNT>(&[KEYS]);
const SHIFT_FINGERPRINTS: &[Fingerprint] = &Fingerprint::of_lists::<{ words::count(SHIFTS) }>(&[SHIFTS]);
/// Which of them this build runs, a bit each.
const BUILT: [u16; COUNT] = [
    ALL,
    ALL,
    first(1, VALUES),
    Tokenizer::BUILT,
    ALL,
    CELLS,
    first(1, STACKED),
    first(1, BIDIRECTIONAL),
    ALL,
    first(1, POOLING),
    ALL,
    PACKINGS,
];

/// The words that a build knows: all where one of the others is built in, or where an error names the part that is not.
const fn known(part: bool, all: &'static str, first: &'static str) -> &'static str {
    if part || ERRORS { all } else { first }
}

const ALL: u16 = u16::MAX;
const GRU: bool = parts::Gru::<()>::IS_BUILT;
const RNN: bool = parts::Rnn::<()>::IS_BUILT;
const INTERLEAVED4: bool = parts::Interleaved4::<()>::IS_BUILT;
const PAIRED16: bool = parts::Paired16::<()>::IS_BUILT;
const CELLS: u16 =
    (INTERLEAVED4 || PAIRED16 || WIDTHS) as u16 | ((GRU || WIDTHS) as u16) << 1 | ((RNN || WIDTHS) as u16 * 0b11) << 2;
const PACKINGS: u16 =
    INTERLEAVED4 as u16 | (PAIRED16 as u16) << 1 | (GRU as u16) << 2 | (RNN as u16) << 3 | (WIDTHS as u16) << 4;

/// All words where a part is built in, else the first so many.
const fn first(count: u32, part: bool) -> u16 {
    if part { ALL } else { (1 << count) - 1 }
}

const SHIFTS: &str = "0, 1, 2, 3, 4, 5, 6, 7, 8";

/// What the metadata says of a model, checked as a whole.
pub(super) struct Kind {
    /// Its sizes are not known yet.
    pub config: Config,
    pub packing: Packing,
    /// None: there is no hidden layer in the head.
    pub hidden_shift: Option<u32>,
}

/// The place of a key's word in its list; none of a key that is not there.
#[inline(never)]
fn find(file: &File<'_>, key: Key) -> Option<u8> {
    let at = usize::from(key);
    let word = file.word(*KEY_FINGERPRINTS.get(at)?, words_of(key))?;
    if BUILT.get(at)? >> word & 1 == 0 {
        file.refuse(Fault::NotBuilt { key, word });
    }
    Some(word)
}

/// As [`find`], of a key that must be there; the first word in its place.
fn word(file: &File<'_>, key: Key) -> u8 {
    find(file, key).unwrap_or_else(|| {
        file.refuse(Fault::MissingKey(key_fingerprint(key)));
        0
    })
}

/// The fingerprints of a key's words.
fn words_of(key: Key) -> &'static [Fingerprint] {
    match STARTS.get(usize::from(key)..) {
        Some([start, end, ..]) => FINGERPRINTS.get(usize::from(*start)..usize::from(*end)).unwrap_or(&[]),
        _ => &[],
    }
}

fn key_fingerprint(key: Key) -> Fingerprint {
    KEY_FINGERPRINTS.get(usize::from(key)).copied().unwrap_or(Fingerprint::EMPTY)
}

impl Kind {
    pub(super) fn read(file: &File<'_>) -> Self {
        word(file, VERSION);
        let mut config = Config {
            task: of(Task::ALL, word(file, TASK), true),
            // A file without this key reads tokens: the first of the words.
            input: of(Input::ALL, find(file, INPUT).unwrap_or(0), VALUES),
            tokenizer: Tokenizer::WORDS,
            vocab_size: 0,
            embedding_dim: 0,
            cell: of(CellKind::ALL, word(file, CELL), GRU || RNN || WIDTHS),
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
        let packing = of(&Packing::EACH, word(file, PACKING), true);
        if config.bidirectional {
            config.merge = of(Merge::ALL, word(file, MERGE), true);
        }
        if !config.reads_values() {
            config.tokenizer = Tokenizer::numbered(word(file, TOKENIZER));
            let is_bytes = config.tokenizer.kind == text::Kind::Bytes;
            if word(file, VOCABULARY) != u8::from(is_bytes) {
                file.refuse(Fault::Misfit(VOCABULARY));
            }
        }
        if packing != Packing::Rows && packing.cell() != config.cell.plain() {
            file.refuse(Fault::Misfit(PACKING));
        }
        if let Some(key) = misfit(&config) {
            file.refuse(Fault::Misfit(key));
        }
        Kind { config, packing, hidden_shift: if HIDDEN { choose(file, shift::HIDDEN) } else { None } }
    }
}

/// The key whose word does not go with the task.
fn misfit(config: &Config) -> Option<Key> {
    let (input, outputs) = match config.task {
        Task::Classify => (config.input, [Output::Softmax, Output::Sigmoid]),
        Task::LanguageModel => (Input::Tokens, [Output::Softmax; 2]),
        Task::Forecast => (Input::Values, [Output::Linear; 2]),
    };
    let is_language_model = config.task == Task::LanguageModel;
    if config.input != input {
        Some(INPUT)
    } else if !outputs.contains(&config.output) {
        Some(OUTPUT)
    } else if is_language_model && config.bidirectional {
        Some(DIRECTIONS)
    } else if is_language_model && !config.pooling.is_last() {
        Some(POOL)
    } else {
        None
    }
}

/// What the names of a model's recurrent tensors begin with.
pub(super) fn module(config: &Config) -> &'static str {
    if GRU || RNN || WIDTHS { config.cell.module() } else { CellKind::Lstm.module() }
}

/// The shift of one direction of one layer.
pub(super) fn shift(file: &File<'_>, config: &Config, place: Place) -> u32 {
    required(file, shift::of_layer(module(config), place))
}

/// A shift; none of a key that is not there.
fn choose(file: &File<'_>, key: Fingerprint) -> Option<u32> {
    file.word(key, SHIFT_FINGERPRINTS).map(u32::from)
}

/// A shift that must be there.
#[inline(never)]
pub(super) fn required(file: &File<'_>, key: Fingerprint) -> u32 {
    choose(file, key).unwrap_or_else(|| {
        file.refuse(Fault::MissingKey(key));
        0
    })
}

/// The value of a word by its position in the list; both lists have the same order and length. The first where the others are not built in.
fn of<T: Copy>(all: &'static [T], position: u8, is_built: bool) -> T {
    let position = if is_built { position.into() } else { 0 };
    all.get(position).copied().unwrap_or(all[0])
}

/// What a [`LoadError`](crate::LoadError) says of keys and words.
pub(super) mod explained {
    use super::*;

    /// What a key is called.
    pub(crate) fn name(key: Fingerprint) -> Name {
        let keys = words::each(KEYS).find(|name| Fingerprint::of(name) == key);
        keys.map_or_else(|| shift::name(key), Name::new)
    }

    pub(crate) fn key(key: Key) -> Name {
        Name::new(words::nth(KEYS, key.into()))
    }

    /// All words of a key.
    pub(crate) fn words_for(key: &[u8]) -> &'static str {
        let number = words::each(KEYS).position(|name| name.as_bytes() == key);
        number.map_or(SHIFTS, list_of)
    }

    fn list_of(key: usize) -> &'static str {
        WORDS.get(key).copied().unwrap_or("")
    }

    /// What a file says of a key, and what would go with the rest that it says.
    pub(crate) fn misfit(file: &File<'_>, key: Key) -> (&'static str, &'static str) {
        let word = |key: Key| word(file, key);
        let fitting = match (key, word(TASK)) {
            (VOCABULARY, _) if word(TOKENIZER) == "bytes" => "bytes",
            (VOCABULARY, _) => "sorted",
            (PACKING, _) => match word(CELL) {
                "lstm" => "interleaved4, paired16, rows",
                "gru" => "interleaved3, rows",
                _ => "interleaved1, rows",
            },
            (INPUT, "forecast") => "values for the task forecast",
            (INPUT, _) => "tokens for the task language-model",
            (OUTPUT, "classify") => "softmax, sigmoid for the task classify",
            (OUTPUT, "forecast") => "linear for the task forecast",
            (OUTPUT, _) => "softmax for the task language-model",
            (DIRECTIONS, _) => "1 for the task language-model",
            _ => "last for the task language-model",
        };
        (word(key), fitting)
    }

    /// What a file says of a key; nothing of one that is not there.
    fn word(file: &File<'_>, key: Key) -> &'static str {
        let Scanner { entry, .. } = file.find(key_fingerprint(key));
        let word = if entry.name == key_fingerprint(key) { entry.value.position(words_of(key)) } else { None };
        word.map_or("", |word| words::nth(list_of(key.into()), word.into()))
    }

    /// The key and the word of an entry of the metadata.
    pub(crate) fn key_and_word<'a>(file: &File<'a>, at: usize) -> [&'a [u8]; 2] {
        let key = string_at(file, at);
        [key, string_at(file, at + key.len() + "\"\":".len())]
    }

    /// The feature that runs a word.
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
    fn no_two_words_of_a_key_have_one_fingerprint() {
        let all_differ = |words: &[Fingerprint]| (1..words.len()).all(|at| words[at].position(&words[..at]).is_none());
        assert!(all_differ(KEY_FINGERPRINTS) && all_differ(SHIFT_FINGERPRINTS));
        for (key, list) in (0..).zip(WORDS) {
            let words = words_of(key);
            assert_eq!(words.len(), words::count(list), "{list}");
            assert!(all_differ(words), "{list}");
            for (word, fingerprint) in words::each(list).zip(words) {
                assert_eq!(Fingerprint::of(word), *fingerprint, "{word}");
            }
        }
    }

    #[test]
    fn words_stand_in_the_order_of_their_values() {
        let lists: [(Key, &[&str]); 6] = [
            (TASK, &Task::ALL.iter().map(|task| task.word()).collect::<std::vec::Vec<_>>()),
            (INPUT, &Input::ALL.iter().map(|input| input.word()).collect::<std::vec::Vec<_>>()),
            (CELL, &CellKind::ALL.iter().map(|cell| cell.word()).collect::<std::vec::Vec<_>>()),
            (POOL, &Pooling::ALL.iter().map(|pooling| pooling.word()).collect::<std::vec::Vec<_>>()),
            (OUTPUT, &Output::ALL.iter().map(|output| output.word()).collect::<std::vec::Vec<_>>()),
            (PACKING, &Packing::EACH.iter().map(|packing| packing.word()).collect::<std::vec::Vec<_>>()),
        ];
        for (key, values) in lists {
            assert!(words::each(WORDS[usize::from(key)]).eq(values.iter().copied()), "{values:?}");
        }
    }
}
