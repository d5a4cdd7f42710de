//! The model card of models that do not classify texts.

use crate::float_model::Config;
use crate::recipe::Recipe;
use crate::task::Task;
use std::fmt::Write;

/// The card. `lines`: the figures on what was held out, for people.
pub fn card(config: &Config, recipe: &Recipe, parameters: usize, lines: &[String]) -> String {
    let (pipeline, what) = match config.task {
        Task::Classify => ("other", "Gives a sequence of numbers one of its labels."),
        Task::LanguageModel => ("text-generation", "Says which token of a text comes next."),
        Task::Forecast => ("time-series-forecasting", "Says which numbers of a series come next."),
    };
    let name: String = config.name.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>' | '`')).collect();
    let file = recipe.data.train.file_name().unwrap_or_default().to_string_lossy().replace(['`', '<', '>', '\n'], " ");
    let mut card = format!("---\nlibrary_name: tern\npipeline_tag: {pipeline}\n---\n\n# {name}\n\n{what} ");
    let _ = writeln!(card, "{}, {parameters} parameters.\n", config.recurrent().describe(config.hidden_size));
    let _ = writeln!(card, "## Figures\n\nOn what was held out of `{file}`, which also chose the epoch:\n\n```text");
    lines.iter().for_each(|line| card.push_str(&format!("{line}\n")));
    card.push_str("```\n");
    if !config.channels.is_empty() {
        card.push_str("\n## Channels\n\n| channel | mean | standard deviation |\n|---|--:|--:|\n");
        for channel in &config.channels {
            let name = channel.name.replace(['|', '<', '>', '`'], " ");
            let _ = writeln!(card, "| {name} | {} | {} |", channel.mean, channel.std);
        }
    }
    card
}
