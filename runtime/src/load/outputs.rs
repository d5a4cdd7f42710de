//! Reads the head of a model (its one or two linear layers after the pooling) and its labels.

use core::num::NonZeroUsize;

use super::bounds;
use super::inputs::{Inputs, dimension};
use super::metadata;
use super::tensor_names::{Tensor, shift};
use crate::config::Config;
use crate::features::{self, REFUSAL};
use crate::layers::head::{Head, Refusal};
use crate::layers::linear::Linear;
use crate::load::file::{Fault, File};
use crate::text::texts::Texts;
use tern_format::{Output, Task};

/// The head and the labels.
pub(super) struct Outputs<'a> {
    /// The hidden layer of the head, if it has one.
    pub hidden: Option<features::Hidden<Linear<'a>>>,
    /// The last layer, which computes the logits.
    pub head: Head<'a>,
    /// The labels; empty if the model is not a classifier.
    pub labels: Texts<'a>,
}

/// Reads the head and the labels, and writes their sizes to `config`, which already has the sizes of all other parts.
/// `hidden_shift`: the shift of the hidden layer, if there is one.
#[cfg_attr(feature = "errors", inline)]
pub(super) fn read<'a>(
    file: &File<'a>,
    config: &mut Config,
    inputs: &Inputs<'_>,
    hidden_shift: Option<u32>,
) -> Outputs<'a> {
    // The width of the last layer's input.
    let mut width = dimension(config.head_width());
    let mut hidden = None;
    if let Some(shift) = hidden_shift {
        let [units, ..] = file.shape(Tensor::HIDDEN_BIAS);
        let tensors = [Tensor::HIDDEN_WEIGHT, Tensor::HIDDEN_GROUPS, Tensor::HIDDEN_BIAS, Tensor::HIDDEN_MULTIPLIER];
        let layer = linear(file, tensors, units, width, shift);
        // Only hosts use the scale; reading it checks it and marks it as known.
        file.real(Tensor::HIDDEN_SCALE);
        width = dimension(layer.len());
        config.head_hidden = layer.len();
        hidden = features::Hidden::new(layer);
    }
    let mut labels = Texts::EMPTY;
    // The number of outputs of the last layer.
    let outputs = match config.task {
        Task::Classify => {
            labels = file.texts(Tensor::LABELS_OFFSETS, Tensor::LABELS_BYTES);
            output_count(file, config.output, labels.len())
        }
        Task::LanguageModel => inputs.vocabulary.size(),
        Task::Forecast => inputs.value_parts.as_ref().map_or(0, |values| values.output.len()),
    };
    let tensors = [Tensor::FC_WEIGHT, Tensor::FC_GROUPS, Tensor::FC_BIAS, Tensor::FC_MULTIPLIER];
    let linear = linear(file, tensors, outputs as u32, width, metadata::required_shift(file, shift::FC));
    let mut head = Head { linear, output: config.output, refusal: None };
    config.classes = head.len();
    if REFUSAL && config.task == Task::Classify && file.has(Tensor::REFUSAL.name_hash()) {
        head.refusal = features::Refusal::new(refusal(file, config.classes));
    }
    Outputs { hidden, head, labels }
}

/// Returns the number of outputs of the last layer of a classifier with `labels` labels: 1 for a sigmoid, otherwise one
/// for each label. Refuses the file if a sigmoid does not have two labels.
fn output_count(file: &File<'_>, output: Output, labels: usize) -> usize {
    if output != Output::Sigmoid {
        return labels;
    }
    if labels != 2 {
        // There is one more offset than labels.
        let (tensor, found) = (Tensor::LABELS_OFFSETS, [labels as u32 + 1, 0, 0]);
        file.refuse(Fault::Shape { tensor, found, expected: [3, 0, 0] });
    }
    1
}

/// Reads the rule by which a classifier with `classes` classes refuses to answer: the smallest probability of an
/// answer, Q16, and the class that stands for none of the others, or −1.
#[cfg_attr(feature = "errors", inline)]
fn refusal(file: &File<'_>, classes: usize) -> Refusal {
    let tensor = Tensor::REFUSAL;
    let numbers = file.numbers(tensor, 2, [-1, 1 << 16]);
    let &[below, class] = numbers.first_chunk().unwrap_or(&[0; 2]);
    // −1 becomes none.
    let class = usize::try_from(class).ok();
    if below < 1 {
        file.refuse(Fault::Range { tensor, index: 0 });
    }
    if class.is_some_and(|class| class >= classes) {
        file.refuse(Fault::Range { tensor, index: 1 });
    }
    Refusal { below: below.max(1) as u32, class }
}

/// Reads a linear layer, whose weights are `[outputs, width]`, and checks that its sums cannot overflow.
#[cfg_attr(feature = "errors", inline)]
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
