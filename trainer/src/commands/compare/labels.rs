//! Two classifiers on the same examples.

use super::mcnemar::McNemar;
use super::{ALPHA, probability};
use crate::commands::visible;
use crate::data::Row;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The most characters of a text in a line.
const EXCERPT: usize = 70;

/// What a comparison says. The keys of `tern compare --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Texts, or sequences, that both models read.
    pub examples: usize,
    /// The one.
    pub a: Side,
    /// The other.
    pub b: Side,
    /// Texts to which both give the same label, right or wrong.
    pub agreements: usize,
    /// Their share.
    pub agreement: f64,
    /// Texts that both get right.
    pub both_right: usize,
    /// Texts that both get wrong.
    pub both_wrong: usize,
    /// Texts that only A gets right.
    pub only_a: usize,
    /// Texts that only B gets right.
    pub only_b: usize,
    /// Accuracy of B less that of A.
    pub difference: f64,
    /// Where that lies with 95 % confidence (Wald, paired).
    pub difference_interval: [f64; 2],
    /// Whether that is chance.
    pub mcnemar: McNemar,
    /// The whole in a sentence.
    pub verdict: String,
    /// The rows to which they give different labels.
    pub rows: Vec<Differing>,
}

/// One of the two models.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// Its path.
    pub model: PathBuf,
    /// Texts that it gets right.
    pub correct: usize,
    /// Their share.
    pub accuracy: f64,
}

/// A row to which the models give different labels.
#[derive(Clone, Debug, Serialize)]
pub struct Differing {
    /// Its line in the table.
    pub line: u64,
    /// Its text.
    pub text: String,
    /// Its label.
    pub label: String,
    /// What A says.
    pub a: String,
    /// What B says.
    pub b: String,
}

/// Compares the answers of two models to the same rows.
pub fn compare(rows: &[Row], models: [&Path; 2], answers: [&[String]; 2]) -> Comparison {
    let [a, b] = answers;
    let mut counts = [[0usize; 2]; 2];
    let mut differing = Vec::new();
    for ((row, a), b) in rows.iter().zip(a).zip(b) {
        counts[usize::from(*a == row.label)][usize::from(*b == row.label)] += 1;
        if a != b {
            let (text, label) = (row.text.clone(), row.label.clone());
            differing.push(Differing { line: row.line, text, label, a: a.clone(), b: b.clone() });
        }
    }
    let [[both_wrong, only_b], [only_a, both_right]] = counts;
    let n = rows.len().max(1) as f64;
    let side = |model: &Path, correct: usize| Side { model: model.to_owned(), correct, accuracy: correct as f64 / n };
    let difference = (only_b as f64 - only_a as f64) / n;
    // The variance of a paired difference of shares: ((b + c) - (b - c)²/n) / n².
    let discordant = (only_a + only_b) as f64;
    let half = 1.959_963_984_540_054 * (discordant - n * difference * difference).max(0.0).sqrt() / n;
    let mcnemar = McNemar::new(only_a, only_b);
    Comparison {
        examples: rows.len(),
        a: side(models[0], both_right + only_a),
        b: side(models[1], both_right + only_b),
        agreements: rows.len() - differing.len(),
        agreement: (rows.len() - differing.len()) as f64 / n,
        both_right,
        both_wrong,
        only_a,
        only_b,
        difference,
        difference_interval: [difference - half, difference + half],
        verdict: verdict(only_a, only_b, rows.len(), mcnemar.exact_p),
        mcnemar,
        rows: differing,
    }
}

/// The whole in a sentence.
fn verdict(only_a: usize, only_b: usize, examples: usize, p: f64) -> String {
    let (better, worse, more) = if only_a > only_b { ("A", "B", only_a - only_b) } else { ("B", "A", only_b - only_a) };
    let p = probability(p);
    if only_a + only_b == 0 {
        return format!("A and B are right on the same {examples} texts' answers: nothing here tells them apart");
    }
    if more == 0 {
        return format!(
            "A and B get equally many right ({only_a} each that the other gets wrong): neither is better here"
        );
    }
    if p_is_small(only_a, only_b) {
        return format!(
            "{better} is better than {worse}: {more} more of {examples} right, which chance would seldom give (p {p})"
        );
    }
    // With fewer discordant texts than this not even all of them on one side would do.
    let few = if p_is_small(only_a + only_b, 0) {
        ""
    } else {
        "; so few texts tell them apart that no outcome could show one"
    };
    format!(
        "no difference is shown: {better} gets {more} more of {examples} right, which chance may well give (p {p}){few}"
    )
}

fn p_is_small(only_a: usize, only_b: usize) -> bool {
    McNemar::new(only_a, only_b).exact_p < ALPHA
}

/// For people: the most `rows` that differ.
pub fn to_text(comparison: &Comparison, rows: usize) -> Vec<String> {
    let Comparison { examples, a, b, mcnemar, .. } = comparison;
    let names = [a, b].map(|side| side.model.display().to_string());
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let side = |letter: &str, name: &str, side: &Side| {
        format!("{letter}  {name:width$}  accuracy {:.4} ({} of {examples})", side.accuracy, side.correct)
    };
    let [low, high] = comparison.difference_interval;
    let mut lines = vec![
        side("A", &names[0], a),
        side("B", &names[1], b),
        format!("agreement    {:.4} (the same label for {})", comparison.agreement, comparison.agreements),
        format!(
            "both right   {}, both wrong {}, only A right {}, only B right {}",
            comparison.both_right, comparison.both_wrong, comparison.only_a, comparison.only_b
        ),
        format!("difference   {:+.4} (B - A; 95 % between {low:+.4} and {high:+.4})", comparison.difference),
        match (mcnemar.chi_square, mcnemar.chi_square_p) {
            (Some(chi_square), Some(p)) => format!(
                "McNemar      exact p {}; with chi-square {chi_square:.3} (corrected for continuity) p {}",
                probability(mcnemar.exact_p),
                probability(p)
            ),
            _ => "McNemar      nothing to test: no text that only one of them gets right".to_owned(),
        },
        String::new(),
        format!("{}.", comparison.verdict),
    ];
    if !comparison.rows.is_empty() && rows > 0 {
        lines.push(String::new());
        lines.push(format!(
            "{} texts with different labels{}:",
            comparison.rows.len(),
            first(comparison.rows.len(), rows)
        ));
        for row in comparison.rows.iter().take(rows) {
            let mut text: String = row.text.chars().take(EXCERPT).collect();
            if row.text.chars().nth(EXCERPT).is_some() {
                text.push('…');
            }
            let (label, a, b) = (visible(&row.label), visible(&row.a), visible(&row.b));
            lines.push(format!("  line {}: {label}; A {a}, B {b}: {}", row.line, visible(&text)));
        }
    }
    lines
}

fn first(all: usize, shown: usize) -> String {
    if all > shown { format!(", the first {shown} (--rows N shows more)") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: usize, label: &str) -> Row {
        Row { text: format!("text {index}"), label: label.to_owned(), line: index as u64 + 2 }
    }

    fn of(labels: &[&str], a: &[&str], b: &[&str]) -> Comparison {
        let rows: Vec<Row> = labels.iter().enumerate().map(|(index, label)| row(index, label)).collect();
        let own = |answers: &[&str]| answers.iter().map(|answer| (*answer).to_owned()).collect::<Vec<_>>();
        compare(&rows, [Path::new("one"), Path::new("two")], [&own(a), &own(b)])
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
        assert!(c.verdict.contains("no outcome could show one"), "{}", c.verdict);
        let text = to_text(&c, 1).join("\n");
        assert!(text.contains("the first 1 (--rows N shows more)") && text.contains("line 3: x; A y, B x"), "{text}");
        assert!(!text.contains("line 6"));
    }

    #[test]
    fn verdicts() {
        let says = |only_a, only_b| verdict(only_a, only_b, 100, McNemar::new(only_a, only_b).exact_p);
        for (only_a, only_b, expected) in [
            (0, 0, "nothing here tells them apart"),
            (3, 3, "neither is better"),
            (10, 0, "A is better than B: 10 more of 100 right"),
            (12, 30, "B is better than A: 18 more of 100 right, which chance would seldom give (p = 0.0079)"),
            (0, 60, "(p < 0.0001)"),
            (7, 10, "no difference is shown: B gets 3 more"),
        ] {
            assert!(says(only_a, only_b).contains(expected), "{}", says(only_a, only_b));
        }
    }
}
