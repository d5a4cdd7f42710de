//! `tern import`: makes a model directory from a PyTorch `state_dict`.

use super::table::TableArgs;
use super::{Failure, note, print};
use crate::data::{self, Example};
use crate::float_model::{FloatModel, Staged};
use crate::import;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Largest number of rows that are stored for calibration.
const CALIBRATION_ROWS: usize = 512;

/// Options of `tern import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern import weights.safetensors --config spam.toml --vocab vocab.txt -o models/spam
  tern import weights.safetensors --config spam.toml --vocab tokenizer.json --data train.csv -o models/spam

In Python: safetensors.torch.save_file(model.state_dict(), \"weights.safetensors\"). The names may be
any: torch.nn.Embedding, LSTM, GRU or RNN and one or two Linear layers are known by name and shape.
The configuration holds `labels`, and where they differ from the defaults `pooling` (last), `output`
(softmax or sigmoid), `pad`, `unk`, `cell`, [rename] and `ignore`.")]
pub struct Args {
    /// The state_dict in safetensors: F32, F64, F16 or BF16
    #[arg(value_name = "WEIGHTS.safetensors")]
    pub weights: PathBuf,
    /// The settings that are not in the weights: labels, pooling, output
    #[arg(long, value_name = "C.toml|C.json")]
    pub config: PathBuf,
    /// The tokens: one per line in the order of the embedding's rows, or a word-level tokenizer.json
    #[arg(long, value_name = "VOCAB.txt|TOKENIZER.json")]
    pub vocab: PathBuf,
    /// Directory for the model; an older model there is replaced
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Labelled training texts, of which some are stored for calibration by `tern export`
    #[arg(long, value_name = "DATA")]
    pub data: Option<PathBuf>,
    /// Labelled validation texts, which are stored to measure the accuracy
    #[arg(long, value_name = "DATA")]
    pub valid: Option<PathBuf>,
    /// Layout of the tables.
    #[command(flatten)]
    pub table: TableArgs,
    /// Print what was imported as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Makes a model directory from a PyTorch `state_dict`.
///
/// # Errors
///
/// If a file cannot be read or written, or its content is not a model.
pub fn run(args: &Args) -> Result<(), Failure> {
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    let staged = Staged::new(&args.output)?;
    let import::Imported { model, notes } = import::import(&args.weights, &args.config, &args.vocab)?;
    let rows = |path: &Option<PathBuf>| path.as_deref().map_or(Ok(Vec::new()), |path| read(path, args, &model));
    let calibration = data::sample(&rows(&args.data)?, model.labels().len(), CALIBRATION_ROWS, 1);
    let validation = rows(&args.valid)?;
    let weights = model.weights().clone();
    let model = FloatModel::new(model.config().clone(), model.vocabulary().clone(), weights, calibration, validation)?;
    model.save(staged.path())?;
    staged.commit()?;
    for line in &notes {
        note(format_args!("note: {line}"));
    }
    let config = model.config();
    let parameters = model.weights().count();
    if args.json {
        let config: serde_json::Value = serde_json::from_str(&config.to_json())?;
        return print(json!({ "model": args.output, "parameters": parameters, "config": config, "notes": notes }));
    }
    print(format_args!(
        "{} tokens, embedding {}, {}, {} labels, {parameters} parameters",
        config.vocab_size,
        config.embedding_dim,
        config.recurrent().describe(config.hidden_size),
        config.labels.len(),
    ))?;
    print(format_args!("wrote {}", args.output.display()))
}

fn read(path: &Path, args: &Args, model: &FloatModel) -> anyhow::Result<Vec<Example>> {
    let rows = data::read(path, &args.table.columns())?;
    Ok(data::number(rows, model.labels(), &path.display().to_string())?)
}
