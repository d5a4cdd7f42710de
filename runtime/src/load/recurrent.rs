//! Reads the recurrent layers in any packing, which is the order in which a file stores their weights.

use core::num::NonZeroUsize;

use super::bounds::{Overflow, Units};
use super::paired_bounds::OTHER_PAIRED_CELLS;
use super::tensor_names::Tensor;
use super::{metadata, paired_bounds};
use crate::config::Config;
use crate::config::LayerDirection;
use crate::features::{self, BIDIRECTIONAL, STACKED, WIDTHS};
use crate::kernel::arguments::Interleaved;
use crate::layers::Cell;
#[cfg(feature = "widths")]
use crate::layers::generic::RowLayer;
use crate::layers::paired::PairedLstm;
use crate::layers::paired_groups::PairedGroups;
use crate::layers::rnn::Rnn;
use crate::load::file::{Fault, File};
use tern_format::Cell as CellKind;
use tern_format::Packing;
use tern_format::names::parameter;

/// Reads all layers, each forward before reverse. Returns none, with a recorded fault, if their cells are not built in
/// or the sizes are wrong.
#[cfg_attr(feature = "errors", inline)]
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
    let [rows, ..] = file.shape(Tensor::of_layer(metadata::module(config), units, LayerDirection::FIRST));
    // The tensor has a row for each unit. In `paired16`, it has one for each group of four units of cells other than
    // LSTM.
    let in_groups_of_four = OTHER_PAIRED_CELLS && packing == Packing::Paired16 && config.cell != CellKind::Lstm;
    let hidden_size = NonZeroUsize::new(if in_groups_of_four { rows.saturating_mul(4) } else { rows } as usize)?;
    // The input size of the layers above the first.
    let size_below = hidden_size.checked_mul(NonZeroUsize::new(config.directions())?)?;
    // Elements that the model does not use remain copies of the first.
    let mut cells =
        [layer(file, config, packing, LayerDirection::FIRST, input_size, hidden_size)?; LayerDirection::COUNT];
    if STACKED || BIDIRECTIONAL {
        for (direction, cell) in
            LayerDirection::all().filter(|&direction| config.has(direction)).zip(&mut cells).skip(1)
        {
            let input_size = if direction.layer == 0 { input_size } else { size_below };
            *cell = layer(file, config, packing, direction, input_size, hidden_size)?;
        }
    }
    Some(cells)
}

/// Reads one direction of a layer and checks its sums. A file whose cells are not built in is refused already when its
/// metadata is read.
#[cfg_attr(feature = "errors", inline)]
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
    if features::INTERLEAVED || WIDTHS {
        unpaired(file, config, packing, direction, [input_size, hidden_size])
    } else {
        None
    }
}

/// Reads one direction of a layer in the packing `paired16` and checks its sums.
#[cfg_attr(feature = "errors", inline)]
fn paired<'a>(
    file: &File<'a>,
    config: &Config,
    direction: LayerDirection,
    input_size: NonZeroUsize,
    hidden_size: NonZeroUsize,
) -> Option<Cell<'a>> {
    let (e, h) = (input_size.get() as u32, hidden_size.get() as u32);
    let units = Tensor::of_layer(metadata::module(config), parameter::UNITS, direction);
    let kind = if OTHER_PAIRED_CELLS { config.cell } else { CellKind::Lstm };
    let words = file.words(units, paired_bounds::shape(kind, e, h));
    let shift = metadata::shift(file, config, direction);
    let refuse_sizes = || file.refuse(paired_bounds::unaligned_sizes(kind, units, e, h));
    if kind == CellKind::Lstm {
        let layer = PairedLstm::new(input_size, hidden_size, words, shift);
        match &layer {
            Some(layer) => paired_bounds::check(layer, units, file),
            None => refuse_sizes(),
        }
        return features::Paired16::new(layer?).map(Cell::PairedLstm);
    }
    // Only hosts use the scale; reading it checks it and marks it as known.
    if kind == CellKind::RnnRelu {
        file.real(Tensor::of_layer(metadata::module(config), parameter::SCALE, direction));
    }
    let layer = PairedGroups::new(kind, input_size, hidden_size, words, shift);
    match &layer {
        Some(layer) => paired_bounds::check_groups(layer, units, file),
        None => refuse_sizes(),
    }
    features::Paired16::new(features::OtherCells::new(layer?)?).map(Cell::PairedGroups)
}

/// Reads one direction of a layer in the plain packing of its cells or in the packing `rows`, and checks its sums.
#[cfg_attr(feature = "errors", inline)]
fn unpaired<'a>(
    file: &File<'a>,
    config: &Config,
    packing: Packing,
    direction: LayerDirection,
    [input_size, hidden_size]: [NonZeroUsize; 2],
) -> Option<Cell<'a>> {
    let tensor = |parameter| Tensor::of_layer(metadata::module(config), parameter, direction);
    let kind = config.cell;
    let h = hidden_size.get() as u32;
    // The tensors of plain cells have no dimension for the gate, which 0 stands for.
    let (gates, biases) = if kind.gates() > 1 { (kind.gates() as u32, 4) } else { (0, 0) };
    // Only hosts use the scale; reading it checks it and marks it as known.
    if kind == CellKind::RnnRelu {
        file.real(tensor(parameter::SCALE));
    }
    let multipliers = |name| file.multipliers(tensor(name), [h, gates, 0]);
    let multipliers = [multipliers(parameter::MULTIPLIER_IH), multipliers(parameter::MULTIPLIER_HH)];
    let bias = file.words(tensor(parameter::BIAS), [h, biases, 0]);
    let shift = metadata::shift(file, config, direction);
    let units = Units { kind, bias, multipliers, shift };
    #[cfg(feature = "widths")]
    if packing == Packing::Rows {
        let matrix = |weight, groups, columns| file.matrix([tensor(weight), tensor(groups)], [h, gates], columns);
        let weight_ih = matrix(parameter::WEIGHT_IH, parameter::GROUPS_IH, input_size);
        let weight_hh = matrix(parameter::WEIGHT_HH, parameter::GROUPS_HH, hidden_size);
        check(file, config, direction, units.check_rows([&weight_ih, &weight_hh]));
        let [multiplier_ih, multiplier_hh] = multipliers;
        return Some(Cell::Rows(RowLayer { kind, weight_ih, weight_hh, bias, multiplier_ih, multiplier_hh, shift }));
    }
    // Without the feature `widths` the parameter is unused.
    _ = packing;
    let weights = |name, columns: NonZeroUsize| file.weights(tensor(name), [h, columns.get() as u32, gates]);
    let weights = [weights(parameter::WEIGHT_IH, input_size), weights(parameter::WEIGHT_HH, hidden_size)];
    check(file, config, direction, units.check_plain(weights, [input_size.get(), hidden_size.get()]));
    match kind {
        CellKind::Lstm => {
            features::Interleaved4::new(Interleaved::new(input_size, weights, bias, multipliers, shift)).map(Cell::Lstm)
        }
        CellKind::Gru => {
            features::Gru::new(Interleaved::new(input_size, weights, bias, multipliers, shift)).map(Cell::Gru)
        }
        CellKind::Rnn | CellKind::RnnRelu => {
            let layer = Interleaved::new(input_size, weights, bias, multipliers, shift);
            features::Rnn::new(Rnn { layer, is_relu: kind == CellKind::RnnRelu }).map(Cell::Rnn)
        }
    }
}

/// Refuses the file if `checked`, the result of a check of one direction of a layer, is an error.
#[cfg_attr(feature = "errors", inline)]
fn check(file: &File<'_>, config: &Config, direction: LayerDirection, checked: Result<(), Overflow>) {
    if let Err((parameter, row)) = checked {
        file.refuse(Fault::Overflow { tensor: Tensor::of_layer(metadata::module(config), parameter, direction), row });
    }
}
