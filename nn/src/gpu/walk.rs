//! The choice and the launch of the kernels that compute all time steps of a layer in one launch.

use super::batch::DeviceBatch;
use super::launch::{Argument, Launch};
use super::machine::Machine;
use crate::architecture::Cell;
use crate::packed::Direction;
use crate::recurrent::LayerShape;

/// An instance of the kernel templates in `walk.cuh`, for a cell and hidden sizes up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The name of the cell: see [`cell_name`].
    pub cell: &'static str,
    /// Largest hidden size, to which smaller ones are padded with zeros.
    pub padded: usize,
    /// Number of weights that each thread holds in registers; the others are in shared memory.
    pub in_registers: usize,
    /// Number of sequences that a block computes.
    pub sequences: usize,
}

/// A short form for the table below.
const fn walk(cell: &'static str, padded: usize, in_registers: usize, sequences: usize) -> Walk {
    Walk { cell, padded, in_registers, sequences }
}

/// All instances, as `kernels.cu` lists them (test `instances_are_those_of_the_source`). The numbers of weights in
/// registers are such that no kernel spills registers (`cargo xtask cuda --figures`).
pub const WALKS: [Walk; 18] = [
    walk("Lstm", 32, 32, 1),
    walk("Lstm", 32, 32, 4),
    walk("Lstm", 64, 64, 1),
    walk("Lstm", 64, 64, 4),
    walk("Lstm", 128, 84, 1),
    walk("Lstm", 128, 68, 2),
    walk("Gru", 32, 32, 1),
    walk("Gru", 32, 32, 4),
    walk("Gru", 64, 64, 1),
    walk("Gru", 64, 64, 4),
    walk("Gru", 128, 84, 1),
    walk("Gru", 128, 72, 2),
    walk("Rnn", 32, 32, 1),
    walk("Rnn", 32, 32, 4),
    walk("Rnn", 64, 64, 1),
    walk("Rnn", 64, 64, 4),
    walk("Rnn", 128, 128, 1),
    walk("Rnn", 128, 128, 4),
];

/// The name of a cell in the names of the kernels. Both plain cells have the same kernels; an argument selects ReLU.
pub fn cell_name(cell: Cell) -> &'static str {
    match cell {
        Cell::Lstm => "Lstm",
        Cell::Gru => "Gru",
        Cell::Rnn | Cell::RnnRelu => "Rnn",
    }
}

/// Chooses the instance for a layer and a number of sequences; `None` if the layer is too large for every instance.
///
/// Several instances may have the smallest `padded`. The chosen one has the most sequences in a block for which there
/// is still a block for each multiprocessor; if there is none, the fewest sequences.
pub fn choose(shape: LayerShape, sequences: usize, machine: Machine) -> Option<Walk> {
    let fits = |walk: &&Walk| {
        walk.cell == cell_name(shape.cell)
            && walk.padded >= shape.hidden_size
            && walk.shared_bytes(shape) <= machine.shared_bytes
    };
    let padded = WALKS.iter().filter(fits).map(|walk| walk.padded).min()?;
    let fitting = || WALKS.iter().filter(fits).filter(|walk| walk.padded == padded);
    let has_enough_blocks = |walk: &&Walk| sequences.div_ceil(walk.sequences) >= machine.multiprocessors;
    let most_sequences = fitting().filter(has_enough_blocks).max_by_key(|walk| walk.sequences);
    most_sequences.or_else(|| fitting().min_by_key(|walk| walk.sequences)).copied()
}

impl Walk {
    /// Threads of a block: one for each row of W_hh, rounded up to whole warps.
    fn threads(self, shape: LayerShape) -> usize {
        shape.width().next_multiple_of(32)
    }

    /// Shared memory of a block in bytes, enough for both passes.
    fn shared_bytes(self, shape: LayerShape) -> usize {
        let (gates, n) = (shape.cell.gates(), shape.hidden_size);
        let shared_weights = (self.padded - self.in_registers) * self.threads(shape);
        // `SLOTS` of the cell in `cells.cuh`.
        let slots = if self.cell == "Rnn" { 1 } else { 4 };
        // Forward: the hidden states and the slots, the values that are passed between the threads of a unit. Backward:
        // the gradients of the recurrent sums and the parts of the product.
        let forward = self.sequences * (self.padded + slots * n);
        let backward = self.sequences * gates * (self.padded + n);
        // 4 bytes for each f32.
        4 * (shared_weights + forward.max(backward))
    }

    /// Returns the launch for a batch. `pass`: `forward` or `backward`; `inputs`: the kernel's arguments before
    /// `offsets`; `written`: those after `relu`.
    pub fn launch<'a>(
        self,
        pass: &str,
        shape: LayerShape,
        batch: &'a DeviceBatch,
        inputs: &[Argument<'a>],
        written: &[Argument<'a>],
    ) -> Launch<'a> {
        let sequences = batch.layout.lengths().len();
        let mut arguments = inputs.to_vec();
        arguments.extend([Argument::Read(&batch.offsets, 0), Argument::Read(&batch.lengths, 0)]);
        let is_reverse = shape.direction == Direction::Reverse;
        let numbers = [sequences, shape.hidden_size, is_reverse.into(), (shape.cell == Cell::RnnRelu).into()];
        arguments.extend(numbers.map(Argument::int));
        arguments.extend(written);
        Launch {
            kernel: format!("{}_{pass}_{}_{}", self.cell, self.padded, self.sequences),
            blocks: sequences.div_ceil(self.sequences),
            threads: self.threads(shape),
            shared_bytes: self.shared_bytes(shape),
            arguments,
        }
    }
}
