//! The lines that `tern data` prints about a source: its statistics with bars of characters, and the encoding of its
//! file.

use crate::data::{Lengths, Source, Statistics};
use crate::display::visible;
use std::cmp::Reverse;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The length of the longest bar, in characters.
const BAR_WIDTH: usize = 40;
/// The largest number of labels that are shown.
const MAX_LABELS: usize = 30;
/// The number of characters shown of a text that occurs with different labels.
const EXCERPT_CHARS: usize = 60;

/// Formats the statistics of a source. `encoding`: the result of [`encoding`](encoding()).
pub fn lines(path: &Path, statistics: &Statistics, encoding: Option<&str>) -> Vec<String> {
    let Statistics { rows, classes, duplicates, conflicting, conflicts, empty, length } = statistics;
    let mut lines = vec![format!(
        "{}: {rows} rows of {} classes{}",
        path.display(),
        classes.len(),
        encoding.map_or_else(String::new, |encoding| format!(", {encoding}"))
    )];
    // The most frequent labels come first.
    let mut labels: Vec<(&String, usize)> = classes.iter().map(|(label, &count)| (label, count)).collect();
    labels.sort_by_key(|&(label, count)| (Reverse(count), label));
    let (shown, others) = labels.split_at(labels.len().min(MAX_LABELS));
    let width = shown.iter().map(|(label, _)| visible(label).chars().count()).max().unwrap_or(0);
    let largest_count = shown.first().map_or(0, |(_, count)| *count);
    for &(label, count) in shown {
        let percent = 100.0 * count as f64 / (*rows).max(1) as f64;
        lines.push(format!("  {:width$} {count:>7} {percent:>5.1} %  {}", visible(label), bar(count, largest_count)));
    }
    if let Some((_, smallest_count)) = others.last() {
        lines.push(format!("  and {} more, the smallest with {smallest_count}", others.len()));
    }
    lines.extend(lengths(length, "length"));
    lines.push(format!("duplicates {duplicates}, texts with two labels {conflicting}, empty texts {empty}"));
    for (text, labels) in conflicts {
        let start: String = visible(text).chars().take(EXCERPT_CHARS).collect();
        let labels: Vec<String> = labels.iter().map(|label| visible(label)).collect();
        lines.push(format!("  {}: {start}", labels.join(", ")));
    }
    lines
}

/// Formats the histogram of the lengths of texts, sequences or lines; the first line begins with `title`.
pub fn lengths(length: &Lengths, title: &str) -> Vec<String> {
    let Lengths { unit, min, median, max, histogram } = length;
    let mut lines = vec![format!("{title} in {unit}: {min} to {max}, median {median}")];
    let largest_count = histogram.iter().map(|(.., count)| *count).max().unwrap_or(0);
    for (first, last, count) in histogram {
        let range = if first == last { first.to_string() } else { format!("{first}–{last}") };
        lines.push(format!("  {range:>11} {count:>7}  {}", bar(*count, largest_count)));
    }
    lines
}

/// Describes the encoding and the line ends of a text file that is known to be UTF-8, such as "ASCII, lines end in CR
/// LF"; `None` for folders, Parquet files, data on the hub, and a file that cannot be opened.
pub fn encoding(path: &Path) -> Option<String> {
    if !path.is_file() || Source::of(path) == Source::Parquet {
        return None;
    }
    let file = File::open(path).ok()?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut has_mark, mut is_ascii, mut has_crlf) = (false, true, false);
    let mut previous_byte = None;
    loop {
        // An empty buffer is the end of the file. An error, which is unlikely since the file was read before, also ends
        // the loop.
        let bytes = reader.fill_buf().unwrap_or_default();
        let Some(&last_byte) = bytes.last() else { break };
        has_mark |= previous_byte.is_none() && bytes.starts_with(b"\xef\xbb\xbf");
        is_ascii &= bytes.is_ascii();
        has_crlf |= bytes.windows(2).any(|pair| pair == b"\r\n");
        // The pair may also be divided between two buffers.
        has_crlf |= previous_byte == Some(b'\r') && bytes[0] == b'\n';
        previous_byte = Some(last_byte);
        let length = bytes.len();
        reader.consume(length);
    }
    let mark = if has_mark { " with a byte-order mark" } else { "" };
    let ends = if has_crlf { ", lines end in CR LF" } else { "" };
    Some(format!("{}{mark}{ends}", if is_ascii { "ASCII" } else { "UTF-8" }))
}

/// Returns a bar of block characters whose length is in proportion to `count`, rounded up to an eighth of a character.
/// The bar for `largest` has [`BAR_WIDTH`] characters.
fn bar(count: usize, largest: usize) -> String {
    let eighths = (count * BAR_WIDTH * 8).div_ceil(largest.max(1));
    let last_character = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + last_character
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_empty_for_a_count() {
        assert_eq!(bar(10, 10), "█".repeat(40));
        assert_eq!(bar(5, 10), "█".repeat(20));
        assert_eq!((bar(1, 100_000).as_str(), bar(0, 5).as_str(), bar(0, 0).as_str()), ("▏", "", ""));
    }

    #[test]
    fn control_characters_in_labels_are_escaped() {
        let statistics = Statistics::new([("a\u{1b}[2J", "x\n", 1), ("a\u{1b}[2J", "y", 1)].into_iter(), "words");
        let all = lines(Path::new("t.csv"), &statistics, Some("ASCII")).join("\n");
        assert!(!all.contains('\u{1b}') && all.contains("x\\n"), "{all}");
        assert!(
            all.starts_with("t.csv: 2 rows of 2 classes, ASCII\n")
                && all.contains("duplicates 1, texts with two labels 1"),
            "{all}"
        );
    }
}
