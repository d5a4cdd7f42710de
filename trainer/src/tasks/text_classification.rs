//! Texts with labels.

mod text_mistakes;
pub mod word_weights;

pub use text_mistakes::{Mistake, TextMistakes};

use super::{Findings, TaskData, excerpt, say_embeddings};
use crate::baselines::{self, Baseline};
use crate::commands::note;
use crate::data::{self, Statistics};
use crate::embeddings::{self, Embeddings};
use crate::float_model::{Config, FloatModel};
use crate::recipe::Recipe;
use crate::report::analysis::Analysis;
use crate::report::{Measurements, TrainingStats};
use crate::train::{self, Prepared, Problem};
use crate::weights::Weights;
use std::path::PathBuf;
use std::time::Instant;

/// The most training rows that are kept for calibration.
const CALIBRATION_ROWS: usize = 512;

/// Labelled texts.
pub struct Texts {
    data: Prepared,
    problem: Problem,
    baselines: Vec<Baseline>,
    path: PathBuf,
    seed: u64,
}

impl Texts {
    /// Those of a recipe.
    pub fn read(recipe: &mut Recipe) -> anyhow::Result<Self> {
        let data = train::prepare(recipe)?;
        let embeddings = embeddings::of_recipe(recipe, &data.vocabulary)?;
        recipe.model.embedding = embeddings.as_ref().map_or(recipe.model.embedding, Embeddings::width);
        let problem = Problem { embeddings, ..Problem::of_texts(recipe, &data) };
        let (path, seed) = (recipe.data.train.clone(), recipe.training.seed);
        Ok(Texts { data, problem, baselines: Vec::new(), path, seed })
    }

    /// Trains the models that the recurrent one should beat, and says how they do.
    fn measure_baselines(&mut self, recipe: &Recipe) -> anyhow::Result<()> {
        let start = Instant::now();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(recipe.threads()).build()?;
        self.baselines = pool.install(|| baselines::measure(&self.data, self.seed));
        let figures = self.baselines.iter().map(|of| format!("{} {:.4}", of.title, of.evaluation.accuracy()));
        let figures: Vec<String> = figures.collect();
        let seconds = start.elapsed().as_secs_f64();
        note(format_args!("to beat, in {seconds:.1} s: {}", figures.join("; ")));
        Ok(())
    }
}

impl TaskData for Texts {
    fn problem(&self) -> &Problem {
        &self.problem
    }

    fn introduce(&mut self, recipe: &Recipe, baselines: bool) -> anyhow::Result<()> {
        say(recipe, &self.data);
        say_embeddings(recipe, &self.problem, &self.data.vocabulary);
        if baselines { self.measure_baselines(recipe) } else { Ok(()) }
    }

    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel> {
        let Prepared { labels, vocabulary, train, valid, .. } = &self.data;
        let calibration = data::sample(train, labels.len(), CALIBRATION_ROWS, self.seed);
        let config = Config::classifier(name, &self.problem.architecture, labels.clone());
        Ok(FloatModel::new(config, vocabulary.clone(), weights, calibration, valid.clone())?)
    }

    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements> {
        let Prepared { labels, vocabulary, train, valid, leaked, .. } = &self.data;
        let analysis = Analysis::new(model, valid);
        let learnt: Vec<usize> = train.iter().map(|example| example.label).collect();
        let lengths: Vec<usize> = train.iter().map(|example| vocabulary.encode(&example.text).len()).collect();
        let learnt = TrainingStats { labels: &learnt, lengths: &lengths, leaked: *leaked, cut: self.problem.cut };
        let findings = Findings::Texts(TextMistakes::new(model, valid, &analysis));
        let measured = Measurements::classifier(&analysis, labels, learnt, findings);
        Ok(measured.with_baselines(&self.baselines, &analysis, model.weights().count()))
    }

    fn place(&self, sample: usize) -> String {
        format!("{}: {}", self.data.places[sample].show(&self.path), excerpt(&self.data.train[sample].text))
    }
}

/// What there is to learn from, and what is odd about it.
fn say(recipe: &Recipe, data: &Prepared) {
    let classes = data.labels.len();
    let (train, valid) = (data.train.len(), data.valid.len());
    note(format_args!("{train} examples of {classes} classes to learn from, {valid} to validate with"));
    if data.duplicates > 0 {
        note(format_args!(
            "{} rows repeat the text of an earlier one: equal texts were kept together, none that is held out is learnt from",
            data.duplicates
        ));
    }
    let rows = data.train.iter().map(|example| (example.text.as_str(), data.labels[example.label].as_str(), 0));
    let Statistics { empty, conflicting, .. } = Statistics::new(rows, "");
    if empty > 0 {
        let plural = if empty == 1 { " is" } else { "s are" };
        note(format_args!("warning: {empty} text{plural} empty: of these only the label can be learnt"));
    }
    if conflicting > 0 {
        note(format_args!(
            "warning: {conflicting} texts stand there with more than one label: no model can learn these"
        ));
    }
    if data.leaked > 0 {
        note(format_args!(
            "warning: {} validation texts are among those to learn from as well: the figures will flatter the model",
            data.leaked
        ));
    }
    note(format_args!(
        "{} tokens in the vocabulary (each seen {} times or more), embedding {}, {}, threads {}",
        data.vocabulary.len(),
        recipe.vocabulary.min_count,
        recipe.model.embedding,
        recipe.model.architecture(data.vocabulary.len(), classes).recurrent.describe(recipe.model.hidden),
        recipe.threads()
    ));
}
