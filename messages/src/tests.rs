//! Properties of the generated data: pinned bytes, no text twice, balanced classes, and no accurate simple rule.

use std::collections::HashSet;

use crate::baselines::Baselines;
use crate::{HELD_OUT_LINES, Label, Message, Messages, SEED, TRAIN_LINES, checksum, generate, normalise, to_csv};

fn messages() -> Messages {
    generate(SEED).unwrap()
}

/// `TERN_BLESS=1 cargo test -p tern-messages` writes the file of checksums.
#[test]
fn the_bytes_are_pinned() {
    let made = messages();
    let mut sums = String::from(
        "# made by tests::the_bytes_are_pinned; TERN_BLESS=1 cargo test -p tern-messages makes it again\n",
    );
    for (name, set) in [("train.csv", &made.train), ("heldout.csv", &made.held_out)] {
        sums.push_str(&format!("{name} {:016x}\n", checksum(to_csv(set).as_bytes())));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/data.txt");
    if std::env::var_os("TERN_BLESS").is_some() {
        std::fs::write(path, &sums).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    assert_eq!(sums, golden, "the data has changed: train the model again and update models/building/README.md");
}

#[test]
fn the_bytes_depend_on_the_seed_alone() {
    let [first, second, other] = [SEED, SEED, SEED + 1].map(|seed| to_csv(&generate(seed).unwrap().train));
    assert!(first == second && first != other);
}

#[test]
fn no_text_occurs_twice() {
    let made = messages();
    let mut seen = HashSet::new();
    for message in made.train.iter().chain(&made.held_out) {
        assert!(seen.insert(normalise(&message.text)), "twice: {}", message.text);
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
fn texts_are_short_and_ascii() {
    let made = messages();
    for Message { text, .. } in made.train.iter().chain(&made.held_out) {
        assert!(text.is_ascii() && !text.contains(char::is_control), "{text}");
        assert!((4..=240).contains(&text.len()), "{text}");
    }
}

/// `cargo test -p tern-messages -- --nocapture simple_rule` prints the figures.
#[test]
fn no_simple_rule_reaches_75_percent() {
    let made = messages();
    let train = Baselines::measure(&made.train, &made.train);
    let held_out = Baselines::measure(&made.train, &made.held_out);
    println!("train:    {train:.3?}\nheld out: {held_out:.3?}");
    for rule in [train.majority, train.keyword_per_class, train.best_token] {
        assert!(rule < 0.75, "{train:?}");
    }
}
