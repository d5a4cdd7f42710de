//! What page and card are made from.

use super::analysis::Analysis;
use super::card;
use super::figures::{Figures, validation};
use super::page::Page;
use crate::data::number_table::{self, NumberTableError, Wanted};
use crate::float_model::{Config, FloatModel, LoadError, files};
use crate::recipe::Recipe;
use crate::task::{Input, Task};
use crate::tasks::Findings;
use crate::tasks::forecast::{self, Series};
use crate::tasks::language_model::{self, Language, LanguageError};
use crate::tasks::sequence_classification::{self, LABEL, SEQUENCE, SequenceMistakes};
use crate::tasks::text_classification::TextMistakes;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Everything that a page or a card says.
#[derive(Clone, Debug)]
pub struct Sources {
    config: Config,
    recipe: Option<Recipe>,
    metrics: Value,
    export: Option<Value>,
    findings: Findings,
}

/// Why a model directory cannot be reported on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no model directory.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The held-out numbers cannot be read.
    #[error(transparent)]
    Series(#[from] NumberTableError),
    /// The held-out text cannot be read.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// A file is not JSON.
    #[error("{}: {source}; expected the JSON that `tern train` and `tern export` write: train or export again", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Sources {
    /// After a training. `figures` are of `model` and its held-out rows.
    pub fn new(model: &FloatModel, recipe: &Recipe, figures: &Figures) -> Self {
        Sources {
            config: model.config().clone(),
            recipe: Some(recipe.clone()),
            metrics: as_read(&figures.to_json()),
            export: None,
            findings: figures.measured.findings.clone(),
        }
    }

    /// From a model directory.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn read(dir: &Path) -> Result<Self, ReadError> {
        Sources::of(dir, &FloatModel::load(dir)?)
    }

    /// From the directory of a loaded model. `recipe.toml`, `metrics.json` and `export.json` may be missing, as in an imported model: what
    /// they would say is then not said, but for figures that the held-out rows give.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn of(dir: &Path, model: &FloatModel) -> Result<Self, ReadError> {
        let mut metrics = json(&dir.join(files::METRICS))?.unwrap_or_else(|| json!({}));
        let (figures, findings) = held_out(dir, model)?;
        // An imported model has no figures, or fewer.
        let known = metrics.get("validation").filter(|known| !known.is_null());
        let lacks = |key: &str| known.is_none_or(|known| known.get(key).is_none()) && figures.get(key).is_some();
        if figures.is_object() && (known.is_none() || lacks("calibration")) {
            metrics["validation"] = as_read(&figures);
        }
        metrics["parameters"] = json!(model.weights().count());
        Ok(Sources {
            config: model.config().clone(),
            recipe: Recipe::read(&dir.join(files::RECIPE)).ok(),
            metrics,
            export: json(&dir.join(files::EXPORT))?,
            findings,
        })
    }

    /// The figures of `metrics.json`.
    pub fn metrics(&self) -> &Value {
        &self.metrics
    }

    /// Puts in what an export said.
    pub fn set_export(&mut self, export: &Value) {
        self.export = Some(as_read(export));
    }

    /// The content of `report.html`.
    pub fn page(&self) -> String {
        let Sources { config, recipe, metrics, export, findings } = self;
        Page { config, recipe: recipe.as_ref(), metrics, export: export.as_ref(), findings }.html()
    }

    /// The content of `README.md`.
    pub fn card(&self) -> String {
        card::card(&self.config, self.recipe.as_ref(), &self.metrics, self.export.as_ref())
    }
}

/// How a model does on what its directory holds out, and what that shows. Null and nothing where there is none.
fn held_out(dir: &Path, model: &FloatModel) -> Result<(Value, Findings), ReadError> {
    let (config, path) = (model.config(), dir.join(files::VALIDATION));
    let channels: Vec<String> = config.channels.iter().map(|channel| channel.name.clone()).collect();
    match (config.task, config.input) {
        (Task::Classify, Input::Tokens) if !model.validation().is_empty() => {
            let analysis = Analysis::new(model, model.validation());
            let findings = TextMistakes::new(model, model.validation(), &analysis);
            Ok((validation(&analysis, model.labels()), Findings::Texts(findings)))
        }
        (Task::Classify, Input::Values) if path.is_file() => {
            let sequences = sequence_classification::Sequences::read(&path, SEQUENCE, Some(LABEL), &channels, None)?;
            let analysis = sequence_classification::analyse(model, &sequences, &path)?;
            let names = (0..sequences.spans.len()).map(|sequence| sequences.name(sequence));
            let findings = SequenceMistakes::new(&analysis, names);
            Ok((validation(&analysis, model.labels()), Findings::Sequences(findings)))
        }
        (Task::LanguageModel, _) => {
            let path = dir.join(files::VALIDATION_TEXT);
            let text = if path.is_file() { language_model::read(&path)? } else { String::new() };
            Ok(match Language::new(model, &text) {
                Some((figures, findings)) => (figures.to_json(), Findings::Language(findings)),
                None => (Value::Null, Findings::None),
            })
        }
        (Task::Forecast, _) if path.is_file() => {
            let table = number_table::read(&path, &Wanted { numbers: &channels, ..Wanted::default() })?;
            Ok(match (forecast::say(model, &table, 0), &config.forecast) {
                (Some(said), Some(of)) if !said.is_empty() => {
                    let figures = forecast::Comparison::new(&said, of);
                    (figures.to_json(), Findings::Series(Series::new(&said, of)))
                }
                _ => (Value::Null, Findings::None),
            })
        }
        _ => Ok((Value::Null, Findings::None)),
    }
}

/// A value as it will be read from a file: serde_json's reader may be off by the last bit, and page and card must come out the same when they
/// are made again.
fn as_read(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).expect("what serde_json writes it reads")
}

/// A JSON file, if it is there.
fn json(path: &Path) -> Result<Option<Value>, ReadError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ReadError::Io { path: path.to_owned(), source }),
    };
    serde_json::from_str(&text).map(Some).map_err(|source| ReadError::Json { path: path.to_owned(), source })
}
