//! The matrix product under all layers.
//!
//! One kernel serves forward, backward and weight gradients: the left matrix is read through strides, so that its
//! transpose costs nothing, and the right one is packed beforehand into [`Panels`]. Every element of the result is one
//! chain of multiply-adds in the order of the inner dimension, whatever the number of rows.

use pulp::{Arch, Simd, WithSimd};

/// Columns of a panel: two vectors of the widest instruction set.
const WIDTH: usize = 32;
/// Rows of the register tile.
const TILE: usize = 4;
/// Vectors of the register tile.
const VECTORS: usize = 2;
/// Steps of the inner dimension that are worked on while their panels stay in the first-level cache.
const CHUNK: usize = 256;

/// The right-hand matrix of a product, `[depth, columns]`, packed in panels of 32 columns, the last one padded with
/// zeros.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    /// `[panel][depth][WIDTH]`
    data: Vec<f32>,
    depth: usize,
    columns: usize,
}

impl Panels {
    /// Packs `matrix`: `[depth, columns]`, row-major.
    pub fn from_rows(matrix: &[f32], depth: usize, columns: usize) -> Self {
        let mut panels = Panels::zeros(depth, columns);
        for (k, row) in matrix.chunks_exact(columns.max(1)).take(depth).enumerate() {
            panels.set_row(k, row);
        }
        panels
    }

    /// Packs the transpose of `matrix`: `[columns, depth]`, row-major.
    pub fn from_transposed(matrix: &[f32], columns: usize, depth: usize) -> Self {
        let mut panels = Panels::zeros(depth, columns);
        for (column, row) in matrix.chunks_exact(depth.max(1)).take(columns).enumerate() {
            let base = column / WIDTH * depth * WIDTH + column % WIDTH;
            for (k, &value) in row.iter().enumerate() {
                panels.data[base + k * WIDTH] = value;
            }
        }
        panels
    }

    /// A matrix of zeros, to be filled with [`set_row`](Self::set_row).
    pub fn zeros(depth: usize, columns: usize) -> Self {
        Panels { data: vec![0.0; columns.div_ceil(WIDTH) * depth * WIDTH], depth, columns }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Sets row `k` (`k < depth`) to `row`: `[columns]`.
    pub fn set_row(&mut self, k: usize, row: &[f32]) {
        debug_assert_eq!(row.len(), self.columns);
        for (panel, part) in row.chunks(WIDTH).enumerate() {
            let start = (panel * self.depth + k) * WIDTH;
            self.data[start..start + part.len()].copy_from_slice(part);
        }
    }
}

/// A view of the left-hand matrix: element (row, k) is `data[row * row_stride + k * depth_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    data: &'a [f32],
    row_stride: usize,
    depth_stride: usize,
}

impl<'a> Strided<'a> {
    /// `data` is `[rows, depth]`, row-major.
    pub fn rows(data: &'a [f32], depth: usize) -> Self {
        Strided { data, row_stride: depth, depth_stride: 1 }
    }

    /// `data` is `[depth, rows]`, row-major.
    pub fn transposed(data: &'a [f32], rows: usize) -> Self {
        Strided { data, row_stride: 1, depth_stride: rows }
    }
}

/// `out += left * right`, with `out`: `[rows, columns]`, row-major.
///
/// # Panics
///
/// Where `left` holds fewer than `out.len() / columns` rows of `right`'s depth.
pub fn add_product(out: &mut [f32], left: Strided<'_>, right: &Panels) {
    if right.columns == 0 || right.depth == 0 || out.is_empty() {
        return;
    }
    debug_assert_eq!(out.len() % right.columns, 0);
    Arch::new().dispatch(AddProduct { out, left, right });
}

struct AddProduct<'a> {
    out: &'a mut [f32],
    left: Strided<'a>,
    right: &'a Panels,
}

impl WithSimd for AddProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Panels { data, depth, columns } = self.right;
        let (depth, columns) = (*depth, *columns);
        let rows = self.out.len() / columns;
        let mut start = 0;
        while start < depth {
            let steps = (depth - start).min(CHUNK);
            for (panel, matrix) in data.chunks_exact(depth * WIDTH).enumerate() {
                let matrix = &matrix[start * WIDTH..(start + steps) * WIDTH];
                let column = panel * WIDTH;
                let width = (columns - column).min(WIDTH);
                let mut row = 0;
                while row < rows {
                    let left = &self.left.data[row * self.left.row_stride + start * self.left.depth_stride..];
                    let out = &mut self.out[row * columns + column..];
                    let shape = Shape { columns, width, row: self.left.row_stride, depth: self.left.depth_stride };
                    row += match rows - row {
                        1 => tile::<S, 1>(simd, out, left, matrix, shape),
                        2 => tile::<S, 2>(simd, out, left, matrix, shape),
                        3 => tile::<S, 3>(simd, out, left, matrix, shape),
                        _ => tile::<S, TILE>(simd, out, left, matrix, shape),
                    };
                }
            }
            start += steps;
        }
    }
}

#[derive(Clone, Copy)]
struct Shape {
    columns: usize,
    width: usize,
    row: usize,
    depth: usize,
}

/// `M` rows of one panel; returns `M`.
#[inline(always)]
fn tile<S: Simd, const M: usize>(simd: S, out: &mut [f32], left: &[f32], matrix: &[f32], shape: Shape) -> usize {
    let mut buffer = [[0.0f32; WIDTH]; M];
    for (m, row) in buffer.iter_mut().enumerate() {
        row[..shape.width].copy_from_slice(&out[m * shape.columns..][..shape.width]);
    }
    let (matrix, _) = S::as_simd_f32s(matrix);
    let per_row = WIDTH / S::F32_LANES;
    let mut vector = 0;
    while vector < per_row {
        let mut sum = [[simd.splat_f32s(0.0); VECTORS]; M];
        for (sum, row) in sum.iter_mut().zip(&buffer) {
            *sum = load(S::as_simd_f32s(row).0, vector);
        }
        for (k, weights) in matrix.chunks_exact(per_row).enumerate() {
            let weights: [S::f32s; VECTORS] = load(weights, vector);
            for (m, sum) in sum.iter_mut().enumerate() {
                let x = simd.splat_f32s(left[m * shape.row + k * shape.depth]);
                for (sum, weight) in sum.iter_mut().zip(weights) {
                    *sum = simd.mul_add_e_f32s(x, weight, *sum);
                }
            }
        }
        for (sum, row) in sum.iter().zip(&mut buffer) {
            S::as_mut_simd_f32s(row).0[vector..vector + VECTORS].copy_from_slice(sum);
        }
        vector += VECTORS;
    }
    for (m, row) in buffer.iter().enumerate() {
        out[m * shape.columns..][..shape.width].copy_from_slice(&row[..shape.width]);
    }
    M
}

#[inline(always)]
fn load<T: Copy>(from: &[T], at: usize) -> [T; VECTORS] {
    [from[at], from[at + 1]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2654435761).wrapping_add(1);
        let mut next = move || {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    fn naive(out: &mut [f32], left: &[f32], right: &[f32], depth: usize, columns: usize) {
        for (row, out) in out.chunks_exact_mut(columns).enumerate() {
            for (column, out) in out.iter_mut().enumerate() {
                let sum: f64 =
                    (0..depth).map(|k| left[row * depth + k] as f64 * right[k * columns + column] as f64).sum();
                *out = (*out as f64 + sum) as f32;
            }
        }
    }

    fn transpose(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns).map(|i| matrix[i % rows * columns + i / rows]).collect()
    }

    proptest! {
        #[test]
        fn every_layout_equals_the_naive_product(rows in 1usize..10, depth in 1usize..300, columns in 1usize..70, seed: u32) {
            let left = values(rows * depth, seed);
            let right = values(depth * columns, seed ^ 1);
            let start = values(rows * columns, seed ^ 2);
            let mut expected = start.clone();
            naive(&mut expected, &left, &right, depth, columns);

            let from_rows = Panels::from_rows(&right, depth, columns);
            let from_transposed = Panels::from_transposed(&transpose(&right, depth, columns), columns, depth);
            let left_transposed = transpose(&left, rows, depth);
            let mut first: Option<Vec<f32>> = None;
            for left in [Strided::rows(&left, depth), Strided::transposed(&left_transposed, rows)] {
                for right in [&from_rows, &from_transposed] {
                    let mut out = start.clone();
                    add_product(&mut out, left, right);
                    for (a, b) in out.iter().zip(&expected) {
                        prop_assert!((a - b).abs() < 1e-4, "{a} {b}");
                    }
                    prop_assert_eq!(first.get_or_insert_with(|| out.clone()), &out);
                }
            }
        }

        #[test]
        fn a_row_does_not_depend_on_its_neighbours(rows in 1usize..10, depth in 1usize..300, columns in 1usize..70, seed: u32) {
            let left = values(rows * depth, seed);
            let right = Panels::from_rows(&values(depth * columns, seed ^ 1), depth, columns);
            let mut together = vec![0.0; rows * columns];
            add_product(&mut together, Strided::rows(&left, depth), &right);
            for (row, together) in together.chunks_exact(columns).enumerate() {
                let mut alone = vec![0.0; columns];
                add_product(&mut alone, Strided::rows(&left[row * depth..][..depth], depth), &right);
                prop_assert_eq!(&alone, together);
            }
        }
    }
}
