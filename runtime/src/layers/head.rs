//! The last layer of a network, its logits, and the answers of a classifier.

use crate::features;
use crate::layers::linear::Linear;
use crate::softmax;
use crate::text::vocabulary::UNK;
use tern_format::Output;

/// The last layer of the head, which computes the logits. The hidden layer of the head is in [`Model`](crate::Model).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// The layer. With a sigmoid it computes one logit less than the head has.
    pub linear: Linear<'a>,
    /// The meaning of the outputs.
    pub output: Output,
    /// The rule by which a classifier refuses to answer; none if it always answers.
    pub refusal: Option<features::Refusal<Refusal>>,
}

impl Head<'_> {
    /// The number of logits.
    pub(crate) fn len(&self) -> usize {
        self.linear.len() + self.constant_logits()
    }

    /// The number of logits that are 0 and not computed: 1 for a sigmoid, where it is the logit of class 0; otherwise
    /// 0.
    fn constant_logits(&self) -> usize {
        usize::from(self.output == Output::Sigmoid)
    }
}

/// A class and its logit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ranked {
    /// The index of the label, of the predicted value, or in a language model the token id.
    pub class: usize,
    /// The logit, Q16.
    pub logit: i32,
}

/// The rule by which a classifier refuses to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The model refuses if the probability of the most probable class is below this, Q16: 1 to 65,536.
    pub below: u32,
    /// The class that stands for "none of the other labels". The model refuses if this class is the most probable one.
    pub class: Option<usize>,
}

impl Refusal {
    /// Returns true if a model with this rule refuses to answer. `class` is the most probable class, and `probability`
    /// its probability, Q16.
    pub fn applies(&self, class: usize, probability: u32) -> bool {
        probability < self.below || self.class == Some(class)
    }
}

/// The answer of a classifier, which [`Logits::answer`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The most probable class, as an index among the labels.
    Class(usize),
    /// The model refuses to answer: see [`Refusal`].
    Refused,
}

/// The logits after the tokens or values read so far. Each logit is computed when it is read, so the logits take no
/// memory.
///
/// A model with the output [`Sigmoid`](Output::Sigmoid) has a logit of 0 for class 0 and the logit of the network for
/// class 1, so that the softmax of the two is the sigmoid. The classes of a language model are token ids, those of a
/// forecast are its predicted values, normalised.
///
/// Each computation of a logit takes one multiply-accumulate for each input of the last layer. [`best`](Logits::best)
/// and [`top`](Logits::top) compute all logits once, [`probability`](Logits::probability) twice,
/// [`answer`](Logits::answer) twice if the model can refuse. To show several probabilities, copy the logits with
/// [`logits_into`](crate::SessionBase::logits_into) and use [`softmax`](crate::softmax).
#[derive(Clone, Copy, Debug)]
pub struct Logits<'s> {
    pub(crate) head: &'s Head<'s>,
    /// The input of the last layer: that of the head, or the activations of the hidden layer. `[width]`, Q15.
    pub(crate) features: &'s [i16],
}

impl<'s> Logits<'s> {
    /// The number of classes, at least 1.
    pub fn len(&self) -> usize {
        self.head.len()
    }

    /// Always false: every model has at least one logit.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The logit of one class, Q16; none beyond the last class.
    pub fn get(&self, class: usize) -> Option<i32> {
        match class.checked_sub(self.head.constant_logits()) {
            Some(index) => self.head.linear.get(self.features, index),
            None => Some(0),
        }
    }

    /// All logits in the order of the classes, Q16.
    pub fn iter(&self) -> impl Iterator<Item = i32> + use<'s> {
        core::iter::repeat_n(0, self.head.constant_logits()).chain(self.head.linear.outputs(self.features))
    }

    /// The class with the largest logit; the first of equal ones.
    pub fn best(&self) -> Ranked {
        let mut best = Ranked { class: 0, logit: i32::MIN };
        for class in 0..self.len() {
            if let Some(logit) = self.get(class)
                && logit > best.logit
            {
                best = Ranked { class, logit };
            }
        }
        best
    }

    /// Writes the classes with the largest logits to `ranks`, in descending order; among equal logits the lower class
    /// comes first. Returns the number of elements written: the length of `ranks`, or the number of classes if that is
    /// less.
    pub fn top(&self, ranks: &mut [Ranked]) -> usize {
        self.top_from(0, ranks)
    }

    /// Writes the most probable next tokens of a language model, without PAD and UNK, to `ranks`, as
    /// [`top`](Logits::top) does. Returns the number of elements written.
    pub fn next_tokens(&self, ranks: &mut [Ranked]) -> usize {
        self.top_from(UNK as usize + 1, ranks)
    }

    /// Does the same as [`top`](Logits::top) without the classes before `first`.
    fn top_from(&self, first: usize, ranks: &mut [Ranked]) -> usize {
        let mut filled = 0;
        for class in first..self.len() {
            let mut rank = Ranked { class, logit: self.get(class).unwrap_or(i32::MIN) };
            // Inserts the class at its place and moves the smaller ones back; the last of them is then in `rank`.
            for other in ranks.iter_mut().take(filled) {
                if rank.logit > other.logit {
                    core::mem::swap(other, &mut rank);
                }
            }
            // If `ranks` is full, the smallest one is dropped.
            if let Some(next) = ranks.get_mut(filled) {
                *next = rank;
                filled += 1;
            }
        }
        filled
    }

    /// The softmax probability of one class, Q16: 0 to 65,536; 0 beyond the last class. The error is at most 1e-4.
    pub fn probability(&self, class: usize) -> u32 {
        match self.get(class) {
            Some(logit) => softmax::probability(logit, self.best().logit, self.iter()),
            None => 0,
        }
    }

    /// Applies the rule of [`Model::refusal`](crate::Model::refusal) to the most probable class. A model without such a
    /// rule always answers with the [`best`](Logits::best) class.
    ///
    /// A text without a known token is not refused here: see [`SessionBase::unknown`](crate::SessionBase::unknown).
    pub fn answer(&self) -> Answer {
        let Ranked { class, logit } = self.best();
        match &self.head.refusal {
            Some(refusal) if refusal.applies(class, softmax::probability(logit, logit, self.iter())) => Answer::Refused,
            _ => Answer::Class(class),
        }
    }
}
