//! The Python class `Session`: a session of a device file, which reads one text or one sequence of numbers in pieces.

use crate::errors::TernError;
use crate::rows::rows_of;
use pyo3::prelude::*;
use self_cell::MutBorrow;
use std::sync::Arc;
use tern_runtime as runtime;
use tern_trainer::api::{self, normalise};
use tern_trainer::device_file::DeviceFile;

/// A device file and the scratch memory of its session.
struct Memory {
    file: Arc<DeviceFile>,
    /// In a `MutBorrow`, which lets the session borrow it mutably.
    scratch: MutBorrow<Vec<i32>>,
}

// `Running` is the memory together with the session that borrows it, so that a Python object can own both.
self_cell::self_cell!(
    struct Running {
        owner: Memory,
        #[not_covariant]
        dependent: RuntimeSession,
    }
);

/// A session of the runtime, under a name with a single lifetime and no path, as the macro `self_cell` requires.
type RuntimeSession<'s> = runtime::Session<'s>;

/// A session of a device file.
#[pyclass(module = "tern._tern")]
pub struct Session(Running);

impl Session {
    /// Begins a session. `steps`: the number of tokens or time steps that a bidirectional model keeps; further ones are
    /// counted, but do not change its outputs. Other models ignore the number.
    pub fn new(file: Arc<DeviceFile>, steps: usize) -> Self {
        let scratch = MutBorrow::new(vec![0; file.scratch_len_for(steps)]);
        let memory = Memory { file, scratch };
        Session(Running::new(memory, |memory| memory.file.session(memory.scratch.borrow_mut())))
    }
}

#[pymethods]
impl Session {
    /// Reads a piece of a text in UTF-8. It may end within a word or a character. Fails if the model reads numbers.
    fn feed(&mut self, text: &[u8]) -> PyResult<()> {
        self.0.with_dependent_mut(|_, session| match session {
            runtime::Session::Text(session) => {
                session.feed(text);
                Ok(())
            }
            runtime::Session::Values(_) => {
                Err(TernError::new_err("the model reads numbers, expected an array [steps, channels]"))
            }
        })
    }

    /// Reads further steps of a sequence. `values`: the bytes of 64-bit floats, `[steps, channels]`. Fails if one is
    /// not finite, or if the model reads text.
    fn feed_values(&mut self, values: &[u8]) -> PyResult<()> {
        self.0.with_dependent_mut(|memory, session| match session {
            runtime::Session::Values(session) => {
                let config = api::Model::config(&*memory.file);
                let rows = rows_of(config, values);
                if rows.iter().flatten().any(|number| !number.is_finite()) {
                    let problem = "a number is missing or infinite, expected finite numbers";
                    return Err(TernError::new_err(problem));
                }
                for row in normalise::normalise(&config.channels, rows.iter()) {
                    session.feed(&memory.file.device_integers(&row));
                }
                Ok(())
            }
            runtime::Session::Text(_) => Err(TernError::new_err("the model reads text, expected str or bytes")),
        })
    }

    /// Ends a text, which completes its last token. Does nothing for a model that reads numbers.
    fn finish(&mut self) {
        self.0.with_dependent_mut(|_, session| {
            if let runtime::Session::Text(session) = session {
                session.finish();
            }
        });
    }

    /// The outputs after the tokens or steps read so far, as integers in units of 2^-16: logits in nats, or the
    /// normalised values of a forecast.
    fn logits(&mut self) -> Vec<i32> {
        self.0.with_dependent_mut(|_, session| session.logits().iter().collect())
    }

    /// Forgets what was read and begins a new text or sequence.
    fn reset(&mut self) {
        self.0.with_dependent_mut(|_, session| session.reset());
    }

    /// The number of tokens or steps read so far.
    #[getter]
    fn tokens(&self) -> u32 {
        self.0.with_dependent(|_, session| session.tokens())
    }

    /// The number of tokens read so far that are not in the vocabulary; 0 for a model that reads numbers.
    #[getter]
    fn unknown(&self) -> u32 {
        self.0.with_dependent(|_, session| session.unknown())
    }
}
