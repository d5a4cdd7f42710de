//! [`FloatModel`] as a [`Classifier`].

use super::FloatModel;
use crate::classifier::{Classifier, Logits, Prediction, TraceStep};
use crate::train::class_logits;
use crate::vocabulary::{self, UNK};

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
        let tokens = vocabulary::tokens(text);
        let ids: Vec<u32> = tokens.iter().map(|token| self.vocabulary.id(token)).collect();
        let logits = self.network.logits_after_each(&ids);
        let steps = tokens.into_iter().zip(ids).zip(logits);
        steps
            .map(|((token, id), logits)| TraceStep {
                token,
                known: id != UNK,
                logits: Logits::Float(class_logits(&logits)),
            })
            .collect()
    }
}
