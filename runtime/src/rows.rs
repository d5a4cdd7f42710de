//! Iterators over the rows of a matrix. They replace methods of slices, such as `chunks_exact`, for which the compiler
//! links a panic where it cannot see that the length of a row is not zero.

use core::num::NonZeroUsize;

/// The rows of `elements`, of `columns` elements each, like `chunks_exact`.
pub(crate) fn rows<T>(elements: &[T], columns: NonZeroUsize) -> Rows<'_, T> {
    Rows { rest: elements, columns }
}

/// One row of `elements`; none beyond the last.
#[inline]
pub(crate) fn row<T>(elements: &[T], columns: NonZeroUsize, index: usize) -> Option<&[T]> {
    // If the product overflows, no such row fits the address space.
    let begin = index.wrapping_mul(columns.get());
    elements.get(begin..)?.get(..columns.get())
}

/// The iterator that [`rows`] returns.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'a, T> {
    rest: &'a [T],
    columns: NonZeroUsize,
}

impl<'a, T> Iterator for Rows<'a, T> {
    type Item = &'a [T];

    #[inline]
    fn next(&mut self) -> Option<&'a [T]> {
        let (row, rest) = self.rest.split_at_checked(self.columns.get())?;
        self.rest = rest;
        Some(row)
    }
}

/// The same as [`rows`], but followed by empty rows without end. A step with a precomputed input projection has no
/// input weights, so it gets empty rows only.
#[inline]
pub(crate) fn rows_or_empty<T>(elements: &[T], columns: NonZeroUsize) -> impl Iterator<Item = &[T]> {
    let mut rest = elements;
    core::iter::repeat_with(move || {
        let (row, after) = rest.split_at_checked(columns.get()).unwrap_or_default();
        rest = after;
        row
    })
}

/// Cuts `elements` into pieces of `SIZE`, the last of which may be shorter, like `chunks`.
#[cfg(feature = "widths")]
#[inline]
pub(crate) fn pieces<const SIZE: usize, T>(elements: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = elements;
    core::iter::from_fn(move || {
        let (piece, after) = rest.split_at_checked(SIZE).unwrap_or((rest, &[]));
        rest = after;
        if piece.is_empty() { None } else { Some(piece) }
    })
}
