//! What there is to know about labelled texts before a training.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most texts that are shown as examples.
const SHOWN: usize = 3;

/// Ranges of lengths in a histogram, about.
const RANGES: usize = 12;

/// Counts about the rows of a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Rows, or sequences.
    pub rows: usize,
    /// How many there are of each label.
    pub classes: BTreeMap<String, usize>,
    /// Rows whose text stands in an earlier row.
    pub duplicates: usize,
    /// Texts with more than one label.
    pub conflicting: usize,
    /// Some of those, with their labels.
    pub conflicts: Vec<(String, BTreeSet<String>)>,
    /// Rows with nothing but white space for a text.
    pub empty: usize,
    /// Lengths in words or steps.
    pub length: Lengths,
}

/// How long the texts are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lengths {
    /// "words", "steps" or "characters".
    pub unit: &'static str,
    /// The shortest.
    pub min: usize,
    /// Half are no longer.
    pub median: usize,
    /// The longest.
    pub max: usize,
    /// First length, last length, number of texts.
    pub histogram: Vec<(usize, usize, usize)>,
}

impl Statistics {
    /// Counts rows of a key (the text), a label and a length.
    pub fn new<'a>(rows: impl Iterator<Item = (&'a str, &'a str, usize)>, unit: &'static str) -> Self {
        let mut labels: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut first: Vec<&str> = Vec::new();
        let mut classes: BTreeMap<String, usize> = BTreeMap::new();
        let (mut duplicates, mut empty, mut lengths) = (0, 0, Vec::new());
        for (key, label, length) in rows {
            *classes.entry(label.to_owned()).or_default() += 1;
            empty += usize::from(key.trim().is_empty());
            lengths.push(length);
            let known = labels.entry(key).or_insert_with(|| {
                first.push(key);
                Vec::new()
            });
            duplicates += usize::from(!known.is_empty());
            if !known.contains(&label) {
                known.push(label);
            }
        }
        let conflicting: Vec<&str> = first.into_iter().filter(|key| labels[key].len() > 1).collect();
        let named = |key: &&str| (key.to_string(), labels[*key].iter().map(|label| label.to_string()).collect());
        Statistics {
            rows: lengths.len(),
            classes,
            duplicates,
            conflicting: conflicting.len(),
            conflicts: conflicting.iter().take(SHOWN).map(named).collect(),
            empty,
            length: Lengths::new(lengths, unit),
        }
    }
}

impl Lengths {
    /// Counts lengths, each in so many of `unit`.
    pub fn new(mut lengths: Vec<usize>, unit: &'static str) -> Self {
        lengths.sort_unstable();
        let (Some(&min), Some(&max)) = (lengths.first(), lengths.last()) else { return Lengths::default() };
        // One text in a hundred may be much longer than all others: it should not make the picture.
        let usual = lengths[(lengths.len() - 1) * 99 / 100];
        let width = nice((usual - min) / RANGES + 1);
        let mut histogram = Vec::new();
        let mut start = min / width * width;
        let mut rest = lengths.as_slice();
        while start <= usual {
            let end = if start + width > usual { max } else { start + width - 1 };
            let count = rest.partition_point(|length| *length <= end);
            histogram.push((start, end, count));
            rest = &rest[count..];
            start += width;
        }
        Lengths { unit, min, median: lengths[(lengths.len() - 1) / 2], max, histogram }
    }
}

/// The least of 1, 2, 5, 10, 20, 50 … that is no less.
fn nice(least: usize) -> usize {
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
    fn counts_what_is_there() {
        let rows = [("a b", "x", 2), ("a b", "x", 2), ("a b", "y", 2), ("", "y", 0), (" ", "y", 0), ("c", "x", 1)];
        let found = Statistics::new(rows.into_iter(), "words");
        assert_eq!((found.rows, found.duplicates, found.conflicting, found.empty), (6, 2, 1, 2));
        assert_eq!(found.classes, BTreeMap::from([("x".to_owned(), 3), ("y".to_owned(), 3)]));
        assert_eq!(found.conflicts, [("a b".to_owned(), BTreeSet::from(["x".to_owned(), "y".to_owned()]))]);
        assert_eq!((found.length.min, found.length.median, found.length.max), (0, 1, 2));
        assert_eq!(found.length.histogram, [(0, 0, 2), (1, 1, 1), (2, 2, 3)]);
    }

    #[test]
    fn ranges_hold_every_length_once() {
        let mut lengths: Vec<usize> = (10..1000).collect();
        lengths.push(100_000);
        let lengths = Lengths::new(lengths, "steps");
        assert_eq!(lengths.histogram.iter().map(|(.., count)| count).sum::<usize>(), 991);
        assert_eq!(lengths.histogram.last().unwrap().1, 100_000);
        assert!(lengths.histogram.len() <= RANGES + 1);
        assert!(lengths.histogram.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
    }
}
