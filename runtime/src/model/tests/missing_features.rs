//! Tests that a file which needs a feature that is off is refused with the name of the feature. `cargo xtask test` also
//! runs these tests in a small build.

use super::{SMALL, error_of, words};
use crate::error::LoadError;
use crate::layers::head::Refusal;
use crate::model::Model;
use crate::testing::{Aligned, Sizes, Spec, tensors};
use crate::write::{Dtype, Tensor, packed, to_bytes};
use tern_format::{Cell, Packing};

macro_rules! words {
    ($($key:literal = $word:literal needs $feature:literal),* $(,)?) => {
        [$(($key, $word, $feature, cfg!(feature = $feature))),*]
    };
}

#[test]
fn a_value_whose_feature_is_off_names_the_feature() {
    let all = words! {
        "tern.input" = "values" needs "values",
        "tern.tokenizer" = "html_words" needs "html_words",
        "tern.tokenizer" = "wordpiece_cased" needs "wordpiece",
        "tern.vocabulary" = "fingerprints" needs "token_fingerprints",
        "tern.cell" = "gru" needs "gru",
        "tern.cell" = "rnn" needs "rnn",
        "tern.cell" = "rnn_relu" needs "rnn",
        "tern.layers" = "4" needs "stacked",
        "tern.directions" = "2" needs "bidirectional",
        "tern.pooling" = "mean" needs "pooling",
        "tern.pooling" = "mean_max" needs "pooling",
        "tern.packing" = "interleaved4" needs "interleaved4",
        "tern.packing" = "paired16" needs "paired16",
        "tern.packing" = "interleaved3" needs "gru",
        "tern.packing" = "interleaved1" needs "rnn",
        "tern.packing" = "rows" needs "widths",
    };
    let built = if cfg!(feature = "interleaved4") { "interleaved4" } else { "paired16" };
    for (key, word, feature, is_built) in all {
        let mut file = words(&[("tern.packing", built)]);
        file.retain(|(known, _)| known != key);
        file.push((key.into(), word.into()));
        let found = Model::from_bytes(&Aligned::new(&to_bytes(&file, tensors(1, SMALL)))).err();
        let missing = LoadError::MissingFeature { name: key.into(), feature };
        // `widths` builds all cells in, but not for `paired16`.
        let is_cell = key == "tern.cell" && cfg!(feature = "widths") && built != "paired16";
        assert_eq!(found == Some(missing), !is_built && !is_cell, "{key}, {word}: {found:?}");
    }
}

/// `widths` builds all cells in, but only for the packing `rows`.
#[test]
fn a_cell_in_paired16_whose_feature_is_off_names_the_feature() {
    for (cell, feature, is_built) in
        [(Cell::Gru, "gru", cfg!(feature = "gru")), (Cell::Rnn, "rnn", cfg!(feature = "rnn"))]
    {
        let spec = Spec { cell, ..Sizes { embedding_dim: 4, hidden_size: 4, classes: 2 }.into() };
        let (metadata, tensors) = packed(Packing::Paired16, &spec.metadata(), spec.tensors(1));
        let found = Model::from_bytes(&Aligned::new(&to_bytes(&metadata, tensors))).err();
        if cfg!(feature = "paired16") {
            let missing = LoadError::MissingFeature { name: "tern.cell".into(), feature };
            assert_eq!(found, if is_built { None } else { Some(missing) }, "{cell}");
        }
    }
}

#[test]
fn a_key_whose_feature_is_off_names_the_feature() {
    let mut file = words(&[]);
    file.push(("tern.shift.hidden".into(), "0".into()));
    let found = error_of(&file, tensors(1, SMALL));
    if cfg!(all(feature = "interleaved4", not(feature = "hidden"))) {
        assert_eq!(found, LoadError::MissingFeature { name: "tern.shift.hidden".into(), feature: "hidden" });
    }
}

#[test]
fn an_ngram_branch_whose_feature_is_off_names_the_feature() {
    let mut file = words(&[]);
    // A model without a recurrent branch has no cell.
    file.retain(|(key, _)| key != "tern.cell");
    file.push(("tern.ngrams.words".into(), "1".into()));
    let found = error_of(&file, tensors(1, SMALL));
    let missing = LoadError::MissingFeature { name: "tern.ngrams.words".into(), feature: "ngrams" };
    assert_eq!(found == missing, cfg!(not(feature = "ngrams")), "{found}");
}

#[test]
fn a_tensor_whose_feature_is_off_names_the_feature() {
    let mut more = tensors(1, SMALL);
    more.push(Tensor::new("folded.ids", Dtype::U32, &[1], &[2u32]));
    let found = error_of(&words(&[]), more);
    if cfg!(all(feature = "interleaved4", not(feature = "folding"))) {
        assert_eq!(found, LoadError::MissingFeature { name: "folded.ids".into(), feature: "folding" });
    }
    let mut refusing = tensors(1, SMALL);
    refusing.push(Tensor::refusal(Refusal { below: 1, class: None }));
    let found = Model::from_bytes(&Aligned::new(&to_bytes(&words(&[]), refusing))).err();
    if cfg!(all(feature = "interleaved4", not(feature = "refusal"))) {
        assert_eq!(found, Some(LoadError::MissingFeature { name: "refusal".into(), feature: "refusal" }));
    }
    let mut wide = tensors(1, SMALL);
    wide.iter_mut().filter(|t| t.name == "fc.weight").for_each(|t| t.dtype = Dtype::U8);
    let found = error_of(&words(&[]), wide);
    if cfg!(all(feature = "interleaved4", not(feature = "widths"))) {
        assert_eq!(found, LoadError::MissingFeature { name: "fc.weight".into(), feature: "widths" });
    }
}
