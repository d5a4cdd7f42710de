//! The checked view of a device file.
//!
//! [`Model::from_bytes`] is the one place where a model can be refused: it checks all that `docs/format.md` and `docs/arithmetic.md`
//! ask for. What it gives borrows the file and cannot fail.

mod bounds;
mod load;
mod packing;
mod paired;

use core::num::NonZeroUsize;

use crate::embedding::Embedding;
use crate::error::{LoadError, ScratchError};
use crate::head::Head;
use crate::lstm::Layer;
use crate::rows::rows;
use crate::session::Session;
use crate::text::Tokenizer;
use crate::texts::Texts;
use crate::vocabulary::Vocabulary;

pub use load::file_len;
pub use packing::Packing;

/// The sizes of a model, and its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How text becomes tokens.
    pub tokenizer: Tokenizer,
    /// V: ids, PAD and UNK among them.
    pub vocab_size: usize,
    /// E: size of an embedded token.
    pub embedding_dim: usize,
    /// H: units of the recurrent layer.
    pub hidden_size: usize,
    /// C: how many labels there are.
    pub classes: usize,
}

/// What was seen when the model was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// Training texts that the float model ran.
    pub texts: u32,
    /// Tokens of these texts.
    pub tokens: u32,
    /// Its largest |pre-activation|, Q16.
    pub largest_z: i32,
    /// Its largest |cell state|, Q20.
    pub largest_c: i32,
}

/// A text with the exact logits that every device must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Golden<'a> {
    /// The text.
    pub text: &'a str,
    /// `[classes]`, Q16.
    pub logits: &'a [i32],
}

/// How many golden texts gave their exact logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTest {
    /// Texts that did.
    pub passed: usize,
    /// All texts; at least 1.
    pub total: usize,
}

/// A model, borrowed from the bytes of its file.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    pub(crate) config: Config,
    pub(crate) vocabulary: Vocabulary<'a>,
    pub(crate) embedding: Embedding<'a>,
    pub(crate) lstm: Layer<'a>,
    pub(crate) head: Head<'a>,
    name: &'a str,
    labels: Texts<'a>,
    golden: Texts<'a>,
    /// `[golden · classes]`, Q16
    golden_logits: &'a [i32],
    calibration: Calibration,
    embedding_scale_bits: u32,
}

impl<'a> Model<'a> {
    /// The format version that this crate reads: `tern.version`.
    pub const FORMAT: &'static str = "1";

    /// Checks a whole device file, which must begin at a multiple of 8, and borrows it.
    ///
    /// Reads every byte of the weights and of the vocabulary once.
    ///
    /// # Errors
    /// Whatever is wrong with the file, by name: [`LoadError`].
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, LoadError> {
        load::load(bytes)
    }

    /// The sizes of the model, and its kind.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How its recurrent weights lie.
    pub fn packing(&self) -> Packing {
        match self.lstm {
            Layer::Interleaved(_) => Packing::Interleaved4,
            Layer::Paired(_) => Packing::Paired16,
        }
    }

    /// What the model is called.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The classes, [`Config::classes`] of them.
    pub fn labels(&self) -> Texts<'a> {
        self.labels
    }

    /// The tokens that the model knows.
    pub fn vocabulary(&self) -> Vocabulary<'a> {
        self.vocabulary
    }

    /// What was seen when the model was exported.
    pub fn calibration(&self) -> Calibration {
        self.calibration
    }

    /// The real value of `x` = 2^15 as the bits of an IEEE 754 single: this crate computes with no float.
    pub fn embedding_scale_bits(&self) -> u32 {
        self.embedding_scale_bits
    }

    /// Texts with the exact logits that every device must give; at least one.
    pub fn golden(&self) -> impl Iterator<Item = Golden<'a>> + use<'a> {
        let logits = rows(self.golden_logits, NonZeroUsize::new(self.config.classes).unwrap_or(NonZeroUsize::MIN));
        self.golden.iter().zip(logits).map(|(text, logits)| Golden { text, logits })
    }

    /// How many words of scratch a [`Session`] needs: 8·H + 2·E bytes, rounded up to words, and what its
    /// tokenizer keeps of the text ([`Tokenizer::buffer_len`]).
    pub fn scratch_len(&self) -> usize {
        2 * self.config.hidden_size + self.config.embedding_dim.div_ceil(2) + self.config.tokenizer.buffer_len()
    }

    /// Multiply-accumulates of the recurrent layer for one token: 4·H·(E + H).
    pub fn macs_per_token(&self) -> usize {
        self.lstm.macs()
    }

    /// Begins to run texts in `scratch`.
    ///
    /// # Errors
    /// [`ScratchError`] if `scratch` is shorter than [`scratch_len`](Model::scratch_len).
    pub fn session<'s>(&'s self, scratch: &'s mut [i32]) -> Result<Session<'s>, ScratchError> {
        Session::new(self, scratch)
    }

    /// Runs the golden texts.
    ///
    /// # Errors
    /// [`ScratchError`] if `scratch` is shorter than [`scratch_len`](Model::scratch_len).
    pub fn self_test(&self, scratch: &mut [i32]) -> Result<SelfTest, ScratchError> {
        let mut session = self.session(scratch)?;
        let mut result = SelfTest { passed: 0, total: 0 };
        for golden in self.golden() {
            let exact = session.classify(golden.text.as_bytes()).iter().eq(golden.logits.iter().copied());
            result.passed += usize::from(exact);
            result.total += 1;
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests;
