//! The committed figures of `bench device`, and whether new ones are worse. They are exact: the same code gives the same.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::repo;

/// What a figure may be worse by, in percent.
const MARGIN: u64 = 2;

/// What tells rows apart.
const KEYS: [&str; 5] = ["core", "packing", "cell", "embedding", "hidden"];

/// What is compared; smaller is better.
const FIGURES: [&str; 4] = ["instructions", "code_bytes", "scratch_bytes", "stack_bytes"];

fn path() -> PathBuf {
    repo::root().join("xtask").join("golden").join("bench_device.json")
}

/// Writes the rows as the committed ones, a line each.
pub fn bless(rows: &[Value]) -> Result<()> {
    let lines: Vec<String> = rows.iter().map(|row| format!("    {row}")).collect();
    let made_by = json!("cargo xtask bench device --bless");
    let text = format!("{{\n  \"made_by\": {made_by},\n  \"rows\": [\n{}\n  ]\n}}\n", lines.join(",\n"));
    fs::write(path(), text).with_context(|| format!("cannot write {}", path().display()))
}

/// Compares the rows with the committed ones.
pub fn check(rows: &[Value]) -> Result<()> {
    let path = path();
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let golden: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    let worse = worse(golden["rows"].as_array().map_or(&[][..], Vec::as_slice), rows);
    if !worse.is_empty() {
        bail!(
            "{}; where that is meant, `cargo xtask bench device --bless` writes {}",
            worse.join("; "),
            path.strip_prefix(repo::root()).unwrap_or(&path).display()
        );
    }
    Ok(())
}

fn name(row: &Value) -> String {
    KEYS.map(|key| row[key].as_str().map_or_else(|| row[key].to_string(), str::to_owned)).join(" ")
}

/// A sentence for each figure that got worse, and for each row that only one side has.
fn worse(golden: &[Value], rows: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for old in golden {
        let Some(new) = rows.iter().find(|new| name(new) == name(old)) else {
            found.push(format!("{}: is no longer measured", name(old)));
            continue;
        };
        for figure in FIGURES {
            let (Some(old_figure), Some(new_figure)) = (old[figure].as_u64(), new[figure].as_u64()) else {
                found.push(format!("{}: has no {figure}", name(old)));
                continue;
            };
            if new_figure * 100 > old_figure * (100 + MARGIN) {
                found.push(format!("{}: {new_figure} {figure}, {old_figure} are committed to", name(old)));
            }
        }
    }
    let unknown = rows.iter().filter(|new| !golden.iter().any(|old| name(old) == name(new)));
    found.extend(unknown.map(|new| format!("{}: nothing is committed to", name(new))));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(hidden: u64, instructions: u64, stack_bytes: u64) -> Value {
        json!({ "core": "cortex-m4", "packing": "paired16", "cell": "lstm", "embedding": 16, "hidden": hidden,
            "instructions": instructions, "code_bytes": 3_000, "scratch_bytes": 160, "stack_bytes": stack_bytes })
    }

    #[test]
    fn a_figure_may_be_worse_by_two_in_a_hundred() {
        let golden = [row(16, 100_000, 100), row(64, 100_000, 100)];
        assert_eq!(worse(&golden, &golden), [""; 0]);
        assert_eq!(worse(&golden, &[row(16, 102_000, 102), row(64, 50, 0)]), [""; 0]);
        assert_eq!(
            worse(&golden, &[row(16, 102_001, 103), row(64, 100_000, 100)]),
            [
                "cortex-m4 paired16 lstm 16 16: 102001 instructions, 100000 are committed to",
                "cortex-m4 paired16 lstm 16 16: 103 stack_bytes, 100 are committed to",
            ]
        );
    }

    #[test]
    fn rows_come_and_go_by_being_committed() {
        assert_eq!(
            worse(&[row(16, 1, 1)], &[row(64, 1, 1)]),
            [
                "cortex-m4 paired16 lstm 16 16: is no longer measured",
                "cortex-m4 paired16 lstm 16 64: nothing is committed to"
            ]
        );
        assert_eq!(worse(&[json!({ "core": "m9" })], &[json!({ "core": "m9" })]).len(), FIGURES.len());
    }
}
