//! What float and integer models of every task have in common: they read steps, and answer.

use crate::classifier::Logits;
use crate::device_file::DeviceFile;
use crate::float_model::{Config, FloatModel};
use crate::nn::network::Input;
use crate::nn::stream::State;
use crate::task::{self, Task};
use crate::tasks::language_model::{Sampling, Writer};
use crate::train::{Guess, class_logits, guesses, guesses_with};
use crate::vocabulary::Vocabulary;
use std::path::Path;

/// A model that reads tokens or values and answers. Nothing that it reads can make it fail.
pub trait Sequential: Sync {
    /// What the model is.
    fn config(&self) -> &Config;

    /// The tokens and their ids; PAD and UNK alone where it reads values.
    fn vocabulary(&self) -> &Vocabulary;

    /// The answer after a whole sequence: a logit for each label or token, or normalised numbers as
    /// [`Forecast`](crate::float_model::Forecast) describes them. Values are normalised by the channels of [`config`](Self::config).
    fn outputs(&self, input: Input<'_>) -> Logits;

    /// Reads a text that need not have an end, from an empty state.
    ///
    /// # Panics
    ///
    /// Where the model also reads from the end.
    fn reading(&self, run: &mut dyn FnMut(&mut dyn Reader));

    /// Writes on from a prompt, of which an empty one is one unknown token: gives `sink` token after token until it answers false. PAD and UNK are
    /// never drawn.
    ///
    /// # Panics
    ///
    /// As [`reading`](Self::reading).
    fn write(&self, prompt: &[u32], sampling: Sampling, sink: &mut dyn FnMut(u32) -> bool);

    /// What a language model makes of each token of a text: see [`guesses`].
    fn guesses(&self, ids: &[u32]) -> Vec<Guess> {
        guesses_with(ids, |start, ids| {
            let mut guesses = Vec::with_capacity(ids.len());
            self.reading(&mut |reader| {
                for pair in ids.windows(2) {
                    reader.read(pair[0]);
                    guesses.push(Guess::new(start + guesses.len() + 1, &reader.logits(), pair[1]));
                }
            });
            guesses
        })
    }

    /// Whether it is a classifier of texts.
    fn classifies_texts(&self) -> bool {
        (self.config().task, self.config().input) == (Task::Classify, task::Input::Tokens)
    }
}

/// A model on its way through a text.
pub trait Reader {
    /// Reads a token.
    fn read(&mut self, id: u32);

    /// The logits of what comes next, in nats: `[vocab_size]`.
    fn logits(&mut self) -> Vec<f32>;
}

/// Loads the model at `path`: a model directory, which runs in floats, or a device file, which runs in integers.
///
/// # Errors
///
/// See [`LoadError`](crate::float_model::LoadError) and [`DeviceFileError`](crate::device_file::DeviceFileError).
pub fn open(path: &Path) -> anyhow::Result<Box<dyn Sequential>> {
    if path.is_file() { Ok(Box::new(DeviceFile::open(path)?)) } else { Ok(Box::new(FloatModel::load(path)?)) }
}

struct FloatReader<'m> {
    model: &'m FloatModel,
    state: State,
    last: Vec<f32>,
}

impl Reader for FloatReader<'_> {
    fn read(&mut self, id: u32) {
        self.last = self.model.network().advance(&mut self.state, &[id]).to_vec();
    }

    fn logits(&mut self) -> Vec<f32> {
        self.model.network().head_of(&self.last)
    }
}

impl Sequential for FloatModel {
    fn config(&self) -> &Config {
        self.config()
    }

    fn vocabulary(&self) -> &Vocabulary {
        self.vocabulary()
    }

    fn outputs(&self, input: Input<'_>) -> Logits {
        let outputs = self.network().outputs(input);
        Logits::Float(if self.config().task == Task::Classify { class_logits(&outputs) } else { outputs })
    }

    fn reading(&self, run: &mut dyn FnMut(&mut dyn Reader)) {
        let last = vec![0.0; self.config().hidden_size];
        run(&mut FloatReader { model: self, state: self.network().start(1), last });
    }

    fn write(&self, prompt: &[u32], sampling: Sampling, sink: &mut dyn FnMut(u32) -> bool) {
        let mut writer = Writer::new(self, prompt, sampling);
        while sink(writer.write()) {}
    }

    fn guesses(&self, ids: &[u32]) -> Vec<Guess> {
        guesses(self.network(), ids)
    }
}
