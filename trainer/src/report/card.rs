//! `README.md`: the model card.

use super::Figures;
use crate::float_model::Config;
use crate::recipe::Recipe;
use std::fmt::Write;

/// The card.
pub fn card(config: &Config, recipe: &Recipe, figures: &Figures) -> String {
    let validation = &figures.validation;
    let file = |path: &std::path::Path| inline(&path.file_name().unwrap_or_default().to_string_lossy());
    let held_out = match &recipe.data.valid {
        Some(valid) => format!("the {} rows of `{}`", validation.examples(), file(valid)),
        None => format!(
            "{} rows that were held out of the data, {:.0} % of each class",
            validation.examples(),
            100.0 * recipe.data.valid_fraction
        ),
    };
    let mut card =
        format!("---\nlibrary_name: tern\npipeline_tag: text-classification\n---\n\n# {}\n\n", inline(&config.name));
    let _ = writeln!(
        card,
        "Gives a text one of {} labels. A recurrent network small enough for a microcontroller: {} tokens, embedding {}, \
         {}, {} parameters.\n",
        config.labels.len(),
        config.vocab_size,
        config.embedding_dim,
        config.recurrent().describe(config.hidden_size),
        figures.parameters
    );
    let _ = writeln!(
        card,
        "## Figures\n\nMeasured on {held_out}, which also chose epoch {} of {}: they are validation figures.\n",
        figures.best_epoch,
        figures.history.len()
    );
    let _ = writeln!(card, "| | |\n|---|---|");
    let _ = writeln!(card, "| accuracy | {:.4} |", validation.accuracy());
    let _ = writeln!(card, "| always the most frequent label | {:.4} |", validation.majority_accuracy());
    let _ = writeln!(card, "| macro F1 | {:.4} |", validation.macro_f1());
    let _ = writeln!(card, "| loss (nats) | {:.4} |\n", validation.loss());
    if figures.leaked > 0 {
        let _ = writeln!(
            card,
            "{} of these texts were learnt from as well: the figures flatter the model.\n",
            figures.leaked
        );
    }
    let _ = writeln!(card, "| label | precision | recall | F1 | held out | learnt from |\n|---|--:|--:|--:|--:|--:|");
    for ((label, class), train) in figures.labels.iter().zip(validation.per_class()).zip(&figures.train_support) {
        let _ = writeln!(
            card,
            "| {} | {:.4} | {:.4} | {:.4} | {} | {train} |",
            inline(label).replace('|', "\\|"),
            class.precision,
            class.recall,
            class.f1,
            class.support
        );
    }
    let _ = writeln!(
        card,
        "\n## Data\n\n{} rows of `{}` were learnt from. What they say, and what they leave out, the model repeats: look at \
         `report.html` for its most confident mistakes before you rely on it.\n",
        figures.lengths.len(),
        file(&recipe.data.train)
    );
    card.push_str("## Use\n\nFrom the folder that holds this one:\n\n```console\n");
    let folder = shell(&config.name);
    let _ = writeln!(card, "tern predict {folder} \"a text\"");
    let _ = writeln!(card, "tern eval {folder} --data {folder}/validation.csv");
    let _ = writeln!(card, "tern train {folder}/recipe.toml -o {folder}    # makes it again, to the bit");
    card.push_str("```\n");
    card
}

/// Text on one line, without Markdown's or HTML's markup.
fn inline(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '<' | '>' | '`') { ' ' } else { c }).collect()
}

/// A word for a shell.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let text = inline(text);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
