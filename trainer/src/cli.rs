//! The command line. Each subcommand's options are in its own file under [`commands`](crate::commands).

use crate::commands::{
    classify, compare, console, data, eval, export, flash, generate, import, inspect, key, predict, push, report, sign,
    train,
};
use clap::{Parser, Subcommand};

/// Trains small recurrent networks on text and numbers, and runs them in integers on a microcontroller.
#[derive(Debug, Parser)]
#[command(name = "tern", version, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 the work failed, 2 the command line was wrong.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show, convert and split data.
    Data(data::Args),
    /// Train a model: on labelled texts, a text, sequences or a series of numbers.
    Train(Box<train::Args>),
    /// Make a model of weights that PyTorch has trained.
    Import(import::Args),
    /// Quantise a model to a file that devices execute in place.
    Export(export::Args),
    /// Measure a model on data with the answers.
    Eval(eval::Args),
    /// Classify texts or sequences, or say what comes next.
    Predict(predict::Args),
    /// Write text with a language model.
    Generate(generate::Args),
    /// Write a page on a model: curves, confusion, calibration, mistakes.
    Report(report::Args),
    /// Compare two models on the same texts.
    Compare(compare::Args),
    /// Show what a device file holds and costs.
    Inspect(inspect::Args),
    /// Classify texts on a device, and compare with this computer.
    Classify(classify::Args),
    /// Talk with a device.
    Console(console::Args),
    /// Write a firmware or a model to a board.
    Flash(flash::Args),
    /// Bring a model to a device, over its serial port.
    Push(push::Args),
    /// Sign a device file for devices that want that.
    Sign(sign::Args),
    /// Make keys to sign models with.
    Key(key::Args),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn no_two_options_are_called_the_same() {
        Cli::command().debug_assert();
    }
}
