//! Finds the faults of a recipe file, all at once: unknown sections and keys with the most similar known name, and
//! values that their key does not take.

use super::schema::{Field, nearest};
use super::sections::{SECTIONS, fields};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Returns the faults of the recipe `text` in the order of the lines, each as `line 3: unknown key …`; empty if there
/// are none. `table`: the text parsed with the positions of its keys; `values`: the text parsed without them.
pub fn faults(text: &str, table: &DeTable<'_>, values: &toml::Table) -> Vec<String> {
    let mut checker = Checker { text, values, faults: Vec::new() };
    for (key, value) in table {
        match (sections().find(|section| *section == key.get_ref()), value.get_ref()) {
            (Some(section), DeValue::Table(inner)) => checker.check_keys(section, inner.keys()),
            (Some(section), _) => {
                checker.add_fault(key, format!("[{section}] is not a table, expected a section with keys"))
            }
            (None, DeValue::Table(_)) => checker.add_fault(key, unknown_section(key.get_ref())),
            (None, _) => checker.check_keys("", [key]),
        }
    }
    checker.faults.sort_by_key(|(line, _)| *line);
    checker.faults.into_iter().map(|(line, message)| format!("line {line}: {message}")).collect()
}

/// A recipe file and the faults that were found in it.
struct Checker<'a> {
    text: &'a str,
    values: &'a toml::Table,
    /// The line, from 1, and the message of each fault.
    faults: Vec<(usize, String)>,
}

impl Checker<'_> {
    /// Adds the faults of the keys of one section; `section` is empty for keys above all sections.
    fn check_keys<'k>(&mut self, section: &str, keys: impl IntoIterator<Item = &'k Spanned<toml::de::DeString<'k>>>) {
        for key in keys {
            let name: &str = key.get_ref();
            match fields().find(|field| field.section == section && has_name(field, name)) {
                Some(field) => {
                    // The value is looked up by the name in the file, which may be the former name of the key.
                    let key_in_file = match field.alias {
                        Some(alias) if alias == name => alias,
                        _ => field.key,
                    };
                    let as_written = Field { key: key_in_file, ..*field };
                    let fault = as_written.value_in(self.values).and_then(|value| field.kind.fault(value));
                    if let Some((found, expected)) = fault {
                        self.add_fault(key, format!("{} is {found}, expected {expected}", as_written.label()));
                    }
                }
                None => self.add_fault(key, unknown_key(section, name)),
            }
        }
    }

    /// Adds a fault in the line of `key`.
    fn add_fault(&mut self, key: &Spanned<impl Sized>, message: String) {
        let line = self.text[..key.span().start].matches('\n').count() + 1;
        self.faults.push((line, message));
    }
}

/// Returns true if `name` is the name or the former name of a key.
fn has_name(field: &Field, name: &str) -> bool {
    field.key == name || field.alias == Some(name)
}

/// Returns the names of the sections of a recipe.
fn sections() -> impl Iterator<Item = &'static str> {
    SECTIONS.into_iter().map(|(fields, _)| fields[0].section).filter(|section| !section.is_empty())
}

/// Returns the message for an unknown section.
fn unknown_section(name: &str) -> String {
    format!("unknown section [{name}]; {}", advice(name, &sections().collect::<Vec<_>>(), |name| format!("[{name}]")))
}

/// Returns the message for an unknown key, which names the section that has this key, or suggests a similar key.
fn unknown_key(section: &str, name: &str) -> String {
    let place = if section.is_empty() { String::new() } else { format!(" in [{section}]") };
    let in_other_section = fields().find(|field| has_name(field, name) && !field.section.is_empty());
    if let Some(field) = in_other_section {
        return format!("unknown key `{name}`{place}; it belongs in [{}]", field.section);
    }
    let names: Vec<&str> = fields().filter(|field| field.section == section).map(|field| field.key).collect();
    format!("unknown key `{name}`{place}; {}", advice(name, &names, |name| format!("`{name}`")))
}

/// Suggests the name of `known` that is most similar to `word` or, if none is similar, lists all of them. `show`
/// formats a name.
fn advice(word: &str, known: &[&str], show: impl Fn(&str) -> String) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean {}?", show(near)),
        None => format!("expected {}", known.iter().map(|name| show(name)).collect::<Vec<_>>().join(", ")),
    }
}
