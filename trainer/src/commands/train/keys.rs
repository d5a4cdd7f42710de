//! Which option sets which key of a recipe.

use super::Overrides;
use crate::recipe::{Recipe, RecipeError};
use clap::{Args, Command};
use std::path::Path;

/// The option for a key, without dashes: named like the key, but for a few.
fn option(section: &str, key: &str) -> String {
    match (section, key) {
        ("vocabulary", "max_size") => "max-vocab".to_owned(),
        ("model", "output") => "model-output".to_owned(),
        ("tokenizer", "kind") => "tokenizer".to_owned(),
        (_, key) => key.replace('_', "-"),
    }
}

/// An error of a recipe that came from options, with the name of the option where there is one.
pub fn by_option(error: &RecipeError) -> String {
    if let RecipeError::Value { key, found, expected } = error
        && let Some((section, key)) = key.strip_prefix('[').and_then(|key| key.split_once("] "))
    {
        let option = option(section, key);
        let command = Overrides::augment_args(Command::new("train"));
        if command.get_arguments().any(|argument| argument.get_long() == Some(&option)) {
            return format!("--{option} is {found}, expected {expected}");
        }
    }
    error.to_string()
}

/// Adds to the help of each option what its key has in a recipe that does not name it.
pub fn with_defaults(command: Command) -> Command {
    let defaults = Recipe::for_data(Path::new("data.csv")).to_toml(Path::new(""));
    let defaults: toml::Table = defaults.parse().unwrap_or_default();
    let mut known: Vec<(String, String)> = Vec::new();
    for (section, keys) in &defaults {
        for (key, value) in keys.as_table().into_iter().flatten() {
            let shown = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Float(number) => number.to_string(),
                value => value.to_string(),
            };
            known.push((option(section, key), shown));
        }
    }
    command.mut_args(|argument| {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let default = known.iter().find(|(name, _)| argument.get_long() == Some(name));
        match default {
            Some((_, value)) if !help.contains("[default") => argument.help(format!("{help} [default: {value}]")),
            _ => argument,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_option() {
        let mut recipe = Recipe::for_data(Path::new("a.csv"));
        recipe.vocabulary.max_size = 1;
        assert_eq!(by_option(&recipe.check().unwrap_err()), "--max-vocab is 1, expected 3 to 16777216");
    }

    #[test]
    fn help_tells_every_default() {
        let help = with_defaults(Overrides::augment_args(Command::new("train"))).render_long_help().to_string();
        // Joined lines: where help is wrapped is not what counts.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in [
            "--hidden <N> Cells of a recurrent layer, in each direction [default: 64]",
            "[default: lstm]",
            "[default: 0.98]",
        ] {
            assert!(help.contains(expected), "{expected:?} is missing in\n{help}");
        }
    }
}
