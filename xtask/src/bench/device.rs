//! `cargo xtask bench device`: counts the instructions of the runtime's steps on emulated cores.
//!
//! Each row of the table is one random model on one core. `firmware/bench` runs the runtime over it in QEMU; the states
//! after every step must be equal to those on the host.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use tern_runtime::{Cell, Cost, Packing};

use super::committed;
use super::measure::{Measured, MeasuringFirmware};
use super::workload::{STEPS, Workload};
use crate::cores::{CORES, Core};
use crate::repo;
use crate::setup::{self, Needs};

/// Embedding dimension and hidden size of the measured models.
const SIZES: [(usize, usize); 4] = [(16, 16), (20, 64), (32, 64), (64, 128)];

/// Packing, embedding dimension, hidden size and shift of LSTMs whose rows leave a remainder in every unrolled loop.
///
/// Their results are compared with the host's but not counted, with and without folded tokens.
const ODD: [(Packing, usize, usize, &str); 6] = [
    (Packing::Interleaved4, 3, 5, "0"),
    (Packing::Interleaved4, 21, 7, "3"),
    (Packing::Paired16, 4, 4, "1"),
    (Packing::Paired16, 20, 28, "0"),
    (Packing::Paired16, 36, 8, "4"),
    (Packing::Paired16, 12, 24, "5"),
];

/// Embedding dimension and hidden size of models of every cell that are only compared: with and without a remainder of
/// columns and of units in blocks of four.
const ODD_CELLS: [(usize, usize); 3] = [(20, 6), (12, 20), (21, 7)];

/// Embedding dimension and hidden size of models with all operands at the ends of their ranges, close to the largest
/// size that loads.
const EXTREME: (usize, usize) = (116, 384);

/// One row of the table.
struct Row {
    core: &'static str,
    cell: Cell,
    packing: Packing,
    embedding: usize,
    hidden: usize,
    instructions: u64,
    insn_per_mac: f64,
    code_bytes: u64,
    scratch_bytes: usize,
    stack_bytes: u64,
}

/// Options of `bench device`.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct DeviceOptions {
    /// Print one JSON object for each row.
    #[arg(long)]
    pub json: bool,
    /// Fail if a figure is more than 2 % worse than in xtask/golden/bench_device.json.
    #[arg(long, conflicts_with = "bless")]
    pub check: bool,
    /// Write the figures to xtask/golden/bench_device.json.
    #[arg(long)]
    pub bless: bool,
    /// Print every command that builds or runs the firmware.
    #[arg(short, long)]
    pub verbose: bool,
}

/// Runs `cargo xtask bench device`.
pub fn run(options: DeviceOptions) -> Result<()> {
    let DeviceOptions { json, check, bless, verbose } = options;
    setup::run(Needs::Bench)?;
    let folder = repo::root().join("target").join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let random = |packing, (e, h), shift| Workload::random(packing, e, h, shift, &folder);
    let (mut odd, mut workloads) = (Vec::new(), Vec::new());
    for (packing, e, h, shift) in ODD {
        odd.push(random(packing, (e, h), shift)?);
    }
    for (packing, e, h, _) in ODD {
        for shift in [0, 2] {
            odd.push(Workload::folded((Cell::Lstm, packing), (e, h), shift, &folder)?);
        }
    }
    for &cell in Cell::ALL {
        for sizes in ODD_CELLS {
            odd.push(Workload::folded((cell, Packing::plain(cell)), sizes, 1, &folder)?);
        }
        odd.push(Workload::folded((cell, Packing::Rows), ODD_CELLS[0], 1, &folder)?);
        for bits in [[8, 4, 16, 4], [4, 16, 4, 16]] {
            odd.push(Workload::of_widths(cell, bits, &folder)?);
        }
    }
    for packing in Packing::LSTM {
        for sign in [-1, 1] {
            odd.push(Workload::extreme(packing, sign, EXTREME.0, EXTREME.1, &folder)?);
        }
        for sizes in SIZES {
            workloads.push(random(packing, sizes, "0")?);
        }
    }
    for cell in [Cell::Gru, Cell::Rnn] {
        for (e, h) in SIZES {
            workloads.push(Workload::of_cell(cell, e, h, &folder)?);
        }
    }
    odd.extend(Workload::of_texts(&folder)?);
    if !json {
        println!("{}", heading());
    }
    let mut rows = Vec::new();
    for core in CORES {
        let start = Instant::now();
        let bare = MeasuringFirmware::build(core, false, verbose)?;
        let full = MeasuringFirmware::build(core, true, verbose)?;
        for workload in &odd {
            check_states(core, workload, &full.measure(workload)?)?;
        }
        let (compared, seconds) = (odd.len(), start.elapsed().as_secs_f64());
        eprintln!("{}: built, {compared} models give the host's states ({seconds:.0} s)", core.name);
        // The size of the image does not depend on the model.
        let bare_bytes = bare.measure(&workloads[0])?.image_bytes;
        for workload in &workloads {
            let row = row(core, workload, &full.measure(workload)?, bare_bytes)?;
            println!("{}", if json { row.json().to_string() } else { row.line() });
            rows.push(row.json());
        }
    }
    if check {
        committed::check(&rows)
    } else if bless {
        committed::write(&rows)
    } else {
        Ok(())
    }
}

fn row(core: Core, workload: &Workload, full: &Measured, bare_bytes: u64) -> Result<Row> {
    check_states(core, workload, full)?;
    let Workload { cell, packing, embedding, hidden, macs_per_step, scratch_bytes, .. } = *workload;
    let Measured { instructions, stack_bytes, image_bytes, .. } = *full;
    if stack_bytes > Cost::STACK_BYTES as u64 {
        bail!(
            "{}: a step takes {stack_bytes} bytes of stack, more than the {} of `Cost`",
            core.name,
            Cost::STACK_BYTES
        );
    }
    Ok(Row {
        core: core.name,
        cell,
        packing,
        embedding,
        hidden,
        instructions,
        insn_per_mac: instructions as f64 / (macs_per_step * STEPS) as f64,
        code_bytes: image_bytes.saturating_sub(bare_bytes),
        scratch_bytes,
        stack_bytes,
    })
}

/// Fails unless the states on the core are those on the host.
fn check_states(core: Core, workload: &Workload, full: &Measured) -> Result<()> {
    let (Workload { embedding, hidden, hash, .. }, found) = (workload, full.hash);
    if found != *hash {
        bail!(
            "{}, embedding {embedding}, hidden {hidden}: the hash of the states is {found:08x}, on the host {hash:08x}; every core \
             must compute the same bits",
            core.name
        );
    }
    Ok(())
}

fn heading() -> String {
    format!(
        "{STEPS} steps; code: bytes that steps and logits add to an image that loads the model\n\
         {:<14}{:<6}{:<13}{:>5}{:>5}{:>13}{:>9}{:>7}{:>9}{:>7}",
        "core", "cell", "packing", "E", "H", "instructions", "per MAC", "code", "scratch", "stack"
    )
}

impl Row {
    fn line(&self) -> String {
        let Row {
            core,
            cell,
            packing,
            embedding,
            hidden,
            instructions,
            insn_per_mac,
            code_bytes,
            scratch_bytes,
            stack_bytes,
        } = self;
        format!(
            "{core:<14}{:<6}{:<13}{embedding:>5}{hidden:>5}{instructions:>13}{insn_per_mac:>9.3}{code_bytes:>7}{scratch_bytes:>9}\
             {stack_bytes:>7}",
            cell.name(),
            packing.name()
        )
    }

    fn json(&self) -> Value {
        json!({
            "core": self.core,
            "cell": self.cell.name(),
            "packing": self.packing.name(),
            "embedding": self.embedding,
            "hidden": self.hidden,
            "steps": STEPS,
            "instructions": self.instructions,
            "insn_per_mac": (self.insn_per_mac * 1e4).round() / 1e4,
            "code_bytes": self.code_bytes,
            "scratch_bytes": self.scratch_bytes,
            "stack_bytes": self.stack_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn workload() -> Workload {
        let (embedding, hidden) = (16, 16);
        Workload {
            cell: Cell::Lstm,
            packing: Packing::Paired16,
            tokens: STEPS,
            embedding,
            hidden,
            macs_per_step: 2_048,
            scratch_bytes: 160,
            hash: 7,
            model: PathBuf::new(),
            ids: PathBuf::new(),
        }
    }

    const FULL: Measured = Measured { instructions: 1_572_864, stack_bytes: 96, image_bytes: 9_000, hash: 7 };

    #[test]
    fn a_row_has_all_keys_in_json_and_all_columns_as_text() {
        let row = row(CORES[0], &workload(), &FULL, 6_000).unwrap();
        let expected = json!({
            "core": "cortex-m4", "cell": "lstm", "packing": "paired16", "embedding": 16, "hidden": 16, "steps": 256, "instructions": 1572864,
            "insn_per_mac": 3.0, "code_bytes": 3000, "scratch_bytes": 160, "stack_bytes": 96,
        });
        assert_eq!(row.json(), expected);
        assert_eq!(
            row.line().split_whitespace().count(),
            heading().lines().last().unwrap().split_whitespace().count() - 1
        );
    }

    #[test]
    fn states_that_differ_from_the_hosts_are_an_error() {
        let error = row(CORES[3], &workload(), &Measured { hash: 8, ..FULL }, 6_000).err().unwrap().to_string();
        assert!(error.starts_with("rv32imac, embedding 16, hidden 16: the hash of the states is 00000008"), "{error}");
    }
}
