//! The choice of golden examples: short training texts, or the first steps of training sequences, for a device's
//! self-test.

use super::export_data::Data;
use crate::float_model::FloatModel;
use crate::quantize::{Golden, Inputs, Quantized};
use crate::train::{Steps, Target};
use tern_runtime::Model;

/// Largest length of a golden text in bytes. Every device can keep that many tokens for a bidirectional model.
const BYTES: usize = 80;
/// Largest number of steps of a golden sequence.
const STEPS: usize = 16;
const _: () = assert!(BYTES <= Model::KEPT_TOKENS && STEPS <= Model::KEPT_TOKENS);
/// Largest number of golden examples.
const COUNT: usize = 16;
/// Largest number of stored logits, unless a single example has more.
const LOGITS: usize = 1024;

/// Checks that a device with the default scratch can run the texts that the user chose.
///
/// # Errors
///
/// Returns the first text that is too long for a bidirectional model.
pub fn check(model: &FloatModel, texts: &[String]) -> Result<(), TooLong> {
    if !model.config().bidirectional {
        return Ok(());
    }
    let tokens = |text: &String| model.vocabulary().encode(text).len();
    match texts.iter().find(|text| tokens(text) > Model::KEPT_TOKENS) {
        Some(text) => Err(TooLong { text: text.chars().take(40).collect(), tokens: tokens(text) }),
        None => Ok(()),
    }
}

/// A golden example that is too long for a bidirectional model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "golden example {text:?}… has {tokens} tokens, expected {} at most: a bidirectional model keeps all tokens of a text in \
     memory; shorten it",
    Model::KEPT_TOKENS
)]
pub struct TooLong {
    /// The first characters of the text.
    pub text: String,
    /// Its number of tokens.
    pub tokens: usize,
}

/// Chooses golden examples from the calibration set, for a classifier some of each label. From an empty set it makes
/// one of the most frequent tokens, or of the channels' means.
pub fn choose(model: &FloatModel, quantized: &Quantized, data: &Data) -> Golden {
    let outputs = model.config().architecture().head.outputs;
    let most = (LOGITS / outputs).clamp(1, COUNT);
    match data {
        Data::Texts(examples) => {
            let labelled = examples.iter().map(|example| (example.label, example.text.as_str()));
            texts(model, of_each_label(model, labelled.filter(|(_, text)| fits(model, text)), most))
        }
        Data::Text(text) => {
            let lines = text.lines().map(str::trim).filter(|line| fits(model, line));
            texts(model, lines.take(most).map(str::to_owned).collect())
        }
        Data::Sequences(_) | Data::Series(_) => {
            let samples = data.samples(model, usize::MAX);
            let labelled = samples.iter().filter(|sample| !sample.steps.is_empty()).map(|sample| {
                let label = if let Target::Class(label) = sample.target { label } else { 0 };
                (label, &sample.steps)
            });
            let chosen = of_each_label(model, labelled, most);
            let channels = model.config().channels.len();
            let sequences = chosen.iter().map(|steps| integers(model, quantized, steps, channels));
            let mut sequences: Vec<Vec<i32>> = sequences.collect();
            if sequences.is_empty() {
                sequences.push(integers(
                    model,
                    quantized,
                    &Steps::Values { values: vec![0.0; channels], channels },
                    channels,
                ));
            }
            Golden::Sequences(sequences)
        }
    }
}

fn fits(model: &FloatModel, text: &str) -> bool {
    text.len() <= BYTES && !model.vocabulary().encode(text).is_empty()
}

/// Chooses up to two items of each label, in turn. Items without a label count as label 0.
fn of_each_label<'a, T: ToOwned + ?Sized + 'a>(
    model: &FloatModel,
    labelled: impl Iterator<Item = (usize, &'a T)> + Clone,
    most: usize,
) -> Vec<T::Owned> {
    let labels = model.labels().len().max(1);
    let of_label = |label| labelled.clone().filter(move |(of, _)| *of == label).map(|(_, item)| item).take(2);
    let mut queues: Vec<_> = (0..labels).map(of_label).collect();
    let mut chosen = Vec::new();
    for _ in 0..2 {
        chosen.extend(queues.iter_mut().filter_map(Iterator::next).map(ToOwned::to_owned));
    }
    chosen.truncate(most);
    chosen
}

fn texts(model: &FloatModel, mut texts: Vec<String>) -> Golden {
    if texts.is_empty() {
        let most_frequent: Vec<u32> = (2..model.vocabulary().len() as u32).take(8).collect();
        texts.push(model.vocabulary().decode(&most_frequent));
    }
    Golden::Texts(texts)
}

/// The first steps of a sequence as the integers that the device reads.
fn integers(model: &FloatModel, quantized: &Quantized, steps: &Steps, channels: usize) -> Vec<i32> {
    let (Steps::Values { values, .. }, Inputs::Values { channels: scalings, .. }) = (steps, &quantized.inputs) else {
        return Vec::new();
    };
    let integer = |(index, &value): (usize, &f32)| {
        let (channel, scaling) = (&model.config().channels[index % channels], &scalings[index % channels]);
        let real = channel.denormalise(f64::from(value));
        (real * 2f64.powi(scaling.point)).round() as i32
    };
    values.iter().take(STEPS * channels).enumerate().map(integer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Merge;
    use crate::architecture::{Head, Recurrent};
    use crate::float_model::tests::model_with;
    use crate::quantize::Widths;

    #[test]
    fn golden_examples_fit_a_bidirectional_model() {
        let both = Recurrent { bidirectional: true, merge: Merge::Concat, ..Recurrent::default() };
        let (model, one_way) = (model_with(both, Head { hidden: 0, outputs: 2 }), crate::float_model::tests::model());
        let long = ["call ".repeat(129)];
        assert_eq!(check(&one_way, &long), Ok(()));
        assert_eq!(check(&model, &["call ".repeat(128)]), Ok(()));
        let error = check(&model, &long).unwrap_err();
        assert_eq!(error.tokens, 129);
        assert!(error.to_string().contains("expected 128 at most"), "{error}");
        // The chosen texts are short enough even if the calibration set has only long ones.
        let examples = model.calibration().to_vec();
        let long = examples.iter().map(|e| crate::data::Example { text: e.text.repeat(50), ..e.clone() });
        let quantized =
            crate::quantize::layers(&model, &crate::quantize::calibrate::calibrate(&model, []), Widths::default())
                .unwrap();
        let Golden::Texts(texts) = choose(&model, &quantized, &Data::Texts(long.chain(examples.clone()).collect()))
        else {
            panic!("texts")
        };
        assert!(!texts.is_empty() && texts.iter().all(|text| model.vocabulary().encode(text).len() <= 128));
    }
}
