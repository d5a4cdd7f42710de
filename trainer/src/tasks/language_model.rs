//! Language modelling: a model predicts the next token of a text, and generates text.

mod surprises;
mod text_figures;
mod text_training;

use surprises::LanguageReport;
use text_figures::{TextFigures, next_tokens};
use text_training::TextCorpus;

use super::interface::{CommandOutput, NamedModel, PredictOptions, TaskData, TaskHandler};
use super::loss_comparison::{self, ModelLosses};
use crate::data;
use crate::display::visible;
use crate::float_model::{FloatModel, files};
use crate::model::{DataFile, Model};
use crate::paint::Paint;
use crate::recipe::Recipe;
use crate::report::ValidationResult;
use crate::train::Validation;
use crate::vocabulary::UNK;
use anyhow::bail;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// The commands of language modelling.
pub struct LanguageModel;

impl TaskHandler for LanguageModel {
    fn prepare(&self, recipe: &mut Recipe, _baselines: bool) -> anyhow::Result<Box<dyn TaskData>> {
        Ok(Box::new(TextCorpus::read(recipe)?))
    }

    fn evaluate(&self, model: &dyn Model, file: &DataFile<'_>, _: Paint) -> anyhow::Result<CommandOutput> {
        let text = data::read_text(file.path)?;
        let ids = encode(model, &text, file.path)?;
        let guesses = model.guesses(&ids);
        let figures = TextFigures::new(&ids, &text, &guesses);
        Ok(CommandOutput { json: figures.to_json(), lines: figures.lines() })
    }

    fn predict(&self, model: &dyn Model, text: &str, options: PredictOptions) -> anyhow::Result<Vec<CommandOutput>> {
        let ids = model.vocabulary().encode(text);
        let unknown = ids.iter().filter(|id| **id == UNK).count();
        if ids.len() == unknown {
            let json = json!({ "next": null, "tokens": ids.len(), "unknown": unknown });
            return Ok(vec![CommandOutput { json, lines: vec![format!("unknown input\t{text}")] }]);
        }
        let (mut objects, mut words): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
        for (id, probability) in next_tokens(model, &ids, options.top) {
            let token = &model.vocabulary().tokens()[id as usize];
            objects.push(json!({ "token": token, "probability": probability }));
            words.push(format!("{} {:.1}%", visible(token), 100.0 * probability));
        }
        let json = json!({ "next": objects, "tokens": ids.len(), "unknown": unknown });
        Ok(vec![CommandOutput { json, lines: vec![format!("{}\t{text}", words.join("  "))] }])
    }

    fn compare(&self, models: [NamedModel<'_>; 2], file: &DataFile<'_>, _: usize) -> anyhow::Result<CommandOutput> {
        // The tokens are sorted, since a device file has them in another order.
        let vocabulary = |model: &dyn Model| {
            let mut tokens = model.vocabulary().tokens().to_vec();
            tokens.sort();
            (model.config().tokenizer.clone(), tokens)
        };
        let [a, b] = [vocabulary(models[0].model), vocabulary(models[1].model)];
        if a != b {
            let size = |(tokenizer, tokens): &(String, Vec<String>)| format!("{} {tokenizer}", tokens.len());
            bail!(
                "{} has {}, {} has {}: their tokens are not the same, so their losses cannot be compared; compare their bits per \
                 character, which `tern eval` prints",
                models[0].path.display(),
                size(&a),
                models[1].path.display(),
                size(&b)
            );
        }
        let text = data::read_text(file.path)?;
        let sides = [losses(&models[0], &text, file.path)?, losses(&models[1], &text, file.path)?];
        Ok(loss_comparison::compare(sides, "tokens", "cross entropy in nats"))
    }

    fn validate(&self, model: &FloatModel, dir: &Path) -> anyhow::Result<ValidationResult> {
        let path = dir.join(files::VALIDATION_TEXT);
        let text = if path.is_file() { data::read_text(&path)? } else { String::new() };
        Ok(match LanguageReport::new(model, &text) {
            Some((figures, report)) => ValidationResult { metrics: figures.to_json(), report: Arc::new(report) },
            None => ValidationResult::none(LanguageReport::default()),
        })
    }
}

/// Encodes the text of the file `path`. Fails if it has fewer than two tokens, so that none can be predicted.
fn encode(model: &dyn Model, text: &str, path: &Path) -> anyhow::Result<Vec<u32>> {
    let ids = model.vocabulary().encode(text);
    if ids.len() < 2 {
        bail!("{}: {} tokens, expected two or more", path.display(), ids.len());
    }
    Ok(ids)
}

/// Computes the loss of a model on each predicted token of a text, and the figures over all of them. `path`: the file
/// of the text, for messages. Fails if the text has fewer than two tokens.
fn losses<'a>(model: &'a NamedModel<'a>, text: &str, path: &Path) -> anyhow::Result<ModelLosses<'a>> {
    let ids = encode(model.model, text, path)?;
    // The prediction of each token, except the first one of each part that is read from the initial state.
    let guesses = model.model.guesses(&ids);
    let figures = Validation::of_language(&guesses, ids.len(), text.chars().count());
    let named_figures = [
        ("perplexity", figures.perplexity),
        ("bits_per_character", figures.bits_per_character),
        ("next_token_right", figures.accuracy),
    ];
    // A language model has all three.
    let figures = named_figures.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok(ModelLosses { model, losses: guesses.iter().map(|guess| guess.loss).collect(), figures })
}
