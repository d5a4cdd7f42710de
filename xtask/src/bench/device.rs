//! `cargo xtask bench device`: executed instructions of the runtime's steps on emulated cores.
//!
//! Each row is a random model of one size on one core. The firmware in `firmware/bench` runs the real runtime over it; the states after
//! every step must be the host's.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tern_runtime::{Cell, Cost, Packing};

use super::golden;
use super::machine::{CORES, Core, Firmware, Measured};
use super::workload::{STEPS, Workload};
use crate::repo;
use crate::setup::{self, Needs};

/// (E, H)
const SIZES: [(usize, usize); 4] = [(16, 16), (20, 64), (32, 64), (64, 128)];

/// Sizes that fill no turn of any loop, and shifts: only their bits are compared, also with folded tokens.
const ODD: [(Packing, usize, usize, &str); 6] = [
    (Packing::Interleaved4, 3, 5, "0"),
    (Packing::Interleaved4, 21, 7, "3"),
    (Packing::Paired16, 4, 4, "1"),
    (Packing::Paired16, 20, 28, "0"),
    (Packing::Paired16, 36, 8, "4"),
    (Packing::Paired16, 12, 24, "5"),
];

/// E and H of models of every cell, with folded tokens, of which too only the bits are compared: whole blocks of four columns and not, four
/// units and not.
const ODD_CELLS: [(usize, usize); 3] = [(20, 6), (12, 20), (21, 7)];

/// E and H of models with all operands at the ends of their ranges, nearly as large as may be.
const EXTREME: (usize, usize) = (116, 384);

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

/// What becomes of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// They are printed.
    Print,
    /// They are printed and must not be worse than the committed ones.
    Check,
    /// They are printed and become the committed ones.
    Bless,
}

/// Sets up, builds the firmware for every core, measures, prints. With `json` an object a row.
pub fn run(json: bool, then: Then) -> Result<()> {
    setup::run(Needs::Bench)?;
    let folder = repo::root().join("target").join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
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
        let bare = Firmware::build(core, false)?;
        let full = Firmware::build(core, true)?;
        for workload in &odd {
            check_bits(core, workload, &full.measure(workload)?)?;
        }
        // The image is the same whatever it runs.
        let bare_bytes = bare.measure(&workloads[0])?.image_bytes;
        for workload in &workloads {
            let row = row(core, workload, &full.measure(workload)?, bare_bytes)?;
            println!("{}", if json { row.json().to_string() } else { row.line() });
            rows.push(row.json());
        }
    }
    match then {
        Then::Print => Ok(()),
        Then::Check => golden::check(&rows),
        Then::Bless => golden::bless(&rows),
    }
}

fn row(core: Core, workload: &Workload, full: &Measured, bare_bytes: u64) -> Result<Row> {
    check_bits(core, workload, full)?;
    let Workload { cell, packing, embedding, hidden, macs_per_step, scratch_bytes, .. } = *workload;
    let Measured { instructions, stack_bytes, image_bytes, .. } = *full;
    if stack_bytes > Cost::STACK_BYTES as u64 {
        bail!("{}: a step takes {stack_bytes} bytes of stack, `Cost` says {} at most", core.name, Cost::STACK_BYTES);
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

fn check_bits(core: Core, workload: &Workload, full: &Measured) -> Result<()> {
    let (Workload { embedding, hidden, hash, .. }, found) = (workload, full.hash);
    if found != *hash {
        bail!(
            "{}, embedding {embedding}, hidden {hidden}: the states hash to {found:08x}, the host's to {hash:08x}; every core \
             must give the same bits",
            core.name
        );
    }
    Ok(())
}

fn heading() -> String {
    format!(
        "{STEPS} steps; code: what stepping and answering add to an image that loads the model, tables included, all cells\n\
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
        let none = PathBuf::new;
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
            model: none(),
            ids: none(),
        }
    }

    const FULL: Measured = Measured { instructions: 1_572_864, stack_bytes: 96, image_bytes: 9_000, hash: 7 };

    #[test]
    fn a_row_has_the_keys_that_scripts_read() {
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
    fn other_bits_than_the_hosts_are_a_failure() {
        let error = row(CORES[3], &workload(), &Measured { hash: 8, ..FULL }, 6_000).err().unwrap().to_string();
        assert!(error.starts_with("rv32imac, embedding 16, hidden 16: the states hash to 00000008"), "{error}");
    }
}
