//! The extension module of the Python package `tern`: a thin layer on `tern_trainer` and `tern_runtime`.
//!
//! `work` trains and writes files, `models` runs loaded models, `session` runs a device file step by step. Dictionaries
//! are passed as JSON, arrays as the bytes of 64-bit floats; the Python files of the package, `tern/*.py`, convert
//! both.

mod errors;
mod models;
mod rows;
mod session;
mod work;

use errors::TernError;
use pyo3::prelude::*;
use std::ffi::OsString;
use std::io::{Write, stdout};
use tern_trainer::cli;

/// Runs the command `tern` with these arguments, the first of which is the program's name. Returns the exit status.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| {
        let status = cli::run_from(arguments);
        // The interpreter ends the process without the clean-up of Rust, which would flush stdout.
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
