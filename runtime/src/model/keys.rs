//! The metadata of a device file: closed words.

use super::names::Place;
use super::words;
use crate::fault::{Checked, Fault, File, Key};
use crate::header::{Entry, Scanner};
use crate::kind::{CellKind, Input, Merge, Output, Pooling, Task};
use crate::model::{Model, Packing};
use crate::parts::{self, BIDIRECTIONAL, ERRORS, HTML_WORDS, POOLING, STACKED, VALUES, WIDTHS, WORDPIECE};
use crate::text::{self, Tokenizer};

/// What every key begins with.
const TERN: &str = "tern.";
/// The keys after that.
const KEYS: &str =
    "version, task, input, tokenizer, vocabulary, cell, layers, directions, merge, pooling, output, packing";
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

/// The words of each key; enums of [`kind`](crate::kind) list them in the same order. And which of them this build runs, a bit each.
const WORDS: [(&str, u16); COUNT] = [
    (Model::FORMAT, ALL),
    (known(VALUES, "classify, language-model, forecast", "classify, language-model"), ALL),
    (known(VALUES, "tokens, values", "tokens"), first(1, VALUES)),
    (known(WORDPIECE || HTML_WORDS, Tokenizer::NAMES, Tokenizer::PLAIN_NAMES), Tokenizer::BUILT),
    ("sorted, bytes", ALL),
    (known(GRU || RNN || WIDTHS, "lstm, gru, rnn, rnn_relu", "lstm"), CELLS),
    (known(STACKED, "1, 2, 3, 4", "1"), first(1, STACKED)),
    (known(BIDIRECTIONAL, "1, 2", "1"), first(1, BIDIRECTIONAL)),
    (known(BIDIRECTIONAL, "concat, sum, mean, product", ""), ALL),
    (known(POOLING, "last, mean, max, mean_max", "last"), first(1, POOLING)),
    (known(VALUES, "softmax, sigmoid, linear", "softmax, sigmoid"), ALL),
    (
        known(
            GRU || RNN || WIDTHS,
            "interleaved4, paired16, interleaved3, interleaved1, rows",
            "interleaved4, paired16",
        ),
        PACKINGS,
    ),
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

const SHIFT: &str = "shift.";
const SHIFTS: &str = "0, 1, 2, 3, 4, 5, 6, 7, 8";

/// What the metadata says of a model, checked as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub task: Task,
    input: Input,
    pub tokenizer: Tokenizer,
    pub cell: CellKind,
    /// 1 … 4
    pub layers: u8,
    /// 1 or 2
    pub directions: u8,
    pub merge: Merge,
    pub pooling: Pooling,
    pub output: Output,
    pub packing: Packing,
    /// By [`Place::index`].
    layer_shifts: [Option<u8>; Place::COUNT],
    fc_shift: Option<u8>,
    /// None: there is no hidden layer in the head.
    pub hidden_shift: Option<u8>,
}

/// The places of a file's words in their keys' lists; [`NONE`] where the file has no such key.
type Words = [u8; COUNT];
const NONE: u8 = 0xff;
/// Keys that every file has, a bit each.
const REQUIRED: u16 =
    1 << VERSION | 1 << TASK | 1 << CELL | 1 << LAYERS | 1 << DIRECTIONS | 1 << POOL | 1 << OUTPUT | 1 << PACKING;

/// The words of a key, and which are built in.
fn words_of(key: Key) -> (&'static str, u16) {
    WORDS.get(usize::from(key)).copied().unwrap_or(("", 0))
}

/// What follows `tern.` in a key.
fn rest_of(key: &[u8]) -> &[u8] {
    key.strip_prefix(TERN.as_bytes()).unwrap_or(b"")
}

fn read_words(file: &File<'_>) -> Checked<Words> {
    let mut all = [NONE; COUNT];
    let mut scanner = Scanner::new(file);
    while let Some(entry) = scanner.next()? {
        let Entry::Metadata { key, value } = entry else { continue };
        let Some(number) = words::position(rest_of(key), KEYS) else { continue };
        let Some(place) = all.get_mut(usize::from(number)) else { continue };
        if *place != NONE {
            return file.refuse(Fault::Duplicate(key));
        }
        let (list, built) = words_of(number);
        let Some(word) = words::position(value, list) else {
            return file.refuse(Fault::Word { key, found: value });
        };
        if built >> word & 1 == 0 {
            return file.refuse(Fault::NotBuilt { key: number, word });
        }
        *place = word;
    }
    Ok(all)
}

impl Kind {
    pub(super) fn read(file: &File<'_>) -> Checked<Self> {
        let words = read_words(file)?;
        let [_, task, input, tokenizer, vocabulary, cell, layers, directions, merge, pooling, output, packing] = words;
        let mut kind = Kind {
            task: of(Task::ALL, task),
            // A file without this key reads tokens: the first of the words.
            input: of(Input::ALL, input),
            tokenizer: Tokenizer::WORDS,
            cell: of(CellKind::ALL, cell),
            layers: layers.wrapping_add(1),
            directions: directions.wrapping_add(1),
            merge: of(Merge::ALL, merge),
            pooling: of(Pooling::ALL, pooling),
            output: of(Output::ALL, output),
            packing: of(&Packing::EACH, packing),
            layer_shifts: [None; Place::COUNT],
            fc_shift: None,
            hidden_shift: None,
        };
        let mut required = REQUIRED | u16::from(kind.directions == 2) << MERGE;
        let mut is_bytes = false;
        if !kind.reads_values() {
            required |= 1 << TOKENIZER | 1 << VOCABULARY;
            kind.tokenizer = Tokenizer::numbered(tokenizer);
            is_bytes = kind.tokenizer.kind == text::Kind::Bytes;
        }
        for (key, &word) in (0u8..).zip(&words) {
            if required >> key & 1 != 0 && word == NONE {
                return file.refuse(Fault::MissingKey(key));
            }
        }
        let is_sorted = kind.reads_values() || vocabulary == u8::from(is_bytes);
        let fits = kind.packing == Packing::Rows || kind.packing.cell() == kind.cell.plain();
        let misfit = match (is_sorted, fits) {
            (false, _) => Some(VOCABULARY),
            (_, false) => Some(PACKING),
            _ => kind.misfit(),
        };
        if let Some(key) = misfit {
            return file.refuse(Fault::Misfit(key));
        }
        kind.read_shifts(file)?;
        Ok(kind)
    }

    /// Whether a step reads numbers.
    pub(super) fn reads_values(&self) -> bool {
        VALUES && self.input == Input::Values
    }

    pub(super) fn input(&self) -> Input {
        self.input
    }

    /// The key whose word does not go with the task.
    fn misfit(&self) -> Option<Key> {
        let (input, outputs) = match self.task {
            Task::Classify => (self.input, [Output::Softmax, Output::Sigmoid]),
            Task::LanguageModel => (Input::Tokens, [Output::Softmax; 2]),
            Task::Forecast => (Input::Values, [Output::Linear; 2]),
        };
        let is_language_model = self.task == Task::LanguageModel;
        if self.input != input {
            Some(INPUT)
        } else if !outputs.contains(&self.output) {
            Some(OUTPUT)
        } else if is_language_model && self.directions != 1 {
            Some(DIRECTIONS)
        } else if is_language_model && !self.pooling.is_last() {
            Some(POOL)
        } else {
            None
        }
    }

    /// The shifts, and whether every key has a place in such a model.
    fn read_shifts(&mut self, file: &File<'_>) -> Checked<()> {
        let mut scanner = Scanner::new(file);
        while let Some(entry) = scanner.next()? {
            let Entry::Metadata { key, value } = entry else { continue };
            let rest = rest_of(key);
            if let Some(number) = words::position(rest, KEYS) {
                let belongs = match number {
                    TOKENIZER | VOCABULARY => !self.reads_values(),
                    MERGE => self.directions == 2,
                    _ => true,
                };
                if belongs {
                    continue;
                }
            }
            let Some(place) = rest.strip_prefix(SHIFT.as_bytes()).and_then(|layer| self.shift_of(layer)) else {
                return file.refuse(Fault::UnknownKey(key));
            };
            let Some(shift) = words::position(value, SHIFTS) else {
                return file.refuse(Fault::Word { key, found: value });
            };
            if place.replace(shift).is_some() {
                return file.refuse(Fault::Duplicate(key));
            }
        }
        Ok(())
    }

    /// Where the shift of a layer is kept, by what follows `tern.shift.`; none of a layer that the model has not.
    fn shift_of(&mut self, layer: &[u8]) -> Option<&mut Option<u8>> {
        match layer {
            b"fc" => Some(&mut self.fc_shift),
            b"hidden" => Some(&mut self.hidden_shift),
            _ => {
                let suffix = layer.strip_prefix(self.cell.module().as_bytes())?.strip_prefix(b"_")?;
                let place = Place::from_suffix(suffix)?;
                if self.has(place) { self.layer_shifts.get_mut(place.index()) } else { None }
            }
        }
    }

    /// Whether the model has such a layer in such a direction.
    pub(super) fn has(&self, place: Place) -> bool {
        place.layer < self.layers && (self.directions == 2 || !place.reverse)
    }

    pub(super) fn shift(&self, file: &File<'_>, place: Place) -> Checked<u32> {
        match self.layer_shifts.get(place.index()) {
            Some(&Some(shift)) => Ok(shift.into()),
            _ => file.refuse(Fault::MissingShift(Some(place))),
        }
    }

    pub(super) fn fc_shift(&self, file: &File<'_>) -> Checked<u32> {
        match self.fc_shift {
            Some(shift) => Ok(shift.into()),
            None => file.refuse(Fault::MissingShift(None)),
        }
    }
}

/// The value of a word by its position in the list; both lists have the same order and length.
fn of<T: Copy>(all: &'static [T], position: u8) -> T {
    all.get(usize::from(position)).copied().unwrap_or(all[0])
}

/// What a [`LoadError`](crate::LoadError) says of keys and words.
pub(super) mod explained {
    use super::*;
    use crate::error::Name;

    pub(crate) fn key(key: Key) -> Name {
        Name::joined(&[TERN, words::nth(KEYS, key.into())])
    }

    pub(crate) fn shift(cell: CellKind, place: Option<Place>) -> Name {
        match place.map(Place::suffix) {
            None => Name::joined(&[TERN, SHIFT, "fc"]),
            Some([layer, reverse]) => Name::joined(&[TERN, SHIFT, cell.module(), "_", layer, reverse]),
        }
    }

    /// All words of a key.
    pub(crate) fn words_for(key: &[u8]) -> &'static str {
        match words::position(rest_of(key), KEYS) {
            Some(number) => words_of(number).0,
            None => SHIFTS,
        }
    }

    /// What a file says of a key, and what would go with the rest that it says.
    pub(crate) fn misfit(file: &File<'_>, key: Key) -> (&'static str, &'static str) {
        let all = read_words(file).unwrap_or([NONE; COUNT]);
        let word = |key: Key| word(key, all.get(usize::from(key)).copied().unwrap_or(NONE));
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

    fn word(key: Key, word: u8) -> &'static str {
        words::nth(words_of(key).0, word.into())
    }

    /// The feature that runs a word.
    pub(crate) fn feature(key: Key, found: u8) -> &'static str {
        match (key, word(key, found)) {
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
