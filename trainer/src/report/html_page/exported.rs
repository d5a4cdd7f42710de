//! Writes the section about the last export: accuracy in integers, the parts of the device file, cost and calibration.

use super::escape_pointer;
use super::learning_curves::capitalised;
use crate::report::ReportInputs;
use crate::report::elements::{Cell, Format, count, exact, nothing, percent, table};
use maud::{Markup, html};
use serde_json::Value;

/// The keys of `export.json` that the first paragraphs and tables of the section show. The general tables, which show
/// all other keys, leave them out.
const SHOWN_ABOVE: [&str; 7] = [
    "examples",
    "float_accuracy",
    "integer_accuracy",
    "disagreements",
    "largest_logit_difference",
    "file_bytes",
    "parts",
];

impl ReportInputs {
    /// Returns the section; empty before the first export.
    pub(super) fn exported(&self) -> Markup {
        let Some(Value::Object(export)) = &self.export else { return nothing() };
        let other_entries: Vec<_> = export.iter().filter(|(key, _)| !SHOWN_ABOVE.contains(&key.as_str())).collect();
        let numbers: Vec<Vec<Cell>> = other_entries
            .iter()
            .filter(|(_, value)| value.is_number())
            .map(|(key, value)| vec![Cell::Text(key.replace('_', " ")), self.entry(&pointer("/export", key), value)])
            .collect();
        html! {
            (self.integer_accuracy())
            @if let Some(Value::Object(parts)) = export.get("parts") { (self.file_parts(parts)) }
            @if !numbers.is_empty() {
                h3 { "Cost and calibration" }
                (table("Cost and calibration", &["figure", "value"], &numbers))
            }
            @for (key, value) in other_entries { (self.records(key, value)) }
        }
    }

    /// Returns the accuracy of the device file beside that of the float model; empty for a task without accuracy.
    fn integer_accuracy(&self) -> Markup {
        if self.number("/export/integer_accuracy").is_none() {
            return nothing();
        }
        let examples = self.task.wording().compared;
        let on_training_rows = self.is_export_on_training_rows();
        let split = if on_training_rows { "training" } else { "validation" };
        let row =
            |name: &str, key: &str| vec![Cell::Text(name.to_owned()), self.cell(&pointer("/export", key), percent)];
        let rows = [row("float32", "float_accuracy"), row("integers", "integer_accuracy")];
        html! {
            p {
                "The quantised model predicts otherwise for " (self.value("/export/disagreements", count)) " of "
                (self.value("/export/examples", count)) " " (split) " " (examples) ". The largest difference of a logit is "
                (self.value("/export/largest_logit_difference", exact)) ". Every device computes the same bits as this computer."
                @if on_training_rows { " Both models know these rows from the training, so both accuracies are too high." }
            }
            (table("Accuracy in floats and in integers", &["arithmetic", "accuracy"], &rows))
        }
    }

    /// Returns the table of the bytes of each part of the device file, with bars.
    fn file_parts(&self, parts: &serde_json::Map<String, Value>) -> Markup {
        let total = self.number("/export/file_bytes").unwrap_or(1.0).max(1.0);
        let row = |(name, bytes): (&String, &Value)| {
            let share = bytes.as_f64().unwrap_or(0.0) / total;
            let bar = html! { (percent(share)) span.bar style={ "width:" (format!("{:.2}rem", 6.0 * share)) } {} };
            let bytes = self.cell(&pointer("/export/parts", name), count);
            vec![Cell::Text(name.replace('_', " ")), bytes, Cell::Number(bar)]
        };
        let rows: Vec<_> = parts.iter().map(row).collect();
        html! {
            h3 { "The file: " (self.value("/export/file_bytes", count)) " bytes" }
            (table("Bytes by part", &["part", "bytes", "share"], &rows))
        }
    }

    /// Returns the list or object `value` of `export.json` as a table with a row for each item; empty for other values.
    /// Items that are objects have a column for every key; plain values have one column.
    fn records(&self, key: &str, value: &Value) -> Markup {
        let list_pointer = pointer("/export", key);
        // The name of each item of an object (`None` in a list), its JSON pointer, and its value.
        let items: Vec<(Option<&String>, String, &Value)> = match value {
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| (None, format!("{list_pointer}/{index}"), item)).collect()
            }
            Value::Object(items) => {
                items.iter().map(|(name, item)| (Some(name), pointer(&list_pointer, name), item)).collect()
            }
            _ => return nothing(),
        };
        // The keys of all items that are objects, each once.
        let mut columns: Vec<&String> = Vec::new();
        for (.., item) in &items {
            for column in item.as_object().into_iter().flat_map(|object| object.keys()) {
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
        }
        let mut head: Vec<String> = columns.iter().map(|column| column.replace('_', " ")).collect();
        if head.is_empty() {
            head.push("value".to_owned());
        }
        if value.is_object() {
            // The column of the names.
            head.insert(0, String::new());
        }
        let row = |(name, item_pointer, item): &(Option<&String>, String, &Value)| -> Vec<Cell> {
            let mut cells = Vec::new();
            if let Some(name) = name {
                cells.push(Cell::Text((*name).clone()));
            }
            if columns.is_empty() {
                cells.push(self.entry(item_pointer, item));
            }
            for column in &columns {
                cells.push(self.entry(&pointer(item_pointer, column), &item[column.as_str()]));
            }
            cells
        };
        let rows: Vec<Vec<Cell>> = items.iter().map(row).collect();
        let title = capitalised(&key.replace('_', " "));
        html! { @if !rows.is_empty() { h3 { (title) } (table(&title, &head, &rows)) } }
    }

    /// Returns `value`, which is at the JSON pointer `pointer`, as a cell of a table; a missing value as a dash.
    fn entry(&self, pointer: &str, value: &Value) -> Cell {
        let format: Format = if value.is_u64() { count } else { exact };
        match value {
            Value::String(text) => Cell::Text(text.clone()),
            Value::Number(_) | Value::Null => self.cell(pointer, format),
            other => Cell::Text(other.to_string()),
        }
    }
}

/// Returns the JSON pointer of a key of the object at the JSON pointer `object`.
fn pointer(object: &str, key: &str) -> String {
    format!("{object}/{}", escape_pointer(key))
}
