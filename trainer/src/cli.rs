//! The command line. Each subcommand's options are in its own file under [`commands`](crate::commands).

use crate::commands::{
    classify, compare, console, data, eval, export, flash, generate, import, inspect, key, predict, push, report, sign,
    train,
};
use clap::{Parser, Subcommand};

/// Trains small recurrent networks on text and numbers, and runs them in integers on a microcontroller.
#[derive(Debug, Parser)]
#[command(name = "tern", version, max_term_width = 100)]
#[command(after_help = "\
Exit codes:
  0    done
  1    the work failed
  2    the command line was wrong
  130  interrupted by Ctrl-C; after `tern train` the model is usable and can be resumed
  143  terminated by SIGTERM; as 130

Run `tern COMMAND --help` for options and examples.")]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show, convert and split data
    Data(data::Args),
    /// Train a model on labelled texts, plain text, sequences of numbers or a time series
    Train(Box<train::Args>),
    /// Import a state_dict from PyTorch
    Import(import::Args),
    /// Quantise a model and write the device file
    Export(export::Args),
    /// Evaluate a model on labelled data
    Eval(eval::Args),
    /// Predict labels, next tokens or the next values of a time series
    Predict(predict::Args),
    /// Generate text with a language model
    Generate(generate::Args),
    /// Write the report of a model: curves, confusion matrix, calibration, mistakes
    Report(report::Args),
    /// Compare two models on the same data
    Compare(compare::Args),
    /// Show the contents and the cost of a device file
    Inspect(inspect::Args),
    /// Classify texts on a device and compare the logits with this computer
    Classify(classify::Args),
    /// Connect to the console of a device
    Console(console::Args),
    /// Write firmware or a model to a board with a debug probe
    Flash(flash::Args),
    /// Send a model to a device over its serial port
    Push(push::Args),
    /// Sign a device file for firmware with a key
    Sign(sign::Args),
    /// Create keys for signing models
    Key(key::Args),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn options_are_well_formed() {
        Cli::command().debug_assert();
    }
}
