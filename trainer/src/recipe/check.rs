//! Checks a recipe, the settings of a training: the range of every value, and which settings go together.

use super::choices::{InputKind, Metric, OptimizerKind, Schedule};
use super::sections::{Model, Sequences, fields};
use super::settings::Recipe;
use crate::file_error::FileError;
use tern_format::limits::NGRAM_BUCKETS;
use tern_format::{Merge, Output, Pooling, Task, TokenizerKind};

/// The error of a recipe that cannot be read or is refused.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read, is not TOML, names no training data, or has unknown sections, keys or values.
    #[error(transparent)]
    File(#[from] FileError),
    /// A value is out of range, or does not go together with another setting.
    #[error("{key} is {found}, expected {expected}")]
    Value {
        /// The section and the key, such as `[model] hidden_size`.
        key: String,
        /// The value that was found, as the message shows it.
        found: String,
        /// The values that are allowed.
        expected: String,
    },
    /// The sizes of the n-grams contradict each other or do not suit the tokenizer.
    #[error("[model] ngram_words, ngram_min_chars and ngram_max_chars: {0}")]
    Ngrams(&'static str),
}

/// Returns the error for the value `found` of `key`, which does not go together with other settings. `expected`: the
/// values that do.
fn refuse(key: &str, found: impl ToString, expected: &str) -> Result<(), RecipeError> {
    Err(RecipeError::Value { key: key.to_owned(), found: found.to_string(), expected: expected.to_owned() })
}

impl Recipe {
    /// Checks every value. Fails with [`RecipeError::Value`] for the first one that is out of range or does not go
    /// together with another setting, and with [`RecipeError::Ngrams`] for n-grams that contradict each other.
    pub fn check(&self) -> Result<(), RecipeError> {
        let table = self.to_table();
        for field in fields() {
            if let Some(value) = field.value_in(&table)
                && let Some((found, expected)) = field.kind.fault(value)
            {
                return Err(RecipeError::Value { key: field.label(), found, expected });
            }
        }
        self.check_network()?;
        self.check_task()?;
        self.check_training()?;
        self.check_card()
    }

    /// Checks that the keys of `[sequences]` are 0 unless `reads_sequences` is true (a classifier of sequences), and
    /// that resampling has both of its rates.
    fn check_sequences(&self, reads_sequences: bool) -> Result<(), RecipeError> {
        let Sequences { window, overlap, sample_rate, resample, jitter, scaling } = self.sequences;
        if !reads_sequences {
            let settings = [
                ("window", window as f64),
                ("overlap", overlap),
                ("sample_rate", sample_rate),
                ("resample", resample),
                ("jitter", jitter),
                ("scaling", scaling),
            ];
            for (key, value) in settings {
                if value != 0.0 {
                    let expected = "0 where task is not classify or input is not values";
                    return refuse(&format!("[sequences] {key}"), value, expected);
                }
            }
            return Ok(());
        }
        if overlap > 0.0 && window == 0 {
            return refuse("[sequences] overlap", overlap, "0 where window is 0: whole recordings do not overlap");
        }
        if resample > 0.0 && sample_rate == 0.0 {
            return refuse("[sequences] sample_rate", 0, "the rows per second of the table, which resample needs");
        }
        if sample_rate > 0.0 && resample == 0.0 {
            return refuse("[sequences] sample_rate", sample_rate, "0 where resample is 0");
        }
        Ok(())
    }

    /// Checks which settings of the tokenizer and the network go together.
    fn check_network(&self) -> Result<(), RecipeError> {
        let Recipe { tokenizer, model, .. } = self;
        if tokenizer.kind == Some(TokenizerKind::Bytes) && tokenizer.lowercase == Some(true) {
            let expected = "false or nothing where kind is \"bytes\": bytes have no case";
            return refuse("[tokenizer] lowercase", true, expected);
        }
        if model.embeddings.is_none() && model.embedding_dim == Some(0) {
            return refuse("[model] embedding_dim", 0, "1 to 4096");
        }
        if model.embeddings.is_none() && model.freeze_embeddings {
            let expected = "false without a file of embeddings: random vectors must be trained";
            return refuse("[model] freeze_embeddings", true, expected);
        }
        if model.merge != Merge::Concat && !model.is_bidirectional() {
            let expected = "concat where bidirectional is false: there is only one direction";
            return refuse("[model] merge", model.merge.name(), expected);
        }
        self.check_ngrams()
    }

    /// Checks the settings of the n-gram branch, and that there is one if there are no recurrent layers.
    fn check_ngrams(&self) -> Result<(), RecipeError> {
        let Recipe { model, tokenizer, data, .. } = self;
        let buckets = model.ngram_buckets;
        if model.num_layers == 0 {
            if buckets == Some(0) {
                let expected = "1 to 4, or 0 with an n-gram branch: [model] ngram_buckets above 0";
                return refuse("[model] num_layers", 0, expected);
            }
            if let Some(path) = &model.embeddings {
                let expected = "nothing where num_layers is 0: only recurrent layers read embeddings";
                return refuse("[model] embeddings", path.display(), expected);
            }
        }
        if buckets == Some(0) {
            return Ok(());
        }
        if let Some(buckets) = buckets
            && !(buckets.is_power_of_two() && NGRAM_BUCKETS.contains(&buckets))
        {
            return refuse("[model] ngram_buckets", buckets, "0, or a power of 2 from 16 to 1048576");
        }
        let bits = model.ngram_bits();
        if !matches!(bits, 4 | 8) {
            return refuse("[model] ngram_bits", bits, "4 or 8");
        }
        if let Some(rank) = model.ngram_rank
            && (!rank.is_power_of_two() || (bits == 4 && rank == 1))
        {
            return refuse("[model] ngram_rank", rank, "a power of 2 to 256, and 2 or more where ngram_bits is 4");
        }
        if model.ngram_fingerprints == Some(true) && data.folds > 1 {
            let expected = "false with a cross-validation, since the labels of all training rows choose the n-grams; take a \
                            validation split (folds = 1) or rows of your own (valid)";
            return refuse("[model] ngram_fingerprints", true, expected);
        }
        // If the recipe names no tokenizer, this checks the n-grams with the default one; the data may choose another.
        let tokenizer = tokenizer.tokenizer();
        model.ngrams(tokenizer).check(tokenizer).map_err(RecipeError::Ngrams)
    }

    /// Checks which settings go together with the task.
    fn check_task(&self) -> Result<(), RecipeError> {
        let Recipe { task, data, model, training, .. } = self;
        match (task, model.output) {
            (Task::Classify, Output::Linear) => {
                return refuse("[model] output", "linear", "softmax or sigmoid: a classifier gives probabilities");
            }
            (Task::LanguageModel, output @ (Output::Sigmoid | Output::Linear)) => {
                let expected = "softmax: a language model gives each token a probability";
                return refuse("[model] output", output.name(), expected);
            }
            (Task::Forecast, Output::Sigmoid) => {
                return refuse("[model] output", "sigmoid", "linear: a forecast gives numbers");
            }
            _ => {}
        }
        if *task == Task::LanguageModel {
            if data.input == InputKind::Values {
                return refuse("[data] input", "values", "text where task is language-model");
            }
            if model.is_bidirectional() {
                let expected = "false where task is language-model: it would read the token that it predicts";
                return refuse("[model] bidirectional", true, expected);
            }
            if model.pooling() != Pooling::Last {
                let expected = "last where task is language-model: each hidden state predicts the next token";
                return refuse("[model] pooling", model.pooling().name(), expected);
            }
        }
        let is_classifier = *task == Task::Classify;
        if !is_classifier && !training.teachers.is_empty() {
            return refuse("[training] teachers", "a list", "nothing where task is not classify");
        }
        self.check_sequences(is_classifier && data.input == InputKind::Values)?;
        if !is_classifier && data.folds > 1 {
            return refuse("[data] folds", data.folds, "1 where task is not classify");
        }
        if !is_classifier && training.refuse_share > 0.0 {
            return refuse("[training] refuse_share", training.refuse_share, "0 where task is not classify");
        }
        if !is_classifier || data.input == InputKind::Values {
            if let Some(buckets @ 1..) = model.ngram_buckets {
                let expected = "0 here: an n-gram branch reads text for a classifier";
                return refuse("[model] ngram_buckets", buckets, expected);
            }
            if model.num_layers == 0 {
                return refuse("[model] num_layers", 0, "1 to 4 here: an n-gram branch reads text for a classifier");
            }
        }
        Ok(())
    }

    /// Checks which settings of the training go together.
    fn check_training(&self) -> Result<(), RecipeError> {
        let training = &self.training;
        if training.schedule == Schedule::OneCycle && training.warm_up != 0.0 {
            let expected = "0 with schedule one_cycle, which rises for a tenth of the steps";
            return refuse("[training] warm_up", training.warm_up, expected);
        }
        if training.nesterov && (training.optimizer != OptimizerKind::Sgd || training.momentum == 0.0) {
            return refuse("[training] nesterov", true, "false without optimizer sgd and a momentum above 0");
        }
        if let Some(label) = &training.refuse_label
            && training.refuse_share == 0.0
        {
            let expected = "nothing where refuse_share is 0: the model then always answers";
            return refuse("[training] refuse_label", format!("{label:?}"), expected);
        }
        let Model { num_layers, head_hidden, ngram_buckets, .. } = self.model;
        let branch_loss = training.branch_loss.unwrap_or(0.0);
        if branch_loss > 0.0 && (num_layers == 0 || head_hidden > 0 || ngram_buckets == Some(0)) {
            let expected = "0 without both recurrent layers and an n-gram branch, and with head_hidden";
            return refuse("[training] branch_loss", branch_loss, expected);
        }
        match (self.task, training.metric) {
            (Task::LanguageModel, Some(Metric::MacroF1)) => {
                refuse("[training] metric", "macro_f1", "loss or accuracy where task is language-model")
            }
            (Task::Forecast, Some(Metric::Accuracy | Metric::MacroF1)) => {
                refuse("[training] metric", self.metric().title(), "loss where task is forecast")
            }
            _ => Ok(()),
        }
    }

    /// Checks that licence, languages and data sets of the model card have the form that the Hub accepts.
    fn check_card(&self) -> Result<(), RecipeError> {
        let card = &self.card;
        let is_licence_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if let Some(license) = &card.license
            && (license.is_empty() || !license.chars().all(is_licence_char))
        {
            let expected = "the Hub's name of a licence, such as \"mit\", \"apache-2.0\", \"cc-by-4.0\" or \"other\"";
            return refuse("[card] license", format!("{license:?}"), expected);
        }
        let is_code = |code: &str| (2..=3).contains(&code.len()) && code.chars().all(|c| c.is_ascii_lowercase());
        if let Some(code) = card.language.iter().find(|code| !is_code(code) && *code != "multilingual") {
            return refuse("[card] language", format!("{code:?}"), "ISO 639 codes such as \"en\", or \"multilingual\"");
        }
        let is_name_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let is_name = |name: &str| !name.is_empty() && name.matches('/').count() <= 1 && name.chars().all(is_name_char);
        if let Some(name) = card.datasets.iter().find(|name| !is_name(name)) {
            return refuse("[card] datasets", format!("{name:?}"), "names on the Hub such as \"stanfordnlp/imdb\"");
        }
        Ok(())
    }
}
