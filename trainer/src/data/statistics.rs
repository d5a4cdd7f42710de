//! Statistics of labelled texts: classes, lengths, duplicates.

use serde::Serialize;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The largest number of texts with several labels that [`Statistics::conflicts`] lists.
const MAX_CONFLICTS: usize = 3;

/// The approximate number of ranges in a histogram of lengths.
const RANGES: usize = 12;

/// Statistics of labelled texts or sequences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Number of rows, or of sequences.
    pub rows: usize,
    /// Number of rows by label.
    pub classes: BTreeMap<String, usize>,
    /// Number of rows that repeat the text of an earlier row.
    pub duplicates: usize,
    /// Number of distinct texts with more than one label.
    pub conflicting: usize,
    /// At most three texts with more than one label, and their labels.
    pub conflicts: Vec<(String, BTreeSet<String>)>,
    /// Number of rows with an empty text, or with white space only.
    pub empty: usize,
    /// The distribution of the lengths of all rows.
    pub length: Lengths,
}

/// The distribution of lengths.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lengths {
    /// The unit: "words", "steps" or "characters".
    pub unit: &'static str,
    /// The shortest length.
    pub min: usize,
    /// The median length; of an even number of lengths, the lower of the two middle ones.
    pub median: usize,
    /// The longest length.
    pub max: usize,
    /// The ranges, ascending: shortest length, longest length and number of texts.
    pub histogram: Vec<(usize, usize, usize)>,
}

impl Statistics {
    /// Computes the statistics of rows. Each row consists of a key (the text, or the content of a sequence), a label,
    /// and a length in `unit`.
    pub fn new<'a>(rows: impl Iterator<Item = (&'a str, &'a str, usize)>, unit: &'static str) -> Self {
        // The first label of each key.
        let mut first_label: HashMap<&str, &str> = HashMap::with_capacity(rows.size_hint().0);
        // Keys with two labels or more, in the order in which their second label was found.
        let mut conflicts: Vec<&str> = Vec::new();
        // All labels of each of these keys.
        let mut labels: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        let mut classes: HashMap<&str, usize> = HashMap::new();
        let (mut duplicates, mut empty, mut lengths) = (0, 0, Vec::new());
        for (key, label, length) in rows {
            *classes.entry(label).or_default() += 1;
            empty += usize::from(key.trim().is_empty());
            lengths.push(length);
            match first_label.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(label);
                }
                Entry::Occupied(entry) => {
                    duplicates += 1;
                    let first = *entry.get();
                    if first != label {
                        let all = labels.entry(key).or_insert_with(|| {
                            conflicts.push(key);
                            BTreeSet::from([first])
                        });
                        all.insert(label);
                    }
                }
            }
        }
        let with_labels = |key: &str| {
            let labels_of_key = labels[key].iter().map(|label| label.to_string());
            (key.to_owned(), labels_of_key.collect())
        };
        Statistics {
            rows: lengths.len(),
            classes: classes.into_iter().map(|(label, count)| (label.to_owned(), count)).collect(),
            duplicates,
            conflicting: conflicts.len(),
            conflicts: conflicts.iter().take(MAX_CONFLICTS).map(|key| with_labels(key)).collect(),
            empty,
            length: Lengths::new(lengths, unit),
        }
    }
}

impl Lengths {
    /// Computes the distribution of lengths in `unit`. Without lengths, all numbers are 0 and the unit is empty.
    pub fn new(mut lengths: Vec<usize>, unit: &'static str) -> Self {
        lengths.sort_unstable();
        let (Some(&min), Some(&max)) = (lengths.first(), lengths.last()) else { return Lengths::default() };
        // The longest 1 % of the texts are in the last range, because a few very long texts would widen all ranges.
        let usual = lengths[(lengths.len() - 1) * 99 / 100];
        // The quotient is rounded up, so that the ranges suffice and their width is not 0.
        let width = round_width((usual - min) / RANGES + 1);
        let mut histogram = Vec::new();
        let mut start = min / width * width;
        let mut remaining = lengths.as_slice();
        while start <= usual {
            let end = if start + width > usual { max } else { start + width - 1 };
            let count = remaining.partition_point(|length| *length <= end);
            histogram.push((start, end, count));
            remaining = &remaining[count..];
            start += width;
        }
        Lengths { unit, min, median: lengths[(lengths.len() - 1) / 2], max, histogram }
    }
}

/// Returns the smallest of 1, 2, 5, 10, 20, 50 … that is not below `least`.
fn round_width(least: usize) -> usize {
    let mut unit = 1;
    loop {
        if let Some(width) = [unit, 2 * unit, 5 * unit].into_iter().find(|width| *width >= least) {
            return width;
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_classes_duplicates_and_lengths_are_counted() {
        let rows = [("a b", "x", 2), ("a b", "x", 2), ("a b", "y", 2), ("", "y", 0), (" ", "y", 0), ("c", "x", 1)];
        let found = Statistics::new(rows.into_iter(), "words");
        assert_eq!((found.rows, found.duplicates, found.conflicting, found.empty), (6, 2, 1, 2));
        assert_eq!(found.classes, BTreeMap::from([("x".to_owned(), 3), ("y".to_owned(), 3)]));
        assert_eq!(found.conflicts, [("a b".to_owned(), BTreeSet::from(["x".to_owned(), "y".to_owned()]))]);
        assert_eq!((found.length.min, found.length.median, found.length.max), (0, 1, 2));
        assert_eq!(found.length.histogram, [(0, 0, 2), (1, 1, 1), (2, 2, 3)]);
    }

    #[test]
    fn every_length_is_in_one_range() {
        let mut lengths: Vec<usize> = (10..1000).collect();
        lengths.push(100_000);
        let lengths = Lengths::new(lengths, "steps");
        assert_eq!(lengths.histogram.iter().map(|(.., count)| count).sum::<usize>(), 991);
        assert_eq!(lengths.histogram.last().unwrap().1, 100_000);
        assert!(lengths.histogram.len() <= RANGES + 1);
        assert!(lengths.histogram.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
    }
}
