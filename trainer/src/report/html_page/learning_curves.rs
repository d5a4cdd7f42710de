//! The section with the learning curves, and the table of simpler models.

use super::{HtmlPage, escape_pointer};
use crate::report::chart::{self, FIRST, Line, SECOND};
use crate::report::elements::{Cell, count, exact, figure, nothing, percent, table};
use maud::{Markup, html};
use serde_json::Value;

impl HtmlPage<'_> {
    /// One chart for each metric that the epochs have for the validation split.
    pub(super) fn learning_curves(&self) -> Markup {
        let history = self.list("/history");
        let Some(Value::Object(first)) = history.first() else { return nothing() };
        let keys: Vec<&str> = first.keys().map(String::as_str).collect();
        let head: Vec<String> = keys.iter().map(|key| key.replace('_', " ")).collect();
        let row =
            |epoch| keys.iter().map(|key| self.cell(&format!("/history/{epoch}/{key}"), epoch_format(key))).collect();
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

    /// The chart of a metric, with the training curve if the epochs have one.
    fn learning_curve(&self, metric: &str, has_training: bool) -> Markup {
        let line = |split, colour| Line { points: self.points(&format!("{split}_{metric}")), colour, dots: true };
        let mut lines = vec![line("valid", FIRST)];
        let mut legend = vec![("first", "validation")];
        if has_training {
            lines.push(line("train", SECOND));
            legend.push(("second", "training"));
        }
        let best = self.number("/best_epoch");
        legend.extend(best.map(|_| ("rule", "epoch kept")));
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

    /// The values of a metric by epoch.
    fn points(&self, key: &str) -> Vec<(f64, f64)> {
        let epochs = self.list("/history").iter().enumerate();
        let point = |(index, epoch): (usize, &Value)| {
            Some((epoch["epoch"].as_f64().unwrap_or(index as f64 + 1.0), epoch[key].as_f64()?))
        };
        epochs.filter_map(point).collect()
    }

    /// The metrics of simpler models on the same rows, beside those of this model.
    pub(super) fn baselines(&self) -> Markup {
        let baselines: Vec<(String, String)> = match &self.metrics["baselines"] {
            Value::Object(all) => all
                .iter()
                .map(|(name, baseline)| {
                    let title = baseline["about"].as_str().map_or_else(|| name.replace('_', " "), str::to_owned);
                    (title, format!("/baselines/{}", escape_pointer(name)))
                })
                .collect(),
            Value::Array(all) => (0..all.len())
                .map(|index| {
                    let name = all[index]["name"].as_str().unwrap_or("baseline").replace('_', " ");
                    (name, format!("/baselines/{index}"))
                })
                .collect(),
            _ => return nothing(),
        };
        let mut columns: Vec<&str> = Vec::new();
        for (_, place) in &baselines {
            for key in self.at(place).and_then(Value::as_object).into_iter().flat_map(|baseline| baseline.keys()) {
                let is_number =
                    self.number(&format!("{place}/{key}")).is_some() && self.number(&of_model(key)).is_some();
                if is_number && !columns.contains(&key.as_str()) && key != "examples" {
                    columns.push(key);
                }
            }
        }
        if columns.is_empty() {
            return nothing();
        }
        let row = |name: &str, pointer: &dyn Fn(&str) -> String| -> Vec<Cell> {
            let cells = columns.iter().map(|key| {
                let format = match *key {
                    "parameters" => count,
                    key if key.contains("accuracy") => percent,
                    _ => exact,
                };
                self.cell(&pointer(key), format)
            });
            std::iter::once(Cell::Text(name.to_owned())).chain(cells).collect()
        };
        let mut rows = vec![row("this model", &of_model)];
        rows.extend(baselines.iter().map(|(name, place)| row(name, &|key| format!("{place}/{key}"))));
        let mut head = vec!["on the same rows".to_owned()];
        head.extend(columns.iter().map(|key| key.replace('_', " ")));
        html! { h3 { "Compared with simpler models" } (table("Simpler models on the same rows", &head, &rows)) }
    }
}

/// The JSON pointer of this model's metric that a baseline has under `key`.
fn of_model(key: &str) -> String {
    if key == "parameters" { "/parameters".to_owned() } else { format!("/validation/{key}") }
}

/// The format of a metric of an epoch.
fn epoch_format(key: &str) -> fn(f64) -> String {
    match key {
        "epoch" => count,
        "learning_rate" => |rate| format!("{rate:.2e}"),
        _ => exact,
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
