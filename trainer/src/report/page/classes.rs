//! Figures by class, and which classes are taken for which.

use super::{Page, escape_pointer};
use crate::report::html::{Cell, count, escape, exact, table};
use serde_json::Value;
use std::fmt::Write;

/// The most classes whose confusion is shown as a matrix.
const MATRIX: usize = 20;
/// The most pairs of classes in the list that stands for a larger one.
const PAIRS: usize = 40;
/// Classes from which on the table scrolls by itself.
const TALL: usize = 30;

impl Page<'_> {
    pub(super) fn classes(&self) -> String {
        if self.at("/validation/per_class").is_none() {
            return String::new();
        }
        let row = |label: &String| {
            let key = escape_pointer(label);
            let figure =
                |name: &str, format| Cell::Number(self.value(&format!("/validation/per_class/{key}/{name}"), format));
            let mut row = vec![Cell::Text(label.clone())];
            row.extend(["precision", "recall", "f1"].map(|name| figure(name, exact)));
            row.push(figure("support", count));
            row.push(Cell::Number(self.value(&format!("/train/support/{key}"), count)));
            row
        };
        let rows: Vec<_> = self.config.labels.iter().map(row).collect();
        let html = table("Figures by class", &["label", "precision", "recall", "F1", "held out", "learnt from"], &rows);
        let note = "<p class=\"note\">Precision: of the texts given this label, the share that has it. Recall: of the texts that have it, the share that was given it. F1: their harmonic mean.</p>\n";
        let html = if rows.len() > TALL { html.replacen("class=\"wide\"", "class=\"wide tall\"", 1) } else { html };
        html + note
    }

    /// The matrix, or where that would be too wide its largest entries off the diagonal.
    pub(super) fn confusion(&self) -> String {
        let Some(matrix) = self.matrix() else { return String::new() };
        let labels = &self.config.labels;
        let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
        for (label, row) in matrix.iter().enumerate() {
            pairs.extend(row.iter().enumerate().filter(|(p, n)| *p != label && **n > 0).map(|(p, n)| (*n, label, p)));
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
        if labels.len() <= MATRIX {
            return self.grid(&matrix);
        }
        if pairs.is_empty() {
            return "<p>None: every held-out text got its label.</p>\n".to_owned();
        }
        let mut html = format!(
            "<p>{} of the {} × {} pairs of different labels occur; these most often.</p>\n",
            pairs.len(),
            labels.len(),
            labels.len()
        );
        let row = |&(_, label, predicted): &(usize, usize, usize)| {
            vec![
                Cell::Text(labels[label].clone()),
                Cell::Text(labels[predicted].clone()),
                Cell::Number(self.value(&format!("/validation/confusion/{label}/{predicted}"), count)),
                Cell::Number(count(matrix[label].iter().sum::<usize>() as f64)),
            ]
        };
        let rows: Vec<_> = pairs.iter().take(PAIRS).map(row).collect();
        html.push_str(&table("Labels taken for each other", &["label", "predicted", "texts", "of"], &rows));
        html
    }

    fn matrix(&self) -> Option<Vec<Vec<usize>>> {
        let row = |row: &Value| -> Option<Vec<usize>> {
            row.as_array()?.iter().map(|count| count.as_u64().and_then(|count| usize::try_from(count).ok())).collect()
        };
        let matrix: Vec<Vec<usize>> =
            self.at("/validation/confusion")?.as_array()?.iter().map(row).collect::<Option<_>>()?;
        let labels = self.config.labels.len();
        (matrix.len() == labels && matrix.iter().all(|row| row.len() == labels)).then_some(matrix)
    }

    fn grid(&self, matrix: &[Vec<usize>]) -> String {
        let labels = &self.config.labels;
        let mut html = String::from(
            "<p class=\"note\">A row for each label, a column for each prediction. The darker, the larger the share of its row: \
             <span class=\"key first\">right</span> <span class=\"key second\">wrong</span></p>\n\
             <div class=\"wide\" role=\"region\" aria-label=\"Confusion matrix\" tabindex=\"0\"><table class=\"matrix\">\n\
             <thead><tr><td></td>",
        );
        for label in labels {
            let _ = write!(html, "<th scope=\"col\"><span>{}</span></th>", escape(label));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for (index, (label, row)) in labels.iter().zip(matrix).enumerate() {
            let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(label));
            let support: usize = row.iter().sum();
            for (predicted, &texts) in row.iter().enumerate() {
                let tint = if predicted == index { "first" } else { "second" };
                let share = (texts as f64 / support.max(1) as f64).sqrt() * 0.5;
                let value = self.value(&format!("/validation/confusion/{index}/{predicted}"), count);
                let _ = match texts {
                    0 => write!(html, "<td class=\"none\">{value}</td>"),
                    _ => write!(html, "<td style=\"background:rgba(var(--{tint}-tint),{share:.2})\">{value}</td>"),
                };
            }
            html.push_str("</tr>\n");
        }
        html + "</tbody></table></div>\n"
    }
}
