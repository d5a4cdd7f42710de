//! The sections about how accuracy depends on the confidence of a prediction and on the length of an example.

use super::HtmlPage;
use crate::report::chart::{self, Share};
use crate::report::elements::{Cell, count, exact, figure, nothing, percent, table};
use maud::{Markup, html};
use serde_json::Value;

impl HtmlPage<'_> {
    pub(crate) fn calibration(&self) -> Markup {
        let bins = self.list("/validation/calibration/bins");
        if bins.is_empty() {
            return nothing();
        }
        let number = |bin: &Value, key: &str| bin[key].as_f64().unwrap_or(0.0);
        let points: Vec<_> = bins
            .iter()
            .map(|bin| (number(bin, "from"), number(bin, "to"), number(bin, "confidence"), number(bin, "accuracy")))
            .collect();
        let row = |(index, bin): (usize, &Value)| {
            let cell = |key, format| self.cell(&format!("/validation/calibration/bins/{index}/{key}"), format);
            let range = format!("{} – {}", percent(number(bin, "from")), percent(number(bin, "to")));
            vec![Cell::Text(range), cell("examples", count), cell("confidence", percent), cell("accuracy", percent)]
        };
        let rows: Vec<Vec<Cell>> = bins.iter().enumerate().map(row).collect();
        let (texts, _) = self.nouns();
        let head = ["probability", texts, "mean probability", "accuracy"];
        let title = "Accuracy by predicted probability";
        let legend = [("first", "accuracy"), ("rule", "accuracy equal to probability")];
        html! {
            p {
                "The expected calibration error is " (self.value("/validation/calibration/ece", exact)) ": the mean difference of "
                "accuracy and probability. Points below the line: the model is too confident; points above it: not confident enough."
            }
            (figure(title, &chart::reliability(title, &points), &legend, &table(title, &head, &rows)))
        }
    }

    pub(crate) fn lengths(&self) -> Markup {
        let (accuracy, training) = (self.accuracy_by_length(), self.training_lengths());
        if accuracy.0.is_empty() && training.0.is_empty() {
            return nothing();
        }
        let (texts, tokens) = self.nouns();
        html! {
            div.charts { (accuracy) (training) }
            @if self.number("/train/tokens/median").is_some() {
                p.note {
                    "Training " (texts) ": median " (self.value("/train/tokens/median", count)) " " (tokens) ", longest "
                    (self.value("/train/tokens/longest", count)) "."
                    @if self.number("/train/cut").is_some_and(|cut| cut > 0.0) {
                        " " (self.value("/train/cut", count)) " " (texts) " were cut (" code { "max_length" } ", "
                        code { "batch_tokens" } ")."
                    }
                }
            }
        }
    }

    fn accuracy_by_length(&self) -> Markup {
        let bins = self.list("/validation/by_length");
        if bins.is_empty() {
            return nothing();
        }
        let share = |bin: &Value| Share {
            name: range(bin),
            share: bin["accuracy"].as_f64().unwrap_or(0.0),
            interval: [0, 1].map(|end| bin["interval"][end].as_f64().unwrap_or(0.0)),
        };
        let shares: Vec<Share> = bins.iter().map(share).collect();
        let row = |(index, bin)| {
            let value = |key: &str, format| self.value(&format!("/validation/by_length/{index}/{key}"), format);
            vec![
                Cell::Text(range(bin)),
                Cell::Number(value("examples", count)),
                Cell::Number(value("accuracy", percent)),
                Cell::Number(html! { (value("interval/0", percent)) " – " (value("interval/1", percent)) }),
            ]
        };
        let rows: Vec<Vec<Cell>> = bins.iter().enumerate().map(row).collect();
        let (texts, tokens) = self.nouns();
        let title = format!("Accuracy by number of {tokens}, validation {texts}");
        let numbers = table(&title, &[tokens, texts, "accuracy", "95 % interval"], &rows);
        figure(&title, &chart::shares(&title, tokens, &shares), &[], &numbers)
    }

    fn training_lengths(&self) -> Markup {
        let counts = self.list("/train/tokens/counts");
        let (false, Some(width)) = (counts.is_empty(), self.number("/train/tokens/range")) else { return nothing() };
        let bar = |(index, count): (usize, &Value)| {
            (index as f64 * width, (index + 1) as f64 * width, count.as_f64().unwrap_or(0.0))
        };
        let bars: Vec<_> = counts.iter().enumerate().map(bar).collect();
        let row = |(index, _): (usize, &Value)| {
            let from = index * width as usize;
            let name = if width > 1.0 { format!("{from}–{}", from + width as usize - 1) } else { from.to_string() };
            vec![Cell::Text(name), self.cell(&format!("/train/tokens/counts/{index}"), count)]
        };
        let rows: Vec<Vec<Cell>> = counts.iter().enumerate().filter(|(_, count)| **count != 0).map(row).collect();
        let (texts, tokens) = self.nouns();
        let title = format!("Training {texts} by number of {tokens}");
        figure(&title, &chart::bars(&title, tokens, &bars), &[], &table(&title, &[tokens, texts], &rows))
    }
}

/// The range of lengths of a bin.
fn range(bin: &Value) -> String {
    let (from, to) = (bin["from"].as_u64().unwrap_or(0), bin["to"].as_u64().unwrap_or(0));
    if from == to { from.to_string() } else { format!("{from}–{to}") }
}
