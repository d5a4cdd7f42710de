//! The sections with the metrics by class and the confusion matrix.

use super::{HtmlPage, escape_pointer};
use crate::report::elements::{Cell, count, exact, nothing, table};
use maud::{Markup, html};
use serde_json::Value;

/// Number of classes above which the most frequent confusions are listed in place of the matrix.
const MAX_MATRIX: usize = 20;
/// Maximum length of that list.
const MAX_PAIRS: usize = 40;

impl HtmlPage<'_> {
    pub(crate) fn classes(&self) -> Markup {
        if self.at("/validation/per_class").is_none() {
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

    /// The confusion matrix or, for many classes, the most frequent confusions.
    pub(crate) fn confusion(&self) -> Markup {
        let labels = &self.config.labels;
        let Some(matrix) = self.confusion_counts() else { return nothing() };
        if labels.len() <= MAX_MATRIX {
            return self.matrix(&matrix);
        }
        let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
        for (label, row) in matrix.iter().enumerate() {
            pairs.extend(row.iter().enumerate().filter(|(p, n)| *p != label && **n > 0).map(|(p, n)| (*n, label, p)));
        }
        if pairs.is_empty() {
            return html! { p { "Every label was predicted correctly." } };
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
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

    /// `[label][predicted]`: counts of the validation rows.
    fn confusion_counts(&self) -> Option<Vec<Vec<usize>>> {
        let row = |row: &Value| -> Option<Vec<usize>> {
            row.as_array()?.iter().map(|count| count.as_u64().and_then(|count| usize::try_from(count).ok())).collect()
        };
        let matrix: Vec<Vec<usize>> =
            self.at("/validation/confusion")?.as_array()?.iter().map(row).collect::<Option<_>>()?;
        let labels = self.config.labels.len();
        (matrix.len() == labels && matrix.iter().all(|row| row.len() == labels)).then_some(matrix)
    }

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
                        @for (index, (label, row)) in labels.iter().zip(matrix).enumerate() { tr {
                            th scope="row" { (label) }
                            @let total = row.iter().sum::<usize>().max(1) as f64;
                            @for (predicted, &texts) in row.iter().enumerate() {
                                @let tint = if predicted == index { "first" } else { "second" };
                                @let depth = (texts as f64 / total).sqrt() * 0.5;
                                @let style = format!("background:rgba(var(--{tint}-tint),{depth:.2})");
                                td.none[texts == 0] style=[(texts > 0).then_some(style)] {
                                    (self.value(&format!("/validation/confusion/{index}/{predicted}"), count))
                                }
                            }
                        } }
                    }
                }
            }
        }
    }
}
