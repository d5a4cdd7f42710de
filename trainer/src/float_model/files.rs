//! The names of the files of a model directory.

/// Declares the names of files, and the list of all of them.
macro_rules! files {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $file;)*
        /// All files of a model directory.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

files! {
    /// The weights, F32, with the names and gate orders of a PyTorch `state_dict`.
    WEIGHTS = "model.safetensors";
    /// The configuration: [`Config`](super::Config).
    CONFIG = "config.json";
    /// The vocabulary, for the tokenizers library.
    TOKENIZER = "tokenizer.json";
    /// The special tokens, for the transformers library.
    TOKENIZER_CONFIG = "tokenizer_config.json";
    /// The calibration set: training rows with which `tern export` measures the ranges of activations.
    CALIBRATION = "calibration.csv";
    /// The validation rows, so that later commands measure on the same rows.
    VALIDATION = "validation.csv";
    /// The predictions of a cross-validation, one JSON object for each training row. A model directory with this file
    /// has no validation rows.
    CROSS_VALIDATION = "cross_validation.jsonl";
    /// The calibration set of a language model: a part of its training text.
    CALIBRATION_TEXT = "calibration.txt";
    /// The validation text of a language model.
    VALIDATION_TEXT = "validation.txt";
    /// The complete recipe of the training.
    RECIPE = "recipe.toml";
    /// The metrics of the trained model.
    METRICS = "metrics.json";
    /// The metrics of each epoch, one JSON object on each line.
    LOG = "log.jsonl";
    /// The model card.
    CARD = "README.md";
    /// The report.
    REPORT = "report.html";
    /// The figures of the last export.
    EXPORT = "export.json";
}
