//! The answer that a network gives.

use crate::layers::linear::Linear;
use crate::softmax;
use crate::text::vocabulary::UNK;
use tern_format::Output;

/// The last layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub linear: Linear<'a>,
    pub output: Output,
}

impl Head<'_> {
    /// How many logits it gives: a sigmoid's single one has a zero before it.
    pub(crate) fn len(&self) -> usize {
        self.linear.len() + self.implied()
    }

    fn implied(&self) -> usize {
        usize::from(self.output == Output::Sigmoid)
    }
}

/// A class and its logit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ranked {
    /// Index of the class among the labels.
    pub class: usize,
    /// Q16.
    pub logit: i32,
}

/// The answer so far: a logit for each class, computed when asked for, so that it needs no memory.
///
/// Of a model with the output [`Sigmoid`](Output::Sigmoid) the logit of class 0 is 0 and that of class 1 is the network's: the softmax of
/// the two is the sigmoid. Of a language model the classes are the tokens' ids; of a forecast they are its values, normalised.
///
/// One logit costs F multiply-accumulates, for F features; [`best`](Logits::best) and [`top`](Logits::top) go once over all classes,
/// [`probability`](Logits::probability) twice.
#[derive(Clone, Copy, Debug)]
pub struct Logits<'s> {
    pub(crate) head: &'s Head<'s>,
    /// `[width]`, Q15
    pub(crate) features: &'s [i16],
}

impl<'s> Logits<'s> {
    /// How many classes there are; at least 1.
    pub fn len(&self) -> usize {
        self.head.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The logit of one class, Q16; none beyond the last.
    pub fn get(&self, class: usize) -> Option<i32> {
        match class.checked_sub(self.head.implied()) {
            Some(index) => self.head.linear.get(self.features, index),
            None => Some(0),
        }
    }

    /// All logits by class, Q16.
    pub fn iter(&self) -> impl Iterator<Item = i32> + use<'s> {
        core::iter::repeat_n(0, self.head.implied()).chain(self.head.linear.outputs(self.features))
    }

    /// The class of the largest logit, the first among equals.
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

    /// Fills `ranks` with the classes of the largest logits, falling, the first among equals first. Gives how many there are.
    pub fn top(&self, ranks: &mut [Ranked]) -> usize {
        top_of(self.iter().enumerate(), ranks)
    }

    /// Fills `ranks` with the likeliest next tokens of a language model, as [`top`](Logits::top) does; PAD and UNK, which are no text, are not
    /// among them.
    pub fn next_tokens(&self, ranks: &mut [Ranked]) -> usize {
        top_of(self.iter().enumerate().skip(UNK as usize + 1), ranks)
    }

    /// The softmax of one class for display, Q16: 0 … 65,536; 0 beyond the last class. Error at most 1e-4.
    pub fn probability(&self, class: usize) -> u32 {
        match self.get(class) {
            Some(logit) => softmax::probability(logit, self.best().logit, self.iter()),
            None => 0,
        }
    }
}

/// The largest of `all`, falling, into `ranks`.
fn top_of(all: impl Iterator<Item = (usize, i32)>, ranks: &mut [Ranked]) -> usize {
    let mut filled = 0;
    for (class, logit) in all {
        let mut rank = Ranked { class, logit };
        for place in ranks.iter_mut().take(filled) {
            if rank.logit > place.logit {
                core::mem::swap(place, &mut rank);
            }
        }
        if let Some(place) = ranks.get_mut(filled) {
            *place = rank;
            filled += 1;
        }
    }
    filled
}
