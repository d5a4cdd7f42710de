//! A trained model in floats, and the model directory that stores it.
//!
//! | file | content |
//! |---|---|
//! | `model.safetensors` | the weights, F32, with the names and gate orders of a PyTorch `state_dict` |
//! | `config.json` | the configuration: [`Config`] |
//! | `tokenizer.json`, `tokenizer_config.json` | the vocabulary, for the `tokenizers` and `transformers` libraries |
//! | `calibration.csv` | training rows with which an export measures the ranges of activations |
//! | `validation.csv` | the validation split, so that later commands measure on the same rows |
//! | `cross_validation.jsonl` | in place of the validation split: the predictions of a cross-validation, a row a line |
//! | `log.jsonl` | the metrics of each epoch, one object a line |
//! | `calibration.txt`, `validation.txt` | the same for a language model |
//! | `recipe.toml`, `metrics.json`, `README.md`, `report.html` | recipe, metrics, model card and report |
//! | `export.json` | the figures of the last export |

mod config;
mod directory;
mod load;
mod save;

pub use crate::data::normalise::Channel;
pub use config::{Config, ConfigError, Forecast};
pub use directory::{DirectoryError, Staged};
pub use load::LoadError;
pub use save::{SaveError, safetensors_bytes};

use crate::data::Example;
use crate::logits::class_logits;
use crate::nn::network::Network;
use crate::vocabulary::Vocabulary;
use crate::weights::{Weights, WeightsError};
use tern_format::Input;

/// Names of the files of a model directory.
pub mod files {
    /// The weights.
    pub const WEIGHTS: &str = "model.safetensors";
    /// The configuration.
    pub const CONFIG: &str = "config.json";
    /// The vocabulary.
    pub const TOKENIZER: &str = "tokenizer.json";
    /// The special tokens, for the transformers library.
    pub const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
    /// Training rows for calibration.
    pub const CALIBRATION: &str = "calibration.csv";
    /// The validation rows.
    pub const VALIDATION: &str = "validation.csv";
    /// The predictions of a cross-validation, in place of the validation rows.
    pub const CROSS_VALIDATION: &str = "cross_validation.jsonl";
    /// The validation text of a language model.
    pub const VALIDATION_TEXT: &str = "validation.txt";
    /// Training text for calibration.
    pub const CALIBRATION_TEXT: &str = "calibration.txt";
    /// The complete recipe.
    pub const RECIPE: &str = "recipe.toml";
    /// The metrics of the training.
    pub const METRICS: &str = "metrics.json";
    /// The model card.
    pub const CARD: &str = "README.md";
    /// The report.
    pub const REPORT: &str = "report.html";
    /// The log of the training.
    pub const LOG: &str = "log.jsonl";
    /// The figures of the last export.
    pub const EXPORT: &str = "export.json";
    /// All files of a model directory.
    pub const ALL: [&str; 15] = [
        CROSS_VALIDATION,
        VALIDATION_TEXT,
        CALIBRATION_TEXT,
        WEIGHTS,
        CONFIG,
        TOKENIZER,
        TOKENIZER_CONFIG,
        CALIBRATION,
        VALIDATION,
        RECIPE,
        METRICS,
        LOG,
        EXPORT,
        CARD,
        REPORT,
    ];
}

/// A trained model in floats.
#[derive(Clone, Debug)]
pub struct FloatModel {
    config: Config,
    vocabulary: Vocabulary,
    weights: Weights,
    calibration: Vec<Example>,
    validation: Vec<Example>,
    network: Network,
}

impl FloatModel {
    /// Builds a model. The tokenizer of the vocabulary replaces that of `config`.
    ///
    /// # Errors
    ///
    /// If the shapes of the weights do not match `config`.
    pub fn new(
        mut config: Config,
        vocabulary: Vocabulary,
        weights: Weights,
        calibration: Vec<Example>,
        validation: Vec<Example>,
    ) -> Result<Self, WeightsError> {
        if config.input == Input::Tokens {
            config.tokenizer = vocabulary.tokenizer().name().to_owned();
        }
        weights.check(&config.architecture())?;
        let network = Network::new(&weights, &config.architecture());
        Ok(FloatModel { config, vocabulary, weights, calibration, validation, network })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The labels, in the order of the logits.
    pub fn labels(&self) -> &[String] {
        &self.config.labels
    }

    /// The tokens and their ids.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The weights by PyTorch's names, row-major.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// At most 512 training rows for calibration. Empty if the directory has none, and for other tasks than text
    /// classification.
    pub fn calibration(&self) -> &[Example] {
        &self.calibration
    }

    /// The validation rows. Empty if the directory has none, and for other tasks than text classification.
    pub fn validation(&self) -> &[Example] {
        &self.validation
    }

    /// The forward pass.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The logits of a text, one for each label.
    pub fn logits(&self, text: &str) -> Vec<f32> {
        class_logits(&self.network.logits(&self.vocabulary.encode(text)))
    }
}

#[cfg(test)]
pub(crate) mod tests;
