//! `tern export`: quantises a model directory to a device file, and prints what the quantisation changes.

use super::table::TableArgs;
use super::{Failure, note, print, quantities};
use crate::export::{
    ExportData, Options, PartCost, Report, c_array, check_c_output, check_golden, check_output, export,
};
use crate::float_model::{FloatModel, Refusal, files};
use crate::packing;
use crate::quantize;
use crate::recipe::{Bits, Export, Recipe, StoredTokens, Widths};
use crate::report;
use crate::tasks;
use crate::write_file::write_file;
use anyhow::{Context, bail};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tern_format::{Input, Packing};

/// The largest number of texts in `--golden`. More would make the device's self-test too slow.
const MAX_GOLDEN_TEXTS: usize = 64;

/// The shortest time between two messages about the stage of a slow export, and before the first one.
const NOTE_INTERVAL: Duration = Duration::from_millis(1_500);

/// The width of the first column of the printed report, in characters.
const NAME_COLUMN: usize = 17;

/// Options of `tern export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern export models/spam -o spam.safetensors
  tern export models/spam -o spam.safetensors --data test.csv --json
  tern export models/spam -o spam.safetensors --golden sentences.txt
  tern export models/spam -o spam.safetensors --fold 32KB
  tern export models/spam -o spam.safetensors --embedding-bits 4
  tern export models/spam -o spam.safetensors --recurrent-bits 16
  tern export models/spam -o spam.safetensors --c-array spam.h
  tern export models/intents -o intents.safetensors --refuse-share 0.05 --refuse-label oos

The file contains golden examples: short texts with their exact logits, for the self-test of the
device. Without --golden they are training texts.")]
pub struct Args {
    /// Model directory
    #[arg(value_name = "DIR")]
    pub model: PathBuf,
    /// Device file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Data on which floats and integers are compared [default: the validation split in DIR, or the calibration rows of
    /// a cross-validated model]
    #[arg(long, value_name = "DATA.csv")]
    pub data: Option<PathBuf>,
    /// Layout of the tables.
    #[command(flatten)]
    pub table: TableArgs,
    /// Texts for the golden examples, one per line, at most 64
    #[arg(long, value_name = "FILE")]
    pub golden: Option<PathBuf>,
    /// Memory layout of the recurrent weights; results are the same [default: paired16 if possible]
    #[arg(long, value_name = "PACKING", value_parser = packing::value_parser())]
    pub packing: Option<Packing>,
    /// Bits of the embedding: 4, 8 or 16 [default: the recipe's, else 8]
    #[arg(long, value_name = "BITS", value_parser = bits)]
    pub embedding_bits: Option<Bits>,
    /// Bits of the recurrent weights: 4, 8 or 16; 4 and 16 need the packing `rows` [default: the recipe's, else 8]
    #[arg(long, value_name = "BITS", value_parser = bits)]
    pub recurrent_bits: Option<Bits>,
    /// Store fingerprints of a classifier's tokens in place of their texts: about a quarter of the bytes
    #[arg(long)]
    pub token_fingerprints: bool,
    /// Bytes for folded tokens, whose input projection is precomputed: 32KB, 1MB, 4096. Faster, with the same results
    #[arg(long, value_name = "SIZE", value_parser = quantities::size)]
    pub fold: Option<usize>,
    /// Largest share of the validation rows in DIR that the device file refuses to answer; 0: it always answers
    /// [default: the recipe's]
    #[arg(long, value_name = "X")]
    pub refuse_share: Option<f64>,
    /// Label whose prediction is a refusal; the validation rows with it do not count for --refuse-share
    #[arg(long, value_name = "LABEL", requires = "refuse_share")]
    pub refuse_label: Option<String>,
    /// Also write the device file as an array in a C header, for firmware in C
    #[arg(long, value_name = "FILE.h")]
    pub c_array: Option<PathBuf>,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// The options of an export of the model directory `model` to the device file `output`, with all defaults.
    pub fn new(model: &Path, output: &Path) -> Self {
        Args {
            model: model.to_owned(),
            output: output.to_owned(),
            data: None,
            table: TableArgs::default(),
            golden: None,
            packing: None,
            embedding_bits: None,
            recurrent_bits: None,
            token_fingerprints: false,
            fold: None,
            refuse_share: None,
            refuse_label: None,
            c_array: None,
            json: false,
        }
    }
}

/// Quantises a model directory to a device file.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let report = write_device_file(args)?;
    if args.json {
        return print(serde_json::to_string(&report)?);
    }
    to_text(&report, &args.output).iter().try_for_each(print)?;
    gate_and_part_tables(&report).iter().try_for_each(print)?;
    let source = if args.golden.is_none() { " from the training data" } else { "" };
    print(format_args!("golden examples  {}{source}, for the self-test of the device", report.golden_texts))?;
    note(next_commands(&args.output));
    Ok(())
}

/// Quantises a model directory, writes the device file and `--c-array`, and adds the figures to the report in the
/// directory. Fails if the options do not suit the model, or a file cannot be read or written; a report that cannot be
/// updated is only a warning.
pub fn write_device_file(args: &Args) -> anyhow::Result<Report> {
    check_output(&args.output)?;
    if let Some(path) = &args.c_array {
        check_c_output(path)?;
    }
    let model = FloatModel::load(&args.model)?;
    // Differs from `model`, which the report describes, only by its refusal rule.
    let exported = with_refusal(&model, args)?;
    let data = ExportData::of(&exported, &args.model, args.data.as_deref(), &args.table.columns())?;
    let shown = args.model.display();
    let reads_numbers = model.config().input == Input::Values;
    let golden = match &args.golden {
        Some(path) if reads_numbers => {
            bail!("{}: --golden is for models that read text; {shown} reads numbers", path.display())
        }
        Some(path) => golden_texts(path)?,
        None => vec![],
    };
    if args.fold.is_some() && reads_numbers {
        bail!("{shown}: reads numbers, and --fold is for tokens; leave it out");
    }
    check_golden(&model, &golden)?;
    let options = options_for(&model, args)?;
    // The time of the start, then of the last message.
    let last_note = Cell::new(Instant::now());
    let on_stage = |stage: &str| {
        if last_note.get().elapsed() > NOTE_INTERVAL {
            note(stage);
            last_note.set(Instant::now());
        }
    };
    let (device, report) = export(&exported, &data, &golden, options, &on_stage).with_context(|| shown.to_string())?;
    write_file(&args.output, device.bytes()).with_context(|| args.output.display().to_string())?;
    if let Some(path) = &args.c_array {
        let header = c_array(path, device.bytes(), device.scratch_bytes());
        write_file(path, header.as_bytes()).with_context(|| path.display().to_string())?;
    }
    // The device file is already written, so a failure to update the report is only a warning.
    match add_to_report(&report, &model, &args.model) {
        Ok(true) => {}
        Ok(false) => note(format_args!("note: {shown}/README.md was changed by hand and is kept")),
        Err(error) => note(format_args!("warning: the report was not updated: {error:#}")),
    }
    Ok(report)
}

/// Adds the figures of the export to the report in the model directory `directory`. Returns false if its `README.md`
/// was changed by hand and is kept.
fn add_to_report(report: &Report, model: &FloatModel, directory: &Path) -> anyhow::Result<bool> {
    let validation = tasks::handler_of(model).validate(model, directory)?;
    report::add_export(directory, model, validation, &serde_json::to_value(report)?)
}

/// Returns the settings of the export: those of the options, else the recipe's, else the defaults. Fails if they do not
/// suit the model.
fn options_for(model: &FloatModel, args: &Args) -> anyhow::Result<Options> {
    let recipe = export_of_recipe(&args.model)?;
    let recipe_widths = recipe.widths();
    let widths = Widths {
        embedding: args.embedding_bits.unwrap_or(recipe_widths.embedding),
        recurrent: args.recurrent_bits.unwrap_or(recipe_widths.recurrent),
    };
    let mut checked = quantize::check_widths(widths, model.config());
    // The recipe's key has no effect where the model does not allow it; the option is refused there.
    let mut stored_tokens = quantize::allowed_tokens(recipe.stored_tokens(), model);
    if args.token_fingerprints {
        stored_tokens = StoredTokens::Fingerprints;
        checked = checked.and_then(|()| quantize::check_token_fingerprints(model));
    }
    checked.map_err(anyhow::Error::msg).with_context(|| args.model.display().to_string())?;
    let packing = packing::choose(args.packing, model.config(), widths.recurrent)?;
    Ok(Options { packing, widths, fold: args.fold.unwrap_or(0), stored_tokens })
}

/// Returns the model with the refusal rule of the options `--refuse-…`, which says for which inputs it answers that
/// none of its labels fits. `--refuse-share 0` removes the model's rule; without these options the model keeps it. The
/// probability threshold in the rule, `below`, is a placeholder: `export` chooses it from the predictions of the device
/// file. Fails if the options do not suit the model, or it has no validation rows.
fn with_refusal(model: &FloatModel, args: &Args) -> anyhow::Result<FloatModel> {
    let mut model = model.clone();
    let Some(share) = args.refuse_share else { return Ok(model) };
    let dir = args.model.display();
    if !(0.0..=0.9).contains(&share) {
        bail!(Failure::Usage(format!("--refuse-share is {share}, expected 0 to 0.9")));
    }
    if model.labels().is_empty() {
        bail!("{dir}: --refuse-share is for classifiers; leave it out");
    }
    if !args.model.join(files::VALIDATION).is_file() {
        bail!("{dir}: no {} to choose the probability on; train with --refuse-share", files::VALIDATION);
    }
    if let Some(label) = &args.refuse_label
        && !model.labels().contains(label)
    {
        bail!("{dir}: --refuse-label is {label:?}, expected one of its labels");
    }
    let refusal = Refusal { share, below: 1, label: args.refuse_label.clone() };
    model.set_refusal(if share > 0.0 { Some(refusal) } else { None });
    Ok(model)
}

/// Returns the note that suggests commands for the written device file, one on each line.
fn next_commands(output: &Path) -> String {
    format!("next: tern console {0}\n      tern push {0} --port PORT", output.display())
}

/// Parses a number of bits of a weight.
fn bits(text: &str) -> Result<Bits, String> {
    text.parse().ok().and_then(Bits::of).ok_or_else(|| "expected 4, 8 or 16".to_owned())
}

/// Returns `[export]` of the recipe in a model directory; the defaults if there is no recipe, as after `tern import`.
fn export_of_recipe(model: &Path) -> anyhow::Result<Export> {
    let path = model.join(files::RECIPE);
    if !path.exists() {
        return Ok(Export::default());
    }
    let recipe = Recipe::read(&path)?;
    recipe.check().with_context(|| path.display().to_string())?;
    Ok(recipe.export)
}

/// Reads the texts for the golden examples, one per line; blank lines are skipped. Fails if there is none, or more than
/// [`MAX_GOLDEN_TEXTS`].
fn golden_texts(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if lines.is_empty() {
        bail!("{}: the file has no text, expected one per line", path.display());
    }
    if lines.len() > MAX_GOLDEN_TEXTS {
        bail!(
            "{}: {} texts, expected {MAX_GOLDEN_TEXTS} at most: the self-test of a device runs all of them",
            path.display(),
            lines.len()
        );
    }
    Ok(lines)
}

/// Formats the report for a person, without the tables of gates and parts.
fn to_text(report: &Report, output: &Path) -> Vec<String> {
    let Report { parts, file_bytes, largest_pre_activation, largest_cell_state, .. } = report;
    let (texts, steps) = (report.calibration_texts, report.calibration_tokens);
    let mut lines = comparison_lines(report);
    lines.push(format!("calibration      {texts} texts or sequences, {steps} steps"));
    lines.push(format!(
        "largest values   pre-activation {largest_pre_activation:.2} (tables end at 8, tanh 4), cell state {largest_cell_state:.2}"
    ));
    lines.push(format!("file             {file_bytes} bytes: {}", output.display()));
    for (name, bytes) in [
        ("weights", parts.weights),
        ("embedding", parts.embedding),
        ("n-gram table", parts.ngrams),
        ("folded tokens", parts.folded),
        ("vocabulary", parts.vocabulary),
        ("labels", parts.labels),
        ("golden examples", parts.golden),
        ("header", parts.header),
        ("other", parts.other),
    ] {
        let percent = 100.0 * bytes as f64 / *file_bytes as f64;
        lines.push(format!("  {name:15} {bytes:>9} bytes {percent:>5.1} %"));
    }
    lines.push(match report.packing {
        // Without recurrent layers there are no weights to pack.
        _ if report.macs_per_token == 0 => "packing          none: for any core".to_owned(),
        "rows" => "packing          rows: the only one for weights of 4 or 16 bits".to_owned(),
        "paired16" => "packing          paired16, for Cortex-M4, M7, M33 (else --packing interleaved4)".to_owned(),
        other => format!("packing          {other}: for cores without DSP instructions"),
    });
    lines.push(format!("RAM              {} bytes of scratch", report.scratch_bytes));
    if let Some(folding) = &report.folding {
        let (tokens, bytes) = (folding.folded_tokens, folding.folded_bytes);
        lines.push(format!("folded           {tokens} tokens in {bytes} bytes"));
        if let Some(share) = folding.folded_share {
            let (percent, saved_macs) = (100.0 * share, folding.macs_saved_per_token.unwrap_or(0.0));
            lines.push(format!(
                "                 {percent:.1} % of the validation tokens; \
                 saves {saved_macs:.0} multiply-accumulates a token"
            ));
        }
    }
    lines.push(format!("cost             {} multiply-accumulates a token", report.macs_per_token));
    lines
}

/// Formats the figures of the float model beside those of the device file.
fn comparison_lines(report: &Report) -> Vec<String> {
    let figures = &report.figures;
    if figures.examples == 0 {
        return vec!["accuracy         not measured: no validation split here; name data with --data".to_owned()];
    }
    let mut lines = Vec::new();
    // Adds a line with a figure of both models, if both have it: the task decides which figures there are.
    let mut add_figure = |name: &str, float: Option<f64>, integer: Option<f64>, suffix: &str| {
        if let (Some(float), Some(integer)) = (float, integer) {
            lines.push(format!("{name:16} float {float:.4}, integer {integer:.4}{suffix}"));
        }
    };
    let unit = match report.task {
        "language-model" => "tokens",
        "forecast" => "windows",
        _ => "rows",
    };
    let split = if report.on_training_rows { "training" } else { "validation" };
    let rows = format!(" on {} {split} {unit}", figures.examples);
    add_figure("accuracy", figures.float_accuracy, figures.integer_accuracy, &rows);
    add_figure("loss", figures.float_loss, figures.integer_loss, " nats a token");
    add_figure("perplexity", figures.float_perplexity, figures.integer_perplexity, "");
    add_figure("bits / character", figures.float_bits_per_character, figures.integer_bits_per_character, "");
    let naive = figures.naive_rmse.map_or(String::new(), |naive| format!("{rows}; last number repeated {naive:.4}"));
    add_figure("RMSE", figures.float_rmse, figures.integer_rmse, &naive);
    if report.on_training_rows {
        lines.push("                 the model was trained on these rows; name others with --data".to_owned());
    }
    if let (Some(disagreements), Some(largest)) = (figures.disagreements, figures.largest_logit_difference) {
        let examples = figures.examples;
        lines.push(format!(
            "disagreements    {disagreements} of {examples}, largest difference of a logit {largest:.4}"
        ));
    }
    lines.extend(report.refusal.iter().flat_map(|refusal| refusal.lines(NAME_COLUMN)));
    lines
}

/// Formats two tables: the pre-activations of each gate, and the change of accuracy, predictions and loss for each part
/// of the network if this part alone is quantised and the others stay floats.
fn gate_and_part_tables(report: &Report) -> Vec<String> {
    let mut lines = vec!["\ngate                  pre-activations saturated signal to noise".to_owned()];
    for gate in &report.gates {
        let name = format!("{} {}", gate.layer, gate.gate);
        let (smallest, largest, saturated) = (gate.smallest, gate.largest, 100.0 * gate.saturation);
        let snr = gate.snr_db.map_or("no noise".to_owned(), |snr| format!("{snr:.1} dB"));
        lines.push(format!("{name:18} {smallest:>8.2} … {largest:>7.2} {saturated:>7.2} % {snr:>15}"));
    }
    let Some(weakest) = report.weakest() else { return lines };
    let title = format!("quantised alone, {} answers", weakest.costs.answers);
    lines.push(format!("\n{title:32} bits accuracy disagreeing       loss difference"));
    lines.extend(report.quantised_alone.iter().map(part_row));
    if let Some(lost) = weakest.costs.accuracy_cost.filter(|lost| *lost > 0.0) {
        let (part, points) = (&weakest.part, 100.0 * lost);
        lines.push(format!("accuracy is lost by {part} more than by any other part: {points:.2} points"));
    }
    lines.push(String::new());
    lines
}

/// Formats a row of the second table of [`gate_and_part_tables`].
fn part_row(PartCost { part, bits, costs }: &PartCost) -> String {
    // The change is the negative cost, computed as `0.0 - cost`, since `-cost` would print a cost of zero as -0.
    let accuracy = costs.accuracy_cost.map_or("–".to_owned(), |cost| format!("{:+.4}", 0.0 - cost));
    let disagreeing = costs.disagreements.map_or("–".to_owned(), |count| count.to_string());
    let (loss, difference) = (costs.loss_cost, costs.rms_difference);
    format!("  {part:30} {bits:>4} {accuracy:>8} {disagreeing:>11} {loss:>+10.6} {difference:>10.6}")
}

#[cfg(test)]
mod tests {
    use super::next_commands;

    #[test]
    fn the_next_commands_fit_a_terminal() {
        let path = "models/household-power/household-power.safetensors";
        let lines = next_commands(path.as_ref());
        assert_eq!(lines.matches(path).count(), 2, "{lines}");
        assert!(lines.lines().all(|line| line.chars().count() <= 80), "{lines}");
    }
}
