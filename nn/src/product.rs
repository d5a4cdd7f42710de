//! The matrix product under all layers.
//!
//! One kernel serves forward, backward and weight gradients: the left matrix is read through strides, so that its
//! transpose costs nothing, and the right one is packed beforehand into [`Panels`]. Every element of the result is one
//! chain of multiply-adds in the order of the inner dimension, whatever the number of rows.

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

/// Columns of a panel: four vectors of the widest instruction set.
const WIDTH: usize = 64;
/// Rows of the register tile.
const TILE: usize = 6;
/// Steps of the inner dimension that are worked on while their panel, of 32 KiB, stays in the first-level cache.
const CHUNK: usize = 128;

/// The right-hand matrix of a product, `[depth, columns]`, packed in panels of 64 columns, the last one padded with
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

    /// Makes a matrix with so many rows of it, each of any numbers until it is set.
    pub fn resize(&mut self, depth: usize) {
        self.depth = depth;
        self.data.resize(self.columns.div_ceil(WIDTH) * depth * WIDTH, 0.0);
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

/// A view of the left-hand matrix.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// Element (row, k) is `data[row * stride + k]`; of a transposed one `data[k * stride + row]`.
    data: &'a [f32],
    stride: usize,
    transposed: bool,
}

impl<'a> Strided<'a> {
    /// `data` is `[rows, depth]`, row-major, its rows `stride` values apart.
    pub fn rows(data: &'a [f32], stride: usize) -> Self {
        Strided { data, stride, transposed: false }
    }

    /// `data` is `[depth, rows]`, row-major, its rows `stride` values apart.
    pub fn transposed(data: &'a [f32], stride: usize) -> Self {
        Strided { data, stride, transposed: true }
    }
}

/// `out += left * right`, with `out`: `[rows, columns]`, row-major.
///
/// # Panics
///
/// Where `left` holds fewer than `out.len() / columns` rows of `right`'s depth.
pub fn add_product(out: &mut [f32], left: Strided<'_>, right: &Panels) {
    if right.columns > 0 {
        debug_assert_eq!(out.len() % right.columns, 0);
        add_product_strided(out, right.columns, out.len() / right.columns, left, right);
    }
}

/// As [`add_product`] for `rows` rows of `out` that begin `stride` values apart.
///
/// # Panics
///
/// Where `out` or `left` holds fewer rows.
pub fn add_product_strided(out: &mut [f32], stride: usize, rows: usize, left: Strided<'_>, right: &Panels) {
    if right.columns > 0 && right.depth > 0 && rows > 0 {
        Arch::new().dispatch(AddProduct { out, stride, rows, left, right });
    }
}

/// `to[row(r)] += from[r]` for the rows of `from`, of `width` values each, which begin `stride` values apart.
///
/// # Panics
///
/// Where `to` has no such row.
pub fn add_rows(to: &mut [f32], from: &[f32], stride: usize, width: usize, row: impl Fn(usize) -> usize) {
    Arch::new().dispatch(AddRows { to, from, stride, width, row });
}

struct AddRows<'a, R> {
    to: &'a mut [f32],
    from: &'a [f32],
    stride: usize,
    width: usize,
    row: R,
}

impl<R: Fn(usize) -> usize> NullaryFnOnce for AddRows<'_, R> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (index, from) in self.from.chunks(self.stride).enumerate() {
            let to = &mut self.to[(self.row)(index) * self.width..][..self.width];
            for (to, from) in to.iter_mut().zip(&from[..self.width]) {
                *to += from;
            }
        }
    }
}

struct AddProduct<'a> {
    out: &'a mut [f32],
    stride: usize,
    rows: usize,
    left: Strided<'a>,
    right: &'a Panels,
}

impl WithSimd for AddProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Two programs, so that each finds its numbers without a check or a multiplication for each of them.
        if self.left.transposed { self.add::<S, true>(simd) } else { self.add::<S, false>(simd) }
    }
}

impl AddProduct<'_> {
    #[inline(always)]
    fn add<S: Simd, const T: bool>(self, simd: S) {
        let AddProduct { out, stride, rows, left, right } = self;
        let Panels { data, depth, columns } = right;
        let (depth, columns) = (*depth, *columns);
        let tiles = rows.div_ceil(TILE);
        let mut start = 0;
        while start < depth {
            let steps = (depth - start).min(CHUNK);
            for (panel, matrix) in data.chunks_exact(depth * WIDTH).enumerate() {
                let matrix = &matrix[start * WIDTH..(start + steps) * WIDTH];
                let column = panel * WIDTH;
                let width = (columns - column).min(WIDTH);
                // Tiles of nearly equal height: a flat one would wait for its few chains of multiply-adds.
                let mut row = 0;
                for tile in 0..tiles {
                    let at = if T { row + start * left.stride } else { row * left.stride + start };
                    let left = &left.data[at..];
                    let out = &mut out[row * stride + column..];
                    let shape = Shape { stride, width, left: self.left.stride, steps };
                    row += match rows / tiles + usize::from(tile < rows % tiles) {
                        1 => panel_rows::<S, 1, T>(simd, out, left, matrix, shape),
                        2 => panel_rows::<S, 2, T>(simd, out, left, matrix, shape),
                        3 => panel_rows::<S, 3, T>(simd, out, left, matrix, shape),
                        4 => panel_rows::<S, 4, T>(simd, out, left, matrix, shape),
                        5 => panel_rows::<S, 5, T>(simd, out, left, matrix, shape),
                        _ => panel_rows::<S, TILE, T>(simd, out, left, matrix, shape),
                    };
                }
            }
            start += steps;
        }
    }
}

#[derive(Clone, Copy)]
struct Shape {
    /// Of the rows of the result.
    stride: usize,
    /// Columns of the panel that are there.
    width: usize,
    /// The left matrix's stride.
    left: usize,
    /// Of the inner dimension.
    steps: usize,
}

/// `M` rows of one panel, the left matrix transposed or not; returns `M`.
#[inline(always)]
fn panel_rows<S: Simd, const M: usize, const T: bool>(
    simd: S,
    out: &mut [f32],
    left: &[f32],
    matrix: &[f32],
    shape: Shape,
) -> usize {
    let vectors = shape.width.div_ceil(S::F32_LANES);
    let mut vector = 0;
    // With 32 registers four vectors of each row stay in them, with 16 registers two.
    if S::REGISTER_COUNT >= 32 {
        while vectors - vector > 2 {
            tile::<S, M, 4, T>(simd, out, left, matrix, shape, vector);
            vector += 4;
            if vector >= vectors {
                return M;
            }
        }
    }
    while vector < vectors {
        tile::<S, M, 2, T>(simd, out, left, matrix, shape, vector);
        vector += 2;
    }
    M
}

/// `M` rows of `N` vectors of a panel, from vector `first` on.
#[inline(always)]
fn tile<S: Simd, const M: usize, const N: usize, const T: bool>(
    simd: S,
    out: &mut [f32],
    left: &[f32],
    matrix: &[f32],
    shape: Shape,
    first: usize,
) {
    let (matrix, _) = S::as_simd_f32s(matrix);
    let start = first * S::F32_LANES;
    let width = (shape.width - start).min(N * S::F32_LANES);
    let mut sum = [[simd.splat_f32s(0.0); N]; M];
    let whole = width == N * S::F32_LANES;
    for (m, sum) in sum.iter_mut().enumerate() {
        let row = &out[m * shape.stride + start..][..width];
        if whole {
            copy(sum, S::as_simd_f32s(row).0);
        } else {
            let mut buffer = [0.0; WIDTH];
            buffer[..width].copy_from_slice(row);
            copy(sum, S::as_simd_f32s(&buffer).0);
        }
    }
    let steps = shape.steps;
    let mut rows = [left; M];
    if !T {
        for (m, row) in rows.iter_mut().enumerate() {
            *row = &left[m * shape.left..][..steps];
        }
    }
    for k in 0..steps {
        let mut x = [0.0; M];
        if T {
            x.copy_from_slice(&left[k * shape.left..][..M]);
        } else {
            for (x, row) in x.iter_mut().zip(rows) {
                *x = row[k];
            }
        }
        let mut w = [simd.splat_f32s(0.0); N];
        copy(&mut w, &matrix[k * (WIDTH / S::F32_LANES) + first..]);
        for (sum, x) in sum.iter_mut().zip(x) {
            let x = simd.splat_f32s(x);
            for (sum, w) in sum.iter_mut().zip(w) {
                *sum = simd.mul_add_e_f32s(x, w, *sum);
            }
        }
    }
    for (m, sum) in sum.iter().enumerate() {
        let row = &mut out[m * shape.stride + start..][..width];
        if whole {
            S::as_mut_simd_f32s(row).0.copy_from_slice(sum);
        } else {
            let mut buffer = [0.0; WIDTH];
            S::as_mut_simd_f32s(&mut buffer).0[..N].copy_from_slice(sum);
            row.copy_from_slice(&buffer[..width]);
        }
    }
}

#[inline(always)]
fn copy<T: Copy, const N: usize>(to: &mut [T; N], from: &[T]) {
    to.copy_from_slice(&from[..N]);
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
