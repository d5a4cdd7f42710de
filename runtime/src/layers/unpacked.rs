//! A model whose recurrent weights are copied for the wide instructions of a host (feature `unpacked`).
//!
//! A device executes its file in place; a host has memory to spare and wants its eight lanes filled. The copy has the numbers of the file in
//! another order, so it gives the same bits: the tests below.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]

mod unit;

use alloc::vec::Vec;
use core::num::NonZeroUsize;

use super::{Cell, State};
use crate::kernel::Lanes;
use crate::model::Model;
use tern_format::Cell as CellKind;
use unit::{Half, unit};

/// Units that a step computes side by side.
pub(crate) const LANES: usize = 8;

/// Two columns' weights of one row of [`LANES`] units, as wide as `v`.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct Columns(pub [[i16; 2]; LANES]);

/// A number of [`LANES`] units.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct Words(pub [i32; LANES]);

/// One half of a layer, in blocks of units, the last filled up with zeros. A block has `sides` times [`LANES`] units, see [`sides`]; its rows are
/// the gates of the first [`LANES`] of them, then of the next.
#[derive(Debug)]
pub(crate) struct UnpackedHalf {
    /// ⌈columns / 2⌉
    pub pairs: NonZeroUsize,
    /// `[blocks][pairs][sides · gates]`
    pub weights: Vec<Columns>,
    /// What the sums begin with. `[blocks][sides · gates]`
    pub bias: Vec<Words>,
    /// 0 … 32,767. `[blocks][sides · gates]`
    pub multipliers: Vec<Words>,
}

/// How many times [`LANES`] units a block has: so many that its rows are about four, which share what is read of `v`.
pub(crate) const fn sides(kind: CellKind) -> usize {
    if kind.gates() == 1 { 4 } else { 1 }
}

/// One direction of one layer.
#[derive(Debug)]
pub(crate) struct UnpackedLayer<'a> {
    /// The same in the file.
    pub cell: Cell<'a>,
    pub kind: CellKind,
    pub input: UnpackedHalf,
    pub recurrent: UnpackedHalf,
    /// 0 … 8
    pub shift: u32,
    pub lanes: Lanes,
}

/// A model and a copy of its recurrent weights, which a host with AVX2 steps several times as fast as those in the file, to the same bits.
/// On other hosts, and for weights of 16 bits, it holds no copy and the model runs as it lies in the file.
#[derive(Debug)]
pub struct Unpacked<'a> {
    model: Model<'a>,
    /// As many as there are cells, or none.
    layers: Vec<UnpackedLayer<'a>>,
}

impl<'a> Unpacked<'a> {
    /// Copies the weights: two bytes for each.
    pub fn new(model: &Model<'a>) -> Self {
        let layers = Lanes::detect().and_then(|lanes| {
            let layer = |cell: &Cell<'a>| UnpackedLayer::new(*cell, model.config().cell, lanes);
            model.cells().iter().map(layer).collect::<Option<_>>()
        });
        Unpacked { model: *model, layers: layers.unwrap_or_default() }
    }

    /// The model as its file has it.
    pub fn packed(&self) -> &Model<'a> {
        &self.model
    }

    /// The model, whose sessions step on the copy.
    pub fn model(&self) -> Model<'_> {
        self.model.with_cells(self.layers.iter().map(Cell::Unpacked))
    }
}

impl<'a> UnpackedLayer<'a> {
    /// See [`Lanes::step`].
    #[inline]
    pub(crate) fn step(&self, x: &[i16], sums: Option<&[i32]>, state: &mut State<'_>) {
        self.lanes.step(self, x, sums, state);
        core::mem::swap(&mut state.h, &mut state.next_h);
    }

    /// None where weights are wider than 8 bits.
    fn new(cell: Cell<'a>, kind: CellKind, lanes: Lanes) -> Option<Self> {
        let [input, recurrent] = [Half::Input, Half::Recurrent].map(|half| UnpackedHalf::new(&cell, kind, half));
        Some(UnpackedLayer { cell, kind, input: input?, recurrent: recurrent?, shift: cell.shift(), lanes })
    }
}

impl UnpackedHalf {
    fn new(cell: &Cell<'_>, kind: CellKind, half: Half) -> Option<Self> {
        let (hidden_size, gates) = (cell.hidden_size(), kind.gates());
        let units: Option<Vec<_>> = (0..hidden_size).map(|index| unit(cell, half, index)).collect();
        let units = units?;
        let pairs = NonZeroUsize::new(units.first()?.weights.len().div_ceil(2))?;
        let mut all = UnpackedHalf { pairs, weights: Vec::new(), bias: Vec::new(), multipliers: Vec::new() };
        let rows: Vec<(usize, usize)> = (0..sides(kind)).flat_map(|s| (0..gates).map(move |gate| (s, gate))).collect();
        for block in units.chunks(sides(kind) * LANES) {
            let side = |side: usize| block.iter().skip(side * LANES).take(LANES);
            for pair in 0..pairs.get() {
                for &(at, gate) in &rows {
                    let mut both = [[0; 2]; LANES];
                    for (both, unit) in both.iter_mut().zip(side(at)) {
                        for (weight, column) in both.iter_mut().zip(unit.weights.iter().skip(2 * pair)) {
                            *weight = column[gate];
                        }
                    }
                    all.weights.push(Columns(both));
                }
            }
            for &(at, gate) in &rows {
                let (mut bias, mut multiplier) = ([0; LANES], [0; LANES]);
                for ((bias, multiplier), unit) in bias.iter_mut().zip(&mut multiplier).zip(side(at)) {
                    (*bias, *multiplier) = (unit.bias[gate], i32::from(unit.multipliers[gate]));
                }
                all.bias.push(Words(bias));
                all.multipliers.push(Words(multiplier));
            }
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests;
