//! The [`Model`] trait, which the float model and the device file implement, and the types of its results.

mod device;
pub(crate) mod float;

use crate::data::Columns;
use crate::float_model::Config;
use crate::logits::Logits;
use crate::nn::network::Input;
use crate::train::{Guess, guesses_with};
use crate::vocabulary::{UNK, Vocabulary};
use std::path::Path;

/// A trained model of any task: a [`FloatModel`](crate::float_model::FloatModel), or a
/// [`DeviceFile`](crate::device_file::DeviceFile) in the device's integers. Token ids are those of
/// [`vocabulary`](Self::vocabulary), so a device file takes and returns device ids.
pub trait Model: Sync {
    /// The configuration: task, sizes, labels, channels.
    fn config(&self) -> &Config;

    /// The tokens and their ids: device ids for a device file. A model that reads values has only PAD (padding) and UNK
    /// (the unknown token).
    fn vocabulary(&self) -> &Vocabulary;

    /// Runs the model over a whole sequence. Returns a logit for each label, a logit for each token as the next one, or
    /// the normalised outputs of a [`Forecast`](crate::float_model::Forecast). Values of the input must be normalised
    /// by the channels of [`config`](Self::config). Panics if the model reads values and the input is tokens, or the
    /// reverse.
    fn outputs(&self, input: Input<'_>) -> Logits;

    /// Returns the tokens of a text, each with the logits for the text up to and including it. Only for text
    /// classifiers.
    fn trace(&self, text: &str) -> Vec<TraceStep>;

    /// Calls `run` with a `Reader` at the beginning of a text. Only for language models. Panics if the model is
    /// bidirectional, since its reverse direction begins at the end of the text.
    fn with_reader(&self, run: &mut dyn FnMut(&mut dyn Reader));

    /// Generates tokens after `prompt` with a language model, and passes the id of each to `sink` until `sink` returns
    /// false. `prompt`: token ids; an empty prompt is read as one UNK. PAD and UNK are never generated.
    fn generate(&self, prompt: &[u32], sampling: Sampling, sink: &mut dyn FnMut(u32) -> bool);

    /// The labels, in the order of the logits.
    fn labels(&self) -> &[String] {
        &self.config().labels
    }

    /// Classifies a text. Only for text classifiers.
    fn classify(&self, text: &str) -> Prediction {
        let (ids, ngrams) = (self.vocabulary().encode(text), self.config().ngram_buckets(text));
        Prediction {
            logits: self.outputs(Input::Text { ids: &ids, ngrams: &ngrams }),
            tokens: ids.len(),
            unknown: ids.iter().filter(|&&id| !is_known(self.config(), id)).count(),
        }
    }

    /// Returns the loss and the rank of each token of a text, given as ids, under a language model. The text is read in
    /// parts, and the first token of each part has no guess: see [`guesses`](crate::train::guesses).
    fn guesses(&self, ids: &[u32]) -> Vec<Guess> {
        guesses_with(ids, |start_of_part, part| {
            let mut guesses = Vec::with_capacity(part.len());
            self.with_reader(&mut |reader| {
                for (index, pair) in part.windows(2).enumerate() {
                    let [token, next_token] = [pair[0], pair[1]];
                    reader.read(token);
                    let position = start_of_part + index + 1;
                    guesses.push(Guess::new(position, &reader.logits(), next_token));
                }
            });
            guesses
        })
    }
}

/// Returns true if a token with this id counts as known. Without recurrent layers a model looks no token up, so every
/// token does.
fn is_known(config: &Config, id: u32) -> bool {
    id != UNK || config.num_layers == 0
}

/// A session of a language model, which reads a text token by token.
pub trait Reader {
    /// Reads the token with this id.
    fn read(&mut self, id: u32);

    /// The logits of the next token, in nats: `[vocab_size]`.
    fn logits(&mut self) -> Vec<f32>;
}

/// The result of classifying a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// One logit for each label.
    pub logits: Logits,
    /// Number of tokens in the text.
    pub tokens: usize,
    /// Number of tokens that are not in the vocabulary. 0 for a model without recurrent layers.
    pub unknown: usize,
}

/// A token of a text and the logits after it.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceStep {
    /// The token, in lower case if the tokenizer lower-cases.
    pub token: String,
    /// True if the token is in the vocabulary, or the model has no recurrent layers.
    pub known: bool,
    /// The logits for the text up to and including this token.
    pub logits: Logits,
}

/// The settings with which [`Model::generate`] draws tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The number by which the logits are divided. 0 takes the most probable token each time.
    pub temperature: f64,
    /// The number of the most probable tokens from which one is drawn. 0 draws from all tokens.
    pub top_k: usize,
    /// Random seed.
    pub seed: u64,
}

/// A data file or folder, and the layout of its table.
#[derive(Clone, Debug)]
pub struct DataFile<'a> {
    /// The file or folder.
    pub path: &'a Path,
    /// The names of the columns and the separator.
    pub columns: Columns,
}
