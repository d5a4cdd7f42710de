//! Iterators over the rows of a matrix. They replace methods of slices that can panic if the compiler loses track of a
//! length not being zero.

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

/// See [`rows`].
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

/// [`rows`], followed by empty rows without end, for a precomputed input projection.
#[inline]
pub(crate) fn rows_or_empty<T>(elements: &[T], columns: NonZeroUsize) -> impl Iterator<Item = &[T]> {
    let mut rest = elements;
    core::iter::repeat_with(move || {
        let (row, after) = rest.split_at_checked(columns.get()).unwrap_or_default();
        rest = after;
        row
    })
}

/// Pieces of `SIZE` elements, the last of which may be shorter, like `chunks`.
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
