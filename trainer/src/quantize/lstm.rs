//! The LSTM layer, unit by unit, its rows in pairs.

use super::row::{Row, quantize_row};
use super::{LARGEST_SHIFT, LIMIT, LargeWeights};
use crate::weights::{Weights, names};

/// Position of each gate in PyTorch's order, its pre-activation's Q format, in the order in which rows are quantised: the second
/// row of a pair before its first.
const ORDER: [(usize, i32); 4] = [(1, 19), (0, 19), (3, 19), (2, 20)];

/// One row of a unit: its two halves and its bias.
#[derive(Clone, Debug)]
pub struct GateRow {
    /// From `x`.
    pub ih: Row,
    /// From `h`.
    pub hh: Row,
    /// In units of the input half's accumulators.
    pub bias: i32,
}

/// The quantised layer.
pub struct Lstm {
    /// For each unit, its rows i, f, g, o.
    pub units: Vec<[GateRow; 4]>,
    /// Shift of the requantisation.
    pub shift: u32,
}

/// What the rows are fitted to.
pub struct Inputs<'a> {
    /// The real value of `x` = 2^15.
    pub scale: f64,
    /// Mean input of the float model.
    pub mean_x: &'a [f64],
    /// Mean input with the embedding quantised.
    pub mean_x_quantized: &'a [f64],
    /// Mean hidden state of the float model.
    pub mean_h: &'a [f64],
}

/// A row's real weights and bias.
struct Real {
    ih: Vec<f64>,
    hh: Vec<f64>,
    bias: f64,
}

/// Quantises the layer with the smallest shift that its multipliers allow.
pub fn quantize(weights: &Weights, inputs: &Inputs<'_>) -> Result<Lstm, LargeWeights> {
    let hidden_size = inputs.mean_h.len();
    let real = |gate: usize, unit: usize| {
        let row = gate * hidden_size + unit;
        let of = |name: &str, columns: usize| -> Vec<f64> {
            weights[name].data[row * columns..][..columns].iter().map(|&w| f64::from(w)).collect()
        };
        let bias = f64::from(weights[names::B_IH].data[row]) + f64::from(weights[names::B_HH].data[row]);
        Real { ih: of(names::W_IH, inputs.mean_x.len()), hh: of(names::W_HH, hidden_size), bias }
    };
    let quantized = (0..=LARGEST_SHIFT).find_map(|shift| {
        let units = (0..hidden_size).map(|unit| {
            let mut rows: [Option<GateRow>; 4] = [const { None }; 4];
            for (gate, zq) in ORDER {
                let second = if gate % 2 == 0 { rows[gate + 1].as_ref() } else { None };
                let step = f64::from(1 << shift) / 2f64.powi(zq + 1);
                rows[gate] = Some(gate_row(&real(gate, unit), second, step, inputs)?);
            }
            let [Some(i), Some(f), Some(g), Some(o)] = rows else { return None };
            Some([i, f, g, o])
        });
        Some(Lstm { units: units.collect::<Option<_>>()?, shift })
    });
    quantized.ok_or(LargeWeights { layer: "lstm".to_owned() })
}

/// One row. `step`: what a multiplier of 1 gives where inputs have scale 1. Multipliers grow until the sums keep clear of 32 bits.
fn gate_row(real: &Real, second: Option<&GateRow>, step: f64, inputs: &Inputs<'_>) -> Option<GateRow> {
    let carried = |bound: i64| (bound >> 8) as f64 + 1.0;
    let mut least = 1.0;
    let hh = loop {
        let row = quantize_row(&real.hh, second.map(|s| &s.hh.weights[..]), step, least)?;
        if row.bound() as f64 + second.map_or(0.0, |s| carried(s.hh.bound())) < LIMIT {
            break row;
        }
        least = f64::from(row.multiplier) * 1.25 + 1.0;
    };
    let lost_h = super::lost(&real.hh, inputs.mean_h, &hh.dequantize(second.map(|s| &s.hh)), inputs.mean_h);

    let mut least = 1.0;
    loop {
        let ih = quantize_row(&real.ih, second.map(|s| &s.ih.weights[..]), step / inputs.scale, least)?;
        let back = ih.dequantize(second.map(|s| &s.ih));
        let lost = lost_h + super::lost(&real.ih, inputs.mean_x, &back, inputs.mean_x_quantized);
        let bias = (real.bias + lost) / (ih.step * inputs.scale / 32_768.0);
        let bias = (bias - second.map_or(0.0, |s| f64::from(s.bias) / 256.0)).round();
        let beside = second.map_or(0.0, |s| carried(s.ih.bound() + i64::from(s.bias.unsigned_abs())));
        if ih.bound() as f64 + bias.abs() + beside < LIMIT {
            return Some(GateRow { ih, hh, bias: bias as i32 });
        }
        least = f64::from(ih.multiplier) * 1.25 + 1.0;
    }
}
