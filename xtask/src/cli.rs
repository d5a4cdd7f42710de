//! The command line of `cargo xtask`, with its help.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use tern_boards::Board;

use crate::bench::{accuracy, device, early_exit, host, splits, train};
use crate::data::DataOptions;
use crate::demo::DemoOptions;
use crate::package::PackageOptions;
use crate::python;
use crate::setup::Purpose;

/// Set-up, demo, tests, checks and benchmarks of the Tern repository.
///
/// No command asks anything. Exit status: 0 success, 1 the command failed, 2 wrong command line.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
#[command(after_help = "Examples:\n  cargo xtask demo        train a model and run it on an emulated Cortex-M4\n  \
    cargo xtask lint        check formatting, code, comments and dependencies\n  cargo xtask test        run all \
    tests, on the host and on the emulator")]
pub struct Arguments {
    /// Command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train the demo's model, which classifies messages of a building, export it, and run it on an emulated Cortex-M4.
    ///
    /// Generates the data, trains for some minutes, compares every label and logit of the device with the host, types a
    /// few messages at the device's console, and prints a table of figures. All files are in target/demo/. Installs
    /// what is missing first. Takes about 15 minutes on a new checkout.
    #[command(after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --epochs 2     quick, with a poor model")]
    Demo(DemoOptions),
    /// Run all tests, on the host and on the emulator.
    ///
    /// Installs what is missing, builds the firmware, and runs the tests of all workspaces with the end-to-end tests.
    /// The last line sums up all suites.
    #[command(after_help = "Example:\n  cargo xtask test")]
    Test,
    /// Check formatting, clippy, comments, imports, code size, dependencies and docs.
    ///
    /// All checks run, even after one has failed. Installs what is missing first.
    #[command(after_help = "Example:\n  cargo xtask lint")]
    Lint,
    /// Check the form of comments in all Rust files.
    ///
    /// A comment is at most 120 columns wide, and documentation begins with a sentence or a noun phrase. Part of
    /// `cargo xtask lint`.
    Comments,
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
    /// Build the release firmware and print the path of its ELF file.
    ///
    /// Installs its compiler target first.
    #[command(after_help = "Examples:\n  cargo xtask firmware\n  cargo xtask firmware --board nrf52840-dk")]
    Firmware(BoardOption),
    /// Check licences, versions, sources and advisories of all dependencies against deny.toml.
    ///
    /// Runs cargo-deny on the workspaces of the root, firmware/ and c/. If the database of advisories cannot be
    /// reached, advisories are skipped, and the last line reports that. Installs cargo-deny first.
    #[command(after_help = "Example:\n  cargo xtask deny")]
    Deny,
    /// Build a board's firmware in two target folders and compare the ELF files.
    #[command(after_help = "Example:\n  cargo xtask reproducible --board riscv32-virt")]
    Reproducible(BoardOption),
    /// Build the firmware of every board and print a table of flash and RAM.
    ///
    /// A second table has the flash of each feature of the firmware. The figures come from the ELF files.
    /// docs/boards.md contains both tables.
    #[command(after_help = "Examples:\n  cargo xtask boards\n  cargo xtask boards --write")]
    Boards {
        /// Also write the tables into docs/boards.md.
        #[arg(long)]
        write: bool,
    },
    /// Show that the runtime neither panics nor allocates.
    ///
    /// Links an image that calls every public function, for every target of the runtime; then, for one target of each
    /// architecture, the same image with a panic and with an allocation, which must be rejected. Part of `lint` and
    /// `test`. Installs the compiler targets first.
    #[command(after_help = "Example:\n  cargo xtask proof")]
    Proof,
    /// Print the flash that the code of a small classifier takes, and check its limits.
    ///
    /// Links the smallest image that loads a classifier and prints the label of a text, and reads its ELF file: the
    /// largest symbols, all targets, and the LSTM path (step and tables) by itself. The limits apply to
    /// thumbv7em-none-eabihf. Part of `lint`. Installs the compiler targets first.
    #[command(
        after_help = "Examples:\n  cargo xtask size\n  cargo xtask size --features     the size of each feature\n  \
            cargo xtask size --json         one object for each row"
    )]
    Size {
        /// Print one JSON object for each row.
        #[arg(long)]
        json: bool,
        /// Also build the image with each feature of the runtime and print the difference.
        #[arg(long)]
        features: bool,
    },
    /// Build the static library for C for all targets and print its sizes.
    ///
    /// Writes target/c/TARGET/libtern.a and target/c/include/tern.h. Installs the compiler targets first.
    #[command(after_help = "Examples:\n  cargo xtask c\n  cargo xtask c --json      one object for each target")]
    C {
        /// Print one JSON object for each target.
        #[arg(long)]
        json: bool,
    },
    /// Build the wheel of the Python package, print its size, and run its tests.
    ///
    /// Installs the packages that the tests import from PyPI into target/python. Part of `test`, there with an
    /// unoptimised wheel.
    #[command(
        after_help = "Examples:\n  cargo xtask python\n  cargo xtask python --torch     also against PyTorch\n  cargo xtask python --trackers  also the callbacks for experiment trackers"
    )]
    Python(python::Options),
    /// Build the page that runs device files in a browser.
    ///
    /// Writes target/web/index.html, one file that needs no server and no network. Installs the compiler target first.
    #[command(after_help = "Example:\n  cargo xtask web")]
    Web,
    /// Make the packages that are published, and compile each from its own files.
    ///
    /// Writes target/package/NAME-VERSION.crate for tern-format, tern-boards, tern-runtime, tern-nn and tern-trainer,
    /// and publishes nothing. Part of `cargo xtask lint`.
    #[command(after_help = "Examples:\n  cargo xtask package\n  cargo xtask package --verify\n  \
            cargo xtask package --release v0.1.0     the checks before a release")]
    Package(PackageOptions),
    /// Make an archive of `tern` that needs no checkout.
    ///
    /// Writes target/dist/tern-VERSION-TARGET.tar.gz with the command for this computer, completions, manual pages, the
    /// firmware of the emulated boards and the models of the repository. Builds for release, for some minutes.
    #[command(after_help = "Example:\n  cargo xtask dist")]
    Dist {
        /// Write the folder only, not the archive.
        #[arg(long)]
        unpacked: bool,
    },
    /// Build the documentation as a site, and check its links and anchors.
    ///
    /// Writes target/book/html/index.html. Part of `cargo xtask lint`. Installs mdBook first.
    #[command(after_help = "Example:\n  cargo xtask book")]
    Book,
    /// Check the workflows of GitHub Actions by actionlint.
    ///
    /// The workflows run on GitHub only. Part of `cargo xtask lint`. Installs actionlint first.
    #[command(after_help = "Example:\n  cargo xtask workflows")]
    Workflows,
    /// Run tests of the runtime in Miri, which detects undefined behaviour.
    ///
    /// Runs the tests that reach every `unsafe` block that runs on a host, on the nightly compiler, for some minutes.
    /// Installs nothing: if Miri is missing, the command to install it is printed.
    #[command(after_help = "Example:\n  cargo xtask miri")]
    Miri,
    /// Compile the training path for NVIDIA GPUs, and run its tests if there is one.
    ///
    /// Uses the CUDA toolkit of CUDA_PATH or PATH, or installs what compiling needs from PyPI into target/cuda (1.2 GB,
    /// needs python3). No other command needs it.
    #[command(after_help = "Examples:\n  cargo xtask cuda\n  cargo xtask cuda --figures")]
    Cuda {
        /// Only compile the kernels, and print the registers of each; fails if one spills registers to memory.
        #[arg(long)]
        figures: bool,
    },
    /// Build an archive of GPU tests and benchmarks for a machine without network and toolchain.
    ///
    /// Writes target/gpu/tern-gpu.tar.gz with the tests, `tern`, data, libraries of CUDA and the script run.sh, which
    /// runs all tests on the GPU, trains to the accuracy of the CPU, and prints tokens per second beside PyTorch if
    /// python3 has it there. Needs the toolkit, as `cargo xtask cuda` does, and a C compiler. Not yet run on a card.
    #[command(after_help = "Example:\n  cargo xtask gpu, then on the other machine:\n  \
        tar xf tern-gpu.tar.gz && tern-gpu/run.sh")]
    Gpu,
    /// Measure instructions, speed and memory.
    #[command(subcommand)]
    Bench(Bench),
    /// Install compiler targets, emulators and other programs that are missing.
    ///
    /// Looks for each first, so a second run is quick. The emulator comes from the system's packages (apt-get, as root
    /// or with sudo without a password); elsewhere the command fails and prints what to install. `bench device`,
    /// `bench splits`, `boards`, `demo`, `lint`, `proof`, `size` and `test` run this first. Other commands install what
    /// they need and no more.
    #[command(after_help = "Examples:\n  cargo xtask setup\n  cargo xtask setup --for lint      no emulator")]
    Setup {
        /// Install only what this command needs.
        #[arg(long = "for", value_name = "COMMAND", value_enum, default_value_t = Purpose::Test)]
        purpose: Purpose,
    },
    /// Write the demo's data: train.csv and heldout.csv, generated from a grammar.
    ///
    /// The same seed gives the same bytes on every machine. The templates of heldout.csv are not used in train.csv, so
    /// heldout.csv measures the accuracy on sentences of a new form.
    #[command(after_help = "Examples:\n  cargo xtask data\n  cargo xtask data -o /tmp/messages --seed 8\n  \
        cargo xtask data --baselines     the accuracy of simple rules")]
    Data(DataOptions),
}

/// The option that selects a board.
#[derive(Debug, Args)]
pub struct BoardOption {
    /// Board.
    #[arg(long, value_name = "NAME", value_parser = board_parser(), default_value = tern_boards::DEFAULT.name)]
    pub board: &'static Board,
}

/// Accepts the name of a board, and lists all names in the help.
fn board_parser() -> impl TypedValueParser<Value = &'static Board> {
    let names = PossibleValuesParser::new(tern_boards::BOARDS.iter().map(|board| board.name));
    names.try_map(|name| Board::named(&name).ok_or_else(|| format!("no board is called `{name}`")))
}

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Count the instructions of the runtime's steps on emulated cores.
    ///
    /// Builds firmware/bench for each core, runs it in QEMU over random LSTMs, GRUs and plain RNNs of four sizes, and
    /// counts the instructions of 256 steps. Fails if the states on a core differ from the host's. The figures are
    /// the same on every run. Installs what is missing first.
    #[command(
        after_help = "Examples:\n  cargo xtask bench device\n  cargo xtask bench device --json      one object for each row\n  \
            cargo xtask bench device --check     compare with the committed figures\n  \
            cargo xtask bench device --bless     write the committed figures"
    )]
    Device(device::DeviceOptions),
    /// Run the texts of a table through a model on every emulated core and compare all bits with the host.
    ///
    /// Compares the state after every token and the logits after every text, on the cores of `bench device`.
    /// Installs what is missing first.
    #[command(after_help = "Example:\n  cargo xtask bench splits sms.safetensors sms/validation.csv")]
    Splits(splits::Options),
    /// Search a model for public data sets with a flash budget, and print the accuracy of its integers.
    ///
    /// Runs `tern fit` on each data set that the folder holds. Builds the release trainer first; a search takes from
    /// one minute to an hour.
    #[command(after_help = "Examples:\n  cargo xtask bench accuracy --data data --only sms_spam\n  \
            cargo xtask bench accuracy --data data --seeds 3 --json")]
    Accuracy(accuracy::Options),
    /// Measure the accuracy of a classifier that stops reading as soon as its answer is probable enough.
    ///
    /// Reads each text with the integer model and prints, for several probabilities and least numbers of tokens, the
    /// accuracy and the share of the tokens that are read.
    #[command(after_help = "Example:\n  cargo xtask bench early-exit reviews.safetensors reviews/validation.csv")]
    EarlyExit(early_exit::Options),
    /// Compare the speed of integer models on this machine with their float models.
    ///
    /// Trains a small model of each cell on the demo's messages, exports it, and runs `tern eval` on both in turn, on
    /// one thread. Tokens per second and ratios are medians over the turns. Builds the release trainer first; takes
    /// a few minutes.
    #[command(
        after_help = "Examples:\n  cargo xtask bench host\n  cargo xtask bench host --json      one object for each row\n  \
            cargo xtask bench host --model m --data m/validation.csv"
    )]
    Host(host::Options),
    /// Compare the speed of training with PyTorch and candle-nn.
    ///
    /// All programs take training steps over the same random texts in turn; the ratios are medians over the turns.
    /// Then the time for each token is measured for texts of four lengths. Builds the release trainer first; takes
    /// some minutes.
    #[command(
        after_help = "Examples:\n  cargo xtask bench train --python venv/bin/python\n  cargo xtask bench train --quick --json\n  \
            cargo xtask bench train --data imdb.csv     also the memory of one epoch"
    )]
    Train(train::Options),
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
    fn wrong_command_lines_exit_with_status_2() {
        for line in [&["xtask", "bake"][..], &["xtask"], &["xtask", "data", "--seed", "x"]] {
            let error = Arguments::try_parse_from(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line:?}");
        }
    }
}
