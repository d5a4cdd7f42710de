//! Converts layers from the plain packing of their cell (`interleaved4`, `interleaved3` or `interleaved1`) to another:
//! `docs/format.md`, "Packings". A packing is the order in which the weights of the recurrent layers are stored.

use alloc::{format, string::String, vec, vec::Vec};

use super::tensor::Tensor;
use crate::Packing;
use crate::load::dtype::Dtype;
use tern_format::Cell as CellKind;

/// Converts metadata and tensors from the plain packing of their cell to another packing. For [`Packing::Paired16`] E
/// and H must be multiples of 4, or the loader refuses the result. [`Packing::Rows`] needs the feature `widths`. For an
/// interleaved packing nothing changes.
///
/// # Panics
/// If a tensor of a layer is missing, for [`Packing::Paired16`].
pub fn packed(
    packing: Packing,
    metadata: &[(String, String)],
    tensors: Vec<Tensor>,
) -> (Vec<(String, String)>, Vec<Tensor>) {
    let tensors = match packing {
        Packing::Interleaved4 | Packing::Interleaved3 | Packing::Interleaved1 => return (metadata.to_vec(), tensors),
        Packing::Paired16 => paired(tensors),
        // The function is in the module for the other widths of weights, which need this packing.
        #[cfg(feature = "widths")]
        Packing::Rows => tensors.into_iter().map(super::round::by_rows).collect(),
        // The loader of such a build refuses this packing.
        #[cfg(not(feature = "widths"))]
        Packing::Rows => tensors,
    };
    let renamed = metadata.iter().map(|(key, value)| match key.as_str() {
        "tern.packing" => (key.clone(), packing.name().into()),
        _ => (key.clone(), value.clone()),
    });
    (renamed.collect(), tensors)
}

/// Replaces the tensors of each layer by one tensor `units` in `paired16`. The tensor `scale`, if there is one,
/// remains.
fn paired(tensors: Vec<Tensor>) -> Vec<Tensor> {
    let is_of_layer = |tensor: &Tensor| {
        CellKind::ALL
            .iter()
            .any(|cell| tensor.name.strip_prefix(cell.module()).is_some_and(|rest| rest.starts_with('.')))
    };
    let (of_layers, mut packed): (Vec<Tensor>, Vec<Tensor>) = tensors.into_iter().partition(is_of_layer);
    // Each direction of a layer has one tensor `weight_ih`; the others are found by its module and suffix.
    for tensor in &of_layers {
        let Some((module, suffix)) = tensor.name.split_once(".weight_ih_") else { continue };
        let layer = Layer::new(module, suffix, &of_layers);
        let groups = layer.groups();
        let [count, words] = [groups.len(), groups.first().map_or(0, Vec::len)];
        packed.push(Tensor::new(&format!("{module}.units_{suffix}"), Dtype::I32, &[count, words], &groups.concat()));
    }
    packed.extend(of_layers.into_iter().filter(|tensor| tensor.name.contains(".scale_")));
    packed
}

/// The parameters of one direction of a layer in the plain packing of its cells.
struct Layer<'a> {
    gates: usize,
    hidden_size: usize,
    /// The number of biases of a unit: one for each gate, and for a GRU a fourth one.
    biases: usize,
    /// The weights of [`INPUT`] and [`RECURRENT`]: each `[hidden_size * columns * gates]`.
    weights: [&'a [u8]; 2],
    /// The row multipliers of [`INPUT`] and [`RECURRENT`]: each `[hidden_size * gates]`.
    multipliers: [Vec<i16>; 2],
    /// The biases: `[hidden_size * biases]`.
    bias: Vec<i32>,
}

/// A row of a layer: `(unit, gate)`.
type Row = (usize, usize);

/// The index of the input projection.
const INPUT: usize = 0;
/// The index of the recurrent projection.
const RECURRENT: usize = 1;

impl<'a> Layer<'a> {
    /// Reads the tensors whose names begin with `module` and end with `suffix`. Panics if one is missing.
    fn new(module: &str, suffix: &str, layers: &'a [Tensor]) -> Self {
        let find = |name: &str| {
            let name = format!("{module}.{name}_{suffix}");
            layers.iter().find(|tensor| tensor.name == name).unwrap_or_else(|| panic!("tensor `{name}` is missing"))
        };
        let multipliers_of = |name: &str| -> Vec<i16> {
            find(name).data.chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect()
        };
        let bias: Vec<i32> = find("bias")
            .data
            .chunks_exact(4)
            .map(|bytes| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        let hidden_size = find("weight_hh").shape[0];
        let multipliers = [multipliers_of("multiplier_ih"), multipliers_of("multiplier_hh")];
        Layer {
            gates: multipliers[INPUT].len() / hidden_size,
            hidden_size,
            biases: bias.len() / hidden_size,
            weights: [&find("weight_ih").data, &find("weight_hh").data],
            multipliers,
            bias,
        }
    }

    /// The words of each group: the record of one LSTM unit, or the records of four units of other cells. Units beyond
    /// the last whole group of four are left out.
    fn groups(&self) -> Vec<Vec<i32>> {
        let groups_of_four = (0..self.hidden_size / 4).map(|group| [0, 1, 2, 3].map(|unit| 4 * group + unit));
        match self.gates {
            // LSTM: a record of the four gates of one unit.
            4 => (0..self.hidden_size).map(|unit| self.record([0, 1, 2, 3].map(|gate| (unit, gate)))).collect(),
            // GRU.
            3 => groups_of_four
                .map(|units| {
                    // A record of the gates r and z of two units.
                    let r_z_of_two = |a, b| self.record([(a, 0), (a, 1), (b, 0), (b, 1)]);
                    let [a, b, c, d] = units;
                    // The fourth bias of a unit is that of the recurrent half of n.
                    let recurrent_biases = units.map(|unit| self.bias[unit * self.biases + 3]);
                    // The record of the gates n of all four units comes before those of r and z.
                    [
                        initial_sums(recurrent_biases),
                        self.record(units.map(|unit| (unit, 2))),
                        r_z_of_two(a, b),
                        r_z_of_two(c, d),
                    ]
                    .concat()
                })
                .collect(),
            // Plain cells: a record of four units.
            _ => groups_of_four.map(|units| self.record(units.map(|unit| (unit, 0)))).collect(),
        }
    }

    /// The record of four rows.
    fn record(&self, rows: [Row; 4]) -> Vec<i32> {
        let multipliers = |projection: usize| {
            let [a, b, c, d] = rows.map(|(unit, gate)| self.multipliers[projection][unit * self.gates + gate].into());
            vec![word(a, b), word(c, d)]
        };
        let biases = rows.map(|(unit, gate)| self.bias[unit * self.biases + gate]);
        [
            self.weights(RECURRENT, rows),
            multipliers(RECURRENT),
            multipliers(INPUT),
            initial_sums(biases),
            self.weights(INPUT, rows),
        ]
        .concat()
    }

    /// The weights of one projection in four rows a, b, c, d. For each two columns there are two words: the first holds
    /// `256 · w_a + w_b` of both columns, the second `256 · w_c + w_d`.
    fn weights(&self, projection: usize, rows: [Row; 4]) -> Vec<i32> {
        let columns = self.weights[projection].len() / (self.hidden_size * self.gates);
        let weight = |(unit, gate): Row, column: usize| {
            i32::from(self.weights[projection][(unit * columns + column) * self.gates + gate] as i8)
        };
        // One column of the pair of rows that begins with the row `first`: both weights in one 16-bit number.
        let of_pair = |first: usize, column: usize| 256 * weight(rows[first], column) + weight(rows[first + 1], column);
        let words_of_two = |column: usize| [0, 2].map(|first| word(of_pair(first, column), of_pair(first, column + 1)));
        (0..columns / 2).flat_map(|two_columns| words_of_two(2 * two_columns)).collect()
    }
}

/// Returns two 16-bit numbers in a word, the first in its lower half.
fn word(first: i32, second: i32) -> i32 {
    (first & 0xffff) | (second << 16)
}

/// The initial sums of four rows, as a record stores them. For each pair of rows a, b these are three words: the lower
/// and the upper word of the 64-bit number `256 · bias_a + bias_b`, then `bias_b`.
fn initial_sums(biases: [i32; 4]) -> Vec<i32> {
    let of_pair = |[a, b]: &[i32; 2]| {
        let sum = 256 * i64::from(*a) + i64::from(*b);
        [sum as i32, (sum >> 32) as i32, *b]
    };
    biases.as_chunks::<2>().0.iter().flat_map(of_pair).collect()
}
