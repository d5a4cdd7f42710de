//! A fully connected layer: y = x·Wᵀ + b.

use crate::buffer::Buffer;
use crate::product::{LeftMatrix, Panels, add_product, add_rows};

/// A linear layer with its weight packed for the matrix product.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Panels,
    bias: Vec<f32>,
    in_features: usize,
}

impl Linear {
    /// Packs a layer. `weight`: `[out_features, in_features]`, row-major; `bias`: `[out_features]`.
    pub fn new(weight: &[f32], bias: &[f32]) -> Self {
        // 0 for a layer without outputs, whose weight is empty.
        let in_features = weight.len().checked_div(bias.len()).unwrap_or(0);
        Linear { weight: Panels::from_transposed(weight, bias.len(), in_features), bias: bias.to_vec(), in_features }
    }

    /// Width of the layer's input.
    pub fn in_features(&self) -> usize {
        self.in_features
    }

    /// Applies the layer: x `[rows, in_features]` → `[rows, out_features]`.
    pub fn forward(&self, x: &[f32], rows: usize) -> Vec<f32> {
        self.forward_into_buffer(x, rows).to_vec()
    }

    /// Applies the layer like [`forward`](Self::forward), with the result in a [`Buffer`] of the pool.
    pub fn forward_into_buffer(&self, x: &[f32], rows: usize) -> Buffer {
        let mut y = Buffer::any(rows * self.bias.len());
        y.chunks_exact_mut(self.bias.len().max(1)).for_each(|row| row.copy_from_slice(&self.bias));
        add_product(&mut y, LeftMatrix::rows(x, self.in_features), &self.weight);
        y
    }
}

/// The gradients of a [`Linear`] layer.
#[derive(Debug)]
pub struct Gradients {
    /// `[rows, in_features]`
    pub x: Vec<f32>,
    /// `[out_features, in_features]`
    pub weight: Vec<f32>,
    /// `[out_features]`
    pub bias: Vec<f32>,
}

/// Computes the gradients of a linear layer from the gradient of its output.
///
/// `d_y`: `[rows, out_features]`, with rows `stride` values apart (at least `out_features`); `x`:
/// `[rows, in_features]`; `weight`: `[out_features, in_features]`.
pub fn backward(d_y: &[f32], stride: usize, x: &[f32], weight: &[f32], rows: usize, out_features: usize) -> Gradients {
    let in_features = weight.len().checked_div(out_features).unwrap_or(0);
    let mut d_x = vec![0.0; rows * in_features];
    let panels = Panels::from_rows(weight, out_features, in_features);
    add_product(&mut d_x, LeftMatrix::rows(d_y, stride), &panels);
    let mut d_weight = vec![0.0; weight.len()];
    add_product(&mut d_weight, LeftMatrix::transposed(d_y, stride), &Panels::from_rows(x, rows, in_features));
    let mut d_bias = vec![0.0; out_features];
    if out_features > 0 {
        // Adds all rows to the single row 0 of the sum.
        add_rows(&mut d_bias, &d_y[..rows * stride], stride, out_features, |_| 0);
    }
    Gradients { x: d_x, weight: d_weight, bias: d_bias }
}
