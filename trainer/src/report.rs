//! Describes a training and an export in the model directory: `metrics.json`, `README.md` (the model card),
//! `report.html`, `recipe.toml`, and `export.json`.
//!
//! Page and card are made from the two JSON files, the configuration, the recipe and the validation split, so that they
//! can be made again at any time: [`ReportInputs::read`].

mod card;
pub(crate) mod chart;
pub(crate) mod elements;
pub(crate) mod html_page;
mod inputs;
mod task_report;
#[cfg(test)]
mod tests;
mod training_metrics;

pub use inputs::{ReportInputs, ValidationResult};
pub use task_report::{Section, SummaryFigure, TaskReport, TaskWording};
pub use training_metrics::{Measurements, TrainingMetrics};

use crate::float_model::{FloatModel, files};
use crate::recipe::Recipe;
use crate::write_file::write_file;
use anyhow::Context;
use std::path::Path;

/// Writes the files of a training into `folder`, which will be renamed to `target`.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write(
    folder: &Path,
    target: &Path,
    model: &FloatModel,
    recipe: &Recipe,
    metrics: &TrainingMetrics,
) -> anyhow::Result<()> {
    let inputs = ReportInputs::new(model, recipe, metrics);
    for (name, text) in [
        (files::RECIPE, recipe.to_toml(target)),
        (files::METRICS, format!("{:#}\n", metrics.to_json())),
        (files::CARD, inputs.card()),
        (files::REPORT, inputs.page()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Writes `export.json` into a model directory, and the page and the card again. A card that was changed by hand is
/// kept.
///
/// Returns true if the card was written.
///
/// # Errors
///
/// If a file cannot be read or written.
pub fn add_export(
    dir: &Path,
    model: &FloatModel,
    validation: ValidationResult,
    export: &serde_json::Value,
) -> anyhow::Result<bool> {
    let mut inputs = ReportInputs::read(dir, model, validation)?;
    let card = dir.join(files::CARD);
    let is_generated = std::fs::read_to_string(&card).map_or(true, |text| text == inputs.card());
    inputs.set_export(export);
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        write_file(&path, text.as_bytes()).with_context(|| path.display().to_string())
    };
    write(files::EXPORT, format!("{export:#}\n"))?;
    write(files::REPORT, inputs.page())?;
    if is_generated {
        write(files::CARD, inputs.card())?;
    }
    Ok(is_generated)
}
