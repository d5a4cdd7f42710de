//! `tern import`: makes a model directory from a PyTorch `state_dict`, the weights of a network by name, and from a
//! settings file with what the weights do not tell. [`crate::import`] converts them.

use super::table::TableArgs;
use super::{note, print};
use crate::data::{self, Columns, Example};
use crate::float_model::{FloatModel, Staged, files};
use crate::import;
use crate::model::DataFile;
use crate::paint::Paint;
use crate::tasks::{self, sequence_classification};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tern_format::Input;

/// The largest number of training texts that are kept for calibration: `tern export` runs them through the model to
/// measure the ranges of its activations.
const CALIBRATION_TEXTS: usize = 512;
/// The largest number of time steps of training sequences that are kept for calibration, unless the first sequence
/// alone has more.
const CALIBRATION_STEPS: usize = 4096;
/// The random seed by which the calibration texts are chosen.
const CALIBRATION_SEED: u64 = 1;

/// Options of `tern import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern import weights.safetensors --config spam.toml --vocab vocab.txt -o models/spam
  tern import weights.safetensors --config spam.toml --vocab tokenizer.json --data train.csv -o models/spam
  tern import weights.safetensors --config walks.toml --data walks.csv -o models/walks   # sequences of numbers

In Python: safetensors.torch.save_file(model.state_dict(), \"weights.safetensors\"). Names are free:
torch.nn.Embedding, LSTM, GRU or RNN and one or two Linear layers are recognised by name and shape.
The settings file holds `labels` and, if they differ from the defaults, `pooling` (last), `output`
(softmax or sigmoid), `pad`, `unk`, `tokenizer`, `cell`, [rename] and `ignore`; for a network that
reads numbers also [[channels]], each with `name` and, if it reads them normalised, `mean` and `std`.

A state_dict does not contain the forward pass. The import prints the one it assumes. To verify it,
let PyTorch compute the logits of some texts, without padding or with their lengths:
  save_file({\"input_ids\": ids, \"logits\": model(ids)}, \"check.safetensors\")
or `inputs` in place of `input_ids` for sequences of numbers, [sequences, steps, channels].")]
pub struct Args {
    /// The state_dict in safetensors: F32, F64, F16 or BF16
    #[arg(value_name = "WEIGHTS.safetensors")]
    pub weights: PathBuf,
    /// Settings that the weights do not contain: labels, pooling, output
    #[arg(long, value_name = "C.toml|C.json")]
    pub config: PathBuf,
    /// The tokens of a network that reads text: one per line in the order of the embedding's rows, or a word-level
    /// tokenizer.json
    #[arg(long, value_name = "VOCAB.txt|TOKENIZER.json")]
    pub vocab: Option<PathBuf>,
    /// Model directory to write; an older model there is replaced
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Training set; at most 512 texts or 4096 time steps are kept for calibration and golden examples on export
    #[arg(long, value_name = "DATA")]
    pub data: Option<PathBuf>,
    /// Validation rows; the accuracy on them is printed, and they are kept in the model directory
    #[arg(long, value_name = "DATA")]
    pub valid: Option<PathBuf>,
    /// Token ids or sequences, and the logits that PyTorch computes for them; the import fails if Tern computes others
    #[arg(long, value_name = "CHECK.safetensors")]
    pub check: Option<PathBuf>,
    /// Layout of the tables.
    #[command(flatten)]
    pub table: TableArgs,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// The options of an import of `weights` to the model directory `output`, with all others at their defaults.
    pub fn new(weights: &Path, config: &Path, vocab: Option<&Path>, output: &Path) -> Self {
        Args {
            weights: weights.to_owned(),
            config: config.to_owned(),
            vocab: vocab.map(Path::to_owned),
            output: output.to_owned(),
            data: None,
            valid: None,
            check: None,
            table: TableArgs::default(),
            json: false,
        }
    }
}

/// The result of an import: the model that was written, and the facts to print about it.
pub struct Written {
    model: FloatModel,
    /// Choices of the import that the user should know, a sentence each.
    notes: Vec<String>,
    /// The layers that were recognised, and the forward pass that the import assumes.
    recognised: import::Recognised,
    /// The number of texts or sequences whose logits were compared with those of PyTorch, and the largest difference of
    /// a logit. `None` without `--check`.
    comparison: Option<(usize, f64)>,
    /// The figures on the validation rows, as `tern eval --json` prints them; `None` without `--valid`.
    validation: Option<Value>,
}

impl Written {
    /// Returns the object that `--json` prints. `directory`: the model directory. Fails only if the configuration of
    /// the model is not valid JSON.
    pub fn json(&self, directory: &Path) -> anyhow::Result<Value> {
        let config: Value = serde_json::from_str(&self.model.config().to_json())?;
        let mut object = json!({
            "model": directory,
            "parameters": self.model.weights().count(),
            "config": config,
            "notes": self.notes,
            "forward_pass": self.recognised.pytorch(),
        });
        if let Some(validation) = &self.validation {
            object["accuracy"] = validation["accuracy"].clone();
        }
        if let Some((inputs, difference)) = self.comparison {
            object["checked_texts"] = inputs.into();
            object["largest_logit_difference"] = difference.into();
        }
        Ok(object)
    }
}

/// Converts a PyTorch `state_dict` to a model directory.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let written = write_model(args)?;
    for line in &written.notes {
        note(format_args!("note: {line}"));
    }
    if args.data.is_none() {
        note(
            "warning: without --data the model has no calibration set: `tern export` then cannot measure the ranges of",
        );
        note("activations and has no training texts for golden examples, the device's self-test; add --data TRAIN.csv");
    }
    if args.json {
        return print(written.json(&args.output)?);
    }
    describe_network(&written.model, &written.recognised)?;
    match written.comparison {
        Some((inputs, difference)) => {
            let noun = if written.model.config().input == Input::Values { "sequences" } else { "texts" };
            print(format_args!("same logits as PyTorch on {inputs} {noun} (largest difference {difference:.1e})"))?;
        }
        None => print("compare this with your forward(); --check CHECK.safetensors compares the logits")?,
    }
    if let Some(validation) = &written.validation {
        let accuracy = validation["accuracy"].as_f64().unwrap_or(0.0);
        print(format_args!("accuracy {accuracy:.4} on {} validation rows", validation["examples"]))?;
    }
    print(format_args!("wrote {}", args.output.display()))
}

/// Imports a model, compares it with the logits of `--check` if given, and writes the model directory. Fails if the
/// logits differ, or if a file cannot be read or written.
pub fn write_model(args: &Args) -> anyhow::Result<Written> {
    // The directory is written under another name, which `commit` replaces by its own when all files are complete.
    let staged = Staged::new(&args.output)?;
    let imported = import::import(&args.weights, &args.config, args.vocab.as_deref())?;
    let comparison = args.check.as_ref().map(|path| import::check(path, &imported)).transpose()?;
    let import::Imported { mut model, notes, recognised, .. } = imported;
    let columns = args.table.columns();
    if model.config().input == Input::Values {
        // The rows are copied to files here: a `FloatModel` holds and saves only texts.
        let copy = |path: &Path, name: &str, max_steps: usize| {
            sequence_classification::copy(path, &columns, &model, &staged.path().join(name), max_steps)
        };
        if let Some(path) = &args.data {
            copy(path, files::CALIBRATION, CALIBRATION_STEPS)?;
        }
        if let Some(path) = &args.valid {
            copy(path, files::VALIDATION, usize::MAX)?;
        }
    } else {
        model = with_texts(&model, args, &columns)?;
    }
    model.save(staged.path())?;
    staged.commit()?;
    let validation = match &args.valid {
        Some(path) => {
            let data = DataFile { path, columns };
            Some(tasks::handler_of(&model).evaluate(&model, &data, Paint::plain())?.json)
        }
        None => None,
    };
    Ok(Written { model, notes, recognised, comparison, validation })
}

/// Returns a copy of `model` with the calibration texts of `--data` and the validation texts of `--valid`; none of a
/// kind whose option is not given.
fn with_texts(model: &FloatModel, args: &Args, columns: &Columns) -> anyhow::Result<FloatModel> {
    let read = |path: &Option<PathBuf>| -> anyhow::Result<Vec<Example>> {
        let Some(path) = path else { return Ok(Vec::new()) };
        Ok(data::labels_to_indices(data::read(path, columns)?, model.labels(), path)?)
    };
    let training = read(&args.data)?;
    let calibration = data::sample(&training, model.labels().len(), CALIBRATION_TEXTS, CALIBRATION_SEED);
    let validation = read(&args.valid)?;
    let (config, vocabulary, weights) = (model.config().clone(), model.vocabulary().clone(), model.weights().clone());
    Ok(FloatModel::new(config, vocabulary, weights, calibration, validation)?)
}

/// Prints the sizes of the network and the forward pass that the import assumed.
fn describe_network(model: &FloatModel, recognised: &import::Recognised) -> anyhow::Result<()> {
    let (config, parameters) = (model.config(), model.weights().count());
    let (labels, recurrent) = (config.labels.len(), config.recurrent().describe(config.hidden_size));
    let input = match config.input {
        Input::Tokens => format!("{} tokens, embedding {}", config.vocab_size, config.embedding_dim),
        Input::Values => format!("channels {}", config.channel_names().join(", ")),
    };
    print(format_args!("{input}, {recurrent}, {labels} labels, {parameters} parameters"))?;
    print(format_args!("assumed forward pass: {}", recognised.describe()))?;
    recognised.pytorch().iter().try_for_each(|line| print(format_args!("    {line}")))
}
