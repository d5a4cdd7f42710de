//! Reads the recurrent layers of a file, in any packing, and checks that their sums cannot overflow.

use core::num::NonZeroUsize;

use super::bounds::{self, Overflow};
use super::paired_bounds::OTHER_CELLS;
use super::tensor_names::Tensor;
use super::{metadata, paired_bounds};
use crate::config::Config;
use crate::config::LayerDirection;
use crate::features::{self, BIDIRECTIONAL, STACKED};
use crate::kernel::arguments::Interleaved;
use crate::layers::Cell;
#[cfg(feature = "widths")]
use crate::layers::generic::RowLayer;
use crate::layers::paired::Paired;
use crate::layers::paired_groups::PairedGroups;
use crate::layers::rnn::Rnn;
use crate::load::file::{Fault, File};
use tern_format::Cell as CellKind;
use tern_format::Packing;
use tern_format::names::parameter;

/// All layers, forward before reverse; none if their cells are not built in, or if the sizes are wrong.
pub(super) fn read<'a>(
    file: &File<'a>,
    config: &Config,
    packing: Packing,
) -> Option<[Cell<'a>; LayerDirection::COUNT]> {
    #[cfg(feature = "ngrams")]
    if !config.is_recurrent() {
        return Some([Cell::None; LayerDirection::COUNT]);
    }
    let input_size = NonZeroUsize::new(config.embedding_dim)?;
    let units = if packing == Packing::Paired16 { parameter::UNITS } else { parameter::BIAS };
    let [h, ..] = file.shape(Tensor::of_layer(metadata::module(config), units, LayerDirection::FIRST));
    // In `paired16`, the first dimension of cells other than LSTM counts groups of four units.
    let of_four = OTHER_CELLS && packing == Packing::Paired16 && config.cell != CellKind::Lstm;
    let hidden_size = NonZeroUsize::new(if of_four { h.saturating_mul(4) } else { h } as usize)?;
    let both = hidden_size.checked_mul(NonZeroUsize::new(config.directions())?)?;
    let mut cells =
        [layer(file, config, packing, LayerDirection::FIRST, input_size, hidden_size)?; LayerDirection::COUNT];
    if STACKED || BIDIRECTIONAL {
        for (direction, cell) in
            LayerDirection::all().filter(|&direction| config.has(direction)).zip(&mut cells).skip(1)
        {
            let input_size = if direction.layer == 0 { input_size } else { both };
            *cell = layer(file, config, packing, direction, input_size, hidden_size)?;
        }
    }
    Some(cells)
}

/// Reads one direction of a layer and checks its sums. None if it is not built in or has wrong sizes; the fault has
/// then been recorded.
fn layer<'a>(
    file: &File<'a>,
    config: &Config,
    packing: Packing,
    direction: LayerDirection,
    input_size: NonZeroUsize,
    hidden_size: NonZeroUsize,
) -> Option<Cell<'a>> {
    if features::Paired16::<()>::IS_BUILT && packing == Packing::Paired16 {
        return paired(file, config, direction, input_size, hidden_size);
    }
    #[cfg(feature = "widths")]
    if packing == Packing::Rows {
        return Some(by_rows(file, config, direction, input_size, hidden_size));
    }
    if features::PLAIN { plain(file, config, direction, input_size, hidden_size.get() as u32) } else { None }
}

/// Reads one direction of a layer in the packing `paired16` and checks its sums.
fn paired<'a>(
    file: &File<'a>,
    config: &Config,
    direction: LayerDirection,
    input_size: NonZeroUsize,
    hidden_size: NonZeroUsize,
) -> Option<Cell<'a>> {
    let (e, h) = (input_size.get() as u32, hidden_size.get() as u32);
    let units = Tensor::of_layer(metadata::module(config), parameter::UNITS, direction);
    let kind = if OTHER_CELLS { config.cell } else { CellKind::Lstm };
    let words = file.words(units, paired_bounds::shape(kind, e, h));
    let shift = metadata::shift(file, config, direction);
    let unaligned = || file.refuse(paired_bounds::unaligned_sizes(kind, units, e, h));
    if kind == CellKind::Lstm {
        let layer = Paired::new(input_size, hidden_size, words, shift);
        match &layer {
            Some(layer) => paired_bounds::check(layer, units, file),
            None => unaligned(),
        }
        return features::Paired16::new(layer?).map(Cell::Paired);
    }
    if kind == CellKind::RnnRelu {
        file.real(Tensor::of_layer(metadata::module(config), parameter::SCALE, direction));
    }
    let layer = PairedGroups::new(kind, input_size, hidden_size, words, shift);
    match &layer {
        Some(layer) => paired_bounds::check_groups(layer, units, file),
        None => unaligned(),
    }
    features::Paired16::new(features::OtherCells::new(layer?)?).map(Cell::PairedGroups)
}

/// Reads one direction of a layer in the plain packing of its cells and checks its sums.
fn plain<'a>(
    file: &File<'a>,
    config: &Config,
    direction: LayerDirection,
    input_size: NonZeroUsize,
    h: u32,
) -> Option<Cell<'a>> {
    let of = |parameter| Tensor::of_layer(metadata::module(config), parameter, direction);
    let (e, shift) = (input_size.get() as u32, metadata::shift(file, config, direction));
    // The tensors of plain cells have no dimension for the gate.
    let gates = if config.cell.gates() > 1 { config.cell.gates() as u32 } else { 0 };
    let weights = [(parameter::WEIGHT_IH, e), (parameter::WEIGHT_HH, h)]
        .map(|(parameter, columns)| file.weights(of(parameter), [h, columns, gates]));
    let multipliers = [parameter::MULTIPLIER_IH, parameter::MULTIPLIER_HH]
        .map(|parameter| file.multipliers(of(parameter), [h, gates, 0]));
    let bias = file.words(of(parameter::BIAS), [h, if gates == 0 { 0 } else { 4 }, 0]);
    let cell = match config.cell {
        CellKind::Lstm => {
            let lstm = Interleaved::new(input_size, weights, bias, multipliers, shift);
            features::Interleaved4::new(lstm).map(Cell::Lstm)
        }
        CellKind::Gru => {
            let gru = Interleaved::new(input_size, weights, bias, multipliers, shift);
            features::Gru::new(gru).map(Cell::Gru)
        }
        CellKind::Rnn | CellKind::RnnRelu => {
            let relu = config.cell == CellKind::RnnRelu;
            if relu {
                file.real(of(parameter::SCALE));
            }
            let layer = Interleaved::new(input_size, weights, bias, multipliers, shift);
            features::Rnn::new(Rnn { layer, relu }).map(Cell::Rnn)
        }
    }?;
    check(file, config, direction, &cell);
    Some(cell)
}

/// Reads one direction of a layer in the packing `rows` and checks its sums.
#[cfg(feature = "widths")]
fn by_rows<'a>(
    file: &File<'a>,
    config: &Config,
    direction: LayerDirection,
    input_size: NonZeroUsize,
    hidden_size: NonZeroUsize,
) -> Cell<'a> {
    let of = |parameter| Tensor::of_layer(metadata::module(config), parameter, direction);
    let h = hidden_size.get() as u32;
    let gates = if config.cell.gates() > 1 { config.cell.gates() as u32 } else { 0 };
    if config.cell == CellKind::RnnRelu {
        file.real(of(parameter::SCALE));
    }
    let cell = Cell::Rows(RowLayer {
        kind: config.cell,
        weight_ih: file.matrix([parameter::WEIGHT_IH, parameter::GROUPS_IH].map(of), [h, gates], input_size),
        weight_hh: file.matrix([parameter::WEIGHT_HH, parameter::GROUPS_HH].map(of), [h, gates], hidden_size),
        bias: file.words(of(parameter::BIAS), [h, if gates == 0 { 0 } else { 4 }, 0]),
        multiplier_ih: file.multipliers(of(parameter::MULTIPLIER_IH), [h, gates, 0]),
        multiplier_hh: file.multipliers(of(parameter::MULTIPLIER_HH), [h, gates, 0]),
        shift: metadata::shift(file, config, direction),
    });
    check(file, config, direction, &cell);
    cell
}

/// Refuses a layer whose sums can overflow.
fn check(file: &File<'_>, config: &Config, direction: LayerDirection, cell: &Cell<'_>) {
    if let Err(overflow) = bounds::check(cell) {
        let (parameter, row) = match overflow {
            Overflow::Input { row } => (parameter::WEIGHT_IH, row),
            Overflow::Recurrent { row } => (parameter::WEIGHT_HH, row),
            Overflow::Requantised { row } => (parameter::MULTIPLIER_IH, row),
        };
        file.refuse(Fault::Overflow { tensor: Tensor::of_layer(metadata::module(config), parameter, direction), row });
    }
}
