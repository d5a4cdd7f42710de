//! `tern upload`: uploads a model to the Hugging Face hub.

use super::{note, print};
use crate::hub::{self, Address, Hub, Upload};
use serde_json::json;
use std::path::PathBuf;

/// Options of `tern upload`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern upload models/spam someone/spam
  tern upload spam.safetensors someone/spam --private

Needs a token: `hf auth login`, or HF_TOKEN. The repository is made if it is missing, and gets one commit. Rows of the
training data, and the report, which shows some, stay here unless --with-rows is given. A device file contains its
vocabulary and a few short training texts.")]
pub struct Args {
    /// Model directory or device file
    #[arg(value_name = "MODEL")]
    pub path: PathBuf,
    /// Model on the hub: OWNER/NAME or OWNER/NAME@BRANCH
    #[arg(value_name = "OWNER/NAME")]
    pub model: Address,
    /// Make the repository private, if it is new
    #[arg(long)]
    pub private: bool,
    /// Also upload the validation and calibration rows and the report
    #[arg(long)]
    pub with_rows: bool,
    /// Message of the commit
    #[arg(long, value_name = "TEXT", default_value = "Upload a model by tern")]
    pub message: String,
    /// Print the address of the commit as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Uploads a model.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Args { path, model, private, with_rows, message, json } = args;
    let options = Upload { private: *private, with_rows: *with_rows, message: message.clone() };
    let note_file = |name: &str, bytes: u64| note(format_args!("{name}, {} KB", bytes.div_ceil(1000)));
    let commit = hub::upload(&Hub::from_environment(), path, model, &options, note_file)?;
    if *json { print(json!({ "commit": commit })) } else { print(commit) }
}
