//! The workloads of the measuring firmware, `firmware/bench`: a model with random weights, the token ids or bytes that
//! it reads, and the hash of its states, computed on this computer, the host.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tern_runtime::testing::{NgramSpec, Random, Sizes, Spec, extreme_file_in, random_file_in};
use tern_runtime::{Cell, Model, Ngrams, Packing};

use crate::repo;

/// The number of steps in one run.
pub const STEPS: usize = 256;

/// The bit of an id that marks the last token of a text, as in `firmware/bench`.
pub const TEXT_ENDS: u32 = 1 << 31;

/// The bit of an id that marks a byte of a text instead of a token, as in `firmware/bench`.
pub const BYTE: u32 = 1 << 30;

/// A text for models with an n-gram branch.
const NGRAM_TEXT: &str =
    "please turn on the light in the kitchen, then tell me whether the door of the garage is closed; ";

/// The sizes of the models whose instructions are counted.
const SIZES: [Sizes; 4] = [sizes(16, 16), sizes(20, 64), sizes(32, 64), sizes(64, 128)];

/// The sizes of models in plain packings, each with the shift of its recurrent layer, chosen so that every unrolled
/// loop has a remainder.
const ODD_PLAIN: [(Sizes, u32); 3] = [(sizes(3, 5), 0), (sizes(12, 20), 2), (sizes(21, 7), 3)];

/// The sizes of models in `paired16`, each with the shift of its recurrent layer, chosen so that the unrolled loops are
/// entered at every possible block.
const ODD_PAIRED: [(Sizes, u32); 4] = [(sizes(4, 4), 1), (sizes(20, 28), 0), (sizes(36, 8), 4), (sizes(12, 24), 5)];

/// The sizes of models with all weights and states at the ends of their ranges. Much larger ones are refused, because
/// their sums could overflow.
const EXTREME: Sizes = sizes(116, 384);

/// The number of steps after which the states of a model with the sizes [`EXTREME`] have reached the ends of their
/// ranges.
const EXTREME_STEPS: usize = 16;

/// The seed of the weights of models whose seed does not depend on their sizes.
const SEED: u64 = 7;

/// Writes the workloads whose instructions are counted to files in `folder`, and returns them.
pub fn counted(folder: &Path) -> Result<Vec<Workload>> {
    let mut workloads = Vec::new();
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn] {
        for packing in Packing::for_8_bits(cell) {
            for sizes in SIZES {
                workloads.push(random(cell, packing, sizes, folder)?);
            }
        }
    }
    Ok(workloads)
}

/// Writes the workloads whose states are only compared with the host's to files in `folder`, and returns them. Their
/// models have odd sizes, folded tokens, weights of several widths, operands at the ends of their ranges, short texts,
/// n-grams, and two layers.
pub fn compared(folder: &Path) -> Result<Vec<Workload>> {
    let mut workloads = Vec::new();
    for &cell in Cell::ALL {
        // Odd sizes. Some tokens of the models are folded, the others are not.
        for (sizes, shift) in ODD_PLAIN {
            workloads.push(folded(cell, Packing::plain(cell), sizes, shift, folder)?);
        }
        for (sizes, shift) in ODD_PAIRED {
            workloads.push(folded(cell, Packing::Paired16, sizes, shift, folder)?);
        }
        workloads.push(folded(cell, Packing::Rows, sizes(20, 6), 1, folder)?);
        // Weights of several widths.
        for bits in [[8, 4, 16, 4], [4, 16, 4, 16]] {
            let name = format!("{}-{}", cell.name(), bits.map(|bits| bits.to_string()).join("-"));
            let file = Spec { cell, bits, ..sizes(20, 12).into() }.file(SEED);
            workloads.push(Workload::of_steps(Packing::Rows, &file, &name, folder)?);
        }
        for packing in Packing::for_8_bits(cell) {
            // Operands at the ends of their ranges.
            for sign in [-1, 1] {
                let file = extreme_file_in(packing, sign, Spec { cell, ..EXTREME.into() });
                let ids = random_ids(Model::from_bytes(&file)?.config().vocab_size);
                let name = format!("{}-extreme{sign}", cell.name());
                workloads.push(Workload::over(packing, &file, &ids[..EXTREME_STEPS], &name, folder)?);
            }
            let file = random_file_in(packing, SEED, Spec { cell, ..sizes(12, 20).into() }, "1");
            workloads.push(Workload::of_texts(packing, &file, &format!("{}-texts", cell.name()), folder)?);
        }
    }
    // N-grams, in texts of 20 bytes.
    let ids: Vec<u32> = ids_of_bytes(NGRAM_TEXT).chunks(20).flat_map(with_end).collect();
    for seed in 0..12 {
        let file = Spec::random_ngrams(seed).file(seed);
        workloads.push(Workload::over(Packing::Rows, &file, &ids, &format!("ngrams-{seed}"), folder)?);
    }
    // Two layers.
    for cell in [Cell::Gru, Cell::Rnn, Cell::RnnRelu] {
        let file = Spec { cell, layers: 2, ..sizes(12, 20).into() }.file(SEED);
        workloads.push(Workload::of_texts(Packing::plain(cell), &file, &format!("{}-stack", cell.name()), folder)?);
    }
    Ok(workloads)
}

/// Two models that read the same text. The difference of their costs is the cost of the n-gram branch.
pub struct NgramWorkloads {
    /// The number of columns (the rank) of the n-gram table.
    pub columns: usize,
    /// True if the table has fingerprints. Those of the buckets are the fingerprints of the text's n-grams, so that
    /// every n-gram counts.
    pub fingerprints: bool,
    /// A model with an n-gram branch: words, pairs of words and 3 to 5 characters.
    pub with: Workload,
    /// The same model without the branch.
    pub without: Workload,
    /// The number of tokens and of characters of the text together.
    pub tokens_and_characters: usize,
}

/// Writes the two workloads that measure the n-gram branch, with a table of 4-bit weights, to files in `folder`.
pub fn ngrams(columns: usize, fingerprints: bool, folder: &Path) -> Result<NgramWorkloads> {
    let kinds = Ngrams { words: 2, min_chars: 3, max_chars: 5 };
    let branch = NgramSpec {
        ngrams: kinds,
        buckets: 4_096,
        rank: columns,
        bits: 4,
        // The text is read several times in a row: `; please` has the n-grams between its end and its beginning.
        counted: if fingerprints { &[NGRAM_TEXT, "; please"] } else { &[] },
        shift: 2,
        pooled_shift: 0,
    };
    let spec = Spec::from(sizes(4, 4));
    let text = NGRAM_TEXT.repeat(20);
    let ids = ids_of_bytes(&text);
    let write = |spec: Spec, name: &str| Workload::over(Packing::Interleaved4, &spec.file(SEED), &ids, name, folder);
    let with = write(Spec { ngrams: Some(branch), ..spec }, &format!("with-ngrams-{columns}-{fingerprints}"))?;
    let without = write(spec, "without-ngrams")?;
    let file = spec.file(SEED);
    let model = Model::from_bytes(&file)?;
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch)?;
    session.feed(text.as_bytes());
    let tokens = session.tokens() as usize;
    Ok(NgramWorkloads { columns, fingerprints, with, without, tokens_and_characters: tokens + text.chars().count() })
}

/// Writes a workload with a random model, whose recurrent layer has the shift 0, to files in `folder`.
fn random(cell: Cell, packing: Packing, sizes: Sizes, folder: &Path) -> Result<Workload> {
    // The seed gives each pair of sizes other weights.
    let seed = (sizes.embedding_dim * 1_000 + sizes.hidden_size) as u64;
    let file = random_file_in(packing, seed, Spec { cell, ..sizes.into() }, "0");
    Workload::of_steps(packing, &file, &name(cell, sizes), folder)
}

/// Writes a workload with a random model that has some folded tokens to files in `folder`.
fn folded(cell: Cell, packing: Packing, sizes: Sizes, shift: u32, folder: &Path) -> Result<Workload> {
    let spec = Spec { cell, shift, ..sizes.into() };
    let file = spec.folded_file(packing, sizes.hidden_size as u64, &[1, 3, 4, 9]);
    Workload::of_steps(packing, &file, &format!("{}-shift{shift}-folded", name(cell, sizes)), folder)
}

/// Returns the beginning of the names of a model's files.
fn name(cell: Cell, Sizes { embedding_dim, hidden_size, .. }: Sizes) -> String {
    format!("{}-{embedding_dim}-{hidden_size}", cell.name())
}

/// Returns the sizes of a model with two labels.
const fn sizes(embedding_dim: usize, hidden_size: usize) -> Sizes {
    Sizes { embedding_dim, hidden_size, classes: 2 }
}

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
    /// The number of ids.
    pub id_count: usize,
    /// Hash of the states after every step, and of the logits after every text, on the host.
    pub hash: u32,
    /// The path of the device file.
    pub model: PathBuf,
    /// The path of the ids: their number, then the ids, as little-endian `u32`. The upper bits of an id can have the
    /// marks [`TEXT_ENDS`] and [`BYTE`].
    pub ids: PathBuf,
}

impl Workload {
    /// Writes a model into `folder`, with [`STEPS`] ids of one text.
    fn of_steps(packing: Packing, file: &[u8], name: &str, folder: &Path) -> Result<Self> {
        let ids = random_ids(Model::from_bytes(file)?.config().vocab_size);
        Workload::over(packing, file, &ids, name, folder)
    }

    /// Writes a model into `folder`, with [`STEPS`] ids of texts of nine tokens. The first text has one token, and the
    /// last one has no end.
    fn of_texts(packing: Packing, file: &[u8], name: &str, folder: &Path) -> Result<Self> {
        let mut ids = random_ids(Model::from_bytes(file)?.config().vocab_size);
        for last in ids.iter_mut().step_by(9) {
            *last |= TEXT_ENDS;
        }
        Workload::over(packing, file, &ids, name, folder)
    }

    /// Writes a model and ids into `folder`. `file`: the device file; `packing`: its packing, for the names of the
    /// files; `name`: the beginning of these names.
    pub fn over(packing: Packing, file: &[u8], ids: &[u32], name: &str, folder: &Path) -> Result<Self> {
        let model = Model::from_bytes(file)?;
        let path = |extension: &str| folder.join(format!("{name}-{}.{extension}", packing.name()));
        let workload = Workload {
            cell: model.config().cell,
            packing,
            embedding: model.config().embedding_dim,
            hidden: model.config().hidden_size,
            macs_per_step: model.macs_per_token(),
            scratch_bytes: 4 * model.scratch_len(),
            id_count: ids.len(),
            hash: hash(&model, ids)?,
            model: path("safetensors"),
            ids: path("ids"),
        };
        repo::write(&workload.model, file)?;
        repo::write(&workload.ids, contents_of_ids_file(ids))?;
        Ok(workload)
    }
}

/// Returns [`STEPS`] random ids, the same in every call; none is 0, the id of PAD.
fn random_ids(vocab_size: usize) -> Vec<u32> {
    let mut random = Random(STEPS as u64);
    (0..STEPS).map(|_| random.between(1, vocab_size as i64 - 1) as u32).collect()
}

/// Returns an id with the mark [`BYTE`] for each byte of a text.
fn ids_of_bytes(text: &str) -> Vec<u32> {
    text.bytes().map(|byte| u32::from(byte) | BYTE).collect()
}

/// Returns the ids of a text, with the mark [`TEXT_ENDS`] on the last.
pub fn with_end(ids: &[u32]) -> Vec<u32> {
    let mut ids = ids.to_vec();
    if let Some(last) = ids.last_mut() {
        *last |= TEXT_ENDS;
    }
    ids
}

/// Returns the contents of the file [`Workload::ids`].
fn contents_of_ids_file(ids: &[u32]) -> Vec<u8> {
    let mut contents = (ids.len() as u32).to_le_bytes().to_vec();
    contents.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
    contents
}

/// Computes [`Workload::hash`], as `firmware/bench` does: a hash of the state after every id and of the logits after
/// every text. A value is added to the hash by a rotation and an exclusive or.
fn hash(model: &Model<'_>, ids: &[u32]) -> Result<u32> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch)?;
    let mut hash: u32 = 0;
    for &id in ids {
        let is_byte = id & BYTE != 0;
        let ends_text = id & TEXT_ENDS != 0;
        if is_byte {
            // The low 8 bits, without the marks.
            session.feed(&[id as u8]);
        } else {
            session.feed_id(id & !TEXT_ENDS);
        }
        hash = hash.rotate_left(1) ^ session.state_hash();
        if !ends_text {
            continue;
        }
        if is_byte {
            session.finish();
        }
        for logit in session.logits().iter() {
            hash = hash.rotate_left(1) ^ logit as u32;
        }
        session.reset();
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_hash_are_the_same_every_time() {
        let file = random_file_in(Packing::Interleaved4, 1, sizes(4, 4), "0");
        let model = Model::from_bytes(&file).unwrap();
        let ids = random_ids(model.config().vocab_size);
        assert_eq!((ids.len(), hash(&model, &ids).unwrap()), (STEPS, hash(&model, &ids).unwrap()));
        assert_eq!(contents_of_ids_file(&[1, 258]), [2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0]);
    }
}
