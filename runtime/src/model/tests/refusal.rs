//! Tests of classifiers that refuse to answer.

use super::*;
use crate::layers::head::{Answer, Refusal};
use crate::softmax::softmax;
use crate::testing::Spec;
use tern_format::{Output, Task};

const PLAIN: Refusal = Refusal { below: 30_000, class: None };

fn spec(refusal: Option<Refusal>) -> Spec {
    Spec { refusal, ..Sizes { classes: 3, ..SMALL }.into() }
}

/// The most probable class of each text, its probability, and the answer.
fn answers(spec: Spec) -> Vec<(usize, u32, Answer)> {
    let file = spec.file(5);
    let model = Model::from_bytes(&file).unwrap();
    assert_eq!(model.refusal(), spec.refusal);
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let mut answer = |text: &str| {
        let logits = session.classify(text.as_bytes());
        let all: Vec<i32> = logits.iter().collect();
        let class = logits.best().class;
        (class, softmax(&all, class), logits.answer())
    };
    TEXTS.iter().map(|text| answer(text)).collect()
}

#[test]
fn a_model_refuses_below_the_probability_and_for_the_class() {
    let plain = answers(spec(None));
    assert!(plain.iter().all(|&(class, _, answer)| answer == Answer::Class(class)));
    // A probability that is equal to the threshold is accepted.
    let (refused_class, middle, _) = plain[0];
    for below in [1, middle, middle + 1, 1 << 16] {
        for refused in [None, Some(refused_class)] {
            let found = answers(spec(Some(Refusal { below, class: refused })));
            for (&(class, probability, answer), &(plain_class, plain_probability, _)) in found.iter().zip(&plain) {
                assert_eq!((class, probability), (plain_class, plain_probability), "the rule changes no logit");
                let is_refused = probability < below || refused == Some(class);
                assert_eq!(answer, if is_refused { Answer::Refused } else { Answer::Class(class) });
            }
            assert_eq!(found[0].2 == Answer::Refused, below > middle || refused.is_some());
        }
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for (numbers, index) in [([0, -1], 0), ([-1, -1], 0), ([65_537, 0], 0), ([1, 3], 1), ([1, -2], 1), ([1, 65_537], 1)]
    {
        let mut all = spec(Some(PLAIN)).tensors(1);
        let refusal = all.iter_mut().find(|tensor| tensor.name == "refusal").unwrap();
        refusal.data = bytemuck::cast_slice(&numbers).to_vec();
        let found = error_of(&spec(None).metadata(), all);
        assert_eq!(found, LoadError::Range { tensor: "refusal".into(), index }, "{numbers:?}");
    }
    for refusal in [Refusal { below: 65_536, class: Some(2) }, Refusal { below: 1, class: Some(0) }] {
        assert_eq!(Model::from_bytes(&spec(Some(refusal)).file(1)).unwrap().refusal(), Some(refusal));
    }
    let sigmoid = Spec { output: Output::Sigmoid, ..spec(Some(Refusal { below: 1, class: Some(1) })) };
    assert!(Model::from_bytes(&sigmoid.file(1)).is_ok());
}

#[test]
fn only_classifiers_can_refuse() {
    let model = Spec { task: Task::LanguageModel, ..spec(Some(PLAIN)) };
    assert_eq!(error_of(&model.metadata(), model.tensors(1)), LoadError::UnknownTensor("refusal".into()));
}
