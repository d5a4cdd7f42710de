//! The options of `tern data`.

use crate::commands::table::TableArgs;
use crate::data::Format;
use std::path::{Path, PathBuf};

/// Names of the parts of a split, in order.
const PARTS: [&str; MAX_PARTS] = ["train", "valid", "test"];
/// Largest number of parts of a split.
pub const MAX_PARTS: usize = 3;

/// Options of `tern data`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern data messages.csv                              classes, lengths, duplicates, conflicts
  tern data train.csv test.csv                        the same, and the texts that both have
  tern data labels.tsv --no-header --text-column 2 --label-column 1
  tern data aclImdb/train -o imdb.csv                 converts a folder of texts to one file
  tern data messages.csv -o m.jsonl --split 0.8,0.1,0.1 --stratify
                                                      writes m.train.jsonl, m.valid.jsonl, m.test.jsonl
  tern data walks.csv                                 sequences of numbers, one row a time step
  tern data novel.txt -o n.txt --split 0.9,0.1        splits plain text without shuffling it

Equal texts always go to the same part of a split. An output file is replaced as a whole or not
at all.")]
pub struct Args {
    /// Labelled texts (CSV, TSV, JSONL, fastText, a folder LABEL/*.txt, hf:owner/name), sequences of numbers, or
    /// plain text (.txt)
    #[arg(value_name = "SRC", required = true)]
    pub sources: Vec<PathBuf>,
    /// Output file; with --split, `.train`, `.valid` and `.test` are inserted into its name
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Output format [default: by the ending of OUT, else csv]
    #[arg(long, value_name = "FORMAT", requires = "output")]
    pub to: Option<Format>,
    /// Shares of train, valid and, optionally, test; they add up to 1
    #[arg(long, value_name = "SHARES", value_delimiter = ',', requires = "output")]
    pub split: Option<Vec<f64>>,
    /// Random seed of the split
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Keep the share of each class in every part
    #[arg(long, requires = "split")]
    pub stratify: bool,
    #[command(flatten)]
    pub table: TableArgs,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// The shares of the parts of a split; without a split, a single share of 1.0.
    pub fn shares(&self) -> &[f64] {
        self.split.as_deref().unwrap_or(&[1.0])
    }

    /// The files to write: one for each part of a split, such as `m.train.jsonl` for `m.jsonl`, or the output itself.
    pub fn output_files(&self, output: &Path) -> Vec<PathBuf> {
        if self.split.is_none() {
            return vec![output.to_owned()];
        }
        let stem = output.file_stem().unwrap_or_default().to_string_lossy();
        let ending = output.extension().map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy()));
        let parts = PARTS.iter().take(self.shares().len());
        parts.map(|part| output.with_file_name(format!("{stem}.{part}{ending}"))).collect()
    }
}
