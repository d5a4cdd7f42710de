//! Quantisation of one direction of a recurrent layer, unit by unit. The rows of LSTM and GRU are paired.

use super::calibrate::LayerStatistics;
use super::row::{ACCUMULATOR_LIMIT, LARGEST_SHIFT, LargeWeights, Row, dot, in_pairs, quantize_row};
use crate::architecture::{Cell, LayerNames};
use crate::nn::recurrent::Biases;
use crate::recipe::Bits;
use crate::weights::Weights;

/// A gate and the format of its pre-activation.
struct Gate {
    /// Index of the gate in PyTorch's order.
    gate: usize,
    /// The Q format of the pre-activation: input half, recurrent half.
    q: [i32; 2],
    /// The gate of the second row of the pair, if this is the first.
    second: Option<usize>,
}

/// The gates of a cell in the order in which they are quantised: the second row of a pair before the first.
fn gates(cell: Cell) -> &'static [Gate] {
    match cell {
        Cell::Lstm => &[
            Gate { gate: 1, q: [19, 19], second: None },
            Gate { gate: 0, q: [19, 19], second: Some(1) },
            Gate { gate: 3, q: [19, 19], second: None },
            Gate { gate: 2, q: [20, 20], second: Some(3) },
        ],
        // The recurrent half of gate n has one more fractional bit, which the product with the reset gate removes.
        Cell::Gru => &[
            Gate { gate: 1, q: [19, 19], second: None },
            Gate { gate: 0, q: [19, 19], second: Some(1) },
            Gate { gate: 2, q: [20, 21], second: None },
        ],
        Cell::Rnn | Cell::RnnRelu => &[Gate { gate: 0, q: [20, 20], second: None }],
    }
}

/// Returns true for a GRU's gate n: its recurrent half has its own bias b_hn, since the reset gate multiplies it.
pub fn has_recurrent_bias(cell: Cell, gate: usize) -> bool {
    cell == Cell::Gru && gate == 2
}

/// One row of a unit: its two halves and their biases.
#[derive(Clone, Debug)]
pub struct GateRow {
    /// Input half.
    pub ih: Row,
    /// Recurrent half.
    pub hh: Row,
    /// Bias, in units of the input half's accumulator.
    pub bias: i32,
    /// Bias of the recurrent half of a GRU's gate n, in units of its accumulator; otherwise 0.
    pub hidden_bias: i32,
}

/// One direction of a layer, quantised.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `[unit][gate]`, gates in PyTorch's order.
    pub units: Vec<Vec<GateRow>>,
    /// Shift of the requantisation.
    pub shift: u32,
    /// The scales of its input and output.
    pub scales: Scales,
    /// The mean of its quantised input: `[input_size]`.
    pub mean_x: Vec<f64>,
}

/// The scales of a layer's input and output.
#[derive(Clone, Copy, Debug)]
pub struct Scales {
    /// The real value of `x` = 2^15.
    pub x: f64,
    /// The real value of `h` = 2^15; 1 for all cells except those with ReLU.
    pub h: f64,
}

impl Layer {
    /// The real weights of one half of a gate's row. The first row of a pair includes 1/256 of the second.
    pub fn dequantize(&self, cell: Cell, unit: usize, gate: usize, half: fn(&GateRow) -> &Row) -> Vec<f64> {
        let rows = &self.units[unit];
        let row = half(&rows[gate]);
        let second = gates(cell).iter().find(|format| format.gate == gate).and_then(|format| format.second);
        row.dequantize(second.filter(|_| in_pairs(row.bits)).map(|second| half(&rows[second])))
    }
}

/// Quantises one direction of a layer with the smallest possible shift.
///
/// `mean_x`: the mean of the quantised input; that of the float model's input is in `statistics`.
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
    let rounding = Rounding { bits, scales, statistics, mean_x: &mean_x };
    let float_row = |gate: usize, unit: usize| {
        let row = gate * hidden_size + unit;
        let half = |name: &str, columns: usize| -> Vec<f64> {
            weights[name].data[row * columns..][..columns].iter().map(|&weight| f64::from(weight)).collect()
        };
        FloatRow {
            ih: half(&names.w_ih, mean_x.len()),
            hh: half(&names.w_hh, hidden_size),
            bias: f64::from(biases.input[row]),
            hidden_bias: has_recurrent_bias(cell, gate).then(|| f64::from(biases.b_hn[unit])),
        }
    };
    let quantized = (0..=LARGEST_SHIFT).find_map(|shift| {
        let units = (0..hidden_size).map(|unit| {
            let mut rows: Vec<Option<GateRow>> = vec![None; cell.gates()];
            for &Gate { gate, q, second } in gates(cell) {
                let second = second.filter(|_| in_pairs(bits)).and_then(|second| rows[second].as_ref());
                // The step of the multiplier 1 for inputs of scale 1.
                let steps = q.map(|q| f64::from(1 << shift) * scales.h / 2f64.powi(q + 1));
                rows[gate] = Some(rounding.gate_row(&float_row(gate, unit), second, steps)?);
            }
            rows.into_iter().collect::<Option<Vec<GateRow>>>()
        });
        Some((units.collect::<Option<_>>()?, shift))
    });
    match quantized {
        Some((units, shift)) => Ok(Layer { units, shift, scales, mean_x }),
        None => Err(LargeWeights { layer: names.w_ih.split('.').next().unwrap_or_default().to_owned() }),
    }
}

/// The real weights and biases of a row.
struct FloatRow {
    ih: Vec<f64>,
    hh: Vec<f64>,
    bias: f64,
    /// The bias of the recurrent half, if it has its own.
    hidden_bias: Option<f64>,
}

/// The settings that all rows of a layer share.
struct Rounding<'a> {
    bits: Bits,
    scales: Scales,
    statistics: &'a LayerStatistics,
    /// The mean of the quantised input.
    mean_x: &'a [f64],
}

impl Rounding<'_> {
    /// Quantises one row; `None` if a multiplier would be too large. The multipliers grow until the sums fit 32 bits.
    ///
    /// `second`: for the first row of a pair, the second row. `steps`: the step of the multiplier 1 in each half.
    ///
    /// The biases correct the change of the mean by rounding: that of the recurrent half by its own bias if it has one.
    fn gate_row(&self, real: &FloatRow, second: Option<&GateRow>, steps: [f64; 2]) -> Option<GateRow> {
        let Rounding { bits, scales, statistics, mean_x } = *self;
        // A second row adds 1/256 of its sum to that of the first; 1 more, because the shift rounds down.
        let from_second = |bound: i64| (bound >> 8) as f64 + 1.0;
        let mut least_multiplier = 1.0;
        let (hh, lost_h, hidden_bias) = loop {
            let second = second.map(|row| &row.hh);
            let weights = second.map(|row| &row.weights[..]);
            let hh = quantize_row(bits, &real.hh, weights, steps[1] / scales.h, least_multiplier)?;
            let lost = dot(&real.hh, &statistics.mean_h) - dot(&hh.dequantize(second), &statistics.mean_h);
            let bias_step = hh.step * scales.h / 32_768.0;
            let bias = real.hidden_bias.map_or(0.0, |bias| ((bias + lost) / bias_step).round());
            if hh.bound() as f64 + bias.abs() + second.map_or(0.0, |row| from_second(row.bound())) < ACCUMULATOR_LIMIT {
                break (hh, if real.hidden_bias.is_some() { 0.0 } else { lost }, bias as i32);
            }
            least_multiplier = hh.larger_multiplier();
        };

        let mut least_multiplier = 1.0;
        loop {
            let weights = second.map(|row| &row.ih.weights[..]);
            let ih = quantize_row(bits, &real.ih, weights, steps[0] / scales.x, least_multiplier)?;
            let back = ih.dequantize(second.map(|row| &row.ih));
            let lost = lost_h + dot(&real.ih, &statistics.mean_x) - dot(&back, mean_x);
            let bias = (real.bias + lost) / (ih.step * scales.x / 32_768.0);
            let bias = (bias - second.map_or(0.0, |row| f64::from(row.bias) / 256.0)).round();
            let second_sum = second.map_or(0.0, |row| from_second(row.ih.bound() + i64::from(row.bias.unsigned_abs())));
            if ih.bound() as f64 + bias.abs() + second_sum < ACCUMULATOR_LIMIT {
                return Some(GateRow { ih, hh, bias: bias as i32, hidden_bias });
            }
            least_multiplier = ih.larger_multiplier();
        }
    }
}
