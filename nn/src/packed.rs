//! Sequences of different lengths, packed by time step.
//!
//! As PyTorch's `PackedSequence`: the sequences stand in order of falling length, and all their first tokens come first,
//! then all their second tokens, and so on. A step has a row for each sequence that is long enough, so padding does not
//! exist, and row r of a step continues row r of the step before.

use std::ops::Range;

/// The way in which a layer reads its sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the first token to the last.
    Forward,
    /// From the last token of each sequence to its first.
    Reverse,
}

/// A step as a layer meets it that reads in some direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The rows of the step.
    pub now: Range<usize>,
    /// Rows of the step met before: row r of them is continued by row r of `now`. The other rows of `now` begin.
    pub before: Range<usize>,
}

impl Visit {
    /// The rows of the step that continue one of `before`.
    pub fn continuing(&self) -> Range<usize> {
        self.now.start..self.now.start + self.before.len()
    }
}

/// Where each token of a batch stands when it is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    order: Vec<usize>,
    batch_sizes: Vec<usize>,
    /// Row of each step's first token, and the number of rows at the end.
    offsets: Vec<usize>,
    lengths: Vec<usize>,
}

impl Packing {
    /// Packs sequences of these lengths. Equal lengths keep their order.
    pub fn new(lengths: &[usize]) -> Self {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&sequence| std::cmp::Reverse(lengths[sequence]));
        let lengths: Vec<usize> = order.iter().map(|&sequence| lengths[sequence]).collect();
        let steps = lengths.first().copied().unwrap_or(0);
        let mut batch_sizes = Vec::with_capacity(steps);
        let mut offsets = Vec::with_capacity(steps + 1);
        let (mut active, mut rows) = (lengths.len(), 0);
        for step in 0..steps {
            while lengths[active - 1] <= step {
                active -= 1;
            }
            batch_sizes.push(active);
            offsets.push(rows);
            rows += active;
        }
        offsets.push(rows);
        Packing { order, batch_sizes, offsets, lengths }
    }

    /// The sequences by falling length: `order()[r]` is the caller's index of the sequence in row r of every step.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Sequences that are still running at each step; never rises.
    pub fn batch_sizes(&self) -> &[usize] {
        &self.batch_sizes
    }

    /// Number of tokens in all sequences together.
    pub fn rows(&self) -> usize {
        self.offsets[self.batch_sizes.len()]
    }

    /// The rows of one step.
    pub fn step(&self, step: usize) -> Range<usize> {
        self.offsets[step]..self.offsets[step + 1]
    }

    /// All steps in the order in which a layer meets them.
    ///
    /// Read from the end, a sequence begins at its own last token: no row of a longer one passes into it.
    pub fn visits(&self, direction: Direction) -> impl DoubleEndedIterator<Item = Visit> + '_ {
        let steps = self.batch_sizes.len();
        (0..steps).map(move |index| {
            let step = if direction == Direction::Forward { index } else { steps - 1 - index };
            let now = self.step(step);
            let before = match direction {
                _ if index == 0 => now.end..now.end,
                Direction::Forward => self.offsets[step - 1]..self.offsets[step - 1] + now.len(),
                Direction::Reverse => self.step(step + 1),
            };
            Visit { now, before }
        })
    }

    /// Lays out the sequences' items: `[rows()]`.
    pub fn pack<T: Copy>(&self, sequences: &[&[T]]) -> Vec<T> {
        let mut packed = Vec::with_capacity(self.rows());
        for (step, &active) in self.batch_sizes.iter().enumerate() {
            packed.extend(self.order[..active].iter().map(|&sequence| sequences[sequence][step]));
        }
        packed
    }

    /// The row that a layer reads last of each sequence, in the order of [`order`](Self::order): of its last token, or
    /// of its first where the layer reads from the end. Empty sequences, which stand at the end of that order, have none.
    pub fn last_rows(&self, direction: Direction) -> impl Iterator<Item = usize> + '_ {
        self.lengths.iter().enumerate().take_while(|(_, length)| **length > 0).map(move |(sequence, length)| {
            let step = if direction == Direction::Forward { length - 1 } else { 0 };
            self.offsets[step] + sequence
        })
    }

    /// The row of each step's first token, and the number of rows at the end.
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
    fn packs_by_time() {
        let sequences: [&[u32]; 4] = [&[1, 2], &[], &[3, 4, 5], &[6, 7]];
        let packing = Packing::new(&sequences.map(<[u32]>::len));
        assert_eq!(packing.order(), [2, 0, 3, 1]);
        assert_eq!(packing.batch_sizes(), [3, 3, 1]);
        assert_eq!(packing.pack(&sequences), [3, 1, 6, 4, 2, 7, 5]);
        assert_eq!(packing.last_rows(Direction::Forward).collect::<Vec<_>>(), [6, 4, 5]);
        assert_eq!(packing.last_rows(Direction::Reverse).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(packing.step(1), 3..6);
        assert_eq!(packing.rows(), 7);
    }

    #[test]
    fn each_direction_meets_every_step_once() {
        let packing = Packing::new(&[3, 1, 2, 2]);
        let visits = |direction| packing.visits(direction).map(|v| (v.now, v.before)).collect::<Vec<_>>();
        assert_eq!(visits(Direction::Forward), [(0..4, 4..4), (4..7, 0..3), (7..8, 4..5)]);
        assert_eq!(visits(Direction::Reverse), [(7..8, 8..8), (4..7, 7..8), (0..4, 4..7)]);
        assert_eq!(packing.visits(Direction::Reverse).last().unwrap().continuing(), 0..3);
    }

    #[test]
    fn packs_nothing() {
        assert_eq!(Packing::new(&[]).rows(), 0);
        let empty = Packing::new(&[0, 0]);
        assert_eq!((empty.rows(), empty.last_rows(Direction::Forward).count()), (0, 0));
        assert!(empty.pack::<u32>(&[&[], &[]]).is_empty());
    }
}
