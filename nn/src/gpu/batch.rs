//! The layout of a packed batch on a device.

use super::rows::{NO_ROW, Rows, upload};
use crate::packed::{Direction, PackedLayout};
use candle_core::{Device, Result, Tensor};
use std::sync::Arc;

/// The layout of a packed batch, and its copy on a device.
#[derive(Debug)]
pub struct DeviceBatch {
    /// The layout.
    pub layout: Arc<PackedLayout>,
    /// The index of each token's row in the first layer's input; `None` if the rows are those of the tokens, in order.
    pub tokens: Option<Arc<Rows>>,
    /// The first row of each time step, followed by the total number of rows: u32, `[steps + 1]`.
    pub(super) offsets: Tensor,
    /// Lengths of the sequences, longest first: u32, `[sequences]`.
    pub(super) lengths: Tensor,
    device: Device,
}

impl DeviceBatch {
    /// Copies a layout to a device. `tokens`: the index of each token's row in the first layer's input, and the number
    /// of rows of that input; `None` if the rows are those of the tokens, in order.
    pub fn new(layout: Arc<PackedLayout>, tokens: Option<(&[u32], usize)>, device: &Device) -> Result<Self> {
        let to_u32 = |values: &[usize]| values.iter().map(|&value| value as u32).collect::<Vec<_>>();
        Ok(DeviceBatch {
            offsets: upload(&to_u32(layout.offsets()), device)?,
            lengths: upload(&to_u32(layout.lengths()), device)?,
            tokens: tokens.map(|(index, rows)| Rows::new(index, rows, device).map(Arc::new)).transpose()?,
            layout,
            device: device.clone(),
        })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The row of the hidden state before each token: u32, `[rows]`. [`NO_ROW`] for the first token of each sequence
    /// that a layer of this direction reads.
    pub(super) fn previous_rows(&self, direction: Direction) -> Result<Tensor> {
        let mut previous = vec![NO_ROW; self.layout.rows()];
        for step in self.layout.time_steps(direction) {
            for (row, before) in step.continuing().zip(step.previous) {
                previous[row] = before as u32;
            }
        }
        upload(&previous, &self.device)
    }

    /// The index of each token's sequence in the order of the layout: `[rows]`.
    pub(super) fn sequences(&self) -> Vec<u32> {
        self.layout.batch_sizes().iter().flat_map(|&active| 0..active as u32).collect()
    }
}
