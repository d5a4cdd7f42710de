//! The content of a device file: its words and its tensors, everything but the golden texts or sequences.

use super::{Bits, Inputs, Quantized, calibrate::Statistics, layer, linear, row};
use crate::architecture::Cell;
use crate::float_model::FloatModel;
use crate::recipe::Anchor;
use tern_runtime::text::TokenizerKind;
use tern_runtime::write::{Dtype, Tensor, Words};
use tern_runtime::{Input, Output, Packing, Task};

/// The runtime's value for a name in `config.json`.
fn word<T: Copy>(all: &[T], name: &str, word: impl Fn(T) -> &'static str) -> T {
    *all.iter().find(|value| word(**value) == name).expect("both pages have the same words")
}

/// The metadata of a model's device file.
pub(super) fn words(model: &FloatModel, quantized: &Quantized) -> Words {
    let config = model.config();
    Words {
        task: word(Task::ALL, config.task.name(), Task::name),
        input: word(Input::ALL, config.input.name(), Input::name),
        tokenizer: model.vocabulary().tokenizer(),
        cell: config.cell,
        packing: Packing::plain(config.cell),
        layers: config.num_layers,
        bidirectional: config.bidirectional,
        merge: config.merge,
        pooling: config.pooling,
        output: word(Output::ALL, config.output.name(), Output::name),
        shifts: quantized.layers.iter().flatten().map(|layer| layer.shift).collect(),
        hidden_shift: quantized.hidden.as_ref().map(|(layer, _)| layer.shift),
        fc_shift: quantized.fc.shift,
    }
}

/// A tensor of weights: I16 for 16 bits, otherwise I8.
fn weights(name: &str, shape: &[usize], bits: Bits, weights: &[i16]) -> Tensor {
    match bits {
        Bits::Sixteen => Tensor::new(name, Dtype::I16, shape, weights),
        _ => Tensor::new(name, Dtype::I8, shape, &weights.iter().map(|&w| w as i8).collect::<Vec<i8>>()),
    }
}

/// A matrix from its rows.
fn weights_of(name: &str, rows: &[row::Row]) -> Tensor {
    let all: Vec<i16> = rows.iter().flat_map(|row| row.weights.iter().copied()).collect();
    weights(name, &[rows.len(), rows[0].weights.len()], rows[0].bits, &all)
}

fn multipliers_of(rows: &[row::Row]) -> Vec<i16> {
    rows.iter().map(|row| row.multiplier).collect()
}

/// A single real number, which only hosts read.
fn real(name: &str, value: f64) -> Tensor {
    Tensor::new(name, Dtype::F32, &[1], &[(value as f32).to_bits()])
}

fn numbers(name: &str, numbers: impl Iterator<Item = i32>) -> Tensor {
    let numbers: Vec<i32> = numbers.collect();
    Tensor::new(name, Dtype::I32, &[numbers.len()], &numbers)
}

/// All tensors except the golden examples.
pub(super) fn tensors(model: &FloatModel, statistics: &Statistics, quantized: &Quantized) -> Vec<Tensor> {
    let config = model.config();
    let fixed = |value: f64, q: i32| (value * 2f64.powi(q)).round().min(f64::from(i32::MAX)) as i32;
    let figures = [
        statistics.texts as i32,
        statistics.tokens as i32,
        fixed(statistics.largest_z, 16),
        fixed(statistics.largest_c, 20),
    ];
    let name = name(&config.name);
    let mut tensors = vec![
        Tensor::new("name", Dtype::U8, &[name.len()], name.as_bytes()),
        Tensor::new("calibration", Dtype::I32, &[4], &figures),
    ];
    tensors.extend(input_tensors(model, &quantized.inputs));
    let places = Words::places(config.num_layers, config.bidirectional);
    for ((place, layer), scales) in
        places.iter().zip(quantized.layers.iter().flatten()).zip(quantized.scales.iter().flatten())
    {
        tensors.extend(layer_tensors(config.cell, place, layer));
        if config.cell == Cell::RnnRelu {
            tensors.push(real(&format!("rnn.scale_{place}"), scales.h));
        }
    }
    if let Some((hidden, scale)) = &quantized.hidden {
        tensors.extend(linear_tensors("hidden", hidden));
        tensors.push(real("hidden.scale", *scale));
    }
    tensors.extend(linear_tensors("fc", &quantized.fc));
    if config.task == tern_format::Task::Classify {
        tensors.extend(Tensor::texts("labels", config.labels.iter().map(String::as_str)));
    }
    tensors.extend(forecast_tensors(model, &quantized.inputs));
    tensors
}

/// The embedding and the vocabulary, or the channels.
fn input_tensors(model: &FloatModel, inputs: &Inputs) -> Vec<Tensor> {
    match inputs {
        Inputs::Tokens(embedding) => {
            let v = embedding.rows.len();
            let mut tensors = vec![
                weights_of("embedding.weight", &embedding.rows),
                Tensor::new("embedding.multiplier", Dtype::I16, &[v], &multipliers_of(&embedding.rows)),
                real("embedding.scale", embedding.scale),
            ];
            if model.vocabulary().tokenizer().kind != TokenizerKind::Bytes {
                tensors.extend(Tensor::texts("vocab", embedding.tokens.iter().map(String::as_str)));
            }
            tensors
        }
        Inputs::Values { scale, channels } => {
            let mut tensors = vec![
                real("input.scale", *scale),
                numbers("input.offset", channels.iter().map(|channel| channel.offset)),
                numbers("input.multiplier", channels.iter().map(|channel| channel.read.multiplier)),
                numbers("input.shift", channels.iter().map(|channel| channel.read.shift)),
                numbers("input.point", channels.iter().map(|channel| channel.point)),
            ];
            let names = model.config().channels.iter().map(|channel| channel.name.as_str());
            tensors.extend(Tensor::texts("channels", names));
            tensors
        }
    }
}

/// The scaling of a forecast's outputs; empty for other models.
fn forecast_tensors(model: &FloatModel, inputs: &Inputs) -> Vec<Tensor> {
    let config = model.config();
    let (Some(forecast), Inputs::Values { channels, .. }) = (&config.forecast, inputs) else { return Vec::new() };
    let index = |target: &String| config.channels.iter().position(|channel| channel.name == *target);
    let targets: Vec<usize> = forecast.targets.iter().filter_map(index).collect();
    let outputs = targets.repeat(forecast.horizon);
    let of = |name: &str, number: &dyn Fn(usize) -> i32| numbers(name, outputs.iter().map(|&channel| number(channel)));
    let last = i32::from(forecast.anchor == Anchor::Last);
    vec![
        of("output.offset", &|channel| channels[channel].offset),
        of("output.multiplier", &|channel| channels[channel].write.multiplier),
        of("output.shift", &|channel| channels[channel].write.shift),
        of("output.point", &|channel| channels[channel].point),
        of("output.channel", &|channel| channel as i32),
        of("output.last", &|_| last),
        numbers("forecast.window", [forecast.window as i32].into_iter()),
    ]
}

fn linear_tensors(name: &str, layer: &linear::Linear) -> [Tensor; 3] {
    let outputs = layer.rows.len();
    [
        weights_of(&format!("{name}.weight"), &layer.rows),
        Tensor::new(&format!("{name}.bias"), Dtype::I32, &[outputs], &layer.biases),
        Tensor::new(&format!("{name}.multiplier"), Dtype::I16, &[outputs], &multipliers_of(&layer.rows)),
    ]
}

/// The tensors of one direction of a layer: `[unit, column, gate]`, or `[unit, column]` for plain cells.
fn layer_tensors(cell: Cell, place: &str, layer: &layer::Layer) -> [Tensor; 5] {
    let (h, gates) = (layer.units.len(), cell.gates());
    let name = |parameter: &str| format!("{}.{parameter}_{place}", cell.module());
    let shape = |sizes: &[usize]| if gates > 1 { [sizes, &[gates]].concat() } else { sizes.to_vec() };
    let half = |pick: fn(&layer::GateRow) -> &row::Row| {
        let columns = pick(&layer.units[0][0]).weights.len();
        let units = layer.units.iter();
        let weights =
            units.flat_map(|rows| (0..columns).flat_map(move |at| rows.iter().map(move |r| pick(r).weights[at])));
        let multipliers = layer.units.iter().flatten().map(|row| pick(row).multiplier);
        (columns, weights.collect::<Vec<i16>>(), multipliers.collect::<Vec<i16>>())
    };
    let bits = layer.units[0][0].ih.bits;
    let (columns, ih, multiplier_ih) = half(|row| &row.ih);
    let (_, hh, multiplier_hh) = half(|row| &row.hh);
    let mut bias: Vec<i32> = Vec::new();
    for rows in &layer.units {
        bias.extend(rows.iter().map(|row| row.bias));
        if cell == Cell::Gru {
            bias.push(rows[2].hidden_bias);
        }
    }
    let biases = if gates > 1 { vec![h, bias.len() / h] } else { vec![h] };
    [
        weights(&name("weight_ih"), &shape(&[h, columns]), bits, &ih),
        weights(&name("weight_hh"), &shape(&[h, h]), bits, &hh),
        Tensor::new(&name("bias"), Dtype::I32, &biases, &bias),
        Tensor::new(&name("multiplier_ih"), Dtype::I16, &shape(&[h]), &multiplier_ih),
        Tensor::new(&name("multiplier_hh"), Dtype::I16, &shape(&[h]), &multiplier_hh),
    ]
}

/// The first 64 bytes of a name, cut between characters; "model" if it is empty.
fn name(name: &str) -> &str {
    let end = (0..=name.len().min(64)).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    if end == 0 { "model" } else { &name[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(name("sms"), "sms");
        assert_eq!(name(""), "model");
        assert_eq!(name(&"é".repeat(40)), "é".repeat(32));
        assert_eq!(name(&format!("a{}", "é".repeat(40))).len(), 63);
    }
}
