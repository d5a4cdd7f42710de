//! Estimates of the instructions and the time of a token on each core, from the instruction counts of
//! `cargo xtask bench device`.

use serde_json::{Value, json};
use tern_runtime::Model;

/// The output of `cargo xtask bench device`, in JSON: a row for each core, cell, packing and size, and a row for each
/// core and kind of n-gram table: number of columns, with or without fingerprints.
const COUNTS: &str = include_str!("bench_device.json");

/// The estimated instructions of a token on one core.
#[derive(Clone, Debug)]
pub struct CoreInstructions {
    /// The name of the core, such as `cortex-m4`.
    pub core: String,
    /// Instructions of the recurrent layers for a token. 0 without recurrent layers.
    pub recurrent: f64,
    /// Instructions of one step of the n-gram branch, which takes a step for each character and one for each token. 0
    /// without an n-gram branch.
    pub ngrams: f64,
}

impl CoreInstructions {
    /// The instructions for a token with this number of characters.
    pub fn per_token(&self, characters: f64) -> f64 {
        self.recurrent + self.ngrams * (1.0 + characters)
    }
}

/// Estimates the instructions of a token for each core that was measured. A core is left out if no measured model or
/// n-gram table on this core is similar enough to `model`: see `recurrent_instructions` and `ngram_instructions`.
pub fn instructions(model: &Model<'_>) -> Vec<CoreInstructions> {
    let counted: Value = serde_json::from_str(COUNTS).unwrap_or_default();
    let rows = counted["rows"].as_array().map_or(&[][..], Vec::as_slice);
    // The rows are grouped by core.
    let by_core = rows.chunk_by(|row, next| row["core"] == next["core"]);
    let estimate = |rows_of_core: &[Value]| {
        Some(CoreInstructions {
            core: rows_of_core[0]["core"].as_str()?.to_owned(),
            recurrent: recurrent_instructions(model, rows_of_core)?,
            ngrams: ngram_instructions(model, rows_of_core)?,
        })
    };
    by_core.filter_map(estimate).collect()
}

/// Estimates [`CoreInstructions::recurrent`] from the measured models of one core: the model's multiply-accumulates
/// times the instructions per multiply-accumulate of the measured model with the same cell and packing and the nearest
/// size, which is the embedding dimension plus the hidden size. `None` if no measured model has this cell and packing.
fn recurrent_instructions(model: &Model<'_>, rows: &[Value]) -> Option<f64> {
    let config = model.config();
    if config.layers == 0 {
        return Some(0.0);
    }
    // `rnn` for both plain cells: the one with ReLU takes as long as the measured one with tanh.
    let cell = config.cell.module();
    let size = (config.embedding_dim + config.hidden_size) as u64;
    let is_alike = |row: &&Value| row["cell"] == cell && row["packing"] == model.packing().name();
    let size_distance = |row: &&Value| {
        let measured_size = row["embedding"].as_u64().unwrap_or(0) + row["hidden"].as_u64().unwrap_or(0);
        measured_size.abs_diff(size)
    };
    let nearest = rows.iter().filter(is_alike).min_by_key(size_distance)?;
    Some(nearest["insn_per_mac"].as_f64()? * model.macs_per_token() as f64)
}

/// Estimates [`CoreInstructions::ngrams`] from the measured tables of one core: the instructions of the table with the
/// nearest number of columns, with or without fingerprints as in the model; `None` if there is no such table. With
/// fingerprints this is an upper bound, because every n-gram of the measured text counts.
fn ngram_instructions(model: &Model<'_>, rows: &[Value]) -> Option<f64> {
    let config = model.config();
    if config.ngrams.is_none() {
        return Some(0.0);
    }
    let has_fingerprints = model.has_ngram_fingerprints();
    let alike = rows.iter().filter(|row| row["fingerprints"] == has_fingerprints);
    let tables = alike.filter_map(|row| Some((row["columns"].as_u64()?, row)));
    let distance = |(columns, _): &(u64, &Value)| columns.abs_diff(config.ngram_rank as u64);
    let (_, nearest) = tables.min_by_key(distance)?;
    nearest["insn_per_step"].as_f64()
}

/// Returns a JSON array of the instructions and the milliseconds that the recurrent layers take for a token on each
/// core, at a clock of `hertz` and one instruction per cycle. Flash with wait states takes longer. Empty without
/// recurrent layers.
pub fn by_core(model: &Model<'_>, hertz: f64) -> Value {
    let cores = instructions(model).into_iter().filter(|_| model.config().layers > 0);
    let times = cores.map(|CoreInstructions { core, recurrent, .. }| {
        // Rounded to microseconds.
        let milliseconds = (recurrent / hertz * 1e6).round() / 1e3;
        json!({ "core": core, "instructions_per_token": recurrent.round() as u64, "ms_per_token": milliseconds })
    });
    times.collect()
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
        let counted: Value = serde_json::from_str(COUNTS).unwrap();
        for core in cores {
            let is_of_this_model = |row: &&Value| {
                let size = (row["embedding"].as_u64(), row["hidden"].as_u64());
                let is_alike = row["cell"] == "lstm" && row["packing"] == model.packing().name();
                row["core"] == core["core"] && is_alike && size == (Some(20), Some(64))
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
