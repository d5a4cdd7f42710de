//! Recipes: TOML files that hold every setting of a training.
//!
//! ```toml
//! [data]
//! train = "messages.csv"      # the only required key; paths are relative to the recipe's folder
//!
//! [model]
//! hidden_size = 32
//! ```
//!
//! A recipe is merged from layers: the defaults of the task, the recipe file, and the options of the command line;
//! later layers win. All keys are described in `sections.rs`. The recipe in a model directory contains every key that
//! has a value.

mod check;
mod choices;
mod layers;
pub mod schema;
mod sections;
mod settings;
mod spelling;
#[cfg(test)]
mod tests;
mod text_settings;

pub use check::RecipeError;
pub use choices::{
    Anchor, Bits, ClassWeights, DeviceKind, InputKind, Metric, OptimizerKind, Schedule, StoredTokens, Widths,
};
pub use layers::DEFAULTS;
pub(crate) use layers::{lay_over, set};
pub use sections::{
    Card, Data, Export, Forecast, LanguageModel, Model, SECTIONS, Sequences, Tokenizer, Training, Vocabulary, fields,
};
pub use settings::{Recipe, SMALL_DATA};
pub use tern_format::{Cell, Merge, Output, Pooling, Task, TokenizerKind};
pub use text_settings::{LONG_TEXT, ngram_rank, text_epochs};
