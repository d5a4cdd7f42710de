//! The recurrent layers of a file.

use core::num::NonZeroUsize;

use super::bounds::{self, Overflow};
use super::directory::Directory;
use super::keys::Kind;
use super::names::{Parameter, Place, Tensor};
use super::{Packing, paired};
use crate::cell::Cell;
use crate::fault::{Checked, Fault};
use crate::gru::Gru;
use crate::header::Dtype;
use crate::kind::CellKind;
use crate::lstm::{Lstm, Paired};
use crate::parts::{self, BIDIRECTIONAL, STACKED};
use crate::rnn::Rnn;
#[cfg(feature = "widths")]
use crate::row_layer::RowLayer;

/// All layers, forward before reverse, and their hidden size.
pub(super) fn read<'a>(
    directory: &Directory<'_, 'a>,
    kind: &Kind,
    input_size: NonZeroUsize,
) -> Checked<([Cell<'a>; Place::COUNT], NonZeroUsize)> {
    let units = if kind.packing == Packing::Paired16 { Parameter::Units } else { Parameter::Bias };
    let first = Place { layer: 0, reverse: false };
    let [h, ..] = directory.shape(Tensor::of_layer(first, units))?;
    let hidden_size = NonZeroUsize::new(h as usize).unwrap_or(NonZeroUsize::MIN);
    let both = hidden_size.checked_mul(NonZeroUsize::MIN.saturating_add(usize::from(kind.directions) - 1));
    let mut cells = [layer(directory, kind, first, input_size, h)?; Place::COUNT];
    if !STACKED && !BIDIRECTIONAL {
        return Ok((cells, hidden_size));
    }
    for (place, cell) in Place::all().filter(|&place| kind.has(place)).zip(&mut cells).skip(1) {
        let input_size = if place.layer == 0 { input_size } else { both.unwrap_or(hidden_size) };
        *cell = layer(directory, kind, place, input_size, h)?;
    }
    Ok((cells, hidden_size))
}

/// One direction of one LSTM layer in the packing `paired16`, its sums checked.
fn paired<'a>(
    directory: &Directory<'_, 'a>,
    units: Tensor,
    shift: u32,
    [input_size, hidden_size]: [NonZeroUsize; 2],
) -> Checked<Cell<'a>> {
    let (e, h) = (input_size.get() as u32, hidden_size.get() as u32);
    let words = e.saturating_add(h).saturating_add(Paired::EXTRA_WORDS as u32);
    let words = directory.view(units, Dtype::I32, [h, words, 0])?;
    let Some(layer) = Paired::new(input_size, hidden_size, words, shift) else {
        return directory.file.refuse(paired::no_place(units, e, h));
    };
    match paired::check(&layer, units) {
        Ok(()) => built(directory, parts::Paired16::new(layer).map(Cell::Paired)),
        Err(fault) => directory.file.refuse(fault),
    }
}

/// One direction of one layer, its sums checked.
fn layer<'a>(
    directory: &Directory<'_, 'a>,
    kind: &Kind,
    place: Place,
    input_size: NonZeroUsize,
    h: u32,
) -> Checked<Cell<'a>> {
    if parts::Paired16::<()>::IS_BUILT && kind.packing == Packing::Paired16 {
        let (units, shift) = (Tensor::of_layer(place, Parameter::Units), kind.shift(directory.file, place)?);
        let sizes = [input_size, NonZeroUsize::new(h as usize).unwrap_or(input_size)];
        return paired(directory, units, shift, sizes);
    }
    #[cfg(feature = "widths")]
    if kind.packing == Packing::Rows {
        return by_rows(directory, kind, place, input_size, h);
    }
    if parts::PLAIN {
        return plain(directory, kind, place, input_size, h);
    }
    built(directory, None)
}

/// A cell that is built in. No file comes to another: `Kind::read` refuses its words.
fn built<'a>(directory: &Directory<'_, '_>, cell: Option<Cell<'a>>) -> Checked<Cell<'a>> {
    match cell {
        Some(cell) => Ok(cell),
        None => directory.file.refuse(Fault::MissingTensor(Tensor::FC_WEIGHT)),
    }
}

/// One direction of one layer in the plain packing of its cells, its sums checked.
fn plain<'a>(
    directory: &Directory<'_, 'a>,
    kind: &Kind,
    place: Place,
    input_size: NonZeroUsize,
    h: u32,
) -> Checked<Cell<'a>> {
    let of = |parameter| Tensor::of_layer(place, parameter);
    let (e, shift) = (input_size.get() as u32, kind.shift(directory.file, place)?);
    // Shapes of plain cells have no dimension for the gate.
    let gates = if kind.cell.gates() > 1 { kind.cell.gates() as u32 } else { 0 };
    let weight_ih = directory.weights(of(Parameter::WeightIh), [h, e, gates])?;
    let weight_hh = directory.weights(of(Parameter::WeightHh), [h, h, gates])?;
    let multiplier_ih = directory.multipliers(of(Parameter::MultiplierIh), [h, gates, 0])?;
    let multiplier_hh = directory.multipliers(of(Parameter::MultiplierHh), [h, gates, 0])?;
    let bias = of(Parameter::Bias);
    let cell = match kind.cell {
        CellKind::Lstm => {
            let lstm = Lstm {
                input_size,
                weight_ih: weight_ih.as_chunks().0,
                weight_hh: weight_hh.as_chunks().0,
                bias: directory.view(bias, Dtype::I32, [h, 4, 0])?,
                multiplier_ih: multiplier_ih.as_chunks().0,
                multiplier_hh: multiplier_hh.as_chunks().0,
                shift,
            };
            parts::Interleaved4::new(lstm).map(Cell::Lstm)
        }
        CellKind::Gru => {
            let gru = Gru {
                input_size,
                weight_ih: weight_ih.as_chunks().0,
                weight_hh: weight_hh.as_chunks().0,
                bias: directory.view(bias, Dtype::I32, [h, 4, 0])?,
                multiplier_ih: multiplier_ih.as_chunks().0,
                multiplier_hh: multiplier_hh.as_chunks().0,
                shift,
            };
            parts::Gru::new(gru).map(Cell::Gru)
        }
        CellKind::Rnn | CellKind::RnnRelu => {
            let relu = kind.cell == CellKind::RnnRelu;
            if relu {
                directory.real(of(Parameter::Scale))?;
            }
            let bias = directory.view(bias, Dtype::I32, [h, 0, 0])?;
            let rnn = Rnn { input_size, weight_ih, weight_hh, bias, multiplier_ih, multiplier_hh, shift, relu };
            parts::Rnn::new(rnn).map(Cell::Rnn)
        }
    };
    checked(directory, place, built(directory, cell)?)
}

/// One direction of one layer in the packing `rows`, its sums checked.
#[cfg(feature = "widths")]
fn by_rows<'a>(
    directory: &Directory<'_, 'a>,
    kind: &Kind,
    place: Place,
    input_size: NonZeroUsize,
    h: u32,
) -> Checked<Cell<'a>> {
    let of = |parameter| Tensor::of_layer(place, parameter);
    let gates = if kind.cell.gates() > 1 { kind.cell.gates() as u32 } else { 0 };
    let biases = if gates == 0 { 0 } else { 4 };
    if kind.cell == CellKind::RnnRelu {
        directory.real(of(Parameter::Scale))?;
    }
    let hidden_size = NonZeroUsize::new(h as usize).unwrap_or(input_size);
    let [ih, hh] = [[Parameter::WeightIh, Parameter::GroupsIh], [Parameter::WeightHh, Parameter::GroupsHh]];
    let layer = RowLayer {
        kind: kind.cell,
        weight_ih: directory.matrix(ih.map(of), [h, gates], input_size)?,
        weight_hh: directory.matrix(hh.map(of), [h, gates], hidden_size)?,
        bias: directory.view(of(Parameter::Bias), Dtype::I32, [h, biases, 0])?,
        multiplier_ih: directory.multipliers(of(Parameter::MultiplierIh), [h, gates, 0])?,
        multiplier_hh: directory.multipliers(of(Parameter::MultiplierHh), [h, gates, 0])?,
        shift: kind.shift(directory.file, place)?,
    };
    checked(directory, place, Cell::Rows(layer))
}

/// A layer whose sums cannot overflow.
fn checked<'a>(directory: &Directory<'_, 'a>, place: Place, cell: Cell<'a>) -> Checked<Cell<'a>> {
    match bounds::check(&cell) {
        Ok(()) => Ok(cell),
        Err(overflow) => {
            let (parameter, row) = match overflow {
                Overflow::Input { row } => (Parameter::WeightIh, row),
                Overflow::Recurrent { row } => (Parameter::WeightHh, row),
                Overflow::Requantised { row } => (Parameter::MultiplierIh, row),
            };
            directory.file.refuse(Fault::Overflow { tensor: Tensor::of_layer(place, parameter), row })
        }
    }
}
