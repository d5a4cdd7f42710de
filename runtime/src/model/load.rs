//! From bytes to a checked [`Model`].

use core::num::NonZeroUsize;

use super::directory::ANY;
use super::directory::Directory;
use super::explain::explain;
use super::keys::Kind;
use super::layers;
use super::names::Tensor;
use super::{Calibration, Config, Model, bounds, folding};
use crate::embedding::Embedding;
use crate::error::LoadError;
use crate::fault::{Checked, Fault, File};
use crate::head::Head;
use crate::header::{Dtype, Entry, Scanner, read_header};
use crate::kind::{Output, Task};
use crate::linear::Linear;
use crate::matrix::Matrix;
use crate::parts::VALUES;
use crate::text;
use crate::texts::{Texts, check_offsets};
use crate::values::{MULTIPLIERS, POINTS, SHIFTS, Scaling, WINDOWS};
use crate::vocabulary::Vocabulary;

/// The length that a device file says it has, from its header alone. Bytes may follow it: a flash slot is larger than its model.
///
/// # Errors
/// [`LoadError::Truncated`] if `bytes` is shorter than that; [`LoadError::Header`] if there is no header.
pub fn file_len(bytes: &[u8]) -> Result<usize, LoadError> {
    let mut file = File::new(bytes);
    length(&mut file).map_err(|_| explain(&file))
}

fn length(file: &mut File<'_>) -> Checked<usize> {
    read_header(file)?;
    let mut scanner = Scanner::new(file);
    let mut end = 0;
    while let Some(entry) = scanner.next()? {
        if let Entry::Tensor(info) = entry {
            if info.begin != end {
                return file.refuse(Fault::Place(info.name));
            }
            end = info.end;
        }
    }
    match file.header.len().checked_add(end) {
        Some(expected) if expected <= file.bytes.len() => Ok(expected),
        expected => file.refuse(Fault::Truncated { expected: expected.unwrap_or(usize::MAX) }),
    }
}

/// What a step reads, and how wide it is.
struct Inputs<'a> {
    width: NonZeroUsize,
    vocabulary: Vocabulary<'a>,
    embedding: Embedding<'a>,
    channels: Texts<'a>,
    scaling: Scaling<'a>,
    scale_bits: u32,
}

fn inputs<'a>(directory: &Directory<'_, 'a>, kind: &Kind) -> Checked<Inputs<'a>> {
    let one = NonZeroUsize::MIN;
    let no_embedding = Embedding { weight: Matrix::EMPTY, multiplier: &[] };
    if kind.reads_values() {
        let channels = directory.texts(Tensor::CHANNELS_OFFSETS, Tensor::CHANNELS_BYTES)?;
        let scaling = Scaling {
            offset: directory.numbers(Tensor::INPUT_OFFSET, channels.len() as u32, [i32::MIN, i32::MAX])?,
            multiplier: directory.numbers(Tensor::INPUT_MULTIPLIER, channels.len() as u32, MULTIPLIERS)?,
            shift: directory.numbers(Tensor::INPUT_SHIFT, channels.len() as u32, SHIFTS)?,
            point: directory.numbers(Tensor::INPUT_POINT, channels.len() as u32, POINTS)?,
            ..Scaling::default()
        };
        // A dimension is at least 1, and there are as many channels as offsets.
        let width = NonZeroUsize::new(channels.len()).unwrap_or(one);
        let scale_bits = directory.real(Tensor::INPUT_SCALE)?;
        return Ok(Inputs {
            width,
            vocabulary: Vocabulary::EMPTY,
            embedding: no_embedding,
            channels,
            scaling,
            scale_bits,
        });
    }
    let vocabulary = match kind.tokenizer.kind {
        text::Kind::Bytes => Vocabulary::BYTES,
        _ => {
            let tokens = directory.texts(Tensor::VOCAB_OFFSETS, Tensor::VOCAB_BYTES)?;
            Vocabulary::new(tokens).or_else(|index| directory.file.refuse(Fault::VocabularyOrder { index }))?
        }
    };
    let (v, e) = (vocabulary.size() as u32, directory.columns(Tensor::EMBEDDING_WEIGHT)?);
    // A dimension is at least 1.
    let width = NonZeroUsize::new(e as usize).unwrap_or(one);
    let embedding = Embedding {
        weight: directory.matrix([Tensor::EMBEDDING_WEIGHT, Tensor::EMBEDDING_GROUPS], [v, 0], width)?,
        multiplier: directory.multipliers(Tensor::EMBEDDING_MULTIPLIER, [v, 0, 0])?,
    };
    let (channels, scaling) = (Texts::EMPTY, Scaling::default());
    Ok(Inputs { width, vocabulary, embedding, channels, scaling, scale_bits: directory.real(Tensor::EMBEDDING_SCALE)? })
}

/// How a forecast's values are written, and how many steps it reads.
fn forecast<'a>(directory: &Directory<'_, 'a>, input: &Scaling<'_>) -> Checked<(Scaling<'a>, usize)> {
    let [count, ..] = directory.shape(Tensor::OUTPUT_OFFSET)?;
    let output = Scaling {
        offset: directory.numbers(Tensor::OUTPUT_OFFSET, count, [i32::MIN, i32::MAX])?,
        multiplier: directory.numbers(Tensor::OUTPUT_MULTIPLIER, count, MULTIPLIERS)?,
        shift: directory.numbers(Tensor::OUTPUT_SHIFT, count, SHIFTS)?,
        point: directory.numbers(Tensor::OUTPUT_POINT, count, POINTS)?,
        channel: directory.numbers(Tensor::OUTPUT_CHANNEL, count, [0, input.len().saturating_sub(1) as i32])?,
        last: directory.numbers(Tensor::OUTPUT_LAST, count, [0, 1])?,
    };
    // What counts from a number that was read stands for as much as that.
    let differs = |(index, &point): (usize, &i32)| {
        let read = output.channel_of(index).and_then(|channel| input.point.get(channel));
        output.last.get(index) == Some(&1) && read != Some(&point)
    };
    if let Some(index) = output.point.iter().enumerate().position(differs) {
        return directory.file.refuse(Fault::Range { tensor: Tensor::OUTPUT_POINT, index });
    }
    let window = directory.numbers(Tensor::FORECAST_WINDOW, 1, WINDOWS)?.first().copied().unwrap_or_default();
    Ok((output, window as usize))
}

/// `[outputs, width]`, with its bias and multipliers.
fn linear<'a>(
    directory: &Directory<'_, 'a>,
    [weight, groups, bias, multiplier]: [Tensor; 4],
    outputs: u32,
    width: NonZeroUsize,
    shift: u32,
) -> Checked<Linear<'a>> {
    let linear = Linear {
        weight: directory.matrix([weight, groups], [outputs, 0], width)?,
        bias: directory.view(bias, Dtype::I32, [outputs, 0, 0])?,
        multiplier: directory.multipliers(multiplier, [outputs, 0, 0])?,
        shift,
    };
    match bounds::check_linear(&linear) {
        Ok(()) => Ok(linear),
        Err(row) => directory.file.refuse(Fault::Overflow { tensor: weight, row }),
    }
}

/// Texts, or offsets and values, and how many of them.
struct Goldens<'a> {
    texts: Texts<'a>,
    offsets: &'a [u32],
    values: &'a [i32],
    count: u32,
}

fn goldens<'a>(directory: &Directory<'_, 'a>, kind: &Kind, channels: usize) -> Checked<Goldens<'a>> {
    let none = Texts::EMPTY;
    if !kind.reads_values() {
        let texts = directory.texts(Tensor::GOLDEN_OFFSETS, Tensor::GOLDEN_BYTES)?;
        return Ok(Goldens { texts, offsets: &[], values: &[], count: texts.len() as u32 });
    }
    let offsets: &[u32] = directory.list(Tensor::GOLDEN_OFFSETS, Dtype::U32)?;
    let values: &[i32] = directory.view(Tensor::GOLDEN_VALUES, Dtype::I32, [ANY, channels as u32, 0])?;
    let steps = values.len().checked_div(channels).unwrap_or(0);
    if let Err(index) = check_offsets(offsets, steps) {
        return directory.file.refuse(Fault::Texts { table: Tensor::GOLDEN_OFFSETS, index });
    }
    Ok(Goldens { texts: none, offsets, values, count: offsets.len().saturating_sub(1) as u32 })
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
        return Err(file.refused(Fault::Misaligned));
    }
    let expected = length(file)?;
    if bytes.len() > expected {
        return Err(file.refused(Fault::TrailingBytes { expected }));
    }
    let file = &*file;
    let kind = Kind::read(file)?;
    let mut directory = Directory::new(file);
    directory.read(&kind)?;
    let directory = &directory;

    let name: &[u8] = directory.list(Tensor::NAME, Dtype::U8)?;
    if name.len() > 64 || !text::is_utf8(name) {
        return Err(file.refused(Fault::Texts { table: Tensor::NAME, index: 0 }));
    }
    let inputs = inputs(directory, &kind)?;
    let labels = match kind.task {
        Task::Classify => directory.texts(Tensor::LABELS_OFFSETS, Tensor::LABELS_BYTES)?,
        Task::LanguageModel | Task::Forecast => Texts::EMPTY,
    };
    let (output, window) = match kind.task {
        Task::Forecast if VALUES => forecast(directory, &inputs.scaling)?,
        _ => Default::default(),
    };

    let (cells, hidden_size) = layers::read(directory, &kind, inputs.width)?;
    let folded = folding::read(directory, &kind, &cells, inputs.vocabulary.size())?;
    let mut config = Config {
        task: kind.task,
        input: kind.input(),
        tokenizer: kind.tokenizer,
        vocab_size: inputs.vocabulary.size(),
        embedding_dim: inputs.width.get(),
        cell: kind.cell,
        layers: kind.layers.into(),
        bidirectional: kind.directions == 2,
        merge: kind.merge,
        pooling: kind.pooling,
        hidden_size: hidden_size.get(),
        head_hidden: 0,
        output: kind.output,
        classes: 0,
        window,
    };
    let mut width = NonZeroUsize::new(config.head_width()).unwrap_or(hidden_size);
    let mut hidden = None;
    if let Some(shift) = kind.hidden_shift {
        let [units, ..] = directory.shape(Tensor::HIDDEN_BIAS)?;
        let tensors = [Tensor::HIDDEN_WEIGHT, Tensor::HIDDEN_GROUPS, Tensor::HIDDEN_BIAS, Tensor::HIDDEN_MULTIPLIER];
        let layer = linear(directory, tensors, units, width, shift.into())?;
        directory.real(Tensor::HIDDEN_SCALE)?;
        width = NonZeroUsize::new(layer.len()).unwrap_or(width);
        config.head_hidden = layer.len();
        hidden = Some(layer);
    }
    let outputs = match (kind.task, kind.output) {
        (Task::Classify, Output::Sigmoid) if labels.len() != 2 => {
            let (tensor, found) = (Tensor::LABELS_OFFSETS, [labels.len() as u32 + 1, 0, 0]);
            return Err(file.refused(Fault::Shape { tensor, found, expected: [3, 0, 0] }));
        }
        (Task::Classify, Output::Sigmoid) => 1,
        (Task::Classify, _) => labels.len(),
        (Task::LanguageModel, _) => inputs.vocabulary.size(),
        (Task::Forecast, _) => output.len(),
    };
    let tensors = [Tensor::FC_WEIGHT, Tensor::FC_GROUPS, Tensor::FC_BIAS, Tensor::FC_MULTIPLIER];
    let head =
        Head { linear: linear(directory, tensors, outputs as u32, width, kind.fc_shift(file)?)?, output: kind.output };
    config.classes = head.len();

    let goldens = goldens(directory, &kind, inputs.width.get())?;
    let calibration: &[[i32; 4]] = directory.view(Tensor::CALIBRATION, Dtype::I32, [4, 0, 0])?;
    let [texts, tokens, largest_z, largest_c] = calibration.first().copied().unwrap_or_default();
    let logits = [goldens.count, config.classes as u32, 0];
    Ok(Model {
        config,
        vocabulary: inputs.vocabulary,
        embedding: inputs.embedding,
        folded,
        input: inputs.scaling,
        cells,
        packing: kind.packing,
        hidden,
        head,
        output,
        name,
        labels,
        channels: inputs.channels,
        golden: goldens.texts,
        golden_offsets: goldens.offsets,
        golden_values: goldens.values,
        golden_logits: directory.view(Tensor::GOLDEN_LOGITS, Dtype::I32, logits)?,
        calibration: Calibration { texts: texts as u32, tokens: tokens as u32, largest_z, largest_c },
        embedding_scale_bits: inputs.scale_bits,
        header_len: file.header.len(),
        file_len: bytes.len(),
    })
}
