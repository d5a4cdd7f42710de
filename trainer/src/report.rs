//! What a model directory says about its training: `metrics.json`, `README.md`, `report.html`, `recipe.toml`.

mod card;
mod figures;
mod html;
mod svg;

pub use figures::Figures;

use crate::float_model::{FloatModel, files};
use crate::recipe::Recipe;
use anyhow::Context;
use std::path::Path;

/// Writes the files into `folder`, which will stand at `target`.
///
/// # Errors
///
/// Where a file cannot be written.
pub fn write(
    folder: &Path,
    target: &Path,
    model: &FloatModel,
    recipe: &Recipe,
    figures: &Figures,
) -> anyhow::Result<()> {
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    };
    write(files::RECIPE, recipe.to_toml(target))?;
    write(files::METRICS, format!("{:#}\n", figures.to_json()))?;
    write(files::CARD, card::card(model.config(), recipe, figures))?;
    write(files::REPORT, html::page(model.config(), recipe, figures))
}

#[cfg(test)]
mod tests;
