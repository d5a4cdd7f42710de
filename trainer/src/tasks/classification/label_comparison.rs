//! The comparison of two classifiers by their predictions on the same examples.

use super::analysis::Z;
use super::mcnemar::McNemar;
use crate::data::Row;
use crate::display::{shorten, visible};
use crate::tasks::interface::{CommandOutput, NamedModel};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Largest number of characters of a text in a line.
const EXCERPT_CHARS: usize = 40;
/// The significance level: a difference is significant if its p is smaller.
const ALPHA: f64 = 0.05;

/// The result of a comparison, with the keys of `tern compare --json`. An agreement is an example for which both models
/// predict the same label, correct or wrong; `only_a` and `only_b` are the examples that one model alone predicts
/// correctly.
#[derive(Serialize)]
struct Comparison {
    examples: usize,
    a: Side,
    b: Side,
    agreements: usize,
    /// `agreements` over `examples`.
    agreement: f64,
    both_right: usize,
    both_wrong: usize,
    only_a: usize,
    only_b: usize,
    /// Accuracy of B minus accuracy of A.
    difference: f64,
    /// The 95 % confidence interval of the difference (Wald, paired).
    difference_interval: [f64; 2],
    mcnemar: McNemar,
    /// The result in a sentence.
    verdict: String,
    /// The examples for which the models predict different labels.
    rows: Vec<Differing>,
}

/// The figures of one of the two models.
#[derive(Serialize)]
struct Side {
    model: PathBuf,
    correct: usize,
    accuracy: f64,
}

/// An example for which the models predict different labels.
#[derive(Serialize)]
struct Differing {
    /// Line of the example in the table, from 1: [`Row::line`].
    line: u64,
    /// The text, or the name of the sequence.
    text: String,
    /// The label in the table.
    label: String,
    /// The label that A predicts.
    a: String,
    /// The label that B predicts.
    b: String,
}

/// Compares two classifiers by their predicted labels. `predicted`: for each model, its label for each of `examples`.
/// `unit`: "texts" or "sequences". The lines show at most `max_rows` examples with different predictions. Fails if a
/// path is not UTF-8.
pub fn compare(
    examples: &[Row],
    models: &[NamedModel<'_>; 2],
    predicted: [&[String]; 2],
    unit: &str,
    max_rows: usize,
) -> anyhow::Result<CommandOutput> {
    let comparison = Comparison::new(examples, [models[0].path, models[1].path], predicted, unit);
    Ok(CommandOutput { json: serde_json::to_value(&comparison)?, lines: to_lines(&comparison, unit, max_rows) })
}

impl Comparison {
    fn new(examples: &[Row], models: [&Path; 2], predicted: [&[String]; 2], unit: &str) -> Self {
        let [predicted_by_a, predicted_by_b] = predicted;
        // The numbers of examples, `[A is correct][B is correct]`.
        let mut counts = [[0usize; 2]; 2];
        let mut differing = Vec::new();
        for ((row, a), b) in examples.iter().zip(predicted_by_a).zip(predicted_by_b) {
            counts[usize::from(**a == *row.label)][usize::from(**b == *row.label)] += 1;
            if a != b {
                let (text, label) = (row.text.to_string(), row.label.to_string());
                differing.push(Differing { line: row.line, text, label, a: a.clone(), b: b.clone() });
            }
        }
        let [[both_wrong, only_b], [only_a, both_right]] = counts;
        let n = examples.len().max(1) as f64;
        let side =
            |model: &Path, correct: usize| Side { model: model.to_owned(), correct, accuracy: correct as f64 / n };
        let difference = (only_b as f64 - only_a as f64) / n;
        // With a = only_a and b = only_b, the variance of a paired difference of shares is ((a + b) - (b - a)²/n) / n².
        let discordant = (only_a + only_b) as f64;
        let half_width = Z * (discordant - n * difference * difference).max(0.0).sqrt() / n;
        let mcnemar = McNemar::new(only_a, only_b);
        Comparison {
            examples: examples.len(),
            a: side(models[0], both_right + only_a),
            b: side(models[1], both_right + only_b),
            agreements: examples.len() - differing.len(),
            agreement: (examples.len() - differing.len()) as f64 / n,
            both_right,
            both_wrong,
            only_a,
            only_b,
            difference,
            difference_interval: [difference - half_width, difference + half_width],
            verdict: verdict([both_wrong, only_a, only_b], examples.len(), unit),
            mcnemar,
            rows: differing,
        }
    }
}

/// Returns the result as a sentence without a full stop. `[both_wrong, only_a, only_b]`: the numbers of examples that
/// no model, only A and only B predict correctly.
fn verdict([both_wrong, only_a, only_b]: [usize; 3], examples: usize, unit: &str) -> String {
    let (better, worse, more) = if only_a > only_b { ("A", "B", only_a - only_b) } else { ("B", "A", only_b - only_a) };
    let exact_p = |only_a, only_b| McNemar::new(only_a, only_b).exact_p;
    if only_a + only_b == 0 {
        let correct = examples - both_wrong;
        return format!("A and B are correct on the same {correct} of {examples} {unit}: no difference is shown");
    }
    if more == 0 {
        return format!(
            "A and B are correct equally often ({only_a} {unit} each that the other gets wrong): no difference is shown"
        );
    }
    let p = probability(exact_p(only_a, only_b));
    if exact_p(only_a, only_b) < ALPHA {
        return format!(
            "{better} is better than {worse}: it is correct on {more} more of {examples} {unit} (McNemar's test, p {p})"
        );
    }
    // The most uneven result has the smallest p: all examples that one model alone predicts correctly favour A.
    let can_be_significant = exact_p(only_a + only_b, 0) < ALPHA;
    let caveat = match can_be_significant {
        true => "",
        false => "; too few examples tell them apart for any result to be significant",
    };
    format!(
        "no difference is shown: {better} is correct on {more} more of {examples} {unit}, which may be chance (p {p}){caveat}"
    )
}

/// Returns the comparison as lines of text, with at most `max_rows` examples that the models predict differently.
fn to_lines(comparison: &Comparison, unit: &str, max_rows: usize) -> Vec<String> {
    let Comparison { examples, a, b, mcnemar, .. } = comparison;
    let side = |letter: &str, side: &Side| {
        let model = side.model.display();
        format!("{letter}  accuracy {:.4} ({} of {examples})  {model}", side.accuracy, side.correct)
    };
    let [low, high] = comparison.difference_interval;
    let mut lines = vec![
        side("A", a),
        side("B", b),
        format!("agreement    {:.4} (the same label for {})", comparison.agreement, comparison.agreements),
        format!(
            "correct      both {}, neither {}, only A {}, only B {}",
            comparison.both_right, comparison.both_wrong, comparison.only_a, comparison.only_b
        ),
        format!("difference   {:+.4} (B - A; 95 % interval {low:+.4} to {high:+.4})", comparison.difference),
        match (mcnemar.chi_square, mcnemar.chi_square_p) {
            (Some(chi_square), Some(p)) => format!(
                "McNemar      exact p {}; chi-square {chi_square:.3} (continuity-corrected), p {}",
                probability(mcnemar.exact_p),
                probability(p)
            ),
            _ => "McNemar      not applicable: both are correct on the same examples".to_owned(),
        },
        String::new(),
        format!("{}.", comparison.verdict),
    ];
    if !comparison.rows.is_empty() && max_rows > 0 {
        let differing = comparison.rows.len();
        let limit = if differing > max_rows { format!(", the first {max_rows} (see --rows)") } else { String::new() };
        lines.extend([String::new(), format!("{differing} {unit} with different predictions{limit}:")]);
        for row in comparison.rows.iter().take(max_rows) {
            let (label, a, b) = (visible(&row.label), visible(&row.a), visible(&row.b));
            let text = shorten(&visible(&row.text), EXCERPT_CHARS);
            lines.push(format!("  line {}: {label}; A {a}, B {b}: {text}", row.line));
        }
    }
    lines
}

/// Formats the p of a test to follow "p": "= 0.0123", or "< 0.0001".
fn probability(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("= {p:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: usize, label: &str) -> Row {
        Row { text: format!("text {index}").into(), label: label.into(), line: index as u64 + 2 }
    }

    fn of(labels: &[&str], a: &[&str], b: &[&str]) -> Comparison {
        let rows: Vec<Row> = labels.iter().enumerate().map(|(index, label)| row(index, label)).collect();
        let own = |answers: &[&str]| answers.iter().map(|answer| (*answer).to_owned()).collect::<Vec<_>>();
        Comparison::new(&rows, [Path::new("one"), Path::new("two")], [&own(a), &own(b)], "texts")
    }

    #[test]
    fn five_rows_by_hand() {
        let c = of(&["x", "x", "y", "y", "z"], &["x", "y", "y", "x", "x"], &["x", "x", "y", "x", "y"]);
        assert_eq!((c.a.correct, c.b.correct, c.both_right, c.both_wrong, c.only_a, c.only_b), (2, 3, 2, 2, 0, 1));
        assert_eq!((c.agreements, c.agreement, c.difference), (3, 0.6, 0.2));
        // sqrt((1 - 5 * 0.04)) / 5 * 1.96
        assert!((c.difference_interval[0] - (0.2 - 1.959_963_984_540_054 * 0.8f64.sqrt() / 5.0)).abs() < 1e-12);
        assert_eq!(c.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [3, 6]);
        assert_eq!(c.mcnemar.exact_p, 1.0);
        assert!(c.verdict.contains("too few examples tell them apart"), "{}", c.verdict);
        let text = to_lines(&c, "texts", 1).join("\n");
        assert!(text.contains("the first 1 (see --rows)") && text.contains("line 3: x; A y, B x"), "{text}");
        assert!(!text.contains("line 6"));
    }

    #[test]
    fn the_verdict_follows_from_the_counts() {
        let of = |only_a, only_b| verdict([7, only_a, only_b], 100, "texts");
        for (only_a, only_b, expected) in [
            (0, 0, "A and B are correct on the same 93 of 100 texts: no difference is shown"),
            (3, 3, "A and B are correct equally often (3 texts each that the other gets wrong)"),
            (10, 0, "A is better than B: it is correct on 10 more of 100 texts"),
            (12, 30, "B is better than A: it is correct on 18 more of 100 texts (McNemar's test, p = 0.0079)"),
            (0, 60, "p < 0.0001"),
            (7, 10, "no difference is shown: B is correct on 3 more"),
        ] {
            assert!(of(only_a, only_b).contains(expected), "{}", of(only_a, only_b));
        }
    }
}
