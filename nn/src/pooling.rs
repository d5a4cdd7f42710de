//! From the hidden states of all tokens to what the linear layer reads.

use super::packed::{Direction, Packing};
use crate::architecture::{Merge, Pooling, Recurrent};

/// One vector of a sequence from the vectors of its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// That of the token that a layer of this direction reads last.
    Last(Direction),
    /// Their mean.
    Mean,
    /// The largest of each value.
    Max,
}

impl Reduction {
    /// The reductions of the merged states that stand side by side. None for [`Pooling::Last`], which picks a state of
    /// each direction before they are merged.
    pub fn of_merged(pooling: Pooling) -> &'static [Reduction] {
        match pooling {
            Pooling::Last => &[],
            Pooling::Mean => &[Reduction::Mean],
            Pooling::Max => &[Reduction::Max],
            Pooling::MeanMax => &[Reduction::Mean, Reduction::Max],
        }
    }

    /// values: `[rows, width]` → `[sequences, width]` in the packing's order. Zero for a sequence without a token.
    pub fn forward(self, values: &[f32], packing: &Packing, width: usize) -> Vec<f32> {
        let mut reduced = vec![0.0; packing.order().len() * width];
        match self {
            Reduction::Last(direction) => {
                for (row, reduced) in packing.last_rows(direction).zip(reduced.chunks_exact_mut(width)) {
                    reduced.copy_from_slice(&values[row * width..][..width]);
                }
            }
            Reduction::Mean => {
                for visit in packing.visits(Direction::Forward) {
                    let values = &values[visit.now.start * width..visit.now.end * width];
                    for (reduced, value) in reduced.iter_mut().zip(values) {
                        *reduced += value;
                    }
                }
                for (reduced, &length) in reduced.chunks_exact_mut(width).zip(packing.lengths()) {
                    let share = 1.0 / length.max(1) as f32;
                    reduced.iter_mut().for_each(|value| *value *= share);
                }
            }
            Reduction::Max => {
                for (reduced, &at) in reduced.iter_mut().zip(&largest(values, packing, width)) {
                    *reduced = values[at];
                }
            }
        }
        reduced
    }

    /// Adds the gradient of `values`, `[rows, width]`, to `d_values`, from that of the result: `[sequences, width]`.
    pub fn backward(self, values: &[f32], d_reduced: &[f32], packing: &Packing, width: usize, d_values: &mut [f32]) {
        let add = |to: &mut [f32], share: f32, from: &[f32]| {
            for (to, from) in to.iter_mut().zip(from) {
                *to += share * from;
            }
        };
        match self {
            Reduction::Last(direction) => {
                for (row, d_reduced) in packing.last_rows(direction).zip(d_reduced.chunks_exact(width)) {
                    add(&mut d_values[row * width..][..width], 1.0, d_reduced);
                }
            }
            Reduction::Mean => {
                for visit in packing.visits(Direction::Forward) {
                    for (sequence, row) in visit.now.enumerate() {
                        let share = 1.0 / packing.lengths()[sequence] as f32;
                        let d_reduced = &d_reduced[sequence * width..][..width];
                        add(&mut d_values[row * width..][..width], share, d_reduced);
                    }
                }
            }
            Reduction::Max => {
                for (&at, d_reduced) in largest(values, packing, width).iter().zip(d_reduced) {
                    d_values[at] += d_reduced;
                }
            }
        }
    }
}

/// Index of the largest of each value of a sequence, the first of equal ones: `[sequences that have a token, width]`.
pub fn largest(values: &[f32], packing: &Packing, width: usize) -> Vec<usize> {
    let sequences = packing.batch_sizes().first().copied().unwrap_or(0);
    let mut largest: Vec<usize> = (0..sequences * width).collect();
    for visit in packing.visits(Direction::Forward) {
        for (largest, at) in largest.iter_mut().zip(visit.now.start * width..visit.now.end * width) {
            // NaN wins, so that a diverging training is seen.
            if values[at] > values[*largest] || values[at].is_nan() {
                *largest = at;
            }
        }
    }
    largest
}

/// What the linear layer reads: `[sequences, head_width]`.
///
/// `states`: for each direction of the last layer its hidden states, `[rows, hidden_size]`.
pub fn head_input(states: &[&[f32]], recurrent: &Recurrent, packing: &Packing, hidden_size: usize) -> Vec<f32> {
    if recurrent.pooling == Pooling::Last {
        let last: Vec<Vec<f32>> = states
            .iter()
            .zip(recurrent.directions())
            .map(|(states, &direction)| Reduction::Last(direction).forward(states, packing, hidden_size))
            .collect();
        let last: Vec<&[f32]> = last.iter().map(Vec::as_slice).collect();
        return merge(&last, recurrent.merge, hidden_size);
    }
    let merged = merge(states, recurrent.merge, hidden_size);
    let width = recurrent.merged_width(hidden_size);
    let reductions = Reduction::of_merged(recurrent.pooling).iter();
    let parts: Vec<Vec<f32>> = reductions.map(|reduction| reduction.forward(&merged, packing, width)).collect();
    match parts.as_slice() {
        [mean, max] => concat(mean, max, width),
        _ => parts.concat(),
    }
}

/// The states of a layer's directions as one: `[rows, hidden_size]`, or twice as wide where they stand side by side.
pub fn merge(states: &[&[f32]], merge: Merge, hidden_size: usize) -> Vec<f32> {
    let [forward, reverse] = states else { return states.concat() };
    let pairs = forward.iter().zip(*reverse);
    match merge {
        Merge::Concat => concat(forward, reverse, hidden_size),
        Merge::Sum => pairs.map(|(a, b)| a + b).collect(),
        Merge::Mean => pairs.map(|(a, b)| (a + b) * 0.5).collect(),
        Merge::Product => pairs.map(|(a, b)| a * b).collect(),
    }
}

/// Two arrays of rows of this width, side by side.
fn concat(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    a.chunks_exact(width).zip(b.chunks_exact(width)).flat_map(|(a, b)| a.iter().chain(b)).copied().collect()
}
