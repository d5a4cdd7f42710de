//! The metadata of a device file: closed words.

use super::names::Place;
use super::words;
use crate::fault::{Checked, Fault, File, Key};
use crate::header::{Entry, Scanner};
use crate::kind::{CellKind, Input, Merge, Output, Pooling, Task};
use crate::model::{Model, Packing};
use crate::parts::{self, BIDIRECTIONAL, POOLING, VALUES, WIDTHS};
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
    ("classify, language-model, forecast", ALL),
    ("tokens, values", first(1, VALUES)),
    (Tokenizer::NAMES, Tokenizer::BUILT),
    ("sorted, bytes", ALL),
    ("lstm, gru, rnn, rnn_relu", CELLS),
    ("1, 2, 3, 4", ALL),
    ("1, 2", first(1, BIDIRECTIONAL)),
    ("concat, sum, mean, product", ALL),
    ("last, mean, max, mean_max", first(1, POOLING)),
    ("softmax, sigmoid, linear", ALL),
    ("interleaved4, paired16, interleaved3, interleaved1, rows", PACKINGS),
];
const ALL: u16 = u16::MAX;
const GRU: bool = parts::Gru::BUILT.is_some();
const RNN: bool = parts::Rnn::BUILT.is_some();
const INTERLEAVED4: bool = parts::Interleaved4::BUILT.is_some();
const PAIRED16: bool = parts::Paired16::BUILT.is_some();
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

/// The words of a file, in its own letters; empty where there is none.
type Found<'a> = [&'a [u8]; COUNT];

fn found<'a>(all: &Found<'a>, key: Key) -> &'a [u8] {
    all.get(usize::from(key)).copied().unwrap_or(b"")
}

/// The places of a key's words, and which are built in.
fn words_of(key: Key) -> (&'static str, u16) {
    WORDS.get(usize::from(key)).copied().unwrap_or(("", 0))
}

/// What follows `tern.` in a key.
fn rest_of(key: &[u8]) -> &[u8] {
    key.strip_prefix(TERN.as_bytes()).unwrap_or(b"")
}

fn read_words<'a>(file: &File<'a>) -> Checked<Found<'a>> {
    let mut all: Found<'a> = [b""; COUNT];
    let mut scanner = Scanner::new(file)?;
    while let Some(entry) = scanner.next()? {
        let Entry::Metadata { key, value } = entry else { continue };
        let Some(number) = words::position(rest_of(key), KEYS) else { continue };
        let Some(place) = all.get_mut(usize::from(number)) else { continue };
        if !core::mem::replace(place, value).is_empty() {
            return file.refuse(Fault::Duplicate(key));
        }
        let (list, built) = words_of(number);
        match words::position(value, list) {
            None => return file.refuse(Fault::Word { key, found: value }),
            Some(word) if built >> word & 1 == 0 => return file.refuse(Fault::NotBuilt { key: number, found: value }),
            Some(_) => {}
        }
    }
    Ok(all)
}

impl Kind {
    pub(super) fn read(file: &File<'_>) -> Checked<Self> {
        let all = &read_words(file)?;
        let word = |key: Key| words::position(found(all, key), words_of(key).0);
        let required = |key: Key| word(key).ok_or(()).or_else(|()| file.refuse(Fault::MissingKey(key)));
        let misfit = |key: Key| file.refuse(Fault::Misfit { key, found: found(all, key) });
        required(VERSION)?;
        let mut kind = Kind {
            task: of(Task::ALL, required(TASK)?),
            input: of(Input::ALL, word(INPUT).unwrap_or(0)),
            tokenizer: Tokenizer::WORDS,
            cell: of(CellKind::ALL, required(CELL)?),
            layers: 1 + required(LAYERS)?,
            directions: 1 + required(DIRECTIONS)?,
            merge: of(Merge::ALL, word(MERGE).unwrap_or(0)),
            pooling: of(Pooling::ALL, required(POOL)?),
            output: of(Output::ALL, required(OUTPUT)?),
            packing: of(&Packing::EACH, required(PACKING)?),
            layer_shifts: [None; Place::COUNT],
            fc_shift: None,
            hidden_shift: None,
        };
        if !kind.reads_values() {
            kind.tokenizer = Tokenizer::numbered(required(TOKENIZER)?);
            let is_bytes = kind.tokenizer.kind == text::Kind::Bytes;
            if required(VOCABULARY)? != u8::from(is_bytes) {
                return misfit(VOCABULARY);
            }
        }
        if kind.directions == 2 {
            required(MERGE)?;
        }
        if kind.packing != Packing::Rows && kind.packing.cell() != kind.cell.plain() {
            return misfit(PACKING);
        }
        if let Some(key) = kind.misfit() {
            return misfit(key);
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
        let mut scanner = Scanner::new(file)?;
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
            _ => {
                let [layer, reverse] = place.suffix();
                file.refuse(Fault::MissingShift([self.cell.module(), "_", layer, reverse]))
            }
        }
    }

    pub(super) fn fc_shift(&self, file: &File<'_>) -> Checked<u32> {
        match self.fc_shift {
            Some(shift) => Ok(shift.into()),
            None => file.refuse(Fault::MissingShift(["fc", "", "", ""])),
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

    pub(crate) fn shift(layer: [&'static str; 4]) -> Name {
        let [a, b, c, d] = layer;
        Name::joined(&[TERN, SHIFT, a, b, c, d])
    }

    /// All words of a key.
    pub(crate) fn words(key: &[u8]) -> &'static str {
        match super::words::position(rest_of(key), KEYS) {
            Some(number) => words_of(number).0,
            None => SHIFTS,
        }
    }

    /// The words that go with the task of the file, or with what else decides.
    pub(crate) fn fitting(file: &File<'_>, key: Key) -> &'static str {
        let all = read_words(file).unwrap_or_default();
        let task = found(&all, TASK);
        match (key, task) {
            (VOCABULARY, _) if found(&all, TOKENIZER) == b"bytes" => "bytes",
            (VOCABULARY, _) => "sorted",
            (PACKING, _) => match found(&all, CELL) {
                b"lstm" => "interleaved4, paired16, rows",
                b"gru" => "interleaved3, rows",
                _ => "interleaved1, rows",
            },
            (INPUT, b"forecast") => "values for the task forecast",
            (INPUT, _) => "tokens for the task language-model",
            (OUTPUT, b"classify") => "softmax, sigmoid for the task classify",
            (OUTPUT, b"forecast") => "linear for the task forecast",
            (OUTPUT, _) => "softmax for the task language-model",
            (DIRECTIONS, _) => "1 for the task language-model",
            _ => "last for the task language-model",
        }
    }

    /// The feature that runs a word.
    pub(crate) fn feature(key: Key, found: &[u8]) -> &'static str {
        match (key, found) {
            (INPUT, _) => "values",
            (TOKENIZER, b"wordpiece" | b"wordpiece_cased") => "wordpiece",
            (TOKENIZER, _) => "html_words",
            (DIRECTIONS, _) => "bidirectional",
            (POOL, _) => "pooling",
            (CELL, b"gru") | (PACKING, b"interleaved3") => "gru",
            (CELL, b"rnn" | b"rnn_relu") | (PACKING, b"interleaved1") => "rnn",
            (PACKING, b"paired16") => "paired16",
            (PACKING, b"rows") => "widths",
            _ => "interleaved4",
        }
    }
}
