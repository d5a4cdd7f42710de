//! A trained model in floats, and the folder it lives in.
//!
//! | file | what |
//! |---|---|
//! | `model.safetensors` | the weights, F32, with the names and gate orders of a PyTorch `state_dict` |
//! | `config.json` | what the model is: [`Config`] |
//! | `tokenizer.json` | the vocabulary, for the `tokenizers` library |
//! | `calibration.csv` | training rows by which an export measures the ranges of activations |
//! | `validation.csv` | the held-out rows, so that later figures speak of the same ones |
//! | `log.jsonl` | how the training went, an object a line |
//! | `calibration.txt`, `validation.txt` | in their place, of a language model |
//! | `recipe.toml`, `metrics.json`, `README.md`, `report.html` | how it was made, and how well it came out |
//! | `export.json` | what the last export said of itself |

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
    /// What the model is.
    pub const CONFIG: &str = "config.json";
    /// The vocabulary.
    pub const TOKENIZER: &str = "tokenizer.json";
    /// Training rows for calibration.
    pub const CALIBRATION: &str = "calibration.csv";
    /// Held-out rows.
    pub const VALIDATION: &str = "validation.csv";
    /// The end of the text that a language model learnt from, held out.
    pub const VALIDATION_TEXT: &str = "validation.txt";
    /// The beginning of that text.
    pub const CALIBRATION_TEXT: &str = "calibration.txt";
    /// The complete recipe.
    pub const RECIPE: &str = "recipe.toml";
    /// Figures of the training.
    pub const METRICS: &str = "metrics.json";
    /// The model card.
    pub const CARD: &str = "README.md";
    /// The report.
    pub const REPORT: &str = "report.html";
    /// How the training went.
    pub const LOG: &str = "log.jsonl";
    /// Figures of the last export.
    pub const EXPORT: &str = "export.json";
    /// All of them.
    pub const ALL: [&str; 13] = [
        VALIDATION_TEXT,
        CALIBRATION_TEXT,
        WEIGHTS,
        CONFIG,
        TOKENIZER,
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
    /// Puts a model together. The tokenizer is that of the vocabulary, whatever `config` says.
    ///
    /// # Errors
    ///
    /// Where the weights do not have the shapes that `config` asks for.
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

    /// What the model is.
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

    /// Training rows for calibration, at most 512. Empty where the directory has none, and of all but classifiers of text.
    pub fn calibration(&self) -> &[Example] {
        &self.calibration
    }

    /// The rows that were held out of the training. Empty where the directory has none, and of all but classifiers of text.
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
