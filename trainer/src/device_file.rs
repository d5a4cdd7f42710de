//! A device file on the host: read, checked, and run by `tern_runtime`.

mod device_model;

use crate::classifier::{Classifier, Logits, Prediction, TraceStep};
use crate::float_model::Config;
use crate::vocabulary::{Surface, Vocabulary};
use safetensors::SafeTensors;
use serde::Serialize;
use std::path::{Path, PathBuf};
use tern_runtime::write::Aligned;
use tern_runtime::{LoadError, Model, Session, UNK, Unpacked};

/// What one unit of an integer logit is worth in nats.
const LOGIT: f64 = 1.0 / 65_536.0;

self_cell::self_cell!(
    struct Loaded {
        owner: Aligned,
        #[covariant]
        dependent: Unpacked,
    }
);

/// A device file in memory.
pub struct DeviceFile {
    loaded: Loaded,
    config: Config,
    vocabulary: Vocabulary,
}

/// Why a device file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFileError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The runtime refuses it.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<LoadError>,
    },
}

/// Bytes of a device file by what they hold. They add up to the file's length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// The safetensors header with its length.
    pub header: usize,
    /// Of the recurrent and the linear layer, with biases and multipliers.
    pub weights: usize,
    /// Of the embedding, with its multipliers; of a model that reads values, how they are read.
    pub embedding: usize,
    /// Ready-made input halves of tokens.
    pub folded: usize,
    /// Tokens and their offsets.
    pub vocabulary: usize,
    /// Labels, or names of channels, and their offsets.
    pub labels: usize,
    /// Golden texts and their logits.
    pub golden: usize,
    /// The name and the calibration's figures.
    pub other: usize,
}

impl DeviceFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// See [`DeviceFileError`].
    pub fn open(path: &Path) -> Result<Self, DeviceFileError> {
        let bytes = std::fs::read(path).map_err(|source| DeviceFileError::Io { path: path.to_owned(), source })?;
        DeviceFile::from_bytes(&bytes)
            .map_err(|error| DeviceFileError::Refused { path: path.to_owned(), source: Box::new(error) })
    }

    /// Checks the bytes of a file.
    ///
    /// # Errors
    ///
    /// What the runtime says.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let loaded =
            Loaded::try_new(Aligned::new(bytes), |bytes| Model::from_bytes(bytes).map(|model| Unpacked::new(&model)))?;
        let model = loaded.borrow_dependent().packed();
        let labels: Vec<String> = model.labels().iter().map(str::to_owned).collect();
        let config = device_model::config(model, loaded.borrow_owner(), &labels);
        let vocabulary = device_model::vocabulary(model);
        Ok(DeviceFile { loaded, config, vocabulary })
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        self.loaded.borrow_owner()
    }

    /// The model that it holds.
    pub fn model(&self) -> &Model<'_> {
        self.loaded.borrow_dependent().packed()
    }

    /// What its bytes are spent on.
    pub fn parts(&self) -> Parts {
        let tensors = SafeTensors::deserialize(self.bytes()).expect("the runtime's reader is the stricter one");
        let mut parts = Parts::default();
        for (name, tensor) in tensors.iter() {
            let part = match name.split('.').next() {
                Some("lstm" | "gru" | "rnn" | "hidden" | "fc") => &mut parts.weights,
                Some("embedding" | "input") => &mut parts.embedding,
                Some("folded") => &mut parts.folded,
                Some("vocab") => &mut parts.vocabulary,
                Some("labels" | "channels") => &mut parts.labels,
                Some("golden") => &mut parts.golden,
                _ => &mut parts.other,
            };
            *part += tensor.data().len();
        }
        let Parts { header: _, weights, embedding, folded, vocabulary, labels, golden, other } = parts;
        parts.header = self.bytes().len() - (weights + embedding + folded + vocabulary + labels + golden + other);
        parts
    }

    /// Bytes of scratch that a session needs.
    pub fn scratch_bytes(&self) -> usize {
        4 * self.model().scratch_len()
    }

    /// A session with room for all of `text`, also where the model keeps its tokens: there are no more of them than bytes.
    fn session<T>(&self, text: &str, run: impl FnOnce(Session<'_>) -> T) -> T {
        self.with_session(text.len(), run)
    }

    /// A session with room for so many tokens.
    fn with_session<T>(&self, tokens: usize, run: impl FnOnce(Session<'_>) -> T) -> T {
        let model = self.loaded.borrow_dependent().model();
        let mut scratch = vec![0; model.scratch_len_for(tokens.max(1))];
        run(model.session(&mut scratch).expect("the scratch has the length that the model asks for"))
    }
}

fn logits(values: tern_runtime::Logits<'_>) -> Logits {
    Logits::Integer { values: values.iter().collect(), scale: LOGIT }
}

impl Classifier for DeviceFile {
    fn labels(&self) -> &[String] {
        &self.config.labels
    }

    fn classify(&self, text: &str) -> Prediction {
        self.session(text, |mut session| {
            let logits = logits(session.classify(text.as_bytes()));
            Prediction { logits, tokens: session.tokens() as usize, unknown: session.unknown() as usize }
        })
    }

    fn trace(&self, text: &str) -> Vec<TraceStep> {
        let mut steps = Vec::new();
        let mut surface = Surface::new(self.model().config().tokenizer, text);
        let vocabulary = self.model().vocabulary();
        let mut on_step = |step: tern_runtime::Step<'_>| {
            let token = surface.next(vocabulary.token(step.id));
            steps.push(TraceStep { token, known: step.id != UNK, logits: logits(step.logits) });
        };
        self.session(text, |mut session| {
            session.feed_with(text.as_bytes(), &mut on_step);
            session.finish_with(&mut on_step);
        });
        steps
    }
}
