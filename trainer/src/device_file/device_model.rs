//! A device file as a model of any task.

use super::{DeviceFile, LOGIT};
use crate::architecture::{Cell, Merge, Pooling};
use crate::classifier::Logits;
use crate::float_model::{Channel, Config, Forecast};
use crate::model::{Reader, Sequential};
use crate::nn::network::Input;
use crate::recipe::Anchor;
use crate::task::{self, Output, Task};
use crate::tasks::language_model::Sampling;
use crate::vocabulary::{PAD_TOKEN, UNK_TOKEN, Vocabulary};
use safetensors::SafeTensors;
use tern_runtime::{Model, Ranked, Sampler, Session, UNK};

/// The integers of a tensor, little-endian. Empty where there is none.
fn integers(file: &SafeTensors<'_>, name: &str) -> Vec<i32> {
    let bytes = file.tensor(name).map_or(&[][..], |tensor| tensor.data());
    bytes.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect()
}

fn word<T: serde::de::DeserializeOwned>(word: &str) -> T {
    serde_json::from_value(word.into()).expect("the format's page and config.json have the same words")
}

/// What `config.json` would say of the model.
pub(super) fn config(model: &Model<'_>, bytes: &[u8], labels: &[String]) -> Config {
    let of = model.config();
    let file = SafeTensors::deserialize(bytes).expect("the runtime's reader is the stricter one");
    let tokens = of.input == tern_runtime::Input::Tokens;
    let channels = channels(model, &file);
    let forecast = (of.window > 0).then(|| {
        let said = integers(&file, "output.channel");
        // The channels that it says at a step: until the first comes again.
        let targets =
            said.iter().skip(1).position(|channel| Some(channel) == said.first()).map_or(said.len(), |at| at + 1);
        Forecast {
            window: of.window,
            horizon: said.len() / targets.max(1),
            targets: said.iter().take(targets).map(|&channel| channels[channel as usize].name.clone()).collect(),
            anchor: if integers(&file, "output.last").contains(&1) { Anchor::Last } else { Anchor::Mean },
            season: 0,
        }
    });
    Config {
        model_type: "tern".to_owned(),
        name: model.name().to_owned(),
        task: word::<Task>(of.task.name()),
        input: word::<task::Input>(of.input.name()),
        tokenizer: if tokens { of.tokenizer.name().to_owned() } else { String::new() },
        vocab_size: if tokens { of.vocab_size } else { 0 },
        embedding_dim: if tokens { of.embedding_dim } else { 0 },
        channels,
        cell: word::<Cell>(of.cell.name()),
        hidden_size: of.hidden_size,
        num_layers: of.layers,
        bidirectional: of.bidirectional,
        merge: word::<Merge>(of.merge.name()),
        pooling: word::<Pooling>(of.pooling.name()),
        head_hidden: of.head_hidden,
        output: word::<Output>(of.output.name()),
        labels: labels.to_vec(),
        forecast,
    }
}

/// What the channels' integers stand for, as `config.json` says it.
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
                mean: (f64::from(offset[index]) / one) as f32,
                std: (32_768.0 / (ratio * scale * one)) as f32,
            }
        })
        .collect()
}

/// The tokens by the device's ids.
pub(super) fn vocabulary(model: &Model<'_>) -> Vocabulary {
    if model.config().input != tern_runtime::Input::Tokens {
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

struct DeviceReader<'s>(Session<'s>);

impl Reader for DeviceReader<'_> {
    fn read(&mut self, id: u32) {
        self.0.feed_id(id);
    }

    fn logits(&mut self) -> Vec<f32> {
        self.0.logits().iter().map(|logit| (f64::from(logit) * LOGIT) as f32).collect()
    }
}

impl DeviceFile {
    /// Normalised values as the integers that the device reads: `[steps · channels]`.
    pub fn integers(&self, values: &[f32]) -> Vec<i32> {
        let channels = &self.config.channels;
        let integer = |(index, &value): (usize, &f32)| {
            let channel = &channels[index % channels.len()];
            let real = f64::from(channel.mean) + f64::from(channel.std) * f64::from(value);
            (real * self.one(index % channels.len())).round() as i32
        };
        values.iter().enumerate().map(integer).collect()
    }

    /// How many integers of a channel are 1.
    fn one(&self, channel: usize) -> f64 {
        2f64.powi(self.model().channel(channel).map_or(0, |channel| channel.point))
    }

    /// What a session has read says of the numbers to come, normalised as a float model's outputs. `last`: the last integers read.
    fn said(&self, session: &mut Session<'_>, last: &[i32]) -> Vec<f32> {
        let Some(forecast) = &self.config.forecast else { return Vec::new() };
        let channels = &self.config.channels;
        let normal = |(index, integer): (usize, i32)| {
            let target = &forecast.targets[index % forecast.targets.len()];
            let channel = channels.iter().position(|channel| channel.name == *target).unwrap_or(0);
            let one = self.one(channel);
            let from = match forecast.anchor {
                Anchor::Last => last.get(channel).map_or(0.0, |&last| f64::from(last) / one),
                Anchor::Mean => f64::from(channels[channel].mean),
            };
            ((f64::from(integer) / one - from) / f64::from(channels[channel].std)) as f32
        };
        (0..).map_while(|index| session.forecast(index)).enumerate().map(normal).collect()
    }
}

impl Sequential for DeviceFile {
    fn config(&self) -> &Config {
        &self.config
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn outputs(&self, input: Input<'_>) -> Logits {
        let steps = match input {
            Input::Tokens(ids) => ids.len(),
            Input::Values(values) => values.len() / self.config.channels.len().max(1),
        };
        self.with_session(steps, |mut session| {
            let mut last = Vec::new();
            match input {
                Input::Tokens(ids) => ids.iter().for_each(|&id| session.feed_id(id)),
                Input::Values(values) => {
                    let integers = self.integers(values);
                    let rows = integers.chunks_exact(self.config.channels.len());
                    last = rows.clone().next_back().unwrap_or_default().to_vec();
                    rows.for_each(|row| session.feed_values(row));
                }
            }
            match self.config.task {
                Task::Forecast => Logits::Float(self.said(&mut session, &last)),
                _ => super::logits(session.logits()),
            }
        })
    }

    fn reading(&self, run: &mut dyn FnMut(&mut dyn Reader)) {
        assert!(!self.config.bidirectional, "a bidirectional network cannot read a text that has no end");
        self.with_session(1, |session| run(&mut DeviceReader(session)));
    }

    /// The device's own random numbers: another text than the float model's of the same seed.
    fn write(&self, prompt: &[u32], sampling: Sampling, sink: &mut dyn FnMut(u32) -> bool) {
        let temperature = (sampling.temperature * f64::from(Sampler::ONE)).round();
        let least = f64::from(u8::from(sampling.temperature > 0.0));
        let mut sampler = Sampler::new(sampling.seed, temperature.max(least).min(f64::from(u32::MAX)) as u32);
        let mut candidates = vec![Ranked::default(); sampling.top_k.min(self.config.vocab_size)];
        self.with_session(1, |mut session| {
            let prompt = if prompt.is_empty() { &[UNK] } else { prompt };
            prompt.iter().for_each(|&id| session.feed_id(id));
            let mut draw = |logits: &tern_runtime::Logits<'_>| match sampling.top_k {
                0 => sampler.sample_all(logits),
                _ => sampler.sample(logits, &mut candidates),
            };
            while let Some(id) = draw(&session.logits()) {
                session.feed_id(id);
                if !sink(id) {
                    break;
                }
            }
        });
    }
}
