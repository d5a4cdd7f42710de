//! Writes the section with the learning curves, and the table of the baselines.

use super::escape_pointer;
use crate::report::ReportInputs;
use crate::report::chart::{self, FIRST, Line, SECOND};
use crate::report::elements::{Cell, Format, count, exact, figure, nothing, percent, table};
use maud::{Markup, html};
use serde_json::Value;

impl ReportInputs {
    /// Returns a chart for each metric of the validation split, and a table of all metrics by epoch; empty without a
    /// history, as for an imported model.
    pub(super) fn learning_curves(&self) -> Markup {
        let history = self.list("/history");
        let Some(Value::Object(first)) = history.first() else { return nothing() };
        let keys: Vec<&str> = first.keys().map(String::as_str).collect();
        let head: Vec<String> = keys.iter().map(|key| key.replace('_', " ")).collect();
        let row =
            |index| keys.iter().map(|key| self.cell(&format!("/history/{index}/{key}"), epoch_format(key))).collect();
        let rows: Vec<Vec<Cell>> = (0..history.len()).map(row).collect();
        html! {
            div.charts {
                @for metric in keys.iter().filter_map(|key| key.strip_prefix("valid_")) {
                    (self.learning_curve(metric, keys.contains(&format!("train_{metric}").as_str())))
                }
            }
            p.note {
                "Training metrics are means over the batches of an epoch, with dropout and label smoothing; validation metrics are "
                "without."
            }
            details { summary { "The numbers" } (table("Metrics by epoch", &head, &rows)) }
        }
    }

    /// Returns the chart of a metric by epoch. `metric`: its key in the history without `valid_` or `train_`.
    /// `has_training`: true if the history also has the metric of the training set.
    fn learning_curve(&self, metric: &str, has_training: bool) -> Markup {
        let line = |split, colour| Line { points: self.points(&format!("{split}_{metric}")), colour, dots: true };
        let mut lines = vec![line("valid", FIRST)];
        let mut legend = vec![("first", "validation")];
        if has_training {
            lines.push(line("train", SECOND));
            legend.push(("second", "training"));
        }
        let best = self.number("/best_epoch");
        if best.is_some() {
            legend.push(("rule", "epoch kept"));
        }
        let name = match metric {
            "loss" => self.task.wording().loss.to_owned(),
            "mae" => "Mean absolute error".to_owned(),
            "rmse" => "Root mean squared error".to_owned(),
            "top_5" => "Top-5 accuracy".to_owned(),
            "macro_f1" => "Macro F1".to_owned(),
            other => capitalised(&other.replace('_', " ")),
        };
        let title = format!("{name} by epoch");
        figure(&title, &chart::lines(&title, "epoch", &lines, best), &legend, &nothing())
    }

    /// Returns the points (epoch, value) of the metric with the key `key` in the history. Epochs without it have none.
    fn points(&self, key: &str) -> Vec<(f64, f64)> {
        let mut points = Vec::new();
        for (index, epoch) in self.list("/history").iter().enumerate() {
            if let Some(value) = epoch[key].as_f64() {
                points.push((epoch["epoch"].as_f64().unwrap_or(index as f64 + 1.0), value));
            }
        }
        points
    }

    /// Returns the table of the metrics of the baselines and of this model on the same rows; empty without baselines.
    pub(super) fn baselines(&self) -> Markup {
        let Value::Object(baselines) = &self.metrics["baselines"] else { return nothing() };
        // `pointer_of` returns the JSON pointer of a figure.
        let row = |title: String, pointer_of: &dyn Fn(&str) -> String| -> Vec<Cell> {
            vec![
                Cell::Text(title),
                self.cell(&pointer_of("accuracy"), percent),
                self.cell(&pointer_of("macro_f1"), exact),
                self.cell(&pointer_of("parameters"), count),
            ]
        };
        let pointer_of_model = |key: &str| match key {
            "parameters" => "/parameters".to_owned(),
            key => format!("/validation/{key}"),
        };
        let mut rows: Vec<Vec<Cell>> = vec![row("this model".to_owned(), &pointer_of_model)];
        rows.extend(baselines.iter().map(|(name, baseline)| {
            let title = baseline["about"].as_str().map_or_else(|| name.replace('_', " "), str::to_owned);
            row(title, &|key| format!("/baselines/{}/{key}", escape_pointer(name)))
        }));
        let head = ["on the same rows", "accuracy", "macro f1", "parameters"];
        html! { h3 { "Compared with simpler models" } (table("Simpler models on the same rows", &head, &rows)) }
    }
}

/// Returns the number format for a key of an epoch in the history.
fn epoch_format(key: &str) -> Format {
    match key {
        "epoch" => count,
        "learning_rate" => |rate| format!("{rate:.2e}"),
        _ => exact,
    }
}

/// Returns a text with its first letter in upper case.
pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
