//! Writes the section about the search of `tern fit`: accuracy against cost, the candidates, and the accuracy by number
//! of training rows.
//!
//! `tern fit` looks for the most accurate model that a device has room for. A candidate is a recipe that it considers,
//! a trial one training of a candidate. The results are in the object `search` of `metrics.json`.

use crate::report::ReportInputs;
use crate::report::chart::{self, FIRST, Line};
use crate::report::elements::{Cell, count, exact, figure, nothing, table};
use maud::{Markup, html};
use serde_json::Value;

impl ReportInputs {
    /// Returns the section; empty for a model that `tern fit` did not find.
    pub(super) fn search(&self) -> Markup {
        let trials = self.list("/search/trials");
        if trials.is_empty() {
            return nothing();
        }
        let text = |pointer: &str| self.json_at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let row = |index: usize| {
            let pointer = |key: &str| format!("/search/trials/{index}/{key}");
            let number = |key: &str| self.cell(&pointer(key), count);
            vec![
                Cell::Text(text(&pointer("network"))),
                number("epochs"),
                self.cell(&pointer("score"), exact),
                self.cell(&pointer("loss"), exact),
                number("file_bytes"),
                number("scratch_bytes"),
                number("instructions_per_token"),
            ]
        };
        // Trials measured in integers come first. Among both kinds, higher scores come first, then lower losses.
        let mut order: Vec<usize> = (0..trials.len()).collect();
        let sort_key = |index: &usize| {
            let trial = &trials[*index];
            (
                trial["in_integers"] == true,
                trial["score"].as_f64().unwrap_or(0.0),
                -trial["loss"].as_f64().unwrap_or(0.0),
            )
        };
        order.sort_by(|a, b| sort_key(b).partial_cmp(&sort_key(a)).unwrap_or(std::cmp::Ordering::Equal));
        let rows: Vec<Vec<Cell>> = order.into_iter().map(row).collect();
        let metric = self.json_at("/search/metric").and_then(Value::as_str);
        let score = if metric == Some("macro_f1") { "macro F1" } else { "accuracy" };
        let head = ["candidate", "epochs", score, "loss", "file bytes", "RAM bytes", "instructions per token"];
        html! {
            p {
                "The most accurate of " (self.value("/search/candidates", count)) " candidates that fit "
                (self.value("/search/budget/flash", count)) " bytes of flash memory. Those that trained for "
                @if self.is_cross_validated() { "all epochs" } @else { "half of the epochs or more" }
                " were compared in integers."
            }
            ul { @for sentence in self.list("/search/verdict") { li { (sentence.as_str().unwrap_or_default()) } } }
            div.charts {
                (self.pareto(score, "bytes of the file", &|trial| trial["file_bytes"].as_f64()))
                (self.pareto(score, "instructions per text (Cortex-M4)", &|trial| {
                    Some(trial["instructions_per_token"].as_f64()? * self.number("/search/mean_steps")?)
                }))
                (self.accuracy_by_rows())
            }
            (table("Candidates", &head, &rows))
        }
    }

    /// Returns the chart of the score of each candidate against a cost, with a line through the Pareto front: the
    /// candidates to which no other is at least equal in both and better in one. `axis`: the name of the cost; `cost`:
    /// the cost of a trial.
    fn pareto(&self, score: &str, axis: &str, cost: &dyn Fn(&Value) -> Option<f64>) -> Markup {
        // The cost and the score of the last trial of each candidate, which trained longest.
        let mut last_trials: std::collections::BTreeMap<u64, (f64, f64)> = std::collections::BTreeMap::new();
        for trial in self.list("/search/trials") {
            if let (Some(candidate), Some(cost), Some(score)) =
                (trial["candidate"].as_u64(), cost(trial), trial["score"].as_f64())
            {
                last_trials.insert(candidate, (cost, score));
            }
        }
        let points: Vec<(f64, f64)> = last_trials.into_values().collect();
        let is_beaten = |&(cost, score): &(f64, f64)| {
            points.iter().any(|&(other_cost, other_score)| {
                (other_cost <= cost && other_score > score) || (other_cost < cost && other_score >= score)
            })
        };
        let mut frontier: Vec<(f64, f64)> = points.iter().filter(|point| !is_beaten(point)).copied().collect();
        frontier.sort_by(|a, b| a.0.total_cmp(&b.0));
        let title = format!("{} against {axis}", super::learning_curves::capitalised(score));
        let legend = [("first", "not beaten by a cheaper one"), ("second", "others")];
        figure(&title, &chart::frontier(&title, axis, &points, &frontier), &legend, &nothing())
    }

    /// Returns the chart and the table of the accuracy by the number of training rows; empty if it was measured for
    /// fewer than two numbers.
    fn accuracy_by_rows(&self) -> Markup {
        let points = self.list("/search/learning_curve").iter();
        let points: Vec<_> =
            points.filter_map(|point| Some((point["rows"].as_f64()?, point["accuracy"].as_f64()?))).collect();
        if points.len() < 2 {
            return nothing();
        }
        let row = |index: usize| {
            let pointer = |key: &str| format!("/search/learning_curve/{index}/{key}");
            vec![self.cell(&pointer("rows"), count), self.cell(&pointer("accuracy"), exact)]
        };
        let rows: Vec<Vec<Cell>> = (0..points.len()).map(row).collect();
        let title = "Accuracy by number of training rows";
        let line = Line { points, colour: FIRST, dots: true };
        let numbers = table(title, &["rows", "accuracy"], &rows);
        figure(title, &chart::lines(title, "training rows", &[line], None), &[], &numbers)
    }
}
