//! The figures of the demo, from what `tern` prints with `--json`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// A row of the table: its name for readers, its key in `figures.json`, its value, `None` where `tern` gave none.
struct Row {
    name: &'static str,
    key: &'static str,
    value: Option<f64>,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    Count,
    Share,
}

/// All rows.
pub struct Figures(Vec<Row>);

impl Figures {
    /// `messages` are those of `train.csv`; the objects are those of `tern export`, of `tern eval` of the device file on
    /// held-out templates, and of `tern classify`.
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
                "answers of device and host that differ",
                "device_disagreements",
                Count,
                number(device, "disagreements"),
            ),
            row(
                "labels of float and integer that differ",
                "float_disagreements",
                Count,
                number(export, "disagreements"),
            ),
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

    /// A line a figure.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for Row { name, value, unit, .. } in &self.0 {
            let value = match (value, unit) {
                (None, _) => "not told".to_owned(),
                (Some(share), Unit::Share) => format!("{:.2} %", 100.0 * share),
                (Some(count), Unit::Count) => thousands(*count),
            };
            table.push_str(&format!("{name:<44}{value:>14}\n"));
        }
        table
    }

    /// Writes one JSON object, a key a figure.
    pub fn write(&self, path: &Path) -> Result<()> {
        let object: Map<_, _> = self.0.iter().map(|row| (row.key.to_owned(), row.value.into())).collect();
        let text = serde_json::to_string_pretty(&object)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The device must have answered as the host does.
    pub fn check(&self) -> Result<()> {
        let row = self.0.iter().find(|row| row.key == "device_disagreements");
        match row.and_then(|row| row.value) {
            Some(0.0) => Ok(()),
            Some(count) => {
                bail!("device and host differ in {count} answers, expected 0: integer inference must be exact")
            }
            None => bail!("`tern classify --json` told no `disagreements`"),
        }
    }
}

/// A whole number with a comma between groups of three digits.
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
    fn a_figure_that_is_missing_is_said_to_be() {
        let table = figures(0).table();
        for (name, value) in [
            ("training examples", "6,300"),
            ("validation accuracy, float", "99.00 %"),
            ("device file, bytes", "123,456"),
            ("RAM for the model's state, bytes", "not told"),
        ] {
            let line = table.lines().find(|line| line.starts_with(name)).unwrap();
            assert!(line.ends_with(value), "{line}");
        }
    }

    #[test]
    fn a_device_that_differs_is_a_failure() {
        figures(0).check().unwrap();
        assert!(figures(2).check().unwrap_err().to_string().contains("2 answers"));
    }

    #[test]
    fn digits_come_in_groups() {
        assert_eq!([0.0, 999.0, 1000.0, 1234567.0].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(thousands(-123.0), "-123");
    }
}
