//! The Python class `Model`: a model directory, which runs in floating point, or a device file, which runs in integers.

use crate::errors::{TernError, failed, log_to_python};
use crate::rows::rows_of;
use crate::session::Session;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tern_format::{Input, Task};
use tern_trainer::api::{self, Columns, DataFile, Layout, PredictOptions, handler_of, normalise};
use tern_trainer::device_file::DeviceFile;
use tern_trainer::float_model::{Config, FloatModel};
use tern_trainer::logits::Logits;
use tern_trainer::nn::network;
use tern_trainer::paint::Paint;

enum Kind {
    Float(Box<FloatModel>),
    Device(Arc<DeviceFile>),
}

/// A loaded model.
#[pyclass(module = "tern._tern", frozen)]
pub struct Model {
    kind: Kind,
}

/// Logits in nats as the bytes of 64-bit floats, `[inputs, labels]`, and for each input true if the model answers: a
/// text has a token of the vocabulary, and the model does not refuse to answer.
type Answers<'py> = (Bound<'py, PyBytes>, Vec<bool>);

#[pymethods]
impl Model {
    /// Loads a model directory or a device file.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        log_to_python();
        let open = |path: &Path| -> anyhow::Result<Kind> {
            Ok(match path.is_file() {
                true => Kind::Device(Arc::new(DeviceFile::open(path)?)),
                false => Kind::Float(Box::new(FloatModel::load(path)?)),
            })
        };
        Ok(Model { kind: py.detach(|| open(&path)).map_err(failed)? })
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
        let predictions: Vec<_> = py.detach(|| texts.par_iter().map(|text| model.classify(text)).collect());
        let known = predictions.iter().map(|prediction| prediction.tokens > prediction.unknown);
        Ok(answers(py, model.config(), known.zip(predictions.iter().map(|prediction| &prediction.logits))))
    }

    /// Classifies sequences of numbers; returns the same as `classify`. `values`: the bytes of the 64-bit floats of all
    /// sequences, concatenated, `[steps, channels]` each; NaN for a missing number. `lengths`: the number of steps of
    /// each sequence.
    fn classify_values<'py>(&self, py: Python<'py>, values: &[u8], lengths: Vec<usize>) -> PyResult<Answers<'py>> {
        self.check_input(Input::Values)?;
        self.check_task(Task::Classify)?;
        let model = self.model();
        let rows = rows_of(model.config(), values);
        let mut rest = rows.as_slice();
        let sequences: Vec<&[Vec<f64>]> = lengths
            .into_iter()
            .map(|length| {
                let (sequence, others) = rest.split_at(length.min(rest.len()));
                rest = others;
                sequence
            })
            .collect();
        let run = |sequence: &&[Vec<f64>]| {
            let values = normalise::normalise(&model.config().channels, sequence.iter()).concat();
            model.outputs(network::Input::Values(&values))
        };
        let logits: Vec<Logits> = py.detach(|| sequences.par_iter().map(run).collect());
        Ok(answers(py, model.config(), logits.iter().map(|logits| (true, logits))))
    }

    /// Predicts the rows after those of a table, whose columns are the channels. Returns the JSON that `tern predict`
    /// prints.
    fn forecast(&self, py: Python<'_>, table: PathBuf) -> PyResult<String> {
        self.check_task(Task::Forecast)?;
        let options = PredictOptions { trace: false, top: 0, layout: Layout::default() };
        let predict = || {
            let outputs = handler_of(self.model()).predict(self.model(), &table.to_string_lossy(), options)?;
            Ok(outputs.first().map(|output| output.json.to_string()).unwrap_or_default())
        };
        py.detach(predict).map_err(|error: anyhow::Error| failed(error))
    }

    /// Measures the model on a data file. Returns the JSON that `tern eval` prints.
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
    fn model(&self) -> &dyn api::Model {
        match &self.kind {
            Kind::Float(model) => model.as_ref(),
            Kind::Device(file) => file.as_ref(),
        }
    }

    fn check_input(&self, expected: Input) -> PyResult<()> {
        match (self.model().config().input, expected) {
            (found, expected) if found == expected => Ok(()),
            (Input::Tokens, _) => Err(TernError::new_err("the model reads text, expected strings")),
            (Input::Values, _) => Err(TernError::new_err("the model reads numbers, expected arrays [steps, channels]")),
        }
    }

    fn check_task(&self, expected: Task) -> PyResult<()> {
        let found = self.model().config().task;
        if found == expected {
            return Ok(());
        }
        let problem = format!("the task of the model is {}, expected {}", found.name(), expected.name());
        Err(TernError::new_err(problem))
    }
}

/// Returns the answers for the logits of each input. The `bool` before them is false for a text without a token of the
/// vocabulary.
fn answers<'py, 'l>(
    py: Python<'py>,
    config: &Config,
    logits: impl Iterator<Item = (bool, &'l Logits)>,
) -> Answers<'py> {
    let (mut bytes, mut answered) = (Vec::new(), Vec::new());
    for (is_known, logits) in logits {
        answered.push(is_known && !config.refuses(logits));
        bytes.extend(logits.nats().into_iter().flat_map(f64::to_le_bytes));
    }
    (PyBytes::new(py, &bytes), answered)
}
