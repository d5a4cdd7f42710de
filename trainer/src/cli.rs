//! The command line: parses it, runs the subcommand and turns its result into an exit status.
//!
//! Each subcommand's options are in its own file under `commands`.

use crate::commands::{self, Failure, note};
use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Trains small recurrent networks on text and numbers, and runs them in integers on a microcontroller.
#[derive(Debug, Parser)]
#[command(name = "tern", version, max_term_width = 100)]
#[command(after_help = "\
Exit codes:
  0    done
  1    the work failed
  2    the command line was wrong
  129  ended by SIGHUP; as 130
  130  interrupted by Ctrl-C; after `tern train` and `tern fit` the model is usable
       and the work can be resumed
  138  ended by SIGUSR1, which mpirun passes on; as 130
  143  terminated by SIGTERM; as 130

Run `tern COMMAND --help` for options and examples.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a project with sample data, a recipe and firmware
    New(commands::new::Args),
    /// Show, convert and split data
    Data(commands::data::Args),
    /// Train a model on labelled texts, plain text, sequences of numbers or a time series
    Train(Box<commands::train::Args>),
    /// Find the most accurate classifier that fits a device
    Fit(Box<commands::fit::Args>),
    /// Import a state_dict from PyTorch
    Import(commands::import::Args),
    /// Quantise a model and write the device file
    Export(commands::export::Args),
    /// Evaluate a model on labelled data
    Eval(commands::eval::Args),
    /// Predict labels, next tokens or the next values of a time series
    Predict(commands::predict::Args),
    /// Generate text with a language model
    Generate(commands::generate::Args),
    /// Write the report of a model: curves, confusion matrix, calibration, mistakes
    Report(commands::report::Args),
    /// Compare two models on the same data
    Compare(commands::compare::Args),
    /// Show the contents and the cost of a device file
    Inspect(commands::inspect::Args),
    /// Classify texts on a device and compare the logits with this computer
    Classify(commands::classify::Args),
    /// Connect to the console of a device
    Console(commands::console::Args),
    /// Write firmware or a model to a board with a debug probe
    Flash(commands::flash::Args),
    /// Send a model to a device over its serial port
    Push(commands::push::Args),
    /// Download a model of the Hugging Face hub
    #[cfg(feature = "hub")]
    Pull(commands::pull::Args),
    /// Upload a model to the Hugging Face hub
    #[cfg(feature = "hub")]
    Upload(commands::upload::Args),
    /// Sign a device file for firmware with a key
    Sign(commands::sign::Args),
    /// Create keys for signing models
    Key(commands::key::Args),
    /// Print the completions of commands and options for a shell
    #[command(after_help = "\
Examples:
  tern completions bash > ~/.local/share/bash-completion/completions/tern
  tern completions zsh > ~/.zfunc/_tern
  tern completions fish > ~/.config/fish/completions/tern.fish")]
    Completions {
        /// Shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Write the manual pages of all commands
    #[command(after_help = "Example:\n  tern man ~/.local/share/man/man1 && man tern-train")]
    Man {
        /// Folder for the pages, created if it does not exist
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Runs the command that the arguments of this process name, and returns its exit status.
pub fn run() -> ExitCode {
    ExitCode::from(run_from(std::env::args_os()))
}

/// Parses a command line, whose first argument is the program's name, and runs its command. Prints errors on stderr.
/// Returns the exit status, one of those that `tern --help` lists.
pub fn run_from(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // If stdout or stderr is closed, the exit status is still that of the parse error.
            let _ = error.print();
            // 0 for --help and --version, 2 for a wrong command line.
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    let result = match &cli.command {
        Command::New(args) => commands::new::run(args),
        Command::Data(args) => commands::data::run(args),
        Command::Train(args) => commands::train::run(args),
        Command::Fit(args) => commands::fit::run(args),
        Command::Import(args) => commands::import::run(args),
        Command::Export(args) => commands::export::run(args),
        Command::Eval(args) => commands::eval::run(args),
        Command::Predict(args) => commands::predict::run(args),
        Command::Generate(args) => commands::generate::run(args),
        Command::Report(args) => commands::report::run(args),
        Command::Compare(args) => commands::compare::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Classify(args) => commands::classify::run(args),
        Command::Console(args) => commands::console::run(args),
        Command::Flash(args) => commands::flash::run(args),
        Command::Push(args) => commands::push::run(args),
        #[cfg(feature = "hub")]
        Command::Pull(args) => commands::pull::run(args),
        #[cfg(feature = "hub")]
        Command::Upload(args) => commands::upload::run(args),
        Command::Sign(args) => commands::sign::run(args),
        Command::Key(args) => commands::key::run(args),
        Command::Completions { shell } => completions(*shell),
        Command::Man { folder } => manual_pages(folder),
    };
    let Err(error) = result else { return 0 };
    // A program such as `head` closes the pipe when it has read enough: that is no error.
    let io_error: Option<&io::Error> = error.downcast_ref();
    if io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return 0;
    }
    // An interrupted command has printed its message already.
    if !matches!(error.downcast_ref(), Some(Failure::Interrupted(_))) {
        note(format_args!("error: {}", with_causes(&error)));
    }
    Failure::status(&error)
}

/// Prints the completions for a shell.
fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tern", &mut script);
    Ok(io::stdout().write_all(&script)?)
}

/// Writes a manual page for `tern` and for each of its commands.
fn manual_pages(folder: &Path) -> anyhow::Result<()> {
    let folder_name = || folder.display().to_string();
    std::fs::create_dir_all(folder).with_context(folder_name)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(folder_name)?;
    note(format_args!("wrote the pages of tern(1) to {}", folder.display()));
    Ok(())
}

/// Returns the messages of an error and of its causes, joined by colons. A cause is left out if the messages before it
/// already end with its message.
pub fn with_causes(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !message.ends_with(&cause) {
            message += &format!(": {cause}");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_well_formed() {
        Cli::command().debug_assert();
    }
}
