//! The Python class `Model`: a model directory, which runs in floating point, or a device file, which runs in integers.

use crate::errors::{TernError, failed, log_to_python};
use crate::rows::rows_of;
use crate::session::Session;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use tern_format::{Input, Task};
use tern_trainer::api::{self, Columns, DataFile, Layout, PredictOptions, handler_of, normalise};
use tern_trainer::device_file::DeviceFile;
use tern_trainer::float_model::{Config, FloatModel};
use tern_trainer::logits::Logits;
use tern_trainer::nn::network;
use tern_trainer::paint::Paint;

/// A model in one of its two forms.
enum Kind {
    /// A model directory.
    Float(Box<FloatModel>),
    /// A device file, which sessions share.
    Device(Arc<DeviceFile>),
}

/// A loaded model. Functions return arrays as the bytes of 64-bit floats in little-endian order.
#[pyclass(module = "tern._tern", frozen)]
pub struct Model {
    kind: Kind,
}

/// The logits in nats, as the bytes of an array `[inputs, labels]`, and for each input true if the model answers it: it
/// is not a text without a token of the vocabulary, and the model does not refuse to answer.
type Answers<'py> = (Bound<'py, PyBytes>, Vec<bool>);

#[pymethods]
impl Model {
    /// Loads a model directory or a device file.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        log_to_python();
        let open = || -> anyhow::Result<Kind> {
            if path.is_file() {
                Ok(Kind::Device(Arc::new(DeviceFile::open(&path)?)))
            } else {
                Ok(Kind::Float(Box::new(FloatModel::load(&path)?)))
            }
        };
        Ok(Model { kind: py.detach(open).map_err(failed)? })
    }

    /// The content of `config.json`. For a device file, settings that the file does not store have their defaults.
    #[getter]
    fn config(&self) -> String {
        self.model().config().to_json()
    }

    /// The bytes of scratch memory that a session on the device needs; `None` for a model directory.
    #[getter]
    fn scratch_bytes(&self) -> Option<usize> {
        match &self.kind {
            Kind::Float(_) => None,
            Kind::Device(file) => Some(file.scratch_bytes()),
        }
    }

    /// The tokens, in the order of their ids.
    #[getter]
    fn tokens(&self) -> Vec<String> {
        self.model().vocabulary().tokens().to_vec()
    }

    /// The ids of a text's tokens, and the buckets of its n-grams.
    fn encode(&self, text: &str) -> PyResult<(Vec<u32>, Vec<u32>)> {
        self.check_input(Input::Tokens)?;
        Ok((self.model().vocabulary().encode(text), self.model().config().ngram_buckets(text)))
    }

    /// Classifies texts. Returns their logits and, for each text, true if the model answers.
    fn classify<'py>(&self, py: Python<'py>, texts: Vec<String>) -> PyResult<Answers<'py>> {
        self.check_input(Input::Tokens)?;
        self.check_task(Task::Classify)?;
        let model = self.model();
        // `detach` releases the interpreter's lock, so that other Python threads run meanwhile.
        let predictions: Vec<_> = py.detach(|| texts.par_iter().map(|text| model.classify(text)).collect());
        let known_and_logits = predictions.iter().map(|prediction| {
            let has_known_token = prediction.tokens > prediction.unknown;
            (has_known_token, &prediction.logits)
        });
        Ok(answers(py, model.config(), known_and_logits))
    }

    /// Classifies sequences of numbers; returns the same as `classify`. `values`: the bytes of the 64-bit floats of all
    /// sequences, concatenated, `[steps, channels]` each; NaN for a missing number. `lengths`: the number of steps of
    /// each sequence.
    fn classify_values<'py>(&self, py: Python<'py>, values: &[u8], lengths: Vec<usize>) -> PyResult<Answers<'py>> {
        self.check_input(Input::Values)?;
        self.check_task(Task::Classify)?;
        let model = self.model();
        let rows = rows_of(model.config(), values);
        let mut sequences: Vec<&[Vec<f64>]> = Vec::new();
        let mut unread_rows = rows.as_slice();
        for length in lengths {
            // A sequence with more steps than there are rows ends at the last row.
            let (sequence, after_sequence) = unread_rows.split_at(length.min(unread_rows.len()));
            sequences.push(sequence);
            unread_rows = after_sequence;
        }
        let run = |sequence: &&[Vec<f64>]| {
            let normalised = normalise::normalise(&model.config().channels, sequence.iter()).concat();
            model.outputs(network::Input::Values(&normalised))
        };
        let logits: Vec<Logits> = py.detach(|| sequences.par_iter().map(run).collect());
        Ok(answers(py, model.config(), logits.iter().map(|logits| (true, logits))))
    }

    /// Predicts the rows that follow those of a table. `table`: the path of a file whose columns are the channels of
    /// the model. Returns the JSON that `tern predict` prints.
    fn forecast(&self, py: Python<'_>, table: PathBuf) -> PyResult<String> {
        self.check_task(Task::Forecast)?;
        let options = PredictOptions { trace: false, top: 0, layout: Layout::default() };
        let predict = || handler_of(self.model()).predict(self.model(), &table.to_string_lossy(), options);
        let outputs = py.detach(predict).map_err(failed)?;
        // A table has a single forecast.
        Ok(outputs.first().map(|output| output.json.to_string()).unwrap_or_default())
    }

    /// Measures the model on a data file. The columns are those with the default names of `tern eval` unless they are
    /// named. Returns the JSON that `tern eval` prints.
    fn evaluate(
        &self,
        py: Python<'_>,
        data: PathBuf,
        text_column: Option<String>,
        label_column: Option<String>,
    ) -> PyResult<String> {
        let default = Columns::default();
        let columns = Columns {
            text: text_column.unwrap_or(default.text),
            label: label_column.unwrap_or(default.label),
            layout: default.layout,
        };
        let data = DataFile { path: &data, columns };
        let evaluate = || handler_of(self.model()).evaluate(self.model(), &data, Paint::plain());
        py.detach(evaluate).map(|output| output.json.to_string()).map_err(failed)
    }

    /// Begins a session of a device file. `steps`: the number of tokens or time steps that a bidirectional model keeps;
    /// other models ignore it. Fails for a model directory.
    fn session(&self, steps: usize) -> PyResult<Session> {
        match &self.kind {
            Kind::Device(file) => Ok(Session::new(Arc::clone(file), steps)),
            Kind::Float(_) => Err(TernError::new_err("a model directory has no sessions; export it to a device file")),
        }
    }
}

impl Model {
    /// The interface that both kinds share.
    fn model(&self) -> &dyn api::Model {
        match &self.kind {
            Kind::Float(model) => model.as_ref(),
            Kind::Device(file) => file.as_ref(),
        }
    }

    /// Fails unless the model reads this kind of input.
    fn check_input(&self, expected: Input) -> PyResult<()> {
        let found = self.model().config().input;
        if found == expected {
            return Ok(());
        }
        let problem = match found {
            Input::Tokens => "the model reads text, expected strings",
            Input::Values => "the model reads numbers, expected arrays [steps, channels]",
        };
        Err(TernError::new_err(problem))
    }

    /// Fails unless the model has this task.
    fn check_task(&self, expected: Task) -> PyResult<()> {
        let found = self.model().config().task;
        if found == expected {
            return Ok(());
        }
        let problem = format!("the task of the model is {}, expected {}", found.name(), expected.name());
        Err(TernError::new_err(problem))
    }
}

/// Returns the answers for inputs. `known_and_logits`: for each input, false if it is a text without a token of the
/// vocabulary, otherwise true; and its logits.
fn answers<'py, 'l>(
    py: Python<'py>,
    config: &Config,
    known_and_logits: impl Iterator<Item = (bool, &'l Logits)>,
) -> Answers<'py> {
    let (mut bytes, mut are_answered) = (Vec::new(), Vec::new());
    for (is_known, logits) in known_and_logits {
        are_answered.push(is_known && !config.refuses(logits));
        bytes.extend(logits.nats().into_iter().flat_map(f64::to_le_bytes));
    }
    (PyBytes::new(py, &bytes), are_answered)
}
