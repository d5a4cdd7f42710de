//! `tern data`: prints statistics of training data, converts it and splits it.

mod options;
mod plain;
mod show;

pub use options::Args;

use super::{Failure, print};
use crate::data::{self, Format, Sequence, Sequences, Statistics};
use anyhow::{Context, bail};
use options::MAX_PARTS;
use serde::Serialize;
use serde_json::{Value, json};
use show::encoding;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Prints statistics of labelled data or of plain text, and writes the files that the options ask for.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(shares) = &args.split {
        let sum: f64 = shares.iter().sum();
        let is_valid = (2..=MAX_PARTS).contains(&shares.len()) && shares.iter().all(|share| *share > 0.0);
        if !is_valid || (sum - 1.0).abs() > 1e-6 {
            bail!(Failure::Usage(format!(
                "--split is {shares:?} (sum {sum}), expected two or three shares above 0 that add up to 1, such as 0.8,0.1,0.1"
            )));
        }
    }
    args.check_windows()?;
    let sources = args.sources.len();
    let plain_texts = args.sources.iter().filter(|path| plain::is_plain(path, args)).count();
    if plain_texts == 0 {
        return run_labelled(args);
    }
    if plain_texts == sources {
        return plain::run(args);
    }
    bail!(Failure::Usage(format!(
        "{plain_texts} of {sources} sources are plain text (.txt), expected all or none; run `tern data` on the .txt files separately"
    )))
}

/// Runs the command on labelled texts and sequences.
fn run_labelled(args: &Args) -> anyhow::Result<()> {
    let contents = args.sources.iter().map(|path| Content::read(path, args)).collect::<Result<Vec<_>, _>>()?;
    let paths_and_contents = args.sources.iter().zip(&contents);
    let sources: Vec<SourceFacts<'_>> =
        paths_and_contents.map(|(path, content)| SourceFacts::new(path, content)).collect();
    let overlaps = overlaps(&sources);
    // The files that were written, each with its number of rows.
    let written = match &args.output {
        Some(output) => write(output, &contents, args)?,
        None => Vec::new(),
    };
    if args.json {
        let source_objects: Vec<Value> = sources.iter().map(SourceFacts::to_json).collect();
        let written_objects: Vec<Value> =
            written.iter().map(|(path, rows)| json!({ "path": path, "rows": rows })).collect();
        return print(json!({ "sources": source_objects, "overlap": overlaps, "written": written_objects }));
    }
    for SourceFacts { path, statistics, encoding, .. } in &sources {
        show::lines(path, statistics, encoding.as_deref()).iter().try_for_each(print)?;
    }
    for Overlap { a, b, texts } in overlaps {
        print(format_args!("{texts} texts are both in {} and in {}", a.display(), b.display()))?;
    }
    written.iter().try_for_each(|(path, rows)| print(format_args!("wrote {}: {rows} rows", path.display())))
}

/// The facts about a source, for the output.
struct SourceFacts<'a> {
    path: &'a Path,
    statistics: Statistics,
    /// `None` if the source is not a text file: see [`encoding`](encoding()).
    encoding: Option<String>,
    /// The distinct keys of the items, see [`key`]. They are not printed, but compared with those of other sources.
    keys: HashSet<Cow<'a, str>>,
}

impl<'a> SourceFacts<'a> {
    fn new(path: &'a Path, content: &'a Content) -> Self {
        let keys: Vec<Cow<'a, str>> = content.items.iter().map(key).collect();
        let rows = keys.iter().zip(&content.items).map(|(key, item)| (&**key, item.label.as_str(), length(item)));
        let unit = if content.channels.is_empty() { "words" } else { "steps" };
        let statistics = Statistics::new(rows, unit);
        SourceFacts { path, statistics, encoding: encoding(path), keys: keys.into_iter().collect() }
    }

    fn to_json(&self) -> Value {
        let mut object = json!(self.statistics);
        object["path"] = json!(self.path);
        object["encoding"] = json!(self.encoding);
        object
    }
}

/// Compares each source with those before it.
fn overlaps<'a>(sources: &[SourceFacts<'a>]) -> Vec<Overlap<'a>> {
    let mut overlaps = Vec::new();
    for (index, b) in sources.iter().enumerate() {
        for a in &sources[..index] {
            overlaps.push(Overlap { a: a.path, b: b.path, texts: a.keys.intersection(&b.keys).count() });
        }
    }
    overlaps
}

/// The number of distinct texts or sequences that two sources, `a` and `b`, have in common.
#[derive(Serialize)]
struct Overlap<'a> {
    a: &'a Path,
    b: &'a Path,
    texts: usize,
}

/// The content of a source: sequences of numbers, or texts. A text is stored as a [`Sequence`] without steps, whose
/// `name` is the text.
struct Content {
    /// The columns of numbers; empty for texts.
    channels: Vec<String>,
    items: Vec<Sequence>,
}

impl Content {
    /// Reads a source. Sequences are resampled and cut into windows as the options say. Fails if the options ask for
    /// that and the source has texts.
    fn read(path: &Path, args: &Args) -> anyhow::Result<Self> {
        let columns = args.table.columns();
        if data::sequences::is_table(path, &columns.text, columns.layout) {
            let Sequences { channels, sequences } =
                data::sequences::read_table(path, &columns.label, columns.layout, &args.windows())?;
            return Ok(Content { channels, items: sequences });
        }
        if !args.windows().are_whole() {
            let message = "--window and --resample are for tables of sequences, with a column `sequence`";
            bail!(Failure::Usage(format!("{}: {message}", path.display())));
        }
        let rows = data::read(path, &columns)?.into_iter();
        let items = rows.map(|row| Sequence { name: row.text, label: row.label, steps: Vec::new() });
        Ok(Content { channels: Vec::new(), items: items.collect() })
    }
}

/// Returns the text, or the numbers of all steps, of an item as one string. Items with equal keys count as duplicates
/// and go to the same part of a split.
fn key(item: &Sequence) -> Cow<'_, str> {
    if item.steps.is_empty() {
        return Cow::Borrowed(&item.name);
    }
    item.steps.iter().map(|step| step.join(",")).collect::<Vec<_>>().join("\n").into()
}

/// Returns the number of words of a text, or of steps of a sequence.
fn length(item: &Sequence) -> usize {
    if item.steps.is_empty() { item.name.split_whitespace().count() } else { item.steps.len() }
}

/// Returns the rows of an item in a table: one for a text, one for each step of a sequence. The columns are the text or
/// the name of the sequence, the label, and the numbers of the step.
fn table_rows(item: &Sequence) -> Vec<Vec<&str>> {
    let name_and_label = vec![item.name.as_str(), item.label.as_str()];
    if item.steps.is_empty() {
        return vec![name_and_label];
    }
    let mut rows = vec![name_and_label; item.steps.len()];
    for (row, step) in rows.iter_mut().zip(&item.steps) {
        row.extend(step.iter().map(String::as_str));
    }
    rows
}

/// Writes all sources into one file, or into the parts of a split. Returns the paths of the files, each with its number
/// of texts or sequences. Fails without writing if the sources have different channels, or if a part would be empty.
fn write(output: &Path, contents: &[Content], args: &Args) -> anyhow::Result<Vec<(PathBuf, usize)>> {
    if output.is_dir() {
        let example = output.join("data.csv");
        bail!("{}: a directory, expected a name for a file such as {}", output.display(), example.display());
    }
    let channels = &contents[0].channels;
    if contents.iter().any(|content| content.channels != *channels) {
        bail!(
            "the sources have different columns, expected texts only, or sequences with the same channels; convert them separately"
        );
    }
    let items: Vec<&Sequence> = contents.iter().flat_map(|content| &content.items).collect();
    let keys: Vec<Cow<'_, str>> = items.iter().map(|item| key(item)).collect();
    let part_of_item = data::split(&keys, &classes(&items), args.shares(), args.seed, args.stratify);
    let mut written = Vec::new();
    for (part, path) in args.output_files(output).into_iter().enumerate() {
        let count = part_of_item.iter().filter(|&&item_part| item_part == part).count();
        if count == 0 {
            bail!("{}: no row is left for this part: {} rows are too few for these shares", path.display(), keys.len());
        }
        written.push((path, count));
    }
    let name_column = if channels.is_empty() { "text" } else { "sequence" };
    let mut header = vec![name_column.to_owned(), "label".to_owned()];
    header.extend_from_slice(channels);
    let format = args.to.unwrap_or(Format::of(output));
    for (part, (path, _)) in written.iter().enumerate() {
        let members = items.iter().zip(&part_of_item).filter(|(_, item_part)| **item_part == part);
        let rows = members.flat_map(|(item, _)| table_rows(item));
        data::save(path, format, &header, rows).with_context(|| path.display().to_string())?;
    }
    Ok(written)
}

/// Returns the class of each item: the number of its label, from 0, in the order in which the labels first occur.
fn classes(items: &[&Sequence]) -> Vec<usize> {
    let mut class_of_label: HashMap<&str, usize> = HashMap::new();
    let mut classes = Vec::with_capacity(items.len());
    for item in items {
        let next_class = class_of_label.len();
        classes.push(*class_of_label.entry(item.label.as_str()).or_insert(next_class));
    }
    classes
}
