//! `tern pull`: downloads a model of the Hugging Face hub.

use super::{note, print};
use crate::hub::{self, Address, Hub};
use serde_json::json;
use std::path::PathBuf;

/// Options of `tern pull`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern pull someone/spam
  tern pull someone/spam@v2 -o spam --file spam.safetensors

HF_ENDPOINT, HF_HOME, HF_TOKEN and the token of `hf auth login` are respected. The folder is complete, with the
hub's checksums, or missing. `tern eval` and the other commands read a model as they read your own.")]
pub struct Args {
    /// Model on the hub: OWNER/NAME or OWNER/NAME@REVISION
    #[arg(value_name = "MODEL")]
    pub model: Address,
    /// Folder to make [default: NAME]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Download this file only; may be given again
    #[arg(long = "file", value_name = "FILE")]
    pub files: Vec<String>,
    /// Print the files as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Downloads a model.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let folder = args.output.clone().unwrap_or_else(|| args.model.name().into());
    let note_file = |name: &str, bytes: u64| note(format_args!("{name}, {} KB", bytes.div_ceil(1000)));
    let files = hub::pull(&Hub::from_environment(), &args.model, &folder, &args.files, note_file)?;
    match args.json {
        true => print(json!({ "folder": folder, "files": files })),
        false => files.iter().try_for_each(|file| print(file.display())),
    }
}
