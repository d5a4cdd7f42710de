//! From bytes to a checked [`Model`].

use core::num::NonZeroUsize;

use super::directory::ANY;
use super::explain::explain;
use super::keys::{self, Kind};
use super::layers;
use super::names::{Tensor, shift};
use super::{Calibration, Config, Model, bounds, folding};
use crate::embedding::Embedding;
use crate::error::LoadError;
use crate::fault::{Fault, File};
use crate::head::Head;
use crate::header::{Scanner, read_header};
use crate::kind::{Output, Task};
use crate::linear::Linear;
use crate::matrix::Matrix;
use crate::parts;
use crate::text::{self, Tokenizer};
use crate::texts::{Texts, check_offsets};
use crate::values::{MULTIPLIERS, Numbers, POINTS, SHIFTS, Scaling, WINDOWS};
use crate::vocabulary::Vocabulary;

/// The length that a device file says it has, from its header alone. Bytes may follow it: a flash slot is larger than its model.
///
/// # Errors
/// [`LoadError::Truncated`] if `bytes` is shorter than that; [`LoadError::Header`] if there is no header.
pub fn file_len(bytes: &[u8]) -> Result<usize, LoadError> {
    let mut file = File::new(bytes);
    let length = length(&mut file).file;
    if file.is_refused() { Err(explain(&file)) } else { Ok(length) }
}

/// Of a file, in bytes, and of its header, in entries.
struct Length {
    file: usize,
    entries: usize,
}

fn length(file: &mut File<'_>) -> Length {
    read_header(file);
    let mut scanner = Scanner::new(file);
    while scanner.next() {}
    // A sum that wraps is no length of what lies in memory.
    let length = file.header.len().saturating_add(scanner.entry.end);
    if length > file.bytes.len() {
        file.refuse(Fault::Truncated { expected: length });
    }
    Length { file: length, entries: scanner.entry.number.wrapping_add(1) }
}

/// A dimension, which is at least 1 in a file that is not refused.
fn dimension(size: usize) -> NonZeroUsize {
    NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN)
}

/// How the numbers of the input are read.
fn scaling<'a>(file: &File<'a>, channels: u32) -> Scaling<'a> {
    Scaling {
        offset: file.numbers(Tensor::INPUT_OFFSET, channels, [i32::MIN, i32::MAX]),
        multiplier: file.numbers(Tensor::INPUT_MULTIPLIER, channels, MULTIPLIERS),
        shift: file.numbers(Tensor::INPUT_SHIFT, channels, SHIFTS),
        point: file.numbers(Tensor::INPUT_POINT, channels, POINTS),
        ..Scaling::NONE
    }
}

fn vocabulary<'a>(file: &File<'a>, tokenizer: Tokenizer) -> Vocabulary<'a> {
    if tokenizer.kind == text::Kind::Bytes {
        return Vocabulary::BYTES;
    }
    Vocabulary::new(file.texts(Tensor::VOCAB_OFFSETS, Tensor::VOCAB_BYTES)).unwrap_or_else(|index| {
        file.refuse(Fault::VocabularyOrder { index });
        Vocabulary::EMPTY
    })
}

/// How a forecast's values are written, and how many steps it reads.
fn forecast<'a>(file: &File<'a>, input: &Scaling<'_>) -> (Scaling<'a>, usize) {
    let [count, ..] = file.shape(Tensor::OUTPUT_OFFSET);
    let output = Scaling {
        offset: file.numbers(Tensor::OUTPUT_OFFSET, count, [i32::MIN, i32::MAX]),
        multiplier: file.numbers(Tensor::OUTPUT_MULTIPLIER, count, MULTIPLIERS),
        shift: file.numbers(Tensor::OUTPUT_SHIFT, count, SHIFTS),
        point: file.numbers(Tensor::OUTPUT_POINT, count, POINTS),
        channel: file.numbers(Tensor::OUTPUT_CHANNEL, count, [0, input.len().saturating_sub(1) as i32]),
        last: file.numbers(Tensor::OUTPUT_LAST, count, [0, 1]),
    };
    // What counts from a number that was read stands for as much as that.
    let differs = |(index, &point): (usize, &i32)| {
        let read = output.channel_of(index).and_then(|channel| input.point.get(channel));
        output.last.get(index) == Some(&1) && read != Some(&point)
    };
    if let Some(index) = output.point.iter().enumerate().position(differs) {
        file.refuse(Fault::Range { tensor: Tensor::OUTPUT_POINT, index });
    }
    let window = file.numbers(Tensor::FORECAST_WINDOW, 1, WINDOWS).first().copied().unwrap_or_default();
    (output, window as usize)
}

/// `[outputs, width]`, with its bias and multipliers.
fn linear<'a>(
    file: &File<'a>,
    [weight, groups, bias, multiplier]: [Tensor; 4],
    outputs: u32,
    width: NonZeroUsize,
    shift: u32,
) -> Linear<'a> {
    let linear = Linear {
        weight: file.matrix([weight, groups], [outputs, 0], width),
        bias: file.words(bias, [outputs, 0, 0]),
        multiplier: file.multipliers(multiplier, [outputs, 0, 0]),
        shift,
    };
    if let Err(row) = bounds::check_linear(&linear) {
        file.refuse(Fault::Overflow { tensor: weight, row });
    }
    linear
}

/// What a model has that reads numbers, and how many golden sequences.
fn numbers<'a>(file: &File<'a>, config: &mut Config) -> (Numbers<'a>, usize) {
    let channels = file.texts(Tensor::CHANNELS_OFFSETS, Tensor::CHANNELS_BYTES);
    let input = scaling(file, channels.len() as u32);
    let mut output = Scaling::NONE;
    if config.task == Task::Forecast {
        (output, config.window) = forecast(file, &input);
    }
    let golden_offsets = file.list(Tensor::GOLDEN_OFFSETS);
    let golden_values = file.words(Tensor::GOLDEN_VALUES, [ANY, channels.len() as u32, 0]);
    let steps = golden_values.len().checked_div(channels.len()).unwrap_or(0);
    if let Err(index) = check_offsets(golden_offsets, steps) {
        file.refuse(Fault::Texts { table: Tensor::GOLDEN_OFFSETS, index });
    }
    (Numbers { input, output, channels, golden_offsets, golden_values }, golden_offsets.len().saturating_sub(1))
}

pub(super) fn load(bytes: &[u8]) -> Result<Model<'_>, LoadError> {
    let mut file = File::new(bytes);
    // Never moved: a model is half a kilobyte.
    let mut model = read(&mut file);
    if let Err(error) = &mut model {
        *error = explain(&file);
    }
    model
}

/// The error is not yet what it will be.
fn read<'a>(file: &mut File<'a>) -> Result<Model<'a>, LoadError> {
    let bytes = file.bytes;
    if !bytes.as_ptr().addr().is_multiple_of(8) {
        file.refuse(Fault::Misaligned);
    }
    let length = length(file);
    if bytes.len() > length.file {
        file.refuse(Fault::TrailingBytes { expected: length.file });
    }
    let file = &*file;
    let Kind { mut config, packing, hidden_shift } = Kind::read(file);

    let name = file.text(Tensor::NAME);
    if name.len() > 64 || !text::is_utf8(name) {
        file.refuse(Fault::Texts { table: Tensor::NAME, index: 0 });
    }
    let mut vocabulary = Vocabulary::EMPTY;
    let mut embedding = Embedding { weight: Matrix::EMPTY, multiplier: &[] };
    let mut golden = Texts::EMPTY;
    let (width, scale, numbers, goldens) = if config.reads_values() {
        let (numbers, goldens) = numbers(file, &mut config);
        (dimension(numbers.channels.len()), Tensor::INPUT_SCALE, parts::Values::new(numbers), goldens)
    } else {
        vocabulary = self::vocabulary(file, config.tokenizer);
        let v = vocabulary.size() as u32;
        let width = dimension(file.columns(Tensor::EMBEDDING_WEIGHT) as usize);
        embedding = Embedding {
            weight: file.matrix([Tensor::EMBEDDING_WEIGHT, Tensor::EMBEDDING_GROUPS], [v, 0], width),
            multiplier: file.multipliers(Tensor::EMBEDDING_MULTIPLIER, [v, 0, 0]),
        };
        golden = file.texts(Tensor::GOLDEN_OFFSETS, Tensor::GOLDEN_BYTES);
        (width, Tensor::EMBEDDING_SCALE, None, golden.len())
    };
    let embedding_scale_bits = file.real(scale);
    config.vocab_size = vocabulary.size();
    config.embedding_dim = width.get();
    let labels = match config.task {
        Task::Classify => file.texts(Tensor::LABELS_OFFSETS, Tensor::LABELS_BYTES),
        Task::LanguageModel | Task::Forecast => Texts::EMPTY,
    };

    let Some(cells) = layers::read(file, &config, packing, width) else {
        return Err(LoadError::Refused);
    };
    let [cell, ..] = &cells;
    config.hidden_size = cell.hidden_size();
    let folded = folding::read(file, &config, &cells);
    let mut features = dimension(config.head_width());
    let mut hidden = None;
    if let Some(shift) = hidden_shift {
        let [units, ..] = file.shape(Tensor::HIDDEN_BIAS);
        let tensors = [Tensor::HIDDEN_WEIGHT, Tensor::HIDDEN_GROUPS, Tensor::HIDDEN_BIAS, Tensor::HIDDEN_MULTIPLIER];
        let layer = linear(file, tensors, units, features, shift);
        file.real(Tensor::HIDDEN_SCALE);
        features = dimension(layer.len());
        config.head_hidden = layer.len();
        hidden = parts::Hidden::new(layer);
    }
    let outputs = match (config.task, config.output) {
        (Task::Classify, Output::Sigmoid) if labels.len() != 2 => {
            let (tensor, found) = (Tensor::LABELS_OFFSETS, [labels.len() as u32 + 1, 0, 0]);
            file.refuse(Fault::Shape { tensor, found, expected: [3, 0, 0] });
            1
        }
        (Task::Classify, Output::Sigmoid) => 1,
        (Task::Classify, _) => labels.len(),
        (Task::LanguageModel, _) => vocabulary.size(),
        (Task::Forecast, _) => numbers.as_ref().map_or(0, |numbers| numbers.output.len()),
    };
    let tensors = [Tensor::FC_WEIGHT, Tensor::FC_GROUPS, Tensor::FC_BIAS, Tensor::FC_MULTIPLIER];
    let linear = linear(file, tensors, outputs as u32, features, keys::required(file, shift::FC));
    let head = Head { linear, output: config.output };
    config.classes = head.len();

    let golden_logits = file.words(Tensor::GOLDEN_LOGITS, [goldens as u32, config.classes as u32, 0]);
    let calibration = file.words(Tensor::CALIBRATION, [4, 0, 0]);
    let &[texts, tokens, largest_z, largest_c] = calibration.first_chunk().unwrap_or(&[0; 4]);
    if file.asked() != length.entries {
        file.refuse(Fault::Left);
    }
    if file.is_refused() {
        return Err(LoadError::Refused);
    }
    Ok(Model {
        config,
        vocabulary,
        embedding,
        folded,
        numbers,
        cells,
        packing,
        hidden,
        head,
        name,
        labels,
        golden,
        golden_logits,
        calibration: Calibration { texts: texts as u32, tokens: tokens as u32, largest_z, largest_c },
        embedding_scale_bits,
        header_len: file.header.len(),
        file_len: bytes.len(),
    })
}
