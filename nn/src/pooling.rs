//! The way from the hidden states of all tokens to the input of the head: merging combines the states of the two
//! directions of the last layer, pooling reduces the states of each sequence to one vector.
//!
//! The states are rows of a batch packed by time step, see [`packed`](crate::packed): the k-th row of every step
//! belongs to the k-th longest sequence.

use crate::architecture::{Merge, Pooling, Recurrent};
use crate::packed::{Direction, PackedLayout};

/// A reduction over time: one vector from the vectors of a sequence's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The vector of the token that a layer of this direction reads last.
    Last(Direction),
    /// The mean.
    Mean,
    /// The maximum of each element.
    Max,
}

impl Reduction {
    /// The reductions that `pooling` applies to the merged states; their results are concatenated in this order. Empty
    /// for [`Pooling::Last`], which selects the final state of each direction before the states are merged.
    pub fn after_merging(pooling: Pooling) -> &'static [Reduction] {
        match pooling {
            Pooling::Last => &[],
            Pooling::Mean => &[Reduction::Mean],
            Pooling::Max => &[Reduction::Max],
            Pooling::MeanMax => &[Reduction::Mean, Reduction::Max],
        }
    }

    /// Reduces the vectors of each sequence's tokens to one vector.
    ///
    /// `values`, `[rows, width]`, has one row for each token, packed by time step; the result, `[sequences, width]`,
    /// has one row for each sequence, the longest first, in the order of the layout. An empty sequence gives zeros.
    pub fn forward(self, values: &[f32], layout: &PackedLayout, width: usize) -> Vec<f32> {
        let mut reduced = vec![0.0; layout.order().len() * width];
        match self {
            Reduction::Last(direction) => {
                for (row, last) in layout.last_rows(direction).zip(reduced.chunks_exact_mut(width)) {
                    last.copy_from_slice(&values[row * width..][..width]);
                }
            }
            Reduction::Mean => {
                for step in layout.time_steps(Direction::Forward) {
                    let values_of_step = &values[step.rows.start * width..step.rows.end * width];
                    for (sum, value) in reduced.iter_mut().zip(values_of_step) {
                        *sum += value;
                    }
                }
                for (sums, &length) in reduced.chunks_exact_mut(width).zip(layout.lengths()) {
                    // The sums of an empty sequence are 0 and stay 0.
                    let share = 1.0 / length.max(1) as f32;
                    sums.iter_mut().for_each(|sum| *sum *= share);
                }
            }
            Reduction::Max => {
                // `zip` ends with the last sequence that has a token. The empty ones after it keep their zeros.
                for (max, &index) in reduced.iter_mut().zip(&argmax_over_time(values, layout, width)) {
                    *max = values[index];
                }
            }
        }
        reduced
    }

    /// Adds the gradient with respect to the `values` of [`forward`](Self::forward) to `d_values`, `[rows, width]`.
    /// `d_reduced`: the gradient with respect to the result of `forward`, `[sequences, width]`.
    pub fn backward(
        self,
        values: &[f32],
        d_reduced: &[f32],
        layout: &PackedLayout,
        width: usize,
        d_values: &mut [f32],
    ) {
        // Adds `share` times the summands.
        let add_share = |sums: &mut [f32], share: f32, summands: &[f32]| {
            for (sum, summand) in sums.iter_mut().zip(summands) {
                *sum += share * summand;
            }
        };
        match self {
            Reduction::Last(direction) => {
                for (row, d_last) in layout.last_rows(direction).zip(d_reduced.chunks_exact(width)) {
                    add_share(&mut d_values[row * width..][..width], 1.0, d_last);
                }
            }
            Reduction::Mean => {
                for step in layout.time_steps(Direction::Forward) {
                    for (sequence, row) in step.rows.enumerate() {
                        let share = 1.0 / layout.lengths()[sequence] as f32;
                        let d_mean = &d_reduced[sequence * width..][..width];
                        add_share(&mut d_values[row * width..][..width], share, d_mean);
                    }
                }
            }
            Reduction::Max => {
                for (&index, d_max) in argmax_over_time(values, layout, width).iter().zip(d_reduced) {
                    d_values[index] += d_max;
                }
            }
        }
    }
}

/// Returns the index in `values` of the maximum over time, for each sequence and each column: `[sequences with a token,
/// width]`. Of equal values the first counts, of several NaNs the last; a NaN counts as the maximum. Empty sequences,
/// which are the last ones, have no row in the result.
pub fn argmax_over_time(values: &[f32], layout: &PackedLayout, width: usize) -> Vec<usize> {
    let sequences = layout.batch_sizes().first().copied().unwrap_or(0);
    // The maxima so far are the values of the first step, which has the first rows of the batch.
    let mut argmax: Vec<usize> = (0..sequences * width).collect();
    for step in layout.time_steps(Direction::Forward) {
        for (largest, index) in argmax.iter_mut().zip(step.rows.start * width..step.rows.end * width) {
            // NaN must reach the loss, which stops the training.
            if values[index] > values[*largest] || values[index].is_nan() {
                *largest = index;
            }
        }
    }
    argmax
}

/// Computes the input of the head, `[sequences, head_width]`, in the order of the layout.
///
/// `states`: the hidden states of each direction of the last layer, `[directions][rows, hidden_size]`.
pub fn head_input(states: &[&[f32]], recurrent: &Recurrent, layout: &PackedLayout, hidden_size: usize) -> Vec<f32> {
    if recurrent.pooling == Pooling::Last {
        let mut final_states: Vec<Vec<f32>> = Vec::new();
        for (states_of_direction, &direction) in states.iter().zip(recurrent.directions()) {
            final_states.push(Reduction::Last(direction).forward(states_of_direction, layout, hidden_size));
        }
        let final_states: Vec<&[f32]> = final_states.iter().map(Vec::as_slice).collect();
        return merge(&final_states, recurrent.merge, hidden_size);
    }
    let merged = merge(states, recurrent.merge, hidden_size);
    let width = recurrent.merged_width(hidden_size);
    let reduce = |reduction: Reduction| reduction.forward(&merged, layout, width);
    match Reduction::after_merging(recurrent.pooling) {
        [first, second] => concat(&reduce(*first), &reduce(*second), width),
        single => reduce(single[0]),
    }
}

/// Merges the states of a layer's directions, each `[rows, hidden_size]`. Returns `[rows, hidden_size]`, or `[rows, 2 *
/// hidden_size]` for [`Merge::Concat`]. The states of a single direction are returned unchanged.
pub fn merge(states: &[&[f32]], how: Merge, hidden_size: usize) -> Vec<f32> {
    let [forward, reverse] = states else {
        return states.concat();
    };
    let pairs = forward.iter().zip(*reverse);
    match how {
        Merge::Concat => concat(forward, reverse, hidden_size),
        Merge::Sum => pairs.map(|(a, b)| a + b).collect(),
        Merge::Mean => pairs.map(|(a, b)| (a + b) * 0.5).collect(),
        Merge::Product => pairs.map(|(a, b)| a * b).collect(),
    }
}

/// Concatenates each row of `a` with the row of `b`, both `[rows, width]`: `[rows, 2 * width]`.
fn concat(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    let rows = a.chunks_exact(width).zip(b.chunks_exact(width));
    rows.flat_map(|(row_a, row_b)| row_a.iter().chain(row_b)).copied().collect()
}
