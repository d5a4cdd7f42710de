//! Options that say what a model does.

use crate::recipe::{Anchor, InputKind, Recipe, Task};

/// What the model does, and what it reads.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Task")]
pub struct TaskOptions {
    /// What the model does
    #[arg(long = "task", id = "task_kind", value_enum)]
    pub task: Option<Task>,
    /// What a classifier reads: texts, or sequences of numbers
    #[arg(long = "input", id = "input_kind", value_enum)]
    pub input: Option<InputKind>,
    /// Columns of numbers to read [default: all that hold nothing but numbers]
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Column by which the rows of a table of sequences belong together
    #[arg(long, value_name = "NAME")]
    pub sequence_column: Option<String>,
    /// Rows that a forecast reads, or tokens of a language model's window
    #[arg(long, value_name = "N")]
    pub window: Option<usize>,
    /// Rows that a forecast says
    #[arg(long, value_name = "N")]
    pub horizon: Option<usize>,
    /// Columns that a forecast says [default: the first one]
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub targets: Option<Vec<String>>,
    /// Rows of a season, for the seasonal baseline
    #[arg(long, value_name = "N")]
    pub season: Option<usize>,
    /// What a forecast's outputs are counted from
    #[arg(long, value_enum)]
    pub anchor: Option<Anchor>,
    /// Tokens or rows of a sequence that are learnt from, the first ones; 0: all
    #[arg(long, value_name = "N")]
    pub max_length: Option<usize>,
}

impl TaskOptions {
    /// Puts the given settings into `recipe`.
    pub fn apply(&self, recipe: &mut Recipe) {
        fn set<T: Clone>(value: &mut T, given: &Option<T>) {
            if let Some(given) = given {
                value.clone_from(given);
            }
        }
        set(&mut recipe.task, &self.task);
        set(&mut recipe.data.input, &self.input);
        set(&mut recipe.data.columns, &self.columns);
        set(&mut recipe.data.sequence_column, &self.sequence_column);
        match recipe.task {
            Task::LanguageModel => set(&mut recipe.language_model.window, &self.window),
            _ => set(&mut recipe.forecast.window, &self.window),
        }
        set(&mut recipe.forecast.horizon, &self.horizon);
        set(&mut recipe.forecast.targets, &self.targets);
        set(&mut recipe.forecast.season, &self.season);
        set(&mut recipe.forecast.anchor, &self.anchor);
        set(&mut recipe.training.max_length, &self.max_length);
    }
}
