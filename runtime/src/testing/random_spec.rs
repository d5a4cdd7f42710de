//! Random kinds of models: the constructors of [`Spec`] from a seed.

use super::random::Random;
#[cfg(feature = "ngrams")]
use super::tensors::{GOLDEN, NgramSpec};
use super::{Sizes, Spec};
use crate::Refusal;
use crate::features::TOKEN_FINGERPRINTS;
#[cfg(feature = "ngrams")]
use tern_format::Ngrams;
use tern_format::{Cell as CellKind, Input, Merge, Output, Pooling, Task};

impl Spec {
    /// Returns a random kind of model without an n-gram branch, with 8-bit weights.
    pub fn random(seed: u64) -> Self {
        // Other numbers than those of `tensors`, which begins with the seed itself.
        let mut random = Random(seed ^ 0x5eed);
        // A number from 0 to n − 1.
        let mut below = |n: i64| random.between(0, n - 1) as usize;
        let sizes = Sizes { embedding_dim: 1 + below(6), hidden_size: 1 + below(7), classes: 1 + below(4) };
        let bidirectional = below(2) == 1;
        let mut spec = Spec {
            cell: CellKind::ALL[below(4)],
            layers: 1 + below(3),
            bidirectional,
            merge: if bidirectional { Merge::ALL[below(4)] } else { Merge::Concat },
            pooling: Pooling::ALL[below(4)],
            head_hidden: if below(2) == 1 { 1 + below(5) } else { 0 },
            output: [Output::Softmax, Output::Sigmoid][below(2)],
            shift: below(4) as u32,
            ..sizes.into()
        };
        match below(4) {
            0 => spec.input = Input::Values,
            1 => (spec.task, spec.input, spec.output) = (Task::Forecast, Input::Values, Output::Linear),
            // A language model reads forwards.
            2 if !bidirectional => {
                (spec.task, spec.output, spec.pooling) = (Task::LanguageModel, Output::Softmax, Pooling::Last);
            }
            _ => {}
        }
        if spec.task == Task::Classify && seed.is_multiple_of(3) {
            let class = seed.is_multiple_of(2).then_some(0);
            spec.refusal = Some(Refusal { below: 1 + below(1 << 16) as u32, class });
        }
        let is_text_classifier = spec.task == Task::Classify && spec.input == Input::Tokens;
        spec.fingerprints = TOKEN_FINGERPRINTS && is_text_classifier && seed % 4 == 1;
        spec
    }

    /// [`random`](Spec::random) with weights of random widths, and even sizes.
    #[cfg(feature = "widths")]
    pub fn random_widths(seed: u64) -> Self {
        let mut random = Random(seed ^ 0xb175);
        // A number from 0 to n − 1.
        let mut below = |n: i64| random.between(0, n - 1) as usize;
        // An even number from 2 to 2 · n.
        let mut even = |n: i64| 2 * (1 + below(n));
        let sizes = Sizes { embedding_dim: even(20), hidden_size: even(12), classes: even(2) };
        let even_head_hidden = even(3);
        let mut spec = Spec { sizes, bits: core::array::from_fn(|_| [4, 8, 16][below(3)]), ..Spec::random(seed) };
        if spec.head_hidden > 0 {
            spec.head_hidden = even_head_hidden;
        }
        spec
    }

    /// [`random`](Spec::random) for a classifier of text with an n-gram branch; about a third of them have no recurrent
    /// branch.
    #[cfg(feature = "ngrams")]
    pub fn random_ngrams(seed: u64) -> Self {
        let mut random = Random(seed ^ 0x96a3);
        // A number from 0 to n − 1.
        let mut below = |n: i64| random.between(0, n - 1) as usize;
        let words = below(3) as u8;
        // The shortest and the longest n-grams of characters; 0 if there are none. A branch that counts no words counts
        // some.
        let (mut min_chars, mut max_chars) = (below(4) as u8, 0);
        if min_chars > 0 || words == 0 {
            max_chars = min_chars.max(2) + below(3) as u8;
            min_chars = min_chars.max(1);
        }
        let bits = [4, 8][below(2)];
        // At least 2 if a byte holds two weights.
        let rank = 1 << (below(5) + usize::from(bits == 4));
        let ngrams = NgramSpec {
            ngrams: Ngrams { words, min_chars, max_chars },
            buckets: 16 << below(6),
            rank,
            bits,
            counted: if seed % 3 == 1 { &GOLDEN } else { &[] },
            shift: below(5) as u32,
            pooled_shift: (seed % 6) as u32,
        };
        let mut spec = Spec { task: Task::Classify, input: Input::Tokens, ngrams: Some(ngrams), ..Spec::random(seed) };
        // Only a forecast has linear outputs.
        if spec.output == Output::Linear {
            spec.output = Output::Softmax;
        }
        let is_recurrent = below(3) > 0;
        if is_recurrent {
            return spec;
        }
        let sizes = Sizes { embedding_dim: 0, hidden_size: 0, ..spec.sizes };
        let Spec { head_hidden, output, .. } = spec;
        Spec { layers: 0, ngrams: Some(ngrams), head_hidden, output, ..sizes.into() }
    }
}
