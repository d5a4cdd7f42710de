//! Dealing rows out to several parts: train, validation, test.

use super::split::groups;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The part of each row: rows with the same key go to the same one, so that no text of one part stands in another.
///
/// Stratified, each class is dealt out in these `shares` by itself (a key is of the smallest class of its rows); otherwise all
/// keys together are. Counts are rounded so that they add up. The same seed gives the same parts.
pub fn deal(keys: &[&str], classes: &[usize], shares: &[f64], seed: u64, stratify: bool) -> Vec<usize> {
    let mut groups = groups(keys, classes);
    if !stratify {
        groups.iter_mut().for_each(|(class, _)| *class = 0);
    }
    let mut parts = vec![0; keys.len()];
    for class in 0..=groups.iter().map(|(class, _)| *class).max().unwrap_or(0) {
        let mut members: Vec<&Vec<usize>> =
            groups.iter().filter(|(of, _)| *of == class).map(|(_, rows)| rows).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(class as u64);
        members.shuffle(&mut rng);
        let (mut share, mut start) = (0.0, 0);
        for (part, wanted) in shares.iter().enumerate() {
            share += wanted;
            let end =
                if part + 1 == shares.len() { members.len() } else { (share * members.len() as f64).round() as usize };
            members[start..end].iter().copied().flatten().for_each(|&row| parts[row] = part);
            start = end;
        }
    }
    parts
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
        let deal = |seed, stratify| deal(&keys, &classes, &[0.8, 0.1, 0.1], seed, stratify);
        assert_eq!(counts(&deal(1, true), &classes, 0), [800, 100, 100]);
        assert_eq!(counts(&deal(1, true), &classes, 1), [8, 1, 1]);
        let free = deal(1, false);
        assert_eq!([0, 1, 2].map(|part| free.iter().filter(|&&of| of == part).count()), [808, 101, 101]);
        assert_eq!(deal(1, true), deal(1, true));
        assert_ne!(deal(1, true), deal(2, true));
    }

    #[test]
    fn a_class_whose_texts_stand_under_a_larger_one_too_is_in_every_part() {
        let keys: Vec<String> =
            (0..1000).map(|row| row.to_string()).chain((0..20).map(|row| row.to_string())).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let classes: Vec<usize> = (0..1020).map(|row| usize::from(row >= 1000)).collect();
        let parts = deal(&keys, &classes, &[0.8, 0.1, 0.1], 1, true);
        assert_eq!(counts(&parts, &classes, 1), [16, 2, 2]);
        assert!((0..20).all(|row| parts[row] == parts[1000 + row]));
    }

    #[test]
    fn equal_texts_go_together() {
        let keys: Vec<String> = (0..300).map(|row| (row % 30).to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let parts = deal(&keys, &[0; 300], &[0.5, 0.5], 3, true);
        assert!((0..300).all(|row| parts[row] == parts[row % 30]));
        assert_eq!(parts.iter().filter(|part| **part == 1).count(), 150);
    }
}
