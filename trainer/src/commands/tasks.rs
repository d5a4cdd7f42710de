//! What `tern eval` and `tern predict` do with models that do not classify texts.

use super::predict::each_line;
use super::{eval, predict, print, visible};
use crate::data::number_table::{self, Wanted};
use crate::model::{self, Sequential};
use crate::task::Task;
use crate::tasks::forecast::{Windows, compare};
use crate::tasks::language_model;
use crate::tasks::sequence_classification::{self, SEQUENCE, Sequences};
use crate::vocabulary::UNK;
use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The model at `path` where it does anything but classify texts.
///
/// # Errors
///
/// Where it cannot be loaded.
pub fn open(path: &Path) -> anyhow::Result<Option<Box<dyn Sequential>>> {
    let model = model::open(path)?;
    Ok((!model.classifies_texts()).then_some(model))
}

/// `tern eval`
///
/// # Errors
///
/// Where the data cannot be read, or are not what the model is about.
pub fn evaluate(model: &dyn Sequential, args: &eval::Args) -> anyhow::Result<()> {
    let (path, config) = (args.data.as_path(), model.config());
    let columns: Vec<String> = config.channels.iter().map(|channel| channel.name.clone()).collect();
    let delimiter = args.table.delimiter.and_then(|c| u8::try_from(c).ok());
    let (json, lines) = match config.task {
        Task::LanguageModel => {
            let text = language_model::read(path)?;
            let figures = language_model::evaluate(model, &text);
            let figures =
                figures.with_context(|| format!("{}: fewer than two tokens, expected a text", path.display()))?;
            (figures.to_json(), figures.lines())
        }
        Task::Forecast => {
            let table = number_table::read(path, &Wanted { texts: &[], numbers: &columns, delimiter })?;
            match compare(model, &table, 0).filter(|figures| figures.windows > 0) {
                Some(figures) => (figures.to_json(), figures.lines()),
                None => {
                    bail!("{}: {} rows, too few for a window and what follows it", path.display(), table.rows.len())
                }
            }
        }
        Task::Classify => {
            let label = args.table.columns().label;
            let sequences = Sequences::read(path, SEQUENCE, Some(&label), &columns, delimiter)?;
            let evaluation = sequence_classification::evaluate(model, &sequences, path)?;
            (
                eval::to_json(&model.config().labels, &evaluation),
                eval::to_text(&model.config().labels, &evaluation, eval::Paint::for_stdout()),
            )
        }
    };
    if args.json { print(json) } else { lines.iter().try_for_each(print) }
}

/// `tern predict`
///
/// # Errors
///
/// Where stdin or a table cannot be read, or a table is not what the model is about.
pub fn predict(model: &dyn Sequential, args: &predict::Args) -> anyhow::Result<()> {
    if model.config().task == Task::LanguageModel {
        if args.texts.is_empty() {
            return each_line(|text| next(model, text, args));
        }
        return args.texts.iter().try_for_each(|text| next(model, text, args));
    }
    if args.texts.is_empty() {
        bail!("{} reads numbers: name a table, such as `tern predict {0} data.csv`", args.model.display());
    }
    args.texts.iter().try_for_each(|path| match model.config().task {
        Task::Forecast => series(model, Path::new(path), args.json),
        _ => classify(model, Path::new(path), args.json),
    })
}

/// The likeliest tokens after a text.
fn next(model: &dyn Sequential, text: &str, args: &predict::Args) -> anyhow::Result<()> {
    let ids = model.vocabulary().encode(text);
    let unknown = ids.iter().filter(|id| **id == UNK).count();
    let known = ids.len() > unknown;
    let best = if known { language_model::next_tokens(model, &ids, args.top) } else { Vec::new() };
    let name = |id: u32| model.vocabulary().tokens()[id as usize].as_str();
    if args.json {
        let token = |&(id, probability): &(u32, f64)| json!({ "token": name(id), "probability": probability });
        let next = known.then(|| best.iter().map(token).collect::<Vec<Value>>());
        return print(json!({ "next": next, "tokens": ids.len(), "unknown": unknown }));
    }
    if !known {
        return print(format_args!("unknown input\t{text}"));
    }
    let token = |&(id, probability): &(u32, f64)| format!("{} {:.1}%", visible(name(id)), 100.0 * probability);
    print(format_args!("{}\t{text}", best.iter().map(token).collect::<Vec<_>>().join("  ")))
}

/// The next rows of a series.
fn series(model: &dyn Sequential, path: &Path, json: bool) -> anyhow::Result<()> {
    let config = model.config();
    let Some(forecast) = &config.forecast else { bail!("{}: no forecast in config.json", config.name) };
    let columns: Vec<String> = config.channels.iter().map(|channel| channel.name.clone()).collect();
    let table = number_table::read(path, &Wanted { numbers: &columns, ..Wanted::default() })?;
    let (found, expected) = (table.rows.len(), forecast.window);
    if found < expected {
        bail!("{}: {found} rows, expected {expected} or more: the model reads that many", path.display());
    }
    let said = Windows::new(&table, &config.channels, forecast).predict(model, found);
    let rows = said.chunks(forecast.targets.len());
    if json {
        let row = |numbers: &[f64]| -> Value {
            let numbers = forecast.targets.iter().cloned().zip(numbers.iter().map(|number| json!(number)));
            Value::Object(numbers.collect::<Map<_, _>>())
        };
        return print(json!({ "forecast": rows.map(row).collect::<Vec<_>>(), "rows": found }));
    }
    print(format_args!("step,{}", forecast.targets.join(",")))?;
    for (step, numbers) in rows.enumerate() {
        let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:.6}")).collect();
        print(format_args!("{},{}", step + 1, numbers.join(",")))?;
    }
    Ok(())
}

/// The label of each sequence of a table.
fn classify(model: &dyn Sequential, path: &Path, json: bool) -> anyhow::Result<()> {
    let columns: Vec<String> = model.config().channels.iter().map(|channel| channel.name.clone()).collect();
    let sequences = Sequences::read(path, SEQUENCE, None, &columns, None)?;
    for (sequence, logits) in sequence_classification::logits(model, &sequences).into_iter().enumerate() {
        let label = &model.config().labels[logits.label()];
        let probability = logits.log_probabilities()[logits.label()].exp();
        let name = sequences.name(sequence);
        if json {
            print(json!({
                "sequence": name,
                "label": label,
                "probability": probability,
                "logits": logits.to_json(),
                "steps": sequences.spans[sequence].len(),
            }))?;
        } else {
            print(format_args!("{} {:.1}%\t{}", visible(label), 100.0 * probability, visible(name)))?;
        }
    }
    Ok(())
}
