//! Tests of the candidates.

use super::*;
use crate::fit::recipe;
use std::path::Path;

const TEXTS: Profile = Profile {
    rows: 4_000,
    classes: 7,
    folds: 1,
    reads_values: false,
    tokenizer: "words",
    inputs: 3_000,
    mean_steps: 9.0,
};

#[test]
fn candidates_differ_and_are_recipes() {
    let profiles = [
        TEXTS,
        Profile { classes: 2, mean_steps: 240.0, ..TEXTS },
        Profile { tokenizer: "chars", inputs: 70, ..TEXTS },
        Profile { rows: 60, inputs: 90, ..TEXTS },
        Profile { reads_values: true, inputs: 4, ..TEXTS },
    ];
    for profile in profiles {
        for flash in [6_000, 32_000, 256_000] {
            let budget = Budget { flash, ..Budget::default() };
            let found = candidates(&profile, &budget, 20, 1);
            assert!(found.len() >= 10, "{profile:?}, {flash}: {}", found.len());
            assert_eq!(found, candidates(&profile, &budget, 20, 1));
            for (index, settings) in found.iter().enumerate() {
                assert!(!found[..index].contains(settings), "{settings}");
                let mut options = Table::new();
                set(&mut options, "tokenizer", "kind", profile.tokenizer.into());
                let recipe = recipe(Path::new("a.csv"), settings, &options).unwrap();
                let table = recipe.model.ngram_table().map_or(0, |table| table.buckets * table.rank / 2);
                assert!(table < flash, "{settings}");
                assert_eq!(recipe.training.refuse_share > 0.0, profile.rows < SMALL_DATA);
            }
        }
    }
}

#[test]
fn another_seed_draws_other_candidates_after_the_fixed_ones() {
    let budget = Budget { flash: 64_000, ..Budget::default() };
    let [first, second] = [1, 2].map(|seed| candidates(&TEXTS, &budget, 24, seed));
    let same = first.iter().zip(&second).take_while(|(a, b)| a == b).count();
    assert!((8..20).contains(&same), "{same}");
}

#[test]
fn tables_are_the_largest_that_fit() {
    let buckets = |bytes, rank, profile: &Profile| {
        ngram_table(bytes, rank, profile).map(|table| table["model"]["ngram_buckets"].as_integer())
    };
    assert_eq!(buckets(4_096, 2, &TEXTS), Some(Some(4_096)));
    assert_eq!(buckets(4_095, 2, &TEXTS), Some(Some(2_048)));
    assert_eq!(buckets(4_096, 16, &TEXTS), Some(Some(512)));
    assert_eq!(buckets(8, 16, &TEXTS), None);
    // The rows of long texts have a fingerprint.
    let long = Profile { mean_steps: 240.0, ..TEXTS };
    assert_eq!(buckets(4_096, 2, &long), Some(Some(2_048)));
    assert_eq!(buckets(4_096, 2, &Profile { folds: 5, ..long }), Some(Some(4_096)));
}
