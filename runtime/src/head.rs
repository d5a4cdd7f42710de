//! The linear layer over the last hidden state, and the answer that it gives.

use core::num::NonZeroUsize;

use crate::fixed::requantize;
use crate::kernel::dot;
use crate::rows::{row, rows};
use crate::softmax;

/// The classes' rows, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// H: the size of the features.
    pub hidden_size: NonZeroUsize,
    /// `[classes · hidden_size]`
    pub weight: &'a [i8],
    /// `[classes]`, in units of the accumulators
    pub bias: &'a [i32],
    /// `[classes]`
    pub multiplier: &'a [i16],
    /// 0 … 8
    pub shift: u32,
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
/// One logit costs H multiply-accumulates; [`best`](Logits::best) and [`top`](Logits::top) go once over all classes,
/// [`probability`](Logits::probability) twice.
#[derive(Clone, Copy, Debug)]
pub struct Logits<'s> {
    pub(crate) head: Head<'s>,
    /// `[hidden_size]`, Q15
    pub(crate) features: &'s [i16],
}

impl<'s> Logits<'s> {
    /// How many classes there are; at least 1.
    pub fn len(&self) -> usize {
        self.head.bias.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The logit of one class, Q16; none beyond the last.
    pub fn get(&self, class: usize) -> Option<i32> {
        let Head { hidden_size, weight, bias, multiplier, shift } = self.head;
        let (row, &bias, &multiplier) = (row(weight, hidden_size, class)?, bias.get(class)?, multiplier.get(class)?);
        Some(requantize(dot(row, self.features, bias), multiplier) << shift)
    }

    /// All logits by class, Q16.
    pub fn iter(&self) -> impl Iterator<Item = i32> + use<'s> {
        let Logits { head: Head { hidden_size, weight, bias, multiplier, shift }, features } = *self;
        let classes = rows(weight, hidden_size).zip(bias).zip(multiplier);
        classes.map(move |((row, &bias), &multiplier)| requantize(dot(row, features, bias), multiplier) << shift)
    }

    /// The class of the largest logit, the first among equals.
    pub fn best(&self) -> Ranked {
        let mut best = [Ranked::default()];
        self.top(&mut best);
        let [best] = best;
        best
    }

    /// Fills `ranks` with the classes of the largest logits, falling, the first among equals first. Gives how many there are.
    pub fn top(&self, ranks: &mut [Ranked]) -> usize {
        let mut filled = 0;
        for (class, logit) in self.iter().enumerate() {
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

    /// The softmax of one class for display, Q16: 0 … 65,536; 0 beyond the last class. Error at most 1e-4.
    pub fn probability(&self, class: usize) -> u32 {
        match self.get(class) {
            Some(logit) => softmax::probability(logit, self.best().logit, self.iter()),
            None => 0,
        }
    }
}
