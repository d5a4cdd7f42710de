//! `tern data`: shows what is in training data, converts and splits it.

mod plain;
mod show;

use super::table::TableArgs;
use super::{Failure, print};
use crate::data::{self, Format, Row, Sequences, Statistics};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// Names of the parts of a split, in order.
const PARTS: [&str; 3] = ["train", "valid", "test"];

/// Options of `tern data`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern data messages.csv                              classes, lengths, duplicates, conflicts
  tern data train.csv test.csv                        the same, and the texts that both have
  tern data labels.tsv --no-header --text-column 2 --label-column 1
  tern data aclImdb/train -o imdb.csv                 converts a folder of texts to one file
  tern data messages.csv -o m.jsonl --split 0.8,0.1,0.1 --stratify
                                                      writes m.train.jsonl, m.valid.jsonl, m.test.jsonl
  tern data walks.csv                                 sequences of numbers, one row a time step
  tern data novel.txt -o n.txt --split 0.9,0.1        splits plain text without shuffling it

Equal texts always go to the same part of a split. An output file is replaced as a whole or not
at all.")]
pub struct Args {
    /// Labelled texts (CSV, TSV, JSONL, fastText, a folder LABEL/*.txt, hf:owner/name), sequences of numbers, or
    /// plain text (.txt)
    #[arg(value_name = "SRC", required = true)]
    pub sources: Vec<PathBuf>,
    /// Output file; with --split, `.train`, `.valid` and `.test` are inserted into its name
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Output format [default: by the ending of OUT, else csv]
    #[arg(long, value_name = "FORMAT", requires = "output")]
    pub to: Option<Format>,
    /// Shares of train, valid and, optionally, test; they add up to 1
    #[arg(long, value_name = "SHARES", value_delimiter = ',', requires = "output")]
    pub split: Option<Vec<f64>>,
    /// Random seed of the split
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Keep the share of each class in every part
    #[arg(long, requires = "split")]
    pub stratify: bool,
    /// Layout of the tables.
    #[command(flatten)]
    pub table: TableArgs,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// The content of a source.
enum Content {
    Texts(Vec<Row>),
    Sequences(Sequences),
}

/// A text or a sequence for splits and statistics. Equal items have equal keys.
struct Item<'a> {
    key: Cow<'a, str>,
    label: &'a str,
    length: usize,
}

/// Runs the command.
///
/// # Errors
///
/// Returns an error if a source cannot be read, OUT cannot be written, or the shares do not add up to 1.
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
        0 => run_labelled(args)?,
        all if all == args.sources.len() => plain::run(args)?,
        some => {
            return Err(Failure::Usage(format!(
                "{some} of {} sources are plain text (.txt), expected all or none; run `tern data` on the .txt files separately",
                args.sources.len()
            )));
        }
    }
    Ok(())
}

/// Runs the command on labelled texts and sequences.
fn run_labelled(args: &Args) -> anyhow::Result<()> {
    let contents = args.sources.iter().map(|path| read(path, args)).collect::<Result<Vec<_>, _>>()?;
    let (mut sources, mut overlaps) = (Vec::new(), Vec::new());
    {
        let items: Vec<Vec<Item<'_>>> = contents.iter().map(Content::items).collect();
        for ((path, content), items) in args.sources.iter().zip(&contents).zip(&items) {
            let unit = if matches!(content, Content::Texts(_)) { "words" } else { "steps" };
            let rows = items.iter().map(|item| (&*item.key, item.label, item.length));
            sources.push((path.as_path(), Statistics::new(rows, unit), encoding(path)));
        }
        let keys = |source: usize| items[source].iter().map(|item| &*item.key).collect::<HashSet<&str>>();
        for later in 1..items.len() {
            let later_keys = keys(later);
            for earlier in 0..later {
                let count = keys(earlier).intersection(&later_keys).count();
                overlaps.push((args.sources[earlier].as_path(), args.sources[later].as_path(), count));
            }
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
        print(format_args!("{texts} texts are both in {} and in {}", a.display(), b.display()))?;
    }
    written.iter().try_for_each(|(path, rows)| print(format_args!("wrote {}: {rows} rows", path.display())))
}

fn read(path: &Path, args: &Args) -> anyhow::Result<Content> {
    let columns = args.table.columns();
    if data::sequences::is_table(path, &columns.text, columns.layout) {
        return Ok(Content::Sequences(data::sequences::read_table(path, &columns.label, columns.layout)?));
    }
    Ok(Content::Texts(data::read(path, &columns)?))
}

impl Content {
    fn items(&self) -> Vec<Item<'_>> {
        match self {
            Content::Texts(rows) => rows
                .iter()
                .map(|row| Item {
                    key: Cow::Borrowed(&row.text),
                    label: &row.label,
                    length: row.text.split_whitespace().count(),
                })
                .collect(),
            Content::Sequences(all) => all
                .sequences
                .iter()
                .map(|one| Item {
                    key: one.steps.iter().map(|step| step.join(",")).collect::<Vec<_>>().join("\n").into(),
                    label: &one.label,
                    length: one.steps.len(),
                })
                .collect(),
        }
    }
}

/// Writes all sources into one file, or into the parts of a split. Returns the files with their numbers of rows.
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
    let mut index: HashMap<&str, usize> = HashMap::new();
    let classes: Vec<usize> = items
        .iter()
        .map(|item| {
            let next = index.len();
            *index.entry(item.label).or_insert(next)
        })
        .collect();
    let keys: Vec<&str> = items.iter().map(|item| &*item.key).collect();
    let part_of_item = data::split(&keys, &classes, shares, args.seed, args.stratify);
    let mut written = Vec::new();
    for (part, name) in PARTS.iter().enumerate().take(shares.len()) {
        let path = if args.split.is_some() { part_name(output, name) } else { output.to_owned() };
        let count = part_of_item.iter().filter(|&&other| other == part).count();
        if count == 0 {
            bail!("{}: no row is left for this part: {} rows are too few for these shares", path.display(), keys.len());
        }
        written.push((path, count));
    }
    for (part, (path, _)) in written.iter().enumerate() {
        let chosen = |at: &usize| part_of_item[*at] == part;
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
                    let name_and_label = [one.name.as_str(), one.label.as_str()];
                    one.steps
                        .iter()
                        .map(move |step| name_and_label.into_iter().chain(step.iter().map(String::as_str)).collect())
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
                "the sources have different columns, expected texts only, or sequences with the same channels; convert them separately"
            ),
        }
    }
    Ok(all)
}

/// Inserts the name of a part: `m.jsonl` becomes `m.train.jsonl`.
fn part_name(output: &Path, part: &str) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let ending = output.extension().map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy()));
    output.with_file_name(format!("{stem}.{part}{ending}"))
}

/// Describes the encoding and the line ends of a text file; `None` for other files.
fn encoding(path: &Path) -> Option<String> {
    let file = std::fs::File::open(path).ok().filter(|_| data::Source::of(path) != data::Source::Parquet)?;
    let mut reader = std::io::BufReader::with_capacity(1 << 16, file);
    let (mut mark, mut is_ascii, mut crlf) = (false, true, false);
    let mut previous_byte = None;
    while let Ok(bytes @ [_, ..]) = reader.fill_buf() {
        mark |= previous_byte.is_none() && bytes.starts_with(b"\xef\xbb\xbf");
        is_ascii &= bytes.is_ascii();
        crlf |= bytes[0] == b'\n' && previous_byte == Some(b'\r') || bytes.windows(2).any(|pair| pair == b"\r\n");
        previous_byte = bytes.last().copied();
        let length = bytes.len();
        reader.consume(length);
    }
    let mark = if mark { " with a byte-order mark" } else { "" };
    let ends = if crlf { ", lines end in CR LF" } else { "" };
    Some(format!("{}{mark}{ends}", if is_ascii { "ASCII" } else { "UTF-8" }))
}
