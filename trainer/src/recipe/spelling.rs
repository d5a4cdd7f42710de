//! Finds misspelt sections, keys and words in a recipe, and values of the wrong kind, all at once and with what was probably
//! meant.

use super::schema::{self, Kind};
use crate::data::quoted;
use std::cmp::Ordering;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How alike two words must be, from 0 to 1, to be worth a suggestion.
const ALIKE: f64 = 0.75;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What was found, what was expected, and what was probably meant.
    pub message: String,
}

/// All that is wrong with the keys of `text`, and with values by their kinds, in the order of the lines. `table` is the text
/// parsed.
pub fn faults(text: &str, table: &DeTable<'_>) -> Vec<Fault> {
    let Kind::Table(schema) = schema::of::<super::Recipe>() else { unreachable!("a recipe is a table") };
    let mut checker = Checker { text, schema: &schema, faults: Vec::new() };
    checker.table(None, table, &schema);
    checker.faults.sort_by_key(|fault| fault.line);
    checker.faults
}

struct Checker<'a> {
    text: &'a str,
    schema: &'a [(&'static str, Kind)],
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn table(&mut self, section: Option<&str>, table: &DeTable<'_>, keys: &[(&'static str, Kind)]) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let message = match (keys.iter().find(|(known, _)| *known == name), value.get_ref()) {
                (Some((known, Kind::Table(keys))), DeValue::Table(inner)) => {
                    self.table(Some(known), inner, keys);
                    continue;
                }
                (Some((known, kind)), _) => match unlike(kind, value.get_ref()) {
                    Some(unlike) => format!("{} {unlike}", full(section, known, kind)),
                    None => continue,
                },
                (None, value) => self.unknown(section, name, matches!(value, DeValue::Table(_)), keys),
            };
            self.note(key, message);
        }
    }

    fn note(&mut self, at: &Spanned<impl Sized>, message: String) {
        let line = self.text[..at.span().start].matches('\n').count() + 1;
        self.faults.push(Fault { line, message });
    }

    fn unknown(&self, section: Option<&str>, name: &str, is_section: bool, keys: &[(&'static str, Kind)]) -> String {
        let sections = || self.schema.iter().filter(|(_, kind)| matches!(kind, Kind::Table(_)));
        if section.is_none() && is_section {
            let names = || sections().map(|(name, _)| *name);
            return format!("unknown section [{name}]; {}", advice(name, names(), |name| format!("[{name}]")));
        }
        let place = section.map(|section| format!(" in [{section}]")).unwrap_or_default();
        let home =
            sections().find(|(_, kind)| matches!(kind, Kind::Table(keys) if keys.iter().any(|(key, _)| *key == name)));
        if let Some((home, _)) = home {
            return format!("unknown key `{name}`{place}; it belongs in [{home}]");
        }
        let names = keys.iter().filter(|(_, kind)| !matches!(kind, Kind::Table(_))).map(|(name, _)| *name);
        format!("unknown key `{name}`{place}; {}", advice(name, names, |name| format!("`{name}`")))
    }
}

fn full(section: Option<&str>, key: &str, kind: &Kind) -> String {
    match (section, kind) {
        (Some(section), _) => format!("[{section}] {key}"),
        (None, Kind::Table(_)) => format!("[{key}]"),
        (None, _) => format!("`{key}`"),
    }
}

/// What was probably meant by `word`, or what else there is.
fn advice(word: &str, known: impl Iterator<Item = &'static str>, show: impl Fn(&str) -> String) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(word, &known) {
        Some(near) => format!("did you mean {}?", show(near)),
        None => format!("expected {}", known.iter().map(|name| show(name)).collect::<Vec<_>>().join(", ")),
    }
}

/// The known word that is most like `word`, if one is like it at all.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let likeness = |known: &str| strsim::jaro_winkler(&word, known);
    let by_likeness = |a: &&&str, b: &&&str| likeness(a).partial_cmp(&likeness(b)).unwrap_or(Ordering::Equal);
    known.iter().max_by(by_likeness).filter(|known| likeness(known) > ALIKE).copied()
}

/// What is wrong with a value by its kind.
fn unlike(kind: &Kind, value: &DeValue<'_>) -> Option<String> {
    let found = match value {
        DeValue::String(text) => quoted(&[text.as_ref().to_owned()]),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    };
    let is = |expected: &str| Some(format!("is {found}, expected {expected}"));
    match (kind, value) {
        (Kind::OneOf(words), DeValue::String(text)) if words.contains(&text.as_ref()) => None,
        (Kind::OneOf(words), value) => {
            let near = value.as_str().and_then(|text| nearest(text, words));
            let mean = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            is(&format!("{}{mean}", words.join(", ")))
        }
        (Kind::Boolean, DeValue::Boolean(_))
        | (Kind::Number, DeValue::Integer(_) | DeValue::Float(_))
        | (Kind::Text | Kind::Character, DeValue::String(_))
        | (Kind::Table(_), DeValue::Table(_))
        | (Kind::Other, _) => None,
        (Kind::Whole, DeValue::Integer(number)) if !number.as_str().starts_with('-') => None,
        (Kind::Whole, _) => is("a whole number, 0 or more"),
        (Kind::Boolean, _) => is("true or false"),
        (Kind::Number, _) => is("a number"),
        (Kind::Text, _) => is("a text in quotation marks"),
        (Kind::Character, _) => is("a character in quotation marks"),
        (Kind::Table(_), _) => is("a section with keys of its own"),
    }
}
