//! The figures of a classifier as `tern eval` prints them: accuracy, figures of each class and the confusion matrix.

use super::analysis::Analysis;
use super::refusal_figures::RefusalFigures;
use crate::display::{shorten, visible};
use crate::metrics::{Evaluation, confused_pairs};
use crate::paint::Paint;
use crate::tasks::interface::CommandOutput;
use serde_json::{Map, Value, json};

/// Largest number of labels whose confusion is shown as a matrix. A larger matrix does not fit into 80 columns.
const MAX_MATRIX_LABELS: usize = 8;
/// Width of a column of the matrix.
const COLUMN_WIDTH: usize = 7;
/// Largest width of a row's label. With 8 columns, the matrix is then 80 characters wide.
const MAX_ROW_LABEL_WIDTH: usize = 16;
/// Largest width of a label in the table of classes.
const MAX_LABEL_WIDTH: usize = 40;
/// Largest number of pairs of labels in the list that is shown instead of a matrix if there are more than
/// [`MAX_MATRIX_LABELS`] labels.
const MAX_PAIRS: usize = 10;

/// Returns the figures of a classifier as JSON and lines. The lines end with the confusion matrix or, for many labels,
/// the most frequent wrong predictions. `extra_line`: a line before the matrix or the wrong predictions.
pub fn figures(labels: &[String], analysis: &Analysis, paint: Paint, extra_line: Option<String>) -> CommandOutput {
    let Analysis { evaluation, refusal, .. } = analysis;
    let (mut lines, mut json) = (to_lines(labels, evaluation, paint), to_json(labels, evaluation));
    if let Some(refusal) = refusal {
        lines.push(String::new());
        lines.extend(refusal.lines(RefusalFigures::NAME_WIDTH));
        json["refusal"] = json!(refusal);
    }
    lines.extend(extra_line);
    lines.extend(confusion(labels, evaluation.confusion(), paint));
    CommandOutput { json, lines }
}

/// Returns the object for `tern eval --json` without the figures of refusal.
fn to_json(labels: &[String], evaluation: &Evaluation) -> Value {
    json!({
        "examples": evaluation.examples(),
        "accuracy": evaluation.accuracy(),
        "loss": evaluation.loss(),
        "macro_f1": evaluation.macro_f1(),
        "majority_accuracy": evaluation.majority_accuracy(),
        "per_class": per_class(labels, evaluation),
    })
}

/// Returns precision, recall, F1 and support of each label as JSON objects by label.
pub fn per_class(labels: &[String], evaluation: &Evaluation) -> Map<String, Value> {
    labels.iter().cloned().zip(evaluation.per_class().iter().map(|figures| json!(figures))).collect()
}

/// Returns the figures as lines of text, of which the last ones are the table of the labels.
fn to_lines(labels: &[String], evaluation: &Evaluation, paint: Paint) -> Vec<String> {
    let labels: Vec<String> = labels.iter().map(|label| shorten(&visible(label), MAX_LABEL_WIDTH)).collect();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max("label".len());
    let mut lines = vec![
        format!("examples {}", evaluation.examples()),
        format!(
            "accuracy {} (always the most frequent label: {:.4})",
            paint.bold(&format!("{:.4}", evaluation.accuracy())),
            evaluation.majority_accuracy()
        ),
        format!("loss     {:.4}", evaluation.loss()),
        format!("macro F1 {:.4}", evaluation.macro_f1()),
        String::new(),
        paint.faint(&format!("{:width$}  precision  recall      F1  support", "label")),
    ];
    for (label, class) in labels.iter().zip(evaluation.per_class()) {
        lines.push(format!(
            "{label:width$}  {:>9.4}  {:>6.4}  {:>6.4}  {:>7}",
            class.precision, class.recall, class.f1, class.support
        ));
    }
    lines
}

/// Returns the lines of the confusion matrix: a row for each true label, a column for each predicted label. For more
/// than [`MAX_MATRIX_LABELS`] labels, returns a list of the most frequent wrong predictions.
fn confusion(labels: &[String], matrix: &[Vec<usize>], paint: Paint) -> Vec<String> {
    let labels: Vec<String> = labels.iter().map(|label| visible(label)).collect();
    if labels.len() > MAX_MATRIX_LABELS {
        return wrong_pairs(&labels, matrix, paint);
    }
    let head: Vec<String> =
        labels.iter().map(|label| format!("{:>COLUMN_WIDTH$}", shorten(label, COLUMN_WIDTH))).collect();
    let corner = "predicted →";
    let longest_label = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let width = longest_label.clamp(corner.chars().count(), MAX_ROW_LABEL_WIDTH);
    let mut lines = vec![String::new(), paint.faint(&format!("{corner:width$} {}", head.join(" ")))];
    for (true_label, (label, row)) in labels.iter().zip(matrix).enumerate() {
        let cell = |(predicted, &examples): (usize, &usize)| {
            let text = format!("{examples:>COLUMN_WIDTH$}");
            match (examples, predicted == true_label) {
                (0, _) => paint.faint(&text),
                (_, true) => paint.correct(&text),
                (_, false) => paint.wrong(&text),
            }
        };
        let cells: Vec<String> = row.iter().enumerate().map(cell).collect();
        lines.push(format!("{:width$} {}", shorten(label, MAX_ROW_LABEL_WIDTH), cells.join(" ")));
    }
    lines
}

/// Returns the lines of the most frequent pairs of a true label and a wrong predicted label; none without mistakes.
fn wrong_pairs(labels: &[String], matrix: &[Vec<usize>], paint: Paint) -> Vec<String> {
    let pairs = confused_pairs(matrix);
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), paint.faint("most frequent wrong predictions")];
    let line = |&(count, label, predicted): &(usize, usize, usize)| {
        let (painted, total) = (paint.wrong(&format!("{count:>6}")), matrix[label].iter().sum::<usize>());
        format!("{painted} of {total} {}: predicted {}", labels[label], labels[predicted])
    };
    lines.extend(pairs.iter().take(MAX_PAIRS).map(line));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("label {index}")).collect()
    }

    #[test]
    fn a_small_matrix_is_shown_whole() {
        let lines = confusion(&names(2), &[vec![3, 1], vec![0, 5]], Paint::plain());
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["label", "0", "3", "1"]);
        assert_eq!(lines[3].split_whitespace().collect::<Vec<_>>(), ["label", "1", "0", "5"]);
        assert!(!lines.concat().contains('\u{1b}'));
        assert!(confusion(&names(2), &[vec![3, 1], vec![0, 5]], Paint::coloured()).concat().contains('\u{1b}'));
    }

    #[test]
    fn tables_fit_80_columns() {
        let labels: Vec<String> = (0..8).map(|index| format!("{index} {}", "a long label ".repeat(9))).collect();
        let mut evaluation = Evaluation::new(8);
        (0..64).for_each(|index| evaluation.add(index / 8, index % 8, 0.5));
        let lines = confusion(&labels, evaluation.confusion(), Paint::plain());
        assert_eq!(lines.len(), 10);
        for line in lines.iter().chain(&to_lines(&labels, &evaluation, Paint::plain())) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn with_many_labels_the_most_frequent_wrong_pairs_are_listed() {
        let mut matrix = vec![vec![0; 151]; 151];
        (0..151).for_each(|index| matrix[index][index] = 10);
        assert!(confusion(&names(151), &matrix, Paint::plain()).is_empty());
        (1..30).for_each(|index| matrix[index][0] = index);
        let lines = confusion(&names(151), &matrix, Paint::plain());
        assert_eq!(lines.len(), 2 + MAX_PAIRS);
        assert_eq!(lines[2], "    29 of 39 label 29: predicted label 0");
    }
}
