//! Makes the recipe of each candidate of `tern fit`, with a vocabulary small enough that its device file fits the
//! budget.

use super::candidates::MIN_VOCABULARY;
use super::measured::{Budget, Measured};
use crate::architecture::InputLayer;
use crate::device_file::DeviceFile;
use crate::export::{self, Options};
use crate::float_model::FloatModel;
use crate::packing;
use crate::quantize;
use crate::recipe::{Pooling, Recipe, Task, lay_over, set};
use crate::tasks::{self, TaskData};
use crate::train::{self, Problem};
use anyhow::bail;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::{Table, Value};

/// The largest number of vocabulary sizes that are tried to fit a candidate into the budget.
const VOCABULARY_ATTEMPTS: usize = 4;

/// Returns the recipe of a classifier for the data `input`, with `settings` laid over the defaults, and `options` over
/// both. Fails if the settings do not go together, or name another task.
pub fn recipe(input: &Path, settings: &Table, options: &Table) -> anyhow::Result<Recipe> {
    let mut merged = settings.clone();
    lay_over(&mut merged, options);
    // Only recurrent layers read word vectors, so a candidate without such layers ignores the option.
    if let Some(Value::Table(model)) = merged.get_mut("model")
        && model.get("num_layers").and_then(Value::as_integer) == Some(0)
    {
        model.remove("embeddings");
    }
    let task = Task::Classify;
    let recipe = Recipe::with_options(input, task, &merged)?;
    if recipe.task != task {
        bail!(
            "[task] is {}, expected {}: `tern train` trains the models of other tasks",
            recipe.task.name(),
            task.name()
        );
    }
    recipe.check()?;
    Ok(recipe)
}

/// A candidate whose device file fits the budget.
pub struct Fitted {
    /// The settings that are laid over the defaults and under the options of the command. If the first device file of
    /// the candidate was too large, they contain a smaller size of the vocabulary.
    pub settings: Table,
    /// The recipe.
    pub recipe: Recipe,
    /// The training data.
    pub data: Box<dyn TaskData>,
    /// The costs of the device file.
    pub measured: Measured,
}

/// A device file that exceeds the budget.
#[derive(Debug, Serialize, Deserialize)]
pub struct Excess {
    /// The first limit that is exceeded, as a sentence.
    pub reason: String,
    /// The costs of the device file.
    pub measured: Measured,
}

/// Reads the data of a candidate, and measures the device file of its untrained network, whose costs are about those of
/// the trained one. If the file is too large, tries smaller vocabularies, [`VOCABULARY_ATTEMPTS`] sizes in all. The
/// inner result is the [`Excess`] of a candidate that does not fit. `name`: the name of the model; `recipe_of`: makes
/// the recipe from the settings. Fails if the recipe is refused or the data cannot be read.
pub fn fit(
    name: &str,
    settings: &Table,
    budget: &Budget,
    recipe_of: impl Fn(&Table) -> anyhow::Result<Recipe>,
) -> anyhow::Result<Result<Fitted, Excess>> {
    let mut settings = settings.clone();
    let with_baselines = false;
    let mut attempt = 1;
    loop {
        let mut recipe = recipe_of(&settings)?;
        let data = tasks::read_data(&mut recipe, with_baselines)?;
        let model = data.model(name, train::initial_weights(&recipe, data.problem()))?;
        let device = device_file(&recipe, data.as_ref(), &model)?;
        let measured = Measured::new(&device);
        let Some(reason) = measured.excess(budget) else {
            return Ok(Ok(Fitted { settings, recipe, data, measured }));
        };
        let bytes = device.bytes_by_content();
        let tokens = model.vocabulary().len();
        let bytes_per_token = (bytes.embedding + bytes.vocabulary) / tokens.max(1);
        let bytes_over = measured.file_bytes.saturating_sub(budget.flash);
        // Removes 8 tokens more than the mean `bytes_per_token` requires, since the removed tokens may be shorter.
        let fewer_tokens = tokens.saturating_sub(bytes_over / bytes_per_token.max(1) + 8);
        // A smaller vocabulary reduces the flash memory alone, not the RAM or the instructions.
        let can_shrink = data.problem().architecture.is_recurrent() && bytes_per_token > 0 && bytes_over > 0;
        if !can_shrink || fewer_tokens < MIN_VOCABULARY || attempt == VOCABULARY_ATTEMPTS {
            return Ok(Err(Excess { reason, measured }));
        }
        set(&mut settings, "vocabulary", "max_size", Value::Integer(fewer_tokens as i64));
        attempt += 1;
    }
}

/// Quantises the model of a candidate, with the bits of its recipe and without folded tokens (`fold` is 0).
pub fn device_file(recipe: &Recipe, data: &dyn TaskData, model: &FloatModel) -> anyhow::Result<DeviceFile> {
    let widths = recipe.export.widths();
    let packing = packing::choose(None, model.config(), widths.recurrent)?;
    let stored_tokens = quantize::allowed_tokens(recipe.export.stored_tokens(), model);
    let options = Options { widths, stored_tokens, ..packing.into() };
    Ok(export::device_file(model, &data.calibration_sequences(), options)?)
}

/// Describes the network of a candidate, such as `n-grams 4096×2, LSTM 16×2 mean_max, 900 tokens × 16, 4 bits`: the
/// buckets and the rank of the n-gram table; the cell, after `2 × ` for two layers; the hidden size with `×2` for two
/// directions; the pooling unless it is `last`; and the embedding.
pub fn describe(recipe: &Recipe, problem: &Problem) -> String {
    let model = &recipe.model;
    let mut parts = Vec::new();
    if let Some(table) = problem.architecture.ngrams {
        parts.push(format!("n-grams {}×{}", table.buckets, table.rank));
    }
    if problem.architecture.is_recurrent() {
        let layers = if model.num_layers == 1 { String::new() } else { format!("{} × ", model.num_layers) };
        let directions = if model.is_bidirectional() { "×2" } else { "" };
        let pooling = match model.pooling() {
            Pooling::Last => String::new(),
            pooling => format!(" {}", pooling.name()),
        };
        let cell = model.cell.name().to_uppercase();
        parts.push(format!("{layers}{cell} {}{directions}{pooling}", model.hidden_size()));
        if let InputLayer::Embedding { vocab_size, embedding_dim } = problem.architecture.input {
            let bits = if recipe.export.embedding_bits == 4 { ", 4 bits" } else { "" };
            parts.push(format!("{vocab_size} tokens × {embedding_dim}{bits}"));
        }
    }
    parts.join(", ")
}
