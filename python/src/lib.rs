//! The extension module of the Python package `tern`: a thin layer on `tern_trainer` and `tern_runtime`.
//!
//! `work` trains and writes files, `models` runs loaded models, `session` runs a device file step by step. Objects
//! cross the border as JSON, arrays as the bytes of their 64-bit floats; `tern/*.py` makes dictionaries and arrays.

mod models;
mod session;
mod work;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::ffi::OsString;
use std::io::{Write, stdout};
use tern_trainer::{api, cli};

pyo3::create_exception!(tern, TernError, PyValueError, "A file, a value or data that Tern refuses.");

/// The Python exception for an error, with the text that the command `tern` prints.
fn failed(error: impl Into<anyhow::Error>) -> PyErr {
    TernError::new_err(cli::with_causes(&error.into()))
}

/// Passes notes and warnings to Python's `logging`, in place of stderr.
fn log_to_python() {
    api::log_to(|line| {
        let (method, text) = match line.strip_prefix("warning: ") {
            Some(text) => ("warning", text),
            None => ("info", line),
        };
        Python::attach(|py| {
            let logger = py.import("logging").and_then(|logging| logging.call_method1("getLogger", ("tern",)));
            if let Err(error) = logger.and_then(|logger| logger.call_method1(method, (text,))) {
                error.write_unraisable(py, None);
            }
        });
    });
}

/// Runs the command `tern` with these arguments, the first of which is the program's name. Returns the exit status.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| {
        let status = cli::run_from(arguments);
        // The interpreter ends the process without the work that Rust does at its end.
        let _ = stdout().flush();
        status
    })
}

#[pymodule]
fn _tern(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("TernError", module.py().get_type::<TernError>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<models::Model>()?;
    module.add_class::<session::Session>()?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_function(wrap_pyfunction!(work::train, module)?)?;
    module.add_function(wrap_pyfunction!(work::fit, module)?)?;
    module.add_function(wrap_pyfunction!(work::export, module)?)?;
    module.add_function(wrap_pyfunction!(work::write_report, module)?)?;
    module.add_function(wrap_pyfunction!(work::import_model, module)?)
}
