//! Pooling over time on a device: see [`Reduction`].

use super::attached::attach1;
use super::batch::DeviceBatch;
use super::launch::{Argument, Launch};
use super::rows::{NO_ROW, Rows, Sums, gather, select, upload};
use crate::pooling::Reduction;
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// Reduces the vectors of each sequence's tokens to one vector, with a gradient. `x`: `[rows, width]`, one row for each
/// token of the packed batch. Returns `[sequences, width]` in the layout's order of the sequences, longest first; an
/// empty sequence has zeros.
///
/// The mean and the maximum are computed from detached values. `attach1` then makes candle treat them as functions of
/// `x` with the gradient of the closure.
pub fn reduce(x: &Tensor, batch: &Arc<DeviceBatch>, reduction: Reduction) -> Result<Tensor> {
    let (layout, device) = (&batch.layout, x.device());
    let (rows, width, sequences) = (layout.rows(), x.dim(1)?, layout.lengths().len());
    if rows == 0 {
        return Tensor::zeros((sequences, width), candle_core::DType::F32, device);
    }
    match reduction {
        Reduction::Last(direction) => {
            let mut last: Vec<u32> = layout.last_rows(direction).map(|row| row as u32).collect();
            // Empty sequences come last in the layout and have no last row.
            last.resize(sequences, NO_ROW);
            gather(x, &Arc::new(Rows::new(&last, rows, device)?))
        }
        Reduction::Mean => {
            let sequence_of_row = batch.sequences();
            // Sum q adds up the rows of sequence q.
            let sums = Sums::of_positions(&sequence_of_row, sequences, device)?;
            let sequence_of_row = upload(&sequence_of_row, device)?;
            let shares: Vec<f32> = layout.lengths().iter().map(|&length| 1.0 / length.max(1) as f32).collect();
            let shares = Tensor::from_vec(shares, (sequences, 1), device)?;
            let no_grid = None;
            let mean = sums.compute(&x.detach(), no_grid)?.broadcast_mul(&shares)?;
            attach1(x, &mean, move |d_mean| select(&d_mean.broadcast_mul(&shares)?, &sequence_of_row, rows))
        }
        Reduction::Max => {
            let (values, batch) = (x.detach().contiguous()?, batch.clone());
            // Runs a kernel that computes `[out_rows, width]`. `d_max`: the gradient of the maxima; `None` in the
            // forward pass.
            let run_kernel = move |kernel: &str, d_max: Option<&Tensor>, out_rows: usize| {
                let mut arguments = vec![Argument::Read(&values, 0)];
                arguments.extend(d_max.map(|d_max| Argument::Read(d_max, 0)));
                arguments.extend([Argument::Read(&batch.offsets, 0), Argument::Read(&batch.lengths, 0)]);
                arguments.extend([Argument::int(sequences), Argument::int(width), Argument::Write(0)]);
                let launch = Launch::one_thread_each(kernel, sequences * width, arguments);
                launch.write_new((out_rows, width), values.device())
            };
            let max = run_kernel("max_rows", None, sequences)?;
            attach1(x, &max, move |d_max| run_kernel("max_rows_backward", Some(d_max), rows))
        }
    }
}
