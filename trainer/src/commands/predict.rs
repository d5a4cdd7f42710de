//! `tern predict`

use super::{Failure, note, print, tasks, visible};
use crate::classifier::{self, Classifier, Logits};
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, stdin};
use std::path::PathBuf;

/// Options of `tern predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern predict models/spam \"free prize, call now\"
  tern predict models/spam --trace \"free prize, call now\"
  cut -f2 messages.tsv | tern predict models/spam --json
  tern predict models/novel --top 3 \"it was a\"      # what comes next
  tern predict models/passengers passengers.csv      # the next rows of the series
  tern predict spam.safetensors \"free prize\"         # in integers, as the device")]
pub struct Args {
    /// Model directory (floats) or device file (integers)
    #[arg(value_name = "DIR|FILE")]
    pub model: PathBuf,
    /// Texts; without any, each line of stdin is one. Of a model that reads numbers: tables
    #[arg(value_name = "TEXT")]
    pub texts: Vec<String>,
    /// Show each token, and what the model would say if the text ended there
    #[arg(long)]
    pub trace: bool,
    /// How many next tokens a language model shows
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub top: usize,
    /// Print one JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
}

/// Prints the label of each text.
///
/// # Errors
///
/// Where the model or stdin cannot be read.
pub fn run(args: &Args) -> Result<(), Failure> {
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    if let Some(model) = tasks::open(&args.model)? {
        return tasks::predict(model.as_ref(), args);
    }
    let model = classifier::open(&args.model)?;
    if !args.texts.is_empty() {
        return args.texts.iter().try_for_each(|text| predict(model.as_ref(), text, args));
    }
    each_line(|text| predict(model.as_ref(), text, args))
}

/// Calls `sink` with each line of stdin.
pub(super) fn each_line(mut sink: impl FnMut(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if stdin().is_terminal() {
        note("a text on each line, end with Ctrl-D");
    }
    let mut line = Vec::new();
    let mut input = stdin().lock();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        sink(&String::from_utf8_lossy(text))?;
        line.clear();
    }
    Ok(())
}

fn predict(model: &dyn Classifier, text: &str, args: &Args) -> anyhow::Result<()> {
    let prediction = model.classify(text);
    let (label, probability) = best(model, &prediction.logits);
    // As the device: a text with no known token has no label.
    let known = prediction.tokens > prediction.unknown;
    if args.json {
        let mut object = json!({
            "label": known.then_some(label),
            "probability": known.then_some(probability),
            "logits": prediction.logits.to_json(),
            "tokens": prediction.tokens,
            "unknown": prediction.unknown,
        });
        if args.trace {
            object["trace"] = trace_json(model, text);
        }
        return print(object);
    }
    if known {
        print(format_args!("{} {:.1}%\t{text}", visible(label), 100.0 * probability))?;
    } else {
        print(format_args!("unknown input\t{text}"))?;
    }
    if args.trace {
        trace_text(model, text)?;
    }
    Ok(())
}

/// The most probable label, and its probability.
fn best<'a>(model: &'a dyn Classifier, logits: &Logits) -> (&'a str, f64) {
    let label = logits.label();
    (&model.labels()[label], logits.log_probabilities()[label].exp())
}

fn trace_json(model: &dyn Classifier, text: &str) -> Value {
    model
        .trace(text)
        .iter()
        .map(|step| {
            let (label, probability) = best(model, &step.logits);
            json!({ "token": step.token, "known": step.known, "label": label, "probability": probability })
        })
        .collect()
}

fn trace_text(model: &dyn Classifier, text: &str) -> anyhow::Result<()> {
    let steps = model.trace(text);
    let width = steps.iter().map(|step| step.token.chars().count()).max().unwrap_or(0);
    for step in &steps {
        let (label, probability) = best(model, &step.logits);
        let unknown = if step.known { "" } else { "  (unknown)" };
        print(format_args!("  {:width$}  {} {:.1}%{unknown}", step.token, visible(label), 100.0 * probability))?;
    }
    Ok(())
}
