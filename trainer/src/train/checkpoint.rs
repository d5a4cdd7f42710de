//! Checkpoints: a [`State`] as a safetensors file, whose only metadata is a TOML document under `tern.checkpoint`.
//!
//! | tensors, F32 | contents |
//! |---|---|
//! | `weights.NAME` | the weights |
//! | `average.NAME` | their moving average; for the n-gram table, (average − weights) / `lag_factor` |
//! | `best.NAME` | the averaged weights after the best epoch, if an epoch is finished |
//! | `optimizer.STATE.NAME` | the state of the optimizer, with the names of PyTorch's `state_dict` |
//!
//! The average of the n-gram table is stored as a difference, so that a step takes time only for the rows that it
//! changes.

use super::problem::Problem;
use super::state::{EpochFigures, EpochProgress, State};
use super::{Sample, Steps, Target};
use crate::checksum::CRC32;
use crate::embeddings::Embeddings;
use crate::float_model::{f32_array, f32_tensors};
use crate::recipe::Recipe;
use crate::weights::Weights;
use anyhow::{anyhow, bail};
use safetensors::SafeTensors;
use safetensors::tensor::SafeTensorError;
use serde::{Deserialize, Serialize};

/// The key of the metadata.
const KEY: &str = "tern.checkpoint";
/// The version of the layout.
const FORMAT: u32 = 1;

/// The content of a checkpoint besides tensors. It is stored as TOML, which reads numbers back with the same bits;
/// serde_json does not guarantee that.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    /// Version of the layout.
    format: u32,
    /// [`data_hash`] of the data.
    data: u32,
    /// Length of the training's log when the checkpoint was written, in bytes.
    log_bytes: u64,
    /// Number of steps that the optimizer has taken, by its own counter. It equals `batches_done`, since each batch is
    /// a step.
    steps: i32,
    /// The factor that multiplies the `average` of the n-gram table: see
    /// [`Optimizer::averaged`](super::optimizer::Optimizer::averaged). Missing in checkpoints from before n-gram
    /// branches, which have no such table.
    #[serde(default = "one")]
    lag_factor: f64,
    /// Number of batches of the whole training so far, by the counter of [`State`].
    batches_done: u64,
    /// The figures of the finished epochs.
    history: Vec<EpochFigures>,
    /// The figures of the best epoch; `None` if no epoch is finished.
    best: Option<EpochFigures>,
    /// The progress within the current epoch.
    underway: EpochProgress,
}

/// Returns the default of [`Metadata::lag_factor`].
fn one() -> f64 {
    1.0
}

impl State {
    /// Encodes the state as a checkpoint; the same state gives the same bytes. `data`: the [`data_hash`] of the
    /// problem. `log_bytes`: the length of the training's log in bytes, which [`from_bytes`](Self::from_bytes) returns.
    pub fn to_bytes(&self, data: u32, log_bytes: u64) -> Result<Vec<u8>, SafeTensorError> {
        let metadata = Metadata {
            format: FORMAT,
            data,
            log_bytes,
            steps: self.optimizer.steps(),
            lag_factor: self.optimizer.lag_factor().into(),
            batches_done: self.total_batches_done,
            history: self.history.clone(),
            best: self.best.as_ref().map(|(figures, _)| *figures),
            underway: self.epoch,
        };
        let metadata = toml::to_string(&metadata).expect("all counts are below 2^63, the limit of TOML's integers");
        let mut groups = vec![("weights", &self.weights), ("average", &self.average)];
        if let Some((_, best)) = &self.best {
            groups.push(("best", best));
        }
        let mut tensors: Vec<(String, &[usize], &[f32])> = Vec::new();
        for (group, weights) in groups {
            for (name, array) in weights.iter() {
                tensors.push((format!("{group}.{name}"), &array.shape, &array.data));
            }
        }
        for (name, state, values) in self.optimizer.states() {
            tensors.push((format!("optimizer.{state}.{name}"), &self.weights[name].shape, values));
        }
        f32_tensors(tensors.into_iter(), (KEY, &metadata))
    }

    /// Decodes the checkpoint of a training of this recipe and problem. Returns the state and the `log_bytes` that
    /// [`to_bytes`](Self::to_bytes) stored. Fails if the bytes are not a checkpoint of this version, the data have
    /// changed, or a tensor is missing or has another shape.
    pub fn from_bytes(bytes: &[u8], recipe: &Recipe, problem: &Problem) -> anyhow::Result<(Self, u64)> {
        let not_safetensors =
            |error: SafeTensorError| anyhow!("{error}; expected a checkpoint as `tern train` writes it");
        let bad_metadata =
            |fault: &str| anyhow!("metadata `{KEY}`: {fault}; expected a checkpoint of this version of tern");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let metadata: Metadata = toml::from_str(text.ok_or_else(|| bad_metadata("is missing"))?)
            .map_err(|error| bad_metadata(&error.to_string()))?;
        if metadata.format != FORMAT {
            return Err(bad_metadata(&format!("`format` is {}", metadata.format)));
        }
        if metadata.data != data_hash(problem) {
            bail!("the data have changed since this training began; leave out --resume to begin anew");
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
        let read_group = |group: &str| -> anyhow::Result<Weights> {
            let mut weights = Weights::default();
            for (name, _) in problem.architecture.shapes() {
                let tensor = tensors.tensor(&format!("{group}.{name}")).ok();
                if let Some(array) = tensor.and_then(|tensor| f32_array(&tensor)) {
                    weights.insert(name, array);
                }
            }
            weights.check(&problem.architecture).map_err(|error| anyhow!("{group}: {error}"))?;
            Ok(weights)
        };
        let mut state = State::new(recipe, problem);
        for name in state.optimizer.method().state_names() {
            let values = read_group(&format!("optimizer.{name}"))?;
            state.optimizer.restore(name, &values);
        }
        state.optimizer.set_progress(metadata.steps, metadata.lag_factor as f32);
        state.weights = read_group("weights")?;
        state.average = read_group("average")?;
        state.best = match metadata.best {
            Some(figures) => Some((figures, read_group("best")?)),
            None => None,
        };
        state.rng.set_word_pos(u128::from(metadata.underway.word_pos));
        state.total_batches_done = metadata.batches_done;
        state.history = metadata.history;
        state.epoch = metadata.underway;
        Ok((state, metadata.log_bytes))
    }
}

/// Computes a CRC-32 of the training samples, the validation samples and the pretrained vectors. It detects data that
/// were changed by accident, not by malice.
pub fn data_hash(problem: &Problem) -> u32 {
    let mut hasher = CRC32.digest();
    let bytes_of = |number: usize| (number as u64).to_le_bytes();
    for samples in [&problem.train, &problem.valid] {
        hasher.update(&bytes_of(samples.len()));
        for Sample { steps, ngrams, target, teacher } in samples {
            hasher.update(&bytes_of(steps.len()));
            ngrams.iter().for_each(|bucket| hasher.update(&bucket.to_le_bytes()));
            match steps {
                Steps::Tokens(ids) => ids.iter().for_each(|id| hasher.update(&id.to_le_bytes())),
                Steps::Values { values, .. } => values.iter().for_each(|value| hasher.update(&value.to_le_bytes())),
            }
            teacher.iter().for_each(|probability| hasher.update(&probability.to_le_bytes()));
            match target {
                Target::Class(label) => hasher.update(&bytes_of(*label)),
                Target::Tokens(ids) => ids.iter().for_each(|id| hasher.update(&id.to_le_bytes())),
                Target::Values(values) => values.iter().for_each(|value| hasher.update(&value.to_le_bytes())),
            }
        }
    }
    for (id, vector) in problem.embeddings.iter().flat_map(Embeddings::vectors) {
        hasher.update(&id.to_le_bytes());
        vector.iter().for_each(|value| hasher.update(&value.to_le_bytes()));
    }
    hasher.finalize()
}
