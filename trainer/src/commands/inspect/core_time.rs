//! Estimates the time of a token on each core from the instructions that `cargo xtask bench device` counted.

use serde_json::{Value, json};
use tern_runtime::Model;

/// The counts of `cargo xtask bench device`: one row for each core, cell, packing and size.
const COUNTED: &str = include_str!("../../../../xtask/golden/bench_device.json");

/// The instructions and the milliseconds of a token for each core, at a clock of `hertz` and one instruction a cycle;
/// flash with wait states takes longer. The instructions per multiply-accumulate are those of the counted model with
/// the same cell and packing and the nearest size.
pub fn by_core(model: &Model<'_>, hertz: f64) -> Value {
    let counted: Value = serde_json::from_str(COUNTED).unwrap_or_default();
    let rows = counted["rows"].as_array().map_or(&[][..], Vec::as_slice);
    let config = model.config();
    // The cell's name without its activation: a plain cell takes as long with ReLU as with tanh, and is counted once.
    let cell = config.cell.module();
    let size = (config.embedding_dim + config.hidden_size) as u64;
    let distance = |row: &Value| {
        let counted_size = row["embedding"].as_u64().unwrap_or(0) + row["hidden"].as_u64().unwrap_or(0);
        counted_size.abs_diff(size)
    };
    // The rows are grouped by core.
    let mut cores: Vec<&Value> = rows.iter().map(|row| &row["core"]).collect();
    cores.dedup();
    if config.layers == 0 {
        return json!([]); // The cost of the n-gram branch depends on the characters of a token.
    }
    let estimate = |core: &Value| {
        let is_alike =
            |row: &&Value| row["core"] == *core && row["cell"] == cell && row["packing"] == model.packing().name();
        let nearest = rows.iter().filter(is_alike).min_by_key(|row| distance(row))?;
        let instructions = nearest["insn_per_mac"].as_f64()? * model.macs_per_token() as f64;
        // Rounded to microseconds.
        let milliseconds = (instructions / hertz * 1e6).round() / 1e3;
        let instructions = instructions.round() as u64;
        Some(json!({ "core": core, "instructions_per_token": instructions, "ms_per_token": milliseconds }))
    };
    cores.into_iter().filter_map(estimate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tern_runtime::testing::{Sizes, random_file};

    #[test]
    fn a_model_of_a_counted_size_gets_the_counted_instructions() {
        let sizes = Sizes { embedding_dim: 20, hidden_size: 64, classes: 2 };
        let shift = "0";
        let file = random_file(1, sizes, shift);
        let model = Model::from_bytes(&file).unwrap();
        let cores = by_core(&model, 1e6);
        let cores = cores.as_array().unwrap();
        assert!(cores.len() >= 4, "{cores:?}");
        let counted: Value = serde_json::from_str(COUNTED).unwrap();
        for core in cores {
            // Only LSTMs have the packing of this model, so the cell need not be compared.
            let is_of_this_model = |row: &&Value| {
                let size = (row["embedding"].as_u64(), row["hidden"].as_u64());
                row["core"] == core["core"] && size == (Some(20), Some(64)) && row["packing"] == model.packing().name()
            };
            let row = counted["rows"].as_array().unwrap().iter().find(is_of_this_model).unwrap();
            let expected = row["instructions"].as_f64().unwrap() / row["steps"].as_f64().unwrap();
            let found = core["instructions_per_token"].as_f64().unwrap();
            assert!((found / expected - 1.0).abs() < 1e-3, "{found}, counted {expected}");
            let milliseconds = core["ms_per_token"].as_f64().unwrap();
            assert!((milliseconds - expected / 1e3).abs() < 0.05, "{milliseconds} at 1 MHz");
        }
    }
}
