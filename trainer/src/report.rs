//! What a model directory says about its training: `metrics.json`, `README.md`, `report.html`, `recipe.toml`; and after an export
//! `export.json`.
//!
//! Page and card are made from the two JSON files, the configuration, the recipe and the held-out rows, so that they can be made again at any
//! time: [`Sources::read`].

pub mod analysis;
mod card;
pub(crate) mod chart;
mod figures;
pub(crate) mod html;
pub(crate) mod page;
mod sources;

pub use figures::{Figures, Learnt, Measured};
pub use sources::{ReadError, Sources};

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
    let sources = Sources::new(model, recipe, figures);
    for (name, text) in [
        (files::RECIPE, recipe.to_toml(target)),
        (files::METRICS, format!("{:#}\n", figures.to_json())),
        (files::CARD, sources.card()),
        (files::REPORT, sources.page()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Writes `export.json` into a model directory, and page and card again with it. A card that a person has changed is left as it is.
///
/// Returns whether the card was written.
///
/// # Errors
///
/// Where a file cannot be read or written.
pub fn add_export(dir: &Path, model: &FloatModel, export: &serde_json::Value) -> anyhow::Result<bool> {
    let mut sources = Sources::of(dir, model)?;
    let card = dir.join(files::CARD);
    let is_ours = std::fs::read_to_string(&card).map_or(true, |text| text == sources.card());
    sources.set_export(export);
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        crate::export::write_file(&path, text.as_bytes()).with_context(|| path.display().to_string())
    };
    write(files::EXPORT, format!("{export:#}\n"))?;
    write(files::REPORT, sources.page())?;
    if is_ours {
        write(files::CARD, sources.card())?;
    }
    Ok(is_ours)
}

#[cfg(test)]
mod tests;
