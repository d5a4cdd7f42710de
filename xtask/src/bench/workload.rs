//! Workloads of the measuring firmware: random models, token ids, and a hash of the states that the host computes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tern_runtime::testing::{Random, Sizes, Spec, extreme_file_in, random_file_in};
use tern_runtime::{Cell, Model, Packing};

/// The number of steps in one run.
pub const STEPS: usize = 256;

/// The bit of an id that marks the last token of a text, as in `firmware/bench`.
pub const TEXT_ENDS: u32 = 1 << 31;

/// A model and token ids, written to disk for the emulator.
pub struct Workload {
    /// The cell of the recurrent layers.
    pub cell: Cell,
    /// The packing of the recurrent weights.
    pub packing: Packing,
    /// The embedding dimension E.
    pub embedding: usize,
    /// The hidden size H.
    pub hidden: usize,
    /// Multiply-accumulates of one step; 4·H·(E + H) for one LSTM layer.
    pub macs_per_step: usize,
    /// Bytes of scratch that a session needs.
    pub scratch_bytes: usize,
    /// The number of tokens, which is the number of steps.
    pub tokens: usize,
    /// Hash of the states after every step on the host.
    pub hash: u32,
    /// The path of the device file.
    pub model: PathBuf,
    /// The path of the ids: their number and then the ids, as little-endian `u32`.
    pub ids: PathBuf,
}

impl Workload {
    /// Writes a random LSTM into `folder`; the seed depends on the sizes.
    pub fn random(packing: Packing, embedding: usize, hidden: usize, shift: &str, folder: &Path) -> Result<Self> {
        let seed = (embedding * 1_000 + hidden) as u64;
        let file = random_file_in(packing, seed, sizes(embedding, hidden), shift);
        Workload::new(packing, &file, &format!("lstm-{embedding}-{hidden}-shift{shift}"), folder)
    }

    /// Writes an LSTM whose operands are all at the ends of their ranges.
    pub fn extreme(packing: Packing, sign: i8, embedding: usize, hidden: usize, folder: &Path) -> Result<Self> {
        let file = extreme_file_in(packing, sign, sizes(embedding, hidden));
        Workload::new(packing, &file, &format!("lstm-{embedding}-{hidden}-extreme{sign}"), folder)
    }

    /// Writes a random model with some folded tokens.
    pub fn folded(
        (cell, packing): (Cell, Packing),
        (embedding, hidden): (usize, usize),
        shift: u32,
        folder: &Path,
    ) -> Result<Self> {
        let spec = Spec { cell, shift, ..sizes(embedding, hidden).into() };
        let file = spec.folded_file(packing, hidden as u64, &[1, 3, 4, 9]);
        Workload::new(packing, &file, &format!("{}-{embedding}-{hidden}-shift{shift}-folded", cell.name()), folder)
    }

    /// Writes a random model with weights of 4, 8 and 16 bits.
    pub fn of_widths(cell: Cell, bits: [u32; 4], folder: &Path) -> Result<Self> {
        let spec = Spec { cell, bits, ..sizes(20, 12).into() };
        let name = format!("{}-{}", cell.name(), bits.map(|bits| bits.to_string()).join("-"));
        Workload::new(Packing::Rows, &spec.file(7), &name, folder)
    }

    /// Writes a random model of any cell.
    pub fn of_cell(cell: Cell, embedding: usize, hidden: usize, folder: &Path) -> Result<Self> {
        let file = Spec { cell, ..sizes(embedding, hidden).into() }.file((embedding * 1_000 + hidden) as u64);
        let name = format!("{}-{embedding}-{hidden}", cell.name());
        Workload::new(Packing::plain(cell), &file, &name, folder)
    }

    /// Writes random models of every cell and packing, with ids of short texts.
    pub fn of_texts(folder: &Path) -> Result<Vec<Self>> {
        let sizes = sizes(12, 20);
        let lstms = Packing::LSTM.map(|packing| (Cell::Lstm, packing, random_file_in(packing, 7, sizes, "1")));
        let others = [Cell::Gru, Cell::Rnn, Cell::RnnRelu].map(|cell| {
            let spec = Spec { cell, layers: 2, ..sizes.into() };
            (cell, Packing::plain(cell), spec.file(7))
        });
        let all = lstms.into_iter().chain(others);
        all.map(|(cell, packing, file)| {
            let mut ids = ids(Model::from_bytes(&file)?.config().vocab_size);
            ids.iter_mut().step_by(9).for_each(|id| *id |= TEXT_ENDS);
            Workload::over(packing, &file, &ids, &format!("{}-texts", cell.name()), folder)
        })
        .collect()
    }

    fn new(packing: Packing, file: &[u8], name: &str, folder: &Path) -> Result<Self> {
        let ids = ids(Model::from_bytes(file)?.config().vocab_size);
        Workload::over(packing, file, &ids, name, folder)
    }

    /// Writes a model and ids into `folder`.
    pub fn over(packing: Packing, file: &[u8], ids: &[u32], name: &str, folder: &Path) -> Result<Self> {
        let model = Model::from_bytes(file)?;
        let path = |what: &str| folder.join(format!("{name}-{}.{what}", packing.name()));
        let workload = Workload {
            cell: model.config().cell,
            packing,
            embedding: model.config().embedding_dim,
            hidden: model.config().hidden_size,
            macs_per_step: model.macs_per_token(),
            scratch_bytes: 4 * model.scratch_len(),
            tokens: ids.len(),
            hash: hash(&model, ids)?,
            model: path("safetensors"),
            ids: path("ids"),
        };
        write(&workload.model, file)?;
        write(&workload.ids, &words(ids))?;
        Ok(workload)
    }
}

fn sizes(embedding_dim: usize, hidden_size: usize) -> Sizes {
    Sizes { embedding_dim, hidden_size, classes: 2 }
}

fn ids(vocab_size: usize) -> Vec<u32> {
    let mut random = Random(STEPS as u64);
    (0..STEPS).map(|_| random.between(1, vocab_size as i64 - 1) as u32).collect()
}

fn words(ids: &[u32]) -> Vec<u8> {
    std::iter::once(ids.len() as u32).chain(ids.iter().copied()).flat_map(u32::to_le_bytes).collect()
}

/// Computes the hash as `firmware/bench` does.
fn hash(model: &Model<'_>, ids: &[u32]) -> Result<u32> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch)?;
    Ok(ids.iter().fold(0, |hash: u32, &id| {
        session.feed_id(id & !TEXT_ENDS);
        let hash = hash.rotate_left(1) ^ session.state_hash();
        if id & TEXT_ENDS == 0 {
            return hash;
        }
        let hash = session.logits().iter().fold(hash, |hash, logit| hash.rotate_left(1) ^ logit as u32);
        session.reset();
        hash
    }))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_hash_are_the_same_every_time() {
        let file =
            random_file_in(Packing::Interleaved4, 1, Sizes { embedding_dim: 4, hidden_size: 4, classes: 2 }, "0");
        let model = Model::from_bytes(&file).unwrap();
        let ids = ids(model.config().vocab_size);
        assert_eq!((ids.len(), hash(&model, &ids).unwrap()), (STEPS, hash(&model, &ids).unwrap()));
        assert_eq!(words(&[1, 258]), [2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0]);
    }
}
