//! Learning curves, and what else was tried on the same rows.

use super::Page;
use crate::report::chart::{self, FIRST, Line, SECOND};
use crate::report::html::{Cell, count, escape, exact, figure, percent, table};
use crate::task::Task;
use serde_json::Value;
use std::fmt::Write;

impl Page<'_> {
    /// A chart for every figure that an epoch has of training and of validation.
    pub(super) fn training(&self) -> String {
        let Some(history) = self.metrics["history"].as_array().filter(|history| !history.is_empty()) else {
            return String::new();
        };
        let keys: Vec<&str> = history[0].as_object().map_or(vec![], |o| o.keys().map(String::as_str).collect());
        let measures: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix("valid_")).collect();
        let mut html = String::from("<div class=\"charts\">\n");
        for measure in measures {
            let line =
                |side: &str, colour| Line { points: points(history, &format!("{side}_{measure}")), colour, dots: true };
            let mut lines = vec![line("valid", FIRST)];
            let mut legend = vec![("first", "validation")];
            if keys.contains(&format!("train_{measure}").as_str()) {
                lines.push(line("train", SECOND));
                legend.push(("second", "training"));
            }
            let best = self.number("/best_epoch");
            if best.is_some() {
                legend.push(("rule", "kept"));
            }
            let name = match measure {
                "loss" if self.config.task == Task::Forecast => "Loss (mean squared error, normalised)".to_owned(),
                "loss" => "Loss (nats)".to_owned(),
                "mae" => "Mean absolute error".to_owned(),
                "rmse" => "Root mean squared error".to_owned(),
                "top_5" => "Right token among the best 5".to_owned(),
                "accuracy" => "Accuracy".to_owned(),
                "macro_f1" => "Macro F1".to_owned(),
                other => capitalised(&other.replace('_', " ")),
            };
            let title = format!("{name} by epoch");
            html.push_str(&figure(&title, &chart::lines(&title, "epoch", &lines, best), &legend, ""));
        }
        html.push_str("</div>\n<p class=\"note\">Training figures are taken on the batches as they came, with dropout and label smoothing; validation figures without.</p>\n");
        html.push_str("<details><summary>The numbers</summary>\n");
        let head: Vec<String> = keys.iter().map(|key| key.replace('_', " ")).collect();
        let rows: Vec<Vec<Cell>> = (0..history.len()).map(|epoch| self.epoch(epoch, &keys)).collect();
        html.push_str(&table("Figures by epoch", &head.iter().map(String::as_str).collect::<Vec<_>>(), &rows));
        html.push_str("</details>\n");
        html
    }

    fn epoch(&self, index: usize, keys: &[&str]) -> Vec<Cell> {
        let cell = |key: &&str| {
            let format = match *key {
                "epoch" => count,
                "learning_rate" => |rate: f64| format!("{rate:.2e}"),
                _ => exact,
            };
            Cell::Number(self.value(&format!("/history/{index}/{key}"), format))
        };
        keys.iter().map(cell).collect()
    }

    /// What simpler models do on the same rows, where that was measured.
    pub(super) fn baselines(&self) -> String {
        let places: Vec<(String, String)> = match &self.metrics["baselines"] {
            Value::Object(all) => all
                .iter()
                .map(|(name, baseline)| {
                    let title = baseline["about"].as_str().map_or_else(|| name.replace('_', " "), str::to_owned);
                    (title, format!("/baselines/{}", super::escape_pointer(name)))
                })
                .collect(),
            Value::Array(all) => (0..all.len())
                .map(|index| {
                    let name = all[index]["name"].as_str().unwrap_or("baseline").replace('_', " ");
                    (name, format!("/baselines/{index}"))
                })
                .collect(),
            _ => return String::new(),
        };
        let mut columns: Vec<String> = Vec::new();
        for (_, place) in &places {
            for key in self.at(place).and_then(Value::as_object).into_iter().flat_map(|o| o.keys()) {
                let is_number = self.number(&format!("{place}/{key}")).is_some();
                let is_ours = self.number(&ours(key)).is_some();
                if is_number && is_ours && !columns.contains(key) && key != "examples" {
                    columns.push(key.clone());
                }
            }
        }
        if columns.is_empty() {
            return String::new();
        }
        let row = |name: &str, place: &dyn Fn(&str) -> String| {
            let mut row = vec![Cell::Text(name.to_owned())];
            for key in &columns {
                let format = match key.as_str() {
                    "parameters" => count,
                    key if key.contains("accuracy") => percent,
                    _ => exact,
                };
                row.push(Cell::Number(self.value(&place(key), format)));
            }
            row
        };
        let mut rows = vec![row("this model", &ours)];
        rows.extend(places.iter().map(|(name, place)| row(name, &|key| format!("{place}/{key}"))));
        let mut head = vec!["on the same rows".to_owned()];
        head.extend(columns.iter().map(|key| key.replace('_', " ")));
        let mut html = String::new();
        let _ = writeln!(html, "<h3>{}</h3>", escape("What recurrence buys"));
        html + &table("Simpler models on the same rows", &head.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
    }
}

/// Where the model itself has a baseline's figure.
fn ours(key: &str) -> String {
    if key == "parameters" { "/parameters".to_owned() } else { format!("/validation/{key}") }
}

fn points(history: &[Value], key: &str) -> Vec<(f64, f64)> {
    let point = |(index, epoch): (usize, &Value)| {
        Some((epoch["epoch"].as_f64().unwrap_or(index as f64 + 1.0), epoch[key].as_f64()?))
    };
    history.iter().enumerate().filter_map(point).collect()
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
