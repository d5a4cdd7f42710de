//! The subcommands, one file each with its options and its work, and the functions that they share.

pub mod classify;
pub mod compare;
pub mod console;
pub mod data;
pub mod eval;
pub mod export;
pub mod fit;
pub mod flash;
pub mod generate;
pub mod import;
pub mod inspect;
mod interrupt;
pub mod key;
pub mod new;
pub mod predict;
mod progress_bar;
#[cfg(feature = "hub")]
pub mod pull;
pub mod push;
pub mod quantities;
pub mod report;
pub mod sign;
mod table;
pub mod train;
mod uf2;
#[cfg(feature = "hub")]
pub mod upload;

use crate::device_file::DeviceFile;
use crate::distributed::{self, Processes};
use crate::float_model::FloatModel;
use crate::model::Model;
pub use crate::progress::note;
use crate::tasks::CommandOutput;
use serde_json::Value;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The errors of a command whose exit status is not 1. Every other error means that the work failed: status 1.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line was wrong: status 2.
    #[error("{0}")]
    Usage(String),
    /// A signal ended the work early. The field is the exit status: 128 plus the signal's number.
    #[error("interrupted")]
    Interrupted(u8),
}

impl Failure {
    /// Returns the exit status of a command that ends with `error`.
    pub fn status(error: &anyhow::Error) -> u8 {
        match error.downcast_ref() {
            Some(Failure::Interrupted(status)) => *status,
            Some(Failure::Usage(_)) => 2,
            None => 1,
        }
    }
}

/// The connection of a training or a search to the program that runs it.
pub struct Hooks<'a> {
    /// The processes that share the work: [`OneProcess`](tern_nn::process_group::OneProcess) if there is only this one.
    pub processes: &'a dyn Processes,
    /// The caller sets it to true to end the work after the running batch.
    pub stop: &'a AtomicBool,
    /// Called after each epoch of a training and after each trial of a search, with its figures as a JSON object.
    pub on_figures: &'a mut (dyn FnMut(Value) + Send),
}

/// Runs the command `work` in this process, which may be one of several that a launcher such as `mpirun` started, and
/// waits until all processes have ended it. Returns the result in the process of rank 0, the first one, and `Ok` in the
/// others. Fails if the processes cannot be connected.
fn in_all_processes(work: impl FnOnce(&dyn Processes) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let processes = distributed::join()?;
    let result = work(processes.as_ref());
    let status = result.as_ref().err().map_or(0, Failure::status);
    let message = match &result {
        Ok(()) => None,
        // After a signal all processes end after the same batch. To `leave` this is a normal end, without a message.
        Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted(_))) => None,
        Err(error) => Some(format!("{error:#}")),
    };
    distributed::leave(processes.as_ref(), message.as_deref(), status);
    // All processes have the same result, and rank 0 prints it. The others succeed, since a launcher kills all
    // processes, rank 0 among them, once one exits with an error.
    if processes.rank() == 0 { result } else { Ok(()) }
}

/// Loads the model at `path`: a model directory, which runs in floats, or a device file, which runs in integers. Notes
/// the signer of a signed device file on stderr. Fails if the model cannot be loaded.
pub fn open_model(path: &Path) -> anyhow::Result<Box<dyn Model>> {
    if path.is_file() { Ok(Box::new(open_device_file(path)?)) } else { Ok(Box::new(FloatModel::load(path)?)) }
}

/// Loads a device file, and notes the signer of a signed one on stderr. The signature is not verified.
fn open_device_file(path: &Path) -> anyhow::Result<DeviceFile> {
    let file = DeviceFile::open(path)?;
    if let Some(signed) = file.signed() {
        note(format_args!("{}: {signed}; signature not checked", path.display()));
    }
    Ok(file)
}

/// Writes a line to stdout.
fn print(line: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// Writes the output of a task to stdout: its JSON object if `json` is true, otherwise its lines.
fn print_output(output: &CommandOutput, json: bool) -> anyhow::Result<()> {
    if json { print(&output.json) } else { output.lines.iter().try_for_each(print) }
}
