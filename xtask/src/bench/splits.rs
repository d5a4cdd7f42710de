//! `cargo xtask bench splits`: runs the texts of a table through a model on every emulated core.
//!
//! A hash over the state after every token and the logits after every text must be equal to the host's. The
//! instructions of the first tokens are counted: the same model with and without folded tokens shows the instructions
//! that folding saves.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use tern_runtime::Model;
use tern_runtime::testing::Aligned;

use super::measure::MeasuringFirmware;
use super::workload::{TEXT_ENDS, Workload};
use crate::cores::{CORES, Core};
use crate::setup::{self, Needs};

/// The number of ids that fit the emulated memory.
const BATCH: usize = 100_000;

/// Limits the counted tokens by their multiply-accumulates. No core takes 16 instructions for one, so no 32-bit counter
/// overflows.
const COUNTED: usize = (1 << 31) / 16;

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
    setup::run(Needs::Bench)?;
    let bytes = fs::read(&options.file).with_context(|| format!("cannot read {}", options.file.display()))?;
    let file = Aligned::new(&bytes);
    let model = Model::from_bytes(&file).with_context(|| format!("{} is not a device file", options.file.display()))?;
    let texts = texts(&options.data, options.rows.unwrap_or(usize::MAX))?;
    let batches = batches(&model, &texts, BATCH)?;
    let folder = super::folder("bench")?;
    let workload = |ids: &Vec<u32>| Workload::over(model.packing(), &file, ids, "split", &folder);
    let tokens: usize = batches.iter().map(Vec::len).sum();
    // One long text, so that only steps are counted. A bidirectional model steps only when its logits are read.
    let counted: Vec<u32> =
        batches.iter().flatten().take(COUNTED / model.macs_per_token().max(1)).map(|id| id & !TEXT_ENDS).collect();
    let counts = !model.config().bidirectional && !counted.is_empty();
    for core in CORES {
        let firmware = MeasuringFirmware::build(core, true, options.verbose)?;
        for ids in &batches {
            measure(core, &firmware, &workload(ids)?)?;
        }
        let count = if counts { Some(measure(core, &firmware, &workload(&counted)?)?) } else { None };
        let a_token = count.map(|count| count as f64 / counted.len() as f64);
        let (cell, packing) = (model.config().cell.name(), model.packing().name());
        let (name, texts) = (core.name, texts.len());
        if options.json {
            let row = json!({
                "core": name, "cell": cell, "packing": packing, "texts": texts, "tokens": tokens,
                "instructions_per_token": a_token.map(f64::round),
            });
            println!("{row}");
        } else {
            let a_token = a_token.map_or(String::new(), |count| format!("; {count:.0} instructions a token"));
            println!(
                "{name:<14}{cell:<9}{packing:<13}{texts:>6} texts, {tokens:>7} tokens: same bits as the host{a_token}"
            );
        }
    }
    Ok(())
}

/// Returns the instructions of all steps; fails if the states or logits differ from the host's.
fn measure(core: Core, firmware: &MeasuringFirmware, workload: &Workload) -> Result<u64> {
    let found = firmware.measure(workload)?;
    if found.hash != workload.hash {
        bail!("{}: the hash of states and logits is {:08x}, on the host {:08x}", core.name, found.hash, workload.hash);
    }
    Ok(found.instructions)
}

fn texts(data: &Path, rows: usize) -> Result<Vec<String>> {
    let cannot_read = || format!("cannot read {}", data.display());
    let mut table = csv::Reader::from_path(data).with_context(cannot_read)?;
    let columns = table.headers().with_context(cannot_read)?;
    let column = columns.iter().position(|name| name == "text");
    let column = column.with_context(|| format!("{} has no column `text`", data.display()))?;
    let text = |row: csv::Result<csv::StringRecord>| Ok(row.with_context(cannot_read)?[column].to_owned());
    table.records().take(rows).map(text).collect()
}

/// Returns the token ids of all texts in batches of at most `length`; the last id of each text is marked with
/// [`TEXT_ENDS`].
///
/// A text without tokens is skipped, and no text is divided between batches.
fn batches(model: &Model<'_>, texts: &[String], length: usize) -> Result<Vec<Vec<u32>>> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch)?;
    let mut batches: Vec<Vec<u32>> = vec![Vec::new()];
    for text in texts {
        let mut ids = Vec::new();
        session.reset();
        session.feed_with(text.as_bytes(), |step| ids.push(step.id));
        session.finish_with(|step| ids.push(step.id));
        let Some(last) = ids.last_mut() else { continue };
        *last |= TEXT_ENDS;
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

    #[test]
    fn no_text_is_divided_between_batches() {
        let sizes = Sizes { embedding_dim: 4, hidden_size: 4, classes: 2 };
        let file = random_file_in(Packing::Interleaved4, 1, sizes, "0");
        let model = Model::from_bytes(&file).unwrap();
        let texts = ["call now", "", "free prize !!", "now"].map(str::to_owned);
        let found = batches(&model, &texts, 5).unwrap();
        let id = |token: &str| TOKENS.iter().position(|known| *known == token).unwrap() as u32 + 2;
        let expected = [
            vec![id("call"), id("now") | TEXT_ENDS, id("free"), id("prize"), id("!!") | TEXT_ENDS],
            vec![id("now") | TEXT_ENDS],
        ];
        assert_eq!(found, expected);
    }
}
