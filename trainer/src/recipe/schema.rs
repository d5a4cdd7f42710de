//! The description of one recipe key, and the macro that turns a table of keys into a settings struct.
//!
//! Each key of a recipe is defined once, in `sections.rs`: name, type, default, allowed values and help. The field of
//! the struct, its default, the check of a recipe file, the option of `tern train` and its help are generated from that
//! definition.

use crate::display::quoted;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use toml::Value;

/// The Jaro–Winkler similarity of two words, from 0 to 1, above which one is suggested for the other.
const LEAST_SIMILARITY: f64 = 0.75;

/// One key of a recipe.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The section, such as `model`; empty for a key above all sections.
    pub section: &'static str,
    /// The key, such as `hidden_size`.
    pub key: &'static str,
    /// The help text, which is the doc comment of the field in the settings struct.
    pub help: &'static str,
    /// The values that the key takes.
    pub kind: Kind,
    /// A former name of the key, which is still read.
    pub alias: Option<&'static str>,
    /// The name of the command-line option, without the two hyphens; `None` if it is the key with `-` in place of `_`.
    pub option: Option<&'static str>,
    /// True if only a recipe file can set the key.
    pub recipe_only: bool,
}

/// The values that a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An integer from `least` to `most`.
    Whole {
        /// The smallest value.
        least: i64,
        /// The largest value.
        most: i64,
    },
    /// An integer or a float from `least` to `most`.
    Number {
        /// The smallest value.
        least: f64,
        /// The largest value.
        most: f64,
    },
    /// The number of bits of a weight: 4, 8 or 16.
    Bits,
    /// `true` or `false`.
    Boolean,
    /// `true` or `false`. Its option is named `no-…`, takes no value and sets `false`.
    Switch,
    /// One of these words.
    OneOf(fn() -> Vec<PossibleValue>),
    /// A string.
    Text,
    /// A file or a folder. In a recipe file, relative to the folder of the recipe.
    Path,
    /// A string of one ASCII character that can separate columns.
    Separator,
    /// A list of strings.
    List,
    /// A list of files or folders. In a recipe file, relative to the folder of the recipe.
    Paths,
}

impl Kind {
    /// The kind of a key that takes a word of the enumeration `T`.
    pub const fn one_of<T: ValueEnum + 'static>() -> Self {
        Kind::OneOf(possible_values::<T>)
    }

    /// Returns `None` if a key of this kind takes `value`. Otherwise returns two texts for an error message: the value
    /// that was found, and a description of the values that the key takes.
    pub fn fault(&self, value: &Value) -> Option<(String, String)> {
        // `expected` is needed only if `fits` is false.
        let (fits, expected) = match (self, value) {
            (Kind::Whole { least, most }, Value::Integer(number)) => {
                (number >= least && number <= most, format!("{least} to {most}"))
            }
            (Kind::Whole { .. }, _) => (false, "a whole number".to_owned()),
            (Kind::Number { least, most }, value) => {
                match value.as_float().or(value.as_integer().map(|number| number as f64)) {
                    Some(number) => (number >= *least && number <= *most, format!("{least} to {most}")),
                    None => (false, "a number".to_owned()),
                }
            }
            (Kind::Bits, value) => (matches!(value, Value::Integer(4 | 8 | 16)), "4, 8 or 16".to_owned()),
            (Kind::Boolean | Kind::Switch, value) => (value.is_bool(), "true or false".to_owned()),
            (Kind::OneOf(words), value) => {
                let words = words();
                let names: Vec<&str> = words.iter().map(PossibleValue::get_name).collect();
                let text = value.as_str().unwrap_or_default();
                let advice = nearest(text, &names).map_or(String::new(), |near| format!("; did you mean {near}?"));
                (names.contains(&text), format!("{}{advice}", names.join(", ")))
            }
            (Kind::Text | Kind::Path, value) => (value.is_str(), "a text in quotation marks".to_owned()),
            (Kind::Separator, value) => {
                let fits = |text: &str| text.len() == 1 && !matches!(text, "\"" | "\r" | "\n");
                let expected = "one ASCII character in quotation marks, other than a quotation mark or a line break";
                (value.as_str().is_some_and(fits), expected.to_owned())
            }
            (Kind::List | Kind::Paths, value) => {
                (value.as_array().is_some_and(|list| list.iter().all(Value::is_str)), "a list of texts".to_owned())
            }
        };
        (!fits).then(|| (shown(value), expected))
    }
}

/// Returns the words of an enumeration with their help.
fn possible_values<T: ValueEnum>() -> Vec<PossibleValue> {
    T::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect()
}

/// Returns the word of `known` that is most similar to `word`; `None` if none is similar enough. Ignores upper case in
/// `word` and reads its hyphens as underscores.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let by_similarity = known.iter().map(|known| (strsim::jaro_winkler(&word, known), *known));
    let similar = by_similarity.filter(|(similarity, _)| *similarity > LEAST_SIMILARITY);
    similar.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// Returns a value as an error message shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(std::slice::from_ref(text)),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::Datetime(_) => "a date".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}

impl Field {
    /// A key without a former name, whose option is the key with `-` in place of `_`.
    pub const fn new(section: &'static str, key: &'static str, help: &'static str, kind: Kind) -> Self {
        Field { section, key, help, kind, alias: None, option: None, recipe_only: false }
    }

    /// Sets the former name of the key.
    pub const fn alias(self, alias: &'static str) -> Self {
        Field { alias: Some(alias), ..self }
    }

    /// Sets the name of the option.
    pub const fn option(self, option: &'static str) -> Self {
        Field { option: Some(option), ..self }
    }

    /// Marks a key that has no option.
    pub const fn recipe_only(self) -> Self {
        Field { recipe_only: true, ..self }
    }

    /// Returns the name of the key's option without the two hyphens, or `None` for a key that only a recipe file can
    /// set.
    pub fn option_name(&self) -> Option<String> {
        if self.recipe_only {
            return None;
        }
        match self.option {
            Some(name) => Some(name.to_owned()),
            None => Some(self.key.replace('_', "-")),
        }
    }

    /// Returns section and key as error messages show them: `[model] hidden_size`, or `` `name` `` above all sections.
    pub fn label(&self) -> String {
        if self.section.is_empty() { format!("`{}`", self.key) } else { format!("[{}] {}", self.section, self.key) }
    }

    /// Returns the key's value in a recipe's table; `None` if it is not set.
    pub fn value_in<'a>(&self, recipe: &'a toml::Table) -> Option<&'a Value> {
        let section = if self.section.is_empty() { recipe } else { recipe.get(self.section)?.as_table()? };
        section.get(self.key)
    }

    /// Returns the section of the key in a recipe's table; `None` if the table has no such section.
    pub fn section_in<'a>(&self, recipe: &'a mut toml::Table) -> Option<&'a mut toml::Table> {
        if self.section.is_empty() { Some(recipe) } else { recipe.get_mut(self.section)?.as_table_mut() }
    }
}

/// Defines the settings struct of one section. Each entry defines a key: its help as a doc comment, its name and type,
/// its default, its [`Kind`], and optionally methods of [`Field`] such as `alias("…")`.
macro_rules! section {
    ($(#[$meta:meta])* $name:ident, $section:literal {
        $($(#[doc = $help:literal])+ $key:ident: $type:ty = $default:expr, $kind:expr $(, $method:ident($($argument:expr)?))*;)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[doc = $help])+ pub $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($key: $default),+ }
            }
        }

        impl $name {
            /// The keys of the section.
            pub const FIELDS: &[Field] =
                &[$(Field::new($section, stringify!($key), concat!($($help),+), $kind)$(.$method($($argument)?))*),+];
        }
    };
}

pub(super) use section;
