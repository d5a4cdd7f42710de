//! Typing errors: swapped, dropped and doubled letters, and letters replaced by those of neighbouring keys.

use std::ops::Range;

use crate::rng::Rng;

/// The letter rows of a keyboard.
const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// The length of the shortest word that may get an error. An error in `no` or `off` could change the meaning and so the
/// label.
const MIN_LETTERS: usize = 4;

/// Puts one error into a random word of at least `MIN_LETTERS` letters; a text without such a word is returned
/// unchanged.
pub fn add_typo(text: &str, rng: &mut Rng) -> String {
    let words = words(text);
    if words.is_empty() {
        return text.to_owned();
    }
    let Range { start, end } = rng.pick(&words).clone();
    let mut letters: Vec<char> = text[start..end].chars().collect();
    // Not the first letter, which people rarely mistype, and not the last one, which has no letter to swap with.
    let index = 1 + rng.below(letters.len() - 2);
    match rng.below(4) {
        0 => letters.swap(index, index + 1),
        1 => drop(letters.remove(index)),
        2 => letters.insert(index, letters[index]),
        _ => letters[index] = neighbour(letters[index], rng),
    }
    let word: String = letters.into_iter().collect();
    format!("{}{word}{}", &text[..start], &text[end..])
}

/// Returns the byte range of each run of at least `MIN_LETTERS` ASCII letters.
fn words(text: &str) -> Vec<Range<usize>> {
    // `start`: that of the current run; `None` between runs.
    let (mut words, mut start) = (Vec::new(), None);
    // The space ends a run at the end of the text.
    for (index, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_ascii_alphabetic(), start) {
            (true, None) => start = Some(index),
            (false, Some(word_start)) => {
                if index - word_start >= MIN_LETTERS {
                    words.push(word_start..index);
                }
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// Returns a random letter beside the ASCII letter `letter` in its row of the keyboard, in the same case.
fn neighbour(letter: char, rng: &mut Rng) -> char {
    let lower = letter.to_ascii_lowercase();
    let keys_and_index = ROWS.iter().find_map(|row| Some((row.as_bytes(), row.find(lower)?)));
    let Some((keys, index)) = keys_and_index else { return letter };
    let (left, right) = (keys[..index].last(), keys.get(index + 1));
    let neighbours: Vec<u8> = left.into_iter().chain(right).copied().collect();
    let key = char::from(*rng.pick(&neighbours));
    if letter.is_ascii_uppercase() { key.to_ascii_uppercase() } else { key }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_and_numbers_stay_unchanged() {
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            let text = add_typo("no gas in 3B, 4000 ok, smoke off", &mut rng);
            assert!(text.starts_with("no gas in 3B, 4000 ok, s"), "{text}");
            assert!(text.ends_with(" off"), "{text}");
        }
        assert_eq!(add_typo("no, off", &mut rng), "no, off");
    }

    #[test]
    fn an_error_changes_the_length_by_at_most_one_letter() {
        let mut rng = Rng::new(2);
        let mut kinds = [0; 3];
        for _ in 0..1000 {
            let text = add_typo("smoke", &mut rng);
            assert!(text.starts_with('s') && (4..=6).contains(&text.len()), "{text}");
            kinds[text.len() - 4] += 1;
        }
        assert!(kinds.iter().all(|&n| n > 150), "{kinds:?}");
    }

    #[test]
    fn a_neighbouring_key_keeps_the_case() {
        let mut rng = Rng::new(3);
        for _ in 0..100 {
            assert!(['Q', 'E'].contains(&neighbour('W', &mut rng)));
            assert_eq!(neighbour('q', &mut rng), 'w');
        }
    }
}
