//! Chooses golden examples for a device's self-test: short training texts, or the first steps of training sequences.

use super::export_data::Data;
use crate::float_model::FloatModel;
use crate::nn::sample::{Sample, Steps, Target};
use crate::quantize::{Golden, Inputs, Quantized};
use crate::vocabulary::RESERVED_IDS;
use anyhow::bail;
use tern_runtime::Model;

/// The largest length of a golden text in bytes. A text has no more tokens than bytes, so the default scratch of a
/// bidirectional model has room for all of them.
const TEXT_BYTES: usize = 80;
/// The largest number of steps of a golden sequence.
const SEQUENCE_STEPS: usize = 16;
const _: () = assert!(TEXT_BYTES <= Model::KEPT_TOKENS && SEQUENCE_STEPS <= Model::KEPT_TOKENS);
/// The largest number of golden examples in a file.
const MAX_EXAMPLES: usize = 16;
/// The largest number of stored logits in a file, unless a single example has more. It bounds the size of the golden
/// examples of language models, which have a logit for each token of the vocabulary.
const MAX_LOGITS: usize = 1024;

/// Checks that a device with the default scratch can run the texts that the user chose.
///
/// # Errors
///
/// Fails if the model is bidirectional and a text has more tokens than [`Model::KEPT_TOKENS`].
pub fn check(model: &FloatModel, texts: &[String]) -> anyhow::Result<()> {
    if !model.config().bidirectional {
        return Ok(());
    }
    for text in texts {
        let tokens = model.vocabulary().encode(text).len();
        if tokens > Model::KEPT_TOKENS {
            bail!(
                "golden example {:?}… has {tokens} tokens, expected {} at most: a bidirectional model keeps all tokens \
                 of a text in memory; shorten it",
                text.chars().take(40).collect::<String>(),
                Model::KEPT_TOKENS
            );
        }
    }
    Ok(())
}

/// Chooses golden examples from the calibration set, `max_examples` at most: up to two rows of each label for a
/// classifier, the first lines for a language model, up to two windows for a forecast. If none is suitable, the only
/// example is a text of the first tokens of the vocabulary, or one step with the means of the channels.
pub fn choose(model: &FloatModel, quantized: &Quantized, data: &Data) -> Golden {
    let count = max_examples(model);
    match data {
        Data::Texts(examples) => {
            let labelled = examples.iter().map(|example| (example.label, example.text.as_str()));
            let chosen = of_each_label(model, labelled.filter(|(_, text)| fits(model, text)), count);
            texts(model, chosen.into_iter().map(str::to_owned).collect())
        }
        Data::Text(text) => {
            let lines = text.lines().map(str::trim).filter(|line| fits(model, line));
            texts(model, lines.take(count).map(str::to_owned).collect())
        }
        Data::Sequences(_) | Data::Series(_) => choose_sequences(model, quantized, &data.samples(model, usize::MAX)),
    }
}

/// Chooses the first steps of up to two sequences of each label as golden examples; without labels, of two sequences.
/// If no sequence has steps, the only example is one step with the means of the channels.
pub fn choose_sequences(model: &FloatModel, quantized: &Quantized, samples: &[Sample]) -> Golden {
    let labelled = samples.iter().filter(|sample| !sample.steps.is_empty()).map(|sample| {
        let label = if let Target::Class(label) = sample.target { label } else { 0 };
        (label, &sample.steps)
    });
    let chosen = of_each_label(model, labelled, max_examples(model));
    let mut sequences: Vec<Vec<i32>> =
        chosen.into_iter().map(|steps| device_integers(model, quantized, steps)).collect();
    if sequences.is_empty() {
        let channels = model.config().channels.len();
        let means = Steps::Values { values: vec![0.0; channels], channels };
        sequences.push(device_integers(model, quantized, &means));
    }
    Golden::Sequences(sequences)
}

/// The largest number of golden examples of a model.
fn max_examples(model: &FloatModel) -> usize {
    (MAX_LOGITS / model.config().architecture().head.outputs).clamp(1, MAX_EXAMPLES)
}

/// Returns true if a text is suitable as a golden example: it is short enough and has at least one token.
fn fits(model: &FloatModel, text: &str) -> bool {
    text.len() <= TEXT_BYTES && !model.vocabulary().encode(text).is_empty()
}

/// Chooses up to two items of each label, `count` at most: first one item of each label, then the second items.
/// `labelled`: the items with their labels; for tasks without labels every item has the label 0.
fn of_each_label<'a, T: ?Sized>(
    model: &FloatModel,
    labelled: impl Iterator<Item = (usize, &'a T)>,
    count: usize,
) -> Vec<&'a T> {
    // The first two items of each label.
    let mut items_of_label: Vec<Vec<&T>> = vec![Vec::new(); model.labels().len().max(1)];
    for (label, item) in labelled {
        if items_of_label[label].len() < 2 {
            items_of_label[label].push(item);
        }
    }
    let first_items = items_of_label.iter().filter_map(|items| items.first());
    let second_items = items_of_label.iter().filter_map(|items| items.get(1));
    first_items.chain(second_items).take(count).copied().collect()
}

/// Returns `texts` as golden examples; if it is empty, one text of the first eight tokens of the vocabulary, which are
/// the most frequent ones if it was built from texts.
fn texts(model: &FloatModel, mut texts: Vec<String>) -> Golden {
    if texts.is_empty() {
        let first_ids: Vec<u32> = (RESERVED_IDS as u32..model.vocabulary().len() as u32).take(8).collect();
        texts.push(model.vocabulary().decode(&first_ids));
    }
    Golden::Texts(texts)
}

/// Returns the first [`SEQUENCE_STEPS`] steps of a sequence as the integers that the device reads,
/// `[steps * channels]`, in the Q-format of each channel. Empty for tokens.
fn device_integers(model: &FloatModel, quantized: &Quantized, steps: &Steps) -> Vec<i32> {
    let (Steps::Values { values, channels }, Inputs::Values { channels: scalings, .. }) = (steps, &quantized.inputs)
    else {
        return Vec::new();
    };
    let integer = |(index, &value): (usize, &f32)| {
        let channel = index % channels;
        let real = model.config().channels[channel].denormalise(f64::from(value));
        (real * 2f64.powi(scalings[channel].fraction_bits)).round() as i32
    };
    values.iter().take(SEQUENCE_STEPS * channels).enumerate().map(integer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Head, Recurrent};
    use crate::data::Example;
    use crate::float_model::tests::{model, model_with};
    use crate::quantize::{calibrate::calibrate, layers};
    use crate::recipe::Widths;

    #[test]
    fn golden_examples_fit_a_bidirectional_model() {
        let bidirectional = Recurrent { bidirectional: true, ..Recurrent::default() };
        let bidirectional = model_with(bidirectional, Head { hidden: 0, outputs: 2 });
        let long = ["call ".repeat(129)];
        check(&model(), &long).unwrap();
        check(&bidirectional, &["call ".repeat(128)]).unwrap();
        let error = check(&bidirectional, &long).unwrap_err().to_string();
        assert!(error.contains("has 129 tokens, expected 128 at most"), "{error}");
        // The chosen texts are short enough even if the calibration set has only long ones.
        let mut examples = bidirectional.calibration().to_vec();
        let long = examples.iter().map(|example| Example { text: example.text.repeat(50).into(), ..example.clone() });
        examples.splice(0..0, long.collect::<Vec<_>>());
        let quantized =
            layers(&bidirectional, &calibrate(&bidirectional, []), Widths::default(), Default::default()).unwrap();
        let Golden::Texts(texts) = choose(&bidirectional, &quantized, &Data::Texts(examples)) else { panic!("texts") };
        assert!(!texts.is_empty() && texts.iter().all(|text| bidirectional.vocabulary().encode(text).len() <= 128));
    }
}
