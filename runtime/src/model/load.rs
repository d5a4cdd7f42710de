//! From bytes to a checked [`Model`].

use core::num::NonZeroUsize;

use bytemuck::Pod;

use super::{Calibration, Config, Model, Packing, bounds, paired};
use crate::embedding::Embedding;
use crate::error::{LoadError, Name};
use crate::head::Head;
use crate::header::{Dtype, Entry, Scanner, TensorInfo, header_len};
use crate::lstm::{Layer, Lstm, Paired};
use crate::text::{Kind, Tokenizer};
use crate::texts::Texts;
use crate::vocabulary::Vocabulary;

/// Metadata keys, and the words that this version runs.
const KEYS: [(&str, &str); 12] = [
    ("tern.version", Model::FORMAT),
    ("tern.task", "classify"),
    (TOKENIZER, Tokenizer::NAMES),
    (VOCABULARY, "sorted, bytes"),
    ("tern.cell", "lstm"),
    ("tern.layers", "1"),
    ("tern.directions", "1"),
    ("tern.pooling", "last"),
    ("tern.output", "softmax"),
    (PACKING, "interleaved4, paired16"),
    (SHIFT_LSTM, SHIFTS),
    (SHIFT_FC, SHIFTS),
];
const TOKENIZER: &str = "tern.tokenizer";
const VOCABULARY: &str = "tern.vocabulary";
const PACKING: &str = "tern.packing";
const SHIFT_LSTM: &str = "tern.shift.lstm_l0";
const SHIFT_FC: &str = "tern.shift.fc";
const SHIFTS: &str = "0, 1, 2, 3, 4, 5, 6, 7, 8";

const UNITS: &str = "lstm.units_l0";

const TENSORS: [&str; 21] = [
    "name",
    "labels.offsets",
    "labels.bytes",
    "vocab.offsets",
    "vocab.bytes",
    "embedding.weight",
    "embedding.multiplier",
    "embedding.scale",
    "lstm.weight_ih_l0",
    "lstm.weight_hh_l0",
    "lstm.bias_l0",
    "lstm.multiplier_ih_l0",
    "lstm.multiplier_hh_l0",
    UNITS,
    "fc.weight",
    "fc.bias",
    "fc.multiplier",
    "golden.offsets",
    "golden.bytes",
    "golden.logits",
    "calibration",
];

/// The length that a device file says it has, from its header alone. Bytes may follow it: a flash slot is larger than its model.
///
/// # Errors
/// [`LoadError::Truncated`] if `bytes` is shorter than that; [`LoadError::Header`] if there is no header.
pub fn file_len(bytes: &[u8]) -> Result<usize, LoadError> {
    let mut scanner = Scanner::new(bytes)?;
    let mut end = 0;
    while let Some(entry) = scanner.next()? {
        if let Entry::Tensor(info) = entry {
            if info.begin != end {
                return Err(LoadError::Place(Name::new(info.name)));
            }
            end = info.end;
        }
    }
    match header_len(bytes)?.checked_add(end) {
        Some(expected) if expected <= bytes.len() => Ok(expected),
        expected => Err(LoadError::Truncated { found: bytes.len(), expected: expected.unwrap_or(usize::MAX) }),
    }
}

/// Everything that the header names, found but not yet checked against each other.
struct Directory<'a> {
    /// By [`KEYS`].
    values: [Option<&'a str>; KEYS.len()],
    /// By [`TENSORS`].
    tensors: [Option<(TensorInfo<'a>, &'a [u8])>; TENSORS.len()],
}

impl<'a> Directory<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let data = bytes.get(header_len(bytes)?..).unwrap_or(&[]);
        let mut directory = Directory { values: [None; KEYS.len()], tensors: [None; TENSORS.len()] };
        let mut scanner = Scanner::new(bytes)?;
        while let Some(entry) = scanner.next()? {
            let name = match entry {
                Entry::Metadata { key, value } => {
                    let place = KEYS.iter().zip(&mut directory.values).find(|((known, _), _)| *known == key);
                    let (_, place) = place.ok_or(LoadError::UnknownKey(Name::new(key)))?;
                    place.replace(value).map(|_| key)
                }
                Entry::Tensor(info) => {
                    let place = TENSORS.iter().zip(&mut directory.tensors).find(|(known, _)| **known == info.name);
                    let (_, place) = place.ok_or(LoadError::UnknownTensor(Name::new(info.name)))?;
                    let bytes = data.get(info.begin..info.end).ok_or(LoadError::Place(Name::new(info.name)))?;
                    place.replace((info, bytes)).map(|_| info.name)
                }
            };
            if let Some(name) = name {
                return Err(LoadError::Duplicate(Name::new(name)));
            }
        }
        directory.check_values()?;
        Ok(directory)
    }

    /// Every key must be there with a word that this version runs. Words are separated by `, ` in [`KEYS`].
    fn check_values(&self) -> Result<(), LoadError> {
        for ((key, expected), value) in KEYS.iter().zip(&self.values) {
            let found = value.ok_or(LoadError::MissingKey(key))?;
            // Bytes, because splitting a `str` by a pattern links a panic.
            let mut words = expected.as_bytes().split(|&byte| byte == b',');
            if !words.any(|word| word.strip_prefix(b" ").unwrap_or(word) == found.as_bytes()) {
                return Err(LoadError::Unsupported { key, found: Name::new(found), expected });
            }
        }
        Ok(())
    }

    fn value(&self, key: &str) -> &'a str {
        let value = KEYS.iter().zip(&self.values).find(|((known, _), _)| *known == key).and_then(|(_, value)| *value);
        value.unwrap_or("")
    }

    /// How text becomes tokens, and which there are.
    fn text(&self) -> Result<(Tokenizer, Vocabulary<'a>), LoadError> {
        let tokenizer = Tokenizer::from_name(self.value(TOKENIZER)).unwrap_or(Tokenizer::WORDS);
        let found = self.value(VOCABULARY);
        let expected = if tokenizer.kind == Kind::Bytes { "bytes" } else { "sorted" };
        if found != expected {
            return Err(LoadError::Unsupported { key: VOCABULARY, found: Name::new(found), expected });
        }
        let (offsets, bytes) = ("vocab.offsets", "vocab.bytes");
        if tokenizer.kind != Kind::Bytes {
            return Ok((tokenizer, Vocabulary::new(self.texts("vocab", offsets, bytes)?)?));
        }
        match [offsets, bytes].into_iter().find(|tensor| self.find(tensor).is_ok()) {
            Some(tensor) => Err(LoadError::UnknownTensor(Name::new(tensor))),
            None => Ok((tokenizer, Vocabulary::BYTES)),
        }
    }

    /// How the recurrent weights lie. A tensor of another packing is one that the file should not have.
    fn packing(&self) -> Result<Packing, LoadError> {
        let paired = self.value(PACKING) == Packing::Paired16.word();
        for (tensor, found) in TENSORS.iter().zip(&self.tensors) {
            if found.is_some() && tensor.starts_with("lstm.") && (*tensor == UNITS) != paired {
                return Err(LoadError::UnknownTensor(Name::new(tensor)));
            }
        }
        Ok(if paired { Packing::Paired16 } else { Packing::Interleaved4 })
    }

    /// A value of one digit, checked by [`check_values`](Self::check_values).
    fn digit(&self, key: &str) -> u32 {
        self.value(key).bytes().next().map_or(0, |digit| u32::from(digit.wrapping_sub(b'0')) % 10)
    }

    fn find(&self, tensor: &'static str) -> Result<(TensorInfo<'a>, &'a [u8]), LoadError> {
        let place = TENSORS.iter().zip(&self.tensors).find(|(known, _)| **known == tensor);
        place.and_then(|(_, found)| *found).ok_or(LoadError::MissingTensor(tensor))
    }

    fn shape(&self, tensor: &'static str) -> Result<[u32; 3], LoadError> {
        self.find(tensor).map(|(info, _)| info.shape)
    }

    /// The elements of a tensor that must have this type and shape, as `T` or groups of it.
    fn view<T: Pod>(&self, tensor: &'static str, dtype: Dtype, shape: [u32; 3]) -> Result<&'a [T], LoadError> {
        let (info, bytes) = self.find(tensor)?;
        if info.dtype != dtype {
            return Err(LoadError::Type { tensor, expected: dtype.name() });
        }
        if info.shape != shape {
            return Err(LoadError::Shape { tensor, found: info.shape, expected: shape });
        }
        bytemuck::try_cast_slice(bytes).map_err(|_| LoadError::Place(Name::new(tensor)))
    }

    /// A tensor of one dimension, of any length.
    fn list<T: Pod>(&self, tensor: &'static str, dtype: Dtype) -> Result<&'a [T], LoadError> {
        let [length, ..] = self.shape(tensor)?;
        self.view(tensor, dtype, [length, 0, 0])
    }

    fn texts(&self, table: &'static str, offsets: &'static str, bytes: &'static str) -> Result<Texts<'a>, LoadError> {
        Texts::new(table, self.list(offsets, Dtype::U32)?, self.list(bytes, Dtype::U8)?)
    }

    /// Weights; −128 is not one.
    fn weights(&self, tensor: &'static str, shape: [u32; 3]) -> Result<&'a [i8], LoadError> {
        let weights = self.view(tensor, Dtype::I8, shape)?;
        match weights.iter().position(|&w| w == i8::MIN) {
            Some(index) => Err(LoadError::Range { tensor, index }),
            None => Ok(weights),
        }
    }

    /// Multipliers; none is negative.
    fn multipliers(&self, tensor: &'static str, shape: [u32; 3]) -> Result<&'a [i16], LoadError> {
        let multipliers = self.view(tensor, Dtype::I16, shape)?;
        match multipliers.iter().position(|&m| m < 0) {
            Some(index) => Err(LoadError::Range { tensor, index }),
            None => Ok(multipliers),
        }
    }
}

pub(super) fn load(bytes: &[u8]) -> Result<Model<'_>, LoadError> {
    if !bytes.as_ptr().addr().is_multiple_of(8) {
        return Err(LoadError::Misaligned);
    }
    let (found, expected) = (bytes.len(), file_len(bytes)?);
    if found > expected {
        return Err(LoadError::TrailingBytes { found, expected });
    }
    let directory = Directory::read(bytes)?;

    let labels = directory.texts("labels", "labels.offsets", "labels.bytes")?;
    let (tokenizer, vocabulary) = directory.text()?;
    let golden = directory.texts("golden", "golden.offsets", "golden.bytes")?;
    let name: &[u8] = directory.list("name", Dtype::U8)?;
    let name = core::str::from_utf8(name).ok().filter(|name| name.len() <= 64);

    let [_, e, _] = directory.shape("embedding.weight")?;
    let packing = directory.packing()?;
    let [h, ..] = directory.shape(match packing {
        Packing::Interleaved4 => "lstm.bias_l0",
        Packing::Paired16 => UNITS,
    })?;
    let no_vector = LoadError::Shape { tensor: "embedding.weight", found: [e; 3], expected: [1; 3] };
    let (Some(embedding_dim), Some(hidden_size)) = (NonZeroUsize::new(e as usize), NonZeroUsize::new(h as usize))
    else {
        return Err(no_vector);
    };
    let (v, c) = (vocabulary.size() as u32, labels.len() as u32);

    let embedding = Embedding {
        embedding_dim,
        weight: directory.weights("embedding.weight", [v, e, 0])?,
        multiplier: directory.multipliers("embedding.multiplier", [v, 0, 0])?,
    };
    let scale: &[u32] = directory.view("embedding.scale", Dtype::F32, [1, 0, 0])?;
    let shift = directory.digit(SHIFT_LSTM);
    let lstm = match packing {
        Packing::Interleaved4 => {
            let lstm = Lstm {
                input_size: embedding_dim,
                weight_ih: gates(directory.weights("lstm.weight_ih_l0", [h, e, 4])?),
                weight_hh: gates(directory.weights("lstm.weight_hh_l0", [h, h, 4])?),
                bias: directory.view("lstm.bias_l0", Dtype::I32, [h, 4, 0])?,
                multiplier_ih: gates(directory.multipliers("lstm.multiplier_ih_l0", [h, 4, 0])?),
                multiplier_hh: gates(directory.multipliers("lstm.multiplier_hh_l0", [h, 4, 0])?),
                shift,
            };
            bounds::check_lstm(&lstm)?;
            Layer::Interleaved(lstm)
        }
        Packing::Paired16 => {
            let words = e.saturating_add(h).saturating_add(Paired::EXTRA_WORDS as u32);
            let paired = Paired {
                input_size: embedding_dim,
                hidden_size,
                units: directory.view(UNITS, Dtype::I32, [h, words, 0])?,
                shift,
            };
            paired::check(&paired, UNITS)?;
            Layer::Paired(paired)
        }
    };
    let head = Head {
        hidden_size,
        weight: directory.weights("fc.weight", [c, h, 0])?,
        bias: directory.view("fc.bias", Dtype::I32, [c, 0, 0])?,
        multiplier: directory.multipliers("fc.multiplier", [c, 0, 0])?,
        shift: directory.digit(SHIFT_FC),
    };
    bounds::check_head(&head)?;

    let calibration: &[[i32; 4]] = directory.view("calibration", Dtype::I32, [4, 0, 0])?;
    let [texts, tokens, largest_z, largest_c] = calibration.first().copied().unwrap_or_default();
    Ok(Model {
        config: Config {
            tokenizer,
            vocab_size: vocabulary.size(),
            embedding_dim: embedding_dim.get(),
            hidden_size: hidden_size.get(),
            classes: labels.len(),
        },
        vocabulary,
        embedding,
        lstm,
        head,
        name: name.ok_or(LoadError::Texts { table: "name", index: 0 })?,
        labels,
        golden,
        golden_logits: directory.view("golden.logits", Dtype::I32, [golden.len() as u32, c, 0])?,
        calibration: Calibration { texts: texts as u32, tokens: tokens as u32, largest_z, largest_c },
        embedding_scale_bits: scale.first().copied().unwrap_or_default(),
    })
}

/// Groups the gates of a unit. The last dimension is 4, so nothing is left over.
fn gates<T>(elements: &[T]) -> &[[T; 4]] {
    elements.as_chunks().0
}
