//! What quantising cost, once there was an export.

use super::{Page, escape_pointer};
use crate::report::html::{Cell, count, escape, exact, percent, table};
use crate::task::Task;
use serde_json::Value;
use std::fmt::Write;

/// What has a place of its own above the general list.
const SHOWN: [&str; 7] = [
    "examples",
    "float_accuracy",
    "integer_accuracy",
    "disagreements",
    "largest_logit_difference",
    "file_bytes",
    "parts",
];

impl Page<'_> {
    pub(super) fn device(&self) -> String {
        let Some(Value::Object(export)) = self.export else { return String::new() };
        let mut html = String::new();
        if self.number("/export/integer_accuracy").is_some() {
            let (does, of) = match self.config.task {
                Task::LanguageModel => ("holds another token for the likeliest at", "tokens"),
                _ => ("gives another label to", self.units().0),
            };
            let _ = writeln!(
                html,
                "<p>Quantised to integers, the model {does} {} of {} held-out {of}; the largest difference of a \
                 logit is {} nats. The device computes the same bits as this computer.</p>",
                self.value("/export/disagreements", count),
                self.value("/export/examples", count),
                self.value("/export/largest_logit_difference", exact)
            );
            let rows = [("float32", "float_accuracy"), ("integers", "integer_accuracy")].map(|(name, key)| {
                vec![Cell::Text(name.to_owned()), Cell::Number(self.value(&format!("/export/{key}"), percent))]
            });
            html.push_str(&table("Accuracy in floats and in integers", &["arithmetic", "accuracy"], &rows));
        }
        if let Some(Value::Object(parts)) = export.get("parts") {
            let total = self.number("/export/file_bytes").unwrap_or(1.0).max(1.0);
            let row = |(name, bytes): (&String, &Value)| {
                let share = bytes.as_f64().unwrap_or(0.0) / total;
                let value = self.value(&format!("/export/parts/{}", escape_pointer(name)), count);
                let bar =
                    format!("{}<span class=\"bar\" style=\"width:{:.2}rem\"></span>", percent(share), 6.0 * share);
                vec![Cell::Text(name.replace('_', " ")), Cell::Number(value), Cell::Number(bar)]
            };
            let _ = writeln!(html, "<h3>The file: {} bytes</h3>", self.value("/export/file_bytes", count));
            html.push_str(&table(
                "Bytes by part",
                &["part", "bytes", "share"],
                &parts.iter().map(row).collect::<Vec<_>>(),
            ));
        }
        let others: Vec<(&String, &Value)> = export.iter().filter(|(key, _)| !SHOWN.contains(&key.as_str())).collect();
        let single: Vec<Vec<Cell>> = others
            .iter()
            .filter(|(_, value)| value.is_number())
            .map(|(key, value)| {
                let format = if value.is_u64() { count } else { exact };
                vec![
                    Cell::Text(key.replace('_', " ")),
                    Cell::Number(self.value(&format!("/export/{}", escape_pointer(key)), format)),
                ]
            })
            .collect();
        if !single.is_empty() {
            html.push_str("<h3>Cost and calibration</h3>\n");
            html.push_str(&table("Cost and calibration", &["figure", "value"], &single));
        }
        for (key, value) in others {
            html.push_str(&self.records(key, value));
        }
        html
    }

    /// A list of objects, or an object of objects, as a table: a row each, a column for every key.
    fn records(&self, key: &str, value: &Value) -> String {
        let place = format!("/export/{}", escape_pointer(key));
        let rows: Vec<(String, String, &Value)> = match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| (String::new(), format!("{place}/{index}"), item))
                .collect(),
            Value::Object(items) => items
                .iter()
                .map(|(name, item)| (name.clone(), format!("{place}/{}", escape_pointer(name)), item))
                .collect(),
            _ => return String::new(),
        };
        let mut columns: Vec<&String> = Vec::new();
        for (.., item) in &rows {
            for column in item.as_object().into_iter().flat_map(|item| item.keys()) {
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
        }
        let is_named = value.is_object();
        let mut head: Vec<String> = if is_named { vec![String::new()] } else { vec![] };
        head.extend(columns.iter().map(|column| column.replace('_', " ")));
        if columns.is_empty() {
            head.push("value".to_owned());
        }
        let cell = |place: &str, value: &Value| match value {
            Value::String(text) => Cell::Text(text.clone()),
            Value::Number(_) => Cell::Number(self.value(place, if value.is_u64() { count } else { exact })),
            Value::Null => Cell::Number("–".to_owned()),
            other => Cell::Text(other.to_string()),
        };
        let body: Vec<Vec<Cell>> = rows
            .iter()
            .map(|(name, place, item)| {
                let mut row = if is_named { vec![Cell::Text(name.clone())] } else { vec![] };
                if columns.is_empty() {
                    row.push(cell(place, item));
                }
                row.extend(
                    columns
                        .iter()
                        .map(|column| cell(&format!("{place}/{}", escape_pointer(column)), &item[column.as_str()])),
                );
                row
            })
            .collect();
        if body.is_empty() {
            return String::new();
        }
        let title = key.replace('_', " ");
        let title = format!("{}{}", title[..1].to_uppercase(), &title[1..]);
        format!(
            "<h3>{}</h3>\n{}",
            escape(&title),
            table(&title, &head.iter().map(String::as_str).collect::<Vec<_>>(), &body)
        )
    }
}
