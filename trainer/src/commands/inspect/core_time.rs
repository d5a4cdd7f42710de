//! How long a token takes on a core, from what `cargo xtask bench device` counted.

use serde_json::{Value, json};
use tern_runtime::Model;

/// Counted instructions: a row a core, cell, packing and size.
const COUNTED: &str = include_str!("../../../../xtask/golden/bench_device.json");

/// Instructions a token, and milliseconds at a clock of `hertz`, for each core that is counted; one instruction a cycle, which flash with wait
/// states makes longer.
///
/// Of the rows with the model's cells and packing, the one of the nearest size says how many instructions a multiply-accumulate takes with
/// all that a step does beside.
pub fn by_core(model: &Model<'_>, hertz: f64) -> Value {
    let counted: Value = serde_json::from_str(COUNTED).unwrap_or_default();
    let rows = counted["rows"].as_array().map_or(&[][..], Vec::as_slice);
    let config = model.config();
    // Plain cells with max(0, x) take as long as those with tanh.
    let module = config.cell.module();
    let size = (config.embedding_dim + config.hidden_size) as u64;
    let distance = |row: &Value| {
        let counted = row["embedding"].as_u64().unwrap_or(0) + row["hidden"].as_u64().unwrap_or(0);
        counted.abs_diff(size)
    };
    let mut cores: Vec<&Value> = rows.iter().map(|row| &row["core"]).collect();
    cores.dedup();
    let of_core = |core: &Value| {
        let alike =
            |row: &&Value| row["core"] == *core && row["cell"] == module && row["packing"] == model.packing().name();
        let nearest = rows.iter().filter(alike).min_by_key(|row| distance(row))?;
        let instructions = nearest["insn_per_mac"].as_f64()? * model.macs_per_token() as f64;
        let milliseconds = (instructions / hertz * 1e6).round() / 1e3;
        Some(
            json!({ "core": core, "instructions_per_token": instructions.round() as u64, "ms_per_token": milliseconds }),
        )
    };
    cores.into_iter().filter_map(of_core).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tern_runtime::testing::{Sizes, random_file};

    #[test]
    fn a_model_as_large_as_a_counted_one_takes_as_long() {
        let sizes = Sizes { embedding_dim: 20, hidden_size: 64, classes: 2 };
        let file = random_file(1, sizes, "0");
        let model = Model::from_bytes(&file).unwrap();
        let cores = by_core(&model, 1e6);
        let cores = cores.as_array().unwrap();
        assert!(cores.len() >= 4, "{cores:?}");
        let counted: Value = serde_json::from_str(COUNTED).unwrap();
        for core in cores {
            let alike = |row: &&Value| {
                let size = (row["embedding"].as_u64(), row["hidden"].as_u64());
                row["core"] == core["core"] && size == (Some(20), Some(64)) && row["packing"] == model.packing().name()
            };
            let row = counted["rows"].as_array().unwrap().iter().find(alike).unwrap();
            let expected = row["instructions"].as_f64().unwrap() / row["steps"].as_f64().unwrap();
            let found = core["instructions_per_token"].as_f64().unwrap();
            assert!((found / expected - 1.0).abs() < 1e-3, "{found}, counted {expected}");
            let milliseconds = core["ms_per_token"].as_f64().unwrap();
            assert!((milliseconds - expected / 1e3).abs() < 0.05, "{milliseconds} at 1 MHz");
        }
    }
}
