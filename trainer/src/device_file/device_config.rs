//! The configuration and the vocabulary of a device file, in the types of a float model.

use super::DeviceFile;
use crate::float_model::{Channel, Config, Forecast};
use crate::recipe::Anchor;
use crate::vocabulary::{PAD_TOKEN, UNK_TOKEN, Vocabulary};
use safetensors::SafeTensors;
use tern_format::Input;
use tern_runtime::{Model, ValueSession};

/// The integers of an I32 tensor. Empty if the file has no such tensor.
fn integers(file: &SafeTensors<'_>, name: &str) -> Vec<i32> {
    let bytes = file.tensor(name).map_or(&[][..], |tensor| tensor.data());
    bytes.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect()
}

/// The configuration of the float model that the file was exported from, as far as the file holds it.
pub(super) fn config(model: &Model<'_>, bytes: &[u8], labels: &[String]) -> Config {
    let of = model.config();
    let file = SafeTensors::deserialize(bytes).expect("the runtime's reader is the stricter one");
    let tokens = of.input == Input::Tokens;
    let channels = channels(model, &file);
    let forecast = (of.window > 0).then(|| {
        let outputs = integers(&file, "output.channel");
        // The channels repeat for each row of the horizon: the targets end where the first one comes again.
        let targets = outputs
            .iter()
            .skip(1)
            .position(|channel| Some(channel) == outputs.first())
            .map_or(outputs.len(), |at| at + 1);
        Forecast {
            window: of.window,
            horizon: outputs.len() / targets.max(1),
            targets: outputs.iter().take(targets).map(|&channel| channels[channel as usize].name.clone()).collect(),
            anchor: if integers(&file, "output.last").contains(&1) { Anchor::Last } else { Anchor::Mean },
            season: 0,
        }
    });
    Config {
        model_type: "tern".to_owned(),
        name: model.name().to_owned(),
        task: of.task,
        input: of.input,
        tokenizer: if tokens { of.tokenizer.name().to_owned() } else { String::new() },
        vocab_size: if tokens { of.vocab_size } else { 0 },
        embedding_dim: if tokens { of.embedding_dim } else { 0 },
        channels,
        cell: of.cell,
        hidden_size: of.hidden_size,
        num_layers: of.layers,
        bidirectional: of.bidirectional,
        recurrent_biases: 2,
        merge: of.merge,
        pooling: of.pooling,
        head_hidden: of.head_hidden,
        output: of.output,
        labels: labels.to_vec(),
        forecast,
    }
}

/// The channels with mean and standard deviation, recovered from the integer multipliers.
fn channels(model: &Model<'_>, file: &SafeTensors<'_>) -> Vec<Channel> {
    let [offset, multiplier, shift, point] =
        ["offset", "multiplier", "shift", "point"].map(|name| integers(file, &format!("input.{name}")));
    let scale = f64::from(f32::from_bits(model.embedding_scale_bits()));
    (0..offset.len())
        .map(|index| {
            let one = 2f64.powi(point[index]);
            // `x` of one integer.
            let ratio = f64::from(multiplier[index]) / 2f64.powi(shift[index]);
            Channel {
                name: model.channel(index).map_or("", |channel| channel.name).to_owned(),
                mean: f64::from(offset[index]) / one,
                std: 32_768.0 / (ratio * scale * one),
            }
        })
        .collect()
}

/// The tokens, in the order of the device's ids.
pub(super) fn vocabulary(model: &Model<'_>) -> Vocabulary {
    if model.config().input != Input::Tokens {
        return Vocabulary::none();
    }
    let tokenizer = model.config().tokenizer;
    if tokenizer.kind == tern_runtime::text::TokenizerKind::Bytes {
        return Vocabulary::build_for(tokenizer, [].into_iter(), 1, None);
    }
    let known = model.vocabulary();
    let tokens = (2..model.config().vocab_size as u32).map(|id| known.token(id).unwrap_or_default().to_owned());
    let all = [PAD_TOKEN, UNK_TOKEN].map(str::to_owned).into_iter().chain(tokens).collect();
    Vocabulary::from_tokens(tokenizer, all).expect("tokens of a device file differ")
}

impl DeviceFile {
    /// Normalised values as the integers that the device reads: `[steps * channels]`.
    pub fn integers(&self, values: &[f32]) -> Vec<i32> {
        let channels = &self.config.channels;
        let integer = |(index, &value): (usize, &f32)| {
            let channel = &channels[index % channels.len()];
            let real = channel.denormalise(f64::from(value));
            (real * self.one(index % channels.len())).round() as i32
        };
        values.iter().enumerate().map(integer).collect()
    }

    /// The integer that stands for 1.0 in a channel: 2^`point`.
    fn one(&self, channel: usize) -> f64 {
        2f64.powi(self.model().channel(channel).map_or(0, |channel| channel.point))
    }

    /// The forecast of a session, normalised as the outputs of a float model. `last`: the last row that the session has
    /// read.
    pub(crate) fn forecast(&self, session: &mut ValueSession<'_>, last: &[i32]) -> Vec<f32> {
        let Some(forecast) = &self.config.forecast else { return Vec::new() };
        let channels = &self.config.channels;
        let normal = |(index, integer): (usize, i32)| {
            let target = &forecast.targets[index % forecast.targets.len()];
            let channel = channels.iter().position(|channel| channel.name == *target).unwrap_or(0);
            let one = self.one(channel);
            let from = match forecast.anchor {
                Anchor::Last => last.get(channel).map_or(0.0, |&last| f64::from(last) / one),
                Anchor::Mean => channels[channel].mean,
            };
            ((f64::from(integer) / one - from) / channels[channel].std) as f32
        };
        (0..).map_while(|index| session.predicted(index)).enumerate().map(normal).collect()
    }
}
