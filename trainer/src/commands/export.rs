//! `tern export`

use super::table::TableArgs;
use super::{Failure, note, print};
use crate::data;
use crate::export::{Report, check_output, export, write_file};
use crate::float_model::FloatModel;
use crate::packing;
use crate::report;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// Golden texts that one may name: more would keep a device busy for too long.
const GOLDEN_LINES: usize = 64;

/// Options of `tern export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern export models/spam -o spam.safetensors
  tern export models/spam -o spam.safetensors --data test.csv --json
  tern export models/spam -o spam.safetensors --golden sentences.txt

The file carries short texts with their exact logits, by which a device tests itself. Without
--golden they are training texts.")]
pub struct Args {
    /// Model directory
    #[arg(value_name = "DIR")]
    pub model: PathBuf,
    /// Device file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Table of labelled texts by which float and integers are compared [default: DIR/validation.csv]
    #[arg(long, value_name = "DATA.csv")]
    pub data: Option<PathBuf>,
    /// Layout of the table.
    #[command(flatten)]
    pub table: TableArgs,
    /// Texts for the device's own test, one a line, at most 64
    #[arg(long, value_name = "FILE")]
    pub golden: Option<PathBuf>,
    /// How the recurrent weights lie, for whose instructions; results are the same [default: paired16 where it fits]
    #[arg(long, value_name = "PACKING", value_enum)]
    pub packing: Option<packing::Choice>,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Quantises a model directory to a device file.
///
/// # Errors
///
/// Where the model or a table cannot be read, the weights do not fit the format, or the file cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    check_output(&args.output)?;
    let model = FloatModel::load(&args.model)?;
    let examples = match &args.data {
        Some(path) => {
            let rows = data::read(path, &args.table.columns())?;
            data::number(rows, model.labels(), &path.display().to_string())?
        }
        None => model.validation().to_vec(),
    };
    let golden = args.golden.as_deref().map_or(Ok(vec![]), golden_texts)?;
    let name = args.model.display();
    let packing = packing::choose(args.packing, model.config())?;
    let (device, report) = export(&model, &examples, &golden, packing).with_context(|| name.to_string())?;
    write_file(&args.output, device.bytes()).with_context(|| args.output.display().to_string())?;
    // What the file is for is done: that the report cannot be written is no reason to fail.
    match report::add_export(&args.model, &model, &serde_json::to_value(&report)?) {
        Ok(true) => {}
        Ok(false) => note(format_args!("note: {name}/README.md was changed by hand: left as it is")),
        Err(error) => note(format_args!("warning: the report was not renewed: {error:#}")),
    }
    if args.json {
        return print(serde_json::to_string(&report)?);
    }
    to_text(&report, &args.output).iter().try_for_each(print)?;
    let of_training = if args.golden.is_none() { " of the training data; --golden FILE takes others" } else { "" };
    print(format_args!(
        "golden texts     {}{of_training}: the file carries them for the device's own test",
        report.golden_texts
    ))
}

fn golden_texts(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if lines.is_empty() {
        bail!("{}: no text in it, expected one a line", path.display());
    }
    if lines.len() > GOLDEN_LINES {
        bail!(
            "{}: {} texts, expected {GOLDEN_LINES} at most: a device runs them all to test itself",
            path.display(),
            lines.len()
        );
    }
    Ok(lines)
}

fn to_text(report: &Report, output: &Path) -> Vec<String> {
    let parts = &report.parts;
    let share = |bytes: usize| 100.0 * bytes as f64 / report.file_bytes as f64;
    let mut lines = vec![];
    match (report.float_accuracy, report.integer_accuracy) {
        (Some(float), Some(integer)) => lines.extend([
            format!("accuracy         float {float:.4}, integer {integer:.4} on {} held-out texts", report.examples),
            format!(
                "disagreements    {} of {}, the largest difference of a logit {:.4}",
                report.disagreements, report.examples, report.largest_logit_difference
            ),
        ]),
        _ => lines.push("accuracy         not measured: no validation.csv here; name a table with --data".to_owned()),
    }
    lines.push(format!(
        "calibration      {} texts, {} tokens; largest pre-activation {:.2} (tables reach 8 and 4), cell state {:.2} (of 2048)",
        report.calibration_texts, report.calibration_tokens, report.largest_pre_activation, report.largest_cell_state
    ));
    lines.push(format!("file             {} bytes: {}", report.file_bytes, output.display()));
    for (name, bytes) in [
        ("weights", parts.weights),
        ("embedding", parts.embedding),
        ("vocabulary", parts.vocabulary),
        ("labels", parts.labels),
        ("golden texts", parts.golden),
        ("header", parts.header),
        ("other", parts.other),
    ] {
        lines.push(format!("  {name:14} {bytes:>9} bytes {:>5.1} %", share(bytes)));
    }
    lines.push(match report.packing {
        "paired16" => {
            "packing          paired16: for Cortex-M4 and M7; for other cores --packing interleaved4 is faster"
                .to_owned()
        }
        other => format!("packing          {other}: for cores without DSP instructions"),
    });
    lines.push(format!("RAM              {} bytes of scratch", report.scratch_bytes));
    lines.push(format!("cost             {} multiply-accumulates a token", report.macs_per_token));
    lines
}
