//! The Python functions that train, search, export, import and write reports. Each calls the function behind the
//! command of `tern` with the same purpose, and its arguments are that command's options.

use crate::errors::{failed, log_to_python};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use tern_format::Packing;
use tern_trainer::api::{
    self, ExportArgs, FitArgs, Fitting, Hooks, ImportArgs, OneProcess, RecipeOptions, TrainArgs, Training, duration,
    size,
};
use tern_trainer::recipe::Bits;

/// The time between two checks for a signal.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// The JSON of the result, and the exception of the callback or of Ctrl-C that stopped the work. Both are present if
/// the stopped work wrote a model; at least one is.
type Outcome = (Option<String>, Option<PyErr>);

/// Runs `work` on a new thread. Meanwhile the calling thread calls `callback` with the JSON of each epoch or trial (one
/// training of a search) and checks for Ctrl-C. Both may raise an exception; the first one stops the work after the
/// current batch and is part of the outcome. Fails if the work fails for another reason.
fn supervise(
    py: Python<'_>,
    callback: &Bound<'_, PyAny>,
    work: impl FnOnce(&mut Hooks<'_>) -> anyhow::Result<String> + Send,
) -> PyResult<Outcome> {
    log_to_python();
    let stop = &AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel::<Value>();
    // Only this thread receives. The mutex is there because `detach`, which releases the interpreter's lock, takes only
    // closures that another thread could run.
    let receiver = Mutex::new(receiver);
    let mut raised: Option<PyErr> = None;
    let result = thread::scope(|scope| {
        let worker = scope.spawn(move || {
            // Sending cannot fail: the receiver lives until the work is done.
            let mut on_figures = |figures: Value| drop(sender.send(figures));
            work(&mut Hooks { processes: &OneProcess, stop, on_figures: &mut on_figures })
        });
        loop {
            let received = py.detach(|| match receiver.lock() {
                Ok(receiver) => receiver.recv_timeout(SIGNAL_INTERVAL),
                Err(_) => Err(RecvTimeoutError::Disconnected),
            });
            let callback_result = match received {
                // After an exception, the callback is not called any more.
                Ok(figures) if raised.is_none() => callback.call1((figures.to_string(),)).map(drop),
                Ok(_) | Err(RecvTimeoutError::Timeout) => Ok(()),
                // The work is done: it has dropped the sender.
                Err(RecvTimeoutError::Disconnected) => break,
            };
            // `check_signals` runs the signal handlers of Python: that of Ctrl-C raises KeyboardInterrupt.
            let callback_and_signals = callback_result.and_then(|()| py.check_signals());
            if let Err(exception) = callback_and_signals
                && raised.is_none()
            {
                raised = Some(exception);
                stop.store(true, Ordering::Relaxed);
            }
        }
        py.detach(|| worker.join())
    });
    match (result, raised) {
        (Ok(Ok(json)), raised) => Ok((Some(json), raised)),
        // Work that is stopped early may have no model to write, which is an error of its own.
        (Ok(Err(_)), Some(exception)) => Ok((None, Some(exception))),
        (Ok(Err(error)), None) => Err(failed(error)),
        // The thread panicked.
        (Err(_), _) => Err(PyRuntimeError::new_err("an internal error of Tern, printed above; please report it")),
    }
}

/// Returns the settings of a recipe from keyword arguments, a JSON object.
fn settings(json: &str) -> anyhow::Result<RecipeOptions> {
    let keys: Map<String, Value> = serde_json::from_str(json)?;
    Ok(RecipeOptions::from_keys(&keys)?)
}

/// Returns the packing (the memory layout of the recurrent weights) with a name. `rows` cannot be chosen: `tern export`
/// uses it only for weights of 4 or 16 bits.
fn packing_named(name: &str) -> anyhow::Result<Packing> {
    match Packing::from_name(name) {
        Some(packing) if packing != Packing::Rows => Ok(packing),
        _ => anyhow::bail!("packing is {name:?}, expected paired16 or interleaved4; leave it out for the default"),
    }
}

/// Parses the argument `name` with `parse`, a parser of the command line, whose error begins with "expected".
fn parsed<T>(name: &str, text: &str, parse: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<T> {
    parse(text).map_err(|expected| anyhow::anyhow!("{name} is {text:?}, {expected}"))
}

/// Trains a model. `keys`: the settings of the recipe as a JSON object. Returns the JSON of `metrics.json`.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the options of `tern train`")]
pub fn train(
    py: Python<'_>,
    input: PathBuf,
    output: PathBuf,
    keys: &str,
    baselines: bool,
    resume: bool,
    checkpoint_seconds: u64,
    tensorboard: Option<PathBuf>,
    callback: &Bound<'_, PyAny>,
) -> PyResult<Outcome> {
    let args = TrainArgs {
        no_baselines: !baselines,
        resume,
        checkpoint_seconds,
        tensorboard,
        ..TrainArgs::new(&input, &output, settings(keys).map_err(failed)?)
    };
    supervise(py, callback, |hooks| Ok(Training::prepare(&args, &OneProcess)?.run(hooks)?.figures.to_string()))
}

/// Searches for the most accurate classifier within a budget. `keys`: the settings that all candidates have, as a JSON
/// object. Returns the JSON that `tern fit --json` prints.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the options of `tern fit`")]
pub fn fit(
    py: Python<'_>,
    input: PathBuf,
    output: PathBuf,
    flash: String,
    ram: Option<String>,
    max_instructions: Option<u64>,
    time: Option<String>,
    trials: u64,
    resume: bool,
    keys: &str,
    callback: &Bound<'_, PyAny>,
) -> PyResult<Outcome> {
    let args = || -> anyhow::Result<FitArgs> {
        let flash = parsed("flash", &flash, size)?;
        let ram = ram.map(|text| parsed("ram", &text, size)).transpose()?;
        let time = time.map(|text| parsed("time", &text, duration)).transpose()?;
        anyhow::ensure!((1..=1000).contains(&trials), "trials is {trials}, expected 1 to 1000");
        let defaults = FitArgs::new(&input, &output, flash, settings(keys)?);
        Ok(FitArgs { ram, max_instructions, time, trials, resume, ..defaults })
    };
    let args = args().map_err(failed)?;
    supervise(py, callback, |hooks| Ok(Fitting::prepare(&args, &OneProcess)?.run(hooks)?.to_string()))
}

/// Quantises a model directory and writes a device file. Returns the JSON that `tern export --json` prints.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the options of `tern export`")]
pub fn export(
    py: Python<'_>,
    model: PathBuf,
    output: PathBuf,
    data: Option<PathBuf>,
    golden: Option<PathBuf>,
    packing: Option<&str>,
    embedding_bits: Option<u32>,
    recurrent_bits: Option<u32>,
    fold: Option<String>,
    refuse_share: Option<f64>,
    refuse_label: Option<String>,
    c_array: Option<PathBuf>,
) -> PyResult<String> {
    log_to_python();
    let args = || -> anyhow::Result<ExportArgs> {
        let bits = |name: &str, count: Option<u32>| -> anyhow::Result<Option<Bits>> {
            let Some(count) = count else { return Ok(None) };
            let bits = Bits::of(count);
            anyhow::ensure!(bits.is_some(), "{name} is {count}, expected 4, 8 or 16");
            Ok(bits)
        };
        Ok(ExportArgs {
            data,
            golden,
            packing: packing.map(packing_named).transpose()?,
            embedding_bits: bits("embedding_bits", embedding_bits)?,
            recurrent_bits: bits("recurrent_bits", recurrent_bits)?,
            fold: fold.map(|text| parsed("fold", &text, size)).transpose()?,
            refuse_share,
            refuse_label,
            c_array,
            ..ExportArgs::new(&model, &output)
        })
    };
    let args = args().map_err(failed)?;
    py.detach(|| Ok(serde_json::to_string(&api::write_device_file(&args)?)?)).map_err(failed_any)
}

/// Writes the report of a model directory.
#[pyfunction]
pub fn write_report(py: Python<'_>, model: PathBuf, output: PathBuf) -> PyResult<()> {
    log_to_python();
    py.detach(|| api::write_page(&model, &output)).map(drop).map_err(failed)
}

/// Imports a PyTorch `state_dict` and writes a model directory. Returns the JSON that `tern import --json` prints.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the options of `tern import`")]
pub fn import_model(
    py: Python<'_>,
    weights: PathBuf,
    config: PathBuf,
    vocab: Option<PathBuf>,
    output: PathBuf,
    data: Option<PathBuf>,
    valid: Option<PathBuf>,
    check: Option<PathBuf>,
) -> PyResult<String> {
    log_to_python();
    let args = ImportArgs { data, valid, check, ..ImportArgs::new(&weights, &config, vocab.as_deref(), &output) };
    py.detach(|| Ok(api::write_model(&args)?.json(&args.output)?.to_string())).map_err(failed_any)
}

/// Calls [`failed`] with a fixed error type, which closures without a type annotation need.
fn failed_any(error: anyhow::Error) -> PyErr {
    failed(error)
}
