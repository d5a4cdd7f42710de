//! What neither a test nor `tern` can be: set-up of targets and emulator, the demo, the order of checks.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the command line and its help |
//! | [`setup`] | compiler targets, emulator and log reader: looks first, installs what is missing |
//! | [`lint`], [`mod@test`] | what a change must pass, in order; `.ci/run` calls both |
//! | [`firmware`], [`elf`], [`boards`] | builds the firmware for a board; the table of boards |
//! | [`imports`] | lines, files and the direction of imports of each package |
//! | [`size`] | flash that a small classifier's code takes |
//! | [`proof`] | what is shown by linking: no panic, no allocator |
//! | [`mod@miri`] | tests of the runtime without undefined behaviour |
//! | [`cuda`] | the training path for NVIDIA GPUs compiles |
//! | [`deny`], [`reproducible`] | what dependencies must be; two builds of the firmware are the same |
//! | [`data`], [`messages`] | the demo's data, made from a grammar |
//! | [`demo`] | from data to answers of an emulated microcontroller |
//! | [`mod@bench`] | what things cost |
//! | [`tern`] | the command, built for release |
//! | [`repo`], [`process`], [`stage`] | paths, child processes, stages with their times |
//!
//! Nothing here reads from the terminal, so no command ever waits for an answer.

pub mod bench;
pub mod boards;
pub mod cli;
pub mod cuda;
pub mod data;
pub mod demo;
pub mod deny;
pub mod elf;
pub mod firmware;
pub mod imports;
pub mod lint;
pub mod messages;
pub mod miri;
pub mod process;
pub mod proof;
pub mod repo;
pub mod reproducible;
pub mod setup;
pub mod size;
pub mod stage;
pub mod tern;
pub mod test;

use anyhow::{Context, Result};
use tern_boards::Board;

use bench::device::Then;
use cli::{Arguments, Bench, Task};
use setup::Needs;

/// Does what the command line says.
pub fn run(arguments: Arguments) -> Result<()> {
    match arguments.task {
        Task::Demo(options) => demo::run(&options),
        Task::Test => test::run(),
        Task::Bench(Bench::Device { json, check, bless }) => {
            let then = if check { Then::Check } else { Then::Print };
            bench::device::run(json, if bless { Then::Bless } else { then })
        }
        Task::Bench(Bench::Splits(options)) => bench::splits::run(&options),
        Task::Bench(Bench::Host(options)) => bench::host::run(&options),
        Task::Bench(Bench::Train(options)) => bench::train::run(&options),
        Task::Proof => proof::run(),
        Task::Size { json, features } => size::run(json, features),
        Task::Miri => miri::run_miri(),
        Task::Cuda => cuda::run_cuda(),
        Task::Imports { root, json } => imports::run(root.as_deref(), json),
        Task::Lint => lint::run_lint(),
        Task::Setup { needs } => setup::run(needs),
        Task::Firmware { board } => {
            let board = Board::named(&board).context("the command line knows the boards")?;
            setup::board(board)?;
            let elf = firmware::build(board)?;
            println!("{}", elf.display());
            Ok(())
        }
        Task::Deny => {
            setup::deny()?;
            deny::run()
        }
        Task::Reproducible { board } => {
            let board = Board::named(&board).context("the command line knows the boards")?;
            setup::board(board)?;
            reproducible::run(board)
        }
        Task::Boards { write } => {
            setup::run(Needs::Lint)?;
            boards::run(write)
        }
        Task::Data(options) => data::run(&options),
    }
}
