//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::messages::SEED;
use crate::setup::Needs;

/// Set-up, demo, tests and lints of the Tern repository.
///
/// No command asks anything. Exit status: 0 done, 1 the work failed, 2 the command line was wrong.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
#[command(
    after_help = "Examples:\n  cargo xtask demo        train a model and talk to it on an emulated Cortex-M4\n  \
    cargo xtask lint        what a change must pass first\n  cargo xtask test        all tests, on the host and \
    on the emulator"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Train the building model, export it, run it on an emulated Cortex-M4, print what it cost.
    ///
    /// Makes the data, trains for some minutes, compares every label and logit of the device with the host, types a
    /// few messages at the device's console, and closes with a table of figures. Everything it makes lies in
    /// target/demo/. Sets up what is missing first.
    #[command(
        after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --epochs 2     a quick look, a poor model"
    )]
    Demo(DemoOptions),
    /// Run all tests, on the host and on the emulator.
    ///
    /// Sets up what is missing, builds the firmware, tests what of it runs on the host, then the whole workspace with
    /// its end-to-end tests. The last line sums up all suites.
    #[command(after_help = "Example:\n  cargo xtask test")]
    Test,
    /// Check formatting, clippy for every target, and docs.
    ///
    /// All checks run, also after one has failed. Sets up what is missing first.
    #[command(after_help = "Example:\n  cargo xtask lint")]
    Lint,
    /// Print lines, files and import circles of each package.
    ///
    /// Fails if files of one crate import each other in a circle, or import against the order of folders in
    /// docs/architecture.md. Code under `#[cfg(test)]` is left out. Part of `cargo xtask lint`.
    #[command(after_help = "Examples:\n  cargo xtask imports\n  cargo xtask imports --json")]
    Imports {
        /// Read the repository in this folder instead.
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Build the release firmware and print where its ELF file lies.
    ///
    /// Sets up its compiler target first.
    #[command(after_help = "Examples:\n  cargo xtask firmware\n  cargo xtask firmware --board nrf52840-dk")]
    Firmware {
        /// The board that it is for.
        #[arg(long, value_name = "NAME", value_parser = board_names(), default_value = tern_boards::DEFAULT.name)]
        board: String,
    },
    /// Check the licences, versions, sources and advisories of all dependencies, by deny.toml.
    ///
    /// cargo-deny looks at both workspaces. Where the database of advisories cannot be had, that part is skipped and the
    /// command says so. Sets up cargo-deny first.
    #[command(after_help = "Example:\n  cargo xtask deny")]
    Deny,
    /// Build a board's firmware twice from nothing and compare the ELF files.
    #[command(after_help = "Example:\n  cargo xtask reproducible --board riscv32-virt")]
    Reproducible {
        /// The board.
        #[arg(long, value_name = "NAME", value_parser = board_names(), default_value = tern_boards::DEFAULT.name)]
        board: String,
    },
    /// Build the firmware of every board and print a table of flash and RAM.
    ///
    /// The figures come from the ELF files. docs/boards.md holds the table.
    #[command(after_help = "Examples:\n  cargo xtask boards\n  cargo xtask boards --write")]
    Boards {
        /// Put the table into docs/boards.md.
        #[arg(long)]
        write: bool,
    },
    /// Show that the runtime neither panics nor allocates, and that this would be seen.
    ///
    /// Links an image that calls every public function, for every target that the runtime is for; then the same with a panic and with
    /// an allocation in it, which must not be linked. `lint` and `test` do so, too. Sets up the compiler targets first.
    #[command(after_help = "Example:\n  cargo xtask proof")]
    Proof,
    /// Print the flash that a small classifier's code takes, and fail where it takes too much.
    ///
    /// Links an image that loads a classifier, reads text by words and says which label, for the least flash, and reads its ELF file: the
    /// largest symbols, all targets, and the LSTM path (its step and its tables) apart. The limits are those of thumbv7em-none-eabihf.
    /// `lint` holds them, too. Sets up the compiler targets first.
    #[command(
        after_help = "Examples:\n  cargo xtask size\n  cargo xtask size --features     what each feature of the runtime adds, too\n  \
            cargo xtask size --json         an object a row"
    )]
    Size {
        /// Print one JSON object a row.
        #[arg(long)]
        json: bool,
        /// Build the image once more with each feature of the runtime.
        #[arg(long)]
        features: bool,
    },
    /// Run tests of the runtime in Miri, which sees undefined behaviour.
    ///
    /// Those that reach every `unsafe` that a host compiles, on the nightly compiler: some minutes. Installs nothing: where Miri is missing it
    /// says how to get it. No other command needs it.
    #[command(after_help = "Example:\n  cargo xtask miri")]
    Miri,
    /// Compile the training path for NVIDIA GPUs, and run its tests where there is one.
    ///
    /// Takes the CUDA toolkit that CUDA_PATH or the PATH has, or installs what compiling needs from PyPI into target/cuda (1.2 GB,
    /// needs python3). No other command needs it.
    #[command(after_help = "Example:\n  cargo xtask cuda")]
    Cuda,
    /// Measure what things cost.
    #[command(subcommand)]
    Bench(Bench),
    /// Install compiler targets, emulator and log reader where they are missing.
    ///
    /// Looks first and installs only what is not there, so a second run is quick. The emulator comes from the
    /// system's packages (apt-get, as root or with sudo that asks no password); where that is not possible, the
    /// command fails and says what to install. The other commands call this by themselves.
    #[command(after_help = "Examples:\n  cargo xtask setup\n  cargo xtask setup --for lint      no emulator")]
    Setup {
        /// Only what this command needs.
        #[arg(long = "for", value_name = "COMMAND", value_enum, default_value_t = Needs::Test)]
        needs: Needs,
    },
    /// Write the demo's data: train.csv and heldout.csv, made from a grammar.
    ///
    /// The same seed gives the same bytes on every machine. heldout.csv comes from templates that train.csv never
    /// uses, so it measures how a model deals with sentences of a new build.
    #[command(after_help = "Examples:\n  cargo xtask data\n  cargo xtask data -o /tmp/messages --seed 8\n  \
        cargo xtask data --baselines     what rules without a model reach")]
    Data(DataOptions),
}

fn board_names() -> clap::builder::PossibleValuesParser {
    tern_boards::BOARDS.each_ref().map(|board| board.name).into()
}

/// What `bench` measures.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Count the instructions of the runtime's steps on emulated cores.
    ///
    /// Builds firmware/bench for each core, runs it in QEMU over random LSTMs of four sizes in both packings, GRUs and plain cells, and counts every instruction executed by
    /// 256 steps. A core whose states differ from the host's is a failure. The figures are the same on every run. Sets up
    /// what is missing first.
    #[command(
        after_help = "Examples:\n  cargo xtask bench device\n  cargo xtask bench device --json      an object a row\n  \
            cargo xtask bench device --check     fail where a committed figure got worse by more than 2 %\n  \
            cargo xtask bench device --bless     commit to these figures"
    )]
    Device {
        /// Print one JSON object a row.
        #[arg(long)]
        json: bool,
        /// Fail where a figure is worse by more than 2 % than in xtask/golden/bench_device.json.
        #[arg(long, conflicts_with = "bless")]
        check: bool,
        /// Write the figures to xtask/golden/bench_device.json.
        #[arg(long)]
        bless: bool,
    },
    /// Run the texts of a table through a model on every emulated core: the same bits as on the host.
    ///
    /// Compares the state after every token and the logits after every text, on Cortex-M4 with DSP instructions, M3, M0+ and RISC-V. Sets
    /// up what is missing first.
    #[command(after_help = "Example:\n  cargo xtask bench splits sms.safetensors sms/validation.csv")]
    Splits(crate::bench::splits::Options),
    /// Measure how fast integer models run on this machine, beside the floats that they come from.
    ///
    /// Trains a small model of each cell on the demo's messages, exports it, and lets `tern eval` run both over the same texts on one
    /// thread, in turn, so that what else the machine does meets both; tokens a second and ratios are medians over the turns. Builds the
    /// release trainer first; takes a few minutes.
    #[command(
        after_help = "Examples:\n  cargo xtask bench host\n  cargo xtask bench host --json      an object a row\n  \
            cargo xtask bench host --model m --data m/validation.csv"
    )]
    Host(crate::bench::host::Options),
    /// Measure how fast a training goes, beside PyTorch and candle-nn.
    ///
    /// All programs take whole training steps over the same random texts, in turn, so that what else the machine does meets
    /// all of them; the ratios are medians over the turns. Then our own time a token for texts of four lengths. Builds the release
    /// trainer first; takes some minutes.
    #[command(
        after_help = "Examples:\n  cargo xtask bench train --python venv/bin/python\n  cargo xtask bench train --quick --json\n  \
            cargo xtask bench train --data imdb.csv     the memory of an epoch too"
    )]
    Train(crate::bench::train::Options),
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoOptions {
    /// Train for at most so many epochs instead of the recipe's.
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
}

/// Options of `data`.
#[derive(Debug, Args)]
pub struct DataOptions {
    /// Folder for the files; made where it is missing [default: target/demo].
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Where the random numbers start.
    #[arg(long, value_name = "N", default_value_t = SEED)]
    pub seed: u64,
    /// Also measure what single keywords and naive Bayes reach on the data.
    #[arg(long)]
    pub baselines: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn wrong_command_lines_are_refused_with_status_2() {
        for line in [&["xtask", "bake"][..], &["xtask"], &["xtask", "data", "--seed", "x"]] {
            let error = Arguments::try_parse_from(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line:?}");
        }
    }
}
