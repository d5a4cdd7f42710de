//! `tern data` for plain text, the training data of language models: prints statistics, and splits the text at ends of
//! lines.

use super::options::Args;
use super::show::{self, encoding};
use crate::commands::print;
use crate::data::{self, Layout, Lengths, is_plain_text};
use crate::recipe::Recipe;
use crate::vocabulary::{self, RESERVED_IDS};
use crate::write_file::write_file;
use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::json;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use tern_format::Task;

/// The statistics of a plain text.
#[derive(Debug, PartialEq, Serialize)]
struct TextStatistics {
    bytes: usize,
    characters: usize,
    distinct_characters: usize,
    /// The number of words, as the default tokenizer of `tern train` finds them.
    words: usize,
    distinct_words: usize,
    /// The share of the words that are in the vocabulary that `tern train` builds by default, 0 to 1.
    covered: f64,
    /// The size of this vocabulary, PAD and UNK included.
    vocabulary: usize,
    /// The lengths of the lines in characters.
    lines: Lengths,
}

/// Returns true if `path` is plain text and no option describes the columns of a table.
pub fn is_plain(path: &Path, args: &Args) -> bool {
    let table = &args.table;
    let has_columns =
        table.text_column.is_some() || table.label_column.is_some() || table.layout.layout() != Layout::default();
    !has_columns && is_plain_text(path)
}

/// Prints the statistics of each text, and writes all texts, joined, into one file or into the parts of a split.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.stratify || args.to.is_some() {
        bail!("--stratify and --to are for rows with labels, and {} is plain text", args.sources[0].display());
    }
    let texts = args.sources.iter().map(|path| data::read_text(path)).collect::<Result<Vec<_>, _>>()?;
    // The files that were written, each with its number of lines.
    let written = match &args.output {
        Some(output) => write(output, &texts.concat(), args)?,
        None => Vec::new(),
    };
    let sources = args.sources.iter().zip(&texts);
    if args.json {
        let mut source_objects = Vec::new();
        for (path, text) in sources {
            let mut object = json!(TextStatistics::of(path, text));
            object["path"] = json!(path);
            object["encoding"] = json!(encoding(path));
            source_objects.push(object);
        }
        let written_objects: Vec<_> =
            written.iter().map(|(path, lines)| json!({ "path": path, "lines": lines })).collect();
        return print(json!({ "sources": source_objects, "written": written_objects }));
    }
    for (path, text) in sources {
        TextStatistics::of(path, text).lines(path).iter().try_for_each(print)?;
    }
    written.iter().try_for_each(|(path, lines)| print(format_args!("wrote {}: {lines} lines", path.display())))
}

impl TextStatistics {
    /// Computes the statistics of `text`, the content of the file at `path`.
    fn of(path: &Path, text: &str) -> Self {
        // The recipe with the defaults of `tern train`.
        let recipe = Recipe::for_task(path, Task::LanguageModel);
        let count_of_word = vocabulary::count_tokens(recipe.tokenizer.tokenizer(), &[text]);
        let mut counts: Vec<usize> = count_of_word.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        // The counts of the words in the vocabulary: the most frequent ones, beside the reserved ids of PAD and UNK.
        let max_words = recipe.vocabulary.max_size() - RESERVED_IDS;
        let frequent = counts.iter().filter(|count| **count >= recipe.vocabulary.min_count());
        let known: Vec<usize> = frequent.take(max_words).copied().collect();
        let total: usize = counts.iter().sum();
        let characters: HashSet<char> = text.chars().collect();
        TextStatistics {
            bytes: text.len(),
            characters: text.chars().count(),
            distinct_characters: characters.len(),
            words: total,
            distinct_words: counts.len(),
            covered: known.iter().sum::<usize>() as f64 / total.max(1) as f64,
            vocabulary: known.len() + RESERVED_IDS,
            lines: Lengths::new(text.lines().map(|line| line.chars().count()).collect(), "characters"),
        }
    }

    /// Formats the statistics as lines for a person.
    fn lines(&self, path: &Path) -> Vec<String> {
        let encoding = encoding(path).map_or_else(String::new, |encoding| format!(", {encoding}"));
        // The ranges of the histogram together count each line once.
        let lines: usize = self.lines.histogram.iter().map(|(.., count)| count).sum();
        let mut output = vec![
            format!("{}: {} bytes of plain text, {lines} lines{encoding}", path.display(), self.bytes),
            format!("  {} characters, {} distinct", self.characters, self.distinct_characters),
            format!("  {} words, {} distinct", self.words, self.distinct_words),
            format!("  {:.2} % of the words are in a vocabulary of {}", 100.0 * self.covered, self.vocabulary),
        ];
        output.extend(show::lengths(&self.lines, "a line's length"));
        output
    }
}

/// Writes the text, or the parts of a split. The parts keep the order of the text, and each ends at the end of a line.
/// Returns the paths of the files, each with its number of lines. Fails if a part would be empty.
fn write(output: &Path, text: &str, args: &Args) -> anyhow::Result<Vec<(PathBuf, usize)>> {
    let files = args.output_files(output);
    let part_count = files.len();
    let mut parts: Vec<(PathBuf, &str)> = Vec::with_capacity(part_count);
    // The first byte of the next part, and the sum of the shares of all parts so far.
    let (mut begin, mut share_so_far) = (0, 0.0);
    for (path, share) in files.into_iter().zip(args.shares()) {
        share_so_far += share;
        // The last part ends with the text, so that rounded shares lose nothing.
        let is_last = parts.len() + 1 == part_count;
        let end = if is_last { text.len() } else { line_end(text, (text.len() as f64 * share_so_far) as usize) };
        if end <= begin {
            bail!("{}: no line is left for this part: the text has too few lines for these shares", path.display());
        }
        parts.push((path, &text[begin..end]));
        begin = end;
    }
    // Nothing is written unless all parts have lines.
    let mut written = Vec::new();
    for (path, part) in parts {
        let folder = path.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder)
            .and_then(|()| write_file(&path, part.as_bytes()))
            .with_context(|| path.display().to_string())?;
        written.push((path, part.lines().count()));
    }
    Ok(written)
}

/// Returns the index of the byte after the line that contains the byte `index`, or the length of the text.
fn line_end(text: &str, index: usize) -> usize {
    let from_index = text.as_bytes().get(index..).unwrap_or_default();
    match from_index.iter().position(|byte| *byte == b'\n') {
        Some(newline) => index + newline + 1,
        None => text.len(),
    }
}
