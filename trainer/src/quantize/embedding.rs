//! Quantisation of the embedding, in the order of the device's token ids. A device file sorts its tokens by their bytes
//! or by their fingerprints, so a token has another id there (a device id) than in the float model (a float id).

use super::row::{Row, quantize_row};
use crate::recipe::{Bits, StoredTokens};
use crate::vocabulary::{PAD, RESERVED_IDS, Vocabulary};
use crate::weights::Array;
use tern_format::TokenizerKind;
use tern_runtime::write::{FingerprintVocabulary, Tensor};

/// The quantised embedding and the vocabulary of its rows.
#[derive(Debug)]
pub struct Embedding {
    /// The real value of the integer 2^15 in the first layer's input `x`.
    pub scale: f64,
    /// The rows of PAD, UNK and the tokens, in the order of the device ids.
    pub rows: Vec<Row>,
    /// The tensors of the vocabulary; empty for bytes, whose vocabulary is not stored.
    pub vocabulary: Vec<Tensor>,
    /// True if the file stores fingerprints of the tokens in place of their texts.
    pub has_token_fingerprints: bool,
    /// The float id of each device id.
    pub float_ids: Vec<usize>,
}

/// Quantises the embedding `table`, `[vocab_size, embedding_dim]`, to weights of the width `bits`. The row of PAD
/// becomes zero, since no text contains PAD. `stored`: the form in which the file stores the tokens.
pub fn quantize(vocabulary: &Vocabulary, table: &Array, bits: Bits, stored: StoredTokens) -> Embedding {
    let dim = table.shape[1];
    let (float_ids, vocabulary_tensors, has_token_fingerprints) = stored_vocabulary(vocabulary, stored);

    let float_row = |id: usize| -> Vec<f64> {
        if id == PAD as usize {
            return vec![0.0; dim];
        }
        table.data[id * dim..][..dim].iter().map(|&value| f64::from(value)).collect()
    };
    let largest = (0..vocabulary.len()).flat_map(float_row).fold(0f64, |max, value| max.max(value.abs()));
    // The device computes x = (weight · multiplier) >> 7, and x = 2^15 has the real value `scale`. So the weight 1 with
    // the multiplier 1 is worth scale / 2^22. The row with the largest value gets the weight 127 and the largest
    // multiplier, 32,767. The file contains the scale as an f32, which is rounded up so that the multiplier still fits.
    let fitting = largest / (127.0 * 32_767.0) * f64::from(1 << 22);
    let scale = if largest > 0.0 { f64::from((fitting as f32).next_up()) } else { 1.0 };
    let base_step = scale / f64::from(1 << 22);
    let quantized_row = |&id: &usize| {
        let row = quantize_row(bits, &float_row(id), None, base_step, 1.0);
        row.expect("the scale is chosen so that every multiplier fits")
    };
    let rows = float_ids.iter().map(quantized_row).collect();
    Embedding { scale, rows, vocabulary: vocabulary_tensors, has_token_fingerprints, float_ids }
}

/// Returns the float id of each device id, the tensors of the vocabulary, and true if these store fingerprints.
/// Vocabularies of millions of tokens may have no fingerprints without collisions; the file then stores the texts.
fn stored_vocabulary(vocabulary: &Vocabulary, stored: StoredTokens) -> (Vec<usize>, Vec<Tensor>, bool) {
    if stored == StoredTokens::Fingerprints {
        let tokens: Vec<&str> = vocabulary.tokens()[RESERVED_IDS..].iter().map(String::as_str).collect();
        if let Some(FingerprintVocabulary { order, tensors }) = FingerprintVocabulary::new(&tokens) {
            let float_ids = (0..RESERVED_IDS).chain(order.into_iter().map(|index| index + RESERVED_IDS)).collect();
            return (float_ids, tensors.into(), true);
        }
    }
    let float_ids: Vec<usize> = vocabulary.device_order().into_iter().map(|id| id as usize).collect();
    let tensors = match vocabulary.tokenizer().kind {
        TokenizerKind::Bytes => Vec::new(),
        _ => {
            let tokens = float_ids[RESERVED_IDS..].iter().map(|&id| vocabulary.tokens()[id].as_str());
            Tensor::texts("vocab", tokens).into()
        }
    };
    (float_ids, tensors, false)
}

impl Embedding {
    /// Returns the dequantised rows in the order of the float ids: `[vocab_size][embedding_dim]`.
    pub fn by_float_id(&self) -> Vec<Vec<f64>> {
        let mut table = vec![vec![]; self.rows.len()];
        for (row, &id) in self.rows.iter().zip(&self.float_ids) {
            table[id] = row.dequantize(None);
        }
        table
    }
}
