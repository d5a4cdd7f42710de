//! The figures of the demo, read from the JSON output of `tern`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// A row of the table.
struct Row {
    name: &'static str,
    /// The key in `figures.json`.
    key: &'static str,
    /// The value; `None` if `tern` did not print it.
    value: Option<f64>,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    Count,
    Share,
}

/// All figures of the demo.
pub struct Figures(Vec<Row>);

impl Figures {
    /// Reads the figures from the output of `tern export`, of `tern eval` on held-out templates, and of `tern
    /// classify`.
    ///
    /// `messages` is the number of messages in `train.csv`.
    pub fn new(messages: usize, export: &Value, held_out: &Value, device: &Value) -> Self {
        let number = |object: &Value, key: &str| object.get(key).and_then(Value::as_f64);
        let validation = number(device, "examples");
        let row = |name, key, unit, value| Row { name, key, value, unit };
        use Unit::{Count, Share};
        Figures(vec![
            row("training examples", "training_examples", Count, validation.map(|n| messages as f64 - n)),
            row("validation examples", "validation_examples", Count, validation),
            row("validation accuracy, float", "float_accuracy", Share, number(export, "float_accuracy")),
            row("validation accuracy, integer", "integer_accuracy", Share, number(export, "integer_accuracy")),
            row("validation accuracy, on the device", "device_accuracy", Share, number(device, "accuracy")),
            row(
                "device answers that differ from the host",
                "device_disagreements",
                Count,
                number(device, "disagreements"),
            ),
            row("integer labels that differ from float", "float_disagreements", Count, number(export, "disagreements")),
            row("accuracy on held-out templates, integer", "held_out_accuracy", Share, number(held_out, "accuracy")),
            row("device file, bytes", "file_bytes", Count, number(export, "file_bytes")),
            row("RAM for the model's state, bytes", "scratch_bytes", Count, number(export, "scratch_bytes")),
            row("multiplications a token", "macs_per_token", Count, number(export, "macs_per_token")),
            row(
                "instructions a token, Cortex-M4",
                "instructions_per_token",
                Count,
                number(device, "instructions_per_token"),
            ),
        ])
    }

    /// Returns one line for each figure.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for Row { name, value, unit, .. } in &self.0 {
            let value = match (value, unit) {
                (None, _) => "unknown".to_owned(),
                (Some(share), Unit::Share) => format!("{:.2} %", 100.0 * share),
                (Some(count), Unit::Count) => thousands(*count),
            };
            table.push_str(&format!("{name:<44}{value:>14}\n"));
        }
        table
    }

    /// Writes the figures as one JSON object.
    pub fn write(&self, path: &Path) -> Result<()> {
        let object: Map<_, _> = self.0.iter().map(|row| (row.key.to_owned(), row.value.into())).collect();
        let text = serde_json::to_string_pretty(&object)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Fails unless the device gave the answers of the host.
    pub fn check(&self) -> Result<()> {
        let row = self.0.iter().find(|row| row.key == "device_disagreements");
        match row.and_then(|row| row.value) {
            Some(0.0) => Ok(()),
            Some(count) => {
                bail!("{count} answers of the device differ from the host, expected 0: integer inference must be exact")
            }
            None => bail!("`tern classify --json` printed no `disagreements`"),
        }
    }
}

/// Formats an integer with a comma between groups of three digits.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn figures(disagreements: u32) -> Figures {
        let export = json!({"float_accuracy": 0.99, "file_bytes": 123456, "surprise": []});
        let device = json!({"examples": 700, "accuracy": 0.98, "disagreements": disagreements});
        Figures::new(7000, &export, &json!({"accuracy": 0.8}), &device)
    }

    #[test]
    fn a_missing_figure_is_shown_as_unknown() {
        let table = figures(0).table();
        for (name, value) in [
            ("training examples", "6,300"),
            ("validation accuracy, float", "99.00 %"),
            ("device file, bytes", "123,456"),
            ("RAM for the model's state, bytes", "unknown"),
        ] {
            let line = table.lines().find(|line| line.starts_with(name)).unwrap();
            assert!(line.ends_with(value), "{line}");
        }
    }

    #[test]
    fn a_device_that_differs_from_the_host_is_an_error() {
        figures(0).check().unwrap();
        assert!(figures(2).check().unwrap_err().to_string().contains("2 answers"));
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!([0.0, 999.0, 1000.0, 1234567.0].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(thousands(-123.0), "-123");
    }
}
