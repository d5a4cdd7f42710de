//! A model with a copy of the weights of its recurrent layers for the vector instructions of a host (feature
//! `unpacked`).
//!
//! A device executes its file in place. A host has enough memory for a copy in another order, in which its vector
//! instructions compute eight units at a time: see `kernel::unpacked_weights`. The results have the same bits (tests of
//! this module).

mod unit;

use alloc::vec::Vec;
use core::num::NonZeroUsize;

use crate::kernel::Lanes;
use crate::kernel::unpacked_weights::{LANES, TwoColumns, UnpackedHalf, UnpackedWeights, Words, groups_of_block};
use crate::layers::Cell;
use crate::layers::unpacked_layer::UnpackedLayer;
use crate::model::Model;
use tern_format::Cell as CellKind;
use unit::{Half, unit};

/// A model and a copy of the weights of its recurrent layers, with which a host with AVX2 computes steps several times
/// as fast as with the weights in the file. On other hosts, and if any of these weights have 16 bits, there is no copy,
/// and the model runs from the file.
#[derive(Debug)]
pub struct Unpacked<'a> {
    model: Model<'a>,
    /// The copied layers: all of them, or none.
    layers: Vec<UnpackedLayer>,
}

impl<'a> Unpacked<'a> {
    /// Copies the weights of the recurrent layers, each weight to two bytes, if the host has AVX2 and no weight has 16
    /// bits.
    pub fn new(model: &Model<'a>) -> Self {
        let layers = Lanes::detect().and_then(|lanes| {
            let layer = |cell: &Cell<'a>| unpacked_layer(cell, model.config().cell, lanes);
            model.cells().iter().map(layer).collect::<Option<_>>()
        });
        Unpacked { model: *model, layers: layers.unwrap_or_default() }
    }

    /// The model that runs from the file.
    pub fn packed(&self) -> &Model<'a> {
        &self.model
    }

    /// The model that runs from the copy, or from the file if there is no copy.
    pub fn model(&self) -> Model<'_> {
        self.model.with_cells(self.layers.iter().map(Cell::Unpacked))
    }
}

/// Copies the weights of a layer; returns none if they have 16 bits.
fn unpacked_layer(cell: &Cell<'_>, kind: CellKind, lanes: Lanes) -> Option<UnpackedLayer> {
    let [input, recurrent] = [Half::Input, Half::Recurrent].map(|half| unpacked_half(cell, kind, half));
    let summary = cell.summary();
    let weights = UnpackedWeights { kind, input: input?, recurrent: recurrent?, shift: summary.shift };
    Some(UnpackedLayer { weights, lanes, summary })
}

/// Copies one projection of a layer: for each block of units and each pair of columns, the weights of each gate, one
/// unit in each lane. Lanes beyond the last unit, and the second column of a last pair that has only one, are 0.
/// Returns none if the weights have 16 bits.
fn unpacked_half(cell: &Cell<'_>, kind: CellKind, half: Half) -> Option<UnpackedHalf> {
    let (hidden_size, gates) = (cell.summary().hidden_size, kind.gates());
    let units: Option<Vec<_>> = (0..hidden_size).map(|index| unit(cell, half, index)).collect();
    let units = units?;
    let pairs = NonZeroUsize::new(units.first()?.weights.len().div_ceil(2))?;
    let mut copy = UnpackedHalf { pairs, weights: Vec::new(), bias: Vec::new(), multipliers: Vec::new() };
    let groups = groups_of_block(kind);
    // The rows of a block: the gates of the first group of units, then those of the next.
    let rows: Vec<(usize, usize)> = (0..groups).flat_map(|group| (0..gates).map(move |gate| (group, gate))).collect();
    for block in units.chunks(groups * LANES) {
        let units_of_group = |group: usize| block.iter().skip(group * LANES).take(LANES);
        for pair in 0..pairs.get() {
            for &(group, gate) in &rows {
                // The weights of one gate in two columns: one unit of the group in each lane.
                let mut lanes = [[0; 2]; LANES];
                for (lane, unit) in lanes.iter_mut().zip(units_of_group(group)) {
                    for (weight, column) in lane.iter_mut().zip(unit.weights.iter().skip(2 * pair)) {
                        *weight = column[gate];
                    }
                }
                copy.weights.push(TwoColumns(lanes));
            }
        }
        for &(group, gate) in &rows {
            let (mut bias, mut multiplier) = ([0; LANES], [0; LANES]);
            for ((bias, multiplier), unit) in bias.iter_mut().zip(&mut multiplier).zip(units_of_group(group)) {
                (*bias, *multiplier) = (unit.bias[gate], i32::from(unit.multipliers[gate]));
            }
            copy.bias.push(Words(bias));
            copy.multipliers.push(Words(multiplier));
        }
    }
    Some(copy)
}

#[cfg(test)]
mod tests;
