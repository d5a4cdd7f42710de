//! Compares a float model and its device file on the same validation rows.

use super::export_data::Data;
use crate::data::number_table::Table;
use crate::device_file::DeviceFile;
use crate::float_model::FloatModel;
use crate::logits::Logits;
use crate::metrics::argmax;
use crate::model::Model;
use crate::tasks::forecast::{self, ForecastFigures, MODEL, NAIVE};
use crate::train::{Guess, Validation, language_parts};
use rayon::prelude::*;
use serde::Serialize;

/// The largest number of bytes of text on which a language model is compared.
const TEXT_BYTES: usize = 1 << 17;

/// The figures of the float model (`float_…`) and of the device file (`integer_…`). Those that the task does not have
/// are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// The number of validation texts, sequences, tokens or windows that were compared.
    pub examples: usize,
    /// The share of examples whose label or next token the float model predicts correctly, 0 to 1; `None` without
    /// examples and for a forecast.
    pub float_accuracy: Option<f64>,
    /// The same for the device file.
    pub integer_accuracy: Option<f64>,
    /// The number of examples for which the two models predict different labels or next tokens; `None` for a forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreements: Option<usize>,
    /// The largest absolute difference between the two models in a logit, in nats; `None` for a forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_logit_difference: Option<f64>,
    /// The mean loss of a token in nats, for a language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float_loss: Option<f64>,
    /// The same for the device file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integer_loss: Option<f64>,
    /// The perplexity of the float model, exp(loss), for a language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float_perplexity: Option<f64>,
    /// The same for the device file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integer_perplexity: Option<f64>,
    /// The loss of the float model in bits for each character of the text, for a language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float_bits_per_character: Option<f64>,
    /// The same for the device file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integer_bits_per_character: Option<f64>,
    /// The share of the tokens after which both models predict the same next token, for a language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_token_agreement: Option<f64>,
    /// The root mean squared error of the float model's forecast, in the units of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float_rmse: Option<f64>,
    /// The same for the device file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integer_rmse: Option<f64>,
    /// The same for the naive forecast, which repeats the last value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub naive_rmse: Option<f64>,
}

impl Figures {
    /// Compares both models on `data`.
    pub fn of(model: &FloatModel, device: &DeviceFile, data: &Data) -> Self {
        match data {
            Data::Texts(_) | Data::Sequences(_) => {
                Figures::of_classes(&data.predictions(model), &data.predictions(device))
            }
            Data::Text(text) => of_text(model, device, text),
            Data::Series(table) => of_series(model, device, table).unwrap_or_default(),
        }
    }

    /// Compares two classifiers. `float`, `integer`: the label of each row, and its logits by the float model and by
    /// the device file.
    fn of_classes(float: &[(usize, Logits)], integer: &[(usize, Logits)]) -> Self {
        let correct = |rows: &[(usize, Logits)]| rows.iter().filter(|(label, logits)| logits.label() == *label).count();
        let share = |rows: &[(usize, Logits)]| (!rows.is_empty()).then(|| correct(rows) as f64 / rows.len() as f64);
        let pairs = || float.iter().zip(integer).map(|((_, float), (_, integer))| (float, integer));
        let differences = pairs().map(|(float, integer)| largest_difference(&float.nats(), &integer.nats()));
        Figures {
            examples: float.len(),
            float_accuracy: share(float),
            integer_accuracy: share(integer),
            disagreements: Some(pairs().filter(|(float, integer)| float.label() != integer.label()).count()),
            largest_logit_difference: Some(differences.fold(0.0, f64::max)),
            ..Figures::default()
        }
    }
}

/// Returns the largest absolute difference between two rows of logits.
fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The predictions of both models for a part of a text.
#[derive(Default)]
struct TextPart {
    float: Vec<Guess>,
    integer: Vec<Guess>,
    /// The number of tokens after which the two models predict different next tokens.
    disagreements: usize,
    /// The largest absolute difference between the two models in a logit, in nats.
    largest_difference: f64,
}

/// Compares two language models on the first [`TEXT_BYTES`] bytes of a text. Both read it in the parts of
/// [`language_parts`], each from the initial state, as in `tern eval`.
fn of_text(model: &FloatModel, device: &DeviceFile, text: &str) -> Figures {
    let end = (0..=text.len().min(TEXT_BYTES)).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    let text = &text[..end];
    let (ids, characters) = (model.vocabulary().encode(text), text.chars().count());
    if ids.len() < 2 {
        return Figures::default();
    }
    let device_ids = device_ids(&model.vocabulary().device_order());
    let compare = |(start, part_ids)| compare_part(model, device, &device_ids, start, part_ids);
    let parts: Vec<TextPart> = language_parts(&ids).into_par_iter().map(compare).collect();
    let validation = |guesses: fn(&TextPart) -> &Vec<Guess>| {
        let all: Vec<Guess> = parts.iter().flat_map(guesses).copied().collect();
        Validation::of_language(&all, ids.len(), characters)
    };
    let (float, integer) = (validation(|part| &part.float), validation(|part| &part.integer));
    let sum = |count: fn(&TextPart) -> usize| parts.iter().map(count).sum::<usize>();
    let (examples, disagreements) = (sum(|part| part.float.len()), sum(|part| part.disagreements));
    Figures {
        examples,
        float_accuracy: float.accuracy,
        integer_accuracy: integer.accuracy,
        disagreements: Some(disagreements),
        largest_logit_difference: Some(parts.iter().map(|part| part.largest_difference).fold(0.0, f64::max)),
        float_loss: Some(float.loss),
        integer_loss: Some(integer.loss),
        float_perplexity: float.perplexity,
        integer_perplexity: integer.perplexity,
        float_bits_per_character: float.bits_per_character,
        integer_bits_per_character: integer.bits_per_character,
        top_token_agreement: Some(1.0 - disagreements as f64 / examples.max(1) as f64),
        ..Figures::default()
    }
}

/// Runs both models over a part of a text. `start`: the index of the part's first token in the text. `ids`: the float
/// ids of its tokens. `device_ids`: the result of [`device_ids`].
fn compare_part(model: &FloatModel, device: &DeviceFile, device_ids: &[u32], start: usize, ids: &[u32]) -> TextPart {
    let mut part = TextPart::default();
    model.with_reader(&mut |float| {
        device.with_reader(&mut |integer| {
            for pair in ids.windows(2) {
                let (token, next_token) = (pair[0], pair[1]);
                float.read(token);
                integer.read(device_ids[token as usize]);
                let (float_logits, by_device_id) = (float.logits(), integer.logits());
                let integer_logits: Vec<f32> = device_ids.iter().map(|&id| by_device_id[id as usize]).collect();
                // The first token of the part is not predicted.
                let position = start + part.float.len() + 1;
                part.float.push(Guess::new(position, &float_logits, next_token));
                part.integer.push(Guess::new(position, &integer_logits, next_token));
                part.disagreements += usize::from(argmax(&float_logits) != argmax(&integer_logits));
                let differences = float_logits.iter().zip(&integer_logits).map(|(a, b)| f64::from((a - b).abs()));
                part.largest_difference = differences.fold(part.largest_difference, f64::max);
            }
        });
    });
    part
}

/// Returns the device id of each token, indexed by float id. `float_ids`: the float id of each device id.
pub(super) fn device_ids(float_ids: &[u32]) -> Vec<u32> {
    let mut ids = vec![0; float_ids.len()];
    for (device_id, &float_id) in float_ids.iter().enumerate() {
        ids[float_id as usize] = device_id as u32;
    }
    ids
}

/// Compares two forecasts on a time series; `None` without a whole window and horizon.
fn of_series(model: &FloatModel, device: &DeviceFile, table: &Table) -> Option<Figures> {
    // Forecasts of the float model begin after a whole season. The device file does not store the season, so it is told
    // to begin at the same row.
    let first = model.config().forecast.as_ref()?.season;
    let figures_of = |model: &dyn Model| forecast::evaluate(model, table, first).filter(|figures| figures.windows > 0);
    let (float, integer): (ForecastFigures, ForecastFigures) = (figures_of(model)?, figures_of(device)?);
    Some(Figures {
        examples: float.windows,
        float_rmse: Some(float.all[MODEL].rmse()),
        integer_rmse: Some(integer.all[MODEL].rmse()),
        naive_rmse: Some(float.all[NAIVE].rmse()),
        ..Figures::default()
    })
}
