//! The packing `paired16`: records of four rows, whose numbers are in the order in which a step reads them. An LSTM
//! layer, [`PairedLstm`], has one record for each unit; [`paired_groups`](super::paired_groups) has the other cells.
//!
//! The rows of a record form two pairs. A 16-bit number, 256·a + b, holds one weight of each row of a pair, and a
//! 32-bit word holds two such numbers: two columns. A kernel multiplies whole words. `docs/format.md`, "Packings",
//! specifies the layout.

use core::num::NonZeroUsize;

#[cfg(any(test, not(dsp)))]
use super::lstm::{requantize_rows, unit};
use super::{State, Summary};
#[cfg(any(test, not(dsp)))]
use crate::fixed::requantize;
#[cfg(any(test, not(dsp)))]
use crate::invariant::Guaranteed;
pub(crate) use crate::kernel::arguments::PairedLstm;
#[cfg(dsp)]
use crate::kernel::dsp;
#[cfg(any(test, not(dsp)))]
use crate::kernel::{compiler_barrier, dot_pairs};
use crate::rows::rows;

/// The initial sums of four rows, as a kernel loads them: for each pair of rows, the lower and the upper word of the
/// 64-bit number 256·a + b, then b, with the biases a and b of the two rows. A kernel sums a pair as one 64-bit number,
/// and its second row also by itself.
pub(crate) type InitialSums = [i32; 6];

/// The parameters of four rows, which are called `i f g o` here for every cell.
pub(crate) struct Record<'a> {
    /// The recurrent weights, `[H / 2][2]`: two columns of the rows `i f`, then two of the rows `g o`; see
    /// [`columns`](crate::kernel::columns).
    pub weight_hh: &'a [[i32; 2]],
    /// The multipliers of the rows in the recurrent projection.
    pub multiplier_hh: [i16; 4],
    /// The multipliers of the rows in the input projection.
    pub multiplier_ih: [i16; 4],
    /// The initial sums of the input projection, from its biases.
    pub initial_sums: InitialSums,
    /// The input weights, `[E / 2][2]`, in the same order.
    pub weight_ih: &'a [[i32; 2]],
}

/// Returns the biases of four rows; none if their initial sums contradict each other.
pub(crate) fn biases(initial_sums: InitialSums) -> Option<[i32; 4]> {
    let [low_if, high_if, f, low_go, high_go, o] = initial_sums;
    let ([i, f], [g, o]) = (pair_biases([low_if, high_if, f])?, pair_biases([low_go, high_go, o])?);
    Some([i, f, g, o])
}

/// Returns the biases of one pair of rows, `[first, second]`, from its three initial sums; none if these contradict
/// each other.
#[inline(always)]
pub(crate) fn pair_biases([low, high, second]: [i32; 3]) -> Option<[i32; 2]> {
    // The difference of consistent sums is 256 times the first bias. One that wraps is far from any such number.
    let difference = (i64::from(high) << 32 | i64::from(low as u32)).wrapping_sub(i64::from(second));
    let first = (difference >> 8) as i32;
    if i64::from(first) << 8 == difference { Some([first, second]) } else { None }
}

impl<'a> Record<'a> {
    /// Returns the record that consists of these words; none if there are too few.
    #[inline(always)]
    pub(crate) fn new(words: &'a [i32], hidden_size: NonZeroUsize) -> Option<Self> {
        let (weight_hh, rest) = words.split_at_checked(hidden_size.get())?;
        let (&[hh_if, hh_go, ih_if, ih_go, s0, s1, s2, s3, s4, s5], weight_ih) = rest.split_first_chunk()?;
        // A word holds two multipliers, the lower half that of the first row of the pair.
        let multipliers = |i_f: i32, g_o: i32| [i_f as i16, (i_f >> 16) as i16, g_o as i16, (g_o >> 16) as i16];
        Some(Record {
            weight_hh: weight_hh.as_chunks().0,
            multiplier_hh: multipliers(hh_if, hh_go),
            multiplier_ih: multipliers(ih_if, ih_go),
            initial_sums: [s0, s1, s2, s3, s4, s5],
            weight_ih: weight_ih.as_chunks().0,
        })
    }
}

/// The two vectors by which the rows are multiplied in a step: the input `x` and the old hidden state `h`, Q15. On
/// cores with DSP instructions, `kernel::dsp` has a type with the same name and the same method `halves` instead.
#[cfg(any(test, not(dsp)))]
pub(crate) struct Vectors<'v> {
    x: &'v [i16],
    h: &'v [i16],
}

/// The kind of a record's four rows, and memory for both halves of their pre-activations.
#[cfg(any(test, not(dsp)))]
pub(crate) struct FourRows {
    /// True if the rows form pairs of the cell, so that 1/256 of the sum of the second row of each pair is added to
    /// that of the first: see [`requantize_rows`]. False if all rows are independent.
    in_pairs: bool,
    halves: Halves,
}

/// The requantised recurrent and input halves of the pre-activations of four rows.
#[cfg(any(test, not(dsp)))]
#[derive(Default)]
pub(crate) struct Halves {
    pub from_h: [i32; 4],
    pub from_x: [i32; 4],
}

#[cfg(any(test, not(dsp)))]
impl FourRows {
    /// Rows that form pairs of the cell.
    pub(crate) fn in_pairs() -> Self {
        FourRows { in_pairs: true, halves: Halves::default() }
    }

    /// Independent rows, which form no pairs.
    pub(crate) fn ordinary() -> Self {
        FourRows { in_pairs: false, halves: Halves::default() }
    }

    /// Requantises the sums of the rows. `m`: their multipliers.
    #[inline(always)]
    fn requantize(&self, [a, b, c, d]: [i32; 4], m: &[i16; 4]) -> [i32; 4] {
        if self.in_pairs {
            return requantize_rows([a, b, c, d], m);
        }
        [requantize(a, m[0]), requantize(b, m[1]), requantize(c, m[2]), requantize(d, m[3])]
    }
}

#[cfg(any(test, not(dsp)))]
impl<'v> Vectors<'v> {
    /// The vectors of a step. `x`: `[input_size]`, empty if the input projection is precomputed; `h`: `[hidden_size]`.
    #[inline(always)]
    pub(crate) fn new(x: &'v [i16], h: &'v [i16]) -> Self {
        Vectors { x, h }
    }

    /// Computes both halves of the pre-activations of four rows. Returns none if the record has too few words.
    ///
    /// `recurrent_biases`: the initial sums of the recurrent projection, which are not in the record; zeros for all
    /// rows but n of a GRU. `input_sums`: a precomputed input projection, which replaces `x`.
    #[inline(always)]
    pub(crate) fn halves<'r>(
        &mut self,
        record: &[i32],
        recurrent_biases: &InitialSums,
        input_sums: Option<[i32; 4]>,
        rows: &'r mut FourRows,
    ) -> Option<&'r Halves> {
        let record = Record::new(record, NonZeroUsize::new(self.h.len())?)?;
        let sums_of_h = dot_pairs(record.weight_hh, self.h, biases(*recurrent_biases).guaranteed());
        rows.halves.from_h = rows.requantize(sums_of_h, &record.multiplier_hh);
        let sums_of_x =
            input_sums.unwrap_or_else(|| dot_pairs(record.weight_ih, self.x, biases(record.initial_sums).guaranteed()));
        rows.halves.from_x = rows.requantize(sums_of_x, &record.multiplier_ih);
        Some(&rows.halves)
    }
}

impl<'a> PairedLstm<'a> {
    /// The number of words of a record that are not weights: four of multipliers, six of initial sums.
    pub(crate) const EXTRA_WORDS: usize = 10;

    /// The number of which the input size and the hidden size must be multiples.
    pub(crate) const SIZE_MULTIPLE: usize = 4;

    /// A layer; none if the sizes are not multiples of 4 or do not match the length of `record_words`. The kernels rely
    /// on these checks.
    ///
    /// `record_words`: the records of all units, `[hidden_size][hidden_size + 10 + input_size]`. `shift`: the left
    /// shift of the pre-activations, 0 to 8.
    pub(crate) fn new(
        input_size: NonZeroUsize,
        hidden_size: NonZeroUsize,
        record_words: &'a [i32],
        shift: u32,
    ) -> Option<Self> {
        let (e, h) = (input_size.get(), hidden_size.get());
        // The number wraps only if no memory can hold so many words. Then the loader has refused the file already,
        // because the tensor is shorter, and the layer is not used.
        let words = (h as u64).wrapping_add(e as u64).wrapping_add(Self::EXTRA_WORDS as u64).wrapping_mul(h as u64);
        // Both sizes are multiples of 4, a power of 2, if all bits below it are 0 in both.
        let fits = (e | h).is_multiple_of(Self::SIZE_MULTIPLE) && record_words.len() as u64 == words;
        fits.then_some(PairedLstm {
            input_size,
            hidden_size,
            record_words,
            shift,
            #[cfg(dsp)]
            plan: dsp::plan(e, h, shift),
        })
    }

    /// The sizes and the costs of the layer.
    pub(crate) fn summary(&self) -> Summary {
        let (input_size, hidden_size) = (self.input_size.get(), self.hidden_size.get());
        let macs = 4 * hidden_size * (input_size + hidden_size);
        Summary { hidden_size, sums_of_unit: 4, shift: self.shift, macs, bytes: size_of_val(self.record_words) }
    }

    /// Computes one step. `x`: `[input_size]`, Q15.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], state: &mut State<'_>) {
        #[cfg(dsp)]
        dsp::step(self, x, state);
        #[cfg(not(dsp))]
        self.plain_step(x, None, state);
    }

    /// Computes one step in plain code, which defines the result that each kernel must reproduce. `input_sums`: a
    /// precomputed input projection, `[hidden_size * 4]`, which replaces `x`.
    #[cfg(any(test, not(dsp)))]
    pub(crate) fn plain_step(&self, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
        let states = state.c.iter_mut().zip(state.next_h.iter_mut());
        for (index, (record, (c, h))) in self.records().zip(states).enumerate() {
            let precomputed = input_sums.and_then(|sums| sums.as_chunks().0.get(index).copied());
            let sums_of_x =
                precomputed.unwrap_or_else(|| dot_pairs(record.weight_ih, x, biases(record.initial_sums).guaranteed()));
            // For the barrier see `Lstm::plain_step`.
            let from_h =
                compiler_barrier(requantize_rows(dot_pairs(record.weight_hh, state.h, [0; 4]), &record.multiplier_hh));
            let from_x = requantize_rows(sums_of_x, &record.multiplier_ih);
            let z = |row: usize| (from_x[row] + from_h[row]) << self.shift;
            (*c, *h) = unit([z(0), z(1), z(2), z(3)], *c);
        }
        core::mem::swap(&mut state.h, &mut state.next_h);
    }

    /// Computes one step with a precomputed input projection, `input_sums`: `[hidden_size * 4]`.
    #[inline(never)]
    pub(crate) fn step_folded(&self, input_sums: &[i32], state: &mut State<'_>) {
        #[cfg(dsp)]
        dsp::step_folded(self, input_sums, state);
        #[cfg(not(dsp))]
        self.plain_step(&[], Some(input_sums), state);
    }

    /// The records of all units.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let hidden_size = self.hidden_size;
        let words = hidden_size.saturating_add(self.input_size.get() + Self::EXTRA_WORDS);
        rows(self.record_words, words).filter_map(move |words| Record::new(words, hidden_size))
    }
}

#[cfg(test)]
mod tests;
