//! `tern data`

mod plain;
mod show;

use super::table::TableArgs;
use super::{Failure, print};
use crate::data::{self, Format, Row, Sequences, Statistics, TableError};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Names of the parts of a split, in their order.
const PARTS: [&str; 3] = ["train", "valid", "test"];

/// Options of `tern data`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern data messages.csv                              counts, lengths, duplicates, conflicts
  tern data train.csv test.csv                        and the texts that both have
  tern data aclImdb/train -o imdb.csv                 one file of a folder of texts
  tern data messages.csv -o m.jsonl --split 0.8,0.1,0.1 --stratify
                                                      m.train.jsonl, m.valid.jsonl, m.test.jsonl
  tern data indoor_movement -o movement.csv           sequences of numbers, a row a step
  tern data novel.txt -o n.txt --split 0.9,0.1        n.train.txt, n.valid.txt: plain text in its order

Equal texts always go to the same part of a split. A file is replaced as a whole or not at all.")]
pub struct Args {
    /// Labelled texts: CSV, TSV or JSONL, a folder LABEL/*.txt, hf:owner/name; sequences of numbers; plain text (.txt)
    #[arg(value_name = "SRC", required = true)]
    pub sources: Vec<PathBuf>,
    /// File to write all rows to; with --split the beginning of the names of its parts
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Format to write [default: by the ending of OUT, else csv]
    #[arg(long, value_name = "FORMAT", requires = "output")]
    pub to: Option<Format>,
    /// Shares of train, valid and, where there are three, test; they add up to 1
    #[arg(long, value_name = "SHARES", value_delimiter = ',', requires = "output")]
    pub split: Option<Vec<f64>>,
    /// Where the random numbers of a split begin
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Split each class by itself, so that every part has it in its share
    #[arg(long, requires = "split")]
    pub stratify: bool,
    /// Layout of the tables.
    #[command(flatten)]
    pub table: TableArgs,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// What a source holds.
enum Content {
    Texts(Vec<Row>),
    Sequences(Sequences),
}

/// A sequence or a text, as splits and statistics see it.
struct Item<'a> {
    key: String,
    label: &'a str,
    length: usize,
}

/// Shows what is in data, converts and splits it.
///
/// # Errors
///
/// Where a source cannot be read, OUT cannot be written, or the shares do not add up.
pub fn run(args: &Args) -> Result<(), Failure> {
    if let Some(shares) = &args.split {
        let sum: f64 = shares.iter().sum();
        let sound = (2..=PARTS.len()).contains(&shares.len()) && shares.iter().all(|share| *share > 0.0);
        if !sound || (sum - 1.0).abs() > 1e-6 {
            return Err(Failure::Usage(format!(
                "--split is {shares:?} (sum {sum}), expected two or three shares above 0 that add up to 1, such as 0.8,0.1,0.1"
            )));
        }
    }
    let plain = args.sources.iter().filter(|path| plain::is_plain(path, args)).count();
    match plain {
        0 => work(args)?,
        all if all == args.sources.len() => plain::run(args)?,
        some => {
            return Err(Failure::Usage(format!(
                "{some} of {} sources are plain text (.txt), expected all or none; show them apart",
                args.sources.len()
            )));
        }
    }
    Ok(())
}

fn work(args: &Args) -> anyhow::Result<()> {
    let contents = args.sources.iter().map(|path| read(path, args)).collect::<Result<Vec<_>, _>>()?;
    let mut sources = Vec::new();
    let mut keys: Vec<HashSet<String>> = Vec::new();
    for (path, content) in args.sources.iter().zip(&contents) {
        let items = content.items();
        let unit = if matches!(content, Content::Texts(_)) { "words" } else { "steps" };
        let statistics = Statistics::new(items.iter().map(|item| (item.key.as_str(), item.label, item.length)), unit);
        sources.push((path.as_path(), statistics, encoding(path)));
        keys.push(items.into_iter().map(|item| item.key).collect());
    }
    let mut overlaps = Vec::new();
    for (b, later) in keys.iter().enumerate() {
        for (a, earlier) in keys[..b].iter().enumerate() {
            overlaps.push((args.sources[a].as_path(), args.sources[b].as_path(), earlier.intersection(later).count()));
        }
    }
    let written = args.output.as_deref().map_or(Ok(Vec::new()), |output| write(output, contents, args))?;
    if args.json {
        let sources: Vec<Value> = sources
            .iter()
            .map(|(path, statistics, encoding)| {
                let mut object = json!(statistics);
                object["path"] = json!(path);
                object["encoding"] = json!(encoding);
                object
            })
            .collect();
        let overlaps: Vec<Value> =
            overlaps.iter().map(|(a, b, texts)| json!({ "a": a, "b": b, "texts": texts })).collect();
        let written: Vec<Value> = written.iter().map(|(path, rows)| json!({ "path": path, "rows": rows })).collect();
        return print(json!({ "sources": sources, "overlap": overlaps, "written": written }));
    }
    for (path, statistics, encoding) in &sources {
        show::lines(path, statistics, encoding.as_deref()).iter().try_for_each(print)?;
    }
    for (a, b, texts) in overlaps {
        print(format_args!("{texts} texts stand both in {} and in {}", a.display(), b.display()))?;
    }
    written.iter().try_for_each(|(path, rows)| print(format_args!("wrote {}: {rows} rows", path.display())))
}

fn read(path: &Path, args: &Args) -> Result<Content, TableError> {
    let columns = args.table.columns();
    if data::sequences::is_movement(path) {
        return data::sequences::read_movement(path).map(Content::Sequences);
    }
    if data::Source::of(path) == data::Source::Table && data::sequences::is_table(path, &columns.text) {
        return data::sequences::read_table(path, &columns.label).map(Content::Sequences);
    }
    data::read(path, &columns).map(Content::Texts)
}

impl Content {
    fn items(&self) -> Vec<Item<'_>> {
        match self {
            Content::Texts(rows) => rows
                .iter()
                .map(|row| Item {
                    key: row.text.clone(),
                    label: &row.label,
                    length: row.text.split_whitespace().count(),
                })
                .collect(),
            Content::Sequences(all) => all
                .sequences
                .iter()
                .map(|one| Item {
                    key: one.steps.iter().map(|step| step.join(",")).collect::<Vec<_>>().join("\n"),
                    label: &one.label,
                    length: one.steps.len(),
                })
                .collect(),
        }
    }
}

/// Writes all sources into one file, or into the parts of a split.
fn write(output: &Path, contents: Vec<Content>, args: &Args) -> anyhow::Result<Vec<(PathBuf, usize)>> {
    if output.is_dir() {
        bail!(
            "{}: a directory, expected a name for a file such as {}",
            output.display(),
            output.join("data.csv").display()
        );
    }
    let format = args.to.unwrap_or(Format::of(output));
    let all = concatenate(contents)?;
    let items = all.items();
    let shares = args.split.as_deref().unwrap_or(&[1.0]);
    let labels: Vec<&str> = items.iter().map(|item| item.label).collect();
    let mut distinct = labels.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let classes: Vec<usize> = labels.iter().map(|label| distinct.binary_search(label).unwrap_or_default()).collect();
    let keys: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
    let parts = data::deal(&keys, &classes, shares, args.seed, args.stratify);
    let mut written = Vec::new();
    for (part, name) in PARTS.iter().enumerate().take(shares.len()) {
        let path = if args.split.is_some() { part_name(output, name) } else { output.to_owned() };
        let count = parts.iter().filter(|of| **of == part).count();
        if count == 0 {
            bail!("{}: no row for it: {} distinct rows are too few for these shares", path.display(), keys.len());
        }
        written.push((path, count));
    }
    for (part, (path, _)) in written.iter().enumerate() {
        let chosen = |at: &usize| parts[*at] == part;
        let done = match &all {
            Content::Texts(rows) => {
                let header = ["text".to_owned(), "label".to_owned()];
                let rows =
                    (0..rows.len()).filter(chosen).map(|at| vec![rows[at].text.as_str(), rows[at].label.as_str()]);
                data::save(path, format, &header, rows)
            }
            Content::Sequences(all) => {
                let header: Vec<String> =
                    ["sequence", "label"].into_iter().map(str::to_owned).chain(all.channels.iter().cloned()).collect();
                let rows = (0..all.sequences.len()).filter(chosen).flat_map(|at| {
                    let one = &all.sequences[at];
                    let ends = [one.name.as_str(), one.label.as_str()];
                    one.steps.iter().map(move |step| ends.into_iter().chain(step.iter().map(String::as_str)).collect())
                });
                data::save(path, format, &header, rows)
            }
        };
        done.with_context(|| path.display().to_string())?;
    }
    Ok(written)
}

fn concatenate(contents: Vec<Content>) -> anyhow::Result<Content> {
    let mut contents = contents.into_iter();
    let mut all = contents.next().context("no source")?;
    for more in contents {
        match (&mut all, more) {
            (Content::Texts(all), Content::Texts(more)) => all.extend(more),
            (Content::Sequences(all), Content::Sequences(more)) if all.channels == more.channels => {
                all.sequences.extend(more.sequences);
            }
            _ => bail!(
                "the sources differ in their columns, expected texts only, or sequences with the same channels; convert them apart"
            ),
        }
    }
    Ok(all)
}

/// `m.jsonl` to `m.train.jsonl`.
fn part_name(output: &Path, part: &str) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let ending = output.extension().map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy()));
    output.with_file_name(format!("{stem}.{part}{ending}"))
}

/// How a file's bytes are to be read; `None` of what is no file of text.
fn encoding(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok().filter(|_| data::Source::of(path) != data::Source::Parquet)?;
    let mark = if bytes.starts_with(b"\xef\xbb\xbf") { " with a byte-order mark" } else { "" };
    let ends = if bytes.windows(2).any(|pair| pair == b"\r\n") { ", lines end in CR LF" } else { "" };
    Some(format!("{}{mark}{ends}", if bytes.is_ascii() { "ASCII" } else { "UTF-8" }))
}
