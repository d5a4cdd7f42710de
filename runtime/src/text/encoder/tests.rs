//! Tests of the encoder against a plain definition of each tokenizer's ids.

use super::*;
use crate::text::vocabulary::UNK;
use proptest::prelude::*;
use std::{format, string::String, vec, vec::Vec};

/// Tokens in order, as a device file has them.
fn table(tokens: &[&str]) -> (Vec<u32>, Vec<u8>) {
    let mut sorted = tokens.to_vec();
    sorted.sort_unstable();
    let (mut offsets, mut bytes) = (vec![0], vec![]);
    for token in sorted {
        bytes.extend_from_slice(token.as_bytes());
        offsets.push(bytes.len() as u32);
    }
    (offsets, bytes)
}

fn ids<'t>(name: &str, vocabulary: &Vocabulary<'_>, chunks: impl IntoIterator<Item = &'t [u8]>) -> Vec<u32> {
    let tokenizer = Tokenizer::from_name(name).unwrap();
    let mut buffer = vec![-1; crate::text::buffer_len(tokenizer)];
    let mut encoder = Encoder::new(tokenizer, &mut buffer);
    let mut ids = vec![];
    // What was left unfinished is forgotten.
    encoder.feed(vocabulary, b"<b unfin\xe2", &mut |_| ());
    encoder.reset();
    chunks.into_iter().for_each(|chunk| encoder.feed(vocabulary, chunk, &mut |id| ids.push(id)));
    encoder.finish(vocabulary, &mut |id| ids.push(id));
    ids
}

#[test]
fn bytes_are_their_own_ids() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(ids("bytes", &Vocabulary::BYTES, [&all[..]]), (2..258).collect::<Vec<u32>>());
    assert_eq!(Vocabulary::BYTES.size(), 258);
    assert_eq!(Vocabulary::BYTES.token(70), None);
}

const PIECES: [&str; 14] =
    ["!", "##!", "##able", "##ffable", "##é", "a", "aff", "b", "un", "##a", "##b", "una", "é", "##aff"];

/// Greedy longest match as BERT has it.
fn defined(word: &str, pieces: &[&str]) -> Vec<u32> {
    let mut sorted = pieces.to_vec();
    sorted.sort_unstable();
    let chars: Vec<char> = word.chars().collect();
    let (mut start, mut found) = (0, vec![]);
    while start < chars.len() && chars.len() <= 100 {
        let candidate = |end: usize| {
            let text: String = chars[start..end].iter().collect();
            let piece = if start > 0 { format!("##{text}") } else { text };
            sorted.iter().position(|known| *known == piece).map(|at| (end, at as u32 + 2))
        };
        match (start + 1..=chars.len()).rev().find_map(candidate) {
            Some((end, id)) => {
                found.push(id);
                start = end;
            }
            None => return vec![UNK],
        }
    }
    if found.is_empty() { vec![UNK] } else { found }
}

#[test]
fn words_are_cut_greedily_or_are_unknown() {
    let (offsets, bytes) = table(&PIECES);
    let vocabulary = Vocabulary::sorted(&offsets, &bytes).unwrap();
    let pieces = |text: &str| -> Vec<&str> {
        let ids = ids("wordpiece", &vocabulary, [text.as_bytes()]);
        ids.into_iter().map(|id| vocabulary.token(id).unwrap_or("?")).collect()
    };
    // Greedy: `una` is taken, and `##ffable` follows; `un` and `##aff` are not.
    assert_eq!(pieces("UNAFFABLE !!"), ["una", "##ffable", "!", "##!"]);
    // `un`, `##aff` and then nothing for `x`: the whole word is one unknown token.
    assert_eq!(pieces("unaffx a"), ["?", "a"]);
    // A continuation is looked up by its own name only: this text has no word of `##` and a letter.
    assert_eq!(pieces("##a"), ["?", "a"]);
    assert_eq!(pieces(&"a".repeat(100)).len(), 100);
    assert_eq!(pieces(&"a".repeat(101)), ["?"]);
    assert_eq!(pieces(&format!("{} a", "a".repeat(10_000))), ["?", "a"]);
    assert_eq!(pieces(""), [""; 0]);
}

#[test]
fn the_longest_word_does_not_depend_on_the_buffer() {
    let (offsets, bytes) = table(&PIECES);
    let vocabulary = Vocabulary::sorted(&offsets, &bytes).unwrap();
    let mut buffer = [-1; 150];
    let mut encoder = Encoder::new(Tokenizer::from_name("wordpiece").unwrap(), &mut buffer);
    let mut ids = vec![];
    encoder.feed(&vocabulary, "a".repeat(101).as_bytes(), &mut |id| ids.push(id));
    encoder.finish(&vocabulary, &mut |id| ids.push(id));
    assert_eq!(ids, [UNK]);
}

proptest! {
    #[test]
    fn any_words_in_any_chunks(
        words in prop::collection::vec("(un|a|aff|able|b|é|x|É){1,6}|(a|b){95,105}|!{1,3}", 1..5),
        chunk in 1usize..9,
    ) {
        let (offsets, bytes) = table(&PIECES);
        let vocabulary = Vocabulary::sorted(&offsets, &bytes).unwrap();
        let text = words.join(" ");
        let expected: Vec<u32> = words.iter().flat_map(|word| defined(&word.to_lowercase(), &PIECES)).collect();
        prop_assert_eq!(ids("wordpiece", &vocabulary, text.as_bytes().chunks(chunk)), expected);
    }
}
