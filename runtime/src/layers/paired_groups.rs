//! GRU and plain cells in the packing `paired16`, which stores rows of weights in records of four: groups of four
//! units.
//!
//! A unit of a plain cell has one row, so a group is one record. A unit of a GRU has the rows r, z and n: the first
//! record of a group has the rows n of its four units, and the other two have the rows r and z of two units each, which
//! form pairs. `docs/format.md`, "Packings", specifies the layout; [`paired`](super::paired) reads a record.

use core::num::NonZeroUsize;

use super::paired::{InitialSums, PairedLstm, Record, biases};
use super::{State, Summary, gru, rnn};
use crate::features;
use crate::invariant::Guaranteed;
#[cfg(any(test, feature = "write", feature = "unpacked"))]
use crate::kernel::columns;
#[cfg(dsp)]
use crate::kernel::dsp::{FourRows, Halves, Turns, Vectors};
#[cfg(not(dsp))]
use crate::layers::paired::{FourRows, Halves, Vectors};
use crate::rows::{row, rows};
use tern_format::Cell as CellKind;

/// The initial sums of four rows without biases.
const NO_BIASES: InitialSums = [0; 6];

/// The parameters of one direction of a layer, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PairedGroups<'a> {
    /// The kind of cell: any but LSTM.
    pub kind: CellKind,
    /// The input size E, a multiple of 4.
    pub input_size: NonZeroUsize,
    /// The hidden size H, a multiple of 4.
    pub hidden_size: NonZeroUsize,
    /// The groups of four units, `[H / 4][words of a group]`. A group of plain cells is one record; a group of GRU
    /// units has the initial sums of the recurrent projection of its rows n, then three records.
    pub groups: &'a [i32],
    /// The left shift of the pre-activations: 0 to 8.
    pub shift: u32,
    /// The turns of the kernel's loops over `x` and over `h`.
    #[cfg(dsp)]
    turns: [Turns; 2],
}

/// One row of a layer, inside its record.
pub(crate) struct RecordRow<'a> {
    /// The record that contains the row.
    pub record: Record<'a>,
    /// The index of the row in the record, 0 to 3.
    pub index: usize,
    /// The bias of the recurrent projection, which only the row n of a GRU has; otherwise 0.
    pub recurrent_bias: i32,
}

impl<'a> PairedGroups<'a> {
    /// The number of 32-bit words of a record, saturating: the loader calls it before it has checked the sizes.
    pub(crate) const fn words_of_record(input_size: u32, hidden_size: u32) -> u32 {
        input_size.saturating_add(hidden_size).saturating_add(PairedLstm::EXTRA_WORDS as u32)
    }

    /// The number of 32-bit words of a group of four units, saturating. A plain cell has one gate and so one record; a
    /// GRU has three.
    pub(crate) fn words_of_group(kind: CellKind, input_size: u32, hidden_size: u32) -> u32 {
        let initial_sums = if kind == CellKind::Gru { NO_BIASES.len() as u32 } else { 0 };
        Self::words_of_record(input_size, hidden_size).saturating_mul(kind.gates() as u32).saturating_add(initial_sums)
    }

    /// A layer with these fields; none if the sizes are not multiples of 4 or do not match the length of `groups`.
    pub(crate) fn new(
        kind: CellKind,
        input_size: NonZeroUsize,
        hidden_size: NonZeroUsize,
        groups: &'a [i32],
        shift: u32,
    ) -> Option<Self> {
        let (e, h) = (input_size.get() as u32, hidden_size.get() as u32);
        let words = u64::from(Self::words_of_group(kind, e, h)).wrapping_mul(u64::from(h / 4));
        let fits = (e | h).is_multiple_of(PairedLstm::SIZE_MULTIPLE as u32) && groups.len() as u64 == words;
        fits.then_some(PairedGroups {
            kind,
            input_size,
            hidden_size,
            groups,
            shift,
            #[cfg(dsp)]
            turns: Turns::over(input_size.get(), hidden_size.get()),
        })
    }

    /// The sizes and the costs of the layer.
    pub(crate) fn summary(&self) -> Summary {
        let (input_size, hidden_size, gates) = (self.input_size.get(), self.hidden_size.get(), self.kind.gates());
        Summary {
            hidden_size,
            sums_of_unit: if gates > 1 { 4 } else { 1 },
            shift: self.shift,
            macs: gates * hidden_size * (input_size + hidden_size),
            bytes: size_of_val(self.groups),
        }
    }

    /// Returns true if the cells are GRUs. If only one of the features `gru` and `rnn` is on, the result is a constant,
    /// so that no code for the other cells is linked.
    fn is_gru(&self) -> bool {
        match (features::Gru::<()>::IS_BUILT, features::Rnn::<()>::IS_BUILT) {
            (true, true) => self.kind == CellKind::Gru,
            (gru, _) => gru,
        }
    }

    /// Returns the number of words of a record, and of a group of GRU units. Neither wraps, since the layer is in
    /// memory.
    #[inline(always)]
    fn words(&self) -> [NonZeroUsize; 2] {
        let record = self.input_size.get().wrapping_add(self.hidden_size.get()).wrapping_add(PairedLstm::EXTRA_WORDS);
        let group = record.wrapping_mul(3).wrapping_add(NO_BIASES.len());
        [record, group].map(|words| NonZeroUsize::new(words).guaranteed_or(NonZeroUsize::MIN))
    }

    /// Returns a record of the layer, by its index, and the initial sums of its rows' recurrent projections; none
    /// beyond the last record.
    // The loader calls this function; the module `load` gives the reason for the attributes `inline`.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn record(&self, index: usize) -> Option<(Record<'a>, InitialSums)> {
        let ([words, words_of_gru], is_gru) = (self.words(), self.is_gru());
        let (words_of_group, group, in_group) =
            if is_gru { (words_of_gru, index / 3, index % 3) } else { (words, index, 0) };
        let group = row(self.groups, words_of_group, group)?;
        let (n_biases, records) = if is_gru { group.split_first_chunk()? } else { (&NO_BIASES, group) };
        let record = Record::new(row(records, words, in_group)?, self.hidden_size)?;
        Some((record, if in_group == 0 { *n_biases } else { NO_BIASES }))
    }

    /// Returns the row of a unit for one of its gates; none beyond the last unit. `gate`: r 0, z 1, n 2; 0 for a plain
    /// cell.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn row(&self, unit: usize, gate: usize) -> Option<RecordRow<'a>> {
        let unit_in_group = unit % 4;
        // The index of the record in the group, and of the row in the record.
        let (record_in_group, index) = match (self.kind, gate) {
            (CellKind::Gru, 0 | 1) => (1 + unit_in_group / 2, 2 * (unit_in_group % 2) + gate),
            _ => (0, unit_in_group),
        };
        // A group has as many records as a unit has gates.
        let (record, recurrent_biases) = self.record(unit / 4 * self.kind.gates() + record_in_group)?;
        Some(RecordRow { record, index, recurrent_bias: *biases(recurrent_biases).guaranteed().get(index)? })
    }

    /// Returns true if the rows of a record form pairs (r and z of a GRU unit). `record`: the index of the record in
    /// the layer.
    pub(crate) fn are_in_pairs(&self, record: usize) -> bool {
        // The first of the three records of a group has the rows n.
        self.is_gru() && !record.is_multiple_of(3)
    }

    /// The input projection W_ih·x + b of all units as a folded token stores it, `[hidden_size * sums_of_unit]`.
    #[cfg(any(test, feature = "write"))]
    pub(crate) fn input_sums(&self, x: &[i16]) -> alloc::vec::Vec<i32> {
        let mut sums = alloc::vec::Vec::new();
        for unit in 0..self.hidden_size.get() {
            for gate in 0..self.kind.gates() {
                let Some(row) = self.row(unit, gate) else { continue };
                let products = row.weights(false).zip(x).map(|(w, &x)| i32::from(w) * i32::from(x));
                sums.push(row.bias() + products.sum::<i32>());
                // The fourth sum of a GRU is the bias of the recurrent projection of its row n, the gate 2.
                if gate == 2 {
                    sums.push(row.recurrent_bias);
                }
            }
        }
        sums
    }

    /// Computes one step. `x`: `[input_size]`, Q15. `input_sums`: a precomputed input projection, `[hidden_size *
    /// sums_of_unit]`, which replaces `x`.
    #[inline(never)]
    pub(crate) fn step(&self, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
        if self.is_gru() {
            self.gru_step(x, input_sums, state);
        } else {
            self.rnn_step(x, input_sums, state);
        }
        core::mem::swap(&mut state.h, &mut state.next_h);
    }

    /// The vectors by which the rows are multiplied. `x`: none if the input projection is precomputed.
    #[inline(always)]
    fn vectors<'v>(&self, x: Option<&'v [i16]>, h: &'v [i16]) -> Vectors<'v> {
        #[cfg(dsp)]
        return Vectors::new(x, h, [self.input_size.get(), self.hidden_size.get()], self.turns);
        #[cfg(not(dsp))]
        Vectors::new(x.unwrap_or_default(), h)
    }

    /// Computes `next_h` of plain cells. The arguments are those of [`step`](PairedGroups::step).
    fn rnn_step(&self, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
        let mut vectors = self.vectors(input_sums.is_none().then_some(x), state.h);
        let mut four = FourRows::ordinary();
        let [words, _] = self.words();
        let groups = rows(self.groups, words).zip(state.next_h.as_chunks_mut::<4>().0);
        for (index, (record, next_h)) in groups.enumerate() {
            let four_sums = input_sums.and_then(|sums| sums.as_chunks().0.get(index).copied());
            let Some(four_halves) = halves(&mut vectors, record, &NO_BIASES, four_sums, &mut four) else { continue };
            for (next_h, (from_x, from_h)) in next_h.iter_mut().zip(four_halves.from_x.iter().zip(&four_halves.from_h))
            {
                *next_h = rnn::unit((from_x + from_h) << self.shift, self.kind == CellKind::RnnRelu);
            }
        }
    }

    /// Computes `c` and `next_h` of GRU cells. The arguments are those of [`step`](PairedGroups::step).
    #[cfg_attr(dsp, inline(never))]
    fn gru_step(&self, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
        let mut vectors = self.vectors(input_sums.is_none().then_some(x), state.h);
        let (mut four_n, mut two_r_z) = (FourRows::ordinary(), FourRows::in_pairs());
        let [words, words_of_group] = self.words();
        let states = state.c.as_chunks_mut::<4>().0.iter_mut().zip(state.next_h.as_chunks_mut::<4>().0);
        for (group_index, (group, (c, next_h))) in rows(self.groups, words_of_group).zip(states).enumerate() {
            // The four sums of each of the four units.
            let group_sums = input_sums.and_then(|sums| sums.as_chunks::<4>().0.as_chunks::<4>().0.get(group_index));
            let Some((n_biases, records)) = group.split_first_chunk() else { continue };
            let Some((n_record, r_z_records)) = records.split_at_checked(words.get()) else { continue };
            let n_sums = group_sums.map(|units| units.map(|[_, _, n, _]| n));
            let Some(n) = halves(&mut vectors, n_record, n_biases, n_sums, &mut four_n) else { continue };
            let n_of_two = n.from_x.as_chunks::<2>().0.iter().zip(n.from_h.as_chunks::<2>().0);
            let states = c.as_chunks_mut::<2>().0.iter_mut().zip(next_h.as_chunks_mut::<2>().0);
            // Two units at a time, whose rows r and z are in one record.
            let two_units = rows(r_z_records, words).zip(n_of_two.zip(states));
            for (index, (r_z_record, ((xn, hn), (c, next_h)))) in two_units.enumerate() {
                let sums_of_two = group_sums.and_then(|units| units.as_chunks::<2>().0.get(index));
                let r_z_sums = sums_of_two.map(|&[[r0, z0, ..], [r1, z1, ..]]| [r0, z0, r1, z1]);
                let Some(r_z) = halves(&mut vectors, r_z_record, &NO_BIASES, r_z_sums, &mut two_r_z) else { continue };
                let gates = r_z.from_x.as_chunks::<2>().0.iter().zip(r_z.from_h.as_chunks::<2>().0);
                let units = gates.zip(xn.iter().zip(hn)).zip(c.iter_mut().zip(next_h));
                for (((&[xr, xz], &[hr, hz]), (&xn, &hn)), (c, next_h)) in units {
                    (*c, *next_h) = gru_unit([xr, xz, xn], [hr, hz, hn], self.shift, *c);
                }
            }
        }
    }
}

/// Calls [`Vectors::halves`]. On cores without DSP instructions this function is not inlined, because inlining would
/// enlarge the stack of the caller.
#[cfg_attr(dsp, inline(always))]
#[cfg_attr(not(dsp), inline(never))]
fn halves<'r>(
    vectors: &mut Vectors<'_>,
    record: &[i32],
    recurrent_biases: &InitialSums,
    input_sums: Option<[i32; 4]>,
    rows: &'r mut FourRows,
) -> Option<&'r Halves> {
    vectors.halves(record, recurrent_biases, input_sums, rows)
}

/// Calls [`gru::unit`]. This function is inlined on the same cores as [`halves`].
#[cfg_attr(dsp, inline(always))]
#[cfg_attr(not(dsp), inline(never))]
fn gru_unit(x: [i32; 3], h: [i32; 3], shift: u32, state: i32) -> (i32, i16) {
    gru::unit(x, h, shift, state)
}

#[cfg(any(test, feature = "write", feature = "unpacked"))]
impl RecordRow<'_> {
    /// The weights of the row in the input projection, or in the recurrent projection if `is_recurrent` is true.
    pub(crate) fn weights(&self, is_recurrent: bool) -> impl Iterator<Item = i8> {
        let words = if is_recurrent { self.record.weight_hh } else { self.record.weight_ih };
        // Checked at load: within ±127.
        words.iter().flat_map(|&words| columns(words)).filter_map(|column| column.get(self.index).map(|&w| w as i8))
    }

    /// The bias of the input projection.
    pub(crate) fn bias(&self) -> i32 {
        biases(self.record.initial_sums).guaranteed().get(self.index).copied().unwrap_or(0)
    }
}
