//! Small models and saved states with changes that the fuzzer chooses.

use arbitrary::{Result, Unstructured};
use tern_runtime::testing::{Aligned, Spec};
use tern_runtime::text::{Tokenizer, TokenizerKind};
use tern_runtime::write::{Dtype, Metadata, Tensor, packed, to_bytes};
use tern_runtime::{Input, Packing};

/// The metadata of a device file: keys and values.
type Entries = Vec<(String, String)>;

/// The ends of the ranges of 8-bit, 16-bit and 32-bit integers, and the numbers next to 0.
const EDGES: [i32; 8] = [i32::MIN, -32_768, -128, -1, 0, 127, 32_767, i32::MAX];

/// Returns the metadata and tensors of a random model, in a plain packing or `paired16`, with a random tokenizer. Every
/// fourth seed gives an n-gram branch.
fn parts(bytes: &mut Unstructured<'_>) -> Result<(Entries, Vec<Tensor>)> {
    let seed = u64::from(bytes.arbitrary::<u16>()?);
    let mut spec = if seed.is_multiple_of(4) { Spec::random_ngrams(seed) } else { Spec::random(seed) };
    let mut packing = Packing::plain(spec.cell);
    if bytes.arbitrary()? {
        packing = Packing::Paired16;
        spec.sizes.embedding_dim *= packing.size_multiple();
        spec.sizes.hidden_size *= packing.size_multiple();
    }
    let mut tokenizer = Tokenizer::WORDS;
    if spec.input == Input::Tokens {
        tokenizer = *bytes.choose(Tokenizer::ALL)?;
    }
    // With the tokenizer `bytes`, a recurrent branch has a vocabulary of 258 ids, which the random models do not have.
    if tokenizer.kind == TokenizerKind::Bytes && spec.layers > 0 {
        tokenizer = Tokenizer::WORDS;
    }
    // Without words, there are no n-grams of words, so there must be some of characters: see `Ngrams::check`.
    if let Some(branch) = spec.ngrams.as_mut().filter(|_| tokenizer.is_one_word()) {
        branch.ngrams.words = 0;
        branch.ngrams.min_chars = branch.ngrams.min_chars.max(1);
        branch.ngrams.max_chars = branch.ngrams.max_chars.max(3);
    }
    let metadata = Metadata { tokenizer, ..spec.fields() }.entries();
    Ok(packed(packing, &metadata, spec.tensors(seed)))
}

/// Returns the file of a random model without changes.
pub fn unchanged(bytes: &mut Unstructured<'_>) -> Result<Aligned> {
    let (metadata, tensors) = parts(bytes)?;
    Ok(Aligned::new(&to_bytes(&metadata, tensors)))
}

/// Returns the file of a random model with up to seven changes to its metadata or tensors, and up to three to its
/// bytes.
pub fn file(bytes: &mut Unstructured<'_>) -> Result<Aligned> {
    let (mut metadata, mut tensors) = parts(bytes)?;
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
