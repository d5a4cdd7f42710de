//! Sequences of numbers: a table in which consecutive rows with the same `sequence` are one sequence.

use super::table::default_delimiter;
use super::{TableError, encoding, quoting};
use std::path::{Path, PathBuf};

/// Where the numbers of the indoor user movement data set are (Bacciu et al. 2014; UCI), below its folder.
const MOVEMENT_TARGETS: &str = "dataset/MovementAAL_target.csv";

/// Sequences with a label each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    /// Names of the numbers of a step.
    pub channels: Vec<String>,
    /// The sequences in the order of the file.
    pub sequences: Vec<Sequence>,
}

/// A sequence, its numbers as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// What its rows have in the column `sequence`.
    pub name: String,
    /// Its label.
    pub label: String,
    /// `[steps][channels]`
    pub steps: Vec<Vec<String>>,
}

/// Whether `path` is a folder laid out like the indoor user movement data set.
pub fn is_movement(path: &Path) -> bool {
    path.join(MOVEMENT_TARGETS).is_file()
}

/// Whether `path` is a table of sequences: with a column `sequence` and none for texts.
pub fn is_table(path: &Path, text: &str) -> bool {
    let header = std::fs::File::open(path).ok().and_then(|file| {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(file), &mut line).ok()?;
        Some(line)
    });
    let delimiter = char::from(default_delimiter(path));
    let header = header.unwrap_or_default();
    let names: Vec<&str> = header.trim_end().split(delimiter).map(|name| name.trim().trim_matches('"')).collect();
    path.is_file() && names.contains(&"sequence") && !names.contains(&text)
}

/// Reads `dir/dataset/MovementAAL_RSS_N.csv` for each sequence N that `MovementAAL_target.csv` has a label for.
///
/// # Errors
///
/// Where a file cannot be read, a row has no number where one should be, or two files have other channels.
pub fn read_movement(dir: &Path) -> Result<Sequences, TableError> {
    let mut all = Sequences::default();
    for row in rows(&dir.join(MOVEMENT_TARGETS))?.1 {
        let path = dir.join(format!("dataset/MovementAAL_RSS_{}.csv", row[0]));
        let (channels, steps) = rows(&path)?;
        if all.channels.is_empty() {
            all.channels = channels;
        } else if all.channels != channels {
            let (found, expected) = (channels.len() as u64, all.channels.len() as u64);
            return Err(TableError::Fields { path, line: 1, found, expected });
        }
        all.sequences.push(Sequence { name: row[0].clone(), label: row[1].clone(), steps });
    }
    Ok(all)
}

/// Reads a table with the columns `sequence`, `label` and one for each channel.
///
/// # Errors
///
/// Where it cannot be read, a field is no number, or a sequence has two labels.
pub fn read_table(path: &Path, label: &str) -> Result<Sequences, TableError> {
    let (header, rows) = strings(path)?;
    let column = |wanted: &str| {
        header.iter().position(|name| name == wanted).ok_or_else(|| TableError::MissingColumn {
            path: path.to_owned(),
            wanted: wanted.to_owned(),
            place: "line 1".to_owned(),
            found: header.clone(),
            option: "label-column",
            one_column: header.len() == 1,
        })
    };
    let (name_at, label_at) = (column("sequence")?, column(label)?);
    let is_channel = |at: &usize| *at != name_at && *at != label_at;
    let mut all = Sequences { channels: pick(&header, is_channel), sequences: Vec::new() };
    for (line, row) in (2..).zip(rows) {
        let steps = pick(&row, is_channel);
        numbers(path, line, &steps)?;
        if row[label_at].is_empty() {
            return Err(TableError::EmptyLabel { path: path.to_owned(), line, column: label.to_owned() });
        }
        match all.sequences.last_mut() {
            Some(last) if last.name == row[name_at] => {
                if last.label != row[label_at] {
                    let found =
                        format!("sequence {} has the labels {:?} and {:?}", last.name, last.label, row[label_at]);
                    return Err(TableError::Value {
                        path: path.to_owned(),
                        line,
                        found,
                        expected: "one label a sequence",
                    });
                }
                last.steps.push(steps);
            }
            _ => all.sequences.push(Sequence {
                name: row[name_at].clone(),
                label: row[label_at].clone(),
                steps: vec![steps],
            }),
        }
    }
    Ok(all)
}

fn pick(row: &[String], keep: impl Fn(&usize) -> bool) -> Vec<String> {
    row.iter().enumerate().filter(|(at, _)| keep(at)).map(|(_, field)| field.clone()).collect()
}

/// Names and rows of a table of numbers; its header may begin with `#`.
fn rows(path: &Path) -> Result<(Vec<String>, Vec<Vec<String>>), TableError> {
    let (mut header, rows) = strings(path)?;
    if let Some(first) = header.first_mut() {
        *first = first.trim_start_matches('#').trim().to_owned();
    }
    for (line, row) in (2..).zip(&rows) {
        numbers(path, line, row)?;
    }
    Ok((header, rows))
}

fn numbers(path: &Path, line: u64, row: &[String]) -> Result<(), TableError> {
    match row.iter().find(|field| !field.parse::<f64>().is_ok_and(f64::is_finite)) {
        None => Ok(()),
        Some(field) => {
            let (path, found) = (path.to_owned(), format!("{field:?}"));
            Err(TableError::Value {
                path,
                line,
                found,
                expected: "a number; fill in what is missing or delete the row",
            })
        }
    }
}

fn strings(path: &Path) -> Result<(Vec<String>, Vec<Vec<String>>), TableError> {
    let bytes = std::fs::read(path).map_err(TableError::io(path))?;
    let text = encoding::decode(path, &bytes)?;
    let delimiter = default_delimiter(path);
    quoting::check(path, text, delimiter)?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let failed = |error: csv::Error| TableError::Io { path: PathBuf::from(path), source: std::io::Error::other(error) };
    let list = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let header = list(reader.headers().map_err(failed)?);
    let mut rows = Vec::new();
    for (line, record) in (2..).zip(reader.records()) {
        let row = list(&record.map_err(failed)?);
        if row.len() != header.len() {
            let (found, expected) = (row.len() as u64, header.len() as u64);
            return Err(TableError::Fields { path: path.to_owned(), line, found, expected });
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(TableError::NoRows { path: path.to_owned() });
    }
    Ok((header, rows))
}
