//! Selecting and adding rows on a device: embeddings, n-grams, pooling, and their gradients.
//!
//! Every sum has an order that depends on the indices alone, so a result is the same on every run.

use super::attached::attach1;
use super::launch::{Argument, Launch};
use crate::ngrams::Grid;
use candle_core::{Device, Result, Tensor};
use std::sync::Arc;

/// A row of zeros in the index of [`gather`].
pub const NO_ROW: u32 = u32::MAX;

/// Largest number of rows that one thread adds up. Longer sums are made of sums of this many.
const PIECE: usize = 128;

/// Copies an index to a device. An empty one has an entry that is never read, since no device allocates nothing.
pub fn upload(index: &[u32], device: &Device) -> Result<Tensor> {
    if index.is_empty() { Tensor::new(&[0u32], device) } else { Tensor::new(index, device) }
}

/// Sums of rows: for each of them, the rows that it adds up.
#[derive(Clone, Debug)]
pub struct Sums {
    /// The row of each summand; `None` if they are all rows in order. The sums are added in a second pass if some are
    /// longer than [`PIECE`].
    index: Option<Tensor>,
    passes: Vec<Pass>,
}

#[derive(Clone, Debug)]
struct Pass {
    /// The first summand of each sum, and the number of summands at the end.
    starts: Tensor,
    sums: usize,
}

impl Sums {
    /// Sum i adds up the rows `index[starts[i]] .. index[starts[i + 1]]`.
    pub fn new(index: &[u32], starts: &[u32], device: &Device) -> Result<Self> {
        let lengths = starts.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
        let mut passes = Vec::new();
        if lengths.clone().any(|length| length > PIECE) {
            let mut pieces = Vec::new();
            let mut first_pieces = vec![0u32];
            for (start, length) in starts.iter().zip(lengths) {
                pieces.extend((0..length).step_by(PIECE).map(|piece| start + piece as u32));
                first_pieces.push(pieces.len() as u32);
            }
            pieces.extend(starts.last());
            passes.push(Pass { starts: upload(&pieces, device)?, sums: pieces.len() - 1 });
            passes.push(Pass { starts: upload(&first_pieces, device)?, sums: starts.len() - 1 });
        } else {
            passes.push(Pass { starts: upload(starts, device)?, sums: starts.len() - 1 });
        }
        Ok(Sums { index: Some(upload(index, device)?), passes })
    }

    /// The sums of the gradient of [`gather`]: sum i adds up the positions of i in `index`, in order.
    pub fn of_positions(index: &[u32], rows: usize, device: &Device) -> Result<Self> {
        let mut starts = vec![0u32; rows + 1];
        for &row in index.iter().filter(|row| **row != NO_ROW) {
            starts[row as usize + 1] += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut positions = vec![0; starts[rows] as usize];
        for (position, &row) in (0..).zip(index).filter(|(_, row)| **row != NO_ROW) {
            positions[next[row as usize] as usize] = position;
            next[row as usize] += 1;
        }
        Sums::new(&positions, &starts, device)
    }

    /// Adds up the rows of `source`, `[rows, width]`, rounded to a grid if there is one: `[sums, width]`.
    pub fn add(&self, source: &Tensor, grid: Option<Grid>) -> Result<Tensor> {
        let (width, device) = (source.dim(1)?, source.device());
        let mut source = source.contiguous()?;
        let (mut index, mut grid) = (self.index.as_ref(), grid);
        for Pass { starts, sums } in &self.passes {
            let Grid { step, largest } = grid.take().unwrap_or(Grid { step: 0.0, largest: 0.0 });
            let arguments = vec![
                Argument::Read(&source, 0),
                Argument::read_or_null(index.take()),
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

/// An index of rows on a device.
#[derive(Clone, Debug)]
pub struct Rows {
    index: Tensor,
    count: usize,
    positions: Sums,
}

impl Rows {
    /// Copies an index to a device. `rows`: number of rows that it selects from.
    pub fn new(index: &[u32], rows: usize, device: &Device) -> Result<Self> {
        let positions = Sums::of_positions(index, rows, device)?;
        Ok(Rows { index: upload(index, device)?, count: index.len(), positions })
    }

    /// The index.
    pub fn index(&self) -> &Tensor {
        &self.index
    }

    /// Adds up the gradients of all selections of each row: `[count, width]` → `[rows, width]`.
    pub fn add_gradients(&self, gradient: &Tensor) -> Result<Tensor> {
        self.positions.add(gradient, None)
    }
}

/// Selects `count` rows of `source`, `[rows, width]`; [`NO_ROW`] selects zeros. Without a gradient.
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

/// Selects rows of `source`: `[rows, width]` → `[count, width]`.
pub fn gather(source: &Tensor, rows: &Arc<Rows>) -> Result<Tensor> {
    let selected = select(&source.detach(), rows.index(), rows.count)?;
    let rows = rows.clone();
    attach1(source, &selected, move |gradient| rows.add_gradients(gradient))
}

/// Zeroes values with the given probability and scales the others by 1 / (1 - probability). `seed`, `stream`: they
/// select the values.
pub fn drop_values(x: &Tensor, probability: f64, seed: u64, stream: u64) -> Result<Tensor> {
    if probability == 0.0 {
        return Ok(x.clone());
    }
    let dropped = move |x: &Tensor| {
        let (x, count) = (x.contiguous()?, x.elem_count());
        let arguments = vec![
            Argument::Read(&x, 0),
            Argument::Int(seed as u32 ^ (stream >> 32) as u32),
            Argument::Int(stream as u32 ^ (seed >> 32) as u32),
            Argument::Int((probability * f64::from(u32::MAX)) as u32),
            Argument::Float((1.0 / (1.0 - probability)) as f32),
            Argument::int(count),
            Argument::Write(0),
        ];
        Launch::one_thread_each("drop_values", count, arguments).write_new(x.shape(), x.device())
    };
    attach1(x, &dropped(&x.detach())?, dropped)
}
