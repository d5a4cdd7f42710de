//! A text whose next token is learnt.

use super::{Language, PreparedText};
use crate::commands::note;
use crate::float_model::{FloatModel, files};
use crate::recipe::Recipe;
use crate::report::Measurements;
use crate::tasks::{Findings, TaskData, say_embeddings};
use crate::train::Problem;
use crate::weights::Weights;
use anyhow::Context;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Bytes of the text that are kept for calibration.
const CALIBRATION_BYTES: usize = 1 << 16;

/// A text, and the file that it begins.
pub struct Novel {
    /// The text.
    pub data: PreparedText,
    /// The file.
    pub path: PathBuf,
}

impl TaskData for Novel {
    fn problem(&self) -> &Problem {
        &self.data.problem
    }

    fn introduce(&mut self, recipe: &Recipe, _: bool) -> anyhow::Result<()> {
        let PreparedText { tokens, unknown, vocabulary, problem, valid, .. } = &self.data;
        let held_out: usize = problem.valid.iter().map(|sample| sample.steps.len()).sum();
        note(format_args!(
            "{tokens} tokens to learn from ({unknown} unknown), {held_out} held out ({} characters); {} in the vocabulary",
            valid.chars().count(),
            vocabulary.len()
        ));
        let cells = problem.architecture.recurrent.describe(recipe.model.hidden);
        note(format_args!("embedding {}, {cells}, threads {}", recipe.model.embedding, recipe.threads()));
        say_embeddings(recipe, problem, vocabulary);
        Ok(())
    }

    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel> {
        let (config, vocabulary) = (self.data.config(name), self.data.vocabulary.clone());
        Ok(FloatModel::new(config, vocabulary, weights, Vec::new(), Vec::new())?)
    }

    fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let PreparedText { train, valid, .. } = &self.data;
        let end = (0..=train.len().min(CALIBRATION_BYTES)).rev().find(|&end| train.is_char_boundary(end));
        let calibration = &train[..end.unwrap_or(0)];
        for (name, text) in [(files::VALIDATION_TEXT, valid.as_str()), (files::CALIBRATION_TEXT, calibration)] {
            let path = dir.join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements> {
        let (figures, findings) = Language::new(model, &self.data.valid).context("nothing is held out")?;
        Ok(Measurements {
            validation: figures.to_json(),
            train: json!({ "text_tokens": self.data.tokens, "unknown_tokens": self.data.unknown }),
            baselines: None,
            lines: figures.lines(),
            findings: Findings::Language(findings),
        })
    }

    fn place(&self, sample: usize) -> String {
        let (first, last) = self.data.lines(sample);
        format!("{}: lines {first} to {last}", self.path.display())
    }
}
