//! The committed figures of `bench device`, `trainer/src/bench_device.json`, and the comparison of new figures with
//! them.
//!
//! A row has the figures of one model on one core. They come from QEMU and are exact: the same program gives the same
//! figures on every run.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::repo;

/// The percentage by which a figure may be larger than the committed one.
const MARGIN_PERCENT: u64 = 2;

/// The keys that identify a row.
const KEYS: [&str; 5] = ["core", "packing", "cell", "embedding", "hidden"];

/// The keys of the compared figures of a row; smaller is better.
const FIGURES: [&str; 4] = ["instructions", "code_bytes", "scratch_bytes", "stack_bytes"];

/// The path of the committed file.
fn path() -> PathBuf {
    repo::root().join("trainer").join("src").join("bench_device.json")
}

/// Writes the rows to the committed file, one line each.
pub fn write(rows: &[Value]) -> Result<()> {
    let lines: Vec<String> = rows.iter().map(|row| format!("    {row}")).collect();
    let made_by = json!("cargo xtask bench device --bless");
    let text = format!("{{\n  \"made_by\": {made_by},\n  \"rows\": [\n{}\n  ]\n}}\n", lines.join(",\n"));
    repo::write(&path(), text)
}

/// Fails if a figure is worse than the committed one by more than [`MARGIN_PERCENT`], or if only `rows` or only the
/// committed file has a row.
pub fn check(rows: &[Value]) -> Result<()> {
    let path = path();
    let committed: Value =
        serde_json::from_str(&repo::read(&path)?).with_context(|| format!("{} is not JSON", path.display()))?;
    let problems = differences(committed["rows"].as_array().map_or(&[], Vec::as_slice), rows);
    if !problems.is_empty() {
        let (problems, path) = (problems.join("; "), repo::shown(&path));
        bail!("{problems}; if this is intended, `cargo xtask bench device --bless` writes {path}");
    }
    Ok(())
}

/// Returns one line for each figure that is worse by more than [`MARGIN_PERCENT`] or missing, and for each row that is
/// in only one of the two lists.
fn differences(committed: &[Value], measured: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    for old in committed {
        let name = name_of(old);
        let Some(new) = measured.iter().find(|new| name_of(new) == name) else {
            lines.push(format!("{name}: is no longer measured"));
            continue;
        };
        for figure in FIGURES {
            let (Some(old_figure), Some(new_figure)) = (old[figure].as_u64(), new[figure].as_u64()) else {
                lines.push(format!("{name}: the committed or the measured row has no {figure}"));
                continue;
            };
            if new_figure * 100 > old_figure * (100 + MARGIN_PERCENT) {
                lines.push(format!("{name}: {new_figure} {figure}, committed: {old_figure}"));
            }
        }
    }
    for new in measured {
        let name = name_of(new);
        if !committed.iter().any(|old| name_of(old) == name) {
            lines.push(format!("{name}: has no committed row"));
        }
    }
    lines
}

/// Returns the values of [`KEYS`] of a row, separated by spaces.
fn name_of(row: &Value) -> String {
    KEYS.map(|key| match &row[key] {
        Value::String(text) => text.clone(),
        number => number.to_string(),
    })
    .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hidden: u64, instructions: u64, stack_bytes: u64) -> Value {
        json!({ "core": "cortex-m4", "packing": "paired16", "cell": "lstm", "embedding": 16, "hidden": hidden,
            "instructions": instructions, "code_bytes": 3_000, "scratch_bytes": 160, "stack_bytes": stack_bytes })
    }

    #[test]
    fn a_figure_may_be_two_percent_worse() {
        let committed = [row(16, 100_000, 100), row(64, 100_000, 100)];
        assert_eq!(differences(&committed, &committed), [""; 0]);
        assert_eq!(differences(&committed, &[row(16, 102_000, 102), row(64, 50, 0)]), [""; 0]);
        assert_eq!(
            differences(&committed, &[row(16, 102_001, 103), row(64, 100_000, 100)]),
            [
                "cortex-m4 paired16 lstm 16 16: 102001 instructions, committed: 100000",
                "cortex-m4 paired16 lstm 16 16: 103 stack_bytes, committed: 100",
            ]
        );
    }

    #[test]
    fn a_row_on_one_side_only_is_an_error() {
        assert_eq!(
            differences(&[row(16, 1, 1)], &[row(64, 1, 1)]),
            [
                "cortex-m4 paired16 lstm 16 16: is no longer measured",
                "cortex-m4 paired16 lstm 16 64: has no committed row"
            ]
        );
        // Rows without figures: one line for each figure.
        assert_eq!(differences(&[json!({ "core": "m9" })], &[json!({ "core": "m9" })]).len(), FIGURES.len());
    }
}
