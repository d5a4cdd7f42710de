//! `tern import`: makes a model directory from a PyTorch `state_dict`.

use super::table::TableArgs;
use super::{note, print};
use crate::data::{self, Example};
use crate::float_model::{FloatModel, Staged};
use crate::import;
use crate::metrics::argmax;
use rayon::prelude::*;
use serde_json::json;
use std::path::PathBuf;

/// The largest number of training rows that are kept for calibration.
const CALIBRATION_ROWS: usize = 512;
/// The random seed of the choice of these rows.
const CALIBRATION_SEED: u64 = 1;

/// Options of `tern import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern import weights.safetensors --config spam.toml --vocab vocab.txt -o models/spam
  tern import weights.safetensors --config spam.toml --vocab tokenizer.json --data train.csv -o models/spam

In Python: safetensors.torch.save_file(model.state_dict(), \"weights.safetensors\"). Names are free:
torch.nn.Embedding, LSTM, GRU or RNN and one or two Linear layers are recognised by name and shape.
The settings file holds `labels` and, if they differ from the defaults, `pooling` (last), `output`
(softmax or sigmoid), `pad`, `unk`, `tokenizer`, `cell`, [rename] and `ignore`.

A state_dict does not contain the forward pass. The import prints the one it assumes. To verify it,
let PyTorch compute the logits of some texts, without padding or with their lengths:
  save_file({\"input_ids\": ids, \"logits\": model(ids)}, \"check.safetensors\")")]
pub struct Args {
    /// The state_dict in safetensors: F32, F64, F16 or BF16
    #[arg(value_name = "WEIGHTS.safetensors")]
    pub weights: PathBuf,
    /// Settings that the weights do not contain: labels, pooling, output
    #[arg(long, value_name = "C.toml|C.json")]
    pub config: PathBuf,
    /// The tokens: one per line in the order of the embedding's rows, or a word-level tokenizer.json
    #[arg(long, value_name = "VOCAB.txt|TOKENIZER.json")]
    pub vocab: PathBuf,
    /// Model directory to write; an older model there is replaced
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Training set; at most 512 rows are kept for calibration and golden examples on export
    #[arg(long, value_name = "DATA")]
    pub data: Option<PathBuf>,
    /// Validation rows; the accuracy on them is printed, and they are kept in the model directory
    #[arg(long, value_name = "DATA")]
    pub valid: Option<PathBuf>,
    /// Token ids and the logits that PyTorch computes for them; the import fails if Tern computes others
    #[arg(long, value_name = "CHECK.safetensors")]
    pub check: Option<PathBuf>,
    #[command(flatten)]
    pub table: TableArgs,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Converts a PyTorch `state_dict` to a model directory.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let staged = Staged::new(&args.output)?;
    let imported = import::import(&args.weights, &args.config, &args.vocab)?;
    let checked = args.check.as_ref().map(|path| import::check(path, &imported)).transpose()?;
    let import::Imported { model, notes, recognised, .. } = imported;
    let read = |path: &Option<PathBuf>| -> anyhow::Result<Vec<Example>> {
        let Some(path) = path else { return Ok(Vec::new()) };
        Ok(data::index_labels(data::read(path, &args.table.columns())?, model.labels(), path)?)
    };
    let calibration = data::sample(&read(&args.data)?, model.labels().len(), CALIBRATION_ROWS, CALIBRATION_SEED);
    let validation = read(&args.valid)?;
    let weights = model.weights().clone();
    let model = FloatModel::new(model.config().clone(), model.vocabulary().clone(), weights, calibration, validation)?;
    model.save(staged.path())?;
    staged.commit()?;
    for line in &notes {
        note(format_args!("note: {line}"));
    }
    if args.data.is_none() {
        note(
            "warning: without --data the model has no calibration set: `tern export` then cannot measure the ranges of",
        );
        note("activations and has no training texts for golden examples, the device's self-test; add --data TRAIN.csv");
    }
    let correct = model.validation().par_iter().filter(|row| argmax(&model.logits(&row.text)) == row.label).count();
    let accuracy = (!model.validation().is_empty()).then(|| correct as f64 / model.validation().len() as f64);
    let parameters = model.weights().count();
    if args.json {
        let config: serde_json::Value = serde_json::from_str(&model.config().to_json())?;
        let mut object = json!({
            "model": args.output,
            "parameters": parameters,
            "config": config,
            "notes": notes,
            "forward_pass": recognised.pytorch(),
        });
        if let Some(accuracy) = accuracy {
            object["accuracy"] = accuracy.into();
        }
        if let Some((texts, difference)) = checked {
            object["checked_texts"] = texts.into();
            object["largest_logit_difference"] = difference.into();
        }
        return print(object);
    }
    describe_network(&model, &recognised, parameters)?;
    match checked {
        Some((texts, difference)) => {
            print(format_args!("same logits as PyTorch on {texts} texts (largest difference {difference:.1e})"))?;
        }
        None => print("compare this with your forward(); --check CHECK.safetensors compares the logits")?,
    }
    if let Some(accuracy) = accuracy {
        print(format_args!("accuracy {accuracy:.4} on {} validation rows", model.validation().len()))?;
    }
    print(format_args!("wrote {}", args.output.display()))
}

/// Prints the sizes of the network and the forward pass that the import assumed.
fn describe_network(model: &FloatModel, recognised: &import::Recognised, parameters: usize) -> anyhow::Result<()> {
    let config = model.config();
    let (tokens, embedding_dim, labels) = (config.vocab_size, config.embedding_dim, config.labels.len());
    let recurrent = config.recurrent().describe(config.hidden_size);
    print(format_args!(
        "{tokens} tokens, embedding {embedding_dim}, {recurrent}, {labels} labels, {parameters} parameters"
    ))?;
    print(format_args!("assumed forward pass: {}", recognised.describe()))?;
    recognised.pytorch().iter().try_for_each(|line| print(format_args!("    {line}")))
}
