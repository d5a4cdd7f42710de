//! The matrix product that all layers use, with the vector instructions of the processor.
//!
//! The forward pass, the backward pass and the weight gradients use the same kernel. The left matrix, `[rows, depth]`,
//! is read through strides, so its transpose needs no copy; the right matrix, `[depth, columns]`, is packed beforehand
//! into [`Panels`]. The result is computed in tiles: a few rows by a few vectors of columns, whose sums stay in
//! registers. Every element of the result is one chain of multiply-adds in the order of the inner dimension, so its
//! bits do not depend on the number of rows.

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};

/// Columns of a panel: four of the widest vectors, those of AVX-512 with 16 values.
const WIDTH: usize = 64;
/// The largest number of rows of a tile.
const TILE_ROWS: usize = 6;
/// The largest number of steps of the inner dimension that are computed for one panel before the next panel. This part
/// of a panel, 128 · 64 values of 4 bytes, has 32 KiB, the size of a first-level cache.
const CHUNK: usize = 128;

/// The right matrix of a product, `[depth, columns]`, packed in panels of 64 columns. The last panel is padded to 64;
/// results do not depend on the values there.
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
        // `max`: `chunks_exact` panics for a size of 0, which an empty matrix may have.
        for (k, row) in matrix.chunks_exact(columns.max(1)).take(depth).enumerate() {
            panels.set_row(k, row);
        }
        panels
    }

    /// Packs the transpose of `matrix`: `[columns, depth]`, row-major.
    pub fn from_transposed(matrix: &[f32], columns: usize, depth: usize) -> Self {
        let mut panels = Panels::zeros(depth, columns);
        for (column, values) in matrix.chunks_exact(depth.max(1)).take(columns).enumerate() {
            let panel_start = column / WIDTH * depth * WIDTH;
            let column_of_panel = column % WIDTH;
            for (k, &value) in values.iter().enumerate() {
                panels.data[panel_start + k * WIDTH + column_of_panel] = value;
            }
        }
        panels
    }

    /// A matrix of zeros, to be filled by [`set_row`](Self::set_row).
    pub fn zeros(depth: usize, columns: usize) -> Self {
        Panels { data: vec![0.0; columns.div_ceil(WIDTH) * depth * WIDTH], depth, columns }
    }

    /// Changes the number of rows to `depth`. The values of all rows are unspecified until they are set.
    pub fn resize(&mut self, depth: usize) {
        self.depth = depth;
        self.data.resize(self.columns.div_ceil(WIDTH) * depth * WIDTH, 0.0);
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Sets row `k`, which must be less than the number of rows. `row`: `[columns]`.
    pub fn set_row(&mut self, k: usize, row: &[f32]) {
        debug_assert_eq!(row.len(), self.columns);
        for (panel, values) in row.chunks(WIDTH).enumerate() {
            let start = (panel * self.depth + k) * WIDTH;
            self.data[start..start + values.len()].copy_from_slice(values);
        }
    }
}

/// A view of the left matrix of a product.
#[derive(Clone, Copy, Debug)]
pub struct LeftMatrix<'a> {
    /// Element (row, k) is `data[row * stride + k]`, or `data[k * stride + row]` if transposed.
    data: &'a [f32],
    stride: usize,
    transposed: bool,
}

impl<'a> LeftMatrix<'a> {
    /// A view of `data`: `[rows, depth]`, row-major, with rows `stride` values apart.
    pub fn rows(data: &'a [f32], stride: usize) -> Self {
        LeftMatrix { data, stride, transposed: false }
    }

    /// A view of the transpose of `data`: `[depth, rows]`, row-major, with rows `stride` values apart.
    pub fn transposed(data: &'a [f32], stride: usize) -> Self {
        LeftMatrix { data, stride, transposed: true }
    }
}

/// Computes `out += left * right`. `out`: `[rows, columns]`, row-major.
///
/// # Panics
/// Panics if `left` has too few values for `out.len() / columns` rows and the depth of `right`.
pub fn add_product(out: &mut [f32], left: LeftMatrix<'_>, right: &Panels) {
    if right.columns > 0 {
        debug_assert_eq!(out.len() % right.columns, 0);
        add_product_strided(out, right.columns, out.len() / right.columns, left, right);
    }
}

/// Computes `out += left * right` like [`add_product`], for the first `rows` rows of `out`, whose starts are `stride`
/// values apart.
///
/// # Panics
/// Panics if `out` has fewer than `rows` rows, or `left` has too few values for `rows` rows and the depth of `right`.
pub fn add_product_strided(out: &mut [f32], stride: usize, rows: usize, left: LeftMatrix<'_>, right: &Panels) {
    if right.columns > 0 && right.depth > 0 && rows > 0 {
        Arch::new().dispatch(AddProduct { out, stride, rows, left, right });
    }
}

/// Computes `to[target(r)] += from[r]` for every row r of `from`. `to`: `[rows, width]`; `from`: rows of `width` values
/// whose starts are `stride` values apart. `target`: returns the index of the row of `to` for that of a row of `from`.
///
/// # Panics
/// Panics if `target` returns a row that `to` does not have.
pub fn add_rows(to: &mut [f32], from: &[f32], stride: usize, width: usize, target: impl Fn(usize) -> usize) {
    Arch::new().dispatch(AddRows { to, from, stride, width, target });
}

/// The arguments of [`add_rows`].
struct AddRows<'a, T> {
    to: &'a mut [f32],
    from: &'a [f32],
    stride: usize,
    width: usize,
    target: T,
}

impl<T: Fn(usize) -> usize> NullaryFnOnce for AddRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (index, summands) in self.from.chunks(self.stride).enumerate() {
            let sums = &mut self.to[(self.target)(index) * self.width..][..self.width];
            for (sum, summand) in sums.iter_mut().zip(&summands[..self.width]) {
                *sum += summand;
            }
        }
    }
}

/// The arguments of [`add_product_strided`].
struct AddProduct<'a> {
    out: &'a mut [f32],
    stride: usize,
    rows: usize,
    left: LeftMatrix<'a>,
    right: &'a Panels,
}

impl WithSimd for AddProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The constant parameter compiles the loop once for each layout, so that it needs no test for each element.
        if self.left.transposed { self.add::<S, true>(simd) } else { self.add::<S, false>(simd) }
    }
}

impl AddProduct<'_> {
    /// Adds the product: chunk by chunk of the inner dimension, in each chunk panel by panel, in each panel tile by
    /// tile of rows. `TRANSPOSED` is true if the left matrix is transposed.
    #[inline(always)]
    fn add<S: Simd, const TRANSPOSED: bool>(self, simd: S) {
        let AddProduct { out, stride, rows, left, right } = self;
        let Panels { data, depth, columns } = right;
        let (depth, columns) = (*depth, *columns);
        let tiles = rows.div_ceil(TILE_ROWS);
        let mut first_step = 0;
        while first_step < depth {
            let steps = (depth - first_step).min(CHUNK);
            for (panel, panel_data) in data.chunks_exact(depth * WIDTH).enumerate() {
                let panel_part = &panel_data[first_step * WIDTH..(first_step + steps) * WIDTH];
                let column = panel * WIDTH;
                let shape = Shape { stride, width: (columns - column).min(WIDTH), left_stride: left.stride, steps };
                let mut row = 0;
                for tile in 0..tiles {
                    let left_start =
                        if TRANSPOSED { first_step * left.stride + row } else { row * left.stride + first_step };
                    let left_part = &left.data[left_start..];
                    let out_part = &mut out[row * stride + column..];
                    // The heights differ by at most one row. A tile of few rows would have too few independent sums to
                    // hide the latency of a multiply-add.
                    let tile_rows = rows / tiles + usize::from(tile < rows % tiles);
                    match tile_rows {
                        1 => add_panel::<S, 1, TRANSPOSED>(simd, out_part, left_part, panel_part, shape),
                        2 => add_panel::<S, 2, TRANSPOSED>(simd, out_part, left_part, panel_part, shape),
                        3 => add_panel::<S, 3, TRANSPOSED>(simd, out_part, left_part, panel_part, shape),
                        4 => add_panel::<S, 4, TRANSPOSED>(simd, out_part, left_part, panel_part, shape),
                        5 => add_panel::<S, 5, TRANSPOSED>(simd, out_part, left_part, panel_part, shape),
                        _ => add_panel::<S, TILE_ROWS, TRANSPOSED>(simd, out_part, left_part, panel_part, shape),
                    }
                    row += tile_rows;
                }
            }
            first_step += steps;
        }
    }
}

/// The sizes of the part of a product that one panel contributes in one chunk of the inner dimension.
#[derive(Clone, Copy)]
struct Shape {
    /// Distance between rows of the result.
    stride: usize,
    /// Columns of the panel without padding.
    width: usize,
    /// Distance between rows of the left matrix as it is stored.
    left_stride: usize,
    /// Steps of the inner dimension.
    steps: usize,
}

/// Adds to `ROWS` rows of the result the product with `shape.steps` rows of one panel.
///
/// `out`, `left`: the result and the left matrix, from the first element of this part on; `panel`: the rows of the
/// panel, `[steps, WIDTH]`. `TRANSPOSED` is true if the left matrix is transposed.
#[inline(always)]
fn add_panel<S: Simd, const ROWS: usize, const TRANSPOSED: bool>(
    simd: S,
    out: &mut [f32],
    left: &[f32],
    panel: &[f32],
    shape: Shape,
) {
    let vectors = shape.width.div_ceil(S::F32_LANES);
    let mut vector = 0;
    // 32 registers hold the sums of four vectors of each row, 16 registers those of two. For the last one or two
    // vectors a tile of two suffices.
    if S::REGISTER_COUNT >= 32 {
        while vector + 2 < vectors {
            add_tile::<S, ROWS, 4, TRANSPOSED>(simd, out, left, panel, shape, vector);
            vector += 4;
        }
    }
    while vector < vectors {
        add_tile::<S, ROWS, 2, TRANSPOSED>(simd, out, left, panel, shape, vector);
        vector += 2;
    }
}

/// Does the work of [`add_panel`] for one tile: the columns of `VECTORS` vectors of the panel, from vector
/// `first_vector` on. The last vectors may lie partly or wholly in the panel's padding.
///
/// In the loops, k is the step of the inner dimension, x the values of `left` in this step, one for each row, and w the
/// vectors of `panel`.
#[inline(always)]
fn add_tile<S: Simd, const ROWS: usize, const VECTORS: usize, const TRANSPOSED: bool>(
    simd: S,
    out: &mut [f32],
    left: &[f32],
    panel: &[f32],
    shape: Shape,
    first_vector: usize,
) {
    let (panel_vectors, _) = S::as_simd_f32s(panel);
    let start = first_vector * S::F32_LANES;
    let width = (shape.width - start).min(VECTORS * S::F32_LANES);
    let has_padding = width < VECTORS * S::F32_LANES;

    // The tile of the result is loaded into the sums.
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (row, row_sums) in sums.iter_mut().enumerate() {
        let values = &out[row * shape.stride + start..][..width];
        if has_padding {
            let mut padded = [0.0; WIDTH];
            padded[..width].copy_from_slice(values);
            copy_first(row_sums, S::as_simd_f32s(&padded).0);
        } else {
            copy_first(row_sums, S::as_simd_f32s(values).0);
        }
    }

    let steps = shape.steps;
    // The `steps` values of each row, which are contiguous unless the left matrix is transposed.
    let mut left_rows = [left; ROWS];
    if !TRANSPOSED {
        for (row, values) in left_rows.iter_mut().enumerate() {
            *values = &left[row * shape.left_stride..][..steps];
        }
    }
    for k in 0..steps {
        let mut x = [0.0; ROWS];
        if TRANSPOSED {
            x.copy_from_slice(&left[k * shape.left_stride..][..ROWS]);
        } else {
            for (value, values) in x.iter_mut().zip(left_rows) {
                *value = values[k];
            }
        }
        let mut w = [simd.splat_f32s(0.0); VECTORS];
        copy_first(&mut w, &panel_vectors[k * (WIDTH / S::F32_LANES) + first_vector..]);
        for (row_sums, value) in sums.iter_mut().zip(x) {
            let repeated = simd.splat_f32s(value);
            for (sum, vector) in row_sums.iter_mut().zip(w) {
                *sum = simd.mul_add_e_f32s(repeated, vector, *sum);
            }
        }
    }

    // The sums are stored into the tile of the result, without padding.
    for (row, row_sums) in sums.iter().enumerate() {
        let values = &mut out[row * shape.stride + start..][..width];
        if has_padding {
            let mut padded = [0.0; WIDTH];
            S::as_mut_simd_f32s(&mut padded).0[..VECTORS].copy_from_slice(row_sums);
            values.copy_from_slice(&padded[..width]);
        } else {
            S::as_mut_simd_f32s(values).0.copy_from_slice(row_sums);
        }
    }
}

/// Copies the first `N` values of `from`, which may have more.
#[inline(always)]
fn copy_first<T: Copy, const N: usize>(to: &mut [T; N], from: &[T]) {
    to.copy_from_slice(&from[..N]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `n` pseudo-random numbers in −1 … 1, from a linear congruential generator.
    fn values(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2654435761).wrapping_add(1);
        let mut next = move || {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// Computes `out += left * right` with sums in f64.
    fn add_naive_product(out: &mut [f32], left: &[f32], right: &[f32], depth: usize, columns: usize) {
        for (index, element) in out.iter_mut().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let sum: f64 = (0..depth).map(|k| left[row * depth + k] as f64 * right[k * columns + column] as f64).sum();
            *element = (*element as f64 + sum) as f32;
        }
    }

    /// The transpose of `matrix`, `[rows, columns]`.
    fn transpose(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        (0..columns).flat_map(|column| (0..rows).map(move |row| matrix[row * columns + column])).collect()
    }

    proptest! {
        #[test]
        fn every_layout_equals_the_naive_product(rows in 1usize..10, depth in 1usize..300, columns in 1usize..70, seed: u32) {
            let left = values(rows * depth, seed);
            let right = values(depth * columns, seed ^ 1);
            let start = values(rows * columns, seed ^ 2);
            let mut expected = start.clone();
            add_naive_product(&mut expected, &left, &right, depth, columns);

            let from_rows = Panels::from_rows(&right, depth, columns);
            let from_transposed = Panels::from_transposed(&transpose(&right, depth, columns), columns, depth);
            let left_transposed = transpose(&left, rows, depth);
            let mut first_result: Option<Vec<f32>> = None;
            for left in [LeftMatrix::rows(&left, depth), LeftMatrix::transposed(&left_transposed, rows)] {
                for right in [&from_rows, &from_transposed] {
                    let mut out = start.clone();
                    add_product(&mut out, left, right);
                    for (a, b) in out.iter().zip(&expected) {
                        prop_assert!((a - b).abs() < 1e-4, "{a} {b}");
                    }
                    prop_assert_eq!(first_result.get_or_insert_with(|| out.clone()), &out);
                }
            }
        }

        #[test]
        fn a_row_does_not_depend_on_its_neighbours(rows in 1usize..10, depth in 1usize..300, columns in 1usize..70, seed: u32) {
            let left = values(rows * depth, seed);
            let right = Panels::from_rows(&values(depth * columns, seed ^ 1), depth, columns);
            let mut together = vec![0.0; rows * columns];
            add_product(&mut together, LeftMatrix::rows(&left, depth), &right);
            for (row, together) in together.chunks_exact(columns).enumerate() {
                let mut alone = vec![0.0; columns];
                add_product(&mut alone, LeftMatrix::rows(&left[row * depth..][..depth], depth), &right);
                prop_assert_eq!(&alone, together);
            }
        }
    }
}
