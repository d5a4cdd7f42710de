//! The layout of a batch of sequences of different lengths, packed by time step as PyTorch's `PackedSequence` is.
//!
//! The sequences are sorted by length, longest first. The batch holds the first token of every sequence that has one,
//! then the second tokens, and so on. A row is one token, and a time step has one row for each sequence that is long
//! enough, so there is no padding. The k-th row of every step belongs to the k-th longest sequence.

use std::ops::Range;

/// The direction in which a layer reads a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the first token to the last.
    Forward,
    /// From the last token of each sequence to its first.
    Reverse,
}

/// One time step of a packed batch, in the order in which a layer reads the steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStep {
    /// The rows of this step.
    pub rows: Range<usize>,
    /// Rows of the step that is read before this one: the k-th row of `rows` continues the sequence of the k-th row of
    /// `previous`. If `rows` is longer, its other rows begin their sequences. Empty for the step that is read first.
    pub previous: Range<usize>,
}

impl TimeStep {
    /// The rows of this step that continue a row of `previous`.
    pub fn continuing(&self) -> Range<usize> {
        self.rows.start..self.rows.start + self.previous.len()
    }
}

/// The rows that the tokens of some sequences have in a packed batch. The fields are described at the methods of the
/// same names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedLayout {
    order: Vec<usize>,
    batch_sizes: Vec<usize>,
    offsets: Vec<usize>,
    lengths: Vec<usize>,
}

impl PackedLayout {
    /// The layout for sequences of these lengths. Sequences of equal length keep their order.
    pub fn new(lengths: &[usize]) -> Self {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&sequence| std::cmp::Reverse(lengths[sequence]));
        let sorted_lengths: Vec<usize> = order.iter().map(|&sequence| lengths[sequence]).collect();
        let step_count = sorted_lengths.first().copied().unwrap_or(0);
        let mut batch_sizes = Vec::with_capacity(step_count);
        let mut offsets = Vec::with_capacity(step_count + 1);
        let mut active_sequences = lengths.len();
        let mut row = 0;
        for step in 0..step_count {
            // The longest sequence has a token at every step, so at least one sequence stays active.
            while sorted_lengths[active_sequences - 1] <= step {
                active_sequences -= 1;
            }
            batch_sizes.push(active_sequences);
            offsets.push(row);
            row += active_sequences;
        }
        offsets.push(row);
        PackedLayout { order, batch_sizes, offsets, lengths: sorted_lengths }
    }

    /// The sequences in order of decreasing length: `order()[k]` is the caller's index of the sequence to which the
    /// k-th row of every step belongs.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The number of sequences that have a token at each step, in non-increasing order.
    pub fn batch_sizes(&self) -> &[usize] {
        &self.batch_sizes
    }

    /// Number of tokens in all sequences together.
    pub fn rows(&self) -> usize {
        self.offsets[self.batch_sizes.len()]
    }

    /// The rows of the tokens with the index `step` in their sequences.
    pub fn step(&self, step: usize) -> Range<usize> {
        self.offsets[step]..self.offsets[step + 1]
    }

    /// All time steps in the order in which a layer of this direction reads them. In the reverse direction each
    /// sequence begins at its last token.
    pub fn time_steps(&self, direction: Direction) -> impl DoubleEndedIterator<Item = TimeStep> + '_ {
        let step_count = self.batch_sizes.len();
        (0..step_count).map(move |steps_read| {
            let step = if direction == Direction::Forward { steps_read } else { step_count - 1 - steps_read };
            let rows = self.step(step);
            let previous = if steps_read == 0 {
                // An empty range may be anywhere for most callers, but `cells::previous_and_current` splits a buffer
                // here and needs it behind the rows of the step.
                rows.end..rows.end
            } else if direction == Direction::Forward {
                // Sequences that ended with the step before have its last rows, which no row continues.
                self.offsets[step - 1]..self.offsets[step - 1] + rows.len()
            } else {
                // A sequence that has a token at `step + 1` has one at `step`, so every row there is continued.
                self.step(step + 1)
            };
            TimeStep { rows, previous }
        })
    }

    /// Packs one item for each token: `[rows]`. `sequences`: the items of each sequence, in the caller's order and with
    /// the lengths of this layout.
    pub fn pack<T: Copy>(&self, sequences: &[&[T]]) -> Vec<T> {
        let mut packed = Vec::with_capacity(self.rows());
        for (step, &batch_size) in self.batch_sizes.iter().enumerate() {
            packed.extend(self.order[..batch_size].iter().map(|&sequence| sequences[sequence][step]));
        }
        packed
    }

    /// The row of each sequence's final state, in the order of [`order`](Self::order): the row of its last token, or of
    /// its first token in reverse. Empty sequences, which come last in that order, have none.
    pub fn last_rows(&self, direction: Direction) -> impl Iterator<Item = usize> + '_ {
        let non_empty_lengths = self.lengths.iter().take_while(|length| **length > 0);
        non_empty_lengths.enumerate().map(move |(k, length)| {
            let final_step = if direction == Direction::Forward { length - 1 } else { 0 };
            // The k-th longest sequence has the k-th row of every step.
            self.offsets[final_step] + k
        })
    }

    /// The first row of each step, followed by the total number of rows.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// Lengths of the sequences, in the order of [`order`](Self::order).
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_by_time_step() {
        let sequences: [&[u32]; 4] = [&[1, 2], &[], &[3, 4, 5], &[6, 7]];
        let layout = PackedLayout::new(&sequences.map(<[u32]>::len));
        assert_eq!(layout.order(), [2, 0, 3, 1]);
        assert_eq!(layout.batch_sizes(), [3, 3, 1]);
        assert_eq!(layout.pack(&sequences), [3, 1, 6, 4, 2, 7, 5]);
        assert_eq!(layout.last_rows(Direction::Forward).collect::<Vec<_>>(), [6, 4, 5]);
        assert_eq!(layout.last_rows(Direction::Reverse).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(layout.step(1), 3..6);
        assert_eq!(layout.rows(), 7);
    }

    #[test]
    fn each_direction_reads_every_step_once() {
        let layout = PackedLayout::new(&[3, 1, 2, 2]);
        let steps = |direction| layout.time_steps(direction).map(|s| (s.rows, s.previous)).collect::<Vec<_>>();
        assert_eq!(steps(Direction::Forward), [(0..4, 4..4), (4..7, 0..3), (7..8, 4..5)]);
        assert_eq!(steps(Direction::Reverse), [(7..8, 8..8), (4..7, 7..8), (0..4, 4..7)]);
        assert_eq!(layout.time_steps(Direction::Reverse).last().unwrap().continuing(), 0..3);
    }

    #[test]
    fn packs_empty_batches_and_empty_sequences() {
        assert_eq!(PackedLayout::new(&[]).rows(), 0);
        let empty = PackedLayout::new(&[0, 0]);
        assert_eq!((empty.rows(), empty.last_rows(Direction::Forward).count()), (0, 0));
        assert!(empty.pack::<u32>(&[&[], &[]]).is_empty());
    }
}
