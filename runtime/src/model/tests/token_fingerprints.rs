//! Tests of classifiers whose files store fingerprints of the tokens in place of their texts.

use super::*;
use crate::Step;
use crate::testing::{Spec, TOKENS};
use tern_format::Task;

fn spec() -> Spec {
    Spec { fingerprints: true, ..SMALL.into() }
}

/// The error of the model whose tensor `name` has been changed.
fn changed(name: &str, change: impl Fn(&mut Tensor)) -> LoadError {
    let mut all = spec().tensors(1);
    change(all.iter_mut().find(|tensor| tensor.name == name).unwrap());
    error_of(&spec().metadata(), all)
}

/// Replaces the elements of a tensor of 32-bit numbers.
fn set_numbers(tensor: &mut Tensor, numbers: &[u32]) {
    tensor.shape = vec![numbers.len()];
    tensor.data = bytemuck::cast_slice(numbers).to_vec();
}

/// The ids of a text whose bytes arrive one by one. The state before each byte is saved and restored in another
/// session, which must give the same.
fn ids(model: &Model<'_>, text: &str) -> Vec<u32> {
    let [mut scratch, mut other_scratch] = [(); 2].map(|()| vec![0; model.scratch_len()]);
    let mut session = model.text_session(&mut scratch).unwrap();
    let (mut ids, mut state) = (Vec::new(), vec![0; model.state_len()]);
    for &byte in text.as_bytes() {
        let length = session.save(&mut state).unwrap();
        let mut restored = model.text_session(&mut other_scratch).unwrap();
        restored.restore(&state[..length]).unwrap();
        let mut restored_ids = Vec::new();
        restored.feed_with(&[byte], &mut |step: Step<'_>| restored_ids.push(step.id));
        let before = ids.len();
        session.feed_with(&[byte], &mut |step: Step<'_>| ids.push(step.id));
        assert_eq!(ids[before..], restored_ids);
        assert_eq!(session.state_hash(), restored.state_hash());
    }
    session.finish_with(&mut |step: Step<'_>| ids.push(step.id));
    ids
}

#[test]
fn each_token_has_an_id_of_its_own() {
    let file = spec().file(1);
    let model = Model::from_bytes(&file).unwrap();
    let vocabulary = model.vocabulary();
    assert_eq!((vocabulary.size(), vocabulary.token(2)), (TOKENS.len() + 2, None));
    assert!(vocabulary.has_fingerprints());
    let mut known: Vec<u32> = TOKENS.iter().flat_map(|token| ids(&model, token)).collect();
    known.sort_unstable();
    assert_eq!(known, (2..10).collect::<Vec<u32>>());
    assert_eq!(ids(&model, "Free nothing GRÜSSE"), [ids(&model, "free")[0], 1, 1]);
}

#[test]
fn damaged_fingerprints_are_refused() {
    // There are 8 tokens in one bucket.
    let offsets = |index| LoadError::Texts { table: "vocab.buckets", index };
    // 3 buckets and 0 buckets are no powers of 2.
    assert_eq!(changed("vocab.buckets", |tensor| set_numbers(tensor, &[0, 2, 4, 8])), offsets(3));
    assert_eq!(changed("vocab.buckets", |tensor| set_numbers(tensor, &[0])), offsets(0));
    assert_eq!(changed("vocab.buckets", |tensor| set_numbers(tensor, &[0, 9])), offsets(0));
    assert_eq!(changed("vocab.buckets", |tensor| set_numbers(tensor, &[0, 5, 4, 4, 8])), offsets(1));
    let equal = changed("vocab.fingerprints", |tensor| tensor.data.copy_within(4..6, 6));
    assert_eq!(equal, LoadError::VocabularyOrder { index: 3 });
    let dtype = changed("vocab.fingerprints", |tensor| tensor.dtype = Dtype::I16);
    assert_eq!(dtype, LoadError::Type { tensor: "vocab.fingerprints".into(), expected: "U16" });
    // A bucket may be empty.
    let mut all = spec().tensors(1);
    let buckets = all.iter_mut().find(|tensor| tensor.name == "vocab.buckets").unwrap();
    set_numbers(buckets, &[0, 8, 8]);
    assert!(Model::from_bytes(&Aligned::new(&to_bytes(&spec().metadata(), all))).is_ok());
}

#[test]
fn only_classifiers_of_words_may_have_fingerprints() {
    let conflict =
        |found: &str, expected| LoadError::Unsupported { key: "tern.vocabulary".into(), found: found.into(), expected };
    let language_model = Spec { task: Task::LanguageModel, ..spec() };
    assert_eq!(error_of(&language_model.metadata(), language_model.tensors(1)), conflict("fingerprints", "sorted"));
    #[cfg(feature = "wordpiece")]
    {
        let mut metadata = spec().metadata();
        metadata.iter_mut().filter(|(key, _)| key == "tern.tokenizer").for_each(|(_, name)| *name = "wordpiece".into());
        assert_eq!(error_of(&metadata, spec().tensors(1)), conflict("fingerprints", "sorted"));
    }
    let plain = Spec { fingerprints: false, ..spec() };
    assert_eq!(error_of(&plain.metadata(), spec().tensors(1)), conflict("sorted", "fingerprints"));
    assert_eq!(error_of(&spec().metadata(), plain.tensors(1)), conflict("fingerprints", "sorted"));
}
