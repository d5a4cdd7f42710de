//! `cargo xtask demo`: from nothing to the answers of an emulated Cortex-M4, and what they cost.
//!
//! Everything lies in `target/demo/`: the data, the model directory, the device file, `figures.json`.

mod console;
mod figures;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cli::DemoOptions;
use crate::messages::SEED;
use crate::process::{Command, capture, cargo, program, run as run_command};
use crate::setup::{self, Needs};
use crate::stage::Stages;
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
    let tern = Tern(stages.run("build tern", build_tern)?);
    let made = stages.run("data", || data::write(&folder, SEED))?;
    stages.run("train", || train(&tern, &model, options.epochs))?;
    let export = stages.run("export", || tern.json(&["export".as_ref(), &model, "-o".as_ref(), &device_file]))?;
    let held_out = stages
        .run("held-out templates", || tern.json(&["eval".as_ref(), &device_file, "--data".as_ref(), &held_out]))?;
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
        tern.json(&arguments)
    })?;
    stages.run("console of the Cortex-M4", || console::talk(&tern, &device_file, &elf, &made))?;
    stages.run("figures", || {
        let figures = Figures::new(made.train.len(), &export, &held_out, &device);
        figures.write(&folder.join("figures.json"))?;
        Ok(figures)
    })
}

/// The `tern` command.
struct Tern(PathBuf);

impl Tern {
    fn command(&self) -> Command {
        program(&self.0.to_string_lossy())
    }

    /// Runs `tern ARGUMENTS --json`; the object that it prints.
    fn json(&self, arguments: &[&Path]) -> Result<Value> {
        let text = capture(self.command().args(arguments).arg("--json"))?;
        figures::last_object(&text).with_context(|| format!("`tern --json` printed no JSON object, but: {text}"))
    }
}

fn build_tern() -> Result<PathBuf> {
    let root = repo::root();
    run_command(cargo(&root).args(["build", "--release", "--package", "tern-trainer", "--bin", "tern"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(root.join(target).join("release").join(format!("tern{}", std::env::consts::EXE_SUFFIX)))
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
