//! The conversion of errors to Python exceptions, and of Tern's notes and warnings, which the command `tern` prints on
//! stderr, to records of Python's `logging`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tern_trainer::{api, cli};

pyo3::create_exception!(tern, TernError, PyValueError, "A file, an argument or data that Tern does not accept.");

/// Returns the Python exception for an error, with the text that the command `tern` prints.
pub fn failed(error: impl Into<anyhow::Error>) -> PyErr {
    TernError::new_err(cli::with_causes(&error.into()))
}

/// Passes notes and warnings to the logger `tern` of Python's `logging` instead of stderr, from now on. A note has the
/// level INFO, a warning WARNING. An exception of a handler is printed by Python and otherwise ignored.
pub fn log_to_python() {
    api::log_to(|line| {
        let (method, text) = match line.strip_prefix("warning: ") {
            Some(text) => ("warning", text),
            None => ("info", line),
        };
        Python::attach(|py| {
            let log = || py.import("logging")?.call_method1("getLogger", ("tern",))?.call_method1(method, (text,));
            if let Err(error) = log() {
                error.write_unraisable(py, None);
            }
        });
    });
}
