//! Iterators over the rows of a matrix, without code that can panic. They replace methods of slices such as
//! `chunks_exact`, which panic for rows of length zero: the compiler links the code of that panic unless it can prove
//! that the length is not zero.

use core::num::NonZeroUsize;

/// Iterates over the rows of `elements`, of `columns` elements each, like `chunks_exact`: fewer elements at the end are
/// no row.
pub(crate) fn rows<T>(elements: &[T], columns: NonZeroUsize) -> Rows<'_, T> {
    Rows { rest: elements, columns }
}

/// Returns one row of `elements`; none beyond the last.
#[inline]
pub(crate) fn row<T>(elements: &[T], columns: NonZeroUsize, index: usize) -> Option<&[T]> {
    // A file fits the address space, so the product wraps only for a row beyond the last. Such a row is asked for only
    // in a file that is refused: after a fault the loader goes on, and then sizes may not match.
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

/// [`rows`], followed by empty rows without end, so that each unit has a row. A step with a precomputed input
/// projection has no input weights, so all its rows are empty.
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
