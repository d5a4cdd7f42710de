//! `cargo xtask bench device`: counts the instructions of the runtime's steps on emulated cores.
//!
//! Each row of the table is one model with random weights on one core; a step reads one token. `firmware/bench`, the
//! measuring firmware, runs the steps of the model in QEMU. The states after every step must be equal to those on this
//! computer, the host; they are compared by a hash.

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use tern_runtime::Cost;

use super::committed;
use super::measure::{Measured, MeasuringFirmware, Work};
use super::workload::{self, NgramWorkloads, STEPS, Workload};
use crate::cores::{CORES, Core};
use crate::setup::{self, Purpose};

/// The columns of the table: the key in JSON, the heading, the width.
const COLUMNS: [(&str, &str, usize); 10] = [
    ("core", "core", 14),
    ("cell", "cell", 6),
    ("packing", "packing", 13),
    ("embedding", "E", 5),
    ("hidden", "H", 5),
    ("instructions", "instructions", 13),
    ("insn_per_mac", "per MAC", 9),
    ("code_bytes", "code", 7),
    ("scratch_bytes", "scratch", 9),
    ("stack_bytes", "stack", 7),
];

/// The numbers of columns (ranks) of the measured n-gram tables.
const NGRAM_COLUMNS: [usize; 3] = [2, 16, 32];

/// Options of `bench device`.
#[derive(Clone, Debug, Default, Args)]
pub struct DeviceOptions {
    /// Print one JSON object for each row.
    #[arg(long)]
    pub json: bool,
    /// Fail if a figure is more than 2 % worse than in trainer/src/bench_device.json.
    #[arg(long, conflicts_with = "bless")]
    pub check: bool,
    /// Write the figures to trainer/src/bench_device.json.
    #[arg(long)]
    pub bless: bool,
    /// Measure one core only, by its name in the table.
    #[arg(long, value_name = "CORE", conflicts_with_all = ["check", "bless"])]
    pub core: Option<String>,
    /// Print every command that builds or runs the firmware.
    #[arg(short, long)]
    pub verbose: bool,
}

/// Runs `cargo xtask bench device`.
pub fn run(options: DeviceOptions) -> Result<()> {
    let DeviceOptions { json, check, bless, core, verbose } = options;
    let cores: Vec<Core> =
        CORES.into_iter().filter(|known| core.as_deref().is_none_or(|name| name == known.name)).collect();
    if cores.is_empty() {
        let names = CORES.map(|known| known.name).join(", ");
        bail!("no core has the name `{}`; expected one of {names}", core.unwrap_or_default());
    }
    setup::run(Purpose::Bench)?;
    let workloads = Workloads::write()?;
    if !json {
        println!("{STEPS} steps; code: bytes that steps and logits add to an image that loads the model");
        println!("{}", table_line(|_, heading| heading.to_owned()));
    }
    let mut rows = Vec::new();
    for core in cores {
        rows.extend(measure_core(core, &workloads, json, verbose)?);
    }
    if check {
        committed::check(&rows)
    } else if bless {
        committed::write(&rows)
    } else {
        Ok(())
    }
}

/// The workloads that every core runs.
struct Workloads {
    /// Those whose states are only compared with the host's.
    compared: Vec<Workload>,
    /// Those of the rows of the table.
    counted: Vec<Workload>,
    /// Those that measure the n-gram branch.
    ngrams: Vec<NgramWorkloads>,
}

impl Workloads {
    /// Writes the workloads to files for the emulator.
    fn write() -> Result<Self> {
        let folder = super::folder("bench")?;
        let mut ngrams = Vec::new();
        for fingerprints in [false, true] {
            for columns in NGRAM_COLUMNS {
                ngrams.push(workload::ngrams(columns, fingerprints, &folder)?);
            }
        }
        Ok(Workloads { compared: workload::compared(&folder)?, counted: workload::counted(&folder)?, ngrams })
    }
}

/// Runs all workloads on one core, prints its rows and returns them. Fails if a state differs from the host's.
fn measure_core(core: Core, workloads: &Workloads, as_json: bool, verbose: bool) -> Result<Vec<Value>> {
    let start = Instant::now();
    let loading_only = MeasuringFirmware::build(core, Work::Load, verbose)?;
    let stepping = MeasuringFirmware::build(core, Work::Step, verbose)?;
    let reading = MeasuringFirmware::build(core, Work::Read, verbose)?;
    for workload in &workloads.compared {
        check_states(core, workload, &reading.measure(workload)?)?;
    }
    let (models, seconds) = (workloads.compared.len(), start.elapsed().as_secs_f64());
    eprintln!("{}: built, {models} models give the host's states ({seconds:.0} s)", core.name);

    let mut rows = Vec::new();
    // The size of the image does not depend on the model, so it is measured with any one.
    let loading_bytes = loading_only.measure(&workloads.counted[0])?.image_bytes;
    for workload in &workloads.counted {
        let row = model_row(core, workload, &stepping.measure(workload)?, loading_bytes)?;
        println!("{}", if as_json { row.to_string() } else { model_line(&row) });
        rows.push(row);
    }
    for ngrams in &workloads.ngrams {
        let row = ngram_row(core, ngrams, &reading)?;
        println!("{}", if as_json { row.to_string() } else { ngram_line(&row) });
        rows.push(row);
    }
    Ok(rows)
}

/// Returns the figures of one model on one core. `loading_bytes` is the size of the image that only loads the model.
fn model_row(core: Core, workload: &Workload, measured: &Measured, loading_bytes: u64) -> Result<Value> {
    check_states(core, workload, measured)?;
    let Measured { instructions, stack_bytes, image_bytes, .. } = *measured;
    if stack_bytes > Cost::STACK_BYTES as u64 {
        bail!(
            "{}: a step takes {stack_bytes} bytes of stack, more than the {} of `Cost::STACK_BYTES`",
            core.name,
            Cost::STACK_BYTES
        );
    }
    let insn_per_mac = instructions as f64 / (workload.macs_per_step * STEPS) as f64;
    Ok(json!({
        "core": core.name,
        "cell": workload.cell.name(),
        "packing": workload.packing.name(),
        "embedding": workload.embedding,
        "hidden": workload.hidden,
        "steps": STEPS,
        "instructions": instructions,
        "insn_per_mac": (insn_per_mac * 1e4).round() / 1e4,
        "code_bytes": image_bytes.saturating_sub(loading_bytes),
        "scratch_bytes": workload.scratch_bytes,
        "stack_bytes": stack_bytes,
    }))
}

/// Returns the cost of the n-gram branch on one core: the instructions and the scratch that it adds to the model
/// without it. `stack_bytes` is that of the model with the branch.
fn ngram_row(core: Core, ngrams: &NgramWorkloads, firmware: &MeasuringFirmware) -> Result<Value> {
    let NgramWorkloads { columns, fingerprints, with, without, tokens_and_characters } = ngrams;
    let (measured_with, measured_without) = (firmware.measure(with)?, firmware.measure(without)?);
    check_states(core, with, &measured_with)?;
    check_states(core, without, &measured_without)?;
    let instructions = measured_with.instructions.saturating_sub(measured_without.instructions);
    let per_step = instructions as f64 / *tokens_and_characters as f64;
    Ok(json!({
        "core": core.name,
        "cell": format!("ngrams-{columns}{}", if *fingerprints { "-fingerprints" } else { "" }),
        "packing": with.packing.name(),
        "embedding": with.embedding,
        "hidden": with.hidden,
        "steps": tokens_and_characters,
        "instructions": instructions,
        "insn_per_step": (per_step * 1e2).round() / 1e2,
        // The code of the branch is not measured, but `committed` expects this figure in every row.
        "code_bytes": 0,
        "columns": columns,
        "fingerprints": fingerprints,
        "scratch_bytes": with.scratch_bytes - without.scratch_bytes,
        "stack_bytes": measured_with.stack_bytes,
    }))
}

/// Formats an [`ngram_row`] as a sentence.
fn ngram_line(row: &Value) -> String {
    format!(
        "{:<14}n-gram branch (words, pairs, 3 to 5 characters; {} columns{}): {} instructions for each token and character",
        row["core"].as_str().unwrap_or_default(),
        row["columns"],
        if row["fingerprints"] == true { ", fingerprints" } else { "" },
        row["insn_per_step"],
    )
}

/// Fails unless the states on the core are those on the host.
fn check_states(core: Core, workload: &Workload, measured: &Measured) -> Result<()> {
    let Workload { embedding, hidden, hash, .. } = workload;
    if measured.hash != *hash {
        bail!(
            "{}, embedding {embedding}, hidden {hidden}: the hash of the states is {:08x}, on the host {hash:08x}; every core \
             must compute the same bits",
            core.name,
            measured.hash
        );
    }
    Ok(())
}

/// Formats a [`model_row`] as a line of the table.
fn model_line(row: &Value) -> String {
    table_line(|key, _| match &row[key] {
        Value::String(text) => text.clone(),
        Value::Number(number) if key == "insn_per_mac" => format!("{:.3}", number.as_f64().unwrap_or(f64::NAN)),
        number => number.to_string(),
    })
}

/// Formats one line of the table. `cell_text`: returns the text of a column from its key and its heading.
fn table_line(cell_text: impl Fn(&str, &str) -> String) -> String {
    let mut line = String::new();
    for (key, heading, width) in COLUMNS {
        let text = cell_text(key, heading);
        let is_text_column = matches!(key, "core" | "cell" | "packing");
        line += &if is_text_column { format!("{text:<width$}") } else { format!("{text:>width$}") };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::CORTEX_M33;
    use std::path::PathBuf;
    use tern_runtime::{Cell, Packing};

    const MEASURED: Measured = Measured { instructions: 1_572_864, stack_bytes: 96, image_bytes: 9_000, hash: 7 };

    fn row_of(core: Core, hash: u32) -> Result<Value> {
        let workload = Workload {
            cell: Cell::Lstm,
            packing: Packing::Paired16,
            id_count: STEPS,
            embedding: 16,
            hidden: 16,
            macs_per_step: 2_048,
            scratch_bytes: 160,
            hash: 7,
            model: PathBuf::new(),
            ids: PathBuf::new(),
        };
        model_row(core, &workload, &Measured { hash, ..MEASURED }, 6_000)
    }

    #[test]
    fn a_row_has_all_keys_in_json_and_all_columns_as_text() {
        let row = row_of(CORES[0], 7).unwrap();
        let expected = json!({
            "core": "cortex-m4", "cell": "lstm", "packing": "paired16", "embedding": 16, "hidden": 16, "steps": 256, "instructions": 1572864,
            "insn_per_mac": 3.0, "code_bytes": 3000, "scratch_bytes": 160, "stack_bytes": 96,
        });
        assert_eq!(row, expected);
        let words: Vec<_> = model_line(&row).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words, ["cortex-m4", "lstm", "paired16", "16", "16", "1572864", "3.000", "3000", "160", "96"]);
    }

    #[test]
    fn an_unknown_core_is_named_in_the_error() {
        let options = DeviceOptions { core: Some("m9".to_owned()), ..DeviceOptions::default() };
        let error = run(options).unwrap_err().to_string();
        assert!(error.starts_with("no core has the name `m9`; expected one of cortex-m"), "{error}");
    }

    #[test]
    fn states_that_differ_from_the_hosts_are_an_error() {
        let error = row_of(CORTEX_M33, 8).unwrap_err().to_string();
        assert!(
            error.starts_with("cortex-m33, embedding 16, hidden 16: the hash of the states is 00000008"),
            "{error}"
        );
    }
}
