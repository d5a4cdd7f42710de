//! Small models and saved states with changes that the fuzzer chooses.

use std::cell::RefCell;
use std::rc::Rc;

use arbitrary::{Result, Unstructured};
use tern_runtime::testing::{Aligned, Sizes, Spec};
use tern_runtime::text::{Tokenizer, TokenizerKind};
use tern_runtime::write::{Dtype, Metadata, Tensor, folded, packed, to_bytes};
use tern_runtime::{Input, Model, Packing};

/// The metadata of a device file: keys and values.
type Entries = Vec<(String, String)>;

/// The ends of the ranges of 8-bit, 16-bit and 32-bit integers, and the numbers next to 0.
const EDGES: [i32; 8] = [i32::MIN, -32_768, -128, -1, 0, 127, 32_767, i32::MAX];

/// The choices that determine a random model: the seed, whether its packing is `paired16` if it can be, and the index
/// of its tokenizer among [`Tokenizer::ALL`], which it uses if it can.
type Choice = (u16, bool, usize);

/// A random model: its metadata and tensors.
type Base = Rc<(Entries, Vec<Tensor>)>;

/// The number of seeds.
const SEEDS: u16 = 4_096;

/// The number of models that are kept, of about 10 KB each.
const KEPT: usize = 16_384;

thread_local! {
    /// Models that were made before, each at the place that its choice determines. Most inputs of a fuzzer choose the
    /// model of another input.
    static MODELS: RefCell<Vec<Option<(Choice, Base)>>> = const { RefCell::new(Vec::new()) };
}

/// Returns the random model that the bytes choose.
fn base(bytes: &mut Unstructured<'_>) -> Result<Base> {
    let choice: Choice =
        (bytes.arbitrary::<u16>()? % SEEDS, bytes.arbitrary()?, bytes.choose_index(Tokenizer::ALL.len())?);
    MODELS.with_borrow_mut(|models| {
        models.resize(KEPT, None);
        let place = (usize::from(choice.0) + 5_957 * choice.2 + 2_111 * usize::from(choice.1)) % KEPT;
        match &models[place] {
            Some((kept, model)) if *kept == choice => Ok(model.clone()),
            _ => {
                let model = Rc::new(made(choice));
                models[place] = Some((choice, model.clone()));
                Ok(model)
            }
        }
    })
}

/// Makes a random model. Of every four seeds, one gives an n-gram branch and one weights of 4, 8 and 16 bits; every
/// third one folds tokens if the model can.
fn made((seed, paired, tokenizer): Choice) -> (Entries, Vec<Tensor>) {
    let seed = u64::from(seed);
    let mut spec = match seed % 4 {
        0 => Spec::random_ngrams(seed),
        1 => Spec::random_widths(seed),
        _ => Spec::random(seed),
    };
    let mut packing = spec.fields().packing;
    let Sizes { embedding_dim, hidden_size, .. } = &mut spec.sizes;
    if spec.bits != [8; 4] {
        // More than a group of 4-bit weights, and more than two blocks of units of AVX2; no more than that, for speed.
        (*embedding_dim, *hidden_size) = ((*embedding_dim).min(20), (*hidden_size).min(18));
    } else if paired {
        packing = Packing::Paired16;
        // 4 or 8, and 4, 8 or 12, if they are not 0.
        *embedding_dim = embedding_dim.next_multiple_of(4);
        *hidden_size = if *hidden_size > 6 { 12 } else { hidden_size.next_multiple_of(4) };
    }
    let mut tokenizer = if spec.input == Input::Tokens { Tokenizer::ALL[tokenizer] } else { Tokenizer::WORDS };
    // With the tokenizer `bytes`, a recurrent branch has a vocabulary of 258 ids, which the random models do not have.
    if tokenizer.kind == TokenizerKind::Bytes && spec.layers > 0 {
        tokenizer = Tokenizer::WORDS;
    }
    // The look-up of WordPiece needs the texts of the tokens.
    spec.fingerprints &= tokenizer.kind != TokenizerKind::WordPiece;
    // Without words, there are no n-grams of words, so there must be some of characters: see `Ngrams::check`.
    if let Some(branch) = spec.ngrams.as_mut().filter(|_| tokenizer.is_one_word()) {
        branch.ngrams.words = 0;
        branch.ngrams.min_chars = branch.ngrams.min_chars.max(1);
        branch.ngrams.max_chars = branch.ngrams.max_chars.max(3);
    }
    let metadata = Metadata { tokenizer, packing, ..spec.fields() }.entries();
    let mut tensors = spec.tensors(seed);
    // The tensors of weights of other widths are in their packing already.
    if spec.bits == [8; 4] {
        (_, tensors) = packed(packing, &[], tensors);
    }
    if seed % 3 == 1 && spec.input == Input::Tokens && spec.layers > 0 {
        let file = Aligned::new(&to_bytes(&metadata, tensors.clone()));
        let model = Model::from_bytes(&file).expect("a random model loads");
        tensors.extend(folded(&model, &[1, 3, 4, 9]));
    }
    (metadata, tensors)
}

/// Returns the file of a random model without changes.
pub fn unchanged(bytes: &mut Unstructured<'_>) -> Result<Aligned> {
    let model = base(bytes)?;
    let (metadata, tensors) = &*model;
    Ok(Aligned::new(&to_bytes(metadata, tensors.clone())))
}

/// Returns the file of a random model with up to seven changes to its metadata or tensors, and up to three to its
/// bytes.
pub fn file(bytes: &mut Unstructured<'_>) -> Result<Aligned> {
    let (mut metadata, mut tensors) = (*base(bytes)?).clone();
    for _ in 0..bytes.int_in_range(0..=7)? {
        change(bytes, &mut metadata, &mut tensors)?;
    }
    let mut file = to_bytes(&metadata, tensors);
    for _ in 0..bytes.int_in_range(0..=3)? {
        let at = bytes.choose_index(file.len())?;
        file[at] = bytes.arbitrary()?;
    }
    Ok(Aligned::new(&file))
}

/// Changes one value of the metadata, or one tensor.
fn change(bytes: &mut Unstructured<'_>, metadata: &mut Entries, tensors: &mut Vec<Tensor>) -> Result<()> {
    if bytes.ratio(1, 4)? {
        let words = ["0", "1", "2", "3", "4", "8", "lstm", "gru", "rnn", "mean", "max", "concat", "values", "tokens"];
        let (from, to) = (bytes.choose_index(metadata.len())?, bytes.choose_index(metadata.len())?);
        metadata[to].1 = if bytes.arbitrary()? { metadata[from].1.clone() } else { (*bytes.choose(&words)?).into() };
        return Ok(());
    }
    let index = bytes.choose_index(tensors.len())?;
    let other = tensors[bytes.choose_index(tensors.len())?].clone();
    let tensor = &mut tensors[index];
    match bytes.int_in_range(0..=9)? {
        0 => drop(tensors.swap_remove(index)),
        1 => {
            let copy = tensor.clone();
            tensors.push(copy);
        }
        2 => tensor.name = other.name,
        3 => tensor.shape = other.shape,
        4 => {
            // The data get the length of the new shape, so that the byte range of the tensor stays valid.
            let at = bytes.choose_index(tensor.shape.len().max(1))?;
            if let Some(size) = tensor.shape.get_mut(at) {
                *size = bytes.int_in_range(0..=9)?;
                tensor.data.resize(tensor.shape.iter().product::<usize>() * tensor.dtype.size(), 1);
            }
        }
        5 => tensor.dtype = *bytes.choose(&[Dtype::I8, Dtype::U8, Dtype::I16, Dtype::I32, Dtype::U32, Dtype::F32])?,
        // All bytes get the same value.
        6 => tensor.data.fill(bytes.arbitrary()?),
        // All numbers get the same value: an edge, cut to their width.
        7 => {
            let (edge, size) = (bytes.choose(&EDGES)?.to_le_bytes(), tensor.dtype.size());
            tensor.data.chunks_exact_mut(size).for_each(|number| number.copy_from_slice(&edge[..size]));
        }
        _ if tensor.data.is_empty() => {}
        // One number gets another value.
        _ => {
            let size = tensor.dtype.size();
            let at = bytes.choose_index(tensor.data.len() / size)? * size;
            let number = if bytes.arbitrary()? { *bytes.choose(&EDGES)? } else { bytes.arbitrary()? };
            tensor.data[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
        }
    }
    Ok(())
}

/// Returns the saved state `saved` with up to seven changed bytes, sometimes with another length, and with a correct
/// checksum, the FNV-1a hash in its last four bytes.
pub fn state(bytes: &mut Unstructured<'_>, mut saved: Vec<u8>) -> Result<Vec<u8>> {
    if bytes.ratio(1, 8)? {
        saved.resize(bytes.int_in_range(0..=saved.len() + 9)?, 0);
    }
    for _ in 0..bytes.int_in_range(0..=7)? {
        let at = bytes.choose_index(saved.len())?;
        saved[at] = bytes.arbitrary()?;
    }
    if let Some((state, sum)) = saved.split_last_chunk_mut::<4>() {
        let fnv1a = |hash: u32, &byte: &u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        *sum = state.iter().fold(0x811c_9dc5, fnv1a).to_le_bytes();
    }
    Ok(saved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each base model loads with each tokenizer, in both packings.
    #[test]
    fn the_models_load() {
        let load = |choice| {
            let (metadata, tensors) = made(choice);
            let file = Aligned::new(&to_bytes(&metadata, tensors));
            assert_eq!(Model::from_bytes(&file).map(|_| ()), Ok(()), "{choice:?}");
        };
        for seed in 0..SEEDS {
            load((seed, seed % 5 < 2, usize::from(seed) % Tokenizer::ALL.len()));
        }
    }
}
