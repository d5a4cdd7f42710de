//! The subcommands, one file each: its options, and what it does with them.

pub mod classify;
pub mod compare;
pub mod console;
pub mod data;
pub mod eval;
pub mod export;
pub mod flash;
pub mod generate;
pub mod import;
pub mod inspect;
pub mod key;
pub mod predict;
mod progress_bar;
pub mod push;
pub mod report;
pub mod sign;
pub mod table;
pub mod train;

use crate::cli::{Cli, Command};
use crate::device_file::DeviceFile;
pub use crate::display::visible;
use crate::float_model::FloatModel;
use crate::model::Model;
use crate::tasks::CommandOutput;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line was wrong: status 2.
    #[error("{0}")]
    Usage(String),
    /// The work failed: status 1.
    #[error("{}", chain(.0))]
    Work(#[from] anyhow::Error),
    /// A signal ended the work early: status 128 plus the signal's number.
    #[error("interrupted")]
    Interrupted(u8),
}

/// Runs a command. Errors go to stderr.
///
/// Returns 0 where the work is done, 1 where it failed, 2 where the command line was wrong.
pub fn run(cli: &Cli) -> ExitCode {
    let result = match &cli.command {
        Command::Train(args) => train::run(args),
        Command::Data(args) => data::run(args),
        Command::Export(args) => export::run(args),
        Command::Import(args) => import::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Report(args) => report::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Classify(args) => classify::run(args),
        Command::Console(args) => console::run(args),
        Command::Flash(args) => flash::run(args),
        Command::Push(args) => push::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Key(args) => key::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Work(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(Failure::Interrupted(status)) => ExitCode::from(status),
        Err(failure) => {
            note(format_args!("error: {failure}"));
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

/// An error and its causes, each said once: some errors name their cause themselves.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |message, cause| match message.as_str() {
        "" => cause,
        _ if message.ends_with(&cause) => message,
        _ => format!("{message}: {cause}"),
    })
}

/// Loads the model at `path`: a model directory, which runs in floats, or a device file, which runs in integers. Prints
/// the signer of a signed file.
///
/// # Errors
///
/// See [`LoadError`](crate::float_model::LoadError) and [`DeviceFileError`](crate::device_file::DeviceFileError).
pub fn open_model(path: &Path) -> anyhow::Result<Box<dyn Model>> {
    if !path.is_file() {
        return Ok(Box::new(FloatModel::load(path)?));
    }
    let file = DeviceFile::open(path)?;
    if let Some(signed) = file.signed() {
        note(format_args!("{}: {signed}; signature not checked", path.display()));
    }
    Ok(Box::new(file))
}

/// Writes a line to stdout.
///
/// # Errors
///
/// What the system says.
pub fn print(line: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// Writes the output of a task to stdout: its JSON object, or else its lines.
fn print_output(output: &CommandOutput, json: bool) -> anyhow::Result<()> {
    if json { print(&output.json) } else { output.lines.iter().try_for_each(print) }
}

/// Writes a line to stderr. Where nobody listens any more the work goes on: it is what counts.
pub fn note(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The reader of our output has seen enough: that is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
