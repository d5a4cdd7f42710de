//! Writes the device file of a quantised model: metadata, tensors, and the golden logits that the runtime computes.

use super::calibrate::Statistics;
use super::layer::{GateRow, Layer};
use super::linear::Linear;
use super::network::{Inputs, QuantizeError, Quantized};
use super::row::{LargeWeights, Row};
use crate::architecture::{Cell, names};
use crate::float_model::FloatModel;
use crate::recipe::{Anchor, Bits};
use crate::vocabulary::RESERVED_IDS;
use tern_format::limits::NAME_BYTES;
use tern_format::{Packing, Task};
use tern_runtime::write::{Aligned, Dtype, Metadata, Tensor, in_4_bits, packed, to_bytes};
use tern_runtime::{LoadError, Model};

/// The golden examples of a device file, with which a device tests itself, without their logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Golden {
    /// Texts, for a model that reads tokens.
    Texts(Vec<String>),
    /// Sequences of the channels' integers, each `[steps, channels]` in row-major order, for a model that reads values.
    Sequences(Vec<Vec<i32>>),
}

impl Golden {
    /// Number of examples.
    fn len(&self) -> usize {
        match self {
            Golden::Texts(texts) => texts.len(),
            Golden::Sequences(sequences) => sequences.len(),
        }
    }

    /// Returns the tensors of the examples' inputs. `channels`: the model's number of channels; 0 if it reads tokens.
    fn tensors(&self, channels: usize) -> Vec<Tensor> {
        match self {
            Golden::Texts(texts) => Tensor::texts("golden", texts.iter().map(String::as_str)).into(),
            Golden::Sequences(sequences) => {
                let mut offsets = vec![0u32];
                for sequence in sequences {
                    offsets.push(offsets[offsets.len() - 1] + (sequence.len() / channels) as u32);
                }
                let values = sequences.concat();
                vec![
                    Tensor::new("golden.offsets", Dtype::U32, &[offsets.len()], &offsets),
                    Tensor::new("golden.values", Dtype::I32, &[values.len() / channels, channels], &values),
                ]
            }
        }
    }
}

/// Returns the bytes of the device file of a quantised model, with golden logits that the runtime computes. `packing`:
/// the packing of the recurrent weights, which must support the widths of `quantized`.
///
/// # Errors
///
/// Fails if the vocabulary is empty, a sum could overflow, or the runtime refuses the file.
pub fn to_file(
    model: &FloatModel,
    statistics: &Statistics,
    quantized: &Quantized,
    golden: &Golden,
    packing: Packing,
) -> Result<Vec<u8>, QuantizeError> {
    let has_embedding = matches!(quantized.inputs, Inputs::Tokens(_));
    if has_embedding && model.vocabulary().len() <= RESERVED_IDS {
        return Err(QuantizeError::EmptyVocabulary);
    }
    let metadata = metadata(model, quantized).entries();
    let tensors = tensors(model, statistics, quantized);
    let (metadata, tensors) =
        if quantized.layers.is_empty() { (metadata, tensors) } else { packed(packing, &metadata, tensors) };
    let mut tensors: Vec<Tensor> = tensors.into_iter().flat_map(|tensor| pack_4_bits(quantized, tensor)).collect();
    tensors.extend(golden.tensors(model.config().channels.len()));
    // A single sigmoid output gives two logits, one for each label.
    let outputs = model.labels().len().max(quantized.fc.rows.len());
    let golden_logits = |logits: &[i32]| Tensor::new("golden.logits", Dtype::I32, &[golden.len(), outputs], logits);

    // The runtime computes the logits from a draft in which they are zero.
    let draft = [tensors.clone(), vec![golden_logits(&vec![0; golden.len() * outputs])]].concat();
    let draft = Aligned::new(&to_bytes(&metadata, draft));
    let runtime_model = Model::from_bytes(&draft).map_err(|error| match error {
        // The sum of each half of a gate fits 32 bits. Only the total of both halves can overflow, if a pre-activation
        // is in the thousands.
        LoadError::Overflow { tensor, .. } => {
            LargeWeights { layer: tensor.as_str().split('.').next().unwrap_or_default().to_owned() }.into()
        }
        other => QuantizeError::Refused(other),
    })?;
    let mut scratch = vec![0; runtime_model.scratch_len()];
    let mut session = runtime_model.session(&mut scratch).expect("the scratch has the length that the model asks for");
    let mut logits: Vec<i32> = Vec::new();
    for example in runtime_model.golden() {
        logits.extend(session.run_golden(&example).iter());
    }
    tensors.push(golden_logits(&logits));
    Ok(to_bytes(&metadata, tensors))
}

/// Returns the metadata of a model's device file.
fn metadata(model: &FloatModel, quantized: &Quantized) -> Metadata {
    let config = model.config();
    Metadata {
        task: config.task,
        input: config.input,
        tokenizer: model.vocabulary().tokenizer(),
        has_token_fingerprints: matches!(&quantized.inputs, Inputs::Tokens(inputs) if inputs.has_token_fingerprints),
        cell: config.cell,
        // The function `packed` replaces this packing by the requested one.
        packing: Packing::plain(config.cell),
        layers: config.num_layers,
        bidirectional: config.bidirectional,
        merge: config.merge,
        pooling: config.pooling,
        output: config.output,
        shifts: quantized.layers.iter().flatten().map(|layer| layer.shift).collect(),
        ngrams: config
            .ngrams
            .as_ref()
            .zip(quantized.ngrams.as_ref())
            .map(|(branch, table)| (branch.kinds(), table.shift)),
        pooled_shift: quantized.pooled_shift,
        hidden_shift: quantized.hidden.as_ref().map(|(layer, _)| layer.shift),
        fc_shift: quantized.fc.shift,
    }
}

/// Returns the two tensors that store a tensor's weights in 4 bits, weights and multipliers of groups, if the model
/// stores these weights so; otherwise returns the tensor unchanged. The weights have already been rounded to 4 bits.
fn pack_4_bits(quantized: &Quantized, tensor: Tensor) -> Vec<Tensor> {
    let is_recurrent = tensor.name.contains(".weight_ih_") || tensor.name.contains(".weight_hh_");
    let bits = match tensor.name.as_str() {
        names::EMBEDDING => quantized.widths.embedding,
        _ if is_recurrent => quantized.widths.recurrent,
        _ => Bits::Eight,
    };
    if bits == Bits::Four { in_4_bits(&tensor).into() } else { vec![tensor] }
}

/// Returns all tensors except the golden examples, in the plain packing.
fn tensors(model: &FloatModel, statistics: &Statistics, quantized: &Quantized) -> Vec<Tensor> {
    let config = model.config();
    // Converts to Qn.
    let fixed_point = |value: f64, n: i32| (value * 2f64.powi(n)).round().min(f64::from(i32::MAX)) as i32;
    let calibration = [
        statistics.samples as i32,
        statistics.steps as i32,
        fixed_point(statistics.largest_pre_activation, 16),
        fixed_point(statistics.largest_cell_state, 20),
    ];
    let name = name_of(&config.name);
    let mut tensors =
        vec![Tensor::new("name", Dtype::U8, &[name.len()], name.as_bytes()), numbers("calibration", calibration)];
    tensors.extend(input_tensors(model, &quantized.inputs));
    let suffixes = Metadata::layer_suffixes(config.num_layers, config.bidirectional);
    for (suffix, layer) in suffixes.iter().zip(quantized.layers.iter().flatten()) {
        tensors.extend(layer_tensors(config.cell, suffix, layer));
        if config.cell == Cell::RnnRelu {
            tensors.push(real(&format!("rnn.scale_{suffix}"), layer.scales.h));
        }
    }
    if let Some(table) = &quantized.ngrams {
        tensors.extend([table.tensor(), real("ngrams.scale", table.scale)]);
        if let Some(fingerprints) = config.ngrams.as_ref().and_then(|branch| branch.fingerprints.as_ref()) {
            let bytes = fingerprints.bytes();
            tensors.push(Tensor::new("ngrams.fingerprint", Dtype::U8, &[bytes.len()], bytes));
        }
    }
    if let Some((hidden, scale)) = &quantized.hidden {
        tensors.extend(linear_tensors("hidden", hidden));
        tensors.push(real("hidden.scale", *scale));
    }
    tensors.extend(linear_tensors("fc", &quantized.fc));
    if config.task == Task::Classify {
        tensors.extend(Tensor::texts("labels", config.labels.iter().map(String::as_str)));
        if let Some(refusal) = &config.refusal {
            let class = refusal.class(&config.labels);
            tensors.push(Tensor::refusal(tern_runtime::Refusal { below: refusal.below, class }));
        }
    }
    tensors.extend(forecast_tensors(model, &quantized.inputs));
    tensors
}

/// Returns a model's name, truncated between characters to the largest length in a device file; "model" if it is empty.
fn name_of(name: &str) -> &str {
    let mut end = name.len().min(*NAME_BYTES.end());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    if end == 0 { "model" } else { &name[..end] }
}

/// Returns the tensors of the embedding and the vocabulary, or of the channels.
fn input_tensors(model: &FloatModel, inputs: &Inputs) -> Vec<Tensor> {
    match inputs {
        Inputs::Tokens(embedding) => {
            let mut tensors = vec![
                matrix("embedding.weight", &embedding.rows),
                multipliers("embedding.multiplier", &embedding.rows),
                real("embedding.scale", embedding.scale),
            ];
            tensors.extend(embedding.vocabulary.iter().cloned());
            tensors
        }
        Inputs::None => Vec::new(),
        Inputs::Values { scale, channels } => {
            let mut tensors = vec![
                real("input.scale", *scale),
                numbers("input.offset", channels.iter().map(|channel| channel.offset)),
                numbers("input.multiplier", channels.iter().map(|channel| channel.to_model.multiplier)),
                numbers("input.shift", channels.iter().map(|channel| channel.to_model.shift)),
                numbers("input.point", channels.iter().map(|channel| channel.fraction_bits)),
            ];
            let names = model.config().channels.iter().map(|channel| channel.name.as_str());
            tensors.extend(Tensor::texts("channels", names));
            tensors
        }
    }
}

/// Returns the tensors that scale a forecast's outputs; empty for other tasks.
fn forecast_tensors(model: &FloatModel, inputs: &Inputs) -> Vec<Tensor> {
    let config = model.config();
    let (Some(forecast), Inputs::Values { channels, .. }) = (&config.forecast, inputs) else { return Vec::new() };
    let channel = |target: &String| config.channels.iter().position(|channel| channel.name == *target);
    let targets: Vec<usize> = forecast.targets.iter().filter_map(channel).collect();
    // The channel of each output: `[horizon * targets]`.
    let outputs = targets.repeat(forecast.horizon);
    let scalings: Vec<_> = outputs.iter().map(|&channel| channels[channel]).collect();
    // 1 if each output is added to its channel's last value, otherwise 0.
    let adds_to_last = i32::from(forecast.anchor == Anchor::Last);
    vec![
        numbers("output.offset", scalings.iter().map(|scaling| scaling.offset)),
        numbers("output.multiplier", scalings.iter().map(|scaling| scaling.from_model.multiplier)),
        numbers("output.shift", scalings.iter().map(|scaling| scaling.from_model.shift)),
        numbers("output.point", scalings.iter().map(|scaling| scaling.fraction_bits)),
        numbers("output.channel", outputs.iter().map(|&channel| channel as i32)),
        numbers("output.last", outputs.iter().map(|_| adds_to_last)),
        numbers("forecast.window", [forecast.window as i32]),
    ]
}

/// Returns the tensors of a linear layer of the head.
fn linear_tensors(name: &str, layer: &Linear) -> [Tensor; 3] {
    [
        matrix(&format!("{name}.weight"), &layer.rows),
        numbers(&format!("{name}.bias"), layer.biases.iter().copied()),
        multipliers(&format!("{name}.multiplier"), &layer.rows),
    ]
}

/// Returns the tensors of one direction of a layer, whose names end with `suffix`, such as `l0_reverse`. Weights have
/// the shape `[hidden_size, columns, gates]`, without `gates` for cells with one gate.
fn layer_tensors(cell: Cell, suffix: &str, layer: &Layer) -> [Tensor; 5] {
    let (hidden_size, gates) = (layer.units.len(), cell.gates());
    let name = |parameter: &str| format!("{}.{parameter}_{suffix}", cell.module());
    let shape = |sizes: &[usize]| if gates > 1 { [sizes, &[gates]].concat() } else { sizes.to_vec() };
    let half_tensors = |half: &str, half_row: fn(&GateRow) -> &Row| {
        let Row { weights: first_weights, bits, .. } = half_row(&layer.units[0][0]);
        let columns = first_weights.len();
        let mut weights: Vec<i16> = Vec::with_capacity(hidden_size * columns * gates);
        for unit in &layer.units {
            for column in 0..columns {
                weights.extend(unit.iter().map(|gate| half_row(gate).weights[column]));
            }
        }
        let weights = weights_tensor(&name(&format!("weight_{half}")), &shape(&[hidden_size, columns]), *bits, weights);
        let multipliers: Vec<i16> = layer.units.iter().flatten().map(|gate| half_row(gate).multiplier).collect();
        let multiplier_name = name(&format!("multiplier_{half}"));
        (weights, Tensor::new(&multiplier_name, Dtype::I16, &shape(&[hidden_size]), &multipliers))
    };
    let (weight_ih, multiplier_ih) = half_tensors("ih", |gate| &gate.ih);
    let (weight_hh, multiplier_hh) = half_tensors("hh", |gate| &gate.hh);
    let mut biases: Vec<i32> = Vec::new();
    for unit in &layer.units {
        biases.extend(unit.iter().map(|gate| gate.bias));
        if cell == Cell::Gru {
            // The separate bias of gate n, after those of r, z and n.
            biases.push(unit[2].recurrent_bias);
        }
    }
    let bias_shape = if gates > 1 { vec![hidden_size, biases.len() / hidden_size] } else { vec![hidden_size] };
    let bias = Tensor::new(&name("bias"), Dtype::I32, &bias_shape, &biases);
    [weight_ih, weight_hh, bias, multiplier_ih, multiplier_hh]
}

/// Returns a tensor of weights: I16 for 16 bits, otherwise I8.
fn weights_tensor(name: &str, shape: &[usize], bits: Bits, weights: Vec<i16>) -> Tensor {
    match bits {
        Bits::Sixteen => Tensor::new(name, Dtype::I16, shape, &weights),
        _ => Tensor::new(name, Dtype::I8, shape, &weights.iter().map(|&weight| weight as i8).collect::<Vec<i8>>()),
    }
}

/// Returns the tensor of a matrix's weights, `[rows, columns]`.
fn matrix(name: &str, rows: &[Row]) -> Tensor {
    let weights = rows.iter().flat_map(|row| row.weights.iter().copied()).collect();
    weights_tensor(name, &[rows.len(), rows[0].weights.len()], rows[0].bits, weights)
}

/// Returns the tensor of the rows' multipliers, `[rows]`.
fn multipliers(name: &str, rows: &[Row]) -> Tensor {
    let multipliers: Vec<i16> = rows.iter().map(|row| row.multiplier).collect();
    Tensor::new(name, Dtype::I16, &[rows.len()], &multipliers)
}

/// Returns the tensor of a single real number, which only hosts read.
fn real(name: &str, value: f64) -> Tensor {
    Tensor::new(name, Dtype::F32, &[1], &[(value as f32).to_bits()])
}

/// Returns the tensor of a vector of 32-bit integers.
fn numbers(name: &str, numbers: impl IntoIterator<Item = i32>) -> Tensor {
    let numbers: Vec<i32> = numbers.into_iter().collect();
    Tensor::new(name, Dtype::I32, &[numbers.len()], &numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(name_of("sms"), "sms");
        assert_eq!(name_of(""), "model");
        assert_eq!(name_of(&"é".repeat(40)), "é".repeat(32));
        assert_eq!(name_of(&format!("a{}", "é".repeat(40))).len(), 63);
    }
}
