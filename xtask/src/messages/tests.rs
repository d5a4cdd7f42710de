//! What the data promises: the same bytes, no text twice, balance, and no short cut.

use std::collections::HashSet;

use super::baselines::Baselines;
use super::{HELD_OUT_LINES, Label, Message, Messages, SEED, TRAIN_LINES, fold, generate};
use crate::data::{checksum, csv};

fn messages() -> Messages {
    generate(SEED).unwrap()
}

#[test]
fn the_bytes_are_pinned() {
    let made = messages();
    let sums = [checksum(csv(&made.train).as_bytes()), checksum(csv(&made.held_out).as_bytes())];
    // A change here is a change of data: train the model again and say so in its card.
    assert_eq!(sums.map(|sum| format!("{sum:016x}")), ["4a62d43772bf1152", "da8086fc7b994fbb"]);
    assert_eq!(csv(&made.train), csv(&messages().train));
    assert_ne!(csv(&made.train), csv(&generate(SEED + 1).unwrap().train));
}

#[test]
fn no_text_stands_twice() {
    let made = messages();
    let mut seen = HashSet::new();
    for message in made.train.iter().chain(&made.held_out) {
        assert!(seen.insert(fold(&message.text)), "twice: {}", message.text);
    }
}

#[test]
fn classes_are_balanced() {
    let made = messages();
    for (set, lines) in [(&made.train, TRAIN_LINES), (&made.held_out, HELD_OUT_LINES)] {
        assert_eq!(set.len(), lines);
        for label in Label::ALL {
            let of_class = set.iter().filter(|m| m.label == label).count();
            assert!((lines / 6..=lines / 4).contains(&of_class), "{}: {of_class}", label.name());
        }
    }
}

#[test]
fn lines_are_short_and_plain() {
    let made = messages();
    for Message { text, .. } in made.train.iter().chain(&made.held_out) {
        assert!(text.is_ascii() && !text.contains(char::is_control), "{text}");
        assert!((5..=240).contains(&text.len()), "{text}");
    }
}

/// `cargo test -p xtask -- --nocapture short_cut` prints the figures.
#[test]
fn no_short_cut_reaches_eighty_percent() {
    let made = messages();
    let train = Baselines::measure(&made.train, &made.train);
    let held_out = Baselines::measure(&made.train, &made.held_out);
    println!("train:    {train:.3?}\nheld out: {held_out:.3?}");
    for rule in [train.majority, train.keyword_per_class, train.best_token] {
        assert!(rule < 0.75, "{train:?}");
    }
}
