//! A [`State`] as bytes: a safetensors file, whose only metadata is a TOML document under `tern.checkpoint`.
//!
//! | tensors, F32 | what |
//! |---|---|
//! | `weights.NAME` | the weights under way |
//! | `average.NAME` | their running average |
//! | `best.NAME` | the averages after the best epoch, once there is one |
//! | `optimizer.MEMORY.NAME` | the optimizer's memories, called as in PyTorch's `state_dict` |

use super::problem::Problem;
use super::run::EpochFigures;
use super::sample::{Sample, Steps, Target};
use super::state::{EpochProgress, State};
use crate::checksum::CRC32;
use crate::embeddings::Embeddings;
use crate::recipe::Recipe;
use crate::weights::{Array, Weights, WeightsError};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const KEY: &str = "tern.checkpoint";

/// The content of the file besides tensors. It is TOML, whose numbers are read back with the same bits; those of
/// serde_json may not be.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    /// Version of this layout.
    format: u32,
    /// [`data_hash`] of the data.
    data: u32,
    /// Length of the log when this was written, in bytes.
    log_bytes: u64,
    /// Steps of the optimizer.
    steps: i32,
    batches_done: u64,
    history: Vec<EpochFigures>,
    best: Option<EpochFigures>,
    /// The running epoch.
    underway: EpochProgress,
}

/// Why a checkpoint cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not a safetensors file.
    #[error("{0}; expected a checkpoint as `tern train` writes it")]
    Safetensors(#[from] SafeTensorError),
    /// No metadata of a checkpoint, or that of another version.
    #[error("metadata `{KEY}`: {0}; expected a checkpoint of this version of tern")]
    Metadata(String),
    /// The data are not those of the training that was begun.
    #[error("the data have changed since this training began; leave out --resume to begin anew")]
    Data,
    /// A tensor is missing or has another shape.
    #[error("{group}: {source}")]
    Weights {
        /// Which set of tensors.
        group: String,
        /// The fault.
        source: WeightsError,
    },
}

impl State {
    /// The bytes of a checkpoint; the same for the same state. `log_bytes` is kept for the caller.
    ///
    /// # Errors
    ///
    /// What the safetensors library says.
    pub fn to_bytes(&self, data: u32, log_bytes: u64) -> Result<Vec<u8>, SafeTensorError> {
        let metadata = Metadata {
            format: 1,
            data,
            log_bytes,
            steps: self.optimizer.steps(),
            batches_done: self.batches_done,
            history: self.history.clone(),
            best: self.best.as_ref().map(|(figures, _)| *figures),
            underway: self.epoch,
        };
        let text = toml::to_string(&metadata).expect("numbers and names are always TOML");
        let best = self.best.as_ref().map(|(_, weights)| weights);
        let sets = [("weights", Some(&self.weights)), ("average", Some(&self.average)), ("best", best)];
        let mut tensors: Vec<(String, &[usize], &[f32])> = Vec::new();
        for (group, weights) in sets {
            for (name, array) in weights.iter().flat_map(|weights| weights.iter()) {
                tensors.push((format!("{group}.{name}"), &array.shape, &array.data));
            }
        }
        for (name, memory, values) in self.optimizer.states() {
            tensors.push((format!("optimizer.{memory}.{name}"), &self.weights[name].shape, values));
        }
        let bytes: Vec<(String, &[usize], Vec<u8>)> = tensors
            .into_iter()
            .map(|(name, shape, data)| (name, shape, data.iter().flat_map(|value| value.to_le_bytes()).collect()))
            .collect();
        let views = bytes
            .iter()
            .map(|(name, shape, data)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), data)?)))
            .collect::<Result<Vec<_>, SafeTensorError>>()?;
        safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), text)])))
    }

    /// The state that [`to_bytes`](Self::to_bytes) wrote for this recipe and problem, and its `log_bytes`.
    ///
    /// # Errors
    ///
    /// See [`CheckpointError`].
    pub fn from_bytes(bytes: &[u8], recipe: &Recipe, problem: &Problem) -> Result<(Self, u64), CheckpointError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let text = text.ok_or_else(|| CheckpointError::Metadata("is missing".to_owned()))?;
        let metadata: Metadata = toml::from_str(text).map_err(|error| CheckpointError::Metadata(error.to_string()))?;
        if metadata.format != 1 {
            return Err(CheckpointError::Metadata(format!("`format` is {}", metadata.format)));
        }
        if metadata.data != data_hash(problem) {
            return Err(CheckpointError::Data);
        }
        let tensors = SafeTensors::deserialize(bytes)?;
        let set = |group: &str| {
            let mut weights = Weights::default();
            for (name, _) in problem.architecture.shapes() {
                if let Ok(view) = tensors.tensor(&format!("{group}.{name}"))
                    && view.dtype() == Dtype::F32
                {
                    let (chunks, _) = view.data().as_chunks::<4>();
                    let data = chunks.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
                    weights.insert(name, Array { shape: view.shape().to_vec(), data });
                }
            }
            let checked = weights.check(&problem.architecture);
            checked.map(|()| weights).map_err(|source| CheckpointError::Weights { group: group.to_owned(), source })
        };
        let mut state = State::new(recipe, problem);
        for memory in state.optimizer.method().state_names() {
            let values = set(&format!("optimizer.{memory}"))?;
            state.optimizer.restore(memory, &values);
        }
        state.optimizer.set_steps(metadata.steps);
        state.weights = set("weights")?;
        state.average = set("average")?;
        state.best = match metadata.best {
            Some(figures) => Some((figures, set("best")?)),
            None => None,
        };
        state.rng.set_word_pos(u128::from(metadata.underway.word_pos));
        state.batches_done = metadata.batches_done;
        state.history = metadata.history;
        state.epoch = metadata.underway;
        Ok((state, metadata.log_bytes))
    }
}

/// A CRC-32 of the training samples, the validation samples and the pretrained vectors. It detects data that was
/// changed by accident, not by malice.
pub fn data_hash(problem: &Problem) -> u32 {
    let mut hasher = CRC32.digest();
    let bytes_of = |number: usize| (number as u64).to_le_bytes();
    for samples in [&problem.train, &problem.valid] {
        hasher.update(&bytes_of(samples.len()));
        for Sample { steps, target } in samples {
            hasher.update(&bytes_of(steps.len()));
            match steps {
                Steps::Tokens(ids) => ids.iter().for_each(|id| hasher.update(&id.to_le_bytes())),
                Steps::Values { values, .. } => values.iter().for_each(|value| hasher.update(&value.to_le_bytes())),
            }
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
