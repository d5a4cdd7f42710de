//! Quantisation of one direction of a recurrent layer, unit by unit. The rows of LSTM and GRU are paired.

use super::calibrate::LayerStatistics;
use super::row::{Bits, Row, quantize_row_in};
use super::{LARGEST_SHIFT, LIMIT, LargeWeights, dot};
use crate::architecture::{Cell, LayerNames};
use crate::nn::recurrent::Biases;
use crate::weights::Weights;

/// A gate and the format of its pre-activation. The gates of a cell are listed in the order in which they are
/// quantised: the second row of a pair before the first.
struct Gate {
    /// Index of the gate in PyTorch's order.
    gate: usize,
    /// Q format of the pre-activation: input half, recurrent half.
    q: [i32; 2],
    /// The second row of the pair, if this is the first.
    second: Option<usize>,
}

const LSTM: &[Gate] = &[
    Gate { gate: 1, q: [19, 19], second: None },
    Gate { gate: 0, q: [19, 19], second: Some(1) },
    Gate { gate: 3, q: [19, 19], second: None },
    Gate { gate: 2, q: [20, 20], second: Some(3) },
];
/// The recurrent half of gate n has one more fractional bit, which the product with the reset gate removes.
const GRU: &[Gate] = &[
    Gate { gate: 1, q: [19, 19], second: None },
    Gate { gate: 0, q: [19, 19], second: Some(1) },
    Gate { gate: 2, q: [20, 21], second: None },
];
const RNN: &[Gate] = &[Gate { gate: 0, q: [20, 20], second: None }];

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
}

/// The scales of a layer's input and output.
#[derive(Clone, Copy, Debug)]
pub struct Scales {
    /// The real value of `x` = 2^15.
    pub x: f64,
    /// The real value of `h` = 2^15; 1 for all cells except those with ReLU.
    pub h: f64,
    /// Bits of the layer's weights.
    pub bits: Bits,
}

/// The real weights and biases of a row.
struct Real {
    ih: Vec<f64>,
    hh: Vec<f64>,
    bias: f64,
    hidden_bias: f64,
}

/// Quantises one direction of a layer with the smallest possible shift.
///
/// `mean_x_device`: the mean of the quantised input; that of the float model's input is in `statistics`.
///
/// # Errors
///
/// [`LargeWeights`] if no shift is large enough.
pub fn quantize(
    weights: &Weights,
    (cell, names): (Cell, &LayerNames),
    statistics: &LayerStatistics,
    mean_x_device: &[f64],
    scales: Scales,
) -> Result<Layer, LargeWeights> {
    let hidden_size = statistics.mean_h.len();
    let biases = Biases::of_layer(cell, weights, names);
    let gates = match cell {
        Cell::Lstm => LSTM,
        Cell::Gru => GRU,
        Cell::Rnn | Cell::RnnRelu => RNN,
    };
    let real = |gate: usize, unit: usize| {
        let row = gate * hidden_size + unit;
        let of = |name: &str, columns: usize| -> Vec<f64> {
            weights[name].data[row * columns..][..columns].iter().map(|&w| f64::from(w)).collect()
        };
        // A GRU's b_hn belongs to the recurrent half, which the reset gate multiplies.
        let hidden = if cell == Cell::Gru && gate == 2 { biases.b_hn[unit] } else { 0.0 };
        Real {
            ih: of(&names.w_ih, mean_x_device.len()),
            hh: of(&names.w_hh, hidden_size),
            bias: f64::from(biases.input[row]),
            hidden_bias: f64::from(hidden),
        }
    };
    let quantized = (0..=LARGEST_SHIFT).find_map(|shift| {
        let units = (0..hidden_size).map(|unit| {
            let mut rows: Vec<Option<GateRow>> = vec![None; gates.len()];
            for &Gate { gate, q, second } in gates {
                let second = second.filter(|_| scales.bits.in_pairs()).and_then(|second| rows[second].as_ref());
                // The step of the multiplier 1 for inputs of scale 1.
                let steps = q.map(|q| f64::from(1 << shift) * scales.h / 2f64.powi(q + 1));
                let own_bias = cell == Cell::Gru && gate == 2;
                rows[gate] =
                    Some(gate_row(&real(gate, unit), second, steps, own_bias, statistics, mean_x_device, scales)?);
            }
            rows.into_iter().collect::<Option<Vec<GateRow>>>()
        });
        Some(Layer { units: units.collect::<Option<_>>()?, shift })
    });
    quantized.ok_or_else(|| LargeWeights { layer: names.w_ih.split('.').next().unwrap_or_default().to_owned() })
}

/// Quantises one row. The multipliers grow until the sums fit 32 bits.
///
/// `own_bias`: true if the recurrent half has a bias of its own, which then corrects the change of its mean.
fn gate_row(
    real: &Real,
    second: Option<&GateRow>,
    steps: [f64; 2],
    own_bias: bool,
    statistics: &LayerStatistics,
    mean_x_device: &[f64],
    scales: Scales,
) -> Option<GateRow> {
    let carried = |bound: i64| (bound >> 8) as f64 + 1.0;
    let mut least = 1.0;
    let (hh, lost_h, hidden_bias) = loop {
        let row =
            quantize_row_in(scales.bits, &real.hh, second.map(|s| &s.hh.weights[..]), steps[1] / scales.h, least)?;
        let back = row.dequantize(second.map(|s| &s.hh));
        let lost = dot(&real.hh, &statistics.mean_h) - dot(&back, &statistics.mean_h);
        let unit = row.step * scales.h / 32_768.0;
        let bias = if own_bias { ((real.hidden_bias + lost) / unit).round() } else { 0.0 };
        if row.bound() as f64 + bias.abs() + second.map_or(0.0, |s| carried(s.hh.bound())) < LIMIT {
            break (row, if own_bias { 0.0 } else { lost }, bias as i32);
        }
        least = f64::from(row.multiplier) * 1.25 + 1.0;
    };

    let mut least = 1.0;
    loop {
        let ih = quantize_row_in(scales.bits, &real.ih, second.map(|s| &s.ih.weights[..]), steps[0] / scales.x, least)?;
        let back = ih.dequantize(second.map(|s| &s.ih));
        let lost = lost_h + dot(&real.ih, &statistics.mean_x) - dot(&back, mean_x_device);
        let bias = (real.bias + lost) / (ih.step * scales.x / 32_768.0);
        let bias = (bias - second.map_or(0.0, |s| f64::from(s.bias) / 256.0)).round();
        let beside = second.map_or(0.0, |s| carried(s.ih.bound() + i64::from(s.bias.unsigned_abs())));
        if ih.bound() as f64 + bias.abs() + beside < LIMIT {
            return Some(GateRow { ih, hh, bias: bias as i32, hidden_bias });
        }
        least = f64::from(ih.multiplier) * 1.25 + 1.0;
    }
}
