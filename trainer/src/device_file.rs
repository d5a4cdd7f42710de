//! A device file in the host's memory, read and checked by `tern_runtime`.

use crate::file_error::FileError;
use crate::float_model::{Channel, Config, Forecast, Refusal};
use crate::package::{Package, Signed};
use crate::recipe::Anchor;
use crate::vocabulary::{PAD_TOKEN, RESERVED_IDS, TokenFingerprints, UNK_TOKEN, Vocabulary};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::Serialize;
use std::path::Path;
use tern_format::names::tensor;
use tern_format::{Input, TokenizerKind};
use tern_runtime::write::{Aligned, Dtype, Tensor, to_bytes};
use tern_runtime::{LoadError, Model, Session, TextSession, Unpacked, ValueSession};

/// The real logit, in nats, that the integer 1 stands for (Q16).
pub const NATS_PER_UNIT: f64 = 1.0 / 65_536.0;

/// The message of `expect` where the crate safetensors reads a device file again.
const VALID: &str = "the runtime has accepted the file, so it is valid safetensors";

// The bytes of a file, and the model that borrows them. On hosts with AVX2, `Unpacked` also holds a copy of the
// recurrent weights in the order that the vector instructions need; the copy gives the same bits.
self_cell::self_cell!(
    struct Loaded {
        owner: Aligned,
        #[covariant]
        dependent: Unpacked,
    }
);

/// A device file in memory, with the configuration and vocabulary that it holds.
pub struct DeviceFile {
    loaded: Loaded,
    pub(crate) config: Config,
    pub(crate) vocabulary: Vocabulary,
    signed: Option<Signed>,
}

/// The bytes of a device file by content. They add up to the file's length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileBytes {
    /// The safetensors header and its length field.
    pub header: usize,
    /// The recurrent and linear layers: weights, biases and multipliers.
    pub weights: usize,
    /// The embedding and its multipliers; for a model that reads numbers, their normalisation.
    pub embedding: usize,
    /// The table of the n-gram branch, with its scale.
    pub ngrams: usize,
    /// Precomputed input projections of folded tokens.
    pub folded: usize,
    /// Tokens and their offsets.
    pub vocabulary: usize,
    /// Labels or channel names, and their offsets.
    pub labels: usize,
    /// Golden examples and their logits.
    pub golden: usize,
    /// All other tensors: the model's name, the figures of the calibration, the refusal rule, the outputs of a
    /// forecast.
    pub other: usize,
}

impl DeviceFile {
    /// Reads and checks a file. A signed file is read without its signature trailer; the signature is not checked.
    /// Fails if the file cannot be read, its signature trailer is damaged, or the runtime refuses it.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let bytes = std::fs::read(path).map_err(FileError::at(path))?;
        let package = Package::read(&bytes).map_err(FileError::at(path))?;
        let file = DeviceFile::from_bytes(package.device_file).map_err(FileError::at(path))?;
        Ok(DeviceFile { signed: package.signed, ..file })
    }

    /// The version and the signer of a signed file. `None` for an unsigned file and for one read by
    /// [`from_bytes`](DeviceFile::from_bytes).
    pub fn signed(&self) -> Option<Signed> {
        self.signed
    }

    /// Copies and checks the bytes of a device file without a signature trailer. Fails if the runtime refuses them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let loaded =
            Loaded::try_new(Aligned::new(bytes), |bytes| Model::from_bytes(bytes).map(|model| Unpacked::new(&model)))?;
        let model = loaded.borrow_dependent().packed();
        let config = config_of(model, loaded.borrow_owner());
        let vocabulary = vocabulary_of(model, loaded.borrow_owner());
        Ok(DeviceFile { loaded, config, vocabulary, signed: None })
    }

    /// The bytes of the device file, without its signature trailer.
    pub fn bytes(&self) -> &[u8] {
        self.loaded.borrow_owner()
    }

    /// The runtime's model.
    pub fn model(&self) -> &Model<'_> {
        self.loaded.borrow_dependent().packed()
    }

    /// The bytes of the file, by content.
    pub fn bytes_by_content(&self) -> FileBytes {
        let tensors = SafeTensors::deserialize(self.bytes()).expect(VALID);
        // The bytes of all tensors are subtracted from the file's, which leaves the header.
        let mut counts = FileBytes { header: self.bytes().len(), ..FileBytes::default() };
        for (name, tensor) in tensors.iter() {
            let count = match name.split('.').next() {
                Some("lstm" | "gru" | "rnn" | "hidden" | "fc") => &mut counts.weights,
                Some("embedding" | "input") => &mut counts.embedding,
                Some("ngrams") => &mut counts.ngrams,
                Some("folded") => &mut counts.folded,
                Some("vocab") => &mut counts.vocabulary,
                Some("labels" | "channels") => &mut counts.labels,
                Some("golden") => &mut counts.golden,
                _ => &mut counts.other,
            };
            *count += tensor.data().len();
            counts.header -= tensor.data().len();
        }
        counts
    }

    /// Returns the bytes of this file with the tensors `added`, which replace those of the same names.
    pub fn with_tensors(&self, added: Vec<Tensor>) -> Vec<u8> {
        let (_, header) = SafeTensors::read_metadata(self.bytes()).expect(VALID);
        let mut metadata: Vec<(String, String)> = header.metadata().clone().unwrap_or_default().into_iter().collect();
        // The order of a hash map is random; the same file must get the same bytes.
        metadata.sort_unstable();
        let tensors = SafeTensors::deserialize(self.bytes()).expect(VALID);
        let copy = |(name, tensor): (&str, TensorView<'_>)| Tensor {
            name: name.to_owned(),
            dtype: Dtype::from_name(&tensor.dtype().to_string())
                .expect("the runtime accepts only the types of the format"),
            shape: tensor.shape().to_vec(),
            data: tensor.data().to_vec(),
        };
        let unchanged = tensors.iter().filter(|(name, _)| added.iter().all(|tensor| tensor.name != *name)).map(copy);
        to_bytes(&metadata, unchanged.chain(added.iter().cloned()).collect())
    }

    /// The scratch memory of a session in bytes. For a bidirectional model it has room for
    /// [`KEPT_TOKENS`](Model::KEPT_TOKENS) tokens.
    pub fn scratch_bytes(&self) -> usize {
        4 * self.model().scratch_len()
    }

    /// The length of the scratch memory of a session, in 32-bit words. `tokens`: the number of tokens or steps of the
    /// longest input, which a bidirectional model must hold; 0 counts as 1. Other models ignore it.
    pub fn scratch_len_for(&self, tokens: usize) -> usize {
        self.model().scratch_len_for(tokens.max(1))
    }

    /// Begins a session that reads the weights from the file, as a device does. Panics if `scratch` is shorter than
    /// [`scratch_len_for`](DeviceFile::scratch_len_for) one token.
    pub fn session<'s>(&'s self, scratch: &'s mut [i32]) -> Session<'s> {
        self.model().session(scratch).expect("the scratch has the length that the model asks for")
    }

    /// Calls `run` with a new session that reads the host's copy of the weights, if there is one (see [`Unpacked`]):
    /// it is faster and gives the same bits. `tokens`: as in [`scratch_len_for`](DeviceFile::scratch_len_for).
    pub(crate) fn with_fast_session<T>(&self, tokens: usize, run: impl FnOnce(Session<'_>) -> T) -> T {
        let model = self.loaded.borrow_dependent().model();
        let mut scratch = vec![0; self.scratch_len_for(tokens)];
        run(model.session(&mut scratch).expect("the scratch has the length that the model asks for"))
    }

    /// Calls `run` with a new session of a model that reads text: see
    /// [`with_fast_session`](DeviceFile::with_fast_session). Panics if the model reads values.
    pub(crate) fn with_fast_text_session<T>(&self, tokens: usize, run: impl FnOnce(TextSession<'_>) -> T) -> T {
        self.with_fast_session(tokens, |session| match session {
            Session::Text(session) => run(session),
            Session::Values(_) => panic!("the model reads values, not text"),
        })
    }

    /// Converts normalised values, `[steps * channels]`, to the integers that the device reads, in the Q-format of each
    /// channel.
    pub fn device_integers(&self, values: &[f32]) -> Vec<i32> {
        let channels = &self.config.channels;
        let integer = |(index, &value): (usize, &f32)| {
            let channel = index % channels.len();
            (channels[channel].denormalise(f64::from(value)) * self.integer_of_one(channel)).round() as i32
        };
        values.iter().enumerate().map(integer).collect()
    }

    /// The integer that represents 1.0 in the Q-format of a channel: 2^`point`.
    fn integer_of_one(&self, channel: usize) -> f64 {
        2f64.powi(self.model().channel(channel).map_or(0, |channel| channel.point))
    }

    /// The forecast of a session, `[horizon * targets]`, normalised as the outputs of the float model are. Empty for a
    /// model of another task. `last_row`: the integers of the last row that the session has read, `[channels]`.
    pub(crate) fn forecast(&self, session: &mut ValueSession<'_>, last_row: &[i32]) -> Vec<f32> {
        let Some(forecast) = &self.config.forecast else { return Vec::new() };
        let channels = &self.config.channels;
        let mut normalised = Vec::new();
        while let Some(integer) = session.predicted(normalised.len()) {
            let target = &forecast.targets[normalised.len() % forecast.targets.len()];
            // `config_of` took the names of the targets from the channels, so that each is found.
            let channel = channels.iter().position(|channel| channel.name == *target).unwrap_or(0);
            // The device returns numbers in the units of the data, in the Q-format of the target's channel.
            let integer_of_one = self.integer_of_one(channel);
            let number = f64::from(integer) / integer_of_one;
            let anchor = match forecast.anchor {
                Anchor::Last => last_row.get(channel).map_or(0.0, |&last| f64::from(last) / integer_of_one),
                Anchor::Mean => channels[channel].mean,
            };
            normalised.push(((number - anchor) / channels[channel].std) as f32);
        }
        normalised
    }
}

/// The configuration of the float model that the file was exported from. Settings that a device file does not store
/// (`season`, `temperature`, `recurrent_biases`, the share of the refusal) have their defaults. The n-gram branch is
/// left out: the runtime's model has it.
fn config_of(model: &Model<'_>, bytes: &[u8]) -> Config {
    let runtime = model.config();
    let file = SafeTensors::deserialize(bytes).expect(VALID);
    let reads_tokens = runtime.input == Input::Tokens;
    let channels = channels_of(model, &file);
    let forecast = (runtime.window > 0).then(|| {
        // The channel of each output, `[horizon * targets]`: the targets are the channels before the first repetition.
        let outputs = i32_tensor(&file, "output.channel");
        let first_repetition = (1..outputs.len()).find(|&index| outputs[index] == outputs[0]);
        let target_count = first_repetition.unwrap_or(outputs.len());
        let targets = outputs.iter().take(target_count).map(|&channel| channels[channel as usize].name.clone());
        Forecast {
            window: runtime.window,
            horizon: outputs.len() / target_count.max(1),
            targets: targets.collect(),
            anchor: if i32_tensor(&file, "output.last").contains(&1) { Anchor::Last } else { Anchor::Mean },
            season: 0,
        }
    });
    Config {
        model_type: "tern".to_owned(),
        name: model.name().to_owned(),
        task: runtime.task,
        input: runtime.input,
        tokenizer: if reads_tokens { runtime.tokenizer.name().to_owned() } else { String::new() },
        vocab_size: if reads_tokens { runtime.vocab_size } else { 0 },
        embedding_dim: if reads_tokens { runtime.embedding_dim } else { 0 },
        channels,
        cell: runtime.cell,
        hidden_size: runtime.hidden_size,
        num_layers: runtime.layers,
        bidirectional: runtime.bidirectional,
        recurrent_biases: 2,
        merge: runtime.merge,
        pooling: runtime.pooling,
        ngrams: None,
        head_hidden: runtime.head_hidden,
        output: runtime.output,
        labels: model.labels().iter().map(str::to_owned).collect(),
        temperature: None,
        refusal: model.refusal().map(|rule| Refusal {
            share: 0.0,
            below: rule.below,
            label: rule.class.and_then(|class| model.labels().get(class)).map(str::to_owned),
        }),
        forecast,
    }
}

/// The channels with mean and standard deviation, computed from the integers of the file. The device computes
/// x = (v · 2^point − offset) · multiplier / 2^shift for a value `v`, and x · scale / 2^15 is (v − mean) / std.
fn channels_of(model: &Model<'_>, file: &SafeTensors<'_>) -> Vec<Channel> {
    let [offset, multiplier, shift, point] =
        ["offset", "multiplier", "shift", "point"].map(|name| i32_tensor(file, &format!("input.{name}")));
    let scale = f64::from(f32::from_bits(model.embedding_scale_bits()));
    let channel = |index: usize| {
        let integer_of_one = 2f64.powi(point[index]);
        // The change of `x` if the integer v · 2^point grows by 1.
        let x_per_unit = f64::from(multiplier[index]) / 2f64.powi(shift[index]);
        Channel {
            name: model.channel(index).map_or("", |channel| channel.name).to_owned(),
            mean: f64::from(offset[index]) / integer_of_one,
            std: 32_768.0 / (x_per_unit * scale * integer_of_one),
        }
    };
    (0..offset.len()).map(channel).collect()
}

/// Returns the elements of an I32 tensor; none if the file has no such tensor.
fn i32_tensor(file: &SafeTensors<'_>, name: &str) -> Vec<i32> {
    let bytes = file.tensor(name).map_or(&[][..], |tensor| tensor.data());
    bytes.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect()
}

/// The fingerprints of the file's tokens.
fn token_fingerprints(file: &SafeTensors<'_>) -> TokenFingerprints {
    let data = |name: &str| file.tensor(name).expect(VALID).data();
    let numbers = |name: &str| data(name).as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    let seed: Vec<u32> = numbers(tensor::VOCAB_SEED);
    let fingerprints = data(tensor::VOCAB_FINGERPRINTS).as_chunks::<2>().0;
    let fingerprints = fingerprints.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
    TokenFingerprints::new(seed[0], numbers(tensor::VOCAB_BUCKETS), fingerprints)
        .expect("the runtime has checked the fingerprints of a device file")
}

/// The vocabulary of the file, in the order of the device ids; [`Vocabulary::none`] for a model that reads values.
/// `bytes`: the file.
fn vocabulary_of(model: &Model<'_>, bytes: &[u8]) -> Vocabulary {
    if model.config().input != Input::Tokens {
        return Vocabulary::none();
    }
    let tokenizer = model.config().tokenizer;
    if tokenizer.kind == TokenizerKind::Bytes {
        return Vocabulary::build_for(tokenizer, [].into_iter(), 1, None);
    }
    let stored = model.vocabulary();
    if stored.has_fingerprints() {
        return Vocabulary::from_fingerprints(
            tokenizer,
            token_fingerprints(&SafeTensors::deserialize(bytes).expect(VALID)),
        );
    }
    let ids = RESERVED_IDS as u32..model.config().vocab_size as u32;
    let tokens = ids.map(|id| stored.token(id).unwrap_or_default());
    let tokens = [PAD_TOKEN, UNK_TOKEN].into_iter().chain(tokens).map(str::to_owned).collect();
    Vocabulary::from_tokens(tokenizer, tokens)
        .expect("the runtime has checked that the tokens of a device file are distinct")
}
