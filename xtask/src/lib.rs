//! The commands of `cargo xtask`: set-up, demo, tests, checks and benchmarks of the repository.
//!
//! | module | purpose |
//! |---|---|
//! | [`cli`] | command line and help |
//! | [`setup`] | installs compiler targets, emulators and other programs that are missing |
//! | [`lint`], [`mod@test`] | the checks of a change: first `lint`, then `test`; `.ci/run` runs both |
//! | [`comments`], [`imports`] | the form of comments; the size of packages and the direction of their imports |
//! | [`minimum_rust`] | checks the minimum Rust version |
//! | [`firmware`], [`elf`], [`boards`] | builds the firmware of a board; the table of boards |
//! | [`size`] | flash that the code of a small classifier takes |
//! | [`proof`] | shows by linking that the runtime neither panics nor allocates |
//! | [`mod@miri`] | runs tests of the runtime in Miri |
//! | [`cuda`], [`gpu`] | compiles the training path for NVIDIA GPUs; an archive of tests for a machine with a GPU |
//! | [`deny`], [`reproducible`] | checks dependencies; builds the firmware twice and compares the results |
//! | [`c_library`], [`python`], [`web`] | the static library for C; the Python package; the page for browsers |
//! | [`package`], [`dist`] | the packages for the registry; an archive of `tern` with its firmware |
//! | [`book`], [`workflows`] | the site of the documentation; the check of the workflows of GitHub Actions |
//! | [`data`] | writes the demo's data |
//! | [`demo`] | trains a model and runs it on an emulated microcontroller |
//! | [`mod@bench`], [`cores`] | benchmarks; the emulated microcontroller cores that they run on |
//! | [`tern`] | builds and runs the command `tern` |
//! | [`repo`], [`process`], [`stage`] | paths, child processes, stages with their times |
//!
//! No command reads from the terminal, so none waits for an answer.

pub mod bench;
pub mod boards;
pub mod book;
pub mod c_library;
pub mod cli;
pub mod comments;
pub mod cores;
pub mod cuda;
pub mod data;
pub mod demo;
pub mod deny;
pub mod dist;
pub mod elf;
pub mod firmware;
pub mod gpu;
pub mod imports;
pub mod lint;
pub mod minimum_rust;
pub mod miri;
pub mod package;
pub mod process;
pub mod proof;
pub mod python;
pub mod repo;
pub mod reproducible;
pub mod setup;
pub mod size;
pub mod stage;
pub mod tern;
pub mod test;
pub mod web;
pub mod workflows;

use anyhow::Result;

use cli::{Arguments, Bench, BoardOption, Command};
use setup::{Purpose, programs};

/// Runs the command of the command line.
pub fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::Demo(options) => demo::run(&options),
        Command::Test => test::run(),
        Command::Bench(Bench::Device(options)) => bench::device::run(options),
        Command::Bench(Bench::Accuracy(options)) => bench::accuracy::run(&options),
        Command::Bench(Bench::EarlyExit(options)) => bench::early_exit::run(&options),
        Command::Bench(Bench::Splits(options)) => bench::splits::run(&options),
        Command::Bench(Bench::Host(options)) => bench::host::run(&options),
        Command::Bench(Bench::Train(options)) => bench::train::run(&options),
        Command::Web => web::run(),
        Command::Package(options) => package::run(&options),
        Command::Dist { unpacked } => dist::run(unpacked),
        Command::Book => book::run(),
        Command::Workflows => workflows::run(),
        Command::C { json } => c_library::run(json),
        Command::Python(options) => python::run_python(&options),
        Command::Proof => proof::run(),
        Command::Size { json, features } => size::run(json, features),
        Command::Miri => miri::run_miri(),
        Command::Cuda { figures: true } => cuda::print_figures(),
        Command::Cuda { figures: false } => cuda::run_cuda(),
        Command::Gpu => gpu::build(),
        Command::Comments => comments::run(),
        Command::Imports { root, json } => imports::run(root.as_deref(), json),
        Command::Lint => lint::run_lint(),
        Command::Setup { purpose } => setup::run(purpose),
        Command::Firmware(BoardOption { board }) => {
            setup::ensure_target_of(board)?;
            println!("{}", firmware::build_from_environment(board)?.display());
            Ok(())
        }
        Command::Deny => {
            programs::ensure_cargo_deny()?;
            deny::run()
        }
        Command::Reproducible(BoardOption { board }) => {
            setup::ensure_target_of(board)?;
            reproducible::run(board)
        }
        Command::Boards { write } => {
            // The table needs the firmware of all boards, as `lint` does.
            setup::run(Purpose::Lint)?;
            boards::run(write)
        }
        Command::Data(options) => data::run(&options),
    }
}
