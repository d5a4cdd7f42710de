//! Quantisation of one direction of a recurrent layer, unit by unit. Each gate of a unit has one row of weights, with
//! an input half (W_ih) and a recurrent half (W_hh).
//!
//! The rows of an LSTM's gates form the pairs (i, f) and (g, o), those of a GRU's gates the pair (r, z). In the packing
//! `paired16`, a 16-bit lane holds 256·a + b, a weight of each row of a pair. So the sum of the first row, which is the
//! sum of the lanes shifted right by 8, contains 1/256 of the sum of the second row. It does so in every packing. The
//! quantisation of the first row accounts for that, so the second row is quantised first. Rows of 16-bit weights are
//! not paired.

use super::calibrate::LayerStatistics;
use super::row::{ACCUMULATOR_LIMIT, LargeWeights, Row, are_paired, dot, quantize_row};
use crate::architecture::{Cell, LayerNames};
use crate::nn::recurrent::Biases;
use crate::recipe::Bits;
use crate::weights::Weights;
use tern_format::limits::SHIFT;

/// A gate and the format of its pre-activation.
struct Gate {
    /// Index of the gate in PyTorch's order.
    index: usize,
    /// The fractional bits of the pre-activation: `[input half, recurrent half]`. The sigmoid reads Q19, tanh and ReLU
    /// read Q20.
    fraction_bits: [i32; 2],
    /// For the first row of a pair, the index of the gate that has the second row; otherwise `None`.
    second: Option<usize>,
}

/// Returns the gates of a cell in the order in which they are quantised: the second row of a pair before the first.
fn gates(cell: Cell) -> &'static [Gate] {
    match cell {
        Cell::Lstm => &[
            Gate { index: 1, fraction_bits: [19, 19], second: None },
            Gate { index: 0, fraction_bits: [19, 19], second: Some(1) },
            Gate { index: 3, fraction_bits: [19, 19], second: None },
            Gate { index: 2, fraction_bits: [20, 20], second: Some(3) },
        ],
        // The recurrent half of gate n has one more fractional bit, which the product with the reset gate removes.
        Cell::Gru => &[
            Gate { index: 1, fraction_bits: [19, 19], second: None },
            Gate { index: 0, fraction_bits: [19, 19], second: Some(1) },
            Gate { index: 2, fraction_bits: [20, 21], second: None },
        ],
        Cell::Rnn | Cell::RnnRelu => &[Gate { index: 0, fraction_bits: [20, 20], second: None }],
    }
}

/// Returns true for a GRU's gate n, whose recurrent half has a separate bias b_hn: the reset gate multiplies only the
/// recurrent half. `gate`: the gate's index in PyTorch's order.
pub fn has_recurrent_bias(cell: Cell, gate: usize) -> bool {
    cell == Cell::Gru && gate == 2
}

/// The quantised row of one gate of a unit: the weights of its two halves and their biases.
#[derive(Clone, Debug)]
pub struct GateRow {
    /// Input half.
    pub ih: Row,
    /// Recurrent half.
    pub hh: Row,
    /// Bias, as an integer that is added to the input half's accumulator.
    pub bias: i32,
    /// Bias of the recurrent half of a GRU's gate n, as an integer that is added to that half's accumulator; 0 for
    /// other gates.
    pub recurrent_bias: i32,
}

/// One direction of a layer, quantised.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The rows: `[hidden_size][gates]`, gates in PyTorch's order.
    pub units: Vec<Vec<GateRow>>,
    /// The left shift of the pre-activations: (requantised input half + requantised recurrent half) << `shift`.
    pub shift: u32,
    /// The scales of the layer's input and output.
    pub scales: Scales,
    /// The mean of the layer's quantised input: `[input_size]`.
    pub mean_x: Vec<f64>,
}

/// The scales of a layer's input and output.
#[derive(Clone, Copy, Debug)]
pub struct Scales {
    /// The real value of the integer 2^15 in the input `x`.
    pub x: f64,
    /// The real value of the integer 2^15 in the hidden state `h`; 1 for all cells except those with ReLU.
    pub h: f64,
}

impl Layer {
    /// Returns the real weights of one half of a gate's row. The first row of a pair includes 1/256 of the second.
    /// `half`: selects the input or the recurrent half.
    pub fn dequantize(&self, cell: Cell, unit: usize, gate: usize, half: fn(&GateRow) -> &Row) -> Vec<f64> {
        let rows = &self.units[unit];
        let row = half(&rows[gate]);
        let second = gates(cell).iter().find(|other| other.index == gate).and_then(|gate| gate.second);
        match second {
            Some(second) if are_paired(row.bits) => row.dequantize(Some(half(&rows[second]))),
            _ => row.dequantize(None),
        }
    }
}

/// Quantises one direction of a layer with the smallest possible shift.
///
/// `mean_x`: the mean of the quantised input, `[input_size]`; `statistics` has the mean of the float model's input.
/// `bits`: the width of the weights.
///
/// # Errors
///
/// [`LargeWeights`] if no shift is large enough.
pub fn quantize(
    weights: &Weights,
    (cell, names): (Cell, &LayerNames),
    statistics: &LayerStatistics,
    mean_x: Vec<f64>,
    scales: Scales,
    bits: Bits,
) -> Result<Layer, LargeWeights> {
    let hidden_size = statistics.mean_h.len();
    let biases = Biases::of_layer(cell, weights, names);
    let settings = RowSettings { bits, scales, statistics, mean_x: &mean_x };
    let float_row = |gate: usize, unit: usize| {
        let row = gate * hidden_size + unit;
        let half = |name: &str, columns: usize| -> Vec<f64> {
            weights[name].data[row * columns..][..columns].iter().map(|&weight| f64::from(weight)).collect()
        };
        FloatRow {
            ih: half(&names.w_ih, mean_x.len()),
            hh: half(&names.w_hh, hidden_size),
            bias: f64::from(biases.input[row]),
            recurrent_bias: has_recurrent_bias(cell, gate).then(|| f64::from(biases.b_hn[unit])),
        }
    };
    for shift in SHIFT.clone() {
        let units: Option<Vec<Vec<GateRow>>> =
            (0..hidden_size).map(|unit| settings.unit(cell, shift, |gate| float_row(gate, unit))).collect();
        if let Some(units) = units {
            return Ok(Layer { units, shift, scales, mean_x });
        }
    }
    // The module's name, such as `lstm`.
    Err(LargeWeights { layer: names.w_ih.split('.').next().unwrap_or_default().to_owned() })
}

/// The real weights and biases of a gate's row.
struct FloatRow {
    /// Input half.
    ih: Vec<f64>,
    /// Recurrent half.
    hh: Vec<f64>,
    /// The bias of both halves; that of the input half alone if there is a `recurrent_bias`.
    bias: f64,
    /// The separate bias of the recurrent half: see [`has_recurrent_bias`].
    recurrent_bias: Option<f64>,
}

/// The settings that all rows of a layer share.
struct RowSettings<'a> {
    bits: Bits,
    scales: Scales,
    statistics: &'a LayerStatistics,
    /// The mean of the layer's quantised input: `[input_size]`.
    mean_x: &'a [f64],
}

impl RowSettings<'_> {
    /// Quantises the rows of all gates of a unit; `None` if a multiplier would be too large with this shift.
    /// `float_row`: returns the real row of a gate.
    fn unit(&self, cell: Cell, shift: u32, float_row: impl Fn(usize) -> FloatRow) -> Option<Vec<GateRow>> {
        let mut rows: Vec<Option<GateRow>> = vec![None; cell.gates()];
        for gate in gates(cell) {
            let second = match gate.second {
                Some(second) if are_paired(self.bits) => rows[second].as_ref(),
                _ => None,
            };
            let base_steps = gate.fraction_bits.map(|n| f64::from(1 << shift) * self.scales.h / 2f64.powi(n + 1));
            rows[gate.index] = Some(self.gate_row(&float_row(gate.index), second, base_steps)?);
        }
        rows.into_iter().collect()
    }

    /// Quantises one row. The multipliers grow until the sums fit 32 bits; `None` if a multiplier would be too large.
    ///
    /// `second`: for the first row of a pair, the quantised second row. `base_steps`: for each half, the
    /// [`step`](Row::step) of a row with the multiplier 1 and an input of scale 1. Such a row turns the weight 1 and
    /// the input 2^15, which is worth 1, into 2^15 · 2^shift / 2^16 in the pre-activation: requantising drops 16 bits.
    /// The pre-activation is in Qn times `scales.h`, so the step is 2^shift · h / 2^(n + 1).
    ///
    /// Rounding the weights changes the mean of each half's sum. `bias` corrects the change of both halves. With a
    /// separate bias, `recurrent_bias` corrects the recurrent half and `bias` only the input half.
    fn gate_row(&self, real: &FloatRow, second: Option<&GateRow>, base_steps: [f64; 2]) -> Option<GateRow> {
        let [ih_step, hh_step] = base_steps;
        let (hh, recurrent_bias, lost) = self.recurrent_half(real, second.map(|row| &row.hh), hh_step)?;
        // Without a separate bias, the bias of the input half corrects both halves.
        let uncorrected = if real.recurrent_bias.is_some() { 0.0 } else { lost };
        let (ih, bias) = self.input_half(real, second, uncorrected, ih_step)?;
        Some(GateRow { ih, hh, bias, recurrent_bias })
    }

    /// Quantises the recurrent half of a row. Returns the half, its separate bias (0 without one), and what its mean
    /// sum loses because the weights are rounded. `second`: the same half of the second row.
    fn recurrent_half(&self, real: &FloatRow, second: Option<&Row>, base_step: f64) -> Option<(Row, i32, f64)> {
        let mean_h = &self.statistics.mean_h;
        let second_weights = second.map(|row| &row.weights[..]);
        let second_sum = second.map_or(0.0, |row| from_second(row.bound()));
        let mut least_multiplier = 1.0;
        loop {
            let hh = quantize_row(self.bits, &real.hh, second_weights, base_step / self.scales.h, least_multiplier)?;
            let lost = dot(&real.hh, mean_h) - dot(&hh.dequantize(second), mean_h);
            let bias_step = hh.step * self.scales.h / 32_768.0;
            let bias = real.recurrent_bias.map_or(0.0, |bias| ((bias + lost) / bias_step).round());
            if hh.bound() as f64 + bias.abs() + second_sum < ACCUMULATOR_LIMIT {
                return Some((hh, bias as i32, lost));
            }
            least_multiplier = hh.larger_multiplier();
        }
    }

    /// Quantises the input half of a row. Returns the half and its bias. `lost_h`: what the mean sum of the recurrent
    /// half loses and this bias corrects.
    fn input_half(&self, real: &FloatRow, second: Option<&GateRow>, lost_h: f64, base_step: f64) -> Option<(Row, i32)> {
        let second_weights = second.map(|row| &row.ih.weights[..]);
        let second_sum = second.map_or(0.0, |row| from_second(row.ih.bound() + i64::from(row.bias.unsigned_abs())));
        let second_bias = second.map_or(0.0, |row| f64::from(row.bias) / 256.0);
        let mut least_multiplier = 1.0;
        loop {
            let ih = quantize_row(self.bits, &real.ih, second_weights, base_step / self.scales.x, least_multiplier)?;
            let rounded_weights = ih.dequantize(second.map(|row| &row.ih));
            let lost = lost_h + dot(&real.ih, &self.statistics.mean_x) - dot(&rounded_weights, self.mean_x);
            let bias_step = ih.step * self.scales.x / 32_768.0;
            // The second row adds 1/256 of its own bias.
            let bias = ((real.bias + lost) / bias_step - second_bias).round();
            if ih.bound() as f64 + bias.abs() + second_sum < ACCUMULATOR_LIMIT {
                return Some((ih, bias as i32));
            }
            least_multiplier = ih.larger_multiplier();
        }
    }
}

/// Returns the most that a second row, whose sum has the bound `bound`, adds to the sum of the first row: 1/256 of the
/// bound, plus 1 because `>> 8` rounds down.
fn from_second(bound: i64) -> f64 {
    (bound >> 8) as f64 + 1.0
}

/// The names of a cell's gates, in PyTorch's order.
pub fn gate_names(cell: Cell) -> &'static [&'static str] {
    match cell {
        Cell::Lstm => &["i", "f", "g", "o"],
        Cell::Gru => &["r", "z", "n"],
        Cell::Rnn | Cell::RnnRelu => &["h"],
    }
}
