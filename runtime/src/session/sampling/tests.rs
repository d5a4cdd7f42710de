//! Tests of the tokens that are drawn, and of their frequencies.

use super::*;
use crate::model::Model;
use crate::testing::{Random, Sizes, Spec};
use crate::text::vocabulary::{PAD, UNK};
use std::{vec, vec::Vec};
use tern_format::Task;

const SIZES: Sizes = Sizes { embedding_dim: 3, hidden_size: 5, classes: 2 };

/// Calls `check` with the logits of a random language model after some text.
fn with_logits(seed: u64, check: impl FnOnce(&Logits<'_>)) {
    let file = Spec { task: Task::LanguageModel, ..SIZES.into() }.file(seed);
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    session.feed(b"free prize call ");
    check(&session.logits());
}

#[test]
fn tokens_are_drawn_as_often_as_they_are_likely() {
    with_logits(4, |logits| {
        for (temperature, count) in [(Sampler::ONE, 8), (Sampler::ONE / 2, 8), (3 * Sampler::ONE, 8), (Sampler::ONE, 3)]
        {
            let mut candidates = vec![Ranked::default(); count];
            assert_eq!(logits.next_tokens(&mut candidates), count);
            let scale = 65_536.0 * f64::from(temperature) / 65_536.0;
            let weights: Vec<f64> =
                candidates.iter().map(|rank| (f64::from(rank.logit - candidates[0].logit) / scale).exp()).collect();
            let whole: f64 = weights.iter().sum();
            let mut sampler = Sampler::new(9, temperature);
            let draws = 40_000;
            let mut drawn = [0u32; 10];
            for _ in 0..draws {
                drawn[sampler.sample(logits, &mut candidates).unwrap() as usize] += 1;
            }
            assert_eq!((drawn[PAD as usize], drawn[UNK as usize]), (0, 0));
            assert_eq!(drawn.iter().sum::<u32>(), draws);
            for (rank, weight) in candidates.iter().zip(weights) {
                let (found, expected) = (f64::from(drawn[rank.class]), f64::from(draws) * weight / whole);
                // Five standard deviations of the count.
                assert!(
                    (found - expected).abs() < 5.0 * expected.sqrt() + 1.0,
                    "{rank:?}: {found}, expected {expected}"
                );
            }
        }
    });
}

#[test]
fn all_tokens_are_drawn_by_their_ids() {
    with_logits(4, |logits| {
        for temperature in [0, Sampler::ONE / 2, Sampler::ONE, 3 * Sampler::ONE] {
            let (mut sampler, mut numbers) = (Sampler::new(9, temperature), Sampler::new(9, temperature));
            let largest = logits.iter().skip(2).max().unwrap();
            let weight = |logit: i32| match (1u64 << 32).checked_div(u64::from(temperature)) {
                Some(inverse) => {
                    exp_neg(((u64::from(largest.abs_diff(logit)) * inverse) >> 16).min(0xffff_ffff) as u32)
                }
                None => u32::from(logit == largest),
            };
            // The definition: every token as often as it weighs, in one row.
            let ends = logits.iter().enumerate().skip(2).scan(0u64, |end, (id, logit)| {
                *end += u64::from(weight(logit));
                Some((id as u32, *end))
            });
            let ends: Vec<(u32, u64)> = ends.collect();
            let whole = ends.last().unwrap().1;
            for _ in 0..2_000 {
                let place = if temperature == 0 { 0 } else { numbers.number() % whole };
                let expected = ends.iter().find(|(_, end)| place < *end).unwrap().0;
                assert_eq!(sampler.sample_all(logits), Some(expected));
            }
        }
    });
}

#[test]
fn the_same_seed_draws_the_same() {
    with_logits(5, |logits| {
        let mut candidates = [Ranked::default(); 6];
        let mut sampler = Sampler::new(1, Sampler::ONE);
        let mut draw =
            |sampler: &mut Sampler| (0..50).map(|_| sampler.sample(logits, &mut candidates)).collect::<Vec<_>>();
        let first = draw(&mut sampler);
        assert_eq!(first, draw(&mut Sampler::new(1, Sampler::ONE)));
        assert_ne!(first, draw(&mut Sampler::new(2, Sampler::ONE)));
        let mut other = Sampler::new(sampler.seed(), Sampler::ONE);
        assert_eq!(draw(&mut sampler), draw(&mut other));
    });
}

#[test]
fn a_temperature_of_zero_takes_the_likeliest() {
    with_logits(6, |logits| {
        let real: Vec<i32> = logits.iter().skip(2).collect();
        let likeliest = 2 + real.iter().position(|logit| logit == real.iter().max().unwrap()).unwrap() as u32;
        let mut sampler = Sampler::new(1, 0);
        assert_eq!(sampler.sample(logits, &mut [Ranked::default(); 4]), Some(likeliest));
        assert_eq!((sampler.sample(logits, &mut []), sampler.seed()), (None, 1));
        // The coldest that is not zero does the same, the hottest takes any.
        let mut coldest = Sampler::new(1, 1);
        assert!((0..100).all(|_| coldest.sample(logits, &mut [Ranked::default(); 8]) == Some(likeliest)));
        let (mut hottest, mut seen) = (Sampler::new(1, u32::MAX), [false; 10]);
        (0..1_000).for_each(|_| seen[hottest.sample(logits, &mut [Ranked::default(); 8]).unwrap() as usize] = true);
        assert_eq!(seen, [false, false, true, true, true, true, true, true, true, true]);
    });
}

#[test]
fn the_numbers_are_splitmix64() {
    let (mut sampler, mut random) = (Sampler::new(77, 1), Random(77));
    assert!((0..100).all(|_| sampler.number() == random.number()));
    // From its author's program, seed 1234567.
    assert_eq!(Sampler::new(1_234_567, 1).number(), 6_457_827_717_110_365_317);
}
