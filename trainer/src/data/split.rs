//! Choosing rows by seed, class by class.

use super::Example;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::hash::Hash;

/// A class that is too small to be in both parts.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "class {label:?} has {distinct} distinct text (in {rows} rows), expected 2 or more, one to learn from and one to hold out; \
add examples, delete the class, or give a validation file with --valid"
)]
pub struct SplitError {
    /// The class.
    pub label: String,
    /// Number of its rows.
    pub rows: usize,
    /// Number of its distinct texts.
    pub distinct: usize,
}

/// Holds out `fraction` of each class, at least one text and never all of them. Returns which rows are held out.
///
/// keys: what each row says, such as its text; classes: its index into `labels`. Rows with the same key stay together, so
/// that nothing that is held out has been learnt from; a key counts for the smallest class of its rows.
///
/// # Errors
///
/// Where a class has fewer than two distinct keys.
pub fn hold_out<K: Hash + Eq>(
    keys: &[K],
    classes: &[usize],
    labels: &[String],
    fraction: f64,
    seed: u64,
) -> Result<Vec<bool>, SplitError> {
    let groups = groups(keys, classes);
    let mut held_out = vec![false; keys.len()];
    for (class, label) in labels.iter().enumerate() {
        let mut members: Vec<&Vec<usize>> =
            groups.iter().filter(|(of, _)| *of == class).map(|(_, rows)| rows).collect();
        let distinct = members.len();
        if distinct < 2 {
            let rows = classes.iter().filter(|of| **of == class).count();
            return Err(SplitError { label: label.clone(), rows, distinct });
        }
        members.shuffle(&mut generator(seed, class));
        let count = ((distinct as f64 * fraction).round() as usize).clamp(1, distinct - 1);
        for &row in members[..count].iter().copied().flatten() {
            held_out[row] = true;
        }
    }
    Ok(held_out)
}

/// The rows of each key, in the order of the keys' first rows, and the class that they count for: the one with the fewest rows
/// of those that they have, so that a small class whose texts also stand under a large one is not left without any.
pub fn groups<K: Hash + Eq>(keys: &[K], classes: &[usize]) -> Vec<(usize, Vec<usize>)> {
    let mut counts = vec![0usize; classes.iter().max().map_or(0, |class| class + 1)];
    classes.iter().for_each(|&class| counts[class] += 1);
    let mut group_of: HashMap<&K, usize> = HashMap::new();
    let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
    for (row, (key, &class)) in keys.iter().zip(classes).enumerate() {
        let group = *group_of.entry(key).or_insert_with(|| {
            groups.push((class, Vec::new()));
            groups.len() - 1
        });
        let (of, rows) = &mut groups[group];
        if counts[class] < counts[*of] {
            *of = class;
        }
        rows.push(row);
    }
    groups
}

/// Deals `rows` out: those to learn from, and those that are held out, both in their order.
pub fn parts<T>(rows: Vec<T>, held_out: &[bool]) -> (Vec<T>, Vec<T>) {
    let (mut train, mut valid) = (Vec::new(), Vec::new());
    for (row, &held_out) in rows.into_iter().zip(held_out) {
        if held_out { valid.push(row) } else { train.push(row) }
    }
    (train, valid)
}

/// About `count` examples, never more, each class in its share and with one example at least while there is room.
pub fn sample(examples: &[Example], labels: usize, count: usize, seed: u64) -> Vec<Example> {
    if examples.len() <= count {
        return examples.to_vec();
    }
    // Each class's examples are spread evenly over 0..1, the first of all classes at 0: the `count` lowest are taken.
    let mut ranked: Vec<(f64, usize)> = Vec::with_capacity(examples.len());
    for class in 0..labels {
        let mut members: Vec<usize> = (0..examples.len()).filter(|&row| examples[row].label == class).collect();
        members.shuffle(&mut generator(seed, class));
        let share = members.len() as f64;
        ranked.extend(members.into_iter().enumerate().map(|(rank, row)| (rank as f64 / share, row)));
    }
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut rows: Vec<usize> = ranked[..count].iter().map(|(_, row)| *row).collect();
    rows.sort_unstable();
    rows.into_iter().map(|row| examples[row].clone()).collect()
}

fn generator(seed: u64, class: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(class as u64);
    rng
}
