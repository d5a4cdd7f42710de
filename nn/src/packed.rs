//! The layout of a batch of sequences of different lengths, packed by time step as PyTorch's `PackedSequence` is.
//!
//! The sequences are sorted by length, longest first. The batch holds the first token of every sequence, then the
//! second token of every sequence that has one, and so on. Each time step has one row for each sequence that is long
//! enough, so there is no padding, and row r of a step belongs to the same sequence as row r of the step before.

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
    /// The rows of the step that was read before this one, without those of sequences that end there: row r of `rows`
    /// continues row r of `previous`. The remaining rows of `rows` are the first tokens that are read of their
    /// sequences.
    pub previous: Range<usize>,
}

impl TimeStep {
    /// The rows of this step that continue a row of `previous`.
    pub fn continuing(&self) -> Range<usize> {
        self.rows.start..self.rows.start + self.previous.len()
    }
}

/// The row of each token in a packed batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedLayout {
    order: Vec<usize>,
    batch_sizes: Vec<usize>,
    /// The first row of each step, and the total number of rows at the end.
    offsets: Vec<usize>,
    lengths: Vec<usize>,
}

impl PackedLayout {
    /// The layout for sequences of these lengths. Sequences of equal length keep their order.
    pub fn new(lengths: &[usize]) -> Self {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&sequence| std::cmp::Reverse(lengths[sequence]));
        let lengths: Vec<usize> = order.iter().map(|&sequence| lengths[sequence]).collect();
        let steps = lengths.first().copied().unwrap_or(0);
        let mut batch_sizes = Vec::with_capacity(steps);
        let mut offsets = Vec::with_capacity(steps + 1);
        let (mut active, mut rows) = (lengths.len(), 0);
        for step in 0..steps {
            // The longest sequence has a token at every step, so `active` stays above 0.
            while lengths[active - 1] <= step {
                active -= 1;
            }
            batch_sizes.push(active);
            offsets.push(rows);
            rows += active;
        }
        offsets.push(rows);
        PackedLayout { order, batch_sizes, offsets, lengths }
    }

    /// The sequences in order of decreasing length: `order()[r]` is the caller's index of the sequence in row r of
    /// every step.
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

    /// The rows of step number `step` of the sequences, counted from 0.
    pub fn step(&self, step: usize) -> Range<usize> {
        self.offsets[step]..self.offsets[step + 1]
    }

    /// All time steps in the order in which a layer of this direction reads them.
    ///
    /// In the reverse direction each sequence begins at its last token.
    pub fn time_steps(&self, direction: Direction) -> impl DoubleEndedIterator<Item = TimeStep> + '_ {
        let steps = self.batch_sizes.len();
        (0..steps).map(move |index| {
            let step = if direction == Direction::Forward { index } else { steps - 1 - index };
            let rows = self.step(step);
            let previous = match direction {
                // Empty, and where `cells::previous_and_current` can split the rows of the batch.
                _ if index == 0 => rows.end..rows.end,
                Direction::Forward => self.offsets[step - 1]..self.offsets[step - 1] + rows.len(),
                Direction::Reverse => self.step(step + 1),
            };
            TimeStep { rows, previous }
        })
    }

    /// Packs one item for each token: `[rows()]`. `sequences`: the items of each sequence, in the caller's order and
    /// with the lengths of this layout.
    pub fn pack<T: Copy>(&self, sequences: &[&[T]]) -> Vec<T> {
        let mut packed = Vec::with_capacity(self.rows());
        for (step, &active) in self.batch_sizes.iter().enumerate() {
            packed.extend(self.order[..active].iter().map(|&sequence| sequences[sequence][step]));
        }
        packed
    }

    /// The row of each sequence's final state, in the order of [`order`](Self::order): the row of its last token, or of
    /// its first token in reverse. Empty sequences, which come last in that order, have none.
    pub fn last_rows(&self, direction: Direction) -> impl Iterator<Item = usize> + '_ {
        self.lengths.iter().enumerate().take_while(|(_, length)| **length > 0).map(move |(sequence, length)| {
            let step = if direction == Direction::Forward { length - 1 } else { 0 };
            self.offsets[step] + sequence
        })
    }

    /// The first row of each step, and the total number of rows at the end.
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
