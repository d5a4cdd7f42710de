//! `cargo xtask demo`: from nothing to the answers of an emulated Cortex-M4, and what they cost.
//!
//! Everything lies in `target/demo/`: the data, the model directory, the device file, `figures.json`.

mod console;
mod figures;

use std::path::Path;

use anyhow::Result;

use crate::cli::DemoOptions;
use crate::messages::SEED;
use crate::process::run as run_command;
use crate::setup::{self, Needs};
use crate::stage::Stages;
use crate::tern::Tern;
use crate::{data, firmware, repo};
use figures::Figures;

/// Runs the demo; stops at the first stage that fails.
pub fn run(options: &DemoOptions) -> Result<()> {
    let mut stages = Stages::default();
    let result = run_stages(options, &mut stages);
    if let Ok(figures) = &result {
        print!("\n{}", figures.table());
    }
    print!("\n{}", stages.table());
    result?.check()
}

fn run_stages(options: &DemoOptions, stages: &mut Stages) -> Result<Figures> {
    let folder = repo::demo();
    let (model, device_file) = (folder.join("model"), folder.join("building.safetensors"));
    let held_out = folder.join("heldout.csv");

    stages.run("set-up", || setup::run(Needs::Demo))?;
    let tern = stages.run("build tern", Tern::build)?;
    let made = stages.run("data", || data::write(&folder, SEED))?;
    stages.run("train", || train(&tern, &model, options.epochs))?;
    let export =
        stages.run("export", || tern.json(["export".as_ref(), model.as_path(), "-o".as_ref(), &device_file]))?;
    let held_out = stages.run("held-out templates", || {
        tern.json(["eval".as_ref(), device_file.as_path(), "--data".as_ref(), &held_out])
    })?;
    let elf = stages.run("build firmware", || firmware::build(tern_boards::DEFAULT))?;
    let device = stages.run("classify on the Cortex-M4", || {
        let (data, elf) = (model.join("validation.csv"), elf.as_path());
        let arguments: [&Path; 7] = [
            "classify".as_ref(),
            &device_file,
            "--data".as_ref(),
            &data,
            "--qemu".as_ref(),
            "--firmware".as_ref(),
            elf,
        ];
        tern.json(arguments)
    })?;
    stages.run("console of the Cortex-M4", || console::talk(&tern, &device_file, &elf, &made))?;
    stages.run("figures", || {
        let figures = Figures::new(made.train.len(), &export, &held_out, &device);
        figures.write(&folder.join("figures.json"))?;
        Ok(figures)
    })
}

fn train(tern: &Tern, model: &Path, epochs: Option<u32>) -> Result<()> {
    let recipe = repo::root().join("models/building/recipe.toml");
    let mut command = tern.command();
    command.arg("train").arg(recipe).arg("-o").arg(model);
    if let Some(epochs) = epochs {
        command.args(["--epochs", &epochs.to_string()]);
    }
    run_command(&mut command)
}
