//! The sections of a classifier: the metrics by class, the confusion matrix, and how accuracy depends on the confidence
//! of a prediction and on the length of an example.

use super::escape_pointer;
use crate::metrics::confused_pairs;
use crate::report::chart::{self, Bar, ProbabilityBin, Share};
use crate::report::elements::{Cell, count, exact, figure, nothing, percent, table};
use crate::report::{ReportInputs, Section};
use maud::{Markup, html};
use serde_json::Value;

/// The number of classes above which the most frequent confusions are listed in place of the matrix.
const MAX_MATRIX_LABELS: usize = 20;
/// The largest number of confusions that are listed.
const MAX_PAIRS: usize = 40;

impl ReportInputs {
    /// Returns the sections that text and sequence classifiers share.
    pub(crate) fn classifier_sections(&self) -> Vec<Section> {
        vec![
            ("classes", "Classes", self.classes()),
            ("confusion", "Confusion matrix", self.confusion()),
            ("calibration", "Calibration", self.calibration()),
            ("refusal", "Refusal", self.refusal()),
            ("length", "Accuracy by length", self.lengths()),
        ]
    }

    /// Returns the table of the metrics by class.
    fn classes(&self) -> Markup {
        if self.json_at("/validation/per_class").is_none() {
            return nothing();
        }
        let row = |label: &String| {
            let key = escape_pointer(label);
            let metric = |name, format| self.cell(&format!("/validation/per_class/{key}/{name}"), format);
            let mut row = vec![Cell::Text(label.clone())];
            row.extend(["precision", "recall", "f1"].map(|name| metric(name, exact)));
            row.push(metric("support", count));
            row.push(self.cell(&format!("/train/support/{key}"), count));
            row
        };
        let rows: Vec<_> = self.config.labels.iter().map(row).collect();
        let (texts, _) = self.nouns();
        let head = ["label", "precision", "recall", "F1", "validation rows", "training rows"];
        html! {
            (table("Metrics by class", &head, &rows))
            p.note {
                "Precision: the share of the " (texts) " predicted as this label that have it. Recall: the share of the " (texts)
                " with this label that are predicted as it. F1: the harmonic mean of both."
            }
        }
    }

    /// Returns the confusion matrix or, for many classes, the most frequent confusions.
    fn confusion(&self) -> Markup {
        let labels = &self.config.labels;
        let Some(matrix) = self.confusion_counts() else { return nothing() };
        if labels.len() <= MAX_MATRIX_LABELS {
            return self.matrix(&matrix);
        }
        let pairs = confused_pairs(&matrix);
        if pairs.is_empty() {
            return html! { p { "Every label was predicted correctly." } };
        }
        let row = |&(_, label, predicted): &(usize, usize, usize)| {
            vec![
                Cell::Text(labels[label].clone()),
                Cell::Text(labels[predicted].clone()),
                self.cell(&format!("/validation/confusion/{label}/{predicted}"), count),
                Cell::Number(html! { (count(matrix[label].iter().sum::<usize>() as f64)) }),
            ]
        };
        let rows: Vec<_> = pairs.iter().take(MAX_PAIRS).map(row).collect();
        let (texts, _) = self.nouns();
        html! {
            p {
                (pairs.len()) " of the " (labels.len()) " × " (labels.len()) " pairs of different labels occur. These are the most "
                "frequent ones."
            }
            (table("Most frequent confusions", &["label", "predicted", texts, "of"], &rows))
        }
    }

    /// Returns the confusion matrix in `metrics.json`, the numbers of validation rows as `[label][predicted]`; `None`
    /// if there is none or its size is not the number of labels.
    fn confusion_counts(&self) -> Option<Vec<Vec<usize>>> {
        let matrix: Vec<Vec<usize>> = serde_json::from_value(self.json_at("/validation/confusion")?.clone()).ok()?;
        let labels = self.config.labels.len();
        (matrix.len() == labels && matrix.iter().all(|row| row.len() == labels)).then_some(matrix)
    }

    /// Returns the confusion matrix as a table. `matrix`: the numbers of validation rows as `[label][predicted]`.
    fn matrix(&self, matrix: &[Vec<usize>]) -> Markup {
        let labels = &self.config.labels;
        html! {
            p.note {
                "A row for each label, a column for each prediction. The darker a cell, the larger its share of the row: "
                span.key.first { "correct" } " " span.key.second { "wrong" }
            }
            div.wide role="region" aria-label="Confusion matrix" tabindex="0" {
                table.matrix {
                    thead { tr {
                        td {}
                        @for label in labels { th scope="col" { span { (label) } } }
                    } }
                    tbody {
                        @for (true_label, (label, row)) in labels.iter().zip(matrix).enumerate() { tr {
                            th scope="row" { (label) }
                            @let total = row.iter().sum::<usize>().max(1) as f64;
                            @for (predicted, &rows) in row.iter().enumerate() {
                                @let tint = if predicted == true_label { "first" } else { "second" };
                                // The square root keeps small shares visible.
                                @let depth = (rows as f64 / total).sqrt() * 0.5;
                                @let style = format!("background:rgba(var(--{tint}-tint),{depth:.2})");
                                td.none[rows == 0] style=[(rows > 0).then_some(style)] {
                                    (self.value(&format!("/validation/confusion/{true_label}/{predicted}"), count))
                                }
                            }
                        } }
                    }
                }
            }
        }
    }

    /// Returns the accuracy of predictions by their probability, as a chart and a table.
    fn calibration(&self) -> Markup {
        let bins = self.list("/validation/calibration/bins");
        if bins.is_empty() {
            return nothing();
        }
        let number = |bin: &Value, key: &str| bin[key].as_f64().unwrap_or(0.0);
        let probability_bin = |bin: &Value| ProbabilityBin {
            from: number(bin, "from"),
            to: number(bin, "to"),
            confidence: number(bin, "confidence"),
            accuracy: number(bin, "accuracy"),
        };
        let drawn: Vec<ProbabilityBin> = bins.iter().map(probability_bin).collect();
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
                @if self.number("/validation/calibration/temperature").is_some() {
                    " After the training the logits were divided by the temperature "
                    (self.value("/validation/calibration/temperature", exact)) ", the number with the smallest loss on these rows. "
                    "Before, the error was " (self.value("/validation/calibration/uncalibrated_ece", exact)) " and the loss "
                    (self.value("/validation/calibration/uncalibrated_loss", exact)) "."
                }
            }
            (figure(title, &chart::reliability(title, &drawn), &legend, &table(title, &head, &rows)))
        }
    }

    /// Returns the numbers of rows that the model refuses to answer, and the accuracy on the others; empty for a model
    /// that always answers.
    fn refusal(&self) -> Markup {
        if self.json_at("/validation/refusal").is_none() {
            return nothing();
        }
        // The label of rows to refuse, if the recipe names one: these rows are out of scope, the others in scope.
        let label = self.json_at("/validation/refusal/label").and_then(Value::as_str);
        let cell = |key: &str, format| self.cell(&format!("/validation/refusal/{key}"), format);
        let row = |name: String, scope: &str| {
            let refused = cell(&format!("{scope}_refused"), count);
            let share = cell(&format!("{scope}_refused_share"), percent);
            vec![Cell::Text(name), cell(scope, count), refused, share]
        };
        let (texts, _) = self.nouns();
        let rows = match label {
            Some(label) => {
                vec![row(format!("other {texts}"), "in_scope"), row(format!("{texts} of “{label}”"), "out_of_scope")]
            }
            None => vec![row(texts.to_owned(), "in_scope")],
        };
        html! {
            p {
                "The model refuses to answer if no label reaches the probability "
                (self.value("/validation/refusal/probability", percent))
                @if let Some(label) = label { ", and if the label is “" (label) "”" }
                ". It answers for " (self.value("/validation/refusal/answered", count)) " of the validation " (texts) "; of these answers "
                (self.value("/validation/refusal/answered_accuracy", percent)) " are correct. The probability was chosen on the "
                "same rows."
            }
            (table("Refused answers", &["", texts, "refused", "share"], &rows))
        }
    }

    /// Returns the accuracy by length, and the lengths of the training examples.
    fn lengths(&self) -> Markup {
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

    /// Returns the chart and the table of the accuracy by length.
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

    /// Returns the histogram and the table of the lengths of the training examples. `counts` has the number of examples
    /// in each of the consecutive ranges of `width` lengths, from length 0 on.
    fn training_lengths(&self) -> Markup {
        let counts = self.list("/train/tokens/counts");
        let Some(width) = self.number("/train/tokens/range") else { return nothing() };
        if counts.is_empty() {
            return nothing();
        }
        let bar = |(index, count): (usize, &Value)| {
            let from = index as f64 * width;
            Bar { from, to: (index + 1) as f64 * width, height: count.as_f64().unwrap_or(0.0) }
        };
        let bars: Vec<_> = counts.iter().enumerate().map(bar).collect();
        let row = |(index, _): (usize, &Value)| {
            let from = index * width as usize;
            let name = if width > 1.0 { format!("{from}–{}", from + width as usize - 1) } else { from.to_string() };
            vec![Cell::Text(name), self.cell(&format!("/train/tokens/counts/{index}"), count)]
        };
        // The table leaves out empty ranges.
        let rows: Vec<Vec<Cell>> = counts.iter().enumerate().filter(|(_, count)| **count != 0).map(row).collect();
        let (texts, tokens) = self.nouns();
        let title = format!("Training {texts} by number of {tokens}");
        figure(&title, &chart::bars(&title, tokens, &bars), &[], &table(&title, &[tokens, texts], &rows))
    }
}

/// Formats the range of lengths of a bin.
fn range(bin: &Value) -> String {
    let (from, to) = (bin["from"].as_u64().unwrap_or(0), bin["to"].as_u64().unwrap_or(0));
    if from == to { from.to_string() } else { format!("{from}–{to}") }
}
