//! The `tern` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    tern_trainer::commands::run(&<tern_trainer::cli::Cli as clap::Parser>::parse())
}
