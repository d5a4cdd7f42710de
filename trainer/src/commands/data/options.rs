//! The options of `tern data`.

use crate::commands::Failure;
use crate::commands::table::TableArgs;
use crate::data::{Format, Windows};
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
  tern data walks.csv -o windows.csv --window 64 --overlap 0.5 --sample-rate 100 --resample 50
                                                      windows of recordings, at another rate
  tern data novel.txt -o n.txt --split 0.9,0.1        splits plain text without shuffling it

Equal texts always go to the same part of a split. An output file is replaced as a whole or not
at all.")]
pub struct Args {
    /// Labelled texts (CSV, TSV, JSONL, fastText, a folder LABEL/*.txt, hf:owner/name), sequences of numbers, or plain
    /// text (.txt)
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
    /// Cut each recording of a table of sequences into windows of this many rows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 16))]
    pub window: Option<u32>,
    /// Share of a window that the next one repeats, 0 to 0.95
    #[arg(long, value_name = "X", default_value_t = 0.0, requires = "window")]
    pub overlap: f64,
    /// Rows per second of the table, to resample it
    #[arg(long, value_name = "HZ", requires = "resample")]
    pub sample_rate: Option<f64>,
    /// Rows per second to which sequences are resampled
    #[arg(long, value_name = "HZ", requires = "sample_rate")]
    pub resample: Option<f64>,
    #[command(flatten)]
    pub table: TableArgs,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// Returns the shares of the parts of a split; without a split, a single share of 1.0.
    pub fn shares(&self) -> &[f64] {
        self.split.as_deref().unwrap_or(&[1.0])
    }

    /// Returns the settings by which sequences are resampled and cut into windows. A window of 0 rows, that without
    /// `--window`, means that sequences stay whole; without `--resample` there are no rates.
    pub fn windows(&self) -> Windows {
        let rates = self.sample_rate.zip(self.resample).map(|(from, to)| [from, to]);
        Windows { rows: self.window.unwrap_or(0) as usize, overlap: self.overlap, rates }
    }

    /// Fails if a rate or the overlap is out of range.
    pub fn check_windows(&self) -> Result<(), Failure> {
        for (option, rate) in [("--sample-rate", self.sample_rate), ("--resample", self.resample)] {
            let Some(rate) = rate else { continue };
            let is_valid = rate > 0.0 && rate <= 1e9;
            if !is_valid {
                return Err(Failure::Usage(format!("{option} is {rate}, expected more than 0 and at most 1e9")));
            }
        }
        if !(0.0..=0.95).contains(&self.overlap) {
            return Err(Failure::Usage(format!("--overlap is {}, expected 0 to 0.95", self.overlap)));
        }
        Ok(())
    }

    /// Returns the files to write: without a split `output`, otherwise one for each part, such as `m.train.jsonl` for
    /// `m.jsonl`.
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
