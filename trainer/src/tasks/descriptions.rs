//! Descriptions of training data for the user, shared by the tasks: each function `describe_…` calls `note` with its
//! lines. Also the function that writes rows of a table into the model directory.

use crate::data::number_table::Table;
use crate::float_model::Channel;
use crate::recipe::Recipe;
use crate::train::{Problem, Sample, Steps};
use crate::vocabulary::{UNK, Vocabulary};
use anyhow::Context;
use std::ops::Range;
use std::path::Path;

/// Maximum number of rows of numbers that are stored for calibration. A classifier stores whole sequences; if the first
/// one is longer, it alone is stored.
pub(super) const CALIBRATION_ROWS: usize = 4096;

/// The number of validation rows below which a warning is shown that the validation figures are uncertain.
const FEW_VALIDATION_ROWS: usize = 50;

/// The share of unknown validation tokens above which a warning is shown.
const MANY_UNKNOWN: f64 = 0.3;

/// Notes that a cross-validation replaces the validation split, or that there are few validation rows. `row_name`: the
/// word for the rows, such as "texts".
pub(super) fn describe_validation(problem: &Problem, row_name: &str, note: &dyn Fn(String)) {
    let (rows, folds) = (problem.valid.len(), problem.fold_count());
    if folds > 1 {
        note(format!("{rows} {row_name} without a validation split: {folds}-fold cross-validation"));
        note("finds the number of epochs and the accuracy; the model is then trained on all".to_owned());
        note("rows, and cross_validation.jsonl keeps the prediction for each of them".to_owned());
    } else if rows < FEW_VALIDATION_ROWS {
        note(format!("warning: only {rows} validation {row_name}: the validation figures are uncertain"));
    }
}

/// Notes how many tokens of the vocabulary and of the training set have a pretrained vector, if the recipe names a file
/// of embeddings.
pub(super) fn describe_embeddings(recipe: &Recipe, problem: &Problem, vocabulary: &Vocabulary, note: &dyn Fn(String)) {
    if let (Some(embeddings), Some(path)) = (&problem.embeddings, &recipe.model.embeddings) {
        let ids = problem.train.iter().flat_map(|sample| match &sample.steps {
            Steps::Tokens(ids) => ids.as_slice(),
            Steps::Values { .. } => &[],
        });
        let kind = if embeddings.frozen() { "frozen" } else { "initial" };
        note(format!("{kind} embeddings from {}: {}", path.display(), embeddings.coverage(vocabulary, ids)));
    }
}

/// Notes the share of unknown tokens in the training set and in the validation rows, with advice if the share in the
/// validation rows is large. With cross-validation, the validation rows are those of all folds: [`Problem::fold`] makes
/// tokens of a fold unknown that no other fold has.
pub(super) fn describe_unknown_tokens(problem: &Problem, note: &dyn Fn(String)) {
    let share = |samples: &[Sample]| {
        let ids = || samples.iter().flat_map(|sample| sample.steps.tokens());
        ids().filter(|&&id| id == UNK).count() as f64 / ids().count().max(1) as f64
    };
    let fold_rows: Vec<Sample> = (0..problem.fold_count()).flat_map(|fold| problem.fold(fold).valid).collect();
    let valid_share = share(if fold_rows.is_empty() { &problem.valid } else { &fold_rows });
    let train_share = share(&problem.train);
    let (train_percent, valid_percent) = (100.0 * train_share, 100.0 * valid_share);
    note(format!("unknown tokens: {train_percent:.1} % in training, {valid_percent:.1} % in validation"));
    if valid_share > MANY_UNKNOWN {
        note("warning: many validation tokens are unknown; try --tokenizer chars, bytes or wordpiece".to_owned());
    }
}

/// Notes the names of the channels, the network, and how many numbers of the table are missing.
pub(super) fn describe_channels(
    recipe: &Recipe,
    problem: &Problem,
    channels: &[Channel],
    table: &Table,
    note: &dyn Fn(String),
) {
    let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
    let layers = problem.architecture.recurrent.describe(recipe.model.hidden_size());
    note(format!("channels {}; {layers}, threads {}", names.join(", "), recipe.threads()));
    let missing = table.rows.iter().flatten().filter(|number| number.is_nan()).count();
    if missing > 0 {
        note(format!("{missing} numbers are missing: the number before is read in place of each; none is a target"));
    }
}

/// Writes some rows of a table into the file `name` of the model directory `dir`. `texts`: the names of the columns of
/// texts. Fails if the file cannot be written.
pub(super) fn save_table(
    dir: &Path,
    name: &str,
    texts: &[&str],
    table: &Table,
    rows: Range<usize>,
) -> anyhow::Result<()> {
    let path = dir.join(name);
    table.write(&path, texts, rows).with_context(|| path.display().to_string())
}
