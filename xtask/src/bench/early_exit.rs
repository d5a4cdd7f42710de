//! `cargo xtask bench early-exit`: measures the accuracy of a classifier that stops reading a text as soon as its best
//! label is probable enough, and the share of the tokens that it then reads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use tern_runtime::Model;
use tern_runtime::testing::Aligned;

/// The measured minimum numbers of tokens: reading does not stop before the minimum.
const TOKENS: [usize; 4] = [1, 30, 60, 100];
/// The measured probabilities of the best label at which reading stops.
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

/// The predictions for a text.
struct Reading {
    /// The index of the right label.
    label: usize,
    /// The most probable label and its probability after each token.
    steps: Vec<(usize, f64)>,
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
    // A rule that never stops early, for comparison.
    let never = (usize::MAX, 1.0);
    for (tokens, probability) in
        std::iter::once(never).chain(TOKENS.iter().flat_map(|&tokens| PROBABILITIES.map(|p| (tokens, p))))
    {
        let (accuracy, share) = stop_early(&readings, tokens, probability);
        if options.json {
            println!("{}", json!({"tokens": tokens, "probability": probability, "accuracy": accuracy, "share": share}));
        } else if (tokens, probability) == never {
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
    let (text, label) = (column("text")?, column("label")?);
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).context("expected a model that reads texts")?;
    let mut readings = Vec::new();
    for row in table.records() {
        let row = row.with_context(cannot_read)?;
        let found = &row[label];
        let label = model.labels().iter().position(|known| known == found);
        let label =
            label.with_context(|| format!("{}: found the label `{found}`, which the model lacks", data.display()))?;
        let mut steps = Vec::new();
        let mut on_step = |step: tern_runtime::Step<'_>| {
            let best = step.logits.best().class;
            // The runtime's probabilities are in Q16.
            steps.push((best, f64::from(step.logits.probability(best)) / 65_536.0));
        };
        session.reset();
        session.feed_with(row[text].as_bytes(), &mut on_step);
        session.finish_with(&mut on_step);
        readings.push(Reading { label, steps });
    }
    Ok(readings)
}

/// Returns the accuracy and the share of all tokens that are read, 0 to 1, if reading a text stops once at least
/// `tokens` tokens have been read and the best label has at least this `probability`. A text without tokens counts as
/// wrong.
fn stop_early(readings: &[Reading], tokens: usize, probability: f64) -> (f64, f64) {
    let (mut correct, mut read, mut all) = (0, 0, 0);
    for Reading { label, steps } in readings {
        let stop = steps.iter().enumerate().position(|(index, step)| index + 1 >= tokens && step.1 >= probability);
        let taken = stop.map_or(steps.len(), |index| index + 1);
        correct += usize::from(taken.checked_sub(1).is_some_and(|last| steps[last].0 == *label));
        read += taken;
        all += steps.len();
    }
    (correct as f64 / readings.len().max(1) as f64, read as f64 / all.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_at_the_first_probable_answer_after_the_least_number_of_tokens() {
        let readings = [
            Reading { label: 1, steps: vec![(0, 0.95), (1, 0.6), (1, 0.9), (1, 0.99)] },
            Reading { label: 0, steps: vec![(0, 0.5), (0, 0.7)] },
            Reading { label: 0, steps: Vec::new() },
        ];
        assert_eq!(stop_early(&readings, usize::MAX, 1.0), (2.0 / 3.0, 1.0));
        assert_eq!(stop_early(&readings, 1, 0.9), (1.0 / 3.0, 3.0 / 6.0));
        assert_eq!(stop_early(&readings, 2, 0.9), (2.0 / 3.0, 5.0 / 6.0));
    }
}
