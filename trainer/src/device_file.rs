//! A device file in the host's memory, read and checked by `tern_runtime`.

mod device_config;

use crate::float_model::Config;
use crate::package::{Package, PackageError, Signed};
use crate::vocabulary::Vocabulary;
use safetensors::SafeTensors;
use serde::Serialize;
use std::path::{Path, PathBuf};
use tern_runtime::write::Aligned;
use tern_runtime::{LoadError, Model, Session, TextSession, Unpacked};

/// The value in nats of 1 in an integer logit (Q15.16).
pub const NATS_PER_UNIT: f64 = 1.0 / 65_536.0;

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
    config: Config,
    vocabulary: Vocabulary,
    signed: Option<Signed>,
}

/// Why a device file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFileError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The trailer of a signed file is wrong.
    #[error("{}: {source}", path.display())]
    Package {
        /// The file.
        path: PathBuf,
        /// The fault of the trailer.
        source: Box<PackageError>,
    },
    /// The runtime refuses the file.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The fault that the runtime found.
        source: Box<LoadError>,
    },
}

/// Bytes of a device file by purpose. They add up to the file's length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// The safetensors header and its length field.
    pub header: usize,
    /// The recurrent and linear layers: weights, biases and multipliers.
    pub weights: usize,
    /// The embedding and its multipliers; for a model that reads numbers, their normalisation.
    pub embedding: usize,
    /// Precomputed input projections of folded tokens.
    pub folded: usize,
    /// Tokens and their offsets.
    pub vocabulary: usize,
    /// Labels or channel names, and their offsets.
    pub labels: usize,
    /// Golden examples and their logits.
    pub golden: usize,
    /// The model's name and the figures of the calibration.
    pub other: usize,
}

impl DeviceFile {
    /// Reads and checks a file. A signed file is read without its trailer; its signature is not checked.
    ///
    /// # Errors
    ///
    /// See [`DeviceFileError`].
    pub fn open(path: &Path) -> Result<Self, DeviceFileError> {
        let bytes = std::fs::read(path).map_err(|source| DeviceFileError::Io { path: path.to_owned(), source })?;
        let package = Package::read(&bytes)
            .map_err(|source| DeviceFileError::Package { path: path.to_owned(), source: Box::new(source) })?;
        let file = DeviceFile::from_bytes(package.device_file)
            .map_err(|error| DeviceFileError::Refused { path: path.to_owned(), source: Box::new(error) })?;
        Ok(DeviceFile { signed: package.signed, ..file })
    }

    /// The version and the signer of a signed file.
    pub fn signed(&self) -> Option<Signed> {
        self.signed
    }

    /// Checks the bytes of a file.
    ///
    /// # Errors
    ///
    /// If the runtime refuses the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let loaded =
            Loaded::try_new(Aligned::new(bytes), |bytes| Model::from_bytes(bytes).map(|model| Unpacked::new(&model)))?;
        let model = loaded.borrow_dependent().packed();
        let labels: Vec<String> = model.labels().iter().map(str::to_owned).collect();
        let config = device_config::config(model, loaded.borrow_owner(), &labels);
        let vocabulary = device_config::vocabulary(model);
        Ok(DeviceFile { loaded, config, vocabulary, signed: None })
    }

    /// The configuration, as the float model's `config.json` has it.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The labels, in the order of the logits.
    pub fn labels(&self) -> &[String] {
        &self.config.labels
    }

    /// The tokens and their ids on the device. Holds only PAD and UNK for a model that reads numbers.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The bytes of the device file.
    pub fn bytes(&self) -> &[u8] {
        self.loaded.borrow_owner()
    }

    /// The runtime's model.
    pub fn model(&self) -> &Model<'_> {
        self.loaded.borrow_dependent().packed()
    }

    /// The number of bytes for each purpose.
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

    /// Bytes of scratch memory that a session needs.
    pub fn scratch_bytes(&self) -> usize {
        4 * self.model().scratch_len()
    }

    /// Calls `run` with a new session that has room for so many tokens, should the model keep them (bidirectional
    /// models do).
    pub(crate) fn with_session<T>(&self, tokens: usize, run: impl FnOnce(Session<'_>) -> T) -> T {
        let model = self.loaded.borrow_dependent().model();
        let mut scratch = vec![0; model.scratch_len_for(tokens.max(1))];
        run(model.session(&mut scratch).expect("the scratch has the length that the model asks for"))
    }

    /// Calls `run` with a new session of a model that reads text: see [`with_session`](DeviceFile::with_session).
    ///
    /// # Panics
    /// If the model reads values.
    pub(crate) fn with_text_session<T>(&self, tokens: usize, run: impl FnOnce(TextSession<'_>) -> T) -> T {
        self.with_session(tokens, |session| match session {
            Session::Text(session) => run(session),
            Session::Values(_) => panic!("the model reads values, not text"),
        })
    }
}
