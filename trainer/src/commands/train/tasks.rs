//! Training of everything but classifiers of text.

use super::progress::Progress;
use super::stop_on_interrupt;
use crate::commands::{note, print};
use crate::float_model::{Config, FloatModel, Staged, files};
use crate::language::{self, PreparedText};
use crate::metrics::Evaluation;
use crate::recipe::{Recipe, Task};
use crate::report::plain;
use crate::series::forecast::{self, PreparedSeries};
use crate::series::sequences::{self, LABEL, PreparedSequences, SEQUENCE, Sequences};
use crate::train::{self, Ending, Outcome, Problem};
use crate::vocabulary::Vocabulary;
use anyhow::Context;
use serde_json::{Value, json};
use std::path::Path;

/// Rows of a table, or bytes of a text, that are kept for calibration.
const CALIBRATION_ROWS: usize = 4096;
const CALIBRATION_BYTES: usize = 1 << 16;

/// What is left of the data once it is prepared.
enum Data {
    Text(PreparedText),
    Sequences(PreparedSequences),
    Series(PreparedSeries),
}

/// How a model came out: for `metrics.json`, and for people.
struct Measured {
    json: Value,
    lines: Vec<String>,
}

/// Trains a language model, a forecast, or a classifier of sequences of numbers.
pub fn work(mut recipe: Recipe, target: &Path, json: bool) -> anyhow::Result<()> {
    let staged = Staged::new(target)?;
    let data = match recipe.task {
        Task::LanguageModel => Data::Text(language::prepare(&recipe)?),
        Task::Forecast => Data::Series(forecast::prepare(&recipe)?),
        Task::Classify => Data::Sequences(sequences::prepare(&recipe)?),
    };
    recipe.training.batch_size = recipe.batch_size(data.problem().train.len());
    recipe.resolve();
    let recipe = &recipe;
    data.describe(recipe);
    let stop = stop_on_interrupt();
    let mut progress = Progress::new(recipe.training.epochs, 0);
    let outcome = train::run(recipe, data.problem(), &mut progress, &stop)?;
    progress.finish();

    let name = recipe.name.clone().unwrap_or_else(|| {
        target.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
    });
    let (config, vocabulary) = (data.config(&name), data.vocabulary());
    let model = FloatModel::new(config, vocabulary, outcome.weights.clone(), Vec::new(), Vec::new())?;
    model.save(staged.path())?;
    data.save(staged.path())?;
    let measured = data.measure(&model)?;
    let figures = metrics(&model, data.problem(), &outcome, &measured);
    let write = |name: &str, text: String| {
        let path = staged.path().join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    };
    write(files::RECIPE, recipe.to_toml(target))?;
    write(files::METRICS, format!("{figures:#}\n"))?;
    write(files::CARD, plain::card(model.config(), recipe, model.weights().count(), &measured.lines))?;
    staged.commit()?;

    let (best, epochs) = (outcome.best_epoch, outcome.history.len());
    note(format_args!("best epoch {best} of {epochs}, {} parameters; on what was held out:", model.weights().count()));
    measured.lines.iter().for_each(note);
    match outcome.ending {
        Ending::Epochs | Ending::Diverged => {}
        Ending::Patience => note(format_args!("ended early: {} epochs without a better one", recipe.training.patience)),
        Ending::Interrupted => note("interrupted: the best epoch so far was kept"),
    }
    note(format_args!("wrote {}", target.display()));
    if json {
        let mut object = json!({ "model": target });
        if let (Some(object), Value::Object(figures)) = (object.as_object_mut(), figures) {
            object.extend(figures);
        }
        print(object)?;
    }
    Ok(())
}

fn metrics(model: &FloatModel, problem: &Problem, outcome: &Outcome, measured: &Measured) -> Value {
    json!({
        "task": model.config().task.name(),
        "best_epoch": outcome.best_epoch,
        "epochs": outcome.history.len(),
        "ending": outcome.ending,
        "train_examples": problem.train.len(),
        "parameters": model.weights().count(),
        "validation": measured.json,
        "history": outcome.history,
    })
}

impl Data {
    fn problem(&self) -> &Problem {
        match self {
            Data::Text(data) => &data.problem,
            Data::Sequences(data) => &data.problem,
            Data::Series(data) => &data.problem,
        }
    }

    fn config(&self, name: &str) -> Config {
        match self {
            Data::Text(data) => data.config(name),
            Data::Sequences(data) => data.config(name),
            Data::Series(data) => data.config(name),
        }
    }

    fn vocabulary(&self) -> Vocabulary {
        match self {
            Data::Text(data) => data.vocabulary.clone(),
            Data::Sequences(_) | Data::Series(_) => Vocabulary::none(),
        }
    }

    fn describe(&self, recipe: &Recipe) {
        let problem = self.problem();
        let cells = problem.architecture.recurrent.describe(recipe.model.hidden);
        match self {
            Data::Text(data) => {
                let held_out: usize = problem.valid.iter().map(|sample| sample.steps.len()).sum();
                note(format_args!(
                    "{} tokens to learn from ({} unknown), {held_out} held out from the end; {} in the vocabulary",
                    data.tokens,
                    data.unknown,
                    data.vocabulary.len()
                ));
                note(format_args!("embedding {}, {cells}, threads {}", recipe.model.embedding, recipe.threads()));
            }
            Data::Sequences(data) => {
                note(format_args!(
                    "{} sequences of {} classes to learn from, {} to validate with",
                    problem.train.len(),
                    data.labels.len(),
                    problem.valid.len()
                ));
                self.channels(&cells, recipe);
            }
            Data::Series(data) => {
                note(format_args!(
                    "{} rows to learn from, {} held out from the end; {} rows are read, {} said of {}",
                    data.train_rows,
                    data.table.rows.len() - data.train_rows,
                    data.forecast.window,
                    data.forecast.horizon,
                    data.forecast.targets.join(", ")
                ));
                self.channels(&cells, recipe);
            }
        }
    }

    fn channels(&self, cells: &str, recipe: &Recipe) {
        let (channels, table) = match self {
            Data::Text(_) => return,
            Data::Sequences(data) => (&data.channels, &data.train),
            Data::Series(data) => (&data.channels, &data.table),
        };
        let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
        note(format_args!("channels {}; {cells}, threads {}", names.join(", "), recipe.threads()));
        let missing = table.rows.iter().flatten().filter(|number| number.is_nan()).count();
        if missing > 0 {
            note(format_args!("{missing} numbers are missing: the last one before each is read, none is learnt"));
        }
    }

    /// Writes what was held out, and something of what was learnt from.
    fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let tables = match self {
            Data::Text(data) => {
                let end = (0..=data.train.len().min(CALIBRATION_BYTES)).rev();
                let end = end.into_iter().find(|&end| data.train.is_char_boundary(end)).unwrap_or(0);
                for (name, text) in
                    [(files::VALIDATION_TEXT, &data.valid[..]), (files::CALIBRATION_TEXT, &data.train[..end])]
                {
                    let path = dir.join(name);
                    std::fs::write(&path, text).with_context(|| path.display().to_string())?;
                }
                return Ok(());
            }
            Data::Sequences(data) => [
                (files::VALIDATION, &data.valid, 0..data.valid.rows.len()),
                (files::CALIBRATION, &data.train, 0..data.train.rows.len().min(CALIBRATION_ROWS)),
            ],
            Data::Series(data) => [
                (files::VALIDATION, &data.table, data.train_rows - data.before()..data.table.rows.len()),
                (files::CALIBRATION, &data.table, 0..data.train_rows.min(CALIBRATION_ROWS)),
            ],
        };
        for (name, table, rows) in tables {
            let path = dir.join(name);
            let texts: &[&str] = if table.texts.is_empty() { &[] } else { &[SEQUENCE, LABEL] };
            table.write(&path, texts, rows).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measured> {
        match self {
            Data::Text(data) => {
                let figures = language::evaluate(model, &data.valid).context("nothing is held out")?;
                Ok(Measured { json: figures.to_json(), lines: figures.lines() })
            }
            Data::Series(data) => {
                let figures = forecast::compare(model, &data.table, data.train_rows).context("not a forecast")?;
                Ok(Measured { json: figures.to_json(), lines: figures.lines() })
            }
            Data::Sequences(data) => {
                let sequences = Sequences::of_table(data.valid.clone(), Path::new(files::VALIDATION))?;
                let evaluation = sequences::evaluate(model, &sequences, Path::new(files::VALIDATION))?;
                Ok(Measured { json: classes_json(model, &evaluation), lines: classes_lines(&evaluation) })
            }
        }
    }
}

fn classes_json(model: &FloatModel, evaluation: &Evaluation) -> Value {
    let mut json = crate::commands::eval::to_json(model.labels(), evaluation);
    json["confusion"] = json!(evaluation.confusion());
    json
}

fn classes_lines(evaluation: &Evaluation) -> Vec<String> {
    vec![
        format!("{} sequences", evaluation.examples()),
        format!(
            "accuracy {:.4}, always the most frequent label: {:.4}",
            evaluation.accuracy(),
            evaluation.majority_accuracy()
        ),
        format!("loss {:.4}, macro F1 {:.4}", evaluation.loss(), evaluation.macro_f1()),
    ]
}
