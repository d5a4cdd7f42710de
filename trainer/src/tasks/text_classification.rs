//! Text classification: a model predicts one of its labels for a text. [`TextClassification`] has the commands,
//! [`LabelledTexts`] the data of a training.

mod text_mistakes;
mod word_weights;

pub use text_mistakes::TextMistakes;

use super::classification::fold_predictions::{self, FoldPredictions};
use super::classification::{
    self, Analysis, SUMMARY_FIGURES, Teachers, TrainingStats, add_baselines, class_figures, describe_teachers,
    label_comparison,
};
use super::descriptions::{describe_embeddings, describe_unknown_tokens, describe_validation};
use super::interface::{CommandOutput, NamedModel, PredictOptions, TaskData, TaskHandler};
use crate::architecture::NgramTable;
use crate::baselines::{self, Baseline};
use crate::data::{self, Example, Statistics};
use crate::display::{shorten, visible};
use crate::embeddings;
use crate::file_error::FileError;
use crate::float_model::{Config, FloatModel, NgramBranch, files};
use crate::logits::Logits;
use crate::metrics::Evaluation;
use crate::model::{DataFile, Model};
use crate::paint::Paint;
use crate::progress::Stage;
use crate::recipe::Recipe;
use crate::report::{Measurements, ReportInputs, Section, TaskReport, TaskWording, ValidationResult};
use crate::train::{self, CrossValidation, Prepared, Problem};
use crate::weights::Weights;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tern_format::Ngrams;

/// Largest number of training rows that are stored for calibration.
const CALIBRATION_ROWS: usize = 512;
/// Largest number of characters of a text in a message.
const MAX_EXCERPT_CHARS: usize = 60;

/// The commands of text classification.
pub struct TextClassification;

impl TaskHandler for TextClassification {
    fn prepare(&self, recipe: &mut Recipe, baselines: bool) -> anyhow::Result<Box<dyn TaskData>> {
        Ok(Box::new(LabelledTexts::read(recipe, baselines)?))
    }

    fn evaluate(&self, model: &dyn Model, data: &DataFile<'_>, paint: Paint) -> anyhow::Result<CommandOutput> {
        let examples = read_examples(model, data)?;
        let start = Instant::now();
        let analysis = Analysis::new(model, &examples);
        let seconds = start.elapsed().as_secs_f64().max(1e-9);
        let tokens: usize = analysis.predictions.iter().map(|prediction| prediction.tokens).sum();
        let (rate, threads) = (tokens as f64 / seconds, rayon::current_num_threads());
        let speed = format!("\n{tokens} tokens, {:.0}k tokens/s on {threads} threads", rate / 1e3);
        let mut output = class_figures::figures(model.labels(), &analysis, paint, Some(paint.faint(&speed)));
        output.json["tokens"] = json!(tokens);
        output.json["tokens_per_s"] = json!(rate);
        Ok(output)
    }

    fn predict(&self, model: &dyn Model, text: &str, options: PredictOptions) -> anyhow::Result<Vec<CommandOutput>> {
        let prediction = model.classify(text);
        let (label, probability) = most_probable(model, &prediction.logits);
        // As on the device, there is no label for a text without a known token or for a text that the model refuses.
        let has_known_token = prediction.tokens > prediction.unknown;
        let refused = has_known_token && model.config().refuses(&prediction.logits);
        let mut json = json!({
            "label": (has_known_token && !refused).then_some(label),
            "probability": has_known_token.then_some(probability),
            "logits": prediction.logits.to_json(),
            "tokens": prediction.tokens,
            "unknown": prediction.unknown,
        });
        if model.config().refusal.is_some() {
            json["refused"] = json!(refused);
        }
        let answer = match has_known_token {
            true => classification::answer(label, probability, refused),
            false => "unknown input".to_owned(),
        };
        let mut lines = vec![format!("{answer}\t{text}")];
        if options.trace {
            let (trace, trace_lines) = trace(model, text);
            json["trace"] = trace;
            lines.extend(trace_lines);
        }
        Ok(vec![CommandOutput { json, lines }])
    }

    fn compare(&self, models: [NamedModel<'_>; 2], data: &DataFile<'_>, rows: usize) -> anyhow::Result<CommandOutput> {
        let examples = data::read(data.path, &data.columns)?;
        let mut predicted: Vec<Vec<String>> = Vec::new();
        for NamedModel { model, .. } in &models {
            // Fails for a label that this model lacks.
            let numbered = data::labels_to_indices(examples.clone(), model.labels(), data.path)?;
            let predictions = Analysis::new(*model, &numbered).predictions;
            predicted.push(predictions.iter().map(|prediction| model.labels()[prediction.predicted].clone()).collect());
        }
        label_comparison::compare(&examples, &models, [&predicted[0], &predicted[1]], "texts", rows)
    }

    fn validate(&self, model: &FloatModel, dir: &Path) -> anyhow::Result<ValidationResult> {
        if let Some(FoldPredictions { examples, analysis, metrics }) = fold_predictions::read(dir, model.config())? {
            let mistakes = TextMistakes::new(model, &examples, &analysis);
            return Ok(ValidationResult { metrics, report: Arc::new(mistakes) });
        }
        if model.validation().is_empty() {
            return Ok(ValidationResult::none(TextMistakes::default()));
        }
        let analysis = Analysis::new(model, model.validation());
        let mistakes = TextMistakes::new(model, model.validation(), &analysis);
        let metrics = classification::validation(&analysis, model.labels());
        Ok(ValidationResult { metrics, report: Arc::new(mistakes) })
    }
}

/// The wording of the report for text classifiers.
static WORDING: TaskWording = TaskWording {
    purpose: |config| format!("Predicts one of {} labels for a text", config.labels.len()),
    figures: SUMMARY_FIGURES,
    loss: "Loss (cross-entropy)",
    compared: "texts",
    validation: ("rows", "/validation/examples"),
    training: ("rows", "/train_examples"),
    is_stratified: true,
    files: [files::VALIDATION, files::CALIBRATION],
    hub_task: ("text-classification", "Text classification"),
    intended_use: (
        "texts",
        "It predicts one of its labels for every text, even if none fits: look at the probability, and at the number of unknown \
         tokens. It was not tested on other kinds of text, on other languages, or against people who want to mislead it.",
    ),
    commands: |folder, _| format!("tern predict {folder} \"a text\""),
};

impl TaskReport for TextMistakes {
    fn wording(&self) -> &'static TaskWording {
        &WORDING
    }

    fn sections(&self, page: &ReportInputs) -> Vec<Section> {
        let mut sections = page.classifier_sections();
        sections.extend([
            ("words", "Influential words", self.word_section(page)),
            ("mistakes", "Most confident mistakes", self.mistake_section(page)),
        ]);
        sections
    }
}

/// Reads labelled texts. Fails if they cannot be read, or a text has a label that the model lacks.
fn read_examples(model: &dyn Model, data: &DataFile<'_>) -> anyhow::Result<Vec<Example>> {
    let rows = data::read(data.path, &data.columns)?;
    Ok(data::labels_to_indices(rows, model.labels(), data.path)?)
}

/// Returns the most probable label and its probability.
fn most_probable<'a>(model: &'a dyn Model, logits: &Logits) -> (&'a str, f64) {
    let label = logits.label();
    (&model.labels()[label], logits.log_probabilities()[label].exp())
}

/// Returns the prediction after each token of a text, as a JSON array and as lines.
fn trace(model: &dyn Model, text: &str) -> (Value, Vec<String>) {
    let steps = model.trace(text);
    let width = steps.iter().map(|step| step.token.chars().count()).max().unwrap_or(0);
    let (mut json, mut lines) = (Vec::new(), Vec::new());
    for step in &steps {
        let (label, probability) = most_probable(model, &step.logits);
        let unknown = if step.known { "" } else { "  (unknown)" };
        json.push(json!({ "token": step.token, "known": step.known, "label": label, "probability": probability }));
        lines.push(format!("  {:width$}  {} {:.1}%{unknown}", step.token, visible(label), 100.0 * probability));
    }
    (json.into(), lines)
}

/// The training and validation texts of a recipe.
pub struct LabelledTexts {
    /// The texts, the labels and the vocabulary.
    data: Prepared,
    /// The training and validation samples.
    problem: Problem,
    /// The n-gram branch of the recipe; `None` if it has none. Its `step`, the weight that the integer 1 in the table
    /// stands for, is 0 until [`model`](TaskData::model) sets that of the trained table.
    ngrams: Option<NgramBranch>,
    /// The settings for temperature and refusal.
    settings: classification::Settings,
    /// The trained baselines; empty if none were to be trained.
    baselines: Vec<Baseline>,
    /// Duration of the training of the baselines, in seconds.
    baseline_seconds: f64,
    /// The source of the training rows.
    path: PathBuf,
    /// The random seed of the training, which also draws the calibration set.
    seed: u64,
}

impl LabelledTexts {
    /// Reads the tables of a recipe, splits them, encodes the texts, runs the teachers and, if `with_baselines` is
    /// true, trains the baselines. Fails as [`TaskHandler::prepare`] does, or if a teacher does not fit.
    pub fn read(recipe: &mut Recipe, with_baselines: bool) -> anyhow::Result<Self> {
        let data = train::prepare(recipe)?;
        let settings =
            classification::Settings::new(recipe, &data.labels).map_err(FileError::at(&recipe.data.train))?;
        let embeddings = embeddings::of_recipe(recipe, &data.vocabulary)?;
        if let Some(embeddings) = &embeddings {
            recipe.model.embedding_dim = Some(embeddings.width());
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(recipe.threads()).build()?;
        // The baselines are trained before the texts are encoded, so that less memory is in use at the same time.
        let start = Instant::now();
        let mut baselines = Vec::new();
        if with_baselines {
            let measure = |split: &Cow<'_, Prepared>| baselines::measure(split, recipe.metric(), recipe.training.seed);
            // The figures of all folds are pooled; without folds, there is one split.
            let measured = pool.install(|| data.splits().iter().map(measure).reduce(baselines::pooled));
            baselines = measured.unwrap_or_default();
        }
        let baseline_seconds = start.elapsed().as_secs_f64();
        let stage = Stage::new("encoding the texts");
        let mut problem = Problem { embeddings, ..pool.install(|| Problem::of_texts(recipe, &data)) };
        drop(stage);
        let teachers = Teachers::load(recipe, &data.labels, &[])?;
        let logits = |model: &dyn Model, row: usize| Ok(model.classify(&data.train[row].text).logits);
        pool.install(|| teachers.teach(&mut problem, logits))?;
        let (path, seed) = (recipe.data.train.clone(), recipe.training.seed);
        let ngrams = problem.architecture.ngrams.map(|NgramTable { buckets, rank, bits }| {
            let Ngrams { words, min_chars, max_chars } = recipe.model.ngrams(data.vocabulary.tokenizer());
            let fingerprints = problem.fingerprints.clone();
            NgramBranch { buckets, rank, words, min_chars, max_chars, bits, step: 0.0, fingerprints }
        });
        Ok(LabelledTexts { data, problem, ngrams, settings, baselines, baseline_seconds, path, seed })
    }
}

impl TaskData for LabelledTexts {
    fn problem(&self) -> &Problem {
        &self.problem
    }

    fn set_cross_validation(&mut self, found: Option<CrossValidation>) {
        self.problem.cross_validation = found;
    }

    fn describe(&self, recipe: &Recipe, note: &dyn Fn(String)) {
        describe_texts(recipe, &self.data, note);
        describe_validation(&self.problem, "texts", note);
        if self.problem.architecture.is_recurrent() {
            describe_unknown_tokens(&self.problem, note);
        }
        describe_embeddings(recipe, &self.problem, &self.data.vocabulary, note);
        describe_teachers(recipe, note);
        if !self.baselines.is_empty() {
            let figures = |baseline: &Baseline| format!("{} {:.4}", baseline.title, baseline.evaluation.accuracy());
            let figures: Vec<String> = self.baselines.iter().map(figures).collect();
            note(format!("baselines, in {:.1} s: {}", self.baseline_seconds, figures.join("; ")));
        }
    }

    fn model(&self, name: &str, mut weights: Weights) -> anyhow::Result<FloatModel> {
        let Prepared { labels, vocabulary, train, valid, folds, .. } = &self.data;
        // With cross-validation, `valid` has the rows on which the model was trained.
        let valid = if folds.is_empty() { valid.clone() } else { Vec::new() };
        let calibration = data::sample(train, labels.len(), CALIBRATION_ROWS, self.seed);
        let mut config = Config::classifier(name, &self.problem.architecture, labels.clone());
        // The grid of the rounded n-gram table; `None` without an n-gram branch.
        let grid = train::round_ngrams(&mut weights, &self.problem.architecture);
        classification::calibrate(&self.settings, &self.problem, &mut config, &mut weights);
        config.ngrams =
            self.ngrams.clone().zip(grid).map(|(branch, grid)| NgramBranch { step: grid.step.into(), ..branch });
        Ok(FloatModel::new(config, vocabulary.clone(), weights, calibration, valid)?)
    }

    fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let texts = self.data.train.iter().map(|example| example.text.as_str());
        match &self.problem.cross_validation {
            Some(found) => fold_predictions::write(dir, &self.data.labels, texts, &self.problem, found),
            None => Ok(()),
        }
    }

    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements> {
        let Prepared { labels, vocabulary, train, valid, leaked, .. } = &self.data;
        let cross_validation = self.problem.cross_validation.as_ref();
        let (examples, analysis) = match cross_validation {
            Some(found) => (valid, Analysis::of_outputs(model.config(), &self.problem.train, &found.outputs)),
            None if self.problem.folds.is_empty() => (valid, Analysis::new(model, valid)),
            // After an interrupted cross-validation, there are no predictions for all rows.
            None => (&Vec::new(), Analysis::of(model.config(), std::iter::empty())),
        };
        let Problem { train: samples, truncated, .. } = &self.problem;
        // The lengths before the samples were truncated.
        let lengths: Vec<usize> = match truncated {
            0 => samples.iter().map(|sample| sample.steps.len()).collect(),
            _ => train.par_iter().map(|example| vocabulary.encode(&example.text).len()).collect(),
        };
        let stats = TrainingStats { samples, lengths: &lengths, leaked: *leaked, truncated: *truncated };
        let report = Arc::new(TextMistakes::new(model, examples, &analysis));
        let mut measurements = classification::measurements(&analysis, labels, stats, report, cross_validation);
        add_baselines(&mut measurements, &self.baselines, &analysis, model.weights().count());
        Ok(measurements)
    }

    fn evaluate(&self, model: &dyn Model) -> anyhow::Result<Option<Evaluation>> {
        Ok(Some(Analysis::new(model, &self.data.valid).evaluation))
    }

    fn place(&self, sample: usize) -> String {
        let text = shorten(&self.data.train[sample].text, MAX_EXCERPT_CHARS);
        format!("{}: {text:?}", self.data.places[sample].show(&self.path))
    }
}

/// Notes the sizes of the training and validation sets, problems of the data such as empty texts, and the network.
/// `note` is called with each line.
fn describe_texts(recipe: &Recipe, data: &Prepared, note: &dyn Fn(String)) {
    let classes = data.labels.len();
    let (train, valid) = (data.train.len(), data.valid.len());
    let validation = if data.folds.is_empty() { format!(", {valid} validation texts") } else { String::new() };
    note(format!("{train} training texts of {classes} classes{validation}"));
    if data.duplicates > 0 {
        note(format!(
            "{} rows repeat an earlier text: equal texts are kept on one side of the validation split",
            data.duplicates
        ));
    }
    // The lengths and their unit are not shown here, so these are 0 and "".
    let rows = data.train.iter().map(|example| (example.text.as_str(), data.labels[example.label].as_str(), 0));
    let Statistics { empty, conflicting, .. } = Statistics::new(rows, "");
    if empty > 0 {
        let ending = if empty == 1 { " is" } else { "s are" };
        note(format!("warning: {empty} text{ending} empty"));
    }
    if conflicting > 0 {
        note(format!("warning: {conflicting} texts occur with more than one label: no model can predict all of them"));
    }
    if data.leaked > 0 {
        note(format!(
            "warning: {} validation texts are also training texts: the validation figures will be too good",
            data.leaked
        ));
    }
    let (network, threads) = (recipe.model.architecture(data.vocabulary.len(), classes), recipe.threads());
    let vocabulary = if network.is_recurrent() {
        let (tokens, min_count) = (data.vocabulary.len(), recipe.vocabulary.min_count());
        let width = recipe.model.embedding_dim();
        format!("{tokens} tokens in the vocabulary (each seen {min_count} times or more), embedding {width}, ")
    } else {
        String::new()
    };
    note(format!("{vocabulary}{}, threads {threads}", network.describe()));
}
