//! Selection and addition of rows on a device, for embeddings, n-grams, pooling and their gradients.
//!
//! The order of each sum depends only on the indices, so the results are the same in every run.

use super::attached::attach1;
use super::launch::{Argument, Launch};
use crate::ngrams::Grid;
use candle_core::{Device, Result, Tensor};
use std::sync::Arc;

/// The index for which [`gather`] and [`select`] return a row of zeros.
pub const NO_ROW: u32 = u32::MAX;

/// The largest number of rows that one thread adds up. A longer sum is computed in two passes: sums of this many rows,
/// then the sum of these sums.
const PIECE: usize = 128;

/// Copies an index to a device. For an empty index, the tensor has one entry that is never read, because a device
/// cannot allocate an empty tensor.
pub fn upload(index: &[u32], device: &Device) -> Result<Tensor> {
    if index.is_empty() { Tensor::new(&[0u32], device) } else { Tensor::new(index, device) }
}

/// A list of sums, each with the rows that it adds up.
#[derive(Clone, Debug)]
pub struct Sums {
    /// The row of each summand of the first pass. A second pass adds the results of the first one in order.
    index: Tensor,
    /// One pass, or two if a sum has more than [`PIECE`] summands.
    passes: Vec<Pass>,
}

/// One launch that computes `sums` sums of successive summands.
#[derive(Clone, Debug)]
struct Pass {
    /// The first summand of each sum, followed by the total number of summands.
    starts: Tensor,
    /// Number of sums.
    sums: usize,
}

impl Sums {
    /// Copies sums to a device: sum i adds up the rows `index[starts[i]..starts[i + 1]]`, in this order.
    pub fn new(index: &[u32], starts: &[u32], device: &Device) -> Result<Self> {
        let lengths = starts.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
        let mut passes = Vec::new();
        if lengths.clone().any(|length| length > PIECE) {
            // The first pass computes the sums of pieces of at most `PIECE` summands; the second one adds the pieces of
            // each sum, which begin with `first_pieces`.
            let mut piece_starts = Vec::new();
            let mut first_pieces = vec![0u32];
            for (start, length) in starts.iter().zip(lengths) {
                piece_starts.extend((0..length).step_by(PIECE).map(|offset| start + offset as u32));
                first_pieces.push(piece_starts.len() as u32);
            }
            piece_starts.extend(starts.last());
            passes.push(Pass { starts: upload(&piece_starts, device)?, sums: piece_starts.len() - 1 });
            passes.push(Pass { starts: upload(&first_pieces, device)?, sums: starts.len() - 1 });
        } else {
            passes.push(Pass { starts: upload(starts, device)?, sums: starts.len() - 1 });
        }
        Ok(Sums { index: upload(index, device)?, passes })
    }

    /// Copies the sums that the gradient of [`gather`] consists of to a device: sum i adds up the rows p with
    /// `index[p] == i`, in ascending order. `rows`: number of sums.
    pub fn of_positions(index: &[u32], rows: usize, device: &Device) -> Result<Self> {
        let mut starts = vec![0u32; rows + 1];
        for &row in index.iter().filter(|row| **row != NO_ROW) {
            starts[row as usize + 1] += 1;
        }
        // `starts[row + 1]` is now the number of positions of the row; their running sums are the starts.
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        // For each row, the place in `positions` of its next position.
        let mut next_places = starts.clone();
        let mut positions = vec![0; starts[rows] as usize];
        for (position, &row) in (0..).zip(index).filter(|(_, row)| **row != NO_ROW) {
            let place = &mut next_places[row as usize];
            positions[*place as usize] = position;
            *place += 1;
        }
        Sums::new(&positions, &starts, device)
    }

    /// Computes the sums of rows of `source`: `[rows, width]` → `[sums, width]`. With a grid, the values of `source`
    /// are rounded to it first.
    pub fn compute(&self, source: &Tensor, grid: Option<Grid>) -> Result<Tensor> {
        let (width, device) = (source.dim(1)?, source.device());
        let mut source = source.contiguous()?;
        for (number, Pass { starts, sums }) in self.passes.iter().enumerate() {
            // The first pass takes the index and the grid; the second one adds the results of the first as they are.
            let (index, grid) = if number == 0 { (Some(&self.index), grid) } else { (None, None) };
            // The kernel does not round with a step of 0.
            let Grid { step, largest } = grid.unwrap_or(Grid { step: 0.0, largest: 0.0 });
            let arguments = vec![
                Argument::Read(&source, 0),
                Argument::read_or_null(index),
                Argument::Read(starts, 0),
                Argument::int(*sums),
                Argument::int(width),
                Argument::Float(step),
                Argument::Float(largest),
                Argument::Write(0),
            ];
            let launch = Launch::one_thread_each("sum_rows", sums * width, arguments);
            source = launch.write_new((*sums, width), device)?;
        }
        Ok(source)
    }
}

/// An index of rows on a device, for [`gather`] and its gradient.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The row of the source for each row of the result: u32, `[count]`.
    index: Tensor,
    /// Number of rows of the result.
    count: usize,
    /// For each row of the source, the sum over its positions in the index.
    position_sums: Sums,
}

impl Rows {
    /// Copies an index to a device. `rows`: number of rows that the index selects from.
    pub fn new(index: &[u32], rows: usize, device: &Device) -> Result<Self> {
        let position_sums = Sums::of_positions(index, rows, device)?;
        Ok(Rows { index: upload(index, device)?, count: index.len(), position_sums })
    }

    /// The row of the source for each row of the result: u32, `[count]`.
    pub fn index(&self) -> &Tensor {
        &self.index
    }

    /// Adds up the gradients of the selected rows for each row of the source: `[count, width]` → `[rows, width]`.
    pub fn add_gradients(&self, gradient: &Tensor) -> Result<Tensor> {
        self.position_sums.compute(gradient, None)
    }
}

/// Selects the rows of `source` that `index`, u32 `[count]`, names: `[rows, width]` → `[count, width]`. [`NO_ROW`]
/// selects zeros. The result has no gradient.
pub fn select(source: &Tensor, index: &Tensor, count: usize) -> Result<Tensor> {
    let (width, source) = (source.dim(1)?, source.contiguous()?);
    let arguments = vec![
        Argument::Read(&source, 0),
        Argument::Read(index, 0),
        Argument::int(count),
        Argument::int(width),
        Argument::Write(0),
    ];
    Launch::one_thread_each("gather_rows", count * width, arguments).write_new((count, width), source.device())
}

/// Selects rows of `source` as [`select`] does, but with a gradient: `[rows, width]` → `[count, width]`.
pub fn gather(source: &Tensor, rows: &Arc<Rows>) -> Result<Tensor> {
    let selected = select(&source.detach(), rows.index(), rows.count)?;
    let rows = rows.clone();
    attach1(source, &selected, move |gradient| rows.add_gradients(gradient))
}

/// Zeroes values with the given probability and scales the others by 1 / (1 − probability). The same `seed` and
/// `stream` zero the same values.
pub fn drop_values(x: &Tensor, probability: f64, seed: u64, stream: u64) -> Result<Tensor> {
    if probability == 0.0 {
        return Ok(x.clone());
    }
    // The forward and the backward pass: both zero and scale the same values.
    let zero_and_scale = move |x: &Tensor| {
        let (x, count) = (x.contiguous()?, x.elem_count());
        let arguments = vec![
            Argument::Read(&x, 0),
            // `seed` and `stream` have 64 bits each; the kernel takes two numbers of 32 bits.
            Argument::Int(seed as u32 ^ (stream >> 32) as u32),
            Argument::Int(stream as u32 ^ (seed >> 32) as u32),
            // A value is zeroed if its 32 random bits are below this number.
            Argument::Int((probability * f64::from(u32::MAX)) as u32),
            Argument::Float((1.0 / (1.0 - probability)) as f32),
            Argument::int(count),
            Argument::Write(0),
        ];
        Launch::one_thread_each("drop_values", count, arguments).write_new(x.shape(), x.device())
    };
    attach1(x, &zero_and_scale(&x.detach())?, zero_and_scale)
}
