//! `cargo xtask bench splits`: runs a split of a data set, such as its test part, through a model on every emulated
//! core, to show that every core computes the same bits as this computer, the host.
//!
//! The split is a table of texts. A model with an n-gram branch reads their bytes, any other the ids of their tokens. A
//! hash over the state after every id or byte and the logits after every text must be equal to the host's. The
//! instructions of a first part are counted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use tern_runtime::Model;
use tern_runtime::testing::Aligned;

use super::measure::{MeasuringFirmware, Work};
use super::workload::{BYTE, TEXT_ENDS, Workload, with_end};
use crate::cores::{CORES, Core};
use crate::setup::{self, Purpose};

/// The most ids in one run, unless a single text has more; they fit the memory of every emulated machine.
const BATCH: usize = 100_000;

/// The most multiply-accumulates in a run whose instructions are counted. Each takes fewer than 16 instructions on
/// every core, so the count stays below 2^31 and no 32-bit counter overflows.
const MAX_COUNTED_MACS: usize = (1 << 31) / 16;

/// Options of `bench splits`.
#[derive(Debug, Args)]
pub struct Options {
    /// Device file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// CSV file with a column `text`.
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Read at most this many texts.
    #[arg(long, value_name = "N")]
    pub rows: Option<usize>,
    /// Print one JSON object for each core.
    #[arg(long)]
    pub json: bool,
    /// Print every command that builds or runs the firmware.
    #[arg(short, long)]
    pub verbose: bool,
}

/// Runs `cargo xtask bench splits`.
pub fn run(options: &Options) -> Result<()> {
    setup::run(Purpose::Bench)?;
    let bytes = fs::read(&options.file).with_context(|| format!("cannot read {}", options.file.display()))?;
    let file = Aligned::new(&bytes);
    let model = Model::from_bytes(&file).with_context(|| format!("{} is not a device file", options.file.display()))?;
    let texts = read_texts(&options.data, options.rows.unwrap_or(usize::MAX))?;
    let batches = batches_of_ids(&model, &texts, BATCH)?;
    let folder = super::folder("bench")?;
    let write_workload = |ids: &[u32]| Workload::over(model.packing(), &file, ids, "split", &folder);

    // One long text without ends of texts, so that the head never runs and only the instructions of steps are counted.
    let max_counted_ids = MAX_COUNTED_MACS / model.macs_per_token().max(1);
    let counted_ids: Vec<u32> = batches.iter().flatten().take(max_counted_ids).map(|id| id & !TEXT_ENDS).collect();
    // A bidirectional model runs its steps only when its logits are read, so the counted run would have none.
    let can_count = !model.config().bidirectional && !counted_ids.is_empty();

    let reads_bytes = model.config().ngrams.is_some();
    let (work, unit) = if reads_bytes { (Work::Read, "byte") } else { (Work::Step, "token") };
    let is_recurrent = model.config().layers > 0;
    let cell = if is_recurrent { model.config().cell.name() } else { "n-grams" };
    let packing = if is_recurrent { model.packing().name() } else { "-" };
    let text_count = texts.len();
    let id_count: usize = batches.iter().map(Vec::len).sum();
    for core in CORES {
        let firmware = MeasuringFirmware::build(core, work, options.verbose)?;
        for ids in &batches {
            measure(core, &firmware, &write_workload(ids)?)?;
        }
        let instructions_per_id = if can_count {
            let instructions = measure(core, &firmware, &write_workload(&counted_ids)?)?;
            Some(instructions as f64 / counted_ids.len() as f64)
        } else {
            None
        };
        if options.json {
            let row = json!({
                "core": core.name, "cell": cell, "packing": packing, "texts": text_count, "tokens": id_count,
                "instructions_per_token": instructions_per_id.map(f64::round),
            });
            println!("{row}");
        } else {
            let cost = instructions_per_id.map_or(String::new(), |count| format!("; {count:.0} instructions a {unit}"));
            println!(
                "{:<14}{cell:<9}{packing:<13}{text_count:>6} texts, {id_count:>7} {unit}s: same bits as the host{cost}",
                core.name
            );
        }
    }
    Ok(())
}

/// Runs a workload and returns the instructions of all its steps, or 0 if an id ends a text, see [`Measured`]. Fails if
/// states or logits differ from the host's.
///
/// [`Measured`]: super::measure::Measured
fn measure(core: Core, firmware: &MeasuringFirmware, workload: &Workload) -> Result<u64> {
    let found = firmware.measure(workload)?;
    if found.hash != workload.hash {
        bail!("{}: the hash of states and logits is {:08x}, on the host {:08x}", core.name, found.hash, workload.hash);
    }
    Ok(found.instructions)
}

/// Reads the texts of the first `rows` rows of a table; all if it has fewer.
fn read_texts(data: &Path, rows: usize) -> Result<Vec<String>> {
    let cannot_read = || format!("cannot read {}", data.display());
    let mut table = csv::Reader::from_path(data).with_context(cannot_read)?;
    let columns = table.headers().with_context(cannot_read)?;
    let column = columns.iter().position(|name| name == "text");
    let column = column.with_context(|| format!("{} has no column `text`", data.display()))?;
    let mut texts = Vec::new();
    for row in table.records().take(rows) {
        texts.push(row.with_context(cannot_read)?[column].to_owned());
    }
    Ok(texts)
}

/// Returns the token ids of all texts, or for a model with an n-gram branch their bytes, in batches of at most `length`
/// ids. The last id of each text is marked with [`TEXT_ENDS`].
///
/// A text without ids is skipped. No text is divided: one with more than `length` ids is a batch of its own.
fn batches_of_ids(model: &Model<'_>, texts: &[String], length: usize) -> Result<Vec<Vec<u32>>> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch)?;
    let mut batches: Vec<Vec<u32>> = Vec::new();
    for text in texts {
        let mut ids = Vec::new();
        if model.config().ngrams.is_some() {
            ids.extend(text.bytes().map(|byte| u32::from(byte) | BYTE));
        } else {
            session.reset();
            session.feed_with(text.as_bytes(), |step| ids.push(step.id));
            session.finish_with(|step| ids.push(step.id));
        }
        if ids.is_empty() {
            continue;
        }
        let mut ids = with_end(&ids);
        match batches.last_mut() {
            Some(batch) if batch.len() + ids.len() <= length => batch.append(&mut ids),
            _ => batches.push(ids),
        }
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tern_runtime::Packing;
    use tern_runtime::testing::{Sizes, TOKENS, random_file_in};

    /// The id of the first token; 0 and 1 stand for padding and for unknown tokens.
    const FIRST_ID: u32 = 2;

    #[test]
    fn no_text_is_divided_between_batches() {
        let sizes = Sizes { embedding_dim: 4, hidden_size: 4, classes: 2 };
        let (seed, shift) = (1, "0");
        let file = random_file_in(Packing::Interleaved4, seed, sizes, shift);
        let model = Model::from_bytes(&file).unwrap();
        let texts = ["call now", "", "free prize !!", "now"].map(str::to_owned);
        let found = batches_of_ids(&model, &texts, 5).unwrap();
        let id = |token: &str| FIRST_ID + TOKENS.iter().position(|known| *known == token).unwrap() as u32;
        let expected = [
            vec![id("call"), id("now") | TEXT_ENDS, id("free"), id("prize"), id("!!") | TEXT_ENDS],
            vec![id("now") | TEXT_ENDS],
        ];
        assert_eq!(found, expected);
        let of_one_text = [vec![id("call"), id("now") | TEXT_ENDS], vec![id("now") | TEXT_ENDS]];
        assert_eq!(batches_of_ids(&model, &["call now", "now"].map(str::to_owned), 1).unwrap(), of_one_text);
        assert!(batches_of_ids(&model, &[String::new()], 5).unwrap().is_empty());
    }
}
