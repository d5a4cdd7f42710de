//! `cargo xtask demo`: trains a model, exports it, and runs it on an emulated Cortex-M4.
//!
//! All files are in `target/demo/`: the data, the model directory, the device file, `figures.json`.

mod figures;
mod session;

use std::path::Path;

use anyhow::Result;
use clap::Args;
use tern_messages::SEED;

use crate::process::run as run_command;
use crate::setup::{self, Purpose};
use crate::stage::Stages;
use crate::tern::Tern;
use crate::{data, firmware, repo};
use figures::Figures;

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoOptions {
    /// Train for at most this many epochs instead of the recipe's number.
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
}

/// Runs the demo; stops at the first stage that fails.
pub fn run(options: &DemoOptions) -> Result<()> {
    eprintln!(
        "The demo takes about 15 minutes on a new checkout: 2 to 6 minutes to compile `tern` (some 280 crates),\n\
         1 minute for the firmware, 2 to 4 minutes to train; the rest takes seconds. A second run compiles nothing."
    );
    let mut stages = Stages::default();
    let result = run_stages(options, &mut stages);
    if let Ok(figures) = &result {
        print!("\n{}", figures.table());
    }
    print!("\n{}", stages.table());
    result?.check()?;
    println!("\n{}", next_steps());
    Ok(())
}

/// Returns a text with the commands to try next.
fn next_steps() -> String {
    let shown = |file: &str| repo::shown(&repo::demo().join(file));
    let (device_file, report) = (shown("building.safetensors"), shown("model/report.html"));
    format!(
        "The report of the training is {report}. To go on:\n\n\
         \x20 cargo install --locked --path trainer      puts `tern` on the PATH; everything is compiled already\n\
         \x20 tern console {device_file} --qemu          talk to the emulated device\n\
         \n\
         Now your own CSV file with the columns `text` and `label`:\n\n\
         \x20 tern train mine.csv -o mine && tern export mine -o mine.safetensors\n\
         \x20 tern console mine.safetensors --qemu"
    )
}

/// Runs all stages, each of which needs the results of those before.
fn run_stages(options: &DemoOptions, stages: &mut Stages) -> Result<Figures> {
    let folder = repo::demo();
    let (model, device_file) = (folder.join("model"), folder.join("building.safetensors"));
    let held_out_data = folder.join("heldout.csv");

    stages.run("set-up", || setup::run(Purpose::Demo))?;
    let tern = stages.run("build tern (2 to 6 minutes the first time)", Tern::build)?;
    let messages = stages.run("data", || data::write(&folder, SEED))?;
    stages.run("train (2 to 4 minutes)", || train(&tern, &model, options.epochs))?;
    let export =
        stages.run("export", || tern.json(["export".as_ref(), model.as_path(), "-o".as_ref(), &device_file]))?;
    let held_out = stages.run("accuracy on held-out templates", || {
        tern.json(["eval".as_ref(), device_file.as_path(), "--data".as_ref(), &held_out_data])
    })?;
    let elf = stages.run("build firmware (1 minute the first time)", || firmware::build(tern_boards::DEFAULT))?;
    let device = stages.run("classify on the Cortex-M4", || {
        let data = model.join("validation.csv");
        let options: [&Path; 4] = ["--data".as_ref(), &data, "--firmware".as_ref(), &elf];
        tern.json(["classify".as_ref(), device_file.as_path(), "--qemu".as_ref()].into_iter().chain(options))
    })?;
    stages.run("console of the Cortex-M4", || session::run(&tern, &device_file, &elf, &messages))?;
    stages.run("figures", || {
        let figures = Figures::new(messages.train.len(), &export, &held_out, &device);
        figures.write(&folder.join("figures.json"))?;
        Ok(figures)
    })
}

/// Trains the model of `models/building/recipe.toml`. `epochs`: the largest number of epochs, in place of the recipe's.
fn train(tern: &Tern, model: &Path, epochs: Option<u32>) -> Result<()> {
    let recipe = repo::root().join("models/building/recipe.toml");
    let mut command = tern.command();
    command.arg("train").arg(recipe).arg("-o").arg(model);
    if let Some(epochs) = epochs {
        command.args(["--epochs", &epochs.to_string()]);
    }
    run_command(&mut command)
}
