//! The examples in the report of a language model: generated text, and the tokens of the validation text that it
//! expected least.

use super::{TextFigures, next_tokens};
use crate::float_model::FloatModel;
use crate::model::{Model, Sampling};
use crate::train::{self, Guess};
use crate::vocabulary::UNK;
use rayon::prelude::*;
use tern_runtime::text::Detokenizer;

/// The temperatures of the samples.
const TEMPERATURES: [f64; 3] = [0.5, 0.8, 1.0];
/// Largest number of tokens of a sample.
const SAMPLE_TOKENS: usize = 240;
/// Largest number of characters of a sample.
const SAMPLE_CHARACTERS: usize = 400;
/// Number of tokens at the beginning of the validation text that are the prompt of the samples.
const PROMPT: usize = 8;
/// Largest number of unexpected tokens that are shown.
const PLACES: usize = 15;
/// Smallest distance between two unexpected tokens, in tokens.
const BEFORE: usize = 24;
/// Number of characters that are shown before an unexpected token.
const EXCERPT: usize = 90;
/// Number of more probable tokens that are shown.
const EXPECTED: usize = 3;

/// The samples and the unexpected tokens of a language model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Language {
    /// Generated texts.
    pub samples: Vec<Sample>,
    /// The tokens of the validation text with the lowest probabilities.
    pub surprises: Vec<Surprise>,
}

/// A generated text.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The temperature of the sampling.
    pub temperature: f64,
    /// The beginning of the validation text, which the model read first.
    pub prompt: String,
    /// The generated continuation.
    pub text: String,
}

/// A token that the model did not expect.
#[derive(Clone, Debug, PartialEq)]
pub struct Surprise {
    /// The text before it.
    pub before: String,
    /// The token.
    pub token: String,
    /// The probability that the model predicted for it.
    pub probability: f64,
    /// The most probable tokens at this place, with their probabilities.
    pub expected: Vec<(String, f64)>,
}

impl Language {
    /// Runs `model` over a text. Also returns the figures of the text; `None` if the text has fewer than two tokens.
    pub fn new(model: &FloatModel, text: &str) -> Option<(TextFigures, Self)> {
        let ids = model.vocabulary().encode(text);
        if ids.len() < 2 {
            return None;
        }
        let guesses = train::guesses(model.network(), &ids);
        let surprises = surprises(&guesses, &ids);
        let surprises = surprises.par_iter().map(|guess| surprise(model, &ids, guess)).collect();
        let prompt = &ids[..PROMPT.min(ids.len() - 1)];
        let samples = TEMPERATURES.map(|temperature| sample(model, prompt, temperature)).to_vec();
        Some((TextFigures::new(&ids, text, &guesses), Language { samples, surprises }))
    }
}

/// The tokens with the highest loss, at least [`BEFORE`] tokens apart. Unknown tokens are left out, since their loss
/// does not include which word they are.
fn surprises<'g>(guesses: &'g [Guess], ids: &[u32]) -> Vec<&'g Guess> {
    let mut known: Vec<&Guess> = guesses.iter().filter(|guess| ids[guess.place] != UNK).collect();
    known.sort_by(|a, b| b.loss.total_cmp(&a.loss).then(a.place.cmp(&b.place)));
    let mut chosen: Vec<&Guess> = Vec::new();
    for guess in known {
        if chosen.iter().all(|other| other.place.abs_diff(guess.place) > BEFORE) {
            chosen.push(guess);
        }
        if chosen.len() == PLACES {
            break;
        }
    }
    chosen
}

fn surprise(model: &FloatModel, ids: &[u32], guess: &Guess) -> Surprise {
    let place = guess.place;
    // The model read the text in parts: it saw only the tokens of this part.
    let expected = next_tokens(model, &ids[train::part_of(place, ids.len())..place], EXPECTED);
    let mut before = joined(model, "", &ids[place.saturating_sub(EXCERPT)..place]);
    let token = &model.vocabulary().tokens()[ids[place] as usize];
    let piece = joined(model, &before, &ids[place..=place]);
    if token != " " && piece.starts_with(' ') {
        before.push(' ');
    }
    let cut = before.chars().count().saturating_sub(EXCERPT);
    Surprise {
        before: before.chars().skip(cut).collect(),
        token: token.clone(),
        probability: (-guess.loss).exp(),
        expected: expected
            .into_iter()
            .map(|(id, probability)| (model.vocabulary().tokens()[id as usize].clone(), probability))
            .collect(),
    }
}

fn sample(model: &FloatModel, prompt: &[u32], temperature: f64) -> Sample {
    let before = joined(model, "", prompt);
    let mut detokenizer = Detokenizer::new(model.config().tokenizer().kind, before.as_bytes());
    let mut text = String::new();
    let mut tokens = 0;
    model.generate(prompt, Sampling { temperature, top_k: 0, seed: 1 }, &mut |id| {
        // Writing to a string does not fail.
        let _ = detokenizer.write(id, &model.vocabulary().tokens()[id as usize], &mut text);
        tokens += 1;
        tokens < SAMPLE_TOKENS && text.chars().count() < SAMPLE_CHARACTERS
    });
    Sample { temperature, prompt: before, text }
}

fn joined(model: &FloatModel, before: &str, ids: &[u32]) -> String {
    let mut detokenizer = Detokenizer::new(model.config().tokenizer().kind, before.as_bytes());
    let mut text = String::new();
    // Writing to a string does not fail.
    for &id in ids {
        let _ = detokenizer.write(id, &model.vocabulary().tokens()[id as usize], &mut text);
    }
    let _ = detokenizer.finish(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Head, Recurrent};
    use crate::float_model::tests::model_with;

    #[test]
    fn unexpected_tokens_are_apart_and_known() {
        let guess = |place, loss| Guess { place, loss, above: 0 };
        let mut ids = vec![5; 200];
        ids[100] = UNK;
        let guesses = [guess(10, 1.0), guess(11, 9.0), guess(12, 8.0), guess(100, 99.0), guess(150, 2.0)];
        let places: Vec<usize> = surprises(&guesses, &ids).iter().map(|guess| guess.place).collect();
        assert_eq!(places, [11, 150]);
    }

    #[test]
    fn the_expected_tokens_are_those_at_the_time_of_reading() {
        let model = model_with(Recurrent::default(), Head { hidden: 0, outputs: 11 });
        let text = model.vocabulary().tokens()[2..].iter().cycle().take(90).cloned().collect::<Vec<_>>().join(" ");
        let (figures, language) = Language::new(&model, &text).unwrap();
        assert_eq!(figures.tokens, 90);
        assert_eq!(figures.k_best[0].1, figures.figures.accuracy.unwrap());
        assert_eq!((language.samples.len(), language.samples[0].temperature), (3, 0.5));
        let worst = &language.surprises[0];
        assert!(!worst.before.is_empty() && worst.expected.len() == 3);
        assert!(worst.expected[0].1 > worst.probability, "{worst:?}");
        assert!(language.surprises.windows(2).all(|pair| pair[0].probability <= pair[1].probability));
        assert!(Language::new(&model, "one").is_none());
    }
}
