//! [`FloatModel`] as a [`Classifier`].

use super::FloatModel;
use crate::classifier::{Classifier, Logits, Prediction, TraceStep};
use crate::train::class_logits;
use crate::vocabulary::{Surface, UNK};

impl Classifier for FloatModel {
    fn labels(&self) -> &[String] {
        &self.config.labels
    }

    fn classify(&self, text: &str) -> Prediction {
        let ids = self.vocabulary.encode(text);
        Prediction {
            logits: Logits::Float(class_logits(&self.network.logits(&ids))),
            tokens: ids.len(),
            unknown: ids.iter().filter(|id| **id == UNK).count(),
        }
    }

    fn trace(&self, text: &str) -> Vec<TraceStep> {
        let ids = self.vocabulary.encode(text);
        let logits = self.network.logits_after_each(&ids);
        let mut surface = Surface::new(self.vocabulary.tokenizer(), text);
        let mut step = |(id, logits): (u32, Vec<f32>)| {
            let known = id != UNK;
            let token = surface.next(known.then(|| self.vocabulary.tokens()[id as usize].as_str()));
            TraceStep { token, known, logits: Logits::Float(class_logits(&logits)) }
        };
        ids.into_iter().zip(logits).map(&mut step).collect()
    }
}
