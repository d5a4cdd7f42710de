//! `cargo xtask bench early-exit`: measures the accuracy of a classifier that stops reading a text as soon as its best
//! label is probable enough, and the share of the tokens that it then reads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use tern_runtime::Model;
use tern_runtime::testing::Aligned;

/// The measured values of [`Rule::min_tokens`].
const TOKENS: [usize; 4] = [1, 30, 60, 100];
/// The measured values of [`Rule::min_probability`].
const PROBABILITIES: [f64; 5] = [0.9, 0.95, 0.98, 0.99, 0.995];

/// Options of `bench early-exit`.
#[derive(Debug, Args)]
pub struct Options {
    /// Device file of a classifier of texts that reads in one direction.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// CSV file with the columns `text` and `label`.
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Print one JSON object for each rule.
    #[arg(long)]
    pub json: bool,
}

/// A text and the predictions for its beginnings.
struct Reading {
    /// The index of the right label.
    label: usize,
    /// The prediction after each token.
    predictions: Vec<Prediction>,
}

/// The most probable label.
struct Prediction {
    /// The index of the label.
    label: usize,
    /// Its probability, 0 to 1.
    probability: f64,
}

/// A rule that stops reading a text after the first token that meets both conditions.
#[derive(Clone, Copy, PartialEq)]
struct Rule {
    /// At least this number of tokens has been read.
    min_tokens: usize,
    /// The best label has at least this probability.
    min_probability: f64,
}

impl Rule {
    /// The rule that never stops early, for comparison.
    const NEVER: Rule = Rule { min_tokens: usize::MAX, min_probability: 1.0 };
}

/// Runs `cargo xtask bench early-exit`. Fails if a file cannot be read or the model cannot stop early.
pub fn run(options: &Options) -> Result<()> {
    let bytes = fs::read(&options.file).with_context(|| format!("cannot read {}", options.file.display()))?;
    let file = Aligned::new(&bytes);
    let model = Model::from_bytes(&file).with_context(|| format!("{} is not a device file", options.file.display()))?;
    if model.config().bidirectional {
        bail!(
            "{}: a bidirectional model predicts at the end of the text; expected one direction",
            options.file.display()
        );
    }
    let readings = readings(&model, &options.data)?;
    if !options.json {
        println!("{:>12}{:>14}{:>12}{:>18}", "tokens, min", "probability", "accuracy", "of the tokens");
    }
    let mut rules = vec![Rule::NEVER];
    for min_tokens in TOKENS {
        rules.extend(PROBABILITIES.map(|min_probability| Rule { min_tokens, min_probability }));
    }
    for rule in rules {
        let (accuracy, share) = accuracy_and_share(&readings, rule);
        let Rule { min_tokens: tokens, min_probability: probability } = rule;
        if options.json {
            println!("{}", json!({"tokens": tokens, "probability": probability, "accuracy": accuracy, "share": share}));
        } else if rule == Rule::NEVER {
            println!("{:>26}{accuracy:>12.4}{share:>18.3}", "whole texts");
        } else {
            println!("{tokens:>12}{probability:>14}{accuracy:>12.4}{share:>18.3}");
        }
    }
    Ok(())
}

/// Reads each text with the model, token by token.
fn readings(model: &Model<'_>, data: &Path) -> Result<Vec<Reading>> {
    let cannot_read = || format!("cannot read {}", data.display());
    let mut table = csv::Reader::from_path(data).with_context(cannot_read)?;
    let columns = table.headers().with_context(cannot_read)?;
    let column = |wanted: &str| {
        let found = columns.iter().position(|name| name == wanted);
        found.with_context(|| format!("{} has no column `{wanted}`", data.display()))
    };
    let (text_column, label_column) = (column("text")?, column("label")?);
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).context("expected a model that reads texts")?;
    let mut readings = Vec::new();
    for row in table.records() {
        let row = row.with_context(cannot_read)?;
        let name = &row[label_column];
        let label = model.labels().iter().position(|known| known == name);
        let label =
            label.with_context(|| format!("{}: found the label `{name}`, which the model lacks", data.display()))?;
        let mut predictions = Vec::new();
        let mut on_step = |step: tern_runtime::Step<'_>| {
            let best = step.logits.best().class;
            // The runtime's probabilities are in Q16.
            let probability = f64::from(step.logits.probability(best)) / 65_536.0;
            predictions.push(Prediction { label: best, probability });
        };
        session.reset();
        session.feed_with(row[text_column].as_bytes(), &mut on_step);
        session.finish_with(&mut on_step);
        readings.push(Reading { label, predictions });
    }
    Ok(readings)
}

/// Returns the accuracy with a rule, and the number of tokens read divided by the number of all tokens. A text without
/// tokens counts as wrong.
fn accuracy_and_share(readings: &[Reading], rule: Rule) -> (f64, f64) {
    let (mut correct_texts, mut read_tokens, mut all_tokens) = (0, 0, 0);
    for Reading { label, predictions } in readings {
        let mut tokens = 0;
        let mut predicted = None;
        for prediction in predictions {
            tokens += 1;
            predicted = Some(prediction.label);
            if tokens >= rule.min_tokens && prediction.probability >= rule.min_probability {
                break;
            }
        }
        correct_texts += usize::from(predicted == Some(*label));
        read_tokens += tokens;
        all_tokens += predictions.len();
    }
    // `max`: no texts or no tokens give 0.
    let accuracy = correct_texts as f64 / readings.len().max(1) as f64;
    let share = read_tokens as f64 / all_tokens.max(1) as f64;
    (accuracy, share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_at_the_first_probable_answer_after_the_least_number_of_tokens() {
        let reading = |label: usize, predictions: &[(usize, f64)]| {
            let predictions = predictions.iter().map(|&(label, probability)| Prediction { label, probability });
            Reading { label, predictions: predictions.collect() }
        };
        let readings = [
            reading(1, &[(0, 0.95), (1, 0.6), (1, 0.9), (1, 0.99)]),
            reading(0, &[(0, 0.5), (0, 0.7)]),
            reading(0, &[]),
        ];
        let with_minimum = |min_tokens| accuracy_and_share(&readings, Rule { min_tokens, min_probability: 0.9 });
        assert_eq!(accuracy_and_share(&readings, Rule::NEVER), (2.0 / 3.0, 1.0));
        assert_eq!(with_minimum(1), (1.0 / 3.0, 3.0 / 6.0));
        assert_eq!(with_minimum(2), (2.0 / 3.0, 5.0 / 6.0));
    }
}
