//! The figures of the demo, read from the JSON output of `tern`.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use crate::repo;
use crate::stage::grouped;

/// The unit of a figure in the table.
#[derive(Clone, Copy)]
enum Unit {
    Count,
    /// A number from 0 to 1, which the table shows as a percentage.
    Share,
}

/// A figure.
struct Figure {
    /// The name in the table.
    name: &'static str,
    /// The key in `figures.json`.
    key: &'static str,
    unit: Unit,
    /// The value; `None` if `tern` did not print it.
    value: Option<f64>,
}

/// All figures of the demo.
pub struct Figures(Vec<Figure>);

/// The key of the number of answers of the device that differ from those of the host.
const DISAGREEMENTS: &str = "device_disagreements";

impl Figures {
    /// Reads the figures from the output of `tern export`, of `tern eval` on messages from held-out templates, and of
    /// `tern classify`. A template is a sentence with variable parts; no training message is made from a held-out one.
    ///
    /// `messages` is the number of messages in `train.csv`, of which `tern train` sets some aside for validation.
    pub fn new(messages: usize, export: &Value, held_out: &Value, device: &Value) -> Self {
        use Unit::{Count, Share};
        let figure = |name, key, unit, value| Figure { name, key, unit, value };
        let export = |key: &str| export[key].as_f64();
        let device = |key: &str| device[key].as_f64();
        let held_out_accuracy = held_out["accuracy"].as_f64();
        // `tern classify` runs the validation rows on the device; the other messages are the training rows.
        let validation_rows = device("examples");
        let training_rows = validation_rows.map(|rows| messages as f64 - rows);
        Figures(vec![
            figure("accuracy on held-out templates, integer", "held_out_accuracy", Share, held_out_accuracy),
            figure("training examples", "training_examples", Count, training_rows),
            figure("validation examples", "validation_examples", Count, validation_rows),
            figure("validation accuracy, float", "float_accuracy", Share, export("float_accuracy")),
            figure("validation accuracy, integer", "integer_accuracy", Share, export("integer_accuracy")),
            figure("validation accuracy, on the device", "device_accuracy", Share, device("accuracy")),
            figure("device answers that differ from the host", DISAGREEMENTS, Count, device("disagreements")),
            figure("integer labels that differ from float", "float_disagreements", Count, export("disagreements")),
            figure("device file, bytes", "file_bytes", Count, export("file_bytes")),
            figure("RAM for a session (scratch), bytes", "scratch_bytes", Count, export("scratch_bytes")),
            figure("multiplications a token", "macs_per_token", Count, export("macs_per_token")),
            figure(
                "instructions a token, Cortex-M4",
                "instructions_per_token",
                Count,
                device("instructions_per_token"),
            ),
        ])
    }

    /// Returns one line for each figure.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for Figure { name, unit, value, .. } in &self.0 {
            let text = match (value, unit) {
                (None, _) => "unknown".to_owned(),
                (Some(share), Unit::Share) => format!("{:.2} %", 100.0 * share),
                (Some(count), Unit::Count) => grouped(count.round() as u64),
            };
            table += &format!("{name:<44}{text:>14}\n");
        }
        table
    }

    /// Writes the figures as one JSON object.
    pub fn write(&self, path: &Path) -> Result<()> {
        let object: Map<_, _> = self.0.iter().map(|figure| (figure.key.to_owned(), figure.value.into())).collect();
        repo::write(path, serde_json::to_string_pretty(&object)? + "\n")
    }

    /// Fails unless all answers of the device are those of the host.
    pub fn check(&self) -> Result<()> {
        let disagreements = self.0.iter().find(|figure| figure.key == DISAGREEMENTS);
        match disagreements.and_then(|figure| figure.value) {
            Some(0.0) => Ok(()),
            Some(count) => {
                bail!("{count} answers of the device differ from the host, expected 0: integer inference must be exact")
            }
            None => bail!("`tern classify --json` printed no `disagreements`"),
        }
    }
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
            ("RAM for a session (scratch), bytes", "unknown"),
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
}
