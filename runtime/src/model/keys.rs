//! The metadata of a device file: closed words.

use super::names::Place;
use crate::error::{LoadError, Name};
use crate::header::{Entry, Scanner};
use crate::kind::{CellKind, Input, Merge, Output, Pooling, Task};
use crate::model::{Model, Packing};
use crate::text::{self, Tokenizer};

/// Keys, and the words that this version runs, separated by `, `. Enums of [`kind`](crate::kind) list them in the same order.
const KEYS: [(&str, &str); 12] = [
    ("tern.version", Model::FORMAT),
    ("tern.task", "classify, language-model, forecast"),
    ("tern.input", "tokens, values"),
    ("tern.tokenizer", Tokenizer::NAMES),
    ("tern.vocabulary", "sorted, bytes"),
    ("tern.cell", "lstm, gru, rnn, rnn_relu"),
    ("tern.layers", "1, 2, 3, 4"),
    ("tern.directions", "1, 2"),
    ("tern.merge", "concat, sum, mean, product"),
    ("tern.pooling", "last, mean, max, mean_max"),
    ("tern.output", "softmax, sigmoid, linear"),
    ("tern.packing", "interleaved4, paired16, interleaved3, interleaved1, rows"),
];
const TASK: usize = 1;
const INPUT: usize = 2;
const TOKENIZER: usize = 3;
const VOCABULARY: usize = 4;
const CELL: usize = 5;
const LAYERS: usize = 6;
const DIRECTIONS: usize = 7;
const MERGE: usize = 8;
const POOLING: usize = 9;
const OUTPUT: usize = 10;
const PACKING: usize = 11;

const SHIFT: &str = "tern.shift.";
const SHIFTS: &str = "0, 1, 2, 3, 4, 5, 6, 7, 8";

/// What the metadata says of a model, checked as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub task: Task,
    pub input: Input,
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
    pub fc_shift: u32,
    /// None: there is no hidden layer in the head.
    pub hidden_shift: Option<u32>,
}

/// A shift's name is that of its layer.
enum Shifted {
    Layer(Place),
    Hidden,
    Fc,
}

fn shifted(name: &str, cell: CellKind) -> Option<Shifted> {
    match name {
        "fc" => Some(Shifted::Fc),
        "hidden" => Some(Shifted::Hidden),
        _ => {
            let suffix = name.strip_prefix(cell.module())?.strip_prefix('_')?;
            Place::from_suffix(suffix).map(Shifted::Layer)
        }
    }
}

/// The position of `found` in a list of words.
fn position(found: &str, list: &str) -> Option<usize> {
    // Bytes, because splitting a `str` by a pattern links a panic.
    let mut words = list.as_bytes().split(|&byte| byte == b',');
    words.position(|word| word.strip_prefix(b" ").unwrap_or(word) == found.as_bytes())
}

/// How the weights of such cells can lie.
fn packings(cell: CellKind) -> &'static str {
    match cell {
        CellKind::Lstm if cfg!(feature = "widths") => "interleaved4, paired16, rows",
        CellKind::Gru if cfg!(feature = "widths") => "interleaved3, rows",
        CellKind::Rnn | CellKind::RnnRelu if cfg!(feature = "widths") => "interleaved1, rows",
        CellKind::Lstm => "interleaved4, paired16",
        CellKind::Gru => "interleaved3",
        CellKind::Rnn | CellKind::RnnRelu => "interleaved1",
    }
}

fn unsupported(key: &str, found: &str, expected: &'static str) -> LoadError {
    LoadError::Unsupported { key: Name::new(key), found: Name::new(found), expected }
}

impl Kind {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let mut values: [Option<&str>; KEYS.len()] = [None; KEYS.len()];
        let mut scanner = Scanner::new(bytes)?;
        while let Some(entry) = scanner.next()? {
            let Entry::Metadata { key, value } = entry else { continue };
            if let Some((_, place)) = KEYS.iter().zip(&mut values).find(|((known, _), _)| *known == key)
                && place.replace(value).is_some()
            {
                return Err(LoadError::Duplicate(Name::new(key)));
            }
        }
        let word = |index: usize| -> Result<Option<usize>, LoadError> {
            let (Some(&(key, list)), Some(Some(found))) = (KEYS.get(index), values.get(index)) else { return Ok(None) };
            position(found, list).map(Some).ok_or(unsupported(key, found, list))
        };
        for index in 0..KEYS.len() {
            word(index)?;
        }
        let required = |index: usize| {
            let key = KEYS.get(index).map_or("", |(key, _)| key);
            word(index)?.ok_or(LoadError::MissingKey(Name::new(key)))
        };
        required(0)?;
        let (task, cell) = (of(Task::ALL, required(TASK)?), of(CellKind::ALL, required(CELL)?));
        let value = |index: usize| values.get(index).copied().flatten().unwrap_or("");
        let input = of(Input::ALL, word(INPUT)?.unwrap_or(0));
        let tokenizer = Tokenizer::from_name(value(TOKENIZER)).unwrap_or(Tokenizer::WORDS);
        if input == Input::Tokens {
            required(TOKENIZER)?;
            required(VOCABULARY)?;
            let expected = if tokenizer.kind == text::Kind::Bytes { "bytes" } else { "sorted" };
            if value(VOCABULARY) != expected {
                return Err(unsupported("tern.vocabulary", value(VOCABULARY), expected));
            }
        }
        let directions = 1 + required(DIRECTIONS)? as u8;
        let merge = of(Merge::ALL, if directions == 2 { required(MERGE)? } else { 0 });
        let mut kind = Kind {
            task,
            input,
            tokenizer,
            cell,
            layers: 1 + required(LAYERS)? as u8,
            directions,
            merge,
            pooling: of(Pooling::ALL, required(POOLING)?),
            output: of(Output::ALL, required(OUTPUT)?),
            packing: match value(PACKING) {
                "paired16" => Packing::Paired16,
                "rows" => Packing::Rows,
                _ => Packing::plain(cell),
            },
            layer_shifts: [None; Place::COUNT],
            fc_shift: 0,
            hidden_shift: None,
        };
        required(PACKING)?;
        if position(value(PACKING), packings(cell)).is_none() {
            return Err(unsupported("tern.packing", value(PACKING), packings(cell)));
        }
        kind.check_words(value(INPUT), value(OUTPUT), value(DIRECTIONS), value(POOLING))?;
        kind.read_shifts(bytes)?;
        Ok(kind)
    }

    /// Words that do not go together.
    fn check_words(&self, input: &str, output: &str, directions: &str, pooling: &str) -> Result<(), LoadError> {
        match (self.task, self.input, self.output) {
            (Task::Classify, _, Output::Softmax | Output::Sigmoid) => {}
            (Task::Classify, ..) => {
                return Err(unsupported("tern.output", output, "softmax, sigmoid for the task classify"));
            }
            (Task::LanguageModel, Input::Tokens, Output::Softmax) => {
                if self.directions != 1 {
                    return Err(unsupported("tern.directions", directions, "1 for the task language-model"));
                }
                if self.pooling != Pooling::Last {
                    return Err(unsupported("tern.pooling", pooling, "last for the task language-model"));
                }
            }
            (Task::LanguageModel, Input::Tokens, _) => {
                return Err(unsupported("tern.output", output, "softmax for the task language-model"));
            }
            (Task::LanguageModel, ..) => {
                return Err(unsupported("tern.input", input, "tokens for the task language-model"));
            }
            (Task::Forecast, Input::Values, Output::Linear) => {}
            (Task::Forecast, Input::Values, _) => {
                return Err(unsupported("tern.output", output, "linear for the task forecast"));
            }
            (Task::Forecast, ..) => return Err(unsupported("tern.input", input, "values for the task forecast")),
        }
        Ok(())
    }

    /// The shifts, and whether every key has a place in such a model.
    fn read_shifts(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let mut fc = None;
        let mut scanner = Scanner::new(bytes)?;
        while let Some(entry) = scanner.next()? {
            let Entry::Metadata { key, value } = entry else { continue };
            let misplaced = match KEYS.iter().position(|(known, _)| *known == key) {
                Some(TOKENIZER | VOCABULARY) => self.input != Input::Tokens,
                Some(MERGE) => self.directions != 2,
                Some(_) => false,
                None => !key.starts_with(SHIFT),
            };
            let unknown = LoadError::UnknownKey(Name::new(key));
            if misplaced {
                return Err(unknown);
            }
            let Some(name) = key.strip_prefix(SHIFT) else { continue };
            let shift = position(value, SHIFTS).ok_or(unsupported(key, value, SHIFTS))? as u8;
            let before = match shifted(name, self.cell).ok_or(unknown)? {
                Shifted::Fc => fc.replace(shift).is_some(),
                Shifted::Hidden => self.hidden_shift.replace(shift.into()).is_some(),
                Shifted::Layer(place) => {
                    if !self.has(place) {
                        return Err(unknown);
                    }
                    self.layer_shifts.get_mut(place.index()).is_some_and(|known| known.replace(shift).is_some())
                }
            };
            if before {
                return Err(LoadError::Duplicate(Name::new(key)));
            }
        }
        self.fc_shift = fc.ok_or(LoadError::MissingKey(Name::joined(&[SHIFT, "fc"])))?.into();
        for place in Place::all().filter(|&place| self.has(place)) {
            self.shift(place)?;
        }
        Ok(())
    }

    /// Whether the model has such a layer in such a direction.
    pub(super) fn has(&self, place: Place) -> bool {
        place.layer < self.layers && (self.directions == 2 || !place.reverse)
    }

    pub(super) fn shift(&self, place: Place) -> Result<u32, LoadError> {
        let shift = self.layer_shifts.get(place.index()).copied().flatten();
        let [layer, reverse] = place.suffix();
        shift.map(u32::from).ok_or(LoadError::MissingKey(Name::joined(&[
            SHIFT,
            self.cell.module(),
            "_",
            layer,
            reverse,
        ])))
    }
}

/// The value of a word by its position in the list; both lists have the same order and length.
fn of<T: Copy>(all: &'static [T], position: usize) -> T {
    all.get(position).copied().unwrap_or(all[0])
}
