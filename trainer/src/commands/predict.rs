//! `tern predict`: prints a model's predictions for texts or tables.

use super::table::LayoutArgs;
use super::{Failure, note, open_model, print_output};
use crate::data::Layout;
use crate::tasks::{self, PredictOptions};
use anyhow::bail;
use std::io::{BufRead, IsTerminal, stdin};
use std::path::PathBuf;
use tern_format::Input;

/// Options of `tern predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern predict models/spam \"free prize, call now\"
  tern predict models/spam --trace \"free prize, call now\"
  cut -f2 messages.tsv | tern predict models/spam --json
  tern predict models/novel --top 3 \"it was a\"      # the next token
  tern predict models/passengers passengers.csv      # the next rows of the series
  tern predict models/walks walks.txt --delimiter tab
  tern predict spam.safetensors \"free prize\"         # in integers, as on the device")]
pub struct Args {
    /// Model directory (floats) or device file (integers)
    #[arg(value_name = "DIR|FILE")]
    pub model: PathBuf,
    /// Texts; without any, the lines of stdin. For a model that reads numbers: tables
    #[arg(value_name = "TEXT")]
    pub inputs: Vec<String>,
    /// Layout of the tables.
    #[command(flatten)]
    pub layout: LayoutArgs,
    /// Show the prediction after each token
    #[arg(long)]
    pub trace: bool,
    /// Number of next tokens that a language model shows
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub top: usize,
    /// Print one JSON object per line on stdout
    #[arg(long)]
    pub json: bool,
}

/// Prints the model's prediction for each input: the arguments or, without any, the lines of stdin.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let model = open_model(&args.model)?;
    let layout = args.layout.layout();
    if model.config().input == Input::Tokens && layout != Layout::default() {
        let options = "--delimiter, --no-header and --no-quoting";
        bail!(Failure::Usage(format!(
            "{options} are for tables, and {} reads texts; leave them out",
            args.model.display()
        )));
    }
    let options = PredictOptions { trace: args.trace, top: args.top, layout };
    let predict = |input: &str| {
        let outputs = tasks::handler_of(&*model).predict(&*model, input, options)?;
        outputs.iter().try_for_each(|output| print_output(output, args.json))
    };
    if !args.inputs.is_empty() {
        return args.inputs.iter().try_for_each(|input| predict(input));
    }
    if model.config().input == Input::Values {
        bail!("{0} reads numbers: name a table, such as `tern predict {0} data.csv`", args.model.display());
    }
    if stdin().is_terminal() {
        note("one text per line, end with Ctrl-D");
    }
    let mut line = Vec::new();
    let mut input = stdin().lock();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        predict(&String::from_utf8_lossy(text))?;
        line.clear();
    }
    Ok(())
}
