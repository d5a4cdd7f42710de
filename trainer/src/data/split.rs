//! Splits rows into parts and draws samples of them. Each class is split separately, unless [`split`] is told
//! otherwise. The random seed determines the result.

use super::table::Example;
use crate::display::quoted;
use crate::progress;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Groups of rows with the same key, such as the same text. A group is never split.
struct Groups {
    /// The group of each row.
    of_row: Vec<u32>,
    /// The groups of each class, in the order of their first rows. A group whose rows have several classes belongs to
    /// the one with the fewest rows, so that a small class has some groups even if all its texts also occur in a large
    /// class.
    of_class: Vec<Vec<u32>>,
}

impl Groups {
    /// Groups rows by their keys. `classes`: the class of each row, below `class_count`.
    fn new<K: Hash + Eq>(keys: &[K], classes: &[usize], class_count: usize) -> Self {
        let mut class_sizes = vec![0usize; class_count];
        for &class in classes {
            class_sizes[class] += 1;
        }
        let mut group_of_key: HashMap<&K, u32> = HashMap::with_capacity(keys.len());
        let mut class_of_group: Vec<usize> = Vec::new();
        let mut of_row = Vec::with_capacity(keys.len());
        for (key, &class) in keys.iter().zip(classes) {
            let new_group = class_of_group.len() as u32;
            let group = *group_of_key.entry(key).or_insert(new_group);
            if group == new_group {
                class_of_group.push(class);
            }
            let smallest_class = &mut class_of_group[group as usize];
            if class_sizes[class] < class_sizes[*smallest_class] {
                *smallest_class = class;
            }
            of_row.push(group);
        }
        let mut of_class = vec![Vec::new(); class_count];
        for (group, class) in (0..).zip(class_of_group) {
            of_class[class].push(group);
        }
        Groups { of_row, of_class }
    }

    /// The number of groups.
    fn len(&self) -> usize {
        self.of_class.iter().map(Vec::len).sum()
    }
}

/// Chooses the validation rows: the share `fraction` of the distinct texts of each class, at least one and never all of
/// them if the class has two or more. Returns a flag for each row: true for a validation row.
///
/// `keys`: the text of each row, or anything else that identifies equal rows. `classes`: each row's index into
/// `labels`. Rows with the same key stay together, so that no validation text is trained on. A class with fewer than
/// two distinct texts stays in the training set, with a warning. Fails with a message if no class has two distinct
/// texts.
pub fn hold_out<K: Hash + Eq>(
    keys: &[K],
    classes: &[usize],
    labels: &[String],
    fraction: f64,
    seed: u64,
) -> Result<Vec<bool>, String> {
    let mut groups = Groups::new(keys, classes, labels.len());
    let mut held_out = vec![false; groups.len()];
    let mut unsplit = Vec::new();
    for (class, members) in groups.of_class.iter_mut().enumerate() {
        let distinct = members.len();
        if distinct < 2 {
            unsplit.push(labels[class].clone());
            continue;
        }
        members.shuffle(&mut generator(seed, class));
        let count = ((distinct as f64 * fraction).round() as usize).clamp(1, distinct - 1);
        for &group in &members[..count] {
            held_out[group as usize] = true;
        }
    }
    if unsplit.len() == labels.len() {
        return Err(format!(
            "each class has one distinct text ({}), expected two or more, one for training and one for validation; add \
             examples, or give a validation file with --valid",
            quoted(&unsplit)
        ));
    }
    if !unsplit.is_empty() {
        progress::warn(format_args!(
            "{} of {} classes have one distinct text each and are not validated: {}",
            unsplit.len(),
            labels.len(),
            quoted(&unsplit)
        ));
    }
    Ok(groups.of_row.iter().map(|&group| held_out[group as usize]).collect())
}

/// Splits rows into one part for each of `shares`, which add up to 1. Returns the index of each row's part. Rows with
/// the same key go to the same part.
///
/// If `stratify` is true, each class is split separately in these shares; otherwise all rows are split together. The
/// same seed gives the same parts.
pub fn split<K: Hash + Eq>(keys: &[K], classes: &[usize], shares: &[f64], seed: u64, stratify: bool) -> Vec<usize> {
    let class_count = classes.iter().max().map_or(0, |class| class + 1);
    let mut groups = Groups::new(keys, classes, class_count);
    if !stratify {
        groups.of_class = vec![(0..groups.len() as u32).collect()];
    }
    let mut parts = vec![0; groups.len()];
    for (class, members) in groups.of_class.iter_mut().enumerate() {
        members.shuffle(&mut generator(seed, class));
        // Each part ends at its cumulative share, and the last one with the last group.
        let (mut total_share, mut start) = (0.0, 0);
        for (part, part_share) in shares.iter().enumerate() {
            total_share += part_share;
            let end = if part + 1 == shares.len() {
                members.len()
            } else {
                (total_share * members.len() as f64).round() as usize
            };
            for &group in &members[start..end] {
                parts[group as usize] = part;
            }
            start = end;
        }
    }
    groups.of_row.iter().map(|&group| parts[group as usize]).collect()
}

/// Returns the fold of each row, from 0, for a stratified cross-validation. There are `max_folds` folds, or fewer if
/// the smallest class has fewer distinct keys, but at least two. Rows with the same key are in the same fold.
pub fn folds<K: Hash + Eq>(keys: &[K], classes: &[usize], max_folds: usize, seed: u64) -> Vec<usize> {
    let class_count = classes.iter().max().map_or(0, |class| class + 1);
    let mut keys_of_class = vec![HashSet::new(); class_count];
    for (key, &class) in keys.iter().zip(classes) {
        keys_of_class[class].insert(key);
    }
    let smallest = keys_of_class.iter().map(HashSet::len).filter(|count| *count > 0).min().unwrap_or(0);
    let folds = max_folds.min(smallest).max(2);
    split(keys, classes, &vec![1.0 / folds as f64; folds], seed, true)
}

/// Separates rows into training rows and those for which `held_out` is true, both in their order.
pub fn partition<T>(rows: Vec<T>, held_out: &[bool]) -> (Vec<T>, Vec<T>) {
    let (mut train, mut valid) = (Vec::new(), Vec::new());
    for (row, &is_held_out) in rows.into_iter().zip(held_out) {
        if is_held_out { valid.push(row) } else { train.push(row) }
    }
    (train, valid)
}

/// Chooses `count` examples at random, or all if there are no more, so that each class has the same share of them as of
/// `examples`, and at least one example if `count` allows it. Returns their indices in ascending order.
pub fn sample_indices(examples: &[Example], label_count: usize, count: usize, seed: u64) -> Vec<usize> {
    if examples.len() <= count {
        return (0..examples.len()).collect();
    }
    let mut classes: Vec<Vec<usize>> = vec![Vec::new(); label_count];
    for (row, example) in examples.iter().enumerate() {
        classes[example.label].push(row);
    }
    // The shuffled examples of each class get ranks that are spread evenly over 0..1, beginning at 0. Taking the
    // `count` lowest ranks gives each class its share, and the first example of each class.
    let mut ranked: Vec<(f64, usize)> = Vec::with_capacity(examples.len());
    for (class, members) in classes.iter_mut().enumerate() {
        members.shuffle(&mut generator(seed, class));
        let size = members.len() as f64;
        ranked.extend(members.iter().enumerate().map(|(place, &row)| (place as f64 / size, row)));
    }
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut rows: Vec<usize> = ranked[..count].iter().map(|(_, row)| *row).collect();
    rows.sort_unstable();
    rows
}

/// Returns copies of the examples that [`sample_indices`] chooses.
pub fn sample(examples: &[Example], label_count: usize, count: usize, seed: u64) -> Vec<Example> {
    sample_indices(examples, label_count, count, seed).into_iter().map(|row| examples[row].clone()).collect()
}

/// Returns the random number generator of a class. Other classes do not affect its numbers.
fn generator(seed: u64, class: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(class as u64);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(parts: &[usize], classes: &[usize], class: usize) -> [usize; 3] {
        [0, 1, 2].map(|part| (0..parts.len()).filter(|&row| parts[row] == part && classes[row] == class).count())
    }

    #[test]
    fn shares_by_class_and_by_seed() {
        let keys: Vec<String> = (0..1010).map(|row| row.to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let classes: Vec<usize> = (0..1010).map(|row| usize::from(row >= 1000)).collect();
        let split = |seed, stratify| split(&keys, &classes, &[0.8, 0.1, 0.1], seed, stratify);
        assert_eq!(counts(&split(1, true), &classes, 0), [800, 100, 100]);
        assert_eq!(counts(&split(1, true), &classes, 1), [8, 1, 1]);
        let free = split(1, false);
        assert_eq!([0, 1, 2].map(|part| free.iter().filter(|&&of| of == part).count()), [808, 101, 101]);
        assert_eq!(split(1, true), split(1, true));
        assert_ne!(split(1, true), split(2, true));
    }

    #[test]
    fn a_class_that_shares_its_texts_with_a_larger_one_is_in_every_part() {
        let keys: Vec<String> =
            (0..1000).map(|row| row.to_string()).chain((0..20).map(|row| row.to_string())).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let classes: Vec<usize> = (0..1020).map(|row| usize::from(row >= 1000)).collect();
        let parts = split(&keys, &classes, &[0.8, 0.1, 0.1], 1, true);
        assert_eq!(counts(&parts, &classes, 1), [16, 2, 2]);
        assert!((0..20).all(|row| parts[row] == parts[1000 + row]));
    }

    #[test]
    fn equal_texts_go_to_the_same_part() {
        let keys: Vec<String> = (0..300).map(|row| (row % 30).to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let parts = split(&keys, &[0; 300], &[0.5, 0.5], 3, true);
        assert!((0..300).all(|row| parts[row] == parts[row % 30]));
        assert_eq!(parts.iter().filter(|part| **part == 1).count(), 150);
    }
}
