//! The options of `tern train` that set keys of the recipe. They are generated from the recipe's table of keys, in
//! which a [`Field`] describes a key and its [`Kind`] the values that it takes, so that an option, its help and its
//! default are defined in one place. The Python package takes the same keys as keyword arguments.

use super::super::Failure;
use crate::recipe::schema::{Field, Kind, nearest};
use crate::recipe::{DEFAULTS, RecipeError, SECTIONS, fields};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use toml::{Table, Value};

/// The options that the user gave, as a TOML table with the sections and keys of a recipe. It is laid over the recipe.
#[derive(Clone, Debug, Default)]
pub struct RecipeOptions(pub Table);

impl RecipeOptions {
    /// Makes the options from `keys`, a JSON object such as `{"hidden_size": 32}`. Each name is that of an option with
    /// underscores in place of hyphens, or that of a key in the recipe. A name whose value is null is left out. Fails
    /// for an unknown name and for a value that the key does not take.
    pub fn from_keys(keys: &serde_json::Map<String, serde_json::Value>) -> Result<Self, Failure> {
        let mut options = Table::new();
        for (name, value) in keys.iter().filter(|(_, value)| !value.is_null()) {
            let value = Value::try_from(value).map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
            let matching: Vec<&Field> = fields().filter(|field| names(field).contains(name)).collect();
            if matching.is_empty() {
                return Err(Failure::Usage(unknown_name(name)));
            }
            // Keys of two sections may share a name, which then sets both.
            for field in matching {
                if let Some((found, expected)) = field.kind.fault(&value) {
                    return Err(Failure::Usage(format!("{name} is {found}, expected {expected}")));
                }
                insert(&mut options, field, value.clone());
            }
        }
        Ok(RecipeOptions(options))
    }
}

/// Returns the names by which [`RecipeOptions::from_keys`] accepts a key. A switch is accepted by its key only, since
/// its option, named `--no-…`, has the opposite meaning.
fn names(field: &Field) -> Vec<String> {
    let mut names = Vec::new();
    if !matches!(field.kind, Kind::Switch)
        && let Some(option) = field.option_name()
    {
        names.push(option.replace('-', "_"));
    }
    names.push(field.key.to_owned());
    names.extend(field.alias.map(str::to_owned));
    names
}

/// Returns the error message for a name that no key has.
fn unknown_name(name: &str) -> String {
    let known: Vec<String> = fields().flat_map(names).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    match nearest(name, &known) {
        Some(near) => format!("unknown setting `{name}`; did you mean `{near}`?"),
        None => format!("unknown setting `{name}`, expected a key of a recipe such as `hidden_size`"),
    }
}

/// Sets the key of `field` in the table `options`.
fn insert(options: &mut Table, field: &Field, value: Value) {
    let section = match field.section {
        "" => options,
        section => match options.entry(section).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(section) => section,
            _ => unreachable!("a section is a table"),
        },
    };
    section.insert(field.key.to_owned(), value);
}

impl clap::Args for RecipeOptions {
    fn augment_args(mut command: Command) -> Command {
        for (fields, heading) in SECTIONS {
            for field in fields {
                let Some(name) = field.option_name() else { continue };
                let existing = command.get_arguments().find(|argument| argument.get_long() == Some(&name));
                // Keys of two sections may share an option: its help then has a sentence for each.
                let help = match existing.and_then(|argument| argument.get_help()) {
                    Some(help) => format!("{help}. {}", help_of(field)),
                    None => help_of(field),
                };
                if existing.is_some() {
                    command = command.mut_arg(id(&name), |argument| argument.help(help));
                } else {
                    command = command.arg(argument(field, name).help(help).help_heading(heading));
                }
            }
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for RecipeOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut options = RecipeOptions::default();
        options.update_from_arg_matches(matches)?;
        Ok(options)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for field in fields() {
            let value = field.option_name().and_then(|name| value_of(field, &id(&name), matches));
            if let Some(value) = value {
                insert(&mut self.0, field, value);
            }
        }
        Ok(())
    }
}

/// Returns the id by which clap identifies an option. The prefix keeps it distinct from the ids of other arguments.
fn id(option: &str) -> String {
    format!("recipe-{option}")
}

/// Returns the option that sets a key, without its help.
fn argument(field: &Field, name: String) -> Arg {
    let mut argument = Arg::new(id(&name)).long(name);
    if let Some(alias) = field.alias {
        argument = argument.alias(alias);
    }
    match field.kind {
        Kind::Whole { .. } | Kind::Bits => argument.value_name("N").value_parser(value_parser!(i64)),
        Kind::Number { .. } => argument.value_name("X").value_parser(value_parser!(f64)),
        Kind::Boolean => argument
            .value_name("BOOL")
            .value_parser(value_parser!(bool))
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::Switch => argument.action(ArgAction::SetTrue),
        Kind::OneOf(words) => argument.value_name("NAME").value_parser(PossibleValuesParser::new(words())),
        Kind::Text => argument.value_name("NAME"),
        Kind::Path => argument.value_name("FILE"),
        Kind::Separator => argument.value_name("CHAR").value_parser(crate::commands::table::delimiter),
        Kind::List | Kind::Paths => argument.value_name("NAME,NAME").value_delimiter(',').action(ArgAction::Append),
    }
}

/// Returns the value that an option gives to its key; `None` if it was not given.
fn value_of(field: &Field, id: &str, matches: &ArgMatches) -> Option<Value> {
    Some(match field.kind {
        Kind::Whole { .. } | Kind::Bits => Value::Integer(*matches.get_one::<i64>(id)?),
        Kind::Number { .. } => Value::Float(*matches.get_one::<f64>(id)?),
        Kind::Boolean => Value::Boolean(*matches.get_one::<bool>(id)?),
        // A switch is named `--no-…` and turns its key off.
        Kind::Switch if matches.get_flag(id) => Value::Boolean(false),
        Kind::Switch => return None,
        Kind::Separator => Value::String(matches.get_one::<char>(id)?.to_string()),
        Kind::OneOf(_) | Kind::Text | Kind::Path => Value::String(matches.get_one::<String>(id)?.clone()),
        Kind::List | Kind::Paths => Value::Array(matches.get_many::<String>(id)?.cloned().map(Value::String).collect()),
    })
}

/// Returns the help of a key with its default, and with the defaults of other tasks where they differ.
fn help_of(field: &Field) -> String {
    let help = field.help.trim();
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => number.to_string(),
        value => value.to_string(),
    };
    // `DEFAULTS` has the default recipe of each task; the first is that of text classifiers.
    let [(_, classifier), other_tasks @ ..] = &*DEFAULTS;
    let Some(default) = field.value_in(classifier) else { return help.to_owned() };
    // Defaults of lists and switches are not shown, and some helps describe the default themselves.
    if default.is_array() || matches!(field.kind, Kind::Switch) || help.contains("[default") {
        return help.to_owned();
    }
    let mut other_defaults = String::new();
    for (task, recipe) in other_tasks {
        if let Some(value) = field.value_in(recipe).filter(|value| *value != default) {
            other_defaults += &format!("; {}: {}", task.name(), shown(value));
        }
    }
    format!("{help} [default: {}{other_defaults}]", shown(default))
}

/// Returns the message for an error of a recipe. It names the option of the faulty key, or the key if it has no option.
pub fn by_option(error: &RecipeError) -> String {
    if let RecipeError::Value { key, found, expected } = error
        && let Some(option) = fields().find(|field| field.label() == *key).and_then(Field::option_name)
    {
        return format!("--{option} is {found}, expected {expected}");
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use clap::{Args, FromArgMatches};
    use std::path::Path;

    fn command() -> Command {
        RecipeOptions::augment_args(Command::new("train"))
    }

    #[test]
    fn keys_by_name_make_the_same_layer_as_options() {
        let keys = |json: serde_json::Value| RecipeOptions::from_keys(json.as_object().unwrap());
        let layer = keys(serde_json::json!({
            "name": "m", "hidden_size": 7, "tokenizer": "chars", "max_vocab": 99, "dropout": 0, "header": false,
            "columns": ["a"], "epochs": null, "license": "mit",
        }));
        let arguments = [
            "train",
            "--name",
            "m",
            "--hidden-size",
            "7",
            "--tokenizer",
            "chars",
            "--max-vocab",
            "99",
            "--no-header",
            "--columns",
            "a",
        ];
        let RecipeOptions(mut options) =
            RecipeOptions::from_arg_matches(&command().try_get_matches_from(arguments).unwrap()).unwrap();
        crate::recipe::set(&mut options, "model", "dropout", Value::Integer(0));
        crate::recipe::set(&mut options, "card", "license", "mit".into());
        assert_eq!(layer.unwrap().0, options);
        for (json, expected) in [
            (serde_json::json!({"hiden_size": 7}), "unknown setting `hiden_size`; did you mean `hidden_size`?"),
            (serde_json::json!({"q": 7}), "unknown setting `q`, expected a key of a recipe such as `hidden_size`"),
            (serde_json::json!({"epochs": 0}), "epochs is 0, expected 1 to 100000"),
            (serde_json::json!({"epochs": 2.5}), "epochs is 2.5, expected a whole number"),
        ] {
            assert_eq!(keys(json).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn an_error_names_the_option() {
        let mut recipe = Recipe::for_data(Path::new("a.csv"));
        recipe.vocabulary.max_size = Some(1);
        assert_eq!(by_option(&recipe.check().unwrap_err()), "--max-vocab is 1, expected 3 to 16777216");
    }

    #[test]
    fn every_recipe_key_has_an_option_with_help_or_is_marked_recipe_only() {
        let recipe_only: Vec<String> = fields().filter(|field| field.recipe_only).map(Field::label).collect();
        let expected = [
            "[data] train",
            "[export] embedding_bits",
            "[export] recurrent_bits",
            "[export] token_fingerprints",
            "[card] license",
            "[card] language",
            "[card] datasets",
            "[card] description",
        ];
        assert_eq!(recipe_only, expected);
        let command = command();
        for field in fields() {
            assert!(field.help.trim().len() > 5, "{} has no help", field.label());
            let Some(name) = field.option_name() else { continue };
            let option = command.get_arguments().find(|argument| argument.get_long() == Some(&name));
            let help = option.and_then(Arg::get_help).unwrap_or_else(|| panic!("--{name} is missing")).to_string();
            assert!(help.contains(field.help.trim()), "--{name}: {help}");
        }
    }

    #[test]
    fn every_field_of_a_recipe_is_in_the_table_of_keys() {
        let recipe = Recipe::for_data(Path::new("a.csv")).to_table();
        for (section, keys) in &recipe {
            for (key, _) in keys.as_table().into_iter().flatten() {
                assert!(fields().any(|field| field.section == section && field.key == key), "[{section}] {key}");
            }
        }
    }

    #[test]
    fn every_word_of_an_option_is_a_word_of_the_recipe() {
        for field in fields() {
            let Kind::OneOf(words) = field.kind else { continue };
            for word in words() {
                let mut recipe = Recipe::for_data(Path::new("a.csv")).to_table();
                field.section_in(&mut recipe).unwrap().insert(field.key.to_owned(), word.get_name().into());
                let read: Result<Recipe, _> = Value::Table(recipe).try_into();
                assert!(read.is_ok(), "{} = {}: {read:?}", field.label(), word.get_name());
            }
        }
    }

    #[test]
    fn the_help_shows_every_default() {
        let help = command().render_long_help().to_string();
        // How the help is wrapped does not matter here.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in [
            "--hidden-size <N> Width of the hidden state, in each direction [default: 64; 32 for long texts with \
             fingerprints and for few long texts; language-model: 128; forecast: 32]",
            "--layer-dropout <X> Dropout between recurrent layers [default: 0.3; forecast: 0]",
            "[default: lstm]",
            "[default: 0.05]",
            "--window <N> Tokens of a language model's training window; gradients flow through all of them and the context \
             [default: 128]. Rows that a forecast reads [default: 24]",
        ] {
            assert!(help.contains(expected), "{expected:?} is missing in\n{help}");
        }
    }

    #[test]
    fn old_and_new_spellings_of_an_option_set_the_same_key() {
        for option in ["--hidden-size", "--hidden"] {
            let matches = command().try_get_matches_from(["train", option, "7"]).unwrap();
            let RecipeOptions(options) = RecipeOptions::from_arg_matches(&matches).unwrap();
            assert_eq!(options.to_string(), "[model]\nhidden_size = 7\n");
        }
    }
}
